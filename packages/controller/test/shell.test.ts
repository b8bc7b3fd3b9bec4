import { jest } from '@jest/globals';
import { EXTENSIONS_GROUP } from 'agent-sandbox-api';
import { Registry } from 'prom-client';
import { groupOf, isOfKind } from '../src/object/ownership.js';
import { runPlan } from '../src/reconcile/run-plan.js';
import { failed, ok, refusal, remove, type Plan, type Request } from '../src/reconcile/plan.js';
import { sandboxController } from '../src/sandbox/controller.js';
import { Blockers } from '../src/shell/blockers.js';
import { SharedValues, oncePerShared } from '../src/reconcile/shared-values.js';
import { trimPod, trims } from '../src/reconcile/trim.js';
import { countLabels } from '../src/sandbox/count-labels.js';
import { countSandboxes } from '../src/shell/sandbox-counts.js';
import { OPTIONS, foreignOwner, pod, sandbox } from './fixtures.js';

test('a pass sends stage after stage, and fails with what its last stage could not do', async () => {
  const sent: string[] = [];
  const plan: Plan<number> = {
    requests: [remove(pod({ name: 'a' })), remove(pod({ name: 'b' }))],
    memory: 1,
    next: outcomes => ({ requests: [remove(pod({ name: `after ${outcomes.map(outcome => outcome.ok).join()}` }))], requeueAfterMs: 5, errors: [refusal('own')] }),
  };
  const result = await runPlan(plan, {
    send: async (request: Request) => {
      const name = request.op === 'delete' ? request.target.name : '';
      sent.push(name);
      return name === 'b' ? failed('Forbidden', 'no') : name === 'a' ? ok() : failed('Timeout', 'late');
    },
    remember: memory => void sent.push(`memory ${memory}`),
  });
  expect(sent).toEqual(['memory 1', 'a', 'b', 'after true,false']);
  expect(result).toEqual({ errors: [refusal('own'), { reason: 'Timeout', message: 'late' }], blockedBy: [] });
});

test('a failure that a request ignores is none, and a pass without errors says when to come back', async () => {
  const result = await runPlan({ requests: [remove(pod())], requeueAfterMs: 7 }, { send: async () => failed('NotFound', 'gone') });
  expect(result).toEqual({ errors: [], requeueAfterMs: 7, blockedBy: [] });
});

test('after a conflict the key comes back soon, even where the conflict is no error', async () => {
  const lost = { ...remove(pod()), ignore: ['Conflict'] as const };
  const send = async () => failed('Conflict', 'the object has been modified');
  expect(await runPlan({ requests: [lost] }, { send })).toEqual({ errors: [], requeueAfterMs: 1000, blockedBy: [] });
  expect(await runPlan({ requests: [lost], requeueAfterMs: 7 }, { send })).toMatchObject({ requeueAfterMs: 7 });
  expect(await runPlan({ requests: [lost], next: () => ({ requests: [] }) }, { send })).toMatchObject({ requeueAfterMs: 1000 });
});

test('keys wait for what they were last blocked by', () => {
  const blockers = new Blockers();
  const ref = (name: string) => ({ apiVersion: 'v1', kind: 'Pod', namespace: 'n', name });
  blockers.set('n/x', [ref('a'), ref('b')]);
  blockers.set('n/y', [ref('a')]);
  expect(blockers.blockedBy('Pod', 'n', 'a')).toEqual(['n/x', 'n/y']);
  blockers.set('n/x', [ref('b')]);
  expect(blockers.blockedBy('Pod', 'n', 'a')).toEqual(['n/y']);
  expect(blockers.blockedBy('Pod', 'n', 'b')).toEqual(['n/x']);
});

