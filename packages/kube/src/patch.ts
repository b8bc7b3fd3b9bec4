/** A JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/** One operation of a JSON patch (RFC 6902). */
export type JsonPatchOperation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string }
  | { readonly op: 'move' | 'copy'; readonly path: string; readonly from: string };

/**
 * The JSON merge patch (RFC 7386) that turns `before` into `after`, undefined if they are equal. Undefined properties count as
 * missing. Lists are replaced whole, as merge patches know nothing smaller. Throws if `after` holds null inside of an object, which a merge patch
 * cannot express.
 */
export function mergePatchOf(before: unknown, after: unknown): Record<string, unknown> | undefined {
  const patch = difference(before, after, '');
  if (patch !== undefined && !isObject(patch)) {
    throw new Error('a merge patch is between two objects');
  }
  return patch;
}

/** Whether two JSON values are equal; the order of properties does not matter, undefined ones count as missing. */
export function jsonEqual(a: unknown, b: unknown): boolean {
  if (a === b) {
    return true;
  }
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, index) => jsonEqual(item, b[index]));
  }
  if (!isObject(a) || !isObject(b)) {
    return false;
  }
  const keys = Object.keys(a).filter(key => a[key] !== undefined);
  return keys.every(key => jsonEqual(a[key], b[key])) && Object.keys(b).filter(key => b[key] !== undefined).length === keys.length;
}

/** A path of a JSON patch from the names and positions it consists of. */
export function jsonPointer(...parts: readonly (string | number)[]): string {
  return parts.map(part => `/${String(part).replace(/~/g, '~0').replace(/\//g, '~1')}`).join('');
}

function difference(before: unknown, after: unknown, path: string): unknown {
  if (!isObject(before) || !isObject(after)) {
    return jsonEqual(before, after) ? undefined : complete(after, path);
  }
  const patch: Record<string, unknown> = {};
  for (const key of Object.keys(after)) {
    const change = after[key] === undefined ? undefined : difference(before[key], after[key], `${path}/${key}`);
    if (change !== undefined) {
      patch[key] = change;
    }
  }
  for (const key of Object.keys(before)) {
    if (before[key] !== undefined && after[key] === undefined) {
      patch[key] = null;
    }
  }
  return Object.keys(patch).length > 0 ? patch : undefined;
}

/** A value as it is to be, which must not mean "delete" anywhere. */
function complete(value: unknown, path: string): unknown {
  if (value === null) {
    throw new Error(`a merge patch cannot set ${path} to null: leave it out, or use a JSON patch`);
  }
  if (isObject(value)) {
    return Object.fromEntries(Object.entries(value).filter(([, child]) => child !== undefined).map(([key, child]) => [key, complete(child, `${path}/${key}`)]));
  }
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
