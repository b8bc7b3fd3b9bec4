import type { EventsV1Event, V1Lease, V1NetworkPolicy, V1PersistentVolumeClaim, V1Pod, V1Service } from '@kubernetes/client-node';
import { KubeObject, ObjectMeta } from './object.js';

/**
 * A type of `@kubernetes/client-node` as it is on the wire. Its generated classes describe objects after its own decoder, which
 * turns timestamps into `Date` and renames fields that are words of JavaScript (`_from`); ours are plain JSON.
 */
export type Wire<T> =
  T extends Date ? string
    : T extends (infer U)[] ? Wire<U>[]
      : T extends object ? { [K in keyof T as K extends `_${infer Name}` ? Name : K]: Wire<T[K]> }
        : T;

/** A whole object of the API on the wire. */
export type WireObject<T> = KubeObject & Omit<Wire<T>, 'metadata' | 'apiVersion' | 'kind'> & { metadata: ObjectMeta };

export type Pod = WireObject<V1Pod>;
export type Service = WireObject<V1Service>;
export type PersistentVolumeClaim = WireObject<V1PersistentVolumeClaim>;
export type NetworkPolicy = WireObject<V1NetworkPolicy>;
export type Lease = WireObject<V1Lease>;
/** An Event of `events.k8s.io/v1`. */
export type RecordedEvent = WireObject<EventsV1Event>;
