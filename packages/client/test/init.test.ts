import { execFile } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse, parseAllDocuments } from 'yaml';
import { writeApp } from '../src/cli/init.js';
import { main } from '../src/cli/program.js';

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));
const run = promisify(execFile);

/** Runs `agent-sandbox init` as a program without a cluster. */
async function init(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const code = await main(['init', ...args], { stdin: new PassThrough() as never, stdout: stdout as never, stderr: stderr as never, env: {} });
  return { code, out: String(stdout.read() ?? ''), err: String(stderr.read() ?? '') };
}

/* The app that users start with, in an empty folder; the library is that of this tree, and its types are checked with the tree's. */
describe('agent-sandbox init', () => {
  let work: string;
  let app: string;
  const tsx = (...args: string[]) => run(process.execPath, ['--import', 'tsx', ...args], { cwd: app, env: { PATH: process.env.PATH, TSX_TSCONFIG_PATH: join(app, 'tsconfig.test.json') } });

  beforeAll(async () => {
    work = await realpath(await mkdtemp(join(tmpdir(), 'init-')));
    app = join(work, 'agents');
    const { code, out, err } = await init(app);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out.split('\n').filter(line => line !== '').map(file => file.slice(app.length + 1)).sort()).toEqual([
      '.github/workflows/manifests.yml', '.gitignore', 'README.md', 'app.ts', 'main.ts', 'package.json', 'policy.test.ts', 'tsconfig.json',
    ]);
    for (const name of ['cdk8s', 'constructs', 'tsx', '@types/node', 'yaml']) {
      await mkdir(dirname(join(app, 'node_modules', name)), { recursive: true });
      await symlink(join(REPOSITORY, 'node_modules', name), join(app, 'node_modules', name));
    }
    await writeFile(join(app, 'tsconfig.test.json'), JSON.stringify({ extends: './tsconfig.json', compilerOptions: { paths: { 'cdk8s-agent-sandbox': [join(REPOSITORY, 'src/index.ts')] } } }));
  }, 120_000);
  afterAll(async () => rm(work, { recursive: true, force: true }));

  test('writes manifests', async () => {
    await tsx('main.ts');
    const objects = parseAllDocuments(readFileSync(join(app, 'dist', 'agents.k8s.yaml'), 'utf8')).map(document => document.toJS().kind);
    expect(objects).toEqual(expect.arrayContaining(['Namespace', 'SandboxTemplate', 'SandboxWarmPool', 'SandboxClaim']));
  }, 120_000);

  test('keeps what its tests promise', async () => {
    const { stdout } = await tsx('--test', 'policy.test.ts');
    expect(stdout).toMatch(/pass 2\b/);
  }, 120_000);

  test('has a workflow that runs the scripts of its package, with pinned actions', () => {
    const { jobs, permissions } = parse(readFileSync(join(app, '.github', 'workflows', 'manifests.yml'), 'utf8'));
    const { scripts } = JSON.parse(readFileSync(join(app, 'package.json'), 'utf8'));
    const steps: Array<{ uses?: string; run?: string }> = jobs.manifests.steps;
    expect(permissions).toEqual({ contents: 'read' });
    expect(steps.flatMap(({ uses }) => uses ?? []).every(uses => /@[0-9a-f]{40}$/.test(uses))).toBe(true);
    expect(steps.flatMap(({ run: line = '' }) => /^npm (?:run )?(\w+)$/.exec(line)?.[1] ?? []).filter(name => name !== 'install' && !(name in scripts))).toEqual([]);
  });

  describe('--language python', () => {
    let python: string;
    beforeAll(async () => {
      python = join(work, 'python');
      expect(await init('--language', 'python', python)).toMatchObject({ code: 0, err: '' });
    });
    const text = (...parts: string[]) => readFileSync(join(python, ...parts), 'utf8');

    test('writes the same app, with tests and a workflow of the same commands as its README', () => {
      expect(readdirSync(python).sort()).toEqual(['.github', '.gitignore', 'README.md', 'app.py', 'main.py', 'requirements.txt', 'test_policy.py']);
      const { jobs, permissions } = parse(text('.github', 'workflows', 'manifests.yml'));
      const steps: Array<{ uses?: string; run?: string }> = jobs.manifests.steps;
      expect(permissions).toEqual({ contents: 'read' });
      expect(steps.flatMap(({ uses }) => uses ?? []).every(uses => /@[0-9a-f]{40}$/.test(uses))).toBe(true);
      const commands = steps.flatMap(({ run: line }) => line ?? []).slice(0, -1);
      expect(commands).toEqual(['pip install -r requirements.txt', 'python main.py', 'agent-sandbox-check dist', 'python -m unittest']);
      expect(commands.filter(line => !text('README.md').includes(`\n${line}`))).toEqual([]);
    });

    test('names every class that the app in TypeScript names, as Python does', () => {
      const classes = (source: string) => new Set([...source.matchAll(/\b((?:[A-Z][a-z]+)+)[.(]/g)].map(([, name]) => name));
      const typescript = classes(readFileSync(join(app, 'app.ts'), 'utf8'));
      expect(typescript.size).toBeGreaterThan(7);
      expect(classes(text('app.py'))).toEqual(new Set([...typescript, 'SandboxContainer', 'SandboxNamespaceQuota']));
    });

    test('asks for the constructs of its own release', () => {
      writeApp(join(work, 'released'), '0.3.1', 'python');
      expect(readFileSync(join(work, 'released', 'requirements.txt'), 'utf8')).toBe('cdk8s-agent-sandbox~=0.3.1\n');
    });
  });

  test('writes nothing where a file is there already', async () => {
    const other = join(work, 'other');
    await mkdir(other);
    await writeFile(join(other, 'app.ts'), 'mine');
    const { code, err } = await init(other);
    expect(code).toBe(2);
    expect(err).toContain('app.ts exists already: name an empty or new folder');
    expect(readdirSync(other)).toEqual(['app.ts']);
    expect(existsSync(join(other, 'main.ts'))).toBe(false);
  });
});
