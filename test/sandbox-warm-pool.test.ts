import { ApiObject, Duration, JsonPatch } from 'cdk8s';
import { typedSpecOf } from '../api/test/crd-files';
import { AgentSandboxVersion, Lifetime, SandboxClaim, SandboxTemplate, SandboxWarmPool, type SandboxWarmPoolProps, UpdateStrategy } from '../src';
import { POD, manifest, manifestOf, messageOf, schemaProblems, synth, testChart } from './helpers';

const V1ALPHA1 = AgentSandboxVersion.V1ALPHA1;

function pool(props: Partial<SandboxWarmPoolProps> = {}): any {
  const chart = testChart();
  new SandboxWarmPool(chart, 'pool', { template: SandboxTemplate.fromName('python'), ...props });
  return manifest(chart, 'SandboxWarmPool');
}

const FIELDS: readonly (readonly [field: string, props: Partial<SandboxWarmPoolProps>, wire: unknown])[] = [
  ['replicas', { replicas: 0 }, 0],
  ['replicas', { replicas: 2147483647 }, 2147483647],
  ['readinessGracePeriodSeconds', { readinessGracePeriod: Duration.seconds(30) }, 30],
  ['readinessGracePeriodSeconds', { readinessGracePeriod: Duration.minutes(10) }, 600],
  ['sandboxTemplateRef', {}, { name: 'python' }],
  ['updateStrategy', { updateStrategy: UpdateStrategy.RECREATE }, { type: 'Recreate' }],
  ['updateStrategy', { updateStrategy: UpdateStrategy.ON_REPLENISH }, { type: 'OnReplenish' }],
];

test.each(FIELDS)('spec.%s is reachable: %#', (field, props, wire) => {
  for (const [version, object] of [['v1beta1', pool(props)], ['v1alpha1', pool({ ...props, apiVersion: V1ALPHA1 })]]) {
    expect(object.apiVersion).toBe(`extensions.agents.x-k8s.io/${version}`);
    expect(object.spec[field]).toEqual(wire);
    expect(schemaProblems(object)).toEqual([]);
  }
});

test('a grace period below the API\'s least is refused', () => {
  expect(messageOf(() => pool({ readinessGracePeriod: Duration.seconds(29) }))).toContain("readinessGracePeriod is '29s': use whole seconds from 30 to 2147483647");
});

test('every field of the API has a row above', () => {
  for (const version of ['v1beta1', 'v1alpha1'] as const) {
    expect(Object.keys(typedSpecOf('SandboxWarmPool', version).properties).sort()).toEqual([...new Set(FIELDS.map(([field]) => field))].sort());
  }
});

test('nothing is emitted that was not asked for', () => {
  expect(pool().spec).toEqual({ sandboxTemplateRef: { name: 'python' } });
});

test('v1alpha1 has no default number, so the default of v1beta1 is written', () => {
  expect(pool({ apiVersion: V1ALPHA1 }).spec).toEqual({ replicas: 1, sandboxTemplateRef: { name: 'python' } });
});

test('a pool of a template of the app comes after it, whatever the order of the code', () => {
  const chart = testChart({ namespace: 'agents' });
  const python = new SandboxTemplate(chart, 'z-python', POD);
  const construct = new SandboxWarmPool(chart, 'a-pool', { template: python });
  expect(synth(chart).map(object => object.kind)).toEqual(['SandboxTemplate', 'SandboxWarmPool']);
  expect(construct.template).toBe(python);
  expect(construct).toMatchObject({ name: 'a-pool', namespace: 'agents', apiVersion: 'extensions.agents.x-k8s.io/v1beta1' });
});

test('a pool elsewhere is what is known of it', () => {
  const template = SandboxTemplate.fromName('python');
  expect(SandboxWarmPool.fromName('pool')).toEqual({ isSandboxWarmPool: true, name: 'pool' });
  expect(SandboxWarmPool.fromName('pool', { namespace: 'agents', template })).toEqual({ isSandboxWarmPool: true, name: 'pool', namespace: 'agents', template });
});

