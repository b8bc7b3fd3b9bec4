import { LABEL } from 'agent-sandbox-api';
import { NAMESPACE, SandboxBench, TRACKED, foreignOwner, pod, sandbox, service, summary } from './fixtures.js';

const START = Date.UTC(2026, 0, 1);
const at = (seconds: number) => new Date(START + seconds * 1000).toISOString();

test('S87 looks again when the time is up, but not sooner than in two seconds', () => {
  const bench = new SandboxBench().ready(sandbox({ shutdownTime: at(3600) }));
  bench.reconcile();
  expect(bench.result?.requeueAfterMs).toBe(3_600_000);
  bench.model.now = START + 3_599_500;
  bench.reconcile();
  expect(bench.result?.requeueAfterMs).toBe(2000);
  bench.model.now = START + 3_600_000;
  bench.reconcile();
  expect(bench.condition('Ready')).toBe('False/SandboxExpired: Sandbox has expired');
});

/** A ready Sandbox with Service and volume whose time is up. */
function expired(spec = {}): SandboxBench {
  const bench = new SandboxBench().ready(sandbox({
    service: true, shutdownTime: at(60), volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: {} }], ...spec,
  }));
  bench.model.now = START + 60_000;
  return bench;
}

test('S88 S89 first says that it has expired, then removes Pod and Service and keeps the volumes', () => {
  const bench = expired();
  expect(summary(bench.reconcile())).toEqual(['patch Sandbox/status']);
  expect(bench.result?.requeueAfterMs).toBe(1);
  expect(bench.condition('PodScheduled')).toBeUndefined();
  expect(bench.pod?.metadata.deletionTimestamp).toBeUndefined();
  expect(summary(bench.reconcile())).toEqual(['delete Pod', 'delete Service', 'patch Sandbox/status']);
  bench.model.runPods();
  expect(bench.reconcile()).toEqual([]);
  expect(bench.pod).toBeUndefined();
  expect(bench.service).toBeUndefined();
  expect(bench.model.list('PersistentVolumeClaim')).toHaveLength(1);
  expect(Object.keys(bench.sandbox.status!)).toEqual(['conditions', 'replicas']);
  expect(bench.sandbox.status?.replicas).toBe(0);
});

test('S90 deletes an adopted Pod of another name', () => {
  const bench = new SandboxBench();
  bench.model.create(pod({ name: 'spare', labels: { [LABEL.adoptable]: 'true' } }));
  bench.ready(sandbox({ shutdownTime: at(60) }, { annotations: { 'agents.x-k8s.io/pod-name': 'spare' } }));
  bench.model.now = START + 60_000;
  bench.settle();
  bench.model.runPods();
  expect(bench.model.list('Pod')).toEqual([]);
});

test('S91 deletes the Sandbox with the policy Delete', () => {
  const bench = expired({ shutdownPolicy: 'Delete' });
  bench.reconcile();
  expect(summary(bench.reconcile())).toEqual(['delete Pod', 'delete Service', 'delete Sandbox']);
  expect(bench.sandbox).toBeUndefined();
  bench.model.runPods();
  bench.model.collect();
  expect(bench.model.all()).toEqual([]);
});

test('S92 leaves what it does not own', () => {
  const bench = new SandboxBench();
  bench.model.create(pod({ labels: TRACKED, ownerReferences: [foreignOwner()] }));
  bench.model.create(service({ labels: TRACKED }));
  bench.model.create(sandbox({ shutdownTime: at(0) }));
  bench.settle();
  expect(bench.model.list('Pod')).toHaveLength(1);
  expect(bench.service).toBeDefined();
  expect(bench.condition('Ready')).toBe('False/SandboxExpired: Sandbox has expired');
});

test('S93 expires without Pod and Service', () => {
  const bench = new SandboxBench();
  bench.model.create(sandbox({ shutdownTime: at(0) }));
  bench.settle();
  expect(bench.errors()).toEqual([]);
  expect(bench.model.list('Pod')).toEqual([]);
});

test.each(['Succeeded', 'Failed'])('S94 keeps Finished when a Sandbox with a Pod in phase %s expires', phase => {
  const bench = expired();
  bench.model.now = START;
  bench.model.edit(bench.pod!, draft => {
    draft.status!.phase = phase;
  });
  bench.settle();
  bench.model.now = START + 60_000;
  bench.settle();
  bench.model.runPods();
  bench.settle();
  expect(bench.condition('Finished')).toMatch(`True/Pod${phase}`);
  expect(bench.condition('PodScheduled')).toBeUndefined();
});

