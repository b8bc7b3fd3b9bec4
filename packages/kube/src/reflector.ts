import { type KubeObject, type Resource, apiVersionOf } from 'agent-sandbox-api';
import { type BackoffOptions, backoffMs } from './backoff.js';
import type { Cluster } from './cluster.js';
import { sleep } from './clock.js';
import { ApiError, isSituation, retryAfterOf } from './errors.js';
import type { InformerMetrics } from './metrics.js';
import { Reader } from './reader.js';
import { describeLocation } from './resource.js';
import { watchEvents } from './watch.js';

/** Where a reflector puts what it learns. `Store` is one, with the scope left out. */
export interface Sink<T extends KubeObject> {
  /** Called for each object before it is handed over. */
  prepare(raw: T): T;
  replace(objects: readonly T[], version: string): void;
  apply(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: T): void;
  /** All changes up to this version have been delivered. */
  advance(version: string): void;
}

export interface ReflectorOptions<T extends KubeObject> {
  readonly cluster: Cluster;
  readonly resource: Resource<T>;
  readonly sink: Sink<T>;
  /** @default - all namespaces */
  readonly namespace?: string;
  /** @default - all objects */
  readonly labelSelector?: string;
  /** @default - all objects */
  readonly fieldSelector?: string;
  /** Objects per page of the list; 0 for all at once. @default 500 */
  readonly pageSize?: number;
  /** Pauses after failures. @default - 100 ms to 30 s, half of it random */
  readonly backoff?: BackoffOptions;
  /**
   * Milliseconds without a byte after which a watch counts as dead. API servers send a bookmark about every minute.
   *
   * @default 150000
   */
  readonly idleTimeoutMs?: number;
  /**
   * Seconds after which the server ends a watch, up to twice as many: so clients spread over its replicas again. A bookmark
   * comes shortly before.
   *
   * @default 300
   */
  readonly watchSeconds?: number;
  /** @default - nothing is measured */
  readonly metrics?: InformerMetrics;
  /** Called with each failure, and with undefined after recovery. @default - no callback */
  readonly onState?: (error: unknown) => void;
}

const DEFAULT_BACKOFF: BackoffOptions = { baseMs: 100, maxMs: 30_000, jitter: 0.5 };
/** A watch that ends sooner without an event counts as a failure, or it would be repeated without a pause. */
const SHORTEST_WATCH_MS = 1_000;
/** After this many refusals in a row the resource version is taken to be the reason. */
const REFUSALS_BEFORE_LIST = 3;

/**
 * Mirrors one collection into a sink: lists it, then watches from there. A watch that ends goes on where it was; a new list is
 * made only when the server says that this is too long ago (410), or does not take the version for another reason.
 */
export class Reflector<T extends KubeObject> {
  private readonly reader: Reader;
  private version?: string;
  private failures = 0;
  private refusals = 0;

  constructor(private readonly options: ReflectorOptions<T>) {
    this.reader = new Reader(options.cluster);
  }

  /** Runs until the signal is aborted. Never rejects: failures are logged, passed to `onState`, and followed by a pause. */
  public async run(signal: AbortSignal): Promise<void> {
    const { cluster, resource, namespace, backoff = DEFAULT_BACKOFF, onState } = this.options;
    while (!signal.aborted) {
      let retryAfter = 0;
      try {
        if (this.version === undefined) {
          this.version = await this.list(signal);
        }
        await this.watch(this.version, signal);
      } catch (error) {
        if (signal.aborted) {
          return;
        }
        this.failures++;
        retryAfter = retryAfterOf(error) ?? 0;
        this.judge(error);
        onState?.(error);
        const isForbidden = isSituation(error, 'forbidden');
        cluster.logger[this.failures > 1 || isForbidden ? 'warn' : 'info'](
          { err: error, failures: this.failures },
          `list and watch of ${describeLocation(resource, { namespace })} failed and will be repeated${isForbidden ? `: ${missingRule(resource, namespace)}` : ''}`,
        );
      }
      if (this.failures > 0) {
        await sleep(cluster.clock, Math.max(retryAfter, backoffMs(backoff, this.failures, cluster.random)), signal).catch(() => undefined);
      }
    }
  }

