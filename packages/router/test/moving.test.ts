import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { jest } from '@jest/globals';
import { request } from 'undici';
import { WebSocket, WebSocketServer } from 'ws';
import { mintScopedToken } from '../src/auth/scoped-token.js';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeCluster, ask, eventually, freePort, raw, startBackend, startRouter } from './support.js';

jest.setTimeout(60_000);

/** What reaches the client when, how long things may take, and what is given back when one side is gone. */
const cleanUp: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const clean of cleanUp) {
    await clean();
  }
});

async function scene(handler?: Parameters<typeof startBackend>[0], args: readonly string[] = []) {
  const [backend, cluster] = [await startBackend(handler), await FakeCluster.start()];
  const uid = cluster.sandbox('box', { ports: [backend.port] });
  const router = await startRouter(cluster, args);
  cleanUp.push(() => router.close(0), () => backend.close(), () => cluster.api.stop());
  const headers = { 'x-sandbox-id': 'box', 'x-sandbox-port': String(backend.port) };
  const upgrade = (...more: string[]) => [
    'GET /ws HTTP/1.1', 'Host: x', 'X-Sandbox-ID: box', `X-Sandbox-Port: ${backend.port}`, 'Connection: Upgrade', 'Upgrade: websocket', ...more, '', '',
  ].join('\r\n');
  return { backend, cluster, router, headers, uid, upgrade };
}

const elapsed = async (work: Promise<unknown>): Promise<number> => {
  const begin = performance.now();
  await work;
  return performance.now() - begin;
};

describe('what is under way', () => {
  test('the headers of an answer arrive before its first byte', async () => {
    let end!: () => void;
    const { router, headers } = await scene((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      end = () => void response.end();
    });
    const answer = await request(router.url, { headers });
    expect(answer.headers['content-type']).toBe('text/event-stream');
    end();
    expect(await answer.body.text()).toBe('');
  });

  test('a stream that moves outlives the timeout, in both directions; one that stops does not', async () => {
    const pieces = async function* (count: number) {
      for (let i = 0; i < count; i++) {
        yield 'x';
        await new Promise(resolve => setTimeout(resolve, 100));
      }
    };
    const { router, headers } = await scene((incoming, response) => {
      if (incoming.url === '/down') {
        Readable.from(pieces(20)).pipe(response);
      } else if (incoming.url === '/stall') {
        response.write('x');
      } else {
        incoming.resume().on('end', () => response.end('got it'));
      }
    }, ['--proxy-timeout=1500ms']);
    const down = ask(`${router.url}/down`, { headers });
    const up = ask(`${router.url}/up`, { headers, method: 'POST', body: Readable.from(pieces(20)) });
    expect(await elapsed(Promise.all([down, up]))).toBeGreaterThan(1_900);
    expect((await down).text.length).toBe(20);
    expect((await up).text).toBe('got it');
    await expect(ask(`${router.url}/stall`, { headers })).rejects.toThrow();
  });

  test('a 200 to an upgrade goes on for as long as it moves', async () => {
    const { router, backend, upgrade } = await scene(undefined, ['--proxy-timeout=1500ms']);
    backend.server.on('upgrade', (_, socket: Socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n');
      let count = 0;
      const timer = setInterval(() => (++count <= 20 ? socket.write(`data: ${count}\n\n`) : socket.end()), 100);
      socket.on('close', () => clearInterval(timer)).on('error', () => undefined);
    });
    expect(await raw(router.port, upgrade())).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*data: 20\n\n/);
  });
});

