import { chmod, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { pino } from 'pino';
import { eventually, gone, Harness, multipart } from './harness.js';

jest.setTimeout(60_000);

/** Sends bytes as they are and gives back everything that comes until the connection ends. */
function raw(port: number, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.on('data', chunk => chunks.push(chunk));
    socket.once('error', error => chunks.length > 0 ? resolve(Buffer.concat(chunks).toString()) : reject(error));
    socket.once('close', () => resolve(Buffer.concat(chunks).toString()));
  });
}

describe('paths that lead out', () => {
  let runtime: Harness;
  beforeAll(async () => {
    runtime = await Harness.start();
    await writeFile(join(runtime.outside, 'secret'), 'SECRET');
    await mkdir(join(runtime.base, 'a/b'), { recursive: true });
    await symlink('../../..', join(runtime.base, 'a/b/up'));
    await symlink(runtime.outside, join(runtime.base, 'absolute'));
    await symlink('/', join(runtime.base, 'root'));
    await symlink('a/b/up', join(runtime.base, 'twice'));
    await symlink('/proc/self/fd', join(runtime.base, 'proc'));
  });
  afterAll(() => runtime.stop());

  test('no combination of segments, in any encoding, reads what is outside', async () => {
    const segment = fc.constantFrom('..', '.', '', 'a', 'b', 'up', 'twice', 'absolute', 'root', 'proc', 'app', 'nope', runtime.outside.slice(1), 'secret');
    const encode = fc.constantFrom<(text: string) => string>(text => text, encodeURIComponent, text => encodeURIComponent(encodeURIComponent(text)),
      text => text.replaceAll('.', '%2e').replaceAll('/', '%2F'), text => text.replaceAll('.', '%252e'));
    const prefix = fc.constantFrom('/download/', '/list/', '/v1/files/');
    await fc.assert(fc.asyncProperty(prefix, encode, fc.array(segment, { minLength: 1, maxLength: 8 }), async (route, encoded, segments) => {
      const answer = await runtime.call(route + encoded(`${segments.join('/')}`));
      expect(answer.text).not.toContain('SECRET');
      expect(answer.text).not.toContain('"secret"');
      expect([200, 403, 404]).toContain(answer.status);
    }), { numRuns: 300 });
  });

  test('no combination of segments writes or removes what is outside', async () => {
    const before = await readdir(runtime.outside);
    for (const path of ['../x', 'a/b/up/x', 'twice/x', 'absolute/x', 'root/tmp/x', 'a/../../x', 'proc/1', `root${runtime.outside}/x`, '..', 'absolute', '/../x']) {
      const encoded = encodeURIComponent(path);
      const answers = await Promise.all([
        runtime.upload(path, 'evil'),
        runtime.call(`/v1/files/${encoded}`, { method: 'PUT', body: 'evil' }),
        runtime.call(`/v1/files/${encoded}?type=directory`, { method: 'PUT' }),
        runtime.call(`/v1/files/${encoded}?recursive=true`, { method: 'DELETE' }),
        runtime.postJson('/process.v1.ProcessService/Execute', { config: { command: ['touch', 'x'], cwd: path } }),
      ]);
      expect([path, answers.map(answer => answer.status)]).toEqual([path, [403, 403, 403, 403, 403]]);
    }
    expect(await readdir(runtime.outside)).toEqual(before);
  });

  test('a directory that is swapped for a link meanwhile leads nowhere', async () => {
    const outside = join(runtime.outside, 'target');
    await mkdir(outside);
    await writeFile(join(outside, 'file'), 'SECRET');
    const swapped = join(runtime.base, 'swapped');
    await mkdir(swapped);
    await writeFile(join(swapped, 'file'), 'mine');
    let over = false;
    // Uploads make the directory while it is away.
    const inPlace = async (act: () => Promise<void>): Promise<void> => {
      const once = async () => {
        await rm(swapped, { recursive: true, force: true });
        await act();
      };
      await once().catch((error: NodeJS.ErrnoException) => (['EEXIST', 'ENOTEMPTY', 'ENOTDIR'].includes(error.code!) ? inPlace(act) : Promise.reject(error)));
    };
    // Each state lasts for some turns of the event loop, and not always for as many, so that requests meet all of them.
    const dwell = async (turns: number) => {
      for (let i = 0; i < turns; i++) {
        await new Promise(setImmediate);
      }
    };
    const swap = (async () => {
      for (let round = 0; !over; round++) {
        await rename(swapped, `${swapped}-aside`);
        await inPlace(() => symlink(outside, swapped));
        await dwell(round % 13);
        await inPlace(() => rename(`${swapped}-aside`, swapped));
        await dwell(round % 7);
      }
    })();
    const seen = new Map<string, number>();
    const metBoth = () => seen.has('200') && seen.has('403');
    for (let i = 0; i < 250 || (i < 5000 && !metBoth()); i++) {
      const answers = await Promise.all([
        runtime.call('/download/swapped/file'),
        runtime.call('/v1/files/swapped'),
        runtime.upload('swapped/new', 'evil'),
        runtime.call('/v1/files/swapped/new2', { method: 'PUT', body: 'evil' }),
        runtime.call('/v1/files/swapped/new2', { method: 'DELETE' }),
        runtime.call('/exists/swapped/file'),
      ]);
      answers.forEach(answer => {
        expect(answer.text).not.toContain('SECRET');
        seen.set(String(answer.status), (seen.get(String(answer.status)) ?? 0) + 1);
      });
    }
    over = true;
    await swap;
    expect(await readdir(outside)).toEqual(['file']);
    // Both sides of the race were met, or this has shown nothing.
    expect(seen.get('200')).toBeGreaterThan(0);
    expect(seen.get('403')).toBeGreaterThan(0);
  });

  test('a tree that is swapped while it is removed costs nothing outside', async () => {
    const outside = join(runtime.outside, 'precious');
    for (let i = 0; i < 30; i++) {
      await mkdir(join(outside, 'sub'), { recursive: true });
      await writeFile(join(outside, 'sub/file'), 'SECRET');
      const victim = join(runtime.base, 'victim');
      await mkdir(join(victim, 'x/sub'), { recursive: true });
      await Promise.all(Array.from({ length: 20 }, (_, n) => writeFile(join(victim, `x/sub/${n}`), '')));
      const removal = runtime.call('/v1/files/victim?recursive=true', { method: 'DELETE' });
      const swap = rename(join(victim, 'x'), join(victim, 'y')).then(() => symlink(outside, join(victim, 'x'))).catch(() => undefined);
      await Promise.all([removal, swap]);
      await rm(victim, { recursive: true, force: true });
      expect(await readFile(join(outside, 'sub/file'), 'utf8')).toBe('SECRET');
    }
  });

  test('a FIFO does not block a download', async () => {
    await runtime.execute('mkfifo fifo');
    expect((await runtime.call('/download/fifo')).status).toBe(404);
    expect((await runtime.call('/v1/files/fifo')).text).toBe('');
  });

  test('a path with more directories than it may have is refused', async () => {
    await mkdir(join(runtime.base, 'd/'.repeat(130)), { recursive: true });
    expect((await runtime.call(`/exists/${'d/'.repeat(127)}`)).json.exists).toBe(true);
    expect((await runtime.call(`/v1/files/${'d/'.repeat(130)}`)).json).toEqual({ code: 'INTERNAL', message: 'ENAMETOOLONG: more than 128 directories deep' });
  });
});