  private async list(signal: AbortSignal): Promise<string> {
    const { cluster, resource, namespace, labelSelector, fieldSelector, pageSize, sink, metrics } = this.options;
    const begin = cluster.clock.monotonic();
    const { items, resourceVersion } = await this.reader.snapshot(
      resource, { namespace, labelSelector, fieldSelector, pageSize, signal, maxRetries: 0 }, raw => sink.prepare(raw),
    );
    metrics?.listed?.(resource.plural, items.length, cluster.clock.monotonic() - begin);
    sink.replace(items, resourceVersion);
    this.options.onState?.(undefined);
    return resourceVersion;
  }

  /** Returns when the server ends the watch as planned. */
  private async watch(version: string, signal: AbortSignal): Promise<void> {
    const { cluster, resource, namespace, labelSelector, fieldSelector, metrics, idleTimeoutMs = 150_000, watchSeconds = 300 } = this.options;
    const begin = cluster.clock.monotonic();
    let hasEvents = false;
    try {
      const stream = await cluster.stream({ verb: 'watch', resource, namespace }, {
        query: {
          watch: true,
          allowWatchBookmarks: true,
          resourceVersion: version,
          timeoutSeconds: Math.round(watchSeconds * (1 + cluster.random())),
          labelSelector,
          fieldSelector,
        },
        signal,
      }, idleTimeoutMs);
      this.options.onState?.(undefined);
      for await (const events of watchEvents<T>(stream)) {
        for (const event of events) {
          if (event.type === 'ERROR') {
            throw new ApiError(`watch ${describeLocation(resource, { namespace })}`, event.object.code ?? 500, event.object);
          }
          this.take(event.type, event.object);
        }
        if (!hasEvents) {
          hasEvents = true;
          this.recover();
        }
      }
    } catch (error) {
      if (!signal.aborted) {
        metrics?.watchEnded?.(resource.plural, isSituation(error, 'gone') ? 'gone' : 'failed');
      }
      throw error;
    }
    metrics?.watchEnded?.(resource.plural, 'closed');
    if (hasEvents || cluster.clock.monotonic() - begin >= SHORTEST_WATCH_MS) {
      this.recover();
    } else {
      this.failures++;
    }
  }

  private take(type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK', object: T): void {
    const { resource, sink, metrics } = this.options;
    metrics?.event?.(resource.plural, type);
    const { resourceVersion } = object.metadata;
    if (type === 'BOOKMARK') {
      sink.advance(resourceVersion!);
    } else {
      object.apiVersion ??= apiVersionOf(resource);
      object.kind ??= resource.kind;
      sink.apply(type, sink.prepare(object));
    }
    this.version = resourceVersion;
  }

  private recover(): void {
    this.failures = 0;
    this.refusals = 0;
  }

  /** Decides whether the version is still good for anything. */
  private judge(error: unknown): void {
    if (isSituation(error, 'gone')) {
      this.version = undefined;
      return;
    }
    // 429 and missing rights say nothing about the version.
    this.refusals = error instanceof ApiError && !isSituation(error, 'tooManyRequests', 'unauthorized', 'forbidden') ? this.refusals + 1 : 0;
    if (this.refusals >= REFUSALS_BEFORE_LIST) {
      this.refusals = 0;
      this.version = undefined;
    }
  }
}

/** What to add to a role, for people who write their own. */
function missingRule({ group, plural }: Resource<any>, namespace: string | undefined): string {
  const where = namespace === undefined ? 'ClusterRole' : `Role in the namespace ${namespace}`;
  return `add the rule {apiGroups: ["${group}"], resources: ["${plural}"], verbs: ["list", "watch"]} to its ${where}`;
}
