import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, constants, createServer, type ClientHttp2Session, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { createClient } from '@connectrpc/connect';
import { createGrpcWebTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { CertificateAuthority } from '../../../testbed/src/certificates.js';
import { describeWithTools } from '../../../testbed/src/jest/index.js';
import { Harness } from '../../runtime/test/harness.js';
import { ProcessService } from '../../runtime/src/proto/process/v1/process_pb.js';
import { FakeCluster, ask, eventually, startBackend, startRouter, type Backend, type Running } from './support.js';

jest.setTimeout(60_000);

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));
const PROTOS = join(REPOSITORY, 'packages/runtime/proto');
const LOADED = grpc.loadPackageDefinition(loadSync('process/v1/process.proto', { includeDirs: [PROTOS] })) as any;

interface Answer {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly text: string;
  readonly code: number;
}

/** One request of HTTP/2 as it is. */
function send(session: ClientHttp2Session, headers: Record<string, string | string[]>, body?: string): Promise<Answer> {
  return new Promise(resolve => {
    const stream = session.request(headers, { endStream: body === undefined });
    let [answer, trailers, text]: [IncomingHttpHeaders, IncomingHttpHeaders, string] = [{}, {}, ''];
    stream.on('response', got => (answer = got)).on('trailers', got => (trailers = got)).on('data', chunk => (text += chunk));
    stream.on('error', () => undefined).on('close', () => resolve({ headers: answer, trailers, text, code: stream.rstCode }));
    if (body !== undefined) {
      stream.end(body);
    }
  });
}

/** A program in a sandbox that speaks HTTP/2 only. */
async function startHttp2(onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void): Promise<{ port: number; close: () => void }> {
  const server = createServer();
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', session => void sessions.add(session));
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    onStream(stream, headers);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      sessions.forEach(session => session.destroy());
      server.close();
    },
  };
}

