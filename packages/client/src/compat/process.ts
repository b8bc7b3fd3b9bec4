import type { Process, ProcessSignal } from '../process.js';
import { SandboxdRpcError, translate, translated } from './errors.js';
import type { ProcessEvent, StartOptions } from './types.js';

/** A program that runs in a sandbox. Its output goes to the callbacks, to `events`, or nowhere with `wait`. */
export class ProcessHandle implements AsyncDisposable {
  private readonly done: Promise<number>;

  /** @internal */
  constructor(private readonly process: Process, { onStdout, onStderr, pty }: StartOptions) {
    this.hasTerminal = pty !== undefined;
    this.hasCallbacks = onStdout !== undefined || onStderr !== undefined;
    this.done = process.exit.catch(error => {
      throw this.failure ?? translate(error, 'processes');
    });
    this.done.catch(() => undefined);
    if (this.hasCallbacks) {
      const deliver = (callback: ((chunk: Uint8Array) => void) | undefined) => (chunk: Buffer) => {
        try {
          callback?.(chunk);
        } catch (error) {
          this.failure = error;
          process.close();
        }
      };
      process.stdout.on('data', deliver(onStdout));
      process.stderr.on('data', deliver(onStderr));
    }
  }

  private readonly hasTerminal: boolean;
  private readonly hasCallbacks: boolean;
  private isDiscarded = false;
  /** What a callback threw. */
  private failure?: unknown;

  public get pid(): number {
    return this.process.pid;
  }

  /** Output in the order in which it comes, and the exit as the last one. */
  public get events(): AsyncIterable<ProcessEvent> {
    if (this.hasCallbacks || this.isDiscarded) {
      throw new Error('the output goes to callbacks or is thrown away: events has none');
    }
    return { [Symbol.asyncIterator]: () => this.iterate() };
  }

  /** Waits for the end and returns the exit code. */
  public async wait(): Promise<number> {
    if (!this.hasCallbacks) {
      this.isDiscarded = true;
      this.process.stdout.resume();
      this.process.stderr.resume();
    }
    return this.done;
  }

  public write(data: string | Uint8Array): Promise<void> {
    return this.act(() => new Promise((resolve, reject) => this.process.stdin.write(data, error => (error ? reject(error) : resolve()))));
  }

  public closeStdin(): Promise<void> {
    return this.act(async () => {
      if (this.hasTerminal) {
        throw new SandboxdRpcError('closing the input would close the terminal: write "\\x04" to end the input', 'failed_precondition');
      }
      await new Promise<void>(resolve => this.process.stdin.end(resolve));
    });
  }

  public signal(name: ProcessSignal): Promise<void> {
    return this.act(() => this.process.kill(name));
  }

  public kill(): Promise<void> {
    return this.signal('SIGKILL');
  }

  public resize(size: { cols: number; rows: number }): Promise<void> {
    return this.act(async () => {
      if (!this.hasTerminal) {
        throw new SandboxdRpcError('the process has no terminal', 'failed_precondition');
      }
      await this.process.resize(size);
    });
  }

  /** Ends the program and its process group. */
  public close(): void {
    this.process.close();
  }

  public async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  private act(work: () => Promise<void>): Promise<void> {
    return translated('processes', async () => {
      if (this.process.stdin.destroyed) {
        throw new SandboxdRpcError('the process has ended', 'not_found');
      }
      await work();
    });
  }

  private async *iterate(): AsyncGenerator<ProcessEvent> {
    const { stdout, stderr } = this.process;
    const take = (): ProcessEvent | undefined => {
      const out: Buffer | null = stdout.read();
      if (out) {
        return { type: 'stdout', data: out };
      }
      const data: Buffer | null = stderr.read();
      return data ? { type: 'stderr', data } : undefined;
    };
    for (;;) {
      const event = take();
      if (event) {
        yield event;
      } else if (stdout.readableEnded && stderr.readableEnded) {
        break;
      } else if (stdout.destroyed && !stdout.readableEnded) {
        await this.done;
        break;
      } else {
        await new Promise<void>(resolve => {
          const wake = () => {
            for (const stream of [stdout, stderr]) {
              ['readable', 'end', 'close'].forEach(name => stream.off(name, wake));
            }
            resolve();
          };
          for (const stream of [stdout, stderr]) {
            ['readable', 'end', 'close'].forEach(name => stream.on(name, wake));
          }
        });
      }
    }
    yield { type: 'exit', exitCode: await this.done };
  }
}
