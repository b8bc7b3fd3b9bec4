import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Duration } from 'cdk8s';
import * as kplus from 'cdk8s-plus-28';
import * as library from '../src';
import { ENUMS_JSON, METHODS, STRUCTS_JSON } from '../src/generated/shapes.gen';
import { CONTAINER, POD, messageOf, testChart } from './helpers';

const STRUCTS: Record<string, Record<string, string>> = JSON.parse(STRUCTS_JSON);
const ENUMS: Record<string, Record<string, string>> = JSON.parse(ENUMS_JSON);
const { l1 } = library;

/** Values that JavaScript lets through where the type wants another. None of them is right for two kinds of props. */
const WRONG: readonly unknown[] = [null, 42, true, 'a string', [], {}, () => 1, Symbol('x'), 10n, new Map()];
const plain = (type: string) => type.replace(/\?$/, '');

/** A value of a type, with what it requires and nothing else. */
function valid(notation: string): any {
  const type = plain(notation);
  const known: Record<string, unknown> = {
    's': '1', 'n': 1, 'b': true, '*': {}, 's|IEnvValue': 'x', 'Duration': Duration.seconds(60), 'Isolation': library.Isolation.gvisor(),
    'SandboxNetwork': library.SandboxNetwork.denyAll(), 'ISandboxTemplate': library.SandboxTemplate.fromName('python'),
    'ISandboxWarmPool': library.SandboxWarmPool.fromName('pool'), 'l1.Quantity': l1.Quantity.fromString('1'), 'l1.IntOrString': l1.IntOrString.fromNumber(1),
    'SandboxVolume': library.SandboxVolume.emptyDir('v'), 'NetworkPeer': library.NetworkPeer.anyPod(), 'WarmPoolMetric': library.WarmPoolMetric.claimRate({ target: '1' }),
    'KedaTrigger': library.KedaTrigger.raw({ type: 'cron', metadata: { a: 'b' } }), 'SandboxContainer': CONTAINER,
    'IConfigMap': { kind: 'ConfigMap', name: 'settings' }, 'ISecret': { kind: 'Secret', name: 'token' }, 'IPersistentVolumeClaim': { kind: 'PersistentVolumeClaim', name: 'data' },
    'IPod': new kplus.Pod(testChart(), 'pod', { containers: [{ image: 'a:1' }] }),
    'WarmPoolScaleTarget': { apiVersion: 'extensions.agents.x-k8s.io/v1beta1', name: 'pool' },
  };
  if (type in known) {
    return known[type];
  }
  if (type[0] === '[') {
    return [valid(type.slice(1))];
  }
  if (type[0] === '{') {
    return { a: valid(type.slice(1)) };
  }
  if (ENUMS[type]) {
    return Object.values(ENUMS[type])[0];
  }
  if (STRUCTS[type]) {
    return Object.fromEntries(Object.entries(STRUCTS[type]).filter(([, prop]) => !prop.endsWith('?')).map(([name, prop]) => [name, valid(prop)]));
  }
  throw new Error(`no example of ${type}`);
}

/** Whether one of the wrong values happens to be right. */
function isRight(value: unknown, notation: string): boolean {
  const type = plain(notation);
  switch (type) {
    case '*': return true;
    case 's': case 's|IEnvValue': return typeof value === 'string';
    case 'n': return typeof value === 'number';
    case 'b': return typeof value === 'boolean';
  }
  return type[0] === '[' ? Array.isArray(value)
    : type[0] === '{' || type in STRUCTS ? typeof value === 'object' && value !== null && !Array.isArray(value)
      : false;
}

const CONSTRUCTS: Record<string, (props: any) => unknown> = {
  SandboxProps: props => new library.Sandbox(testChart(), 'x', props),
  SandboxTemplateProps: props => new library.SandboxTemplate(testChart(), 'x', props),
  SandboxWarmPoolProps: props => new library.SandboxWarmPool(testChart(), 'x', props),
  SandboxClaimProps: props => new library.SandboxClaim(testChart(), 'x', props),
  AgentSandboxCrdsProps: props => new library.AgentSandboxCrds(testChart(), 'x', props),
  SandboxRuntimeClassProps: props => new library.SandboxRuntimeClass(testChart(), 'x', props),
  SandboxNamespaceProps: props => new library.SandboxNamespace(testChart(), 'x', props),
  SandboxDisruptionBudgetProps: props => new library.SandboxDisruptionBudget(testChart(), 'x', props),
  WarmPoolHorizontalPodAutoscalerProps: props => new library.WarmPoolHorizontalPodAutoscaler(testChart(), 'x', props),
  WarmPoolScaledObjectProps: props => new library.WarmPoolScaledObject(testChart(), 'x', props),
  AgentSandboxControllerProps: props => new library.AgentSandboxController(testChart(), 'x', props),
  // Structs that are parts of others, each in one place
  SandboxContainer: container => new library.Sandbox(testChart(), 'x', { ...POD, containers: [container] }),
  SandboxPort: port => new library.Sandbox(testChart(), 'x', { ...POD, containers: [{ ...CONTAINER, ports: [port] }] }),
  SandboxMount: mount => new library.Sandbox(testChart(), 'x', { ...POD, containers: [{ ...CONTAINER, mounts: [mount] }] }),
  SandboxNamespaceQuota: quota => new library.SandboxNamespace(testChart(), 'x', { quota }),
  'l1.ResourceRequirements': resources => new library.Sandbox(testChart(), 'x', { ...POD, containers: [{ ...CONTAINER, resources }] }),
  'l1.SecurityContext': securityContext => new library.Sandbox(testChart(), 'x', { ...POD, containers: [{ ...CONTAINER, securityContext }] }),
  'l1.Affinity': affinity => new library.Sandbox(testChart(), 'x', { ...POD, affinity }),
};
const PROPS = Object.keys(CONSTRUCTS).flatMap(struct => Object.entries(STRUCTS[struct]).map(([prop, type]) => ({ struct, prop, type })));

