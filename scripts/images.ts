/** Writes the images of the programs as OCI archives; names on the command line select. See images/README.md. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { bundle } from './bundle';
import { Entry, RootFile, closure, directory, file, nativeModule, nodeFiles } from './oci/files';
import { writeArchive } from './oci/archive';

const ROOT = path.resolve(__dirname, '..');

/** Where archives go unless somebody wants them elsewhere. */
export const IMAGES_DIR = path.join(ROOT, 'dist', 'images');

const { version } = JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { readonly version: string };
const VERSION = process.env.AGENT_SANDBOX_VERSION || version;

interface Image {
  readonly user: number;
  readonly app: string;
  readonly folders: readonly Entry[];
  readonly commands: readonly string[];
  readonly packages: readonly string[];
  readonly workingDir: string;
}

/** What commands in a sandbox are run with, and what they can count on at least. */
const SHELL = ['/bin/sh', '/bin/bash', '/bin/cat', '/bin/ls', '/bin/mkdir', '/bin/rm', '/bin/sleep', '/usr/bin/env', '/usr/bin/id'];

export const IMAGES: { readonly [program: string]: Image } = {
  controller: { user: 65532, app: '/app', folders: [], commands: [], packages: [], workingDir: '/' },
  router: { user: 65532, app: '/app', folders: [], commands: [], packages: [], workingDir: '/' },
  runtime: {
    user: 1000,
    app: '/opt/agent-sandbox',
    folders: [directory('/app', { uid: 1000, gid: 1000 })],
    commands: SHELL,
    packages: ['@lydell/node-pty', `@lydell/node-pty-${process.platform}-${process.arch}`],
    workingDir: '/app',
  },
};

/** The reference of an image: what a Pod names once the archive is imported. The tag is the version of the programs. */
export function imageName(program: string): string {
  return `docker.io/library/agent-sandbox-${program}:${VERSION}`;
}

/** Writes the archive of a program; returns its path. */
export async function writeImage(program: string, outdir: string = IMAGES_DIR): Promise<string> {
  const image = IMAGES[program];
  fs.mkdirSync(outdir, { recursive: true });
  const main = await bundle(program, path.join(outdir, 'bundle'));
  const base: RootFile[] = [
    ...nodeFiles(),
    ...closure(image.commands),
    ...image.folders,
    directory('/tmp', { mode: 0o1777 }),
    file('/etc/passwd', `root:x:0:0:root:/:/sbin/nologin\nnonroot:x:${image.user}:${image.user}:nonroot:/:/sbin/nologin\n`),
    file('/etc/group', `root:x:0:\nnonroot:x:${image.user}:\n`),
  ];
  const app: RootFile[] = [
    { path: `${image.app}/${program}.mjs`, source: main },
    ...image.packages.flatMap(name => packageFiles(name, image.app)),
  ];
  const archive = path.join(outdir, `${program}.oci.tar`);
  await writeArchive(archive, [base, app], {
    name: imageName(program),
    config: {
      User: `${image.user}:${image.user}`,
      Env: ['PATH=/usr/local/bin:/usr/bin:/bin', 'NODE_ENV=production'],
      Entrypoint: ['/usr/local/bin/node', `${image.app}/${program}.mjs`],
      WorkingDir: image.workingDir,
    },
  });
  return archive;
}

function packageFiles(name: string, app: string): RootFile[] {
  const folder = path.join(ROOT, 'node_modules', name);
  if (!fs.existsSync(folder)) {
    return [];
  }
  return fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(each => fs.statSync(path.join(folder, each)).isFile())
    .flatMap(each => {
      const [target, source] = [`${app}/node_modules/${name}/${each}`, path.join(folder, each)];
      return /\.(node|so)$/.test(each) ? nativeModule(target, source) : [{ path: target, source }];
    });
}

async function main(wanted: readonly string[]): Promise<number> {
  const unknown = wanted.filter(program => !(program in IMAGES));
  if (unknown.length > 0 || process.platform !== 'linux') {
    console.error(unknown.length > 0 ? `no such image: ${unknown.join(', ')}\nimages: ${Object.keys(IMAGES).join(', ')}` : 'images are made of the files of a Linux machine');
    return 2;
  }
  for (const program of wanted.length > 0 ? wanted : Object.keys(IMAGES)) {
    const archive = await writeImage(program);
    console.log(`${path.relative(ROOT, archive)}  ${imageName(program)}  ${(fs.statSync(archive).size / (1 << 20)).toFixed(0)} MiB`);
  }
  return 0;
}

if (require.main === module) {
  main(process.argv.slice(2)).then(code => process.exitCode = code, error => {
    console.error((error as Error).message);
    process.exitCode = 1;
  });
}
