import { once } from 'node:events';
import { connect } from 'node:net';
import { jest } from '@jest/globals';
import { FakeCluster, ask, eventually, raw, startBackend, startRouter, type Backend, type Running } from './support.js';

jest.setTimeout(60_000);

/** Attacks of a user who may use one sandbox, each with the expected refusal. */
let cluster: FakeCluster;
let backend: Backend;
let running: Running;

beforeAll(async () => {
  backend = await startBackend();
  cluster = await FakeCluster.start();
  cluster.sandbox('box', { ports: [backend.port] });
  cluster.sandbox('victim', { ports: [backend.port], namespace: 'other' });
  cluster.users.set('mine', { username: 'mallory' });
  cluster.grants.add('mallory create proxy default/box');
  cluster.grants.add('mallory create proxy default/metadata');
  cluster.grants.add('mallory create proxy default/looped');
  running = await startRouter(cluster, ['--authz-mode=tokenreview', '--authz-failure-rate-limit=0', '--read-header-timeout=500ms', '--max-request-body-bytes=100000']);
});
afterAll(async () => {
  await running.close(0);
  await backend.close();
  await cluster.api.stop();
});
beforeEach(() => {
  backend.got.length = 0;
});

const lines = (...more: string[]) => ['Host: x', 'X-Sandbox-ID: box', `X-Sandbox-Port: ${backend.port}`, 'Authorization: Bearer mine', ...more];
const request = (first: string, headers: readonly string[], body = '') => `${first}\r\n${headers.join('\r\n')}\r\n\r\n${body}`;
const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
/** The statuses of all answers on a connection. */
const statuses = (answer: string) => [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));

test('the request that the attacks vary is a good one', async () => {
  expect(statusOf(await raw(running.port, request('GET / HTTP/1.1', lines('Connection: close'))))).toBe(200);
});

describe('header injection', () => {
  test.each([
    ['a header of the router twice', ['X-Sandbox-ID: victim']], ['in other letters', ['x-sandbox-id: victim']], ['a second token', ['Authorization: Bearer other']], ['a second host', ['Host: y']],
    ['a second port', ['x-sandbox-port: 22']], ['a second namespace beside one', ['X-Sandbox-Namespace: default', 'X-SANDBOX-NAMESPACE: other']],
  ])('%s', async (_, more) => {
    expect(statusOf(await raw(running.port, request('GET / HTTP/1.1', lines(...more, 'Connection: close'))))).toBe(400);
    expect(backend.got).toEqual([]);
  });

  test.each([
    ['a folded line', 'X-A: 1\r\n X-Sandbox-ID: victim'], ['a name with a blank', 'X-Sandbox-ID : victim'], ['a line without a name', ': x'], ['a null byte', 'X-A: 1\x002'], ['a carriage return in a value', 'X-A: 1\rX-B: 2'],
    ['a name in parentheses', '(X): 1'], ['a line without a colon', 'X-A'],
  ])('%s is not HTTP', async (_, line) => {
    expect(statusOf(await raw(running.port, request('GET / HTTP/1.1', lines(line, 'Connection: close'))))).toBe(400);
    expect(backend.got).toEqual([]);
  });

  test('Connection cannot take away what the router says, nor the length', async () => {
    await raw(running.port, request('POST / HTTP/1.1', lines('Connection: close, host, x-forwarded-for, content-length, x-sandbox-id, cookie', 'Cookie: a=1', 'Content-Length: 3'), 'abc'));
    expect(backend.got[0]!.headers).toMatchObject({ 'x-forwarded-for': '127.0.0.1', 'content-length': '3', 'host': 'x' });
    expect(backend.got[0]!.headers.cookie).toBeUndefined();
    expect(backend.got[0]!.body.toString()).toBe('abc');
  });

  test('names with underscores are none of the router\'s headers', async () => {
    expect(statusOf(await raw(running.port, request('GET / HTTP/1.1', ['Host: x', 'X_Sandbox_ID: box', 'Connection: close'])))).toBe(400);
  });
});

