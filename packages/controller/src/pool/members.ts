import { CONDITION, LABEL, LAUNCH_TYPE, REASON, type Sandbox, type SandboxTemplate, type SandboxWarmPool, definedOnly } from 'agent-sandbox-api';
import { poolHash } from '../blueprint/member.js';
import { isStale, recreates } from '../blueprint/stale.js';
import type { CachedPod } from '../reconcile/cached-pod.js';
import { FAILED_REASONS, conditionOf, isConditionTrue } from '../object/conditions.js';
import { mapDiff } from '../object/diff.js';
import { isDeleting, isOlder, labelOf, type StringMap } from '../object/metadata.js';
import { controllerReference, ownershipOf } from '../object/ownership.js';
import { parseTime } from '../object/time.js';
import { mergePatch, type PatchRequest } from '../reconcile/plan.js';
import { PROBE_FAILING } from '../reconcile/pod-problem.js';
import type { ObservedPool } from './observed.js';

/** The Sandboxes of a pool, grouped by the action that they need. */
export interface Members {
  /** They count: the pool controls them, or does so once `repairs` are done. */
  readonly active: readonly Sandbox[];
  /** Being deleted. */
  readonly terminating: number;
  /** To be replaced, since the template has changed. */
  readonly stale: readonly Sandbox[];
  /** Patches that make Sandboxes proper members of the pool. */
  readonly repairs: ReadonlyMap<Sandbox, PatchRequest>;
}

/**
 * Classifies the Sandboxes of a pool. Those of other controllers are skipped. A Sandbox without a controller is considered
 * only if there is a template to compare it with.
 *
 * @param template absent: nothing is stale
 */
export function classify({ pool, sandboxes, podOf }: Pick<ObservedPool, 'pool' | 'sandboxes' | 'podOf'>, template: SandboxTemplate | undefined): Members {
  const active: Sandbox[] = [];
  const stale: Sandbox[] = [];
  const repairs = new Map<Sandbox, PatchRequest>();
  let terminating = 0;
  const verdicts = new Map<string, boolean>();
  const replace = recreates(pool);
  const labels = { [LABEL.warmPool]: poolHash(pool), [LABEL.launchType]: LAUNCH_TYPE.warm };
  for (const sandbox of sandboxes) {
    const ownership = ownershipOf(sandbox, pool);
    if (ownership === 'foreign' || (ownership === 'unowned' && (template === undefined || isDeleting(sandbox)))) {
      continue;
    }
    if (isDeleting(sandbox)) {
      terminating++;
    } else if (template !== undefined && (replace || ownership === 'unowned' || failureReason(sandbox, podOf(sandbox)) !== undefined) && isStale(sandbox, template, verdicts)) {
      stale.push(sandbox);
    } else {
      active.push(sandbox);
      if (ownership === 'unowned' || Object.entries(labels).some(([key, value]) => labelOf(sandbox, key) !== value)) {
        repairs.set(sandbox, repairOf(sandbox, pool, labels));
      }
    }
  }
  return { active, terminating, stale, repairs };
}

/** Reasons of a Sandbox that is not merely starting. */
const FAILING: readonly string[] = [
  ...FAILED_REASONS, REASON.multiplePods, REASON.podFailed, REASON.podSucceeded, REASON.sandboxExpired, REASON.sandboxSuspended,
];

/** Why a Sandbox does not become ready, as far as more than time is missing: from its own condition or from its Pod. */
export function failureReason(sandbox: Sandbox, pod: CachedPod | undefined): string | undefined {
  const ready = conditionOf(sandbox.status?.conditions, CONDITION.ready);
  if (ready?.status !== 'False') {
    return undefined;
  }
  const cause = pod?.problem?.reason;
  return FAILING.includes(ready.reason) ? ready.reason : cause === PROBE_FAILING ? undefined : cause;
}

export function isReady(sandbox: Sandbox): boolean {
  return isConditionTrue(sandbox.status?.conditions, CONDITION.ready);
}

/** Since when a Sandbox that is not ready is not: since it lost its readiness, else since it was made; milliseconds since the epoch. */
export function notReadySince(sandbox: Sandbox): number | undefined {
  const created = parseTime(sandbox.metadata.creationTimestamp);
  const changed = parseTime(conditionOf(sandbox.status?.conditions, CONDITION.ready)?.lastTransitionTime);
  return created === undefined || changed === undefined ? created : Math.max(created, changed);
}

/** The order in which Sandboxes that are too many go: those that are not ready first, then the newest. */
export function byDeletionPriority(a: Sandbox, b: Sandbox): number {
  return isReady(a) !== isReady(b) ? (isReady(a) ? 1 : -1) : isOlder(a, b) ? 1 : -1;
}

/** The labels by which claims find a pool's Sandboxes, and the pool as controller. Locked: a claim may take the Sandbox at the same time. */
function repairOf(sandbox: Sandbox, pool: SandboxWarmPool, wanted: StringMap): PatchRequest {
  const ownerReferences = ownershipOf(sandbox, pool) === 'own'
    ? undefined
    : [...(sandbox.metadata.ownerReferences ?? []), controllerReference(pool)];
  const labels = mapDiff(sandbox.metadata.labels, { ...sandbox.metadata.labels, ...wanted });
  const metadata = definedOnly({ labels, ownerReferences });
  return mergePatch(sandbox, { metadata }, { resourceVersion: sandbox.metadata.resourceVersion, ignore: ['Conflict', 'NotFound'] });
}
