import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** docs/reference/situations.md says which test proves what happens: each of these tests has to exist under this name. */
const FILE = join(__dirname, '..', 'docs', 'reference', 'situations.md');
const ROW = /^\| (\d+) \| (.+?) \| (.+?) \| \[[^\]]+\]\(([^)]+)\): (.+) \|$/;

const lines = readFileSync(FILE, 'utf8').split('\n').filter(line => /^\| \d/.test(line));
const rows = lines.map(line => ROW.exec(line)!);

test('the situations are numbered, and each is there once', () => {
  expect(lines.filter((_, i) => rows[i] === null)).toEqual([]);
  expect(rows.map(([, number]) => Number(number))).toEqual(rows.map((_, i) => i + 1));
  const situations = rows.map(([, , situation]) => situation);
  expect(situations.filter((situation, i) => situations.indexOf(situation) !== i)).toEqual([]);
  expect(rows.length).toBeGreaterThanOrEqual(49);
});

test.each(rows.map(([, number, , , file, title]) => [number, file, title]))('situation %s: %s has the test "%s"', (_, file, title) => {
  const path = resolve(dirname(FILE), file);
  expect(existsSync(path)).toBe(true);
  const text = readFileSync(path, 'utf8');
  const quoted = [`'${title.replaceAll("'", "\\'")}'`, `"${title}"`];
  // As a title: the first argument of `test`, or of what `test.each` gives.
  expect(quoted.some(each => text.includes(`(${each},`) || text.includes(`(\n    ${each},`))).toBe(true);
});
