/**
 * Packs the client as it is published: `dist/npm/agent-sandbox-client-<version>.tgz`, an npm package that needs nothing of this
 * repository. The packages of the workspace become part of it, in code (ES modules and CommonJS) and types; others are dependencies.
 *
 * The version is that of the root package, or `AGENT_SANDBOX_VERSION` of the environment.
 */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { build, type BuildOptions } from 'esbuild';
import { skillDefinition } from './bundle';

const REPOSITORY = path.resolve(__dirname, '..');
const CLIENT = path.join(REPOSITORY, 'packages', 'client');
/** Entries of the package, and their sources. */
const ENTRIES = { index: 'src/index.ts', compat: 'src/compat/index.ts', main: 'src/main.ts' } as const;
/** Packages of the workspace that become part of it. */
const WORKSPACE = ['api', 'kube'] as const;

const readJson = (...parts: string[]) => JSON.parse(fs.readFileSync(path.join(REPOSITORY, ...parts), 'utf8'));

/** Packs into a directory and returns the path of the tarball. */
export async function packageClient(outdir: string): Promise<string> {
  const staging = fs.mkdtempSync(path.join(REPOSITORY, 'node_modules', '.package-client-'));
  try {
    const manifest = manifestOf();
    await bundle(staging, Object.keys(manifest.dependencies), manifest.version);
    types(staging);
    fs.writeFileSync(path.join(staging, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
    fs.copyFileSync(path.join(CLIENT, 'README.md'), path.join(staging, 'README.md'));
    fs.copyFileSync(path.join(REPOSITORY, 'LICENSE'), path.join(staging, 'LICENSE'));
    fs.mkdirSync(outdir, { recursive: true });
    const [{ filename }] = JSON.parse(execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', outdir], { cwd: staging, encoding: 'utf8' }));
    return path.join(outdir, filename);
  } finally {
    fs.rmSync(staging, { recursive: true, force: true });
  }
}

function manifestOf() {
  const { name, description, license, engines, dependencies: own } = readJson('packages', 'client', 'package.json');
  const root = readJson('package.json');
  const all = Object.assign({}, ...WORKSPACE.map(each => readJson('packages', each, 'package.json').dependencies), own) as Record<string, string>;
  const dependencies = Object.fromEntries(Object.entries(all).filter(([dependency]) => !dependency.startsWith('agent-sandbox-')).sort());
  const entry = (file: string) => ({
    import: { types: `./types/client/src/${file}.d.ts`, default: `./lib/${file === 'index' ? 'index' : 'compat'}.js` },
    require: { types: `./types-cjs/client/src/${file}.d.cts`, default: `./lib/${file === 'index' ? 'index' : 'compat'}.cjs` },
  });
  return {
    name,
    version: process.env.AGENT_SANDBOX_VERSION || root.version as string,
    description,
    license,
    repository: root.repository,
    type: 'module',
    exports: { '.': entry('index'), './compat': entry('compat/index') },
    // For resolvers that do not know `exports`.
    main: './lib/index.cjs',
    types: './types-cjs/client/src/index.d.cts',
    bin: { 'agent-sandbox': './lib/main.js', 'agent-sandbox-client': './lib/main.js' },
    files: ['lib', 'types', 'types-cjs'],
    engines,
    dependencies: { ...dependencies, '@types/node': '>=20' },
  };
}

async function bundle(staging: string, external: readonly string[], version: string): Promise<void> {
  const common: BuildOptions = {
    absWorkingDir: CLIENT,
    outdir: path.join(staging, 'lib'),
    bundle: true,
    platform: 'node',
    target: 'node20',
    conditions: ['agent-sandbox-source'],
    external: [...external],
    define: { 'process.env.AGENT_SANDBOX_VERSION': JSON.stringify(version), ...skillDefinition() },
    logLevel: 'error',
  };
  const { main, ...libraries } = ENTRIES;
  // Classes are shared by the entries, so that an error is an instance of the class of either.
  await build({ ...common, entryPoints: { main, ...libraries }, format: 'esm', splitting: true });
  await build({ ...common, entryPoints: libraries, format: 'cjs', outExtension: { '.js': '.cjs' } });
}

/** Declarations of the client and of the workspace packages that it uses, with relative imports between them. */
function types(staging: string): void {
  const target = path.join(staging, 'types');
  execFileSync(process.execPath, [
    path.join(REPOSITORY, 'node_modules', 'typescript', 'bin', 'tsc'), '--emitDeclarationOnly', '--declaration', '--outDir', target,
    '--rootDir', path.join(REPOSITORY, 'packages'), '--module', 'nodenext', '--target', 'es2022', '--lib', 'ES2022,ESNext.Disposable', '--strict',
    '--skipLibCheck', '--customConditions', 'agent-sandbox-source', '--types', 'node', '--ignoreConfig', ENTRIES.index, ENTRIES.compat,
  ], { cwd: CLIENT, stdio: ['ignore', 'inherit', 'inherit'] });
  for (const file of fs.readdirSync(target, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.d.ts'))) {
    const toRoot = path.posix.relative(path.posix.dirname(file), '.') || '.';
    const text = fs.readFileSync(path.join(target, file), 'utf8')
      .replace(/(['"])agent-sandbox-(api|kube)\1/g, (_, quote, name) => `${quote}${toRoot}/${name}/src/index.js${quote}`);
    fs.writeFileSync(path.join(target, file), text);
    const common = path.join(staging, 'types-cjs', file.replace(/\.d\.ts$/, '.d.cts'));
    fs.mkdirSync(path.dirname(common), { recursive: true });
    fs.writeFileSync(common, text.replace(/(from |import\()(['"])(\.[^'"]*)\.js\2/g, '$1$2$3.cjs$2'));
  }
}

if (require.main === module) {
  packageClient(path.join(REPOSITORY, 'dist', 'npm')).then(file => console.log(path.relative(REPOSITORY, file)), error => {
    console.error((error as Error).message);
    process.exitCode = 1;
  });
}
