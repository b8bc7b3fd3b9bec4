import type { Admitted } from './admission.js';

/** Milliseconds between two looks whether a connection that is open is still permitted. */
const RECHECK_MS = 30_000;
/** Longest time of a timer, in milliseconds. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Calls back when the token ends that a connection was opened with, or when its owner may not use the Sandbox any more. Returns a function
 * that ends this.
 */
export function onTokenEnd({ expiresAt, isStillAllowed }: Pick<Admitted, 'expiresAt' | 'isStillAllowed'>, end: (reason: string) => void): () => void {
  const look = async () => {
    if (!await isStillAllowed()) {
      end('no longer permitted');
    }
  };
  const check = setInterval(() => void look(), RECHECK_MS);
  const expiry = expiresAt === Infinity ? undefined : setTimeout(() => end('the token has expired'), Math.min(Math.max(0, expiresAt - Date.now()), LONGEST_TIMER_MS));
  return () => {
    clearInterval(check);
    clearTimeout(expiry);
  };
}
