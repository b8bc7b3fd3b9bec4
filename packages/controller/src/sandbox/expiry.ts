import { CONDITION, REASON, type Sandbox } from 'agent-sandbox-api';
import { conditionOf, withCondition } from '../object/conditions.js';
import { isDeleting } from '../object/metadata.js';
import { ownershipOf } from '../object/ownership.js';
import { parseTime } from '../object/time.js';
import { remove, type Failure, type Plan } from '../reconcile/plan.js';
import { all, ask, planOf, value, type Step } from '../reconcile/step.js';
import { EXPIRED, expiredConditions } from './conditions.js';
import { expiredEvent } from './events.js';
import { expiredMeasure } from './measures.js';
import type { ObservedSandbox, SandboxMemory } from './observed.js';
import { deletePods, findPods } from './pod.js';
import { statusWrite } from './status.js';

/** Time to wait at least for an expiry that is near. */
const SHORTEST_WAIT_MS = 2000;

/** Milliseconds until the Sandbox expires, 0 when it has; `undefined` when it never does. */
export function timeLeft(sandbox: Sandbox, now: number): number | undefined {
  const deadline = parseTime(sandbox.spec.shutdownTime);
  return deadline === undefined ? undefined : Math.max(0, deadline - now);
}

/** When to look again for the expiry. */
export function expiryRequeue(left: number): number {
  return Math.max(left, SHORTEST_WAIT_MS);
}

/** Marks the Sandbox as expired first; the next reconciliation deletes its children. */
export function planExpired(observed: ObservedSandbox): Plan<SandboxMemory> {
  const { sandbox, now } = observed;
  return conditionOf(sandbox.status?.conditions, CONDITION.ready)?.reason === REASON.sandboxExpired ? cleanUp(observed) : markExpired(sandbox, now);
}

/** Writes the condition only; children stay until it is stored. */
function markExpired(sandbox: Sandbox, now: number): Plan<SandboxMemory> {
  const write = statusWrite(sandbox, { ...sandbox.status, conditions: expiredConditions(sandbox, now) });
  return { requests: write === undefined ? [] : [write, expiredEvent(sandbox), expiredMeasure(sandbox)], requeueAfterMs: 1, memory: null };
}

function cleanUp(observed: ObservedSandbox): Plan<SandboxMemory> {
  const { sandbox, now } = observed;
  const children = all<[readonly Failure[], readonly Failure[]]>([deletePods(findPods(observed).owned), deleteService(observed)]);
  return planOf<[readonly Failure[], readonly Failure[]], SandboxMemory>(children, results => {
    const errors = results.flat();
    if (sandbox.spec.shutdownPolicy === 'Delete') {
      // Garbage collection removes objects that could not be deleted here; the failures are still reported.
      return { requests: [remove(sandbox)], errors, memory: null };
    }
    if (errors.length > 0) {
      return { requests: [], errors, memory: null };
    }
    const ready = { type: CONDITION.ready, ...EXPIRED, observedGeneration: sandbox.metadata.generation };
    const write = statusWrite(sandbox, { conditions: withCondition(sandbox.status?.conditions, ready, now), replicas: 0 });
    return { requests: write === undefined ? [] : [write], memory: null };
  });
}

function deleteService({ sandbox, service }: ObservedSandbox): Step<readonly Failure[]> {
  if (service === undefined || ownershipOf(service, sandbox) !== 'own' || isDeleting(service)) {
    return value([]);
  }
  return ask(remove(service), outcome => value(outcome.ok || outcome.failure.reason === 'NotFound' ? [] : [outcome.failure]));
}
