import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from '@jest/globals';
import { SandboxConnection } from '../src/connection/index.js';
import {
  SandboxAccessError, SandboxInputError, SandboxPathError, SandboxPathNotFoundError, SandboxProtocolError, SandboxRequestError,
  SandboxResponseTooLargeError, SandboxTimeoutError, SandboxUnsupportedError,
} from '../src/errors.js';
import { RouterToken } from '../src/tokens.js';
import { type Answer, bytes, cut, status } from './fake-sandbox.js';
import { Bench, SANDBOXES, rejection, withSandbox } from './support.js';

const DONE = { stdout: 'hi\n', stderr: '', exit_code: 0 };

describe('headers', () => {
  test('tell the router which sandbox is meant, and when to give up', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.answers = [status(200, DONE)];
    await sandbox.commands.run('echo hi', { timeoutMs: 5_000 });
    const { headers } = bench.sandbox.arrived[0];
    expect(headers).toMatchObject({
      'x-sandbox-id': 'warm-1', 'x-sandbox-namespace': 'team', 'x-sandbox-port': '8888', 'x-sandbox-pod-ip': '10.1.2.3',
      'x-request-id': expect.stringMatching(/^[0-9a-f]{16}$/),
    });
    expect(headers.authorization).toBeUndefined();
    // The command's five seconds and ten for the answer.
    expect(Number(headers['x-sandbox-timeout'])).toBeGreaterThan(13);
    expect(Number(headers['x-sandbox-timeout'])).toBeLessThanOrEqual(15);
  });

  test('have a token, and no address with a token for one sandbox', async () => {
    const minted: string[] = [];
    const token = RouterToken.scoped(async (target, signal) => {
      minted.push(`${target.namespace}/${target.name}/${await target.uid(signal)}`);
      return 'v2.a.b';
    });
    const { bench: _bench, sandbox } = await withSandbox({ token });
    await using bench = _bench;
    bench.sandbox.answers = [status(200, [])];
    await sandbox.files.list();
    await sandbox.files.list();
    expect(bench.sandbox.arrived[1].headers).toMatchObject({ authorization: 'Bearer v2.a.b' });
    expect(bench.sandbox.arrived[1].headers['x-sandbox-pod-ip']).toBeUndefined();
    expect(minted).toEqual([`team/warm-1/${bench.api.all(SANDBOXES).get('team/warm-1')!.metadata.uid}`]);
  });

  test('have the trace of the call', async () => {
    const { bench: _bench, sandbox } = await withSandbox({ trace: () => ({ traceparent: '00-1-2-01', tracestate: 'a=b' }) });
    await using bench = _bench;
    bench.sandbox.answers = [status(200, [])];
    await sandbox.files.list();
    expect(bench.sandbox.arrived[0].headers).toMatchObject({ traceparent: '00-1-2-01', tracestate: 'a=b' });
  });

  test('have nothing for a router when there is none', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.putSandbox('warm-1', { status: { podIPs: ['127.0.0.1'] } });
    await using direct = await Bench.start({ connection: SandboxConnection.inCluster({ port: bench.sandbox.port }), token: RouterToken.fixed('secret') });
    const creating = direct.client.create({ pool: 'python' });
    const claim = await direct.claimed();
    direct.setStatus(claim, { sandbox: { name: 's', podIPs: ['127.0.0.1'] }, conditions: [{ type: 'Ready', status: 'True' }] });
    direct.putSandbox('s', { status: { podIPs: ['127.0.0.1'] } });
    direct.api.put('/api/v1/pods', { metadata: { namespace: 'team', name: 's' }, status: { phase: 'Running', podIP: '127.0.0.1' } });
    bench.sandbox.answers = [status(200, [])];
    await (await creating).files.list();
    const { headers } = bench.sandbox.arrived[0];
    expect(Object.keys(headers).filter(name => name.startsWith('x-sandbox') || name === 'authorization')).toEqual([]);
    expect(sandbox.isClosed).toBe(false);
  });

  test('never carry a token to another host in plain text', async () => {
    const { bench: _bench, sandbox } = await withSandbox({
      connection: SandboxConnection.direct({ url: 'http://router.invalid' }), token: RouterToken.fixed('secret'),
    });
    await using bench = _bench;
    const error = await rejection(sandbox.files.list());
    expect(error).toBeInstanceOf(SandboxAccessError);
    expect(error.message).toMatch(/the token would go to http:\/\/router.invalid in plain text: use https/);
    expect(error.message).not.toContain('secret');
    expect(bench.sandbox.arrived).toEqual([]);
  });
});

