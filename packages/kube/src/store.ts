import { type KubeObject, type ObjectMeta, type ObjectRef, keyOf } from 'agent-sandbox-api';
import { type Logger, silentLogger } from './logger.js';
import { compareResourceVersions, deepFreeze } from './object.js';

/**
 * Where a change came from: a `list` (the first one or one after a gap), the `watch`, an own `write`, or a `resync`, which tells
 * handlers about objects that have not changed.
 */
export type Origin = 'list' | 'watch' | 'write' | 'resync';

/**
 * Receives changes after the store has applied them. Calls are synchronous and in order; a handler should only record work, for
 * example in a work queue, and return. Errors that it throws are logged.
 */
export interface Handler<T> {
  readonly add?: (object: T, origin: Origin) => void;
  readonly update?: (before: T, after: T, origin: Origin) => void;
  /** `object` is the last known state; with origin `list` the deletion itself was missed, so there may have been others since. */
  readonly delete?: (object: T, origin: Origin) => void;
}

/** Values under which an object is found in an index; none leaves it out. */
export type IndexFunction<T> = (object: T) => string | readonly string[] | undefined;

export interface StoreOptions<T> {
  /** Indexes by name, for `byIndex`. @default - none */
  readonly indexes?: Readonly<Record<string, IndexFunction<T>>>;
  /** Drops unused fields, to save memory; may change its argument. Must keep name, namespace, uid, resourceVersion. @default - `trimManagedFields` */
  readonly trim?: (object: T) => T;
  /** Whether an own write matches the selector of the list and so belongs in this store. @default - all do */
  readonly accepts?: (object: T) => boolean;
  /** Part of the API that objects belong to, each listed and watched for itself. @default - all are one */
  readonly scopeOf?: (object: T) => string | undefined;
  /** Makes objects immutable, so that a mistake throws instead of spoiling what others read. @default true */
  readonly freeze?: boolean;
  /** @default - nothing is logged */
  readonly logger?: Logger;
}

/** An own deletion that the watch has not confirmed yet: events of that object that are older must not bring it back. */
interface Tombstone {
  readonly scope: string;
  /** The newest version that the store had. */
  readonly last: string | undefined;
  /** Events up to this version are older; undefined: all events but a deletion are. */
  readonly until: string | undefined;
}

interface Entry<T> {
  readonly object: T;
  /** Values per index. Kept, so that removal does not depend on the index function. */
  readonly values: readonly Values[];
}

/** What an index function gave. */
type Values = string | readonly string[] | undefined;

/**
 * Objects of one resource as last seen, with indexes. Fed by list and watch, and by own writes (`observe`, `forget`), so that
 * the next decision sees them.
 *
 * What it promises: an object never goes back to an older resource version, a deleted object does not come back, and after the
 * watch has caught up it equals what the server has.
 *
 * Objects are shared by all readers and must not be changed.
 */
export class Store<T extends KubeObject> {
  private readonly entries = new Map<string, Entry<T>>();
  private readonly indexNames: readonly string[];
  private readonly indexes: readonly Index<T>[];
  private readonly functions: readonly IndexFunction<T>[];
  private readonly handlers = new Set<Handler<T>>();
  /** Per scope, the resource version up to which list and watch have delivered all changes. */
  private readonly positions = new Map<string, string>();
  /** By uid. */
  private readonly tombstones = new Map<string, Tombstone>();
  private readonly logger: Logger;

  constructor(private readonly options: StoreOptions<T> = {}) {
    const indexes = Object.entries(options.indexes ?? {});
    this.indexNames = ['namespace', ...indexes.map(([name]) => name)];
    this.functions = [object => object.metadata.namespace, ...indexes.map(([, compute]) => compute)];
    this.indexes = this.indexNames.map(() => new Index());
    this.logger = options.logger ?? silentLogger;
  }

  /** Number of objects. */
  public get size(): number {
    return this.entries.size;
  }

  /** Own deletions that list and watch have not confirmed yet. */
  public get tombstoneCount(): number {
    return this.tombstones.size;
  }

  /** An object by key (`namespace/name`, or the name of a cluster-scoped one) or reference. */
  public get(ref: string | ObjectRef): T | undefined {
    return this.entries.get(typeof ref === 'string' ? ref : keyOf(ref))?.object;
  }

  /** All objects, or those of one namespace. The array is the caller's. */
  public list(namespace?: string): T[] {
    return namespace === undefined ? Array.from(this.entries.values(), entry => entry.object) : this.byIndex('namespace', namespace);
  }

  /** Objects whose index function gave this value. The array is the caller's. Throws if there is no such index. */
  public byIndex(index: string, value: string): T[] {
    return this.index(index).get(value);
  }

  /** Values that occur in an index. Throws if there is no such index. */
  public indexValues(index: string): string[] {
    return this.index(index).values();
  }

