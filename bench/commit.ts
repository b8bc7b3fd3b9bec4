import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';

const REPOSITORY = path.resolve(__dirname, '..');
/** Below the repository, so that its dependencies from the registry are found. */
const WORK_DIR = path.join(REPOSITORY, 'bench', 'work', 'commits');

function git(...args: string[]): Buffer {
  return execFileSync('git', args, { cwd: REPOSITORY, maxBuffer: 1024 ** 3 });
}

/**
 * The full hash of a revision.
 *
 * @throws if the repository has no such revision
 */
export function commitOf(revision: string): string {
  return git('rev-parse', '--verify', '--end-of-options', `${revision}^{commit}`).toString().trim();
}

/** Writes files and folders of a commit into a folder of its own below `group`, in place of an earlier one; returns its path. */
export function extract(group: string, commit: string, names: readonly string[]): string {
  const folder = path.join(WORK_DIR, group, commit);
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  execFileSync('tar', ['-x', '-C', folder], { input: git('archive', commit, ...names) });
  return folder;
}
