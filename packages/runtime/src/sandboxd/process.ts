import { startChild, type Child } from '../process/child.js';
import { Output, type Kept } from '../process/output.js';
import { startPty } from '../process/pty.js';
import { exitCodeOf, outcomeOf, runToEnd, type StreamName } from '../process/run.js';
import type { Runtime } from '../runtime.js';
import { ProcessError } from './errors.js';
import { nodeSignal, type ConfigMessage, type SignalName, type StartMessage } from './messages.js';

/** The limit of gRPC for a message that comes in. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/** Input that may wait for a program that does not read it. */
export const MAX_WAITING_BYTES = 8 * 1024 * 1024;

/** Milliseconds between signs of life on quiet connections. */
export const HEARTBEAT_MS = 20_000;

/** Terminal type of a program in a terminal unless the caller sets TERM: that of the runtime's own environment says nothing. */
const TERM = 'xterm-256color';

/** An event of `Start`. */
export type ProcessOutput =
  | { readonly init: { readonly processId: number } }
  | { readonly stdout: Buffer }
  | { readonly stderr: Buffer }
  | { readonly exit: { readonly exitCode: number } };

/** Starts a program in its working directory. */
export async function startProcess(
  runtime: Runtime, { config, pty }: StartMessage, options: { readonly stdin: boolean },
): Promise<{ readonly id: number; readonly child: Child }> {
  return runtime.tree.at(config.cwd ?? '', async ({ found }) => {
    if (!found?.stats.isDirectory()) {
      throw new ProcessError('not_found', `cwd is '${config.cwd}', which is not a directory`);
    }
    const command = { argv: config.command, cwd: found.self, env: { ...runtime.options.env, ...(pty && { TERM }), ...config.envVars } };
    return runtime.processes.start(() => pty ? startPty(command, pty) : startChild(command, options));
  }, { stripBase: true });
}

export interface RunProcessOptions {
  readonly id: number;
  readonly child: Child;
  readonly config: ConfigMessage;
  /** Called with each event, in order. While its promise is pending, the program's output is not read on. */
  readonly tell: (event: ProcessOutput) => Promise<void> | void;
  /** Kills the process group when it aborts. */
  readonly signal: AbortSignal;
  /** Deadline of the call, besides the one in the message. */
  readonly timeoutMs?: number;
}

/** Runs a program and yields its events; ends after `exit`. Throws `ProcessError` for a deadline. */
export async function runProcess(runtime: Runtime, { id, child, config, tell, signal, timeoutMs }: RunProcessOptions): Promise<void> {
  await tell({ init: { processId: id } });
  const limit = shortest(config.timeoutMs, timeoutMs);
  const end = await runToEnd(child, {
    onChunk: (name, chunk) => tell(name === 'stdout' ? { stdout: chunk } : { stderr: chunk }),
    signal,
    timeoutMs: limit,
    pipeGraceMs: runtime.pipeGraceMs,
  });
  runtime.metrics.commandEnded(outcomeOf(end));
  if (end.timedOut) {
    throw new ProcessError('deadline_exceeded', `not ended after ${limit} ms`);
  }
  await tell({ exit: { exitCode: exitCodeOf(end) } });
}

export async function writeStdin(child: Child, input: Buffer | undefined): Promise<void> {
  if (child.stdin === undefined) {
    throw new ProcessError('failed_precondition', 'the process has no stdin');
  }
  if (input === undefined) {
    child.stdin.end();
    return;
  }
  if (child.stdin.waiting + input.length > MAX_WAITING_BYTES) {
    throw new ProcessError('resource_exhausted', `more than ${MAX_WAITING_BYTES} bytes wait for the process to read them`);
  }
  await child.stdin.write(input);
}

export function sendSignal(child: Child, signal: SignalName): void {
  child.kill(nodeSignal(signal));
}

export function resize(child: Child, cols: number, rows: number): void {
  if (child.resize === undefined) {
    throw new ProcessError('failed_precondition', 'the process has no terminal');
  }
  child.resize(cols, rows);
}

export interface Executed {
  readonly exitCode: number;
  readonly stdout: Kept<Buffer>;
  readonly stderr: Kept<Buffer>;
}

/** Runs a program to its end. `maxOutputBytes` bounds each stream besides the runtime's limit and the one in the message. */
export async function execute(
  runtime: Runtime, config: ConfigMessage, signal: AbortSignal, timeoutMs: number | undefined, maxOutputBytes = Infinity,
): Promise<Executed> {
  const most = Math.min(runtime.options.maxOutputBytes, config.maxOutputBytes || Infinity, maxOutputBytes);
  const output = { stdout: new Output(most), stderr: new Output(most) };
  const { child } = await startProcess(runtime, { config }, { stdin: false });
  const limit = shortest(config.timeoutMs, timeoutMs);
  const onChunk = (name: StreamName, chunk: Buffer) => output[name].add(chunk);
  const end = await runToEnd(child, { onChunk, signal, timeoutMs: limit, pipeGraceMs: runtime.pipeGraceMs });
  runtime.metrics.commandEnded(outcomeOf(end));
  if (end.timedOut) {
    throw new ProcessError('deadline_exceeded', `not ended after ${limit} ms`);
  }
  return { exitCode: exitCodeOf(end), stdout: output.stdout.bytes(), stderr: output.stderr.bytes() };
}

/** The program with a number. Throws `ProcessError` with code `not_found`. */
export function childOf(runtime: Runtime, id: number): Child {
  const child = runtime.processes.get(id);
  if (child === undefined) {
    throw new ProcessError('not_found', `process ${id} does not exist or has ended`);
  }
  return child;
}

/** The same for a resize, whose code for a program that has ended is `failed_precondition`. */
export function terminalOf(runtime: Runtime, id: number): Child {
  const child = runtime.processes.get(id);
  if (child === undefined) {
    throw new ProcessError('failed_precondition', `process ${id} does not exist or has ended`);
  }
  return child;
}

/** The shorter of two limits, of which 0 and undefined mean none. */
function shortest(inMessage: number | undefined, ofCall: number | undefined): number | undefined {
  const limit = Math.min(inMessage || Infinity, ofCall ?? Infinity);
  return limit === Infinity ? undefined : limit;
}
