import * as fc from 'fast-check';
import { ManualClock } from '../src/clock.js';
import type { QueueMetrics } from '../src/metrics.js';
import { WorkQueue } from '../src/queue.js';

function setup(metrics?: QueueMetrics) {
  const clock = new ManualClock();
  return { clock, queue: new WorkQueue({ name: 'test', clock, metrics }) };
}

/** Takes what can be taken without waiting, and gives it back. */
async function takeAll(queue: WorkQueue): Promise<string[]> {
  const keys: string[] = [];
  while (queue.depth > 0) {
    keys.push((await queue.take())!);
    queue.done(keys.at(-1)!);
  }
  return keys;
}

describe('WorkQueue', () => {
  test('gives each key once, in the order of arrival', async () => {
    const { queue } = setup();
    ['a', 'b', 'a', 'c', 'b'].forEach(key => queue.add(key));
    expect(await takeAll(queue)).toEqual(['a', 'b', 'c']);
  });

  test('a key that is added while in work is given out again after that', async () => {
    const { queue } = setup();
    queue.add('a');
    await queue.take();
    queue.add('a');
    queue.add('a');
    expect(queue.depth).toBe(0);
    queue.done('a');
    expect(await takeAll(queue)).toEqual(['a']);
  });

  test('a waiting worker gets a key as soon as there is one', async () => {
    const { queue } = setup();
    const taken = Promise.all([queue.take(), queue.take()]);
    queue.add('a');
    queue.add('b');
    expect(await taken).toEqual(['a', 'b']);
  });

  test('normal keys go before low ones, and a low one moves up', async () => {
    const { queue } = setup();
    queue.add('low-1', 'low');
    queue.add('low-2', 'low');
    queue.add('normal');
    queue.add('low-2');
    expect(await takeAll(queue)).toEqual(['normal', 'low-2', 'low-1']);
  });

  test('low keys leave workers for others: their number in work is limited, and the next one goes when one is done', async () => {
    const queue = new WorkQueue({ name: 'test', clock: new ManualClock(), lowConcurrency: 2 });
    ['low-1', 'low-2', 'low-3'].forEach(key => queue.add(key, 'low'));
    expect([await queue.take(), await queue.take()]).toEqual(['low-1', 'low-2']);
    const others = [queue.take(), queue.take()];
    queue.add('normal');
    expect(await others[0]).toBe('normal');
    queue.done('normal');
    queue.done('low-1');
    expect(await others[1]).toBe('low-3');
    expect(queue.depth).toBe(0);
  });

  test('low keys beyond those that may be in work are drained all the same', async () => {
    const queue = new WorkQueue({ name: 'test', clock: new ManualClock(), lowConcurrency: 1 });
    ['low-1', 'low-2'].forEach(key => queue.add(key, 'low'));
    expect(await queue.take()).toBe('low-1');
    const ended = queue.shutdown({ drain: true });
    queue.done('low-1');
    expect(await queue.take()).toBe('low-2');
    queue.done('low-2');
    await ended;
  });

  test('a low key moves up, too, when it is added with a delay of nothing', async () => {
    const { queue } = setup();
    ['low-1', 'low-2'].forEach(key => queue.add(key, 'low'));
    queue.addAfter('low-2', 0);
    expect(await takeAll(queue)).toEqual(['low-2', 'low-1']);
  });

  test('delays that were made void do not add up', async () => {
    const { queue, clock } = setup();
    queue.addAfter('other', 2000);
    for (let i = 0; i < 1000; i++) {
      queue.addAfter('a', 86_400_000);
      queue.add('a');
      expect(await takeAll(queue)).toEqual(['a']);
    }
    queue.addAfter('a', 1000);
    expect(queue.heldDelays).toBeLessThan(100);
    clock.advance(1000);
    expect(await takeAll(queue)).toEqual(['a']);
    clock.advance(1000);
    expect(await takeAll(queue)).toEqual(['other']);
  });

  test('a low key that moved up while in work comes back as normal', async () => {
    const { queue } = setup();
    queue.add('a');
    await queue.take();
    queue.add('a', 'low');
    queue.add('a');
    queue.add('b', 'low');
    queue.done('a');
    expect(await takeAll(queue)).toEqual(['a', 'b']);
  });

  test('of several delays the earliest counts', async () => {
    const { clock, queue } = setup();
    queue.addAfter('a', 100);
    queue.addAfter('a', 30);
    queue.addAfter('a', 50);
    clock.advance(29);
    expect(queue.depth).toBe(0);
    clock.advance(1);
    expect(await takeAll(queue)).toEqual(['a']);
    clock.advance(1000);
    expect(queue.depth).toBe(0);
  });

  test('a key that is added at once loses its delay', async () => {
    const { clock, queue } = setup();
    queue.addAfter('a', 100);
    queue.add('a');
    expect(await takeAll(queue)).toEqual(['a']);
    clock.advance(1000);
    expect(queue.depth).toBe(0);
  });

  test('a delay that ends while the key is in work makes it come again', async () => {
    const { clock, queue } = setup();
    queue.add('a');
    await queue.take();
    queue.addAfter('a', 10);
    clock.advance(10);
    queue.done('a');
    expect(await takeAll(queue)).toEqual(['a']);
  });

  test('a delay of zero or less is none', async () => {
    const { queue } = setup();
    queue.addAfter('a', 0);
    queue.addAfter('b', -5);
    expect(await takeAll(queue)).toEqual(['a', 'b']);
  });

  test('pauses grow from 5 ms by the factor 2 up to 1000 s, for each key on its own', async () => {
    const { clock, queue } = setup();
    const pauses: number[] = [];
    for (let failure = 0; failure < 20; failure++) {
      queue.addRateLimited('a');
      pauses.push(clock.nextTimerMs!);
      clock.advance(clock.nextTimerMs!);
      await takeAll(queue);
    }
    expect(pauses.slice(0, 4)).toEqual([5, 10, 20, 40]);
    expect(pauses.slice(17)).toEqual([655_360, 1_000_000, 1_000_000]);
    queue.addRateLimited('b');
    expect(clock.nextTimerMs).toBe(5);
    expect([queue.failuresOf('a'), queue.failuresOf('b')]).toEqual([20, 1]);
  });

  test('forget begins the pauses anew, and the server may ask for longer ones', () => {
    const { clock, queue } = setup();
    queue.addRateLimited('a');
    queue.forget('a');
    queue.add('a');
    expect(queue.failuresOf('a')).toBe(0);
    queue.addRateLimited('b', 1000);
    expect(clock.nextTimerMs).toBe(1000);
  });

  test('done without take is an error', () => {
    const { queue } = setup();
    expect(() => queue.done('a')).toThrow('key "a" of the queue test is not being processed: call done once for each key taken');
  });

  test('shutdown lets workers go, drops what waits, and ends with the work', async () => {
    const { clock, queue } = setup();
    queue.add('a');
    await queue.take();
    const idle = queue.take();
    queue.addAfter('delayed', 10);
    let ended = false;
    const down = queue.shutdown().then(() => ended = true);
    expect(await idle).toBeUndefined();
    queue.add('b');
    clock.advance(100);
    expect(queue.depth).toBe(0);
    expect(ended).toBe(false);
    queue.done('a');
    await down;
    expect(await queue.take()).toBeUndefined();
  });

  test('shutdown with draining gives out what waits, also what comes again', async () => {
    const { queue } = setup();
    queue.add('a');
    queue.add('b');
    await queue.take();
    queue.add('a');
    const down = queue.shutdown({ drain: true });
    queue.done('a');
    expect(await takeAll(queue)).toEqual(['b', 'a']);
    await down;
  });

  test('is measured as client-go measures', async () => {
    const seen: string[] = [];
    const { clock, queue } = setup({
      depth: (name, depth) => seen.push(`${name} depth ${depth}`),
      added: () => seen.push('added'),
      queueDuration: (_, seconds) => seen.push(`waited ${seconds}`),
      workDuration: (_, seconds) => seen.push(`worked ${seconds}`),
      retried: () => seen.push('retried'),
    });
    queue.add('a');
    queue.add('a');
    clock.advance(1500);
    await queue.take();
    clock.advance(500);
    queue.add('b');
    await queue.take();
    clock.advance(250);
    expect([queue.longestRunningSeconds, queue.unfinishedWorkSeconds]).toEqual([0.75, 1]);
    queue.addRateLimited('a');
    queue.done('a');
    expect(seen).toEqual([
      'added', 'test depth 1', 'test depth 0', 'waited 1.5', 'added', 'test depth 1', 'test depth 0', 'waited 0', 'retried', 'worked 0.75',
    ]);
  });
});

