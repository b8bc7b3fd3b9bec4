import type { KubeObject, Resource } from 'agent-sandbox-api';
import type { BackoffOptions } from './backoff.js';
import type { Cluster } from './cluster.js';
import type { InformerMetrics } from './metrics.js';
import { Reflector } from './reflector.js';
import { describeLocation } from './resource.js';
import { parseLabelSelector } from './selector.js';
import { onAbort } from './signals.js';
import { type IndexFunction, Store } from './store.js';

export interface InformerOptions<T extends KubeObject> {
  /** Namespaces to look at, each with a list and a watch of its own, so that Roles suffice. @default - the whole cluster */
  readonly namespaces?: readonly string[];
  /** For example `app=web,!canary`. @default - all objects */
  readonly labelSelector?: string;
  /** For example `metadata.name=web`. Own writes of objects that are not in the cache are then left to the watch. @default - all objects */
  readonly fieldSelector?: string;
  /** Indexes by name, for `store.byIndex`. @default - none */
  readonly indexes?: Readonly<Record<string, IndexFunction<T>>>;
  /** Drops unused fields, see `StoreOptions.trim`. @default - `trimManagedFields` */
  readonly trim?: (object: T) => T;
  /** Makes objects immutable, see `StoreOptions.freeze`. @default true */
  readonly freeze?: boolean;
  /** Objects per page of the list; 0 for all at once. @default 500 */
  readonly pageSize?: number;
  /** Pauses after failures. @default - 100 ms to 30 s, half of it random */
  readonly backoff?: BackoffOptions;
  /** Milliseconds without a byte after which a watch counts as dead. @default 150000 */
  readonly idleTimeoutMs?: number;
  /** Seconds after which the server ends a watch, up to twice as many. @default 300 */
  readonly watchSeconds?: number;
  /** @default - nothing is measured */
  readonly metrics?: InformerMetrics;
}

/** A cache was not filled in time; the message says why. */
export class SyncTimeoutError extends Error {
  constructor(what: string, timeoutMs: number, lastError: unknown) {
    super(`no complete list of ${what} within ${timeoutMs} ms${lastError ? `; last error: ${lastError instanceof Error ? lastError.message : String(lastError)}` : ''}`, { cause: lastError });
    this.name = 'SyncTimeoutError';
  }
}

/**
 * Keeps a `Store` equal to what the server has, by list and watch.
 *
 * ```ts
 * const pods = new Informer(cluster, PODS, { indexes: { node: pod => pod.spec?.nodeName } });
 * pods.store.addHandler({ add: pod => queue.add(keyOf(pod)) });
 * const running = pods.run(signal);
 * await pods.waitForSync({ signal });
 * ```
 */
export class Informer<T extends KubeObject> {
  public readonly store: Store<T>;
  private readonly scopes: readonly string[];
  private readonly synced = new Set<string>();
  private readonly errors = new Map<string, unknown>();
  private readonly waiting = new Set<() => void>();
  private started = false;

  constructor(private readonly cluster: Cluster, public readonly resource: Resource<T>, private readonly options: InformerOptions<T> = {}) {
    const { namespaces, labelSelector, fieldSelector } = options;
    if (namespaces && !resource.namespaced) {
      throw new Error(`${resource.plural} are cluster-scoped: leave out namespaces`);
    }
    if (namespaces?.length === 0) {
      throw new Error('namespaces is an empty list: name at least one, or leave it out for the whole cluster');
    }
    this.scopes = namespaces ? [...new Set(namespaces)] : [''];
    const matches = labelSelector ? parseLabelSelector(labelSelector) : () => true;
    this.store = new Store<T>({
      indexes: options.indexes,
      trim: options.trim,
      freeze: options.freeze,
      logger: cluster.logger,
      // Only the server can evaluate field selectors; an object that it put here stays until it takes it away.
      accepts: object => matches(object.metadata.labels) && (!fieldSelector || this.store.get(object.metadata as { name: string }) !== undefined),
      scopeOf: namespaces ? object => (this.scopes.includes(object.metadata.namespace ?? '') ? object.metadata.namespace : undefined) : undefined,
    });
  }

  /** Whether every collection has been listed once, so that what is not in the store does not exist. */
  public get hasSynced(): boolean {
    return this.synced.size === this.scopes.length;
  }

  /** Why the cache may be behind, undefined if it is not known to be. */
  public get lastError(): unknown {
    return [...this.errors.values()][0];
  }

  /** Lists and watches until the signal is aborted. Does not reject: failures are logged and repeated. Throws on a second call. */
  public async run(signal: AbortSignal): Promise<void> {
    if (this.started) {
      throw new Error(`the informer of ${this.resource.plural} runs already`);
    }
    this.started = true;
    await Promise.all(this.scopes.map(scope => this.reflector(scope).run(signal)));
  }

  /**
   * Resolves when `hasSynced` is true. Rejects with `SyncTimeoutError` after `timeoutMs` milliseconds (no limit by default), or
   * with the signal's reason.
   */
  public waitForSync({ timeoutMs, signal }: { timeoutMs?: number; signal?: AbortSignal } = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (finish: () => void) => {
        timer?.cancel();
        forget?.();
        this.waiting.delete(check);
        finish();
      };
      const check = () => {
        if (this.hasSynced) {
          end(resolve);
        }
      };
      this.waiting.add(check);
      const timer = timeoutMs === undefined ? undefined
        : this.cluster.clock.setTimeout(() => end(() => reject(new SyncTimeoutError(this.describe(), timeoutMs, this.lastError))), timeoutMs);
      let forget: (() => void) | undefined = undefined;
      forget = signal && onAbort(signal, () => end(() => reject(signal.reason)));
      check();
    });
  }

  private reflector(scope: string): Reflector<T> {
    const { labelSelector, fieldSelector, pageSize, backoff, idleTimeoutMs, watchSeconds, metrics } = this.options;
    const { store } = this;
    return new Reflector<T>({
      cluster: this.cluster,
      resource: this.resource,
      namespace: scope || undefined,
      labelSelector,
      fieldSelector,
      pageSize,
      backoff,
      idleTimeoutMs,
      watchSeconds,
      metrics,
      sink: {
        prepare: raw => store.prepare(raw),
        replace: (objects, version) => {
          store.replace(scope, objects, version);
          this.synced.add(scope);
          this.waiting.forEach(check => check());
        },
        apply: (type, object) => store.apply(scope, type, object),
        advance: version => store.advance(scope, version),
      },
      onState: error => (error === undefined ? this.errors.delete(scope) : this.errors.set(scope, error)),
    });
  }

  private describe(): string {
    return this.scopes.map(scope => describeLocation(this.resource, { namespace: scope || undefined })).join(', ');
  }
}
