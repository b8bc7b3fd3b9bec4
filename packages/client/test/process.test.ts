import { text } from 'node:stream/consumers';
import { describe, expect, test } from '@jest/globals';
import type { WebSocket } from 'ws';
import { SandboxClosedError, SandboxInputError, SandboxRequestError, SandboxUnsupportedError } from '../src/errors.js';
import { RouterToken } from '../src/tokens.js';
import { rejection, withSandbox } from './support.js';

const b64 = (content: string) => Buffer.from(content).toString('base64');

/** Answers each message by a function of it. */
function script(socket: WebSocket, answer: (message: any) => object[]): any[] {
  const received: any[] = [];
  socket.on('message', data => {
    const message = JSON.parse(data.toString());
    received.push(message);
    answer(message).forEach(event => socket.send(JSON.stringify(event)));
  });
  return received;
}

describe('commands.start', () => {
  test('gives the streams of a program, takes its input and tells its exit code', async () => {
    const { bench: _bench, sandbox } = await withSandbox({ token: RouterToken.fixed('secret') });
    await using bench = _bench;
    let received: any[] = [];
    bench.sandbox.onSocket = socket => {
      received = script(socket, message => {
        if (message.start) {
          return [{ init: { processId: 7 } }, { stderr: b64('warn') }];
        }
        return message.input ? [{ stdout: message.input }] : message.eof ? [{ exit: { exitCode: 3 } }] : [];
      });
    };
    const process = await sandbox.commands.start(['cat', '-'], { env: { A: '1' }, cwd: 'd' });
    expect(process.pid).toBe(7);
    process.stdin.end('grüße');
    expect(await Promise.all([text(process.stdout), text(process.stderr), process.exit])).toEqual(['grüße', 'warn', 3]);
    expect(received).toEqual([{ start: { config: { command: ['cat', '-'], envVars: { A: '1' }, cwd: 'd' } } }, { input: b64('grüße') }, { eof: {} }]);
    expect(bench.sandbox.arrived[0]).toMatchObject({
      url: '/process.v1.ProcessService/Start', headers: { 'x-sandbox-id': 'warm-1', 'authorization': 'Bearer secret' },
    });
  });

  test('sends signals and sizes of a terminal', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    let received: any[] = [];
    bench.sandbox.onSocket = socket => {
      received = script(socket, message => (message.start ? [{ init: { processId: 1 } }] : message.signal ? [{ exit: { exitCode: -1 } }] : []));
    };
    const process = await sandbox.commands.start(['sh'], { pty: { cols: 80, rows: 24 } });
    await process.resize({ cols: 100, rows: 30 });
    await process.kill('SIGKILL');
    expect(await process.wait()).toBe(128);
    await process.kill();
    expect(received).toEqual([
      { start: { config: { command: ['sh'] }, pty: { cols: 80, rows: 24 } } }, { resize: { cols: 100, rows: 30 } }, { signal: 'SIGNAL_SIGKILL' },
    ]);
  });

  test('cuts input into pieces that the runtime takes', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    let size = 0;
    let largest = 0;
    bench.sandbox.onSocket = socket => void script(socket, message => {
      const input = Buffer.from(message.input ?? '', 'base64').length;
      size += input;
      largest = Math.max(largest, input);
      return message.start ? [{ init: { processId: 1 } }] : message.eof ? [{ exit: {} }] : [];
    });
    const process = await sandbox.commands.start(['cat']);
    process.stdin.end(Buffer.alloc(1_000_000));
    expect(await process.wait()).toBe(0);
    expect([size, largest]).toEqual([1_000_000, 256 * 1024]);
  });

  test('blocks a program that writes faster than its output is read', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    const chunk = JSON.stringify({ stdout: Buffer.alloc(48 * 1024).toString('base64') });
    let socket!: WebSocket;
    bench.sandbox.onSocket = opened => {
      socket = opened;
      script(opened, message => (message.start ? [{ init: { processId: 1 } }] : []));
    };
    const process = await sandbox.commands.start(['yes']);
    for (let i = 0; i < 1000; i++) {
      socket.send(chunk);
    }
    socket.send(JSON.stringify({ exit: { exitCode: 0 } }));
    // What was taken from the network is bounded; the rest waits in the sockets.
    expect(process.stdout.readableLength).toBeLessThan(1024 * 1024);
    let size = 0;
    for await (const part of process.stdout) {
      size += part.length;
    }
    expect(size).toBe(1000 * 48 * 1024);
  });

  test.each([
    ['not_found', SandboxRequestError, { statusCode: 404, sent: true }],
    ['permission_denied', SandboxRequestError, { statusCode: 403 }],
    ['invalid_argument', SandboxInputError, {}],
    ['failed_precondition', SandboxUnsupportedError, {}],
    ['resource_exhausted', SandboxRequestError, { statusCode: undefined, sent: false }],
  ])('becomes an error for %s', async (code, type, properties) => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.onSocket = socket => void script(socket, () => [{ error: { code, message: 'no such program' } }]);
    const error = await rejection(sandbox.commands.start(['nope']));
    expect(error).toBeInstanceOf(type);
    expect(error).toMatchObject({ reason: code, claim: `team/${sandbox.claimName}`, message: expect.stringContaining('start "nope" in team/'), ...properties });
  });

  test('throws what the router refuses with', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.refuseUpgrade = { status: 403, body: '{"detail":"forbidden"}' };
    expect(await rejection(sandbox.commands.start(['ls']))).toMatchObject({ name: 'SandboxAccessError', statusCode: 403 });
    bench.sandbox.refuseUpgrade = { status: 404, body: '{"detail":"Not Found"}' };
    expect(await rejection(sandbox.commands.start(['ls']))).toBeInstanceOf(SandboxUnsupportedError);
  });

  test('rejects exit, and ends the streams, when the connection is lost', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    let socket!: WebSocket;
    bench.sandbox.onSocket = opened => {
      socket = opened;
      script(opened, () => [{ init: { processId: 1 } }]);
    };
    const process = await sandbox.commands.start(['sleep', '9']);
    socket.terminate();
    expect(await rejection(process.exit)).toMatchObject({ name: 'SandboxRequestError', statusCode: undefined });
    expect((await rejection(text(process.stdout))).message).toMatch(/"sleep" in team/);
  });

  test('hangs up when it is closed, at the end of its scope, or by the signal', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    const closed: Promise<unknown>[] = [];
    bench.sandbox.onSocket = socket => {
      closed.push(new Promise(resolve => socket.on('close', resolve)));
      script(socket, () => [{ init: { processId: 1 } }]);
    };
    let ended: Promise<number>;
    {
      await using process = await sandbox.commands.start(['sleep', '9']);
      ended = process.exit;
    }
    expect(await rejection(ended)).toBeInstanceOf(SandboxClosedError);
    const controller = new AbortController();
    const process = await sandbox.commands.start(['sleep', '9'], { signal: controller.signal });
    controller.abort(new Error('enough'));
    expect((await rejection(process.wait())).message).toBe('enough');
    expect(await Promise.all(closed)).toEqual([1000, 1000]);
  });

  test('refuses an empty command, and a handle that was closed', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    expect(await rejection(sandbox.commands.start([]))).toBeInstanceOf(SandboxInputError);
    sandbox.close();
    expect(await rejection(sandbox.commands.start(['ls']))).toBeInstanceOf(SandboxClosedError);
    expect(bench.sandbox.arrived).toEqual([]);
  });
});
