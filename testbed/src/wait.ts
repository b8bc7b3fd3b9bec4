import { setTimeout as delay } from 'node:timers/promises';

/** A condition did not come true in time; the message says which, how long, and what was seen last. */
export class WaitTimeoutError extends Error {
  constructor(what: string, timeoutMs: number, last: string) {
    super(`waited ${timeoutMs} ms in vain for ${what}${last ? `; last seen: ${last}` : ''}`);
    this.name = 'WaitTimeoutError';
  }
}

export interface WaitOptions {
  /** What is waited for, for the error. */
  readonly what: string;
  /** Milliseconds until `WaitTimeoutError`. @default 30000 */
  readonly timeoutMs?: number;
  /** Milliseconds between two attempts. @default 50 */
  readonly intervalMs?: number;
  /** Text about the last attempt, for the error. @default - the error it threw, if any */
  readonly lastSeen?: () => string;
}

/**
 * Calls `attempt` until it returns something truthy, and returns that. An attempt that throws counts as "not yet".
 * Throws `WaitTimeoutError` after the deadline.
 */
export async function waitFor<T>(attempt: () => Promise<T> | T, options: WaitOptions): Promise<NonNullable<T>> {
  const timeoutMs = options.timeoutMs ?? 30_000;
  const deadline = performance.now() + timeoutMs;
  for (let last = ''; ;) {
    try {
      const result = await attempt();
      if (result) {
        return result;
      }
      last = '';
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    if (performance.now() >= deadline) {
      throw new WaitTimeoutError(options.what, timeoutMs, options.lastSeen?.() || last);
    }
    await delay(options.intervalMs ?? 50);
  }
}