describe('refusals become errors', () => {
  test.each<[string, Answer, new (...args: any[]) => Error, object]>([
    ['401', status(401, { detail: 'unauthenticated' }), SandboxAccessError, { statusCode: 401 }],
    ['403 of the router', status(403, { detail: 'forbidden' }), SandboxAccessError, { statusCode: 403 }],
    ['403 of the runtime', status(403, { message: 'Access denied' }), SandboxPathError, { statusCode: 403 }],
    ['404 for a path', status(404, { message: 'File not found' }), SandboxPathNotFoundError, { statusCode: 404 }],
    ['404 of sandboxd', status(404, { code: 'NOT_FOUND', message: 'no such file' }), SandboxPathNotFoundError, { reason: 'NOT_FOUND' }],
    ['404 for an operation', status(404, { detail: 'Not Found' }), SandboxUnsupportedError, {}],
    ['405', status(405, { detail: 'Method Not Allowed' }), SandboxUnsupportedError, {}],
    ['400', status(400, { detail: 'Invalid sandbox ID format.' }), SandboxRequestError, { statusCode: 400, sent: true }],
    ['413', status(413, { detail: 'too large' }), SandboxRequestError, { statusCode: 413 }],
    ['a redirect', (_, response) => response.writeHead(307, { location: 'http://elsewhere.invalid/' }).end(), SandboxRequestError, { statusCode: 307 }],
    ['something that is no JSON', (_, response) => response.writeHead(418).end('<html>'), SandboxRequestError, { statusCode: 418, body: '<html>' }],
  ])('%s', async (_, answer, type, properties) => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.answers = [answer];
    const error = await rejection(sandbox.files.read('a/b'));
    expect(error).toBeInstanceOf(type);
    expect(error).toMatchObject({ claim: `team/${sandbox.claimName}`, message: expect.stringContaining(`read "a/b" in team/${sandbox.claimName}: `), ...properties });
    expect(bench.sandbox.arrived).toHaveLength(error instanceof SandboxAccessError && error.statusCode === 403 ? 2 : 1);
  });
});

describe('repetition', () => {
  test.each([500, 502, 503, 504])('reads again after %s, with the same request id', async code => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.answers = [status(code, {}), bytes(Buffer.from('x'))];
    expect((await sandbox.files.read('a')).toString()).toBe('x');
    const ids = bench.sandbox.arrived.map(({ headers }) => headers['x-request-id']);
    expect(ids).toHaveLength(2);
    expect(ids[0]).toBe(ids[1]);
  });

  test('reads again when no answer comes, and asks for the address anew', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.putSandbox('warm-1', { status: { podIPs: ['10.9.9.9'] } });
    bench.sandbox.answers = [cut, bytes(Buffer.from('x'))];
    await sandbox.files.read('a');
    expect(bench.sandbox.arrived.map(({ headers }) => headers['x-sandbox-pod-ip'])).toEqual(['10.1.2.3', '10.9.9.9']);
  });

  test('asks for the address anew, once, when the router refuses: a Pod may have been replaced', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.putSandbox('warm-1', { status: { podIPs: ['10.9.9.9'] } });
    bench.sandbox.answers = [status(403, { detail: 'forbidden' }), status(200, DONE)];
    expect((await sandbox.commands.run('ls')).exitCode).toBe(0);
    expect(bench.sandbox.arrived.map(({ headers }) => headers['x-sandbox-pod-ip'])).toEqual(['10.1.2.3', '10.9.9.9']);
    bench.sandbox.answers = [status(403, { detail: 'forbidden' })];
    expect(await rejection(sandbox.commands.run('ls'))).toBeInstanceOf(SandboxAccessError);
    expect(bench.sandbox.arrived).toHaveLength(4);
  });

  test('keeps the status and body of the last attempt', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.answers = [status(503, {}), status(502, { detail: 'Could not connect to the backend sandbox: warm-1' })];
    const error = await rejection(sandbox.files.read('a', { maxAttempts: 2 }));
    expect(error).toMatchObject({ statusCode: 502, body: '{"detail":"Could not connect to the backend sandbox: warm-1"}' });
    expect(bench.sandbox.arrived).toHaveLength(2);
  });

  test.each<[string, Answer]>([['a 502', status(502, {})], ['no answer', cut]])('never sends a command twice after %s', async (_, answer) => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.answers = [answer, status(200, DONE)];
    expect(await rejection(sandbox.commands.run('rm a'))).toBeInstanceOf(SandboxRequestError);
    expect(bench.sandbox.arrived).toHaveLength(1);
  });

  test('sends a command twice when asked to', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.answers = [status(502, {}), status(200, DONE)];
    expect((await sandbox.commands.run('ls', { maxAttempts: 2 })).stdout).toBe('hi\n');
  });

  test('sends a command again when nothing was started, after the pause that the answer asks for', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.answers = [status(503, { message: 'too many commands' }, { 'retry-after': '0' }), status(429, {}, { 'retry-after': '0' }), status(200, DONE)];
    expect((await sandbox.commands.run('ls')).exitCode).toBe(0);
  });

  test('does not wait for longer than half a minute', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.answers = [status(429, { detail: 'slow down' }, { 'retry-after': '31' })];
    expect(await rejection(sandbox.commands.run('ls'))).toMatchObject({ statusCode: 429 });
  });

  test('ends with the time limit of the call', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.answers = [() => undefined];
    const error = await rejection(sandbox.files.read('a', { timeoutMs: 100 }));
    expect(error).toBeInstanceOf(SandboxTimeoutError);
    expect(error.message).toMatch(/read "a" in team\/.*: no answer within 100 ms/);
  });

  test('ends with the signal, and with its reason', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    const controller = new AbortController();
    bench.sandbox.answers = [() => controller.abort(new Error('enough'))];
    expect((await rejection(sandbox.commands.run('sleep 9', { signal: controller.signal }))).message).toBe('enough');
  });

  test('is reported by an error that names the unreachable address', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    await bench.sandbox.stop();
    const error = await rejection(sandbox.commands.run('ls', { maxAttempts: 1 }));
    expect(error).toMatchObject({ statusCode: undefined, sent: false, message: expect.stringContaining('ECONNREFUSED') });
    await (bench.sandbox as any).server.listen(0);
  });
});

