import { failuresOf, type Outcome, type Request } from '../plan.js';
import { value, type Step } from '../step.js';

/**
 * Sends requests in waves of 1, 2, 4, 8, … side by side, and stops after a wave with a failure: what the API server refuses
 * once, it refuses a thousand times.
 *
 * @returns the outcomes of the requests that were sent, in their order
 */
export function inWaves(requests: readonly Request[], sent: readonly Outcome[] = [], size = 1): Step<readonly Outcome[]> {
  const wave = requests.slice(sent.length, sent.length + size);
  if (wave.length === 0) {
    return value(sent);
  }
  return {
    done: false,
    requests: wave,
    next: (outcomes) => (failuresOf(wave, outcomes).length > 0
      ? value([...sent, ...outcomes])
      : inWaves(requests, [...sent, ...outcomes], size * 2)),
  };
}
