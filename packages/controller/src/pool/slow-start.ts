import { failuresOf, type Outcome, type Request } from '../reconcile/plan.js';
import { value, type Step } from '../reconcile/step.js';

/**
 * Sends requests in concurrent batches of 1, 2, 4, 8, … (slow start) and stops after a batch with a failure, since the API server
 * would most likely refuse all of them.
 *
 * @returns the outcomes of the requests that were sent, in their order
 */
export function slowStart(requests: readonly Request[]): Step<readonly Outcome[]> {
  return batchesFrom(requests, [], 1, 1);
}

/** As `slowStart`, for requests about different objects: tolerates a few failures, so that one protected object does not block the rest. */
export function tolerantSlowStart(requests: readonly Request[]): Step<readonly Outcome[]> {
  return batchesFrom(requests, [], 1, MOST_FAILURES);
}

/** Failures after which no further batch is sent. */
const MOST_FAILURES = 10;

function batchesFrom(requests: readonly Request[], sent: readonly Outcome[], size: number, failuresLeft: number): Step<readonly Outcome[]> {
  const batch = requests.slice(sent.length, sent.length + size);
  if (batch.length === 0 || failuresLeft <= 0) {
    return value(sent);
  }
  return {
    done: false,
    requests: batch,
    next: outcomes => {
      const failures = failuresOf(batch, outcomes).length;
      return batchesFrom(requests, [...sent, ...outcomes], failures > 0 ? size : size * 2, failuresLeft - failures);
    },
  };
}
