import { apiVersionOf, type KubeObject, type ObjectRef, type Resource } from 'agent-sandbox-api';
import type { Cluster, RequestOptions, Verb } from './cluster.js';
import type { Informer } from './informer.js';
import { locate } from './resource.js';
import type { Store } from './store.js';
import type { Status } from './errors.js';

export interface WriterOptions {
  /** Name under which the server notes who set which field, at most 128 characters. @default - what it makes of the user agent */
  readonly fieldManager?: string;
  /** Called before each write is sent, so that budgets can be counted and programs be stopped at any write. @default - nothing */
  readonly onWrite?: (write: Write) => void | Promise<void>;
}

/** One operation of a JSON patch (RFC 6902). */
export type JsonPatchOperation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string }
  | { readonly op: 'move' | 'copy'; readonly path: string; readonly from: string };

/** A write that is about to be sent. */
export interface Write {
  readonly verb: Verb;
  readonly resource: Resource<any>;
  /** Empty if none. */
  readonly subresource: string;
  readonly namespace?: string;
  /** Undefined for a create, whose name may be the server's choice. */
  readonly name?: string;
  readonly body: unknown;
}

export interface WriteOptions {
  readonly signal?: AbortSignal;
  /** For example `status`. @default - the object itself */
  readonly subresource?: string;
  /** Checked and answered, but not stored. @default false */
  readonly dryRun?: boolean;
}

export interface PatchOptions extends WriteOptions {
  /** Refused with `conflict` unless the object has this version. @default - any version will do */
  readonly resourceVersion?: string;
  /** Refused with `invalid` unless the object has this uid, for the server takes it for a change. @default - any object of that name will do */
  readonly uid?: string;
}

export interface ApplyOptions extends WriteOptions {
  /** Takes over fields that another manager has set. @default false */
  readonly force?: boolean;
}

export interface DeleteOptions {
  readonly signal?: AbortSignal;
  /** Refused with `conflict` unless the object has this uid. @default - any object of that name will do */
  readonly uid?: string;
  /** Refused with `conflict` unless the object has this version. @default - any version will do */
  readonly resourceVersion?: string;
  /** What happens to the objects it owns. @default - the server's choice, `Background` for most kinds */
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  /** Seconds that it has to end. @default - the object's own */
  readonly gracePeriodSeconds?: number;
}

/**
 * Writes to the API server. What it answers goes into the caches that are connected, so that the next decision sees it even if
 * the watch is late.
 *
 * All methods throw as `Cluster.request` does, and return what the server has stored: trimmed and immutable if a cache is
 * connected, for it is then the cache's.
 */
export class Writer {
  private readonly stores = new Map<string, Store<any>>();

  constructor(private readonly cluster: Cluster, private readonly options: WriterOptions = {}) {}

  /** Lets the cache of an informer see the writes to its resource. */
  public connect(informer: Informer<any>): this {
    this.stores.set(resourceKey(informer.resource), informer.store);
    return this;
  }

  /** Throws `alreadyExists` if the name is taken. The object may have `metadata.generateName` instead of a name. */
  public create<T extends KubeObject>(resource: Resource<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const { namespace } = object.metadata;
    const name = options.subresource ? object.metadata.name : undefined;
    return this.write(resource, 'create', { namespace, name }, { body: complete(resource, object) }, options);
  }

  /** Replaces an object. Throws `conflict` if it has `metadata.resourceVersion` and is not the newest. */
  public update<T extends KubeObject>(resource: Resource<T>, object: T, options: WriteOptions = {}): Promise<T> {
    return this.write(resource, 'update', locate(object), { body: complete(resource, object) }, options);
  }

