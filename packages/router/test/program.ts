import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));

/** The version that a bundle of `bundleProgram` tells. */
export const VERSION = '1.2.3-test';

/** A router in a process of its own. */
export interface Program {
  readonly child: ChildProcess;
  /** What it has said so far. */
  readonly output: () => string;
  /** Its exit code; null after a signal. */
  readonly exit: Promise<number | null>;
}

/** Makes the program that is in the image, one file that starts at once. Returns its path. */
export function bundleProgram(): string {
  const folder = mkdtempSync(join(tmpdir(), 'router-bundle-'));
  // In a process of its own: the script is not an ES module.
  const made = spawnSync(process.execPath, ['--require', 'tsx/cjs', '-e', `require('./scripts/bundle.ts').bundle('router', ${JSON.stringify(folder)})`], {
    cwd: REPOSITORY, env: { ...process.env, NODE_OPTIONS: '', AGENT_SANDBOX_VERSION: VERSION }, encoding: 'utf8',
  });
  if (made.status !== 0) {
    throw new Error(`the program could not be bundled: ${made.stderr}`);
  }
  return join(folder, 'router.mjs');
}

/** Starts a program that `bundleProgram` has made. */
export function startProgram(bundle: string, args: readonly string[]): Program {
  const child = spawn(process.execPath, [bundle, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NODE_OPTIONS: '' } });
  let text = '';
  child.stdout.on('data', chunk => (text += chunk));
  child.stderr.on('data', chunk => (text += chunk));
  return { child, output: () => text, exit: new Promise(resolve => child.once('exit', resolve)) };
}
