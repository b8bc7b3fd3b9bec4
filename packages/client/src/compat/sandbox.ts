import { Readable } from 'node:stream';
import type { ReadableStream as NodeStream } from 'node:stream/web';
import { SandboxResponseTooLargeError } from '../errors.js';
import type { Sandbox as OurSandbox } from '../sandbox.js';
import { SandboxdApiError, SandboxdRpcError, translate, translated } from './errors.js';
import { ProcessHandle } from './process.js';
import type {
  DeleteOptions, DirectoryListing, ExecutionResult, FileCallOptions, RunOptions, RuntimeCallOptions, StartOptions, WriteOptions,
} from './types.js';

/** Limits in bytes. */
export interface Limits {
  readonly download: number;
  readonly upload: number;
  readonly output: number;
}

/** Runs programs in a sandbox: `[command, ...args]`, without a shell. */
export class SandboxCommands {
  /** @internal */
  constructor(private readonly sandbox: OurSandbox, private readonly limits: Limits) {}

  /** Runs a command and waits for its end. A program that does not exist is a `SandboxdRpcError` with the code `not_found`. */
  public run(command: string, args?: readonly string[], options?: RunOptions): Promise<ExecutionResult>;
  public run(command: string, options?: RunOptions): Promise<ExecutionResult>;
  public run(command: string, second?: readonly string[] | RunOptions, third?: RunOptions): Promise<ExecutionResult> {
    const { args, options } = argumentsOf(second, third);
    return translated('processes', async () => {
      const { stdout, stderr, exitCode, timedOut, truncated } = await this.sandbox.commands.run([command, ...args], {
        ...options, maxOutputBytes: this.limits.output,
      });
      if (timedOut) {
        throw new SandboxdRpcError(`${command}: not ended in time`, 'deadline_exceeded');
      }
      if (truncated) {
        throw new SandboxdRpcError(`${command}: more output than ${this.limits.output} bytes`, 'resource_exhausted');
      }
      if (exitCode === 1 && stdout === '' && stderr.startsWith('Failed to execute command: ')) {
        throw new SandboxdRpcError(stderr, 'not_found');
      }
      return { stdout, stderr, exitCode };
    });
  }

  /** Starts a program and returns when it runs. */
  public start(command: string, args?: readonly string[], options?: StartOptions): Promise<ProcessHandle>;
  public start(command: string, options?: StartOptions): Promise<ProcessHandle>;
  public start(command: string, second?: readonly string[] | StartOptions, third?: StartOptions): Promise<ProcessHandle> {
    const { args, options } = argumentsOf<StartOptions>(second, third);
    return translated('processes', async () => {
      const { env, cwd, pty, timeoutMs, signal } = options;
      return new ProcessHandle(await this.sandbox.commands.start([command, ...args], { env, cwd, pty, timeoutMs, signal }), options);
    });
  }
}

/** Files of a sandbox. */
export class SandboxFiles {
  /** @internal */
  constructor(private readonly sandbox: OurSandbox, private readonly limits: Limits) {}

  public read(path: string, options: FileCallOptions = {}): Promise<Uint8Array> {
    return translated('files', () => this.sandbox.files.read(path, { ...options, maxBytes: this.limits.download }));
  }

  public write(path: string, content: string | Uint8Array, options: WriteOptions = {}): Promise<void> {
    return translated('files', async () => {
      if (Buffer.byteLength(content) > this.limits.upload) {
        throw tooLarge(this.limits.upload);
      }
      await this.sandbox.files.write(path, content, { ...options, mode: modeOf(options.mode) });
    });
  }

  /** The file as it comes. Read it to the end, or cancel it. */
  public readStream(path: string, options: FileCallOptions = {}): Promise<ReadableStream<Uint8Array>> {
    return translated('files', async () => {
      const content = limited(await this.sandbox.files.readStream(path, options), this.limits.download);
      return Readable.toWeb(content) as ReadableStream<Uint8Array>;
    });
  }

