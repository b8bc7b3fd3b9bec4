import { definedOnly } from 'agent-sandbox-api';
import { Readable, Writable } from 'node:stream';
import { onAbort } from 'agent-sandbox-kube';
import { Timer, checkTimeout } from './deadline.js';
import {
  SandboxClosedError, type SandboxError, SandboxInputError, SandboxProtocolError, SandboxRequestError, SandboxUnsupportedError,
} from './errors.js';
import type { Transport } from './transport.js';
import type { WebSocketClient } from './web-socket.js';

export interface TerminalSize {
  readonly cols: number;
  readonly rows: number;
}

export interface StartOptions {
  /** Variables on top of the runtime's environment. @default - none */
  readonly env?: Readonly<Record<string, string>>;
  /** Working directory, below that of the sandbox. @default - that of the sandbox */
  readonly cwd?: string;
  /** Gives the program a terminal of this size; both of its streams are then `stdout`. @default - pipes */
  readonly pty?: TerminalSize;
  /** Milliseconds until it has started. @default 60000 */
  readonly timeoutMs?: number;
  /** Ends the program and the connection, for as long as it runs. */
  readonly signal?: AbortSignal;
}

/** Signals that the runtime can send. */
export type ProcessSignal = 'SIGINT' | 'SIGTERM' | 'SIGKILL';

/** A message of the runtime: exactly one of these, or none to keep the connection alive. */
export interface ProcessEvent {
  readonly init?: { readonly processId: number };
  readonly stdout?: string;
  readonly stderr?: string;
  readonly exit?: { readonly exitCode?: number };
  readonly error?: { readonly code?: string; readonly message?: string };
}

/** Bytes of input in one message, far below the limit of the runtime (1 MiB of JSON). */
const INPUT_CHUNK = 256 * 1024;
export const START_PATH = 'process.v1.ProcessService/Start';

/** An exit code of the runtime as shells have it. Runtimes before v1.0.12 of the API say -1 for any signal. */
export function exitCodeOf(code: number): number {
  return code >= 0 ? code : code === -1 ? 128 : 128 - code;
}

/**
 * A program that runs in a sandbox. Read both streams, or call `wait`: as with any pipe, a program blocks when its output is not
 * read.
 */
export class Process implements AsyncDisposable {
  /** Starts a program, see `Commands.start`. */
  public static async start(transport: Transport, command: readonly string[], options: StartOptions): Promise<Process> {
    if (!command[0]) {
      throw new SandboxInputError('the command is empty', { remedy: 'name a program' });
    }
    const process = new Process(transport.target.claim, command[0]);
    await process.open(transport, command, options);
    return process;
  }

  public readonly stdin: Writable;
  public readonly stdout: Readable;
  /** Empty with a terminal. */
  public readonly stderr: Readable;
  /**
   * Exit code: 0 to 255; 128 + N when signal N ended it, 128 if the runtime does not say which. Rejects when the connection is lost or
   * closed before.
   */
  public readonly exit: Promise<number>;
  private id = 0;
  private socket?: WebSocketClient;
  private isOver = false;
  private readonly started: Promise<void>;
  private resolveStarted!: () => void;
  private rejectStarted!: (error: Error) => void;
  private resolveExit!: (code: number) => void;
  private rejectExit!: (error: Error) => void;
  private forget?: () => void;

  private constructor(private readonly claim: string, private readonly program: string) {
    this.started = new Promise((resolve, reject) => {
      this.resolveStarted = resolve;
      this.rejectStarted = reject;
    });
    this.exit = new Promise((resolve, reject) => {
      this.resolveExit = resolve;
      this.rejectExit = reject;
    });
    // Callers that only read the streams must not end by an unhandled rejection; callers that await these promises get the error.
    this.started.catch(() => undefined);
    this.exit.catch(() => undefined);
    const read = () => this.socket?.resume();
    this.stdout = new Readable({ read });
    this.stderr = new Readable({ read });
    for (const stream of [this.stdout, this.stderr]) {
      stream.on('error', () => undefined);
    }
    this.stdin = new Writable({
      write: (chunk: Buffer, _, done) => this.input(chunk, done),
      final: done => this.send({ eof: {} }, done),
    });
    this.stdin.on('error', () => undefined);
  }

  /** Number of the process in the runtime. */
  public get pid(): number {
    return this.id;
  }

  /** Sends a signal to the program's process group. Resolves when it is on its way; no effect after the end. */
  public kill(signal: ProcessSignal = 'SIGTERM'): Promise<void> {
    return this.control({ signal: `SIGNAL_${signal}` });
  }

  /** Sets the size of the program's terminal. */
  public resize({ cols, rows }: TerminalSize): Promise<void> {
    return this.control({ resize: { cols, rows } });
  }

