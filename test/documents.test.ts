import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { transformSync } from '@swc/core';
import * as cdk8s from 'cdk8s';
import * as library from 'cdk8s-agent-sandbox';
import * as kplus from 'cdk8s-plus-33';
import { parse, parseAllDocuments } from 'yaml';
import { deadLinks } from '../scripts/site/links';

/**
 * Runs the snippets of the documents; that they compile is what scripts/check-snippets.ts says. The fixture declares what
 * snippets take for granted, and here it gets values.
 */
const ROOT = path.join(__dirname, '..');
const FIXTURE = fs.readFileSync(path.join(ROOT, 'rosetta', 'default.ts-fixture'), 'utf8').replace(/declare const (\w+): .*;/g, 'const $1 = given.$1;');
const MODULES: Record<string, unknown> = { 'cdk8s': cdk8s, 'cdk8s-plus-33': kplus, 'cdk8s-agent-sandbox': library };
const below = (folder: string) => fs.readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.md')).map(file => `${folder}/${file}`);
const DOCUMENTS = ['README.md', ...below('docs/guide'), ...below('docs/use-cases')];

const outdir = fs.mkdtempSync(path.join(os.tmpdir(), 'documents-'));
afterAll(() => fs.rmSync(outdir, { recursive: true }));

interface Snippet {
  readonly where: string;
  readonly code: string;
  readonly alone: boolean;
}

function snippetsOf(file: string): Snippet[] {
  const text = fs.readFileSync(path.join(ROOT, file), 'utf8');
  return [...text.matchAll(/^```ts( nofixture)?\n(.*?)^```$/gms)].map(match => ({
    where: `${file}:${text.slice(0, match.index).split('\n').length}`,
    code: match[2],
    alone: match[1] !== undefined,
  }));
}

/** The YAML of what a snippet defines beside what it is given. */
function run({ code, alone }: Snippet): string {
  const app = new cdk8s.App({ outdir });
  const chart = new cdk8s.Chart(app, 'chart', { namespace: 'agents' });
  const runtime: library.SandboxContainer = { image: 'registry.example/image:1', port: 8888 };
  const template = new library.SandboxTemplate(chart, 'given-template', { containers: [runtime], isolation: library.Isolation.gvisor() });
  const pool = new library.SandboxWarmPool(chart, 'given-pool', { template });
  const given = { app, chart, runtime, template, pool, IMAGE: runtime.image };
  const program = transformSync(alone ? code : FIXTURE.replace('/// here', () => code), {
    jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
    module: { type: 'commonjs' },
  }).code;
  new Function('require', 'exports', 'given', program)((name: string) => MODULES[name], {}, given);
  return app.synthYaml();
}

describe.each(DOCUMENTS.filter(file => snippetsOf(file).some(({ alone }) => !alone)))('%s', file => {
  test.each(snippetsOf(file).filter(({ alone }) => !alone).map(snippet => [snippet.where, snippet] as const))('the snippet at %s works', (_where, snippet) => {
    const objects = parseAllDocuments(run(snippet)).map(document => document.toJS());
    expect(objects.every(object => typeof object.kind === 'string')).toBe(true);
  });
});

test('the first app of the readme writes three objects', () => {
  const first = snippetsOf('README.md').find(snippet => snippet.alone)!;
  const before = process.env.CDK8S_OUTDIR;
  process.env.CDK8S_OUTDIR = outdir;
  try {
    run(first);
  } finally {
    if (before === undefined) {
      delete process.env.CDK8S_OUTDIR;
    } else {
      process.env.CDK8S_OUTDIR = before;
    }
  }
  const objects = parseAllDocuments(fs.readFileSync(path.join(outdir, 'agents.k8s.yaml'), 'utf8')).map(document => document.toJS());
  expect(objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`)).toEqual([
    'SandboxTemplate agents/python', 'SandboxWarmPool agents/python-pool', 'SandboxClaim agents/ticket-42',
  ]);
});

test('the error messages of the readme are those of the library', () => {
  const text = fs.readFileSync(path.join(ROOT, 'README.md'), 'utf8');
  const chart = new cdk8s.Chart(new cdk8s.App({ outdir }), 'agents');
  expect(() => new library.SandboxTemplate(chart, 'python', {
    containers: [{ image: 'x', memory: '512 MB', securityContext: { privileged: true } }],
    isolation: library.Isolation.gvisor(),
  })).toThrow(text.match(/^```\n(2 problems:\n.*?)\n```$/ms)![1]);
});

test('links between documents lead to files and headings', () => {
  const all = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], { cwd: ROOT, encoding: 'utf8' }).trim().split('\n');
  // The references that are written from the compiled library have anchors of their own, and templates become documents elsewhere.
  const own = all.filter(file => !['API.md', 'docs/L1.md'].includes(file) && !/^(scripts|packages\/client\/templates)\//.test(file) && fs.existsSync(path.join(ROOT, file)));
  expect(own.length).toBeGreaterThan(60);
  expect(own.flatMap(file => deadLinks(ROOT, file))).toEqual([]);
});

test('links that lead nowhere are found', () => {
  fs.writeFileSync(path.join(outdir, 'b.md'), '# Two words, `code`\n\n# Same\n\n# Same\n');
  fs.writeFileSync(path.join(outdir, 'a.md'), '[1](b.md) [2](b.md#two-words-code) [3](b.md#same-1) [4](c.md) [5](b.md#none) [6](#none) `[7](d.md)` [8](https://example.com/none)\n');
  expect(deadLinks(outdir, 'a.md')).toEqual(['a.md: c.md', 'a.md: b.md#none', 'a.md: #none']);
});

test('the front page sets values that the chart has', () => {
  const chart = parse(fs.readFileSync(path.join(ROOT, 'chart', 'values.yaml'), 'utf8'));
  const settings = [...fs.readFileSync(path.join(ROOT, 'docs', 'index.md'), 'utf8').matchAll(/--set (\S+)/g)].flatMap(([, list]) => list.split(',').map(each => each.split('=')[0]));
  expect(settings.length).toBeGreaterThan(6);
  expect(settings.filter(setting => setting.split('.').reduce((value: any, key) => value?.[key], chart) === undefined)).toEqual([]);
});
