import { existsSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { type IncomingHttpHeaders, type Server, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type Browser, type Page, chromium } from 'playwright-core';
import { WebSocket, WebSocketServer } from 'ws';
import { SandboxConnection } from '../src/connection/index.js';
import type { Forward } from '../src/forward/forward.js';
import { RouterToken } from '../src/tokens.js';
import { CommandLine, ended } from './command-line.js';
import { Bench } from './support.js';

const CHROMIUM = process.env.AGENT_CHROMIUM ?? '/usr/bin/chromium';

/** A program in a sandbox with a page, and the router before it: it tells what arrives. */
class App {
  public readonly arrived: { method: string; url: string; headers: IncomingHttpHeaders }[] = [];
  public status = 200;
  public server!: Server;
  private sockets!: WebSocketServer;

  public async start(port = 0): Promise<this> {
    this.server = createServer((incoming, response) => {
      this.arrived.push({ method: incoming.method!, url: incoming.url!, headers: incoming.headers });
      if (incoming.url === '/redirect') {
        response.writeHead(302, { location: `${this.url}/target` }).end();
        return;
      }
      response.writeHead(this.status, { 'content-type': 'text/html', 'set-cookie': ['app=1; Path=/', 'agent-sandbox-forward=stolen; Path=/'] }).end(`
        <title>app</title><p id="path">${incoming.url}</p><script>
          const socket = new WebSocket('ws://' + location.host + '/socket');
          socket.onmessage = ({ data }) => (document.title = data);
        </script>`);
    });
    this.sockets = new WebSocketServer({ server: this.server });
    this.sockets.on('connection', (socket, incoming) => {
      this.arrived.push({ method: 'UPGRADE', url: incoming.url!, headers: incoming.headers });
      socket.send('hello');
      socket.on('message', data => socket.send(`echo ${data}`));
    });
    await new Promise<void>(resolve => this.server.listen(port, '127.0.0.1', resolve));
    return this;
  }

  public get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  public get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  public async stop(): Promise<void> {
    this.sockets.clients.forEach(client => client.terminate());
    this.server.closeAllConnections();
    await new Promise(resolve => this.server.close(resolve));
  }
}

let app: App;
let bench: Bench;
let forward: Forward;
let url: URL;

beforeEach(async () => {
  app = await new App().start();
  bench = await Bench.start({ connection: SandboxConnection.direct({ url: app.url }), token: RouterToken.fixed('router-token') });
  bench.exists('box');
  forward = await (await bench.client.get('box')).forward({ port: 8080 });
  url = new URL(forward.url);
});
afterEach(async () => {
  await forward.close();
  await bench[Symbol.asyncDispose]();
  await app.stop();
});

interface Got {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Sends exactly these headers to the listener. */
function send(path: string, headers: Record<string, string> = {}, method = 'GET', body?: string): Promise<Got> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port: forward.listenPort, path, method, headers: { host: url.host, ...headers }, agent: false }, async response => {
      resolve({ status: response.statusCode!, headers: response.headers, body: (await response.toArray()).join('') });
    });
    sent.on('error', reject).end(body);
  });
}

const NAVIGATION = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', 'sec-fetch-site': 'none' };
const signIn = async () => {
  const { headers } = await send(url.pathname + url.search, NAVIGATION);
  return headers['set-cookie']![0].split(';')[0];
};
const key = () => url.searchParams.get('agent-sandbox-key')!;

describe('the address', () => {
  test('is at a host of its own, and its key opens a session and goes away', async () => {
    expect(url.hostname).toMatch(/^[0-9a-f]{16}\.localhost$/);
    const { status, headers } = await send(`/a%2Fb?x=%20&agent-sandbox-key=${key()}&y`, NAVIGATION);
    expect([status, headers.location, headers['cache-control'], headers['referrer-policy']]).toEqual([302, '/a%2Fb?x=%20&y', 'no-store', 'no-referrer']);
    expect(headers['set-cookie']).toEqual([expect.stringMatching(/^agent-sandbox-forward=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/)]);
    expect(headers['set-cookie']![0]).not.toContain(key());
    expect(app.arrived).toEqual([]);
  });

  test('sends browsers that come by another name to that host first, without a cookie', async () => {
    const { status, headers } = await send(url.pathname + url.search, { ...NAVIGATION, host: `localhost:${forward.listenPort}` });
    expect([status, headers.location, headers['set-cookie']]).toEqual([302, forward.url, undefined]);
    expect(app.arrived).toEqual([]);
  });

  test('gives what the sandbox answers, with the headers of the router and without our own', async () => {
    const { status, body, headers } = await send('/a%2Fb?x=1', {
      'cookie': `mine=1; ${await signIn()}; other=2`, 'authorization': 'Basic x', 'x-sandbox-id': 'another', 'x-forwarded-host': 'evil.example', 'connection': 'x-hop', 'x-hop': '1', 'x-own': 'kept',
    });
    expect([status, body.includes('/a%2Fb?x=1')]).toEqual([200, true]);
    expect(headers['set-cookie']).toEqual(['app=1; Path=/']);
    const [{ url: path, headers: seen }] = app.arrived;
    expect([path, seen.cookie, seen.authorization, seen['x-sandbox-id'], seen['x-sandbox-port'], seen['x-own'], seen['x-hop'], seen['x-forwarded-host']])
      .toEqual(['/a%2Fb?x=1', 'mine=1; other=2', 'Bearer router-token', 'warm-1', '8080', 'kept', undefined, undefined]);
  });

  test('is used by programs with the key in each request, which does not reach the sandbox', async () => {
    expect((await send(`/a?agent-sandbox-key=${key()}`, {}, 'POST', 'body')).status).toBe(200);
    expect((await send('/b', { 'host': `127.0.0.1:${forward.listenPort}`, 'x-agent-sandbox-key': key() })).status).toBe(200);
    expect(JSON.stringify(app.arrived)).not.toContain(key());
    expect(app.arrived.map(({ method, url: path }) => `${method} ${path}`)).toEqual(['POST /a', 'GET /b']);
  });

  test('keeps what the sandbox redirects to below it, and host and origin agree there', async () => {
    const cookie = await signIn();
    expect((await send('/redirect', { cookie })).headers.location).toBe('/target');
    await send('/a', { cookie, origin: url.origin }, 'POST');
    expect(app.arrived.at(-1)!.headers).toMatchObject({ host: `127.0.0.1:${app.port}`, origin: app.url });
  });
});

