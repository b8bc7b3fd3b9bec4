import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { transformSync } from '@swc/core';
import * as cdk8s from 'cdk8s';
import * as library from 'cdk8s-agent-sandbox';
import * as kplus from 'cdk8s-plus-33';
import { parseAllDocuments } from 'yaml';

/**
 * Runs the snippets of the documents; that they compile is what scripts/check-snippets.ts says. The fixture declares what
 * snippets take for granted, and here it gets values.
 */
const ROOT = path.join(__dirname, '..');
const FIXTURE = fs.readFileSync(path.join(ROOT, 'rosetta', 'default.ts-fixture'), 'utf8').replace(/declare const (\w+): .*;/g, 'const $1 = given.$1;');
const MODULES: Record<string, unknown> = { 'cdk8s': cdk8s, 'cdk8s-plus-33': kplus, 'cdk8s-agent-sandbox': library };
const DOCUMENTS = ['README.md', ...fs.readdirSync(path.join(ROOT, 'docs', 'guide'), { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.md')).map(file => `docs/guide/${file}`)];

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

test('links between documents lead somewhere', () => {
  const writtenByTheBuild = ['API.md', 'docs/L1.md'];
  const documents = ['CONTRIBUTING.md', ...DOCUMENTS, ...fs.readdirSync(path.join(ROOT, 'examples')).map(name => `examples/${name}/README.md`)]
    .filter(file => fs.existsSync(path.join(ROOT, file)));
  const dead = documents.flatMap(file => [...fs.readFileSync(path.join(ROOT, file), 'utf8').matchAll(/\]\((?!https?:)([^)#]+)/g)]
    .map(match => path.normalize(path.join(path.dirname(file), match[1])))
    .filter(target => !writtenByTheBuild.includes(target) && !fs.existsSync(path.join(ROOT, target))).map(target => `${file}: ${target}`));
  expect(dead).toEqual([]);
});
