/**
 * Compares this library with the stock `cdk8s import` of its CRDs and with cdk8s-plus: time to type-check an app, to load
 * it, and to build and synthesize objects. See ../README.md.
 */
import { parseArgs } from 'node:util';
import { firstRequires, sameManifests, syntheses, typeChecks } from './measure';
import { type Measurements, json, text } from './report';
import { SUBJECTS, TWINS } from './subjects';
import { prepare } from './workspace';

const USAGE = `usage: npm run bench:synth [-- OPTIONS]

  --rounds N         processes per measurement (default: 3)
  --commit REVISION  also measure the library as of this revision of the repository; may be given several times
  --only PART        only this part: type-check, require, one-chart, charts; may be given several times
  --subject ID       only these subjects; may be given several times: ${SUBJECTS.map(({ id }) => id).join(', ')}
  --count N          only this number of objects or charts; may be given several times
  --full             also 5,000 charts of one object; takes minutes, since cdk8s is quadratic in the number of charts
  --offline          do not install cdk8s-cli; leaves the stock import out unless it is installed
  --help             this text`;

const PARTS = ['type-check', 'require', 'one-chart', 'charts'];
const COUNTS = [1, 100, 1000, 5000];
const COUNTS_OF_CHARTS = [1, 100, 1000];

/** The command line does not match the usage. */
class UsageError extends Error {}

interface Options {
  readonly rounds: number;
  readonly commits: readonly string[];
  readonly parts: readonly string[];
  readonly subjects: readonly string[];
  readonly counts: readonly number[];
  readonly full: boolean;
  readonly offline: boolean;
  readonly help: boolean;
}

function options(args: string[]): Options {
  try {
    const many = { type: 'string', multiple: true } as const;
    const { values } = parseArgs({
      args,
      options: {
        rounds: { type: 'string' }, commit: many, only: many, subject: many, count: many,
        full: { type: 'boolean' }, offline: { type: 'boolean' }, help: { type: 'boolean', short: 'h' },
      },
    });
    const { rounds = '3', commit = [], only = PARTS, subject = SUBJECTS.map(({ id }) => id), count = [] } = values;
    const check = (flag: string, given: readonly string[], isValid: (value: string) => boolean, remedy: string) => {
      const wrong = given.find(value => !isValid(value));
      if (wrong !== undefined) {
        throw new UsageError(`--${flag} is '${wrong}': ${remedy}`);
      }
    };
    check('rounds', [rounds], value => /^[1-9]\d{0,2}$/.test(value), 'use a whole number from 1 to 999');
    check('count', count, value => /^[1-9]\d{0,5}$/.test(value), 'use a whole number from 1 to 999999');
    check('only', only, value => PARTS.includes(value), `use one of ${PARTS.join(', ')}`);
    check('subject', subject, value => SUBJECTS.some(({ id }) => id === value), 'use one of those below');
    return {
      rounds: Number(rounds), commits: commit, parts: only, subjects: subject, counts: count.map(Number),
      full: values.full ?? false, offline: values.offline ?? false, help: values.help ?? false,
    };
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError((error as Error).message.split('. ')[0]);
  }
}

function main(args: string[]): void {
  const { rounds, commits, parts, subjects: wanted, counts, full, offline, help } = options(args);
  if (help) {
    console.log(USAGE);
    return;
  }
  const { subjects: all, missing, versions } = prepare(offline, commits);
  missing.forEach(what => console.log(`Missing: ${what}. The rest is measured without it.`));
  const subjects = all.filter(({ id, at }) => wanted.includes(at?.app ?? id));
  const twins = TWINS.map(ids => ids.map(id => subjects.find(subject => subject.id === id))).filter(pair => pair.every(each => each !== undefined));
  const countsOf = (standard: readonly number[]) => (counts.length > 0 ? counts : standard);
  const measured: Measurements = {
    versions,
    missing,
    rounds,
    subjects,
    revisions: commits,
    twins: twins.map(([a, b]) => ({ ids: [a!.id, b!.id], same: sameManifests(a!, b!) })),
    typeCheck: parts.includes('type-check') ? typeChecks(subjects, rounds, progress) : [],
    require: parts.includes('require') ? firstRequires(subjects, rounds, progress) : [],
    synth: [
      ...(parts.includes('one-chart') ? syntheses(subjects, 'one chart', countsOf(COUNTS), rounds, progress) : []),
      ...(parts.includes('charts') ? syntheses(subjects, 'chart per object', countsOf(full ? [...COUNTS_OF_CHARTS, 5000] : COUNTS_OF_CHARTS), rounds, progress) : []),
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
