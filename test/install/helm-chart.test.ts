import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import fc from 'fast-check';
import { parseAllDocuments } from 'yaml';
import { chartFiles } from '../../scripts/helm/chart';
import { installYaml } from '../../scripts/helm/install-yaml';
import { type Knob, type Values, propsOf, setAt } from '../../scripts/helm/knob';
import { KNOBS } from '../../scripts/helm/knobs';
import { objectsOf } from '../../scripts/helm/synthesize';
import { defaultValues } from '../../scripts/helm/values';
import { findPrograms } from '../../testbed/src/index.js';
import { describeWithPrograms } from '../../testbed/src/jest/index.js';
import { exampleOf } from './knob-examples';

const ROOT = path.join(__dirname, '..', '..');
const CHART = path.join(ROOT, 'chart');
const NAMESPACE = 'agent-sandbox-system';
/** What Helm says about objects. */
const HELM_LABELS = ['helm.sh/chart', 'app.kubernetes.io/instance', 'app.kubernetes.io/managed-by', 'app.kubernetes.io/version'];
const IMAGE = { repository: 'registry.example/agent-sandbox-controller', tag: '1.0', digest: '' };

function filesBelow(folder: string): string[] {
  return fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(file => fs.statSync(path.join(folder, file)).isFile()).sort();
}

test('the committed chart is what the construct says', () => {
  const chart = chartFiles('0.0.0');
  expect(filesBelow(CHART).filter(name => !name.startsWith('files/crds/'))).toEqual([...chart.keys()].sort());
  chart.forEach((text, name) => expect(fs.readFileSync(path.join(CHART, name), 'utf8')).toBe(text));
}, 120_000);

test('the manifests have one Deployment for each program, and no image of another publisher', () => {
  const deployments = [...installYaml().values()].map(text => parseAllDocuments(text).map(document => document.toJS()).filter(({ kind }) => kind === 'Deployment'));
  expect(deployments.map(list => list.length)).toEqual([1, 2]);
  for (const { spec } of deployments.flat()) {
    expect(spec.template.spec.containers[0].image).toMatch(/^REPLACE-WITH-YOUR-REGISTRY\/agent-sandbox-(controller|router):REPLACE-WITH-YOUR-TAG$/);
  }
});

test('no prop of the construct is out of reach, but for those that Helm decides', () => {
  const props = new Set(KNOBS.map(({ prop }) => prop.split('.')[0]));
  const declared = fs.readdirSync(path.join(ROOT, 'src', 'install')).filter(file => ['props.ts', 'controller-flags.gen.ts', 'workload.ts'].includes(file))
    .flatMap(file => [...fs.readFileSync(path.join(ROOT, 'src', 'install', file), 'utf8').matchAll(/^export interface (\w+Props) .*?^}/gms)])
    .flatMap(([text]) => [...text.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, prop]) => prop));
  expect(declared.filter(prop => !props.has(prop)).sort()).toEqual(['crdAnnotations', 'createNamespace', 'implementation', 'namespace']);
});

