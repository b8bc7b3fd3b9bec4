import type { Duration } from 'cdk8s';
import { checkCalls, Problems } from '../checks';
import { type WarmPoolAutoscalingOptions, WarmPoolMetric } from './autoscaling';

/** How often a pool is claimed, how fast it refills, and how many claims it is to serve. */
export interface WarmPoolSizingProps {
  /** Claims per minute at the busiest time: above 0, at most 100000. */
  readonly claimsPerMinute: number;

  /** Time from a claim until the Sandbox that replaces the claimed one is ready: the start of a Pod, with pulling its image. */
  readonly refill: Duration;

  /**
   * Part of the claims that get a warm Sandbox at the busiest time: above 0, below 1.
   *
   * @default 0.99
   */
  readonly hitRate?: number;

  /**
   * Claims per minute at quiet times, for an autoscaler: above 0, below `claimsPerMinute`.
   *
   * @default - a tenth of `claimsPerMinute`
   */
  readonly quietClaimsPerMinute?: number;
}

const DEFAULT_HIT_RATE = 0.99;
const QUIET_PART = 0.1;
const MOST_CLAIMS = 100_000;

/** A HorizontalPodAutoscaler leaves a size as it is when it is at most this part off. */
const TOLERANCE = 0.1;

/**
 * The size of a warm pool. Claims are taken as independent of each other (a Poisson process). A claim that finds the pool empty starts cold and
 * takes nothing from it, so the part of such claims is Erlang's loss formula with `claims per minute x minutes to refill` as load; it depends on
 * the mean of the time to refill only. Claims that come in bursts need more: size for the rate within a burst.
 */
export class WarmPoolSizing {
  /**
   * The size for a rate of claims.
   *
   * @param props rate, time to refill, and part of the claims that get a warm Sandbox
   * @throws if a value is out of bounds
   */
  public static forRate(props: WarmPoolSizingProps): WarmPoolSizing {
    const { claimsPerMinute, refill, hitRate = DEFAULT_HIT_RATE, quietClaimsPerMinute } = props;
    const problems = Problems.of('WarmPoolSizing.forRate');
    problems.check('claimsPerMinute', claimsPerMinute, rate => (rate > 0 && rate <= MOST_CLAIMS ? undefined : `use a number above 0, at most ${MOST_CLAIMS}`));
    problems.check('hitRate', hitRate, part => (part > 0 && part < 1 ? undefined : 'use a part above 0 and below 1, such as 0.99; no pool of a fixed size serves all claims'));
    const seconds = refill.toSeconds({ integral: false });
    if (!(seconds > 0) || seconds > 86_400) {
      problems.add('refill', `${seconds}s`, 'use a time above 0, at most a day');
    }
    problems.check('quietClaimsPerMinute', quietClaimsPerMinute, rate => (rate > 0 && rate < claimsPerMinute ? undefined : 'use a number above 0, below claimsPerMinute'));
    problems.throwIfAny();
    return new WarmPoolSizing(claimsPerMinute / 60, (quietClaimsPerMinute ?? claimsPerMinute * QUIET_PART) / 60, seconds, hitRate);
  }

  /** Number of idle Sandboxes at the busiest time, for a pool of a fixed size: `replicas` of the pool. */
  public readonly replicas: number;

  /** Number of idle Sandboxes at quiet times. */
  public readonly quietReplicas: number;

  /** Part of the claims that get a warm Sandbox from a pool of `replicas` at the busiest time: at least what was asked for. */
  public readonly hitRate: number;

  private constructor(busyRate: number, quietRate: number, private readonly refill: number, private readonly wanted: number) {
    this.replicas = smallestPool(busyRate * refill, 1 - wanted);
    this.quietReplicas = smallestPool(quietRate * refill, 1 - wanted);
    this.hitRate = 1 - lossRate(busyRate * refill, this.replicas);
  }

  /**
   * Options for `pool.autoscale(…)` that keep the part of warm claims at every rate between quiet and busy: the sizes for both as bounds, and a
   * metric of the rate of claims. The autoscaler follows the rate with a delay of half a minute or so: when the rate rises faster than that, more
   * claims start cold.
   *
   * @throws if one Sandbox serves less than a claim in a thousand seconds: an autoscaler does not count finer
   */
  public autoscaling(): WarmPoolAutoscalingOptions {
    // Larger pools serve more per member, so the smallest pool sets how much one member serves.
    const perMember = largestLoad(this.quietReplicas, 1 - this.wanted) / this.refill / this.quietReplicas;
    // Rounded down: a smaller target makes a larger pool.
    const thousandths = Math.floor(perMember / (1 + TOLERANCE) * 1000);
    const problems = Problems.of('WarmPoolSizing.autoscaling');
    if (thousandths < 1) {
      problems.add('refill', `${this.refill}s`, 'one Sandbox serves less than a claim in a thousand seconds, and an autoscaler does not count finer: use a pool of a fixed size');
    }
    problems.throwIfAny();
    return { minReplicas: this.quietReplicas, maxReplicas: this.replicas, metrics: [WarmPoolMetric.claimRate({ target: `${thousandths}m` })] };
  }
}
checkCalls(WarmPoolSizing);

/**
 * The part of claims that find all members of a pool taken: Erlang's B formula by its recursion.
 *
 * @param load mean number of members that are being refilled, if none were ever missing
 */
function lossRate(load: number, members: number): number {
  let loss = 1;
  for (let n = 1; n <= members; n++) {
    loss = load * loss / (n + load * loss);
  }
  return loss;
}

function smallestPool(load: number, mostLost: number): number {
  let loss = 1;
  let members = 0;
  while (loss > mostLost) {
    members++;
    loss = load * loss / (members + load * loss);
  }
  return members;
}

/** The largest load that a pool bears, by bisection: the loss rises with the load. */
function largestLoad(members: number, mostLost: number): number {
  let [low, high] = [0, members / (1 - mostLost)];
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    [low, high] = lossRate(middle, members) <= mostLost ? [middle, high] : [low, middle];
  }
  return low;
}