  public writeStream(path: string, content: ReadableStream<Uint8Array>, options: WriteOptions = {}): Promise<void> {
    return translated('files', async () => {
      const mode = modeOf(options.mode);
      await this.sandbox.files.write(path, limited(Readable.fromWeb(content as NodeStream<Uint8Array>), this.limits.upload), { ...options, mode });
    });
  }

  public exists(path: string, options: FileCallOptions = {}): Promise<boolean> {
    return translated('files', () => this.sandbox.files.exists(path, options));
  }

  public list(path: string, options: FileCallOptions = {}): Promise<DirectoryListing> {
    return translated('files', async () => {
      const entries = await this.sandbox.files.list(path, options);
      return { path, entries: entries.map(({ name, size, type, modified }) => ({ name, size, type, modifiedAt: modified.toISOString() })) };
    });
  }

  public delete(path: string, options: DeleteOptions = {}): Promise<void> {
    return translated('files', () => this.sandbox.files.delete(path, options));
  }
}

/** A sandbox that was claimed. `close` deletes it, `closeLocal` does not. */
export class Sandbox implements AsyncDisposable {
  public readonly commands: SandboxCommands;
  public readonly files: SandboxFiles;

  /** @internal */
  constructor(
    /** Our handle, for what the original has no name for. */
    public readonly native: OurSandbox,
    limits: Limits,
    public readonly podName: string,
    public readonly podIP: string,
    public readonly serviceFQDN: string,
  ) {
    this.commands = new SandboxCommands(native, limits);
    this.files = new SandboxFiles(native, limits);
  }

  public get claimName(): string {
    return this.native.claimName;
  }

  public get sandboxName(): string {
    return this.native.name;
  }

  public get namespace(): string {
    return this.native.namespace;
  }

  public get isActive(): boolean {
    return !this.native.isClosed;
  }

  public health(options: RuntimeCallOptions = {}): Promise<{ status: string; uptimeSeconds: number }> {
    return translated('files', () => this.native.health(options));
  }

  public metadata(options: RuntimeCallOptions = {}): Promise<{ env: Readonly<Record<string, string>> }> {
    return translated('files', () => this.native.metadata(options));
  }

  /** Ends the Pod and keeps the volumes. */
  public suspend(options: RuntimeCallOptions = {}): Promise<void> {
    return this.native.suspend(options);
  }

  public resume(options: RuntimeCallOptions = {}): Promise<void> {
    return this.native.resume(options);
  }

  /** Deletes the claim and with it the sandbox. */
  public async close(): Promise<void> {
    await this.native.delete();
  }

  public async closeLocal(): Promise<void> {
    this.native.close();
  }

  public async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function argumentsOf<O extends RunOptions>(second: readonly string[] | O | undefined, third: O | undefined): { args: readonly string[]; options: O } {
  const args = Array.isArray(second) ? second as readonly string[] : [];
  return { args, options: (Array.isArray(second) || second === undefined ? third : second as O) ?? {} as O };
}

function modeOf(text: string | undefined): number | undefined {
  if (text !== undefined && !/^0[0-7]{3}$/.test(text)) {
    throw new SandboxdApiError(`mode is ${JSON.stringify(text)}: give four octal digits, the first one 0`, 400, 'INVALID_ARGUMENT');
  }
  return text === undefined ? undefined : parseInt(text, 8);
}

function limited(content: Readable, limit: number): Readable {
  return Readable.from((async function* () {
    let size = 0;
    try {
      for await (const chunk of content) {
        size += chunk.length;
        if (size > limit) {
          throw tooLarge(limit);
        }
        yield chunk;
      }
    } catch (error) {
      throw translate(error, 'files');
    }
  })(), { objectMode: false });
}

function tooLarge(limit: number): Error {
  return new SandboxResponseTooLargeError(`the content has more than ${limit} bytes`, limit, { remedy: 'raise the limit in sandboxd' });
}
