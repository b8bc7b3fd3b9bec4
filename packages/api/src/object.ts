/** The part of Kubernetes' ObjectMeta that programs here read or write. */
export interface ObjectMeta {
  name?: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  /** Seconds. */
  deletionGracePeriodSeconds?: number;
  labels?: { [key: string]: string };
  annotations?: { [key: string]: string };
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
}

/** A reference from an object to one of its owners. */
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
  /** Absent in the items of a list. */
  apiVersion?: string;
  /** Absent in the items of a list. */
  kind?: string;
  metadata: ObjectMeta;
}

/** Namespace and name of an object. */
export interface ObjectRef {
  /** @default - none, for cluster-scoped resources */
  readonly namespace?: string;
  readonly name: string;
}

/** `namespace/name`, or the name alone for a cluster-scoped object. Key of caches and work queues. */
export function keyOf(object: KubeObject | ObjectRef): string {
  const { namespace, name } = 'metadata' in object ? object.metadata : object;
  return namespace ? `${namespace}/${name}` : `${name}`;
}

/** The inverse of `keyOf`. */
export function parseKey(key: string): ObjectRef {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** The owner reference that is marked as controller, if any. */
export function controllerOf({ metadata }: KubeObject): OwnerReference | undefined {
  return metadata.ownerReferences?.find(reference => reference.controller === true);
}
