/**
 * Measures how long it takes from asking for a sandbox to the output of the first command in it, on a warm pool, in steps. Everything
 * is ours and runs on this machine: SDK, controller, router, runtimes. See ../README.md.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { benchmark } from '../rounds';
import { median, quantile } from '../statistics';
import { table } from '../table';
import type { SandboxClient } from '../../packages/client/src/client.js';
import type { World } from '../../packages/client/test/world.js';

const USAGE = `usage: npm run bench:client [-- OPTIONS]

  --rounds N    sandboxes for each way (default: 20)
  --before DIR  compares with another commit, of which DIR is a checkout with its packages installed: both in turns, twice
  --help        this text`;

/** Milliseconds of one sandbox. */
interface Sample {
  /** Until the API server has stored the claim. */
  readonly claim: number;
  /** From there until the client has seen that it is Ready. */
  readonly ready: number;
  /** The first command, with the token and the connection that it needs. */
  readonly first: number;
  /** A second one, over the same connection. */
  readonly second: number;
  readonly total: number;
}

interface Way {
  readonly name: string;
  client(world: World): Promise<SandboxClient>;
  /** Whether each sandbox has a client of its own, as in a program that is started for it. */
  readonly isFresh: boolean;
}

async function ways(): Promise<Way[]> {
  const { SandboxClient, SandboxConnection, RouterToken } = await import('../../packages/client/src/index.js');
  const token = () => RouterToken.fromServiceAccount({ name: 'agent' });
  const tunnel = async (world: World) => new SandboxClient({ cluster: await world.clusterOf('agent'), namespace: 'team', token: token() });
  const direct = async (world: World) => new SandboxClient({
    cluster: await world.clusterOf('agent'), namespace: 'team', connection: SandboxConnection.direct({ url: world.closedUrl }), token: token(),
  });
  return [
    { name: 'tunnel, new client', client: tunnel, isFresh: true },
    { name: 'tunnel, same client', client: tunnel, isFresh: false },
    { name: 'direct, new client', client: direct, isFresh: true },
    { name: 'direct, same client', client: direct, isFresh: false },
  ];
}

async function measure(client: SandboxClient): Promise<Sample> {
  const start = performance.now();
  let stored = 0;
  await using sandbox = await client.create({
    pool: 'pool',
    onProgress: ({ step }) => {
      if (step === 'created') {
        stored = performance.now();
      }
    },
  });
  const ready = performance.now();
  await sandbox.commands.run('true');
  const first = performance.now();
  await sandbox.commands.run('true');
  const second = performance.now();
  return { claim: stored - start, ready: ready - stored, first: first - ready, second: second - first, total: first - start };
}

async function run(rounds: number): Promise<void> {
  const { World } = await import('../../packages/client/test/world.js');
  const world = await World.start();
  const results: Record<string, Record<string, { p50: number; p90: number }>> = {};
  try {
    await world.pool('pool', 3);
    for (const way of await ways()) {
      const samples: Sample[] = [];
      let shared: SandboxClient | undefined;
      // The first one is not counted: what programs do once, they have done then.
      for (let round = -1; round < rounds; round++) {
        const client = shared ?? await way.client(world);
        const sample = await measure(client);
        if (round >= 0) {
          samples.push(sample);
        }
        if (way.isFresh) {
          await client.close();
        } else {
          shared = client;
        }
        await world.full('pool');
      }
      await shared?.close();
      results[way.name] = Object.fromEntries(STEPS.map(step => {
        const values = samples.map(sample => sample[step]);
        return [step, { p50: median(values), p90: quantile(values, 0.9) }];
      }));
    }
  } finally {
    await world.stop();
  }
  const cell = ({ p50, p90 }: { p50: number; p90: number }) => `${p50.toFixed(1)} / ${p90.toFixed(1)}`;
  console.log(`\nMilliseconds, median / 90th percentile of ${rounds} sandboxes\n`);
  console.log(table(['', ...STEPS], Object.entries(results).map(([name, steps]) => [name, ...STEPS.map(step => cell(steps[step]))])));
  console.log(JSON.stringify({ benchmark: 'client', rounds, results }));
}

type Results = Readonly<Record<string, Readonly<Record<string, { readonly p50: number; readonly p90: number }>>>>;

/** Times that each of two checkouts has its turn. */
const TURNS = 2;

/** Runs the benchmark of a checkout by itself. */
function resultsOf(dir: string, rounds: number): Results {
  const { status, stdout } = spawnSync(join(dir, 'node_modules', '.bin', 'tsx'), [
    '--conditions=agent-sandbox-source', join(dir, 'bench', 'client', 'main.ts'), '--rounds', String(rounds),
  ], { cwd: dir, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  if (status !== 0) {
    throw new Error(`the benchmark in ${dir} ended with ${status}`);
  }
  return (JSON.parse(stdout.trim().split('\n').at(-1)!) as { results: Results }).results;
}

/** Compares this checkout with an earlier one: medians of the turns. */
function compare(before: string, rounds: number): void {
  const samples: Record<'before' | 'now', Results[]> = { before: [], now: [] };
  for (let turn = 0; turn < TURNS; turn++) {
    samples.before.push(resultsOf(before, rounds));
    samples.now.push(resultsOf(join(__dirname, '..', '..'), rounds));
  }
  const middle = (which: 'before' | 'now', way: string, step: string) => median(samples[which].map(results => results[way][step].p50));
  const ways = Object.keys(samples.now[0]).filter(way => way in samples.before[0]);
  console.log(`\nMilliseconds before / now (ratio), medians of ${TURNS} turns of ${rounds} sandboxes\n`);
  console.log(table(['', ...STEPS], ways.map(way => [way, ...STEPS.map(step => {
    const [old, now] = [middle('before', way, step), middle('now', way, step)];
    return `${old.toFixed(1)} / ${now.toFixed(1)} (${(now / old).toFixed(2)})`;
  })])));
  console.log(JSON.stringify({ benchmark: 'client', rounds, turns: TURNS, ...samples }));
}

const STEPS = ['claim', 'ready', 'first', 'total', 'second'] as const;

benchmark(USAGE, 20, (rounds, { before }) => (before === undefined ? run(rounds) : compare(before, rounds)), ['before']);
