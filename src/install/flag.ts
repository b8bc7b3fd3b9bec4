import type { Duration } from 'cdk8s';
import type { Problems } from '../checks';
import { type FlagRule, followsRule, readFlag, remedyOf } from './flag-rules.gen';

/** The flag of a prop. @internal */
export interface InstalledFlag extends FlagRule {
  /** Its name on the command line. */
  readonly flag: string;
  /** What is on the command line where the prop is not set; nothing if absent. */
  readonly default?: boolean | number;
  /** Whether the program of the original has it since v0.5.6. */
  readonly original: boolean;
}

type Flags = { readonly [prop: string]: InstalledFlag };
type Props = { readonly [prop: string]: unknown };

/** Checks props as the program will check the flags. @internal */
export function checkFlags(problems: Problems, flags: Flags, props: object): void {
  for (const [prop, flag] of Object.entries(flags)) {
    const value = (props as Props)[prop];
    if (value !== undefined && value !== null) {
      check(problems, prop, flag, value);
    }
  }
}

function check(problems: Problems, prop: string, flag: InstalledFlag, value: unknown): void {
  if (flag.type === 'list') {
    if (!Array.isArray(value) || value.length === 0) {
      problems.add(prop, value, 'name at least one, or leave it out');
      return;
    }
    value.forEach((entry, index) => {
      if (typeof entry !== 'string' || !followsRule(flag.items ?? 'word', entry)) {
        problems.add(`${prop}[${index}]`, entry, `use ${remedyOf({ ...flag, notEmpty: false, unique: false })}`);
      }
    });
    if (flag.unique) {
      problems.unique(index => `${prop}[${index}]`, value, 'it is in the list already: remove one');
    }
    return;
  }
  const read = isOfType(flag, value) ? readFlag(flag, flagText(value)) : { remedy: remedyOf(flag) };
  if ('remedy' in read) {
    problems.add(prop, isDuration(value) ? goDuration(value) : value, `use ${read.remedy}`);
  }
}

/** Plain JavaScript can put anything into a prop, and its text may well be what the program takes. */
function isOfType({ type }: InstalledFlag, value: unknown): boolean {
  switch (type) {
    case 'boolean': return typeof value === 'boolean';
    case 'integer': case 'number': return typeof value === 'number';
    case 'duration': return isDuration(value);
    default: return typeof value === 'string';
  }
}

/** The arguments that props mean, in the order of the table. @internal */
export function flagArgs(flags: Flags, props: object): string[] {
  return Object.entries(flags).flatMap(([prop, { flag, default: preset }]) => {
    const value = (props as Props)[prop] ?? preset;
    return value === undefined ? [] : [`--${flag}=${flagText(value)}`];
  });
}

function flagText(value: unknown): string {
  return isDuration(value) ? goDuration(value) : Array.isArray(value) ? value.join(',') : String(value);
}

/** By what it can do: there may be more than one copy of cdk8s. */
function isDuration(value: unknown): value is Duration {
  return typeof (value as Partial<Duration>).toMilliseconds === 'function';
}

/** A duration as Go writes it, in one unit. @internal */
export function goDuration(duration: Duration): string {
  const ms = duration.toMilliseconds({ integral: false });
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}
