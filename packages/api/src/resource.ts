import type { Lease, NetworkPolicy, PersistentVolumeClaim, Pod, PodEvent, RecordedEvent, Service } from './core-kinds.js';
import type { KubeObject } from './object.js';

/** How an API server names a kind of object. */
export interface Resource<T extends KubeObject = KubeObject> {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  /** Name in paths: lower case, plural. */
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Never set: carries the type of the objects. */
  readonly objectType?: T;
}

/** `group/version`, or the version alone in the core group. */
export function apiVersionOf({ group, version }: Resource<any>): string {
  return group ? `${group}/${version}` : version;
}

export const PODS: Resource<Pod> = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };
export const SERVICES: Resource<Service> = { group: '', version: 'v1', kind: 'Service', plural: 'services', namespaced: true };
export const PERSISTENT_VOLUME_CLAIMS: Resource<PersistentVolumeClaim> = {
  group: '', version: 'v1', kind: 'PersistentVolumeClaim', plural: 'persistentvolumeclaims', namespaced: true,
};
export const NAMESPACES: Resource = { group: '', version: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false };
export const NETWORK_POLICIES: Resource<NetworkPolicy> = {
  group: 'networking.k8s.io', version: 'v1', kind: 'NetworkPolicy', plural: 'networkpolicies', namespaced: true,
};
/** Events as Pods have them: the other group has no name for their time. */
export const POD_EVENTS: Resource<PodEvent> = { group: '', version: 'v1', kind: 'Event', plural: 'events', namespaced: true };
export const LEASES: Resource<Lease> = { group: 'coordination.k8s.io', version: 'v1', kind: 'Lease', plural: 'leases', namespaced: true };
export const EVENTS: Resource<RecordedEvent> = { group: 'events.k8s.io', version: 'v1', kind: 'Event', plural: 'events', namespaced: true };
