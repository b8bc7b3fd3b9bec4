import { deepFreeze } from 'agent-sandbox-kube';

/** Values that are remembered at most, twice: those of late and those before. */
const MOST = 512;

/** Characters of an object as JSON beyond which it is not remembered. */
const LONGEST = 8192;

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
    return key.length > LONGEST ? value : this.find(key) as T | undefined ?? this.remember(key, deepFreeze(value));
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
