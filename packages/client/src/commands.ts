import { SandboxInputError, SandboxProtocolError } from './errors.js';
import { quoteWord } from './path.js';
import { Process, StartOptions } from './process.js';
import { CallOptions, Transport } from './transport.js';

/** What a command left behind. */
export interface ExecutionResult {
  readonly stdout: string;
  readonly stderr: string;
  /** 0 to 255; -N when signal N ended it; 1 also when it could not be started. */
  readonly exitCode: number;
  /** Whether the runtime ended it at its time limit; runtimes before 2026 do not tell. */
  readonly timedOut: boolean;
}

export interface RunOptions extends CallOptions {
  /**
   * Milliseconds that the command may take; then the runtime ends it and all its descendants, and the result says so. Routers and
   * runtimes have limits of their own, 180 and 300 seconds unless configured. @default 60000
   */
  readonly timeoutMs?: number;
}

/** Bytes of a result, the JSON around it included. */
const LARGEST_RESULT = 16 * 1024 * 1024;
/** Milliseconds for the answer after the runtime has ended a command, as the Python client allows. */
const ANSWER_MARGIN_MS = 10_000;

/** Runs programs in one sandbox. */
export class Commands {
  constructor(private readonly transport: Transport, private readonly defaultTimeoutMs: number) {}

  /**
   * Runs a command and waits for its end. A command that fails is a result, not an error. Never sent twice, unless `maxAttempts` asks for it.
   *
   * @param command a list of words, or a text that is split into words as a shell does (quotes, backslashes). There is no shell: for
   * pipes, variables and the like run `['sh', '-c', '…']`.
   */
  public async run(command: string | readonly string[], options: RunOptions = {}): Promise<ExecutionResult> {
    const text = typeof command === 'string' ? command : command.map(quoteWord).join(' ');
    if (text.trim() === '') {
      throw new SandboxInputError('the command is empty', { remedy: 'name a program' });
    }
    const timeoutMs = options.timeoutMs ?? this.defaultTimeoutMs;
    if (!(timeoutMs > 0)) {
      throw new SandboxInputError(`timeoutMs is ${timeoutMs}`, { remedy: 'give a positive number' });
    }
    return resultOf('run', this.transport, await this.transport.json({
      ...options,
      timeoutMs: timeoutMs + ANSWER_MARGIN_MS,
      operation: 'run',
      method: 'POST',
      path: 'execute',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ command: text, timeout_seconds: timeoutMs / 1000 }),
      reads: false,
    }, LARGEST_RESULT));
  }

  /**
   * Starts a program and returns at once, with its streams. It lives as long as the connection: when the handle is closed, the
   * signal aborted or the connection lost, the runtime ends it and its process group.
   *
   * @param command the program and its arguments
   */
  public start(command: readonly string[], options: StartOptions = {}): Promise<Process> {
    return Process.start(this.transport, command, options);
  }
}

/** Reads a result as `/execute` and `/agent` answer it. Missing fields are empty, a missing exit code is -1. */
export function resultOf(operation: string, { target }: Transport, answer: any): ExecutionResult {
  const { stdout = '', stderr = '', exit_code: exitCode = -1, timed_out: timedOut = false } = answer ?? {};
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer) || typeof stdout !== 'string' || typeof stderr !== 'string' || !Number.isInteger(exitCode)) {
    throw new SandboxProtocolError(`${operation} in ${target.claim}: the answer is not a result`, {
      claim: target.claim, remedy: 'see whether the port is that of a runtime',
    });
  }
  return { stdout, stderr, exitCode, timedOut: timedOut === true };
}
