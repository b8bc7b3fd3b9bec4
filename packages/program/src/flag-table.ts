import { Command, InvalidArgumentError, Option } from 'commander';
import { parseCommand } from './command-line.js';
import { FlagError } from './flag-error.js';
import { formatDuration, readFlag, type FlagRule, type FlagValue } from './flag-rules.gen.js';

/** One flag of a program, as `api/flags` defines it. */
export interface FlagRow extends FlagRule {
  /** Name on the command line, without dashes. */
  readonly name: string;
  /** Name among the values. Default: `name` in camel case. */
  readonly key?: string;
  readonly words: string;
  /** Milliseconds for a duration. */
  readonly default?: FlagValue;
  readonly otherwise?: string;
  readonly unit?: string;
  readonly value?: string;
  /** Variable that counts where the flag is not given, unless it is blank. `apart`: the program reads it itself. */
  readonly env?: { readonly name: string; readonly unit?: 's'; readonly apart?: boolean };
  /** Another name for it, which the original uses. */
  readonly alias?: string;
  /** Why the flag has no effect. It is not in the help. */
  readonly ignored?: string;
}

/** A program and its flags. */
export interface ProgramTable {
  readonly name: string;
  readonly words: string;
  readonly flags: readonly FlagRow[];
}

/** Where values come from. */
export interface FlagSources {
  readonly env: NodeJS.ProcessEnv;
  /** Takes the text of `--help`. */
  readonly write: (text: string) => void;
  /** Arguments that yield to those of the command line, but not to `env`: those of a configuration file. */
  readonly before?: readonly string[];
  /** Text at the end of the help. */
  readonly more?: string;
  /**
   * Takes the names of flags that the program does not know, which have no effect then; values that follow them are dropped. A name that is
   * one letter away from a known one is refused all the same. Absent: all are refused.
   */
  readonly unknown?: (flags: readonly string[]) => void;
}

/**
 * Reads a command line in the words of Go programs: `--name=value`, `--name value`, with one dash or two, a boolean alone means
 * `true`. What is not given has the value of its variable, else its default. Flags of the original that have no effect
 * are listed in `ignored`. Throws `FlagError`.
 */
export function parseFlagTable<Values extends { readonly ignored: readonly string[] }>(
  table: ProgramTable, args: readonly string[], sources: FlagSources,
): Values {
  const program = commandOf(table);
  if (sources.more !== undefined) {
    program.addHelpText('after', sources.more);
  }
  const all = [...(sources.before ?? []), ...args].map(arg => normal(arg, table.flags));
  parseCommand(program, sources.unknown === undefined ? all : knownOnly(all, table.flags, sources.unknown), sources.write);
  const isGiven = (row: FlagRow) => program.getOptionValueSource(optionName(row.name)) === 'cli';
  const values = table.flags.filter(({ ignored }) => ignored === undefined)
    .map(row => [keyOf(row), isGiven(row) ? program.getOptionValue(optionName(row.name)) : fromVariable(row, sources.env) ?? preset(row)]);
  const ignored = table.flags.filter(row => row.ignored !== undefined && isGiven(row)).map(({ name }) => `--${name}`);
  return { ...Object.fromEntries(values), ignored } as Values;
}

function commandOf({ name, words, flags }: ProgramTable): Command {
  // The descriptions have the defaults in them, in the words of the command line.
  const program = new Command(name).description(words).configureHelp({ optionDescription: ({ description }) => description });
  for (const row of flags) {
    const option = row.type === 'boolean' ? new Option(`--${row.name} [boolean]`, helpOf(row)).preset('true') : new Option(`--${row.name} <${placeholder(row)}>`, helpOf(row));
    option.argParser(text => (row.ignored === undefined ? read(row, text, remedy => new InvalidArgumentError(`give ${remedy}.`)) : text)).hideHelp(row.ignored !== undefined);
    program.addOption(option);
  }
  return program;
}

function read(row: FlagRow, text: string, failure: (remedy: string) => Error): FlagValue {
  const result = readFlag(row, text);
  if ('remedy' in result) {
    throw failure(result.remedy);
  }
  return result.value;
}

function fromVariable(row: FlagRow, env: NodeJS.ProcessEnv): FlagValue | undefined {
  const { name, unit = '', apart } = row.env ?? { name: '', apart: true };
  const text = apart ? undefined : env[name]?.trim();
  return text ? read(row, text + unit, remedy => new FlagError(`the variable ${name} is '${text}': give ${remedy}`)) : undefined;
}

/** The value without flag and variable. */
function preset(row: FlagRow): FlagValue | undefined {
  return row.default ?? (row.type === 'list' ? [] : undefined);
}

function keyOf({ key, name }: FlagRow): string {
  return key ?? optionName(name);
}

/** The name under which commander keeps an option. */
function optionName(name: string): string {
  return name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** An argument with two dashes, and with our name for a flag of the original. */
function normal(arg: string, flags: readonly FlagRow[]): string {
  const long = /^-[a-z]{2}/.test(arg) ? `-${arg}` : arg;
  const [, name, rest = ''] = /^--([a-z0-9-]+)(=[^]*)?$/.exec(long) ?? [];
  const row = name === undefined ? undefined : flags.find(({ alias }) => alias === name);
  return row === undefined ? long : `--${row.name}${rest}`;
}

/** The arguments without flags that are not in the table, which are handed to `unknown`. */
function knownOnly(args: readonly string[], flags: readonly FlagRow[], unknown: (flags: readonly string[]) => void): string[] {
  const known: string[] = [];
  const strange: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const [, name, value] = /^--([^=]+)(=[^]*)?$/.exec(args[i]!) ?? [];
    const row = flags.find(flag => flag.name === name);
    const isUnknown = name !== undefined && row === undefined && name !== 'help' && !flags.some(flag => isOneLetterAway(flag.name, name));
    (isUnknown ? strange : known).push(isUnknown ? `--${name}` : args[i]!);
    const next = args[i + 1];
    if (value !== undefined || next === undefined) {
      continue;
    }
    if (isUnknown && !next.startsWith('-')) {
      i++;
    } else if (row !== undefined && row.type !== 'boolean') {
      known.push(next);
      i++;
    }
  }
  unknown(strange);
  return known;
}

/** Whether one name is the other with a letter added, removed, changed, or swapped with the next. */
function isOneLetterAway(a: string, b: string): boolean {
  let from = 0;
  while (from < a.length && a[from] === b[from]) {
    from++;
  }
  const [restA, restB] = [a.slice(from), b.slice(from)];
  return restA.slice(1) === restB || restA === restB.slice(1) || restA.slice(1) === restB.slice(1)
    || (restA.slice(2) === restB.slice(2) && restA[0] === restB[1] && restA[1] === restB[0]);
}

function placeholder({ value, type }: FlagRow): string {
  return value ?? (type === 'integer' ? 'number' : type === 'logLevel' ? 'level' : type);
}

function helpOf(row: FlagRow): string {
  const value = preset(row);
  const isEmpty = value === undefined || value === '' || (Array.isArray(value) && value.length === 0);
  const words = isEmpty ? row.otherwise ?? 'none' : row.type === 'duration' ? formatDuration(value as number) : String(value);
  const notes = [...(row.unit ? [row.unit] : []), ...(row.env ? [`env ${row.env.name}`] : []), ...(row.choices ? [`one of ${row.choices.join(', ')}`] : []), `default: ${words}`];
  return `${row.words} (${notes.join('; ')})`;
}
