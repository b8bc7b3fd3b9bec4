import { LABEL, type SandboxClaimLifecycle, definedOnly } from 'agent-sandbox-api';
import fc from 'fast-check';
import type { ClaimMemory } from '../src/claim/observed.js';
import { controllerOf } from '../src/object/ownership.js';
import { remove, type Outcome, type Plan } from '../src/reconcile/plan.js';
import { observeSandbox } from '../src/sandbox/observe.js';
import { reconcileSandbox } from '../src/sandbox/reconcile.js';
import { ClaimBench, claim, running } from './claim-bench.js';
import { NAMESPACE, OPTIONS } from './fixtures.js';
import { reconcileInModel, type Model } from './model.js';

const VOLATILE = new Set([
  'resourceVersion', 'uid', 'creationTimestamp', 'lastTransitionTime', 'deletionTimestamp', 'generation', 'observedGeneration', LABEL.claimUid,
]);

/** Everything but what differs from run to run: versions, UIDs and times. */
function endState(model: Model): unknown {
  return JSON.parse(JSON.stringify(model.all(), (key, value) => (VOLATILE.has(key) ? undefined : value)));
}

function sandboxPasses(model: Model): void {
  for (const { metadata: { name = '' } } of model.list('Sandbox')) {
    const observed = observeSandbox(model, NAMESPACE, name, { now: model.now, monotonic: model.now, options: OPTIONS });
    reconcileInModel(reconcileSandbox(observed!), model);
  }
}

function claimPasses(bench: ClaimBench): void {
  bench.model.list('SandboxClaim').forEach(({ metadata: { name } }) => bench.reconcile(name));
}

/** Reconciles until nothing more happens, with kubelet and garbage collector in between. */
function converge(bench: ClaimBench): void {
  for (let i = 0, before = -1; before !== bench.model.revision; i++) {
    before = bench.model.revision;
    claimPasses(bench);
    sandboxPasses(bench.model);
    bench.model.runPods();
    bench.model.collect();
    if (i > 30) {
      throw new Error('no rest');
    }
  }
}

/** Members with Pods, as a pool makes them. */
function stock(bench: ClaimBench, ...names: string[]): void {
  names.forEach(name => bench.member(name, {}));
  sandboxPasses(bench.model);
  bench.model.runPods();
  sandboxPasses(bench.model);
}

/** The owner of each Sandbox; no object has two owners. */
function checkOwnership(model: Model, adopted: Map<string, string>): void {
  for (const sandbox of model.list('Sandbox')) {
    expect((sandbox.metadata.ownerReferences ?? []).length).toBe(1);
    const { kind, uid } = controllerOf(sandbox)!;
    if (kind === 'SandboxClaim') {
      expect(adopted.get(sandbox.metadata.uid!) ?? uid).toBe(uid);
      adopted.set(sandbox.metadata.uid!, uid);
    }
  }
  const names = model.list('SandboxClaim').flatMap(({ metadata, status }) => (status?.sandbox?.name ? [[status.sandbox.name, metadata.uid!] as const] : []));
  for (const [name, uid] of names) {
    const sandbox = model.get('Sandbox', NAMESPACE, name);
    expect(sandbox === undefined || controllerOf(sandbox)?.uid === uid).toBe(true);
  }
  expect(new Set(names.map(([name]) => name)).size).toBe(names.length);
}

/** At rest each Sandbox is an idle member or the one of a claim that says so. */
function checkRest(bench: ClaimBench): void {
  const from = bench.model.writes.length;
  claimPasses(bench);
  expect(bench.model.writes.slice(from)).toEqual([]);
  for (const sandbox of bench.model.list('Sandbox')) {
    const { kind, name } = controllerOf(sandbox)!;
    if (kind === 'SandboxClaim') {
      expect(bench.model.get('SandboxClaim', NAMESPACE, name)?.status?.sandbox?.name).toBe(sandbox.metadata.name);
    }
  }
}

const expire = (shutdownPolicy: SandboxClaimLifecycle['shutdownPolicy']) => (bench: ClaimBench) => {
  stock(bench, 'a', 'b');
  bench.model.create(claim({ lifecycle: { shutdownTime: '2026-01-01T00:01:00Z', shutdownPolicy: shutdownPolicy! } }));
  converge(bench);
  bench.model.now += 60_000;
};

