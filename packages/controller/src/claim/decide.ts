import { REASON, type Sandbox, type SandboxTemplate, definedOnly } from 'agent-sandbox-api';
import { unmetPrecondition, type UnmetPrecondition } from '../blueprint/template-in-use.js';
import { isDeleting } from '../object/metadata.js';
import { ownershipOf } from '../object/ownership.js';
import { unreadableTime } from '../object/time.js';
import { refOf, type Ref } from '../reconcile/plan.js';
import { namespacedReferences } from '../template/foreign.js';
import { adoptionPatch } from './adopt.js';
import type { BindResult } from './bind-result.js';
import { candidateOf, namesakeText } from './locate.js';
import { usableTemplate, type ObservedClaim } from './observed.js';
import { metadataProblem } from './pod-metadata.js';
import { problem, type Problem } from './problem.js';

/**
 * How a claim that has not expired gets its Sandbox. Decided once per reconciliation, before anything is sent: the candidate is
 * reserved, bound and counted from the same decision.
 */
export type Decision =
  | { readonly action: 'keep'; readonly sandbox: Sandbox }
  /** The answer to an earlier request was lost: read the Sandbox; if it is not the claim's, do the other. */
  | { readonly action: 'confirm'; readonly sandbox: Ref; readonly otherwise: Acquisition }
  | Acquisition;

/** How a claim without a Sandbox gets one. */
export type Acquisition =
  | { readonly action: 'reject'; readonly result: BindResult }
  | { readonly action: 'adopt'; readonly candidate: Sandbox }
  /** Members of the pool are about to become usable. */
  | { readonly action: 'wait'; readonly ms: number }
  | { readonly action: 'create'; readonly template: SandboxTemplate };

/** How long a new claim waits for a member of its pool to get an address before it starts a cold Sandbox, in milliseconds. */
const GRACE_MS = 2000;
/** A member that gets an address requeues the claim; this interval covers an event that was missed. */
const RETRY_MS = 500;

/** Decides how the claim gets its Sandbox. */
export function decide(observed: ObservedClaim): Decision {
  const { claim, own, memory, options } = observed;
  const metadata = metadataProblem(claim.spec.additionalPodMetadata ?? {}, options.labelDomains);
  const time = unreadableTime('spec.lifecycle.shutdownTime', claim.spec.lifecycle?.shutdownTime);
  if (metadata !== undefined || time !== undefined) {
    const rejected = metadata === undefined ? problem.invalidConfiguration(time!) : problem.invalidMetadata(metadata);
    return { action: 'reject', result: { problem: rejected, ...definedOnly({ sandbox: own }) } };
  }
  if (own !== undefined) {
    return { action: 'keep', sandbox: own };
  }
  const acquisition = acquire(observed);
  return memory?.uncertain === undefined ? acquisition : { action: 'confirm', sandbox: memory.uncertain, otherwise: acquisition };
}

/** The idle Sandbox that the claim adopts if the decision is carried out, which other claims must not take meanwhile. */
export function candidateIn(decision: Decision): Sandbox | undefined {
  const acquisition = decision.action === 'confirm' ? decision.otherwise : decision;
  return acquisition.action === 'adopt' ? acquisition.candidate : undefined;
}

function acquire(observed: ObservedClaim): Acquisition {
  const { claim, namesake, target } = observed;
  if (namesake !== undefined && ownershipOf(namesake, claim) !== 'own') {
    return { action: 'reject', result: { problem: problem.error(namesakeText(claim, namesake)), blockedBy: [refOf(namesake)] } };
  }
  const rejected = targetProblem(observed);
  if (rejected !== undefined) {
    return { action: 'reject', result: rejected };
  }
  const candidate = candidateOf(observed);
  if (candidate !== undefined) {
    // Refused here, so that no member is reserved in vain.
    const patch = adoptionPatch(observed, candidate);
    return 'reason' in patch ? { action: 'reject', result: { problem: patch } } : { action: 'adopt', candidate };
  }
  const ms = graceLeft(observed);
  if (ms > 0) {
    return { action: 'wait', ms: Math.min(ms, RETRY_MS) };
  }
  const template = usableTemplate(observed);
  return template === undefined || isDeleting(template)
    ? { action: 'reject', result: { problem: problem.templateNotFound(target.inUse?.name ?? '') } }
    : { action: 'create', template };
}

/** Why the pool or template that the claim names can give it no Sandbox, neither a new one nor an idle one. */
function targetProblem(observed: ObservedClaim): BindResult | undefined {
  const { target: { poolName, pool, inUse, foreign, pools } } = observed;
  if (poolName !== undefined && pool === undefined) {
    return { problem: problem.warmPoolNotFound(poolName) };
  }
  if (pool !== undefined && pools.length === 0) {
    const message = `the SandboxWarmPool "${poolName}" is of the template "${pool.spec.sandboxTemplateRef.name}", not of "${inUse?.name}": name one or the other`;
    return { problem: problem.invalidConfiguration(message) };
  }
  const template = usableTemplate(observed);
  if (foreign && template !== undefined) {
    const references = namespacedReferences(template);
    return references.length === 0 ? undefined : { problem: problem.invalidConfiguration(foreignReferencesText(inUse!.name, references)) };
  }
  // Members outlive their template: they have everything that they need of it.
  const unmet = template === undefined || isDeleting(template) ? undefined : unmetPrecondition(inUse!);
  return unmet && { problem: problemOf(unmet), blockedBy: unmet.blockedBy };
}

function problemOf({ reason, message }: UnmetPrecondition): Problem {
  return reason === REASON.networkPolicyNotReady ? problem.networkPolicyNotReady(message) : problem.invalidConfiguration(message);
}

function foreignReferencesText(name: string, references: readonly string[]): string {
  return `the SandboxTemplate "${name}" of another namespace names objects of its namespace, which would be others here: ${references.join(', ')}`;
}

/** Milliseconds that the claim may still wait for members that have no address yet, since it first did so. */
function graceLeft({ offer, memory, monotonic }: ObservedClaim): number {
  return offer.pending ? Math.max(0, (memory?.waitingSince ?? monotonic) + GRACE_MS - monotonic) : 0;
}
