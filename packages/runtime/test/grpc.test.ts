import { describeWithTools } from '../../../testbed/src/jest/index.js';
import { execFile } from 'node:child_process';
import { lstat, mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { FileType, FilesystemService } from '../src/proto/filesystem/v1/filesystem_pb.js';
import { ProcessService, Signal, type StartResponse } from '../src/proto/process/v1/process_pb.js';
import { FileEventType, FileWatcherService, type FileEvent } from '../src/proto/watcher/v1/watcher_pb.js';
import { Config, ExecuteRequest, ResizeTtyRequest, SendSignalRequest, StartRequest, WriteStdinRequest } from '../src/sandboxd/messages.js';
import { eventually, gone, Harness } from './harness.js';

jest.setTimeout(60_000);

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const codeOf = (promise: Promise<unknown>): Promise<string> => promise.then(() => 'none', (error: unknown) => Code[ConnectError.from(error).code]);

describe('gRPC', () => {
  let runtime: Harness;
  let close: () => void;
  let process: ReturnType<typeof createClient<typeof ProcessService>>;
  let files: ReturnType<typeof createClient<typeof FilesystemService>>;
  let watcher: ReturnType<typeof createClient<typeof FileWatcherService>>;
  beforeAll(async () => {
    runtime = await Harness.start({ maxOutputBytes: 8 * 1024 * 1024 });
    const transport = createGrpcTransport({ baseUrl: `http://127.0.0.1:${runtime.port}` });
    process = createClient(ProcessService, transport);
    files = createClient(FilesystemService, transport);
    watcher = createClient(FileWatcherService, transport);
    close = () => undefined;
  });
  afterAll(async () => {
    close();
    await runtime.stop();
  });

  test('Execute answers with the exit code, both streams and their sizes', async () => {
    const answer = await process.execute({ config: { command: ['sh', '-c', 'printf "\\377"; echo $A >&2; pwd >&2; exit 3'], envVars: { A: '1' }, cwd: '' } });
    expect(answer).toMatchObject({ exitCode: 3, truncated: false, stdoutBytes: 1n });
    expect([...answer.stdout]).toEqual([0xff]);
    expect(text(answer.stderr)).toBe(`1\n${runtime.base}\n`);
  });

  test('a signal gives 128 + n', async () => {
    expect((await process.execute({ config: { command: ['sh', '-c', 'kill -9 $$'] } })).exitCode).toBe(137);
  });

  test('an output that is too large for a message keeps its ends and the exit code', async () => {
    const answer = await process.execute({ config: { command: ['sh', '-c', 'echo begin; head -c 9000000 /dev/zero; echo end; exit 5'] } });
    expect(answer).toMatchObject({ exitCode: 5, truncated: true, stdoutBytes: 9_000_010n });
    expect(text(answer.stdout.subarray(0, 6))).toBe('begin\n');
    expect(text(answer.stdout.subarray(-4))).toBe('end\n');
    expect(answer.stdout.length).toBeLessThan(2_100_000);
  });

  test('a caller may lower the limits', async () => {
    const answer = await process.execute({ config: { command: ['sh', '-c', 'echo 0123456789'], maxOutputBytes: 4 } });
    expect(text(answer.stdout)).toBe('01\n[output truncated: 7 bytes are left out here]\n9\n');
    expect(await codeOf(process.execute({ config: { command: ['sleep', '1000'], timeoutMs: 100 } }))).toBe('DeadlineExceeded');
    expect(await codeOf(process.execute({ config: { command: ['sleep', '1000'] } }, { timeoutMs: 300 }))).toBe('DeadlineExceeded');
    await eventually('nothing runs', () => runtime.runtime.processes.running === 0);
  });

  test.each<[string, string, () => Promise<unknown>]>([
    ['no command', 'InvalidArgument', () => process.execute({})],
    ['an empty command', 'InvalidArgument', () => process.execute({ config: { command: [] } })],
    ['a working directory outside', 'PermissionDenied', () => process.execute({ config: { command: ['true'], cwd: '../..' } })],
    ['a missing program', 'NotFound', () => process.execute({ config: { command: ['no-such-program'] } })],
    ['a missing working directory', 'NotFound', () => process.execute({ config: { command: ['true'], cwd: 'nope' } })],
    ['input to an unknown process', 'NotFound', () => process.writeStdin({ processId: 9999, payload: { case: 'eof', value: {} } })],
    ['input without a payload', 'InvalidArgument', () => process.writeStdin({ processId: 9999 })],
    ['an unspecified signal', 'InvalidArgument', () => process.sendSignal({ processId: 9999 })],
    ['an unknown signal', 'InvalidArgument', () => process.sendSignal({ processId: 9999, signal: 1 as Signal })],
    ['a resize of no process', 'FailedPrecondition', () => process.resizeTTY({ processId: 9999, cols: 1, rows: 1 })],
    ['a file outside', 'PermissionDenied', () => files.stat({ path: '../x' })],
    ['a missing file', 'NotFound', () => files.stat({ path: 'nope' })],
    ['a listing of nothing', 'NotFound', () => files.list({ path: 'nope' })],
    ['the removal of nothing', 'NotFound', () => files.remove({ path: 'nope' })],
    ['a move of nothing', 'NotFound', () => files.move({ source: 'nope', destination: 'x' })],
  ])('%s is %s', async (_, code, call) => {
    expect(await codeOf(call())).toBe(code);
  });

  /** Starts a program and collects its events. */
  function start(config: { command: string[] }, pty?: { cols: number; rows: number }) {
    const leaving = new AbortController();
    const events: StartResponse['event'][] = [];
    const done = (async () => {
      for await (const { event } of process.start({ config, pty }, { signal: leaving.signal })) {
        events.push(event);
      }
    })();
    done.catch(() => undefined);
    const output = () => Buffer.concat(events.map(each => (each.case === 'stdout' || each.case === 'stderr' ? each.value : new Uint8Array()))).toString();
    const id = () => eventually('started', () => (events[0]?.case === 'init' ? events[0].value.processId : undefined));
    return { events, done, output, id, leave: () => leaving.abort() };
  }

  test('Start tells its number first, takes input and ends with the exit', async () => {
    const { events, done, output, id } = start({ command: ['cat'] });
    await process.writeStdin({ processId: await id(), payload: { case: 'input', value: Buffer.from('hello') } });
    await eventually('echoed', () => output() === 'hello');
    await process.writeStdin({ processId: await id(), payload: { case: 'eof', value: {} } });
    await done;
    expect(events.map(each => each.case)).toEqual(['init', 'stdout', 'exit']);
    expect(events.at(-1)!.value).toMatchObject({ exitCode: 0 });
  });

  test('Start delivers 20 MB in order to a reader that is slow', async () => {
    let bytes = 0;
    for await (const { event } of process.start({ config: { command: ['head', '-c', '20000000', '/dev/zero'] } })) {
      bytes += event.case === 'stdout' ? event.value.length : 0;
      await new Promise(resolve => setImmediate(resolve));
    }
    expect(bytes).toBe(20_000_000);
  });

  test('signals go to the group, and a terminal has a size', async () => {
    const { events, done, output, id } = start({ command: ['sh', '-c', 'stty size; sleep 1000'] }, { cols: 101, rows: 33 });
    await eventually('size', () => output().includes('33 101'));
    await process.resizeTTY({ processId: await id(), cols: 50, rows: 20 });
    await process.sendSignal({ processId: await id(), signal: Signal.SIGKILL });
    await done;
    expect(events.at(-1)).toMatchObject({ case: 'exit', value: { exitCode: 137 } });
  });

  test('cancelling Start kills the group', async () => {
    const { output, leave } = start({ command: ['sh', '-c', 'sleep 1000 & echo $! $$; wait'] });
    await eventually('pids', () => output().endsWith('\n'));
    leave();
    await Promise.all(output().trim().split(' ').map(gone));
  });

  test('files are written, read, described, listed, moved, copied and removed', async () => {
    async function* write(path: string, content: string, createOnly = false) {
      yield { payload: { case: 'metadata' as const, value: { path, mode: 0o640, createOnly } } };
      for (const chunk of content.match(/.{1,3}/gs) ?? []) {
        yield { payload: { case: 'chunk' as const, value: Buffer.from(chunk) } };
      }
    }
    await files.write(write('dir/sub/a.txt', 'hello world'));
    expect(await codeOf(files.write(write('dir/sub/a.txt', 'other', true)))).toBe('AlreadyExists');
    const chunks = [];
    for await (const { chunk } of files.read({ path: 'dir/sub/a.txt' })) {
      chunks.push(chunk);
    }
    expect(Buffer.concat(chunks).toString()).toBe('hello world');
    await symlink('a.txt', join(runtime.base, 'dir/sub/link'));
    expect(await files.stat({ path: 'dir/sub/link' })).toMatchObject({ path: 'dir/sub/link', type: FileType.SYMLINK, linkTarget: 'a.txt' });
    expect(await files.stat({ path: 'dir/sub/a.txt' })).toMatchObject({ type: FileType.FILE, size: 11n, mode: 0o640 });
    expect((await files.list({ path: 'dir' })).entries.map(each => [each.name, each.type])).toEqual([['sub', FileType.DIRECTORY]]);
    const listing = await files.list({ path: 'dir', recursive: true });
    expect([listing.entries.map(each => each.name), listing.truncated]).toEqual([['sub', 'sub/a.txt', 'sub/link'], false]);
    await files.makeDir({ path: 'made/below' });
    await files.move({ source: 'dir/sub', destination: 'made/below/moved' });
    await files.copy({ source: 'made/below/moved', destination: 'copied' });
    expect(await codeOf(files.copy({ source: 'made', destination: 'copied' }))).toBe('AlreadyExists');
    expect((await readdir(join(runtime.base, 'copied'))).sort()).toEqual(['a.txt', 'link']);
    expect(await readlink(join(runtime.base, 'copied/link'))).toBe('a.txt');
    expect((await lstat(join(runtime.base, 'copied/a.txt'))).mode & 0o777).toBe(0o640);
    expect(await codeOf(files.remove({ path: 'made' }))).toBe('FailedPrecondition');
    await files.remove({ path: 'made', recursive: true });
    expect(await codeOf(files.stat({ path: 'made' }))).toBe('NotFound');
  });

  test('a write that is cut off leaves nothing', async () => {
    const leaving = new AbortController();
    const before = await readdir(runtime.base);
    const writing = files.write((async function* () {
      yield { payload: { case: 'metadata' as const, value: { path: 'never' } } };
      yield { payload: { case: 'chunk' as const, value: Buffer.from('x') } };
      await eventually('the temporary file', async () => (await readdir(runtime.base)).length > before.length);
      leaving.abort();
      await new Promise(() => undefined);
    })(), { signal: leaving.signal });
    expect(await codeOf(writing)).toBe('Canceled');
    await eventually('nothing left', async () => (await readdir(runtime.base)).length === before.length);
  });

  test('a watch tells of changes also below directories that are new, and ends with the directory', async () => {
    await mkdir(join(runtime.base, 'watched/old'), { recursive: true });
    const events: FileEvent[] = [];
    const done = (async () => {
      for await (const event of watcher.watchDir({ path: 'watched', recursive: true })) {
        events.push(event);
      }
    })();
    const seen = (type: FileEventType, path: string) => eventually(`${FileEventType[type]} ${path}`, () => events.some(each => each.type === type && each.path === path));
    // Set up when its first event arrives.
    let probe = 0;
    await eventually('set up', async () => {
      await writeFile(join(runtime.base, 'watched/probe'), String(probe++));
      return events.length > 0;
    });
    await mkdir(join(runtime.base, 'watched/new/deep'), { recursive: true });
    await seen(FileEventType.CREATE, 'watched/new/deep');
    await writeFile(join(runtime.base, 'watched/new/deep/file'), 'a');
    await seen(FileEventType.CREATE, 'watched/new/deep/file');
    await writeFile(join(runtime.base, 'watched/old/file'), 'a');
    await seen(FileEventType.CREATE, 'watched/old/file');
    await writeFile(join(runtime.base, 'watched/old/file'), 'longer');
    await seen(FileEventType.WRITE, 'watched/old/file');
    await files.remove({ path: 'watched/new', recursive: true });
    await seen(FileEventType.REMOVE, 'watched/new');
    await files.remove({ path: 'watched', recursive: true });
    await done;
    expect(events.at(-1)).toMatchObject({ type: FileEventType.ERROR, error: expect.stringContaining('removed') });
  });

  test('gRPC-Web and Connect answer on the same port, over HTTP/1.1 and HTTP/2', async () => {
    const baseUrl = `http://127.0.0.1:${runtime.port}`;
    const transports = [
      createGrpcWebTransport({ baseUrl, httpVersion: '1.1' }), createGrpcWebTransport({ baseUrl, httpVersion: '2' }),
      createConnectTransport({ baseUrl, httpVersion: '1.1' }), createConnectTransport({ baseUrl, httpVersion: '1.1', useBinaryFormat: false }),
      createConnectTransport({ baseUrl, httpVersion: '2' }),
    ];
    for (const transport of transports) {
      const client = createClient(ProcessService, transport);
      expect(text((await client.execute({ config: { command: ['echo', 'hi'] } })).stdout)).toBe('hi\n');
      expect(await codeOf(client.execute({ config: { command: ['no-such-program'] } }))).toBe('NotFound');
      expect((await createClient(FilesystemService, transport).stat({ path: '' })).type).toBe(FileType.DIRECTORY);
    }
  });

  test('a request of a web page is refused over HTTP/2, too', async () => {
    const transport = createGrpcTransport({ baseUrl: `http://127.0.0.1:${runtime.port}` });
    const client = createClient(ProcessService, transport);
    expect(await codeOf(client.execute({ config: { command: ['true'] } }, { headers: { origin: 'http://evil.example' } }))).toBe('PermissionDenied');
  });

  test.each(['', 'P', 'PRI', 'PRI * HTTP/2.0\r\nnonsense and more of it', 'GET / HTT'])('a connection that begins with %j and then ends leaves the runtime alone', async beginning => {
    await new Promise<void>(resolve => {
      const socket = connectSocket(runtime.port, '127.0.0.1', () => socket.end(beginning));
      socket.on('error', () => undefined).on('data', () => undefined).once('close', () => resolve());
    });
    expect((await runtime.call('/healthz')).text).toBe('ok');
  });

  test('a request that comes byte by byte is served', async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connectSocket(runtime.port, '127.0.0.1', async () => {
        socket.setNoDelay(true);
        for (const byte of 'PUT /v1/files/byte HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi') {
          socket.write(byte);
          await new Promise(next => setImmediate(next));
        }
      });
      let all = '';
      socket.on('data', chunk => all += chunk.toString()).once('error', reject).once('close', () => resolve(all));
    });
    expect(answer).toMatch(/^HTTP\/1.1 204 /);
    expect(await readFile(join(runtime.base, 'byte'), 'utf8')).toBe('hi');
  });

  test('stopping ends programs politely and their streams with the exit', async () => {
    const other = await Harness.start();
    const client = createClient(ProcessService, createGrpcTransport({ baseUrl: `http://127.0.0.1:${other.port}` }));
    const events: StartResponse['event'][] = [];
    const done = (async () => {
      for await (const { event } of client.start({ config: { command: ['sh', '-c', 'trap "exit 9" TERM; echo ready; while :; do sleep 0.05; done'] } })) {
        events.push(event);
      }
    })();
    await eventually('ready', () => events.some(each => each.case === 'stdout'));
    await other.stop();
    await done;
    expect(events.at(-1)).toMatchObject({ case: 'exit', value: { exitCode: 9 } });
  });
});

