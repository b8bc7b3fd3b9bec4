import { definedOnly, parseKey } from 'agent-sandbox-api';
import { WorkQueue, Workers, type Clock, type Logger, type QueueMetrics, type WorkerMetrics } from 'agent-sandbox-kube';
import type { Kind, Kinds } from '../reconcile/cache.js';
import { runPlan } from '../reconcile/run-plan.js';
import type { Failure } from '../reconcile/plan.js';
import { Blockers } from './blockers.js';
import type { Caches } from './caches.js';
import { Echoes } from './echoes.js';
import { statesOf, type Change, type ControllerDefinition, type QueueItem } from '../reconcile/definition.js';
import type { Executor } from './executor.js';
import { ForbiddenKeys } from './forbidden-keys.js';
import type { RequestPriority } from './request-priority.js';
import type { Send, Tracing } from './tracing.js';

/** A reconciliation ended with errors; it is retried with back-off. */
class ReconcileError extends Error {
  constructor(public readonly failures: readonly Failure[]) {
    super(failures.map(({ message }) => message).join('\n'));
    this.name = 'ReconcileError';
  }
}

interface Underway {
  readonly end: Promise<void>;
  /** Absent: every change is news. */
  readonly echoes?: Echoes;
}

/**
 * What fails often waits for something that others mend: a quota, an account, a class. Such objects are tried every minute at least.
 */
const BACKOFF = { baseMs: 5, maxMs: 60_000 };

export interface ControllerOptions {
  readonly definition: ControllerDefinition;
  readonly caches: Caches;
  readonly executor: Executor;
  /** Shared by all controllers of the process. */
  readonly requestPriority: RequestPriority;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly queueMetrics?: QueueMetrics;
  readonly workerMetrics?: WorkerMetrics;
  /** Absent: no tracing. */
  readonly tracing?: Tracing;
  /** Whether this process works on a namespace now. Absent: on all. */
  readonly owns?: (namespace: string) => boolean;
}

/**
 * Runs a reconciler: changes in the caches enqueue keys, workers take them and carry out its plans.
 *
 * Non-leaders still pass events to their definitions, which maintain indexes, but enqueue no keys. A new leader enqueues
 * everything, as after a start.
 */
export class Controller {
  public readonly queue: WorkQueue;
  private working = false;
  private readonly memories = new Map<string, unknown>();
  /** The reconciliations under way, by key. */
  private readonly underway = new Map<string, Underway>();
  private readonly blockers = new Blockers();
  private readonly forbidden = new ForbiddenKeys();

  constructor(private readonly options: ControllerOptions) {
    const { definition: { name, concurrency }, clock, queueMetrics } = options;
    this.queue = new WorkQueue({
      name, clock, backoff: BACKOFF, lowConcurrency: Math.ceil(concurrency / 2), ...definedOnly({ metrics: queueMetrics }),
    });
    for (const kind of options.definition.reads) {
      this.watch(kind);
    }
  }

  /** Reconciles until the signal is aborted. */
  public async run(signal: AbortSignal): Promise<void> {
    const { definition: { concurrency }, clock, logger, workerMetrics } = this.options;
    this.working = true;
    this.adopt(namespace => this.owns(namespace));
    const workers = new Workers({
      queue: this.queue,
      concurrency,
      reconcile: (key, stop) => this.reconcile(key, stop),
      clock,
      logger,
      ...definedOnly({ metrics: workerMetrics }),
    });
    await workers.run(signal);
  }

  /** Enqueues the objects of namespaces that this process begins to work on. */
  public adopt(isOurs: (namespace: string) => boolean): void {
    if (this.working) {
      this.options.definition.reads.forEach(kind => this.enqueueAll(kind, isOurs));
    }
  }

  /** Waits until no reconciliation in namespaces that this process no longer owns is under way, and forgets what it remembers about them. */
  public async abandon(isTheirs: (namespace: string) => boolean): Promise<void> {
    const keys = [...this.underway.keys()].filter(key => isTheirs(namespaceOf(key)));
    await Promise.all(keys.map(key => this.underway.get(key)?.end));
    for (const key of [...this.memories.keys()].filter(key => isTheirs(namespaceOf(key)))) {
      this.forget(key);
    }
  }

  private owns(namespace: string): boolean {
    return this.options.owns?.(namespace) ?? true;
  }

  private forget(key: string): void {
    this.remember(key, null);
    this.blockers.set(key, []);
    this.forbidden.set(key, false);
  }

  private watch<K extends Kind>(kind: K): void {
    this.options.caches.onChange(kind, change => this.enqueue(kind, change));
  }

  private enqueueAll<K extends Kind>(kind: K, isOurs: (namespace: string) => boolean): void {
    this.options.caches.list(kind)
      .filter(({ metadata }) => isOurs(metadata.namespace ?? ''))
      .forEach(after => this.enqueue(kind, { after, origin: 'list' }));
  }

