import { once } from 'node:events';
import { jest } from '@jest/globals';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { Agent, request } from 'undici';
import { FakeCluster, ask, eventually, freePort, raw, startBackend, startRouter, type Backend, type Running } from './support.js';

jest.setTimeout(60_000);

/** Ordinary requests through the router: the black-box cases of the other routers, and what they get wrong. */
let cluster: FakeCluster;
let backend: Backend;
let running: Running;
let headers: Record<string, string>;
const cleanUp: (() => Promise<unknown>)[] = [];

async function scene(handler?: Parameters<typeof startBackend>[0], args: readonly string[] = []) {
  const [aBackend, aCluster] = [await startBackend(handler), await FakeCluster.start()];
  aCluster.sandbox('box', { ports: [aBackend.port] });
  const router = await startRouter(aCluster, args);
  cleanUp.push(() => router.close(0), () => aBackend.close(), () => aCluster.api.stop());
  return { backend: aBackend, cluster: aCluster, router, headers: { 'x-sandbox-id': 'box', 'x-sandbox-port': String(aBackend.port) } };
}

/** Makes a Sandbox, and waits until the router knows it: it then refuses a port that is not declared. */
async function known(router: Running, own: FakeCluster, name: string, port: number): Promise<void> {
  own.sandbox(name, { ports: [port] });
  await eventually('the sandbox', async () => (await ask(router.url, { headers: { 'x-sandbox-id': name, 'x-sandbox-port': '1' } })).status === 403);
}

beforeAll(async () => {
  ({ backend, cluster, router: running, headers } = await scene());
});
afterAll(async () => {
  for (const clean of cleanUp) {
    await clean();
  }
});
beforeEach(() => {
  backend.got.length = 0;
});

describe('health', () => {
  test.each(['GET', 'POST', 'HEAD'])('%s /healthz is answered by the router, without any header', async method => {
    expect(await ask(`${running.url}/healthz?x=1`, { method })).toMatchObject({ status: 200, text: method === 'HEAD' ? '' : '{"status":"ok"}', headers: { 'content-type': 'application/json' } });
    expect(backend.got).toEqual([]);
  });
});

describe('refusals', () => {
  test('are JSON with a detail and a newline', async () => {
    expect(await ask(running.url)).toMatchObject({ status: 400, text: '{"detail":"X-Sandbox-ID header is required."}\n', headers: { 'content-type': 'application/json' } });
  });

  test.each([
    [{ 'x-sandbox-id': 'Foo' }, 400, 'Invalid sandbox ID format.'],
    [{ 'x-sandbox-namespace': 'Foo' }, 400, 'Invalid namespace format.'],
    [{ 'x-sandbox-port': '70000' }, 400, 'Invalid port format.'],
    [{ 'x-sandbox-pod-ip': 'not-an-ip' }, 400, 'Invalid target IP address format.'],
    [{ 'x-sandbox-pod-ip': '169.254.169.254' }, 400, 'Invalid target IP address.'],
    [{ 'x-sandbox-pod-ip': '10.0.0.5' }, 403, 'forbidden'],
    [{ 'x-sandbox-uid': 'another-uid' }, 403, 'forbidden'],
    [{ 'x-sandbox-port': '22' }, 403, 'The sandbox does not declare port 22.'],
    [{ 'x-sandbox-id': 'missing' }, 502, 'Could not connect to the backend sandbox: missing'],
    [{ 'x-sandbox-namespace': 'elsewhere' }, 502, 'Could not connect to the backend sandbox: box'],
  ])('%j: %d %s', async (changed, status, detail) => {
    expect(await ask(running.url, { headers: { ...headers, ...changed } })).toMatchObject({ status, detail });
    expect(backend.got).toEqual([]);
  });

  test('a sandbox in the network of its node is not reached', async () => {
    cluster.sandbox('on-node', { ports: [backend.port], hostNetwork: true });
    expect(await eventually('the sandbox', async () => {
      const answer = await ask(running.url, { headers: { ...headers, 'x-sandbox-id': 'on-node' } });
      return answer.status === 403 && answer;
    })).toMatchObject({ detail: expect.stringContaining('network of its node') });
  });
});

