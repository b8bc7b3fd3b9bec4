import { mkdir, realpath, writeFile } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { eventually, gone, Harness } from './harness.js';

jest.setTimeout(60_000);

const SERVICE = '/process.v1.ProcessService';
const base64 = (text: string) => Buffer.from(text).toString('base64');
const text = (encoded: string) => Buffer.from(encoded, 'base64').toString();

/** Events of a process, as they come. */
class Events {
  public readonly all: any[] = [];
  public ended = false;
  private rest = '';

  public add(chunk: string): void {
    const lines = (this.rest + chunk).split('\n');
    this.rest = lines.pop()!;
    this.all.push(...lines.map(line => JSON.parse(line)));
  }

  public output(stream: 'stdout' | 'stderr' = 'stdout'): string {
    return Buffer.concat(this.all.filter(each => each[stream] !== undefined).map(each => Buffer.from(each[stream], 'base64'))).toString();
  }

  public get id(): number | undefined {
    return this.all[0]?.init?.processId;
  }

  public last(): any {
    return this.all.at(-1);
  }

  public started(): Promise<number> {
    return eventually('init', () => this.id);
  }

  public async end(): Promise<void> {
    await eventually('end of the events', () => this.ended);
  }

  public async shows(part: string): Promise<void> {
    await eventually(`output with ${part}, got ${this.output()}`, () => this.output().includes(part));
  }
}