describe('HTTP/2 from clients', () => {
  let cluster: FakeCluster, router: Running, backend: Backend, session: ClientHttp2Session;
  const to = (more: Record<string, string | string[]> = {}) => ({ 'x-sandbox-id': 'box', 'x-sandbox-port': String(backend.port), ...more });
  beforeAll(async () => {
    backend = await startBackend();
    cluster = await FakeCluster.start();
    cluster.sandbox('box', { ports: [backend.port, 1] });
    router = await startRouter(cluster, ['--max-request-body-bytes=1000', '--max-header-bytes=8192']);
    session = connect(router.url);
  });
  afterAll(async () => {
    session.destroy();
    await router.close(0);
    await backend.close();
    await cluster.api.stop();
  });

  test('reaches a program that speaks HTTP/1.1, with Host, one Cookie, and no header of the router', async () => {
    const { headers, text } = await send(session, to({ ':path': '/x?y=1', ':authority': 'sandboxes.example:8080', cookie: ['a=b', 'c=d'], 'authorization': 'Bearer secret' }));
    expect(headers[':status']).toBe(200);
    const { method, url, headers: got } = JSON.parse(text);
    expect([method, url, got.host, got.cookie]).toEqual(['GET', '/x?y=1', 'sandboxes.example:8080', 'a=b; c=d']);
    expect(Object.keys(got).filter(name => name.startsWith(':') || name.startsWith('x-sandbox') || name === 'authorization')).toEqual([]);
  });

  test('carries bodies', async () => {
    expect(JSON.parse((await send(session, to({ ':path': '/', ':method': 'POST' }), 'hello')).text)).toMatchObject({ method: 'POST', length: 5 });
  });

  test.each<[string, Record<string, string>, string | undefined, number, string]>([
    ['a wrong name', { 'x-sandbox-id': 'Foo' }, undefined, 400, 'Invalid sandbox ID format.'],
    ['no name', { 'x-sandbox-id': '' }, undefined, 400, 'X-Sandbox-ID header is required.'],
    ['an undeclared port', { 'x-sandbox-port': '4242' }, undefined, 403, 'The sandbox does not declare port 4242.'],
    ['an unknown sandbox', { 'x-sandbox-id': 'nope' }, undefined, 502, 'Could not connect to the backend sandbox: nope'],
    ['a long body', { ':method': 'POST' }, 'x'.repeat(2000), 413, 'The request body is longer than 1000 bytes.'],
    ['a wrong Host', { ':authority': 'a:99999' }, undefined, 400, 'The Host header is not a name or an address with an optional port.'],
  ])('%s is refused as over HTTP/1.1', async (_, more, body, status, detail) => {
    const { headers, text } = await send(session, to({ ':path': '/', ...more }), body);
    expect([headers[':status'], JSON.parse(text)]).toEqual([status, { detail }]);
    // The connection is good for others.
    expect((await send(session, to({ ':path': '/' }))).headers[':status']).toBe(200);
  });

  test('a header of the router that occurs twice is refused', async () => {
    const { headers, text } = await send(session, to({ ':path': '/', 'x-sandbox-namespace': ['default', 'default'] }));
    expect([headers[':status'], JSON.parse(text).detail]).toEqual([400, 'The header x-sandbox-namespace occurs twice.']);
  });

  test('health is answered, and several requests share a connection', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => send(session, { ':path': '/healthz' })));
    expect(answers.map(({ text }) => text)).toEqual(answers.map(() => '{"status":"ok"}'));
  });

  test('a header that is too long is not read', async () => {
    const own = connect(router.url);
    own.on('error', () => undefined);
    const { code, headers } = await send(own, to({ ':path': '/', 'x-long': 'x'.repeat(20_000) }));
    expect(code !== 0 || Number(headers[':status']) === 431).toBe(true);
    own.destroy();
  });

  test('an answer that the sandbox cuts does not look complete', async () => {
    const cut = await startBackend((_, response) => {
      response.write('begin');
      setImmediate(() => response.destroy());
    });
    cluster.sandbox('cut', { ports: [cut.port] });
    const headers = { ':path': '/', 'x-sandbox-id': 'cut', 'x-sandbox-port': String(cut.port) };
    await eventually('the sandbox', async () => (await ask(router.url, { headers: { 'x-sandbox-id': 'cut', 'x-sandbox-port': '1' } })).status === 403);
    expect((await send(session, headers)).code).toBe(constants.NGHTTP2_INTERNAL_ERROR);
    await cut.close();
  });

  test('a connection without a request is ended after the idle timeout, one with a request is not', async () => {
    const own = await startRouter(cluster, ['--idle-timeout=300ms']);
    const idle = connect(own.url);
    await new Promise(resolve => idle.once('close', resolve));
    const slow = await startBackend((_, response) => void setTimeout(() => response.end('late'), 700));
    cluster.sandbox('slow', { ports: [slow.port] });
    await eventually('the sandbox', async () => (await ask(own.url, { headers: { 'x-sandbox-id': 'slow', 'x-sandbox-port': '1' } })).status === 403);
    const busy = connect(own.url);
    expect((await send(busy, { ':path': '/', 'x-sandbox-id': 'slow', 'x-sandbox-port': String(slow.port) })).text).toBe('late');
    busy.destroy();
    await own.close(0);
    await slow.close();
  });

  test('HTTP/1.1 works on the same port', async () => {
    expect((await ask(`${router.url}/y`, { headers: to() as Record<string, string> })).status).toBe(200);
  });
});

