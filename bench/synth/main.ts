/**
 * Compares this library with the stock `cdk8s import` of its CRDs and with cdk8s-plus: time to type-check an app, to load
 * it, and to build and synthesize objects. See ../README.md.
 */
import { parseArgs } from 'node:util';
import { firstRequires, sameManifests, syntheses, typeChecks } from './measure';
import { type Measurements, json, text } from './report';
import { TWINS } from './subjects';
import { prepare } from './workspace';

const USAGE = `usage: npm run bench:synth [-- OPTIONS]

  --rounds N  processes per measurement (default: 3)
  --full      also 5,000 charts of one object; takes minutes, since cdk8s is quadratic in the number of charts
  --offline   do not install cdk8s-cli; leaves the stock import out unless it is installed
  --help      this text`;

const COUNTS = [1, 100, 1000, 5000];
const COUNTS_OF_CHARTS = [1, 100, 1000];

/** The command line does not match the usage. */
class UsageError extends Error {}

function options(args: string[]): { rounds: number; full: boolean; offline: boolean; help: boolean } {
  try {
    const { values } = parseArgs({
      args, options: { rounds: { type: 'string' }, full: { type: 'boolean' }, offline: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    });
    if (!/^[1-9]\d{0,2}$/.test(values.rounds ?? '3')) {
      throw new UsageError(`--rounds is '${values.rounds}': use a whole number from 1 to 999`);
    }
    return { rounds: Number(values.rounds ?? 3), full: values.full ?? false, offline: values.offline ?? false, help: values.help ?? false };
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError((error as Error).message.split('. ')[0]);
  }
}

function main(args: string[]): void {
  const { rounds, full, offline, help } = options(args);
  if (help) {
    console.log(USAGE);
    return;
  }
  const { subjects, missing, versions } = prepare(offline);
  missing.forEach(what => console.log(`Missing: ${what}. The rest is measured without it.`));
  const measured: Measurements = {
    versions,
    missing,
    rounds,
    twins: TWINS.filter(ids => ids.every(id => subjects.some(subject => subject.id === id))).map(ids => ({ ids, same: sameManifests(...ids) })),
    typeCheck: typeChecks(subjects, rounds, progress),
    require: firstRequires(subjects, rounds, progress),
    synth: [
      ...syntheses(subjects, 'one chart', COUNTS, rounds, progress),
      ...syntheses(subjects, 'chart per object', full ? [...COUNTS_OF_CHARTS, 5000] : COUNTS_OF_CHARTS, rounds, progress),
    ],
  };
  progress('');
  console.log(`${text(measured)}\n\n${json(measured)}`);
}

/** Progress, on a line that the next one replaces. */
function progress(what: string): void {
  if (process.stderr.isTTY) {
    process.stderr.write(`\r\x1b[K${what}`);
  }
}

try {
  main(process.argv.slice(2));
} catch (error) {
  progress('');
  console.error(error instanceof UsageError ? `${error.message}\n\n${USAGE}` : (error as Error).message);
  process.exitCode = 1;
}
