import { ManualClock } from '../src/clock.js';
import { ApiError } from '../src/errors.js';
import { WorkQueue } from '../src/queue.js';
import { type Reconcile, Workers } from '../src/workers.js';
import { eventually } from './support.js';

function setup(reconcile: Reconcile, concurrency = 1) {
  const clock = new ManualClock();
  const queue = new WorkQueue({ name: 'things', clock });
  const results: string[] = [];
  const active: number[] = [];
  const warnings: object[] = [];
  const workers = new Workers({
    queue, reconcile, concurrency, clock,
    metrics: { reconciled: (name, result) => results.push(`${name} ${result}`), active: (_, count) => active.push(count) },
    logger: { debug: () => undefined, info: () => undefined, error: () => undefined, warn: fields => warnings.push(fields) },
  });
  const controller = new AbortController();
  return { clock, queue, results, active, warnings, controller, running: workers.run(controller.signal), idle: () => eventually('an idle queue', () => queue.depth === 0 && active.at(-1) === 0) };
}

describe('Workers', () => {
  test('a run that ends well is repeated when it asks for that', async () => {
    const { queue, clock, results, controller, running, idle } = setup(async key => (key === 'a' ? { requeueAfterMs: 500 } : undefined));
    queue.add('a');
    queue.add('b');
    await idle();
    expect(results).toEqual(['things requeue_after', 'things success']);
    expect(clock.nextTimerMs).toBe(500);
    controller.abort();
    await running;
  });

  test('runs that wait for nothing let sockets and timers have their turn', async () => {
    let runs = 0;
    const { queue, controller, running, idle } = setup(async () => {
      for (const end = performance.now() + 1; performance.now() < end;);
      runs++;
    }, 5);
    const turn = new Promise<number>(resolve => setTimeout(() => resolve(runs), 1));
    for (let i = 0; i < 300; i++) {
      queue.add(`key-${i}`);
    }
    expect(await turn).toBeLessThan(150);
    await idle();
    expect(runs).toBe(300);
    controller.abort();
    await running;
  });

  test('a run that can wait when it is repeated lets others go first', async () => {
    const order: string[] = [];
    let open: () => void = () => undefined;
    const { queue, clock, controller, running, idle } = setup(async key => {
      order.push(key);
      if (key === 'slow') {
        await new Promise<void>(resolve => open = resolve);
      }
      return key === 'patient' && order.length === 1 ? { requeueAfterMs: 500, priority: 'low' } : undefined;
    });
    queue.add('patient');
    await idle();
    queue.add('slow');
    await eventually('the slow one', () => order.includes('slow'));
    clock.advance(500);
    queue.add('other');
    open();
    await idle();
    expect(order).toEqual(['patient', 'slow', 'other', 'patient']);
    controller.abort();
    await running;
  });

  test('a run that throws is repeated after a pause, and its success forgets the failures', async () => {
    let runs = 0;
    const { queue, clock, results, warnings, controller, running, idle } = setup(async () => {
      if (++runs < 3) {
        throw new Error('not yet');
      }
    });
    queue.add('a');
    await idle();
    expect(warnings).toEqual([{ queue: 'things', key: 'a', failures: 1, err: new Error('not yet') }]);
    expect(clock.nextTimerMs).toBe(5);
    clock.advance(5);
    await idle();
    expect(clock.nextTimerMs).toBe(10);
    clock.advance(10);
    await idle();
    expect(results).toEqual(['things error', 'things error', 'things success']);
    expect(queue.failuresOf('a')).toBe(0);
    controller.abort();
    await running;
  });

  test('a server that wants to be left alone for a while is', async () => {
    const { queue, clock, controller, running, idle } = setup(async () => {
      throw new ApiError('patch pods', 429, {}, 3000);
    });
    queue.add('a');
    await idle();
    expect(clock.nextTimerMs).toBe(3000);
    controller.abort();
    await running;
  });

  test('as many keys as configured are in work at once, and no key twice', async () => {
    const working: string[] = [];
    const gates: (() => void)[] = [];
    const { queue, active, controller, running } = setup(async key => {
      working.push(key);
      await new Promise<void>(resolve => gates.push(resolve));
    }, 3);
    ['a', 'b', 'c', 'd', 'a'].forEach(key => queue.add(key));
    await eventually('three in work', () => working.length === 3);
    queue.add('a');
    expect(working).toEqual(['a', 'b', 'c']);
    gates[1]();
    await eventually('a fourth', () => working.length === 4);
    expect(working).toEqual(['a', 'b', 'c', 'd']);
    expect(Math.max(...active)).toBe(3);
    gates[0]();
    await eventually('the first again', () => working.length === 5);
    expect(working[4]).toBe('a');
    controller.abort();
    gates.forEach(open => open());
    await running;
  });

  test('a stop is passed on to runs in work and waits for them, without counting their end as a failure', async () => {
    const { queue, warnings, controller, running } = setup(async (_, signal) => {
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    });
    queue.add('a');
    queue.add('never');
    await eventually('work', () => queue.longestRunningSeconds >= 0 && queue.depth === 1);
    controller.abort(new Error('stop'));
    await running;
    expect(warnings).toEqual([]);
    expect(queue.failuresOf('a')).toBe(0);
  });

  test.each([0, 1.5, NaN])('a concurrency of %p is refused', concurrency => {
    expect(() => new Workers({ queue: new WorkQueue({ name: 'things' }), reconcile: async () => undefined, concurrency }))
      .toThrow(`concurrency of the queue things is ${concurrency}: give a whole number of at least 1`);
  });
});