  /** JSON merge patch (RFC 7386): objects are merged, null deletes, lists are replaced. */
  public mergePatch<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, patch: object, options: PatchOptions = {}): Promise<T> {
    const { resourceVersion, uid } = options;
    const body = resourceVersion === undefined && uid === undefined ? patch
      : { ...patch, metadata: { ...(patch as Partial<KubeObject>).metadata, ...(resourceVersion && { resourceVersion }), ...(uid && { uid }) } };
    return this.write(resource, 'patch', ref, { body, contentType: 'application/merge-patch+json' }, options);
  }

  /**
   * JSON patch (RFC 6902). Throws `invalid` if a `test` does not hold. Version and uid are checked by `test` operations in front, so
   * for this method they too give `invalid`.
   */
  public jsonPatch<T extends KubeObject>(
    resource: Resource<T>, ref: ObjectRef, patch: readonly JsonPatchOperation[], options: PatchOptions = {},
  ): Promise<T> {
    const { resourceVersion, uid } = options;
    const tests: JsonPatchOperation[] = [
      ...(uid ? [{ op: 'test' as const, path: '/metadata/uid', value: uid }] : []),
      ...(resourceVersion ? [{ op: 'test' as const, path: '/metadata/resourceVersion', value: resourceVersion }] : []),
    ];
    return this.write(resource, 'patch', ref, { body: [...tests, ...patch], contentType: 'application/json-patch+json' }, options);
  }

  /** Server-side apply: the fields given are ours from now on. Needs a field manager. Throws `conflict` if others manage one of them, unless forced. */
  public apply<T extends KubeObject>(resource: Resource<T>, object: T, options: ApplyOptions = {}): Promise<T> {
    if (!this.options.fieldManager) {
      throw new Error('server-side apply needs a field manager: give the Writer a fieldManager');
    }
    const query = { force: options.force || undefined };
    return this.write(resource, 'patch', locate(object), { body: complete(resource, object), contentType: 'application/apply-patch+yaml', query }, options);
  }

  /**
   * Deletes an object. Resolves with the object if it lives on for a while (grace period, finalizers), with undefined if it is
   * gone. Throws `notFound` if it did not exist.
   */
  public async delete<T extends KubeObject>(resource: Resource<T>, ref: ObjectRef, options: DeleteOptions = {}): Promise<T | undefined> {
    const { uid, resourceVersion, propagationPolicy, gracePeriodSeconds } = options;
    const preconditions = uid || resourceVersion ? { uid, resourceVersion } : undefined;
    const body = { kind: 'DeleteOptions', apiVersion: 'v1', preconditions, propagationPolicy, gracePeriodSeconds };
    const answer = await this.send<T & Status>(resource, 'delete', ref, { body, signal: options.signal });
    if (livesOn(answer)) {
      return this.observe(resource, answer);
    }
    const gone = answer.kind === 'Status' ? answer.details?.uid ?? uid : answer.metadata.uid;
    if (gone) {
      this.stores.get(resourceKey(resource))?.forget(ref, gone);
    }
    return undefined;
  }

  private async write<T extends KubeObject>(
    resource: Resource<T>, verb: Verb, where: { namespace?: string; name?: string }, request: RequestOptions, options: WriteOptions,
  ): Promise<T> {
    const answer = await this.send<T>(resource, verb, { ...where, subresource: options.subresource }, {
      ...request,
      query: { fieldManager: this.options.fieldManager, dryRun: options.dryRun ? 'All' : undefined, ...request.query },
      signal: options.signal,
    });
    // Other subresources answer with other kinds (Scale, Eviction); a dry run has not happened.
    const isObject = !options.subresource || options.subresource === 'status';
    return isObject && !options.dryRun ? this.observe(resource, answer) : answer;
  }

  private async send<T>(
    resource: Resource<any>, verb: Verb, where: { namespace?: string; name?: string; subresource?: string }, request: RequestOptions,
  ): Promise<T> {
    const stopped = this.options.onWrite?.({ verb, resource, subresource: where.subresource ?? '', namespace: where.namespace, name: where.name, body: request.body });
    if (stopped) {
      await stopped;
    }
    return this.cluster.request<T>({ verb, resource, ...where }, request);
  }

  private observe<T extends KubeObject>(resource: Resource<T>, answer: T): T {
    this.stores.get(resourceKey(resource))?.observe(answer);
    return answer;
  }
}

function resourceKey({ group, plural }: Resource<any>): string {
  return `${plural}.${group}`;
}

function complete<T extends KubeObject>(resource: Resource<T>, object: T): T {
  return { ...object, apiVersion: object.apiVersion ?? apiVersionOf(resource), kind: object.kind ?? resource.kind };
}

/** Whether the answer to a deletion is an object that is still there. Some kinds are answered with, although they are gone. */
function livesOn(answer: KubeObject & Status): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, finalizers = [] } = answer.metadata ?? {};
  return answer.kind !== 'Status' && deletionTimestamp !== undefined && (deletionGracePeriodSeconds > 0 || finalizers.length > 0);
}
