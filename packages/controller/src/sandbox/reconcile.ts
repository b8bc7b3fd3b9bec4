import { ANNOTATION, CONDITION, REASON, isMeantToRun, type Sandbox, type SandboxStatus, definedOnly } from 'agent-sandbox-api';
import { poolNameOf } from '../blueprint/stale.js';
import { conditionOf, isConditionTrue } from '../object/conditions.js';
import { isDeleting } from '../object/metadata.js';
import { event, mergePatch, type Failure, type Plan, type Request } from '../reconcile/plan.js';
import type { PodProblem } from '../reconcile/pod-problem.js';
import { all, andThen, planOf, value, type Step } from '../reconcile/step.js';
import type { ChildrenState } from './conditions.js';
import { podEvents, statusEvents } from './events.js';
import { expiryRequeue, planExpired, timeLeft } from './expiry.js';
import { statusMeasures } from './measures.js';
import { invalidConfiguration } from './names.js';
import type { ChildResult, ObservedSandbox, SandboxMemory } from './observed.js';
import { conflictOf, reconcilePod, type PodResult } from './pod.js';
import { reconcileService, type ServiceResult } from './service.js';
import { isOnlyGeneration, isOnlyNode, isStarting, sandboxStatus, statusWrite } from './status.js';
import { reconcileVolumes } from './volumes.js';

/**
 * How many times longer the status of a pool's Sandbox waits for its Pod to get an address: pools are filled many at a time,
 * when Pods take longer, and a member cannot be claimed before it has an address.
 */
const IDLE_FACTOR = 5;

/**
 * Reconciles a Sandbox: its volumes, then its Pod and Service concurrently, then its tracking annotation and status.
 * Nothing is sent when nothing has changed.
 */
export function reconcileSandbox(observed: ObservedSandbox): Plan<SandboxMemory> {
  const { sandbox, now } = observed;
  if (isDeleting(sandbox)) {
    return { requests: [], memory: null };
  }
  if (timeLeft(sandbox, now) === 0) {
    return planExpired(observed);
  }
  const invalid = invalidConfiguration(observed);
  const known = refusedBefore(observed);
  return planOf(reconcileChildren(observed, invalid === undefined && known === undefined), ({ volumes, pod, service }) => {
    const failures = [...volumes.errors, ...pod.errors, ...service.errors];
    const refused = refusedNow(sandbox, failures) ?? known;
    const problem = invalid?.message ?? refused?.message;
    const children: ChildrenState = {
      pod: { ...pod, errors: pod.errors.filter(isRetriable) },
      ...definedOnly({ service: service.service }),
      errors: failures.filter(isRetriable),
      ...definedOnly({ invalid: problem }),
    };
    const blockedBy = [...volumes.blockedBy, ...pod.blockedBy, ...service.blockedBy, ...(invalid?.blockedBy ?? [])];
    const plan = finish(observed, children, refused);
    const terminating = failures.filter(({ reason }) => reason === 'NamespaceTerminating');
    return { ...plan, errors: [...plan.errors ?? [], ...terminating], blockedBy };
  });
}

/** Whether a request may succeed when it is sent again. */
function isRetriable({ reason }: Failure): boolean {
  return reason !== 'Invalid' && reason !== 'NamespaceTerminating';
}

/** The refusal of an earlier reconciliation that still holds. */
function refusedBefore({ sandbox, memory }: ObservedSandbox): SandboxMemory['refused'] {
  return memory?.refused?.generation === sandbox.metadata.generation ? memory?.refused : undefined;
}

/** What the API server has just refused as invalid. It would refuse it again until the spec changes. */
function refusedNow({ metadata: { generation } }: Sandbox, failures: readonly Failure[]): SandboxMemory['refused'] {
  const messages = failures.filter(({ reason }) => reason === 'Invalid').map(({ message }) => message);
  return messages.length === 0 ? undefined : { generation, message: `the API server refuses this configuration: ${messages.join('\n')}` };
}

interface Children {
  readonly volumes: ChildResult;
  readonly pod: PodResult;
  readonly service: ServiceResult;
}

function reconcileChildren(observed: ObservedSandbox, mayCreate: boolean): Step<Children> {
  // While it is unclear which Pod belongs to the Sandbox, its Service must not select either.
  const service = conflictOf(observed) === undefined ? reconcileService(observed, mayCreate) : keptService(observed);
  return andThen(reconcileVolumes(observed, mayCreate), volumes =>
    andThen(all<[PodResult, ServiceResult]>([reconcilePod(observed, mayCreate), service]), ([pod, serviceResult]) =>
      value({ volumes, pod, service: serviceResult })));
}

function keptService({ sandbox }: ObservedSandbox): Step<ServiceResult> {
  const name = sandbox.status?.service;
  return value({ ...definedOnly({ service: name }), errors: [], blockedBy: [] });
}

