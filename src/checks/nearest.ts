/**
 * The candidate that is nearest to a misspelt word: the same without case and separators, at most a third of its letters
 * away, or the only one that contains it. Undefined where there is none.
 *
 * @internal
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const plain = (text: string) => text.toLowerCase().replace(/[-_. ]/g, '');
  let best: string | undefined;
  let least = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const away = plain(candidate) === plain(word) ? 0 : distance(plain(word), plain(candidate));
    if (away < least) {
      [best, least] = [candidate, away];
    }
  }
  const containing = candidates.filter(candidate => word.length > 2 && plain(candidate).includes(plain(word)));
  return best ?? (containing.length === 1 ? containing[0] : undefined);
}

/** Levenshtein distance: insertions, deletions and replacements of one character. @internal */
export function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length];
}
