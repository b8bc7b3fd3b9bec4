import { poisson } from './arrivals';
import { CLAIMS, claim } from './objects';
import { type Moment, now } from './watched';
import { NAMESPACE, type World } from './world';

/** A claim from its POST to its Ready. */
export interface ClaimSample {
  readonly name: string;
  /** Name of the Sandbox it got. */
  readonly sandbox: string;
  readonly requested: Moment;
  readonly ready: Moment;
}

/** How claims arrive. */
export type Arrival =
  | { readonly claims: number; readonly parallel: number }
  | { readonly perSecond: number; readonly seconds: number };

const CLAIM_TIMEOUT_MS = 180_000;

/**
 * Creates claims as they arrive; resolves when all are Ready. Throws if one is not in time.
 *
 * @param poolOf name of the pool for the number of a claim
 */
export async function load(world: World, arrival: Arrival, poolOf: (number: number) => string): Promise<ClaimSample[]> {
  if ('parallel' in arrival) {
    const samples: ClaimSample[] = [];
    let next = 0;
    await Promise.all(Array.from({ length: Math.min(arrival.parallel, arrival.claims) }, async () => {
      for (let number = next++; number < arrival.claims; number = next++) {
        samples.push(await one(world, `claim-${number}`, poolOf(number)));
      }
    }));
    return samples;
  }
  const begin = performance.now();
  const pending: Promise<ClaimSample>[] = [];
  for (const at of poisson(arrival.perSecond, arrival.seconds)) {
    await until(begin + at);
    pending.push(one(world, `claim-${pending.length}`, poolOf(pending.length)));
  }
  return Promise.all(pending);
}

async function one(world: World, name: string, pool: string): Promise<ClaimSample> {
  const key = `${NAMESPACE}/${name}`;
  const requested = now();
  await world.create(CLAIMS, claim(NAMESPACE, name, pool));
  const ready = await world.claims.until(`the claim ${name} to get ready`, () => world.claims.ready.get(key), CLAIM_TIMEOUT_MS);
  return { name, sandbox: world.claims.get(key)?.status?.sandbox?.name ?? '', requested, ready };
}

function until(at: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, Math.max(0, at - performance.now())));
}
