import { formatDuration } from 'agent-sandbox-program';
import { NAMESPACE, pod } from './fixtures.js';
import { failed, ok, type Outcome, type Request } from '../src/reconcile/plan.js';
import { takeTokens } from '../src/pool/pacing.js';
import { slowStart } from '../src/pool/slow-start.js';
import { PoolBench } from './pool-fixtures.js';

const NOT_SCHEDULED = { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False' as const, reason: 'Unschedulable' }] };

describe('waves', () => {
  const run = (count: number, answer: (i: number) => Outcome) => {
    const requests: Request[] = Array.from({ length: count }, () => ({ op: 'get', target: { apiVersion: 'v1', kind: 'Pod', namespace: '', name: '' } }));
    const sizes: number[] = [];
    let step = slowStart(requests);
    for (let sent = 0; !step.done;) {
      sizes.push(step.requests.length);
      step = step.next(step.requests.map(() => answer(sent++)));
    }
    return { sizes, outcomes: step.value.length };
  };

  test('W16 14 requests go in waves of 1, 2, 4 and 7; none in none', () => {
    expect(run(14, () => ok()).sizes).toEqual([1, 2, 4, 7]);
    expect(run(0, () => ok()).sizes).toEqual([]);
  });

  test('W16 after a failure no further wave is sent, and what succeeded counts', () => {
    expect(run(14, i => (i === 2 ? failed('Forbidden', '') : ok()))).toEqual({ sizes: [1, 2], outcomes: 3 });
    const bench = new PoolBench({ replicas: 14 });
    let created = 0;
    bench.refuse(({ op }) => op === 'create' && ++created === 5);
    bench.reconcile();
    expect(bench.members).toHaveLength(6);
    expect(bench.pool.status?.replicas).toBe(6);
  });

  test('a Sandbox that cannot be deleted does not keep the others; where none can, a few tries are enough', () => {
    const bench = new PoolBench({ replicas: 30 }).filled();
    const protectedName = bench.members.at(-1)!.metadata.name;
    bench.tell(bench.members.slice(-1), 'False');
    bench.respec({ replicas: 0 });
    bench.refuse(request => request.op === 'delete' && request.target.name === protectedName, 'Forbidden', 'denied by a webhook');
    bench.reconcile();
    expect(bench.members.map(({ metadata }) => metadata.name)).toEqual([protectedName]);
    expect(bench.errors()).toEqual(['denied by a webhook']);
    const other = new PoolBench({ replicas: 30 }).filled();
    other.respec({ replicas: 0 });
    other.refuse(({ op }) => op === 'delete');
    other.reconcile();
    expect(other.members).toHaveLength(30);
    expect(other.errors()).toHaveLength(10);
  });
});

describe('Sandboxes that do not become ready', () => {
  test('W10 one past the grace is replaced, a younger one is kept', () => {
    const bench = new PoolBench({ replicas: 1 });
    bench.reconcile();
    bench.wait(100_000).respec({ replicas: 2 });
    bench.reconcile();
    const [older, younger] = bench.members.map(({ metadata }) => metadata.name!);
    bench.wait(200_000);
    expect(bench.sent()).toEqual([]);
    bench.wait(1);
    expect(bench.sent()).toEqual(['delete Sandbox', 'create Sandbox']);
    const names = bench.members.map(({ metadata }) => metadata.name);
    expect([names.includes(older), names.includes(younger)]).toEqual([false, true]);
  });

  test('W32 the next look is near the earliest deadline', () => {
    const bench = new PoolBench({ replicas: 1 });
    bench.reconcile();
    expect(bench.result?.requeueAfterMs).toBe(300_050);
    bench.wait(50_000).respec({ replicas: 2 });
    bench.reconcile();
    expect(bench.result?.requeueAfterMs).toBe(250_050);
  });

  test('W33 the look that the pool asked for itself finds them, without any event', () => {
    const bench = new PoolBench({ replicas: 1 });
    bench.reconcile();
    const [before] = bench.members;
    bench.wait(bench.result!.requeueAfterMs!).reconcile();
    expect(bench.members[0]!.metadata.name).not.toBe(before!.metadata.name);
  });

  test('W34 the grace is the one that was asked for', () => {
    const bench = new PoolBench({ replicas: 1 }, { graceMs: 10_000 });
    bench.reconcile();
    expect(bench.wait(10_000).sent()).toEqual([]);
    expect(bench.wait(1).sent()).toEqual(['delete Sandbox', 'create Sandbox']);
  });

  test('one that was ready is not deleted for a moment without readiness, however old it is', () => {
    const bench = new PoolBench({ replicas: 1 }, { graceMs: 10_000 }).filled();
    bench.wait(86_400_000).tell(bench.members, 'False', 'DependenciesNotReady');
    const [before] = bench.members;
    bench.reconcile();
    bench.wait(599_000).reconcile();
    expect(bench.members).toEqual([expect.objectContaining({ metadata: before!.metadata })]);
    bench.wait(1001).reconcile();
    expect(bench.members[0]!.metadata.name).not.toBe(before!.metadata.name);
  });

  test('one whose readiness came and went while it was young has the whole grace from then', () => {
    const bench = new PoolBench({ replicas: 1 }).filled();
    bench.wait(200_000).tell(bench.members, 'False');
    bench.reconcile();
    bench.wait(300_000);
    expect(bench.sent()).toEqual([]);
    bench.wait(1);
    expect(bench.sent()).toContain('delete Sandbox');
  });

  test.each([-86_400_000, 86_400_000])('F3 a clock that is wrong by %d ms replaces nothing before the grace is over', skew => {
    const bench = new PoolBench({ replicas: 3 }, { graceMs: 30_000 });
    bench.skewMs = skew;
    bench.reconcile();
    for (let i = 0; i < 29; i++) {
      expect(bench.wait(1000).sent()).toEqual([]);
    }
    expect(bench.wait(1001).sent()).toEqual(['delete Sandbox ×3', 'create Sandbox ×3']);
  });

  test('F3 a restart starts the grace again', () => {
    const bench = new PoolBench({ replicas: 1 });
    bench.reconcile();
    bench.wait(299_000).memory = undefined;
    expect(bench.sent()).toEqual([]);
    expect(bench.wait(300_000).sent()).toEqual([]);
    expect(bench.wait(1).sent()).toEqual(['delete Sandbox', 'create Sandbox']);
  });

  test('F3 each Sandbox of a pool is replaced at most once in half a minute, however short the grace', () => {
    const bench = new PoolBench({ replicas: 4 }, { graceMs: 1 });
    bench.reconcile();
    let deleted = 0;
    for (let i = 0; i < 595; i++) {
      deleted += bench.wait(100).reconcile().filter(({ op }) => op === 'delete').length;
    }
    expect(deleted).toBe(8);
  });

  test('many at once are replaced batch by batch', () => {
    const bench = new PoolBench({ replicas: 6 });
    bench.reconcile();
    bench.options = { batchSize: 4 };
    bench.wait(300_001);
    expect(bench.sent()).toEqual(['delete Sandbox ×4', 'create Sandbox ×4']);
    expect(bench.result?.requeueAfterMs).toBe(1);
    expect(bench.sent()).toEqual(['delete Sandbox ×2', 'create Sandbox ×2']);
  });

  test.each(['Unschedulable', 'SchedulingGated'])('W30 one that no node takes (%s) is held, reported once, and checked every minute', reason => {
    const bench = new PoolBench({ replicas: 2 });
    bench.reconcile();
    const { name } = bench.members[0]!.metadata;
    const unscheduled = { ...NOT_SCHEDULED, conditions: [{ ...NOT_SCHEDULED.conditions[0]!, reason }] };
    const waiting = bench.model.create(pod({ name: name! }, unscheduled));
    bench.tell(bench.members.slice(1), 'True');
    bench.wait(300_001);
    expect(bench.sent()).toEqual(['patch SandboxWarmPool/status']);
    expect(bench.result?.requeueAfterMs).toBe(60_000);
    expect(bench.condition('Progressing')).toBe('False/WarmPoolNotProgressing: No node takes the Sandboxes that are not ready.');
    bench.memory = undefined;
    bench.wait(60_000).reconcile();
    expect(bench.model.events).toMatchObject([{
      type: 'Warning', reason: 'WarmPoolNotProgressing', action: 'Reconciling',
      note: '1/2 sandboxes are unschedulable past the 5m0s readiness grace period; holding them instead of replacing (replacements would be equally unschedulable)',
    }]);
    bench.model.edit(waiting, draft => {
      draft.status!.conditions![0]!.status = 'True';
    });
    bench.tell(bench.members, 'True');
    bench.reconcile();
    bench.reconcile();
    expect(bench.model.events.slice(1)).toMatchObject([{ type: 'Normal', reason: 'WarmPoolProgressing', note: 'Warm pool is progressing again' }]);
  });

  test('W30 one that has a node, or no Pod, is replaced', () => {
    const bench = new PoolBench({ replicas: 2 });
    bench.reconcile();
    const { name } = bench.members[0]!.metadata;
    bench.model.create(pod({ name: name! }, { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'True' }] }));
    bench.wait(300_001);
    expect(bench.sent()).toEqual(['delete Sandbox ×2', 'create Sandbox ×2']);
  });

  test('W29 Sandboxes on their way out count against the size until they are gone, and not in the status', () => {
    const bench = new PoolBench({ replicas: 2 }).filled();
    bench.model.edit(bench.members[0]!, draft => {
      draft.metadata.finalizers = ['x'];
    });
    bench.model.destroy(bench.members[0]!);
    expect(bench.sent()).toEqual(['patch SandboxWarmPool/status']);
    expect(bench.pool.status?.replicas).toBe(1);
    bench.model.edit(bench.members[0]!, draft => {
      draft.metadata.finalizers = [];
    });
    expect(bench.sent()).toEqual(['create Sandbox', 'patch SandboxWarmPool/status']);
  });

  test('W31 a Sandbox that is gone already does not hinder the pool', () => {
    const bench = new PoolBench({ replicas: 2 }).filled();
    bench.respec({ replicas: 1 });
    const cache = bench.model.snapshot();
    bench.members.forEach(member => bench.model.destroy(member));
    bench.reconcile({ cache });
    expect(bench.errors()).toEqual([]);
    bench.reconcile();
    expect(bench.members).toHaveLength(1);
  });

  test('a failed deletion is reported, with back-off', () => {
    const bench = new PoolBench({ replicas: 3 }).filled();
    bench.refuse(({ op }) => op === 'delete');
    bench.respec({ replicas: 0 });
    expect(bench.sent()).toEqual(['patch SandboxWarmPool/status']);
    expect(bench.errors()).toEqual(['refused', 'refused', 'refused']);
    expect(bench.pool.status).toMatchObject({ replicas: 3, readyReplicas: 3 });
  });
});

