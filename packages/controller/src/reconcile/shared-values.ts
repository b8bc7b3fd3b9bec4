import { deepFreeze } from 'agent-sandbox-kube';

/** Values that are remembered at most, twice: those of late and those before. */
const MOST = 512;

/** Characters of an object as JSON beyond which it is not remembered. */
const LONGEST = 8192;

/** The objects that are shared: immutable, with all that they hold. */
const SHARED = new WeakSet<object>();

/**
 * A function that computes its result once for each shared object, which cannot change, and each time for others. The members of a pool share
 * their Pod spec.
 */
export function oncePerShared<T extends object, R>(compute: (value: T) => R): (value: T) => R {
  const results = new WeakMap<T, { readonly result: R }>();
  return value => {
    const known = results.get(value);
    if (known !== undefined) {
      return known.result;
    }
    const result = compute(value);
    if (SHARED.has(value)) {
      results.set(value, { result });
    }
    return result;
  };
}

/**
 * Makes one object of equal ones. The members of a pool all have the Pod spec of their template: as one object, which is immutable, it
 * takes the memory of one, and what is computed from it is computed once.
 */
export class SharedValues {
  private recent = new Map<string, unknown>();
  private before = new Map<string, unknown>();

  /** The first object that was equal to this one as JSON, keys in the same order; or this one, immutable from now on. */
  public object<T extends object>(value: T): T {
    const key = JSON.stringify(value);
    if (key.length > LONGEST) {
      return value;
    }
    const known = this.find(key) as T | undefined;
    if (known !== undefined) {
      return known;
    }
    SHARED.add(value);
    return this.remember(key, deepFreeze(value));
  }

  /** The first string that was equal to this one, or this one. */
  public text<T extends string | undefined>(value: T): T {
    return value === undefined ? value : this.find(`"${value}`) as T | undefined ?? this.remember(`"${value}`, value);
  }

  private find(key: string): unknown {
    return this.recent.get(key) ?? (this.before.has(key) ? this.remember(key, this.before.get(key)) : undefined);
  }

  /** Values that no caller has asked for lately are forgotten: objects that hold them keep them. */
  private remember<T>(key: string, value: T): T {
    if (this.recent.size >= MOST) {
      this.before = this.recent;
      this.recent = new Map();
    }
    this.recent.set(key, value);
    return value;
  }
}
