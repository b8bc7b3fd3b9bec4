import type { Sandbox } from 'agent-sandbox-api';
import type { CachedPod } from '../core-kinds.js';
import { isDeleting } from '../object/metadata.js';
import { parseTime } from '../object/time.js';
import { isReady, notReadySince } from './members.js';
import type { ObservedPool } from './observed.js';

/** Sandboxes that do not become ready. */
export interface Stuck {
  /** To be replaced. */
  readonly replaced: readonly Sandbox[];
  /** Past their time, but no node takes them, and none would take others. */
  readonly held: readonly Sandbox[];
  /** When the next Sandbox runs out of time, milliseconds since the epoch. */
  readonly deadline?: number;
}

/** A Sandbox that was ready may come back, for example when its node has rebooted: it gets this long at least. */
const COMEBACK_MS = 600_000;

/** Times on the wire have whole seconds: a look at exactly the deadline could come too early. */
const SLACK_MS = 2000;

const WAITING_FOR_NODE: readonly string[] = ['Unschedulable', 'SchedulingGated'];

/**
 * Finds the Sandboxes that are to be replaced. Time counts from when a Sandbox last was ready, or from its creation where it
 * never was, so that a moment without readiness costs nothing.
 */
export function findStuck({ now, options: { graceMs }, podOf }: ObservedPool, active: readonly Sandbox[]): Stuck {
  const replaced: Sandbox[] = [];
  const held: Sandbox[] = [];
  let deadline = Infinity;
  for (const sandbox of active) {
    const since = isReady(sandbox) ? undefined : notReadySince(sandbox);
    if (since === undefined) {
      continue;
    }
    const due = since + graceOf(sandbox, since, graceMs);
    if (now <= due) {
      deadline = Math.min(deadline, due + SLACK_MS);
    } else {
      (waitsForNode(podOf(sandbox)) ? held : replaced).push(sandbox);
    }
  }
  return { replaced, held, ...(deadline === Infinity ? {} : { deadline }) };
}

/** A Sandbox that is older than the grace when its readiness ends, or is first reported, has been ready: otherwise it would have been replaced. */
function graceOf(sandbox: Sandbox, since: number, graceMs: number): number {
  const age = since - (parseTime(sandbox.metadata.creationTimestamp) ?? since);
  return age > graceMs ? Math.max(graceMs, COMEBACK_MS) : graceMs;
}

function waitsForNode(pod: CachedPod | undefined): boolean {
  const scheduled = pod?.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  return pod !== undefined && !isDeleting(pod) && scheduled?.status === 'False' && WAITING_FOR_NODE.includes(scheduled.reason ?? '');
}
