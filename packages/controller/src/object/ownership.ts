import type { KubeObject } from './metadata.js';
import type { ObjectMeta, OwnerReference } from 'agent-sandbox-api';

/** The reference that makes an owner the controller of an object. */
export function controllerReference(owner: KubeObject): OwnerReference {
  return { ...ownerReference(owner), controller: true, blockOwnerDeletion: true };
}

/** A reference that keeps an object from garbage collection while the owner exists, without controlling it. */
export function ownerReference(owner: KubeObject): OwnerReference {
  const { name = '', uid = '' } = owner.metadata;
  return { apiVersion: owner.apiVersion, kind: owner.kind, name, uid };
}

/** The owner reference that controls the object, if any. */
export function controllerOf(object: { readonly metadata: ObjectMeta }): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find(reference => reference.controller === true);
}

/** Whether `owner`, another object or no object controls an object. */
export type Ownership = 'own' | 'foreign' | 'unowned';

export function ownershipOf(object: { readonly metadata: ObjectMeta }, owner: KubeObject): Ownership {
  const controller = controllerOf(object);
  if (controller === undefined) {
    return 'unowned';
  }
  return controller.uid === owner.metadata.uid ? 'own' : 'foreign';
}

/** Whether a reference names a kind of a group in any version: references written long ago carry old versions. */
export function isOfKind(reference: { apiVersion: string; kind: string } | undefined, group: string, kind: string): boolean {
  return reference !== undefined && reference.kind === kind && groupOf(reference.apiVersion) === group;
}

/** `apps` of `apps/v1`, empty for the core group. */
export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf('/');
  return slash < 0 ? '' : apiVersion.slice(0, slash);
}

/** `Kind/name (UID: uid)` of the controller, for messages. */
export function describeController(object: { readonly metadata: ObjectMeta }): string {
  const controller = controllerOf(object);
  return controller === undefined ? 'no controller' : `${controller.kind}/${controller.name} (UID: ${controller.uid})`;
}
