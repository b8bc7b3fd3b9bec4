import { CREATED_BY, LABEL, type Condition, type ObjectMeta, type OwnerReference } from 'agent-sandbox-api';
import type { KubeObject } from './plan.js';

export type StringMap = { readonly [key: string]: string };

/** The reference that makes an owner the controller of an object. */
export function controllerReference(owner: KubeObject): OwnerReference {
  return { ...ownerReference(owner), controller: true, blockOwnerDeletion: true };
}

/** A reference that only keeps the object alive as long as one of its owners is. */
export function ownerReference(owner: KubeObject): OwnerReference {
  const { name = '', uid = '' } = owner.metadata;
  return { apiVersion: owner.apiVersion, kind: owner.kind, name, uid };
}

/** The owner reference that controls the object, if any. */
export function controllerOf(object: { readonly metadata: ObjectMeta }): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((reference) => reference.controller === true);
}

/** Whose an object is, from the point of view of `owner`. */
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
  return controller === undefined ? 'nobody' : `${controller.kind}/${controller.name} (UID: ${controller.uid})`;
}

export function isDeleting(object: { readonly metadata: ObjectMeta }): boolean {
  return object.metadata.deletionTimestamp !== undefined;
}

export function labelOf(object: { readonly metadata: ObjectMeta }, key: string): string | undefined {
  return object.metadata.labels?.[key];
}

export function annotationOf(object: { readonly metadata: ObjectMeta }, key: string): string | undefined {
  return object.metadata.annotations?.[key];
}

/** The value of `created-by` as it may appear on Pods and in metrics: unknown clients are not told apart. */
export function normalizedCreatedBy(value: string): string {
  return (Object.values(CREATED_BY) as string[]).includes(value) ? value : CREATED_BY.unknown;
}

/** The normalised `created-by` of an object that carries one. */
export function createdByOf(object: { readonly metadata: ObjectMeta }): string | undefined {
  const value = labelOf(object, LABEL.createdBy);
  return value ? normalizedCreatedBy(value) : undefined;
}

/**
 * The part of a merge patch that turns one map into another: changed and new keys with their value, missing ones with
 * null. `undefined` when there is nothing to change.
 */
export function mapDiff(from: StringMap | undefined, to: StringMap | undefined): { [key: string]: string | null } | undefined {
  const diff: { [key: string]: string | null } = {};
  // Own keys only: a label may be called `constructor`.
  const [before, after] = [new Map(Object.entries(from ?? {})), new Map(Object.entries(to ?? {}))];
  for (const key of before.keys()) {
    if (!after.has(key)) {
      diff[key] = null;
    }
  }
  for (const [key, value] of after) {
    if (before.get(key) !== value) {
      diff[key] = value;
    }
  }
  return Object.keys(diff).length === 0 ? undefined : diff;
}

/**
 * The merge patch (RFC 7396) that turns one JSON object into another. Lists are replaced whole. `undefined` when both are
 * semantically equal.
 */
export function mergeDiff(from: object, to: object): { [key: string]: unknown } | undefined {
  const diff: { [key: string]: unknown } = {};
  for (const key of new Set([...Object.keys(from), ...Object.keys(to)])) {
    const [before, after] = [(from as Json)[key], (to as Json)[key]];
    if (semanticallyEqual(before, after, key)) {
      continue;
    }
    if (after === undefined || after === null) {
      diff[key] = null;
    } else if (isRecord(before) && isRecord(after)) {
      const inner = mergeDiff(before, after);
      if (inner !== undefined) {
        diff[key] = inner;
      }
    } else {
      diff[key] = after;
    }
  }
  return Object.keys(diff).length === 0 ? undefined : diff;
}

type Json = { readonly [key: string]: unknown };

/** Fields that are maps in the Kubernetes types, where missing and empty mean the same. */
const MAP_FIELDS = new Set(['labels', 'annotations', 'matchLabels', 'selector', 'nodeSelector', 'limits', 'requests', 'overhead']);

/**
 * Equality of values of the API: missing, null and empty lists and maps are the same; order of keys does not count. An
 * empty object that is not a map (`podSelector: {}`) differs from a missing one. `key` is the field that holds the values.
 * Quantities are compared as strings: callers that compare what a server may have normalised compare those themselves.
 */
export function semanticallyEqual(a: unknown, b: unknown, key = ''): boolean {
  if (a === b) {
    return true;
  }
  if (isNothing(a, key) || isNothing(b, key)) {
    return isNothing(a, key) && isNothing(b, key);
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, i) => semanticallyEqual(item, b[i]));
  }
  if (isRecord(a) && isRecord(b)) {
    return [...new Set([...Object.keys(a), ...Object.keys(b)])].every((k) => semanticallyEqual(a[k], b[k], k));
  }
  return false;
}

/** A condition before it has a time; `lastTransitionTime` only for mirrored conditions, which keep the time of their origin. */
export type NewCondition = Omit<Condition, 'lastTransitionTime'> & { readonly lastTransitionTime?: string };

export function conditionOf(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

export function isConditionTrue(conditions: readonly Condition[] | undefined, type: string): boolean {
  return conditionOf(conditions, type)?.status === 'True';
}

/**
 * The list with one condition set: replaced in place, or appended. The transition time moves only when the status does,
 * to the time that the incoming condition carries, else to `now`.
 */
export function withCondition(conditions: readonly Condition[] | undefined, incoming: NewCondition, now: number): Condition[] {
  const list = conditions ?? [];
  const old = conditionOf(list, incoming.type);
  const time = old !== undefined && old.status === incoming.status ? old.lastTransitionTime : incoming.lastTransitionTime ?? timestamp(now);
  const { type, status, reason, message, observedGeneration } = incoming;
  const generation = observedGeneration === undefined ? {} : { observedGeneration };
  const merged: Condition = { type, status, reason, message, lastTransitionTime: time, ...generation };
  return old === undefined ? [...list, merged] : list.map((condition) => (condition === old ? merged : condition));
}

export function withoutCondition(conditions: readonly Condition[] | undefined, type: string): Condition[] {
  return (conditions ?? []).filter((condition) => condition.type !== type);
}

/** Time on the wire: RFC 3339 in UTC with whole seconds, as Kubernetes writes it. */
export function timestamp(now: number): string {
  return new Date(Math.floor(now / 1000) * 1000).toISOString().replace('.000Z', 'Z');
}

/** Milliseconds of a time on the wire; `undefined` for a missing or malformed one. */
export function parseTime(time: string | undefined): number | undefined {
  const parsed = time === undefined ? NaN : Date.parse(time);
  return Number.isNaN(parsed) ? undefined : parsed;
}

/** `a` is older than `b`: by creation time, then by UID. */
export function isOlder(a: { readonly metadata: ObjectMeta }, b: { readonly metadata: ObjectMeta }): boolean {
  const [at, bt] = [parseTime(a.metadata.creationTimestamp) ?? Infinity, parseTime(b.metadata.creationTimestamp) ?? Infinity];
  return at !== bt ? at < bt : (a.metadata.uid ?? '') < (b.metadata.uid ?? '');
}

function isRecord(value: unknown): value is { [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNothing(value: unknown, key: string): boolean {
  return value === undefined || value === null
    || (Array.isArray(value) && value.length === 0)
    || (MAP_FIELDS.has(key) && isRecord(value) && Object.keys(value).length === 0);
}
