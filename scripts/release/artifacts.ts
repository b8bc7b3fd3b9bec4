/** What a release is made of: files, each made from an exported tree, and where each of them goes. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { parse } from 'yaml';
import { contentPart, writeLayout } from '../oci/archive';
import { breakingChanges, mayBreak, previousRelease } from './compatibility';
import { generate, goModule, mavenRepository, namesIn, pythonPackages, withAbsoluteLinks } from './languages';
import { jsonSchemas } from './schemas';
import { packFolder } from './tar';
import { tagsOf } from './tree';

/** Where a file is published. */
export type Destination = 'npm' | 'PyPI' | 'Maven Central' | 'Go module proxy' | 'Helm repository (OCI)' | 'container registry' | 'GitHub release';

export interface Artifact {
  /** Path below the folder of the release. */
  readonly file: string;
  readonly destination: Destination;
  /** Reference of an image, by digest; path and version of a Go module. */
  readonly reference?: string;
}

export interface Release {
  readonly version: string;
  /** The exported tree, with the version set. */
  readonly tree: string;
  /** Folder of the release. */
  readonly outdir: string;
  /** Address of the repository. */
  readonly repository: string;
  /** Registry and namespace of the images, such as `ghcr.io/owner`. */
  readonly registry: string;
  /** Digests of the images that were made, by image. */
  readonly digests: Map<string, string>;
  /** Whether the library in the tree is compiled. */
  compiled: boolean;
  /** Folder with the compiled library of the release before. */
  readonly previous?: string;
}

interface Group {
  readonly words: string;
  readonly make: (release: Release) => Artifact[] | Promise<Artifact[]>;
}

/** Groups of artifacts, in the order in which they are made: charts name the digests of images. */
export const GROUPS: { readonly [name: string]: Group } = {
  images: { words: 'images of the programs, as OCI archives with a bill of materials each', make: images },
  npm: { words: 'packages for npm', make: npm },
  pypi: { words: 'the library for Python, as wheel and source distribution (needs Python)', make: pypi },
  maven: { words: 'the library for Java, as files of a Maven repository (needs a JDK and Maven)', make: maven },
  go: { words: 'the library for Go, as the folder of its module', make: go },
  chart: { words: 'the Helm chart', make: chart },
  install: { words: 'definitions and installations, one file each', make: install },
  schemas: { words: 'JSON schemas for kubeconform and catalogs of definitions', make: schemas },
  sbom: { words: 'the bill of materials of the programs and packages', make: sbom },
};

/** Runs a script of the exported tree, which finds the version there. */
function run(release: Release, args: readonly string[], env: NodeJS.ProcessEnv = {}): string {
  const bin = path.join(release.tree, '..', '..', 'node_modules', '.bin');
  return execFileSync(process.execPath, ['--import', 'tsx', ...args], {
    cwd: release.tree, encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '', AGENT_SANDBOX_VERSION: release.version, PATH: `${bin}${path.delimiter}${process.env.PATH}`, ...env },
  });
}

/** Copies a file into the release, below a folder for its kind. */
function place({ outdir }: Release, folder: string, source: string): string {
  const file = path.join(folder, path.basename(source));
  fs.mkdirSync(path.join(outdir, folder), { recursive: true });
  fs.copyFileSync(source, path.join(outdir, file));
  return file;
}

function images(release: Release): Artifact[] {
  run(release, ['scripts/images.ts', '--locked']);
  const folder = path.join(release.tree, 'dist', 'images');
  return fs.readdirSync(folder).filter(name => name.endsWith('.oci.tar')).sort().flatMap(name => {
    const image = name.replace('.oci.tar', '');
    const index = JSON.parse(execFileSync('tar', ['-xOf', path.join(folder, name), 'index.json'], { encoding: 'utf8' })) as { manifests: [{ digest: string }] };
    const { digest } = index.manifests[0];
    release.digests.set(image, digest);
    return [
      { file: place(release, 'images', path.join(folder, name)), destination: 'container registry', reference: `${imageOf(release, image)}@${digest}` } as const,
      { file: place(release, 'images', path.join(folder, `${image}.cdx.json`)), destination: 'GitHub release' } as const,
    ];
  });
}