describe('uploads', () => {
  let runtime: Harness;
  beforeAll(async () => {
    runtime = await Harness.start({ maxUploadBytes: 20_000_000 });
  });
  afterAll(() => runtime.stop());

  const files = async () => (await readdir(runtime.base, { withFileTypes: true })).filter(entry => entry.isFile()).map(entry => entry.name);
  const part = multipart([{ field: 'file', filename: 'big', content: '' }]);

  test.each([
    ['/upload', 'POST', { 'content-type': part.headers['content-type']! }, part.body.subarray(0, part.body.indexOf('\r\n\r\n') + 4)],
    ['/v1/files/big', 'PUT', {}, Buffer.alloc(0)],
  ] as const)('%s goes to disk as it comes, and leaves nothing when it breaks off', async (path, method, headers, head) => {
    const sent = request({ host: '127.0.0.1', port: runtime.port, path, method, headers: { ...headers, 'content-length': '10000000' } });
    sent.on('error', () => undefined);
    sent.write(head);
    sent.write(Buffer.alloc(5_000_000));
    await eventually('on disk', async () => {
      const [name] = await files();
      return name?.startsWith('.sandboxd-tmp-') && (await stat(join(runtime.base, name))).size > 4_000_000;
    });
    sent.destroy();
    await eventually('removed', async () => (await files()).length === 0);
  });

  test.each([
    ['POST', '/upload', multipart([{ field: 'file', filename: 'big', content: Buffer.alloc(20_000_001) }])],
    ['PUT', '/v1/files/big', { body: Buffer.alloc(20_000_001) }],
  ] as const)('%s %s over the limit is 413', async (method, path, call) => {
    // The answer may come while the body is still on its way, and the connection ends then.
    const answer = await runtime.call(path, { method, ...call }).catch((error: NodeJS.ErrnoException) => error);
    expect('status' in answer ? answer.status : answer.code).toEqual('status' in answer ? 413 : expect.stringMatching(/EPIPE|ECONNRESET/));
    await eventually('nothing left', async () => (await files()).length === 0);
  });

  test.each([
    ['cut off before the end', Buffer.from('--B\r\nContent-Disposition: form-data; name="file"; filename="cut"\r\n\r\nhalf of it')],
    ['no boundary in it', Buffer.from('nothing')],
    ['a thousand parts', Buffer.from(`${'--B\r\nContent-Disposition: form-data; name="x"\r\n\r\n\r\n'.repeat(1000)}--B--\r\n`)],
    ['a part with huge headers', Buffer.from(`--B\r\nContent-Disposition: form-data; name="file"; filename="${'x'.repeat(200_000)}"\r\n\r\nx\r\n--B--\r\n`)],
    ['a part without a name', Buffer.from('--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n--B--\r\n')],
  ])('a multipart body with %s is refused', async (_, body) => {
    const answer = await runtime.call('/upload', { method: 'POST', headers: { 'content-type': 'multipart/form-data; boundary=B' }, body });
    expect([400, 422, 500]).toContain(answer.status);
    expect(await files()).toEqual([]);
    expect((await runtime.call('/')).status).toBe(200);
  });

  test('a file that cannot be written is an error with its reason', async () => {
    const name = 'n'.repeat(300);
    expect((await runtime.upload(name, 'x')).json).toEqual({ message: 'File upload failed: ENAMETOOLONG: name too long' });
  });
});