describe('targets', () => {
  test('an address and a UID that are right change nothing', async () => {
    const uid = cluster.sandbox('with-uid', { ports: [backend.port] });
    const given = { ...headers, 'x-sandbox-id': 'with-uid', 'x-sandbox-uid': uid, 'x-sandbox-pod-ip': '127.0.0.1' };
    await eventually('the sandbox', async () => (await ask(running.url, { headers: given })).status === 200);
  });

  test('the Pod has to be ready, and to belong to the Sandbox', async () => {
    const given = { ...headers, 'x-sandbox-id': 'changing' };
    const uid = cluster.sandbox('changing', { ports: [backend.port] });
    const status = (wanted: number) => eventually(`status ${wanted}`, async () => (await ask(running.url, { headers: given })).status === wanted);
    await status(200);
    cluster.pod('changing', { ready: false, ownerUid: uid });
    await status(502);
    cluster.pod('changing', { ownerUid: uid });
    await status(200);
    cluster.pod('changing', { ownerUid: 'another' });
    await status(502);
    cluster.pod('changing', { ownerUid: uid, ip: '127.0.0.77' });
    await eventually('the new address', async () => (await ask(running.url, { headers: { ...given, 'x-sandbox-pod-ip': '127.0.0.1' } })).status === 403);
    cluster.remove('changing');
    await status(502);
    cluster.sandbox('changing', { ports: [backend.port] });
    await status(200);
    expect(await ask(running.url, { headers: { ...given, 'x-sandbox-uid': uid } })).toMatchObject({ status: 403 });
  });

  test('a Sandbox that waits in a pool is reached by its UID only', async () => {
    const uid = cluster.sandbox('idle', { ports: [backend.port], labels: { 'agents.x-k8s.io/warm-pool-sandbox': 'x' } });
    const given = { ...headers, 'x-sandbox-id': 'idle' };
    await eventually('the sandbox', async () => (await ask(running.url, { headers: { ...given, 'x-sandbox-uid': uid } })).status === 200);
    expect(await ask(running.url, { headers: given })).toMatchObject({ status: 502 });
  });

  test('the namespace counts', async () => {
    cluster.sandbox('box', { namespace: 'my-team', ports: [backend.port] });
    await eventually('the sandbox', async () => (await ask(running.url, { headers: { ...headers, 'x-sandbox-namespace': 'my-team' } })).status === 200);
  });
});

