import { isPlain, nearest, show } from '../checks';

/**
 * How a value differs from what is expected of it, one line each. Objects may have more keys than expected; lists have the same length, and
 * their items are compared in the same way. A key that is expected to be undefined must not be there.
 *
 * @internal
 */
export function differences(path: string, expected: unknown, found: unknown): string[] {
  if (Array.isArray(expected)) {
    if (!Array.isArray(found)) {
      return [difference(path, expected, found)];
    }
    return expected.length === found.length
      ? expected.flatMap((item, index) => differences(`${path}[${index}]`, item, found[index]))
      : [`${path}: expected ${expected.length} items, found ${found.length}: ${show(found)}`];
  }
  if (typeof expected === 'object' && expected !== null && isPlain(expected)) {
    if (typeof found !== 'object' || found === null || Array.isArray(found)) {
      return [difference(path, expected, found)];
    }
    const object = found as Record<string, unknown>;
    return Object.entries(expected).flatMap(([key, value]) => {
      const at = /^[A-Za-z]\w*$/.test(key) ? `${path}.${key}` : `${path}['${key}']`;
      const similar = value !== undefined && object[key] === undefined ? nearest(key, Object.keys(object)) : undefined;
      return similar === undefined ? differences(at, value, object[key]) : [`${difference(at, value, undefined)}; nearest: ${similar}, which is ${show(object[similar])}`];
    });
  }
  return Object.is(expected, found) ? [] : [difference(path, expected, found)];
}

function difference(path: string, expected: unknown, found: unknown): string {
  return `${path}: expected ${show(expected) ?? 'nothing'}, found ${show(found) ?? 'nothing'}`;
}
