import { type SpawnSyncOptionsWithStringEncoding, spawnSync } from 'node:child_process';
import { join } from 'node:path';

const ROOT = join(__dirname, '..');

/** Runs a program in TypeScript, or Node.js with other arguments, in this repository: without jest's flags, and with the sources of the packages. */
export function runTypeScript(args: readonly string[], options: Partial<SpawnSyncOptionsWithStringEncoding> = {}) {
  return spawnSync(process.execPath, ['--conditions=agent-sandbox-source', '--import', 'tsx', ...args], {
    cwd: ROOT, encoding: 'utf8', ...options, env: { ...process.env, NODE_OPTIONS: '', ...options.env },
  });
}
