import type { StringMap } from './metadata.js';

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
    const [before, after] = [own(from as Json, key), own(to as Json, key)];
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
    return [...new Set([...Object.keys(a), ...Object.keys(b)])].every(k => semanticallyEqual(own(a, k), own(b, k), k));
  }
  return false;
}

/** Labels may have names such as `constructor`, which every object inherits. */
function own(object: Json, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

export function isRecord(value: unknown): value is { [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNothing(value: unknown, key: string): boolean {
  return value === undefined || value === null
    || (Array.isArray(value) && value.length === 0)
    || (MAP_FIELDS.has(key) && isRecord(value) && Object.keys(value).length === 0);
}
