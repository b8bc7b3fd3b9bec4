import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { commitOf, extract } from '../commit';

/** Bundles the controller of a revision as its own script does, with the dependencies of today; returns the path of the file. */
export async function bundleOfCommit(revision: string): Promise<string> {
  const folder = extract('controller', commitOf(revision), ['.']);
  fs.mkdirSync(path.join(folder, 'node_modules'), { recursive: true });
  for (const name of fs.readdirSync(path.join(folder, 'packages'))) {
    // Otherwise the packages of the workspace would be those of today.
    const directory = path.join(folder, 'packages', name);
    const { name: dependency } = JSON.parse(fs.readFileSync(path.join(directory, 'package.json'), 'utf8'));
    fs.symlinkSync(directory, path.join(folder, 'node_modules', dependency), 'dir');
  }
  execFileSync(process.execPath, ['--import', 'tsx', path.join('scripts', 'bundle.ts'), 'controller'], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  return path.join(folder, 'dist', 'bundle', 'controller.mjs');
}
