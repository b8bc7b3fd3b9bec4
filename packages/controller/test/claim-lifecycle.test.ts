import { type Condition, LABEL, type SandboxClaimLifecycle, definedOnly } from 'agent-sandbox-api';
import { timeLeft } from '../src/claim/expiry.js';
import { ClaimBench, claim, readyCondition, running } from './claim-bench.js';
import { foreignOwner, sandbox, summary } from './fixtures.js';
import { API_VERSION } from './model.js';

const FINISHED: Condition = {
  type: 'Finished', status: 'True', reason: 'PodSucceeded', message: 'Pod completed successfully', lastTransitionTime: '2026-01-01T00:00:00Z', observedGeneration: 1,
};
const SHUTDOWN = '2026-01-01T00:01:00Z';

/** A claim that is bound to a ready member. */
function bound(lifecycle?: SandboxClaimLifecycle): ClaimBench {
  const bench = new ClaimBench();
  bench.member('a');
  bench.model.create(claim(definedOnly({ lifecycle })));
  bench.settle();
  return bench;
}

function expired(shutdownPolicy?: SandboxClaimLifecycle['shutdownPolicy']): ClaimBench {
  const bench = bound({ shutdownTime: SHUTDOWN, ...definedOnly({ shutdownPolicy }) });
  bench.model.now += 60_000;
  return bench;
}

function finish(bench: ClaimBench): void {
  bench.model.edit(bench.sandbox('a')!, draft => {
    draft.status!.conditions = [FINISHED, { ...readyCondition(false), reason: 'PodSucceeded', message: 'Pod completed successfully' }];
  });
}

const EXPIRED = 'False/ClaimExpired: Claim expired. Sandbox cleanup initiated.';

describe('expiry', () => {
  test('C81 is reported before anything is deleted', () => {
    const bench = expired('Delete');
    expect(summary(bench.reconcile())).toEqual(['patch SandboxClaim/status']);
    expect(bench.condition()).toBe(EXPIRED);
    expect(bench.result).toMatchObject({ errors: [], requeueAfterMs: 1 });
    expect(bench.events()).toContain('ClaimExpired: Claim expired');
    expect(bench.claim.status?.sandbox?.name).toBe('a');
  });

  test('C81 deletes nothing as long as it cannot be reported', () => {
    const bench = expired('Delete');
    bench.model.intercept = request => (request.op === 'patch' ? { reason: 'Forbidden', message: 'no' } : undefined);
    bench.reconcile();
    bench.reconcile();
    expect(bench.claim.metadata.deletionTimestamp).toBeUndefined();
    expect(bench.errors()).toEqual(['no']);
    expect(bench.events()).not.toContain('ClaimExpired: Claim expired');
  });

  test('C79 with Delete removes the claim, and leaves the Sandbox to garbage collection', () => {
    const bench = expired('Delete');
    bench.reconcile();
    expect(summary(bench.reconcile())).toEqual(['delete SandboxClaim']);
    expect(bench.sandbox('a')).toBeDefined();
    expect(bench.events()).toContain('ClaimExpired: Deleting Claim (ShutdownPolicy=Delete)');
    bench.model.collect();
    expect(bench.sandbox('a')).toBeUndefined();
  });

  test('C80 with DeleteForeground keeps the claim visible until its Sandbox is gone', () => {
    const bench = expired('DeleteForeground');
    bench.reconcile();
    expect(bench.reconcile()).toMatchObject([{ op: 'delete', propagation: 'Foreground' }]);
    expect(bench.claim.metadata.deletionTimestamp).toBeDefined();
    expect(bench.reconcile()).toEqual([]);
    bench.model.collect();
    expect(bench.claim).toBeUndefined();
    expect(bench.sandbox('a')).toBeUndefined();
  });

  test.each([undefined, 'Retain'] as const)('C77 with policy %s removes the Sandbox and keeps the claim', policy => {
    const bench = expired(policy);
    bench.settle();
    expect(bench.sandbox('a')).toBeUndefined();
    expect(bench.condition()).toBe(EXPIRED);
    expect(bench.claim.status).not.toHaveProperty('sandbox');
    expect(bench.claim.status).not.toHaveProperty('sandboxName');
    expect(bench.reconcile()).toEqual([]);
  });

  test('C77 names the Sandbox until it is gone', () => {
    const bench = expired('Retain');
    bench.model.edit(bench.sandbox('a')!, draft => {
      draft.metadata.finalizers = ['test/keep'];
    });
    bench.settle();
    expect(bench.claim.status?.sandbox?.name).toBe('a');
    bench.model.edit(bench.sandbox('a')!, draft => {
      draft.metadata.finalizers = [];
    });
    bench.settle();
    expect(bench.claim.status).not.toHaveProperty('sandbox');
  });

  test('a Sandbox that cannot be deleted is tried again with growing pauses, and the claim says the same all the time', () => {
    const bench = expired('Retain');
    bench.reconcile();
    const [before, events] = [bench.claim.status, bench.events().length];
    bench.model.intercept = request => (request.op === 'delete' ? { reason: 'Forbidden', message: 'denied by a webhook' } : undefined);
    bench.reconcile();
    bench.reconcile();
    expect(bench.result).toEqual({ errors: [{ reason: 'Forbidden', message: 'denied by a webhook' }], blockedBy: [] });
    expect(bench.claim.status).toEqual(before);
    expect(bench.events()).toHaveLength(events);
  });

  test('C78 leaves a Sandbox that is not the claim\'s', () => {
    const bench = expired('Retain');
    bench.model.edit(bench.sandbox('a')!, draft => {
      draft.metadata.ownerReferences = [foreignOwner()];
    });
    bench.settle();
    expect(bench.sandbox('a')).toBeDefined();
    expect(bench.condition()).toBe(
      'False/ClaimExpired: Claim expired. sandbox not owned by this claim: sandbox "a" is not owned by claim "claim"; deletion skipped.',
    );
    expect(bench.claim.status).not.toHaveProperty('sandbox');
    expect(bench.reconcile()).toEqual([]);
  });

  test('of a claim that never got a Sandbox concerns no other of its name', () => {
    const bench = new ClaimBench();
    bench.model.create(sandbox({}, { name: 'claim', ownerReferences: [foreignOwner()] }));
    bench.model.create(claim({ lifecycle: { shutdownTime: '2026-01-01T00:00:00Z' } }));
    bench.settle();
    expect(bench.sandbox()).toBeDefined();
    expect(bench.condition()).toContain('deletion skipped');
  });

  test('that was put off brings the claim back', () => {
    const bench = expired('Retain');
    bench.settle();
    bench.model.edit(bench.claim, draft => {
      draft.spec.lifecycle = {};
    });
    bench.settle();
    expect(bench.condition()).toBe('False/SandboxNotReady: Sandbox is not ready');
  });
});

