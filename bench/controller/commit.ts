import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';

const REPOSITORY = path.resolve(__dirname, '..', '..');
/** Below the repository, so that its dependencies from the registry are found. */
const WORK_DIR = path.join(REPOSITORY, 'bench', 'work', 'commits');

/** Bundles the controller of a revision as its own script does, with the dependencies of today; returns the path of the file. */
export async function bundleOfCommit(revision: string): Promise<string> {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: REPOSITORY, maxBuffer: 1024 ** 3 });
  const commit = git('rev-parse', '--verify', '--end-of-options', `${revision}^{commit}`).toString().trim();
  const folder = path.join(WORK_DIR, commit);
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(path.join(folder, 'node_modules'), { recursive: true });
  execFileSync('tar', ['-x', '-C', folder], { input: git('archive', commit, 'package.json', 'packages', 'scripts') });
  for (const name of fs.readdirSync(path.join(folder, 'packages'))) {
    // Otherwise the packages of the workspace would be those of today.
    const directory = path.join(folder, 'packages', name);
    const { name: dependency } = JSON.parse(fs.readFileSync(path.join(directory, 'package.json'), 'utf8'));
    fs.symlinkSync(directory, path.join(folder, 'node_modules', dependency), 'dir');
  }
  execFileSync(process.execPath, ['--import', 'tsx', path.join('scripts', 'bundle.ts'), 'controller'], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  return path.join(folder, 'dist', 'bundle', 'controller.mjs');
}
