import { definedOnly, quoteWord, splitWords } from 'agent-sandbox-api';
import { checkTimeout } from './deadline.js';
import {
  SandboxError, SandboxInputError, SandboxProtocolError, SandboxRequestError, SandboxTimeoutError, SandboxUnsupportedError,
} from './errors.js';
import { Lines, OutputWindow, omittedByRuntime, textOf } from './output-window.js';
import { Process, type ProcessEvent, START_PATH, type StartOptions, exitCodeOf } from './process.js';
import type { CallOptions, Transport } from './transport.js';

/** What a command left behind. */
export interface ExecutionResult {
  /** Output as text: what is not UTF-8 is U+FFFD, line ends are `\n`. */
  readonly stdout: string;
  readonly stderr: string;
  /** The same as it was written. Runtimes that answer with text only have replaced what is not UTF-8. */
  readonly stdoutBytes: Buffer;
  readonly stderrBytes: Buffer;
  /** 0 to 255; 128 + N when signal N ended it; 1 also when it could not be started or took too long. */
  readonly exitCode: number;
  /** Whether it was ended at a time limit; `limit` has more. Runtimes before 2026 do not report it. */
  readonly timedOut: boolean;
  /** The time limit that ended it, and whose it was. @default - none did */
  readonly limit?: { readonly timeoutMs: number; readonly of: 'caller' | 'runtime' };
  /** Whether output is missing: it was more than `maxOutputBytes`, or more than the runtime keeps. */
  readonly truncated: boolean;
  /** Bytes that are missing, of both streams. */
  readonly omittedBytes: number;
}

export interface RunOptions extends CallOptions {
  /**
   * Milliseconds that the command may take; then the runtime ends it and all its descendants, and the result says so. `Infinity` is no
   * limit. Runtimes without streams have a limit of their own, 300 seconds unless configured. @default 60000
   */
  readonly timeoutMs?: number;
  /** Variables on top of the runtime's environment. Not for runtimes without streams. @default - none */
  readonly env?: Readonly<Record<string, string>>;
  /** Working directory, below that of the sandbox. Not for runtimes without streams. @default - that of the sandbox */
  readonly cwd?: string;
  /** Bytes of each stream that are kept, half at the beginning and half at the end. @default 16777216, which is 16 MiB */
  readonly maxOutputBytes?: number;
}

/** Bytes that are kept of each stream. */
const LARGEST_OUTPUT = 16 * 1024 * 1024;
/** Bytes of JSON that a byte of output takes at most: control characters are written as six. */
const JSON_FACTOR = 6;
/** Characters of a line of the protocol. */
const LONGEST_LINE = 8 * 1024 * 1024;
/** Milliseconds for the answer after the runtime has ended a command, as the Python client allows. */
const ANSWER_MARGIN_MS = 10_000;
/** Milliseconds that the end of an answer may take after the result of its command. */
const FAREWELL_MS = 100;
/** Digits of a deadline in the protocol; longer ones are left to the connection. */
const LONGEST_DEADLINE_MS = 9_999_999_999;

/** Runs programs in one sandbox. */
export class Commands {
  /** Whether the runtime has streams, once it is known. */
  private hasStreams?: boolean;

  constructor(private readonly transport: Transport, private readonly defaultTimeoutMs: number) {}

