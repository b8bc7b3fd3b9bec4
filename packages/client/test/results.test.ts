import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Harness } from '../../runtime/test/harness.js';
import { SandboxConnection } from '../src/connection/index.js';
import { SandboxInputError, SandboxRequestError, SandboxTimeoutError } from '../src/errors.js';
import { OutputWindow } from '../src/output-window.js';
import type { Sandbox } from '../src/sandbox.js';
import { type Answer, cut, status } from './fake-sandbox.js';
import { Bench, rejection, withSandbox } from './support.js';

const ndjson = (...events: object[]): Answer => (_, response) => {
  response.writeHead(200, { 'content-type': 'application/x-ndjson' }).end(events.map(event => `${JSON.stringify(event)}\n`).join(''));
};

describe('with a runtime', () => {
  let runtime: Harness;
  let bench: Bench;
  let sandbox: Sandbox;

  beforeEach(async () => {
    runtime = await Harness.start();
    bench = await Bench.start({ connection: SandboxConnection.direct({ url: `http://127.0.0.1:${runtime.port}` }) });
    bench.exists('box');
    sandbox = await bench.client.get('box');
  });
  afterEach(async () => {
    await bench[Symbol.asyncDispose]();
    await runtime.stop();
  });

  test('3 MB of NULs keep their exit code and their bytes', async () => {
    const result = await sandbox.commands.run(['sh', '-c', 'head -c 3000000 /dev/zero; exit 3']);
    expect(result).toMatchObject({ exitCode: 3, truncated: false, omittedBytes: 0 });
    expect(result.stdoutBytes.equals(Buffer.alloc(3_000_000))).toBe(true);
  });

  test('more than the runtime keeps of an answer comes in full', async () => {
    const { stdout, exitCode } = await sandbox.commands.run(['sh', '-c', 'head -c 6000000 /dev/zero | tr "\\0" x']);
    expect([stdout.length, exitCode]).toEqual([6_000_000, 0]);
  });

  test('what is more than is wanted is said, and both ends are kept', async () => {
    const result = await sandbox.commands.run(['sh', '-c', 'echo begin; head -c 100000 /dev/zero | tr "\\0" x; echo; echo end'], { maxOutputBytes: 1000 });
    expect(result).toMatchObject({ exitCode: 0, truncated: true, omittedBytes: 100_011 - 1000 });
    expect(result.stdout).toMatch(/^begin\nx{494}\n\[output truncated: 99011 bytes are left out here\]\nx{495}\nend\n$/);
  });

  test('bytes are there beside the text', async () => {
    const result = await sandbox.commands.run(['printf', '\\377a\\r\\nb']);
    expect([result.stdout, [...result.stdoutBytes]]).toEqual(['\ufffda\nb', [0xff, 0x61, 0x0d, 0x0a, 0x62]]);
    expect(JSON.parse(JSON.stringify(result))).toEqual({ stdout: '\ufffda\nb', stderr: '', exitCode: 0, timedOut: false, truncated: false, omittedBytes: 0 });
  });

  test('a time limit leaves the output, and it is said whose it was', async () => {
    const result = await sandbox.commands.run(['sh', '-c', 'echo begun; sleep 60'], { timeoutMs: 300 });
    expect(result).toMatchObject({ stdout: 'begun\n', exitCode: 1, timedOut: true, limit: { timeoutMs: 300, of: 'caller' } });
  });

  test('variables, a directory, and a text that is split into words', async () => {
    await sandbox.files.makeDirectory('d');
    const result = await sandbox.commands.run('sh -c \'echo "$A in ${PWD##*/}"\'', { env: { A: 'here' }, cwd: 'd', timeoutMs: Infinity });
    expect(result).toMatchObject({ stdout: 'here in d\n', stderr: '', exitCode: 0 });
  });

  test('a program that does not exist is a result', async () => {
    expect(await sandbox.commands.run('no-such-program')).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/^Failed to execute command: .*no-such-program/) });
  });

  test('a text that cannot be split is refused before anything is sent', async () => {
    expect(await rejection(sandbox.commands.run('echo "a'))).toBeInstanceOf(SandboxInputError);
  });

  test('return() ends a watch that nothing happens in', async () => {
    const watch = sandbox.files.watch();
    const waiting = watch.next();
    await writeFile(join(runtime.base, 'a'), '');
    // The watch may have begun after that; either way the next one waits.
    const next = Promise.race([waiting.then(() => watch.next()), waiting]);
    expect(await watch.return()).toEqual({ value: undefined, done: true });
    await expect(next).resolves.toBeDefined();
    expect(await watch.next()).toEqual({ value: undefined, done: true });
  });
});

