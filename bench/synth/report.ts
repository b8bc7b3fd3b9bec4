import * as os from 'node:os';
import { round, table } from '../table';
import type { FirstRequire, Synthesis, TypeCheck } from './measure';
import { idAt, OWN, type Subject } from './subjects';
import type { Mode } from './worker';

export interface Measurements {
  readonly versions: { readonly [name: string]: string };
  readonly missing: readonly string[];
  readonly rounds: number;
  readonly subjects: readonly Subject[];
  /** Earlier revisions that are measured beside today's. */
  readonly revisions: readonly string[];
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

/** What the checks of a later revision may cost. */
const LATER = 1.2;

/** What claims with a chart each may cost, as they are checked and the stock ones are not. */
const CHARTS_OF_CLAIMS = 1.3;

function expectations({ subjects, revisions, twins, typeCheck, require, synth }: Measurements): Expectation[] {
  const label = (id: string) => labelOf(subjects, id);
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
    const claims = mode === 'one chart' ? NOISE : CHARTS_OF_CLAIMS;
    compare(`${where}: claims cost at most ${claims} times as much per object as stock ones`, per('library-l2-claims'), per('stock-l1-claims'), claims, 'µs of CPU');
    for (const [id, peer] of GROWTH_PEERS) {
      if (growth(id) !== undefined) {
        compare(`${where}: ${label(id)} grows no faster than ${label(peer)}`, growth(id), growth(peer), GROWTH_NOISE, 'times');
      }
    }
    for (const revision of revisions) {
      OWN.forEach(({ id }) => compare(`${where}: ${label(id)} costs at most ${LATER} times as much as in ${revision}`, per(id), per(idAt(id, revision)), LATER, 'µs of CPU'));
    }
  }
  for (const revision of revisions) {
    OWN.forEach(({ id }) => compare(`type-check of ${label(id)} takes at most ${LATER} times as long as in ${revision}`, checked(id), checked(idAt(id, revision)), LATER, 'ms of CPU'));
    const loaded = (id: string) => require.find(result => result.id === id)?.cpuMs;
    compare(`require takes at most ${LATER} times as long as in ${revision}`, loaded(OWN[0].id), loaded(idAt(OWN[0].id, revision)), LATER, 'ms of CPU');
  }
  return list;
}

export function text(measured: Measurements): string {
  const { versions, missing, rounds, subjects, typeCheck, require, synth } = measured;
  const label = (id: string) => labelOf(subjects, id);
  return [
    `${os.availableParallelism()} cores; ${Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(', ')}; medians of ${rounds} rounds`,
    ...missing.map(what => `\nMissing: ${what}`),
    ...section('Type-check (tsc --noEmit, skipLibCheck)',
      ['app', 'CPU ms', 'min', 'max', 'wall ms', 'files', 'lines', 'types', 'instantiations', 'MB'],
      typeCheck.map(result => [
        label(result.id), result.cpuMs, ...range(result.samples.map(sample => sample.cpu)), result.ms,
        result.files, result.lines, result.types, result.instantiations, result.memoryMb,
      ])),
    ...section('First require (cdk8s and constructs are loaded before)',
      ['modules', 'CPU ms', 'min', 'max', 'wall ms', 'cdk8s wall ms', 'RSS MB'],
      require.map(result => [
        `${subjects.find(subject => subject.id === result.id)!.modules.join(', ')}${result.id.replace(/^[^@]+/, '')}`,
        result.cpuMs, ...range(result.samples.map(sample => sample.cpu)), result.ownMs, result.baseMs, result.rssMb,
      ])),
    ...modes(synth).flatMap(mode => section(`Build and synthesize, ${mode}`,
      ['app', 'count', 'objects', 'build ms', 'synth ms', 'wall ms', 'CPU ms', 'CPU µs/object', 'growth', 'RSS MB'],
      synth.filter(result => result.mode === mode).map(result => [
        label(result.id), result.count, result.objects, result.buildMs, result.synthMs, result.totalMs,
        result.cpuMs, result.cpuUsPerObject, result.growth ?? '', result.rssMb,
      ]))),
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

function labelOf(subjects: readonly Subject[], id: string): string {
  return subjects.find(subject => subject.id === id)?.label ?? id;
}

/** A table below its title; nothing if it has no rows. */
function section(title: string, head: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  return rows.length > 0 ? [`\n${title}`, table(head, rows)] : [];
}
