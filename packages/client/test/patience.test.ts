import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, test } from '@jest/globals';
import { Agent } from 'undici';
import { WebSocketServer } from 'ws';
import { SandboxConnection } from '../src/connection/index.js';
import { withDeadline } from '../src/deadline.js';
import { SandboxNotReadyError, SandboxTimeoutError } from '../src/errors.js';
import { WebSocketClient } from '../src/web-socket.js';
import { bytes, status } from './fake-sandbox.js';
import { Bench, rejection, runCli, withSandbox } from './support.js';

const pause = (ms: number) => new Promise(resolve => setTimeout(resolve, ms));

describe('time limits', () => {
  test.each([0, -1, NaN, '5' as unknown as number])('%p is refused before anything is sent', async timeoutMs => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    const calls = [
      sandbox.files.read('a', { timeoutMs }), sandbox.commands.run('x', { timeoutMs }), sandbox.commands.start(['x'], { timeoutMs }), sandbox.resume({ timeoutMs }),
      bench.client.create({ pool: 'python', timeoutMs }), bench.client.get('a', { timeoutMs }),
    ];
    for (const call of calls) {
      expect(await rejection(call)).toMatchObject({ name: 'SandboxInputError', message: expect.stringContaining('give a number of milliseconds above 0, or Infinity') });
    }
    expect(bench.sandbox.arrived).toEqual([]);
  });

  test.each([Infinity, 2 ** 31, Number.MAX_VALUE])('%p is not at once', async timeoutMs => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.answers = [(_, response) => setTimeout(() => bytes(Buffer.from('x'))(_, response), 20)];
    expect((await sandbox.files.read('a', { timeoutMs })).toString()).toBe('x');
    bench.sandbox.answers = [status(200, { stdout: 'hi', stderr: '', exit_code: 0 })];
    expect((await sandbox.commands.run('a', { timeoutMs })).stdout).toBe('hi');
  });

  test('is moved by what moves', async () => {
    const begin = performance.now();
    await withDeadline(50, undefined, () => new Error('late'), async (_, moved) => {
      for (let i = 0; i < 10; i++) {
        await pause(10);
        moved();
      }
    });
    expect(performance.now() - begin).toBeGreaterThan(50);
    await expect(withDeadline(10, undefined, () => new Error('late'), signal => new Promise((_, reject) => signal.addEventListener('abort', reject)))).rejects.toThrow('late');
  });
});

describe('a transfer', () => {
  test('that moves may take longer than its time limit, in both directions', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    const slowly = async function* () {
      for (let i = 0; i < 20; i++) {
        await pause(25);
        yield Buffer.from('x');
      }
    };
    bench.sandbox.answers = [status(200, {})];
    await sandbox.files.write('a', Readable.from(slowly(), { objectMode: false }), { timeoutMs: 300 });
    expect(bench.sandbox.arrived[0].headers['x-sandbox-timeout']).toBeUndefined();
    bench.sandbox.answers = [(_, response) => void Readable.from(slowly(), { objectMode: false }).pipe(response)];
    expect((await sandbox.files.read('a', { timeoutMs: 300, maxAttempts: 1 })).length).toBe(20);
  });

  test('that does not move ends', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    const stuck = new Readable({ read() {} });
    stuck.push('x');
    expect(await rejection(sandbox.files.write('a', stuck, { timeoutMs: 100 }))).toBeInstanceOf(SandboxTimeoutError);
    bench.sandbox.answers = [(_, response) => void response.writeHead(200).write('x')];
    expect(await rejection(sandbox.files.read('a', { timeoutMs: 100, maxAttempts: 1 }))).toBeInstanceOf(SandboxTimeoutError);
  });

  test('of large bytes says its length and arrives whole', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.answers = [status(200, {})];
    await sandbox.files.write('a', Buffer.alloc(1_000_000, 'x'));
    const { headers, body } = bench.sandbox.arrived[0];
    expect([headers['content-length'], body.toString().match(/x{1000000}/) !== null]).toEqual([String(body.length), true]);
  });
});

