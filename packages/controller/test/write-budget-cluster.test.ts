import { LABEL, nameHash } from 'agent-sandbox-api';
import { waitFor } from '../../../testbed/src/index.js';
import { describeWithControlPlane } from '../../../testbed/src/jest/index.js';
import { ClusterBench, textOf } from './cluster-bench.js';

const POD_TEMPLATE = { podTemplate: { spec: { containers: [{ name: 'main', image: 'image' }] } } };
const USER = 'budget-controller';
const POOL_STATUS = 'patch sandboxwarmpools/status';
/** Statuses wait for each other for longer than any machine needs to start a Pod of the testbed. */
const WINDOWS = ['--sandbox-status-settle-window=10m', '--sandbox-warm-pool-status-window=10m'];

describeWithControlPlane('what each scenario costs in writes, on an API server', testbed => {
  const bench = new ClusterBench(testbed, USER);

  let counted = 0;
  /** Waits for the writes of a scenario: all since the last call but Events, statuses of pools, and owners of policies, which are counted in bundles. */
  const written = async (expected: readonly string[]): Promise<void> => {
    let seen: string[] = [];
    let total = 0;
    await waitFor(async () => {
      const all = await bench.allWrites();
      seen = all.slice(counted).filter(write => !['update networkpolicies', POOL_STATUS].includes(write) && !write.endsWith(' events')).sort();
      total = all.length;
      return seen.length >= expected.length;
    }, { what: `the writes ${expected.join(', ')}`, timeoutMs: 60_000, lastSeen: () => seen.join(', ') });
    counted = total;
    expect(seen).toEqual([...expected].sort());
  };
  const events = (name: RegExp) => waitFor(async () => {
    const found = await testbed.auditLog.find({ user: USER, namespace: testbed.namespace, writes: true, resource: 'events', name });
    return found.length > 0 ? found : undefined;
  }, { what: `an Event about ${name}`, timeoutMs: 60_000 });
  const membersReady = (pool: string, count: number) => waitFor(async () => {
    const members = (await bench.list('Sandbox')).filter(({ metadata }) => metadata.labels?.[LABEL.warmPool] === nameHash(pool));
    return members.length === count && members.every(member => textOf(member, 'Ready').startsWith('True')) ? members : undefined;
  }, { what: `${count} ready Sandboxes of the pool ${pool}`, timeoutMs: 60_000 });

  beforeAll(() => bench.start(...WINDOWS), 60_000);
  afterAll(() => bench.end());

  test('F5 a Sandbox: its Pod, its status, and the name of its Pod', async () => {
    await bench.create('Sandbox', 'box', POD_TEMPLATE);
    await bench.ready('Sandbox', 'box');
    await written(['create pods', 'patch sandboxes', 'patch sandboxes/status']);
  });

  test('a Sandbox that suspends: its Pod and two statuses', async () => {
    await bench.merge('Sandbox', 'box', { spec: { operatingMode: 'Suspended' } });
    await bench.condition('Sandbox', 'box', 'Suspended', /^True/);
    await written(['delete pods', 'patch sandboxes/status', 'patch sandboxes/status']);
  });

  test('a template: its label and its policy', async () => {
    await bench.create('SandboxTemplate', 'python', POD_TEMPLATE);
    await bench.until('SandboxTemplate', 'python', ({ metadata }) => metadata.labels?.[LABEL.templateRefHash] !== undefined);
    await written(['create networkpolicies', 'patch sandboxtemplates']);
  });

  test('a cold claim: Sandbox, Pod, and the status of both, then the Event', async () => {
    await bench.create('SandboxClaim', 'cold', { sandboxTemplateRef: { name: 'python' } });
    await bench.ready('SandboxClaim', 'cold');
    await written(['create pods', 'create sandboxes', 'patch sandboxclaims/status', 'patch sandboxes/status']);
    expect(await events(/^cold\./)).toHaveLength(1);
  });

  test('a pool: three for each of its Sandboxes, and three statuses at most', async () => {
    await bench.create('SandboxWarmPool', 'pool', { replicas: 5, sandboxTemplateRef: { name: 'python' } });
    await membersReady('pool', 5);
    await bench.until('SandboxWarmPool', 'pool', ({ status }) => status?.readyReplicas === 5);
    const each = ['create pods', 'create sandboxes', 'patch sandboxes/status'];
    await written(Array.from({ length: 5 }, () => each).flat());
    expect((await bench.allWrites()).filter(write => write === POOL_STATUS).length).toBeLessThanOrEqual(3);
  });

  test('a warm claim: Sandbox, status and Pod until it is ready; then the Event and the next Sandbox of the pool', async () => {
    await bench.create('SandboxClaim', 'warm', { warmPoolRef: { name: 'pool' } });
    await bench.ready('SandboxClaim', 'warm');
    await membersReady('pool', 5);
    await written([
      'patch sandboxes', 'patch sandboxclaims/status', 'patch pods',
      'create pods', 'create sandboxes', 'patch sandboxes/status',
    ]);
    expect(await events(/^warm\./)).toHaveLength(1);
  });

  /** All writes but Events and statuses of pools, in the order of their kind. */
  const counting = async () => (await bench.allWrites()).filter(write => write !== POOL_STATUS && !write.endsWith(' events'));
  /** What the controller writes until it is at rest again, which a further Sandbox shows. */
  const atRest = async (name: string, before: number): Promise<string[]> => {
    await bench.create('Sandbox', name, POD_TEMPLATE);
    await bench.ready('Sandbox', name);
    await waitFor(async () => (await bench.writesOf(new RegExp(`^${name}$`))).length === 3, { what: `the writes for ${name}`, timeoutMs: 60_000 });
    return (await counting()).slice(before);
  };
  const ITS_OWN = ['create pods', 'patch sandboxes', 'patch sandboxes/status'];

  test('a restart: nothing', async () => {
    await bench.end();
    const before = (await counting()).length;
    await bench.start(...WINDOWS);
    expect((await atRest('after-restart', before)).sort()).toEqual(ITS_OWN);
  });

  test('the end of claims, of a pool and of a Sandbox: nothing', async () => {
    const before = (await counting()).length;
    const pods = (await bench.list('Pod')).map(({ metadata }) => metadata.name);
    for (const [kind, name] of [['SandboxClaim', 'cold'], ['SandboxClaim', 'warm'], ['SandboxWarmPool', 'pool'], ['Sandbox', 'after-restart']] as const) {
      await bench.admin.delete(bench.ref(kind, name));
    }
    await Promise.all(pods.map(name => bench.admin.waitGone(bench.ref('Pod', name), { timeoutMs: 60_000 })));
    expect((await atRest('after-all', before)).sort()).toEqual(ITS_OWN);
  });
}, { requires: ['fakeNodes', 'auditLog'] });
