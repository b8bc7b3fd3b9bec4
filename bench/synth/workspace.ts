/**
 * Lays out bench/work: the library as its users install it, the stock import, and the apps as source and as JavaScript.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as ts from 'typescript';
import { commitOf, extract } from '../commit';
import { idAt, OWN, SUBJECTS, type Subject } from './subjects';

const REPOSITORY = path.resolve(__dirname, '..', '..');
export const WORK = path.join(REPOSITORY, 'bench', 'work');
/** What runs keep: what takes minutes to make, and does not change. */
const KEPT = ['package.json', 'cdk8s-cli', 'commits'];
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
 * @param revisions earlier revisions of the library, to be measured as well
 * @throws if the library does not compile, or the stock import fails on our CRDs
 */
export function prepare(offline: boolean, revisions: readonly string[]): Workspace {
  fs.mkdirSync(WORK, { recursive: true });
  fs.writeFileSync(path.join(WORK, 'package.json'), JSON.stringify({ private: true }));
  // Everything else is made anew, so that no run measures what an earlier one left.
  for (const name of fs.readdirSync(WORK).filter(each => !KEPT.includes(each))) {
    fs.rmSync(path.join(WORK, name), { recursive: true });
  }
  compileLibrary();
  installLibrary(REPOSITORY, WORK);
  const missing = installCli(offline);
  if (!missing) {
    generateStockImport();
  }
  const subjects = SUBJECTS.filter(subject => !subject.stock || !missing);
  layOut(WORK, __dirname, subjects.map(({ id }) => id));
  const earlier = revisions.flatMap(revision => subjectsOf(revision));
  return { subjects: [...subjects, ...earlier], missing: missing ? [missing] : [], versions: versions(!missing) };
}

/** Writes the apps of a folder of sources, and today's worker, as source and as JavaScript. */
function layOut(folder: string, sources: string, apps: readonly string[]): void {
  const copy = (from: string, name: string) => {
    const target = path.join(folder, name);
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.copyFileSync(path.join(from, name), target);
    transpile(target, target.replace(/\.ts$/, '.js'));
  };
  copy(__dirname, 'worker.ts');
  copy(__dirname, 'charts.ts');
  for (const app of apps) {
    copy(sources, `apps/${app}.ts`);
    fs.writeFileSync(path.join(folder, `tsconfig.${app}.json`), JSON.stringify({ compilerOptions: COMPILER_OPTIONS, files: [`apps/${app}.ts`] }, undefined, 2));
  }
}

/** The library as of a revision, with the apps that it had then: what is measured is that the same objects are written. */
function subjectsOf(revision: string): Subject[] {
  const commit = commitOf(revision);
  const source = path.join(WORK, 'commits', 'library', commit);
  if (!fs.existsSync(path.join(source, 'lib', 'src', 'index.js'))) {
    console.log(`Compiling the library as of ${revision}, once.`);
    extract('library', commit, ['package.json', 'README.md', 'LICENSE', 'src', 'imports', 'tsconfig.json', 'bench/synth']);
    useInstalledPeers(path.join(source, 'package.json'));
    // As its own task does, but for the warnings that fail it: today's cdk8s may have deprecated what it uses.
    run(process.execPath, [require.resolve('jsii/bin/jsii'), '--silence-warnings=reserved-word', '--silence-warnings=member-name-conflicts-with-type-name'],
      source, `the library as of ${revision} does not compile`);
  }
  const folder = path.join('at', commit);
  installLibrary(source, path.join(WORK, folder));
  const known = OWN.filter(({ id }) => fs.existsSync(path.join(source, 'bench', 'synth', 'apps', `${id}.ts`)));
  layOut(path.join(WORK, folder), path.join(source, 'bench', 'synth'), known.map(({ id }) => id));
  return known.map(subject => ({ ...subject, id: idAt(subject.id, revision), label: `${subject.label}, ${revision}`, at: { folder, app: subject.id } }));
}

/** jsii refuses ranges of dependencies that those of today are not in. */
function useInstalledPeers(file: string): void {
  const manifest = JSON.parse(fs.readFileSync(file, 'utf8'));
  for (const name of Object.keys(manifest.peerDependencies)) {
    manifest.peerDependencies[name] = `^${installedVersion(name)}`;
  }
  fs.writeFileSync(file, JSON.stringify(manifest, undefined, 2));
}

/** Runs jsii if its output is missing or older than a source: the benchmark must not measure an earlier library. */
function compileLibrary(): void {
  const output = path.join(REPOSITORY, 'lib', 'src', 'index.js');
  const sources = ['src', 'imports'].flatMap(folder => (fs.readdirSync(path.join(REPOSITORY, folder), { recursive: true }) as string[])
    .map(name => path.join(REPOSITORY, folder, name)));
  const built = fs.existsSync(output) ? fs.statSync(output).mtimeMs : 0;
  if (sources.every(source => fs.statSync(source).mtimeMs <= built)) {
    return;
  }
  console.log('Compiling the library: lib/ is missing or older than its sources.');
  run('npm', ['run', 'compile'], REPOSITORY, 'the library does not compile');
}

/** A copy of what the package publishes, so that resolution and declarations are those of an installed library. */
function installLibrary(source: string, folder: string): void {
  const target = path.join(folder, 'node_modules', 'cdk8s-agent-sandbox');
  fs.mkdirSync(target, { recursive: true });
  for (const name of ['package.json', 'lib']) {
    fs.cpSync(path.join(source, name), path.join(target, name), { recursive: true });
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
  return {
    node: process.versions.node,
    ...Object.fromEntries(['typescript', 'cdk8s', 'cdk8s-plus-33', 'constructs'].map(name => [name, installedVersion(name)])),
    ...(stock && { 'cdk8s-cli': CLI_VERSION }),
  };
}

function installedVersion(name: string): string {
  return JSON.parse(fs.readFileSync(path.join(REPOSITORY, 'node_modules', name, 'package.json'), 'utf8')).version;
}

function run(command: string, args: string[], cwd: string, failure: string): void {
  const result = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (result.error || result.status !== 0) {
    throw new Error(`${failure}:\n\n${result.error?.message ?? `${result.stdout}${result.stderr}`.trim()}`);
  }
}
