import type { SandboxSpec } from 'agent-sandbox-api';
import { refusal } from '../src/reconcile/plan.js';
import { sandboxConditions, type ChildrenState } from '../src/sandbox/conditions.js';
import { SandboxBench, TRACKED, foreignOwner, pod, sandbox } from './fixtures.js';

const running = (ready: 'True' | 'False', ips: string[] = ['10.0.0.1']) => ({
  phase: 'Running', podIPs: ips.map(ip => ({ ip })), conditions: [{ type: 'Ready', status: ready }, { type: 'PodScheduled', status: 'True' as const }],
});

/** A bench whose Sandbox has an own Pod of the given status. */
function withPod(status: object, spec = {}): SandboxBench {
  const bench = new SandboxBench();
  bench.model.create(sandbox(spec));
  bench.reconcile();
  bench.model.edit(bench.pod!, draft => {
    draft.status = status;
  });
  bench.reconcile();
  return bench;
}

/** `Type=Status/Reason: message` of the conditions that findings lead to. */
function conditions(spec: Partial<SandboxSpec>, findings: Partial<ChildrenState>): string[] {
  return sandboxConditions(sandbox(spec), { pod: { owned: false, replicas: 0, errors: [], blockedBy: [] }, errors: [], ...findings }, 0)
    .map(({ type, status, reason, message }) => `${type}=${status}/${reason}: ${message}`);
}

test('S1 S2 names what is missing, Pod and Service', () => {
  expect(conditions({ service: true }, {})).toEqual([
    'Suspended=False/NotSuspended: Sandbox is not suspended',
    'Ready=False/DependenciesNotReady: Pod does not exist; Service does not exist',
  ]);
  expect(conditions({ service: true }, { service: 'box' })[1]).toBe('Ready=False/DependenciesNotReady: Pod does not exist; Service Exists');
});

test('S21 says of several Pods only that, whatever else went wrong', () => {
  const conflict = 'multiple Pods (2) are controlled by this Sandbox; refusing to choose or create a Pod';
  const pod = { owned: false, replicas: 1, errors: [refusal(conflict)], blockedBy: [], conflict };
  expect(conditions({}, { pod, errors: [refusal('quota'), ...pod.errors] })).toContain(`Ready=False/MultiplePods: ${conflict}`);
});

test('S3 reports a pending Pod that has not been scheduled', () => {
  const bench = withPod({ phase: 'Pending' }, { service: true });
  expect(bench.condition('Ready')).toBe('False/DependenciesNotReady: Pod exists with phase: Pending; Service Exists');
  expect(bench.condition('PodScheduled')).toBe('Unknown/PodSchedulingUnknown: Pod has not reported a PodScheduled condition yet');
});

test('S4 reports a running Pod that is not ready', () => {
  expect(withPod(running('False')).condition('Ready')).toBe('False/DependenciesNotReady: Pod is Running but not Ready');
});

test('S5 reports a ready Pod without addresses', () => {
  expect(withPod(running('True', [])).condition('Ready')).toBe('False/DependenciesNotReady: Pod is Ready but has no podIPs yet');
});

test('S6 S47 S52 deletes the Pod of a suspended Sandbox and reports it until it is gone', () => {
  const bench = new SandboxBench().ready();
  bench.model.edit(bench.sandbox, draft => {
    draft.spec.operatingMode = 'Suspended';
  });
  bench.reconcile();
  expect(bench.pod?.metadata.deletionTimestamp).toBeDefined();
  expect(bench.condition('Suspended')).toBe('False/PodTerminating: Pod is terminating. Sandbox is suspending');
  expect(bench.condition('Ready')).toBe('False/SandboxSuspended: Sandbox is suspending');
  expect(bench.condition('PodScheduled')).toBe('True/PodScheduled: ');
});

