import { ManualClock, silentLogger } from 'agent-sandbox-kube';
import type { Kind } from '../src/reconcile/cache.js';
import type { KubeObject } from '../src/object/metadata.js';
import { create, mergePatch, ok, refOf, refusal, remove, type Outcome, type Plan, type Request } from '../src/reconcile/plan.js';
import type { Caches } from '../src/shell/caches.js';
import { Controller } from '../src/shell/controller.js';
import { statesOf, type Change, type ControllerDefinition } from '../src/reconcile/definition.js';
import type { Executor } from '../src/shell/executor.js';
import { RequestPriority } from '../src/shell/request-priority.js';
import { pod } from './fixtures.js';

/** Caches that a test fills by hand. */
class FakeCaches {
  private readonly objects = new Map<string, KubeObject>();
  private readonly listeners: ((change: Change<KubeObject>) => void)[] = [];

  public onChange(_: Kind, listener: (change: Change<KubeObject>) => void): void {
    this.listeners.push(listener);
  }

  public put(after: KubeObject): void {
    this.objects.set(after.metadata.name!, after);
    this.change({ after, origin: 'watch' });
  }

  public change(change: Change<KubeObject>): void {
    this.listeners.forEach(tell => tell(change));
  }

  public drop(before: KubeObject): void {
    this.objects.delete(before.metadata.name!);
    this.change({ before, origin: 'watch' });
  }

  public get(_: Kind, __: string, name: string): KubeObject | undefined {
    return this.objects.get(name);
  }

  public list(): KubeObject[] {
    return [...this.objects.values()];
  }
}

/** A controller of Pods whose plan a test says. */
function setup(plan: (key: string) => Plan | undefined, more: Partial<ControllerDefinition> = {}, executor = {} as Executor) {
  const caches = new FakeCaches();
  const seen: string[] = [];
  const passes: string[] = [];
  const clock = new ManualClock();
  const definition: ControllerDefinition = {
    name: 'test',
    kind: 'Pod',
    concurrency: 1,
    reads: ['Pod'],
    plan: (_, namespace, name) => {
      passes.push(name);
      return plan(`${namespace}/${name}`);
    },
    watches: {
      Pod: change => {
        const { namespace, name } = statesOf(change)[0]!.metadata;
        seen.push(name!);
        return [{ key: `${namespace}/${name}` }];
      },
    },
    ...more,
  };
  const controller = new Controller({ definition, caches: caches as unknown as Caches, executor, requestPriority: new RequestPriority(), clock, logger: silentLogger });
  const stop = new AbortController();
  return { caches, seen, passes, clock, controller, run: () => controller.run(stop.signal), stop: () => stop.abort() };
}

/** Until everything that can go on without time passing has done so. */
const rest = async () => {
  for (let i = 0; i < 20; i++) {
    await new Promise(resolve => setImmediate(resolve));
  }
};

test('a replica that does not lead notes no keys, and looks at everything when it does', async () => {
  const { caches, seen, passes, controller, run, stop } = setup(() => undefined);
  for (let i = 0; i < 1000; i++) {
    caches.put(pod({ name: `gone-${i}` }));
    caches.drop(pod({ name: `gone-${i}` }));
  }
  caches.put(pod({ name: 'here' }));
  expect({ seen: seen.length, depth: controller.queue.depth }).toEqual({ seen: 2001, depth: 0 });
  const running = run();
  await rest();
  expect(passes).toEqual(['here']);
  caches.put(pod({ name: 'new' }));
  await rest();
  expect(passes).toEqual(['here', 'new']);
  stop();
  await running;
});

test('a key that is blocked by what no cache shows is tried again with back-off, not at once', async () => {
  const blocked: Plan = { requests: [], errors: [refusal('in the way')], blockedBy: [refOf(pod({ name: 'unseen' }))] };
  const { caches, passes, clock, run, stop } = setup(() => blocked);
  const running = run();
  caches.put(pod());
  await rest();
  expect(passes).toEqual(['box']);
  clock.advance(5);
  await rest();
  expect(passes).toEqual(['box', 'box']);
  stop();
  await running;
});

test('a key that is blocked without an error looks again when the object goes, also while it is in work', async () => {
  const blocker = pod({ name: 'blocker' });
  let during = () => undefined as void;
  const { caches, passes, run, stop } = setup(key => (key === 'agents/box' && caches.get('Pod', '', 'blocker') !== undefined
    ? { requests: [], next: () => (during(), { requests: [], blockedBy: [refOf(blocker)] }) }
    : undefined));
  const running = run();
  caches.put(blocker);
  await rest();
  during = () => caches.drop(blocker);
  caches.put(pod());
  await rest();
  expect(passes.filter(name => name === 'box')).toEqual(['box', 'box']);
  stop();
  await running;
});

describe('what comes while an object is reconciled', () => {
  const labels = { a: '1' };
  const state = (resourceVersion: string, more: object = {}, status: object = {}) => pod({ resourceVersion, ...more }, status);
  const patch = mergePatch(pod(), { metadata: { labels } });
  /** Whether one pass is followed by another, when these changes come before the answer to its request. */
  const again = async (request: Request, answer: Outcome, ...changes: readonly Change<KubeObject>[]): Promise<boolean> => {
    let sent = () => undefined as void;
    const arrived = new Promise<void>(resolve => (sent = resolve));
    let respond = (_outcome: Outcome) => undefined as void;
    const answered = new Promise<Outcome>(resolve => (respond = resolve));
    const executor = { send: () => {
      sent();
      return answered;
    } } as unknown as Executor;
    const plans: Plan[] = [{ requests: [request] }];
    const { caches, passes, run, stop } = setup(() => plans.shift() ?? { requests: [] }, { takesAccountOfWrites: true }, executor);
    const running = run();
    caches.put(state('1'));
    await arrived;
    changes.forEach(change => caches.change(change));
    respond(answer);
    await rest();
    stop();
    await running;
    return passes.length > 1;
  };

  test('is no news where it is an own write, by the watch or by the answer', async () => {
    const [before, after] = [state('1'), state('2', { labels })];
    expect(await again(patch, ok(after), { before, after, origin: 'watch' })).toBe(false);
    expect(await again(patch, ok(after), { before, after, origin: 'write' })).toBe(false);
    expect(await again(create(pod()), ok(after), { after, origin: 'watch' })).toBe(false);
  });

  test('is news where others wrote: before, in the same change, or instead', async () => {
    const [before, after] = [state('1'), state('3', { labels })];
    const theirs = state('2', {}, { phase: 'Running' });
    const both = state('3', { labels }, { phase: 'Running' });
    const labelled = state('3', { labels: { ...labels, b: '2' } });
    expect(await again(patch, ok(both), { before, after: theirs, origin: 'watch' }, { before: theirs, after: both, origin: 'watch' })).toBe(true);
    expect(await again(patch, ok(both), { before, after: both, origin: 'write' })).toBe(true);
    expect(await again(patch, ok(labelled), { before, after: labelled, origin: 'write' })).toBe(true);
    expect(await again(patch, ok(after), { before: after, after: state('4', { labels }, { phase: 'Running' }), origin: 'watch' })).toBe(true);
    expect(await again(patch, ok(after), { before, origin: 'watch' })).toBe(true);
    expect(await again(remove(pod()), ok(after), { before, after, origin: 'write' })).toBe(true);
  });
});
