import { ApiObject, Chart, Duration, JsonPatch } from 'cdk8s';
import { typedSpecOf } from '../api/test/crd-files';
import { AgentSandboxVersion, ClaimOverrides, Lifetime, SandboxClaim, type SandboxClaimProps, SandboxTemplate, SandboxVolume, SandboxWarmPool } from '../src';
import { CONTAINER, POD, manifest, messageOf, schemaProblems, synth, testApp, testChart } from './helpers';

const V1ALPHA1 = AgentSandboxVersion.V1ALPHA1;
const PYTHON = SandboxTemplate.fromName('python');
const POOL = SandboxWarmPool.fromName('pool', { template: PYTHON });

function claim(props: Partial<SandboxClaimProps>, chart = testChart()): any {
  new SandboxClaim(chart, 'claim', props);
  return manifest(chart, 'SandboxClaim');
}

/** Fields of a claim's spec, by version, the props that reach them and what is emitted. */
const FIELDS: readonly (readonly [version: 'v1beta1' | 'v1alpha1', field: string, props: Partial<SandboxClaimProps>, wire: unknown])[] = [
  ['v1beta1', 'warmPoolRef', { pool: POOL }, { name: 'pool' }],
  ['v1beta1', 'sandboxTemplateRef', { template: PYTHON, direct: true }, { name: 'python' }],
  ['v1beta1', 'lifecycle', { pool: POOL, lifetime: Lifetime.afterFinished(Duration.hours(1)) }, { ttlSecondsAfterFinished: 3600 }],
  ['v1beta1', 'additionalPodMetadata', { pool: POOL, podLabels: { 'sandbox.users.io/team': 'a' }, podAnnotations: { note: 'b c' } },
    { labels: { 'sandbox.users.io/team': 'a' }, annotations: { note: 'b c' } }],
  ['v1beta1', 'env', { pool: POOL, env: { B: '2', A: '1' }, containerEnv: { proxy: { D: '4' }, init: { C: '' } } }, [
    { name: 'A', value: '1' }, { name: 'B', value: '2' }, { name: 'C', value: '', containerName: 'init' }, { name: 'D', value: '4', containerName: 'proxy' },
  ]],
  ['v1beta1', 'volumeClaimTemplates', { pool: POOL, volumes: [SandboxVolume.persistent('b', { size: '1Gi' }), SandboxVolume.persistent('a', { size: '1Gi' })] },
    [expect.objectContaining({ metadata: { name: 'b' } }), expect.objectContaining({ metadata: { name: 'a' } })]],
  ['v1alpha1', 'sandboxTemplateRef', { pool: POOL, apiVersion: V1ALPHA1 }, { name: 'python' }],
  ['v1alpha1', 'warmpool', { pool: POOL, apiVersion: V1ALPHA1 }, 'pool'],
  ['v1alpha1', 'warmpool', { template: PYTHON, apiVersion: V1ALPHA1 }, 'none'],
];

test.each(FIELDS)('%s spec.%s is reachable: %#', (version, field, props, wire) => {
  const object = claim(props);
  expect(object.apiVersion).toBe(`extensions.agents.x-k8s.io/${version}`);
  expect(object.spec[field]).toEqual(wire);
  expect(schemaProblems(object)).toEqual([]);
});

test('every field of the API has a row above', () => {
  for (const version of ['v1beta1', 'v1alpha1'] as const) {
    const reached = FIELDS.map(([, field]) => field);
    expect(Object.keys(typedSpecOf('SandboxClaim', version).properties).filter(field => !reached.includes(field))).toEqual([]);
  }
});

describe('a claim of a pool', () => {
  test('names the pool and nothing else', () => {
    expect(claim({ pool: POOL })).toEqual({
      apiVersion: 'extensions.agents.x-k8s.io/v1beta1', kind: 'SandboxClaim', metadata: { name: 'claim' }, spec: { warmPoolRef: { name: 'pool' } },
    });
  });

  test('names pool and template in v1alpha1', () => {
    expect(claim({ pool: POOL, apiVersion: V1ALPHA1 }).spec).toEqual({ sandboxTemplateRef: { name: 'python' }, warmpool: 'pool' });
  });

  test('comes after the pool and its template', () => {
    const chart = testChart();
    const python = new SandboxTemplate(chart, 'python', POD);
    new SandboxClaim(chart, 'claim', { pool: new SandboxWarmPool(chart, 'pool', { template: python }) });
    expect(synth(chart).map(object => object.kind)).toEqual(['SandboxTemplate', 'SandboxWarmPool', 'SandboxClaim']);
  });
});

