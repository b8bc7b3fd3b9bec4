import { CONDITION, type Sandbox } from 'agent-sandbox-api';
import fc from 'fast-check';
import { isConditionTrue } from '../src/object/conditions.js';
import { controllerOf, ownershipOf } from '../src/object/ownership.js';
import { observeSandbox } from '../src/sandbox/observe.js';
import { reconcileSandbox } from '../src/sandbox/reconcile.js';
import { NAMESPACE, OPTIONS, reconcileTemplateOnce } from './fixtures.js';
import { type Model, reconcileInModel } from './model.js';
import { PoolBench, image } from './pool-fixtures.js';

/** The Sandbox controller and the kubelet do their work. */
function runSandboxes(model: Model): void {
  const pass = ({ metadata: { name = '' } }: Sandbox) => {
    const observed = observeSandbox(model, NAMESPACE, name, { now: model.now, monotonic: model.now, options: OPTIONS });
    return observed === undefined ? undefined : reconcileInModel(reconcileSandbox(observed), model);
  };
  model.list('Sandbox').forEach(pass);
  model.runPods();
  model.list('Sandbox').forEach(pass);
  model.collect();
}

/** Everything works until nothing more happens. */
function converge(bench: PoolBench): void {
  for (let i = 0, before = -1; before !== bench.model.revision; i++) {
    before = bench.model.revision;
    if (bench.model.get('SandboxTemplate', NAMESPACE, 'python') !== undefined) {
      reconcileTemplateOnce(bench.model);
    }
    bench.reconcile();
    runSandboxes(bench.model);
    if (i > 20) {
      throw new Error('no rest');
    }
  }
}

/** What a pool ends with: names are random, the rest is not. */
function endState(bench: PoolBench): unknown {
  const of = (object: { spec?: unknown } | undefined) => JSON.stringify(object?.spec);
  return {
    status: bench.pool && { ...bench.pool.status, conditions: bench.pool.status?.conditions?.map(({ type, status, reason }) => ({ type, status, reason })) },
    sandboxes: bench.model.list('Sandbox').map(sandbox => [of(sandbox), controllerOf(sandbox)?.kind, isConditionTrue(sandbox.status?.conditions, CONDITION.ready)]).sort(),
    pods: bench.model.list('Pod').map(of).sort(),
  };
}

const filled = (replicas: number) => {
  const bench = new PoolBench({ replicas, updateStrategy: { type: 'Recreate' } }, { graceMs: 60_000 });
  converge(bench);
  return bench;
};

/** Each prepares a situation and leaves it to the reconciler. */
const SCENARIOS: { [name: string]: () => PoolBench } = {
  'make a pool': () => new PoolBench({ replicas: 4 }),
  'make a pool larger': () => {
    const bench = filled(2);
    bench.respec({ replicas: 5 });
    return bench;
  },
  'make a pool smaller': () => {
    const bench = filled(5);
    bench.respec({ replicas: 2 });
    return bench;
  },
  'replace what is stale': () => {
    const bench = filled(3);
    bench.retemplate(image('new'));
    return bench;
  },
  'replace what is stuck': () => {
    const bench = filled(3);
    bench.tell(bench.members.slice(0, 2), 'False', 'PodFailed');
    bench.members.slice(0, 2).forEach(({ metadata }) => bench.model.edit(bench.model.get('Pod', NAMESPACE, metadata.name!)!, draft => {
      draft.status = { phase: 'Failed' };
    }));
    return bench.wait(3_600_000);
  },
  'adopt, and replace what was claimed': () => {
    const bench = filled(3);
    bench.claim();
    bench.claim(bench.members[1]);
    bench.orphan();
    return bench;
  },
};

describe.each(Object.keys(SCENARIOS))('a crash while the controller should %s', name => {
  const undisturbed = SCENARIOS[name]!();
  const from = undisturbed.model.writes.length;
  undisturbed.reconcile();
  const count = undisturbed.model.writes.length - from;
  converge(undisturbed);
  const expected = endState(undisturbed);

  test.each(['fresh', 'stale'])('W27 after any single request, restarted with a %s cache, leads to the same end and never to too many', kind => {
    for (let crashAfter = 0; crashAfter <= count + 1; crashAfter++) {
      const bench = SCENARIOS[name]!();
      const limit = Math.max(bench.pool.spec.replicas!, bench.members.length);
      const stale = bench.model.snapshot();
      bench.reconcile({ crashAfter });
      bench.memory = undefined;
      if (kind === 'stale') {
        bench.reconcile({ cache: stale });
        bench.reconcile({ cache: stale });
        expect(bench.members.length).toBeLessThanOrEqual(limit);
      }
      converge(bench);
      expect(endState(bench)).toEqual(expected);
    }
  });
});