describe('commands.run', () => {
  test.each<[string, string | string[], string]>([
    ['a text as it is', 'echo "a b"', 'echo "a b"'],
    ['words, quoted', ['python', '-c', 'print("it\'s")'], 'python -c \'print("it\'"\'"\'s")\''],
    ['an empty word', ['printf', ''], 'printf \'\''],
  ])('sends %s', async (_, command, wanted) => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.answers = [status(200, { ...DONE, timed_out: true, other: 1 })];
    expect(await sandbox.commands.run(command, { timeoutMs: 2_500 })).toMatchObject({ stdout: 'hi\n', stderr: '', exitCode: 0, timedOut: true });
    expect(JSON.parse(bench.sandbox.arrived[0].body.toString())).toEqual({ command: wanted, timeout_seconds: 2.5 });
  });

  test('fills in what an answer leaves out', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.answers = [status(200, {})];
    expect(await sandbox.commands.run('ls')).toMatchObject({ stdout: '', stderr: '', exitCode: -1, timedOut: false });
  });

  test.each<[string, Answer, new (...args: any[]) => Error]>([
    ['no JSON', bytes(Buffer.from('hello')), SandboxProtocolError],
    ['another shape', status(200, ['a']), SandboxProtocolError],
    ['larger than what is wanted can become', status(200, { stdout: 'x'.repeat(13 * 1024 * 1024) }), SandboxResponseTooLargeError],
  ])('refuses an answer that is %s', async (_, answer, type) => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.answers = [answer];
    const error = await rejection(sandbox.commands.run('ls', { maxOutputBytes: 1024 * 1024 }));
    expect(error.message.slice(0, 200)).not.toContain('xxx');
    expect(error).toBeInstanceOf(type);
  });

  test.each([['', {}], ['ls', { timeoutMs: 0 }], ['ls', { timeoutMs: NaN }]])('refuses %j with %j before anything is sent', async (command, options) => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    expect(await rejection(sandbox.commands.run(command, options))).toBeInstanceOf(SandboxInputError);
    expect(bench.sandbox.arrived).toEqual([]);
  });
});

