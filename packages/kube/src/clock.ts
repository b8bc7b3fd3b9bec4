import { onAbort } from './signals.js';

/** A call that a clock will make. */
export interface Timer {
  /** Prevents the call; no effect if it was made or cancelled before. */
  cancel(): void;
}

/** Where the programs take time from, so that tests can pass their own. */
export interface Clock {
  /** Milliseconds since 1970 (wall time). Jumps when the clock is set: for timestamps only. */
  now(): number;
  /** Milliseconds since some fixed moment; never jumps. For durations and deadlines. */
  monotonic(): number;
  /** Calls `callback` once after `delayMs` milliseconds; negative delays count as 0. Keeps the process alive until then. */
  setTimeout(callback: () => void, delayMs: number): Timer;
}

/** `setTimeout` fires at once above this: 2^31-1 ms, about 24.8 days. */
const LONGEST_TIMEOUT_MS = 0x7fffffff;

/** Time of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimeout: (callback, delayMs) => {
    const deadline = performance.now() + delayMs;
    let handle: NodeJS.Timeout;
    const arm = () => {
      const left = deadline - performance.now();
      handle = setTimeout(left > LONGEST_TIMEOUT_MS ? arm : callback, Math.max(0, Math.min(left, LONGEST_TIMEOUT_MS)));
    };
    arm();
    return { cancel: () => clearTimeout(handle) };
  },
};

/** Time that stands still until a test moves it. Timers run inside `advance`, in the order of their deadlines. */
export class ManualClock implements Clock {
  private elapsed = 0;
  private readonly timers = new Set<{ readonly deadline: number; readonly callback: () => void }>();

  /** @param start wall time at the beginning, in milliseconds since 1970 */
  constructor(private start: number = Date.UTC(2026, 0, 1)) {}

  public now(): number {
    return this.start + this.elapsed;
  }

  public monotonic(): number {
    return this.elapsed;
  }

  public setTimeout(callback: () => void, delayMs: number): Timer {
    const timer = { deadline: this.elapsed + Math.max(0, delayMs), callback };
    this.timers.add(timer);
    return { cancel: () => void this.timers.delete(timer) };
  }

  /** Moves time by `ms` milliseconds and makes the calls that fall due, also those that they plan themselves. */
  public advance(ms: number): void {
    const end = this.elapsed + ms;
    for (let next = this.earliest(); next && next.deadline <= end; next = this.earliest()) {
      this.elapsed = Math.max(this.elapsed, next.deadline);
      this.timers.delete(next);
      next.callback();
    }
    this.elapsed = end;
  }

  /** Sets the wall clock `ms` milliseconds forward or back, as an administrator or NTP does. Timers do not notice. */
  public skew(ms: number): void {
    this.start += ms;
  }

  /** Milliseconds until the next planned call, undefined if there is none. */
  public get nextTimerMs(): number | undefined {
    const next = this.earliest();
    return next && next.deadline - this.elapsed;
  }

  private earliest() {
    let earliest: { readonly deadline: number; readonly callback: () => void } | undefined;
    for (const timer of this.timers) {
      if (!earliest || timer.deadline < earliest.deadline) {
        earliest = timer;
      }
    }
    return earliest;
  }
}

/** RFC 3339 with microseconds, the format of Kubernetes' MicroTime; our clock has milliseconds. */
export function microTime(epochMs: number): string {
  return new Date(epochMs).toISOString().replace('Z', '000Z');
}

/** Resolves after `delayMs` milliseconds; rejects with the signal's reason if that comes first. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const timer = clock.setTimeout(() => {
      forget?.();
      resolve();
    }, delayMs);
    const forget = signal && onAbort(signal, () => {
      timer.cancel();
      reject(signal.reason);
    });
  });
}
