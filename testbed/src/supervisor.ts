import { type ChildProcess, fork } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { TESTBED_DIR } from './programs.js';

/** A program to run: the supervisor starts it in the work folder, with both its outputs appended to `log`. */
export interface Command {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly log: string;
}

/** What a control plane has outside of its work folder. */
export interface Owned {
  readonly folders: readonly string[];
  /** Name below the root of all control groups. */
  readonly cgroup?: string;
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

type Answer = { readonly id: number; readonly pid?: number; readonly error?: string } | ({ readonly exited: string } & Exit);

/** The near end of `supervisor.mjs`, which owns all processes of one control plane. */
export class Supervisor {
  /** Starts one for a work folder. It is in a session of its own, so that Ctrl-C reaches the test run only. */
  public static start(dir: string): Supervisor {
    const log = openSync(join(dir, 'supervisor.log'), 'a');
    const child = fork(join(TESTBED_DIR, 'supervisor.mjs'), [dir], {
      detached: true, stdio: ['ignore', log, log, 'ipc'], execArgv: [], cwd: '/', env: {},
    });
    closeSync(log);
    return new Supervisor(child);
  }

  private lastId = 0;
  private listener: (name: string, exit: Exit) => void = () => undefined;
  private readonly pending = new Map<number, { resolve: (pid: number | undefined) => void; reject: (error: Error) => void }>();
  private readonly exits = new Map<string, Exit>();

  private constructor(private readonly child: ChildProcess) {
    // A test run must be able to end while a control plane is up; its end is what stops the control plane.
    child.unref();
    child.channel?.unref();
    child.on('message', message => this.receive(message as Answer));
    child.on('disconnect', () => this.fail(new Error('the supervisor of the control plane has ended')));
    child.on('error', error => this.fail(error));
  }

  /** Starts a program and returns its process id. */
  public async spawn(command: Command): Promise<number> {
    this.exits.delete(command.name);
    return (await this.request({ op: 'start', ...command }))!;
  }

  /** Kills a program and waits until it is gone; a program that does not run is fine. */
  public async kill(name: string): Promise<void> {
    await this.request({ op: 'stop', name });
  }

  /** How a program ended without being asked to, undefined while it runs. */
  public exitOf(name: string): Exit | undefined {
    return this.exits.get(name);
  }

  /** Reports from now on programs that end without having been stopped. */
  public onExit(listener: (name: string, exit: Exit) => void): void {
    this.listener = listener;
  }

  /** Names what else is to be removed when everything is killed. */
  public async own(owned: Owned): Promise<void> {
    await this.request({ op: 'own', ...owned });
  }

  /** Lets the control plane outlive this process. */
  public async release(): Promise<void> {
    await this.request({ op: 'release' });
    this.child.disconnect();
  }

  /** Kills everything, removes the work folder and ends. */
  public async shutdown(): Promise<void> {
    if (this.child.connected) {
      const gone = new Promise(resolve => this.child.once('exit', resolve));
      this.child.ref();
      // Its end is the answer, whether the message still reaches it or not.
      this.child.send({ op: 'shutdown' }, () => undefined);
      await gone;
    }
  }

  private request(message: object): Promise<number | undefined> {
    const id = ++this.lastId;
    // The channel keeps this process alive only while an answer is due.
    this.child.channel?.ref();
    return new Promise((resolve, reject) => {
      this.pending.set(id, { resolve, reject });
      this.child.send({ id, ...message }, error => error && this.settle(id, entry => entry.reject(error)));
    });
  }

  private receive(answer: Answer): void {
    if ('exited' in answer) {
      const exit = { code: answer.code, signal: answer.signal };
      this.exits.set(answer.exited, exit);
      this.listener(answer.exited, exit);
    } else {
      this.settle(answer.id, entry => (answer.error ? entry.reject(new Error(answer.error)) : entry.resolve(answer.pid)));
    }
  }

  private settle(id: number, use: (entry: { resolve: (pid: number | undefined) => void; reject: (error: Error) => void }) => void): void {
    const entry = this.pending.get(id);
    this.pending.delete(id);
    if (this.pending.size === 0) {
      this.child.channel?.unref();
    }
    if (entry) {
      use(entry);
    }
  }

  private fail(error: Error): void {
    [...this.pending.keys()].forEach(id => this.settle(id, entry => entry.reject(error)));
  }
}
