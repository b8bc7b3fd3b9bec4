/**
 * Makes everything that a release publishes, in `dist/release/`, from the committed tree: `npm run release -- 0.1.0`. A dry run unless `--write` is given,
 * which also gives the tree its version, to be committed and tagged. Publishing is the task of .github/workflows/release.yml.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { GROUPS, type Artifact, type Release } from './release/artifacts';
import { described, provenance, sha256, table } from './release/manifest';
import { changesOf, checkVersion, commitOf, exportTree, setVersion } from './release/tree';

const ROOT = path.resolve(__dirname, '..');

const USAGE = `usage: npm run release -- VERSION [OPTIONS]

Writes dist/release/: the files of a release, SHA256SUMS, manifest.json with what goes where, and provenance.json (in-toto, unsigned).

--write            also write the version into the tree: VERSION, packages, lock file, chart, CHANGELOG.md
--only GROUPS      make these groups only, separated by commas
--without GROUPS   leave these groups out
--previous DIR     compiled library of the release before, to compare the API with (default: that of the last tag, from npm)
--registry NAME    registry and namespace of the images (default: that of the repository's owner at ghcr.io)
--out DIR          folder of the release (default: dist/release)
--allow-dirty      also take what is not committed
groups: ${Object.entries(GROUPS).map(([name, { words }]) => `\n  ${name.padEnd(8)} ${words}`).join('')}`;

class UsageError extends Error {}

function options(args: readonly string[]) {
  let parsed;
  try {
    parsed = parseArgs({
      args: [...args], allowPositionals: true,
      options: {
        'write': { type: 'boolean', default: false }, 'dry-run': { type: 'boolean', default: false }, 'allow-dirty': { type: 'boolean', default: false },
        'only': { type: 'string' }, 'without': { type: 'string' }, 'registry': { type: 'string' }, 'previous': { type: 'string' }, 'out': { type: 'string' }, 'help': { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  const { values, positionals: [version, ...rest] } = parsed;
  if (!values.help && (version === undefined || rest.length > 0)) {
    throw new UsageError('name one version');
  }
  if (values.write && values['dry-run']) {
    throw new UsageError('--write and --dry-run exclude each other');
  }
  const list = (text: string | undefined) => text?.split(',').filter(name => name !== '');
  const only = list(values.only) ?? Object.keys(GROUPS);
  const without = list(values.without) ?? [];
  const unknown = [...only, ...without].filter(name => !Object.hasOwn(GROUPS, name));
  if (unknown.length > 0) {
    throw new UsageError(`no such group: ${unknown.join(', ')}`);
  }
  return { ...values, version, groups: Object.keys(GROUPS).filter(name => only.includes(name) && !without.includes(name)) };
}

async function main(args: readonly string[]): Promise<void> {
  const { help, version, write, 'allow-dirty': allowDirty, groups, registry, out, previous } = options(args);
  if (help) {
    console.log(USAGE);
    return;
  }
  checkVersion(version);
  const changes = changesOf(ROOT);
  if (changes.length > 0 && !allowDirty) {
    throw new Error(`the tree has changes that are not committed; commit or stash them:\n${changes.slice(0, 10).join('\n')}`);
  }
  const url = (JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { repository: { url: string } }).repository.url.replace(/\.git$/, '');
  const commit = commitOf(ROOT);
  const outdir = path.resolve(out ?? path.join(ROOT, 'dist', 'release'));
  const tree = path.join(ROOT, 'dist', 'release-tree');
  exportTree(ROOT, tree);
  setVersion(tree, version, commit.date);
  const release: Release = { version, tree, outdir, compiled: false, previous, repository: url, registry: registry ?? `ghcr.io/${new URL(url).pathname.split('/')[1]}`, digests: new Map() };
  fs.rmSync(outdir, { recursive: true, force: true });
  fs.mkdirSync(outdir, { recursive: true });
  execFileSync(process.execPath, ['--import', 'tsx', 'scripts/helm-chart.ts'], { cwd: tree, stdio: ['ignore', 'ignore', 'inherit'] });
  const artifacts: Artifact[] = [];
  for (const group of groups) {
    console.error(`${group}: ${GROUPS[group].words}`);
    artifacts.push(...await GROUPS[group].make(release));
  }
  const files = described(outdir, artifacts);
  const json = (name: string, value: unknown) => fs.writeFileSync(path.join(outdir, name), `${JSON.stringify(value, undefined, 2)}\n`);
  json('manifest.json', { version, commit: commit.id, files });
  json('provenance.json', provenance(files, { version, repository: url, commit: commit.id, lockFile: sha256(path.join(tree, 'package-lock.json')), groups }));
  fs.writeFileSync(path.join(outdir, 'SHA256SUMS'), files.map(({ file, sha256: sum }) => `${sum}  ${file}\n`).join(''));
  fs.rmSync(tree, { recursive: true });
  console.log(table(files));
  const left = Object.keys(GROUPS).filter(group => !groups.includes(group));
  if (left.length > 0) {
    console.log(`not made: ${left.join(', ')}`);
  }
  if (write) {
    setVersion(ROOT, version, commit.date);
    execFileSync(process.execPath, ['--import', 'tsx', 'scripts/helm-chart.ts'], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] });
    console.log(`the tree is at ${version}: commit it, then "git tag v${version}"`);
  }
}

main(process.argv.slice(2)).catch(error => {
  console.error(error instanceof UsageError ? `${error.message}\n\n${USAGE}` : (error as Error).message);
  process.exitCode = error instanceof UsageError ? 2 : 1;
});
