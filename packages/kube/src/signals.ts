import { setMaxListeners } from 'node:events';

const unlimited = new WeakSet<AbortSignal>();

/**
 * Calls `callback` when the signal is aborted, at once if it already is. Returns a function that removes the listener: a signal
 * may live as long as the process, so listeners must be removed when they are done.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  if (signal.aborted) {
    callback();
    return () => undefined;
  }
  // One shutdown signal has hundreds of listeners here by design; Node warns of a leak at 11.
  if (!unlimited.has(signal)) {
    unlimited.add(signal);
    setMaxListeners(0, signal);
  }
  signal.addEventListener('abort', callback, { once: true });
  return () => signal.removeEventListener('abort', callback);
}
