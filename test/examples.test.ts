import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import Ajv from 'ajv';
import { parse, parseAllDocuments } from 'yaml';
import { EXAMPLES, exampleApps, readManifests } from '../scripts/example-apps';

/** Objects beside the four kinds; a new one here is a decision, not an accident. */
const OTHER_KINDS = [
  'ConfigMap', 'Deployment', 'HorizontalPodAutoscaler', 'Ingress', 'Namespace', 'NetworkPolicy', 'PodDisruptionBudget', 'PodMonitoring', 'ResourceQuota',
  'RuntimeClass', 'ScaledObject', 'Service', 'ServiceAccount', 'TriggerAuthentication', 'ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding',
];

/** What the schema of one version of a kind says about an object. */
interface Validator {
  (object: unknown): unknown;
  errors?: readonly unknown[] | null;
}

const validators = compileSchemas();
const workDir = fs.mkdtempSync(path.join(os.tmpdir(), 'examples-'));
afterAll(() => fs.rmSync(workDir, { recursive: true }));

test('there is an example for every use case', () => {
  expect(exampleApps()).toEqual([
    'admission-policy', 'aio', 'bare-sandboxes', 'composition', 'datascience', 'gemini-computer-use', 'gitops/platform', 'gitops/research', 'jupyterlab',
    'mcp-service', 'network-cookbook', 'policy-tests', 'python-runtime', 'quickstart', 'vscode', 'warm-pool-hpa', 'warm-pool-keda',
  ]);
});

describe.each(exampleApps())('example %s', name => {
  const folder = path.join(EXAMPLES, name);
  const committed = readManifests(path.join(folder, 'manifests'));
  const objects = [...committed.values()].flatMap(text => parseAllDocuments(text).map(document => document.toJS()));

  test('synthesizes to the committed manifests', () => {
    const outdir = path.join(workDir, name);
    synthesizeHere(folder, outdir);
    expect(Object.fromEntries(readManifests(outdir))).toEqual(Object.fromEntries(committed));
  });

  test('has objects of the four kinds that the schemas accept', () => {
    const findings = objects.flatMap(object => {
      const validate = validators.get(`${object.apiVersion}/${object.kind}`);
      return !validate || validate(object) ? [] : validate.errors!.map(error =>
        `${object.kind} ${object.metadata.name}: ${JSON.stringify(error)}`);
    });
    expect(findings).toEqual([]);
    expect(objects.filter(object => !validators.has(`${object.apiVersion}/${object.kind}`) && !OTHER_KINDS.includes(object.kind))).toEqual([]);
  });

  test('says what it shows and how its manifests are made', () => {
    expect(fs.readFileSync(path.join(folder, 'cdk8s.yaml'), 'utf8')).toBe('language: typescript\napp: npx tsx main.ts\noutput: manifests\n');
    const readme = path.join(EXAMPLES, name.split('/')[0], 'README.md');
    expect(fs.readFileSync(readme, 'utf8')).toContain(name.split('/').at(-1));
  });
});

test('the schema check refuses unknown fields and wrong types', () => {
  const claim = (spec: unknown) => ({ apiVersion: 'extensions.agents.x-k8s.io/v1beta1', kind: 'SandboxClaim', metadata: { name: 'x' }, spec });
  const validate = validators.get('extensions.agents.x-k8s.io/v1beta1/SandboxClaim')!;
  expect(validate(claim({ warmPoolRef: { name: 'pool' } }))).toBe(true);
  expect(validate(claim({ warmPoolRef: { name: 'pool', nmae: 'pool' } }))).toBe(false);
  expect(validate(claim({ warmPoolRef: 'pool' }))).toBe(false);
  expect(validate(claim({ warmPoolRef: { name: 'pool' }, lifecycle: { shutdownPolicy: 'Sometimes' } }))).toBe(false);
});

/** Runs an app in this process: it finds its output folder in the environment, like under the cdk8s CLI. */
function synthesizeHere(folder: string, outdir: string): void {
  const before = process.env.CDK8S_OUTDIR;
  process.env.CDK8S_OUTDIR = outdir;
  try {
    jest.requireActual(path.join(folder, 'main.ts'));
  } finally {
    if (before === undefined) {
      delete process.env.CDK8S_OUTDIR;
    } else {
      process.env.CDK8S_OUTDIR = before;
    }
  }
}

/** A validator per version of the four kinds, by `<apiVersion>/<kind>`. */
function compileSchemas(): Map<string, Validator> {
  const folder = path.join(__dirname, '..', 'chart', 'files', 'crds');
  const ajv = new Ajv({ allErrors: true, strictTypes: false, strictRequired: false });
  return new Map(fs.readdirSync(folder).flatMap(file => {
    const { spec } = parse(fs.readFileSync(path.join(folder, file), 'utf8'));
    return spec.versions.map((version: any): [string, Validator] =>
      [`${spec.group}/${version.name}/${spec.names.kind}`, ajv.compile(strict(version.schema.openAPIV3Schema, true))]);
  }));
}

/**
 * A structural schema as JSON Schema in which unknown fields are errors, as under `kubectl --validate=strict`. CEL rules
 * and list types are left to the API server.
 */
function strict(schema: any, root = false): any {
  const { type, properties, additionalProperties, items, required, enum: values, minimum, maximum, minLength, maxLength, pattern } = schema;
  const numeric = schema['x-kubernetes-int-or-string'];
  return definedOnly({
    type: numeric ? ['integer', 'string'] : type,
    required,
    enum: values,
    minimum,
    maximum,
    minLength,
    maxLength,
    pattern,
    items: items && strict(items),
    // Of metadata, CRDs say only that it is an object.
    properties: properties && Object.fromEntries(Object.entries(properties).map(([key, value]) =>
      [key, root && key === 'metadata' ? { type: 'object', required: ['name'] } : strict(value)])),
    additionalProperties: properties ? false : additionalProperties && strict(additionalProperties),
  });
}

function definedOnly(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}
