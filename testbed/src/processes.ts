import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

/** Whether a process with this id exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it exists and belongs to another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Command line of a process with spaces between the words, empty if there is none. */
export function commandLine(pid: number): string {
  try {
    if (process.platform === 'linux') {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    }
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return '';
  }
}

/** Memory of a process in bytes (resident set size), 0 if there is no such process. */
export function residentBytes(pid: number): number {
  try {
    const kilobytes = process.platform === 'linux'
      ? /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
      : execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return Number(kilobytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}

export interface RunOptions {
  /** @default - that of this process */
  readonly env?: NodeJS.ProcessEnv;
  /** Standard input. @default - empty */
  readonly input?: string;
  /** Returns a failure instead of throwing it. @default false */
  readonly allowFailure?: boolean;
}

/** What a finished command wrote. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. Throws with its error output if it fails, unless `allowFailure`. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
  const result = await new Promise<CommandResult>((resolve, reject) => {
    const child = execFile(command, args, { env: options.env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) =>
      (typeof (error?.code ?? 0) === 'number' ? resolve({ code: Number(error?.code ?? 0), stdout, stderr }) : reject(error!)));
    // A command that fails early closes its input; its error output says why.
    child.stdin!.on('error', () => undefined).end(options.input ?? '');
  });
  if (result.code !== 0 && !options.allowFailure) {
    throw new Error(`${basename(command)} ${args.join(' ')} failed with ${result.code}: ${result.stderr.trim()}`);
  }
  return result;
}

/** The processes that a process has started and not left alone, empty if there is none. Linux only. */
export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
