import { open } from 'node:fs/promises';
import { Tree } from './files/tree.js';
import { metadataOf } from './metadata.js';
import { Metrics } from './metrics.js';
import type { RuntimeOptions } from './options.js';
import { Processes } from './process/processes.js';
import { PIPE_GRACE_MS } from './process/run.js';

/** O_PATH, see `Tree`. */
const O_PATH = 0o10000000;

/** What the handlers of all requests share. */
export class Runtime {
  public readonly startedAt = Date.now();
  public readonly processes: Processes;
  public readonly metrics: Metrics;
  public readonly metadata: { readonly [name: string]: string };
  /** How long descendants may hold the streams of a program that has ended, in milliseconds. */
  public pipeGraceMs = PIPE_GRACE_MS;
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

  /** Holds on to an object behind a handle beyond the callback that found it. */
  public async hold(self: string): Promise<{ readonly path: string; readonly close: () => Promise<void> }> {
    const handle = await open(self, O_PATH);
    return { path: `/proc/self/fd/${handle.fd}`, close: () => handle.close() };
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
