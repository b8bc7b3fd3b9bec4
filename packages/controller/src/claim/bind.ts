import { CONDITION, type Sandbox } from 'agent-sandbox-api';
import { isConditionTrue } from '../object/conditions.js';
import { isDeleting } from '../object/metadata.js';
import { ownershipOf } from '../object/ownership.js';
import { get, type Ref } from '../reconcile/plan.js';
import { andThen, ask, value, type Step } from '../reconcile/step.js';
import { ensureForeignPolicy } from '../template/foreign.js';
import { adopt } from './adopt.js';
import type { BindResult } from './bind-result.js';
import { createSandbox } from './cold.js';
import type { Acquisition, Decision } from './decide.js';
import type { ObservedClaim } from './observed.js';
import { problem, type Problem } from './problem.js';
import { syncSandbox } from './sync.js';

/** Carries out a decision. */
export function bind(observed: ObservedClaim, decision: Decision): Step<BindResult> {
  switch (decision.action) {
    case 'keep':
      return keep(observed, decision.sandbox);
    case 'confirm':
      return confirm(observed, decision.sandbox, decision.otherwise);
    default:
      return acquire(observed, decision);
  }
}

function acquire(observed: ObservedClaim, acquisition: Acquisition): Step<BindResult> {
  switch (acquisition.action) {
    case 'reject':
      return value(acquisition.result);
    case 'wait':
      return value({ waitMs: acquisition.ms });
    case 'adopt':
      return adopt(observed, acquisition.candidate);
    case 'create':
      return andThen(foreignPolicy(observed), policy =>
        (policy.problem === undefined ? createSandbox(observed, acquisition.template) : value(policy)));
  }
}

function keep(observed: ObservedClaim, sandbox: Sandbox): Step<BindResult> {
  return andThen(foreignPolicy(observed), policy => andThen(syncSandbox(observed, sandbox), synced => value({ ...policy, ...synced })));
}

/** Reads a Sandbox past the cache that may belong to the claim. */
function confirm(observed: ObservedClaim, uncertain: Ref, otherwise: Acquisition): Step<BindResult> {
  return ask(get(uncertain), (outcome): Step<BindResult> => {
    if (outcome.ok && ownershipOf(outcome.object!, observed.claim) === 'own') {
      return value({ sandbox: outcome.object as Sandbox });
    }
    return outcome.ok || outcome.failure.reason === 'NotFound'
      ? acquire(observed, otherwise)
      : value({ problem: problem.failure(outcome.failure), uncertain });
  });
}

/** Keeps the policy of a foreign template in the claim's namespace. The template's consent is needed for new Sandboxes only. */
function foreignPolicy(observed: ObservedClaim): Step<BindResult> {
  const { claim, own, foreignPods: pods = [], target: { foreign, inUse } } = observed;
  if (!foreign || inUse?.template === undefined || isDeleting(inUse.template)) {
    return value({});
  }
  const settled = isConditionTrue(own?.status?.conditions, CONDITION.ready);
  return andThen(ensureForeignPolicy(inUse.template, { claim, pods, settled }, inUse.policy), ({ ready, errors, blockedBy }) => {
    if (ready) {
      return value<BindResult>({});
    }
    const notReady = problem.networkPolicyNotReady(`the NetworkPolicy of the SandboxTemplate "${inUse.name}" is not in place yet`);
    const failed = errors.filter(({ reason }) => reason !== 'Conflict' && reason !== 'AlreadyExists');
    // Claims that start at the same time all write the one policy: those that lost the race retry.
    const lost: Problem = errors.length > 0 ? { ...notReady, retry: 'backoff' } : notReady;
    return value<BindResult>({ problem: failed.length > 0 ? problem.error(failed.map(({ message }) => message).join('\n')) : lost, blockedBy });
  });
}
