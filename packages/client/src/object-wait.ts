import type { KubeObject, Resource } from 'agent-sandbox-api';
import {
  ApiError, type Cluster, ConnectionError, RequestTimeoutError, backoffMs, describeLocation, isNotFound, isSituation, retryAfterOf, sleep,
  watchEvents,
} from 'agent-sandbox-kube';
import { withDeadline } from './deadline.js';

export interface ObjectWaitOptions<T extends KubeObject> {
  /** Called for each version of the object, in order. True ends the wait; an error that it throws does, too. */
  readonly check: (object: T) => boolean;
  /** Milliseconds. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Makes the error for when the time is up. @param last the newest version that was seen */
  readonly onTimeout: (last: T) => Error;
  /** Makes the error for when the object is deleted or another one has its name. */
  readonly onDeleted: () => Error;
}

const BACKOFF = { baseMs: 100, maxMs: 5_000, jitter: 0.5 };
/** Milliseconds without a byte after which a watch counts as dead; servers send a bookmark about every minute. */
const WATCH_IDLE_MS = 150_000;
/** Seconds after which a server ends a watch, which is then taken up again. */
const LONGEST_WATCH_SECONDS = 3600;

/**
 * Waits until one object is as wanted, by one watch on it, and returns that version. The watch begins at the version that is given,
 * so that the server answers from its cache.
 *
 * Broken watches, and those that the server ends or finds too old (410), are taken up again with growing pauses until the time is
 * up. Throws what the options make or throw, the reason of the signal, or `ApiError` for what the server refuses.
 */
export async function waitForObject<T extends KubeObject>(
  cluster: Cluster, resource: Resource<T>, object: T, options: ObjectWaitOptions<T>,
): Promise<T> {
  return new ObjectWait(cluster, resource, object, options).run();
}

class ObjectWait<T extends KubeObject> {
  private version?: string;
  /** Whether the last watch delivered an event. */
  private hasEvents = false;

  constructor(
    private readonly cluster: Cluster, private readonly resource: Resource<T>, private last: T, private readonly options: ObjectWaitOptions<T>,
  ) {
    this.version = last.metadata.resourceVersion;
  }

  public async run(): Promise<T> {
    const { timeoutMs, signal, onTimeout } = this.options;
    if (this.accept(this.last)) {
      return this.last;
    }
    return withDeadline(timeoutMs, signal, () => onTimeout(this.last), async deadline => {
      for (let failures = 0; ;) {
        let retryAfterMs = 0;
        try {
          if (this.version === undefined ? this.accept(await this.reread(deadline)) : await this.follow(deadline)) {
            return this.last;
          }
          failures = this.hasEvents ? 0 : failures + 1;
        } catch (error) {
          deadline.throwIfAborted();
          if (isSituation(error, 'gone')) {
            this.version = undefined;
          } else if (!isTemporary(error)) {
            throw error;
          }
          retryAfterMs = retryAfterOf(error) ?? 0;
          failures++;
        }
        if (failures > 0) {
          await sleep(this.cluster.clock, Math.max(retryAfterMs, backoffMs(BACKOFF, failures, this.cluster.random)), deadline);
        }
      }
    });
  }

  /** True when the object is as wanted, false when the server ends the watch. */
  private async follow(signal: AbortSignal): Promise<boolean> {
    const { namespace, name } = this.last.metadata;
    this.hasEvents = false;
    const stream = await this.cluster.stream({ verb: 'watch', resource: this.resource, namespace }, {
      query: {
        watch: true,
        allowWatchBookmarks: true,
        fieldSelector: `metadata.name=${name}`,
        resourceVersion: this.version,
        timeoutSeconds: Math.max(1, Math.min(LONGEST_WATCH_SECONDS, Math.ceil(this.options.timeoutMs / 1000))),
      },
      signal,
    }, WATCH_IDLE_MS);
    try {
      for await (const events of watchEvents<T>(stream)) {
        this.hasEvents = true;
        for (const event of events) {
          if (event.type === 'ERROR') {
            throw new ApiError(`watch ${describeLocation(this.resource, { namespace, name })}`, event.object.code ?? 500, event.object);
          }
          this.version = event.object.metadata.resourceVersion;
          if (event.type === 'BOOKMARK' || event.object.metadata.name !== name) {
            continue;
          }
          if (event.type === 'DELETED') {
            throw this.options.onDeleted();
          }
          if (this.accept(event.object)) {
            return true;
          }
        }
      }
    } finally {
      stream.destroy();
    }
    return false;
  }

  /** The object as the server's cache has it, after that forgot our version: it is newer. */
  private async reread(signal: AbortSignal): Promise<T> {
    const { namespace, name } = this.last.metadata;
    try {
      const found = await this.cluster.request<T>({ verb: 'get', resource: this.resource, namespace, name }, { query: { resourceVersion: '0' }, signal });
      this.version = found.metadata.resourceVersion;
      this.hasEvents = true;
      return found;
    } catch (error) {
      throw isNotFound(error) ? this.options.onDeleted() : error;
    }
  }

  private accept(object: T): boolean {
    const { uid } = this.last.metadata;
    if (object.metadata.deletionTimestamp || (uid && object.metadata.uid !== uid)) {
      throw this.options.onDeleted();
    }
    this.last = object;
    return this.options.check(object);
  }
}

function isTemporary(error: unknown): boolean {
  return error instanceof ConnectionError || error instanceof RequestTimeoutError
    || isSituation(error, 'tooManyRequests', 'unavailable', 'timeout', 'internal')
    // A stream that breaks throws what its socket throws.
    || (error instanceof Error && typeof (error as { code?: unknown }).code === 'string');
}
