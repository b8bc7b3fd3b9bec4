import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const SRC = fileURLToPath(new URL('../src', import.meta.url));

/** The folders of `src`, and the folders that each may import besides itself and the files at the top. Nothing that is pure imports the shell. */
const ALLOWED: { readonly [folder: string]: readonly string[] } = {
  object: [],
  reconcile: ['object'],
  template: ['object', 'reconcile'],
  blueprint: ['object', 'reconcile', 'template'],
  sandbox: ['object', 'reconcile', 'blueprint'],
  pool: ['object', 'reconcile', 'template', 'blueprint', 'sandbox'],
  claim: ['object', 'reconcile', 'template', 'blueprint', 'sandbox'],
  shell: ['object', 'reconcile', 'sandbox', 'pool'],
};

interface Import {
  readonly file: string;
  readonly folder: string;
  readonly target: string;
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts'));
const imports: Import[] = files.flatMap(file => [...readFileSync(join(SRC, file), 'utf8').matchAll(/(?:from|import\() ?'(\.[^']+)'/g)].map(([, path]) => ({
  file, folder: dirname(file), target: dirname(relative(SRC, join(SRC, dirname(file), path!))),
})));

test('every folder has its row', () => {
  expect(new Set(files.map(dirname))).toEqual(new Set(['.', ...Object.keys(ALLOWED)]));
});

test.each(Object.entries(ALLOWED))('files of %s import from its own folder, the top and %p only', (folder, allowed) => {
  const others = imports.filter(entry => entry.folder === folder && ![folder, '.', ...allowed].includes(entry.target));
  expect(others.map(({ file, target }) => `${file} imports from ${target}`)).toEqual([]);
});

test('no module exports `then`, which would make it a thenable that `await import()` never resolves', () => {
  expect(files.filter(file => /export (?:async )?(?:function|const|let|class) then\b|export \{[^}]*\bthen\b/.test(readFileSync(join(SRC, file), 'utf8')))).toEqual([]);
});