/** Each prepares a situation and leaves it to the reconciler. */
const SCENARIOS: { [name: string]: (bench: ClaimBench) => void } = {
  adopt: bench => {
    stock(bench, 'a', 'b');
    bench.model.create(claim());
  },
  'start cold': bench => {
    bench.model.create(claim());
  },
  'expire and delete': expire('Delete'),
  'expire and delete in the foreground': expire('DeleteForeground'),
  'expire and retain': expire('Retain'),
  'replace a lost Sandbox': bench => {
    stock(bench, 'a', 'b');
    bench.model.create(claim());
    converge(bench);
    bench.model.destroy(bench.sandbox('a')!);
  },
};

describe.each(Object.keys(SCENARIOS))('a crash while the controller should %s', name => {
  const undisturbed = new ClaimBench();
  SCENARIOS[name]!(undisturbed);
  const from = undisturbed.model.writes.length;
  converge(undisturbed);
  const expected = endState(undisturbed.model);
  const count = undisturbed.model.writes.length - from;

  test.each(['fresh', 'stale'])('after any single write, restarted with a %s cache, leads to the same end', kind => {
    expect(count).toBeGreaterThan(0);
    for (let crashAfter = 0; crashAfter <= count; crashAfter++) {
      const bench = new ClaimBench();
      SCENARIOS[name]!(bench);
      const stale = bench.model.snapshot();
      for (let left = crashAfter, pass = 0; left >= 0 && pass < 10; pass++) {
        left -= bench.reconcile('claim', { crashAfter: left }).length + (bench.result === undefined ? 1 : 0);
      }
      bench.restart();
      if (kind === 'stale') {
        stale.now = bench.model.now;
        bench.reconcile('claim', { cache: stale });
      }
      converge(bench);
      expect(endState(bench.model)).toEqual(expected);
      checkRest(bench);
    }
  });
});

/** Passes over one claim, request by request. */
class Walker {
  /** Adoptions that were refused because the Sandbox had been changed meanwhile. */
  public conflicts = 0;
  private plan: Plan<ClaimMemory> | undefined;
  private outcomes: Outcome[] = [];

  constructor(private readonly bench: ClaimBench, private readonly name: string, private stale?: Model) {}

  public step(): void {
    if (this.plan === undefined) {
      const cache = this.stale;
      this.stale = undefined;
      this.plan = this.bench.begin(this.name, definedOnly({ cache }));
      return;
    }
    const request = this.plan.requests[this.outcomes.length];
    if (request !== undefined) {
      const outcome = this.bench.model.send(request);
      this.outcomes.push(outcome);
      this.conflicts += !outcome.ok && outcome.failure.reason === 'Conflict' && request.op === 'patch' && request.target.kind === 'Sandbox' ? 1 : 0;
    }
    if (this.outcomes.length === this.plan.requests.length) {
      this.plan = this.plan.next?.(this.outcomes);
      this.outcomes = [];
      if (this.plan?.memory !== undefined) {
        this.bench.remember(this.name, this.plan.memory);
      }
    }
  }
}

/** All orders in which two claims take steps and something happens once. The claims are alike: the first one begins. */
function schedules(depth: number): string[] {
  const walks = (n: number): string[] => (n === 1 ? ['1'] : walks(n - 1).flatMap(walk => [`${walk}1`, `${walk}2`]));
  return walks(depth).flatMap(walk => Array.from({ length: depth + 1 }, (_, i) => `${walk.slice(0, i)}!${walk.slice(i)}`));
}

