import { CONDITION, REASON, type Sandbox } from 'agent-sandbox-api';
import type { CachedPod } from '../reconcile/cached-pod.js';
import { conditionOf } from '../object/conditions.js';
import { isDeleting } from '../object/metadata.js';
import { parseTime } from '../object/time.js';
import { isReady, notReadySince } from './members.js';
import { desiredReplicas, type ObservedPool, type ReplacementQuota } from './observed.js';

/** Sandboxes that do not become ready. */
export interface Stuck {
  /** To be replaced. */
  readonly replaced: readonly Sandbox[];
  /** Past their time, but no node takes them, and none would take others. */
  readonly held: readonly Sandbox[];
  /** When the next Sandbox runs out of time, milliseconds on the monotonic clock. */
  readonly deadline?: number;
  /** When this process first saw each Sandbox that is not ready, by UID. */
  readonly unready: ReadonlyMap<string, number>;
  /** The replacements so far, with those of `replaced`. */
  readonly quota: ReplacementQuota;
}

/** A Sandbox that was ready may come back, for example when its node has rebooted: it gets this long at least. */
const COMEBACK_MS = 600_000;

/** Timers may fire slightly early. */
const SLACK_MS = 50;

/** A pool replaces each of its Sandboxes at most once in this time, however short the grace period. */
const SHORTEST_QUOTA_MS = 30_000;

const WAITING_FOR_NODE: readonly string[] = ['Unschedulable', 'SchedulingGated'];

/**
 * Finds the Sandboxes that are to be replaced. The grace period runs from when this process first saw that a Sandbox is not ready,
 * on a monotonic clock: server and controller may disagree about the time, and that must not delete anything. After a restart the
 * period starts again.
 */
export function findStuck(observed: ObservedPool, active: readonly Sandbox[]): Stuck {
  const { pool, monotonic: now, memory, options, podOf } = observed;
  const graceMs = graceMsOf(observed);
  const quotaMs = Math.max(graceMs, SHORTEST_QUOTA_MS);
  const quota = memory !== undefined && now < memory.quota.since + quotaMs ? memory.quota : { since: now, used: 0 };
  // The condition from before a restart is kept until the Pods are scheduled.
  const wasHeld = memory === undefined && conditionOf(pool.status?.conditions, CONDITION.progressing)?.reason === REASON.warmPoolNotProgressing;
  const allowed = Math.max(1, desiredReplicas(observed)) - quota.used;
  const unready = new Map<string, number>();
  const replaced: Sandbox[] = [];
  const held: Sandbox[] = [];
  let deadline = Infinity;
  for (const sandbox of active) {
    if (isReady(sandbox)) {
      continue;
    }
    const { uid = '' } = sandbox.metadata;
    const since = memory?.unready.get(uid) ?? now;
    unready.set(uid, since);
    const due = since + graceOf(sandbox, graceMs);
    if (now <= due && !(wasHeld && waitsForNode(podOf(sandbox)))) {
      deadline = Math.min(deadline, due + SLACK_MS);
    } else if (waitsForNode(podOf(sandbox))) {
      held.push(sandbox);
    } else if (replaced.length < allowed) {
      replaced.push(sandbox);
    } else {
      deadline = Math.min(deadline, quota.since + quotaMs + SLACK_MS);
    }
  }
  return {
    replaced,
    held,
    ...(deadline === Infinity ? {} : { deadline }),
    unready,
    quota: { since: quota.since, used: quota.used + Math.min(replaced.length, options.batchSize) },
  };
}

/** How long a Sandbox of the pool may be without readiness before it is replaced, in milliseconds. */
export function graceMsOf({ pool, options }: Pick<ObservedPool, 'pool' | 'options'>): number {
  const { readinessGracePeriodSeconds: seconds } = pool.spec;
  return seconds === undefined ? options.graceMs : seconds * 1000;
}

/** A Sandbox that is older than the grace when its readiness ends has been ready: otherwise it would have been replaced. */
function graceOf(sandbox: Sandbox, graceMs: number): number {
  const created = parseTime(sandbox.metadata.creationTimestamp) ?? 0;
  return (notReadySince(sandbox) ?? created) - created > graceMs ? Math.max(graceMs, COMEBACK_MS) : graceMs;
}

function waitsForNode(pod: CachedPod | undefined): boolean {
  const scheduled = pod?.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  return pod !== undefined && !isDeleting(pod) && scheduled?.status === 'False' && WAITING_FOR_NODE.includes(scheduled.reason ?? '');
}
