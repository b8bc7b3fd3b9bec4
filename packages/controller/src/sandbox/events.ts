import { CONDITION, EXTENSIONS_GROUP, REASON, type Sandbox, type SandboxStatus } from 'agent-sandbox-api';
import { conditionOf, isConditionTrue } from '../object/conditions.js';
import { controllerOf, groupOf } from '../object/ownership.js';
import { event, type Request } from '../reconcile/plan.js';
import type { PodResult } from './pod.js';

/** Events about what a status that is written says for the first time. */
export function statusEvents(sandbox: Sandbox, status: SandboxStatus): Request[] {
  const became = (type: string) => isConditionTrue(status.conditions, type) && !isConditionTrue(sandbox.status?.conditions, type);
  const finished = conditionOf(status.conditions, CONDITION.finished);
  return [
    ...(became(CONDITION.ready) && reportsRoutine(sandbox) ? [normal(sandbox, REASON.sandboxReady, 'Sandbox is ready')] : []),
    ...(became(CONDITION.suspended) ? [normal(sandbox, REASON.sandboxSuspended, 'Sandbox is suspended')] : []),
    ...(became(CONDITION.finished)
      ? [event(sandbox, { type: finished!.reason === REASON.podFailed ? 'Warning' : 'Normal', reason: finished!.reason, action: ACTION, note: finished!.message })]
      : []),
  ];
}

/** The Event about a new Pod. */
export function podEvents(sandbox: Sandbox, { created, pod }: PodResult): Request[] {
  return created && reportsRoutine(sandbox) ? [normal(sandbox, REASON.sandboxPodCreated, `Created Pod "${pod?.metadata.name}"`)] : [];
}

/** The Event about the end of a Sandbox's time. */
export function expiredEvent(sandbox: Sandbox): Request {
  return normal(sandbox, REASON.sandboxExpired, 'Sandbox has expired');
}

const ACTION = 'Reconciling';

/**
 * Whether a start that goes well is worth an Event. It is a write each: for Sandboxes of pools and claims, whose start pools and claims
 * report, that would be two more writes per claim.
 */
function reportsRoutine(sandbox: Sandbox): boolean {
  return groupOf(controllerOf(sandbox)?.apiVersion ?? '') !== EXTENSIONS_GROUP;
}

function normal(sandbox: Sandbox, reason: string, note: string): Request {
  return event(sandbox, { type: 'Normal', reason, action: ACTION, note });
}
