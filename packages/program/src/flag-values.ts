import { InvalidArgumentError } from 'commander';
import { formatDuration, parseDuration } from './duration.js';

/** Longest delay of a timer in Node, milliseconds. */
const LONGEST_MS = 2_147_483_647;

/** Levels of zap, by the names that its flag takes, as pino calls them. */
const LOG_LEVELS: { readonly [level: string]: string } = { debug: 'debug', info: 'info', warn: 'warn', error: 'error', panic: 'fatal' };

/**
 * Values of command line flags in the words of Go programs, which the programs of Kubernetes are. Each throws commander's
 * `InvalidArgumentError` with what to give instead.
 */
export const flagValue = {
  boolean: (text: string): boolean => {
    if (['true', 't', '1'].includes(text.toLowerCase())) {
      return true;
    }
    if (['false', 'f', '0'].includes(text.toLowerCase())) {
      return false;
    }
    throw new InvalidArgumentError('give true or false.');
  },

  number: (minimum: number) => (text: string): number => {
    const value = text.trim() === '' ? NaN : Number(text);
    if (!(value >= minimum) || value === Infinity) {
      throw new InvalidArgumentError(minimum === -Infinity ? 'give a number.' : `give a number of at least ${minimum}.`);
    }
    return value;
  },

  integer: (minimum: number) => (text: string): number => {
    const value = flagValue.number(minimum)(text);
    if (!Number.isSafeInteger(value)) {
      throw new InvalidArgumentError('give a whole number.');
    }
    return value;
  },

  /** Milliseconds, at most what a timer can wait. */
  duration: (minimumMs: number) => (text: string): number => {
    const ms = parseDuration(text);
    if (ms === undefined || ms < minimumMs || ms > LONGEST_MS) {
      throw new InvalidArgumentError(`give a duration such as 500ms or 1m30s${minimumMs > 0 ? ', more than 0' : ''}, at most 24 days.`);
    }
    return ms;
  },

  /** Entries between commas; empty ones do not count. */
  list: (text: string): string[] => text.split(',').map(entry => entry.trim()).filter(entry => entry !== ''),

  /** Value of `--zap-log-level`, as a level of pino. */
  logLevel: (text: string): string => {
    const level = /^\d+$/.test(text) ? (text === '0' ? 'info' : 'debug') : LOG_LEVELS[text];
    if (level === undefined) {
      throw new InvalidArgumentError(`give one of ${Object.keys(LOG_LEVELS).join(', ')}, or a number.`);
    }
    return level;
  },
};

/** A default as it would be written on the command line; `flags` ends with what kind of value it is. */
export function flagDefault(flags: string, value: unknown): string | undefined {
  if (flags.endsWith('<duration>')) {
    return formatDuration(value as number);
  }
  if (flags.endsWith('<list>')) {
    return Array.isArray(value) && value.length > 0 ? value.join() : 'none';
  }
  return value === '' ? 'none' : undefined;
}

/** An argument as commander takes it: Go's flags also have one dash, and a boolean (`booleans` has their names) stands alone. */
export function flagArgument(arg: string, booleans: readonly string[]): string {
  const long = /^-[a-z]/.test(arg) && arg.length > 2 ? `-${arg}` : arg;
  return booleans.includes(long.replace(/^--/, '')) ? `${long}=true` : long;
}

/** The name under which commander keeps an option. */
export function optionName(flag: string): string {
  return flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