describe('request smuggling', () => {
  const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
  test.each([
    ['length and chunks', ['Content-Length: 6', 'Transfer-Encoding: chunked'], `0\r\n\r\n${smuggled}`],
    ['chunks and length', ['Transfer-Encoding: chunked', 'Content-Length: 6'], `0\r\n\r\n${smuggled}`],
    ['two lengths', ['Content-Length: 0', 'Content-Length: 40'], smuggled],
    ['two lengths in one', ['Content-Length: 0, 40'], smuggled],
    ['a signed length', ['Content-Length: +3'], 'abc'],
    ['a length in hexadecimal', ['Content-Length: 0x3'], 'abc'],
    ['a negative length', ['Content-Length: -1'], ''],
    ['chunks that are not last', ['Transfer-Encoding: chunked, identity'], `0\r\n\r\n${smuggled}`],
    ['chunks of another name', ['Transfer-Encoding: xchunked'], `0\r\n\r\n${smuggled}`],
    ['chunks twice', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'], `0\r\n\r\n${smuggled}`],
    ['a chunk of no size', ['Transfer-Encoding: chunked'], `\r\nabc\r\n0\r\n\r\n${smuggled}`],
    ['a chunk size with a sign', ['Transfer-Encoding: chunked'], `+3\r\nabc\r\n0\r\n\r\n${smuggled}`],
    ['a chunk size in hexadecimal form', ['Transfer-Encoding: chunked'], `0x3\r\nabc\r\n0\r\n\r\n${smuggled}`],
    ['a chunk that is longer than it says', ['Transfer-Encoding: chunked'], `3\r\nabcd\r\n0\r\n\r\n${smuggled}`],
    ['a chunk size that overflows', ['Transfer-Encoding: chunked'], `fffffffffffffffff3\r\nabc\r\n0\r\n\r\n${smuggled}`],
  ])('%s', async (_, headers, body) => {
    const answer = await raw(running.port, request('POST / HTTP/1.1', lines(...headers), body));
    expect(statuses(answer).every(status => status >= 400)).toBe(true);
    expect(backend.got.map(({ url }) => url)).not.toContain('/smuggled');
  });

  test.each([
    ['a bare line feed after the request line', 'GET / HTTP/1.1\nHost: x\r\nX-Sandbox-ID: box\r\n\r\n'], ['a version of its own', 'GET / HTTP/3.7\r\nHost: x\r\n\r\n'], ['no version', 'GET /\r\n\r\n'], ['a blank in the path', 'GET /a b HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['no host', 'GET / HTTP/1.1\r\nX-Sandbox-ID: box\r\n\r\n'], ['no method', ' / HTTP/1.1\r\nHost: x\r\n\r\n'], ['HTTP/2 in the head of HTTP/1.1', 'PRI / HTTP/2.0\r\nHost: x\r\n\r\n'], ['TLS', '\x16\x03\x01\x02\x00\x01'], ['an unknown method', 'SMUGGLE / HTTP/1.1\r\nHost: x\r\n\r\n'],
  ])('%s', async (_, text) => {
    expect(statusOf(await raw(running.port, text))).toBe(400);
    expect(backend.got).toEqual([]);
  });

  test.each([
    ['requests of HTTP/1.1', Buffer.from(`GET / HTTP/1.1\r\nHost: x\r\nX-Sandbox-ID: box\r\n\r\n${smuggled}`)],
    // HEADERS on stream 0, and a frame that is longer than was agreed on.
    ['headers without a stream', Buffer.from([0, 0, 1, 1, 5, 0, 0, 0, 0, 0x82])],
    ['a frame that is too long', Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1])],
  ])('after the beginning of HTTP/2, %s end the connection', async (_, rest) => {
    const answer = await raw(running.port, Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), rest]));
    expect(answer).not.toContain('HTTP/1.1');
    expect(backend.got).toEqual([]);
  });

  test('whatever ends a line, the sandbox and the router see the same requests', async () => {
    // Where Node's parser takes a bare line feed, nothing of it goes on: the request is written anew.
    const answer = await raw(running.port, `POST /one HTTP/1.1\r\nHost: x\nX-Sandbox-ID: box\nX-Sandbox-Port: ${backend.port}\nAuthorization: Bearer mine\nX-A: b\nContent-Length: 3\nConnection: close\r\n\r\nabc${smuggled}`);
    expect(statuses(answer).length).toBe(1);
    expect(backend.got.map(({ url }) => url)).toEqual(statusOf(answer) === 200 ? ['/one'] : []);
    expect(backend.got.flatMap(({ rawHeaders }) => rawHeaders).join()).not.toContain('\n');
  });

  test('each request on a connection needs its own permission', async () => {
    const answer = await raw(running.port, request('GET /one HTTP/1.1', lines()) + request('GET /two HTTP/1.1', ['Host: x', 'X-Sandbox-ID: box', 'Connection: close']));
    expect(statuses(answer)).toEqual([200, 401]);
    expect(backend.got.map(({ url }) => url)).toEqual(['/one']);
  });

  test('what comes after a body belongs to the next request', async () => {
    const answer = await raw(running.port, request('POST /one HTTP/1.1', lines('Content-Length: 3'), 'abcGET /smuggled HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'));
    expect(statuses(answer)[0]).toBe(200);
    expect(statuses(answer).slice(1)).toEqual([400]);
    expect(backend.got.map(({ url }) => url)).toEqual(['/one']);
  });
});