describe('the messages of gRPC', () => {
  // Zod checks, the .proto files describe: neither may have a field that the other lacks.
  test.each([
    ['config', ProcessService.method.execute.input.field.config!.message!, Config],
    ['Execute', ProcessService.method.execute.input, ExecuteRequest],
    ['Start', ProcessService.method.start.input, StartRequest],
    ['WriteStdin', ProcessService.method.writeStdin.input, WriteStdinRequest],
    ['SendSignal', ProcessService.method.sendSignal.input, SendSignalRequest],
    ['ResizeTTY', ProcessService.method.resizeTTY.input, ResizeTtyRequest],
  ])('%s are the same as those in JSON', (_, message, schema) => {
    expect(Object.keys(schema.shape).sort()).toEqual(message.fields.map(field => field.localName).sort());
  });

  test('have the numbers and types of the protocol of agent-sandbox', () => {
    const wire = [ProcessService, FileWatcherService].flatMap(service => service.file.messages.flatMap(message => message.fields
      .filter(field => field.number < 1000)
      .map(field => `${message.typeName}.${field.name}=${field.number} ${field.fieldKind}${field.oneof ? ` of ${field.oneof.name}` : ''}`)));
    expect(wire).toEqual([
      'process.v1.PTY.cols=1 scalar', 'process.v1.PTY.rows=2 scalar',
      'process.v1.ProcessConfig.command=1 list', 'process.v1.ProcessConfig.env_vars=2 map', 'process.v1.ProcessConfig.cwd=3 scalar',
      'process.v1.StartRequest.config=1 message', 'process.v1.StartRequest.pty=2 message',
      'process.v1.InitEvent.process_id=1 scalar', 'process.v1.ExitEvent.exit_code=1 scalar',
      'process.v1.StartResponse.init=1 message of event', 'process.v1.StartResponse.stdout=2 scalar of event',
      'process.v1.StartResponse.stderr=3 scalar of event', 'process.v1.StartResponse.exit=4 message of event',
      'process.v1.ExecuteRequest.config=1 message',
      'process.v1.ExecuteResponse.exit_code=1 scalar', 'process.v1.ExecuteResponse.stdout=2 scalar', 'process.v1.ExecuteResponse.stderr=3 scalar',
      'process.v1.WriteStdinRequest.process_id=1 scalar', 'process.v1.WriteStdinRequest.input=2 scalar of payload', 'process.v1.WriteStdinRequest.eof=3 message of payload',
      'process.v1.SendSignalRequest.process_id=1 scalar', 'process.v1.SendSignalRequest.signal=2 enum',
      'process.v1.ResizeTTYRequest.process_id=1 scalar', 'process.v1.ResizeTTYRequest.cols=2 scalar', 'process.v1.ResizeTTYRequest.rows=3 scalar',
      'watcher.v1.WatchDirRequest.path=1 scalar', 'watcher.v1.WatchDirRequest.recursive=2 scalar',
      'watcher.v1.FileEvent.type=1 enum', 'watcher.v1.FileEvent.path=2 scalar', 'watcher.v1.FileEvent.old_path=3 scalar', 'watcher.v1.FileEvent.error=4 scalar',
    ]);
  });
});