describe('replenishing', () => {
  test('W22 without a delay what is lost is replaced at once', () => {
    const bench = new PoolBench({ replicas: 3 }).filled();
    bench.claim();
    expect(bench.sent()).toContain('create Sandbox');
  });

  test('W22 with a delay it is replaced when the delay has passed, and each further loss begins it again', () => {
    const bench = new PoolBench({ replicas: 3 }, { replenishDelayMs: 10_000, statusWindowMs: 60_000 }).filled();
    bench.claim();
    expect(bench.sent()).toEqual([]);
    expect(bench.result?.requeueAfterMs).toBe(10_000);
    bench.wait(4000).reconcile();
    expect(bench.result?.requeueAfterMs).toBe(6000);
    bench.claim();
    bench.reconcile();
    expect(bench.result?.requeueAfterMs).toBe(10_000);
    expect(bench.wait(9999).sent()).toEqual([]);
    expect(bench.wait(1).sent()).toEqual(['create Sandbox ×2']);
  });

  test('W22 neither the first look nor a larger size is a loss', () => {
    const bench = new PoolBench({ replicas: 1 }, { replenishDelayMs: 10_000 }).filled();
    expect(bench.members).toHaveLength(1);
    bench.respec({ replicas: 2 });
    bench.reconcile();
    expect(bench.members).toHaveLength(2);
    bench.memory = undefined;
    bench.claim();
    bench.reconcile();
    expect(bench.members).toHaveLength(2);
  });

  test('W23 Sandboxes that do not become ready go even while nothing is made', () => {
    const bench = new PoolBench({ replicas: 2 }, { replenishDelayMs: 10_000 });
    bench.reconcile();
    bench.tell(bench.members.slice(1), 'True');
    bench.reconcile();
    bench.wait(300_001);
    expect(bench.sent()).toEqual(['delete Sandbox', 'patch SandboxWarmPool/status']);
    expect(bench.members).toHaveLength(1);
  });

  test('W24 the bucket is full in the beginning and refills at its rate', () => {
    expect(takeTokens(10, 0, undefined, 0)).toEqual({ count: 10 });
    expect(takeTokens(10, 3, undefined, 0)).toEqual({ count: 3, bucket: { tokens: 0, at: 0 }, waitMs: 334 });
    expect(takeTokens(10, 3, { tokens: 0, at: 0 }, 334)).toMatchObject({ count: 1 });
    expect(takeTokens(2, 0.5, undefined, 0)).toEqual({ count: 1, bucket: { tokens: 0, at: 0 }, waitMs: 2000 });
    expect(takeTokens(1, 0.5, { tokens: 0, at: 0 }, 1000)).toMatchObject({ count: 0, waitMs: 1000 });
    expect(takeTokens(5, 3, { tokens: 0, at: 0 }, 86_400_000)).toMatchObject({ count: 3 });
    expect(takeTokens(5, Number.MAX_VALUE, { tokens: 0, at: 0 }, 86_400_000)).toMatchObject({ count: 5 });
    expect(takeTokens(5, 3, { tokens: 0, at: 1000 }, 0)).toMatchObject({ count: 0 });
  });

  test('W24 a pool fills at the rate, and looks again when the next token is there', () => {
    const bench = new PoolBench({ replicas: 5 }, { refillRate: 2, statusWindowMs: 60_000 });
    bench.reconcile();
    expect(bench.members).toHaveLength(2);
    expect(bench.result?.requeueAfterMs).toBe(500);
    bench.wait(500).reconcile();
    expect(bench.members).toHaveLength(3);
    bench.wait(1000).reconcile();
    expect(bench.members).toHaveLength(5);
  });

  test('W26 with both, the delay comes first and the rate after it', () => {
    const bench = new PoolBench({ replicas: 4 }, { refillRate: 4, replenishDelayMs: 5000, statusWindowMs: 60_000 }).filled();
    bench.options = { ...bench.options, refillRate: 1 };
    bench.claim();
    bench.claim();
    expect(bench.wait(60_000).sent()).toEqual([]);
    expect(bench.wait(5000).sent()).toEqual(['create Sandbox']);
    expect(bench.wait(1000).sent()).toEqual(['create Sandbox']);
  });
});

