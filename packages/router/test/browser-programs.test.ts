import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { CertificateAuthority } from '../../../testbed/src/certificates.js';
import { CHROMIUM, missing, nodeOf, programFile, start, type ProgramName, type Running as Program } from './programs/programs.js';
import { FakeCluster, ask, eventually, freePort, startBackend, startRouter, type Running } from './support.js';

/** Programs that people use in a browser, in a real one, through the router with TLS: by host and by path. */
const TIMEOUT_MS = 240_000;
jest.setTimeout(TIMEOUT_MS);

const DOMAIN = 'sandboxes.test';
const TOKEN = 'ann-token';

interface Scene {
  readonly router: Running;
  readonly browser: Browser;
  readonly context: BrowserContext;
  readonly port: number;
  /** Address of a sandbox with an attacker's page. */
  readonly evil: string;
  /** Address by host, or by a path that stays in what the program gets. */
  byHost(path?: string): string;
  byPath(path?: string): string;
  readonly base: string;
  /** Address by a path that the program does not get. */
  byStrippedPath(): string;
  readonly strippedBase: string;
  close(): Promise<void>;
}

/** A router with TLS in front of a program on this machine, and a browser that finds the domain there. */
async function scene(name: string, port: number): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), 'router-browsers-'));
  const ca = await CertificateAuthority.create('tests');
  const { cert, key } = await ca.issue({ commonName: DOMAIN, serverNames: [DOMAIN, `*.${DOMAIN}`] });
  const write = (file: string, content: string) => {
    writeFileSync(join(folder, file), content);
    return join(folder, file);
  };
  const cluster = await FakeCluster.start();
  cluster.sandbox(name, { ports: [port] });
  const evil = await startBackend((_, response) => response.setHeader('content-type', 'text/html').end('<!doctype html><title>evil</title>'));
  cluster.sandbox('evil', { ports: [evil.port] });
  cluster.grants.add('ann create proxy default/evil');
  cluster.users.set(TOKEN, { username: 'ann' });
  cluster.grants.add(`ann create proxy default/${name}`);
  const router = await startRouter(cluster, [
    '--authz-mode=tokenreview', '--https-bind-address=127.0.0.1:0', `--tls-cert-file=${write('tls.crt', cert)}`, `--tls-key-file=${write('tls.key', key)}`, `--authz-cookie-key-file=${write('key', 'k'.repeat(32))}`,
    `--host-routing-domain=${DOMAIN}`, '--path-routing-prefix=/sandboxes', '--path-routing-unstripped-prefix=/raw',
  ]);
  await eventually('the sandbox', async () => (await ask(router.url, { headers: { 'authorization': `Bearer ${TOKEN}`, 'x-sandbox-id': name, 'x-sandbox-port': '1' } })).status === 403);
  const [, https] = router.router.ports as [number, number];
  const browser = await chromium.launch({
    executablePath: CHROMIUM, headless: true, chromiumSandbox: false, args: [`--host-resolver-rules=MAP *.test 127.0.0.1, MAP ${DOMAIN} 127.0.0.1`, '--disable-dev-shm-usage'],
  });
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  context.setDefaultTimeout(TIMEOUT_MS - 10_000);
  const base = `/raw/default/${name}/${port}`;
  const strippedBase = `/sandboxes/default/${name}/${port}/`;
  return {
    router, browser, context, port: https, base, strippedBase, evil: `https://evil--default--${evil.port}.${DOMAIN}:${https}/`,
    byHost: (path = '/') => `https://${name}--default--${port}.${DOMAIN}:${https}${path}`,
    byStrippedPath: () => `https://${DOMAIN}:${https}${strippedBase}`,
    byPath: (path = '/') => `https://${DOMAIN}:${https}${base}${path}`,
    close: async () => {
      await browser.close();
      await router.close(0);
      await evil.close();
      await cluster.api.stop();
    },
  };
}

const withToken = (address: string) => `${address}${address.includes('?') ? '&' : '?'}sandbox_token=${TOKEN}`;

/** `describe` for a program; where it is not installed, its tests are skipped by name. */
function describeProgram(name: ProgramName, suite: () => void): void {
  const reason = missing(name);
  (reason === undefined ? describe : describe.skip)(reason === undefined ? name : `${name} (${reason})`, suite);
}

