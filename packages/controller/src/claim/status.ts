import { CONDITION, type Condition, REASON, type Sandbox, type SandboxClaim, type SandboxClaimStatus, definedOnly } from 'agent-sandbox-api';
import { conditionOf, withCondition, withoutCondition, type NewCondition } from '../object/conditions.js';
import { mergeDiff } from '../object/diff.js';
import { parseTime } from '../object/time.js';
import { mergePatch, type PatchRequest } from '../reconcile/plan.js';
import type { BindResult } from './bind-result.js';
import type { Problem } from './problem.js';
import { changedParts } from './request.js';

type Verdict = Pick<Condition, 'status' | 'reason' | 'message'> & { readonly lastTransitionTime?: string };

/** Reasons of claims that are starting; they follow each other quickly. */
const STARTING: readonly string[] = [
  REASON.sandboxNotReady, REASON.dependenciesNotReady, REASON.networkPolicyNotReady, REASON.adoptionConflict, REASON.sandboxCreatePending,
];

/** The status of a claim that has not expired. */
export function claimStatus(claim: SandboxClaim, { sandbox, problem }: Pick<BindResult, 'sandbox' | 'problem'>, now: number): SandboxClaimStatus {
  const before = claim.status ?? {};
  if (problem?.reason === REASON.sandboxCreatePending && before.sandbox?.name) {
    return before;
  }
  const finished = conditionOf(sandbox?.status?.conditions, CONDITION.finished);
  const others = finished === undefined
    ? withoutCondition(before.conditions, CONDITION.finished)
    : withCondition(before.conditions, finished, now);
  const changed = sandbox === undefined ? [] : changedParts(claim, sandbox);
  const rest = changed.length === 0 ? withoutCondition(others, CONDITION.upToDate) : withCondition(others, outdated(claim, sandbox!, changed), now);
  return {
    conditions: sorted(withCondition(rest, readyCondition(claim, readyVerdict(sandbox, problem)), now)),
    // A problem says nothing about the binding.
    ...bindingOf(sandbox === undefined ? problem && before.sandbox : { ...sandbox.status, name: sandbox.metadata.name }),
  };
}

/** Only while it is false: what a claim asks for has no effect on the Sandbox that it has. */
function outdated({ metadata: { generation } }: SandboxClaim, sandbox: Sandbox, changed: readonly string[]): NewCondition {
  return {
    type: CONDITION.upToDate,
    status: 'False',
    reason: REASON.claimChanged,
    message: `the Sandbox "${sandbox.metadata.name}" is that of an earlier ${changed.join(', ')}: create another claim, or delete the Sandbox and with it its data, to apply the change`,
    ...definedOnly({ observedGeneration: generation }),
  };
}

/** The status of a claim that has expired. Its Sandbox is named as long as it exists; `unowned`: text about one that is not the claim's. */
export function expiredStatus(
  claim: SandboxClaim,
  { bound, unowned }: { readonly bound: boolean; readonly unowned?: string },
  now: number,
): SandboxClaimStatus {
  const message = unowned === undefined ? 'Claim expired. Sandbox cleanup initiated.' : `Claim expired. ${unowned}`;
  const ready = readyCondition(claim, { status: 'False', reason: REASON.claimExpired, message });
  return {
    conditions: sorted(withCondition(claim.status?.conditions, ready, now)),
    ...(bound ? bindingOf(claim.status?.sandbox) : {}),
  };
}

/** The request that stores a status, refused when the claim has changed meanwhile; none where nothing changed. */
export function statusWrite(claim: SandboxClaim, status: SandboxClaimStatus): PatchRequest | undefined {
  const diff = mergeDiff(claim.status ?? {}, status);
  const { resourceVersion } = claim.metadata;
  // A conflict is no failure: the write that caused it requeues the claim.
  return diff === undefined ? undefined : mergePatch(claim, { status: diff }, { subresource: 'status', ignore: ['NotFound', 'Conflict'], resourceVersion });
}

/** Whether the claim has not been ready yet, when statuses follow each other quickly. */
export function isStarting(claim: SandboxClaim, status: SandboxClaimStatus): boolean {
  const [before, after] = [conditionOf(claim.status?.conditions, CONDITION.ready), conditionOf(status.conditions, CONDITION.ready)];
  return STARTING.includes(after?.reason ?? '') && (before === undefined || STARTING.includes(before.reason));
}

function readyVerdict(sandbox: Sandbox | undefined, problem: Problem | undefined): Verdict {
  if (problem !== undefined) {
    return { status: 'False', reason: problem.reason, message: problem.message };
  }
  if (sandbox === undefined) {
    return { status: 'False', reason: REASON.sandboxMissing, message: 'Sandbox does not exist' };
  }
  const ready = conditionOf(sandbox.status?.conditions, CONDITION.ready);
  if (ready?.reason === REASON.sandboxExpired) {
    return { status: 'False', reason: REASON.sandboxExpired, message: 'Underlying Sandbox resource has expired independently of the Claim.' };
  }
  return ready ?? { status: 'False', reason: REASON.sandboxNotReady, message: 'Sandbox is not ready' };
}

function readyCondition(claim: SandboxClaim, { status, reason, message, lastTransitionTime }: Verdict): NewCondition {
  const { generation } = claim.metadata;
  return {
    type: CONDITION.ready,
    status,
    reason,
    message,
    ...definedOnly({
      lastTransitionTime: lastTransitionTime === undefined ? undefined : later(lastTransitionTime, claim.metadata.creationTimestamp),
      observedGeneration: generation,
    }),
  };
}

/** A member of a pool was ready before its claim was created; the claim was not. */
function later(time: string, other: string | undefined): string {
  return (parseTime(other) ?? -Infinity) > (parseTime(time) ?? Infinity) ? other! : time;
}

function bindingOf(sandbox: SandboxClaimStatus['sandbox']): Pick<SandboxClaimStatus, 'sandbox' | 'sandboxName'> {
  if (!sandbox?.name) {
    return {};
  }
  const { name, podIPs, serviceFQDN } = sandbox;
  return { sandbox: { name, ...(podIPs?.length ? { podIPs } : {}), ...(serviceFQDN ? { serviceFQDN } : {}) }, sandboxName: name };
}

function sorted(conditions: readonly Condition[]): Condition[] {
  return [...conditions].sort((a, b) => (a.type < b.type ? -1 : a.type > b.type ? 1 : 0));
}