describe('files', () => {
  test.each<[string, (files: Awaited<ReturnType<typeof withSandbox>>['sandbox']['files']) => Promise<unknown>, string, string]>([
    ['read', files => files.read('/a b/ü'), 'GET', '/download/a%20b%2F%C3%BC'],
    ['list of the directory itself', files => files.list('.'), 'GET', '/list/'],
    ['list', files => files.list('a/'), 'GET', '/list/a'],
    ['exists', files => files.exists('a\'(b)*!'), 'GET', '/exists/a%27%28b%29%2A%21'],
    ['delete', files => files.delete('a/b'), 'DELETE', '/v1/files/a%2Fb'],
    ['delete with all below', files => files.delete('a', { recursive: true }), 'DELETE', '/v1/files/a?recursive=true'],
    ['makeDirectory', files => files.makeDirectory('a/b'), 'PUT', '/v1/files/a%2Fb?type=directory'],
  ])('%s sends the path as one segment', async (_, act, method, url) => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.answers = [status(200, [])];
    await act(sandbox.files);
    expect(bench.sandbox.arrived[0]).toMatchObject({ method, url });
  });

  test.each<[string, string | Buffer | Uint8Array | Readable]>([
    ['text', 'grüße'],
    ['bytes', Buffer.from('grüße')],
    ['an array', new Uint8Array(Buffer.from('grüße'))],
    ['a stream', Readable.from(['gr', Buffer.from('üße')])],
  ])('write sends %s as a form with the path for a name', async (_, content) => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.answers = [status(200, { message: 'ok' })];
    await sandbox.files.write('/d/a "b"\\.txt', content);
    const { url, headers, body } = bench.sandbox.arrived[0];
    expect(url).toBe('/upload');
    const boundary = /^multipart\/form-data; boundary=(.+)$/.exec(headers['content-type']!)![1];
    expect(body.toString()).toBe([
      `--${boundary}`, 'Content-Disposition: form-data; name="file"; filename="d/a \\"b\\"\\\\.txt"', 'Content-Type: application/octet-stream', '', 'grüße', `--${boundary}--`, '',
    ].join('\r\n'));
  });

  test('write sends a stream only once', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.answers = [status(503, {}, { 'retry-after': '0' })];
    expect(await rejection(sandbox.files.write('a', Readable.from(['x']), { maxAttempts: 3 }))).toMatchObject({ statusCode: 503 });
    expect(bench.sandbox.arrived).toHaveLength(1);
  });

  test('list gives the time as number and date, and skips kinds that it does not know', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.answers = [status(200, [{ name: 'a', size: 3, type: 'file', mod_time: 1.5 }, { name: 'b', size: 0, type: 'socket', mod_time: 0 }])];
    expect(await sandbox.files.list()).toEqual([{ name: 'a', size: 3, type: 'file', modTime: 1.5, modified: new Date(1500) }]);
    bench.sandbox.answers = [status(200, null)];
    expect(await sandbox.files.list()).toEqual([]);
    bench.sandbox.answers = [status(200, [{ size: 3 }])];
    expect(await rejection(sandbox.files.list())).toBeInstanceOf(SandboxProtocolError);
  });

  test('read keeps to its limit, a stream has none', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.answers = [bytes(Buffer.alloc(1000, 7))];
    expect(await rejection(sandbox.files.read('a', { maxBytes: 999 }))).toMatchObject({ name: 'SandboxResponseTooLargeError', limit: 999 });
    let size = 0;
    for await (const chunk of await sandbox.files.readStream('a')) {
      size += chunk.length;
    }
    expect(size).toBe(1000);
  });

  test('a signal ends a stream that flows', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.answers = [(_, response) => void response.writeHead(200).write('x')];
    const controller = new AbortController();
    const stream = await sandbox.files.readStream('a', { signal: controller.signal });
    const reading = rejection((async () => {
      stream.once('data', () => controller.abort(new Error('enough')));
      await text(stream);
    })());
    expect((await reading).message).toBe('enough');
  });

  test('watch tells changes until the loop is left', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    let closed!: () => void;
    const hangUp = new Promise<void>(resolve => closed = resolve);
    bench.sandbox.answers = [(_, response) => {
      response.on('close', closed);
      response.writeHead(200, { 'content-type': 'application/x-ndjson' }).write([
        '{"event":"ready"}',
        '{"event":"changed","entry":{"name":"ü","size":5,"type":"file","modified_at":"2026-01-31T17:00:00Z","mode":"0644"}}',
        '{"event":"removed","name":"a"}', '',
      ].join('\n'));
    }];
    const events: unknown[] = [];
    for await (const event of sandbox.files.watch('d')) {
      events.push(event);
      if (event.type === 'removed') {
        break;
      }
    }
    expect(events).toEqual([
      { type: 'changed', entry: { name: 'ü', size: 5, type: 'file', modTime: 1769878800, modified: new Date('2026-01-31T17:00:00Z') } },
      { type: 'removed', name: 'a' },
    ]);
    expect(bench.sandbox.arrived[0].url).toBe('/v1/files/d?watch=true');
    await hangUp;
  });
});

describe('files.watch', () => {
  test('says that the connection was lost, and sets no time limit of its own', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.answers = [(_, response) => {
      response.writeHead(200, { 'content-type': 'application/x-ndjson' }).write('{"event":"removed","name":"a"}\n');
      setImmediate(() => response.destroy());
    }];
    const watch = sandbox.files.watch('d');
    expect((await watch.next()).value).toEqual({ type: 'removed', name: 'a' });
    const error = await rejection(watch.next());
    expect(error).toBeInstanceOf(SandboxRequestError);
    expect(error.message).toMatch(/^watch "d" in team/);
    expect(bench.sandbox.arrived[0].headers['x-sandbox-timeout']).toBeUndefined();
  });
});
