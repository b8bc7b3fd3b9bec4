import { setTimeout as sleep } from 'node:timers/promises';
import { type Arrival, type ClaimSample, load } from './load';
import { POOLS, SANDBOXES, pool, sandbox } from './objects';
import { type WritesByPart, attribute, total } from './writes';
import { NAMESPACE, type World } from './world';

/** What one run of a scenario measured. */
export interface Measurement {
  /** Milliseconds of each thing that was waited for. */
  readonly latenciesMs: readonly number[];
  /** Things that writes and processor time are shared out to: claims, or Sandboxes where there are none. */
  readonly count: number;
  readonly writes: WritesByPart;
  /** Writes that were refused with 409. */
  readonly conflicts: number;
  readonly controllerCpuMs: number;
  readonly apiServerCpuMs: number;
  /** Resident memory of the controller at the end. */
  readonly rssBytes: number;
  /** Further numbers of the scenario, by name. */
  readonly more?: { readonly [name: string]: number };
}

export interface Scenario {
  readonly name: string;
  readonly description: string;
  /** What `latenciesMs` are times of. */
  readonly latency: string;
  /** Part of a small run that shows that everything works. */
  readonly quick?: boolean;
  run(world: World): Promise<Measurement>;
}

const POOL = 'pool';
const FILL_TIMEOUT_MS = 300_000;
const FILL_TIMEOUT_PER_OBJECT_MS = 500;
const IDLE_SECONDS = 30;
/** Members of each pool, and claims, of the scenarios that grow. */
const SCALE_MEMBERS = 2;
const SCALE_CLAIMS = 50;
const RESTARTS = 3;
/** Requests of the driver at a time while it fills the cluster. */
const FILL_CONCURRENCY = 20;

/** Every scenario, in the order in which they run. */
export const SCENARIOS: readonly Scenario[] = [
  claims('warm-serial', '50 warm claims one after the other, pool of 60', 60, { claims: 50, parallel: 1 }),
  claims('warm-parallel', '200 warm claims, 20 at a time, pool of 220', 220, { claims: 200, parallel: 20 }),
  claims('warm-burst', '300 warm claims at once, pool of 320', 320, { claims: 300, parallel: 300 }),
  claims('warm-poisson-5', '5 warm claims per second for 15 s, pool of 200', 200, { perSecond: 5, seconds: 15 }),
  claims('warm-poisson-10', '10 warm claims per second for 15 s, pool of 200', 200, { perSecond: 10, seconds: 15 }),
  claims('cold-serial', '50 cold claims one after the other', 0, { claims: 50, parallel: 1 }),
  claims('cold-parallel', '50 cold claims, 20 at a time', 0, { claims: 50, parallel: 20 }),
  fill('pool-fill', 300),
  idle('idle-1000', 1000, IDLE_SECONDS),
  idle('idle-5000', 5000, IDLE_SECONDS),
  ...[100, 1000, 5000, 20_000].map(sandboxes => scale({ sandboxes, pools: 1 })),
  ...[50, 500].map(pools => scale({ sandboxes: 1000, pools })),
];

/** Names that stand for several scenarios. */
export const GROUPS: { readonly [name: string]: (scenario: Scenario) => boolean } = {
  scale: ({ name }) => name.startsWith('scale-'),
};

/** Small ones, to see in a minute or two that a controller can be measured. */
export const QUICK: readonly Scenario[] = [
  claims('warm-quick', '10 warm claims, 5 at a time, pool of 12', 12, { claims: 10, parallel: 5 }),
  claims('cold-quick', '5 cold claims one after the other', 0, { claims: 5, parallel: 1 }),
  fill('fill-quick', 10),
  idle('idle-quick', 20, 5),
];

function claims(name: string, description: string, poolSize: number, arrival: Arrival): Scenario {
  return {
    name,
    description,
    latency: 'POST of a claim until its Ready is seen',
    async run(world) {
      await fillPool(world, poolSize);
      await world.quiet();
      const meter = await Meter.start(world);
      const samples = await load(world, arrival, () => POOL);
      // Refill belongs to the price of a claim.
      await readySandboxes(world, poolSize + samples.length);
      await world.quiet();
      return measured(world, meter, samples);
    },
  };
}

function fill(name: string, replicas: number): Scenario {
  return {
    name,
    description: `pool from 0 to ${replicas}`,
    latency: `POST of the pool until ${replicas} Sandboxes are seen Ready`,
    async run(world) {
      const meter = await Meter.start(world);
      const begin = performance.now();
      await fillPool(world, replicas);
      const latenciesMs = [performance.now() - begin];
      await world.quiet();
      return { ...await meter.read(replicas), latenciesMs };
    },
  };
}