describe('while there is no router', () => {
  let bench: Bench;
  afterEach(async () => bench[Symbol.asyncDispose]());

  /** Ends the router, starts calls, and starts it again when the calls have found out. */
  async function without<T>(work: () => Promise<T>): Promise<T> {
    const { server } = bench.sandbox as any;
    const { port } = bench.sandbox;
    server.closeAllConnections();
    await new Promise(resolve => server.close(resolve));
    const result = work();
    result.catch(() => undefined);
    await pause(700);
    await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve));
    return result;
  }

  test('everything waits, also what may not happen twice', async () => {
    const made = await withSandbox();
    bench = made.bench;
    const { files, commands } = made.sandbox;
    bench.sandbox.answers = [status(200, { exit_code: 0, stdout: 'hi', stderr: '' })];
    bench.sandbox.onSocket = socket => socket.on('message', () => {
      socket.send('{"init":{"processId":1}}');
      socket.send('{"exit":{"exitCode":4}}');
    });
    const [result, process] = await without(() => Promise.all([
      commands.run('x'), commands.start(['x']), files.write('a', 'x'), files.write('b', Readable.from(['x'])),
    ]));
    expect([result.stdout, await process.exit]).toEqual(['hi', 4]);
    const [a, b] = ['a', 'b'].map(name => bench.sandbox.arrived.filter(({ body }) => body.toString().includes(`filename="${name}"`)).length);
    expect([a, b]).toEqual([1, 1]);
  });

  test('the command line waits, too', async () => {
    bench = await Bench.start();
    bench.exists('mine');
    bench.sandbox.onSocket = socket => socket.on('message', data => {
      if (JSON.parse(data.toString()).start) {
        socket.send('{"init":{"processId":1}}');
        socket.send('{"exit":{"exitCode":0}}');
      }
    });
    expect(await without(() => runCli(bench, ['run', '--sandbox', 'mine', '--', 'x']))).toMatchObject({ code: 0 });
  });

  test('the time limit names the last failure', async () => {
    const made = await withSandbox();
    bench = made.bench;
    const late = await without(() => rejection(made.sandbox.files.write('a', 'x', { timeoutMs: 200 })));
    expect(late.message).toMatch(/no answer within 200 ms \(the last attempt: write "a" .*ECONNREFUSED/);
  });
});

describe('a quiet WebSocket', () => {
  /** A server that answers to pings, or that does not. */
  async function quiet(autoPong: boolean, work: (origin: string) => Promise<void>): Promise<void> {
    const server = createServer();
    const sockets = new WebSocketServer({ server, autoPong });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    try {
      await work(`http://127.0.0.1:${(server.address() as any).port}`);
    } finally {
      sockets.clients.forEach(client => client.terminate());
      server.close();
    }
  }
  const open = (origin: string, over: (error?: Error) => void) => WebSocketClient.open({
    dispatcher: new Agent(), origin, path: '/', headers: {}, signal: AbortSignal.timeout(10_000), pings: true, pingIntervalMs: 20,
  }, { message: () => true, over });

  test('is given up when answers stop', async () => {
    await quiet(false, async origin => {
      const error = await new Promise<Error | undefined>((resolve, reject) => open(origin, resolve).catch(reject));
      expect(error?.message).toBe('no sign of life within 40 ms');
    });
  });

  test('is kept while answers come', async () => {
    await quiet(true, async origin => {
      let isOver = false;
      const socket = await open(origin, () => (isOver = true));
      await pause(400);
      expect(isOver).toBe(false);
      socket.close();
    });
  });
});

describe('in-cluster', () => {
  /** A sandbox whose Pod says that it is elsewhere, and another one's runtime at the address that is remembered. */
  async function moved(pod: object, work: (bench: Bench, run: () => Promise<unknown>) => Promise<void>): Promise<void> {
    await using stranger = await Bench.start();
    await using bench = await Bench.start({ connection: SandboxConnection.inCluster({ port: stranger.sandbox.port }) });
    bench.exists('box');
    bench.putSandbox('warm-1', { status: { podIPs: ['127.0.0.1'] }, annotations: { 'agents.x-k8s.io/pod-name': '' } });
    bench.api.put('/api/v1/pods', { metadata: { namespace: 'team', name: 'warm-1' }, status: { phase: 'Running', podIP: '127.0.0.1' }, ...pod });
    const sandbox = await bench.client.get('box');
    stranger.sandbox.answers = [status(200, { stdout: 'hi', stderr: '', exit_code: 0 })];
    await work(stranger, () => sandbox.commands.run('rm -r important', { maxAttempts: 1 }));
  }

  test.each([
    ['has another address', { status: { phase: 'Running', podIP: '127.0.0.2' } }],
    ['is being deleted', { metadata: { namespace: 'team', name: 'warm-1', deletionTimestamp: '2026-01-01T00:00:00Z' } }],
    ['has ended', { status: { phase: 'Failed', podIP: '127.0.0.1' } }],
  ])('sends nothing to an address when the Pod %s', async (_, pod) => {
    await moved(pod, async (stranger, run) => {
      expect(await rejection(run())).toMatchObject({ name: 'SandboxRequestError', sent: false, message: expect.stringContaining('is not an address of the Pod of claim team/box any more') });
      expect(stranger.sandbox.arrived).toEqual([]);
    });
  });

  test('sends to the Pod that has the address, whose name may be an empty annotation', async () => {
    await moved({}, async (stranger, run) => {
      expect(await run()).toMatchObject({ stdout: 'hi' });
      expect(stranger.sandbox.arrived).toHaveLength(1);
    });
  });

  test('throws when the sandbox has no address', async () => {
    const { bench: _bench, sandbox } = await withSandbox({ connection: SandboxConnection.inCluster() });
    await using bench = _bench;
    bench.putSandbox('warm-1', { status: {} });
    (sandbox as any).target.forgetAddress();
    expect(await rejection(sandbox.files.list())).toBeInstanceOf(SandboxNotReadyError);
  });
});