test('no key is lost, doubled or in two hands, whatever happens in whatever order', async () => {
  const key = fc.constantFrom('a', 'b', 'c');
  const command = fc.oneof(
    fc.record({ do: fc.constant('add' as const), key, priority: fc.constantFrom('normal' as const, 'low' as const) }),
    fc.record({ do: fc.constant('addAfter' as const), key, delay: fc.integer({ min: 0, max: 50 }) }),
    fc.record({ do: fc.constant('fail' as const), key }),
    fc.record({ do: fc.constant('take' as const) }),
    fc.record({ do: fc.constant('done' as const), key }),
    fc.record({ do: fc.constant('wait' as const), time: fc.integer({ min: 1, max: 60 }) }),
  );
  await fc.assert(fc.asyncProperty(fc.array(command, { maxLength: 60, size: 'max' }), async commands => {
    const { clock, queue } = setup();
    // Keys that must come (again), by when at the latest: what the queue owes.
    const owed = new Map<string, number>();
    const working = new Set<string>();
    const owe = (name: string, due: number) => owed.set(name, Math.min(owed.get(name) ?? Infinity, due));
    const taken = (name: string) => {
      expect(working.has(name)).toBe(false);
      expect(owed.get(name)).toBeLessThanOrEqual(clock.monotonic());
      owed.delete(name);
      working.add(name);
    };
    for (const step of commands) {
      if (step.do === 'add') {
        queue.add(step.key, step.priority);
        owe(step.key, clock.monotonic());
      } else if (step.do === 'addAfter') {
        queue.addAfter(step.key, step.delay);
        owe(step.key, clock.monotonic() + step.delay);
      } else if (step.do === 'fail') {
        queue.addRateLimited(step.key);
        owe(step.key, clock.monotonic() + 5 * 2 ** (queue.failuresOf(step.key) - 1));
      } else if (step.do === 'take' && queue.depth > 0) {
        taken((await queue.take())!);
      } else if (step.do === 'done' && working.delete(step.key)) {
        queue.done(step.key);
      } else if (step.do === 'wait') {
        clock.advance(step.time);
      }
      const due = [...owed].filter(([name, when]) => when <= clock.monotonic() && !working.has(name)).length;
      expect(queue.depth).toBe(due);
    }
    working.forEach(name => queue.done(name));
    working.clear();
    clock.advance(1e9);
    for (const expected = owed.size; working.size < expected;) {
      expect(queue.depth).toBe(expected - working.size);
      taken((await queue.take())!);
    }
    expect(queue.depth).toBe(0);
  }), { numRuns: 500 });
}, 30_000);
