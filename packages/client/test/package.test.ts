import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, readdir, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));
const run = promisify(execFile);
const env = { PATH: process.env.PATH, HOME: '/nonexistent' };

/* What is published, in a project that has nothing else: its dependencies are those of this repository, and nothing of the workspace. */
describe('the npm package', () => {
  let project: string;

  const node = async (name: string, source: string) => {
    await writeFile(join(project, name), source);
    return (await run(process.execPath, ['--disable-warning=ExperimentalWarning', name], { cwd: project, env })).stdout;
  };

  beforeAll(async () => {
    project = await realpath(await mkdtemp(join(tmpdir(), 'package-')));
    const script = `import('./scripts/package-npm.ts').then(m => (m.packagePublished ?? m.default.packagePublished)('client', ${JSON.stringify(project)})).then(console.log)`;
    const { stdout } = await run(process.execPath, ['--import', 'tsx', '-e', script], { cwd: REPOSITORY, env: { PATH: process.env.PATH, HOME: project } });
    await run('tar', ['-xzf', stdout.trim(), '-C', project]);
    const target = join(project, 'node_modules', 'agent-sandbox-client');
    await cp(join(project, 'package'), target, { recursive: true });
    const { dependencies } = JSON.parse(await readFile(join(target, 'package.json'), 'utf8'));
    for (const name of Object.keys(dependencies)) {
      expect(name).not.toMatch(/^agent-sandbox-/);
      const link = join(project, 'node_modules', name);
      await mkdir(dirname(link), { recursive: true });
      await symlink(join(REPOSITORY, 'node_modules', name), link);
    }
  }, 240_000);
  afterAll(async () => rm(project, { recursive: true, force: true }));

  test('is an ES module whose entries share their classes', async () => {
    expect(await node('a.mjs', `
      import { SandboxClient, SandboxError, SandboxInputError } from 'agent-sandbox-client';
      import * as compat from 'agent-sandbox-client/compat';
      try { new SandboxClient({ port: 0 }); } catch (error) { console.log(error instanceof SandboxInputError, error.name); }
      console.log(compat.SandboxError === SandboxError, typeof compat.SandboxClient);`)).toBe('true SandboxInputError\ntrue function\n');
  });

  test('is CommonJS, too', async () => {
    expect(await node('a.cjs', `
      const { SandboxClient, SandboxConnection } = require('agent-sandbox-client');
      console.log(typeof SandboxClient, typeof SandboxConnection.tunnel, typeof require('agent-sandbox-client/compat').SandboxClient);`)).toBe('function function function\n');
  });

  test('works in a worker thread', async () => {
    expect(await node('b.mjs', `
      import { Worker, isMainThread, parentPort } from 'node:worker_threads';
      import { fileURLToPath } from 'node:url';
      if (isMainThread) { new Worker(fileURLToPath(import.meta.url)).on('message', console.log); }
      else { const { SandboxClient } = await import('agent-sandbox-client'); await new SandboxClient({ namespace: 'a' }).close(); parentPort.postMessage('closed'); }`)).toBe('closed\n');
  });

  test('has a command line', async () => {
    const { stdout } = await run(process.execPath, [join(project, 'node_modules/agent-sandbox-client/lib/main.js'), '--version'], { cwd: project, env });
    expect(stdout).toMatch(/^agent-sandbox \d+\.\d+\.\d+\n$/);
  });

  test('can be bundled', async () => {
    await writeFile(join(project, 'c.mjs'), 'import { SandboxClient } from "agent-sandbox-client"; console.log(typeof SandboxClient);');
    await run(join(REPOSITORY, 'node_modules/.bin/esbuild'), ['c.mjs', '--bundle', '--platform=node', '--format=cjs', '--outfile=c.out.cjs', '--log-level=error'], { cwd: project, env });
    expect((await run(process.execPath, ['c.out.cjs'], { cwd: project, env })).stdout).toBe('function\n');
  });

  test('has all declarations that its declarations import', async () => {
    const types = join(project, 'node_modules/agent-sandbox-client/types');
    const files = (await readdir(types, { recursive: true })).filter(file => file.endsWith('.d.ts'));
    const imported = await Promise.all(files.map(async file => [...(await readFile(join(types, file), 'utf8')).matchAll(/(?:from |import\()'(\.[^']+)\.js'/g)]
      .map(([, name]) => join(dirname(file), `${name}.d.ts`))));
    expect(files.length).toBeGreaterThan(0);
    expect(imported.flat().filter(file => !files.includes(file))).toEqual([]);
  });

  test.each([['nodenext', 'types.mts'], ['nodenext', 'types.cts'], ['node16', 'types.mts'], ['node16', 'types.cts'], ['bundler', 'types.ts']])('has types for %s resolution in %s', async (resolution, file) => {
    await writeFile(join(project, file), `
      import { SandboxClient, RouterToken, type ExecutionResult, type Forward } from 'agent-sandbox-client';
      import { SandboxClient as Compat, type DirectoryListing } from 'agent-sandbox-client/compat';
      export async function work(): Promise<[ExecutionResult, Forward, DirectoryListing]> {
        const client = new SandboxClient({ namespace: 'team', token: RouterToken.fixed('x') });
        const sandbox = await client.create({ pool: 'python', lifetime: { seconds: 60 } });
        // @ts-expect-error: a pool has a name
        await client.create({ pool: 1 });
        const other = await new Compat().createSandbox('python', undefined, { shutdownAfterSeconds: 60 });
        return [await sandbox.commands.run('ls', { timeoutMs: Infinity }), await sandbox.forward({ port: 80 }), await other.files.list('.')];
      }`);
    const module = resolution === 'bundler' ? 'esnext' : resolution;
    await run(process.execPath, [
      join(REPOSITORY, 'node_modules/typescript/bin/tsc'), '--noEmit', '--strict', '--skipLibCheck', '--target', 'es2022', '--lib', 'es2022,esnext.disposable', '--types', 'node', '--module', module,
      '--moduleResolution', resolution, '--ignoreConfig', file,
    ], { cwd: project, env }).catch(error => {
      throw new Error(`${error.message}${error.stdout}`);
    });
  });
});
