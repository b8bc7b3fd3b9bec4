import { printable } from '../checks';
import type { PostureEntry } from './fact';

/** Objects with their facts, one item a line. Ends with a line break. @internal */
export function textOf(entries: readonly PostureEntry[]): string {
  return entries.map(({ object, facts }) => {
    const width = Math.max(...facts.map(({ topic }) => topic.length)) + 2;
    return [printable(object), ...facts.flatMap(({ topic, items, isDefault }) => items.map((item, index) =>
      `  ${(index === 0 ? topic : '').padEnd(width)}${printable(item)}${isDefault && index === 0 ? ' (default)' : ''}`))].join('\n');
  }).join('\n\n') + '\n';
}