/** A page of another sandbox, so of the same site, that tries to use one which its visitor has open. */
async function attacker({ context, evil }: Scene): Promise<Page> {
  const page = await context.newPage();
  await page.goto(withToken(evil));
  expect(await page.title()).toBe('evil');
  return page;
}

/** What the page of an attacker does; a text, since it runs in the browser. */
const ATTACK = `async (url) => {
  const tried = (act) => act().catch((error) => 'failed: ' + error.name);
  return {
    socket: await new Promise((resolve) => {
      const socket = new WebSocket(url.replace('https', 'wss'));
      socket.onopen = () => resolve('open');
      socket.onerror = () => resolve('refused');
    }),
    read: await tried(async () => (await fetch(url, { credentials: 'include' })).text()),
    post: await tried(async () => (await fetch(url, { method: 'POST', body: 'x', mode: 'no-cors', credentials: 'include' })).type),
    frame: await new Promise((resolve) => {
      const frame = document.createElement('iframe');
      frame.onload = () => {
        try {
          resolve(frame.contentDocument === null ? 'loaded elsewhere' : 'readable');
        } catch {
          resolve('loaded elsewhere');
        }
      };
      frame.src = url;
      document.body.append(frame);
    }),
  };
}`;

/** An attacker's page gets nothing from a sandbox. */
async function expectNothing(it: Scene, address: string, path: string): Promise<void> {
  const page = await attacker(it);
  const { accessLog } = it.router;
  accessLog.length = 0;
  const results: unknown = await page.evaluate(`(${ATTACK})(${JSON.stringify(address)})`);
  expect(results).toMatchObject({ socket: 'refused', read: expect.stringContaining('failed'), frame: 'loaded elsewhere' });
  const asked = await eventually('the lines', () => {
    const lines = accessLog.filter(line => line.path === path);
    return lines.length >= 4 && lines;
  });
  // The browser has sent the cookie along: it is the router that says no.
  expect(asked.map(({ status }) => status)).toEqual(asked.map(() => 403));
  await page.close();
}

describeProgram('vite', () => {
  const folder = mkdtempSync(join(tmpdir(), 'router-vite-'));
  const source = (text: string) => writeFileSync(join(folder, 'text.js'), `export const text = ${JSON.stringify(text)};\n`);
  let it: Scene;
  let server: Program;
  let port: number;

  async function serve(base: string): Promise<void> {
    source('one');
    server = start(process.execPath, [programFile('vite')!, '--host', '127.0.0.1', '--port', String(port), '--strictPort', '--base', base], folder);
    await eventually('the dev server', async () => /ready in/.test(server.output()) || (await ask(`http://127.0.0.1:${port}${base}`).then(({ status }) => status === 200, () => false)), 60_000);
  }

  beforeAll(async () => {
    writeFileSync(join(folder, 'index.html'), '<!doctype html><title>app</title><p id="text"></p><script type="module" src="./main.js"></script>');
    writeFileSync(join(folder, 'main.js'), "import { text } from './text.js';\nconst show = (value) => (document.getElementById('text').textContent = value);\nshow(text);\nimport.meta.hot.accept('./text.js', (next) => show(next.text));\n");
    writeFileSync(join(folder, 'vite.config.js'), `export default { server: { allowedHosts: ['.${DOMAIN}'], watch: { usePolling: true, interval: 100 } }, cacheDir: ${JSON.stringify(join(folder, 'cache'))} };\n`);
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    port = await freePort();
    it = await scene('vite', port);
  });
  afterEach(() => server.stop());
  afterAll(() => it.close());

  test.each(['host', 'path'])('by %s: a change of a file shows without a reload, and no other page gets in', async way => {
    await serve(way === 'host' ? '/' : `${it.base}/`);
    const address = way === 'host' ? it.byHost() : it.byPath();
    const page = await it.context.newPage();
    await page.goto(withToken(address));
    expect(page.url()).toBe(address);
    const shows = (text: string, timeout: number) => page.waitForFunction(`document.getElementById('text')?.textContent === '${text}'`, undefined, { timeout });
    await shows('one', 60_000);
    await page.evaluate('window.wasHere = true');
    // Again, if the socket was not open yet: changes are sent to open sockets only.
    await eventually('the change', async () => {
      source('two');
      return shows('two', 5_000).then(() => true, () => false);
    }, 60_000);
    expect(await page.evaluate('window.wasHere')).toBe(true);
    expect(await page.evaluate('document.cookie')).toBe('');
    await expectNothing(it, address, way === 'host' ? '/' : `${it.base}/`);
    await page.close();
  });
});