function imageOf({ registry }: Release, image: string): string {
  return `${registry}/agent-sandbox-${image}`;
}

/** Compiles the library with its version, once. */
function compileLibrary(release: Release): void {
  if (release.compiled) {
    return;
  }
  run(release, [require.resolve('projen/bin/projen'), 'compile']);
  const bundled = (JSON.parse(fs.readFileSync(path.join(release.tree, 'package.json'), 'utf8')) as { bundledDependencies: string[] }).bundledDependencies;
  bundled.forEach(name => fs.cpSync(path.join(release.tree, '..', '..', 'node_modules', name), path.join(release.tree, 'node_modules', name), { recursive: true }));
  release.compiled = true;
  checkApi(release);
}

/** Throws when programs for the release before may not work with this one, and the versions do not say so. */
function checkApi({ tree, version, previous }: Release): void {
  const root = path.join(tree, '..', '..');
  const before = previousRelease(tagsOf(root), version);
  if (before === undefined || mayBreak(before, version)) {
    console.error(before === undefined ? '  no release before this one to compare the API with' : `  the API may differ from that of ${before}`);
    return;
  }
  const { name } = JSON.parse(fs.readFileSync(path.join(tree, 'package.json'), 'utf8')) as { name: string };
  const changes = breakingChanges(previous ?? `npm:${name}@${before}`, tree);
  if (changes.length > 0) {
    throw new Error(`${version} would replace ${before}, and programs that use its API would break; keep the API, or raise the version further:
${changes.join('\n')}`);
  }
}

function npm(release: Release): Artifact[] {
  // The library, then the packages of the workspace, in code and types for ES modules and CommonJS.
  compileLibrary(release);
  const folder = path.join(release.tree, 'dist', 'npm');
  fs.mkdirSync(folder, { recursive: true });
  execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], { cwd: release.tree, stdio: ['ignore', 'ignore', 'inherit'] });
  run(release, ['scripts/package-npm.ts']);
  return fs.readdirSync(folder).sort().map(name => ({ file: place(release, 'npm', path.join(folder, name)), destination: 'npm' }));
}

/** Generates the library in a language, and returns a folder of that language and the code in it. */
function generated(release: Release, language: 'python' | 'java' | 'go'): { readonly folder: string; readonly code: string } {
  compileLibrary(release);
  const folder = path.join(release.tree, 'dist', language);
  const code = generate(release.tree, language, folder);
  for (const readme of fs.readdirSync(code, { recursive: true, encoding: 'utf8' }).filter(name => path.basename(name) === 'README.md')) {
    const file = path.join(code, readme);
    fs.writeFileSync(file, withAbsoluteLinks(fs.readFileSync(file, 'utf8'), release.repository, release.version));
  }
  return { folder, code };
}

async function pypi(release: Release): Promise<Artifact[]> {
  const { folder, code } = generated(release, 'python');
  return (await pythonPackages(code, folder)).map(file => ({ file: place(release, 'pypi', file), destination: 'PyPI' }));
}

function maven(release: Release): Artifact[] {
  const { code } = generated(release, 'java');
  return mavenRepository(code, path.join(release.outdir, 'maven'), { ...namesIn(release.tree).java.maven, version: release.version })
    .map(file => ({ file: path.join('maven', file), destination: 'Maven Central' }));
}

async function go(release: Release): Promise<Artifact[]> {
  const { code } = generated(release, 'go');
  const { moduleName, packageName } = namesIn(release.tree).go;
  const file = path.join('go', `${packageName}-${release.version}.tgz`);
  fs.mkdirSync(path.join(release.outdir, 'go'), { recursive: true });
  fs.writeFileSync(path.join(release.outdir, file), await goModule(code, packageName));
  return [{ file, destination: 'Go module proxy', reference: `${moduleName}/${packageName}@v${release.version}` }];
}

