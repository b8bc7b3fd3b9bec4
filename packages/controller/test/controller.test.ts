import { ManualClock, silentLogger } from 'agent-sandbox-kube';
import type { Kind } from '../src/reconcile/cache.js';
import type { KubeObject } from '../src/object/metadata.js';
import { refOf, refusal, type Plan } from '../src/reconcile/plan.js';
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
    this.listeners.forEach(tell => tell({ after, origin: 'watch' }));
  }

  public drop(before: KubeObject): void {
    this.objects.delete(before.metadata.name!);
    this.listeners.forEach(tell => tell({ before, origin: 'watch' }));
  }

  public get(_: Kind, __: string, name: string): KubeObject | undefined {
    return this.objects.get(name);
  }

  public list(): KubeObject[] {
    return [...this.objects.values()];
  }
}

/** A controller of Pods whose plan a test says. */
function setup(plan: (key: string) => Plan | undefined) {
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
  };
  const controller = new Controller({ definition, caches: caches as unknown as Caches, executor: {} as Executor, requestPriority: new RequestPriority(), clock, logger: silentLogger });
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
