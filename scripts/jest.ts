import { spawnSync } from 'node:child_process';
import * as path from 'node:path';

export const ROOT = path.resolve(__dirname, '..');

/** What runs jest with Node.js: ES modules under it need a flag. */
export const JEST = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', require.resolve('jest/bin/jest'), '--ci', '--forceExit'];

/** Runs Node.js in this repository, with these variables beside its own, and returns its exit code. */
export function node(args: readonly string[], env: NodeJS.ProcessEnv = {}): number {
  return spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit', env: { ...process.env, ...env } }).status ?? 1;
}
