import { CONDITION, LABEL, LAUNCH_TYPE, type Sandbox, type SandboxTemplate, type SandboxWarmPool } from 'agent-sandbox-api';
import { poolHash } from '../blueprint/member.js';
import { isStale, recreates } from '../blueprint/stale.js';
import { conditionOf, controllerReference, isConditionTrue, isDeleting, isOlder, labelOf, mapDiff, ownershipOf, parseTime } from '../object.js';
import { mergePatch, type PatchRequest } from '../plan.js';
import type { ObservedPool } from './observed.js';

/** The Sandboxes of a pool, by what is to be done with them. */
export interface Members {
  /** They count: the pool controls them, or does so once `repairs` are done. */
  readonly active: readonly Sandbox[];
  /** On their way out. */
  readonly terminating: number;
  /** To be replaced, since the template has changed. */
  readonly stale: readonly Sandbox[];
  /** By UID: what makes Sandboxes proper members of the pool. */
  readonly repairs: ReadonlyMap<string | undefined, PatchRequest>;
}

/**
 * Sorts the Sandboxes of a pool. Those of other controllers are nobody's business here. What has no controller is judged
 * only when there is a template to judge by.
 *
 * @param template absent: nothing is stale
 */
export function classify({ pool, sandboxes }: Pick<ObservedPool, 'pool' | 'sandboxes'>, template: SandboxTemplate | undefined): Members {
  const active: Sandbox[] = [];
  const stale: Sandbox[] = [];
  const repairs = new Map<string | undefined, PatchRequest>();
  let terminating = 0;
  const verdicts = new Map<string, boolean>();
  const replace = recreates(pool);
  for (const sandbox of sandboxes) {
    const ownership = ownershipOf(sandbox, pool);
    if (isDeleting(sandbox)) {
      terminating += ownership === 'own' ? 1 : 0;
    } else if (ownership === 'own') {
      (template !== undefined && replace && isStale(sandbox, template, verdicts) ? stale : active).push(sandbox);
    } else if (ownership === 'unowned' && template !== undefined) {
      (isStale(sandbox, template) ? stale : active).push(sandbox);
    }
  }
  for (const sandbox of active) {
    const repair = repairOf(sandbox, pool);
    if (repair !== undefined) {
      repairs.set(sandbox.metadata.uid, repair);
    }
  }
  return { active, terminating, stale, repairs };
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
export function byUselessness(a: Sandbox, b: Sandbox): number {
  return isReady(a) !== isReady(b) ? (isReady(a) ? 1 : -1) : isOlder(a, b) ? 1 : -1;
}

/** The labels by which claims find a pool's Sandboxes, and the pool as controller. Locked: a claim may take the Sandbox at the same time. */
function repairOf(sandbox: Sandbox, pool: SandboxWarmPool): PatchRequest | undefined {
  const wanted = { [LABEL.warmPool]: poolHash(pool), [LABEL.launchType]: LAUNCH_TYPE.warm };
  const current = Object.fromEntries(Object.keys(wanted).flatMap((key) => {
    const value = labelOf(sandbox, key);
    return value === undefined ? [] : [[key, value]];
  }));
  const labels = mapDiff(current, wanted);
  const orphan = ownershipOf(sandbox, pool) === 'unowned';
  if (labels === undefined && !orphan) {
    return undefined;
  }
  const ownerReferences = [...(sandbox.metadata.ownerReferences ?? []), controllerReference(pool)];
  const metadata = { ...(labels === undefined ? {} : { labels }), ...(orphan ? { ownerReferences } : {}) };
  return mergePatch(sandbox, { metadata }, { resourceVersion: sandbox.metadata.resourceVersion, ignore: ['Conflict', 'NotFound'] });
}