describe('gRPC through the router', () => {
  let cluster: FakeCluster, router: Running, runtime: Harness, client: any;
  const metadata = (more: Record<string, string> = {}) => {
    const made = new grpc.Metadata();
    Object.entries({ 'x-sandbox-id': 'box', 'x-sandbox-port': String(runtime.port), 'authorization': 'Bearer alice', ...more }).forEach(([name, value]) => made.set(name, value));
    return made;
  };
  const call = (method: string, message: object, more?: Record<string, string>, options: grpc.CallOptions = {}): Promise<any> => new Promise((resolve, reject) => {
    client[method](message, metadata(more), options, (error: grpc.ServiceError | null, answer: unknown) => (error === null ? resolve(answer) : reject(error)));
  });
  const codeOf = async (work: Promise<unknown>) => {
    const error = await work.then(() => undefined, (reason: grpc.ServiceError) => reason);
    return error === undefined ? 'OK' : [grpc.status[error.code], error.details];
  };
  beforeAll(async () => {
    runtime = await Harness.start();
    cluster = await FakeCluster.start();
    cluster.users.set('alice', { username: 'alice' });
    cluster.users.set('bob', { username: 'bob' });
    cluster.grants.add('alice create proxy default/box');
    cluster.sandbox('box', { ports: [runtime.port, 1] });
    router = await startRouter(cluster, ['--authz-mode=tokenreview']);
    client = new LOADED.process.v1.ProcessService(`127.0.0.1:${router.port}`, grpc.credentials.createInsecure());
  });
  afterAll(async () => {
    client.close();
    await router.close(0);
    await runtime.stop();
    await cluster.api.stop();
  });

  test('a call is answered, with its trailers', async () => {
    expect(await call('execute', { config: { command: ['sh', '-c', 'echo out; exit 3'] } })).toMatchObject({ exitCode: 3, stdout: Buffer.from('out\n') });
  });

  test('an error of the sandbox arrives with its code', async () => {
    expect(await codeOf(call('execute', { config: { command: ['no-such-program'] } }))).toEqual(['NOT_FOUND', expect.stringContaining('no-such-program')]);
    expect((await codeOf(call('execute', { config: { command: ['sleep', '1000'] } }, {}, { deadline: Date.now() + 500 })))[0]).toBe('DEADLINE_EXCEEDED');
    await eventually('nothing runs', () => runtime.runtime.processes.running === 0);
  });

  test('a stream of events and input beside it', async () => {
    const events: any[] = [];
    const stream = client.start({ config: { command: ['cat'] } }, metadata());
    stream.on('data', (event: unknown) => events.push(event));
    const ended = new Promise((resolve, reject) => stream.once('end', resolve).once('error', reject));
    const processId = await eventually('init', () => events[0]?.init?.processId as number | undefined);
    await call('writeStdin', { processId, input: Buffer.from('hello') });
    await eventually('echo', () => Buffer.concat(events.map(({ stdout }) => stdout ?? Buffer.alloc(0))).toString() === 'hello');
    await call('writeStdin', { processId, eof: {} });
    await ended;
    expect(events.at(-1)).toHaveProperty('exit');
  });

  test('a cancelled call ends in the sandbox', async () => {
    const stream = client.start({ config: { command: ['sleep', '1000'] } }, metadata());
    stream.on('error', () => undefined);
    await new Promise(resolve => stream.once('data', resolve));
    stream.cancel();
    await eventually('nothing runs', () => runtime.runtime.processes.running === 0);
  });

  test.each<[string, Record<string, string>, string, string]>([
    ['no token', { authorization: '' }, 'UNAUTHENTICATED', 'unauthenticated'],
    ['a worthless token', { authorization: 'Bearer mallory' }, 'UNAUTHENTICATED', 'unauthenticated'],
    ['another user', { authorization: 'Bearer bob' }, 'PERMISSION_DENIED', 'forbidden'],
    ['an undeclared port', { 'x-sandbox-port': '4242' }, 'PERMISSION_DENIED', 'The sandbox does not declare port 4242.'],
    ['a wrong name', { 'x-sandbox-id': 'Foo' }, 'INVALID_ARGUMENT', 'Invalid sandbox ID format.'],
    ['a port where nothing listens', { 'x-sandbox-port': '1' }, 'UNAVAILABLE', 'Could not connect to the backend sandbox: box'],
  ])('%s is refused in the words of gRPC', async (_, more, code, details) => {
    expect(await codeOf(call('execute', { config: { command: ['true'] } }, more))).toEqual([code, details]);
  });

  test('gRPC-Web works over HTTP/1.1 and HTTP/2', async () => {
    for (const httpVersion of ['1.1', '2'] as const) {
      const web = createClient(ProcessService, createGrpcWebTransport({
        baseUrl: router.url, httpVersion,
        interceptors: [next => request => {
          Object.entries(metadata().getMap()).forEach(([name, value]) => request.header.set(name, String(value)));
          return next(request);
        }],
      }));
      expect((await web.execute({ config: { command: ['sh', '-c', 'exit 4'] } })).exitCode).toBe(4);
    }
  });

  test('the same over TLS, where the protocol is agreed on, and HTTP/1.1 beside it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'router-'));
    const authority = await CertificateAuthority.create('test');
    const { cert, key } = await authority.issue({ commonName: 'localhost', serverNames: ['localhost'] });
    const write = (name: string, content: string) => {
      writeFileSync(join(folder, name), content);
      return join(folder, name);
    };
    const secure = await startRouter(cluster, [
      '--authz-mode=tokenreview', '--https-bind-address=127.0.0.1:0', `--tls-cert-file=${write('tls.crt', cert)}`, `--tls-key-file=${write('tls.key', key)}`,
    ]);
    const [, port] = secure.router.ports as [number, number];
    const own = new LOADED.process.v1.ProcessService(`localhost:${port}`, grpc.credentials.createSsl(Buffer.from(authority.cert)));
    expect(await new Promise((resolve, reject) => own.execute({ config: { command: ['sh', '-c', 'exit 7'] } }, metadata(), (error: unknown, answer: any) => (error ? reject(error) : resolve(answer.exitCode))))).toBe(7);
    own.close();
    for (const protocols of [['h2'], ['http/1.1'], []]) {
      const socket = connectTls({ host: '127.0.0.1', port, servername: 'localhost', ca: authority.cert, ALPNProtocols: protocols });
      await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
      expect(socket.alpnProtocol).toBe(protocols[0] ?? false);
      if (protocols[0] !== 'h2') {
        socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
        expect(String(await new Promise(resolve => socket.once('data', resolve)))).toContain('200 OK');
      }
      socket.destroy();
    }
    await secure.close(0);
    rmSync(folder, { recursive: true });
  });

  describeWithTools('grpcurl', ['grpcurl'], pathOf => {
    test('does all that the guide says', async () => {
      cluster.grants.add('alice create proxy agents/my-sandbox');
      cluster.sandbox('my-sandbox', { namespace: 'agents', ports: [runtime.port] });
      const guide = readFileSync(join(REPOSITORY, 'docs/guide/grpc.md'), 'utf8');
      // What needs a cluster and a certificate stands in the first block.
      const blocks = [...guide.matchAll(/```sh\n([^]*?)```/g)].map(([, block]) => block!).filter(block => !block.includes('kubectl'));
      expect(blocks).toHaveLength(5);
      const script = ['set -e', 'grpcurl() { command "$GRPCURL" -plaintext -H "x-sandbox-port: $PORT" "$@"; }', ...blocks].join('\n');
      const { stdout } = await promisify(execFile)('sh', ['-c', script], {
        cwd: REPOSITORY,
        env: { PATH: process.env.PATH, GRPCURL: pathOf('grpcurl'), PORT: String(runtime.port), ROUTER: `127.0.0.1:${router.port}`, TOKEN: 'alice' },
      });
      expect(stdout).toContain('process.v1.ProcessService\n');
      expect(stdout).toContain('rpc Execute ( .process.v1.ExecuteRequest ) returns ( .process.v1.ExecuteResponse );');
      expect(stdout).toMatch(/"exitCode":\s*3,\s*"stdout":\s*"aGVsbG8K"/);
      const outputs = [...stdout.matchAll(/"stdout":\s*"([^"]+)"/g)].map(([, text]) => Buffer.from(text!, 'base64').toString());
      expect(outputs.slice(1).join('')).toBe('1\n2\n3\n');
      expect(stdout).toMatch(/"name":\s*"data",[^]*"type":\s*"FILE_TYPE_DIRECTORY"/);
    });

    test.each([
      ['no token', [], 'Unauthenticated'],
      ['another user', ['-H', 'authorization: Bearer bob'], 'PermissionDenied'],
      ['an unknown sandbox', ['-H', 'authorization: Bearer bob', '-H', 'x-sandbox-namespace: nowhere'], 'PermissionDenied'],
    ])('is refused in its own words: %s', async (_, headers, code) => {
      const args = ['-plaintext', '-H', 'x-sandbox-id: box', ...headers, `127.0.0.1:${router.port}`, 'list'];
      await expect(promisify(execFile)(pathOf('grpcurl'), args)).rejects.toThrow(code);
    });
  });
});