  /** Adds a handler, and calls it for the stored objects, with origin `list`. Returns a function that removes it. */
  public addHandler(handler: Handler<T>): () => void {
    this.handlers.add(handler);
    for (const { object } of [...this.entries.values()]) {
      this.call(() => handler.add?.(object, 'list'));
    }
    return () => void this.handlers.delete(handler);
  }

  /** Calls `update` of all handlers with each object as before and after. For the periodic second look. */
  public resync(): void {
    for (const { object } of [...this.entries.values()]) {
      this.notify(handler => handler.update?.(object, object, 'resync'));
    }
  }

  /**
   * Applies the server's answer to an own write. Does nothing if list or watch have already delivered this version or a later one,
   * including a deletion. Returns whether the store changed.
   */
  public observe(raw: T): boolean {
    const object = this.prepare(raw);
    const { uid, resourceVersion } = object.metadata;
    const scope = this.scopeOf(object);
    if (scope === undefined) {
      return false;
    }
    const position = this.positions.get(scope);
    if (position !== undefined && !isNewer(resourceVersion, position)) {
      return false;
    }
    const cached = this.entries.get(keyOf(object))?.object;
    if (this.hasTombstone(object) || (cached && !isNewer(resourceVersion, cached.metadata.resourceVersion))) {
      return false;
    }
    if (this.options.accepts && !this.options.accepts(object)) {
      if (cached) {
        this.remove(cached, cached, 'write');
        this.leaveTombstone(cached, cached.metadata.uid === uid ? resourceVersion : undefined);
      }
      return cached !== undefined;
    }
    if (cached && cached.metadata.uid !== uid) {
      this.leaveTombstone(cached, undefined);
    }
    this.put(object, 'write');
    return true;
  }

  /** Applies an own deletion that removed the object with this uid at once. Returns whether the store changed. */
  public forget(ref: ObjectRef, uid: string): boolean {
    const cached = this.entries.get(keyOf(ref))?.object;
    if (!cached || cached.metadata.uid !== uid) {
      return false;
    }
    this.remove(cached, cached, 'write');
    this.leaveTombstone(cached, undefined);
    return true;
  }

  /** Trims and freezes an object that comes from the server. */
  public prepare(raw: T): T {
    const trimmed = (this.options.trim ?? trimManagedFields)(raw);
    return this.options.freeze ?? true ? deepFreeze(trimmed) : trimmed;
  }

  /** Takes over a complete list of a scope as of `version`. */
  public replace(scope: string, objects: readonly T[], version: string): void {
    const before = this.positions.get(scope);
    this.positions.set(scope, version);
    // Own writes that the list is too old to know. Anything else that is newer than the list comes from a server that has since
    // been restored from a backup: there the list is right.
    const isAhead = ({ metadata: { resourceVersion } }: T) =>
      isNewer(resourceVersion, version) && (before === undefined || isNewer(resourceVersion, before));
    const listed = new Set<string>();
    const uids = new Set<string>();
    for (const object of objects) {
      uids.add(object.metadata.uid ?? '');
      if (this.hasTombstone(object)) {
        continue;
      }
      const key = keyOf(object);
      listed.add(key);
      const cached = this.entries.get(key)?.object;
      if (!cached || (!isSame(cached, object) && !isAhead(cached))) {
        this.put(object, 'list');
      }
    }
    for (const [key, { object }] of [...this.entries]) {
      if (!listed.has(key) && this.scopeOf(object) === scope && !isAhead(object)) {
        this.remove(object, object, 'list');
      }
    }
    for (const [uid, tombstone] of this.tombstones) {
      if (tombstone.scope === scope && !uids.has(uid) && !isNewer(tombstone.last, version)) {
        this.tombstones.delete(uid);
      }
    }
  }

  /** Takes over an event of the watch of a scope. */
  public apply(scope: string, type: 'ADDED' | 'MODIFIED' | 'DELETED', object: T): void {
    const { uid, resourceVersion } = object.metadata;
    this.advance(scope, resourceVersion);
    const cached = this.entries.get(keyOf(object))?.object;
    if (type !== 'DELETED') {
      if (!this.hasTombstone(object) && !(cached && isOlderOrSame(resourceVersion, cached.metadata.resourceVersion))) {
        this.put(object, 'watch');
      }
      return;
    }
    const tombstone = this.tombstones.get(uid ?? '');
    // An older event is about an earlier time that the object left the selector.
    if (tombstone && !isNewer(tombstone.until ?? tombstone.last, resourceVersion)) {
      this.tombstones.delete(uid!);
    }
    // An own write may be ahead of the event: another object of that name, or this one back within the selector.
    if (cached && cached.metadata.uid === uid && !isNewer(cached.metadata.resourceVersion, resourceVersion)) {
      this.remove(cached, object, 'watch');
    }
  }

  /** Records that the watch of a scope has delivered all changes up to this version. */
  public advance(scope: string, version: string | undefined): void {
    if (version) {
      this.positions.set(scope, version);
    }
  }

  /** The version up to which list and watch of a scope have delivered all changes, undefined before the first list. */
  public position(scope: string = ''): string | undefined {
    return this.positions.get(scope);
  }

