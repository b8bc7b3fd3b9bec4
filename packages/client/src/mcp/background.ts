import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { SandboxInputError, SandboxNotFoundError } from '../errors.js';
import { OutputWindow } from '../output-window.js';
import type { Process, ProcessSignal, StartOptions } from '../process.js';
import type { Sandbox } from '../sandbox.js';

/** Commands that a session may have in the background at the same time; each holds a connection and its output. */
const MOST_COMMANDS = 32;

/** What a command in the background has written since the last time, and how it ended. */
export interface News {
  readonly stdout: string;
  readonly stderr: string;
  readonly running: boolean;
  /** After the end. */
  readonly exit_code?: number;
  /** Why the exit code is not known. */
  readonly error?: string;
  /** Bytes between both ends of the output that are left out. */
  readonly omitted_bytes?: number;
}

/** The commands that a session has in the background, by number. */
export class Background {
  private readonly commands = new Map<number, BackgroundCommand>();
  private last = 0;

  /** @param limit bytes of each stream that are kept until they are read */
  constructor(private readonly limit: number) {}

  /** Starts a command. Returns its number in this session. */
  public async start(sandbox: Sandbox, command: readonly string[], options: StartOptions): Promise<number> {
    if (this.commands.size >= MOST_COMMANDS) {
      throw new SandboxInputError(`this session has ${MOST_COMMANDS} commands in the background`, { remedy: 'read one that has ended, or stop one' });
    }
    const id = ++this.last;
    this.commands.set(id, new BackgroundCommand(sandbox, await sandbox.commands.start(command, options), this.limit));
    return id;
  }

  /** Waits for output or the end, at most `waitMs` milliseconds. The end is reported once; `id` is invalid afterwards. */
  public async read(sandbox: Sandbox, id: number, waitMs: number, signal: AbortSignal): Promise<News> {
    const news = await this.find(sandbox, id).read(waitMs, signal);
    if (!news.running) {
      this.commands.delete(id);
    }
    return news;
  }

  public write(sandbox: Sandbox, id: number, input: string, isLast: boolean): Promise<void> {
    const { stdin } = this.find(sandbox, id).process;
    return new Promise((resolve, reject) => {
      const done = (error?: Error | null) => error ? reject(error) : resolve();
      if (isLast) {
        stdin.once('error', done).end(input, () => done());
      } else {
        stdin.write(input, done);
      }
    });
  }

  public stop(sandbox: Sandbox, id: number, signal: ProcessSignal): Promise<void> {
    return this.find(sandbox, id).process.kill(signal);
  }

  /** Ends the commands of a sandbox, or all. */
  public close(sandbox?: Sandbox): void {
    for (const [id, command] of this.commands) {
      if (sandbox === undefined || command.sandbox === sandbox) {
        command.process.close();
        this.commands.delete(id);
      }
    }
  }

  private find(sandbox: Sandbox, id: number): BackgroundCommand {
    const command = this.commands.get(id);
    if (command?.sandbox !== sandbox) {
      throw new SandboxNotFoundError(`this session has no command ${id} in the background of "${sandbox.claimName}"`, { remedy: 'start one with start_command' });
    }
    return command;
  }
}

class BackgroundCommand {
  private readonly stdout: Kept;
  private readonly stderr: Kept;
  private end?: { readonly exit_code: number } | { readonly error: string };
  private wake = () => undefined as void;

  constructor(public readonly sandbox: Sandbox, public readonly process: Process, limit: number) {
    this.stdout = new Kept(process.stdout, limit, () => this.wake());
    this.stderr = new Kept(process.stderr, limit, () => this.wake());
    // The exit code is known before the last output has been taken.
    const streams = [process.stdout, process.stderr].map(stream => once(stream, 'close'));
    void Promise.allSettled([process.exit, ...streams]).then(([exit]) => {
      this.end = exit.status === 'fulfilled' ? { exit_code: exit.value as number } : { error: String((exit.reason as Error).message) };
      this.wake();
    });
  }

  public async read(waitMs: number, signal: AbortSignal): Promise<News> {
    const isNews = () => this.end !== undefined || this.stdout.size + this.stderr.size > 0;
    if (!isNews() && waitMs > 0) {
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>(resolve => {
        this.wake = resolve;
        timer = setTimeout(resolve, waitMs);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      clearTimeout(timer);
    }
    const isOver = this.end !== undefined;
    const omitted = this.stdout.omitted + this.stderr.omitted;
    return {
      stdout: this.stdout.take(isOver), stderr: this.stderr.take(isOver), running: !isOver, ...this.end,
      ...(omitted > 0 && { omitted_bytes: omitted }),
    };
  }
}

/** Output of one stream that has not been read. */
class Kept {
  public size = 0;
  private window: OutputWindow;
  /** Keeps the beginning of a character until its end has come. */
  private readonly decoder = new StringDecoder('utf8');

  constructor(stream: Readable, private readonly limit: number, onData: () => void) {
    this.window = new OutputWindow(limit);
    stream.on('data', (chunk: Buffer) => {
      this.window.add(chunk);
      this.size += chunk.length;
      onData();
    });
  }

  public get omitted(): number {
    return this.window.omitted;
  }

  public take(isLast: boolean): string {
    const text = this.decoder.write(this.window.bytes()) + (isLast ? this.decoder.end() : '');
    this.window = new OutputWindow(this.limit);
    this.size = 0;
    return text.replace(/\r\n/g, '\n');
  }
}