describe('what wakes a Sandbox', () => {
  const { watches } = sandboxController(1, OPTIONS);
  const cache = undefined as never;
  const controlled = pod({ ownerReferences: [foreignOwner('Sandbox', 'agents.x-k8s.io/v1alpha1')] });

  test('is what it owns, under any version of the API, and what it owned before', () => {
    expect(watches.Pod!({ after: controlled, origin: 'watch' }, cache)).toEqual([{ key: 'agents/other' }]);
    expect(watches.Pod!({ before: controlled, after: pod(), origin: 'watch' }, cache)).toEqual([{ key: 'agents/other' }]);
    expect(watches.Pod!({ after: pod({ ownerReferences: [foreignOwner()] }), origin: 'watch' }, cache)).toEqual([]);
  });

  test('is a Pod at once when it has an address or a problem or is deleted, and a moment later while it starts', () => {
    const owned = (status: object, more: object = {}) => ({ ...pod({ ownerReferences: [foreignOwner('Sandbox', 'agents.x-k8s.io/v1alpha1')], ...more }, { phase: 'Pending', ...status }) });
    const delay = (after: ReturnType<typeof owned>) => watches.Pod!({ before: owned({}), after, origin: 'watch' }, cache).map(({ delayMs = 0 }) => delayMs);
    expect(delay(owned({ conditions: [] }))).toEqual([100]);
    expect([
      delay(owned({ phase: 'Running' })), delay(owned({ podIPs: [{ ip: '10.0.0.1' }] })), delay(owned({}, { deletionTimestamp: '2026-01-01T00:00:00Z' })),
      delay({ ...owned({}), problem: { reason: 'ImagePullBackOff', message: '' } }), watches.Pod!({ after: owned({}), origin: 'watch' }, cache).map(({ delayMs = 0 }) => delayMs),
    ]).toEqual([[0], [0], [0], [0], [0]]);
  });

  test('is any change of itself but the answer to a status write of this process', () => {
    const [before, after] = [sandbox({}, { resourceVersion: '1' }), { ...sandbox({}, { resourceVersion: '2' }), status: { replicas: 1 } }];
    expect(watches.Sandbox!({ before, after, origin: 'write' }, cache)).toEqual([]);
    expect(watches.Sandbox!({ before, after, origin: 'watch' }, cache)).toEqual([{ key: 'agents/box' }]);
    expect(watches.Sandbox!({ before, after: sandbox({}, { labels: { a: '1' } }), origin: 'write' }, cache)).toEqual([{ key: 'agents/box' }]);
  });
});

test('S99 keeps of a Pod what is read of it', () => {
  const full = {
    ...pod({ uid: 'u', finalizers: ['f'], labels: { a: '1' } }, { phase: 'Running', podIPs: [{ ip: '1.2.3.4' }], conditions: [] }),
    spec: { nodeName: 'n', containers: [{ name: 'main' }] },
  };
  expect(trimPod({ ...full, metadata: { ...full.metadata, managedFields: [{}] } as never, status: { ...full.status, containerStatuses: [{}] } as never })).toEqual({
    apiVersion: 'v1', kind: 'Pod', metadata: { name: 'box', namespace: 'agents', uid: 'u', labels: { a: '1' } }, spec: { nodeName: 'n' },
    status: { phase: 'Running', podIPs: [{ ip: '1.2.3.4' }], conditions: [] },
  });
});

describe('S99 keeps of other objects what is read of them', () => {
  const template = () => ({ spec: { containers: [{ name: 'main', image: 'registry.example/app' }] } });
  const raw = (name: string, image = 'registry.example/app') => {
    const full = sandbox({ podTemplate: { spec: { containers: [{ name: 'main', image }] } } }, { name, managedFields: [{}] } as never);
    return { ...full, status: { conditions: [{ type: 'Ready', status: 'True' as const, reason: 'DependenciesReady', message: 'Pod is Ready', lastTransitionTime: 'T', observedGeneration: 2 }] } };
  };

  test('a Sandbox whole, with the Pod spec that others have, immutable', () => {
    const { Sandbox: trim } = trims();
    const [first, second, other] = [trim!(raw('a')), trim!(raw('b')), trim!(raw('c', 'registry.example/other'))];
    expect(first).toEqual({ ...raw('a'), metadata: expect.not.objectContaining({ managedFields: [{}] }) });
    expect(first.spec.podTemplate).toEqual(template());
    expect(second.spec.podTemplate.spec).toBe(first.spec.podTemplate.spec);
    expect(other.spec.podTemplate.spec.containers[0].image).toBe('registry.example/other');
    expect(Object.isFrozen(first.spec.podTemplate.spec.containers[0])).toBe(true);
  });

  test('a Service without its status', () => {
    const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'box' }, spec: { clusterIP: 'None', ports: [{ port: 80 }] } };
    expect(trims().Service!({ ...service, metadata: { ...service.metadata, managedFields: [{}] }, status: { loadBalancer: {} } })).toEqual(service);
  });

  test('of the conditions of a Pod those two', () => {
    const conditions = ['Initialized', 'Ready', 'PodScheduled'].map(type => ({ type, status: 'True' as const, lastProbeTime: null, lastTransitionTime: 'T' }));
    expect(trims().Pod!(pod({}, { conditions })).status.conditions).toEqual([
      { type: 'Ready', status: 'True', lastTransitionTime: 'T' }, { type: 'PodScheduled', status: 'True', lastTransitionTime: 'T' },
    ]);
  });
});

