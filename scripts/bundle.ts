/**
 * Bundles programs, as they are in their images and in benchmarks: no transpiler at run time, and of each dependency what the
 * program uses. Writes `dist/bundle/<program>.mjs`, and for some programs a folder `dist/bundle/<program>/` with the parts that it
 * imports; names on the command line select.
 *
 * The version is that of the root package, or `AGENT_SANDBOX_VERSION` of the environment.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { build, type BuildOptions } from 'esbuild';

const REPOSITORY = path.resolve(__dirname, '..');

/** Default directory of the bundles. */
export const BUNDLE_DIR = path.join(REPOSITORY, 'dist', 'bundle');

export interface BundledProgram {
  /** Modules that cannot be part of a bundle: native code, or files that they look for beside themselves. */
  readonly external: readonly string[];
  /** Whether what it imports dynamically becomes files of their own, which are read only when they are needed. */
  readonly split?: boolean;
}

export const PROGRAMS: { readonly [program: string]: BundledProgram } = {
  controller: { external: [], split: true },
  router: { external: [] },
  runtime: { external: ['playwright-core', '@lydell/node-pty'] },
  client: { external: [] },
};

/** Bundles `packages/<program>/src/main.ts`; returns the path of the file to run. Throws what esbuild finds wrong. */
export async function bundle(program: string, outdir: string = BUNDLE_DIR): Promise<string> {
  // The names of parts depend on what is in them: those of earlier bundles would stay.
  fs.rmSync(path.join(outdir, program), { recursive: true, force: true });
  await build(optionsOf(program, outdir));
  return path.join(outdir, `${program}.mjs`);
}

/** Paths of the files that a bundle needs to run, relative to its folder: the program itself first. */
export function bundleFiles(program: string, outdir: string = BUNDLE_DIR): string[] {
  const parts = PROGRAMS[program].split ? fs.readdirSync(path.join(outdir, program)).filter(file => file.endsWith('.mjs')).sort() : [];
  return [`${program}.mjs`, ...parts.map(file => path.join(program, file))];
}

/** The folder of an installed package: in this tree, or in the one around it, where this one is exported for a release. Undefined where it is missing. */
export function installedPackage(name: string): string | undefined {
  return require.resolve.paths(name)!.map(folder => path.join(folder, name)).find(folder => fs.existsSync(folder));
}

/** Packages from the registry that are part of a bundle, or stay beside it, with their versions. */
export async function bundledPackages(program: string): Promise<{ readonly [name: string]: string }> {
  const { metafile } = await build({ ...optionsOf(program, BUNDLE_DIR), write: false, metafile: true });
  const folders = new Set(Object.keys(metafile.inputs).flatMap(input => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1] ?? []));
  const all = [...[...folders].map(folder => path.resolve(REPOSITORY, folder)), ...PROGRAMS[program].external.flatMap(name => installedPackage(name) ?? [])].map(folder => path.join(folder, 'package.json'));
  const packages = all.filter(file => fs.existsSync(file)).map(file => JSON.parse(fs.readFileSync(file, 'utf8')) as { name: string; version: string });
  return Object.fromEntries(packages.map(each => [each.name, each.version] as const).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What the client writes for its users, as texts of the program: the skill for coding agents, and a new app. */
export function textDefinitions(): { readonly [name: string]: string } {
  const texts = (folder: string) => {
    const files = fs.readdirSync(path.join(REPOSITORY, folder), { recursive: true, encoding: 'utf8' }).filter(file => fs.statSync(path.join(REPOSITORY, folder, file)).isFile());
    return JSON.stringify(JSON.stringify(Object.fromEntries(files.sort().map(file => [file, fs.readFileSync(path.join(REPOSITORY, folder, file), 'utf8')]))));
  };
  return {
    'process.env.AGENT_SANDBOX_SKILL': texts('skills/agent-sandbox'),
    'process.env.AGENT_SANDBOX_APP': texts('packages/client/templates'),
  };
}

function optionsOf(program: string, outdir: string): BuildOptions {
  const { version } = JSON.parse(fs.readFileSync(path.join(REPOSITORY, 'package.json'), 'utf8'));
  return {
    entryPoints: { [program]: path.join(REPOSITORY, 'packages', program, 'src', 'main.ts') },
    outdir,
    outExtension: { '.js': '.mjs' },
    chunkNames: `${program}/[name]-[hash]`,
    splitting: PROGRAMS[program].split ?? false,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    // The sources of the workspace, see `SOURCE_CONDITION` in projenrc/workspace.ts.
    conditions: ['agent-sandbox-source'],
    external: [...PROGRAMS[program].external],
    define: { 'process.env.AGENT_SANDBOX_VERSION': JSON.stringify(process.env.AGENT_SANDBOX_VERSION || version), ...textDefinitions() },
    // Dependencies that are CommonJS ask for it.
    banner: { js: "import { createRequire as requireFor } from 'node:module';\nconst require = requireFor(import.meta.url);" },
    // Less text to keep in memory; names stay, so that stack traces can be read.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'linked',
    logLevel: 'error',
    absWorkingDir: REPOSITORY,
  };
}

async function main(wanted: readonly string[]): Promise<number> {
  const unknown = wanted.filter(program => !(program in PROGRAMS));
  if (unknown.length > 0) {
    console.error(`no such program: ${unknown.join(', ')}\nprograms: ${Object.keys(PROGRAMS).join(', ')}`);
    return 2;
  }
  for (const program of wanted.length > 0 ? wanted : Object.keys(PROGRAMS)) {
    const file = await bundle(program);
    const size = bundleFiles(program).reduce((sum, name) => sum + fs.statSync(path.join(BUNDLE_DIR, name)).size, 0);
    console.log(`${path.relative(REPOSITORY, file)}  ${(size / 1024).toFixed(0)} KiB`);
  }
  return 0;
}

if (require.main === module) {
  main(process.argv.slice(2)).then(code => process.exitCode = code, error => {
    console.error((error as Error).message);
    process.exitCode = 1;
  });
}