describe('the end of the work', () => {
  test('C82 is mirrored with its time, and starts the clock', () => {
    const bench = bound({ ttlSecondsAfterFinished: 120 });
    finish(bench);
    bench.reconcile();
    expect(bench.claim.status?.conditions?.[0]).toEqual(FINISHED);
    expect(bench.condition()).toBe('False/PodSucceeded: Pod completed successfully');
    expect(bench.result?.requeueAfterMs).toBe(120_000);
  });

  test.each([['Retain', false], ['DeleteForeground', true]] as const)('C83 and later, with %s, the end of the claim', (shutdownPolicy, gone) => {
    const bench = bound({ ttlSecondsAfterFinished: 120, shutdownPolicy });
    finish(bench);
    bench.settle();
    bench.model.now += 120_000;
    for (let i = 0; i < 4; i++) {
      bench.reconcile();
      bench.model.collect();
    }
    expect(bench.sandbox('a')).toBeUndefined();
    expect(bench.claim === undefined).toBe(gone);
    if (!gone) {
      expect(bench.condition('Finished')).toBe('True/PodSucceeded: Pod completed successfully');
      expect(bench.condition()).toBe(EXPIRED);
    }
  });

  test('C84 is reported together with an expiry that follows at once', () => {
    const bench = bound({ ttlSecondsAfterFinished: 0 });
    finish(bench);
    expect(summary(bench.reconcile())).toEqual(['patch SandboxClaim/status']);
    expect([bench.condition('Finished'), bench.condition()]).toEqual(['True/PodSucceeded: Pod completed successfully', EXPIRED]);
    expect(bench.sandbox('a')).toBeDefined();
    bench.settle();
    expect(bench.sandbox('a')).toBeUndefined();
  });

  test('C85 X6 counts with the time of the claim: the earlier one wins', () => {
    const now = Date.UTC(2026, 0, 1);
    const left = (lifecycle: SandboxClaimLifecycle | undefined, conditions?: Condition[]) =>
      timeLeft(claim(definedOnly({ lifecycle })), conditions, now);
    expect(left(undefined)).toBeUndefined();
    expect(left({ ttlSecondsAfterFinished: 5 })).toBeUndefined();
    expect(left({ ttlSecondsAfterFinished: 5 }, [FINISHED])).toBe(5000);
    expect(left({ ttlSecondsAfterFinished: 0 }, [FINISHED])).toBe(0);
    expect(left({ shutdownTime: SHUTDOWN })).toBe(60_000);
    expect(left({ shutdownTime: SHUTDOWN, ttlSecondsAfterFinished: 5 }, [FINISHED])).toBe(5000);
    expect(left({ shutdownTime: SHUTDOWN, ttlSecondsAfterFinished: 500 }, [FINISHED])).toBe(60_000);
    expect(left({ shutdownTime: '2026-01-01T00:00:00Z' })).toBe(0);
  });

  test('C86 keeps the claim when there is no time to live, and is forgotten with the Sandbox', () => {
    const bench = bound();
    finish(bench);
    bench.settle();
    bench.model.now += 86_400_000;
    expect(bench.reconcile()).toEqual([]);
    bench.model.destroy(bench.sandbox('a')!);
    bench.settle();
    expect(bench.condition('Finished')).toBeUndefined();
  });
});

