import { failuresOf, type Outcome, type Request } from '../plan.js';
import { value, type Step } from '../step.js';

/**
 * Sends requests in waves of 1, 2, 4, 8, … side by side, and stops after a wave with a failure: what the API server refuses
 * once, it refuses a thousand times.
 *
 * @returns the outcomes of the requests that were sent, in their order
 */
export function inWaves(requests: readonly Request[]): Step<readonly Outcome[]> {
  return wavesFrom(requests, [], 1, 1);
}

/** As `inWaves` for requests about different objects: one that is protected must not keep all the others as they are. */
export function inTolerantWaves(requests: readonly Request[]): Step<readonly Outcome[]> {
  return wavesFrom(requests, [], 1, MOST_FAILURES);
}

/** So many refusals are not about single objects any more. */
const MOST_FAILURES = 10;

function wavesFrom(requests: readonly Request[], sent: readonly Outcome[], size: number, failuresLeft: number): Step<readonly Outcome[]> {
  const wave = requests.slice(sent.length, sent.length + size);
  if (wave.length === 0 || failuresLeft <= 0) {
    return value(sent);
  }
  return {
    done: false,
    requests: wave,
    next: (outcomes) => {
      const failures = failuresOf(wave, outcomes).length;
      return wavesFrom(requests, [...sent, ...outcomes], failures > 0 ? size : size * 2, failuresLeft - failures);
    },
  };
}
