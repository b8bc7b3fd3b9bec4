import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const dir = fileURLToPath(new URL('.', import.meta.url));
const table = readFileSync(`${dir}../../../docs/reference/behaviour.md`, 'utf8');
const rows = [...table.matchAll(/^\| ([A-Z]\d+) \| .* \| (.*?) \| (.*?) ?\|$/gm)].map(([, name, where, note]) => ({ name: name!, where: where!, note: note! }));
const sources = new Map(readdirSync(dir).filter(file => file.endsWith('.test.ts')).map(file => [file, readFileSync(`${dir}${file}`, 'utf8')]));

const numbered = (letter: string, count: number) => Array.from({ length: count }, (_, i) => `${letter}${i + 1}`);

test('the table has every case of Sandboxes, claims, templates and pools once', () => {
  const expected = [...numbered('S', 99), ...numbered('C', 109), ...numbered('T', 7), ...numbered('W', 38)];
  expect(rows.map(({ name }) => name).filter(name => /^[SCTW]/.test(name))).toEqual(expected);
});

test.each(rows)('$name is where the table says, or the table says why not', ({ name, where, note }) => {
  if (where === '–') {
    expect(note).toMatch(/^(absent|not applicable)/);
    return;
  }
  for (const file of where.split(', ')) {
    expect(sources.get(file)).toMatch(new RegExp(`\\b${name}\\b`));
  }
});
