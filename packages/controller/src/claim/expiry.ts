import { CONDITION, type Condition, REASON, type Sandbox, type SandboxClaim, definedOnly } from 'agent-sandbox-api';
import { conditionOf } from '../object/conditions.js';
import { isDeleting } from '../object/metadata.js';
import { parseTime } from '../object/time.js';
import { event, failuresOf, remove, stage, type Plan, type Request } from '../reconcile/plan.js';
import { nameOf, type ClaimMemory, type ObservedClaim } from './observed.js';
import { expiredStatus, statusWrite } from './status.js';

/** Milliseconds until the claim expires, 0 when it has; `undefined` when it does not, as things are. */
export function timeLeft({ spec: { lifecycle } }: SandboxClaim, conditions: readonly Condition[] | undefined, now: number): number | undefined {
  const finished = conditionOf(conditions, CONDITION.finished);
  const end = finished?.status === 'True' ? parseTime(finished.lastTransitionTime) : undefined;
  const ttl = lifecycle?.ttlSecondsAfterFinished;
  const deadlines = [
    parseTime(lifecycle?.shutdownTime) ?? Infinity,
    end === undefined || ttl === undefined ? Infinity : end + ttl * 1000,
  ];
  const deadline = Math.min(...deadlines);
  return deadline === Infinity ? undefined : Math.max(0, deadline - now);
}

/** Marks the claim as expired first; later reconciliations delete what its policy says. */
export function planExpired(observed: ObservedClaim): Plan<ClaimMemory> {
  const { claim } = observed;
  if (conditionOf(claim.status?.conditions, CONDITION.ready)?.reason !== REASON.claimExpired) {
    return markExpired(observed, claim);
  }
  const policy = claim.spec.lifecycle?.shutdownPolicy;
  return policy === 'Delete' || policy === 'DeleteForeground' ? deleteClaim(claim, policy) : deleteSandboxes(observed);
}

/** Writes the condition only; the Sandbox stays until it is stored. `seen`: the claim with the conditions that go with it. */
export function markExpired({ claim, now }: ObservedClaim, seen: SandboxClaim): Plan<ClaimMemory> {
  const write = statusWrite(claim, expiredStatus(seen, { bound: true }, now));
  return stage<ClaimMemory>(write === undefined ? [] : [write], ([outcome]) => (outcome?.ok ?? true
    ? { requests: [event(claim, { type: 'Normal', reason: REASON.claimExpired, action: 'Claim Expired', note: 'Claim expired' })], requeueAfterMs: 1, memory: null }
    // The conflicting write requeues the claim.
    : { requests: [], errors: failuresOf([write!], [outcome!]), memory: null }));
}

/** Garbage collection takes the Sandbox along, before the claim with `DeleteForeground`. */
function deleteClaim(claim: SandboxClaim, policy: 'Delete' | 'DeleteForeground'): Plan<ClaimMemory> {
  const request = remove(claim, { propagation: policy === 'Delete' ? 'Background' : 'Foreground' });
  return stage<ClaimMemory>([request], outcomes => {
    const errors = failuresOf([request], outcomes);
    const note = `Deleting Claim (ShutdownPolicy=${policy})`;
    return {
      requests: outcomes[0]?.ok ? [event(claim, { type: 'Normal', reason: REASON.claimExpired, action: 'Deleting', note })] : [],
      errors,
      memory: null,
    };
  });
}

/**
 * Keeps the claim, without its Sandbox. Failed deletions are retried with back-off; the status says throughout
 * that the claim has expired.
 */
function deleteSandboxes({ claim, owned, bound, namesake, now }: ObservedClaim): Plan<ClaimMemory> {
  if (owned.length > 0) {
    return { requests: owned.filter(sandbox => !isDeleting(sandbox)).map((sandbox): Request => remove(sandbox)), memory: null };
  }
  const named = claim.status?.sandbox?.name;
  const other = named ? bound : namesake;
  if (!named && other === undefined) {
    // Done before; the message of then stays.
    return { requests: [], memory: null };
  }
  const status = expiredStatus(claim, { bound: false, ...definedOnly({ unowned: other && unownedText(claim, other) }) }, now);
  const write = statusWrite(claim, status);
  return { requests: write === undefined ? [] : [write], memory: null };
}

function unownedText(claim: SandboxClaim, sandbox: Sandbox): string {
  return `sandbox not owned by this claim: sandbox "${nameOf(sandbox)}" is not owned by claim "${nameOf(claim)}"; deletion skipped.`;
}