  private scopeOf(object: T): string | undefined {
    return this.options.scopeOf ? this.options.scopeOf(object) : '';
  }

  private index(name: string): Index<T> {
    const index = this.indexes[this.indexNames.indexOf(name)];
    if (!index) {
      throw new Error(`no index "${name}": there are ${this.indexNames.join(', ')}`);
    }
    return index;
  }

  private hasTombstone(object: T): boolean {
    const tombstone = this.tombstones.get(object.metadata.uid ?? '');
    return tombstone !== undefined && (tombstone.until === undefined || !isNewer(object.metadata.resourceVersion, tombstone.until));
  }

  /** @param until version up to which events are older than our knowledge; undefined: all but its deletion are */
  private leaveTombstone(object: T, until: string | undefined): void {
    const { uid, resourceVersion } = object.metadata;
    if (uid) {
      this.tombstones.set(uid, { scope: this.scopeOf(object) ?? '', last: resourceVersion, until });
    }
  }

  private put(object: T, origin: Origin): void {
    const key = keyOf(object);
    const before = this.entries.get(key);
    if (before && before.object.metadata.uid !== object.metadata.uid) {
      this.remove(before.object, before.object, origin);
      this.put(object, origin);
      return;
    }
    // An object that is stored in spite of a tombstone is newer than it.
    this.tombstones.delete(object.metadata.uid ?? '');
    const values = this.functions.map(compute => compute(object));
    this.entries.set(key, { object, values });
    for (let position = 0; position < values.length; position++) {
      const [index, next, last] = [this.indexes[position]!, values[position], before?.values[position]];
      if (last !== undefined && last !== next) {
        forEachValue(last, value => has(next, value) || index.remove(value, key));
      }
      forEachValue(next, value => index.put(value, key, object));
    }
    this.notify(handler => (before ? handler.update?.(before.object, object, origin) : handler.add?.(object, origin)));
  }

  private remove(cached: T, last: T, origin: Origin): void {
    const key = keyOf(cached);
    const entry = this.entries.get(key);
    this.entries.delete(key);
    entry?.values.forEach((values, position) => forEachValue(values, value => this.indexes[position]!.remove(value, key)));
    this.notify(handler => handler.delete?.(last, origin));
  }

  private notify(tell: (handler: Handler<T>) => void): void {
    for (const handler of this.handlers) {
      this.call(() => tell(handler));
    }
  }

  /** A handler that fails must not stop the cache for the others. */
  private call(tell: () => void): void {
    try {
      tell();
    } catch (error) {
      this.logger.error({ err: error }, 'a handler of a cache failed');
    }
  }
}

/** Objects by a value of theirs. Most values have one object: it takes the place of a map, which would be larger than many an object. */
class Index<T extends KubeObject> {
  private readonly found = new Map<string, T | Map<string, T>>();

  public get(value: string): T[] {
    const found = this.found.get(value);
    return found === undefined ? [] : found instanceof Map ? [...found.values()] : [found];
  }

  public values(): string[] {
    return [...this.found.keys()];
  }

  public put(value: string, key: string, object: T): void {
    const found = this.found.get(value);
    if (found instanceof Map) {
      found.set(key, object);
    } else if (found === undefined || keyOf(found) === key) {
      this.found.set(value, object);
    } else {
      this.found.set(value, new Map([[keyOf(found), found], [key, object]]));
    }
  }

  public remove(value: string, key: string): void {
    const found = this.found.get(value);
    if (found instanceof Map ? found.delete(key) && found.size === 0 : found !== undefined && keyOf(found) === key) {
      this.found.delete(value);
    }
  }
}

function forEachValue(values: Values, act: (value: string) => unknown): void {
  if (typeof values === 'string') {
    act(values);
  } else {
    values?.forEach(act);
  }
}

function has(values: Values, value: string): boolean {
  return typeof values === 'string' ? values === value : values?.includes(value) ?? false;
}

/** False also where there is no order: without one, only the watch counts. */
function isNewer(a: string | undefined, b: string | undefined): boolean {
  return (compareResourceVersions(a, b) ?? 0) > 0;
}

function isOlderOrSame(a: string | undefined, b: string | undefined): boolean {
  return (compareResourceVersions(a, b) ?? 1) <= 0;
}

function isSame(a: KubeObject, b: KubeObject): boolean {
  return a.metadata.uid === b.metadata.uid && a.metadata.resourceVersion === b.metadata.resourceVersion;
}

/** Drops `metadata.managedFields`, which is often half of an object. */
export function trimManagedFields<T extends KubeObject>(object: T): T {
  if ('managedFields' in object.metadata) {
    // A copy: an object of which a property was deleted takes more memory and time.
    object.metadata = withoutManagedFields(object.metadata);
  }
  return object;
}

function withoutManagedFields({ managedFields: _, ...metadata }: ObjectMeta & { managedFields?: unknown }): ObjectMeta {
  return metadata;
}