  /** Waits for the end and returns the exit code; unread output is discarded. */
  public async wait(): Promise<number> {
    for (const stream of [this.stdout, this.stderr]) {
      if (!stream.readableFlowing && stream.listenerCount('readable') === 0) {
        stream.resume();
      }
    }
    return this.exit;
  }

  /** Ends the program if it still runs, and the connection. */
  public close(): void {
    this.finish(new SandboxClosedError(`${this.program} in ${this.claim} was closed`, { claim: this.claim }));
  }

  public async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  private async open(transport: Transport, command: readonly string[], { env, cwd, pty, timeoutMs, signal }: StartOptions): Promise<void> {
    checkTimeout(timeoutMs ?? 60_000);
    const begin = performance.now();
    this.socket = await transport.webSocket(`start "${this.program}"`, START_PATH, {
      message: data => this.receive(data),
      over: error => this.finish(new SandboxRequestError(
        `"${this.program}" in ${this.claim}: ${error?.message ?? 'the runtime closed the connection'}`, undefined, '', true, { claim: this.claim, cause: error },
      )),
    }, { timeoutMs, signal });
    this.forget = signal && onAbort(signal, () => this.finish(signal.reason));
    const config = { command, ...(env && { envVars: env }), ...definedOnly({ cwd }) };
    await this.send({ start: { config, ...(pty && { pty }) } });
    const left = (timeoutMs ?? 60_000) - (performance.now() - begin);
    const timer = new Timer(() => this.finish(new SandboxRequestError(
      `start "${this.program}" in ${this.claim}: not started in time`, undefined, '', true, { claim: this.claim },
    )));
    timer.start(Math.max(0, left));
    try {
      await this.started;
    } finally {
      timer.stop();
    }
  }

  private receive(data: Buffer): boolean {
    let event: ProcessEvent;
    try {
      event = JSON.parse(data.toString('utf8'));
    } catch {
      this.finish(new SandboxProtocolError(`"${this.program}" in ${this.claim}: the runtime sent something else than an event`, { claim: this.claim }));
      return true;
    }
    if (event.init) {
      this.id = event.init.processId;
      this.resolveStarted();
    } else if (event.stdout !== undefined) {
      return this.stdout.push(Buffer.from(event.stdout, 'base64'));
    } else if (event.stderr !== undefined) {
      return this.stderr.push(Buffer.from(event.stderr, 'base64'));
    } else if (event.exit) {
      this.finish(exitCodeOf(event.exit.exitCode ?? 0));
    } else if (event.error && this.id === 0) {
      this.finish(this.errorOf(event.error));
    }
    // An error after `init` answers a message that came too late for the program; `exit` reports it.
    return true;
  }

  private input(chunk: Buffer, done: (error?: Error | null) => void): void {
    const rest = chunk.length > INPUT_CHUNK ? chunk.subarray(INPUT_CHUNK) : undefined;
    void this.send({ input: chunk.subarray(0, INPUT_CHUNK).toString('base64') }, error => {
      if (error || !rest) {
        done(error);
      } else {
        this.input(rest, done);
      }
    });
  }

  private async control(message: object): Promise<void> {
    if (!this.isOver) {
      await this.send(message);
    }
  }

  private send(message: object, done?: (error?: Error) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (error?: Error | null) => {
        done?.(error ?? undefined);
        if (error && !done) {
          reject(error);
        } else {
          resolve();
        }
      };
      if (this.isOver) {
        finish(new SandboxClosedError(`"${this.program}" in ${this.claim} has ended`, { claim: this.claim }));
      } else {
        this.socket!.send(Buffer.from(JSON.stringify(message)), { binary: false }, finish);
      }
    });
  }

  /** The end: an exit code, or the error that keeps it from being known. */
  private finish(outcome: number | Error): void {
    if (this.isOver) {
      return;
    }
    this.isOver = true;
    this.forget?.();
    if (typeof outcome === 'number') {
      this.resolveExit(outcome);
      this.stdout.push(null);
      this.stderr.push(null);
      this.stdin.destroy();
    } else {
      this.rejectStarted(outcome);
      this.rejectExit(outcome);
      [this.stdout, this.stderr, this.stdin].forEach(stream => stream.destroy(outcome));
    }
    this.socket?.close();
  }

  private errorOf({ code = '', message = 'no message' }: { code?: string; message?: string }): SandboxError {
    const text = `start "${this.program}" in ${this.claim}: ${message}`;
    const context = { claim: this.claim, reason: code };
    switch (code) {
      case 'not_found':
        return new SandboxRequestError(text, 404, message, true, { ...context, remedy: 'name a program and a directory that exist there' });
      case 'permission_denied':
        return new SandboxRequestError(text, 403, message, true, context);
      case 'invalid_argument':
        return new SandboxInputError(text, context);
      case 'failed_precondition':
        return new SandboxUnsupportedError(text, context);
      default:
        return new SandboxRequestError(text, undefined, message, code !== 'resource_exhausted', context);
    }
  }
}
