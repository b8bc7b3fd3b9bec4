import { constants as files, readSync } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { ReadStream } from 'node:tty';
import { errnoOf, messageOf, NoPtyError, SpawnError } from '../errors.js';
import { killGroup, type Child, type Command, type Exit } from './child.js';
import { MOST_UNREAD_BYTES } from './unread.js';

export interface PtySize {
  /** Columns and rows; the terminal keeps its own size when one of them is 0. */
  readonly cols: number;
  readonly rows: number;
}

const DEFAULT_SIZE = { cols: 80, rows: 24 };

/** Starts a program in a terminal, as the leader of a session. Throws `NoPtyError` without the optional package, and `SpawnError`. */
export async function startPty(command: Command, size: PtySize): Promise<Child> {
  const { spawn } = await load();
  const [program, ...args] = command.argv as [string, ...string[]];
  const { env } = command;
  // The new process would only say so on its terminal.
  await checkProgram(program, env.PATH, command.cwd);
  const given = size.cols > 0 && size.rows > 0 ? { cols: size.cols, rows: size.rows } : DEFAULT_SIZE;
  // Without an encoding, chunks are bytes.
  const pty = spawn(program, args, { ...given, name: env.TERM, cwd: command.cwd, env, encoding: null });
  const stdout = new PassThrough();
  let over = false;
  let ended = false;
  pty.onData((chunk: string | Buffer) => {
    if (!stdout.write(chunk)) {
      pty.pause();
      stdout.once('drain', () => pty.resume());
    }
  });
  const { _socket: stream, fd } = pty as unknown as { _socket: ReadStream; fd: number };
  readBeforeDestroying(stream, fd, chunk => !ended && stdout.write(chunk));
  const exited = new Promise<Exit>(resolve => pty.onExit(({ exitCode, signal }) => {
    over = true;
    stdout.end();
    resolve(signal ? { signal } : { code: exitCode });
  }));
  return {
    pid: pty.pid,
    stdout,
    stdin: {
      waiting: 0,
      write: async bytes => {
        if (ended || over) {
          throw new Error('stdin is closed');
        }
        // Bytes pass unchanged; the package's types know text only.
        pty.write(bytes as unknown as string);
      },
      end: () => {
        ended = true;
        // Closes the terminal, whose session then gets SIGHUP.
        (pty as unknown as { destroy(): void }).destroy();
      },
    },
    exited,
    kill: signal => over || killGroup(pty.pid, signal),
    resize: (cols, rows) => pty.resize(cols, rows),
  };
}

/**
 * Takes what a terminal still holds before its stream is destroyed. node-pty does that 200 ms after the end of the program, and libuv
 * takes the hang-up for the end after a read of less than 64 KiB, of which a terminal gives 4 KiB at a time: both lose output.
 */
function readBeforeDestroying(stream: ReadStream, fd: number, take: (chunk: Buffer) => void): void {
  const destroy = stream.destroy.bind(stream);
  stream.destroy = (error?: Error) => {
    if (!stream.destroyed) {
      // What was read while the reader was busy comes first.
      stream.read();
      let bytes = 0;
      for (let chunk = readNow(fd); chunk !== undefined; chunk = bytes > MOST_UNREAD_BYTES ? undefined : readNow(fd)) {
        bytes += chunk.length;
        take(chunk);
      }
    }
    return destroy(error);
  };
}

/** What can be read without waiting; undefined for nothing. */
function readNow(fd: number): Buffer | undefined {
  const buffer = Buffer.alloc(4096);
  try {
    const length = readSync(fd, buffer);
    return length > 0 ? buffer.subarray(0, length) : undefined;
  } catch {
    // EAGAIN while a process has the terminal open, EIO when none has any more.
    return undefined;
  }
}

async function load(): Promise<typeof import('@lydell/node-pty')> {
  try {
    return await import('@lydell/node-pty');
  } catch (error) {
    throw new NoPtyError(messageOf(error).split('\n')[0]!);
  }
}

async function checkProgram(program: string, path: string | undefined, cwd: string): Promise<void> {
  const candidates = program.includes('/') ? [program.startsWith('/') ? program : join(cwd, program)] : (path ?? '/usr/bin:/bin').split(':').map(each => join(each || cwd, program));
  let reason = 'ENOENT';
  for (const candidate of candidates) {
    try {
      await access(candidate, files.X_OK);
      if ((await stat(candidate)).isFile()) {
        return;
      }
      reason = 'EACCES';
    } catch (error) {
      reason = errnoOf(error) === 'EACCES' ? 'EACCES' : reason;
    }
  }
  throw new SpawnError(reason, program);
}
