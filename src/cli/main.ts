#!/usr/bin/env node
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { checkManifests, type Finding, FindingSeverity, ruleInfos } from '../findings';
import { importedProgram } from '../importing';
import type { PlacedManifest } from '../policy';
import { Posture } from '../posture';
import { projected } from '../projection';
import { type Invocation, parse, type Result, UsageError } from './command-line';
import { diff, DIFF_RULES } from './diff';
import { drift, driftText } from './drift';
import { graph } from './graph';
import { load, LoadError, type Located } from './load';
import { network } from './network';
import { FORMATS } from './report';

/** What a program around this one brings. */
export interface Surroundings {
  /** Objects of a cluster, in place of those of files. */
  readonly objects?: readonly Located[];
}

/**
 * The program: what it writes, and its exit code. Also the way in for the program `agent-sandbox`, which brings the objects of a cluster.
 */
export function main(args: readonly string[], surroundings: Surroundings = {}): Result {
  try {
    if (args.length === 1 && args[0] === '--version') {
      return { output: version(), code: 0 };
    }
    const invocation = parse(args);
    if ('help' in invocation) {
      return { output: invocation.help, code: 0 };
    }
    const result = run(invocation, surroundings);
    const file = invocation.value('output');
    if (file === undefined) {
      return result;
    }
    writeFileSync(file, `${result.output.trimEnd()}\n`);
    return { output: '', code: result.code };
  } catch (error) {
    if (error instanceof LoadError || error instanceof UsageError) {
      return { output: error.message, code: 2 };
    }
    throw error;
  }
}

/** Version of the package, whose manifest is above `lib`, or above `src` in a checkout. */
function version(): string {
  const file = ['../../..', '../..'].map(up => join(__dirname, up, 'package.json')).find(each => existsSync(each))!;
  return JSON.parse(readFileSync(file, 'utf8')).version;
}

const USAGES: Readonly<Record<string, readonly [least: number, most: number, words: string]>> = {
  diff: [2, 2, 'name the manifests before and after the edit'],
  network: [1, 2, 'name a sandbox, and a destination'],
};

function run(invocation: Invocation, { objects }: Surroundings): Result {
  const { command: { name }, arguments: paths } = invocation;
  const [least, most, words] = USAGES[name] ?? [objects && name !== 'drift' ? 0 : 1, Infinity, 'name at least one file or folder'];
  if (paths.length < least || paths.length > most) {
    throw new UsageError(`${name}: ${words}; --help says more`);
  }
  const format = invocation.value('format') ?? 'text';
  const read = (): Located[] => (objects ? [...objects] : load(paths));
  switch (name) {
    case 'diff': return diffed(invocation, load([paths[0]]), load([paths[1]]));
    case 'posture': return posture(invocation, read());
    case 'network': return network(invocation, placed(objects ?? load(invocation.values('file'))));
    case 'graph': return { output: graph(placed(read()), format), code: 0 };
    case 'project': return project(projected(placed(read())), format);
    case 'import': return imported(read());
    case 'drift': return drifted(invocation, load(paths), objects);
    default: return reported(invocation, checkManifests(read()), false);
  }
}

function reported(invocation: Invocation, findings: readonly Finding[], isDiff: boolean): Result {
  const strict = invocation.has('strict');
  const failed = findings.some(({ severity }) => strict || severity === FindingSeverity.ERROR);
  return { output: FORMATS[invocation.value('format')!](findings, isDiff ? DIFF_RULES : ruleInfos(), strict), code: failed ? 1 : 0 };
}

/** What the edit does to what runs, and, in text, to the posture. */
function diffed(invocation: Invocation, before: readonly Located[], after: readonly Located[]): Result {
  const result = reported(invocation, diff(before, after), true);
  const explained = invocation.value('format') === 'text' ? postureOf(after).explain(postureOf(before)) : '';
  return explained === '' ? result : { ...result, output: `${explained}\n\n${result.output}` };
}

function posture(invocation: Invocation, manifests: readonly Located[]): Result {
  const now = postureOf(manifests);
  const against = invocation.value('against');
  const before = against === undefined ? undefined : postureOf(load([against]));
  const changed = before !== undefined && now.explain(before) !== '';
  const outputs: Readonly<Record<string, () => string>> = {
    text: () => (before ? now.explain(before) || 'the posture is the same' : now.toText()),
    json: () => now.toJson(),
    markdown: () => `${before ? `${changed ? `\`\`\`diff\n${now.explain(before).replace(/^ {2}(?=[-+])/gm, '').replace(/^```/gm, "'''")}\n\`\`\`` : 'The posture is the same.'}\n\n` : ''}${now.toMarkdown()}`,
    sarif: () => now.toSarif(),
    junit: () => now.toJunit(),
    html: () => now.toHtml({ title: invocation.value('title'), before, beforeName: against }),
  };
  return { output: outputs[invocation.value('format')!]().trimEnd(), code: changed && invocation.has('fail-on-change') ? 1 : 0 };
}

function postureOf(manifests: readonly Located[]): Posture {
  return Posture._ofPlaced(placed(manifests), checkManifests(manifests));
}

/** Objects with a kind and a name; lists are opened. */
function placed(manifests: readonly Located[]): PlacedManifest[] {
  return manifests.flatMap(({ manifest, place }): PlacedManifest[] => (manifest?.kind === 'List' && Array.isArray(manifest.items)
    ? placed(manifest.items.map((item: any, index: number) => ({ manifest: item, place: `${place} items[${index}]` })))
    : typeof manifest?.kind === 'string' && typeof manifest.metadata?.name === 'string' ? [{ manifest, place }] : []));
}

function project(manifests: readonly object[], format: string): Result {
  const output = format === 'json' ? JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests }, undefined, 2)
    : manifests.map(each => stringify(each, { lineWidth: 0 })).join('---\n').trimEnd();
  return { output, code: 0 };
}

function imported(manifests: readonly Located[]): Result {
  try {
    return { output: importedProgram(manifests).trimEnd(), code: 0 };
  } catch (error) {
    return { output: (error as Error).message, code: 2 };
  }
}

function drifted(invocation: Invocation, wanted: readonly Located[], live: readonly Located[] | undefined): Result {
  if (live === undefined) {
    throw new UsageError('drift: it compares with a cluster: use the program agent-sandbox, with --cluster');
  }
  const found = drift(placed(wanted), placed(live));
  return { output: invocation.value('format') === 'json' ? JSON.stringify(found, undefined, 2) : driftText(found), code: found.length > 0 ? 1 : 0 };
}

if (require.main === module) {
  const { output, code } = main(process.argv.slice(2));
  if (output !== '') {
    (code === 2 ? process.stderr : process.stdout).write(`${output}\n`);
  }
  process.exitCode = code;
}
