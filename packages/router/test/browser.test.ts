import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { definedOnly } from 'agent-sandbox-api';
import { WebSocket, WebSocketServer } from 'ws';
import { mintScopedToken } from '../src/auth/scoped-token.js';
import { FakeCluster, ask, eventually, raw, startBackend, startRouter, type Backend, type Reply, type Running } from './support.js';

jest.setTimeout(60_000);

/** Browsers in front of a proxy that ends TLS: addresses that name a sandbox, sessions in cookies, and who tries to get around them. */
const DOMAIN = 'sandboxes.example.com';
const folder = mkdtempSync(join(tmpdir(), 'router-browser-'));
const keyFile = (name: string, letter: string) => {
  writeFileSync(join(folder, name), letter.repeat(32));
  return join(folder, name);
};
const scopedKey = Buffer.from('k'.repeat(32));
let cluster: FakeCluster;
let backend: Backend;
let router: Running;
let sockets: WebSocketServer;
const handshakes: IncomingMessage[] = [];
const uids: Record<string, string> = {};
const sessionKey = keyFile('session', 's');

const FLAGS = [
  '--trusted-proxy-cidrs=127.0.0.0/8', `--host-routing-domain=${DOMAIN}`, '--path-routing-prefix=/sandboxes', '--path-routing-unstripped-prefix=/raw', `--authz-cookie-key-file=${sessionKey}`,
  '--authz-mode=tokenreview,scoped-token', `--authz-scoped-token-secret-file=${keyFile('scoped', 'k')}`, '--authz-cookie-allowed-origins=https://portal.example.com', '--authz-failure-rate-limit=0',
  '--upstream-max-retries=0', '--authz-access-ttl=0s',
];

beforeAll(async () => {
  backend = await startBackend();
  sockets = new WebSocketServer({ server: backend.server });
  sockets.on('connection', (socket, request) => {
    handshakes.push(request);
    socket.on('message', data => socket.send(String(data)));
  });
  cluster = await FakeCluster.start();
  for (const name of ['box', 'other']) {
    uids[name] = cluster.sandbox(name, { ports: [backend.port] });
  }
  uids.a = cluster.sandbox('a', { ports: [backend.port], namespace: 'team' });
  cluster.users.set('ann-token', { username: 'ann' });
  cluster.users.set('eve-token', { username: 'eve' });
  for (const grant of ['ann create proxy default/box', 'ann create proxy default/other', 'eve create proxy default/other', 'ann create proxy team/a']) {
    cluster.grants.add(grant);
  }
  router = await startRouter(cluster, FLAGS);
  await eventually('the sandboxes', async () => (await ask(router.url, { headers: { 'authorization': 'Bearer ann-token', 'x-sandbox-id': 'box', 'x-sandbox-port': String(backend.port) } })).status === 200);
});
afterAll(async () => {
  await router.close(0);
  sockets.close();
  await backend.close();
  await cluster.api.stop();
});
beforeEach(() => {
  backend.got.length = 0;
  handshakes.length = 0;
});