test('backs off while children of an expired Sandbox cannot be deleted, and keeps its status', () => {
  const bench = expired();
  bench.reconcile();
  bench.model.intercept = request => (request.op === 'delete' ? { reason: 'Forbidden', message: 'denied by a webhook' } : undefined);
  const before = bench.sandbox.status;
  bench.reconcile();
  expect(bench.result).toEqual({ errors: [{ reason: 'Forbidden', message: 'denied by a webhook' }, { reason: 'Forbidden', message: 'denied by a webhook' }], blockedBy: [] });
  expect(bench.sandbox.status).toBe(before);
});

test('runs again on its volumes when the time is moved', () => {
  const bench = expired();
  bench.settle();
  bench.model.runPods();
  bench.model.edit(bench.sandbox, draft => {
    draft.spec.shutdownTime = at(3600);
  });
  bench.settle();
  bench.model.runPods();
  bench.settle();
  expect(bench.condition('Ready')).toBe('True/DependenciesReady: Pod is Ready; Service Exists');
  expect(bench.model.list('PersistentVolumeClaim')).toHaveLength(1);
});

test('S95 sends the node only with another change, until the Sandbox is ready', () => {
  const bench = new SandboxBench();
  bench.model.create(sandbox());
  bench.settle();
  bench.model.edit(bench.pod!, draft => {
    draft.spec = { nodeName: 'node-7' };
  });
  expect(bench.reconcile()).toEqual([]);
  bench.model.runPods();
  expect(summary(bench.reconcile())).toEqual(['patch Sandbox/status']);
  expect(bench.sandbox.status?.nodeName).toBe('node-1');
  bench.model.edit(bench.pod!, draft => {
    draft.spec = { nodeName: 'node-8' };
  });
  bench.reconcile();
  expect(bench.sandbox.status?.nodeName).toBe('node-8');
});

test('a start that is quicker than the settle window costs one status write', () => {
  const options = { statusSettleMs: 1000 };
  const bench = new SandboxBench();
  bench.model.create(sandbox({}, { annotations: { 'agents.x-k8s.io/pod-name': 'box' } }));
  expect(summary(bench.reconcile({ options }))).toEqual(['create Pod']);
  expect(bench.result?.requeueAfterMs).toBe(1000);
  bench.model.now += 400;
  bench.model.edit(bench.pod!, draft => {
    draft.spec = { nodeName: 'node-1' };
  });
  expect(bench.reconcile({ options })).toEqual([]);
  expect(bench.result?.requeueAfterMs).toBe(600);
  bench.model.runPods();
  expect(summary(bench.reconcile({ options }))).toEqual(['patch Sandbox/status']);
  expect(bench.condition('Ready')).toMatch(/^True/);
  expect(bench.memory).toBeUndefined();
});

test('a start that is slower shows within the settle window', () => {
  const options = { statusSettleMs: 1000 };
  const bench = new SandboxBench();
  bench.model.create(sandbox());
  bench.reconcile({ options });
  bench.model.now += 1000;
  expect(summary(bench.reconcile({ options }))).toEqual(['patch Sandbox/status']);
  expect(bench.result?.requeueAfterMs).toBeUndefined();
  expect(bench.condition('Ready')).toBe('False/DependenciesNotReady: Pod exists with phase: Pending');
});

test('an idle member of a pool has longer, until its Pod has an address', () => {
  const options = { statusSettleMs: 1000 };
  const bench = new SandboxBench();
  bench.model.create(sandbox({}, { ownerReferences: [foreignOwner('SandboxWarmPool', 'extensions.agents.x-k8s.io/v1beta1')] }));
  bench.reconcile({ options });
  bench.model.now += 1000;
  expect(bench.reconcile({ options })).toEqual([]);
  expect(bench.result?.requeueAfterMs).toBe(4000);
  bench.model.runPods(() => ({ phase: 'Running', podIPs: [{ ip: '10.0.0.1' }], conditions: [] }));
  expect(summary(bench.reconcile({ options }))).toEqual(['patch Sandbox/status']);
  expect(bench.sandbox.status?.podIPs).toEqual(['10.0.0.1']);
});

test('a node that is not worth a write is not waited for either', () => {
  const options = { statusSettleMs: 1000 };
  const bench = new SandboxBench();
  bench.model.create(sandbox());
  bench.settle();
  bench.model.edit(bench.pod!, draft => {
    draft.spec = { nodeName: 'node-7' };
  });
  expect(bench.reconcile({ options })).toEqual([]);
  expect(bench.result).toEqual({ errors: [], blockedBy: [] });
});

test('nothing happens to a Sandbox that is being deleted', () => {
  const bench = new SandboxBench().ready();
  bench.model.edit(bench.sandbox, draft => {
    draft.metadata.finalizers = ['test/hold'];
  });
  bench.model.destroy(bench.sandbox);
  bench.model.destroy(bench.model.get('Pod', NAMESPACE, 'box')!);
  bench.model.runPods();
  expect(bench.reconcile()).toEqual([]);
});