describe('caches that lag', () => {
  test('W27 what the process made before does not have to show in the cache to count', () => {
    const bench = new PoolBench({ replicas: 5 });
    const cache = bench.model.snapshot();
    for (let i = 0; i < 5; i++) {
      bench.reconcile({ cache });
    }
    expect(bench.members).toHaveLength(5);
  });

  test('W27 after a restart nothing is made before the cache shows what was made before it', () => {
    const bench = new PoolBench({ replicas: 5 });
    const cache = bench.model.snapshot();
    bench.reconcile({ crashAfter: 4 });
    bench.memory = undefined;
    bench.reconcile({ cache });
    expect(bench.members).toHaveLength(3);
    expect(bench.result?.requeueAfterMs).toBe(500);
    bench.reconcile();
    expect(bench.members).toHaveLength(5);
  });

  test('W27 a creation whose answer is lost is not repeated before it is known what became of it', () => {
    const bench = new PoolBench({ replicas: 3 });
    const cache = bench.model.snapshot();
    let created = 0;
    bench.model.intercept = request => {
      if (request.op !== 'create' || ++created !== 2) {
        return undefined;
      }
      bench.model.create(request.object);
      return { reason: 'Timeout', message: 'no answer' };
    };
    bench.reconcile({ cache });
    bench.model.intercept = undefined;
    expect(bench.errors()).toEqual(['no answer']);
    bench.reconcile({ cache });
    expect(bench.members).toHaveLength(3);
    bench.reconcile();
    expect(bench.members).toHaveLength(3);
  });

  test('what the API server cannot tell is not assumed', () => {
    const bench = new PoolBench({ replicas: 3 });
    bench.refuse(({ op }) => op === 'list', 'Unknown', 'no answer');
    expect(bench.sent()).toEqual(['patch SandboxWarmPool/status']);
    expect(bench.errors()).toEqual(['no answer']);
  });

  test('a name that is taken is replaced by another one, in the next pass', () => {
    const bench = new PoolBench({ replicas: 2 });
    let created = 0;
    bench.refuse(({ op }) => op === 'create' && ++created === 1, 'AlreadyExists', 'taken');
    bench.reconcile();
    expect([bench.members.length, bench.errors(), bench.result?.requeueAfterMs]).toEqual([1, [], 1]);
    bench.reconcile();
    expect(bench.members).toHaveLength(2);
    expect(bench.model.list('Sandbox').every(({ metadata }) => metadata.namespace === NAMESPACE)).toBe(true);
  });
});

test.each([[300_000, '5m0s'], [3_600_000, '1h0m0s'], [1500, '1.5s'], [250, '250ms'], [0, '0s'], [-90_000, '-1m30s']])('writes %d ms as %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});
