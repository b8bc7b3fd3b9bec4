import type { Clock, Timer } from './clock.js';
import { onAbort } from './signals.js';

/**
 * A token bucket: at most `burst` requests at once and `perSecond` on average. Those that must wait go in the order in which
 * they came.
 */
export class RateLimiter {
  private tokens: number;
  private filled: number;
  private timer?: Timer;
  private readonly waiting: (() => void)[] = [];

  /** Throws unless `perSecond` is above 0 and `burst` at least 1. */
  constructor(private readonly perSecond: number, private readonly burst: number, private readonly clock: Clock) {
    if (!(perSecond > 0) || !(burst >= 1)) {
      throw new Error(`rate limit of ${perSecond} per second with burst ${burst}: the rate must be above 0 and the burst at least 1`);
    }
    this.tokens = burst;
    this.filled = clock.monotonic();
  }

  /** Resolves with the milliseconds waited when the caller may proceed; rejects with the signal's reason. */
  public async take(signal?: AbortSignal): Promise<number> {
    this.fill();
    if (this.waiting.length === 0 && this.tokens >= 1) {
      this.tokens--;
      return 0;
    }
    const begin = this.clock.monotonic();
    return new Promise((resolve, reject) => {
      const proceed = () => {
        forget?.();
        resolve(this.clock.monotonic() - begin);
      };
      this.waiting.push(proceed);
      const forget = signal && onAbort(signal, () => {
        const index = this.waiting.indexOf(proceed);
        if (index >= 0) {
          this.waiting.splice(index, 1);
        }
        reject(signal.reason);
      });
      this.arm();
    });
  }

  private fill(): void {
    const now = this.clock.monotonic();
    this.tokens = Math.min(this.burst, this.tokens + (now - this.filled) / 1000 * this.perSecond);
    this.filled = now;
  }

  private arm(): void {
    if (this.timer || this.waiting.length === 0) {
      return;
    }
    this.timer = this.clock.setTimeout(() => {
      this.timer = undefined;
      this.fill();
      // The fraction that rounding of time leaves missing must not cost another round.
      while (this.waiting.length > 0 && this.tokens >= 1 - 1e-9) {
        this.tokens = Math.max(0, this.tokens - 1);
        this.waiting.shift()!();
      }
      this.arm();
    }, Math.max(0, (1 - this.tokens) / this.perSecond * 1000));
  }
}
