import { KubeObject, ObjectRef } from './object.js';
import type { Lease, NetworkPolicy, PersistentVolumeClaim, Pod, RecordedEvent, Service } from './types.js';

/** What an API server knows a kind of object by. */
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

/** A resource of a CustomResourceDefinition, namespaced unless told otherwise. */
export function customResource<T extends KubeObject>(group: string, version: string, kind: string, plural: string, namespaced = true): Resource<T> {
  return { group, version, kind, plural, namespaced };
}

/** `group/version`, or the version alone in the core group. */
export function apiVersionOf(resource: Resource<any>): string {
  return resource.group ? `${resource.group}/${resource.version}` : resource.version;
}

/** Where in the API something is. */
export interface Location {
  /** @default - all namespaces, or a cluster-scoped resource */
  readonly namespace?: string;
  /** @default - the collection */
  readonly name?: string;
  /** For example `status`. @default - the object itself */
  readonly subresource?: string;
}

/** Path of a collection, object or subresource, without query. Throws if a name lacks its namespace. */
export function pathOf(resource: Resource<any>, { namespace, name, subresource }: Location = {}): string {
  if (name && resource.namespaced && !namespace) {
    throw new Error(`${resource.plural} "${name}" needs a namespace: ${resource.kind} is a namespaced kind`);
  }
  const group = resource.group ? `/apis/${resource.group}/${resource.version}` : `/api/${resource.version}`;
  const scope = resource.namespaced && namespace ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  const object = name ? `/${encodeURIComponent(name)}` : '';
  return `${group}${scope}/${resource.plural}${object}${subresource ? `/${subresource}` : ''}`;
}

/** `sandboxes/status "team/a"`: how messages name something. */
export function describeLocation(resource: Resource<any>, { namespace, name, subresource }: Location = {}): string {
  const where = name ? ` "${namespace ? `${namespace}/` : ''}${name}"` : namespace ? ` in "${namespace}"` : '';
  return `${resource.plural}${subresource ? `/${subresource}` : ''}${where}`;
}

/** Namespace and name of an object; throws if it has no name yet. */
export function locate(object: KubeObject): ObjectRef {
  const { namespace, name } = object.metadata;
  if (!name) {
    throw new Error(`${object.kind ?? 'object'} has no metadata.name: create it first`);
  }
  return { namespace, name };
}

const core = <T extends KubeObject>(kind: string, plural: string, namespaced = true): Resource<T> => ({ group: '', version: 'v1', kind, plural, namespaced });

export const PODS: Resource<Pod> = core('Pod', 'pods');
export const SERVICES: Resource<Service> = core('Service', 'services');
export const PERSISTENT_VOLUME_CLAIMS: Resource<PersistentVolumeClaim> = core('PersistentVolumeClaim', 'persistentvolumeclaims');
export const CONFIG_MAPS: Resource<KubeObject & { data?: Record<string, string> }> = core('ConfigMap', 'configmaps');
export const NAMESPACES: Resource = core('Namespace', 'namespaces', false);
export const NETWORK_POLICIES: Resource<NetworkPolicy> = {
  group: 'networking.k8s.io', version: 'v1', kind: 'NetworkPolicy', plural: 'networkpolicies', namespaced: true,
};
export const LEASES: Resource<Lease> = { group: 'coordination.k8s.io', version: 'v1', kind: 'Lease', plural: 'leases', namespaced: true };
export const EVENTS: Resource<RecordedEvent> = { group: 'events.k8s.io', version: 'v1', kind: 'Event', plural: 'events', namespaced: true };
