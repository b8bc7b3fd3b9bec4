import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';

/** Semantic version without build metadata, which registries ignore or refuse. */
const VERSION = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?$/;

/** Throws unless this is a version that every registry takes. */
export function checkVersion(version: string): void {
  if (!VERSION.test(version)) {
    throw new Error(`'${version}' is no version: write MAJOR.MINOR.PATCH, such as 0.1.0 or 0.1.0-rc.1, without a v`);
  }
}

const git = (tree: string, ...args: string[]) => execFileSync('git', args, { cwd: tree, encoding: 'utf8', maxBuffer: 1 << 28 });

/** The commit that a tree is at, and its date. */
export function commitOf(tree: string): { readonly id: string; readonly date: string } {
  const [id, date] = git(tree, 'log', '-1', '--format=%H %cd', '--date=format-local:%Y-%m-%d').trim().split(' ');
  return { id, date };
}

/** The tags of a repository. */
export function tagsOf(tree: string): string[] {
  return git(tree, 'tag', '--list').split('\n').filter(tag => tag !== '');
}

/** What differs from the last commit, one path per line of `git status`. */
export function changesOf(tree: string): string[] {
  return git(tree, 'status', '--porcelain').split('\n').filter(line => line !== '');
}

/**
 * Copies what git knows of a tree, and files that are new, into an empty folder below it. The folder resolves packages as the tree does, except that
 * those of the workspace are its own.
 */
export function exportTree(tree: string, target: string): void {
  fs.rmSync(target, { recursive: true, force: true });
  const files = git(tree, 'ls-files', '-z', '--cached', '--others', '--exclude-standard').split('\0').filter(file => file !== '');
  for (const file of files) {
    const source = path.join(tree, file);
    // Removed, and not committed yet.
    if (fs.existsSync(source)) {
      fs.mkdirSync(path.dirname(path.join(target, file)), { recursive: true });
      fs.copyFileSync(source, path.join(target, file));
    }
  }
  for (const { folder, manifest } of packagesOf(target)) {
    if (folder !== '.') {
      const link = path.join(target, 'node_modules', manifest.name);
      fs.mkdirSync(path.dirname(link), { recursive: true });
      fs.symlinkSync(path.join(target, folder), link, 'junction');
    }
  }
}

interface Manifest {
  readonly name: string;
  version: string;
  readonly workspaces?: readonly string[];
}

/** All packages of a tree: the root, and the members of its workspace. */
export function packagesOf(tree: string): ReadonlyArray<{ readonly folder: string; readonly manifest: Manifest }> {
  const read = (folder: string) => ({ folder, manifest: JSON.parse(fs.readFileSync(path.join(tree, folder, 'package.json'), 'utf8')) as Manifest });
  const root = read('.');
  const members = root.manifest.workspaces!.flatMap(pattern => (pattern.endsWith('/*')
    ? fs.readdirSync(path.join(tree, path.dirname(pattern))).map(name => path.join(path.dirname(pattern), name)) : [pattern]));
  return [root, ...members.filter(folder => fs.existsSync(path.join(tree, folder, 'package.json'))).sort().map(read)];
}

/**
 * Gives a tree its version: `VERSION`, from which `.projenrc.ts` takes it, what projen writes from there, and the heading of the changelog. The chart
 * is written from it by `npm run chart`.
 */
export function setVersion(tree: string, version: string, date: string): void {
  fs.writeFileSync(path.join(tree, 'VERSION'), `${version}\n`);
  const packages = packagesOf(tree);
  for (const { folder, manifest } of packages) {
    writeJson(path.join(tree, folder, 'package.json'), { ...manifest, version });
  }
  const lock = path.join(tree, 'package-lock.json');
  const locked = JSON.parse(fs.readFileSync(lock, 'utf8'));
  locked.version = version;
  packages.forEach(({ folder }) => locked.packages[folder === '.' ? '' : folder].version = version);
  writeJson(lock, locked);
  const changelog = path.join(tree, 'CHANGELOG.md');
  fs.writeFileSync(changelog, releasedChangelog(fs.readFileSync(changelog, 'utf8'), version, date));
}

/** A changelog whose unreleased changes are those of a version. Throws when there are none, unless the version is there already. */
export function releasedChangelog(text: string, version: string, date: string): string {
  if (text.includes(`\n## [${version}]`)) {
    return text;
  }
  const found = /^## \[Unreleased\]\n(.*?)(?=^## \[|(?![^]))/ms.exec(text);
  if (!found || !/^- /m.test(found[1])) {
    throw new Error('CHANGELOG.md has nothing below "## [Unreleased]": write what users notice, one line each');
  }
  return text.replace(found[0], () => `## [Unreleased]\n\n## [${version}] - ${date}\n${found[1]}`);
}

function writeJson(file: string, value: unknown): void {
  fs.writeFileSync(file, `${JSON.stringify(value, undefined, 2)}\n`);
}
