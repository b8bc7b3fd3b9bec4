import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { errnoOf, SpawnError } from '../errors.js';

export interface Command {
  /** Program and arguments; the program is looked up in PATH, there is no shell. */
  readonly argv: readonly string[];
  /** Working directory. */
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

/** How a program ended. */
export interface Exit {
  /** 0 to 255; undefined when a signal ended it. */
  readonly code?: number;
  /** Number of the signal that ended it. */
  readonly signal?: number;
}

/** A running program, with pipes or with a terminal. */
export interface Child {
  readonly pid: number;
  /** What the program writes. With a terminal, everything is on `stdout`. */
  readonly stdout: Readable;
  readonly stderr?: Readable;
  readonly stdin?: Input;
  /** Settles when the program itself has ended; others may still hold its streams. */
  readonly exited: Promise<Exit>;
  /** Sends a signal to the process group; nothing once the program has ended. */
  kill(signal: NodeJS.Signals): void;
  /** With a terminal only. */
  resize?(cols: number, rows: number): void;
}

export interface Input {
  /** Resolves when the program's pipe has taken the bytes. Rejects when the program has closed it, or `end` was called. */
  write(bytes: Buffer): Promise<void>;
  end(): void;
  /** Bytes that wait for the program to read. */
  readonly waiting: number;
}

/**
 * Starts a program in a process group (and session) of its own. Throws `SpawnError`.
 *
 * `stdin` false: the program reads an end of file. The working directory may be `/proc/self/fd/<n>`: it is entered in the new
 * process, which has the same handles at that moment.
 */
export async function startChild(command: Command, options: { readonly stdin: boolean }): Promise<Child> {
  const [program, ...args] = command.argv as [string, ...string[]];
  if (command.argv.some(word => word.includes('\0'))) {
    throw new SpawnError('EINVAL', 'a word contains a null byte');
  }
  if (program === '') {
    throw new SpawnError('ENOENT', program);
  }
  let child: ChildProcess;
  try {
    child = spawn(program, args, { cwd: command.cwd, env: command.env, detached: true, stdio: [options.stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'] });
  } catch (error) {
    throw new SpawnError(errnoOf(error) ?? 'EIO', program);
  }
  const exited = new Promise<Exit>(resolve => {
    child.once('exit', (code, signal) => resolve(code !== null ? { code } : { signal: signalNumber(signal) }));
  });
  if (child.pid === undefined) {
    const error = await new Promise(resolve => child.once('error', resolve));
    throw new SpawnError(errnoOf(error) ?? 'EIO', program);
  }
  hold(child.stdout!);
  hold(child.stderr!);
  // Reports that a signal could not be delivered; there is no caller left to handle it.
  child.on('error', () => undefined);
  const pid = child.pid;
  return {
    pid,
    stdout: child.stdout!,
    stderr: child.stderr!,
    stdin: child.stdin ? new PipeInput(child.stdin) : undefined,
    exited,
    // After the exit, the number may belong to another process.
    kill: signal => child.exitCode === null && child.signalCode === null && killGroup(pid, signal),
  };
}

const isHeld = () => undefined;

/**
 * Keeps what a program writes until `release`. Without it, Node lets the pipes of a program that has ended flow, and what it wrote before
 * the first listener is lost.
 */
function hold(stream: Readable): void {
  stream.on('readable', isHeld);
}

/** Lets the stream of a child flow to its `data` listeners, which are there already. */
export function release(stream: Readable): void {
  stream.off('readable', isHeld);
}

/** Sends a signal to a process group, which may be gone already. */
export function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') {
      throw error;
    }
  }
}

function signalNumber(signal: NodeJS.Signals | null): number {
  return signal === null ? 0 : constants.signals[signal] ?? 0;
}

class PipeInput implements Input {
  private ended = false;

  constructor(private readonly pipe: Writable) {
    // The writer gets the error from its callback; without a listener, the process would end.
    pipe.on('error', () => undefined);
  }

  public get waiting(): number {
    return this.pipe.writableLength;
  }

  public write(bytes: Buffer): Promise<void> {
    if (this.ended) {
      return Promise.reject(new Error('stdin is closed'));
    }
    return new Promise((resolve, reject) => this.pipe.write(bytes, error => error ? reject(new Error(`stdin cannot be written: ${errnoOf(error) ?? error.message}`)) : resolve()));
  }

  public end(): void {
    this.ended = true;
    this.pipe.end();
  }
}