  private enqueue<K extends Kind>(kind: K, change: Change<Kinds[K]>): void {
    const { definition, caches } = this.options;
    const handler = definition.watches[kind] as ((change: Change<Kinds[K]>, cache: Caches) => readonly QueueItem[]) | undefined;
    const items = handler?.(change, caches) ?? [];
    if (!this.working) {
      return;
    }
    const isNews = change.origin !== 'list' && change.origin !== 'resync';
    for (const { key, delayMs = 0 } of items) {
      if (!this.owns(namespaceOf(key)) || (delayMs === 0 && this.underway.get(key)?.echoes?.hold(change))) {
        continue;
      }
      this.queue.addAfter(key, delayMs, (isNews || this.isUntouched(key)) && !this.isLowPriority(key) ? 'normal' : 'low');
    }
    const { namespace = '', name = '' } = statesOf(change)[0]!.metadata;
    this.blockers.blockedBy(kind, namespace, name).forEach(key => this.queue.add(key));
    const next = change.after === undefined ? this.forbidden.next(namespace) : undefined;
    if (next !== undefined) {
      this.queue.add(next);
    }
  }

  private async reconcile(key: string, signal: AbortSignal) {
    if (!this.owns(namespaceOf(key))) {
      return {};
    }
    const echoes = this.options.definition.takesAccountOfWrites ? new Echoes() : undefined;
    const run = this.reconcileOwned(key, signal, echoes);
    this.underway.set(key, { end: run.then(() => undefined, () => undefined), ...definedOnly({ echoes }) });
    try {
      return await run;
    } finally {
      this.underway.delete(key);
      if (echoes?.hasNews) {
        this.queue.add(key, this.isLowPriority(key) ? 'low' : 'normal');
      }
    }
  }

  private async reconcileOwned(key: string, signal: AbortSignal, echoes: Echoes | undefined) {
    const { definition: { kind, traced }, caches, executor, requestPriority, tracing } = this.options;
    const { namespace = '', name } = parseKey(key);
    const send: Send = request => {
      const work = async () => {
        const outcome = await executor.send(request, signal);
        echoes?.note(request, outcome);
        return outcome;
      };
      return request.op === 'event' || request.op === 'measure' ? work() : this.isLowPriority(key) ? requestPriority.low(work) : requestPriority.normal(work);
    };
    const object = tracing && traced && caches.get(kind, namespace, name);
    return object ? tracing.reconcile(traced, object, send, within => this.runOnce(key, within)) : this.runOnce(key, send);
  }

  private async runOnce(key: string, send: Send) {
    const { definition, caches, clock } = this.options;
    const { namespace = '', name } = parseKey(key);
    const plan = definition.plan(caches, namespace, name, { now: clock.now(), monotonic: clock.monotonic(), memory: this.memories.get(key) });
    if (plan === undefined) {
      this.forget(key);
      return {};
    }
    const { errors, requeueAfterMs, blockedBy } = await runPlan<unknown>(plan, {
      send,
      remember: memory => this.remember(key, memory),
    });
    this.blockers.set(key, blockedBy);
    this.forbidden.set(key, errors.some(({ reason }) => reason === 'Forbidden'));
    if (errors.length > 0) {
      // The blocker may be an object that the cache never shows: only the back-off limits retries.
      throw new ReconcileError(errors);
    }
    if (blockedBy.some(ref => caches.get(ref.kind as Kind, ref.namespace, ref.name) === undefined)) {
      // The blocker went away during the reconciliation, before it was registered.
      this.queue.add(key);
    }
    return requeueAfterMs === undefined ? {} : { requeueAfterMs, priority: this.isLowPriority(key) ? 'low' as const : 'normal' as const };
  }

  /** Whether an object has never been reconciled: after a restart it goes before the thousands that are most likely in order. */
  private isUntouched(key: string): boolean {
    const { definition: { kind }, caches } = this.options;
    const { namespace = '', name } = parseKey(key);
    const object = caches.get(kind, namespace, name) as { readonly status?: unknown } | undefined;
    return object !== undefined && object.status === undefined;
  }

  private isLowPriority(key: string): boolean {
    const { definition, caches } = this.options;
    const { namespace = '', name } = parseKey(key);
    return definition.isLowPriority?.(caches, namespace, name) ?? false;
  }

  private remember(key: string, memory: unknown): void {
    if (memory === null) {
      this.memories.delete(key);
    } else {
      this.memories.set(key, memory);
    }
    this.options.definition.onMemoryChange?.(key, memory ?? undefined);
  }
}

function namespaceOf(key: string): string {
  return parseKey(key).namespace ?? '';
}
