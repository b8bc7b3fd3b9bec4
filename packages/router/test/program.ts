import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

/** A router in a process of its own. */
export interface Program {
  readonly child: ChildProcess;
  /** What it has said so far. */
  readonly output: () => string;
  /** Its exit code; null after a signal. */
  readonly exit: Promise<number | null>;
}

/** Starts the router from its sources. */
export function startProgram(args: readonly string[], env: NodeJS.ProcessEnv = {}): Program {
  const child = spawn(process.execPath, ['--conditions=agent-sandbox-source', '--import', 'tsx', MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NODE_OPTIONS: '', ...env },
  });
  let text = '';
  child.stdout.on('data', (chunk) => (text += chunk));
  child.stderr.on('data', (chunk) => (text += chunk));
  return { child, output: () => text, exit: new Promise((resolve) => child.once('exit', resolve)) };
}
