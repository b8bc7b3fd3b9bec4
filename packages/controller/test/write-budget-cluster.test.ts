import { LABEL, nameHash } from 'agent-sandbox-api';
import { waitFor } from '../../../testbed/src/index.js';
import { describeWithControlPlane } from '../../../testbed/src/jest/index.js';
import { ClusterBench, textOf } from './cluster-bench.js';

const POD_TEMPLATE = { podTemplate: { spec: { containers: [{ name: 'main', image: 'image' }] } } };
/** Statuses wait for each other for longer than any machine needs to start a Pod of the testbed. */
const WINDOWS = ['--sandbox-status-settle-window=10m', '--sandbox-warm-pool-status-window=10m'];

describeWithControlPlane('what each scenario costs in writes, on an API server', testbed => {
  const bench = new ClusterBench(testbed, 'budget-controller');

  /** Writes since the last call, once those that are expected have come. */
  let counted = 0;
  const written = async (expected: readonly string[]): Promise<void> => {
    let seen: string[] = [];
    await waitFor(async () => {
      seen = (await bench.allWrites()).slice(counted).sort();
      return seen.length >= expected.length;
    }, { what: `the writes ${expected.join(', ')}`, timeoutMs: 60_000, lastSeen: () => seen.join(', ') });
    expect(seen).toEqual([...expected].sort());
    counted += seen.length;
  };
  const membersReady = (pool: string, count: number) => waitFor(async () => {
    const members = (await bench.list('Sandbox')).filter(({ metadata }) => metadata.labels?.[LABEL.warmPool] === nameHash(pool));
    return members.length === count && members.every(member => textOf(member, 'Ready').startsWith('True')) ? members : undefined;
  }, { what: `${count} ready Sandboxes of the pool ${pool}`, timeoutMs: 60_000 });

  beforeAll(() => bench.start(...WINDOWS), 60_000);
  afterAll(() => bench.end());

  test('F5 a Sandbox: its Pod, its status, and the name of its Pod, then two Events', async () => {
    await bench.create('Sandbox', 'box', POD_TEMPLATE);
    await bench.ready('Sandbox', 'box');
    await written(['create events', 'create events', 'create pods', 'patch sandboxes', 'patch sandboxes/status']);
  });

  test('a Sandbox that suspends and resumes: its Pod and two statuses each', async () => {
    await bench.merge('Sandbox', 'box', { spec: { operatingMode: 'Suspended' } });
    await bench.condition('Sandbox', 'box', 'Suspended', /^True/);
    await written(['delete pods', 'patch sandboxes', 'patch sandboxes/status', 'patch sandboxes/status']);
    await bench.merge('Sandbox', 'box', { spec: { operatingMode: 'Running' } });
    await bench.ready('Sandbox', 'box');
    await written(['create pods', 'patch sandboxes', 'patch sandboxes/status', 'patch sandboxes/status']);
  });

  test('a template: its label and its policy', async () => {
    await bench.create('SandboxTemplate', 'python', POD_TEMPLATE);
    await bench.until('SandboxTemplate', 'python', ({ metadata }) => metadata.labels?.[LABEL.templateRefHash] !== undefined);
    await written(['create networkpolicies', 'patch sandboxtemplates']);
  });

  test('a cold claim: Sandbox, Pod, and the status of both, then the Event', async () => {
    await bench.create('SandboxClaim', 'cold', { sandboxTemplateRef: { name: 'python' } });
    await bench.ready('SandboxClaim', 'cold');
    await written(['create events', 'create pods', 'create sandboxes', 'patch sandboxclaims/status', 'patch sandboxes/status', 'update networkpolicies']);
  });

  test('a pool: three for each of its Sandboxes, and two statuses', async () => {
    await bench.create('SandboxWarmPool', 'pool', { replicas: 5, sandboxTemplateRef: { name: 'python' } });
    await membersReady('pool', 5);
    await bench.until('SandboxWarmPool', 'pool', ({ status }) => status?.readyReplicas === 5);
    const each = ['create pods', 'create sandboxes', 'patch sandboxes/status'];
    await written([...Array.from({ length: 5 }, () => each).flat(), 'patch sandboxwarmpools/status', 'patch sandboxwarmpools/status']);
  });

  test('a warm claim: Sandbox, status and Pod until it is ready; then the Event and the next Sandbox of the pool', async () => {
    await bench.create('SandboxClaim', 'warm', { warmPoolRef: { name: 'pool' } });
    await bench.ready('SandboxClaim', 'warm');
    await membersReady('pool', 5);
    await written([
      'patch sandboxes', 'patch sandboxclaims/status', 'patch pods',
      'create events', 'create pods', 'create sandboxes', 'patch sandboxes/status',
    ]);
  });

  test('a claim that is deleted, and controllers that start again: nothing', async () => {
    for (const name of ['cold', 'warm']) {
      const { status: { sandbox } } = await bench.get('SandboxClaim', name);
      await bench.admin.delete(bench.ref('SandboxClaim', name));
      await bench.admin.waitGone(bench.ref('Pod', sandbox.name), { timeoutMs: 60_000 });
      await bench.admin.waitGone(bench.ref('Sandbox', sandbox.name), { timeoutMs: 60_000 });
    }
    await bench.end();
    await bench.start(...WINDOWS);
    // A write that comes after all that was left to do shows that there was nothing else.
    await bench.create('Sandbox', 'last', POD_TEMPLATE, { annotations: { 'agents.x-k8s.io/pod-name': 'last' } });
    await bench.ready('Sandbox', 'last');
    await written(['create pods', 'patch sandboxes/status']);
    expect(bench.problems).toEqual([]);
  });
}, { requires: ['fakeNodes', 'auditLog'] });