describeWithTools('a client of gRPC that knows nothing of us', ['grpcurl'], pathOf => {
  let runtime: Harness;
  beforeAll(async () => {
    runtime = await Harness.start();
  });
  afterAll(() => runtime.stop());
  const grpcurl = async (...args: readonly string[]): Promise<string> => (await promisify(execFile)(pathOf('grpcurl'), ['-plaintext', ...args])).stdout;

  test('learns the services by reflection, and calls them', async () => {
    const address = `127.0.0.1:${runtime.port}`;
    expect((await grpcurl(address, 'list')).trim().split('\n')).toEqual([
      'filesystem.v1.FilesystemService', 'grpc.reflection.v1.ServerReflection', 'process.v1.ProcessService', 'watcher.v1.FileWatcherService',
    ]);
    expect(await grpcurl(address, 'describe', 'process.v1.ProcessConfig')).toContain('map<string, string> env_vars = 2;');
    const request = JSON.stringify({ config: { command: ['sh', '-c', 'echo hello; kill -15 $$'] } });
    expect(JSON.parse(await grpcurl('-d', request, address, 'process.v1.ProcessService/Execute'))).toMatchObject({ exitCode: 143, stdout: Buffer.from('hello\n').toString('base64') });
    const events = await grpcurl('-d', request, address, 'process.v1.ProcessService/Start');
    expect([events.includes('"processId"'), events.includes('"exitCode": 143')]).toEqual([true, true]);
    expect(JSON.parse(await grpcurl('-d', '{"path":"x/y"}', address, 'filesystem.v1.FilesystemService/MakeDir'))).toEqual({});
    expect(JSON.parse(await grpcurl('-d', '{"path":"x","recursive":true}', address, 'filesystem.v1.FilesystemService/List')).entries).toMatchObject([{ name: 'y', type: 'FILE_TYPE_DIRECTORY' }]);
    await expect(grpcurl('-d', '{"path":"../x"}', address, 'filesystem.v1.FilesystemService/Stat')).rejects.toThrow(/Code: PermissionDenied/);
  });
});
