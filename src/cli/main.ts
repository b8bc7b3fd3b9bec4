#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { checkManifests, type Finding, FindingSeverity, ruleInfos } from '../findings';
import { diff, DIFF_RULES } from './diff';
import { importedProgram } from '../importing';
import { load, LoadError } from './load';
import { FORMATS } from './report';

const USAGE = `usage: agent-sandbox-check [OPTIONS] PATH...
       agent-sandbox-check [OPTIONS] diff OLD NEW
       agent-sandbox-check import PATH...

Finds what is wrong in manifests of the Agent Sandbox API and between them, in files and folders of YAML or JSON.
With diff, says what an edit does to what runs: OLD and NEW are the manifests before and after it.
With import, prints a program in TypeScript that synthesizes to the same objects.

  --format FORMAT  text (default), json or sarif
  --strict         warnings fail as errors do
  --help           this text

Exit code: 0 without errors, 1 with errors, 2 if a path or option is wrong.`;

/**
 * The program: what it writes, and its exit code.
 *
 * @internal
 */
export function main(args: readonly string[]): { readonly output: string; readonly code: number } {
  let options;
  try {
    options = parseArgs({
      args: [...args], allowPositionals: true,
      options: { format: { type: 'string', default: 'text' }, strict: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } },
    });
  } catch (error) {
    return { output: `${(error as Error).message.split('. ')[0]}\n\n${USAGE}`, code: 2 };
  }
  const { values: { format, strict, help }, positionals: [first, ...rest] } = options;
  if (help) {
    return { output: USAGE, code: 0 };
  }
  const write = Object.hasOwn(FORMATS, format) ? FORMATS[format] : undefined;
  if (!write) {
    return { output: `--format is '${format}': use text, json or sarif`, code: 2 };
  }
  const isDiff = first === 'diff';
  if (first === undefined || (isDiff && rest.length !== 2)) {
    return { output: `${isDiff ? 'diff: name the manifests before and after the edit' : 'PATH: name at least one file or folder'}\n\n${USAGE}`, code: 2 };
  }
  if (first === 'import') {
    return importPaths(rest);
  }
  let findings: readonly Finding[];
  try {
    findings = isDiff ? diff(load([rest[0]]), load([rest[1]])) : checkManifests(load([first, ...rest]));
  } catch (error) {
    if (error instanceof LoadError) {
      return { output: error.message, code: 2 };
    }
    throw error;
  }
  const failed = findings.some(({ severity }) => strict || severity === FindingSeverity.ERROR);
  return { output: write(findings, isDiff ? DIFF_RULES : ruleInfos()), code: failed ? 1 : 0 };
}

function importPaths(paths: readonly string[]): { readonly output: string; readonly code: number } {
  if (paths.length === 0) {
    return { output: `import: name at least one file or folder\n\n${USAGE}`, code: 2 };
  }
  try {
    return { output: importedProgram(load(paths)).trimEnd(), code: 0 };
  } catch (error) {
    return { output: (error as Error).message, code: 2 };
  }
}

if (require.main === module) {
  const { output, code } = main(process.argv.slice(2));
  (code === 2 ? process.stderr : process.stdout).write(`${output}\n`);
  process.exitCode = code;
}
