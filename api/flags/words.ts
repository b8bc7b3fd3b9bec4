import type { Flag } from './flag';
import { type FlagType, INTEGER_MAX, boundsOf, formatDuration } from './rules';

/** Types of which values have bounds. */
const NUMBERS: readonly FlagType[] = ['integer', 'number', 'duration', 'seconds'];

/** The bounds that are not mentioned with each flag. */
export const BOUNDS_OF_TYPES = `Unless a flag says otherwise, whole numbers are from 0 to ${INTEGER_MAX}, and durations from 0 to ${formatDuration(INTEGER_MAX)} `
  + '(the longest timer of Node) in whole milliseconds.';

/** What a flag does, and its bounds where they are not those of its type, in sentences. */
export function flagWords(flag: Flag): string {
  return [flag.words, flag.unit ? `In ${flag.unit}.` : '', boundsWords(flag)].filter(Boolean).join(' ');
}

/** Least and greatest value as a sentence; empty where they are those of the type. */
export function boundsWords(flag: Flag): string {
  const { least, most } = boundsOf(flag);
  const show = (value: number) => (flag.type === 'duration' || flag.type === 'seconds' ? formatDuration(value) : String(value));
  const [hasLeast, hasMost] = [least !== -Infinity && (least !== 0 || flag.type === 'number'), most !== INTEGER_MAX && most < Number.MAX_SAFE_INTEGER];
  return !NUMBERS.includes(flag.type) ? '' : hasMost ? `From ${show(least)} to ${show(most)}.` : hasLeast ? `At least ${show(least)}.` : '';
}

/** The default as it would be on the command line, or what happens without the flag. */
export function defaultWords({ type, default: value, otherwise }: Flag): string {
  const empty = value === undefined || value === '' || (Array.isArray(value) && value.length === 0);
  return empty ? otherwise ?? 'none' : type === 'duration' ? formatDuration(value as number) : String(value);
}
