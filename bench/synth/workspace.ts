/**
 * Lays out bench/work: the library as its users install it, the stock import, and the apps as source and as JavaScript.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as ts from 'typescript';
import { SUBJECTS, type Subject } from './subjects';

const REPOSITORY = path.resolve(__dirname, '..', '..');
export const WORK = path.join(REPOSITORY, 'bench', 'work');
const CLI_VERSION = '2.207.60';
const CLI = path.join(WORK, 'cdk8s-cli');

/** What the apps are type-checked with: strict, and without checking the declarations of packages again. */
const COMPILER_OPTIONS = {
  target: 'ES2022', lib: ['es2022'], module: 'node16', strict: true, skipLibCheck: true, noEmit: true, types: ['node'],
  paths: { 'stock-import/*': ['./stock/*'] },
};

export interface Workspace {
  /** The subjects that can be measured. */
  readonly subjects: readonly Subject[];

  /** What cannot, and why: one sentence each. */
  readonly missing: readonly string[];

  /** Versions of what is compared. */
  readonly versions: { readonly [name: string]: string };
}

/**
 * @param offline do not try to install what is not there
 * @throws if the library does not compile, or the stock import fails on our CRDs
 */
export function prepare(offline: boolean): Workspace {
  fs.mkdirSync(WORK, { recursive: true });
  fs.writeFileSync(path.join(WORK, 'package.json'), JSON.stringify({ private: true }));
  // Everything but the installed CLI is made anew, so that no run measures what an earlier one left.
  for (const name of fs.readdirSync(WORK)) {
    if (name !== 'package.json' && path.join(WORK, name) !== CLI) {
      fs.rmSync(path.join(WORK, name), { recursive: true });
    }
  }
  compileLibrary();
  installLibrary();
  const missing = installCli(offline);
  if (!missing) {
    generateStockImport();
  }
  const subjects = SUBJECTS.filter(subject => !subject.stock || !missing);
  for (const source of ['charts.ts', 'worker.ts', ...subjects.map(subject => `apps/${subject.id}.ts`)]) {
    fs.mkdirSync(path.dirname(path.join(WORK, source)), { recursive: true });
    fs.copyFileSync(path.join(__dirname, source), path.join(WORK, source));
    transpile(path.join(WORK, source), path.join(WORK, source.replace(/\.ts$/, '.js')));
  }
  for (const { id } of subjects) {
    fs.writeFileSync(path.join(WORK, `tsconfig.${id}.json`), JSON.stringify({ compilerOptions: COMPILER_OPTIONS, files: [`apps/${id}.ts`] }, undefined, 2));
  }
  return { subjects, missing: missing ? [missing] : [], versions: versions(!missing) };
}

/** Runs jsii if its output is missing or older than a source: the benchmark must not measure an earlier library. */
function compileLibrary(): void {
  const output = path.join(REPOSITORY, 'lib', 'src', 'index.js');
  const sources = ['src', 'imports'].flatMap(folder => fs.readdirSync(path.join(REPOSITORY, folder)).map(name => path.join(REPOSITORY, folder, name)));
  const built = fs.existsSync(output) ? fs.statSync(output).mtimeMs : 0;
  if (sources.every(source => fs.statSync(source).mtimeMs <= built)) {
    return;
  }
  console.log('Compiling the library: lib/ is missing or older than its sources.');
  run('npm', ['run', 'compile'], REPOSITORY, 'the library does not compile');
}

/** A copy of what the package publishes, so that resolution and declarations are those of an installed library. */
function installLibrary(): void {
  const target = path.join(WORK, 'node_modules', 'cdk8s-agent-sandbox');
  fs.mkdirSync(target, { recursive: true });
  for (const name of ['package.json', 'lib']) {
    fs.cpSync(path.join(REPOSITORY, name), path.join(target, name), { recursive: true });
  }
}

/** Installs the CLI unless it is there. Returns why it is not. */
function installCli(offline: boolean): string | undefined {
  if (installedCliVersion() === CLI_VERSION) {
    return undefined;
  }
  const lacks = `the stock import: cdk8s-cli ${CLI_VERSION} is not in ${path.relative(REPOSITORY, CLI)}`;
  if (offline) {
    return `${lacks}, and --offline forbids installing it`;
  }
  console.log(`Installing cdk8s-cli ${CLI_VERSION} into ${path.relative(REPOSITORY, CLI)} (about 90 MB, once).`);
  fs.mkdirSync(CLI, { recursive: true });
  fs.writeFileSync(path.join(CLI, 'package.json'), JSON.stringify({ private: true }));
  const args = ['install', '--save-exact', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel', 'error', '--fetch-retries', '1', `cdk8s-cli@${CLI_VERSION}`];
  const result = spawnSync('npm', args, { cwd: CLI, encoding: 'utf8' });
  if (result.status === 0 && installedCliVersion() === CLI_VERSION) {
    return undefined;
  }
  const reason = /npm error code (\w+)/.exec(result.stderr ?? '')?.[1] ?? result.error?.message ?? 'unknown error';
  return `${lacks}, and installing it failed (${reason}): run this again with access to the npm registry`;
}

function installedCliVersion(): string | undefined {
  const file = path.join(CLI, 'node_modules', 'cdk8s-cli', 'package.json');
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')).version : undefined;
}

/** One folder per call: the CLI names its output by the API group, so a second CRD of a group replaces the first. */
function generateStockImport(): void {
  for (const crd of fs.readdirSync(path.join(REPOSITORY, 'chart', 'files', 'crds')).filter(name => name.endsWith('.yaml')).sort()) {
    const [plural, ...group] = crd.replace(/\.yaml$/, '').split('.');
    const folder = path.join(WORK, 'import', plural);
    fs.mkdirSync(folder, { recursive: true });
    const cli = path.join(CLI, 'node_modules', 'cdk8s-cli', 'bin', 'cdk8s');
    run(process.execPath, [cli, 'import', path.join(REPOSITORY, 'chart', 'files', 'crds', crd), '--language', 'typescript', '--output', '.', '--no-save', '--no-check-upgrade'],
      folder, `cdk8s import of ${crd} failed`);
    const source = path.join(WORK, 'stock', `${plural}.ts`);
    fs.mkdirSync(path.dirname(source), { recursive: true });
    fs.copyFileSync(path.join(folder, `${group.join('.')}.ts`), source);
    fs.mkdirSync(path.join(WORK, 'node_modules', 'stock-import'), { recursive: true });
    transpile(source, path.join(WORK, 'node_modules', 'stock-import', `${plural}.js`));
  }
}

/** The JavaScript that `tsc` writes for a file, without checking types. */
function transpile(source: string, target: string): void {
  const { outputText } = ts.transpileModule(fs.readFileSync(source, 'utf8'), {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.CommonJS },
    fileName: source,
  });
  fs.writeFileSync(target, outputText);
}

function versions(stock: boolean): Workspace['versions'] {
  const of = (name: string) => JSON.parse(fs.readFileSync(path.join(REPOSITORY, 'node_modules', name, 'package.json'), 'utf8')).version as string;
  return {
    node: process.versions.node,
    ...Object.fromEntries(['typescript', 'cdk8s', 'cdk8s-plus-33', 'constructs'].map(name => [name, of(name)])),
    ...(stock && { 'cdk8s-cli': CLI_VERSION }),
  };
}

function run(command: string, args: string[], cwd: string, failure: string): void {
  const result = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (result.error || result.status !== 0) {
    throw new Error(`${failure}:\n\n${result.error?.message ?? `${result.stdout}${result.stderr}`.trim()}`);
  }
}