describe('what the sandbox gets', () => {
  test.each([
    '/a%2Fb/%2E%2E/c?x=%2F&y=1+2', '//double//slash', '/./dots/../x', '/%C3%A4?q=%00', '/?', '/a;b=c,d', '/download/dir%2Ffile%2520name', "/quote'\"<>|", '/..%2f..%2fetc/passwd',
  ])('the raw path %s', async path => {
    expect(await raw(running.port, `GET ${path} HTTP/1.1\r\nHost: x\r\nX-Sandbox-ID: box\r\nX-Sandbox-Port: ${backend.port}\r\nConnection: close\r\n\r\n`)).toContain(' 200 ');
    expect(backend.got.map(({ url }) => url)).toEqual([path]);
  });

  test('no header of the router, none of the hop, and the Host of the client', async () => {
    const answer = await raw(running.port, [
      'GET /x HTTP/1.1', 'Host: router.example', 'X-Sandbox-ID: box', `X-Sandbox-Port: ${backend.port}`, 'X-Sandbox-Namespace: default', 'X-Sandbox-Timeout: 5', 'Authorization: Bearer secret',
      'Connection: close, X-Foo', 'X-Foo: 1', 'TE: trailers', 'X-Forwarded-For: 6.6.6.6', 'X-Forwarded-Host: evil', 'X-Forwarded-Proto: https', 'Forwarded: for=6.6.6.6', 'Cookie: a=1', 'X-Multi: 1', 'X-Multi: 2', 'traceparent: t', '', '',
    ].join('\r\n'));
    expect(answer).toContain(' 200 ');
    expect(backend.got[0]!.headers).toEqual({
      'host': 'router.example', 'connection': 'keep-alive', 'cookie': 'a=1', 'x-multi': '1, 2', 'traceparent': 't',
      'x-forwarded-for': '127.0.0.1', 'x-forwarded-host': 'router.example', 'x-forwarded-proto': 'http', 'x-forwarded-port': '80',
    });
  });

  test.each(['DELETE', 'PUT', 'PATCH', 'OPTIONS', 'HEAD', 'TRACE', 'PROPFIND'])('%s', async method => {
    expect((await ask(running.url, { headers, method })).status).toBe(200);
    expect(backend.got[0]!.method).toBe(method);
  });

  test('a large body whole, with its length or in chunks', async () => {
    const piece = Buffer.alloc(64 * 1024, 'x');
    const upload = () => Readable.from((function* () {
      for (let i = 0; i < 320; i++) {
        yield piece;
      }
    })());
    const total = 320 * piece.length;
    expect(JSON.parse((await ask(running.url, { headers: { ...headers, 'content-length': String(total) }, method: 'POST', body: upload() })).text)).toMatchObject({ length: total, headers: { 'content-length': String(total) } });
    expect(JSON.parse((await ask(running.url, { headers, method: 'POST', body: upload() })).text)).toMatchObject({ length: total, headers: { 'transfer-encoding': 'chunked' } });
    expect(JSON.parse((await ask(running.url, { headers, method: 'POST', body: '' })).text)).toMatchObject({ length: 0, headers: { 'content-length': '0' } });
  });

  test('with Expect: 100-continue the body is asked for only after the request was admitted', async () => {
    const head = (id: string) => `POST / HTTP/1.1\r\nHost: x\r\nX-Sandbox-ID: ${id}\r\nX-Sandbox-Port: ${backend.port}\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n\r\n`;
    const socket = connect(running.port, '127.0.0.1', () => socket.write(head('box')));
    const [first] = await once(socket, 'data') as [Buffer];
    expect(first.toString()).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    socket.end('abc');
    await once(socket, 'close');
    expect(backend.got[0]!.body.toString()).toBe('abc');
    expect(backend.got[0]!.headers.expect).toBeUndefined();
    const refused = connect(running.port, '127.0.0.1', () => refused.write(head('missing')));
    const [answer] = await once(refused, 'data') as [Buffer];
    expect(answer.toString()).toContain('HTTP/1.1 502');
    refused.destroy();
  });
});