const hostOf = (name = 'box', namespace = 'default') => `${name}--${namespace}--${backend.port}.${DOMAIN}`;
const baseOf = (name = 'box', namespace = 'default', prefix = '/sandboxes') => `${prefix}/${namespace}/${name}/${backend.port}`;
const NAVIGATION = { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', 'accept': 'text/html,*/*' };

interface Visit {
  readonly host?: string;
  readonly headers?: Record<string, string>;
  readonly method?: string;
  readonly body?: string;
  readonly proto?: string;
  readonly to?: Running;
}

/** A request as a proxy that ends TLS hands it on. */
function visit(path: string, { host = hostOf(), headers = {}, method, body, proto = 'https', to = router }: Visit = {}): Promise<Reply> {
  return ask(`${to.url}${path}`, {
    headers: { host, 'x-forwarded-proto': proto, ...headers }, ...definedOnly({ method, body }),
  });
}

const setCookie = ({ headers }: Reply) => [headers['set-cookie'] ?? []].flat();
/** The name and value of a cookie that was set. */
const cookieOf = (reply: Reply) => setCookie(reply)[0]?.split(';')[0] ?? '';

async function login(path = '/', { token = 'ann-token', ...more }: Visit & { token?: string } = {}): Promise<string> {
  const reply = await visit(`${path}?sandbox_token=${encodeURIComponent(token)}`, { ...more, headers: { ...NAVIGATION, ...more.headers } });
  expect(reply.status).toBe(302);
  return cookieOf(reply);
}

/** The status of a handshake. */
async function handshake(headers: Record<string, string>, host = hostOf(), path = '/ws'): Promise<number> {
  const socket = new WebSocket(`${router.url.replace('http', 'ws')}${path}`, { headers: { host, 'x-forwarded-proto': 'https', ...headers } });
  const status = await Promise.race([
    once(socket, 'open').then(() => 101),
    once(socket, 'unexpected-response').then(([, response]) => (response as IncomingMessage).statusCode!),
  ]);
  socket.on('error', () => undefined).terminate();
  return status;
}

describe('host routes', () => {
  test('the token in the address is exchanged for a cookie that opens this sandbox', async () => {
    const reply = await visit('/a%2Fb?x=%201&sandbox_token=ann-token&y=2', { headers: NAVIGATION });
    expect(reply).toMatchObject({ status: 302, headers: { 'location': '/a%2Fb?x=%201&y=2', 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' } });
    expect(setCookie(reply)).toEqual([expect.stringMatching(/^__Host-sandbox-session=[\w.-]+; Path=\/; Max-Age=43200; HttpOnly; Secure; SameSite=lax$/)]);
    expect(backend.got).toEqual([]);
    const opened = await visit('/a%2Fb?x=%201&y=2', { headers: { ...NAVIGATION, cookie: `theme=dark; ${cookieOf(reply)}; b="c d"` } });
    expect(opened.status).toBe(200);
    expect(backend.got[0]).toMatchObject({ url: '/a%2Fb?x=%201&y=2' });
    expect(backend.got[0]!.headers).toMatchObject({
      'host': hostOf(), 'cookie': 'theme=dark; b="c d"', 'x-forwarded-host': hostOf(), 'x-forwarded-proto': 'https', 'x-forwarded-port': '443', 'x-forwarded-for': '127.0.0.1',
    });
    expect(backend.got[0]!.headers).not.toHaveProperty('x-forwarded-prefix');
  });

  test('a path of the router is the sandbox\'s', async () => {
    const cookie = await login();
    expect((await visit('/healthz', { headers: { cookie } })).status).toBe(200);
    expect((await visit('/sandboxes/default/other/80/', { headers: { cookie } })).status).toBe(200);
    expect(backend.got.map(({ url }) => url)).toEqual(['/healthz', '/sandboxes/default/other/80/']);
  });

  test('WebSockets of the own pages', async () => {
    const cookie = await login();
    expect(await handshake({ cookie, origin: `https://${hostOf()}` })).toBe(101);
    expect(handshakes[0]!.headers).toMatchObject({ host: hostOf(), origin: `https://${hostOf()}` });
    expect(handshakes[0]!.headers.cookie).toBeUndefined();
  });

  test('a program may use Authorization for itself', async () => {
    const cookie = await login();
    await visit('/', { headers: { cookie, authorization: 'token of-jupyter' } });
    expect(backend.got[0]!.headers.authorization).toBe('token of-jupyter');
  });

  test('programs send a token in a header instead', async () => {
    expect((await visit('/', { headers: { authorization: 'Bearer ann-token' } })).status).toBe(200);
    expect(backend.got[0]!.headers.authorization).toBeUndefined();
  });

  test('a session ends with its token', async () => {
    const exp = Math.floor(Date.now() / 1000) + 2;
    const reply = await visit(`/?sandbox_token=${mintScopedToken(scopedKey, { namespace: 'default', name: 'box', uid: uids.box!, exp })}`, { headers: NAVIGATION });
    expect(setCookie(reply)[0]).toMatch(/Max-Age=[012];/);
    const cookie = cookieOf(reply);
    expect((await visit('/', { headers: { cookie } })).status).toBe(200);
    await eventually('its end', async () => Date.now() > exp * 1000 && (await visit('/', { headers: { cookie } })).status === 401);
  });

  test('a page without a session says how to get one; a program gets JSON', async () => {
    const page = await visit('/', { headers: NAVIGATION });
    expect(page).toMatchObject({ status: 401, headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': "default-src 'none'" } });
    expect(page.text).toContain('agent-sandbox open');
    expect(await visit('/')).toMatchObject({ status: 401, detail: 'unauthenticated' });
  });

  test('cookies of a sandbox stay at its host', async () => {
    const own = await startBackend((_, response) => response.writeHead(200, [
      'Set-Cookie', 'a=1; Domain=.sandboxes.example.com; Path=/x; Secure', 'Set-Cookie', 'b=2; domain=example.com', 'Set-Cookie', '__Host-sandbox-session=mine; Path=/; Secure', 'Alt-Svc', 'h3=":443"', 'X-A', '1',
    ]).end());
    cluster.sandbox('cook', { ports: [own.port] });
    cluster.grants.add('ann create proxy default/cook');
    const host = `cook--default--${own.port}.${DOMAIN}`;
    const reply = await eventually('the sandbox', async () => {
      const answer = await visit('/', { host, headers: { authorization: 'Bearer ann-token' } });
      return answer.status === 200 && answer;
    });
    expect(setCookie(reply)).toEqual(['a=1; Path=/x; Secure', 'b=2']);
    expect(reply.headers).toMatchObject({ 'x-a': '1' });
    expect(reply.headers).not.toHaveProperty('alt-svc');
    await own.close();
  });
});

describe('path routes', () => {
  test('take the place of headers; the sandbox gets the rest byte by byte', async () => {
    const cookie = await login(`${baseOf()}/a%2Fb`, { host: DOMAIN });
    const reply = await visit(`${baseOf()}/a%2Fb/c%2520d?x=%201`, { host: DOMAIN, headers: { cookie, 'x-sandbox-id': 'other' } });
    expect(reply.status).toBe(200);
    expect(backend.got[0]).toMatchObject({ url: '/a%2Fb/c%2520d?x=%201' });
    expect(backend.got[0]!.headers).toMatchObject({ 'host': DOMAIN, 'x-forwarded-prefix': baseOf(), 'x-forwarded-host': DOMAIN });
    await visit(baseOf(), { host: DOMAIN, headers: { cookie } });
    await visit(`${baseOf()}?a=1`, { host: DOMAIN, headers: { cookie } });
    expect(backend.got.slice(1).map(({ url }) => url)).toEqual(['/', '/?a=1']);
  });

  test('the cookie belongs to the path', async () => {
    const reply = await visit(`${baseOf()}/?sandbox_token=ann-token`, { host: DOMAIN, headers: NAVIGATION });
    expect(reply.headers.location).toBe(`${baseOf()}/`);
    expect(setCookie(reply)[0]).toMatch(new RegExp(`^__Secure-sandbox-session=[^;]+; Path=${baseOf()}/; .*HttpOnly; Secure; SameSite=lax$`));
  });

  test('an unstripped path reaches the sandbox as it is', async () => {
    const base = baseOf('box', 'default', '/raw');
    const cookie = await login(`${base}/lab`, { host: DOMAIN });
    expect((await visit(`${base}/lab?x=1`, { host: DOMAIN, headers: { cookie } })).status).toBe(200);
    expect(backend.got[0]).toMatchObject({ url: `${base}/lab?x=1` });
    expect(backend.got[0]!.headers).not.toHaveProperty('x-forwarded-prefix');
  });

  test('a proxy in front that has taken a prefix off is counted in', async () => {
    const headers = { ...NAVIGATION, 'x-forwarded-prefix': '/team' };
    const reply = await visit(`${baseOf()}/x?sandbox_token=ann-token`, { host: DOMAIN, headers });
    expect(reply.headers.location).toBe(`/team${baseOf()}/x`);
    expect(setCookie(reply)[0]).toContain(`Path=/team${baseOf()}/;`);
    await visit(`${baseOf()}/x`, { host: DOMAIN, headers: { ...headers, cookie: cookieOf(reply) } });
    expect(backend.got[0]!.headers['x-forwarded-prefix']).toBe(`/team${baseOf()}`);
  });

  test('WebSockets', async () => {
    const cookie = await login(`${baseOf()}/`, { host: DOMAIN });
    expect(await handshake({ cookie, origin: `https://${DOMAIN}` }, DOMAIN, `${baseOf()}/ws?x=1`)).toBe(101);
    expect(handshakes[0]!.url).toBe('/ws?x=1');
  });

  describe('answers', () => {
    let answers: Backend;
    let headers: string[];
    beforeAll(async () => {
      answers = await startBackend((_, response) => response.writeHead(302, headers).end());
      cluster.sandbox('ans', { ports: [answers.port] });
      cluster.grants.add('ann create proxy default/ans');
      headers = [];
      await eventually('the sandbox', async () => (await visit(`/sandboxes/default/ans/${answers.port}/`, { host: DOMAIN, headers: { authorization: 'Bearer ann-token' } })).status === 302);
    });
    afterAll(() => answers.close());
    const answer = async (name: string, value: string, prefix = '/sandboxes') => {
      headers = [name, value];
      return (await visit(`${prefix}/default/ans/${answers.port}/x`, { host: DOMAIN, headers: { authorization: 'Bearer ann-token' } })).headers[name.toLowerCase()];
    };
    const base = () => `/sandboxes/default/ans/${answers.port}`;

    test.each([
      ['/login', 'BASE/login'], ['/', 'BASE/'], ['next', 'next'], ['?a=1', '?a=1'], ['https://sandboxes.example.com/x?y=/z', 'https://sandboxes.example.comBASE/x?y=/z'], ['//sandboxes.example.com/x', '//sandboxes.example.comBASE/x'],
      ['https://sandboxes.example.com', 'https://sandboxes.example.comBASE/'], ['https://elsewhere.example/x', 'https://elsewhere.example/x'], ['BASE/x', 'BASE/x'], ['/\\evil.example', 'BASE/\\evil.example'],
    ])('Location: %s becomes %s', async (given, expected) => {
      expect(await answer('Location', given.replace('BASE', base()))).toBe(expected.replace('BASE', base()));
    });

    test.each([
      ['a=1; Path=/x; HttpOnly', 'a=1; Path=BASE/x; HttpOnly'], ['a=1; path=/', 'a=1; path=BASE/'], ['a=1', 'a=1; Path=BASE/'], ['a=1; Path=BASE/y', 'a=1; Path=BASE/y'], ['a=1; Path=', 'a=1; Path=BASE/'],
      ['a=1; Domain=example.com; Path=/', 'a=1; Path=BASE/'],
    ])('Set-Cookie: %s becomes %s', async (given, expected) => {
      expect([await answer('Set-Cookie', given.replace('BASE', base()))].flat()).toEqual([expected.replace('BASE', base())]);
    });

    test.each(['Clear-Site-Data', 'Strict-Transport-Security', 'Alt-Svc'])('%s does not reach the other sandboxes of the origin', async name => {
      expect(await answer(name, '"*"')).toBeUndefined();
    });

    test('a service worker stays below its sandbox', async () => {
      expect(await answer('Service-Worker-Allowed', '/')).toBe(`${base()}/`);
    });

    test('an unstripped answer is left alone, except for cookies of other paths', async () => {
      expect(await answer('Location', '/login', '/raw')).toBe('/login');
      expect([await answer('Set-Cookie', 'a=1; Path=/', '/raw')].flat()).toEqual([`a=1; Path=/raw/default/ans/${answers.port}/`]);
    });
  });
});

describe('attacks', () => {
  let cookie: string;
  beforeAll(async () => {
    cookie = await login();
  });
  const nothingReached = () => expect([backend.got.length, handshakes.length]).toEqual([0, 0]);
  const own = () => `https://${hostOf()}`;

  describe('host and path confusion', () => {
    test.each([
      ['a label too few', () => `box--${backend.port}.${DOMAIN}`], ['a label too many', () => `x--box--default--${backend.port}.${DOMAIN}`], ['no port', () => `box--default.${DOMAIN}`], ['an empty name', () => `--default--${backend.port}.${DOMAIN}`],
      ['port 0', () => `box--default--0.${DOMAIN}`], ['a port too high', () => `box--default--65536.${DOMAIN}`], ['a port with a zero', () => `box--default--0${backend.port}.${DOMAIN}`], ['a port that is a name', () => `box--default--http.${DOMAIN}`],
      ['a name that ends in a hyphen', () => `box---default--80.${DOMAIN}`], ['a label below', () => `x.${hostOf()}`], ['a dot at the end', () => `${hostOf()}.`], ['an underscore', () => `b_x--default--80.${DOMAIN}`], ['a wildcard', () => `*.${DOMAIN}`],
      ['user information', () => `x@${hostOf()}`], ['a path in the host', () => `${hostOf()}/x`], ['two hosts', () => `${hostOf()}, ${hostOf('other')}`], ['a blank', () => `box --default--80.${DOMAIN}`], ['an encoded dot', () => `box--default--80%2e${DOMAIN}`],
    ])('%s is refused, even with headers that name a sandbox', async (_, host) => {
      const { status } = await visit('/', { host: host(), headers: { 'cookie': cookie, 'authorization': 'Bearer ann-token', 'x-sandbox-id': 'box', 'x-sandbox-port': String(backend.port) } });
      expect(status).toBe(400);
      nothingReached();
    });

    test.each([
      '/sandboxes/', '/sandboxes/default', '/sandboxes/default/box', '/sandboxes/default/box/', '/sandboxes/default/box/0/', '/sandboxes/default/box/65536/', '/sandboxes/default/box/+80/', '/sandboxes/default/box/080/', '/sandboxes/default/BOX/80/',
      '/sandboxes//box/80/', '/sandboxes/default/../80/', '/sandboxes/default/%62ox/80/', '/sandboxes/default/box%2F80/x', '/sandboxes/default/box/80%2Fx', '/sandboxes/default/box/80;x/', '/sandboxes/default/box?x/80/',
    ])('the path %s is refused, even with headers that name a sandbox', async path => {
      const { status } = await visit(path, { host: DOMAIN, headers: { 'authorization': 'Bearer ann-token', 'x-sandbox-id': 'box', 'x-sandbox-port': String(backend.port) } });
      expect(status).toBe(400);
      nothingReached();
    });

    test.each(['/sandboxesx/default/other/80/', '/x/sandboxes/default/other/80/', '//sandboxes/default/other/80/', '/./sandboxes/default/other/80/', '/%73andboxes/default/other/80/', '/Sandboxes/default/other/80/'])('%s is no path route', async path => {
      const text = await raw(router.port, `GET ${path} HTTP/1.1\r\nHost: ${DOMAIN}\r\nAuthorization: Bearer ann-token\r\nX-Sandbox-ID: box\r\nX-Sandbox-Port: ${backend.port}\r\nConnection: close\r\n\r\n`);
      expect(text).toContain('HTTP/1.1 200');
      expect(backend.got.map(({ url }) => url)).toEqual([path]);
    });

    test('headers cannot lead a session to another sandbox', async () => {
      await visit('/', { headers: { cookie, 'x-sandbox-id': 'other', 'x-sandbox-namespace': 'team', 'x-sandbox-port': '22', 'x-sandbox-uid': uids.other! } });
      expect(backend.got[0]!.headers.host).toBe(hostOf());
    });

    test('a client that is no trusted proxy cannot name another host', async () => {
      const strict = await startRouter(cluster, [...FLAGS.filter(flag => !flag.startsWith('--trusted')), '--authz-cookie-insecure']);
      const session = await login('/', { to: strict, proto: 'http' });
      expect((await visit('/', { to: strict, host: hostOf('other'), headers: { 'cookie': session, 'x-forwarded-host': hostOf() } })).status).toBe(401);
      nothingReached();
      await strict.close(0);
    });
  });

  describe('sessions', () => {
    test.each([
      ['another sandbox', () => ({ host: hostOf('other') })], ['another namespace', () => ({ host: hostOf('a', 'team') })], ['another port', () => ({ host: `box--default--8888.${DOMAIN}` })],
      ['the same sandbox by path', () => ({ host: DOMAIN, path: `${baseOf()}/` })], ['headers', () => ({ host: DOMAIN, headers: { 'x-sandbox-id': 'box', 'x-sandbox-port': String(backend.port) } })],
    ] as [string, () => Visit & { path?: string }][])('one does not open %s', async (_, where) => {
      const { path = '/', headers = {}, ...rest } = where();
      for (const name of ['__Host-sandbox-session', '__Secure-sandbox-session', 'sandbox-session']) {
        expect((await visit(path, { ...rest, headers: { ...headers, cookie: `${name}=${cookie.split('=', 2)[1]}` } })).status).toBe(401);
      }
      nothingReached();
    });

    test('one by path opens no other path, nor the host', async () => {
      const byPath = await login(`${baseOf()}/`, { host: DOMAIN });
      for (const [path, host] of [[`${baseOf('other')}/`, DOMAIN], [`${baseOf('box', 'default', '/raw')}/`, DOMAIN], ['/', hostOf()]] as const) {
        expect((await visit(path, { host, headers: { cookie: byPath.replace('__Secure-', host === DOMAIN ? '__Secure-' : '__Host-') } })).status).toBe(401);
      }
      nothingReached();
    });

    test.each([
      // Not the last digit, of which some bits stand for nothing.
      ['a changed one', (value: string) => `${value.slice(0, -5)}${value.at(-5) === 'A' ? 'B' : 'A'}${value.slice(-4)}`], ['a shortened one', (value: string) => value.slice(0, -10)], ['an empty one', () => ''], ['a token', () => 'ann-token'],
      ['one without encryption', () => `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"scope":"x","aud":"session"}').toString('base64url')}.`],
      ['one with another algorithm', (value: string) => [Buffer.from('{"alg":"A256KW","enc":"A256GCM"}').toString('base64url'), ...value.split('.').slice(1)].join('.')], ['a very long one', () => 'x'.repeat(8_000)], ['dots', () => '....'],
    ])('%s counts for nothing', async (_, change) => {
      const [name, value] = cookie.split(/=(.*)/s, 2) as [string, string];
      expect((await visit('/', { headers: { cookie: `${name}=${change(value)}` } })).status).toBe(401);
      nothingReached();
    });

    test('one without the prefix counts for nothing: a page of another sandbox could have set it', async () => {
      expect((await visit('/', { headers: { cookie: cookie.replace('__Host-', '') } })).status).toBe(401);
      expect((await visit('/', { headers: { cookie: cookie.replace('__Host-', '__Secure-') } })).status).toBe(401);
    });

    test('one of another key counts for nothing; after a change of keys, the old ones open still', async () => {
      const flagsWith = (...files: string[]) => [...FLAGS.filter(flag => !flag.startsWith('--authz-cookie-key')), `--authz-cookie-key-file=${files.join(',')}`];
      const [stranger, rotated] = [await startRouter(cluster, flagsWith(keyFile('stranger', 'x'))), await startRouter(cluster, flagsWith(keyFile('next', 'n'), sessionKey))];
      expect((await visit('/', { to: stranger, headers: { cookie } })).status).toBe(401);
      expect((await visit('/', { to: rotated, headers: { cookie } })).status).toBe(200);
      await stranger.close(0);
      await rotated.close(0);
    });

    test('a later sandbox of the same name is not opened', async () => {
      cluster.sandbox('brief', { ports: [backend.port] });
      cluster.grants.add('ann create proxy default/brief');
      const host = hostOf('brief');
      await eventually('the sandbox', async () => (await visit('/', { host, headers: { authorization: 'Bearer ann-token' } })).status === 200);
      const session = await login('/', { host });
      cluster.remove('brief');
      cluster.sandbox('brief', { ports: [backend.port] });
      await eventually('the next one', async () => (await visit('/', { host, headers: { cookie: session } })).status === 401);
      expect((await visit('/', { host, headers: { authorization: 'Bearer ann-token' } })).status).toBe(200);
    });

    test('who has lost the permission is out', async () => {
      cluster.sandbox('lost', { ports: [backend.port] });
      cluster.grants.add('eve create proxy default/lost');
      const host = hostOf('lost');
      await eventually('the sandbox', async () => (await visit('/', { host, headers: { authorization: 'Bearer eve-token' } })).status === 200);
      const session = await login('/', { host, token: 'eve-token' });
      cluster.grants.delete('eve create proxy default/lost');
      await eventually('the refusal', async () => (await visit('/', { host, headers: { cookie: session } })).status === 403);
    });
  });

  describe('login', () => {
    test.each([
      ['a worthless token', '/?sandbox_token=nonsense', 401], ['an empty token', '/?sandbox_token=', 401], ['two tokens', '/?sandbox_token=ann-token&sandbox_token=eve-token', 400], ['two, one with an encoded name', '/?sandbox_token=ann-token&sandbox%5Ftoken=eve-token', 400],
      ['a token of a user without access', '/?sandbox_token=eve-token', 403], ['a session as a token', () => `/?sandbox_token=${cookie.split(/=(.*)/s)[1]}`, 401], ['a scoped token of another sandbox', () => `/?sandbox_token=${mintScopedToken(scopedKey, { namespace: 'default', name: 'other', uid: uids.other!, exp: 9_999_999_999 })}`, 403],
      ['an expired scoped token', () => `/?sandbox_token=${mintScopedToken(scopedKey, { namespace: 'default', name: 'box', uid: uids.box!, exp: 1 })}`, 401], ['a token in the path', '/sandbox_token=ann-token', 401], ['a token in other letters', '/?Sandbox_Token=ann-token', 401],
    ] as [string, string | (() => string), number][])('%s sets no cookie', async (_, path, status) => {
      const reply = await visit(typeof path === 'string' ? path : path(), { headers: NAVIGATION });
      expect([reply.status, setCookie(reply)]).toEqual([status, []]);
      nothingReached();
    });

    test.each([
      ['POST', { method: 'POST' }, 401], ['PUT', { method: 'PUT' }, 401], ['in a frame', { headers: { 'sec-fetch-dest': 'iframe' } }, 403], ['as an image', { headers: { 'sec-fetch-dest': 'image' } }, 403], ['by a script', { headers: { 'sec-fetch-dest': 'empty' } }, 403],
      ['by a link of another site', { headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': 'document' } }, 403], ['by a link of another sandbox', { headers: { 'sec-fetch-site': 'same-site', 'sec-fetch-dest': 'document', 'referer': 'https://other--default--80.sandboxes.example.com/' } }, 403],
    ] as [string, Visit, number][])('%s does not sign in', async (_, how, status) => {
      const reply = await visit('/?sandbox_token=ann-token', how);
      expect([reply.status, setCookie(reply)]).toEqual([status, []]);
      nothingReached();
    });

    test('nor does an upgrade; the token does not reach the sandbox either', async () => {
      expect(await handshake({ origin: own() }, hostOf(), '/ws?sandbox_token=ann-token')).toBe(401);
      expect(await handshake({ origin: own(), cookie }, hostOf(), '/ws?a=1&sandbox_token=ann-token&b=2')).toBe(101);
      expect(handshakes.map(({ url }) => url)).toEqual(['/ws?a=1&b=2']);
    });

    test('a link of an allowed origin does', async () => {
      const reply = await visit('/?sandbox_token=ann-token', { headers: { ...NAVIGATION, 'sec-fetch-site': 'cross-site', 'referer': 'https://portal.example.com/list' } });
      expect(reply.status).toBe(302);
    });

    test('a link does not replace a session by that of another user', async () => {
      const host = hostOf('other');
      const session = await login('/', { host });
      const reply = await visit('/?sandbox_token=eve-token', { host, headers: { ...NAVIGATION, cookie: session } });
      expect([reply.status, setCookie(reply)]).toEqual([302, []]);
    });

    test.each([['//evil.example/x', '/.//evil.example/x'], ['/\\evil.example', '/./\\evil.example'], ['///evil.example', '/.///evil.example']])('%s leads nowhere else', async (path, location) => {
      const text = await raw(router.port, `GET ${path}?sandbox_token=ann-token HTTP/1.1\r\nHost: ${hostOf()}\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n`);
      expect(text).toContain('HTTP/1.1 302');
      expect(/^location: (.*)\r$/im.exec(text)?.[1]).toBe(location);
      expect(new URL(location, own()).origin).toBe(own());
    });

    test('a header cannot be put into the redirect', async () => {
      const reply = await visit('/%0d%0aSet-Cookie:%20a=1?sandbox_token=ann-token', { headers: NAVIGATION });
      expect(reply.headers.location).toBe('/%0d%0aSet-Cookie:%20a=1');
    });

    test('not over plain HTTP', async () => {
      expect((await visit('/?sandbox_token=ann-token', { proto: 'http', headers: NAVIGATION })).status).toBe(403);
    });

    test('worthless tokens in addresses are limited, too', async () => {
      const limited = await startRouter(cluster, [...FLAGS.filter(flag => !flag.startsWith('--authz-failure')), '--authz-failure-rate-limit=1']);
      const statuses = [];
      for (let i = 0; i < 10; i++) {
        statuses.push((await visit(`/?sandbox_token=guess-${i}`, { to: limited, headers: NAVIGATION })).status);
      }
      expect(statuses).toContain(429);
      await limited.close(0);
    });
  });

  describe('pages of other origins', () => {
    const from: [string, Record<string, string>][] = [
      ['another site', { 'origin': 'https://evil.example', 'sec-fetch-site': 'cross-site' }], ['another sandbox', { 'origin': 'https://other--default--80.sandboxes.example.com', 'sec-fetch-site': 'same-site' }], ['no origin', { origin: 'null' }],
      ['the domain itself', { origin: `https://${DOMAIN}` }], ['another scheme', { origin: 'http://OWN' }], ['another port', { origin: 'https://OWN:8443' }], ['a longer name', { origin: 'https://OWN.evil.example' }], ['user information', { origin: 'https://OWN@evil.example' }],
      ['an origin with a path', { origin: 'https://OWN/' }], ['nowhere at all', {}], ['a frame', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }], ['an unknown site', { 'sec-fetch-site': 'own-site' }],
    ];
    const filled = (headers: Record<string, string>) => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.replace('OWN', hostOf())]));

    test.each(from)('%s opens no WebSocket', async (_, headers) => {
      expect(await handshake({ cookie, ...filled(headers) })).toBe(403);
      nothingReached();
    });

    test.each(from)('%s posts nothing', async (_, headers) => {
      expect((await visit('/', { method: 'POST', body: 'x', headers: { cookie, ...filled(headers) } })).status).toBe(403);
      nothingReached();
    });

    test.each(['PUT', 'DELETE', 'PATCH', 'PROPFIND'])('%s needs an origin', async method => {
      expect((await visit('/', { method, headers: { cookie } })).status).toBe(403);
      nothingReached();
    });

    test.each([
      ['an image', { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }], ['a script', { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'script' }],
      ['a frame', { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }], ['an object', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'object' }],
      ['a fetch with its origin', { 'origin': 'https://evil.example', 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }],
    ])('%s of a page elsewhere is not answered', async (_, headers) => {
      expect((await visit('/', { headers: { cookie, ...headers } })).status).toBe(403);
      nothingReached();
    });

    test.each([
      ['a link', 'GET', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }], ['the own page', 'POST', { 'origin': 'https://OWN', 'sec-fetch-site': 'same-origin' }],
      ['the own page without origin', 'POST', { 'sec-fetch-site': 'same-origin' }], ['an allowed origin', 'POST', { 'origin': 'https://portal.example.com', 'sec-fetch-site': 'cross-site' }], ['an old browser', 'GET', {}],
    ] as [string, string, Record<string, string>][])('%s may', async (_, method, headers) => {
      expect((await visit('/', { method, headers: { cookie, ...filled(headers) } })).status).toBe(200);
    });

    test('no CORS header lets them read anything', async () => {
      const reply = await visit('/', { headers: { cookie, origin: 'https://portal.example.com' } });
      expect(reply.headers).not.toHaveProperty('access-control-allow-credentials');
    });
  });

  describe('what leaks', () => {
    test('no token and no cookie in logs', async () => {
      const secret = 'secret-token-in-address';
      cluster.users.set(secret, { username: 'ann' });
      router.accessLog.length = router.log.length = 0;
      const session = await login('/page', { token: secret });
      await visit('/page', { headers: { cookie: session } });
      await visit(`/refused?sandbox_token=${secret}-wrong`, { headers: NAVIGATION });
      await visit('/page', { headers: { cookie: session, origin: 'https://evil.example' } });
      await eventually('the lines', () => router.accessLog.length === 4);
      const text = JSON.stringify([router.accessLog, router.log]);
      expect(text).not.toContain(secret);
      expect(text).not.toContain(session.split('=')[1]);
      expect(router.accessLog[0]).toMatchObject({ path: '/page', status: 302, sandbox_id: 'box', user: 'ann' });
    });

    test.each([
      ['the address of the login', () => `${own()}/?sandbox_token=ann-token`], ['with an encoded name', () => `${own()}/x?a=1&sandbox%5ftoken=ann-token#x`],
    ])('no token in the Referer that the sandbox gets: %s', async (_, referer) => {
      await visit('/', { headers: { cookie, 'referer': referer(), 'sec-fetch-site': 'same-origin' } });
      expect(backend.got[0]!.headers.referer).toBeUndefined();
    });

    test('other referers stay', async () => {
      await visit('/', { headers: { cookie, 'referer': `${own()}/?a=1`, 'sec-fetch-site': 'same-origin' } });
      expect(backend.got[0]!.headers.referer).toBe(`${own()}/?a=1`);
    });

    test('the sandbox gets none of the router\'s cookies, however they are written', async () => {
      const variants = ['__host-sandbox-session=1', 'sandbox-session=2', '__Secure-sandbox-session-login=3', ' __Host-sandbox-session-flow = 4', '__HOST-SANDBOX-SESSION-NONCE=5', 'sandbox-session'].join(';');
      await visit('/', { headers: { cookie: `keep=1;${variants};${cookie};sandbox-sessions=6` } });
      expect(backend.got[0]!.headers.cookie).toBe('keep=1;sandbox-sessions=6');
    });

    test('nor in requests by headers', async () => {
      await visit('/', { host: DOMAIN, headers: { 'cookie': `a=1; ${cookie}`, 'authorization': 'Bearer ann-token', 'x-sandbox-id': 'box', 'x-sandbox-port': String(backend.port) } });
      expect(backend.got[0]!.headers.cookie).toBe('a=1');
    });

    test('a token that is in the session does not reach the sandbox in a header either', async () => {
      await visit('/', { headers: { cookie, authorization: 'Bearer ann-token' } });
      expect(backend.got[0]!.headers.authorization).toBeUndefined();
    });

    test('a refusal does not repeat what was sent as a page', async () => {
      const reply = await visit('/?sandbox_token=<script>alert(1)</script>', { headers: NAVIGATION });
      expect(reply.text).not.toContain('<script>');
    });
  });
});