describe('targets of the request line', () => {
  test.each(['http://169.254.169.254/latest', 'http://victim/', 'https://x', '*', 'victim:80'])('%s is no path', async target => {
    expect(statusOf(await raw(running.port, request(`GET ${target} HTTP/1.1`, lines('Connection: close'))))).toBe(400);
    expect(backend.got).toEqual([]);
  });

  test('CONNECT is not served', async () => {
    expect(await raw(running.port, request('CONNECT 10.0.0.1:22 HTTP/1.1', lines()))).toMatch(/^HTTP\/1\.1 405 [^]*Method Not Allowed/);
  });

  test.each(['/../../etc/passwd', '/..%2f..%2f', '//169.254.169.254/', '/%00', '/healthz/../x', '/HEALTHZ', '/healthz/'])('%s goes to the own sandbox as it is', async path => {
    expect(statusOf(await raw(running.port, request(`GET ${path} HTTP/1.1`, lines('Connection: close'))))).toBe(200);
    expect(backend.got.map(({ url }) => url)).toEqual([path]);
  });
});

describe('other sandboxes', () => {
  const mine = (more: Record<string, string>) => ask(running.url, { headers: { 'x-sandbox-id': 'box', 'x-sandbox-port': String(backend.port), 'authorization': 'Bearer mine', ...more } });

  test.each([
    ['of another namespace', { 'x-sandbox-id': 'victim', 'x-sandbox-namespace': 'other' }], ['by an address', { 'x-sandbox-pod-ip': '10.0.0.7' }], ['by a UID', { 'x-sandbox-uid': 'uid-of-victim' }],
    ['by its name in mine', { 'x-sandbox-id': 'victim' }], ['a port that is not declared', { 'x-sandbox-port': '6443' }],
  ])('%s', async (_, headers) => {
    expect(await mine(headers)).toMatchObject({ status: 403 });
    expect(backend.got).toEqual([]);
  });

  test.each([['127.0.0.1:80', 400], ['localhost', 400], ['2130706433', 400], ['0x7f000001', 400], ['::ffff:127.0.0.1', 400], ['169.254.169.254', 400], ['[::1]', 400], ['kubernetes.default.svc', 400]])('the address %s', async (address, status) => {
    expect(await mine({ 'x-sandbox-pod-ip': address })).toMatchObject({ status });
  });

  test.each([['metadata', '169.254.169.254'], ['looped', '0.0.0.0']])('a Pod that claims to have the address of %s is not reached', async (name, ip) => {
    cluster.sandbox(name, { ip, ports: [backend.port] });
    await eventually('the sandbox', async () => (await mine({ 'x-sandbox-id': name, 'x-sandbox-port': '1' })).status === 403);
    expect(await mine({ 'x-sandbox-id': name })).toMatchObject({ status: 502, detail: `Could not connect to the backend sandbox: ${name}` });
  });

  test('a Pod that claims to belong to a Sandbox, under another name, gets nothing', async () => {
    const uid = cluster.api.all('/apis/agents.x-k8s.io/v1beta1/sandboxes').get('default/box')!.metadata.uid;
    cluster.pod('impostor', { ownerUid: uid, ip: '127.0.0.66' });
    await ask(running.url);
    expect(await mine({ 'x-sandbox-pod-ip': '127.0.0.66' })).toMatchObject({ status: 403 });
    expect(await mine({})).toMatchObject({ status: 200 });
  });
});