describe('names of its Sandboxes', () => {
  const named = (name: string, service?: boolean) => {
    const chart = testChart();
    return () => new SandboxWarmPool(chart, 'pool', { name, template: new SandboxTemplate(chart, 'python', { ...POD, service }) });
  };

  test('are cut by the API server, so that the name of a pool may be long', () => {
    expect(named('p'.repeat(200), true)).not.toThrow();
  });

  test('are those of Services where the template has one', () => {
    expect(messageOf(named('1-pool', true))).toBe("test/pool: name of its Sandboxes is '1-pool-xxxxx': the Service takes this name: use 1 to 63 lower-case letters, digits and '-', beginning with a letter and ending with a letter or digit");
    expect(messageOf(named('a.b', true))).toContain("name of its Sandboxes is 'a.b-xxxxx'");
    expect(named('1-pool')).not.toThrow();
  });
});

test('a pool and its template are in one namespace', () => {
  expect(messageOf(() => pool({ namespace: 'agents', template: SandboxTemplate.fromName('python', 'shared') })))
    .toBe("test/pool: template is 'shared/python': a pool uses templates of its own namespace, 'agents': define the template or the pool there");
});

test('patches apply to the manifest', () => {
  const chart = testChart();
  const construct = new SandboxWarmPool(chart, 'pool', { template: SandboxTemplate.fromName('python'), replicas: 1 });
  ApiObject.of(construct).addJsonPatch(JsonPatch.replace('/spec/replicas', 2));
  expect(manifest(chart, 'SandboxWarmPool').spec.replicas).toBe(2);
});

describe('short forms', () => {
  const withoutLabels = (objects: any[]) => objects.map(object => JSON.parse(JSON.stringify(object)));

  test('addWarmPool and claim say what the constructs say', () => {
    const short = testChart();
    const template = new SandboxTemplate(short, 'python', POD);
    const pool = template.addWarmPool('pool', { replicas: 2 });
    pool.claim('warm', { lifetime: Lifetime.until('2027-01-31T17:00:00Z') });
    template.claim('cold');
    const long = testChart();
    const python = new SandboxTemplate(long, 'python', POD);
    new SandboxClaim(long, 'warm', { pool: new SandboxWarmPool(long, 'pool', { template: python, replicas: 2 }), lifetime: Lifetime.until('2027-01-31T17:00:00Z') });
    new SandboxClaim(long, 'cold', { template: python });
    const sorted = (objects: any[]) => withoutLabels(objects).sort((a, b) => (`${a.kind} ${a.metadata.name}` < `${b.kind} ${b.metadata.name}` ? -1 : 1));
    expect(sorted(synth(short))).toEqual(sorted(synth(long)));
  });

  test('pools and claims follow the namespace and version of their source by default', () => {
    const chart = testChart({ namespace: 'agents' });
    const template = new SandboxTemplate(chart, 'python', { ...POD, namespace: 'elsewhere', apiVersion: AgentSandboxVersion.V1ALPHA1 });
    const pool = template.addWarmPool('pool');
    const claim = pool.claim('claim', { apiVersion: AgentSandboxVersion.V1BETA1 });
    expect([pool.namespace, pool.apiVersion, claim.namespace]).toEqual(['elsewhere', 'extensions.agents.x-k8s.io/v1alpha1', 'elsewhere']);
    expect(manifestOf(claim).apiVersion).toBe('extensions.agents.x-k8s.io/v1beta1');
  });

  test('options are checked as props are', () => {
    const template: any = new SandboxTemplate(testChart(), 'python', POD);
    expect(() => template.addWarmPool()).toThrow('test/python: id: it is missing: write a string');
    expect(() => template.addWarmPool('pool', { poolSize: 3 })).toThrow('test/python: poolSize is 3: SandboxWarmPoolOptions has no such prop: use replicas');
    expect(() => template.claim('c', { ttl: 3 })).toThrow('test/python: ttl is 3: SandboxClaimOptions has no such prop: use lifetime');
    expect(() => template.claim('c', { env: { A: 'b' } })).toThrow('test/python/c: env is ["A"]: the template test/python does not let claims set variables: give it claimEnv: ClaimOverrides.ALLOWED');
  });
});