describeProgram('jupyterlab', () => {
  const folder = mkdtempSync(join(tmpdir(), 'router-jupyterlab-'));
  let it: Scene;
  let server: Program;
  let port: number;

  async function serve(base: string): Promise<void> {
    server = start(programFile('jupyterlab')!, [
      '--ip=127.0.0.1', `--port=${port}`, '--no-browser', '--allow-root', '--IdentityProvider.token=', '--ServerApp.allow_remote_access=True', `--ServerApp.base_url=${base}`,
    ], folder, { HOME: folder });
    await eventually('JupyterLab', () => ask(`http://127.0.0.1:${port}${base}api/status`).then(({ status }) => status === 200, () => false), TIMEOUT_MS / 2);
  }

  beforeAll(async () => {
    port = await freePort();
    it = await scene('jupyterlab', port);
  });
  afterEach(() => server.stop());
  afterAll(() => it.close());

  test.each(['host', 'path'])('by %s: a cell of a notebook runs, and no other page gets in', async way => {
    await serve(way === 'host' ? '/' : `${it.base}/`);
    const address = way === 'host' ? it.byHost('/lab') : it.byPath('/lab');
    const page = await it.context.newPage();
    await page.goto(withToken(`${address}?reset`));
    await page.locator('.jp-LauncherCard[data-category="Notebook"]').first().click();
    // It starts two kernels for a new notebook and ends one of them: what is asked of that one gets no answer.
    await page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').waitFor();
    await page.locator('.jp-Notebook .jp-Cell .cm-content').first().click();
    await page.keyboard.type("print(6 * 7, 'times')");
    await page.keyboard.press('Shift+Enter');
    await page.locator('.jp-OutputArea-output', { hasText: '42 times' }).first().waitFor();
    await expectNothing(it, address, way === 'host' ? '/lab' : `${it.base}/lab`);
    await page.close();
  });
});

describeProgram('code-server', () => {
  const folder = mkdtempSync(join(tmpdir(), 'router-code-server-'));
  let it: Scene;
  let server: Program;

  beforeAll(async () => {
    const port = await freePort();
    it = await scene('code-server', port);
    server = start(nodeOf('code-server'), [
      programFile('code-server')!, `--bind-addr=127.0.0.1:${port}`, '--auth=none', '--disable-telemetry', '--disable-update-check', '--disable-workspace-trust',
      `--user-data-dir=${join(folder, 'data')}`, folder,
    ], folder, { HOME: folder, SHELL: '/bin/sh' });
    await eventually('code-server', () => ask(`http://127.0.0.1:${port}/healthz`).then(({ status }) => status === 200, () => false), TIMEOUT_MS / 2);
  });
  afterAll(async () => {
    await server.stop();
    await it.close();
  });

  test.each(['host', 'path'])('by %s: a file is edited and a command runs, and no other page gets in', async way => {
    const file = `by-${way}.txt`;
    writeFileSync(join(folder, file), 'before\n');
    const address = way === 'host' ? it.byHost() : it.byStrippedPath();
    const page = await it.context.newPage();
    await page.goto(withToken(`${address}?folder=${folder}`));
    await page.locator('.monaco-workbench .explorer-folders-view').first().waitFor();
    await page.locator('.explorer-folders-view .monaco-list-row', { hasText: file }).first().dblclick();
    await page.locator('.editor-instance .view-lines', { hasText: 'before' }).first().click();
    await page.keyboard.press('Control+Home');
    await page.keyboard.type('edited ');
    await page.keyboard.press('Control+S');
    await eventually('the file to be saved', () => readFileSync(join(folder, file), 'utf8') === 'edited before\n', TIMEOUT_MS);
    await page.keyboard.press('Control+Backquote');
    await page.locator('.terminal .xterm-screen').first().click();
    await page.keyboard.type(`echo run > ran-${way}.txt\n`);
    await eventually('the command to run', () => existsSync(join(folder, `ran-${way}.txt`)), TIMEOUT_MS);
    await expectNothing(it, address, way === 'host' ? '/' : it.strippedBase);
    await page.close();
  });
});
