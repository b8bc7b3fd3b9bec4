/**
 * Packs the packages of the workspace that are published, as npm packages that need nothing of this repository: code as ES modules and
 * CommonJS, and types for both. Writes `dist/npm/<name>-<version>.tgz`; names on the command line select.
 *
 * The version is that of the root package, or `AGENT_SANDBOX_VERSION` of the environment.
 */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { build, type BuildOptions } from 'esbuild';
import { textDefinitions } from './bundle';

const REPOSITORY = path.resolve(__dirname, '..');

/** One package: its folder below `packages` is its name without `agent-sandbox-`. */
interface Published {
  /** Entries that programs import, as paths below `src` without extension. The first is the package itself. */
  readonly entries: readonly string[];
  /** Source of the command line. */
  readonly command?: string;
  /** Packages of the workspace that become part of it; others of the workspace stay dependencies, of the same version. */
  readonly inlined: readonly string[];
}

/** What is published besides the library and the images. */
const PUBLISHED: { readonly [name: string]: Published } = {
  api: { entries: ['index'], inlined: [] },
  kube: { entries: ['index'], inlined: [] },
  client: { entries: ['index', 'compat/index'], command: 'main', inlined: ['api', 'kube'] },
};

const readJson = (...parts: string[]) => JSON.parse(fs.readFileSync(path.join(REPOSITORY, ...parts), 'utf8'));

