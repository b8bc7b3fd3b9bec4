import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { LABEL, nameHash } from 'agent-sandbox-api';
import { blueprintOf } from '../src/blueprint/blueprint.js';
import { newPod } from '../src/sandbox/pod.js';
import { desiredPolicySpec } from '../src/template/policy.js';

/* What the constructs say that this controller makes of manifests (`agent-sandbox-check project`) is what it makes. */

const SOURCE = 'agent-sandbox-check/projected-from';
const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));
const MANIFESTS = readdirSync(join(REPOSITORY, 'examples'), { recursive: true, encoding: 'utf8' }).filter(path => /\/manifests\/.*\.yaml$/.test(path))
  .map(path => join('examples', path)).sort();
const files: { readonly file: string; readonly object: any }[] = MANIFESTS.flatMap(file =>
  parseAllDocuments(readFileSync(join(REPOSITORY, file), 'utf8')).map(document => ({ file, object: document.toJS() })));
const ofKind = (kind: string) => files.filter(({ object }) => object?.kind === kind && /agents\.x-k8s\.io/.test(object.apiVersion)).map(({ file, object }) =>
  [`${kind} ${object.metadata.namespace}/${object.metadata.name}`, object, file] as const);

let projected: any[];
beforeAll(() => {
  const output = execFileSync(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', 'project', '--format', 'json', ...MANIFESTS], {
    cwd: REPOSITORY, encoding: 'utf8', maxBuffer: 2 ** 26, env: { ...process.env, NODE_OPTIONS: undefined },
  });
  projected = JSON.parse(output).items;
});

/** The projected object that stands for an object of a file. */
function of(name: string, file: string, kind: string): any {
  const found = projected.filter(each => each.kind === kind && each.metadata.annotations?.[SOURCE]?.startsWith(`${name} (${file}:`));
  expect(found).toHaveLength(1);
  return found[0];
}

test.each(ofKind('SandboxTemplate'))('%s has the Pod spec that the controller gives to its Sandboxes', (name, template, file) => {
  const { podTemplate, volumeClaimTemplates } = blueprintOf(template);
  const sandbox: any = { ...template, kind: 'Sandbox', metadata: { name: `${template.metadata.name}-sandbox`, namespace: template.metadata.namespace }, spec: { podTemplate, volumeClaimTemplates } };
  const pod = of(name, file, 'Pod');
  expect(pod.spec).toEqual(newPod(sandbox).spec);
  expect(pod.metadata.labels).toMatchObject({ ...template.spec.podTemplate.metadata?.labels, [LABEL.templateRefHash]: nameHash(template.metadata.name) });
});

test.each(ofKind('SandboxTemplate').filter(([, { spec }]) => spec.networkPolicyManagement !== 'Unmanaged'))('%s has the NetworkPolicy of the controller', (name, template, file) => {
  expect(of(name, file, 'NetworkPolicy').spec).toEqual(desiredPolicySpec(template, template.metadata.namespace));
});

test.each(ofKind('Sandbox'))('%s has the Pod of the controller', (name, sandbox, file) => {
  const { metadata, spec } = newPod(sandbox);
  const pod = of(name, file, 'Pod');
  expect(pod.spec).toEqual(spec);
  expect(pod.metadata).toMatchObject({ name: metadata.name, namespace: metadata.namespace, labels: metadata.labels });
});
