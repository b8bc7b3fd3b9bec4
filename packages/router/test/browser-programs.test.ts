import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { Cluster, staticCredentials } from 'agent-sandbox-kube';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { CertificateAuthority } from '../../../testbed/src/certificates.js';
import { RouterToken, SandboxClient, SandboxConnection } from '../../client/src/index.js';
import { CHROMIUM, missing, nodeOf, programFile, start, type ProgramName, type Running as Program } from './programs/programs.js';
import { FakeCluster, ask, eventually, freePort, startBackend, startRouter, type Running } from './support.js';

/**
 * Programs that people use in a browser, in a real one, through the router: by host and by path with TLS, and through the listener on
 * loopback of `agent-sandbox forward`. In each, the page of an attacker gets nothing.
 */
const TIMEOUT_MS = 240_000;
jest.setTimeout(TIMEOUT_MS);

const DOMAIN = 'sandboxes.test';
const TOKEN = 'ann-token';
const CLAIMS = '/apis/extensions.agents.x-k8s.io/v1beta1/sandboxclaims';
/** Folder for the pictures of the guide; without it, none are taken. */
const { AGENT_SCREENSHOTS } = process.env;

/** How a browser gets to a sandbox; a path is stripped if the program does not get the part that names the sandbox. */
type Way = 'host' | 'path' | 'stripped path' | 'forward';

/** A sandbox at an address of its own. */
interface Place {
  readonly way: Way;
  /** Address of a path in the program, without any secret. */
  address(path: string): string;
  /** Base path that the program has to have, with a slash at its end. */
  readonly base: string;
  /** Opens a path in a new tab: the first time, with what signs the browser in. */
  open(path: string): Promise<Page>;
  /** Address of an attacker's page. */
  readonly evil: string;
  close(): Promise<void>;
}

interface Scene {
  readonly router: Running;
  /** Name of the Sandbox. */
  readonly name: string;
  at(way: Way): Promise<Place>;
  close(): Promise<void>;
}

