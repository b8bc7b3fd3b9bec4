import { Listr, ListrLogger, ProcessOutput } from 'listr2';
import { Progress } from '../readiness.js';

/** Exit codes besides those of commands that ran in a sandbox; the numbers are those of container tools. */
export const EXIT = {
  ok: 0,
  /** The command line is wrong. */
  usage: 2,
  /** The command was ended at its time limit. */
  timedOut: 124,
  /** This program failed, so the command did not run or its end is not known. */
  failed: 125,
  /** A signal ended the command; the runtime does not say which. */
  signal: 128,
  /** Ctrl-C. */
  interrupted: 130,
} as const;

/** Ends the program with a code and, unless it is empty, a message. */
export class ExitError extends Error {
  constructor(public readonly code: number, message: string = '') {
    super(message);
    this.name = 'ExitError';
  }
}

/** Where a command line program writes; the process itself unless a test says otherwise. */
export interface Streams {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

/** Prints values as JSON, or as lines for people. */
export function print({ stdout }: Streams, json: boolean, value: unknown, lines: () => readonly string[]): void {
  const text = json ? JSON.stringify(value) : lines().join('\n');
  if (text !== '') {
    stdout.write(`${text}\n`);
  }
}

/** Columns with two blanks between them, as kubectl prints lists. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => row[column].length)));
  return rows.map(row => row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column]))).join('  '));
}

/** Shows on stderr how far a sandbox is while `work` makes it; shows nothing where nobody looks. */
export async function withProgress<T>(
  { stderr }: Streams, isShown: boolean, title: string, work: (onProgress: (progress: Progress) => void) => Promise<T>,
): Promise<T> {
  if (!isShown || !stderr.isTTY) {
    return work(() => undefined);
  }
  let result: T;
  await new Listr([{
    title,
    task: async (_, task) => {
      result = await work(progress => {
        task.output = describe(progress);
      });
      task.title = `${title}: ready`;
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
