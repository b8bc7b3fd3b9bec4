/** How long to wait between attempts: grows by the factor 2 up to a ceiling. */
export interface BackoffOptions {
  /** Milliseconds before the first repetition. */
  readonly baseMs: number;
  /** Milliseconds that are never exceeded. */
  readonly maxMs: number;
  /**
   * Part of each delay that is random, from 0 (none) to 1 (all of it), so that many clients do not come back at once.
   *
   * @default 0
   */
  readonly jitter?: number;
}

/**
 * Milliseconds to wait after `failures` failures in a row: `baseMs · 2^(failures-1)`, at most `maxMs`, less up to `jitter` of
 * itself.
 *
 * @param random gives a number from 0 to 1
 */
export function backoffMs({ baseMs, maxMs, jitter = 0 }: BackoffOptions, failures: number, random: () => number = Math.random): number {
  const full = Math.min(maxMs, baseMs * 2 ** Math.max(0, failures - 1));
  return jitter === 0 ? full : full * (1 - jitter * random());
}
