import * as os from 'node:os';
import { round, table } from '../table';
import type { FirstRequire, Synthesis, TypeCheck } from './measure';
import { SUBJECTS } from './subjects';
import type { Mode } from './worker';

export interface Measurements {
  readonly versions: { readonly [name: string]: string };
  readonly missing: readonly string[];
  readonly rounds: number;
  /** Pairs of subjects, and whether they write the same manifests. */
  readonly twins: readonly { readonly ids: readonly [string, string]; readonly same: boolean }[];
  readonly typeCheck: readonly TypeCheck[];
  readonly require: readonly FirstRequire[];
  readonly synth: readonly Synthesis[];
}

/** What the measurements are expected to show; for reading, never for an exit code. */
export interface Expectation {
  readonly text: string;
  readonly met: boolean;
  readonly detail: string;
}

/** What grows in cdk8s depends on dependencies between objects, so each is held against one that has as many. */
const GROWTH_PEERS: readonly (readonly [string, string])[] = [
  ['library-l1', 'bare-cdk8s'],
  ['library-l2', 'bare-cdk8s-pairs'],
  ['library-l2-templates', 'bare-cdk8s-pairs'],
  ['library-l2-claims', 'stock-l1-claims'],
];

/** Quotients of medians differ more; something quadratic would differ by the ratio of the counts, 5 or 10. */
const GROWTH_NOISE = 1.5;

/** Factor by which two medians of the same thing may differ on a machine that does other things too. */
const NOISE = 1.1;

function expectations({ twins, typeCheck, synth }: Measurements): Expectation[] {
  const list: Expectation[] = twins.map(({ ids, same }) => (
    { text: `${ids.map(label).join(' and ')} write the same manifests`, met: same, detail: same ? 'the same bytes' : 'compare bench/synth/apps' }
  ));
  const compare = (text: string, ours: number | undefined, theirs: number | undefined, factor: number, unit: string) => {
    if (ours !== undefined && theirs !== undefined) {
      list.push({ text, met: ours <= theirs * factor, detail: `${round(ours)} ${unit} against ${round(theirs)} ${unit}, ${round(ours / theirs)} times` });
    }
  };
  const checked = (id: string) => typeCheck.find(result => result.id === id)?.cpuMs;
  compare('type-check of l1.Sandbox takes at most half as long as of the stock Sandbox', checked('library-l1'), checked('stock-l1'), 0.5, 'ms of CPU');
  compare('type-check of template, pool and claims takes at most half as long as of the stock ones', checked('library-l2-claims'), checked('stock-l1-claims'), 0.5, 'ms of CPU');
  for (const mode of modes(synth)) {
    const count = Math.max(...synth.filter(result => result.mode === mode).map(result => result.count));
    const per = (id: string) => synth.find(result => result.id === id && result.mode === mode && result.count === count)?.cpuUsPerObject;
    const growth = (id: string) => synth.find(result => result.id === id && result.mode === mode && result.count === count)?.growth;
    const where = `${mode}, ${count}`;
    compare(`${where}: l1.Sandbox is no slower per object than the stock Sandbox`, per('library-l1'), per('stock-l1'), NOISE, 'µs of CPU');
    compare(`${where}: Sandbox and policy are no slower per object than a Deployment of cdk8s-plus`, per('library-l2'), per('plus-deployment'), NOISE, 'µs of CPU');
    compare(`${where}: claims are no slower per object than stock ones`, per('library-l2-claims'), per('stock-l1-claims'), NOISE, 'µs of CPU');
    for (const [id, peer] of GROWTH_PEERS) {
      compare(`${where}: ${label(id)} grows no faster than ${label(peer)}`, growth(id), growth(peer), GROWTH_NOISE, 'times');
    }
  }
  return list;
}

export function text(measured: Measurements): string {
  const { versions, missing, rounds, typeCheck, require, synth } = measured;
  return [
    `${os.availableParallelism()} cores; ${Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(', ')}; medians of ${rounds} rounds`,
    ...missing.map(what => `\nMissing: ${what}`),
    '\nType-check (tsc --noEmit, skipLibCheck)',
    table(['app', 'CPU ms', 'min', 'max', 'wall ms', 'files', 'lines', 'types', 'instantiations', 'MB'],
      typeCheck.map(result => [
        label(result.id), result.cpuMs, ...range(result.samples.map(sample => sample.cpu)), result.ms,
        result.files, result.lines, result.types, result.instantiations, result.memoryMb,
      ])),
    '\nFirst require (cdk8s and constructs are loaded before)',
    table(['modules', 'CPU ms', 'min', 'max', 'wall ms', 'cdk8s wall ms', 'RSS MB'],
      require.map(result => [
        SUBJECTS.find(subject => subject.id === result.id)!.modules.join(', '),
        result.cpuMs, ...range(result.samples.map(sample => sample.cpu)), result.ownMs, result.baseMs, result.rssMb,
      ])),
    ...modes(synth).flatMap(mode => [
      `\nBuild and synthesize, ${mode}`,
      table(['app', 'count', 'objects', 'build ms', 'synth ms', 'wall ms', 'CPU ms', 'CPU µs/object', 'growth', 'RSS MB'],
        synth.filter(result => result.mode === mode).map(result => [
          label(result.id), result.count, result.objects, result.buildMs, result.synthMs, result.totalMs,
          result.cpuMs, result.cpuUsPerObject, result.growth ?? '', result.rssMb,
        ])),
    ]),
    '\nExpected',
    ...expectations(measured).map(({ text: what, met, detail }) => `  ${met ? 'yes' : 'NO '}  ${what}: ${detail}`),
  ].join('\n');
}

/** One line for programs: the samples, the tables, and what was expected. */
export function json(measured: Measurements): string {
  return JSON.stringify({ bench: 'synth', cores: os.availableParallelism(), ...measured, expectations: expectations(measured) },
    (_, value) => (typeof value === 'number' ? Number(value.toFixed(3)) : value));
}

function range(values: readonly number[]): [min: number, max: number] {
  return [Math.min(...values), Math.max(...values)];
}

function modes(synth: readonly Synthesis[]): Mode[] {
  return [...new Set(synth.map(result => result.mode))];
}

function label(id: string): string {
  return SUBJECTS.find(subject => subject.id === id)!.label;
}
