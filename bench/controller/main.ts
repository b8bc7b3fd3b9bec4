/**
 * Measures controllers of the Agent Sandbox API from the outside: latency of claims, writes, processor time, memory, restarts.
 * See ../README.md.
 */
import { parseArgs } from 'node:util';
import { DEFINITIONS } from '../../images/definitions';
import { bundle } from '../../scripts/bundle';
import { bundleOfCommit } from './commit';
import { KUBECONFIG } from './controller-process';
import { type Result, json, text } from './report';
import { GROUPS, type Measurement, QUICK, SCENARIOS, type Scenario } from './scenarios';
import { type Candidate, World } from './world';

/** Arguments that any controller of this API takes. */
const FLAGS = `--kubeconfig=${KUBECONFIG} --extensions --leader-elect=false --metrics-bind-address=127.0.0.1:0 --health-probe-bind-address=127.0.0.1:0`;

const USAGE = `usage: npm run bench:controller [-- OPTIONS]

  --controller NAME=COMMAND  measure this one instead of ours; may be given several times, and 'ours' alone is ours;
                             ${KUBECONFIG} in the command stands for the path of a kubeconfig
  --commit REVISION          also measure ours as of this revision of the repository; may be given several times
  --scenario NAME            only this one, or those of a group: ${Object.keys(GROUPS).join(', ')}; may be given several times.
                             By default all but these groups
  --rounds N                 runs of every scenario with every controller, in turns (default: 3)
  --quick                    small scenarios, one round: does it work?
  --help                     this text

scenarios:
${[...SCENARIOS, ...QUICK].map(({ name, description }) => `  ${name.padEnd(25)}  ${description}`).join('\n')}`;

/** The command line does not match the usage. */
class UsageError extends Error {}

interface Options {
  readonly controllers: readonly string[];
  readonly commits: readonly string[];
  readonly scenarios: readonly Scenario[];
  readonly rounds: number;
  readonly help: boolean;
}

function options(args: string[]): Options {
  try {
    const { values } = parseArgs({
      args,
      options: {
        controller: { type: 'string', multiple: true }, commit: { type: 'string', multiple: true }, scenario: { type: 'string', multiple: true }, rounds: { type: 'string' },
        quick: { type: 'boolean' }, help: { type: 'boolean', short: 'h' },
      },
    });
    const rounds = values.rounds ?? (values.quick ? '1' : '3');
    if (!/^[1-9]\d{0,2}$/.test(rounds)) {
      throw new UsageError(`--rounds is '${rounds}': use a whole number from 1 to 999`);
    }
    const all = [...SCENARIOS, ...QUICK];
    const names = (scenario: Scenario, wanted: string) => scenario.name === wanted || (GROUPS[wanted]?.(scenario) ?? false);
    const unknown = (values.scenario ?? []).find(wanted => !all.some(scenario => names(scenario, wanted)));
    if (unknown !== undefined) {
      throw new UsageError(`--scenario is '${unknown}': use one of those below`);
    }
    const scenarios = values.scenario ? all.filter(scenario => values.scenario!.some(wanted => names(scenario, wanted)))
      : values.quick ? QUICK : SCENARIOS.filter(scenario => !GROUPS.scale!(scenario));
    return { controllers: values.controller ?? ['ours'], commits: values.commit ?? [], scenarios, rounds: Number(rounds), help: values.help ?? false };
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError((error as Error).message.split('. ')[0]);
  }
}

async function candidate(controller: string): Promise<Candidate> {
  if (controller === 'ours') {
    return { name: 'ours', command: commandOf(await bundle('controller'), DEFINITIONS.controller.entrypoint.slice(1, -1)) };
  }
  const [, name, command] = /^([^=\s]+)=(.+)$/s.exec(controller) ?? [];
  if (!command?.includes(KUBECONFIG)) {
    throw new UsageError(`--controller is '${controller}': use NAME=COMMAND with ${KUBECONFIG} in the command`);
  }
  return { name, command };
}

/** How a bundle is started: as in the image, with the arguments of its Node. */
function commandOf(program: string, nodeArguments: readonly string[] = []): string {
  return `exec env NODE_ENV=production ${[process.execPath, ...nodeArguments, program].join(' ')} ${FLAGS}`;
}

async function main(args: string[]): Promise<void> {
  const { controllers, commits, scenarios, rounds, help } = options(args);
  if (help) {
    console.log(USAGE);
    return;
  }
  const earlier = commits.map(async revision => ({ name: revision, command: commandOf(await bundleOfCommit(revision)) }));
  const candidates = await Promise.all([...controllers.map(candidate), ...earlier]);
  const results: Running[] = scenarios.flatMap(scenario => candidates.map(one => ({ scenario, candidate: one, measurements: [], failures: [] })));
  for (let round = 1; round <= rounds; round++) {
    // Controllers take turns within a scenario, so that they share whatever else the machine does.
    for (const result of results) {
      progress(`round ${round} of ${rounds}: ${result.scenario.name}, ${result.candidate.name}`);
      await run(result);
    }
  }
  console.log(`${text(results, rounds)}\n\n${json(results, rounds)}`);
  process.exitCode = results.some(({ failures }) => failures.length > 0) ? 1 : 0;
}

/** A result that grows from round to round. */
interface Running extends Result {
  readonly measurements: Measurement[];
  readonly failures: string[];
}

/** One run in a world of its own. A failure is noted and does not keep others from being measured. */
async function run({ scenario, candidate: one, measurements, failures }: Running): Promise<void> {
  let world: World | undefined;
  try {
    world = await World.start(one);
    measurements.push(await scenario.run(world));
  } catch (error) {
    failures.push((error as Error).message);
    progress((error as Error).message);
  } finally {
    await world?.stop();
  }
}

function progress(what: string): void {
  console.error(what);
}

// Control plane and controller end with this process.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => process.exit(130));
}
main(process.argv.slice(2)).catch(error => {
  console.error(error instanceof UsageError ? `${error.message}\n\n${USAGE}` : (error as Error).message);
  process.exitCode = 1;
});
