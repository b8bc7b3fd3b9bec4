import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

/** A program under way. */
export interface Run {
  readonly child: ChildProcess;
  /** What it has said so far. */
  readonly output: () => string;
  /** Its exit code; null after a signal. */
  readonly exit: Promise<number | null>;
}

/** Starts the controller from its sources. */
export function start(...args: string[]): Run {
  return startWith({}, ...args);
}

/** Starts the controller from its sources, with variables added to the environment. */
export function startWith(env: NodeJS.ProcessEnv, ...args: string[]): Run {
  return startProgram(process.execPath, ['--conditions=agent-sandbox-source', '--import', 'tsx', MAIN, ...args], env);
}

export function startProgram(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Run {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  let text = '';
  child.stdout.on('data', chunk => (text += chunk));
  child.stderr.on('data', chunk => (text += chunk));
  return { child, output: () => text, exit: new Promise(resolve => child.once('exit', resolve)) };
}

/** Tells programs to end, and waits until they have. */
export async function end(...runs: readonly Run[]): Promise<void> {
  runs.forEach(({ child }) => child.kill('SIGTERM'));
  await Promise.all(runs.map(({ exit }) => exit));
}
