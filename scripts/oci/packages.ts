import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { DEBIAN_SUITE, NODE_VERSION, PYTHON_VERSION } from '../../images/definitions';
import { cachedLayer, isCached, type CachedLayer } from './layer';

const IMAGES = path.resolve(__dirname, '..', '..', 'images');

/** Versions by name. */
export type Versions = { readonly [name: string]: string };

/** A command as it is run for a layer. Its output goes to stderr, its failure is an error that says so. */
function run(command: string, args: readonly string[], options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {}): void {
  try {
    execFileSync(command, args, { stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 28, ...options });
  } catch (error) {
    const { code, stderr } = error as { code?: string; stderr?: Buffer };
    throw new Error(code === 'ENOENT' ? `${command} is not installed: apt-get install ${command}` : `${command} failed:\n${String(stderr).trim().split('\n').slice(-15).join('\n')}`);
  }
}

/** What the slim image of Debian leaves out, too. */
const EXCLUDED = ['/usr/share/man/*', '/usr/share/doc/*', '/usr/share/info/*', '/usr/share/locale/*', '/usr/share/lintian/*'];

const debianKey = (packages: readonly string[]) => ({ kind: 'debian', revision: 2, suite: DEBIAN_SUITE, arch: process.arch, packages: [...packages].sort() });

const nodeKey = { kind: 'node', revision: 1, version: NODE_VERSION, arch: process.arch };
const lockOf = (image: string, file: string) => fs.readFileSync(path.join(IMAGES, image, file), 'utf8');
const pypiKey = (image: string) => ({ kind: 'pypi', revision: 1, python: PYTHON_VERSION, arch: process.arch, lock: lockOf(image, 'requirements.txt') });
const npmKey = (image: string) => ({ kind: 'npm', revision: 2, node: NODE_VERSION, arch: process.arch, lock: lockOf(image, 'package-lock.json') });

// Whether layers can be had without a network.
export const hasDebian = (packages: readonly string[]) => isCached(debianKey(packages));
export const hasNode = () => isCached(nodeKey);
export const hasPypi = (image: string) => isCached(pypiKey(image));
export const hasNpm = (image: string) => isCached(npmKey(image));

/**
 * Debian with packages, by mmdebstrap: as an installation from the same mirrors would have it, with the user 1000 that Docker's images
 * of Node have. Needs root, and the mirrors of this machine. The notes are the packages with their versions.
 */
