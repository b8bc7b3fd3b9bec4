import { onAbort } from 'agent-sandbox-kube';

/**
 * Runs `work` with a signal that is aborted after `timeoutMs` milliseconds, with the error that `onTimeout` makes, or together with
 * the caller's signal. Rejects with the reason of whichever came first, whatever the work then fails with.
 */
export async function withDeadline<T>(
  timeoutMs: number, caller: AbortSignal | undefined, onTimeout: () => Error, work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  caller?.throwIfAborted();
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(onTimeout()), Math.min(timeoutMs, LONGEST_TIMEOUT_MS));
  const forget = caller && onAbort(caller, () => controller.abort(caller.reason));
  try {
    return await work(controller.signal);
  } catch (error) {
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    clearTimeout(timer);
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

/** `setTimeout` fires at once above this: 2^31-1 ms, about 24.8 days. */
const LONGEST_TIMEOUT_MS = 0x7fffffff;
