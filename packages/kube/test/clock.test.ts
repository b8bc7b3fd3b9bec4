import { ManualClock, sleep, systemClock } from '../src/clock.js';

describe('ManualClock', () => {
  test('makes calls in the order of their deadlines, and those that they plan', () => {
    const clock = new ManualClock();
    const calls: string[] = [];
    clock.setTimeout(() => calls.push(`late at ${clock.monotonic()}`), 30);
    clock.setTimeout(() => {
      calls.push(`early at ${clock.monotonic()}`);
      clock.setTimeout(() => calls.push(`planned at ${clock.monotonic()}`), 5);
    }, 10);
    clock.advance(29);
    expect(calls).toEqual(['early at 10', 'planned at 15']);
    expect(clock.nextTimerMs).toBe(1);
    clock.advance(1);
    expect(calls).toEqual(['early at 10', 'planned at 15', 'late at 30']);
    expect(clock.nextTimerMs).toBeUndefined();
  });

  test('does not make a call that was cancelled', () => {
    const clock = new ManualClock();
    let called = false;
    clock.setTimeout(() => called = true, 10).cancel();
    clock.advance(10);
    expect(called).toBe(false);
  });

  test('setting the wall clock moves neither durations nor timers', () => {
    const clock = new ManualClock(1000);
    clock.setTimeout(() => undefined, 10);
    clock.skew(-500);
    expect([clock.now(), clock.monotonic(), clock.nextTimerMs]).toEqual([500, 0, 10]);
  });
});

describe('sleep', () => {
  test('resolves after its time', async () => {
    const clock = new ManualClock();
    const slept = sleep(clock, 10);
    clock.advance(10);
    await expect(slept).resolves.toBeUndefined();
  });

  test('rejects with the reason of the signal and cancels its timer', async () => {
    const clock = new ManualClock();
    const controller = new AbortController();
    const slept = sleep(clock, 10, controller.signal);
    controller.abort(new Error('stop'));
    await expect(slept).rejects.toThrow('stop');
    expect(clock.nextTimerMs).toBeUndefined();
    await expect(sleep(clock, 10, controller.signal)).rejects.toThrow('stop');
  });
});

test('the clock of the machine does not fire early for delays above 2^31 ms', async () => {
  let called = false;
  const timer = systemClock.setTimeout(() => called = true, 2 ** 31 + 10_000);
  await new Promise(resolve => systemClock.setTimeout(() => resolve(undefined), 5));
  timer.cancel();
  expect(called).toBe(false);
});
