import { EXTENSIONS_GROUP, type Sandbox, type SandboxClaimStatus, definedOnly } from 'agent-sandbox-api';
import { isDeleting } from '../object/metadata.js';
import { controllerOf, isOfKind } from '../object/ownership.js';
import { failuresOf, refusal, remove, stage, type Failure, type Plan, type Request } from '../reconcile/plan.js';
import { all, andThen, ask, planOf, value, type Step } from '../reconcile/step.js';
import { announce, prepare } from './annotations.js';
import { bind } from './bind.js';
import type { BindResult } from './bind-result.js';
import { candidateIn, decide, type Decision } from './decide.js';
import { markExpired, planExpired, timeLeft } from './expiry.js';
import { surplusOf } from './locate.js';
import { nameOf, namespaceOf, type ClaimMemory, type ObservedClaim } from './observed.js';
import { reports } from './report.js';
import { claimStatus, isStarting, statusWrite } from './status.js';

/**
 * The status of a new Sandbox waits as long as that of its claim. Because the claim waits slightly longer, one write covers both
 * changes.
 */
const AFTER_SANDBOX_MS = 200;

/**
 * Reconciles a claim: decide, prepare, bind, store the status, report. A member of a pool is adopted in one write and the status
 * follows from the answer, so that a warm claim costs two writes here. Nothing is sent when nothing has changed.
 */
export function reconcileClaim(observed: ObservedClaim): Plan<ClaimMemory> {
  const { claim, now } = observed;
  if (isDeleting(claim)) {
    return { requests: [], memory: null };
  }
  if (timeLeft(claim, claim.status?.conditions, now) === 0) {
    return planExpired(observed);
  }
  const decision = decide(observed);
  const bound = andThen(prepare(observed), prepared => ('failure' in prepared
    ? value<Bound>(prepared)
    : andThen(all<[BindResult, undefined]>([bind(prepared.observed, decision), dropLegacyPolicy(observed)]), ([result]) =>
      andThen(announce(prepared.observed, result.sandbox), announced =>
        value<Bound>('failure' in announced ? announced : { observed: announced.observed, result })))));
  const plan = planOf(bound, (outcome): Plan<ClaimMemory> => ('failure' in outcome
    ? { requests: [], errors: [refusal(outcome.failure.message)], memory: pendingMemory(observed) }
    : storeStatus(outcome.observed, decision, outcome.result)));
  // The candidate is reserved before anything is sent.
  return plan.next === undefined ? plan : { ...plan, memory: { ...pendingMemory(observed), ...reservation(candidateIn(decision)) } };
}

type Bound = { readonly observed: ObservedClaim; readonly result: BindResult } | { readonly failure: Failure };

/** Controllers of the first generation made a policy per claim, which would go on to confine its Pods beside the template's. */
function dropLegacyPolicy({ claim, legacyPolicy }: ObservedClaim): Step<undefined> {
  const controller = legacyPolicy && controllerOf(legacyPolicy);
  const own = isOfKind(controller, EXTENSIONS_GROUP, 'SandboxClaim') && controller?.uid === claim.metadata.uid;
  // Nothing depends on it; the next reconciliation tries again.
  return own && !isDeleting(legacyPolicy!) ? ask(remove(legacyPolicy!), () => value(undefined)) : value(undefined);
}

/** Stores what the claim got in its status, deletes surplus Sandboxes, and reports once the status is stored. */
function storeStatus(observed: ObservedClaim, decision: Decision, result: BindResult): Plan<ClaimMemory> {
  const { claim, now, monotonic, own, target } = observed;
  if (result.waitMs !== undefined) {
    const left = timeLeft(claim, claim.status?.conditions, now) ?? Infinity;
    const waitingSince = observed.memory?.waitingSince ?? monotonic;
    return {
      requests: [],
      requeueAfterMs: Math.min(result.waitMs, left),
      memory: { ...pendingMemory(observed), waitingFor: target.pools, waitingSince },
    };
  }
  const status = claimStatus(claim, result, now);
  if (timeLeft(claim, status.conditions, now) === 0) {
    return markExpired(observed, { ...claim, status });
  }
  const due = statusDueTime(observed, status);
  const write = due > monotonic ? undefined : statusWrite(claim, status);
  const surplus = own === undefined ? [] : surplusOf(observed, own);
  const requests: Request[] = [
    ...(write === undefined ? [] : [write]),
    ...surplus.map(sandbox => remove(sandbox, { resourceVersion: sandbox.metadata.resourceVersion })),
  ];
  return stage<ClaimMemory>(requests, outcomes => ({
    requests: reports({ observed, decision, sandbox: result.sandbox, status, stored: write !== undefined && outcomes[0]!.ok }),
    ...ending(observed, result, failuresOf(requests, outcomes), due),
  }));
}

/** When to reconcile again, with which errors, and what to remember until then. */
function ending(
  observed: ObservedClaim,
  { sandbox, problem, uncertain, blockedBy = [] }: BindResult,
  failures: readonly Failure[],
  due: number,
): Omit<Plan<ClaimMemory>, 'requests' | 'next'> {
  const { claim, now, monotonic, memory } = observed;
  const postponed = due > monotonic;
  const delays = [
    timeLeft(claim, sandbox?.status?.conditions ?? claim.status?.conditions, now),
    postponed ? due - monotonic : undefined,
    typeof problem?.retry === 'object' ? problem.retry.afterMs : undefined,
  ].filter((delay): delay is number => delay !== undefined);
  return {
    errors: [...failures, ...(problem?.retry === 'backoff' ? [refusal(problem.message)] : [])],
    blockedBy,
    ...(delays.length === 0 ? {} : { requeueAfterMs: Math.max(1, Math.min(...delays)) }),
    memory: postponed || uncertain !== undefined
      ? { ...(postponed ? { statusSince: memory?.statusSince ?? monotonic } : {}), ...definedOnly({ uncertain }) }
      : null,
  };
}

/** When the status is to be written: while the claim starts, changes are collected for a while. */
function statusDueTime({ claim, monotonic: now, options, memory }: ObservedClaim, status: SandboxClaimStatus): number {
  const postpone = options.statusSettleMs > 0 && isStarting(claim, status) && statusWrite(claim, status) !== undefined;
  return postpone ? (memory?.statusSince ?? now) + options.statusSettleMs + AFTER_SANDBOX_MS : now;
}

/** What stays in memory until the reconciliation has come to a result. */
function pendingMemory({ memory }: ObservedClaim): ClaimMemory {
  const { statusSince, uncertain } = memory ?? {};
  return definedOnly({ statusSince, uncertain });
}

function reservation(candidate: Sandbox | undefined): ClaimMemory {
  return candidate === undefined ? {} : { reserved: `${namespaceOf(candidate)}/${nameOf(candidate)}` };
}
