/**
 * The measurements. Each sample is a process of its own; subjects take turns, so that a busy moment of the machine
 * meets all of them.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { median } from '../statistics';
import type { Subject } from './subjects';
import type { Mode, RequireSample, SynthSample, TscSample } from './worker';
import { WORK } from './workspace';

export interface TypeCheck {
  readonly id: string;
  readonly samples: readonly TscSample[];
  readonly ms: number;
  readonly cpuMs: number;
  /** Counts of `tsc --extendedDiagnostics`. */
  readonly files: number;
  readonly lines: number;
  readonly types: number;
  readonly instantiations: number;
  readonly memoryMb: number;
}

export interface FirstRequire {
  readonly id: string;
  readonly samples: readonly RequireSample[];
  readonly baseMs: number;
  readonly ownMs: number;
  readonly cpuMs: number;
  readonly rssMb: number;
}

export interface Synthesis {
  readonly id: string;
  readonly mode: Mode;
  readonly count: number;
  readonly objects: number;
  readonly samples: readonly SynthSample[];
  readonly buildMs: number;
  readonly synthMs: number;
  readonly totalMs: number;
  readonly cpuMs: number;
  /** Processor time per object, in microseconds. */
  readonly cpuUsPerObject: number;
  /** Processor time per object over that of the next smaller count; 1 is linear, the ratio of the counts is quadratic. */
  readonly growth?: number;
  readonly rssMb: number;
}

const MODES: readonly Mode[] = ['one chart', 'chart per object'];

type Progress = (text: string) => void;

export function typeChecks(subjects: readonly Subject[], rounds: number, progress: Progress): TypeCheck[] {
  const tsc = (subject: Subject, ...flags: string[]) => node(subject, ['tsc', '--noEmit', '-p', `tsconfig.${appOf(subject)}.json`, ...flags]);
  const diagnostics = subjects.map(subject => {
    progress(`type-check ${subject.id}, counting`);
    return tsc(subject, '--extendedDiagnostics');
  });
  const samples = inTurns(subjects, rounds, (subject, round) => {
    progress(`type-check ${subject.id}, round ${round + 1} of ${rounds}`);
    return JSON.parse(tsc(subject)) as TscSample;
  });
  return subjects.map(({ id }, index) => {
    const count = (name: string) => {
      const match = new RegExp(`^${name}:\\s+(\\d+)K?$`, 'm').exec(diagnostics[index]);
      if (!match) {
        throw new Error(`tsc --extendedDiagnostics does not say '${name}' any more:\n\n${diagnostics[index]}`);
      }
      return Number(match[1]);
    };
    return {
      id,
      samples: samples[index],
      ms: median(samples[index].map(sample => sample.wall)),
      cpuMs: median(samples[index].map(sample => sample.cpu)),
      files: count('Files'),
      lines: ['Library', 'Definitions', 'TypeScript', 'JavaScript', 'JSON', 'Other'].reduce((sum, kind) => sum + count(`Lines of ${kind}`), 0),
      types: count('Types'),
      instantiations: count('Instantiations'),
      memoryMb: count('Memory used') / 1024,
    };
  });
}

export function firstRequires(subjects: readonly Subject[], rounds: number, progress: Progress): FirstRequire[] {
  // subjects of the same modules would be the same measurement
  const key = ({ modules, at }: Subject) => `${at?.folder} ${modules}`;
  const withModules = subjects.filter(({ modules }) => modules.length > 0);
  const distinct = withModules.filter((subject, index) => withModules.findIndex(other => key(other) === key(subject)) === index);
  const samples = inTurns(distinct, rounds, (subject, round) => {
    progress(`require ${subject.modules.join(', ')}, round ${round + 1} of ${rounds}`);
    return JSON.parse(node(subject, ['require', ...subject.modules])) as RequireSample;
  });
  return distinct.map(({ id }, index) => ({
    id,
    samples: samples[index],
    baseMs: median(samples[index].map(sample => sample.base)),
    ownMs: median(samples[index].map(sample => sample.own)),
    cpuMs: median(samples[index].map(sample => sample.cpu)),
    rssMb: median(samples[index].map(sample => sample.rss)) / 2 ** 20,
  }));
}