describe('a claim of a template', () => {
  const shape = (chart: Chart) => synth(chart).map(({ kind, metadata, spec }) => [kind, metadata.name, spec.warmPoolRef?.name ?? spec.replicas]);

  test('goes through an empty pool that all claims of the template share', () => {
    const chart = testChart({ namespace: 'agents' });
    const python = new SandboxTemplate(chart, 'python', POD);
    new SandboxClaim(chart, 'a', { template: python });
    new SandboxClaim(chart, 'b', { template: python });
    expect(shape(chart)).toEqual([
      ['SandboxTemplate', 'python', undefined], ['SandboxWarmPool', 'shadow-pool-python', 0],
      ['SandboxClaim', 'a', 'shadow-pool-python'], ['SandboxClaim', 'b', 'shadow-pool-python'],
    ]);
    expect(manifest(chart, 'SandboxWarmPool')).toMatchObject({ metadata: { namespace: 'agents' }, spec: { sandboxTemplateRef: { name: 'python' } } });
  });

  test('shares the pool of a template that is defined elsewhere, and comes after it', () => {
    const chart = testChart();
    new SandboxClaim(chart, 'a', { template: PYTHON });
    new SandboxClaim(chart, 'b', { template: SandboxTemplate.fromName('python') });
    expect(shape(chart)).toEqual([['SandboxWarmPool', 'shadow-pool-python', 0], ['SandboxClaim', 'a', 'shadow-pool-python'], ['SandboxClaim', 'b', 'shadow-pool-python']]);
  });

  test('shares the pool with claims of other charts', () => {
    const app = testApp();
    const [first, second] = ['first', 'second'].map(id => new Chart(app, id, { namespace: 'agents' }));
    // Crosswise, so that neither chart could come first.
    const ruby = SandboxTemplate.fromName('ruby');
    new SandboxClaim(first, 'a', { template: PYTHON });
    new SandboxClaim(second, 'b', { template: PYTHON });
    new SandboxClaim(second, 'c', { template: ruby });
    new SandboxClaim(first, 'd', { template: ruby });
    const pools = app.synthYaml().match(/^ {2}name: shadow-pool-.*$/gm);
    expect(pools).toEqual(['  name: shadow-pool-python', '  name: shadow-pool-ruby']);
  });

  test('has a pool in its own namespace', () => {
    const chart = testChart();
    const python = new SandboxTemplate(chart, 'python', POD);
    for (const namespace of ['one', 'two']) {
      new SandboxClaim(chart, namespace, { template: python, namespace });
    }
    expect(synth(chart).filter(object => object.kind === 'SandboxWarmPool').map(object => [object.metadata.name, object.metadata.namespace]))
      .toEqual([['shadow-pool-python', 'one'], ['shadow-pool-python', 'two']]);
  });

  test('of a long name and with a Service is fine, as an empty pool makes no Sandboxes of its own', () => {
    const chart = testChart();
    const python = new SandboxTemplate(chart, 'p'.repeat(200), { ...POD, service: true });
    expect(() => new SandboxClaim(chart, 'claim', { template: python })).not.toThrow();
  });

  test('names it directly where that is asked for', () => {
    const chart = testChart();
    const python = new SandboxTemplate(chart, 'python', POD);
    new SandboxClaim(chart, 'claim', { template: python, direct: true });
    expect(synth(chart).map(object => object.kind)).toEqual(['SandboxTemplate', 'SandboxClaim']);
    expect(manifest(chart, 'SandboxClaim').spec).toEqual({ sandboxTemplateRef: { name: 'python' } });
  });

  test('never takes from a pool in v1alpha1', () => {
    expect(claim({ template: PYTHON, apiVersion: V1ALPHA1 }).spec).toEqual({ sandboxTemplateRef: { name: 'python' }, warmpool: 'none' });
  });
});

