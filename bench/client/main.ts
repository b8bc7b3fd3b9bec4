/**
 * Measures how long it takes from asking for a sandbox to the output of the first command in it, on a warm pool, in steps. Everything
 * is ours and runs on this machine: SDK, controller, router, runtimes. See ../README.md.
 */
import { parseArgs } from 'node:util';
import { median, quantile } from '../statistics';
import { table } from '../table';
import type { SandboxClient } from '../../packages/client/src/client.js';
import type { World } from '../../packages/client/test/world.js';

const USAGE = `usage: npm run bench:client [-- OPTIONS]

  --rounds N   sandboxes for each way (default: 20)
  --help       this text`;

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

const STEPS = ['claim', 'ready', 'first', 'total', 'second'] as const;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { rounds: { type: 'string', default: '20' }, help: { type: 'boolean', short: 'h' } } });
  if (values.help || !/^[1-9]\d{0,3}$/.test(values.rounds)) {
    console.error(USAGE);
    return values.help ? 0 : 2;
  }
  await run(Number(values.rounds));
  return 0;
}

main().then(code => process.exit(code), error => {
  console.error(error);
  process.exit(1);
});