describe.each(['one process', 'two processes with stale caches'])('two claims and one member that is deleted, in %s', mode => {
  test.each(['a user', 'the pool'])('end well in every order when %s deletes it', who => {
    for (const schedule of schedules(7)) {
      const bench = new ClaimBench();
      const member = bench.member('m');
      ['one', 'two'].forEach(name => bench.model.create(claim({}, { name })));
      const start = mode === 'one process' ? undefined : bench.model.snapshot();
      const other = mode === 'one process' ? bench : new ClaimBench({}, {}, bench.model);
      const walkers = [new Walker(bench, 'one', start), new Walker(other, 'two', start)];
      const adopted = new Map<string, string>();
      for (const step of schedule) {
        if (step !== '!') {
          walkers[Number(step) - 1]!.step();
        } else if (bench.sandbox('m') !== undefined) {
          // The pool's deletion is locked by the state in which it saw the member; a user's is not.
          const lock = who === 'the pool' ? { resourceVersion: member.metadata.resourceVersion! } : {};
          bench.model.send(remove(member, lock));
        }
        checkOwnership(bench.model, adopted);
      }
      if (mode === 'one process') {
        expect(walkers.map(({ conflicts }) => conflicts)).toEqual([0, 0]);
      }
      bench.restart();
      converge(bench);
      checkRest(bench);
      checkOwnership(bench.model, adopted);
      const bound = bench.model.list('SandboxClaim').map(({ status }) => status?.sandbox?.name);
      expect(bound.every(name => name !== undefined && bench.sandbox(name) !== undefined)).toBe(true);
    }
  }, 60_000);
});

/** Things that happen around claims, in any order; `i` says to which. */
type Happening = (bench: ClaimBench, i: number, caches: Model[]) => void;

const exists = (bench: ClaimBench, i: number) => bench.model.get('SandboxClaim', NAMESPACE, `claim-${i}`);

const HAPPENINGS: { [name: string]: Happening } = {
  'claim comes': (bench, i) => void (exists(bench, i) === undefined && bench.model.create(claim({}, { name: `claim-${i}` }))),
  'claim goes': (bench, i) => void (exists(bench, i) && bench.model.destroy(exists(bench, i)!)),
  'member comes': (bench, i) => void (bench.sandbox(`m${i}`) === undefined && bench.member(`m${i}`, i % 2 === 0 ? running() : {})),
  'member goes': (bench, i) => void (bench.sandbox(`m${i}`) && bench.model.destroy(bench.sandbox(`m${i}`)!)),
  'pass': (bench, i) => void bench.reconcile(`claim-${i}`),
  'stale pass': (bench, i, caches) => {
    const cache = caches.shift();
    if (cache !== undefined) {
      cache.now = bench.model.now;
      bench.reconcile(`claim-${i}`, { cache });
    }
  },
  'crash': (bench, i) => {
    bench.reconcile(`claim-${i}`, { crashAfter: 1 });
    bench.restart();
  },
  'Sandboxes': bench => sandboxPasses(bench.model),
  'kubelet': bench => bench.model.runPods(),
  'collect': bench => bench.model.collect(),
  'expire': (bench, i) => void (exists(bench, i) && bench.model.edit(exists(bench, i)!, draft => {
    draft.spec.lifecycle = { shutdownTime: '2026-01-01T00:00:00Z', shutdownPolicy: (['Retain', 'Delete', 'DeleteForeground'] as const)[i % 3]! };
  })),
  'live on': (bench, i) => void (exists(bench, i) && bench.model.edit(exists(bench, i)!, draft => {
    draft.spec.lifecycle = {};
  })),
};

test('whatever happens: a Sandbox has one owner, a claim one Sandbox, a member one claim, and nothing leaks', () => {
  const happening = fc.tuple(fc.constantFrom(...Object.keys(HAPPENINGS)), fc.nat(3));
  fc.assert(fc.property(fc.array(happening, { maxLength: 40 }), list => {
    const bench = new ClaimBench();
    const caches: Model[] = [];
    const adopted = new Map<string, string>();
    for (const [name, i] of list) {
      caches.push(bench.model.snapshot());
      HAPPENINGS[name]!(bench, i, caches);
      checkOwnership(bench.model, adopted);
    }
    bench.model.now += 10_000;
    bench.restart();
    converge(bench);
    checkRest(bench);
    const uids = new Set(bench.model.all().map(({ metadata }) => metadata.uid));
    for (const object of bench.model.all()) {
      expect(object.metadata.ownerReferences?.every(({ uid }) => uids.has(uid)) ?? true).toBe(true);
    }
  }), { numRuns: 300 });
});