  /**
   * Runs a command and waits for its end. A command that fails is a result, not an error. Never sent twice, unless `maxAttempts` asks for it.
   *
   * @param command a list of words, or a text that is split into words as a shell does (quotes, backslashes). There is no shell: for
   * pipes, variables and the like run `['sh', '-c', '…']`.
   */
  public async run(command: string | readonly string[], options: RunOptions = {}): Promise<ExecutionResult> {
    const words = typeof command === 'string' ? wordsOf(command) : command;
    if (!words[0]?.trim()) {
      throw new SandboxInputError('the command is empty', { remedy: 'name a program' });
    }
    const timeoutMs = checkTimeout(options.timeoutMs ?? this.defaultTimeoutMs);
    if (this.hasStreams !== false) {
      try {
        const result = await this.runStreamed(words, timeoutMs, options);
        this.hasStreams = true;
        return result;
      } catch (error) {
        if (!(error instanceof SandboxUnsupportedError) || this.hasStreams || options.env || options.cwd !== undefined) {
          throw error;
        }
        this.hasStreams = false;
      }
    }
    return this.runAtOnce(typeof command === 'string' ? command : command.map(quoteWord).join(' '), timeoutMs, options);
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

  /** One request with a streamed answer, so that no proxy on the way sees an idle connection. */
  private async runStreamed(command: readonly string[], timeoutMs: number, options: RunOptions): Promise<ExecutionResult> {
    const { env, cwd, maxOutputBytes = LARGEST_OUTPUT, signal, maxAttempts } = options;
    const { claim } = this.transport.target;
    const streams = { stdout: new OutputWindow(maxOutputBytes), stderr: new OutputWindow(maxOutputBytes) };
    const resultWith = (result: Partial<ResultParts>) => new Result({
      exitCode: 1,
      stdoutBytes: streams.stdout.bytes(),
      stderrBytes: streams.stderr.bytes(),
      omittedBytes: streams.stdout.omitted + streams.stderr.omitted,
      ...result,
    });
    const config = { command, ...(env && { envVars: env }), ...definedOnly({ cwd }) };
    let last = performance.now();
    let result: ExecutionResult | undefined;
    let farewell: NodeJS.Timeout | undefined;
    try {
      const body = await this.transport.stream({
        operation: 'run',
        method: 'POST',
        path: START_PATH,
        headers: {
          'content-type': 'application/json', ...(timeoutMs <= LONGEST_DEADLINE_MS && { 'connect-timeout-ms': String(Math.ceil(timeoutMs)) }),
        },
        body: JSON.stringify({ config }),
        reads: false,
        isEndless: true,
        maxAttempts,
        timeoutMs: timeoutMs + ANSWER_MARGIN_MS,
        // The stream has to end, too.
        signal: timeoutMs === Infinity ? signal : AbortSignal.any([...(signal ? [signal] : []), deadline(timeoutMs, claim)]),
      });
      const lines = new Lines(LONGEST_LINE);
      for await (const piece of body as AsyncIterable<Buffer>) {
        last = performance.now();
        for (const line of lines.add(piece)) {
          const event = eventOf(line);
          if (event.stdout !== undefined) {
            streams.stdout.add(Buffer.from(event.stdout, 'base64'));
          } else if (event.stderr !== undefined) {
            streams.stderr.add(Buffer.from(event.stderr, 'base64'));
          } else if (event.exit) {
            result = resultWith({ exitCode: exitCodeOf(event.exit.exitCode ?? 0) });
          } else if (event.error?.code === 'deadline_exceeded') {
            result = resultWith({ timedOut: true, limit: { timeoutMs, of: 'caller' } });
          } else if (event.error) {
            throw new SandboxRequestError(`run in ${claim}: ${event.error.message}`, undefined, '', true, { claim, reason: event.error.code });
          }
        }
        if (result !== undefined) {
          // Read to its end, the answer leaves a connection that the next request can use. The end may have arrived in a process that was held up.
          farewell ??= setTimeout(() => setImmediate(() => body.destroy()), FAREWELL_MS);
        }
      }
      if (result === undefined) {
        throw new Error('the answer ended before the command did');
      }
      // undici takes the connection back in the next turn: a request before that would open another one.
      await new Promise(resolve => setImmediate(resolve));
      return result;
    } catch (error) {
      if (result !== undefined) {
        return result;
      }
      signal?.throwIfAborted();
      if (error instanceof SandboxRequestError && (error.reason === 'not_found' || error.reason === 'permission_denied') && error.statusCode !== undefined) {
        return resultWith({ stderrBytes: Buffer.from(`Failed to execute command: ${messageOf(error.body)}`) });
      }
      if (error instanceof SandboxError) {
        throw error;
      }
      if (error instanceof SyntaxError || error instanceof RangeError) {
        throw new SandboxProtocolError(`run in ${claim}: the runtime sent something else than events`, { claim, cause: error });
      }
      const failure = this.transport.failureOf('run', error as Error);
      const quietMs = Math.round(performance.now() - last);
      throw failure instanceof SandboxRequestError ? new SandboxRequestError(
        `${failure.message}, after ${quietMs} ms without output; what became of the command is not known`, undefined, '', true, {
          claim, cause: error, reason: failure.reason, remedy: 'if a router ended it, raise its --proxy-timeout',
        },
      ) : failure;
    } finally {
      clearTimeout(farewell);
    }
  }

  /** For runtimes that answer when all is over. */
  private async runAtOnce(command: string, timeoutMs: number, options: RunOptions): Promise<ExecutionResult> {
    const { signal, maxAttempts, maxOutputBytes } = options;
    let answer: unknown;
    try {
      answer = await this.transport.json({
        signal,
        maxAttempts,
        timeoutMs: timeoutMs + ANSWER_MARGIN_MS,
        operation: 'run',
        method: 'POST',
        path: 'execute',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ command, ...(timeoutMs !== Infinity && { timeout_seconds: timeoutMs / 1000 }) }),
        reads: false,
      }, JSON_FACTOR * 2 * (maxOutputBytes ?? LARGEST_OUTPUT));
    } catch (error) {
      if (error instanceof SandboxRequestError && error.statusCode === 504) {
        throw new SandboxTimeoutError(`${error.message}; this is the time limit of the router, not that of the call (${timeoutMs} ms)`, timeoutMs, {
          claim: error.claim, cause: error, remedy: 'raise its --proxy-timeout, or use a runtime with streams',
        });
      }
      throw error;
    }
    return resultOf('run', this.transport, answer, timeoutMs, maxOutputBytes);
  }
}

