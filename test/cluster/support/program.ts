import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import * as path from 'node:path';
import { waitFor } from '../../../testbed/src/index.js';

/** A program of this repository that runs from its sources. */
export interface RunningProgram {
  /** Base URL of `/healthz` and `/readyz`. */
  readonly health: string;
  readonly metrics: string;
  readonly output: () => string;
  /** Sends SIGTERM and waits for the end. */
  stop(): Promise<void>;
}

/**
 * Starts a program with ports of its own, and returns when it is ready.
 *
 * @param name a program of `packages/`, or the path of another one that takes the same flags
 */
export async function startProgram(name: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<RunningProgram> {
  const [metrics, health] = [await freePort(), await freePort()];
  const main = path.join(__dirname, '..', '..', '..', 'packages', name, 'src', 'main.ts');
  const [command, ...before] = path.isAbsolute(name) ? [name] : [process.execPath, '--conditions=agent-sandbox-source', '--import', 'tsx', main];
  const child: ChildProcess = spawn(command, [
    ...before, ...args, `--metrics-bind-address=127.0.0.1:${metrics}`, `--health-probe-bind-address=127.0.0.1:${health}`,
  ], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NODE_OPTIONS: '', ...env } });
  let output = '';
  child.stdout!.on('data', chunk => (output += chunk));
  child.stderr!.on('data', chunk => (output += chunk));
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()));
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
  };
  const program = { health: `http://127.0.0.1:${health}`, metrics: `http://127.0.0.1:${metrics}`, output: () => output, stop };
  try {
    await waitFor(async () => {
      if (child.exitCode !== null) {
        throw new Error(`it ended with ${child.exitCode}: ${output}`);
      }
      return (await fetch(`${program.health}/readyz`)).ok;
    }, { what: `${name} to be ready`, timeoutMs: 60_000, lastSeen: () => output.slice(-2000) });
  } catch (error) {
    await stop();
    throw error;
  }
  return program;
}

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise(resolve => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise(resolve => server.close(resolve));
  return port;
}
