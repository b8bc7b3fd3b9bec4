import { onAbort } from 'agent-sandbox-kube';
import { SandboxInputError } from './errors.js';

/** `setTimeout` fires at once above this: 2^31-1 ms, about 24.8 days. */
const LONGEST_TIMER_MS = 0x7fffffff;

/**
 * Returns the time limit if it is one: a number of milliseconds above 0, of any size; `Infinity` is no limit. Throws `SandboxInputError` for
 * everything else, 0 included, which some take for "none" and others for "at once".
 */
export function checkTimeout(timeoutMs: number, field: string = 'timeoutMs'): number {
  if (typeof timeoutMs !== 'number' || !(timeoutMs > 0)) {
    throw new SandboxInputError(`${field} is ${timeoutMs}`, { remedy: 'give a number of milliseconds above 0, or Infinity for no limit' });
  }
  return timeoutMs;
}

/** A timer for any length of time. */
export class Timer {
  private handle?: NodeJS.Timeout;
  private end = 0;

  constructor(private readonly fire: () => void) {}

  /** Starts, or starts anew. */
  public start(timeoutMs: number): void {
    this.end = performance.now() + timeoutMs;
    this.handle ??= this.arm(timeoutMs);
  }

  public stop(): void {
    clearTimeout(this.handle);
    this.handle = undefined;
  }

  /** The end may have moved since: that costs less than a new timer for each piece of a stream. */
  private arm(timeoutMs: number): NodeJS.Timeout {
    return setTimeout(() => {
      const left = this.end - performance.now();
      if (left > 0) {
        this.handle = this.arm(left);
      } else {
        this.handle = undefined;
        this.fire();
      }
    }, Math.min(Math.ceil(timeoutMs), LONGEST_TIMER_MS));
  }
}

/**
 * Runs `work` with a signal that is aborted after `timeoutMs` milliseconds, with the error that `onTimeout` makes, or together with
 * the caller's signal. The work may say that something moved, and then has as much time again. Rejects with the reason of whichever came
 * first, whatever the work then fails with. Throws `SandboxInputError` for a time limit that is none.
 */
export async function withDeadline<T>(
  timeoutMs: number, caller: AbortSignal | undefined, onTimeout: () => Error, work: (signal: AbortSignal, moved: () => void) => Promise<T>,
): Promise<T> {
  checkTimeout(timeoutMs);
  caller?.throwIfAborted();
  const controller = new AbortController();
  const timer = new Timer(() => controller.abort(onTimeout()));
  timer.start(timeoutMs);
  const forget = caller && onAbort(caller, () => controller.abort(caller.reason));
  try {
    return await work(controller.signal, () => timer.start(timeoutMs));
  } catch (error) {
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    timer.stop();
    forget?.();
  }
}

/** The promise, or the reason of the signal if that is aborted first; the work behind the promise goes on. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const forget = onAbort(signal, () => reject(signal.reason));
    promise.then(resolve, reject).finally(forget);
  });
}