describe('refuses', () => {
  const attacks: [string, (cookie: string) => Promise<Got>, number][] = [
    ['no key', () => send('/'), 403],
    ['a wrong key', () => send('/?agent-sandbox-key=x'), 403],
    ['an empty key', () => send('/?agent-sandbox-key='), 403],
    ['two keys', () => send(`/?agent-sandbox-key=${key()}&agent-sandbox-key=x`), 403],
    ['the key as a cookie', () => send('/', { cookie: `agent-sandbox-forward=${key()}` }), 403],
    ['the cookie as a key', cookie => send(`/?agent-sandbox-key=${cookie.split('=')[1]}`), 403],
    ['a wrong cookie', () => send('/', { cookie: 'agent-sandbox-forward=x' }), 403],
    ['a name that leads here by other DNS', cookie => send('/', { cookie, host: `evil.example:${forward.listenPort}` }), 421],
    ['another name below localhost', cookie => send('/', { cookie, host: `evil.localhost:${forward.listenPort}` }), 421],
    ['another port in the host', cookie => send('/', { cookie, host: url.hostname }), 421],
    ['the cookie at 127.0.0.1, where other servers get cookies too', cookie => send('/', { cookie, host: `127.0.0.1:${forward.listenPort}` }), 403],
    ['a form of another page', cookie => send('/', { cookie, 'origin': 'http://127.0.0.1:1', 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }, 'POST'), 403],
    ['a fetch of another page', cookie => send('/', { cookie, 'origin': 'http://evil.example' }), 403],
    ['an opaque origin', cookie => send('/', { cookie, origin: 'null' }, 'POST'), 403],
    ['an image in another page', cookie => send('/', { cookie, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }), 403],
    ['a frame in another page', cookie => send('/', { cookie, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }), 403],
    ['a page of another port of the host', cookie => send('/', { cookie, 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }), 403],
    ['the key in a fetch of another page', () => send(`/?agent-sandbox-key=${key()}`, { origin: 'http://evil.example' }), 403],
  ];
  test.each(attacks)('%s', async (_, attack, status) => {
    const got = await attack(await signIn());
    expect(got.status).toBe(status);
    expect(got.body + JSON.stringify(got.headers)).not.toContain(key());
    expect(app.arrived).toEqual([]);
  });

  test.each<[string, (cookie: string) => Record<string, string>]>([
    ['without a cookie', () => ({ origin: url.origin })],
    ['of another page', cookie => ({ cookie, origin: 'http://evil.example' })],
    ['without an origin', cookie => ({ cookie })],
  ])('a WebSocket %s', async (_, headers) => {
    const socket = new WebSocket(`ws://127.0.0.1:${forward.listenPort}/socket`, { headers: { host: url.host, ...headers(await signIn()) } });
    await expect(new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject))).rejects.toThrow('403');
    expect(app.arrived).toEqual([]);
  });

  test.each([{ port: 0 }, { port: 70_000 }, { port: 80, path: 'x' }])('%j', async options => {
    await expect((await bench.client.get('box')).forward(options)).rejects.toThrow(/port is|path is/);
  });
});

describe('survives', () => {
  test('a router that is away for a while', async () => {
    const cookie = await signIn();
    const { port } = app;
    await app.stop();
    const waiting = send('/late', { cookie });
    await new Promise(resolve => setTimeout(resolve, 300));
    await app.start(port);
    expect((await waiting).body).toContain('/late');
  });

  test('a sandbox that does not answer: the page asks again, programs get the status', async () => {
    const cookie = await signIn();
    app.status = 502;
    const pageOf = await send('/', { ...NAVIGATION, cookie });
    expect([pageOf.status, pageOf.headers.refresh, pageOf.body.includes('suspended')]).toEqual([503, '2', true]);
    expect((await send('/', { cookie })).status).toBe(502);
    app.status = 200;
    expect((await send('/', { ...NAVIGATION, cookie })).status).toBe(200);
  });

  test('nothing of it after it was closed', async () => {
    await forward.close();
    await expect(send('/')).rejects.toThrow('ECONNREFUSED');
  });
});