describeWithPrograms('the Helm chart', () => {
  const found = findPrograms(['helm']);
  const program = found.kind === 'binaries' ? found.find('helm')! : '';
  const folder = path.join(os.tmpdir(), `helm-chart-${process.pid}`);
  // Without the definitions, which take Helm longest.
  const small = path.join(folder, 'small');
  beforeAll(() => fs.cpSync(CHART, small, { recursive: true, filter: file => path.dirname(file) !== path.join(CHART, 'files', 'crds') }));
  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
  const helm = (...args: string[]) => execFileSync(program, args, {
    encoding: 'utf8', maxBuffer: 64 << 20, stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH, HOME: folder },
  });

  const rendered = (values: Values, chart = small): Map<string, any> => {
    const file = path.join(folder, 'values.json');
    fs.writeFileSync(file, JSON.stringify(values));
    const objects = parseAllDocuments(helm('template', 'agent-sandbox', chart, '--namespace', NAMESPACE, '--values', file))
      .map(document => document.toJS()).filter(Boolean);
    objects.forEach(({ metadata }) => HELM_LABELS.forEach(label => {
      expect(metadata.labels[label]).toBeDefined();
      delete metadata.labels[label];
    }));
    return byName(objects);
  };
  const constructed = (values: Values) => byName(objectsOf(propsOf(KNOBS, values), NAMESPACE));
  const byName = (objects: any[]) => new Map(objects.map(object => [[object.kind, object.metadata.namespace, object.metadata.name].join('/'), object]).sort() as [string, any][]);
  /** Values with the least besides `changes`, and without the definitions. */
  const valuesWith = (changes: { [value: string]: unknown }): Values => {
    const values = defaultValues(KNOBS);
    Object.entries({ 'image': IMAGE, 'crds.install': false, ...changes }).forEach(([value, change]) => setAt(values, value, change));
    return values;
  };

  test('is clean', () => {
    expect(helm('lint', '--strict', CHART, '--set', 'image.repository=registry.example/controller,image.digest=sha256:0')).toContain('0 chart(s) failed');
  });

  const everything = (values: Values) => {
    const file = path.join(folder, 'everything.json');
    fs.writeFileSync(file, JSON.stringify({ ...values, crds: { install: false } }));
    return parseAllDocuments(helm('template', 'agent-sandbox', small, '--namespace', NAMESPACE, '--values', file)).map(document => document.toJS()).filter(Boolean);
  };
  const WITH_TEST = { image: { ...IMAGE, digest: 'sha256:1' }, router: { enabled: true, image: { repository: 'localhost:5000/router', tag: 'a' } }, test: { image: { repository: 'runtime', tag: 'b' } } };
  /** What an object has at every key of this name, at any depth. */
  const allOf = (value: any, key: string): any[] => (typeof value !== 'object' || value === null ? []
    : Object.entries(value).flatMap(([name, inner]) => [...(name === key ? [inner] : []), ...allOf(inner, key)]));

  test('takes all images from a mirror, by their names and digests, with its Secrets', () => {
    const images = (values: Values) => allOf(everything(values), 'image').sort();
    const own = ['localhost:5000/router:a', ...Array(2).fill('registry.example/agent-sandbox-controller:1.0@sha256:1'), 'runtime:b'];
    expect(images(WITH_TEST)).toEqual(own);
    const mirrored = { ...WITH_TEST, imagePullSecrets: [{ name: 'own' }], global: { imageRegistry: 'mirror.example/proxied/', imagePullSecrets: [{ name: 'mirror' }], theirs: 1 } };
    expect(images(mirrored)).toEqual(own.map(image => `mirror.example/proxied/${image.replace(/^(localhost:5000|registry\.example)\//, '')}`).sort());
    const secrets = allOf(everything(mirrored), 'imagePullSecrets');
    expect(secrets.length).toBe(4);
    expect(new Set(secrets.map(list => list.map(({ name }: any) => name).join()))).toEqual(new Set(['own,mirror', 'mirror']));
  });

  test('has a test where there is an image for its sandbox, whose Pod may do nothing but handle its one claim', () => {
    const hooks = (values: Values) => everything(values).filter(({ metadata }) => metadata.annotations?.['helm.sh/hook'] === 'test');
    expect(hooks({ ...WITH_TEST, test: {} })).toEqual([]);
    expect(hooks({ ...WITH_TEST, controller: { extensions: false } })).toEqual([]);
    const found = hooks({ ...WITH_TEST, nameOverride: 'mine' });
    expect(found.map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`).sort()).toEqual([
      'Pod', 'Role', 'RoleBinding', 'SandboxTemplate', 'SandboxWarmPool', 'ServiceAccount',
    ].map(kind => `${kind} ${NAMESPACE}/${kind === 'SandboxWarmPool' ? 'shadow-pool-' : ''}mine-test`));
    const role = found.find(({ kind }) => kind === 'Role');
    const claims = { apiGroups: ['extensions.agents.x-k8s.io'], resources: ['sandboxclaims'] };
    expect(role.rules).toEqual([{ ...claims, verbs: ['create'] }, { ...claims, resourceNames: ['mine-test'], verbs: ['get', 'delete'] }]);
    // Where the controller watches some namespaces only, a claim elsewhere would wait forever.
    expect(new Set(hooks({ ...WITH_TEST, namespaces: ['team-a', 'team-b'] }).map(({ metadata }) => metadata.namespace))).toEqual(new Set(['team-a']));
    expect(found.find(({ kind }) => kind === 'SandboxTemplate').spec.podTemplate.spec).not.toHaveProperty('runtimeClassName');
    expect(allOf(hooks({ ...WITH_TEST, test: { ...WITH_TEST.test, runtimeClassName: 'gvisor' } }), 'runtimeClassName')).toEqual(['gvisor']);
  });

  test('at its defaults, is the construct', () => {
    const values = valuesWith({ 'crds.install': true });
    expect(propsOf(KNOBS, { ...values, image: IMAGE })).toMatchObject({ image: 'registry.example/agent-sandbox-controller:1.0' });
    expect(rendered({ image: IMAGE }, CHART)).toEqual(byName(objectsOf({ image: 'registry.example/agent-sandbox-controller:1.0' }, NAMESPACE)));
  });

  /** Helm adds the keys of a map to those of the default. */
  const changed = (knob: Knob) => (knob.type === 'map' ? { ...knob.default as object, ...exampleOf(knob) as object } : exampleOf(knob));
  /** Values that the construct asks for besides: well-formed ones in place of sentinels. */
  const together = (knob: Knob): { [value: string]: unknown } => {
    const all = { ...(knob.with?.startsWith('router.browser.') ? KNOBS.find(({ value }) => value === knob.with)!.together : {}), ...knob.together };
    const added = knob.with?.startsWith('router.browser.') ? { [knob.with]: 'https://zz-with-zz' } : {};
    return Object.fromEntries(Object.entries({ ...added, ...all }).map(([value, example]) => [value, typeof example === 'string' ? example.replace(/zz/g, 'their') : example]));
  };
  /** What a value needs to have an effect. */
  const needs = (knob: Knob): { [value: string]: unknown } => ({
    ...(knob.value.startsWith('router.') && { 'router.enabled': true, 'router.image': IMAGE }),
    ...(knob.value.startsWith('router.scopedTokens') && { 'router.scopedTokens.secret': 'keys' }),
    ...(knob.value.startsWith('router.autoscaling') && { 'router.autoscaling.maxReplicas': 9 }),
    ...(knob.value.startsWith('router.gateway') && { 'router.gateway.enabled': true, 'router.allowHttpTokens': true }),
    ...together(knob),
    ...(knob.value === 'commonLabels' && { 'crds.install': true }),
    ...(knob.value === 'router.gateway.tlsSecret' && { 'router.gateway.className': 'some' }),
    ...(knob.value === 'router.tokenReview' && { 'router.staticTokenSecret': 'static' }),
    ...(knob.value.startsWith('monitoring.') && { [`${knob.value.split('.').slice(0, 2).join('.')}.enabled`]: true }),
  });

  test.each(KNOBS.map(knob => [knob.value, knob] as const))('with another %s, is the construct with the same prop', (value, knob) => {
    const values = valuesWith({ ...needs(knob), [value]: changed(knob) });
    const objects = rendered(values, ['crds.install', 'commonLabels'].includes(value) ? CHART : small);
    expect(objects).toEqual(constructed(values));
    const before = { ...needs(knob), [value]: value === 'crds.install' ? true : value.endsWith('image') ? IMAGE : knob.default };
    expect(objects).not.toEqual(constructed(valuesWith(before)));
  });

  test('with any values, is the construct with the same props', () => {
    const changes = fc.uniqueArray(fc.constantFrom(...KNOBS), { maxLength: 25 });
    fc.assert(fc.property(changes, knobs => {
      const values = valuesWith(Object.assign({}, ...knobs.map(needs), ...knobs.map(knob => ({ [knob.value]: changed(knob) })), { 'crds.install': false }));
      let expected;
      try {
        expected = constructed(values);
      } catch {
        return fc.pre(false);
      }
      expect(rendered(values)).toEqual(expected);
    }), { numRuns: 25 });
  }, 300_000);

  test.each<[string, { [value: string]: unknown }, RegExp]>([
    ['no image', { image: { repository: '' } }, /image\.repository is required/],
    ['no tag and no digest', { image: { repository: 'controller' } }, /image\.tag or image\.digest is required/],
    ['a misspelt value', { 'controller.extension': true }, /extension/],
    ['a text for a number', { replicas: 'two' }, /replicas/],
    ['several replicas that all work', { 'replicas': 2, 'controller.leaderElect': false }, /several replicas would all work/],
    ['more shards than there are Leases', { 'controller.shards': 17 }, /shards: use at most 16/],
    ['shards without leader election', { 'controller.shards': 2, 'controller.leaderElect': false }, /shards are divided by leader election/],
    ['a router without an authentication method', { 'router.enabled': true, 'router.image': IMAGE, 'router.tokenReview': false }, /name another way to say who one is/],
    ['a range of ports that ends before it begins', { 'router.enabled': true, 'router.image': IMAGE, 'router.additionalPorts': ['9000-8000'] }, /begins with its lower port/],
    ['a port that is none', { 'router.additionalPorts': ['70000'] }, /additionalPorts/],
    ['a duration that no timer of the program can wait', { 'controller.sandboxWarmPoolProgressDeadline': '720h' }, /sandboxWarmPoolProgressDeadline/],
    ['a Gateway whose requests are all refused', { 'router.enabled': true, 'router.image': IMAGE, 'router.gateway.enabled': true }, /set it to true/],
    ['a flag that has a value', { 'controller.extraArgs': ['--zap-log-level', 'debug'] }, /controller\.extraArgs has "--zap-log-level": use the value controller\.logLevel/],
    ['a flag of the router that has a value', { 'router.enabled': true, 'router.image': IMAGE, 'router.extraArgs': ['-trusted-proxy-cidrs=0.0.0.0/0'] }, /router\.extraArgs has "-trusted-proxy-cidrs=0\.0\.0\.0\/0": use the value router\.trustedProxyCidrs/],
    ['a flag of the router that other values decide', { 'router.enabled': true, 'router.image': IMAGE, 'router.extraArgs': [' --authz-mode=allow-all'] }, /use the value router\.tokenReview or /],
    ['a further argument twice', { 'controller.extraArgs': ['--one=1', '--one=2'] }, /the flag is in the list already/],
    ['proxies anywhere', { 'router.trustedProxyCidrs': ['0.0.0.0/0'] }, /trustedProxyCidrs/],
    ['proxies anywhere in IPv6 notation', { 'router.trustedProxyCidrs': ['::ffff:0:0/96'] }, /trustedProxyCidrs/],
  ])('refuses %s', (_what, changes, message) => {
    expect(() => rendered(valuesWith(changes))).toThrow(message);
  });
}, ['helm']);
