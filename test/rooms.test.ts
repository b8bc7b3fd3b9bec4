import { readdirSync, readFileSync, statSync } from 'fs';
import { dirname, join, relative } from 'path';

/**
 * The rooms of src/, from the ground up: a room imports only rooms below it, and only through their entry (`index.ts`).
 * `generated` is data and has no entry.
 */
const ROOMS = ['generated', 'checks', 'objects', 'network', 'pod', 'scaling', 'kinds', 'namespace', 'admission', 'policy', 'install', 'findings', 'posture', 'projection', 'testing', 'importing', 'cli'];
const SRC = join(__dirname, '..', 'src');

interface Import {
  readonly from: string;
  readonly to: string;
}

const imports: Import[] = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter(file => file.endsWith('.ts'))
  .flatMap(file => [...readFileSync(join(SRC, file), 'utf8').matchAll(/from '(\.[^']+)'/g)]
    .map(([, specifier]) => ({ from: file, to: relative(SRC, join(SRC, dirname(file), specifier)) })));

const roomOf = (path: string) => path.split('/')[0];

test('src/ has these rooms and nothing beside them but its entry', () => {
  const rooms = readdirSync(SRC).filter(name => statSync(join(SRC, name)).isDirectory());
  expect(rooms.sort()).toEqual([...ROOMS].sort());
  expect(readdirSync(SRC).filter(name => !rooms.includes(name))).toEqual(['index.ts']);
});

test.each(ROOMS.map((room, floor) => ({ room, below: ROOMS.slice(0, floor) })))('$room imports only the entries of rooms below it', ({ room, below }) => {
  const allowed = (to: string) => roomOf(to) === room || /^..\/imports(\/wire)?$/.test(to) || (below.includes(to) && to !== 'generated') || /^generated\/[^/]+$/.test(to);
  expect(imports.filter(({ from, to }) => roomOf(from) === room && !allowed(to))).toEqual([]);
});

test('the entry of src/ imports the entries of rooms', () => {
  const others = imports.filter(({ from, to }) => from === 'index.ts' && !/^..\/imports$/.test(to) && !ROOMS.includes(to));
  expect(others).toEqual([]);
});