/** The process has one cache: it lags behind, but shows own writes, and after a restart it may be as old as before. */
type Happening = (bench: PoolBench, cache: { current: Model }) => void;

const happenings: { [name: string]: Happening } = {
  pass: (bench, cache) => {
    cache.current = bench.model.snapshot();
    bench.reconcile({ cache: cache.current });
  },
  'lagging pass': (bench, cache) => {
    bench.reconcile({ cache: cache.current });
  },
  'crash in a lagging pass': (bench, cache) => {
    const before = cache.current.snapshot();
    bench.reconcile({ crashAfter: 3, cache: cache.current });
    bench.memory = undefined;
    cache.current = before;
  },
  'lost answer': (bench, cache) => {
    let sent = 0;
    bench.model.intercept = request => {
      if (request.op !== 'create' || ++sent !== 2) {
        return undefined;
      }
      bench.model.create(request.object);
      return { reason: 'Timeout', message: 'no answer' };
    };
    bench.reconcile({ cache: cache.current });
    bench.model.intercept = undefined;
  },
  sandboxes: bench => runSandboxes(bench.model),
  claim: bench => bench.members.length > 0 && bench.claim(bench.members.at(-1)),
  'a user deletes one': bench => bench.members[0] && bench.model.destroy(bench.members[0]),
  'an orphan comes': bench => bench.model.get('Sandbox', NAMESPACE, 'orphan') ?? bench.orphan(),
  'new image': bench => bench.retemplate(image(`v${bench.model.revision}`)),
  'readiness is lost': bench => bench.tell(bench.members.slice(0, 1), 'False', 'DependenciesNotReady'),
  'time passes': bench => bench.wait(45_000),
};

test('W28 whatever happens: never more than wanted, nothing of others is touched, nothing leaks, and it comes to rest', () => {
  fc.assert(fc.property(
    fc.array(fc.constantFrom(...Object.keys(happenings)), { maxLength: 25 }), fc.constantFrom('Recreate' as const, 'OnReplenish' as const), fc.integer({ min: 0, max: 3 }),
    (names, type, maxReplicas) => {
      const bench = new PoolBench({ replicas: 4, updateStrategy: { type } }, { graceMs: 60_000, maxReplicas });
      const desired = maxReplicas === 0 ? 4 : maxReplicas;
      const taken = () => bench.model.list('Sandbox').filter(sandbox => ownershipOf(sandbox, bench.claimant) === 'own');
      bench.claim(bench.orphan({}, 'foreign'));
      const theirs = () => {
        const { metadata: { labels, ownerReferences }, spec } = bench.model.get('Sandbox', NAMESPACE, 'foreign')!;
        return JSON.stringify({ labels, ownerReferences, spec });
      };
      const untouched = theirs();
      const cache = { current: bench.model.snapshot() };
      for (const name of names) {
        const before = taken().length;
        const claims = name === 'claim' && bench.members.length > 0;
        happenings[name]!(bench, cache);
        // An adoption and the deletion that it makes necessary are two requests.
        const adopted = bench.members.some(({ metadata }) => metadata.name === 'orphan') ? 1 : 0;
        expect(bench.members.length).toBeLessThanOrEqual(desired + adopted);
        expect(taken()).toHaveLength(before + (claims ? 1 : 0));
        expect(theirs()).toBe(untouched);
        for (const { metadata } of bench.model.all()) {
          expect(metadata.ownerReferences?.filter(({ controller }) => controller).length ?? 0).toBeLessThanOrEqual(1);
        }
      }
      converge(bench);
      expect(bench.reconcile()).toEqual([]);
      expect(bench.members).toHaveLength(desired);
      expect(bench.pool.status).toMatchObject({ replicas: desired, readyReplicas: desired });
      expect(bench.model.list('Sandbox').every(sandbox => ownershipOf(sandbox, bench.pool) === 'own' || ownershipOf(sandbox, bench.claimant) === 'own')).toBe(true);
      expect(bench.model.list('Pod').map(({ metadata }) => metadata.name).sort()).toEqual(bench.model.list('Sandbox').map(({ metadata }) => metadata.name).sort());
    },
  ), { numRuns: 200 });
});
