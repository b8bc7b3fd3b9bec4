import type { Readable } from 'node:stream';
import { release, type Child, type Exit } from './child.js';
import { untilRead, type Reading } from './unread.js';

export type StreamName = 'stdout' | 'stderr';

/** How long descendants may hold the streams of a program that has ended. */
export const PIPE_GRACE_MS = 2000;

export interface RunOptions {
  /** Gets every chunk, in order for each stream. The stream is not read on before the result settles. */
  readonly onChunk: (stream: StreamName, chunk: Buffer) => Promise<void> | void;
  /** Kills the process group when it aborts. */
  readonly signal?: AbortSignal;
  /** Milliseconds after which the process group is killed. */
  readonly timeoutMs?: number;
  readonly pipeGraceMs?: number;
}

export interface Ended extends Exit {
  /** The time limit ended it. */
  readonly timedOut: boolean;
}

/** What metrics count an end as. */
export function outcomeOf(end: Ended): 'exit' | 'signal' | 'timeout' {
  return end.timedOut ? 'timeout' : end.signal !== undefined ? 'signal' : 'exit';
}

/** The exit code as shells and sandboxd have it: 128 + n when signal n ended the program. */
export function exitCodeOf(end: Exit): number {
  return end.code ?? 128 + (end.signal ?? 0);
}

/** Longest timer that Node has. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Reads a program's output until it has ended. What was written before its end is never lost, however slow the reader is. Descendants
 * that still hold the streams then get `pipeGraceMs`; they are not ended, and what they write later is thrown away, so that it does not
 * end them either.
 */
export async function runToEnd(child: Child, options: RunOptions): Promise<Ended> {
  let timedOut = false;
  const kill = () => child.kill('SIGKILL');
  const timer = options.timeoutMs === undefined ? undefined : setTimeout(() => {
    timedOut = true;
    kill();
  }, Math.min(options.timeoutMs, MAX_TIMER_MS));
  options.signal?.addEventListener('abort', kill, { once: true });
  if (options.signal?.aborted) {
    kill();
  }
  const pumps = [pump(child.stdout, 'stdout', options.onChunk), ...(child.stderr ? [pump(child.stderr, 'stderr', options.onChunk)] : [])];
  try {
    const exit = await child.exited;
    clearTimeout(timer);
    // Begun now: what comes from here on counts against the most that the system can have held.
    const read = Promise.all(pumps.map(each => Promise.race([each.done, untilRead(each, () => options.signal?.aborted === true)])));
    await within(options.pipeGraceMs ?? PIPE_GRACE_MS, Promise.all(pumps.map(each => each.done)), options.signal);
    await unlessAborted(read, options.signal);
    return { ...exit, timedOut };
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', kill);
    pumps.forEach(each => each.detach());
  }
}

interface Pump extends Reading {
  /** Settles at the end of the stream. */
  readonly done: Promise<void>;
  readonly detach: () => void;
}

function pump(stream: Readable, name: StreamName, onChunk: RunOptions['onChunk']): Pump {
  let bytes = 0;
  let busy: Promise<unknown> | undefined;
  const onData = (chunk: Buffer) => {
    bytes += chunk.length;
    const taken = onChunk(name, chunk);
    if (taken === undefined) {
      return;
    }
    stream.pause();
    // Node resumes the pipes of a program that has ended, so chunks can come while others are being taken.
    const all = Promise.allSettled([busy, taken]).then(() => {
      if (busy === all) {
        busy = undefined;
        stream.resume();
      }
    });
    busy = all;
  };
  stream.on('data', onData);
  release(stream);
  // A terminal whose last holder has gone ends with EIO.
  stream.on('error', () => undefined);
  const done = new Promise<void>(resolve => stream.once('close', resolve).once('end', resolve));
  return {
    done,
    get bytes() { return bytes; },
    get busy() { return busy; },
    detach: () => {
      stream.off('data', onData);
      stream.resume();
    },
  };
}

/** Waits for a promise, but not longer than this, and not after an abort. */
async function within(ms: number, promise: Promise<unknown>, signal?: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const given = new Promise<void>(resolve => timer = setTimeout(resolve, ms));
  await unlessAborted(Promise.race([promise, given]), signal);
  clearTimeout(timer);
}

/** Waits for a promise, but not after an abort. */
async function unlessAborted(promise: Promise<unknown>, signal?: AbortSignal): Promise<void> {
  let stop!: () => void;
  const aborted = new Promise<void>(resolve => stop = resolve);
  if (signal?.aborted) {
    return;
  }
  signal?.addEventListener('abort', stop, { once: true });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}
