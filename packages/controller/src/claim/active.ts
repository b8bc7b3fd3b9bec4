import { REASON, type Sandbox } from 'agent-sandbox-api';
import { hindranceOf, type Hindrance } from '../blueprint/readiness.js';
import { isDeleting, ownershipOf, parseTime } from '../object.js';
import { get, refOf } from '../plan.js';
import { ask, then, value, type Step } from '../step.js';
import { ensureForeignPolicy, namespacedReferences } from '../template/foreign.js';
import { adopt, type Finding } from './adopt.js';
import { createSandbox } from './cold.js';
import { candidateOf, namesakeText, ownSandbox } from './locate.js';
import { usableTemplate, type ObservedClaim } from './observed.js';
import { metadataProblem } from './pod-metadata.js';
import { problem, type Problem } from './problem.js';
import { syncSandbox } from './sync.js';

/** How long a new claim waits for a member of its pool to get an address, rather than start a Sandbox of its own. */
const GRACE_MS = 2000;
/** A member that gets an address wakes the claim; this is for what was overlooked. */
const RETRY_MS = 500;

/** Finds the Sandbox of a claim that has not expired, or gives it one. */
export function findSandbox(observed: ObservedClaim): Step<Finding> {
  const { claim, memory, options } = observed;
  const own = ownSandbox(observed);
  const invalid = metadataProblem(claim.spec.additionalPodMetadata ?? {}, options.labelDomains);
  if (invalid !== undefined) {
    return value({ ...(own === undefined ? {} : { sandbox: own }), problem: problem.invalidMetadata(invalid) });
  }
  if (own !== undefined) {
    return then(foreignPolicy(observed), (hindered) => then(syncSandbox(observed, own), (finding) => value({ ...hindered, ...finding })));
  }
  if (memory?.uncertain === undefined) {
    return obtain(observed);
  }
  const { uncertain } = memory;
  return ask(get(uncertain), (outcome): Step<Finding> => {
    if (outcome.ok && ownershipOf(outcome.object!, claim) === 'own') {
      return value({ sandbox: outcome.object as Sandbox });
    }
    return outcome.ok || outcome.failure.reason === 'NotFound' ? obtain(observed) : value({ problem: problem.failure(outcome.failure), uncertain });
  });
}

/** The idle Sandbox that the pass is going to adopt, so that nobody else does. */
export function plannedAdoption(observed: ObservedClaim): Sandbox | undefined {
  return ownSandbox(observed) === undefined && obstacle(observed) === undefined ? candidateOf(observed) : undefined;
}

function obtain(observed: ObservedClaim): Step<Finding> {
  const { claim, namesake } = observed;
  if (namesake !== undefined && ownershipOf(namesake, claim) !== 'own') {
    return value({ problem: problem.error(namesakeText(claim, namesake)), blockedBy: [refOf(namesake)] });
  }
  const hindered = obstacle(observed);
  if (hindered !== undefined) {
    return value(hindered);
  }
  const candidate = candidateOf(observed);
  if (candidate !== undefined) {
    return adopt(observed, candidate);
  }
  const waitMs = graceLeft(observed);
  if (waitMs > 0) {
    return value({ waitMs: Math.min(waitMs, RETRY_MS) });
  }
  const template = usableTemplate(observed);
  if (template === undefined || isDeleting(template)) {
    return value({ problem: problem.templateNotFound(observed.target.inUse?.name ?? '') });
  }
  return then(foreignPolicy(observed), (policy) => (policy.problem === undefined ? createSandbox(observed, template) : value(policy)));
}

/** Why the claim cannot have any Sandbox, new or idle. */
function obstacle(observed: ObservedClaim): Finding | undefined {
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
  const hindrance = template === undefined || isDeleting(template) ? undefined : hindranceOf(inUse!);
  return hindrance && { problem: problemOf(hindrance), blockedBy: hindrance.blockedBy };
}

function problemOf({ reason, message }: Hindrance): Problem {
  return reason === REASON.networkPolicyNotReady ? problem.networkPolicyNotReady(message) : problem.invalidConfiguration(message);
}

function foreignReferencesText(name: string, references: readonly string[]): string {
  return `the SandboxTemplate "${name}" of another namespace names objects of its namespace, which would be others here: ${references.join(', ')}`;
}

/** Keeps the policy of a foreign template in the claim's namespace. The template's consent is needed for new Sandboxes only. */
function foreignPolicy(observed: ObservedClaim): Step<Finding> {
  const { claim, target: { foreign, inUse } } = observed;
  if (!foreign || inUse?.template === undefined || isDeleting(inUse.template)) {
    return value({});
  }
  return then(ensureForeignPolicy(inUse.template, claim, inUse.policy), ({ ready, errors, blockedBy }) => {
    if (ready) {
      return value<Finding>({});
    }
    const notReady = problem.networkPolicyNotReady(`the NetworkPolicy of the SandboxTemplate "${inUse.name}" is not in place yet`);
    const failed = errors.filter(({ reason }) => reason !== 'Conflict' && reason !== 'AlreadyExists');
    // Claims that begin at the same time all write the one policy: whoever was too late tries again.
    const late: Problem = errors.length > 0 ? { ...notReady, then: 'back off' } : notReady;
    return value<Finding>({ problem: failed.length > 0 ? problem.error(failed.map(({ message }) => message).join('\n')) : late, blockedBy });
  });
}

/**
 * Milliseconds that the claim may still wait for members that have no address yet. Its creation is told in whole seconds by
 * another clock, so the time at which this process first saw it is better where there is one.
 */
function graceLeft({ claim, offer, firstSeen, now }: ObservedClaim): number {
  const since = firstSeen ?? parseTime(claim.metadata.creationTimestamp);
  return offer.pending && since !== undefined ? Math.max(0, since + GRACE_MS - now) : 0;
}

