/** Receives a problem of a field: its path, its value (undefined where it is missing or long), and the remedy. @internal */
export type FieldSink = (path: string, value: unknown, remedy: string) => void;

/** A field of a manifest, with its path, which is only written out where something is wrong. @internal */
export class Field {
  /** The field at a path. */
  public static of(path: string, sink: FieldSink): Field {
    return new Field(undefined, path, sink);
  }

  private constructor(private readonly parent: Field | undefined, private readonly key: string | number, private readonly sink: FieldSink) {}

  public at(key: string | number): Field {
    return new Field(this, key, this.sink);
  }

  /** Notes that the value is wrong. */
  public refuse(value: unknown, remedy: string): void {
    this.sink(this.path, value, remedy);
  }

  /** Notes what a rule finds wrong with a text or number, unless there is none. */
  public check<T>(value: T | undefined | null, rule: (value: T) => string | undefined): void {
    const remedy = value === undefined || value === null ? undefined : rule(value);
    if (remedy !== undefined) {
      this.refuse(value, remedy);
    }
  }

  /** Notes that a text is missing or empty; whether there is one. */
  public needs(value: unknown, what: string): boolean {
    if (value === undefined || value === null || value === '') {
      this.refuse(value ?? undefined, `the API requires it: ${what}`);
      return false;
    }
    return true;
  }

  /** Notes each key that occurs before. */
  public unique(keys: readonly unknown[], key: string, remedy: string): void {
    const before = new Set<unknown>();
    keys.forEach((value, index) => {
      if (value !== undefined && before.has(value)) {
        (key === '' ? this.at(index) : this.at(index).at(key)).refuse(value, remedy);
      }
      before.add(value);
    });
  }

  private get path(): string {
    if (!this.parent) {
      return String(this.key);
    }
    const name = typeof this.key === 'number' ? `[${this.key}]` : /^\w+$/.test(this.key) ? `.${this.key}` : `['${this.key}']`;
    return this.parent.path + name;
  }
}

/** A list of objects, also where the manifest has something else. @internal */
export function objects(value: unknown): any[] {
  return Array.isArray(value) ? value.map(item => (typeof item === 'object' && item !== null ? item : {})) : [];
}

/** A map, also where the manifest has something else. @internal */
export function entries(value: unknown): [string, any][] {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
}

/** The names of the fields of an object that have a value, of those that are named. @internal */
export function present(value: any, ...names: readonly string[]): string[] {
  return names.filter(name => value?.[name] !== undefined && value[name] !== null);
}
