/**
 * Orders two resource versions of one resource: negative if `a` is older, 0 if equal, positive if newer; undefined if there is
 * no order because one of them is missing or not a decimal number.
 *
 * Kubernetes promises since 1.35 that they are numbers which grow, of any length; earlier servers with etcd behave the same.
 */
export function compareResourceVersions(a: string | undefined, b: string | undefined): number | undefined {
  if (a === b && a) {
    return 0;
  }
  if (!a || !b || !DECIMAL.test(a) || !DECIMAL.test(b)) {
    return undefined;
  }
  return a.length - b.length || (a < b ? -1 : 1);
}

const DECIMAL = /^[1-9][0-9]*$/;

/** Freezes an object and all it holds, so that what is shared cannot be changed. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const child of Object.values(value)) {
      deepFreeze(child);
    }
  }
  return value;
}