describe('the status', () => {
  test('C8 C17 C95 mirrors the Sandbox under the generation of the claim, sorted', () => {
    const bench = bound();
    bench.model.edit(bench.claim, draft => {
      draft.spec.lifecycle = {};
    });
    bench.model.edit(bench.sandbox('a')!, draft => {
      draft.status!.podIPs = ['10.0.0.2', 'fd00::2'];
    });
    finish(bench);
    bench.reconcile();
    expect(bench.claim.status?.conditions?.map(({ type, observedGeneration }) => [type, observedGeneration])).toEqual([['Finished', 1], ['Ready', 2]]);
    expect(bench.claim.status?.sandbox).toEqual({ name: 'a', podIPs: ['10.0.0.2', 'fd00::2'] });
  });

  test('takes over the time since when the Sandbox is ready, but none before its own creation', () => {
    expect(bound().claim.status?.conditions?.[0]).toMatchObject({ type: 'Ready', lastTransitionTime: '2026-01-01T00:00:00Z' });
  });

  test('C87 tells that the Sandbox expired by itself', () => {
    const bench = bound();
    bench.model.edit(bench.sandbox('a')!, draft => {
      draft.status!.conditions = [{ ...readyCondition(false), reason: 'SandboxExpired', message: 'Sandbox has expired' }];
    });
    bench.reconcile();
    expect(bench.condition()).toBe('False/SandboxExpired: Underlying Sandbox resource has expired independently of the Claim.');
  });

  test('C90 is dropped on a conflict, without error, Event or measurement', () => {
    const bench = new ClaimBench();
    bench.member('a');
    bench.model.create(claim());
    bench.model.intercept = request => (request.op === 'patch' && request.subresource ? { reason: 'Conflict', message: 'modified' } : undefined);
    bench.reconcile('claim', { firstSeen: bench.model.now });
    expect(bench.result).toEqual({ errors: [], blockedBy: [] });
    expect([bench.model.events, bench.model.measures]).toEqual([[], []]);
    bench.model.intercept = undefined;
    bench.reconcile();
    expect(bench.condition()).toBe('True/DependenciesReady: Pod is Ready');
  });

  test('C91 is no error when the claim is gone', () => {
    const bench = new ClaimBench();
    bench.member('a');
    bench.model.create(claim());
    bench.model.intercept = request => (request.op === 'patch' && request.subresource ? { reason: 'NotFound', message: 'gone' } : undefined);
    bench.reconcile();
    expect(bench.errors()).toEqual([]);
  });

  test('C66 never reaches another claim of the name', () => {
    const bench = new ClaimBench();
    bench.member('a');
    bench.member('b');
    bench.model.create(claim());
    const plan = bench.begin()!;
    const outcome = bench.model.send(plan.requests[0]!);
    bench.model.destroy(bench.claim);
    bench.model.create(claim());
    const next = plan.next!([outcome]);
    expect(bench.model.send(next.requests[0]!)).toMatchObject({ ok: false });
    expect(bench.claim.status).toBeUndefined();
    bench.restart();
    bench.model.collect();
    bench.settle();
    expect(bench.sandbox('a')).toBeUndefined();
    expect(bench.claim.status?.sandbox?.name).toBe('b');
  });

  test('of a claim that starts waits for the next change, once, and not for long', () => {
    const bench = new ClaimBench();
    bench.model.create(claim());
    const options = { statusSettleMs: 1000 };
    expect(summary(bench.reconcile('claim', { options }))).toEqual(['create Sandbox']);
    expect(bench.result?.requeueAfterMs).toBe(1200);
    bench.model.now += 300;
    bench.model.edit(bench.sandbox()!, draft => {
      draft.status = running();
    });
    expect(summary(bench.reconcile('claim', { options }))).toEqual(['patch SandboxClaim/status']);
    expect(bench.events()).toEqual(['SandboxProvisioned: Created Sandbox "claim"']);
    const slow = new ClaimBench();
    slow.model.create(claim());
    slow.reconcile('claim', { options });
    slow.model.now += 1199;
    expect(slow.reconcile('claim', { options })).toEqual([]);
    slow.model.now += 1;
    expect(summary(slow.reconcile('claim', { options }))).toEqual(['patch SandboxClaim/status']);
    expect(slow.condition()).toBe('False/SandboxNotReady: Sandbox is not ready');
  });

  test('does not wait when it is a user\'s turn', () => {
    const bench = new ClaimBench();
    bench.model.create(claim({ warmPoolRef: { name: 'missing' } }));
    expect(summary(bench.reconcile('claim', { options: { statusSettleMs: 1000 } }))).toEqual(['patch SandboxClaim/status']);
  });
});

test('a deleted Sandbox is replaced by the next of the pool', () => {
  const bench = bound();
  bench.member('b');
  bench.model.destroy(bench.sandbox('a')!);
  bench.settle();
  expect(bench.claim.status?.sandbox?.name).toBe('b');
  expect(bench.sandbox('b')!.metadata.ownerReferences).toMatchObject([{ apiVersion: API_VERSION.extensions, kind: 'SandboxClaim' }]);
  expect(bench.sandbox('b')!.metadata.labels).not.toHaveProperty([LABEL.warmPool]);
});
