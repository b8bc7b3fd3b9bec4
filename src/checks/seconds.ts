import type { Duration } from 'cdk8s';
import type { Problems } from './problems';
import { integer } from './rules';

/**
 * A duration in seconds, as Kubernetes counts most times: whole, of 32 bits.
 *
 * @internal
 */
export function wholeSeconds(problems: Problems, prop: string, duration: Duration | undefined, min: number): number | undefined {
  const seconds = duration?.toSeconds({ integral: false });
  if (seconds !== undefined && integer(min)(seconds) !== undefined) {
    problems.add(prop, `${seconds}s`, `use whole seconds from ${min} to 2147483647`);
  }
  return seconds;
}