export function syntheses(subjects: readonly Subject[], mode: Mode, counts: readonly number[], rounds: number, progress: Progress): Synthesis[] {
  const results: Synthesis[] = [];
  for (const count of counts) {
    const samples = inTurns(subjects, rounds, (subject, round) => {
      progress(`${mode}, ${count} of ${subject.id}, round ${round + 1} of ${rounds}`);
      return synthesize(subject, mode, count);
    });
    subjects.forEach((subject, index) => {
      const expected = subject.objects.fixed + subject.objects.each * count;
      const wrong = samples[index].find(sample => sample.objects !== expected);
      if (wrong) {
        throw new Error(`${subject.id} wrote ${wrong.objects} objects instead of ${expected}: what was measured is not what the table says`);
      }
      const smaller = results.filter(result => result.id === subject.id).at(-1);
      results.push(summary(subject.id, mode, count, expected, samples[index], smaller));
    });
  }
  return results;
}

function summary(id: string, mode: Mode, count: number, objects: number, samples: readonly SynthSample[], smaller?: Synthesis): Synthesis {
  const cpuMs = median(samples.map(sample => sample.cpu));
  const cpuUsPerObject = cpuMs * 1000 / objects;
  return {
    id,
    mode,
    count,
    objects,
    samples,
    buildMs: median(samples.map(sample => sample.build)),
    synthMs: median(samples.map(sample => sample.synth)),
    totalMs: median(samples.map(sample => sample.build + sample.synth)),
    cpuMs,
    cpuUsPerObject,
    growth: smaller && cpuUsPerObject / smaller.cpuUsPerObject,
    rssMb: median(samples.map(sample => sample.rss)) / 2 ** 20,
  };
}

/** Whether both apps write the same bytes to the same files. */
export function sameManifests(a: Subject, b: Subject): boolean {
  const written = (subject: Subject, mode: Mode) => {
    synthesize(subject, mode, 3);
    return fs.readdirSync(OUT).sort().map(name => [name, fs.readFileSync(path.join(OUT, name), 'utf8')]);
  };
  return MODES.every(mode => JSON.stringify(written(a, mode)) === JSON.stringify(written(b, mode)));
}

const OUT = path.join(WORK, 'out');

function synthesize(subject: Subject, mode: Mode, count: number): SynthSample {
  fs.rmSync(OUT, { recursive: true, force: true });
  const app = path.join(folderOf(subject), 'apps', `${appOf(subject)}.js`);
  return JSON.parse(node(subject, ['synth', app, mode, String(count), OUT]));
}

function folderOf({ at }: Subject): string {
  return path.resolve(WORK, at?.folder ?? '');
}

function appOf({ id, at }: Subject): string {
  return at?.app ?? id;
}

/** Samples of each subject, taken A B C, B C A, C A B, … */
function inTurns<T>(subjects: readonly Subject[], rounds: number, sample: (subject: Subject, round: number) => T): T[][] {
  const samples: T[][] = subjects.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < subjects.length; turn++) {
      const index = (round + turn) % subjects.length;
      samples[index].push(sample(subjects[index], round));
    }
  }
  return samples;
}

/** Output of the worker in the folder of a subject. Options of the surrounding shell must not reach it. */
function node(subject: Subject, command: readonly string[]): string {
  const env = { ...process.env, NODE_OPTIONS: undefined, CDK8S_OUTDIR: undefined };
  const args = ['worker.js', ...command];
  const result = spawnSync(process.execPath, args, { cwd: folderOf(subject), env, encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (result.error || result.status !== 0) {
    throw new Error(`node ${args.map(arg => path.relative(WORK, path.resolve(WORK, arg))).join(' ')} failed:\n\n${result.error?.message ?? (result.signal ? `ended by ${result.signal}` : result.stdout + result.stderr)}`);
  }
  return result.stdout;
}