(existsSync(CHROMIUM) ? describe : describe.skip)('in a browser', () => {
  let browser: Browser;
  let page: Page;
  beforeEach(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu', '--no-proxy-server'] });
    page = await (await browser.newContext()).newPage();
  });
  afterEach(async () => browser.close());

  test('opens a page with a WebSocket, and the key is nowhere', async () => {
    await page.goto(forward.url);
    await page.waitForFunction('document.title === "hello"');
    expect(page.url()).toBe(`${url.origin}/`);
    expect(await page.evaluate('document.cookie')).toBe('app=1');
    const socket = app.arrived.find(({ method }) => method === 'UPGRADE')!;
    expect(socket.headers).toMatchObject({ host: `127.0.0.1:${app.port}`, origin: app.url, authorization: 'Bearer router-token' });
    expect(JSON.stringify(app.arrived)).not.toContain(key());
  });

  test('waits for a sandbox that is resumed, by itself', async () => {
    app.status = 503;
    await page.goto(forward.url);
    expect(await page.title()).toBe('The sandbox does not answer');
    app.status = 200;
    // The page of the forward allows no scripts, so the title is asked for from outside.
    while (await page.title().catch(() => '') !== 'hello') {
      await new Promise(resolve => setTimeout(resolve, 100));
    }
  });

  test('keeps other pages of the same browser out', async () => {
    await page.goto(forward.url);
    const before = app.arrived.length;
    const stranger = createServer((_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<title>evil</title>'));
    await new Promise<void>(resolve => stranger.listen(0, '127.0.0.1', resolve));
    try {
      const evil = await page.context().newPage();
      await evil.goto(`http://127.0.0.1:${(stranger.address() as AddressInfo).port}/`);
      const results = await evil.evaluate(`Promise.all([
        fetch('${url.origin}/fetch', { credentials: 'include' }).then(r => r.text(), String),
        fetch('${url.origin}/post', { credentials: 'include', mode: 'no-cors', method: 'POST', body: 'x' }).then(r => r.type, String),
        new Promise(resolve => { const i = new Image(); i.onload = i.onerror = e => resolve(e.type); i.src = '${url.origin}/image'; }),
        new Promise(resolve => { const s = new WebSocket('ws://${url.host}/socket'); s.onopen = s.onerror = e => resolve(e.type); }),
        new Promise(resolve => { const f = document.createElement('iframe'); f.onload = () => resolve('loaded'); f.src = '${url.origin}/frame'; document.body.append(f); }),
      ])`) as string[];
      expect(results).toEqual([expect.stringContaining('TypeError'), 'opaque', 'error', 'error', 'loaded']);
      expect(app.arrived.slice(before).filter(({ url: path }) => !['/', '/socket', '/favicon.ico'].includes(path))).toEqual([]);
    } finally {
      stranger.closeAllConnections();
      stranger.close();
    }
  });
});

describe('the command line', () => {
  test('forward prints the address until it is interrupted; open gives the browser a file that leads there', async () => {
    await using commandLine = await CommandLine.build();
    const opened = join(commandLine.dir, 'opened');
    const browser = join(commandLine.dir, 'browser');
    await writeFile(browser, `#!/bin/sh\ncp -p "$1" ${opened}.tmp && mv ${opened}.tmp ${opened}\n`, { mode: 0o755 });
    const start = async (...args: string[]) => {
      const child = await commandLine.start([...args, '--url', app.url], bench, { env: { BROWSER: browser, AGENT_SANDBOX_ROUTER_TOKEN: 'router-token' } });
      const end = ended(child);
      const address = String(await new Promise(resolve => child.stdout!.once('data', resolve))).trim();
      return { child, end, address };
    };
    const first = await start('open', 'box', '8080', '--path', '/x?y=1#z', '--quiet');
    expect(first.address).toMatch(/^http:\/\/[0-9a-f]{16}\.localhost:\d+\/x\?y=1&agent-sandbox-key=[\w-]{43}#z$/);
    while (!existsSync(opened)) {
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    // Only this user can read it: it was copied with its mode.
    expect((await stat(opened)).mode & 0o777).toBe(0o600);
    expect((await readFile(opened, 'utf8')).replaceAll('&#38;', '&')).toContain(`url=${first.address}"`);
    first.child.kill('SIGINT');
    expect((await first.end).code).toBe(130);
    // Without a port, the Pod says which.
    bench.api.put('/api/v1/pods', { metadata: { namespace: 'team', name: 'warm-1' }, spec: { containers: [{ name: 'a', ports: [{ containerPort: 8888 }, { containerPort: 3000 }] }] } });
    const second = await start('forward', 'box', '--json');
    expect(JSON.parse(second.address)).toMatchObject({ port: 3000 });
    second.child.kill('SIGTERM');
    expect((await second.end).code).toBe(143);
  });
});
