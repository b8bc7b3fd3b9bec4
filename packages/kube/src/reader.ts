import { type KubeObject, type ObjectRef, type Resource, apiVersionOf } from 'agent-sandbox-api';
import type { Cluster, RequestOptions } from './cluster.js';
import { isNotFound, isSituation } from './errors.js';

/** Objects per page, as client-go asks for. */
const PAGE_SIZE = 500;

export interface ListOptions {
  /** @default - all namespaces */
  readonly namespace?: string;
  /** For example `app=web,!canary`. @default - all objects */
  readonly labelSelector?: string;
  /** For example `metadata.name=web`. @default - all objects */
  readonly fieldSelector?: string;
  /** Objects per request; 0 for all at once. @default 500 */
  readonly pageSize?: number;
  readonly signal?: AbortSignal;
  /** Repetitions of each request. @default - the cluster's */
  readonly maxRetries?: number;
}

/** A part of a list. All parts of one list show the same moment. */
export interface Page<T> {
  readonly items: T[];
  /** Version of the whole list, where a watch can begin. */
  readonly resourceVersion: string;
}

/** Reads from the API server itself, without any cache. */
export class Reader {
  constructor(private readonly cluster: Cluster) {}

  /** An object. Throws `ApiError` with situation `notFound` if it does not exist; otherwise as `Cluster.request`. */
  public get<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, options: Pick<RequestOptions, 'signal' | 'maxRetries' | 'timeoutMs'> = {}): Promise<T> {
    return this.cluster.request<T>({ verb: 'get', resource, ...ref }, options);
  }

  /** Like `get`, but undefined for an object that does not exist. */
  public async find<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, options: Pick<RequestOptions, 'signal' | 'maxRetries' | 'timeoutMs'> = {}): Promise<T | undefined> {
    try {
      return await this.get(resource, ref, options);
    } catch (error) {
      if (isNotFound(error)) {
        return undefined;
      }
      throw error;
    }
  }

  /** All objects, complete with `apiVersion` and `kind`. Errors as for `Cluster.request`. */
  public async list<T extends KubeObject>(resource: Resource<T>, options: ListOptions = {}): Promise<T[]> {
    const all: T[] = [];
    for await (const { items } of this.pages(resource, options)) {
      all.push(...items);
    }
    return all;
  }

  /**
   * The list page by page, as of one moment: as the server has it when the first page is asked for (a consistent read). Throws
   * `ApiError` with situation `gone` when the reader is so slow that the server has forgotten that moment.
   */
  public async *pages<T extends KubeObject>(resource: Resource<T>, options: ListOptions = {}): AsyncGenerator<Page<T>, void> {
    const { namespace, labelSelector, fieldSelector, pageSize = PAGE_SIZE, signal, maxRetries } = options;
    const apiVersion = apiVersionOf(resource);
    let next: string | undefined;
    do {
      const body = await this.cluster.request<{ items: T[] | null; metadata: { resourceVersion: string; continue?: string } }>(
        { verb: 'list', resource, namespace },
        { query: { labelSelector, fieldSelector, limit: pageSize || undefined, continue: next }, signal, maxRetries },
      );
      const items = body.items ?? [];
      for (const item of items) {
        // Lists of built-in kinds say this once for all.
        item.apiVersion ??= apiVersion;
        item.kind ??= resource.kind;
      }
      yield { items, resourceVersion: body.metadata.resourceVersion };
      next = body.metadata.continue || undefined;
    } while (next);
  }

  /**
   * The whole list with its version. If the server forgets the moment between two pages, the list is read again in one piece.
   *
   * @param prepare is applied to each object as its page arrives
   */
  public async snapshot<T extends KubeObject>(resource: Resource<T>, options: ListOptions, prepare: (object: T) => T): Promise<Page<T>> {
    try {
      return await this.collect(resource, options, prepare);
    } catch (error) {
      if (isSituation(error, 'gone') && options.pageSize !== 0) {
        return this.collect(resource, { ...options, pageSize: 0 }, prepare);
      }
      throw error;
    }
  }

  private async collect<T extends KubeObject>(resource: Resource<T>, options: ListOptions, prepare: (object: T) => T): Promise<Page<T>> {
    const items: T[] = [];
    let version = '';
    for await (const page of this.pages(resource, options)) {
      version = page.resourceVersion;
      for (const item of page.items) {
        items.push(prepare(item));
      }
    }
    return { items, resourceVersion: version };
  }
}
