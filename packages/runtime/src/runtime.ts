import { TooManyWatchesError } from './errors.js';
import { Tree } from './files/tree.js';
import { metadataOf } from './metadata.js';
import { Metrics } from './metrics.js';
import type { RuntimeOptions } from './options.js';
import { Processes } from './process/processes.js';
import { PIPE_GRACE_MS } from './process/run.js';

/** Watches at a time: each takes an instance of inotify, of which a user has 128 by default. */
const MAX_WATCHES = 64;

/** What the handlers of all requests share. */
export class Runtime {
  public readonly startedAt = Date.now();
  public readonly processes: Processes;
  public readonly metrics: Metrics;
  public readonly metadata: { readonly [name: string]: string };
  /** How long descendants may hold the streams of a program that has ended, in milliseconds. */
  public pipeGraceMs = PIPE_GRACE_MS;
  private watches = 0;
  private readonly stopper = new AbortController();

  private constructor(public readonly options: RuntimeOptions, public readonly tree: Tree) {
    this.processes = new Processes(options.maxCommands);
    this.metrics = new Metrics(() => this.processes.running);
    this.metadata = metadataOf(options.env, options.metadataEnvPrefix);
  }

  /** Throws what `Tree.open` throws. */
  public static async open(options: RuntimeOptions): Promise<Runtime> {
    return new Runtime(options, await Tree.open(options.baseDir));
  }

  /** Aborts when the runtime begins to stop. */
  public get stopped(): AbortSignal {
    return this.stopper.signal;
  }

  /** Counts a watch while it runs. Throws `TooManyWatchesError`. */
  public async watching<T>(run: () => Promise<T>): Promise<T> {
    if (this.watches >= MAX_WATCHES) {
      throw new TooManyWatchesError(`${MAX_WATCHES} watches are open already, which is the limit`);
    }
    this.watches++;
    try {
      return await run();
    } finally {
      this.watches--;
    }
  }

  /** Health turns bad, streams end, programs are ended. */
  public async stop(): Promise<void> {
    this.stopper.abort();
    await this.processes.stop();
  }

  public async close(): Promise<void> {
    await this.tree.close();
  }
}