function finish(observed: ObservedSandbox, children: ChildrenState, refused: SandboxMemory['refused']): Plan<SandboxMemory> {
  const { sandbox, now, monotonic } = observed;
  const { pod, errors } = children;
  const status = sandboxStatus(observed, children);
  const statusDue = statusDueTime(observed, status, pod.pod?.problem);
  const write = statusDue > monotonic || !isWorthWriting(sandbox, status) ? undefined : statusWrite(sandbox, status);
  const requests: Request[] = [
    ...(pod.tracking === undefined ? [] : [trackingWrite(sandbox, pod.tracking)]),
    ...(write === undefined ? [] : [write]),
    ...podEvents(sandbox, pod),
    ...multiplePodsEvent(sandbox, pod.conflict),
    ...(refused === undefined || refused === observed.memory?.refused ? [] : [refusalEvent(sandbox, refused.message)]),
    ...(write === undefined ? [] : [...statusEvents(sandbox, status), ...statusMeasures(sandbox, status, observed.memory, monotonic)]),
  ];
  const left = timeLeft(sandbox, now);
  const delays = [
    ...(left === undefined ? [] : [expiryRequeue(left)]),
    ...(pod.postponedUntil === undefined ? [] : [pod.postponedUntil - monotonic]),
    ...(statusDue > monotonic ? [statusDue - monotonic] : []),
  ];
  return {
    requests,
    // Only a user or another controller can resolve a conflict, and the change that does so requeues the Sandbox.
    errors: pod.conflict === undefined ? errors : errors.filter(error => error.message !== pod.conflict),
    ...(delays.length === 0 ? {} : { requeueAfterMs: Math.min(...delays) }),
    memory: memoryAfter(observed, status, pod.postponedUntil !== undefined, statusDue > monotonic, refused),
  };
}

/** Whether a change of the status is written now rather than with the next one. */
function isWorthWriting(sandbox: Sandbox, status: SandboxStatus): boolean {
  return !isOnlyNode(sandbox, status) && !isOnlyGeneration(sandbox, status);
}

function trackingWrite(sandbox: Sandbox, name: string | null): Request {
  return mergePatch(sandbox, { metadata: { annotations: { [ANNOTATION.podName]: name } } }, { ignore: ['NotFound'] });
}

/** When the status is to be written: while the Sandbox starts, changes are collected for a while. */
function statusDueTime(
  { sandbox, monotonic: now, options, memory }: ObservedSandbox,
  status: SandboxStatus,
  problem: PodProblem | undefined,
): number {
  const changed = statusWrite(sandbox, status) !== undefined && isWorthWriting(sandbox, status);
  const postpone = options.statusSettleMs > 0 && changed && isStarting(sandbox, status);
  // A Pod that cannot start is not merely slow: the problem is reported without further delay.
  const idle = poolNameOf(sandbox) !== undefined && !status.podIPs?.length && problem === undefined;
  return postpone ? (memory?.statusSince ?? now) + options.statusSettleMs * (idle ? IDLE_FACTOR : 1) : now;
}

function memoryAfter(
  observed: ObservedSandbox,
  status: SandboxStatus,
  podMetadata: boolean,
  postponed: boolean,
  refused: SandboxMemory['refused'],
): SandboxMemory | null {
  const { monotonic: now, memory } = observed;
  const after: SandboxMemory = {
    ...(podMetadata ? { podMetadataSince: memory?.podMetadataSince ?? now } : {}),
    ...(postponed ? { statusSince: memory?.statusSince ?? now } : {}),
    ...definedOnly({ refused }),
    ...transitionSince(observed, status),
  };
  return Object.keys(after).length === 0 ? null : after;
}

/** Since when the Sandbox suspends or resumes, for its metrics; nothing once it has. A start is no resumption. */
function transitionSince({ sandbox, monotonic: now, memory }: ObservedSandbox, status: SandboxStatus): SandboxMemory {
  const before = conditionOf(sandbox.status?.conditions, CONDITION.suspended)?.status;
  if (!isMeantToRun(sandbox)) {
    const pending = before === 'False' && !isConditionTrue(status.conditions, CONDITION.suspended);
    return pending ? { suspendingSince: memory?.suspendingSince ?? now } : {};
  }
  const resuming = (before === 'True' || memory?.resumingSince !== undefined) && !isConditionTrue(status.conditions, CONDITION.ready);
  return resuming ? { resumingSince: memory?.resumingSince ?? now } : {};
}

function refusalEvent(sandbox: Sandbox, note: string): Request {
  return event(sandbox, { type: 'Warning', reason: REASON.sandboxPodCreateFailed, action: 'Reconciling', note });
}

function multiplePodsEvent(sandbox: Sandbox, conflict: string | undefined): Request[] {
  const reported = conditionOf(sandbox.status?.conditions, CONDITION.ready)?.reason === REASON.multiplePods;
  return conflict === undefined || reported
    ? []
    : [event(sandbox, { type: 'Warning', reason: REASON.multiplePods, action: 'Reconciling', note: conflict })];
}
