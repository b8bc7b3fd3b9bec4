import { CONDITION, type Condition, REASON, type Sandbox, definedOnly, isMeantToRun, type PodCondition } from 'agent-sandbox-api';
import type { CachedPod } from '../reconcile/cached-pod.js';
import { conditionOf, withCondition, withoutCondition, type NewCondition } from '../object/conditions.js';
import { isDeleting } from '../object/metadata.js';
import type { Failure } from '../reconcile/plan.js';
import { isWorkOver } from './observed.js';
import { hasOldSpec, type PodResult } from './pod.js';
import { needsService } from './service.js';

/** What the conditions are computed from. */
export interface ChildrenState {
  readonly pod: PodResult;
  /** Name of the Service in use. */
  readonly service?: string;
  /** Failures of all children. */
  readonly errors: readonly Failure[];
  /** Why nothing may be created. */
  readonly invalid?: string;
}

type Verdict = Pick<Condition, 'status' | 'reason' | 'message'>;

const POD_SUCCEEDED: Verdict = { status: 'True', reason: REASON.podSucceeded, message: 'Pod completed successfully' };
const POD_FAILED: Verdict = { status: 'True', reason: REASON.podFailed, message: 'Pod failed' };
export const EXPIRED: Verdict = { status: 'False', reason: REASON.sandboxExpired, message: 'Sandbox has expired' };

/** The conditions of a Sandbox that has not expired: Suspended, Finished, PodScheduled, UpToDate and Ready, on top of the old ones. */
export function sandboxConditions(sandbox: Sandbox, children: ChildrenState, now: number): Condition[] {
  const verdicts: [type: string, verdict: Verdict | undefined][] = [
    [CONDITION.suspended, suspended(sandbox, children)],
    [CONDITION.finished, finished(sandbox, children.pod)],
    [CONDITION.podScheduled, podScheduled(children)],
    [CONDITION.upToDate, upToDate(sandbox, children)],
    [CONDITION.ready, ready(sandbox, children)],
  ];
  return verdicts.reduce<Condition[]>((conditions, [type, verdict]) => (verdict === undefined
    ? withoutCondition(conditions, type)
    : withCondition(conditions, observedBy(sandbox, type, verdict), now)), sandbox.status?.conditions ?? []);
}

/** The conditions of a Sandbox whose time is over, before its children go. */
export function expiredConditions(sandbox: Sandbox, now: number): Condition[] {
  return withCondition(withoutPod(sandbox.status?.conditions), observedBy(sandbox, CONDITION.ready, EXPIRED), now);
}

/** Without the conditions that are about a Pod. */
function withoutPod(conditions: readonly Condition[] | undefined): Condition[] {
  return withoutCondition(withoutCondition(conditions, CONDITION.podScheduled), CONDITION.upToDate);
}

function observedBy(sandbox: Sandbox, type: string, verdict: Verdict): NewCondition {
  const { generation } = sandbox.metadata;
  return { type, ...verdict, ...definedOnly({ observedGeneration: generation }) };
}

function suspended(sandbox: Sandbox, { pod }: ChildrenState): Verdict {
  if (isMeantToRun(sandbox)) {
    return { status: 'False', reason: REASON.notSuspended, message: 'Sandbox is not suspended' };
  }
  if (pod.pod === undefined) {
    return { status: 'True', reason: REASON.podTerminated, message: 'Pod has been terminated. Sandbox is suspended' };
  }
  return pod.owned
    ? { status: 'False', reason: REASON.podTerminating, message: 'Pod is terminating. Sandbox is suspending' }
    : { status: 'False', reason: REASON.podNotOwned, message: 'Refused to delete pod because it is not owned by this sandbox' };
}

/**
 * The end of the work. The end of a Pod that is being deleted or suspended is not the end of its work: its containers were
 * stopped. Work that ended before stays finished.
 */
function finished(sandbox: Sandbox, { pod, owned }: PodResult): Verdict | undefined {
  if (pod === undefined || !owned || isDeleting(pod) || !isMeantToRun(sandbox)) {
    return isWorkOver(sandbox) ? conditionOf(sandbox.status?.conditions, CONDITION.finished) : undefined;
  }
  switch (pod.status?.phase) {
    case 'Succeeded':
      return POD_SUCCEEDED;
    case 'Failed':
      return { ...POD_FAILED, message: withCause(POD_FAILED.message, pod) };
    default:
      return undefined;
  }
}

