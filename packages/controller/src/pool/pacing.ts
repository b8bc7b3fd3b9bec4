import { definedOnly } from 'agent-sandbox-api';
import type { Bucket, PoolMemory, PoolOptions } from './observed.js';

/** Until when nothing is made, milliseconds on the monotonic clock; `undefined`: no hold. */
export function holdAfterLoss(
  active: number,
  desired: number,
  now: number,
  memory: PoolMemory | undefined,
  { replenishDelayMs }: PoolOptions,
): number | undefined {
  if (replenishDelayMs <= 0 || active >= desired || memory === undefined) {
    return undefined;
  }
  const until = active < memory.active ? now + replenishDelayMs : memory.heldUntil;
  return until !== undefined && until > now ? until : undefined;
}

/** What a rate limit grants. */
export interface Grant {
  readonly count: number;
  /** Absent: no limit. */
  readonly bucket?: Bucket;
  /** When the next token is there, in milliseconds; absent when all was granted. */
  readonly waitMs?: number;
}

/**
 * Takes tokens for Sandboxes that are about to be made. The bucket holds what a second brings, at least one token, and is
 * full in the beginning. Tokens of failed creates are not returned.
 */
export function takeTokens(wanted: number, rate: number, bucket: Bucket | undefined, now: number): Grant {
  if (rate <= 0) {
    return { count: wanted };
  }
  const capacity = Math.max(1, rate);
  const tokens = bucket === undefined ? capacity : Math.min(capacity, bucket.tokens + rate * Math.max(0, now - bucket.at) / 1000);
  const count = Math.min(wanted, Math.floor(tokens));
  const left = tokens - count;
  const waitMs = count < wanted ? Math.max(1, Math.ceil((1 - left) / rate * 1000)) : undefined;
  return { count, bucket: { tokens: left, at: now }, ...definedOnly({ waitMs }) };
}
