import { Chart } from 'cdk8s';
import * as kplus from 'cdk8s-plus-28';
import { Checks, ClaimOverrides, Gpu, Isolation, PodSecurityLevel, Relaxation, SandboxAssertions, SandboxVolume, Tenant, type TenantPool, type TenantProps, WarmPoolMetric } from '../src';
import { CONTAINER, messageOf, synth, testApp, testChart } from './helpers';

const SMALL = { ...CONTAINER, cpu: '500m', memory: '512Mi' };
const pool = (props: Partial<TenantPool> = {}, template: object = {}): TenantPool =>
  ({ name: 'python', claims: 10, replicas: 5, ...props, template: { containers: [SMALL], isolation: Isolation.gvisor(), ...template } });
const tenant = (props: Partial<TenantProps> = {}, chart = testChart()) => new Tenant(chart, 'research', { pools: [pool()], ...props });
const quota = (...pools: TenantPool[]) => tenant({ pools }).quota;

test('a tenant has everything in its namespace, which comes before it', () => {
  const chart = testChart();
  tenant({ groups: ['research'], pools: [pool({ autoscale: { maxReplicas: 20, metrics: [WarmPoolMetric.claimRate({ target: '50m' })] }, replicas: undefined })] }, chart).pool('python').claim('ticket-42');
  const objects = synth(chart);
  expect(objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`)).toEqual([
    'Namespace /research', 'NetworkPolicy research/default-deny', 'ResourceQuota research/quota', 'LimitRange research/container-limits',
    'HorizontalPodAutoscaler research/python', 'SandboxTemplate research/python', 'SandboxWarmPool research/python', 'SandboxClaim research/ticket-42',
    'PodDisruptionBudget research/python', 'Role research/sandbox-user', 'RoleBinding research/sandbox-user',
  ]);
  expect(objects[0].metadata.labels['pod-security.kubernetes.io/enforce']).toBe('restricted');
  expect(Checks.of(chart)).toEqual([]);
});

test('the quota has room for all idle and claimed sandboxes, and no more', () => {
  expect(quota(pool())).toEqual({
    sandboxes: 15, sandboxClaims: 10, persistentVolumeClaims: 0, requestsCpu: '7500m', limitsCpu: '7500m', requestsMemory: '7680Mi', limitsMemory: '7680Mi',
  });
  // 5 x (250m + 50m) and 2 x 1
  expect(quota(pool({ name: 'a', claims: 4, replicas: 1, overhead: { cpu: '50m' } }, { containers: [{ ...SMALL, cpu: '250m', cpuLimit: '1' }] }), pool({ name: 'b', claims: 2, replicas: 0 }, { containers: [{ ...SMALL, cpu: '1' }] })))
    .toMatchObject({ sandboxes: 7, sandboxClaims: 6, requestsCpu: '3500m', limitsCpu: '7250m' });
});

test('sidecars count beside containers, init containers only if they need more', () => {
  const init = (cpu: string) => quota(pool({ claims: 1, replicas: 0 }, { sidecars: [{ ...SMALL, name: 'side', cpu: '100m' }], initContainers: [{ ...SMALL, name: 'init', cpu }] })).requestsCpu;
  expect([init('200m'), init('2')]).toEqual(['600m', '2100m']);
});

test('GPUs and volumes count, unless claims bring volumes', () => {
  const template = { containers: [{ ...SMALL, gpu: Gpu.nvidia(2), mounts: [{ path: '/data', volume: SandboxVolume.persistent('data', { size: '10Gi' }) }] }] };
  expect(quota(pool({}, template))).toMatchObject({ persistentVolumeClaims: 15, requestsStorage: '150Gi', others: { 'requests.nvidia.com/gpu': '30' } });
  const open = quota(pool({}, { ...template, claimVolumes: ClaimOverrides.ALLOWED }));
  expect([open.persistentVolumeClaims, open.requestsStorage]).toEqual([undefined, undefined]);
});

test('containers may be as large as the largest of the pools, and tenants are isolated', () => {
  const app = testApp();
  for (const name of ['a', 'b']) {
    new Tenant(new Chart(app, name), name, { pools: [pool({}, { containers: [{ ...SMALL, cpuLimit: '2' }, { ...SMALL, name: 'other', memory: '1Gi' }] })] });
  }
  const range = app.charts[0].toJson().find(({ kind }: any) => kind === 'LimitRange');
  expect(range.spec.limits[0].max).toEqual({ cpu: '2', memory: '1Gi' });
  SandboxAssertions.of(app).isRestricted().runsUnder('gvisor').isolatedFrom('a', 'b').hasNoFindings();
});

test('who may claim are users, groups and service accounts', () => {
  const chart = testChart();
  tenant({
    users: ['jane'], groups: ['research'],
    serviceAccounts: [kplus.ServiceAccount.fromServiceAccountName(chart, 'bot', 'bot'), new kplus.ServiceAccount(chart, 'ci', { metadata: { name: 'ci', namespace: 'build' } })],
  }, chart);
  expect(synth(chart).find(({ kind }) => kind === 'RoleBinding').subjects).toEqual([
    { kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'jane' }, { kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: 'research' },
    { kind: 'ServiceAccount', name: 'bot', namespace: 'research' }, { kind: 'ServiceAccount', name: 'ci', namespace: 'build' },
  ]);
});

test('budgets can be left out, and the level can be lower', () => {
  const chart = testChart();
  tenant({ protectClaimed: false, enforce: PodSecurityLevel.BASELINE, pools: [pool({}, { relaxations: [Relaxation.RUN_AS_ROOT] })] }, chart);
  expect(synth(chart).map(({ kind }) => kind)).not.toContain('PodDisruptionBudget');
});

test.each<[Partial<TenantProps>, string]>([
  [{ pools: [] }, 'test/research: pools is []: a tenant has at least one pool'],
  [{ pools: [pool(), pool()] }, "test/research: pools[1].name is 'python': name each pool of a tenant differently"],
  [{ pools: [pool({ claims: -1 })] }, 'test/research: pools[0].claims is -1: use a whole number from 0 to 100000'],
  [{ pools: [pool({ autoscale: { maxReplicas: 3, metrics: [WarmPoolMetric.claimRate({ target: '1' })] } })] }, 'test/research: pools[0].replicas is 5: the autoscaler sets the number: leave it out'],
  [{ pools: [pool({}, { name: 'x' })] }, "test/research: pools[0].template.name is 'x': the template has the name of the pool: leave it out"],
  [{ pools: [pool({}, { namespace: 'x' })] }, "test/research: pools[0].template.namespace is 'x': the template is in the namespace of the tenant: leave it out"],
  [{ pools: [pool({}, { claimableFrom: ['x'] })] }, `test/research: pools[0].template.claimableFrom is ["x"]: a tenant's templates are for the tenant alone: leave it out`],
  [{ pools: [pool({}, { containers: [{ ...CONTAINER, cpu: '1' }] })] }, 'test/research: pools[0].template.containers[0].memory: say how much it may use: the quota of the tenant is computed from it'],
  [{ users: ['system:serviceaccount:a:b'] }, "test/research: users[0] is 'system:serviceaccount:a:b': name it in serviceAccounts"],
  [{ groups: ['system:authenticated'] }, "test/research: groups[0] is 'system:authenticated': these are not the people of one tenant: name a group of its own"],
  [{ groups: ['a', 'a'] }, "test/research: groups[1] is 'a': list it once"],
  [{ maximum: { sandboxes: 14 } }, 'test/research: maximum.sandboxes is 14: the pools need 15 (python: 15): raise it, or make pools smaller'],
  [{ maximum: { pods: 14 } }, 'test/research: maximum.pods is 14: the pools need 15 (python: 15): raise it, or make pools smaller'],
  [{ maximum: { requestsCpu: '7' } }, "test/research: maximum.requestsCpu is '7': the pools need 7500m (python: 15 x 500m): raise it, or make pools smaller"],
  [{ maximum: { others: { 'requests.nvidia.com/gpu': '1' } }, pools: [pool({}, { containers: [{ ...SMALL, gpu: Gpu.nvidia(1) }] })] },
    "test/research: maximum.others['requests.nvidia.com/gpu'] is '1': the pools need 15 (python: 15 x 1): raise it, or make pools smaller"],
])('what cannot be is refused: %#', (props, message) => {
  expect(messageOf(() => tenant(props))).toBe(message);
});

test('a maximum that is enough is no problem, and an unknown pool is', () => {
  expect(messageOf(() => tenant({ maximum: { sandboxes: 15, requestsCpu: '7.5', limitsMemory: '8Gi' } }).pool('phyton'))).toBe("test/research: pool is 'phyton': the tenant has no pool of this name: use one of python");
});