/** A router in front of a program on this machine, and a browser that finds its domain there. */
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
  cluster.api.put(CLAIMS, {
    metadata: { namespace: 'default', name }, spec: { warmPoolRef: { name: 'pool' } },
    status: { sandbox: { name }, conditions: [{ type: 'Ready', status: 'True', reason: 'DependenciesReady' }] },
  });
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
  const browser: Browser = await chromium.launch({
    executablePath: CHROMIUM, headless: true, chromiumSandbox: false, args: [`--host-resolver-rules=MAP *.test 127.0.0.1, MAP ${DOMAIN} 127.0.0.1`, '--disable-dev-shm-usage'],
  });
  const context: BrowserContext = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1000, height: 600 } });
  // A step that hangs is named, rather than the test that runs out of time.
  context.setDefaultTimeout(TIMEOUT_MS / 3);
  const connection = new Cluster({ credentials: staticCredentials({ server: cluster.api.url }), userAgent: 'test/1.0' });
  const client = new SandboxClient({ cluster: connection, namespace: 'default', connection: SandboxConnection.direct({ url: router.url }), token: RouterToken.fixed(TOKEN) });

  const visit = async (address: string) => {
    const page = await context.newPage();
    await page.goto(address);
    return page;
  };

  /** Below the router: another sandbox is of the same site, so the browser sends the session along with what its pages ask for. */
  const behindRouter = (way: Way, origin: string, prefix: string): Place => {
    const base = `${prefix}/default/${name}/${port}`;
    const address = (path: string) => `${origin}${way === 'host' ? '' : base}${path}`;
    return {
      way, address, base: way === 'path' ? `${base}/` : '/', evil: withToken(`https://evil--default--${evil.port}.${DOMAIN}:${https}/`),
      open: async path => {
        const page = await visit(withToken(address(path)));
        expect(page.url()).not.toContain(TOKEN);
        return page;
      },
      close: async () => undefined,
    };
  };

  const forwarded = async (): Promise<Place> => {
    const forward = await (await client.get(name)).forward({ port });
    const url = new URL(forward.url);
    return {
      way: 'forward', base: '/', evil: `http://evil.localhost:${evil.port}/`,
      address: path => `${url.origin}${path}`,
      open: async path => {
        const page = await visit(`${url.origin}${path}${path.includes('?') ? '&' : '?'}${url.search.slice(1)}`);
        expect(page.url()).not.toContain(url.search.slice(1));
        return page;
      },
      close: () => forward.close(),
    };
  };

  return {
    router, name,
    at: async way => (way === 'forward' ? forwarded()
      : way === 'host' ? behindRouter(way, `https://${name}--default--${port}.${DOMAIN}:${https}`, '')
        : behindRouter(way, `https://${DOMAIN}:${https}`, way === 'path' ? '/raw' : '/sandboxes')),
    close: async () => {
      await browser.close();
      await client.close();
      await connection.close();
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

/** Takes a picture for the guide, by one way of each program. */
async function picture(page: Page, { way }: Place, name: ProgramName): Promise<void> {
  if (AGENT_SCREENSHOTS !== undefined && way === 'host') {
    mkdirSync(AGENT_SCREENSHOTS, { recursive: true });
    await page.screenshot({ path: join(AGENT_SCREENSHOTS, `${name}.png`) });
  }
}

/** What the page of an attacker does; a text, since it runs in the browser. */
const ATTACK = `async (url) => {
  const tried = (act) => act().catch((error) => 'failed: ' + error.name);
  return {
    socket: await new Promise((resolve) => {
      const socket = new WebSocket(url.replace(/^http/, 'ws'));
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

/** A path that no program has, so that each request for it in the log is one of a test. */
const ATTACKED = '/attacked';

/** The page of an attacker gets nothing from a sandbox that its visitor has open, though the sandbox's own page does. */
async function expectNothing({ router: { accessLog, log }, name }: Scene, place: Place, own: Page): Promise<void> {
  const asked = () => accessLog.filter(({ path, sandbox_id }) => sandbox_id === name && path.endsWith(ATTACKED)).map(({ status }) => status as number);
  const address = place.address(ATTACKED);
  accessLog.length = 0;
  const status = await own.evaluate(`fetch(${JSON.stringify(address)}).then(({ status }) => status)`);
  expect(status).not.toBe(403);
  await eventually('the line of the own page', () => asked().length === 1);
  const page = await own.context().newPage();
  await page.goto(place.evil);
  expect(await page.title()).toBe('evil');
  accessLog.length = 0;
  const results: unknown = await page.evaluate(`(${ATTACK})(${JSON.stringify(address)})`);
  expect(results).toMatchObject({ socket: 'refused', read: expect.stringContaining('failed'), frame: 'loaded elsewhere' });
  if (place.way === 'forward') {
    // The listener itself says no.
    expect(asked()).toEqual([]);
  } else {
    // The browser has sent the session along: it is the router that says no.
    await eventually('the lines', () => asked().length >= 4);
    expect(asked()).toEqual(asked().map(() => 403));
  }
  expect(JSON.stringify([accessLog, log])).not.toContain(TOKEN);
  await page.close();
}

/** Ends the visit of a program with the attack on it. */
async function end(it: Scene, place: Place, page: Page): Promise<void> {
  await expectNothing(it, place, page);
  await page.close();
  await place.close();
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

  test.each<Way>(['host', 'path', 'forward'])('by %s: a change of a file shows without a reload, and no other page gets in', async way => {
    const place = await it.at(way);
    await serve(place.base);
    const page = await place.open('/');
    expect(page.url()).toBe(place.address('/'));
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
    await end(it, place, page);
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

  test.each<Way>(['host', 'path', 'forward'])('by %s: a cell of a notebook runs, and no other page gets in', async way => {
    const place = await it.at(way);
    await serve(place.base);
    const page = await place.open('/lab?reset');
    await page.locator('.jp-LauncherCard[data-category="Notebook"]').first().click();
    // It starts two kernels for a new notebook and ends one of them: what is asked of that one gets no answer.
    await page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').waitFor();
    await page.locator('.jp-Notebook .jp-Cell .cm-content').first().click();
    await page.keyboard.type("print(6 * 7, 'times')");
    await eventually('the output', () => {
      void page.keyboard.press('Control+Enter');
      return page.locator('.jp-OutputArea-output', { hasText: '42 times' }).first().waitFor({ timeout: 10_000 }).then(() => true, () => false);
    }, TIMEOUT_MS / 2);
    await picture(page, place, 'jupyterlab');
    await end(it, place, page);
  });
});

describeProgram('novnc', () => {
  const folder = mkdtempSync(join(tmpdir(), 'router-novnc-'));
  const programs: Program[] = [];
  let it: Scene;

  beforeAll(async () => {
    const [port, vncPort] = [await freePort(), await freePort()];
    it = await scene('novnc', port);
    const screen = start('Xtigervnc', ['-displayfd', '1', '-rfbport', String(vncPort), '-localhost', '-SecurityTypes', 'None', '-geometry', '1000x560', '-depth', '24', '-desktop', 'sandbox'], folder);
    programs.push(screen);
    const display = await eventually('the display', () => /^(\d+)$/m.exec(screen.output())?.[1]);
    programs.push(
      start('xterm', ['-display', `:${display}`, '-geometry', '100x30+120+60', '-fa', 'Monospace', '-e', '/bin/sh'], folder, { HOME: folder, PS1: 'sandbox$ ' }),
      start('websockify', ['--web', '/usr/share/novnc', `127.0.0.1:${port}`, `127.0.0.1:${vncPort}`], folder),
    );
    await eventually('websockify', () => ask(`http://127.0.0.1:${port}/vnc.html`).then(({ status }) => status === 200, () => false), TIMEOUT_MS / 2);
  });
  afterAll(async () => {
    await Promise.all(programs.map(program => program.stop()));
    await it.close();
  });

  test.each<Way>(['host', 'stripped path', 'forward'])('by %s: the desktop is painted and takes keys, and no other page gets in', async way => {
    const place = await it.at(way);
    const socket = new URL(place.address('/websockify')).pathname.slice(1);
    const page = await place.open(`/vnc.html?autoconnect=true&path=${socket}`);
    // A desktop that is painted has more than one color.
    await page.waitForFunction(`(() => {
      const canvas = document.querySelector('#noVNC_container canvas');
      const pixels = canvas && canvas.width > 300 ? new Uint32Array(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer) : [];
      return new Set(pixels).size > 1;
    })()`);
    const file = `typed-${way.replace(' ', '-')}.txt`;
    await page.locator('#noVNC_container canvas').click({ position: { x: 300, y: 200 } });
    await page.keyboard.type(`echo Hello from a desktop > ${file}; cat ${file}\n`, { delay: 5 });
    await eventually('what was typed', () => existsSync(join(folder, file)) && readFileSync(join(folder, file), 'utf8') === 'Hello from a desktop\n', TIMEOUT_MS / 2);
    // Its message that it has connected goes away by itself.
    await page.locator('#noVNC_status.noVNC_open').waitFor({ state: 'detached' });
    await picture(page, place, 'novnc');
    await end(it, place, page);
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

  test.each<Way>(['host', 'stripped path', 'forward'])('by %s: a file is edited and a command runs, and no other page gets in', async way => {
    const [file, ran] = [`${way.replace(' ', '-')}.txt`, `ran-by-${way.replace(' ', '-')}`];
    writeFileSync(join(folder, file), 'before\n');
    const place = await it.at(way);
    const page = await place.open(`/?folder=${folder}`);
    await page.locator('.monaco-workbench .explorer-folders-view').first().waitFor();
    await page.locator('.explorer-folders-view .monaco-list-row', { hasText: file }).first().dblclick();
    await page.locator('.editor-instance .view-lines', { hasText: 'before' }).first().click();
    await page.keyboard.press('Control+Home');
    await page.keyboard.type('edited ');
    await page.keyboard.press('Control+S');
    await eventually('the file to be saved', () => readFileSync(join(folder, file), 'utf8') === 'edited before\n', TIMEOUT_MS);
    await page.keyboard.press('Control+Backquote');
    await page.locator('.terminal .xterm-screen').first().click();
    await page.keyboard.type(`echo run > ${ran}\n`);
    await eventually('the command to run', () => existsSync(join(folder, ran)), TIMEOUT_MS);
    await end(it, place, page);
  });
});
