/**
 * Installs each file of a release in an empty folder, as its users do, and uses it once. Makes the release first, with the library in all
 * languages and without images, unless `--release` names a folder with one.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { JEST, node, ROOT } from './jest';

/** Of a release that is not published. */
const VERSION = '0.1.0';

const USAGE = `usage: npm run test:languages [-- [--release DIR] [--again] [--all] [JEST ARGUMENTS]]

  --release DIR  test this release instead of a new one
  --again        make the release once more from this tree, without images, and compare the bytes of all files
  --all          fail where a program is missing, instead of skipping what needs it`;

const makeRelease = (version: string, folder: string, groups: readonly string[]) =>
  node(['--import', 'tsx', path.join(ROOT, 'scripts', 'release.ts'), version, ...groups, '--allow-dirty', '--out', folder]);

/** The groups of a release that can be made again without its images: where there are some, charts and installations name their digests. */
function groupsToRepeat(folder: string): string[] {
  const { predicate } = JSON.parse(fs.readFileSync(path.join(folder, 'provenance.json'), 'utf8'));
  const groups: string[] = predicate.buildDefinition.externalParameters.groups;
  return groups.includes('images') ? groups.filter(group => !['images', 'chart', 'install'].includes(group)) : groups;
}

function main(args: readonly string[]): number {
  const { values, positionals } = parseArgs({
    args: [...args], allowPositionals: true, options: { release: { type: 'string' }, again: { type: 'boolean', default: false }, all: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const folder = path.resolve(values.release ?? path.join(ROOT, 'dist', 'release'));
  if (values.release === undefined) {
    const made = makeRelease(VERSION, folder, ['--without', 'images']);
    if (made !== 0) {
      return made;
    }
  }
  const again = `${folder}-again`;
  if (values.again) {
    const { version } = JSON.parse(fs.readFileSync(path.join(folder, 'manifest.json'), 'utf8')) as { version: string };
    const made = makeRelease(version, again, ['--only', groupsToRepeat(folder).join()]);
    if (made !== 0) {
      return made;
    }
  }
  // The programs that documents show are those that the tests compile.
  const translated = spawnSync('gofmt', ['-h']).error ? 0 : node(['--import', 'tsx', path.join(ROOT, 'scripts', 'translated.ts'), '--check']);
  if (translated !== 0) {
    return translated;
  }
  const tests = positionals.length > 0 ? positionals : ['test/languages'];
  return node([...JEST, '--selectProjects', 'constructs', '--runInBand', '--testPathPatterns', ...tests], { AGENT_SANDBOX_TEST_RELEASE: folder, AGENT_SANDBOX_TEST_RELEASE_AGAIN: values.again ? again : '', AGENT_SANDBOX_TEST_RELEASE_ALL: values.all ? '1' : '' });
}

process.exitCode = main(process.argv.slice(2));
