/**
 * Measures sandboxes on a real node under runc and gVisor, the product's part apart from the kubelet's, and the memory of everything. See
 * ../README.md.
 */
import * as os from 'node:os';
import { benchmark } from '../rounds';
import { median, quantile } from '../statistics';
import { table } from '../table';
import { NodeWorld, RUNTIMES, type Runtime } from './world';

const USAGE = `usage: npm run bench:node [-- OPTIONS]

  --rounds N   samples of each figure (default: 5)
  --help       this text`;

/** Pods whose memory is measured together. */
const MEMORY_PODS = 3;

/** Milliseconds by what was measured. */
type Figures = Readonly<Record<string, number>>;

const SCENARIOS: { readonly [name: string]: (world: NodeWorld, runtime: Runtime) => Promise<Figures> } = {
  'Pod': async (world, runtime) => {
    const pod = await world.startPod(runtime);
    await world.remove(pod);
    return { total: pod.ms, kubelet: pod.ms };
  },
  'cold claim': async (world, runtime) => {
    const { name, start } = await world.claim({ template: runtime });
    const pod = await world.pods.until(`the Pod of ${name}`, () => world.pods.seen.get(world.key(name)), 120_000);
    const running = await world.pods.until(`the Pod of ${name} to be Ready`, () => world.pods.ready.get(world.key(name)), 120_000);
    const ready = await world.claims.until(`${name} to be Ready`, () => world.claims.ready.get(world.key(name)), 120_000);
    await world.endClaim(name);
    return { total: ready.at - start, product: pod.at - start + ready.at - running.at, kubelet: running.at - pod.at };
  },
  'warm claim to first output': async (world, runtime) => {
    await world.full(runtime);
    return world.firstOutput(runtime);
  },
  'suspend': async (world, runtime) => {
    const name = await world.sandbox(runtime);
    const suspended = await world.suspend(name);
    const resumed = await world.resume(name);
    await world.endSandbox(name);
    world.keep('resume', runtime, resumed);
    return suspended;
  },
};

async function run(rounds: number): Promise<void> {
  const before = os.loadavg()[0];
  const world = await NodeWorld.start();
  const results = new Map<string, Figures[]>();
  world.keep = (scenario, runtime, figures) => {
    const key = `${scenario} | ${runtime}`;
    results.set(key, [...results.get(key) ?? [], figures]);
  };
  const memory: Record<string, number> = {};
  try {
    for (const runtime of RUNTIMES) {
      memory[runtime] = await world.memoryOfPods(runtime, MEMORY_PODS);
    }
    for (const [scenario, measure] of Object.entries(SCENARIOS)) {
      // The first round is not counted: what is done once, is done then.
      for (let round = -1; round < rounds; round++) {
        for (const runtime of RUNTIMES) {
          const kept = new Map(results);
          const figures = await measure(world, runtime);
          if (round < 0) {
            results.clear();
            kept.forEach((value, key) => results.set(key, value));
          } else {
            world.keep(scenario, runtime, figures);
          }
        }
      }
      await world.settle();
    }
    const daemons = await world.memoryOfDaemons();
    const load = `load ${before.toFixed(1)} before, ${os.loadavg()[0].toFixed(1)} after`;
    const steps = [...new Set([...results.values()].flat().flatMap(Object.keys))];
    const cell = (values: readonly number[]) => values.length === 0 ? '' : `${median(values).toFixed(0)} / ${quantile(values, 1).toFixed(0)}`;
    console.log(`\nMilliseconds, median / most of ${rounds}, on ${os.cpus().length} cores, ${load}\n`);
    console.log(table(['', ...steps], [...results].map(([key, samples]) => [key, ...steps.map(step => cell(samples.flatMap(sample => sample[step] ?? [])))])));
    console.log(`\nMiB of memory (PSS); a sandbox with the runtime, of ${MEMORY_PODS}\n`);
    console.log(table(['', 'MiB', 'per GiB'], [
      ...Object.entries(memory).map(([runtime, mib]) => [`sandbox | ${runtime}`, mib.toFixed(1), Math.floor(1024 / mib)]),
      ...Object.entries(daemons).map(([name, mib]) => [name, mib.toFixed(1), '']),
    ]));
    console.log(JSON.stringify({ benchmark: 'node', rounds, load: { before, after: os.loadavg()[0] }, results: Object.fromEntries(results), memory, daemons }));
  } finally {
    await world.stop();
  }
}

benchmark(USAGE, 5, run);