describe('with a runtime that streams', () => {
  test.each([[-9, 137], [-1, 128], [137, 137], [255, 255]])('exit code %d is %d', async (code, wanted) => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.hasStreams = true;
    bench.sandbox.answers = [ndjson({ init: { processId: 1 } }, {}, { exit: { exitCode: code } })];
    expect((await sandbox.commands.run('x')).exitCode).toBe(wanted);
  });

  const result = `${JSON.stringify({ init: { processId: 1 } })}\n${JSON.stringify({ exit: { exitCode: 3 } })}\n`;

  test('commands use one connection, though the end of an answer comes after the result', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.hasStreams = true;
    bench.sandbox.answers = [(_, response) => response.write(result, () => setImmediate(() => response.end()))];
    for (let i = 0; i < 3; i++) {
      expect((await sandbox.commands.run('x')).exitCode).toBe(3);
    }
    expect(bench.sandbox.connections).toBe(1);
  });

  test('an answer that does not end after the result is not waited for', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.hasStreams = true;
    const isComplete = new Promise<boolean>(resolve => {
      bench.sandbox.answers = [(_, response) => response.on('close', () => resolve(response.writableFinished)).write(result)];
    });
    expect((await sandbox.commands.run('x')).exitCode).toBe(3);
    expect(await isComplete).toBe(false);
  });

  test('an answer that ends before the command is an error, never a result', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.hasStreams = true;
    bench.sandbox.answers = [ndjson({ init: { processId: 1 } }, { stdout: 'aGkK' })];
    const error = await rejection(sandbox.commands.run('x'));
    expect(error).toBeInstanceOf(SandboxRequestError);
    expect(error.message).toMatch(/after \d+ ms without output; what became of the command is not known: if a router ended it, raise its --proxy-timeout/);
  });

  test('a connection that breaks is an error, and the command is not sent twice', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.hasStreams = true;
    bench.sandbox.answers = [cut];
    expect(await rejection(sandbox.commands.run('x'))).toMatchObject({ name: 'SandboxRequestError', sent: true });
    expect(bench.sandbox.arrived).toHaveLength(1);
  });
});

describe('with a runtime without streams', () => {
  const cases: [string, object, object][] = [
    ['a signal', { exit_code: -9 }, { exitCode: 137 }],
    ['cut output', { stdout: 'abc\n[output truncated: 7 more bytes were discarded]\n' }, { truncated: true, omittedBytes: 7 }],
    ['output without its middle', { truncated: true, stdout: 'abc\n[output truncated: 7 bytes are left out here]\nxyz' }, { truncated: true, omittedBytes: 7 }],
    ['output that looks like it', { truncated: false, stdout: '\n[output truncated: 7 bytes are left out here]\n' }, { truncated: false }],
    ['its own time limit', { timed_out: true, exit_code: 1, stderr: "Failed to execute command: Command '['x']' timed out after 300 seconds" },
      { timedOut: true, limit: { timeoutMs: 300_000, of: 'runtime' } }],
    ['the time limit of the call', { timed_out: true, exit_code: 1, stderr: "Failed to execute command: Command '['x']' timed out after 600 seconds" },
      { timedOut: true, limit: { timeoutMs: 600_000, of: 'caller' } }],
  ];
  test.each(cases)('%s is reported', async (_, answer, wanted) => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.answers = [status(200, { stdout: '', stderr: '', exit_code: 0, ...answer })];
    expect(await sandbox.commands.run('x', { timeoutMs: 600_000 })).toMatchObject(wanted);
  });

  test('the time limit of the router is reported as such', async () => {
    const { bench: _bench, sandbox } = await withSandbox();
    await using bench = _bench;
    bench.sandbox.answers = [status(504, { detail: 'Timed out.' })];
    const error = await rejection(sandbox.commands.run('x', { timeoutMs: 600_000 }));
    expect(error).toBeInstanceOf(SandboxTimeoutError);
    expect(error.message).toContain('this is the time limit of the router, not that of the call (600000 ms): raise its --proxy-timeout');
  });
});

test('an output window keeps both ends of any pieces', () => {
  for (const size of [1, 7, 10, 33, 1000]) {
    const window = new OutputWindow(20);
    const all = Buffer.from('0123456789'.repeat(10));
    for (let i = 0; i < all.length; i += size) {
      window.add(all.subarray(i, i + size));
    }
    expect([window.omitted, window.bytes().toString()]).toEqual([80, '0123456789\n[output truncated: 80 bytes are left out here]\n0123456789']);
  }
});