describe('slow clients', () => {
  test('a header that trickles in is given up', async () => {
    const socket = connect(running.port, '127.0.0.1');
    let answer = '';
    socket.on('data', chunk => (answer += chunk)).on('error', () => undefined);
    const drip = setInterval(() => socket.write('X'), 20);
    socket.write('GET / HTTP/1.1\r\nX-');
    await once(socket, 'close');
    clearInterval(drip);
    expect(answer).toMatch(/^HTTP\/1\.1 408 [^]*The request header took too long/);
  });

  test('so is a connection that says nothing', async () => {
    expect(['', 'HTTP/1.1 408']).toContain((await raw(running.port, '')).slice(0, 12).trimEnd());
  });

  test('a body that stops is given up', async () => {
    const impatient = await startRouter(cluster, ['--proxy-timeout=100ms']);
    const hungry = await startBackend(incoming => incoming.resume());
    cluster.sandbox('hungry', { ports: [hungry.port] });
    await eventually('the sandbox', async () => (await ask(impatient.url, { headers: { 'x-sandbox-id': 'hungry', 'x-sandbox-port': '1' } })).status === 403);
    const answer = await raw(impatient.port, request('POST / HTTP/1.1', ['Host: x', 'X-Sandbox-ID: hungry', `X-Sandbox-Port: ${hungry.port}`, 'Content-Length: 1000'], 'abc'), 40_000);
    expect([undefined, 504]).toContain(statusOf(answer) || undefined);
    await impatient.close(0);
    await hungry.close();
  });

  test('connections per address are limited', async () => {
    const narrow = await startRouter(cluster, ['--max-connections-per-client=2']);
    const first = [connect(narrow.port, '127.0.0.1'), connect(narrow.port, '127.0.0.1')];
    await Promise.all(first.map(socket => once(socket, 'connect')));
    expect(await raw(narrow.port, 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')).toBe('');
    first[0]!.destroy();
    await eventually('a free place', async () => (await raw(narrow.port, 'GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).startsWith('HTTP/1.1 200'));
    first[1]!.destroy();
    await narrow.close(0);
  });
});

describe('size', () => {
  test('a header that is too long', async () => {
    expect(await raw(running.port, request('GET / HTTP/1.1', lines(`X-A: ${'a'.repeat(20_000)}`)))).toMatch(/^HTTP\/1\.1 431 [^]*too long/);
    expect(statusOf(await raw(running.port, request(`GET /${'a'.repeat(20_000)} HTTP/1.1`, lines())))).toBe(431);
  });

  test('headers that are too many, so that none is overlooked', async () => {
    const many = Array.from({ length: 2100 }, (_, i) => `a${i}:`);
    expect(statusOf(await raw(running.port, request('GET / HTTP/1.1', lines(...many.slice(0, 200), 'Connection: close'))))).toBe(431);
    expect(statusOf(await raw(running.port, request('GET / HTTP/1.1', [...many, ...lines('Connection: close')])))).toBe(431);
    expect(backend.got).toEqual([]);
  });

  test('a body that is too long, also without a token, when the rest is not read', async () => {
    expect(statusOf(await raw(running.port, request('POST / HTTP/1.1', lines('Content-Length: 100001', 'Connection: close'), 'a')))).toBe(413);
    const socket = connect(running.port, '127.0.0.1');
    let answer = '';
    socket.on('data', chunk => (answer += chunk)).on('error', () => undefined);
    socket.write(request('POST / HTTP/1.1', ['Host: x', 'X-Sandbox-ID: box', 'Content-Length: 100000000000']));
    const flood = setInterval(() => socket.writableNeedDrain || socket.write(Buffer.alloc(1000)), 10);
    // Not `once`, which rejects: that the connection is reset while more is sent is what shall happen.
    await new Promise(resolve => socket.once('close', resolve));
    clearInterval(flood);
    expect(statusOf(answer)).toBe(401);
  });

  test('chunk extensions and trailers do not reach the sandbox', async () => {
    await raw(running.port, request('POST / HTTP/1.1', lines('Transfer-Encoding: chunked', 'Connection: close'), '3;x=1\r\nabc\r\n0\r\nX-Sandbox-ID: victim\r\n\r\n'));
    expect(backend.got.map(({ body, headers }) => [body.toString(), headers['x-sandbox-id']])).toEqual([['abc', undefined]]);
  });
});

describe('upgrades', () => {
  const upgrade = (...more: string[]) => lines('Connection: Upgrade', ...more);
  test.each([
    ['with a length', ['Upgrade: websocket', 'Content-Length: 40'], 400], ['with chunks', ['Upgrade: websocket', 'Transfer-Encoding: chunked'], 400], ['to HTTP/2, with a body', ['Upgrade: h2c', 'Content-Length: 3'], 400],
  ])('%s', async (_, headers, status) => {
    expect(statusOf(await raw(running.port, request('GET / HTTP/1.1', upgrade(...headers), 'GET /smuggled HTTP/1.1\r\n\r\n')))).toBe(status);
    expect(backend.got).toEqual([]);
  });

  test('HTTP/2 is not agreed on: the answer is an ordinary one, and the following bytes are discarded', async () => {
    const answer = await raw(running.port, request('GET /plain HTTP/1.1', upgrade('Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'), 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'));
    expect(statuses(answer)).toEqual([200]);
    expect(backend.got.map(({ url, headers }) => [url, headers.upgrade])).toEqual([['/plain', undefined]]);
  });

  test('without permission it does not come to one', async () => {
    expect(statusOf(await raw(running.port, request('GET / HTTP/1.1', ['Host: x', 'X-Sandbox-ID: victim', 'X-Sandbox-Namespace: other', 'Authorization: Bearer mine', 'Connection: Upgrade', 'Upgrade: websocket'])))).toBe(403);
    expect(statusOf(await raw(running.port, request('GET / HTTP/1.1', ['Host: x', 'X-Sandbox-ID: box', 'Connection: Upgrade', 'Upgrade: websocket'])))).toBe(401);
  });

  test('a sandbox that says no keeps the connection to itself: what the client sends on goes nowhere', async () => {
    const answer = await raw(running.port, request('GET /no HTTP/1.1', upgrade('Upgrade: websocket'), 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'));
    expect(statuses(answer)).toEqual([200]);
    expect(backend.got.map(({ url }) => url)).toEqual(['/no']);
  });

  test('headers of an answer cannot split it', async () => {
    const liar = await startBackend();
    liar.server.removeAllListeners('request').on('upgrade', (_, socket) => socket.end('HTTP/1.1 101 Fine\r\nUpgrade: websocket\r\nConnection: upgrade\r\nX-A: 1\n\nHTTP/1.1 200 OK\r\n\r\n'));
    cluster.sandbox('box2', { ports: [liar.port] });
    cluster.grants.add('mallory create proxy default/box2');
    const headers = ['Host: x', 'X-Sandbox-ID: box2', `X-Sandbox-Port: ${liar.port}`, 'Authorization: Bearer mine', 'Connection: Upgrade', 'Upgrade: websocket'];
    const answer = await eventually('an answer', async () => {
      const text = await raw(running.port, request('GET / HTTP/1.1', headers));
      return statusOf(text) !== 403 && text;
    });
    expect([101, 502]).toContain(statusOf(answer));
    await liar.close();
  });
});