describe('commands that do not behave', () => {
  let runtime: Harness;
  beforeAll(async () => {
    runtime = await Harness.start({ maxOutputBytes: 1000 });
    runtime.runtime.pipeGraceMs = 200;
  });
  afterAll(() => runtime.stop());

  test('endless output is cut, marked, and does not fill the memory', async () => {
    const result = await runtime.execute("sh -c 'yes out & yes err >&2'", 0.5);
    expect(result.stdout).toMatch(/^(out\n){125}\n\[output truncated: \d+ bytes are left out here\]\n(o?u?t?\n)?(out\n){124}(o(ut?)?)?$/);
    expect(result.stderr).toMatch(/^(err\n){125}\n\[output truncated: \d+ bytes are left out here\]\n(e?r?r?\n)?(err\n){124}(er{0,2})?\n?Failed to execute command: .* timed out after 0.5 seconds$/s);
    expect(result).toMatchObject({ timed_out: true, exit_code: 1, truncated: true });
    expect(result.stdout_bytes).toBeGreaterThan(1000);
  });

  test('a character on the limit is not cut in two', async () => {
    const { stdout } = await runtime.execute("sh -c 'printf a; for i in $(seq 400); do printf é; done; for i in $(seq 400); do printf é; done'");
    expect(stdout).toBe(`a${'é'.repeat(249)}\n[output truncated: 601 bytes are left out here]\n${'é'.repeat(250)}`);
  });

  test('a background process that keeps the streams does not keep the answer, and lives on', async () => {
    const result = await runtime.execute("sh -c 'echo out; (while [ ! -e go ]; do sleep 0.05; done; echo more; echo more >&2; echo written > late) &'");
    expect(result).toEqual({ stdout: 'out\n', stderr: '', exit_code: 0, timed_out: false, truncated: false, stdout_bytes: 4, stderr_bytes: 0 });
    await writeFile(join(runtime.base, 'go'), '');
    // Its output goes nowhere, but writing does not end it.
    expect(await eventually('late', () => readFile(join(runtime.base, 'late'), 'utf8').catch(() => undefined))).toBe('written\n');
  });

  test('a daemon does not keep the answer', async () => {
    const result = await runtime.execute('sh -c \'setsid sh -c "echo \\$\\$; exec sleep 1000" &\'');
    expect(result).toMatchObject({ exit_code: 0, timed_out: false });
    process.kill(Number(result.stdout), 'SIGKILL');
  });

  test('a command that ignores SIGTERM is killed when the runtime stops', async () => {
    const other = await Harness.start();
    const running = other.execute("sh -c 'trap \"\" TERM; touch ready; while :; do sleep 0.05; done'");
    await eventually('started', async () => (await other.call('/exists/ready')).json.exists);
    await other.runtime.processes.stop(100);
    expect(await running).toMatchObject({ exit_code: -9 });
    await other.stop();
  });

  test('a caller that hangs up ends the command', async () => {
    const sent = request({ host: '127.0.0.1', port: runtime.port, path: '/execute', method: 'POST', headers: { 'content-type': 'application/json' } });
    sent.on('error', () => undefined).end(JSON.stringify({ command: "sh -c 'echo $$ > hung; sleep 1000 & wait'" }));
    const pid = await eventually('started', async () => (await readFile(join(runtime.base, 'hung'), 'utf8').catch(() => '')).trim());
    sent.destroy();
    await gone(pid);
  });

  test('many processes in one group all end with it', async () => {
    const result = await runtime.execute("sh -c 'for i in $(seq 20); do sleep 1000 & echo $!; done; wait'", 1);
    const pids = result.stdout.trim().split('\n');
    expect(pids.length).toBe(20);
    await Promise.all(pids.map(gone));
  });

  test.each([
    ['a null byte', 'echo a\0b', '[EINVAL] Cannot start: \'a word contains a null byte\''],
    ['too many arguments', `echo ${'x'.repeat(200_000)}`, "[Errno 7] Argument list too long: 'echo'"],
  ])('%s is a failed command', async (_, command, reason) => {
    expect(await runtime.execute(command)).toMatchObject({ stdout: '', stderr: `Failed to execute command: ${reason}`, exit_code: 1, timed_out: false });
  });

  test('a process that does not read its input makes the caller wait, within a limit', async () => {
    const chunks: string[] = [];
    const sent = request({ host: '127.0.0.1', port: runtime.port, path: '/process.v1.ProcessService/Start', method: 'POST', headers: { 'content-type': 'application/json' } },
      response => response.on('data', (chunk: Buffer) => chunks.push(chunk.toString())));
    sent.on('error', () => undefined).end(JSON.stringify({ config: { command: ['sleep', '1000'] } }));
    const processId = await eventually('started', () => /"processId":(\d+)/.exec(chunks.join(''))?.[1]);
    const write = () => runtime.postJson('/process.v1.ProcessService/WriteStdin', { processId: Number(processId), input: Buffer.alloc(2_900_000).toString('base64') });
    const writes = [write(), write(), write(), write()];
    const refused = await Promise.race(writes);
    expect([refused.status, refused.json.code]).toEqual([429, 'resource_exhausted']);
    sent.destroy();
    // The others hear that the process has gone.
    expect((await Promise.all(writes)).map(answer => answer.status).sort()).toEqual(expect.arrayContaining([429, 500]));
  });
});