describe('streams of gRPC', () => {
  let cluster: FakeCluster, router: Running, program: Awaited<ReturnType<typeof startHttp2>>, session: ClientHttp2Session;
  let onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void = () => undefined;
  const headers = (more: Record<string, string> = {}) =>
    ({ ':path': '/a.B/C', ':method': 'POST', 'content-type': 'application/grpc', 'te': 'trailers', 'x-sandbox-id': 'box', 'x-sandbox-port': String(program.port), ...more });
  beforeAll(async () => {
    program = await startHttp2((stream, got) => onStream(stream, got));
    cluster = await FakeCluster.start();
    cluster.sandbox('box', { ports: [program.port] });
    router = await startRouter(cluster, ['--max-request-body-bytes=100000']);
    session = connect(router.url);
  });
  afterAll(async () => {
    session.destroy();
    await router.close(0);
    program.close();
    await cluster.api.stop();
  });
  const answered = (stream: ServerHttp2Stream, body: string, trailers: Record<string, string>) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'x-many': ['1', '2'] }, { waitForTrailers: true });
    stream.once('wantTrailers', () => stream.sendTrailers(trailers));
    stream.end(body);
  };

  test('headers, metadata and trailers arrive as they are', async () => {
    let got: IncomingHttpHeaders = {};
    onStream = (stream, heads) => {
      got = heads;
      answered(stream, 'body', { 'grpc-status': '9', 'x-end-bin': 'AAEC' });
    };
    const answer = await send(session, headers({ 'grpc-timeout': '5S', 'x-key-bin': 'AAEC', 'authorization': 'Bearer x' }), 'in');
    expect(got).toMatchObject({ ':path': '/a.B/C', 'te': 'trailers', 'grpc-timeout': '5S', 'x-key-bin': 'AAEC' });
    expect(Object.keys(got).filter(name => name.startsWith('x-sandbox') || name === 'authorization')).toEqual([]);
    expect([answer.text, answer.headers['x-many'], answer.trailers]).toEqual(['body', '1, 2', expect.objectContaining({ 'grpc-status': '9', 'x-end-bin': 'AAEC' })]);
  });

  test('a status without a body ends the stream with its headers', async () => {
    onStream = stream => stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '5', 'grpc-message': 'no' }, { endStream: true });
    const { headers: got, trailers, code } = await send(session, headers(), 'in');
    expect([got['grpc-status'], trailers, code]).toEqual(['5', {}, 0]);
  });

  test('both sides can talk in turns, and the first answer does not wait for the end of the request', async () => {
    onStream = stream => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('data', chunk => stream.write(`<${chunk}>`)).on('end', () => stream.end());
      stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    };
    const stream = session.request(headers());
    let text = '';
    stream.on('data', chunk => (text += chunk));
    for (const word of ['one', 'two', 'three']) {
      stream.write(word);
      await eventually(word, () => text.endsWith(`<${word}>`));
    }
    stream.end();
    await new Promise(resolve => stream.once('close', resolve));
    expect(text).toBe('<one><two><three>');
  });

  test('quiet streams end with DEADLINE_EXCEEDED, also after their beginning', async () => {
    onStream = () => undefined;
    expect((await send(session, headers({ 'x-sandbox-timeout': '0.3' }), 'in')).headers['grpc-status']).toBe('4');
    onStream = stream => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
      stream.write('begin');
    };
    const { text, trailers } = await send(session, headers({ 'x-sandbox-timeout': '0.3' }), 'in');
    expect([text, trailers['grpc-status']]).toEqual(['begin', '4']);
  });

  test('a request that is too long is refused', async () => {
    onStream = stream => void stream.resume();
    expect((await send(session, headers(), 'x'.repeat(200_000))).headers).toMatchObject({ ':status': 200, 'grpc-status': '8' });
  });

  test('a stream that the sandbox resets is reset with the same code, and a connection that breaks is UNAVAILABLE', async () => {
    onStream = stream => stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    expect((await send(session, headers(), 'in')).code).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    onStream = stream => stream.session!.destroy();
    expect((await send(session, headers(), 'in')).headers).toMatchObject({ ':status': 200, 'grpc-status': '14' });
    onStream = stream => answered(stream, 'again', { 'grpc-status': '0' });
    expect((await send(session, headers(), 'in')).text).toBe('again');
  });

  test('an early answer ends the request without an error', async () => {
    onStream = stream => answered(stream, 'enough', { 'grpc-status': '0' });
    const stream = session.request(headers());
    let [text, trailers]: [string, IncomingHttpHeaders] = ['', {}];
    stream.on('data', chunk => (text += chunk)).on('trailers', got => (trailers = got)).write('part');
    await new Promise(resolve => stream.once('close', resolve));
    expect([text, trailers['grpc-status'], stream.rstCode]).toEqual(['enough', '0', 0]);
  });

  test('large answers wait for a client that reads slowly', async () => {
    onStream = stream => answered(stream, 'x'.repeat(3_000_000), { 'grpc-status': '0' });
    const stream = session.request(headers(), { endStream: true });
    let bytes = 0;
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      stream.pause();
      setImmediate(() => stream.resume());
    });
    await new Promise(resolve => stream.once('end', resolve));
    expect(bytes).toBe(3_000_000);
  });
});
