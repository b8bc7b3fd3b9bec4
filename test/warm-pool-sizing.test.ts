import { Duration } from 'cdk8s';
import { SandboxTemplate, SandboxWarmPool, WarmPoolSizing, type WarmPoolSizingProps } from '../src';
import { manifest, messageOf, testChart } from './helpers';

const sizing = (props: Partial<WarmPoolSizingProps> = {}) => WarmPoolSizing.forRate({ claimsPerMinute: 60, refill: Duration.seconds(30), ...props });

/** Numbers from 0 to 1 of a seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6D2B79F5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Times to refill with the same mean. */
const REFILLS: Readonly<Record<string, (random: () => number, mean: number) => number>> = {
  'always the same': (_, mean) => mean,
  'exponential': (random, mean) => -Math.log(1 - random()) * mean,
  'mostly short and sometimes long': (random, mean) => (random() < 0.9 ? mean * 0.5 : mean * 5.5),
};

/** A pool, event by event: the part of claims that find an idle member. */
function simulate(members: number, ratePerSecond: number, refill: (random: () => number) => number, claims: number, seed: number): number {
  const random = randomOf(seed);
  let idle = members;
  let now = 0;
  let hits = 0;
  // Times at which members are ready again.
  const pending: number[] = [];
  for (let claim = 0; claim < claims; claim++) {
    now += -Math.log(1 - random()) / ratePerSecond;
    for (let index = pending.length - 1; index >= 0; index--) {
      if (pending[index] <= now) {
        pending[index] = pending[pending.length - 1];
        pending.pop();
        idle++;
      }
    }
    if (idle > 0) {
      hits++;
      idle--;
      pending.push(now + refill(random));
    }
  }
  return hits / claims;
}

const CLAIMS = 100_000;
const CASES = [[6, 20, 0.99], [60, 30, 0.99], [1, 5, 0.9], [120, 45, 0.999], [30, 60, 0.5]] as const;

test.each(CASES.flatMap(([rate, refill, wanted]) => Object.keys(REFILLS).map(kind => ({ rate, refill, wanted, kind }))))(
  'simulated: $rate claims per minute, $refill s to refill ($kind): $wanted of them are warm, and one member less is too few',
  ({ rate, refill, wanted, kind }) => {
    const { replicas, hitRate } = sizing({ claimsPerMinute: rate, refill: Duration.seconds(refill), hitRate: wanted });
    const simulated = (members: number) => simulate(members, rate / 60, random => REFILLS[kind](random, refill), CLAIMS, 20_261_129);
    // Misses come in clusters, so their number varies more than that of independent ones: five deviations of four times the variance.
    const tolerance = 5 * Math.sqrt(4 * wanted * (1 - wanted) / CLAIMS);
    expect(hitRate).toBeGreaterThanOrEqual(wanted);
    expect(Math.abs(simulated(replicas) - hitRate)).toBeLessThan(tolerance);
    expect(simulated(replicas - 1)).toBeLessThan(wanted + tolerance);
    expect(simulated(replicas - 1)).toBeLessThan(simulated(replicas));
  });

test.each(CASES)('an autoscaler that follows the rate keeps the part of warm claims: %d, %d s, %d', (rate, refill, wanted) => {
  const props = { claimsPerMinute: rate, refill: Duration.seconds(refill), hitRate: wanted };
  const chart = testChart();
  new SandboxWarmPool(chart, 'pool', { template: SandboxTemplate.fromName('python') }).autoscale(sizing(props).autoscaling());
  const { minReplicas, maxReplicas, metrics } = manifest(chart, 'HorizontalPodAutoscaler').spec;
  const target = Number(metrics[0].external.target.averageValue.replace('m', '')) / 1000;
  for (let part = 0.1; part <= 1; part += 0.01) {
    const now = rate * part;
    // The smallest size that the autoscaler leaves as it is.
    const size = Math.min(maxReplicas, Math.max(minReplicas, Math.ceil(now / 60 / target / 1.1)));
    expect(size).toBeGreaterThanOrEqual(sizing({ ...props, claimsPerMinute: now }).replicas);
  }
});

test('sizes of tables of the formula', () => {
  // Erlang B: 10 units of load, 1 % lost: 18; 100 units: 117.
  expect([sizing({ claimsPerMinute: 20 }).replicas, sizing({ claimsPerMinute: 200 }).replicas]).toEqual([18, 117]);
  expect(sizing({ claimsPerMinute: 20 }).quietReplicas).toBe(5);
});

test.each<[Partial<WarmPoolSizingProps>, string]>([
  [{ claimsPerMinute: 0 }, 'WarmPoolSizing.forRate: claimsPerMinute is 0: use a number above 0, at most 100000'],
  [{ hitRate: 1 }, 'WarmPoolSizing.forRate: hitRate is 1: use a part above 0 and below 1, such as 0.99; no pool of a fixed size serves all claims'],
  [{ refill: Duration.seconds(0) }, "WarmPoolSizing.forRate: refill is '0s': use a time above 0, at most a day"],
  [{ quietClaimsPerMinute: 60 }, 'WarmPoolSizing.forRate: quietClaimsPerMinute is 60: use a number above 0, below claimsPerMinute'],
])('what cannot be is refused: %#', (props, message) => {
  expect(messageOf(() => sizing(props))).toBe(message);
});

test('a pool that is too slow for an autoscaler has a fixed size', () => {
  expect(messageOf(() => sizing({ claimsPerMinute: 0.01, refill: Duration.hours(10) }).autoscaling()))
    .toBe("WarmPoolSizing.autoscaling: refill is '36000s': one Sandbox serves less than a claim in a thousand seconds, and an autoscaler does not count finer: use a pool of a fixed size");
});