describe('requests that do not behave', () => {
  let runtime: Harness;
  const log: string[] = [];
  beforeAll(async () => {
    const logger = pino({ level: 'debug' }, new Writable({ write: (chunk, _encoding, done) => (log.push(String(chunk)), done()) }));
    runtime = await Harness.start({ logger, allowedOrigins: ['https://console.example'] });
  });
  afterAll(() => runtime.stop());

  test.each([
    ['huge headers', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(70_000)}\r\n\r\n`, 'HTTP/1.1 431'],
    ['two lengths', 'POST /execute HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello', 'HTTP/1.1 400'],
    ['length and chunks', 'POST /execute HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'HTTP/1.1 400'],
    ['chunks that are none', 'POST /execute HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n', 'HTTP/1.1 400'],
    ['no HTTP', 'hello\r\n\r\n', 'HTTP/1.1 400'],
    ['a header with a line feed', 'GET / HTTP/1.1\r\nHost: x\r\nX: a\nY: b\r\n\r\n', 'HTTP/1.1 400'],
    ['no host', 'GET / HTTP/1.1\r\n\r\n', 'HTTP/1.1 400'],
  ])('%s', async (_, bytes, status) => {
    expect(await raw(runtime.port, bytes)).toMatch(new RegExp(`^${status}`));
    expect((await runtime.call('/')).status).toBe(200);
  });

  test('a body of /execute has a limit', async () => {
    const answer = await runtime.call('/execute', { method: 'POST', headers: { 'content-type': 'application/json' }, body: Buffer.alloc(5_000_000, 'x') }).catch((error: NodeJS.ErrnoException) => error);
    expect('status' in answer ? answer.status : answer.code).toEqual('status' in answer ? 413 : expect.stringMatching(/EPIPE|ECONNRESET/));
  });

  test.each<[string, number, { [name: string]: string }]>([
    ['a page elsewhere', 403, { origin: 'http://evil.example' }],
    ['a page of this very host', 403, { origin: 'http://127.0.0.1:8888' }],
    ['an opaque origin', 403, { origin: 'null' }],
    ['an image of a page', 403, { 'sec-fetch-site': 'cross-site' }],
    ['a page of the same site', 403, { 'sec-fetch-site': 'same-origin' }],
    ['an address that a person typed', 200, { 'sec-fetch-site': 'none' }],
    ['a page that is allowed', 200, { origin: 'https://console.example', 'sec-fetch-site': 'cross-site' }],
    ['a program', 200, {}],
  ])('a request of %s is %i', async (_, status, headers) => {
    const answers = await Promise.all([runtime.call('/', { headers }), runtime.call('/upload', { ...multipart([{ field: 'file', filename: 'f', content: 'x' }]), method: 'POST', ...{ headers: { ...multipart([]).headers, ...headers } } })]);
    expect(answers.map(answer => answer.status)).toEqual([status, status]);
  });

  test('the log has routes, and neither commands nor paths nor their secrets', async () => {
    await runtime.execute('echo hunter2');
    await runtime.upload('hunter2', 'hunter2');
    await runtime.call('/download/hunter2?token=hunter2', { headers: { authorization: 'Bearer hunter2' } });
    await runtime.call('/hunter2');
    await runtime.postJson('/process.v1.ProcessService/Execute', { config: { command: ['hunter2'], envVars: { TOKEN: 'hunter2' } } });
    expect(log.some(line => line.includes('"route":"/download/"'))).toBe(true);
    expect(log.filter(line => line.includes('hunter2'))).toEqual([]);
    expect((await runtime.call('/metrics')).text).not.toContain('hunter2');
  });

  test('a directory without permission is denied, unless one is root', async () => {
    await mkdir(join(runtime.base, 'closed/inner'), { recursive: true });
    await chmod(join(runtime.base, 'closed'), 0);
    const answer = await runtime.call('/v1/files/closed/inner');
    expect(answer.status).toBe(process.getuid!() === 0 ? 200 : 403);
    await chmod(join(runtime.base, 'closed'), 0o755);
  });
});

describe('what requests leave behind', () => {
  const open = async () => (await readdir('/proc/self/fd')).length;

  test('no handle stays open, whatever became of the request', async () => {
    const runtime = await Harness.start();
    await mkdir(join(runtime.base, 'dir'));
    await writeFile(join(runtime.base, 'dir/file'), 'x'.repeat(100_000));
    await symlink('dir', join(runtime.base, 'link'));
    const round = async () => {
      await Promise.all([
        runtime.call('/download/link/file'), runtime.call('/download/dir/file', { headers: { range: 'bytes=0-1,5-9' } }), runtime.call('/download/dir/file', { headers: { range: 'x' } }),
        runtime.call('/download/dir/file', { headers: { range: 'bytes=999999-' } }), runtime.call('/list/dir'), runtime.call('/exists/dir/../../x'), runtime.call('/exists/link/nope/x'),
        runtime.call('/v1/files/dir/file', { method: 'HEAD' }), runtime.call('/v1/files/dir/file', { headers: { 'if-none-match': '*' } }), runtime.upload('a/b/c', 'x'), runtime.upload('dir', 'x'),
        runtime.upload('../x', 'x'), runtime.call('/v1/files/a?recursive=true', { method: 'DELETE' }), runtime.call('/v1/files/dir/file/x', { method: 'PUT', body: 'x' }),
        runtime.execute('echo hi'), runtime.execute('nope'), runtime.postJson('/process.v1.ProcessService/Start', { config: { command: ['echo'], cwd: 'dir' }, pty: {} }),
      ]);
      // A caller who hangs up in the middle
      await new Promise<void>(resolve => {
        const sent = request({ host: '127.0.0.1', port: runtime.port, path: '/download/dir/file' }, response => response.once('data', () => sent.destroy()));
        sent.once('close', resolve).once('error', () => undefined).end();
      });
    };
    await round();
    const before = await open();
    for (let i = 0; i < 10; i++) {
      await round();
    }
    await eventually('handles closed', async () => await open() <= before + 2);
    await runtime.stop();
  });

  test('metrics count requests by route and commands by how they ended', async () => {
    const runtime = await Harness.start({ execTimeoutSeconds: 0.2 });
    await runtime.call('/download/nope');
    await Promise.all(['true', "sh -c 'kill -9 $$'", 'sleep 1000', 'nope'].map(command => runtime.execute(command)));
    const metrics = (await runtime.call('/metrics')).text;
    for (const outcome of ['exit', 'signal', 'timeout', 'failed']) {
      expect(metrics).toContain(`agent_sandbox_runtime_commands_total{outcome="${outcome}"} 1\n`);
    }
    expect(metrics).toContain('agent_sandbox_runtime_commands_running 0\n');
    expect(metrics).toContain('agent_sandbox_runtime_request_duration_seconds_count{method="GET",route="/download/",status="404"} 1\n');
    expect(metrics).toContain('agent_sandbox_runtime_request_duration_seconds_count{method="POST",route="/execute",status="200"} 4\n');
    await runtime.stop();
  });
});
