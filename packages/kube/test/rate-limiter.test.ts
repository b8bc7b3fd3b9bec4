import { ManualClock } from '../src/clock.js';
import { RateLimiter } from '../src/rate-limiter.js';

async function settle(): Promise<void> {
  await new Promise(resolve => setImmediate(resolve));
}

test('lets a burst through and then one per interval, in order', async () => {
  const clock = new ManualClock();
  const limiter = new RateLimiter(10, 2, clock);
  const done: string[] = [];
  for (const name of ['a', 'b', 'c', 'd']) {
    void limiter.take().then(waited => done.push(`${name} after ${waited}`));
  }
  await settle();
  expect(done).toEqual(['a after 0', 'b after 0']);
  clock.advance(99);
  await settle();
  expect(done).toHaveLength(2);
  clock.advance(101);
  await settle();
  expect(done).toEqual(['a after 0', 'b after 0', 'c after 100', 'd after 200']);
});

test('fills up to the burst and no further', async () => {
  const clock = new ManualClock();
  const limiter = new RateLimiter(1, 3, clock);
  clock.advance(60_000);
  const waits = [limiter.take(), limiter.take(), limiter.take(), limiter.take()];
  await settle();
  clock.advance(1000);
  expect(await Promise.all(waits)).toEqual([0, 0, 0, 1000]);
});

test('one that gives up leaves its turn to the next', async () => {
  const clock = new ManualClock();
  const limiter = new RateLimiter(1, 1, clock);
  await limiter.take();
  const controller = new AbortController();
  const first = limiter.take(controller.signal);
  const second = limiter.take();
  controller.abort(new Error('stop'));
  await expect(first).rejects.toThrow('stop');
  clock.advance(1000);
  await expect(second).resolves.toBe(1000);
});

test.each([[0, 1], [1, 0], [NaN, 1]])('rate %p with burst %p is refused', (rate, burst) => {
  expect(() => new RateLimiter(rate, burst, new ManualClock())).toThrow('the rate must be above 0 and the burst at least 1');
});
