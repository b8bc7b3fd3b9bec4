import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Linter } from 'eslint';
import { plugin, proseProblems } from '../projenrc/prose.cjs';

/* Rules of the repository that no linter knows. */

const ROOT = join(__dirname, '..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: ROOT, encoding: 'utf8' }).split('\n').filter(file => file !== '');
const sources = tracked.filter(file => /\.(ts|mjs|cjs)$/.test(file) && !file.includes('/lib/')).flatMap(file => {
  try {
    return [{ file, text: read(file) }];
  } catch {
    return []; // removed, and not committed yet
  }
});

/** Names of the values that a module exports, through other modules of its package as well. */
function exportedValues(module: string): string[] {
  const text = read(module);
  const next = (name: string) => join(module, '..', name.replace(/\.js$/, '.ts'));
  return [
    ...[...text.matchAll(/^export (?:async )?(?:abstract )?(?:function\*?|const|class|enum) (\w+)/gm)].map(([, name]) => name),
    ...[...text.matchAll(/^export \{([^}]*)\}/gm)].flatMap(([, names]) => names.split(',').map(name => name.trim()).filter(name => name !== '' && !name.startsWith('type '))),
    ...[...text.matchAll(/^export \* from '(\.[^']+)'/gm)].flatMap(([, name]) => (name.includes('.gen.') ? [] : exportedValues(next(name)))),
  ];
}

/** Packages that only this repository uses. An error class may be exported for the callers that catch it. */
test.each(['kube', 'program'])('each value that packages/%s exports has a user outside of it', name => {
  const users = sources.filter(({ file }) => !file.startsWith(`packages/${name}/`)).map(({ text }) => text)
    .filter(text => text.includes(`agent-sandbox-${name}`) || text.includes(`packages/${name}/src`));
  const unused = exportedValues(`packages/${name}/src/index.ts`)
    .filter(value => !value.endsWith('Error') && !users.some(text => new RegExp(`\\b${value}\\b`).test(text)));
  expect(unused).toEqual([]);
});

/** `then` makes a module a thenable: `await import()` of it would call the function and never end. */
test('no module exports "then"', () => {
  expect(sources.filter(({ text }) => /^export (?:async )?(?:function|const|let) then\b/m.test(text)).map(({ file }) => file)).toEqual([]);
});

test('the port of the runtime is a number in api/vocabulary.ts only', () => {
  const code = (text: string) => text.replace(/\/\*.*?\*\/|\/\/.*$|'[^'\n]*'/gms, '');
  expect(sources.filter(({ file, text }) => /^(api|src|packages\/[^/]+\/src)\//.test(file) && !file.includes('.gen.') && /\b8888\b/.test(code(text))).map(({ file }) => file))
    .toEqual(['api/vocabulary.ts']);
});

test('every case of the specification that a test names is described in docs/reference/behaviour.md', () => {
  const described = new Set([...read('docs/reference/behaviour.md').matchAll(/^\| ([CFSTVWX]\d+) \|/gm)].map(([, id]) => id));
  const named = sources.filter(({ file }) => /(^|\/)test\//.test(file) && file.endsWith('.test.ts'))
    .flatMap(({ file, text }) => [...text.matchAll(/(?:test|describe)(?:\.each\([^]*?\))?\(['"`](?:[^'"`\n]*?[ (,])?([CFSTVWX]\d{1,3})(?=[ :,'"`)])/g)].map(([, id]) => ({ file, id })));
  expect(named.length).toBeGreaterThan(100);
  expect(named.filter(({ id }) => !described.has(id))).toEqual([]);
});

test('the files that documents name exist', () => {
  const known = new Set(tracked.filter(file => existsSync(join(ROOT, file))).flatMap(file => file.split('/').map((_, index, parts) => parts.slice(0, index + 1).join('/'))));
  const tops = new Set([...known].filter(file => !file.includes('/')));
  const documents = tracked.filter(file => file.endsWith('.md') && !file.startsWith('docs/decisions/') && file !== 'CHANGELOG.md' && existsSync(join(ROOT, file)));
  expect(documents.flatMap(file => [...read(file).replace(/^```.*?^```/gms, '').matchAll(/`([\w@.-]+(?:\/[\w@.-]+)+\.\w+)`/g)].map(([, path]) => path)
    .filter(path => tops.has(path.split('/')[0]) || (path.startsWith('src/') && file.startsWith('packages/')))
    .filter(path => !known.has(path) && !known.has(join(file, '..', path))).map(path => `${file}: ${path}`))).toEqual([]);
});

/** Otherwise the lines are no table in most renderers. */
test('each table of a document has a title for each column', () => {
  const cells = (line: string) => line.replace(/\\\||`[^`]*`/g, '').replace(/^\s*\||\|\s*$/g, '').split('|').length;
  expect(tracked.filter(file => file.endsWith('.md') && existsSync(join(ROOT, file))).flatMap(file => read(file).split('\n').flatMap((line, index, lines) => (
    /^\s*\|(?:\s*:?-+:?\s*\|)+\s*$/.test(line) && cells(lines[index - 1]!) !== cells(line) ? [`${file}:${index}: ${lines[index - 1]}`] : [])))).toEqual([]);
});

describe('prose', () => {
  /** Written from docstrings, which ESLint checks, and from texts of Kubernetes; texts of others; files that are no text. */
  const GENERATED = /^(API\.md|docs\/L1\.md)$/;
  const FOREIGN = /(^|\/)(package-lock\.json|go\.(mod|sum))$/;
  const BINARY = /\.(png|tgz)$/;
  const LINTED = /\.[cm]?[jt]s$/;

  test('of files that ESLint does not read has a subject in each sentence', () => {
    const documents = tracked.filter(file => ![GENERATED, FOREIGN, BINARY, LINTED].some(pattern => pattern.test(file)) && existsSync(join(ROOT, file)));
    expect(documents.filter(file => file.endsWith('.md')).length).toBeGreaterThan(50);
    expect(documents.flatMap(file => proseProblems(read(file)).map(({ word, remedy }) => `${file}: "${word}": ${remedy}`))).toEqual([]);
  });

  test('an exception has a reason', () => {
    const exceptions = sources.flatMap(({ file, text }) => [...text.matchAll(/eslint-disable.*house\/prose.*/g)].map(([line]) => ({ file, line })));
    expect(exceptions.length).toBeGreaterThan(0);
    expect(exceptions.filter(({ line }) => !/house\/prose -- \w+/.test(line))).toEqual([]);
  });

  /** Words that ESLint reports. */
  const wordsIn = (code: string) => new Linter()
    .verify(code, [{ plugins: { house: plugin }, rules: { 'house/prose': 'error' } }]).map(({ message }) => /^"(.*)" hides the subject: \w/.exec(message)?.[1] ?? message);

  /* eslint-disable house/prose -- the words themselves */
  test.each([
    ['// Whoever asks is told.', ['Whoever', 'told']],
    ['/** For ever, unless somebody ends it. */ f();', ['somebody', 'For ever']],
    ["throw new Error('nobody is here');", ['nobody']],
    ['f(`${a} is no good`);', ['is no good']],
    ["test('nobody hears of it', () => f('nobody'));", ['nobody', 'hears of', 'nobody']],
    ['describe.skip(`what there is`, () => {});', ['what there is']],
    ['// The caller gets the error.\nconst told = somebody;', []],
  ])('in code: %j', (code, words) => {
    expect(wordsIn(code).sort()).toEqual([...words].sort());
  });
  /* eslint-enable house/prose */
});