describe('equal values', () => {
  test('are one object', () => {
    const shared = new SharedValues();
    const first = shared.object({ a: [1, 2] });
    expect(shared.object({ a: [1, 2] })).toBe(first);
    expect(shared.object({ a: [2, 1] })).toEqual({ a: [2, 1] });
    expect(shared.text('"x')).toBe('"x');
    expect(shared.object(['x'])).toEqual(['x']);
  });

  test('are forgotten when many others have come, and never mixed up', () => {
    const shared = new SharedValues();
    const first = shared.object({ number: 0 });
    for (let number = 1; number < 5000; number++) {
      expect(shared.object({ number })).toEqual({ number });
    }
    expect(shared.object({ number: 0 })).toEqual(first);
    expect(shared.object({ number: 0 })).not.toBe(first);
  });

  test('that are very large are left alone', () => {
    const shared = new SharedValues();
    const large = () => ({ text: 'x'.repeat(10_000) });
    shared.object(large());
    expect(Object.isFrozen(shared.object(large()))).toBe(false);
  });

  test('are computed from once, others each time', () => {
    const compute = jest.fn((value: { a: number }) => value.a === 1 ? undefined : value.a);
    const once = oncePerShared(compute);
    const values = new SharedValues();
    expect([1, 2, 1, 2].map(a => once(values.object({ a })))).toEqual([undefined, 2, undefined, 2]);
    expect(compute).toHaveBeenCalledTimes(2);
    // Frozen, but not shared: what it holds could change.
    const other = Object.freeze({ a: 3 });
    expect([once(other), once(other)]).toEqual([3, 3]);
    expect(compute).toHaveBeenCalledTimes(4);
  });
});

test('X14 matches kinds by group, in any version', () => {
  expect(isOfKind(undefined, EXTENSIONS_GROUP, 'SandboxClaim')).toBe(false);
  expect(isOfKind({ apiVersion: 'extensions.agents.x-k8s.io/v1alpha1', kind: 'SandboxClaim' }, EXTENSIONS_GROUP, 'SandboxClaim')).toBe(true);
  expect(isOfKind({ apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'SandboxClaim' }, EXTENSIONS_GROUP, 'SandboxClaim')).toBe(false);
  expect(groupOf('v1')).toBe('');
});

describe('X5 V5 counts Sandboxes', () => {
  const claimed = sandbox({}, {
    labels: { 'agents.x-k8s.io/launch-type': 'warm', 'agents.x-k8s.io/created-by': 'evil' },
    annotations: { 'agents.x-k8s.io/sandbox-template-ref': 'python' },
    ownerReferences: [foreignOwner('SandboxClaim', 'extensions.agents.x-k8s.io/v1alpha1')],
  });

  test('by readiness, expiry, launch, template, owner and client', () => {
    expect(countLabels(sandbox({}, { annotations: { 'agents.x-k8s.io/pod-name': 'x' } }))).toEqual({
      namespace: 'agents', ready_condition: 'false', expired: 'false', launch_type: 'cold', sandbox_template: 'unknown', owned_by: 'None', created_by: 'unknown',
      operating_mode: 'Running',
    });
    const expired = { type: 'Ready', status: 'False' as const, reason: 'SandboxExpired', message: '', lastTransitionTime: '' };
    expect(countLabels({ ...claimed, status: { conditions: [expired] } })).toMatchObject({ expired: 'true', launch_type: 'warm', sandbox_template: 'python', owned_by: 'SandboxClaim' });
  });

  test('summed up, and only while this process works', async () => {
    const registry = new Registry();
    let working = true;
    countSandboxes(registry, () => [claimed, claimed], () => working);
    expect(await registry.metrics()).toContain('owned_by="SandboxClaim",created_by="unknown",operating_mode="Running"} 2');
    working = false;
    expect(await registry.metrics()).not.toContain('agent_sandboxes{');
  });
});