test('S7 S51 S63 S64 leaves a Pod that it does not own to its owner when suspended', () => {
  const bench = new SandboxBench();
  const other = bench.model.create(pod({ labels: TRACKED, ownerReferences: [foreignOwner()] }, { phase: 'Running', podIPs: [{ ip: '10.9.9.9' }] }));
  bench.model.create(sandbox({ operatingMode: 'Suspended', service: true }, { annotations: { 'agents.x-k8s.io/pod-name': 'box' } }));
  bench.reconcile();
  expect(bench.pod).toBe(other);
  expect(bench.condition('Suspended')).toBe('False/PodNotOwned: Refused to delete pod because it is not owned by this sandbox');
  expect(bench.condition('Ready')).toBe('False/SandboxSuspended: Sandbox is suspending');
  expect(bench.condition('PodScheduled')).toBeUndefined();
  expect(bench.sandbox.status).toMatchObject({ selector: 'agents.x-k8s.io/sandbox-name-hash=' + TRACKED['agents.x-k8s.io/sandbox-name-hash'], service: 'box' });
  expect(bench.sandbox.status?.podIPs).toBeUndefined();
  expect(bench.sandbox.status?.nodeName).toBeUndefined();
  expect(bench.sandbox.metadata.annotations?.['agents.x-k8s.io/pod-name']).toBeUndefined();
});

test('S8 keeps saying that the Pod terminates when its deletion fails', () => {
  const bench = new SandboxBench().ready();
  bench.model.intercept = request => (request.op === 'delete' ? { reason: 'Forbidden', message: 'denied by a webhook' } : undefined);
  bench.model.edit(bench.sandbox, draft => {
    draft.spec.operatingMode = 'Suspended';
  });
  bench.reconcile();
  expect(bench.condition('Suspended')).toBe('False/PodTerminating: Pod is terminating. Sandbox is suspending');
  expect(bench.condition('Ready')).toBe('False/ReconcilerError: Error seen: denied by a webhook');
  expect(bench.sandbox.status?.replicas).toBe(1);
  expect(bench.errors()).toEqual(['denied by a webhook']);
});

test.each([{ operatingMode: 'Suspended' as const }, { replicas: 0 }])('S9 S48 says that a Sandbox with %j and no Pod is suspended', spec => {
  const bench = new SandboxBench();
  bench.model.create(sandbox(spec));
  expect(bench.reconcile()).toHaveLength(1);
  expect(bench.condition('Suspended')).toBe('True/PodTerminated: Pod has been terminated. Sandbox is suspended');
  expect(bench.condition('Ready')).toBe('False/SandboxSuspended: Sandbox is suspended');
  expect(bench.sandbox.status?.replicas).toBe(0);
  expect(bench.errors()).toEqual([]);
});

test('S11 S24 turns PodScheduled to Unknown when the state of the Pod cannot be found out', () => {
  const bench = new SandboxBench().ready();
  bench.model.destroy(bench.pod!);
  bench.model.runPods();
  bench.model.intercept = request => (request.op === 'create' ? { reason: 'Timeout', message: 'no answer' } : undefined);
  bench.reconcile();
  expect(bench.condition('PodScheduled')).toBe('Unknown/PodSchedulingUnknown: Pod state is unknown. Pod scheduling cannot be determined');
  expect(bench.condition('Suspended')).toBe('False/NotSuspended: Sandbox is not suspended');
});

test('S12 S25 starts a resumed Sandbox again and is not suspended at once', () => {
  const bench = new SandboxBench();
  bench.model.create(sandbox({ operatingMode: 'Suspended', replicas: 0 }));
  bench.settle();
  bench.model.edit(bench.sandbox, draft => {
    draft.spec.operatingMode = 'Running';
    draft.spec.replicas = 1;
  });
  bench.reconcile();
  expect(bench.condition('Suspended')).toBe('False/NotSuspended: Sandbox is not suspended');
  expect(bench.condition('Ready')).toBe('False/DependenciesNotReady: Pod exists with phase: Pending');
});

test('stays suspended while one of the two switches is off', () => {
  const bench = new SandboxBench();
  bench.model.create(sandbox({ operatingMode: 'Running', replicas: 0 }));
  bench.settle();
  expect(bench.pod).toBeUndefined();
});

test('S13 names an unknown phase', () => {
  expect(withPod({ phase: 'Unknown' }).condition('Ready')).toBe('False/DependenciesNotReady: Pod exists with phase: Unknown');
});