test.each(PROPS)('$struct.$prop of another type is refused with its name, and never a TypeError', ({ struct, prop, type }) => {
  const least = valid(struct);
  for (const value of WRONG.filter(each => !isRight(each, type))) {
    expect(messageOf(() => CONSTRUCTS[struct]({ ...least, [prop]: value }))).toMatch(new RegExp(`\\btest/x: ([\\w.[\\]]+\\.)?${prop} is `));
  }
});

test.each(Object.keys(CONSTRUCTS))('%s: what is missing or unknown is refused with its name', struct => {
  const least = valid(struct);
  for (const prop of Object.keys(least)) {
    expect(messageOf(() => CONSTRUCTS[struct]({ ...least, [prop]: undefined }))).toMatch(new RegExp(`\\b${prop}: `));
  }
  expect(messageOf(() => CONSTRUCTS[struct]({ ...least, thisIsNoProp: 1 }))).toMatch(/thisIsNoProp is 1: \w+ has no such prop: leave it out/);
  for (const nothing of [null, 42, 'x', [], () => 1]) {
    expect(() => CONSTRUCTS[struct](nothing)).toThrow(/^(\d+ problems:\n {2})?test\/x: /);
  }
});

test('every struct that a prop or parameter is made of has a shape, and so has every method with parameters', () => {
  const named = [...Object.values(STRUCTS).flatMap(struct => Object.values(struct)), ...Object.values(METHODS).flat().map(parameter => parameter.split(':')[1])]
    .flatMap(type => type.replace(/[?[{]|\.\.\./g, '').split('|'))
    .filter(type => /^(l1\.)?[A-Z]/.test(type) && !(type in STRUCTS) && !(type in ENUMS));
  // What is left are classes, and interfaces of objects and values.
  const others = [...new Set(named)].filter(type => !['Duration', 'Construct', 'l1.Quantity', 'l1.IntOrString'].includes(type) && !/^I[A-Z]/.test(type));
  expect(others.filter(type => typeof (library as any)[type] !== 'function')).toEqual([]);
});

describe('methods', () => {
  const statics = Object.keys(METHODS).filter(method => method.includes('.'));

  test.each(statics)('%s refuses arguments that are missing or of another type', method => {
    const [owner, name] = method.split('.');
    const call = (...given: unknown[]) => (library as any)[owner][name](...given);
    const types = METHODS[method].map(parameter => parameter.split(':')[1]);
    types.forEach((type, index) => {
      const before = types.slice(0, index).map(each => (each.startsWith('Construct') ? testChart() : valid(each)));
      if (type.startsWith('...')) {
        expect(() => call(...before, null)).toThrow(`${method}: ${METHODS[method][index].split(':')[0]}[0] is null: `);
        return;
      }
      for (const value of [...WRONG, ...(type.endsWith('?') ? [] : [undefined])].filter(each => !isRight(each, type))) {
        expect(messageOf(() => call(...before, value))).toMatch(new RegExp(`\\b${method.replace('.', '\\.')}: `));
      }
    });
  });

  test('those of objects do so as well', () => {
    const network: any = library.SandboxNetwork.denyAll();
    expect(() => network.allowEgressTo('10.0.0.0/8')).toThrow("SandboxNetwork.allowEgressTo: peer is '10.0.0.0/8': use a NetworkPeer, such as NetworkPeer.cidr('…') or NetworkPeer.pods({ … })");
    const pool: any = new library.SandboxWarmPool(testChart(), 'pool', { template: library.SandboxTemplate.fromName('python') });
    expect(() => pool.autoscale()).toThrow('test/pool: options: it is missing: write an object: { maxReplicas: …, metrics: … }');
    expect(() => pool.autoscale({ maxSize: 3, metrics: [] })).toThrow('test/pool: maxSize is 3: WarmPoolAutoscalingOptions has no such prop: leave it out');
  });

  test('every class of the library with such methods has them checked', () => {
    for (const method of Object.keys(METHODS)) {
      const [owner, name] = method.split(/[.#]/);
      const holder = method.includes('#') ? (library as any)[owner].prototype : (library as any)[owner];
      expect([method, holder[name].name]).toEqual([method, 'checked']);
    }
  });
});

test('every construct of the library checks its scope, id and props', () => {
  const sources = readdirSync(join(__dirname, '../src'), { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts')).map(file => readFileSync(join(__dirname, '../src', file), 'utf8'));
  for (const source of sources) {
    for (const [, name] of source.matchAll(/^export class (\w+) extends Construct /gm)) {
      expect(source).toContain(`super(...placed('${name}', scope, id));`);
      expect(source).toContain(`checkProps(this.node.path, '${name}Props', props);`);
    }
  }
});

test('objects of cdk8s-plus are recognized by their kind', () => {
  const chart = testChart();
  const secret: any = kplus.Secret.fromSecretName(chart, 'secret', 'token');
  const box = (props: object) => () => new library.Sandbox(testChart(), 'x', { ...POD, ...props } as any);
  expect(box({ serviceAccount: secret })).toThrow("test/x: serviceAccount is an ImportedSecret ('test/secret'): use ObjectReference.serviceAccount('…'), or a ServiceAccount of cdk8s-plus");
  expect(box({ serviceAccount: 'robot' })).toThrow("test/x: serviceAccount is 'robot': use ObjectReference.serviceAccount('…'), or a ServiceAccount of cdk8s-plus");
  expect(() => library.SandboxVolume.configMap('v', secret)).toThrow('SandboxVolume.configMap: configMap is an ImportedSecret');
});
