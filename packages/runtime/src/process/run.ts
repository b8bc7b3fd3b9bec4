import type { Readable } from 'node:stream';
import type { Child, Exit } from './child.js';

export type StreamName = 'stdout' | 'stderr';

/** How long descendants may hold the streams of a program that has ended. */
export const PIPE_GRACE_MS = 2000;

export interface RunOptions {
  /** Gets every chunk, in order for each stream. The stream is not read on before the result settles. */
  readonly onChunk: (stream: StreamName, chunk: Buffer) => Promise<void> | void;
  /** Kills the process group when it aborts. */
  readonly signal?: AbortSignal;
  /** Kills the process group after so many milliseconds. */
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
 * Reads a program's output until it has ended. Descendants that still hold the streams then get `pipeGraceMs`; they are not
 * ended, and what they write later is thrown away, so that it does not end them either.
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
    await within(options.pipeGraceMs ?? PIPE_GRACE_MS, Promise.all(pumps.map(each => each.done)), options.signal);
    return { ...exit, timedOut };
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', kill);
    pumps.forEach(each => each.detach());
  }
}

function pump(stream: Readable, name: StreamName, onChunk: RunOptions['onChunk']): { readonly done: Promise<void>; readonly detach: () => void } {
  const onData = (chunk: Buffer) => {
    const busy = onChunk(name, chunk);
    if (busy !== undefined) {
      stream.pause();
      void busy.catch(() => undefined).then(() => stream.resume());
    }
  };
  stream.on('data', onData);
  // A terminal whose last holder has gone ends with EIO.
  stream.on('error', () => undefined);
  const done = new Promise<void>(resolve => stream.once('close', resolve).once('end', resolve));
  return {
    done,
    detach: () => {
      stream.off('data', onData);
      stream.resume();
    },
  };
}

/** Waits for a promise, but not longer than this, and not after an abort. */
async function within(ms: number, promise: Promise<unknown>, signal?: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let stop: (() => void) | undefined;
  const given = new Promise<void>(resolve => {
    timer = setTimeout(resolve, ms);
    stop = resolve;
    signal?.addEventListener('abort', stop, { once: true });
  });
  await Promise.race([promise, given]);
  clearTimeout(timer);
  signal?.removeEventListener('abort', stop!);
}
