import { WorkQueue, Workers, refOf, type Clock, type Logger, type QueueMetrics, type WorkerMetrics } from 'agent-sandbox-kube';
import type { Kind, Kinds } from '../cache.js';
import { perform } from '../perform.js';
import type { Failure } from '../plan.js';
import { Blockers } from './blockers.js';
import type { Caches } from './caches.js';
import { statesOf, type Change, type ControllerDefinition, type Wake } from './definition.js';
import type { Executor } from './executor.js';
import type { Lanes } from './lanes.js';
import type { Send, Tracing } from './tracing.js';

/** A pass ended with errors; it is repeated with back-off. */
export class ReconcileError extends Error {
  constructor(public readonly failures: readonly Failure[]) {
    super(failures.map(({ message }) => message).join('\n'));
    this.name = 'ReconcileError';
  }
}

export interface ControllerOptions {
  readonly definition: ControllerDefinition;
  readonly caches: Caches;
  readonly executor: Executor;
  /** Shared by all controllers of the process. */
  readonly lanes: Lanes;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly queueMetrics?: QueueMetrics;
  readonly workerMetrics?: WorkerMetrics;
  /** Absent: passes leave no trace. */
  readonly tracing?: Tracing;
}

/**
 * Runs a reconciler: changes in the caches put keys into its queue, workers take them and carry out its plans.
 *
 * A replica that does not lead lets its definition see all changes, since some keep books, but notes no keys: nobody would take
 * them, and objects come and go for months. When it begins to work it looks at everything, as after a start.
 */
export class Controller {
  public readonly queue: WorkQueue;
  private working = false;
  private readonly memories = new Map<string, unknown>();
  private readonly blockers = new Blockers();

  constructor(private readonly options: ControllerOptions) {
    const { definition: { name, concurrency }, clock, queueMetrics } = options;
    this.queue = new WorkQueue({
      name, clock, lowConcurrency: Math.ceil(concurrency / 2), ...(queueMetrics === undefined ? {} : { metrics: queueMetrics }),
    });
    for (const kind of options.definition.reads) {
      this.watch(kind);
    }
  }

  /** Works until the signal is aborted. */
  public async run(signal: AbortSignal): Promise<void> {
    const { definition: { concurrency, reads }, clock, logger, workerMetrics } = this.options;
    this.working = true;
    reads.forEach((kind) => this.wakeAll(kind));
    const workers = new Workers({
      queue: this.queue,
      concurrency,
      reconcile: (key, stop) => this.reconcile(key, stop),
      clock,
      logger,
      ...(workerMetrics === undefined ? {} : { metrics: workerMetrics }),
    });
    await workers.run(signal);
  }

  private watch<K extends Kind>(kind: K): void {
    this.options.caches.onChange(kind, (change) => this.wake(kind, change));
  }

  private wakeAll<K extends Kind>(kind: K): void {
    this.options.caches.list(kind).forEach((after) => this.wake(kind, { after, origin: 'list' }));
  }

  private wake<K extends Kind>(kind: K, change: Change<Kinds[K]>): void {
    const { definition, caches } = this.options;
    const wakes = definition.watches[kind] as ((change: Change<Kinds[K]>, cache: Caches) => readonly Wake[]) | undefined;
    const woken = wakes?.(change, caches) ?? [];
    if (!this.working) {
      return;
    }
    const isNews = (change.origin !== 'list' && change.origin !== 'resync') || isUntouched(change.after);
    for (const { key, delayMs = 0 } of woken) {
      this.queue.addAfter(key, delayMs, isNews && !this.yields(key) ? 'normal' : 'low');
    }
    const { namespace = '', name = '' } = statesOf(change)[0]!.metadata;
    this.blockers.waitingFor(kind, namespace, name).forEach((key) => this.queue.add(key));
  }

  private async reconcile(key: string, signal: AbortSignal) {
    const { definition: { traced }, caches, executor, lanes, tracing } = this.options;
    const { namespace = '', name } = refOf(key);
    const send: Send = (request) => {
      const work = () => executor.send(request, signal);
      return request.op === 'event' || request.op === 'measure' ? work() : this.yields(key) ? lanes.later(work) : lanes.now(work);
    };
    const object = tracing && traced && caches.get(traced.kind, namespace, name);
    return object ? tracing.pass(traced, object, send, (within) => this.pass(key, within)) : this.pass(key, send);
  }

  private async pass(key: string, send: Send) {
    const { definition, caches, clock } = this.options;
    const { namespace = '', name } = refOf(key);
    const plan = definition.plan(caches, namespace, name, { now: clock.now(), memory: this.memories.get(key) });
    if (plan === undefined) {
      this.remember(key, null);
      this.blockers.set(key, []);
      return {};
    }
    const { errors, requeueAfterMs, blockedBy } = await perform<unknown>(plan, {
      send,
      remember: (memory) => this.remember(key, memory),
    });
    this.blockers.set(key, blockedBy);
    if (errors.length > 0) {
      // What is in the way may be something that the cache never shows: only the back-off bounds how often it is tried.
      throw new ReconcileError(errors);
    }
    if (blockedBy.some((ref) => caches.get(ref.kind as Kind, ref.namespace, ref.name) === undefined)) {
      // It went while the pass was still busy, when nobody waited for it yet.
      this.queue.add(key);
    }
    return requeueAfterMs === undefined ? {} : { requeueAfterMs, priority: this.yields(key) ? 'low' as const : 'normal' as const };
  }

  private yields(key: string): boolean {
    const { definition, caches } = this.options;
    const { namespace = '', name } = refOf(key);
    return definition.yields?.(caches, namespace, name) ?? false;
  }

  private remember(key: string, memory: unknown): void {
    if (memory === null) {
      this.memories.delete(key);
    } else {
      this.memories.set(key, memory);
    }
    this.options.definition.remembered?.(key, memory ?? undefined);
  }
}

/** Whether nobody has worked on an object yet: after a restart, it goes before the thousands that are most likely in order. */
function isUntouched(object: object | undefined): boolean {
  return object !== undefined && (object as { readonly status?: unknown }).status === undefined;
}
