import { show } from './show';

/**
 * What is wrong with the props of one construct, collected so that everything is said at once.
 *
 * @internal
 */
export class Problems {
  private constructor(private readonly where: string, private readonly prefix: string, private readonly lines: string[]) {}

  /** Problems of the construct at `path`. */
  public static of(path: string): Problems {
    return new Problems(path, '', []);
  }

  /** The same list, for props below `prop`. */
  public at(prop: string): Problems {
    return new Problems(this.where, this.name(prop), this.lines);
  }

  /** Notes that `value` of `prop` is wrong; `remedy` says what is allowed and what to do. */
  public add(prop: string, value: unknown, remedy: string): void {
    this.lines.push(describe(this.where, this.name(prop), value, remedy));
  }

  /** Notes what `rule` finds wrong with `value`, unless it is undefined. */
  public check<T>(prop: string, value: T | undefined, rule: (value: T) => string | undefined): void {
    const remedy = value === undefined ? undefined : rule(value);
    if (remedy !== undefined) {
      this.add(prop, value, remedy);
    }
  }

  /** Notes each value of `values` that occurs before in the list. */
  public unique<T>(prop: (index: number) => string, values: readonly T[], remedy: string): void {
    values.forEach((value, index) => {
      if (values.indexOf(value) < index) {
        this.add(prop(index), value, remedy);
      }
    });
  }

  /** All problems so far, one line each. */
  public all(): string[] {
    return [...this.lines];
  }

  /** Throws one error with all problems, if there are any. */
  public throwIfAny(): void {
    if (this.lines.length > 0) {
      throw new Error(this.lines.length === 1 ? this.lines[0] : `${this.lines.length} problems:\n${this.lines.map(line => `  ${line}`).join('\n')}`);
    }
  }

  private name(prop: string): string {
    return !this.prefix ? prop : !prop ? this.prefix : /^[[ ]/.test(prop) ? this.prefix + prop : `${this.prefix}.${prop}`;
  }
}

/**
 * One problem as a line: construct path or name of a value class (empty where the reader sees it anyway), prop, value,
 * remedy.
 *
 * @internal
 */
export function describe(where: string, prop: string, value: unknown, remedy: string): string {
  const shown = show(value);
  return `${where ? `${where}: ` : ''}${prop}${shown === undefined ? '' : ` is ${shown}`}: ${remedy}`;
}
