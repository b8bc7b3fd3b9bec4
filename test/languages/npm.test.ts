import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { artifact, cookbookManifests, describeRelease, emptyFolder, release, ROOT, run, start, TWO_PROBLEMS, written } from './release';
import { shownPrograms } from './shown';
import { freePort } from '../../testbed/src/ports';
import { waitFor } from '../../testbed/src/wait';

const TSC = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--moduleResolution', 'nodenext', '--target', 'es2022', '--lib', 'es2022,esnext.disposable', '--types', 'node'];

describeRelease('the npm packages of a release', [], () => {
  const folder = emptyFolder();

  beforeAll(() => {
    const made = release();
    fs.writeFileSync(path.join(folder, 'package.json'), '{ "private": true }');
    run(folder, 'npm', ['install', '--silent', '--no-audit', '--no-fund', 'cdk8s', 'cdk8s-plus-33', 'constructs', 'tsx', 'typescript@5', '@types/node@20',
      ...['api', 'kube', 'client'].map(name => artifact(made, new RegExp(`^npm/agent-sandbox-${name}-`))), artifact(made, /^npm\/cdk8s-agent-sandbox-/)]);
  }, 600_000);

  test.each(shownPrograms().map(({ name, typescript }) => [name, typescript]))('TypeScript of %s compiles and runs', (name, source) => {
    const own = path.join(folder, name.replace(/\W/g, '_'));
    fs.mkdirSync(own);
    fs.writeFileSync(path.join(own, 'main.ts'), source);
    run(own, 'npx', ['tsc', '--noEmit', '--strict', '--skipLibCheck', 'main.ts']);
    run(own, 'npx', ['tsx', 'main.ts']);
    expect(Object.keys(written(own)).length).toBeGreaterThan(0);
  });

  test('the library writes the cookbook, and says what is wrong', () => {
    const own = path.join(folder, 'cookbook');
    fs.mkdirSync(own);
    fs.copyFileSync(path.join(ROOT, 'examples', 'network-cookbook', 'main.ts'), path.join(own, 'main.ts'));
    run(own, 'npx', ['tsx', 'main.ts']);
    expect(written(own)).toEqual(cookbookManifests());
    expect(run(own, 'npx', ['agent-sandbox-check', 'dist'])).toContain('0 errors, 1 warnings');
    fs.writeFileSync(path.join(own, 'bad.js'), `
      const { App, Chart } = require('cdk8s');
      const { Isolation, SandboxTemplate } = require('cdk8s-agent-sandbox');
      new SandboxTemplate(new Chart(new App(), 'agents', { namespace: 'agents' }), 'python', {
        containers: [{ image: 'registry.example/python-runtime:1.0', memory: '512 MB', runAsUser: 0 }], isolation: Isolation.gvisor(),
      });`);
    expect(start(own, 'node', ['bad.js']).stderr).toContain(`Error: ${TWO_PROBLEMS}\n`);
  });

  test.each([
    ['agent-sandbox-api', 'nameHash', 'nameHash("a").length'],
    ['agent-sandbox-kube', 'ManualClock', 'typeof ManualClock'],
    ['agent-sandbox-client', 'SandboxClient', 'typeof SandboxClient'],
  ])('%s has code and types for ES modules and CommonJS', (name, exported, expression) => {
    const own = path.join(folder, name);
    fs.mkdirSync(own);
    fs.writeFileSync(path.join(own, 'a.mjs'), `import { ${exported} } from '${name}'; console.log(${expression});`);
    fs.writeFileSync(path.join(own, 'a.cjs'), `const { ${exported} } = require('${name}'); console.log(${expression});`);
    fs.writeFileSync(path.join(own, 'b.mts'), `import { ${exported} } from '${name}'; console.log(${expression});\n// @ts-expect-error: there is none\nimport { nothing } from '${name}';`);
    fs.writeFileSync(path.join(own, 'b.cts'), `import { ${exported} } from '${name}'; console.log(${expression});\n// @ts-expect-error: there is none\nimport { nothing } from '${name}';`);
    expect(run(own, 'node', ['a.mjs'])).toBe(run(own, 'node', ['a.cjs']));
    run(own, 'npx', ['tsc', ...TSC, 'b.mts', 'b.cts']);
  });

  test('the client has its command line', () => {
    expect(run(folder, 'npx', ['agent-sandbox', '--version'])).toBe(`agent-sandbox ${release().version}\n`);
  });

  test('a route of Next.js makes a sandbox and runs a command in it', async () => {
    const own = emptyApp({
      'package.json': '{ "private": true, "type": "module" }',
      'app/layout.tsx': 'export default function Layout({ children }: { children: React.ReactNode }) { return <html lang="en"><body>{children}</body></html>; }',
      'app/page.tsx': 'export default function Page() { return <p>app</p>; }',
      'app/run/route.ts': `
        import { RouterToken, SandboxClient, SandboxConnection } from 'agent-sandbox-client';
        export const dynamic = 'force-dynamic';
        export async function GET() {
          await using client = new SandboxClient({
            restApi: true, namespace: 'team', deleteOnExit: false,
            connection: SandboxConnection.direct({ url: process.env.ROUTER! }), token: RouterToken.fixed('token'),
          });
          await using sandbox = await client.create({ pool: 'python' });
          const { stdout } = await sandbox.commands.run('hello');
          return Response.json({ stdout });
        }`,
    });
    run(own, 'npm', ['install', '--silent', '--no-audit', '--no-fund', 'next@16', 'react@19', 'react-dom@19', 'typescript@5', '@types/react@19', '@types/node@20', artifact(release(), /^npm\/agent-sandbox-client-/)]);
    run(own, 'npx', ['next', 'build'], { NEXT_TELEMETRY_DISABLED: '1' });
    const seen: string[] = [];
    const events = [{ init: { processId: 1 } }, { stdout: Buffer.from('hello\n').toString('base64') }, { exit: { exitCode: 0 } }];
    // Router and runtime in one, as far as the route needs them.
    const router = createServer((request, response) => void request.resume().on('end', () => {
      seen.push(`${request.method} ${request.url!.split('?')[0]}`);
      if (request.url!.endsWith('/Start')) {
        response.end(events.map(event => `${JSON.stringify(event)}\n`).join(''));
      } else if (request.method === 'POST') {
        response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify({
          name: 'c', namespace: 'team', uid: 'u', state: 'Ready', reason: 'DependenciesReady', message: '', sandboxName: 'box', pool: 'python', labels: {}, createdAt: '2026-01-01T00:00:00Z',
        }));
      } else {
        response.writeHead(204).end();
      }
    }));
    await new Promise<void>(resolve => router.listen(0, '127.0.0.1', resolve));
    const port = await freePort();
    const { PATH, HOME } = process.env;
    const server = spawn(process.execPath, ['node_modules/next/dist/bin/next', 'start', '-p', String(port), '-H', '127.0.0.1'], {
      cwd: own, stdio: 'ignore', env: { PATH, HOME, NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1', ROUTER: `http://127.0.0.1:${(router.address() as AddressInfo).port}` },
    });
    try {
      const answer = await waitFor(() => fetch(`http://127.0.0.1:${port}/run`).catch(() => undefined), { what: 'the answer of Next.js', timeoutMs: 60_000 });
      expect([answer.status, await answer.json()]).toEqual([200, { stdout: 'hello\n' }]);
      expect(seen).toEqual(['POST /v1/sandboxes', 'POST /process.v1.ProcessService/Start', 'DELETE /v1/sandboxes/c']);
    } finally {
      server.kill('SIGKILL');
      router.closeAllConnections();
      router.close();
    }
  }, 600_000);
});

/** A folder of its own with these files: what is installed there is not seen by the others. */
function emptyApp(files: Readonly<Record<string, string>>): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'release-app-'));
  folders.push(folder);
  for (const [name, content] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    fs.writeFileSync(path.join(folder, name), content);
  }
  return folder;
}

const folders: string[] = [];
afterAll(() => folders.forEach(folder => fs.rmSync(folder, { recursive: true, force: true })));