describe('the timeout of a request bounds', () => {
  test('connecting and trying again', async () => {
    const port = await freePort();
    const { router, cluster } = await scene(undefined, ['--upstream-max-retries=1000', '--upstream-retry-initial-delay=20ms', '--upstream-retry-max-delay=20ms']);
    cluster.sandbox('deaf', { ports: [port] });
    const headers = { 'x-sandbox-id': 'deaf', 'x-sandbox-port': String(port), 'x-sandbox-timeout': '0.3' };
    await eventually('the sandbox', async () => (await ask(router.url, { headers: { ...headers, 'x-sandbox-port': '1' } })).status === 403);
    expect(await ask(router.url, { headers })).toMatchObject({ status: 504, detail: 'Timed out waiting for the backend sandbox: deaf' });
    const head = `GET / HTTP/1.1\r\nHost: x\r\nX-Sandbox-ID: deaf\r\nX-Sandbox-Port: ${port}\r\nX-Sandbox-Timeout: 0.3\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
    expect(await raw(router.port, head)).toMatch(/^HTTP\/1\.1 504 /);
    await eventually('the log', () => router.accessLog.filter(({ error }) => error === 'timeout').length === 2);
  });

  test('resuming', async () => {
    const { router, cluster, backend } = await scene(undefined, ['--resume-on-request']);
    cluster.sandbox('asleep', { ports: [backend.port], spec: { operatingMode: 'Suspended' }, ready: false });
    const headers = { 'x-sandbox-id': 'asleep', 'x-sandbox-timeout': '0.3' };
    await eventually('the sandbox', async () => (await ask(router.url, { headers })).status === 504);
  });

  test('the permission of an API server that does not answer', async () => {
    const { router, cluster, headers } = await scene(undefined, ['--authz-mode=tokenreview']);
    const held = cluster.api.hold(({ path }) => path.endsWith('tokenreviews'));
    const answer = ask(router.url, { headers: { ...headers, 'authorization': 'Bearer x', 'x-sandbox-timeout': '0.3' } });
    expect(await answer).toMatchObject({ status: 504 });
    held.open();
  });
});

describe('a kept connection that the sandbox closes as it is used', () => {
  /** Answers the first request of each connection, and closes at the second. */
  async function forgetful() {
    const got: string[] = [];
    const server = createServer(socket => {
      let count = 0;
      socket.on('error', () => undefined).on('data', chunk => {
        got.push(chunk.toString().split(' ')[0]!);
        if (++count === 1) {
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        } else {
          socket.destroy();
        }
      });
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const port = (server.address() as { port: number }).port;
    const { router, cluster } = await scene();
    cluster.sandbox('forgetful', { ports: [port] });
    cleanUp.push(() => new Promise(resolve => server.close(resolve)));
    const headers = { 'x-sandbox-id': 'forgetful', 'x-sandbox-port': String(port) };
    await eventually('the sandbox', async () => (await ask(router.url, { headers: { ...headers, 'x-sandbox-port': '1' } })).status === 403);
    return { router, headers, got };
  }

  test('a safe request is sent again, without an error in the log', async () => {
    const { router, headers, got } = await forgetful();
    expect((await ask(router.url, { headers })).status).toBe(200);
    expect((await ask(router.url, { headers })).status).toBe(200);
    expect(got).toEqual(['GET', 'GET', 'GET']);
    await eventually('the lines', () => router.accessLog.filter(({ status }) => status === 200).length === 2);
    expect(router.accessLog.filter(({ error }) => error !== undefined)).toEqual([]);
  });

  test('one that may have been read is not', async () => {
    const { router, headers, got } = await forgetful();
    expect((await ask(router.url, { headers })).status).toBe(200);
    expect(await ask(router.url, { headers, method: 'POST', body: 'x' })).toMatchObject({ status: 502 });
    expect(got).toEqual(['GET', 'POST']);
  });

  test('one that had been closed before is not used at all', async () => {
    const { router, headers, backend } = await scene((incoming, response) => {
      incoming.resume().on('end', () => response.end('ok', () => setImmediate(() => incoming.socket.destroy())));
    });
    const closed = new Promise(resolve => backend.server.on('connection', socket => socket.once('close', resolve)));
    expect((await ask(router.url, { headers, method: 'POST', body: 'x' })).status).toBe(200);
    await closed;
    expect((await ask(router.url, { headers, method: 'POST', body: 'x' })).status).toBe(200);
  });
});

test('a connection that succeeds when it is tried again is no error', async () => {
  const port = await freePort();
  const { router, cluster } = await scene(undefined, ['--upstream-max-retries=1000', '--upstream-retry-initial-delay=5ms', '--upstream-retry-max-delay=5ms']);
  cluster.sandbox('late', { ports: [port] });
  const headers = { 'x-sandbox-id': 'late', 'x-sandbox-port': String(port) };
  await eventually('the sandbox', async () => (await ask(router.url, { headers: { ...headers, 'x-sandbox-port': '1' } })).status === 403);
  router.accessLog.length = 0;
  const answer = ask(router.url, { headers });
  await eventually('a failed try', async () => /retries_total\{.*\} [1-9]/.test(await router.metrics.registry.metrics()));
  const late = await startBackend(undefined, port);
  cleanUp.push(() => late.close());
  expect((await answer).status).toBe(200);
  expect(await eventually('the line', () => router.accessLog[0])).not.toHaveProperty('error');
  expect(await router.metrics.registry.metrics()).not.toMatch(/upstream_errors_total\{/);
});

describe('a handshake whose client is gone', () => {
  test.each(['end', 'destroy'] as const)('by %s ends the connection to the sandbox and gives the place back', async how => {
    const { router, backend, upgrade } = await scene(undefined, ['--websocket-max-connections-per-client=2', '--websocket-idle-timeout=0']);
    const open = new Set<Socket>();
    let dialled = 0;
    backend.server.on('upgrade', (_, socket: Socket) => {
      dialled++;
      open.add(socket);
      socket.on('error', () => undefined).resume().on('end', () => socket.end()).on('close', () => open.delete(socket));
    });
    for (let round = 1; round <= 6; round++) {
      const client = connect(router.port, '127.0.0.1', () => client.write(upgrade()));
      client.on('error', () => undefined);
      await eventually('the handshake at the sandbox', () => dialled === round);
      client[how]();
      await eventually('its end', () => open.size === 0);
    }
  });

  test('at the very moment of the answer gives the place back, too', async () => {
    const { router, backend, upgrade } = await scene(undefined, ['--websocket-max-connections-per-client=1', '--websocket-idle-timeout=0']);
    backend.server.on('upgrade', (_, socket: Socket) => {
      socket.on('error', () => undefined).resume();
      socket.write('HTTP/1.1 101 Fine\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    });
    for (let round = 0; round < 5; round++) {
      await eventually('a free place', () => new Promise<boolean>(resolve => {
        const client = connect(router.port, '127.0.0.1', () => client.write(upgrade()));
        client.on('error', () => undefined).once('data', chunk => {
          resolve(chunk.toString().startsWith('HTTP/1.1 101'));
          client.resetAndDestroy();
        });
      }));
    }
  });
});

describe('open WebSockets', () => {
  const key = Buffer.alloc(32, 'k');
  const keyFile = join(mkdtempSync(join(tmpdir(), 'router-moving-')), 'key');
  writeFileSync(keyFile, key);

  async function withSocket(args: readonly string[]) {
    const { backend, uid, router, ...rest } = await scene((_, response) => response.end(), args);
    new WebSocketServer({ server: backend.server }).on('connection', socket => socket.on('message', data => socket.send(String(data))));
    const open = (token: string) => new WebSocket(router.url.replace('http', 'ws'), { headers: { ...rest.headers, authorization: `Bearer ${token}` } });
    return { ...rest, backend, uid, router, open };
  }

  test('end with their token', async () => {
    const { open, uid } = await withSocket(['--authz-mode=scoped-token', `--authz-scoped-token-secret-file=${keyFile}`]);
    const exp = Math.floor(Date.now() / 1000) + 2;
    const socket = open(mintScopedToken(key, { namespace: 'default', name: 'box', uid, exp }));
    await once(socket, 'open');
    const [code, reason] = await once(socket, 'close') as [number, Buffer];
    expect([code, reason.toString()]).toEqual([1008, 'the token has expired']);
    expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000 - 50);
  });

  test('outlive it if the router is configured so', async () => {
    const { open, uid } = await withSocket(['--authz-mode=scoped-token', `--authz-scoped-token-secret-file=${keyFile}`, '--websocket-outlive-token']);
    const exp = Math.floor(Date.now() / 1000) + 2;
    const socket = open(mintScopedToken(key, { namespace: 'default', name: 'box', uid, exp }));
    await once(socket, 'open');
    await eventually('the expiry', () => Date.now() > exp * 1000 + 300);
    socket.send('still here');
    expect(String((await once(socket, 'message'))[0])).toBe('still here');
    socket.terminate();
  });

  test('a token of the API server says when it ends', async () => {
    const { open, cluster } = await withSocket(['--authz-mode=tokenreview']);
    const jwt = `h.${Buffer.from(JSON.stringify({ exp: Math.floor(Date.now() / 1000) + 2 })).toString('base64url')}.s`;
    cluster.users.set(jwt, { username: 'ann' });
    cluster.grants.add('ann create proxy default/box');
    const socket = open(jwt);
    await once(socket, 'open');
    expect((await once(socket, 'close'))[0]).toBe(1008);
  });

  test('are limited by user and sandbox, not by what is behind one user', async () => {
    const { open, cluster, backend, router, headers } = await withSocket(['--authz-mode=tokenreview', '--websocket-max-connections-per-client=1']);
    cluster.sandbox('other', { ports: [backend.port] });
    cluster.users.set('t', { username: 'gateway' });
    cluster.grants.add('gateway create proxy default/box').add('gateway create proxy default/other');
    const first = open('t');
    await once(first, 'open');
    const elsewhere = await eventually('the other sandbox', async () => {
      const socket = new WebSocket(router.url.replace('http', 'ws'), { headers: { ...headers, 'x-sandbox-id': 'other', 'authorization': 'Bearer t' } });
      return Promise.race([once(socket, 'open').then(() => socket), once(socket, 'error').then(() => undefined)]);
    });
    const [, refused] = await once(open('t').on('error', () => undefined), 'unexpected-response') as [unknown, { statusCode: number }];
    expect(refused.statusCode).toBe(429);
    first.terminate();
    elsewhere.terminate();
  });
});

describe('X-Forwarded headers', () => {
  const forwarded = { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-host': 'box.example.com', 'x-forwarded-proto': 'https', 'x-forwarded-user': 'root' };
  test.each([
    ['a trusted proxy are passed on', ['--trusted-proxy-cidrs=127.0.0.0/8'], { 'x-forwarded-for': '203.0.113.9, 127.0.0.1', 'x-forwarded-host': 'box.example.com', 'x-forwarded-proto': 'https', 'x-forwarded-port': '443' }],
    ['others are dropped', [], { 'x-forwarded-for': '127.0.0.1', 'x-forwarded-host': expect.stringMatching(/^127\.0\.0\.1:\d+$/), 'x-forwarded-proto': 'http' }],
  ])('of %s', async (_, args, expected) => {
    const { router, headers, backend } = await scene(undefined, args);
    await ask(router.url, { headers: { ...headers, ...forwarded } });
    expect(backend.got[0]!.headers).toMatchObject(expected as Record<string, string>);
    expect(backend.got[0]!.headers).not.toHaveProperty('x-forwarded-user');
  });
});

describe('pages of other origins', () => {
  const preflight = { 'origin': 'https://app.example.com', 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,x-sandbox-id' };

  test('may call with a token in a header if the router is configured so', async () => {
    const { router, headers, backend } = await scene(undefined, ['--cors-allowed-origins=https://app.example.com,https://b.example.com']);
    expect(await ask(router.url, { method: 'OPTIONS', headers: preflight })).toMatchObject({
      status: 204, headers: { 'access-control-allow-origin': 'https://app.example.com', 'access-control-allow-methods': 'POST', 'access-control-allow-headers': 'authorization,x-sandbox-id', 'vary': 'Origin' },
    });
    expect(backend.got).toEqual([]);
    for (const extra of [{}, { 'x-sandbox-id': 'Foo' }]) {
      const answer = await ask(router.url, { headers: { ...headers, ...extra, origin: 'https://app.example.com' } });
      expect(answer.headers).toMatchObject({ 'access-control-allow-origin': 'https://app.example.com' });
      expect(answer.headers).not.toHaveProperty('access-control-allow-credentials');
    }
  });

  test.each([['another origin', 'https://evil.example.com'], ['another scheme', 'http://app.example.com'], ['no origin at all', 'null'], ['a longer name', 'https://app.example.com.evil.example']])('%s is not allowed', async (_, origin) => {
    const { router, headers } = await scene(undefined, ['--cors-allowed-origins=https://app.example.com']);
    for (const request of [{ method: 'OPTIONS', headers: { ...preflight, origin } }, { headers: { ...headers, origin } }]) {
      expect((await ask(router.url, request)).headers).not.toHaveProperty('access-control-allow-origin');
    }
  });

  test('by default, none may', async () => {
    const { router } = await scene();
    const answer = await ask(router.url, { method: 'OPTIONS', headers: preflight });
    expect(answer.status).toBe(400);
    expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
  });
});