function idle(name: string, sandboxes: number, seconds: number): Scenario {
  return {
    name,
    description: `${sandboxes} idle Sandboxes, ${RESTARTS + 1} restarts`,
    latency: 'start of the process until it has made the Pod of a new Sandbox',
    async run(world) {
      const filling = await Meter.start(world);
      await fillSandboxes(world, sandboxes);
      await world.quiet();
      const measured = await filling.read(sandboxes);

      const idling = await Meter.start(world);
      await sleep(seconds * 1000);
      const idled = await idling.read(1);

      // A restart lists everything anew and looks at every object, as a resync does.
      await world.stopController();
      const restarting = new Date();
      world.startController();
      await sleep(seconds * 1000);
      const restarted = (await world.writes(restarting)).length;

      const latenciesMs: number[] = [];
      for (let number = 0; number < RESTARTS; number++) {
        latenciesMs.push(await restart(world, `restart-${number}`));
      }
      return {
        ...measured,
        rssBytes: idled.rssBytes,
        latenciesMs,
        more: {
          'idle s': seconds, 'writes while idle': total(idled.writes.refill),
          'CPU ms while idle': idled.controllerCpuMs, 'writes after a restart': restarted,
        },
      };
    },
  };
}

/** Warm claims from pools in turn, while other Sandboxes are idle. */
function scale({ sandboxes, pools }: { readonly sandboxes: number; readonly pools: number }): Scenario {
  const members = Math.max(SCALE_MEMBERS, Math.ceil((SCALE_CLAIMS + 10) / pools));
  return {
    name: `scale-${sandboxes}${pools === 1 ? '' : `-pools-${pools}`}`,
    description: `${SCALE_CLAIMS} warm claims one after the other from ${pools} ${pools === 1 ? 'pool' : 'pools'} of ${members}, beside ${sandboxes} idle Sandboxes`,
    latency: 'POST of a claim until its Ready is seen',
    async run(world) {
      await fillSandboxes(world, sandboxes);
      const names = Array.from({ length: pools }, (_, number) => `${POOL}-${number}`);
      await each(names, name => world.create(POOLS, pool(NAMESPACE, name, members)));
      const all = sandboxes + pools * members;
      await readySandboxes(world, all);
      await world.quiet();
      const meter = await Meter.start(world);
      const samples = await load(world, { claims: SCALE_CLAIMS, parallel: 1 }, number => names[number % pools]!);
      await readySandboxes(world, all + samples.length);
      await world.quiet();
      return measured(world, meter, samples);
    },
  };
}

async function measured(world: World, meter: Meter, samples: readonly ClaimSample[]): Promise<Measurement> {
  const writes = await world.writes(meter.since);
  const latenciesMs = samples.map(({ requested, ready }) => ready.at - requested.at);
  return { ...await meter.read(samples.length), latenciesMs, writes: attribute(writes, samples) };
}

/** What is used between two moments. */
class Meter {
  public static async start(world: World): Promise<Meter> {
    return new Meter(world, new Date(), await world.usage());
  }

  private constructor(private readonly world: World, public readonly since: Date, private readonly before: Awaited<ReturnType<World['usage']>>) {}

  public async read(count: number): Promise<Omit<Measurement, 'latenciesMs'>> {
    const after = await this.world.usage();
    const writes = await this.world.writes(this.since);
    return {
      count,
      writes: attribute(writes, []),
      conflicts: writes.filter(({ code }) => code === 409).length,
      controllerCpuMs: after.controller.cpuMs - this.before.controller.cpuMs,
      apiServerCpuMs: after.apiServer.cpuMs - this.before.apiServer.cpuMs,
      rssBytes: after.controller.rssBytes,
    };
  }
}

async function fillPool(world: World, replicas: number): Promise<void> {
  await world.create(POOLS, pool(NAMESPACE, POOL, replicas));
  await readySandboxes(world, replicas);
}

async function fillSandboxes(world: World, count: number): Promise<void> {
  await each(Array.from({ length: count }, (_, number) => `sandbox-${number}`), name => world.create(SANDBOXES, sandbox(NAMESPACE, name)));
  await readySandboxes(world, count);
}

async function each(names: readonly string[], act: (name: string) => Promise<unknown>): Promise<void> {
  let next = 0;
  await Promise.all(Array.from({ length: FILL_CONCURRENCY }, async () => {
    for (let number = next++; number < names.length; number = next++) {
      await act(names[number]!);
    }
  }));
}

function readySandboxes(world: World, count: number): Promise<unknown> {
  const { sandboxes } = world;
  return sandboxes.until(`${count} Sandboxes to get ready`, () => (sandboxes.ready.size >= count ? true : undefined), FILL_TIMEOUT_MS + count * FILL_TIMEOUT_PER_OBJECT_MS);
}

/** Restarts the controller; returns the milliseconds from its start until it has made the Pod of a Sandbox that is created meanwhile. */
async function restart(world: World, name: string): Promise<number> {
  await world.stopController();
  const begin = world.startController();
  await world.create(SANDBOXES, sandbox(NAMESPACE, name));
  const { at } = await world.pods.until(`the Pod of ${name}`, () => world.pods.seen.get(`${NAMESPACE}/${name}`), FILL_TIMEOUT_MS);
  await world.quiet();
  return at - begin;
}
