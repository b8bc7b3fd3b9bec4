/** The part of Kubernetes' ObjectMeta that this package uses. */
export interface ObjectMeta {
  name?: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: { [key: string]: string };
  annotations?: { [key: string]: string };
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
}

/** A reference to the object that this one belongs to. */
export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** Any object of the API, as it is on the wire. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
}

/** Name of an object within its resource. */
export interface ObjectRef {
  /** @default - none, for cluster-scoped resources */
  readonly namespace?: string;
  readonly name: string;
}

/** `namespace/name`, or the name of a cluster-scoped object. The key of caches and work queues. */
export function keyOf(object: KubeObject | ObjectRef): string {
  const { namespace, name } = 'metadata' in object ? object.metadata : object;
  return namespace ? `${namespace}/${name}` : `${name}`;
}

/** The inverse of `keyOf`. */
export function parseKey(key: string): ObjectRef {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** The owner reference that is marked as controller, if there is one. */
export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find(reference => reference.controller);
}

/**
 * Orders two resource versions of one resource: negative if `a` is older, 0 if equal, positive if newer; undefined if there is
 * no order because one of them is missing or not a decimal number.
 *
 * Kubernetes promises since 1.35 that they are numbers which grow, of any length; earlier servers with etcd behave the same.
 */
export function compareResourceVersions(a: string | undefined, b: string | undefined): number | undefined {
  if (a === b && a) {
    return 0;
  }
  if (!a || !b || !DECIMAL.test(a) || !DECIMAL.test(b)) {
    return undefined;
  }
  return a.length - b.length || (a < b ? -1 : 1);
}

const DECIMAL = /^[1-9][0-9]*$/;

/** Freezes an object and all it holds, so that nobody changes what is shared. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const child of Object.values(value)) {
      deepFreeze(child);
    }
  }
  return value;
}