export function debianLayer(packages: readonly string[]): Promise<CachedLayer<Versions>> {
  return cachedLayer(debianKey(packages), async tar => {
    run('mmdebstrap', [
      '--variant=minbase', '--mode=root', `--include=${[...packages].sort().join(',')}`,
      ...EXCLUDED.map(pattern => `--dpkgopt=path-exclude=${pattern}`), '--dpkgopt=path-include=/usr/share/doc/*/copyright',
      '--customize-hook=chroot "$1" useradd --create-home --uid 1000 --shell /bin/bash node',
      '--customize-hook=rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/* "$1"/var/log/* "$1"/etc/resolv.conf "$1"/etc/hostname "$1"/etc/machine-id',
      DEBIAN_SUITE, tar,
    ], { env: { ...process.env, SOURCE_DATE_EPOCH: '0' } });
    const status = execFileSync('tar', ['-xOf', tar, './var/lib/dpkg/status'], { encoding: 'utf8', maxBuffer: 1 << 28 });
    const found = [...status.matchAll(/^Package: (.+)\n(?:.+\n)*?Version: (.+)$/gm)].map(([, name, version]) => [name, version] as const);
    return Object.fromEntries(found.sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** Node as the npm package of its builds has it. */
export function nodeLayer(): Promise<CachedLayer<Versions>> {
  return cachedLayer(nodeKey, async (tar, work) => {
    const root = path.join(work, 'root');
    fs.mkdirSync(path.join(root, 'usr/local/bin'), { recursive: true });
    fs.copyFileSync(path.join(nodePackage(work), 'bin/node'), path.join(root, 'usr/local/bin/node'));
    fs.chmodSync(path.join(root, 'usr/local/bin/node'), 0o755);
    pack(root, tar);
    return { node: NODE_VERSION };
  });
}

/** The npm package of Node's build, installed below a folder. */
function nodePackage(work: string): string {
  const folder = path.join(work, 'node');
  fs.mkdirSync(folder);
  fs.writeFileSync(path.join(folder, 'package.json'), '{"private":true}');
  run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', `node-linux-${process.arch}@${NODE_VERSION}`], { cwd: folder });
  return path.join(folder, 'node_modules', `node-linux-${process.arch}`);
}

/** Packages of PyPI as `requirements.txt` of an image has them, each with its hash. Only wheels, so that nothing of them runs. */
export function pypiLayer(image: string): Promise<CachedLayer<Versions>> {
  const key = pypiKey(image);
  return cachedLayer(key, async (tar, work) => {
    const root = path.join(work, 'root');
    const site = path.join(root, 'usr/local/lib', `python${PYTHON_VERSION}`, 'dist-packages');
    fs.mkdirSync(site, { recursive: true });
    run('python3', [
      '-m', 'pip', 'install', '--disable-pip-version-check', '--no-compile', '--require-hashes', '--only-binary', ':all:', '--implementation', 'cp', '--python-version', PYTHON_VERSION,
      ...['manylinux_2_28_x86_64', 'manylinux_2_27_x86_64', 'manylinux_2_17_x86_64', 'manylinux2014_x86_64'].flatMap(each => ['--platform', each]),
      '--target', site, '-r', path.join(IMAGES, image, 'requirements.txt'),
    ]);
    // Programs in bin/ have the path of another Python: `python3 -m` takes their place.
    fs.rmSync(path.join(site, 'bin'), { recursive: true, force: true });
    for (const folder of ['share', 'etc']) {
      if (fs.existsSync(path.join(site, folder))) {
        fs.renameSync(path.join(site, folder), path.join(root, 'usr/local', folder));
      }
    }
    pack(root, tar);
    return pypiVersions(key.lock);
  });
}

/** Names and versions in a `requirements.txt`. */
function pypiVersions(lock: string): Versions {
  return Object.fromEntries([...lock.matchAll(/^([A-Za-z0-9._-]+)==([^\s;\\]+)/gm)].map(([, name, version]) => [name, version]));
}

/** What compilers leave behind in packages of npm, as arguments of `find`. */
export const NPM_LEFTOVERS = ['-type', 'd', '(', '-name', 'obj.target', '-o', '-name', '.deps', ')', '-prune', '-exec', 'rm', '-rf', '{}', '+'];

/**
 * Packages of npm as the lock file of an image has them, in `/opt/npm`. They are built with the Node of the images. The notes have those, too,
 * that a package has installed for itself.
 */
export function npmLayer(image: string): Promise<CachedLayer<Versions>> {
  return cachedLayer(npmKey(image), async (tar, work) => {
    const node = nodePackage(work);
    const target = path.join(work, 'root/opt/npm');
    fs.mkdirSync(target, { recursive: true });
    ['package.json', 'package-lock.json'].forEach(file => fs.copyFileSync(path.join(IMAGES, image, file), path.join(target, file)));
    // Native modules are built against the headers that come with it; nothing of Node's is fetched.
    const env = { ...process.env, PATH: `${path.join(node, 'bin')}:${process.env.PATH}`, npm_config_nodedir: node };
    run('npm', ['ci', '--omit=dev', '--no-audit', '--no-fund'], { cwd: target, env });
    run('find', [target, ...NPM_LEFTOVERS]);
    pack(path.join(work, 'root'), tar);
    const locks = fs.readdirSync(target, { recursive: true, encoding: 'utf8' }).filter(each => each.endsWith('node_modules/.package-lock.json'));
    return Object.fromEntries(locks.sort().flatMap(each => npmVersions(fs.readFileSync(path.join(target, each), 'utf8'))));
  });
}

/** Names and versions in a lock file of npm. */
function npmVersions(lock: string): [name: string, version: string][] {
  const { packages } = JSON.parse(lock) as { packages: { readonly [at: string]: { readonly version?: string } } };
  return Object.entries(packages).filter(([at, { version }]) => at !== '' && version !== undefined)
    .map(([at, { version }]) => [at.slice(at.lastIndexOf('node_modules/') + 'node_modules/'.length), version!]);
}

function pack(root: string, tar: string): void {
  run('tar', ['--create', '--file', tar, '--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '-C', root, '.']);
}
