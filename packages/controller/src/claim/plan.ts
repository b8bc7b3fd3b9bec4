import {
  ANNOTATION, CONDITION, EXTENSIONS_GROUP, LABEL, LAUNCH_TYPE, REASON, type Sandbox, type SandboxClaim, type SandboxClaimStatus,
} from 'agent-sandbox-api';
import { poolNameOf } from '../blueprint/stale.js';
import { annotationOf, controllerOf, isConditionTrue, isDeleting, isOfKind, labelOf } from '../object.js';
import { event, failuresOf, refusal, remove, stage, type Failure, type Plan, type Request } from '../plan.js';
import { all, ask, planOf, then, value, type Step } from '../step.js';
import { findSandbox, plannedAdoption } from './active.js';
import type { Finding } from './adopt.js';
import { prepare, readyAnnotations } from './annotations.js';
import { markExpired, planExpired, timeLeft } from './expiry.js';
import { ownSandbox, surplusOf } from './locate.js';
import { createdMeasure, readyMeasures } from './measures.js';
import { nameOf, namespaceOf, type ClaimMemory, type ObservedClaim } from './observed.js';
import { claimStatus, isStarting, statusWrite } from './status.js';

/**
 * The status of a new Sandbox waits for as long as that of its claim. Where the claim waits a little longer, one write tells
 * what would be two.
 */
const AFTER_SANDBOX_MS = 200;

/**
 * One pass over a claim: its Sandbox, then its status. The Sandbox of a pool is adopted in one write and the status follows
 * from the answer to it, so that a warm claim costs two writes here. A pass that finds everything in order sends nothing.
 */
export function planClaim(observed: ObservedClaim): Plan<ClaimMemory> {
  const { claim, now } = observed;
  if (isDeleting(claim)) {
    return { requests: [], memory: null };
  }
  if (timeLeft(claim, claim.status?.conditions, now) === 0) {
    return planExpired(observed);
  }
  const step = then(prepare(observed), (prepared) => ('failure' in prepared
    ? value<Pass>({ failed: prepared.failure.message })
    : then(all<[Finding, undefined]>([findSandbox(prepared.observed), dropLegacyPolicy(observed)]), ([finding]) =>
      value<Pass>({ observed: prepared.observed, finding }))));
  const plan = planOf(step, (pass): Plan<ClaimMemory> => ('failed' in pass
    ? { requests: [], errors: [refusal(pass.failed)], memory: memoryAfter(observed) }
    : finish(pass.observed, pass.finding)));
  // The candidate is reserved before anything is sent.
  return plan.next === undefined ? plan : { ...plan, memory: memoryDuring(observed) };
}

type Pass = { readonly observed: ObservedClaim; readonly finding: Finding } | { readonly failed: string };

/** Controllers of the first generation made a policy per claim, which would go on to confine its Pods beside the template's. */
function dropLegacyPolicy({ claim, legacyPolicy }: ObservedClaim): Step<undefined> {
  const controller = legacyPolicy && controllerOf(legacyPolicy);
  const own = isOfKind(controller, EXTENSIONS_GROUP, 'SandboxClaim') && controller?.uid === claim.metadata.uid;
  // Nothing depends on it; the next pass tries again.
  return own && !isDeleting(legacyPolicy!) ? ask(remove(legacyPolicy!), () => value(undefined)) : value(undefined);
}

function finish(observed: ObservedClaim, finding: Finding): Plan<ClaimMemory> {
  const { claim, now, target } = observed;
  const left = timeLeft(claim, claim.status?.conditions, now) ?? Infinity;
  if (finding.waitMs !== undefined) {
    return { requests: [], requeueAfterMs: Math.min(finding.waitMs, left), memory: { ...memoryAfter(observed), waitingFor: target.pools } };
  }
  const status = claimStatus(claim, finding, now);
  if (timeLeft(claim, status.conditions, now) === 0) {
    return markExpired(observed, { ...claim, status });
  }
  const due = statusDueTime(observed, status);
  const write = due > now ? undefined : statusWrite(claim, status);
  const own = ownSandbox(observed);
  const surplus = own === undefined ? [] : surplusOf(observed, own);
  const requests: Request[] = [
    ...(write === undefined ? [] : [write]),
    ...surplus.map((sandbox) => remove(sandbox, { resourceVersion: sandbox.metadata.resourceVersion })),
  ];
  return stage<ClaimMemory>(requests, (outcomes) => ({
    ...conclusion(observed, finding, status, write !== undefined && outcomes[0]!.ok),
    ...ending(observed, finding, failuresOf(requests, outcomes), due),
  }));
}