describe('processes', () => {
  let runtime: Harness;
  beforeAll(async () => {
    runtime = await Harness.start();
    runtime.runtime.pipeGraceMs = 300;
    await mkdir(join(runtime.base, 'sub'));
    await writeFile(join(runtime.base, 'plain'), '');
  });
  afterAll(() => runtime.stop());

  const call = (name: string, message: unknown, headers: { [name: string]: string } = {}) => runtime.postJson(`${SERVICE}/${name}`, message, headers);
  const start = (message: unknown, headers: { [name: string]: string } = {}) => {
    const events = new Events();
    const sent = request({ host: '127.0.0.1', port: runtime.port, path: `${SERVICE}/Start`, method: 'POST', headers: { 'content-type': 'application/json', ...headers } }, (response: IncomingMessage) => {
      response.on('data', (chunk: Buffer) => events.add(chunk.toString()));
      response.once('close', () => events.ended = true);
    });
    sent.once('error', () => events.ended = true).end(JSON.stringify(message));
    return { events, hangUp: () => sent.destroy() };
  };

  test.each<[string, unknown, number, unknown]>([
    ['Execute', { config: { command: ['sh', '-c', 'echo out; echo err >&2; exit 3'] } }, 200, { exitCode: 3, stdout: base64('out\n'), stderr: base64('err\n') }],
    ['Execute', { config: { command: ['sh', '-c', 'kill -9 $$'] } }, 200, { exitCode: 137, stdout: '', stderr: '' }],
    ['Execute', { config: { command: ['sh', '-c', 'printf "\\377"; echo $A $B'], envVars: { A: '1', B: '2' } } }, 200, { exitCode: 0, stdout: Buffer.from([0xff, ...Buffer.from('1 2\n')]).toString('base64'), stderr: '' }],
    ['Execute', { config: { command: ['sh', '-c', 'echo $process_id'], env_vars: { process_id: 'kept' }, cwd: null } }, 200, { exitCode: 0, stdout: base64('kept\n'), stderr: '' }],
    ['Execute', { config: { command: ['cat'] } }, 200, { exitCode: 0, stdout: '', stderr: '' }],
    ['Execute', { config: { command: [] } }, 400, 'invalid_argument'],
    ['Execute', { config: { command: [''] } }, 400, 'invalid_argument'],
    ['Execute', { config: { command: ['true'], envVars: { 'A=B': 'x' } } }, 400, 'invalid_argument'],
    ['Execute', {}, 400, 'invalid_argument'],
    ['Execute', [], 400, 'invalid_argument'],
    ['Execute', { config: { command: ['no-such-program'] } }, 404, 'not_found'],
    ['Execute', { config: { command: ['./plain'] } }, 403, 'permission_denied'],
    ['Execute', { config: { command: ['true'], cwd: '..' } }, 403, 'permission_denied'],
    ['Execute', { config: { command: ['true'], cwd: 'nope' } }, 404, 'not_found'],
    ['Execute', { config: { command: ['true'], cwd: 'plain' } }, 404, 'not_found'],
    ['Start', { config: { command: ['no-such-program'] } }, 404, 'not_found'],
    ['Start', { config: { command: ['no-such-program'] }, pty: { cols: 80, rows: 24 } }, 404, 'not_found'],
    ['Start', { config: { command: ['./plain'] }, pty: {} }, 403, 'permission_denied'],
    ['WriteStdin', { processId: 9999, input: '' }, 404, 'not_found'],
    ['WriteStdin', { processId: 9999 }, 400, 'invalid_argument'],
    ['WriteStdin', { processId: 9999, input: '', eof: {} }, 400, 'invalid_argument'],
    ['WriteStdin', { processId: 9999, input: '*' }, 400, 'invalid_argument'],
    ['SendSignal', { processId: 9999, signal: 'SIGNAL_SIGTERM' }, 404, 'not_found'],
    ['SendSignal', { processId: 9999, signal: 'SIGNAL_UNSPECIFIED' }, 400, 'invalid_argument'],
    ['ResizeTTY', { processId: 9999, cols: 1, rows: 1 }, 400, 'failed_precondition'],
  ])('%s %j is %i %j', async (name, message, status, expected) => {
    const answer = await call(name, message);
    expect(answer.status).toBe(status);
    expect(answer.json).toMatchObject(typeof expected === 'string' ? { code: expected } : expected as object);
  });

  test('messages are JSON and say so', async () => {
    const answer = await runtime.call(`${SERVICE}/Execute`, { method: 'POST', body: '{"config":{"command":["true"]}}' });
    expect([answer.status, answer.json]).toEqual([400, { code: 'invalid_argument', message: 'the content type has to be application/json' }]);
    expect((await runtime.call(`${SERVICE}/Other`, { method: 'POST' })).status).toBe(404);
    expect((await runtime.call(`${SERVICE}/Start`)).status).toBe(405);
  });

  test('cwd is where the program starts', async () => {
    const paths = await Promise.all(['sub', '/sub', join(runtime.base, 'sub')].map(async cwd => text((await call('Execute', { config: { command: ['pwd'], cwd } })).json.stdout)));
    expect(paths).toEqual(new Array(3).fill(`${await realpath(join(runtime.base, 'sub'))}\n`));
  });

  test('a deadline kills the group', async () => {
    const answer = await call('Execute', { config: { command: ['sh', '-c', 'echo $$ > pid; sleep 1000 & wait'] } }, { 'connect-timeout-ms': '500' });
    expect([answer.status, answer.json]).toEqual([504, { code: 'deadline_exceeded', message: 'not ended after 500 ms' }]);
    await gone((await runtime.call('/download/pid')).text);
  });

  test('Start tells of init, output and exit in this order', async () => {
    const { events } = start({ config: { command: ['sh', '-c', 'echo out; echo err >&2; exit 4'] } });
    await events.end();
    expect(events.all[0]).toEqual({ init: { processId: expect.any(Number) } });
    expect(events.last()).toEqual({ exit: { exitCode: 4 } });
    expect([events.output('stdout'), events.output('stderr')]).toEqual(['out\n', 'err\n']);
  });

  test('large output arrives whole, and numbers increase', async () => {
    const first = start({ config: { command: ['sh', '-c', 'yes | head -c 3000000'] } }).events;
    await first.end();
    const second = start({ config: { command: ['true'] } }).events;
    await second.end();
    expect(first.output().length).toBe(3_000_000);
    expect(second.id).toBeGreaterThan(first.id!);
  });

  test('input is echoed until its end', async () => {
    const { events } = start({ config: { command: ['cat'] } });
    const processId = await events.started();
    expect((await call('WriteStdin', { process_id: processId, input: base64('hello') })).text).toBe('{}');
    await events.shows('hello');
    expect((await call('WriteStdin', { processId, eof: {} })).status).toBe(200);
    await events.end();
    expect(events.last()).toEqual({ exit: { exitCode: 0 } });
    expect((await call('WriteStdin', { processId, input: '' })).status).toBe(404);
  });

  test('input after its end is an error', async () => {
    const { events, hangUp } = start({ config: { command: ['sh', '-c', 'cat; echo end; sleep 1000'] } });
    const processId = await events.started();
    await call('WriteStdin', { processId, eof: {} });
    const answer = await call('WriteStdin', { processId, input: base64('x') });
    expect([answer.status, answer.json]).toEqual([500, { code: 'internal', message: 'stdin is closed' }]);
    expect((await call('ResizeTTY', { processId, cols: 10, rows: 10 })).json).toEqual({ code: 'failed_precondition', message: 'the process has no terminal' });
    hangUp();
  });

  test.each([['SIGNAL_SIGINT', 'INT'], ['SIGNAL_SIGTERM', 'TERM'], [15, 'TERM']])('%s reaches the group', async (signal, name) => {
    const { events } = start({ config: { command: ['sh', '-c', `trap 'echo got ${name}; exit 5' ${name}; echo ready; while :; do sleep 0.05; done`] } });
    await events.shows('ready');
    expect((await call('SendSignal', { processId: events.id, signal })).status).toBe(200);
    await events.end();
    expect([events.output(), events.last()]).toEqual([`ready\ngot ${name}\n`, { exit: { exitCode: 5 } }]);
  });

  test('SIGKILL ends the program with 128 + 9', async () => {
    const { events } = start({ config: { command: ['sleep', '1000'] } });
    await call('SendSignal', { processId: await events.started(), signal: 'SIGNAL_SIGKILL' });
    await events.end();
    expect(events.last()).toEqual({ exit: { exitCode: 137 } });
  });

  test('hanging up kills the group', async () => {
    const { events, hangUp } = start({ config: { command: ['sh', '-c', 'sleep 1000 & echo $! $$; wait'] } });
    await events.shows('\n');
    hangUp();
    await Promise.all(events.output().trim().split(' ').map(gone));
  });

  test('a terminal has a size, can be resized, and is one stream', async () => {
    const { events } = start({ config: { command: ['sh', '-c', 'stty size; echo $TERM; read x; stty size; echo err >&2'] }, pty: { cols: 101, rows: 33 } });
    await events.shows('xterm-256color');
    expect((await call('ResizeTTY', { processId: events.id, cols: 55, rows: 11 })).status).toBe(200);
    await call('WriteStdin', { processId: events.id, input: base64('\n') });
    await events.end();
    expect(events.output().replaceAll('\r', '').trim().split('\n').filter(line => line !== '')).toEqual(['33 101', 'xterm-256color', '11 55', 'err']);
    expect(events.last()).toEqual({ exit: { exitCode: 0 } });
  });

  test('closing the input of a terminal ends its session', async () => {
    const { events } = start({ config: { command: ['sh', '-c', 'echo ready; cat'] }, pty: {} });
    await events.shows('ready');
    await call('WriteStdin', { processId: events.id, eof: {} });
    await events.end();
    expect(events.last()).toEqual({ exit: { exitCode: 129 } });
  });

  test('stopping the runtime ends everything, politely first', async () => {
    const other = await Harness.start();
    const sent = other.postJson(`${SERVICE}/Execute`, { config: { command: ['sh', '-c', 'trap "echo bye; exit 7" TERM; touch ready; while :; do sleep 0.05; done'] } });
    await eventually('started', async () => (await other.call('/exists/ready')).json.exists);
    await other.runtime.stop();
    expect((await sent).json).toMatchObject({ exitCode: 7, stdout: base64('bye\n') });
    const refused = await other.postJson(`${SERVICE}/Execute`, { config: { command: ['true'] } });
    await other.stop();
    expect([refused.status, refused.json]).toEqual([503, { code: 'unavailable', message: 'the runtime is stopping' }]);
  });

  describe('over a WebSocket', () => {
    const open = () => {
      const events = new Events();
      const socket = new WebSocket(`ws://127.0.0.1:${runtime.port}${SERVICE}/Start`);
      const closed = new Promise<number>(resolve => socket.once('close', resolve));
      socket.on('message', data => events.add(`${String(data)}\n`));
      const send = (message: unknown) => socket.send(typeof message === 'string' ? message : JSON.stringify(message));
      const opened = new Promise<void>((resolve, reject) => socket.once('open', resolve).once('error', reject));
      return { events, socket, closed, send, opened };
    };

    test('one process with its input', async () => {
      const { events, closed, send, opened } = open();
      await opened;
      send({ start: { config: { command: ['cat'] } } });
      // Without waiting for the start
      send({ input: base64('hello') });
      await events.shows('hello');
      send({ eof: {} });
      expect(await closed).toBe(1000);
      expect(events.all).toEqual([{ init: { processId: expect.any(Number) } }, { stdout: base64('hello') }, { exit: { exitCode: 0 } }]);
    });

    test('signals and wrong messages', async () => {
      const { events, closed, send, opened } = open();
      await opened;
      send({ start: { config: { command: ['sleep', '1000'] } } });
      await events.started();
      send({ nonsense: 1 });
      send({ resize: { cols: 10, rows: 10 } });
      await eventually('two errors', () => events.all.filter(each => each.error).length === 2);
      expect(events.all.slice(1).map(each => each.error.code)).toEqual(['invalid_argument', 'failed_precondition']);
      send({ signal: 'SIGNAL_SIGKILL' });
      expect(await closed).toBe(1000);
      expect(events.last()).toEqual({ exit: { exitCode: 137 } });
    });

    test('a shell in a terminal', async () => {
      const { events, closed, send, opened } = open();
      await opened;
      send({ start: { config: { command: ['sh'], envVars: { PS1: '> ' } }, pty: { cols: 80, rows: 24 } } });
      await events.shows('> ');
      send({ resize: { cols: 40, rows: 20 } });
      send({ input: base64('stty size; exit 9\n') });
      expect(await closed).toBe(1000);
      expect(events.output()).toContain('20 40');
      expect(events.last()).toEqual({ exit: { exitCode: 9 } });
    });

    test.each([
      ['no JSON', 'hello', 'invalid_argument', 1008],
      ['no start', { input: '' }, 'invalid_argument', 1008],
      ['no such program', { start: { config: { command: ['no-such-program'] } } }, 'not_found', 1008],
      ['outside', { start: { config: { command: ['true'], cwd: '..' } } }, 'permission_denied', 1008],
    ])('%s ends the connection', async (_, message, code, status) => {
      const { events, closed, send, opened } = open();
      await opened;
      send(message);
      expect(await closed).toBe(status);
      expect(events.last().error.code).toBe(code);
    });

    test('closing kills the group', async () => {
      const { events, socket, send, opened } = open();
      await opened;
      send({ start: { config: { command: ['sh', '-c', 'sleep 1000 & echo $! $$; wait'] } } });
      await events.shows('\n');
      socket.close();
      await Promise.all(events.output().trim().split(' ').map(gone));
    });

    test('web pages are refused', async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${runtime.port}${SERVICE}/Start`, { origin: 'http://evil.example' });
      const status = await new Promise(resolve => socket.once('unexpected-response', (_request, response) => resolve(response.statusCode)));
      expect(status).toBe(403);
      socket.on('error', () => undefined).terminate();
    });
  });
});
