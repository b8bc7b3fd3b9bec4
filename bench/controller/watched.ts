import type { Resource } from '../../packages/api/src/index.js';
import { type Cluster, Informer } from '../../packages/kube/src/index.js';
import { type ApiObject, isReady } from './objects.js';

/** When the driver saw something, by both clocks. */
export interface Moment {
  /** Milliseconds of `performance.now()`, for durations. */
  readonly at: number;
  /** Time of day, to compare with the audit log. */
  readonly date: Date;
}

export function now(): Moment {
  return { at: performance.now(), date: new Date() };
}

/** A condition did not come true in time. */
class WatchTimeoutError extends Error {
  constructor(what: string, timeoutMs: number, seen: string) {
    super(`waited ${timeoutMs / 1000} s in vain for ${what}: ${seen}`);
    this.name = 'WatchTimeoutError';
  }
}

/** Objects of a kind as the driver's own watch shows them, and when each was first seen, and first seen Ready. */
export class Watched {
  public readonly seen = new Map<string, Moment>();
  public readonly ready = new Map<string, Moment>();
  private readonly informer: Informer<ApiObject>;
  private readonly waiting = new Set<() => void>();

  /** @param namespaces the only ones to look at */
  constructor(cluster: Cluster, private readonly resource: Resource<any>, namespaces: readonly string[]) {
    this.informer = new Informer<ApiObject>(cluster, resource, { namespaces });
    const look = (object: ApiObject) => {
      const { namespace, name } = object.metadata;
      const key = `${namespace}/${name}`;
      const moment = now();
      if (!this.seen.has(key)) {
        this.seen.set(key, moment);
      }
      if (!this.ready.has(key) && isReady(object)) {
        this.ready.set(key, moment);
      }
      this.waiting.forEach(check => check());
    };
    this.informer.store.addHandler({
      add: look,
      update: (_, object) => look(object),
      delete: ({ metadata: { namespace, name } }) => {
        this.seen.delete(`${namespace}/${name}`);
        this.ready.delete(`${namespace}/${name}`);
        this.waiting.forEach(check => check());
      },
    });
  }

  /** Watches until the signal is aborted; returns once everything there is has been seen. */
  public async start(signal: AbortSignal): Promise<void> {
    void this.informer.run(signal);
    await this.informer.waitForSync({ signal, timeoutMs: 60_000 });
  }

  public get(key: string): ApiObject | undefined {
    return this.informer.store.get(key);
  }

  public list(namespace: string): ApiObject[] {
    return this.informer.store.list(namespace);
  }

  /**
   * Resolves with what `check` returns as soon as that is not undefined; it is called whenever something has changed. Rejects with
   * `WatchTimeoutError` after the deadline.
   */
  public until<T>(what: string, check: () => T | undefined, timeoutMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const result = check();
        if (result !== undefined) {
          this.waiting.delete(look);
          clearTimeout(timer);
          resolve(result);
        }
      };
      const timer = setTimeout(() => {
        this.waiting.delete(look);
        reject(new WatchTimeoutError(what, timeoutMs, `${this.seen.size} ${this.resource.plural} are there, ${this.ready.size} were Ready`));
      }, timeoutMs);
      this.waiting.add(look);
      look();
    });
  }
}
