import { printable } from '../checks';
import type { PostureEntry } from './fact';

/** One thing that two postures do not have in common. */
export interface PostureDifference {
  /** The object: `SandboxTemplate agents/python`. */
  readonly object: string;

  /** What it is about, such as `reaches`; absent where the object itself is new or gone. */
  readonly topic?: string;

  /** What was true and no longer is. */
  readonly before: string[];

  /** What is true now and was not. */
  readonly after: string[];
}

const EXISTS = 'exists';

/** What has changed from one posture to another. @internal */
export function differencesOf(before: readonly PostureEntry[], after: readonly PostureEntry[]): PostureDifference[] {
  const [old, now] = [before, after].map(entries => new Map(entries.map(entry => [entry.object, entry])));
  const result: PostureDifference[] = [];
  for (const object of new Set([...old.keys(), ...now.keys()])) {
    const [was, is] = [old.get(object), now.get(object)];
    if (!was || !is) {
      result.push({ object, before: was ? [EXISTS] : [], after: is ? [EXISTS] : [] });
      // Of a new object, what is not as usual.
      const chosen = (is?.facts ?? []).filter(({ isDefault }) => !isDefault);
      result.push(...chosen.map(({ topic, items }) => ({ object, topic, before: [], after: items })));
      continue;
    }
    for (const topic of new Set([...was.facts, ...is.facts].map(each => each.topic))) {
      const [gone, come] = [was, is].map(({ facts }) => facts.find(each => each.topic === topic)?.items ?? []);
      const [without, withNew] = [gone.filter(item => !come.includes(item)), come.filter(item => !gone.includes(item))];
      if (without.length + withNew.length > 0) {
        result.push({ object, topic, before: without, after: withNew });
      }
    }
  }
  return result;
}

/** Differences as text: `-` is what was, `+` is what is now. Empty without any. @internal */
export function explain(differences: readonly PostureDifference[]): string {
  const byObject = new Map<string, PostureDifference[]>();
  differences.forEach(each => byObject.set(each.object, [...byObject.get(each.object) ?? [], each]));
  return [...byObject].map(([object, each]) => [printable(object), ...each.flatMap(({ topic, before, after }) => [
    ...before.map(item => `  - ${topic === undefined ? '' : `${topic}: `}${printable(item)}`),
    ...after.map(item => `  + ${topic === undefined ? '' : `${topic}: `}${printable(item)}`),
  ])].join('\n')).join('\n');
}

/** What has changed from one list of entries to another, as text. @internal */
export function explainEntries(before: readonly PostureEntry[], after: readonly PostureEntry[]): string {
  return explain(differencesOf(before, after));
}