describe('what the client gets', () => {
  test('headers without those of the hop, repeated ones apart, and a body that is not decoded', async () => {
    const { router, headers: given } = await scene((_, response) => {
      response.writeHead(201, 'Made', [
        'Content-Encoding', 'gzip', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'X-Case', 'Kept', 'Connection', 'keep-alive, X-Hop', 'X-Hop', '1', 'Keep-Alive', 'timeout=99', 'Proxy-Authenticate', 'Basic',
      ]);
      const zip = createGzip();
      zip.pipe(response);
      zip.end('hello');
    });
    const answer = await raw(router.port, `GET / HTTP/1.1\r\nHost: x\r\nX-Sandbox-ID: box\r\nX-Sandbox-Port: ${given['x-sandbox-port']}\r\nConnection: close\r\n\r\n`);
    const [head, body] = answer.split('\r\n\r\n', 2) as [string, string];
    expect(head.split('\r\n').filter(line => !line.startsWith('Date'))).toEqual(['HTTP/1.1 201 Made', 'Content-Encoding: gzip', 'Set-Cookie: a=1', 'Set-Cookie: b=2', 'X-Case: Kept', 'Connection: close', 'Transfer-Encoding: chunked']);
    expect(body).toContain('\x1f\x8b');
  });

  test('no cookie of one caller reaches the next', async () => {
    const seen: (string | undefined)[] = [];
    const { router, headers: given } = await scene((incoming, response) => {
      seen.push(incoming.headers.cookie);
      response.setHeader('set-cookie', 'session=1').end();
    });
    await ask(router.url, { headers: given });
    await ask(router.url, { headers: given });
    expect(seen).toEqual([undefined, undefined]);
  });

  test('events one by one, as the sandbox sends them', async () => {
    let next!: (text: string | undefined) => void;
    const { router, headers: given } = await scene((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      next = text => (text === undefined ? response.end() : response.write(text));
      next('data: 1\n\n');
    });
    const { body } = await request(router.url, { headers: given });
    const chunks = body[Symbol.asyncIterator]();
    expect(String((await chunks.next()).value)).toBe('data: 1\n\n');
    next('data: 2\n\n');
    expect(String((await chunks.next()).value)).toBe('data: 2\n\n');
    next(undefined);
    expect((await chunks.next()).done).toBe(true);
  });

  test('informational answers, trailers, and redirects that are not followed', async () => {
    const { router, headers: given } = await scene((_, response) => {
      response.writeEarlyHints({ link: '</style.css>; rel=preload' });
      response.writeHead(302, { location: '/next', trailer: 'X-Sum' });
      response.write('body');
      response.addTrailers({ 'X-Sum': '42' });
      response.end();
    });
    const answer = await raw(router.port, `GET / HTTP/1.1\r\nHost: x\r\nX-Sandbox-ID: box\r\nX-Sandbox-Port: ${given['x-sandbox-port']}\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 103 Early Hints\r\nLink: <\/style.css>; rel=preload\r\n/);
    expect(answer).toContain('HTTP/1.1 302 Found\r\nlocation: /next\r\n');
    expect(answer).toMatch(/0\r\nx-sum: 42\r\n\r\n$/i);
  });

  test('an answer that breaks off breaks off', async () => {
    const { router, headers: given } = await scene((_, response) => {
      response.writeHead(200, { 'content-length': '10' });
      response.write('12345', () => response.destroy());
    });
    await expect(ask(router.url, { headers: given })).rejects.toThrow();
    expect(await ask(`${router.url}/healthz`)).toMatchObject({ status: 200 });
  });

  test('an answer that comes before the body was read', async () => {
    const { router, headers: given } = await scene((_, response) => response.writeHead(418, { connection: 'close' }).end('early'));
    const slow = Readable.from((async function* () {
      yield 'x';
      await new Promise(resolve => setTimeout(resolve, 50));
      yield 'y';
    })());
    expect(await ask(router.url, { headers: given, method: 'POST', body: slow })).toMatchObject({ status: 418, text: 'early' });
  });
});

describe('failures', () => {
  test('connection refused: 502 with the name, after four tries', async () => {
    const port = await freePort();
    const { router, cluster: own } = await scene(undefined, ['--upstream-retry-initial-delay=1ms']);
    await known(router, own, 'deaf', port);
    expect(await ask(router.url, { headers: { 'x-sandbox-id': 'deaf', 'x-sandbox-port': String(port) }, method: 'POST', body: 'x' }))
      .toMatchObject({ status: 502, detail: 'Could not connect to the backend sandbox: deaf' });
    expect(await router.metrics.registry.metrics()).toContain('sandbox_router_upstream_retries_total{sandbox_namespace="default"} 3');
    expect(await router.metrics.registry.metrics()).toContain('sandbox_router_upstream_errors_total{sandbox_namespace="default",reason="dial"} 1');
  });

  test('a sandbox that begins to listen late gets the request, body and all', async () => {
    const port = await freePort();
    const { router, cluster: own } = await scene(undefined, ['--upstream-max-retries=1000', '--upstream-retry-initial-delay=5ms', '--upstream-retry-max-delay=5ms']);
    await known(router, own, 'late', port);
    const answer = ask(router.url, { headers: { 'x-sandbox-id': 'late', 'x-sandbox-port': String(port) }, method: 'POST', body: 'hello' });
    await eventually('a failed try', async () => /retries_total\{.*\} [1-9]/.test(await router.metrics.registry.metrics()));
    const late = await startBackend(undefined, port);
    cleanUp.push(() => late.close());
    expect(JSON.parse((await answer).text)).toMatchObject({ method: 'POST', length: 5 });
  });

  test('a connection that breaks is not tried again', async () => {
    let times = 0;
    const { router, headers: given } = await scene(incoming => {
      times++;
      incoming.socket.destroy();
    });
    expect(await ask(router.url, { headers: given })).toMatchObject({ status: 502, detail: 'Could not connect to the backend sandbox: box' });
    expect(times).toBe(1);
  });

  test.each(['HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab', 'SSH-2.0-OpenSSH\r\n', 'HTTP/1.1 200 OK\r\nX: \x00\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\na'])('an answer that is not HTTP: 502 for %j', async text => {
    const { router, headers: given } = await scene(incoming => incoming.socket.end(text));
    expect(await ask(router.url, { headers: given })).toMatchObject({ status: 502 });
  });

  test('101 to a request that did not ask for it', async () => {
    const { router, headers: given } = await scene(incoming => incoming.socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n'));
    expect(await ask(router.url, { headers: given })).toMatchObject({ status: 502, detail: expect.stringContaining('attempted a WebSocket upgrade over HTTP') });
  });

  test('the client waits no longer than it says, and never longer than the router does', async () => {
    const { router, headers: given } = await scene(incoming => incoming.resume(), ['--proxy-timeout=300ms']);
    for (const timeout of ['0.1', '100', 'abc', '-5', 'inf']) {
      expect(await ask(router.url, { headers: { ...given, 'x-sandbox-timeout': timeout } })).toMatchObject({ status: 504, detail: 'Timed out waiting for the backend sandbox: box' });
    }
    const { router: patient, headers: others } = await scene(incoming => incoming.resume());
    expect(await ask(patient.url, { headers: { ...others, 'x-sandbox-timeout': '0.05' } })).toMatchObject({ status: 504 });
  });

  test('when the client goes, so does the request to the sandbox', async () => {
    const started: IncomingMessage[] = [];
    const { router, headers: given } = await scene((incoming, response) => {
      started.push(incoming);
      response.write('first');
    });
    const { body } = await request(router.url, { headers: given, dispatcher: new Agent() });
    body.on('error', () => undefined).destroy();
    await eventually('the end', () => started[0]!.destroyed);
    await eventually('the line in the log', () => router.accessLog.length === 1);
  });

  test('a body that is too long: 413, announced or not', async () => {
    const { router, headers: given, backend: own } = await scene(undefined, ['--max-request-body-bytes=10']);
    expect(await ask(router.url, { headers: given, method: 'POST', body: '0123456789' })).toMatchObject({ status: 200 });
    expect(await ask(router.url, { headers: given, method: 'POST', body: '01234567890' })).toMatchObject({ status: 413, detail: 'The request body is longer than 10 bytes.' });
    expect(await ask(router.url, { headers: given, method: 'POST', body: Readable.from(['0123456', '7890']) })).toMatchObject({ status: 413 });
    expect(own.got.length).toBe(1);
  });
});

describe('what is noted', () => {
  test('a line per request, without query and token', async () => {
    running.accessLog.length = 0;
    await ask(`${running.url}/path?secret=1`, { headers: { ...headers, 'authorization': 'Bearer secret-token', 'user-agent': 'test' }, method: 'POST', body: 'abc' });
    const line = await eventually('the line', () => running.accessLog[0]);
    expect(line).toEqual({
      method: 'POST', path: '/path', status: 200, duration_ms: expect.any(Number), client_ip: '127.0.0.1', sandbox_id: 'box', sandbox_namespace: 'default', user: '-', bytes_in: 3,
      bytes_out: expect.any(Number), user_agent: 'test',
    });
    expect(JSON.stringify([running.accessLog, running.log])).not.toContain('secret');
  });

  test('metrics by namespace, but only by those that exist', async () => {
    await ask(running.url, { headers: { ...headers, 'x-sandbox-namespace': 'made-up' } });
    await ask(running.url, { headers });
    const text = await eventually('the metrics', async () => {
      const metrics = await running.metrics.registry.metrics();
      return /requests_total\{method="GET",code="200",sandbox_namespace="default"\}/.test(metrics) && metrics;
    });
    expect(text).not.toContain('made-up');
    expect(text).toContain('sandbox_router_requests_total{method="GET",code="502",sandbox_namespace="-"}');
    expect(text).toContain('sandbox_router_authz_decisions_total{sandbox_namespace="default",decision="allow"}');
    expect(text).toMatch(/sandbox_router_inflight_requests 0/);
  });
});