/** Packs a package into a directory and returns the path of the tarball. */
export async function packagePublished(name: string, outdir: string): Promise<string> {
  fs.mkdirSync(path.join(REPOSITORY, 'dist'), { recursive: true });
  const staging = fs.mkdtempSync(path.join(REPOSITORY, 'dist', '.package-'));
  try {
    const manifest = manifestOf(name);
    await bundle(name, staging, Object.keys(manifest.dependencies), manifest.version);
    types(name, staging);
    fs.writeFileSync(path.join(staging, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
    fs.copyFileSync(path.join(REPOSITORY, 'packages', name, 'README.md'), path.join(staging, 'README.md'));
    fs.copyFileSync(path.join(REPOSITORY, 'LICENSE'), path.join(staging, 'LICENSE'));
    fs.mkdirSync(outdir, { recursive: true });
    const [{ filename }] = JSON.parse(execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', outdir], { cwd: staging, encoding: 'utf8' }));
    return path.join(outdir, filename);
  } finally {
    fs.rmSync(staging, { recursive: true, force: true });
  }
}

function manifestOf(folder: string) {
  const { entries, inlined } = PUBLISHED[folder];
  const { name, description, license, engines, bin, dependencies: own } = readJson('packages', folder, 'package.json');
  const root = readJson('package.json');
  const version = process.env.AGENT_SANDBOX_VERSION || root.version as string;
  const all = Object.assign({}, ...inlined.map(each => readJson('packages', each, 'package.json').dependencies), own) as Record<string, string>;
  const dependencies = Object.fromEntries(Object.entries(all).filter(([dependency]) => !inlined.includes(dependency.replace('agent-sandbox-', '')))
    .map(([dependency, range]) => [dependency, dependency.startsWith('agent-sandbox-') ? version : range]).sort());
  const entry = (source: string) => ({
    import: { types: `./types/${folder}/src/${source}.d.ts`, default: `./lib/${fileOf(source)}.js` },
    require: { types: `./types-cjs/${folder}/src/${source}.d.cts`, default: `./lib/${fileOf(source)}.cjs` },
  });
  return {
    name,
    version,
    description,
    license,
    repository: root.repository,
    type: 'module',
    exports: Object.fromEntries(entries.map(source => [source === 'index' ? '.' : `./${fileOf(source)}`, entry(source)])),
    // For resolvers that do not know `exports`.
    main: './lib/index.cjs',
    types: `./types-cjs/${folder}/src/index.d.cts`,
    bin,
    files: ['lib', 'types', 'types-cjs'],
    engines,
    publishConfig: { access: 'public' },
    dependencies: { ...dependencies, '@types/node': '>=20' },
  };
}

/** The file of an entry below `lib`: `compat/index` is `compat`. */
function fileOf(source: string): string {
  return source.replace(/\/index$/, '');
}

async function bundle(name: string, staging: string, external: readonly string[], version: string): Promise<void> {
  const { entries, command } = PUBLISHED[name];
  const common: BuildOptions = {
    absWorkingDir: path.join(REPOSITORY, 'packages', name),
    outdir: path.join(staging, 'lib'),
    bundle: true,
    platform: 'node',
    target: 'node20',
    conditions: ['agent-sandbox-source'],
    external: [...external],
    define: { 'process.env.AGENT_SANDBOX_VERSION': JSON.stringify(version), ...textDefinitions() },
    logLevel: 'error',
  };
  const sources = (names: readonly string[]) => Object.fromEntries(names.map(source => [fileOf(source), `src/${source}.ts`]));
  // Classes are shared by the entries, so that an error is an instance of the class of either.
  await build({ ...common, entryPoints: sources(command === undefined ? entries : [command, ...entries]), format: 'esm', splitting: true });
  await build({ ...common, entryPoints: sources(entries), format: 'cjs', outExtension: { '.js': '.cjs' } });
}

/** Declarations of the package and of what is inlined, with relative imports between them. */
function types(name: string, staging: string): void {
  const { entries, inlined } = PUBLISHED[name];
  const target = path.join(staging, 'types');
  execFileSync(process.execPath, [
    path.join(path.dirname(require.resolve('typescript/package.json')), 'bin', 'tsc'), '--emitDeclarationOnly', '--declaration', '--outDir', target,
    '--rootDir', path.join(REPOSITORY, 'packages'), '--module', 'nodenext', '--target', 'es2022', '--lib', 'ES2022,ESNext.Disposable', '--strict',
    '--skipLibCheck', '--customConditions', 'agent-sandbox-source', '--types', 'node', '--ignoreConfig',
    // The compiler writes no declarations of what it finds by a package's name only.
    ...inlined.map(each => path.join('..', each, 'src', 'index.ts')), ...entries.map(source => `src/${source}.ts`),
  ], { cwd: path.join(REPOSITORY, 'packages', name), stdio: ['ignore', 'inherit', 'inherit'] });
  // Others of the workspace are dependencies, and bring their own.
  fs.readdirSync(target).filter(each => ![name, ...inlined].includes(each)).forEach(each => fs.rmSync(path.join(target, each), { recursive: true }));
  for (const file of fs.readdirSync(target, { recursive: true, encoding: 'utf8' }).filter(each => each.endsWith('.d.ts'))) {
    const toRoot = path.posix.relative(path.posix.dirname(file), '.') || '.';
    const text = fs.readFileSync(path.join(target, file), 'utf8')
      .replace(/(['"])agent-sandbox-(\w+)\1/g, (whole, quote, each) => (inlined.includes(each) ? `${quote}${toRoot}/${each}/src/index.js${quote}` : whole));
    fs.writeFileSync(path.join(target, file), text);
    const common = path.join(staging, 'types-cjs', file.replace(/\.d\.ts$/, '.d.cts'));
    fs.mkdirSync(path.dirname(common), { recursive: true });
    fs.writeFileSync(common, text.replace(/(from |import\()(['"])(\.[^'"]*)\.js\2/g, '$1$2$3.cjs$2'));
  }
}

async function main(wanted: readonly string[]): Promise<number> {
  const unknown = wanted.filter(name => !(name in PUBLISHED));
  if (unknown.length > 0) {
    console.error(`no such package: ${unknown.join(', ')}\npackages: ${Object.keys(PUBLISHED).join(', ')}`);
    return 2;
  }
  for (const name of wanted.length > 0 ? wanted : Object.keys(PUBLISHED)) {
    console.log(path.relative(REPOSITORY, await packagePublished(name, path.join(REPOSITORY, 'dist', 'npm'))));
  }
  return 0;
}

if (require.main === module) {
  main(process.argv.slice(2)).then(code => process.exitCode = code, error => {
    console.error((error as Error).message);
    process.exitCode = 1;
  });
}
