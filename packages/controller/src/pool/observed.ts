import type { Sandbox, SandboxWarmPool } from 'agent-sandbox-api';
import type { TemplateInUse } from '../blueprint/template-in-use.js';
import type { CachedPod } from '../reconcile/cached-pod.js';
import type { Observed } from '../reconcile/plan.js';

/** What the SandboxWarmPool reconciler reads. All of it comes from the cache, apart from the random ends of names. */
export interface ObservedPool extends Observed {
  readonly pool: SandboxWarmPool;
  /** Sandboxes that the pool controls, whatever their labels, and those of the namespace with its label, whatever their controller. */
  readonly sandboxes: readonly Sandbox[];
  readonly templateInUse: TemplateInUse;
  /** Pools of the namespace whose names have the same hash; may contain the pool itself. */
  readonly sameHash: readonly SandboxWarmPool[];
  /** The Pod of a Sandbox. */
  readonly podOf: (sandbox: Sandbox) => CachedPod | undefined;
  /** Names for new Sandboxes: free as far as the cache knows; the same name for the same number. */
  readonly nameOf: (index: number) => string;
  readonly options: PoolOptions;
  readonly memory?: PoolMemory;
}

export interface PoolOptions {
  /** Upper bound on Sandboxes created, and on Sandboxes deleted, per reconciliation. */
  readonly batchSize: number;
  /** How long a pool that lost Sandboxes waits before it makes new ones, in milliseconds. 0: not at all. */
  readonly replenishDelayMs: number;
  /** Sandboxes that are made per second. 0: no limit. */
  readonly refillRate: number;
  /** How long a Sandbox may be without readiness before it is replaced, in milliseconds. */
  readonly graceMs: number;
  /** How often Sandboxes that no node takes are looked at, in milliseconds. */
  readonly recheckMs: number;
  /** Most Sandboxes of a pool, whatever its spec asks for. 0: no limit. */
  readonly maxReplicas: number;
  /** How long a pool may go without progress towards its size before it says so, in milliseconds. */
  readonly progressDeadlineMs: number;
  /** How long a status that only counts may wait for the next change, in milliseconds. */
  readonly statusWindowMs: number;
  /** Whether the cluster autoscaler may evict idle Sandboxes. */
  readonly evictable: boolean;
}

/** What is remembered between reconciliations; times are on the monotonic clock. Lost in a restart. */
export interface PoolMemory {
  /**
   * Whether the cache is known to show every Sandbox that was made for the pool: own writes show at once, but not those of
   * the process before this one, nor one whose answer was lost.
   */
  readonly certain: boolean;
  /** Sandboxes at the end of the last reconciliation. */
  readonly active: number;
  /** Until when nothing is made after a loss. */
  readonly heldUntil?: number;
  readonly bucket?: Bucket;
  /** When this process first saw each Sandbox that is not ready, by UID; milliseconds on the monotonic clock. */
  readonly unready: ReadonlyMap<string, number>;
  /** Replacements of Sandboxes that did not become ready. */
  readonly quota: ReplacementQuota;
  /** Ready Sandboxes at the end of the last reconciliation. */
  readonly ready: number;
  /** Since when the pool has not come closer to its size; absent while it has it, or waits on purpose. */
  readonly stalledSince?: number;
  /** Since when a changed status waits. */
  readonly statusSince?: number;
  /** Whether an Event has reported unschedulable Sandboxes. */
  readonly reportedUnschedulable: boolean;
  /** Whether the last reconciliation ended with errors. */
  readonly failed?: boolean;
}

/** How many Sandboxes have been replaced since when. */
export interface ReplacementQuota {
  /** Milliseconds on the monotonic clock. */
  readonly since: number;
  readonly used: number;
}

/** Tokens of the rate limit, as of a moment. */
export interface Bucket {
  readonly tokens: number;
  readonly at: number;
}

/** How many Sandboxes the pool shall have. */
export function desiredReplicas({ pool, options: { maxReplicas } }: ObservedPool): number {
  const wanted = pool.spec.replicas ?? 1;
  return maxReplicas > 0 ? Math.min(wanted, maxReplicas) : wanted;
}