/** What is told once the status is stored: that a claim got its Sandbox, and that it became ready. */
function conclusion(observed: ObservedClaim, { sandbox }: Finding, status: SandboxClaimStatus, stored: boolean): Pick<Plan, 'requests'> {
  const { claim, options, firstSeen } = observed;
  const [wasReady, isReady] = [claim.status, status].map((state) => isConditionTrue(state?.conditions, CONDITION.ready));
  const annotations = stored || statusWrite(claim, status) === undefined ? readyAnnotations(observed, status) : [];
  const first = stored && isReady && !wasReady && (options.annotate ? !annotationOf(claim, ANNOTATION.claimFirstReadyAt) : firstSeen !== undefined);
  const bound = stored && sandbox !== undefined && !claim.status?.sandbox?.name;
  return {
    requests: [
      ...(bound ? [bindingEvent(claim, sandbox), createdMeasure(claim, sandbox, poolOf(observed))] : []),
      ...(first ? readyMeasures(observed, sandbox) : []),
      ...annotations,
    ],
  };
}

function ending(
  observed: ObservedClaim,
  finding: Finding,
  failures: readonly Failure[],
  due: number,
): Omit<Plan<ClaimMemory>, 'requests' | 'next'> {
  const { claim, now } = observed;
  const { problem, uncertain, blockedBy = [] } = finding;
  const postponed = due > now;
  const wishes = [
    timeLeft(claim, finding.sandbox?.status?.conditions ?? claim.status?.conditions, now),
    postponed ? due - now : undefined,
    typeof problem?.then === 'object' ? problem.then.waitMs : undefined,
  ].filter((wish): wish is number => wish !== undefined);
  return {
    errors: [...failures, ...(problem?.then === 'back off' ? [refusal(problem.message)] : [])],
    blockedBy,
    ...(wishes.length === 0 ? {} : { requeueAfterMs: Math.max(1, Math.min(...wishes)) }),
    memory: postponed || uncertain !== undefined
      ? { ...(postponed ? { statusSince: observed.memory?.statusSince ?? now } : {}), ...(uncertain === undefined ? {} : { uncertain }) }
      : null,
  };
}

/** When the status is to be written: while the claim starts, changes gather for a while. */
function statusDueTime({ claim, now, options, memory }: ObservedClaim, status: SandboxClaimStatus): number {
  const postpone = options.statusSettleMs > 0 && isStarting(claim, status) && statusWrite(claim, status) !== undefined;
  return postpone ? (memory?.statusSince ?? now) + options.statusSettleMs + AFTER_SANDBOX_MS : now;
}

function memoryDuring(observed: ObservedClaim): ClaimMemory {
  const candidate = plannedAdoption(observed);
  return { ...memoryAfter(observed), ...(candidate === undefined ? {} : { reserved: `${namespaceOf(candidate)}/${nameOf(candidate)}` }) };
}

/** What stays remembered when nothing has been found out. */
function memoryAfter({ memory }: ObservedClaim): ClaimMemory {
  const { statusSince, uncertain } = memory ?? {};
  return { ...(statusSince === undefined ? {} : { statusSince }), ...(uncertain === undefined ? {} : { uncertain }) };
}

function bindingEvent(claim: SandboxClaim, sandbox: Sandbox): Request {
  const name = nameOf(sandbox);
  return labelOf(sandbox, LABEL.launchType) === LAUNCH_TYPE.warm
    ? event(claim, { type: 'Normal', reason: REASON.sandboxAdopted, action: 'Adoption', note: `Adopted warm pool Sandbox "${name}"` })
    : event(claim, { type: 'Normal', reason: REASON.sandboxProvisioned, action: 'Provisioning', note: `Created Sandbox "${name}"` });
}

/** Name of the pool that the Sandbox came from, or that the claim names. */
function poolOf(observed: ObservedClaim): string | undefined {
  const candidate = plannedAdoption(observed);
  return observed.target.poolName ?? (candidate && poolNameOf(candidate));
}
