import { EXTENSIONS_GROUP, LABEL, type Sandbox, type SandboxClaim } from 'agent-sandbox-api';
import { isDeleting, isOlder, labelOf } from '../object/metadata.js';
import { controllerOf, isOfKind, ownershipOf } from '../object/ownership.js';
import { jsonPatch, type Request } from '../reconcile/plan.js';
import { assignmentOf, nameOf, type ObservedClaim } from './observed.js';
import { poolKeyOf } from './warm-queue.js';

/**
 * The Sandbox that is the claim's. The controller of a Sandbox is decided by its owner reference alone, which is written under a
 * lock; the status only says which one counts should there ever be two.
 */
export function ownSandbox({ claim, owned, assigned }: Pick<ObservedClaim, 'claim' | 'owned' | 'assigned'>): Sandbox | undefined {
  const named = (name: string | undefined) => (name === undefined ? undefined : owned.find(sandbox => nameOf(sandbox) === name));
  return named(claim.status?.sandbox?.name)
    ?? named(assigned && nameOf(assigned))
    ?? named(nameOf(claim))
    ?? [...owned].sort((a, b) => Number(isDeleting(a)) - Number(isDeleting(b)) || (isOlder(a, b) ? -1 : 1))[0];
}

/**
 * Sandboxes that became the claim's beside the one that counts: a request that was considered lost was carried out after all.
 * No client knows their names.
 */
export function surplusOf({ claim, owned }: ObservedClaim, own: Sandbox): Sandbox[] {
  return owned.filter(sandbox =>
    sandbox.metadata.uid !== own.metadata.uid && !isDeleting(sandbox) && labelOf(sandbox, LABEL.claimUid) === claim.metadata.uid);
}

/** The idle Sandbox to adopt: the one that the original controller has assigned already, else the best of the pool. */
export function candidateOf({ assigned, target, offer }: ObservedClaim): Sandbox | undefined {
  const pool = assigned && poolKeyOf(assigned);
  return pool !== undefined && target.pools.includes(pool) ? assigned : offer.candidate;
}

/** Why the Sandbox of the claim's name blocks the claim, for a condition. */
export function namesakeText(claim: SandboxClaim, namesake: Sandbox): string {
  return `sandbox "${nameOf(namesake)}" is not controlled by claim "${nameOf(claim)}". Please use a different claim name or delete the sandbox manually`;
}

/** How the Sandbox of a claim was started, for one that does not say: a claim's cold Sandbox has the claim's name. */
export function launchTypeOf(claim: SandboxClaim, sandbox: Sandbox): 'warm' | 'cold' {
  const name = nameOf(sandbox);
  return assignmentOf(claim)?.name === name || name !== nameOf(claim) ? 'warm' : 'cold';
}

/**
 * Removes an assignment of the original controller that leads nowhere, because the Sandbox is gone or another claim's, unless
 * it has changed meanwhile. Annotation and label have the same key.
 */
export function staleAssignment({ claim, assigned }: ObservedClaim): Request[] {
  const assignment = assignmentOf(claim);
  const lost = assigned === undefined
    || (ownershipOf(assigned, claim) === 'foreign' && isOfKind(controllerOf(assigned), EXTENSIONS_GROUP, 'SandboxClaim'));
  if (assignment === undefined || !lost) {
    return [];
  }
  const path = `/metadata/${assignment.part}/${LABEL.sandboxName.replace('/', '~1')}`;
  return [jsonPatch(claim, [
    { op: 'test', path: '/metadata/uid', value: claim.metadata.uid },
    { op: 'test', path, value: assignment.name },
    { op: 'remove', path },
  ], { ignore: ['NotFound', 'Invalid', 'Conflict'] })];
}
