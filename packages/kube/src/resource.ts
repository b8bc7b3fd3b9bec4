import type { KubeObject, ObjectRef, Resource } from 'agent-sandbox-api';

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
