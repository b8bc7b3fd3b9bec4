import { type Clock, systemClock } from './clock.js';
import { retryAfterOf } from './errors.js';
import { type Logger, silentLogger } from './logger.js';
import type { WorkerMetrics } from './metrics.js';
import type { Priority, WorkQueue } from './queue.js';
import { onAbort } from './signals.js';
import { breathe } from './turn.js';

/** The result of a run. */
export interface ReconcileResult {
  /** Milliseconds after which the key is to be looked at again without any event. @default - only on events */
  readonly requeueAfterMs?: number;
  /** How soon it is taken then. @default normal */
  readonly priority?: Priority;
}

/** Brings what a key names into its desired state. Throwing means: again, after a pause. */
export type Reconcile = (key: string, signal: AbortSignal) => Promise<ReconcileResult | void>;

export interface WorkersOptions {
  readonly queue: WorkQueue;
  readonly reconcile: Reconcile;
  /** Keys in work at the same time, at least 1. */
  readonly concurrency: number;
  /** @default - nothing is logged */
  readonly logger?: Logger;
  /** @default - nothing is measured */
  readonly metrics?: WorkerMetrics;
  /** @default - that of the machine */
  readonly clock?: Clock;
}

/**
 * Works on the keys of a queue. A run that ends well resets the key's failures and its `requeueAfterMs` is honoured; one that
 * throws is repeated after the queue's back-off, or after Retry-After if the server asked for more, and nothing else counts.
 */
export class Workers {
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly metrics: WorkerMetrics;
  private active = 0;

  constructor(private readonly options: WorkersOptions) {
    if (!Number.isInteger(options.concurrency) || options.concurrency < 1) {
      throw new Error(`concurrency of the queue ${options.queue.name} is ${options.concurrency}: give a whole number of at least 1`);
    }
    this.clock = options.clock ?? systemClock;
    this.logger = options.logger ?? silentLogger;
    this.metrics = options.metrics ?? {};
  }

  /**
   * Works until the queue is shut down. When the signal is aborted the queue is shut down without draining, and runs in work get
   * the signal to end early. Resolves when the last run has ended.
   */
  public async run(signal: AbortSignal): Promise<void> {
    const { queue, concurrency } = this.options;
    const forget = onAbort(signal, () => void queue.shutdown());
    await Promise.all(Array.from({ length: concurrency }, () => this.work(signal)));
    forget();
  }

  private async work(signal: AbortSignal): Promise<void> {
    const { queue } = this.options;
    for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
      await this.process(key, signal);
      // A run that finds nothing to do waits for nothing, and after a restart there are thousands of these.
      await breathe();
    }
  }

  private async process(key: string, signal: AbortSignal): Promise<void> {
    const { queue, reconcile } = this.options;
    const begin = this.clock.monotonic();
    const ended = (result: 'success' | 'requeue_after' | 'error') => this.metrics.reconciled?.(queue.name, result, (this.clock.monotonic() - begin) / 1000);
    this.metrics.active?.(queue.name, ++this.active);
    try {
      const { requeueAfterMs, priority } = await reconcile(key, signal) ?? {};
      queue.forget(key);
      if (requeueAfterMs !== undefined) {
        queue.addAfter(key, requeueAfterMs, priority);
      }
      ended(requeueAfterMs === undefined ? 'success' : 'requeue_after');
    } catch (error) {
      ended('error');
      if (!signal.aborted) {
        queue.addRateLimited(key, retryAfterOf(error));
        this.logger.warn({ queue: queue.name, key, failures: queue.failuresOf(key), err: error }, 'reconcile failed and will be repeated');
      }
    } finally {
      this.metrics.active?.(queue.name, --this.active);
      queue.done(key);
    }
  }
}