describe('a template of another namespace', () => {
  const foreign = (claimableFrom: string[] | undefined, props: Partial<SandboxClaimProps> = {}) => {
    const app = testApp();
    const shared = new Chart(app, 'shared', { namespace: 'shared' });
    const agents = new Chart(app, 'agents', { namespace: 'agents' });
    const template = new SandboxTemplate(shared, 'python', { ...POD, claimableFrom });
    new SandboxClaim(agents, 'claim', { template, ...props });
    return synth(agents);
  };

  test.each([[['agents']], [['other', 'agents']], [['*']]])('is named directly where it permits it: %p', claimableFrom => {
    const objects = foreign(claimableFrom);
    expect(objects.map(object => object.kind)).toEqual(['SandboxClaim']);
    expect(objects[0].spec).toEqual({ sandboxTemplateRef: { name: 'python', namespace: 'shared' } });
  });

  test.each([[undefined], [['other']]])('is refused where it does not: %p', claimableFrom => {
    expect(messageOf(() => foreign(claimableFrom)))
      .toBe("agents/claim: template is 'shared/python': it does not permit claims of namespace 'agents': give shared/python claimableFrom: ['agents']");
  });

  test('that is defined elsewhere is taken at its word', () => {
    expect(claim({ template: SandboxTemplate.fromName('python', 'shared'), namespace: 'agents' }).spec)
      .toEqual({ sandboxTemplateRef: { name: 'python', namespace: 'shared' } });
  });

  test('is unknown to controllers of v1alpha1', () => {
    expect(messageOf(() => foreign(['*'], { apiVersion: V1ALPHA1 })))
      .toBe("agents/claim: template is 'shared/python': controllers of v1alpha1 know templates of the claim's namespace only: emit v1beta1");
  });

  test('that has the same namespace written out is none', () => {
    const chart = testChart({ namespace: 'agents' });
    expect(claim({ template: SandboxTemplate.fromName('python', 'agents') }, chart).spec).toEqual({ warmPoolRef: { name: 'shadow-pool-python' } });
  });
});

describe('what the template lets claims do', () => {
  const against = (template: object, props: Partial<SandboxClaimProps>) => () => {
    const chart = testChart();
    claim({ template: new SandboxTemplate(chart, 'python', { ...POD, ...template }), ...props }, chart);
  };
  const data = SandboxVolume.persistent('data', { size: '1Gi' });
  const withData = { containers: [{ ...CONTAINER, mounts: [{ path: '/data', volume: data }] }] };

  test.each<[string, object, Partial<SandboxClaimProps>]>([
    ['nothing is asked for', {}, { env: {}, containerEnv: { sandbox: {} }, volumes: [] }],
    ['variables are allowed', { claimEnv: ClaimOverrides.ALLOWED }, { env: { A: '1' }, containerEnv: { sandbox: { B: '2' } } }],
    ['volumes are allowed', { claimVolumes: ClaimOverrides.ALLOWED }, { volumes: [data] }],
    ['claims bring what the Pod mounts', { claimVolumes: ClaimOverrides.ALLOWED, containers: [{ ...CONTAINER, mounts: [{ path: '/data', volume: SandboxVolume.fromName('data') }] }] },
      { volumes: [data] }],
    ['volumes may be replaced', { ...withData, claimVolumes: ClaimOverrides.OVERRIDES }, { volumes: [data] }],
    ['the Pod has the label already, with the same value', { podLabels: { 'sandbox.users.io/a': 'b' } }, { podLabels: { 'sandbox.users.io/a': 'b' } }],
  ])('is enough where %s', (_, template, props) => {
    expect(against(template, props)).not.toThrow();
  });

  test('is said in the terms of both where it is not', () => {
    expect(messageOf(against({ podLabels: { 'sandbox.users.io/a': 'b' } }, {
      env: { A: '1' }, containerEnv: { other: { B: '2' } }, volumes: [data], podLabels: { 'sandbox.users.io/a': 'c' },
    })).split('\n')).toEqual([
      '4 problems:',
      '  test/claim: env is ["A","B"]: the template test/python does not let claims set variables: give it claimEnv: ClaimOverrides.ALLOWED',
      '  test/claim: volumes is ["data"]: the template test/python does not let claims bring volumes: give it claimVolumes: ClaimOverrides.ALLOWED',
      "  test/claim: podLabels['sandbox.users.io/a'] is 'c': the template test/python has 'b' there, which claims cannot change: use another key",
      "  test/claim: containerEnv['other'] is 'B': the template test/python has no container 'other': it has sandbox",
    ]);
  });
});

test('the one annotation of Kubernetes that the controller takes from claims is taken', () => {
  const podAnnotations = { 'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false' };
  expect(claim({ pool: POOL, podAnnotations }).spec.additionalPodMetadata).toEqual({ annotations: podAnnotations });
});

test('a claim knows its name and namespace', () => {
  expect(new SandboxClaim(testChart({ namespace: 'agents' }), 'claim', { pool: POOL })).toMatchObject({ name: 'claim', namespace: 'agents' });
});

test('patches apply to the manifest', () => {
  const chart = testChart();
  ApiObject.of(new SandboxClaim(chart, 'claim', { pool: POOL })).addJsonPatch(JsonPatch.replace('/spec/warmPoolRef/name', 'other'));
  expect(manifest(chart, 'SandboxClaim').spec.warmPoolRef.name).toBe('other');
});
