import { StoppingError, TooManyCommandsError } from '../errors.js';
import type { Child } from './child.js';

/** Between the polite signal and the other one. */
const STOP_GRACE_MS = 2000;

/**
 * The running programs: at most a given number at a time, each with an id. Ids count from 1 and are invalid once the program has
 * ended, so that no signal can reach a process that only inherited a process id.
 */
export class Processes {
  private readonly children = new Map<number, Child>();
  private starting = 0;
  private last = 0;
  private stopped = false;

  constructor(private readonly limit: number) {}

  /** How many run. */
  public get running(): number {
    return this.children.size + this.starting;
  }

  public get stopping(): boolean {
    return this.stopped;
  }

  /** Starts a program and gives it a number. Throws `TooManyCommandsError`, `StoppingError`, and what `start` throws. */
  public async start(start: () => Promise<Child>): Promise<{ readonly id: number; readonly child: Child }> {
    if (this.stopped) {
      throw new StoppingError();
    }
    if (this.running >= this.limit) {
      throw new TooManyCommandsError(this.limit);
    }
    this.starting++;
    let child: Child;
    try {
      child = await start();
    } finally {
      this.starting--;
    }
    const id = ++this.last;
    this.children.set(id, child);
    void child.exited.then(() => this.children.delete(id));
    if (this.stopped) {
      child.kill('SIGTERM');
    }
    return { id, child };
  }

  /** The program with a number, while it runs. */
  public get(id: number): Child | undefined {
    return this.children.get(id);
  }

  /** Lets nothing start any more, and ends what runs: SIGTERM, two seconds, SIGKILL. */
  public async stop(graceMs = STOP_GRACE_MS): Promise<void> {
    this.stopped = true;
    const kill = (signal: NodeJS.Signals) => this.children.forEach(child => child.kill(signal));
    kill('SIGTERM');
    const timer = setTimeout(() => kill('SIGKILL'), graceMs);
    try {
      while (this.children.size > 0) {
        await Promise.all([...this.children.values()].map(child => child.exited));
        // Those that were being started meanwhile.
        await new Promise(resolve => setImmediate(resolve));
      }
    } finally {
      clearTimeout(timer);
    }
  }
}