test.each([['Failed', 'PodFailed', 'Pod failed'], ['Succeeded', 'PodSucceeded', 'Pod completed successfully']])('S14 S15 finishes with a Pod in phase %s', (phase, reason, message) => {
  const bench = withPod({ phase });
  expect(bench.condition('Finished')).toBe(`True/${reason}: ${message}`);
  expect(bench.condition('Ready')).toBe(`False/${reason}: ${message}`);
  expect(bench.reconcile()).toEqual([]);
});

test('S16 does not finish with the Pod of another owner', () => {
  const bench = new SandboxBench();
  bench.model.create(pod({ ownerReferences: [foreignOwner()] }, { phase: 'Failed' }));
  bench.model.create(sandbox());
  bench.reconcile();
  expect(bench.condition('Finished')).toBeUndefined();
});

test('S17 is not ready with an error, however healthy the Pod', () => {
  const bench = new SandboxBench().ready();
  bench.model.create({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'box', namespace: 'agents', ownerReferences: [foreignOwner()] } });
  bench.reconcile();
  expect(bench.condition('Ready')).toBe('False/ReconcilerError: Error seen: service "box" is owned by Deployment/other (UID: foreign), not by sandbox "box"');
});

test.each(['Unschedulable', 'SchedulingGated'])('S18 S19 mirrors PodScheduled with the reason %s unchanged', reason => {
  const message = `0/3 nodes are available: ${'insufficient cpu, '.repeat(40)}`;
  const bench = withPod({ phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason, message }] });
  expect(bench.condition('PodScheduled')).toBe(`False/${reason}: ${message}`);
});

test.each([['False', 'PodSchedulingUnknown'], ['True', 'PodScheduled']])('S20 gives PodScheduled %s without a reason the reason %s', (status, reason) => {
  const bench = withPod({ phase: 'Pending', conditions: [{ type: 'PodScheduled', status }] });
  expect(bench.condition('PodScheduled')).toBe(`${status}/${reason}: `);
});

test('S22 has every condition once, whatever the number of passes', () => {
  const bench = new SandboxBench().ready();
  for (let i = 0; i < 3; i++) {
    bench.model.edit(bench.sandbox, draft => {
      draft.spec.service = i % 2 === 0;
    });
    bench.settle();
  }
  expect(bench.sandbox.status?.conditions?.map(({ type }) => type)).toEqual(['Suspended', 'PodScheduled', 'Ready']);
});

test('S23 drops PodScheduled with the Pod', () => {
  const bench = new SandboxBench().ready();
  bench.model.edit(bench.sandbox, draft => {
    draft.spec.operatingMode = 'Suspended';
  });
  bench.settle();
  bench.model.runPods();
  bench.settle();
  expect(bench.pod).toBeUndefined();
  expect(bench.condition('PodScheduled')).toBeUndefined();
  expect(bench.condition('Suspended')).toBe('True/PodTerminated: Pod has been terminated. Sandbox is suspended');
});

test('S26 moves the transition time of Suspended only with its status', () => {
  const bench = new SandboxBench().ready();
  const time = () => bench.sandbox.status?.conditions?.find(({ type }) => type === 'Suspended')?.lastTransitionTime;
  const first = time();
  bench.model.now += 60_000;
  bench.model.edit(bench.sandbox, draft => {
    draft.spec.operatingMode = 'Suspended';
  });
  bench.settle();
  expect(time()).toBe(first);
  bench.model.now += 60_000;
  bench.model.runPods();
  bench.settle();
  expect(time()).toBe('2026-01-01T00:02:00Z');
});

test('S33 is ready with a ready Pod and no Service wanted', () => {
  const bench = new SandboxBench().ready();
  expect(bench.condition('Ready')).toBe('True/DependenciesReady: Pod is Ready');
  expect(bench.sandbox.status).toMatchObject({ replicas: 1, podIPs: ['10.0.0.1'], nodeName: 'node-1' });
  expect(bench.sandbox.status?.conditions?.every(({ observedGeneration }) => observedGeneration === 1)).toBe(true);
});
