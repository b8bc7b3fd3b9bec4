import { once } from 'node:events';
import { Listr, ListrLogger, ProcessOutput } from 'listr2';
import type { Progress } from '../readiness.js';

/** Exit codes besides those of commands that ran in a sandbox; the numbers are those of container tools. */
export const EXIT = {
  ok: 0,
  /** The command line is wrong. */
  usage: 2,
  /** The command was ended at its time limit. */
  timedOut: 124,
  /** This program failed, so the command did not run or its end is not known. */
  failed: 125,
  /** SIGINT: Ctrl-C. */
  interrupted: 130,
  /** The output is not read any more, as after `| head -1`; the number is that of programs that SIGPIPE ends. */
  brokenPipe: 141,
} as const;

/** Ends the program with a code and, unless it is empty, a message. */
export class ExitError extends Error {
  constructor(public readonly code: number, message: string = '') {
    super(message);
    this.name = 'ExitError';
  }
}

/** Output streams of a command line program. Tests pass their own; the default is the process. */
export interface Streams {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

/** Message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * A text of a sandbox, such as the name of a file, without characters that terminals act on: control characters, and those that change
 * the direction of writing, become escapes like `\\x1b`. A terminal must not do what a sandbox says.
 */
export function harmless(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, character => {
    const code = character.charCodeAt(0);
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`;
  });
}

/** Writes pieces as they come and waits while the stream cannot take more. Rejects with the reason of the signal, or the stream's error. */
export async function deliver(from: AsyncIterable<Buffer | string>, to: NodeJS.WritableStream, signal: AbortSignal): Promise<void> {
  for await (const chunk of from) {
    signal.throwIfAborted();
    if (!to.write(chunk)) {
      await once(to, 'drain', { signal }).catch(error => {
        throw signal.aborted ? signal.reason : error;
      });
    }
  }
}

/** Prints values as JSON, or as lines for people. */
export function print({ stdout }: Streams, json: boolean, value: unknown, lines: () => readonly string[]): void {
  const text = json ? JSON.stringify(value).replace(/[\u007f-\u009f]/g, harmlessInJson) : lines().map(harmless).join('\n');
  if (text !== '') {
    stdout.write(`${text}\n`);
  }
}

/** `JSON.stringify` escapes most control characters; these it does not. */
function harmlessInJson(character: string): string {
  return `\\u00${character.charCodeAt(0).toString(16)}`;
}

/** Columns with two blanks between them, as kubectl prints lists. */
export function table(cells: readonly (readonly string[])[]): string[] {
  const rows = cells.map(row => row.map(harmless));
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => row[column].length)));
  return rows.map(row => row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column]))).join('  '));
}

/** Shows on stderr how far a sandbox is while `work` makes it, if stderr is a terminal. */
export function withProgress<T>(
  streams: Streams, isShown: boolean, title: string, work: (onProgress: (progress: Progress) => void) => Promise<T>,
): Promise<T> {
  return withTask(streams, isShown, title, onText => work(progress => onText(describe(progress))), `${title}: ready`);
}

/** Shows on stderr what `work` says of itself, if stderr is a terminal. */
export async function withTask<T>(
  { stderr }: Streams, isShown: boolean, title: string, work: (onText: (text: string) => void) => Promise<T>, done: string = title,
): Promise<T> {
  if (!isShown || !stderr.isTTY) {
    return work(() => undefined);
  }
  let result: T;
  await new Listr([{
    title: harmless(title),
    task: async (_, task) => {
      result = await work(text => {
        task.output = harmless(text);
      });
      task.title = harmless(done);
    },
  }], {
    rendererOptions: { logger: new ListrLogger({ processOutput: new ProcessOutput(stderr, stderr) }) },
    // Ctrl-C is ours: the claim has to be deleted first.
    registerSignalListeners: false,
  }).run();
  return result!;
}

function describe(progress: Progress): string {
  switch (progress.step) {
    case 'created': return `claim ${progress.claim} is made`;
    case 'waiting': return progress.message ? `${progress.reason}: ${progress.message}` : progress.reason;
    case 'bound': return `sandbox ${progress.sandbox} is starting`;
    case 'ready': return `sandbox ${progress.sandbox} is ready`;
  }
}