/** Reads a result as `/execute` and `/agent` answer it. Missing fields are empty, a missing exit code is -1. */
export function resultOf(
  operation: string, { target }: Transport, answer: any, timeoutMs?: number, maxOutputBytes: number = LARGEST_OUTPUT,
): ExecutionResult {
  const { stdout = '', stderr = '', exit_code: exitCode, timed_out: timedOut = false, truncated } = answer ?? {};
  const isResult = typeof answer === 'object' && answer !== null && !Array.isArray(answer)
    && typeof stdout === 'string' && typeof stderr === 'string' && (exitCode === undefined || Number.isInteger(exitCode));
  if (!isResult) {
    throw new SandboxProtocolError(`${operation} in ${target.claim}: the answer is not a result`, {
      claim: target.claim, remedy: 'see whether the port is that of a runtime',
    });
  }
  // The runtime names the limit that it kept to, which may be its own.
  const keptMs = Number(/ timed out after ([\d.]+) seconds\n?$/.exec(stderr)?.[1] ?? NaN) * 1000 || timeoutMs;
  const [out, err] = [stdout, stderr].map(text => {
    const window = new OutputWindow(maxOutputBytes);
    window.add(Buffer.from(text));
    return window;
  });
  return new Result({
    stdoutBytes: out.bytes(),
    stderrBytes: err.bytes(),
    exitCode: exitCode === undefined ? -1 : exitCode < 0 ? 128 - exitCode : exitCode,
    timedOut: timedOut === true,
    limit: timedOut === true && keptMs !== undefined ? { timeoutMs: keptMs, of: timeoutMs !== undefined && keptMs < timeoutMs ? 'runtime' : 'caller' } : undefined,
    omittedBytes: omittedByRuntime(stdout, truncated) + omittedByRuntime(stderr, truncated) + out.omitted + err.omitted,
  });
}

interface ResultParts {
  readonly stdoutBytes: Buffer;
  readonly stderrBytes: Buffer;
  readonly exitCode: number;
  readonly timedOut?: boolean;
  readonly limit?: ExecutionResult['limit'];
  readonly omittedBytes: number;
}

class Result implements ExecutionResult {
  public readonly stdout: string;
  public readonly stderr: string;
  public readonly exitCode: number;
  public readonly timedOut: boolean;
  public readonly limit?: ExecutionResult['limit'];
  public readonly truncated: boolean;
  public readonly omittedBytes: number;
  readonly #bytes: { readonly stdout: Buffer; readonly stderr: Buffer };

  constructor({ stdoutBytes, stderrBytes, exitCode, timedOut = false, limit, omittedBytes }: ResultParts) {
    this.#bytes = { stdout: stdoutBytes, stderr: stderrBytes };
    this.stdout = textOf(stdoutBytes);
    this.stderr = textOf(stderrBytes);
    this.exitCode = exitCode;
    this.timedOut = timedOut;
    if (limit) {
      this.limit = limit;
    }
    this.truncated = omittedBytes > 0;
    this.omittedBytes = omittedBytes;
  }

  // Not fields: JSON of a result has texts.
  public get stdoutBytes(): Buffer {
    return this.#bytes.stdout;
  }

  public get stderrBytes(): Buffer {
    return this.#bytes.stderr;
  }
}

function wordsOf(command: string): readonly string[] {
  try {
    return splitWords(command);
  } catch (error) {
    throw new SandboxInputError(`the command cannot be split into words (${(error as Error).message})`, {
      remedy: 'close its quotes, or give a list of words', cause: error,
    });
  }
}

function eventOf(line: string): ProcessEvent {
  // Empty lines keep the connection alive.
  return line.trim() === '' ? {} : JSON.parse(line);
}

/** Ends the wait for a runtime that does not keep to the deadline. */
function deadline(timeoutMs: number, claim: string): AbortSignal {
  const controller = new AbortController();
  const limit = timeoutMs + ANSWER_MARGIN_MS;
  const timer = setTimeout(() => controller.abort(new SandboxTimeoutError(
    `run in ${claim}: the runtime has not ended the command ${ANSWER_MARGIN_MS} ms after its time limit`, timeoutMs, { claim },
  )), Math.min(limit, 0x7fffffff));
  timer.unref();
  return controller.signal;
}

function messageOf(body: string): string {
  try {
    return String(JSON.parse(body).message);
  } catch {
    return body;
  }
}