async function chart(release: Release): Promise<Artifact[]> {
  const source = path.join(release.tree, 'chart');
  const values = path.join(source, 'values.yaml');
  fs.writeFileSync(values, withImages(fs.readFileSync(values, 'utf8'), release));
  const base = path.join('chart', `agent-sandbox-${release.version}`);
  fs.mkdirSync(path.join(release.outdir, 'chart'), { recursive: true });
  const packed = await packFolder(source, 'agent-sandbox');
  fs.writeFileSync(path.join(release.outdir, `${base}.tgz`), packed);
  await writeChartLayout(path.join(release.outdir, `${base}.oci.tar`), packed, fs.readFileSync(path.join(source, 'Chart.yaml'), 'utf8'));
  return [
    { file: `${base}.tgz`, destination: 'Helm repository (OCI)' },
    // For mirrors: the same chart as a layout that registries take as it is.
    { file: `${base}.oci.tar`, destination: 'GitHub release' },
    { file: place(release, 'chart', path.join(release.tree, 'artifacthub-repo.yml')), destination: 'GitHub release' },
  ];
}

/** Writes a packed chart as an OCI image layout, in the media types of Helm. */
export async function writeChartLayout(archive: string, packed: Buffer, chartYaml: string): Promise<string> {
  const { name, version, ...more } = parse(chartYaml) as { name: string; version: string };
  return writeLayout(archive, `${name}:${version}`, { mediaType: 'application/vnd.cncf.helm.config.v1+json', value: { name, version, ...more } },
    [contentPart('application/vnd.cncf.helm.chart.content.v1.tar+gzip', packed)]);
}

/** Images of the values of the chart, in their order: those of the Pods, and that of the sandbox of `helm test`. */
const CHART_IMAGES = ['controller', 'router', 'runtime'];

/** Values of the chart with the images of the release: by digest where they were made, else by tag. */
function withImages(values: string, release: Release): string {
  let next = 0;
  const text = values.replace(/^( *)repository: ""\n(.*?)^\1tag: ""\n(.*?)^\1digest: ""\n/gms, (_, indent: string, beforeTag: string, beforeDigest: string) => {
    const program = CHART_IMAGES[next++];
    return `${indent}repository: ${JSON.stringify(imageOf(release, program))}\n${beforeTag}${indent}tag: ${JSON.stringify(release.version)}\n`
      + `${beforeDigest}${indent}digest: ${JSON.stringify(release.digests.get(program) ?? '')}\n`;
  });
  if (next !== CHART_IMAGES.length) {
    throw new Error(`the chart has ${next} images, the release knows ${CHART_IMAGES.join(', ')}`);
  }
  return text;
}

function install(release: Release): Artifact[] {
  const image = (program: string) => {
    const digest = release.digests.get(program);
    return `${imageOf(release, program)}:${release.version}${digest === undefined ? '' : `@${digest}`}`;
  };
  const texts = Object.entries(JSON.parse(run(release, ['scripts/release/manifests.ts', release.version, image('controller'), image('router')])) as Record<string, string>);
  fs.mkdirSync(path.join(release.outdir, 'install'), { recursive: true });
  return texts.map(([name, text]) => {
    const file = path.join('install', name);
    fs.writeFileSync(path.join(release.outdir, file), text);
    return { file, destination: 'GitHub release' };
  });
}

async function schemas(release: Release): Promise<Artifact[]> {
  const folder = path.join(release.tree, 'dist', 'schemas');
  for (const [name, schema] of jsonSchemas(JSON.parse(run(release, ['scripts/release/manifests.ts', '--definitions'])))) {
    fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    fs.writeFileSync(path.join(folder, name), `${JSON.stringify(schema, undefined, 2)}\n`);
  }
  const file = path.join('schemas', `agent-sandbox-schemas-${release.version}.tgz`);
  fs.mkdirSync(path.join(release.outdir, 'schemas'), { recursive: true });
  fs.writeFileSync(path.join(release.outdir, file), await packFolder(folder, '.'));
  return [{ file, destination: 'GitHub release' }];
}

function sbom(release: Release): Artifact[] {
  const file = path.join('sbom', `agent-sandbox-${release.version}.cdx.json`);
  fs.mkdirSync(path.join(release.outdir, 'sbom'), { recursive: true });
  fs.writeFileSync(path.join(release.outdir, file), run(release, ['scripts/release/sbom.ts']));
  return [{ file, destination: 'GitHub release' }];
}
