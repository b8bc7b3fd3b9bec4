/** Compares the router with a direct connection and with the least possible proxy, in one run. See ../README.md. */
import * as os from 'node:os';
import { parseArgs } from 'node:util';
import { median } from '../statistics';
import { table } from '../table';
import { SCENARIOS, type Sample } from './scenarios';
import { World } from './world';

const USAGE = `usage: npm run bench:router [-- OPTIONS]

  --rounds N    runs of every scenario with every subject, in turns (default: 3)
  --seconds N   length of a run (default: 5)
  --quick       one round of one second: does it work?
  --only TEXT   scenarios that have this in their name
  --profile DIR writes a profile of the router's processor time there; numbers do not count then
  --help        this text`;

const DIRECT = 'direct';
const BARE = 'bare undici';
const ROUTER = 'router';

/** The medians of the rounds. */
type Summary = { readonly [field in keyof Sample]: number };

function summarize(samples: readonly Sample[]): Summary {
  const fields = Object.keys(samples[0]) as (keyof Sample)[];
  const middle = (field: keyof Sample) => (field === 'failed' ? samples.reduce((sum, { failed }) => sum + failed, 0) : median(samples.map(sample => sample[field]!)));
  return Object.fromEntries(fields.map(field => [field, middle(field)])) as Summary;
}

function report(results: ReadonlyMap<string, ReadonlyMap<string, Summary>>): string {
  const rows = [...results].flatMap(([scenario, subjects]) => [...subjects].map(([subject, summary]) => {
    const to = (other: string) => {
      const [own, others] = [summary.requestsPerSecond, subjects.get(other)?.requestsPerSecond];
      return own === undefined || others === undefined || subject === DIRECT ? '' : `${(100 * own / others).toFixed(0)} %`;
    };
    return [
      scenario, subject, summary.requestsPerSecond ?? '', to(DIRECT), subject === ROUTER ? to(BARE) : '', summary.megabytesPerSecond ?? '', summary.p50Ms ?? '', summary.p99Ms ?? '',
      summary.cpuUs ?? '', summary.rssBytes / 1e6, summary.bytesPerConnection === undefined ? '' : summary.bytesPerConnection / 1e3, summary.failed,
    ];
  }));
  return table(['scenario', 'subject', 'requests/s', 'of direct', 'of bare', 'MB/s', 'p50 ms', 'p99 ms', 'CPU µs', 'RSS MB', 'kB each', 'failed'], rows);
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { rounds: { type: 'string' }, seconds: { type: 'string' }, quick: { type: 'boolean' }, only: { type: 'string' }, profile: { type: 'string' }, help: { type: 'boolean', short: 'h' } } });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 3));
  const seconds = Number(values.seconds ?? (values.quick ? 1 : 5));
  if (!(Number.isInteger(rounds) && rounds >= 1 && seconds >= 1)) {
    console.error(`--rounds and --seconds take numbers of at least 1\n\n${USAGE}`);
    return 2;
  }
  const world = await World.start({ profileDir: values.profile });
  const results = new Map<string, Map<string, Summary>>();
  try {
    for (const { name, run, isBeyondBare } of SCENARIOS.filter(scenario => scenario.name.includes(values.only ?? ''))) {
      const subjects = world.subjects.filter(subject => !(isBeyondBare && subject.name === BARE));
      const samples = new Map<string, Sample[]>(subjects.map(subject => [subject.name, []]));
      for (let round = 1; round <= rounds; round++) {
        for (const subject of subjects) {
          console.error(`${name}, ${subject.name}, round ${round} of ${rounds}`);
          samples.get(subject.name)!.push(await run(world, subject, seconds));
        }
      }
      results.set(name, new Map([...samples].map(([subject, all]) => [subject, summarize(all)])));
    }
  } finally {
    await world.stop();
  }
  const fixed = results.get('GET, 1,000 requests/s');
  const addedMs = fixed && fixed.get(ROUTER)!.p99Ms! - fixed.get(DIRECT)!.p99Ms!;
  console.log(`${report(results)}\n${addedMs === undefined ? '' : `\nadded by the router to the p99 at 1,000 requests/s: ${addedMs.toFixed(1)} ms\n`}`);
  const [{ model = 'unknown' } = {}] = os.cpus();
  console.log(JSON.stringify({
    benchmark: 'router', node: process.version, cores: os.cpus().length, model, rounds, seconds, addedP99Ms: addedMs,
    results: Object.fromEntries([...results].map(([scenario, subjects]) => [scenario, Object.fromEntries(subjects)])),
  }));
  return 0;
}

main().then(code => process.exit(code), error => {
  console.error(error);
  process.exit(1);
});