function podScheduled({ pod: { pod, owned, errors } }: ChildrenState): Verdict | undefined {
  if (pod === undefined) {
    return errors.length === 0
      ? undefined
      : { status: 'Unknown', reason: REASON.podSchedulingUnknown, message: 'Pod state is unknown. Pod scheduling cannot be determined' };
  }
  if (!owned) {
    return undefined;
  }
  const condition = podCondition(pod, 'PodScheduled');
  if (condition === undefined) {
    return { status: 'Unknown', reason: REASON.podSchedulingUnknown, message: 'Pod has not reported a PodScheduled condition yet' };
  }
  const { status, reason, message = '' } = condition;
  // A condition needs a reason.
  return { status, reason: reason || (status === 'True' ? REASON.podScheduled : REASON.podSchedulingUnknown), message };
}

/** Only while it is false: the Pod spec of a running Pod never changes. */
function upToDate(sandbox: Sandbox, { pod: { pod, owned } }: ChildrenState): Verdict | undefined {
  return pod === undefined || !owned || isDeleting(pod) || !isMeantToRun(sandbox) || !hasOldSpec(sandbox, pod)
    ? undefined
    : {
      status: 'False',
      reason: REASON.podTemplateChanged,
      message: `the Pod "${pod.metadata.name}" was created from an earlier spec.podTemplate.spec: delete the Pod, or suspend and resume the Sandbox, to apply the change`,
    };
}

function ready(sandbox: Sandbox, children: ChildrenState): Verdict {
  const { pod: { pod, conflict }, errors, invalid } = children;
  if (conflict !== undefined) {
    return notReady(REASON.multiplePods, conflict);
  }
  if (errors.length > 0) {
    return notReady(REASON.reconcilerError, `Error seen: ${errors.map(error => error.message).join('\n')}`);
  }
  if (!isMeantToRun(sandbox)) {
    return notReady(REASON.sandboxSuspended, pod === undefined ? 'Sandbox is suspended' : 'Sandbox is suspending');
  }
  if (invalid !== undefined) {
    return notReady(REASON.invalidConfiguration, invalid);
  }
  const end = finished(sandbox, children.pod);
  if (end !== undefined) {
    return notReady(end.reason, end.message);
  }
  return dependencies(sandbox, children);
}

function dependencies(sandbox: Sandbox, { pod: { pod }, service }: ChildrenState): Verdict {
  const suffix = needsService(sandbox, service) ? `; Service ${service === undefined ? 'does not exist' : 'Exists'}` : '';
  const podProblem = problemOf(pod);
  const satisfied = podProblem === undefined && !(suffix !== '' && service === undefined);
  const message = `${podProblem ?? 'Pod is Ready'}${suffix}`;
  return satisfied ? { status: 'True', reason: REASON.dependenciesReady, message } : notReady(REASON.dependenciesNotReady, message);
}

/** Why a Pod does not count as ready. */
function problemOf(pod: CachedPod | undefined): string | undefined {
  if (pod === undefined) {
    return 'Pod does not exist';
  }
  if (isDeleting(pod)) {
    return 'Pod is terminating';
  }
  const phase = pod.status?.phase ?? '';
  if (phase !== 'Running') {
    return withCause(`Pod exists with phase: ${phase}`, pod);
  }
  if (podCondition(pod, 'Ready')?.status !== 'True') {
    return withCause('Pod is Running but not Ready', pod);
  }
  return pod.status?.podIPs?.length ? undefined : 'Pod is Ready but has no podIPs yet';
}

function withCause(text: string, { problem }: CachedPod): string {
  return problem === undefined ? text : `${text}: ${problem.message}`;
}

function notReady(reason: string, message: string): Verdict {
  return { status: 'False', reason, message };
}

function podCondition(pod: CachedPod, type: string): PodCondition | undefined {
  return pod.status?.conditions?.find(condition => condition.type === type);
}
