import { LRUCache } from 'lru-cache';

/** Callers that are remembered at most; the one that was seen longest ago is forgotten, and may then begin anew. */
const REMEMBERED = 20_000;

interface Bucket {
  tokens: number;
  /** Milliseconds of a monotonic clock. */
  at: number;
}

/** A token bucket for each caller: a burst, then a rate per second. */
export class RateLimits {
  private readonly buckets = new LRUCache<string, Bucket>({ max: REMEMBERED });

  /** @param perSecond 0 for no limit */
  constructor(private readonly perSecond: number, private readonly burst: number, private readonly now: () => number = () => performance.now()) {}

  /** Takes one token. Returns false, and takes none, if there is none left. */
  public take(caller: string): boolean {
    if (this.perSecond === 0) {
      return true;
    }
    const bucket = this.bucket(caller);
    if (bucket.tokens < 1) {
      return false;
    }
    bucket.tokens -= 1;
    return true;
  }

  /** Puts a token back that was not needed. */
  public refund(caller: string): void {
    if (this.perSecond > 0) {
      const bucket = this.bucket(caller);
      bucket.tokens = Math.min(this.burst, bucket.tokens + 1);
    }
  }

  private bucket(caller: string): Bucket {
    const at = this.now();
    const bucket = this.buckets.get(caller);
    if (bucket === undefined) {
      const fresh = { tokens: this.burst, at };
      this.buckets.set(caller, fresh);
      return fresh;
    }
    bucket.tokens = Math.min(this.burst, bucket.tokens + (at - bucket.at) * this.perSecond / 1000);
    bucket.at = at;
    return bucket;
  }
}

/** How many of something each caller has at the moment. */
export class Counts {
  private readonly counts = new Map<string, number>();

  /** @param limit 0 for no limit */
  constructor(private readonly limit: number) {}

  /** Adds one. Returns false, and adds none, if the caller has as many as it may. */
  public enter(caller: string): boolean {
    const count = this.counts.get(caller) ?? 0;
    if (this.limit > 0 && count >= this.limit) {
      return false;
    }
    this.counts.set(caller, count + 1);
    return true;
  }

  public leave(caller: string): void {
    const count = this.counts.get(caller) ?? 0;
    if (count <= 1) {
      this.counts.delete(caller);
    } else {
      this.counts.set(caller, count - 1);
    }
  }

  /** Callers that have any. */
  public get size(): number {
    return this.counts.size;
  }
}
