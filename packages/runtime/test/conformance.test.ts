import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { Harness, multipart, type Call } from './harness.js';

jest.setTimeout(60_000);

const JSON_TYPE = { 'content-type': 'application/json' };
const DENIED = { message: 'Access denied' };
const NO_FILE = { message: 'File not found' };
const NO_DIRECTORY = { message: 'Path is not a directory' };
const AGENT_ONLY = { detail: 'Not Found' };

describe('plain endpoints', () => {
  let runtime: Harness;
  beforeAll(async () => {
    runtime = await Harness.start();
    const base = runtime.base;
    await mkdir(join(base, 'dir/empty'), { recursive: true });
    await writeFile(join(base, 'hello.txt'), 'hello');
    await writeFile(join(base, 'dir/in ner é.txt'), 'inner');
    await writeFile(join(base, 'dir/per%41cent'), 'literal');
    await writeFile(join(runtime.outside, 'secret'), 'secret');
    await mkdir(join(runtime.outside, 'app-evil'));
    await writeFile(join(runtime.outside, 'app-evil/x'), 'secret');
    await symlink('hello.txt', join(base, 'link-inside'));
    await symlink(join(base, 'dir'), join(base, 'link-absolute'));
    await symlink('../secret', join(base, 'link-out'));
    await symlink('..', join(base, 'link-up'));
    await symlink('loop', join(base, 'loop'));
    await symlink('missing', join(base, 'dir/dangling'));
  });
  afterAll(() => runtime.stop());

  type Case = [target: string, status: number, body: unknown, call?: Call];
  test.each<Case>(([
    // health
    ['/', 200, { status: 'ok', message: 'Sandbox Runtime is active.' }],
    // the raw target decides, not a normalised one
    ['/exists/', 200, { path: '', exists: true }],
    ['/exists/.', 200, { path: '.', exists: true }],
    ['/exists//', 200, { path: '/', exists: true }],
    ['/exists/..%2F..%2Fetc%2Fpasswd', 403, DENIED],
    ['/exists/%2F..%2Fetc%2Fpasswd', 403, DENIED],
    ['/exists/../../etc/passwd', 403, DENIED],
    ['/exists/%252e%252e%252fsecret', 403, DENIED],
    ['/exists/%25252e%25252e%25252fsecret', 200, { path: '%2e%2e%2fsecret', exists: false }],
    ['/exists/nope/../../secret', 403, DENIED],
    ['/exists/hello.txt/../../secret', 403, DENIED],
    ['/exists/dir/../hello.txt', 200, { path: 'dir/../hello.txt', exists: true }],
    ['/exists/%00', 403, DENIED],
    ['/exists/%zz', 200, { path: '%zz', exists: false }],
    ['/exists/hello.txt?x=1', 200, { path: 'hello.txt', exists: true }],
    ['/exists%2Fhello.txt', 200, { path: 'hello.txt', exists: true }],
    ['/exists/hello.txt%2F', 200, { path: 'hello.txt/', exists: true }],
    ['/exists/hello.txt%2Fx', 200, { path: 'hello.txt/x', exists: false }],
    ['/exists/dir%2Fempty', 200, { path: 'dir/empty', exists: true }],
    ['/exists/dir%252Fempty', 200, { path: 'dir/empty', exists: true }],
    ['/exists/dir/dangling', 200, { path: 'dir/dangling', exists: false }],
    ['/exists/loop', 200, { path: 'loop', exists: false }],
    ['/exists/link-out', 403, DENIED],
    ['/exists/link-up/app/hello.txt', 403, DENIED],
    ['/exists/link-absolute/empty', 200, { path: 'link-absolute/empty', exists: true }],
    ['/exists/..%2Fapp-evil%2Fx', 403, DENIED],
    ['/exists', 307, undefined],
    ['/list', 307, undefined],
    ['/download?x', 307, undefined],
    // list
    ['/list/hello.txt', 404, NO_DIRECTORY],
    ['/list/nope', 404, NO_DIRECTORY],
    ['/list/..', 403, DENIED],
    ['/list/link-up', 403, DENIED],
    ['/list/dir%2Fempty', 200, []],
    // download
    ['/download/nope', 404, NO_FILE],
    ['/download/', 404, NO_FILE],
    ['/download/dir', 404, NO_FILE],
    ['/download/dir/dangling', 404, NO_FILE],
    ['/download/link-out', 403, DENIED],
    ['/download/link-up/secret', 403, DENIED],
    ['/download/..%2fsecret', 403, DENIED],
    // methods and paths that are none
    ['/nope', 404, { detail: 'Not Found' }],
    ['/', 405, { detail: 'Method Not Allowed' }, { method: 'POST' }],
    ['/execute', 405, { detail: 'Method Not Allowed' }],
    ['/list/', 405, { detail: 'Method Not Allowed' }, { method: 'DELETE' }],
    ['/exists/a', 405, undefined, { method: 'HEAD' }],
    ['/agent', 404, AGENT_ONLY, { method: 'POST', headers: JSON_TYPE, body: '{"query":"x"}' }],
    // bodies that are none
    ['/execute', 422, { detail: [{ type: 'missing', loc: ['body'], msg: 'Field required', input: null }] }, { method: 'POST' }],
    ['/execute', 422, { detail: [{ type: 'missing', loc: ['body', 'command'], msg: 'Field required', input: {} }] }, { method: 'POST', headers: JSON_TYPE, body: '{}' }],
    ['/execute', 422, { detail: [{ type: 'string_type', loc: ['body', 'command'], msg: 'Input should be a valid string', input: 5 }] }, { method: 'POST', headers: JSON_TYPE, body: '{"command":5}' }],
    ['/execute', 422, { detail: [{ type: 'model_attributes_type', loc: ['body'], msg: 'Input should be a valid dictionary or object to extract fields from', input: '{"command":"a"}' }] }, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: '{"command":"a"}' }],
    ['/execute', 422, { detail: [{ type: 'float_parsing', loc: ['body', 'timeout_seconds'], msg: 'Input should be a valid number, unable to parse string as a number', input: 'x' }] }, { method: 'POST', headers: JSON_TYPE, body: '{"command":"a","timeout_seconds":"x"}' }],
    ['/execute', 422, { detail: [{ type: 'greater_than', loc: ['body', 'timeout_seconds'], msg: 'Input should be greater than 0', input: 0, ctx: { gt: 0 } }] }, { method: 'POST', headers: JSON_TYPE, body: '{"command":"a","timeout_seconds":0}' }],
    ['/upload', 422, { detail: [{ type: 'missing', loc: ['body', 'file'], msg: 'Field required', input: null }] }, { method: 'POST' }],
    ['/upload', 422, { detail: [{ type: 'missing', loc: ['body', 'file'], msg: 'Field required', input: null }] }, { method: 'POST', ...multipart([{ field: 'other', content: 'x' }, { field: 'second', filename: 'a', content: 'x' }]) }],
    ['/upload', 400, { detail: 'Missing boundary in multipart.' }, { method: 'POST', headers: { 'content-type': 'multipart/form-data' }, body: 'x' }],
  ] as Case[]).map(([target, status, body, call]): Case => [target, status, body, call]))('%s is %i %j', async (target, status, body, call) => {
    const answer = await runtime.call(target, call);
    expect([answer.status, body === undefined ? undefined : answer.json]).toEqual([status, body]);
    if (body !== undefined) {
      expect(answer.headers['content-type']).toBe('application/json');
    }
  });

  test('a broken JSON body names the place', async () => {
    const answer = await runtime.call('/execute', { method: 'POST', headers: JSON_TYPE, body: '{"command":' });
    expect(answer.status).toBe(422);
    expect(answer.json.detail[0]).toMatchObject({ type: 'json_invalid', loc: ['body', 11], msg: 'JSON decode error', input: {} });
  });

  test('the redirect keeps the query and names no host', async () => {
    expect((await runtime.call('/list?a=b', { headers: { host: 'evil.example' } })).headers.location).toBe('/list/?a=b');
  });

  test('the listing has names, sizes, types and times; links are what they lead to, dangling ones are left out', async () => {
    const answer = await runtime.call('/list/');
    const entries = Object.fromEntries(answer.json.map((entry: any) => [entry.name, entry]));
    expect(entries['hello.txt']).toEqual({ name: 'hello.txt', size: 5, type: 'file', mod_time: expect.any(Number) });
    expect(entries['link-absolute']).toMatchObject({ type: 'directory' });
    expect(entries['link-out']).toMatchObject({ type: 'file', size: 6 });
    expect(Math.abs(entries['hello.txt'].mod_time - Date.now() / 1000)).toBeLessThan(3600);
    expect((await runtime.call('/list/dir')).json.map((entry: any) => entry.name)).toEqual(['empty', 'in ner é.txt', 'per%41cent']);
  });

  test('a download has the headers of a file', async () => {
    const answer = await runtime.call('/download/hello.txt');
    expect(answer.text).toBe('hello');
    expect(answer.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': '5',
      'accept-ranges': 'bytes',
      'content-disposition': 'attachment; filename="hello.txt"',
      'last-modified': expect.stringMatching(/GMT$/),
      'etag': expect.stringMatching(/^"[0-9a-f]{32}"$/),
    });
  });

  test.each([
    ['/download/dir/in%20ner%20%C3%A9.txt', 'inner', "attachment; filename*=utf-8''dir/in%20ner%20%C3%A9.txt"],
    ['/download/dir%252Fin%2520ner%2520%25C3%25A9.txt', 'inner', "attachment; filename*=utf-8''dir/in%20ner%20%C3%A9.txt"],
    ['/download/dir/per%2541cent', 'literal', "attachment; filename*=utf-8''dir/per%2541cent"],
    ['/download/link-inside', 'hello', 'attachment; filename="link-inside"'],
    ['/download//hello.txt', 'hello', 'attachment; filename="/hello.txt"'],
  ])('%s is found', async (target, text, disposition) => {
    const answer = await runtime.call(target);
    expect([answer.status, answer.text, answer.headers['content-disposition']]).toEqual([200, text, disposition]);
  });

  test.each<[string, number, string | RegExp, string | undefined]>([
    ['bytes=0-1', 206, 'he', 'bytes 0-1/5'],
    ['bytes=-2', 206, 'lo', 'bytes 3-4/5'],
    ['bytes=3-', 206, 'lo', 'bytes 3-4/5'],
    ['bytes=3-99', 206, 'lo', 'bytes 3-4/5'],
    ['bytes=0-2,1-3', 206, 'hell', 'bytes 0-3/5'],
    ['bytes=0-0,4-4', 206, /^--(\w+)\r\nContent-Type: application\/octet-stream\r\nContent-Range: bytes 0-0\/5\r\n\r\nh\r\n--\1\r\nContent-Type: application\/octet-stream\r\nContent-Range: bytes 4-4\/5\r\n\r\no\r\n--\1--$/, undefined],
    ['bytes=5-', 416, '', 'bytes */5'],
    ['bytes=-0', 416, '', 'bytes */5'],
    ['bytes=2-1', 400, 'Range header: start must be less than end', undefined],
    ['bytes=abc', 400, 'Range header: range must be requested', undefined],
    ['bytes=', 400, 'Range header: range must be requested', undefined],
    ['items=0-1', 400, 'Only support bytes range', undefined],
    ['nonsense', 400, 'Malformed range header.', undefined],
    [`bytes=${'0-0,'.repeat(200)}`, 400, 'Range header: more than 100 ranges', undefined],
  ])('Range: %s is %i', async (range, status, body, contentRange) => {
    const answer = await runtime.call('/download/hello.txt', { headers: { range } });
    expect([answer.status, answer.headers['content-range']]).toEqual([status, contentRange]);
    expect(answer.text).toEqual(typeof body === 'string' ? body : expect.stringMatching(body));
    expect(answer.headers['content-length']).toBe(String(answer.body.length));
  });

  test('a range of another version of the file is answered with the whole', async () => {
    expect((await runtime.call('/download/hello.txt', { headers: { 'range': 'bytes=0-1', 'if-range': '"other"' } })).text).toBe('hello');
  });

  test.each([
    ['text', 'up/text.txt', 'text'],
    ['every byte', 'up/binary', Buffer.from(Array.from({ length: 256 }, (_, i) => i))],
    ['nothing', 'up/empty', ''],
    ['deep', 'up/a/b/c/d.txt', 'deep'],
    ['an absolute name', '/etc/inside', 'absolute'],
    ['a name with blanks', 'up/a b é.txt', 'blank'],
  ])('an upload of %s', async (_, name, content) => {
    const answer = await runtime.upload(name, content);
    expect([answer.status, answer.json]).toEqual([200, { message: `File '${name}' uploaded successfully.` }]);
    expect(await readFile(join(runtime.base, name))).toEqual(Buffer.from(content));
  });

  test('an upload overwrites, and keeps the mode', async () => {
    await runtime.upload('run.sh', 'old');
    await runtime.execute('chmod 750 run.sh');
    await runtime.upload('run.sh', '#!/bin/sh\necho new\n');
    expect(await runtime.execute('./run.sh')).toMatchObject({ stdout: 'new\n', exit_code: 0 });
    expect((await stat(join(runtime.base, 'run.sh'))).mode & 0o777).toBe(0o750);
  });

  test('an upload through a link replaces what the link leads to', async () => {
    await runtime.upload('target.txt', 'old');
    await symlink('target.txt', join(runtime.base, 'link-to-target'));
    await runtime.upload('link-to-target', 'new');
    expect(await readFile(join(runtime.base, 'target.txt'), 'utf8')).toBe('new');
  });

  test.each(['../x', '../../etc/x', 'link-out', 'link-up/x', '../app-evil/x', 'dir/../../x'])('an upload to %s is denied', async name => {
    const answer = await runtime.upload(name, 'evil');
    expect([answer.status, answer.json]).toEqual([403, DENIED]);
    expect(await readFile(join(runtime.outside, 'secret'), 'utf8')).toBe('secret');
    expect((await readdir(runtime.outside)).sort()).toEqual(['app', 'app-evil', 'secret']);
  });

  test.each(['', 'dir', '.'])('an upload to the directory %j fails', async name => {
    const answer = await runtime.upload(name, 'x');
    expect([answer.status, answer.json]).toEqual([500, { message: 'File upload failed: EISDIR: illegal operation on a directory' }]);
  });
});

describe('commands', () => {
  let runtime: Harness;
  beforeAll(async () => {
    runtime = await Harness.start();
    runtime.runtime.pipeGraceMs = 200;
    await writeFile(join(runtime.base, 'data.txt'), 'data');
  });
  afterAll(() => runtime.stop());

  const failed = (stderr: string) => ({ stdout: '', stderr: `Failed to execute command: ${stderr}`, exit_code: 1, timed_out: false });

  test.each<[string, { stdout: string; stderr: string; exit_code: number; timed_out: boolean }]>([
    ['echo hi', { stdout: 'hi\n', stderr: '', exit_code: 0, timed_out: false }],
    ['echo "a  b" \'c  d\'', { stdout: 'a  b c  d\n', stderr: '', exit_code: 0, timed_out: false }],
    ['echo a | cat > x; true && false', { stdout: 'a | cat > x; true && false\n', stderr: '', exit_code: 0, timed_out: false }],
    ['sh -c "echo out; echo err >&2; exit 3"', { stdout: 'out\n', stderr: 'err\n', exit_code: 3, timed_out: false }],
    ["sh -c 'kill -9 $$'", { stdout: '', stderr: '', exit_code: -9, timed_out: false }],
    ['cat', { stdout: '', stderr: '', exit_code: 0, timed_out: false }],
    ['cat data.txt', { stdout: 'data', stderr: '', exit_code: 0, timed_out: false }],
    ['no-such-program', failed("[Errno 2] No such file or directory: 'no-such-program'")],
    ['./data.txt', failed("[Errno 13] Permission denied: './data.txt'")],
    ["it\\'s", failed('[Errno 2] No such file or directory: "it\'s"')],
    ["''", failed("[Errno 2] No such file or directory: ''")],
    ["echo 'a", failed('No closing quotation')],
    ['', failed('list index out of range')],
    ['  ', failed('list index out of range')],
    ['printf "a\\\\r\\\\nb\\\\rc\\\\377d"', { stdout: 'a\nb\nc\ufffdd', stderr: '', exit_code: 0, timed_out: false }],
  ])('%s', async (command, result) => {
    expect(await runtime.execute(command)).toMatchObject({ ...result, truncated: false });
  });

  test('says which signal ended a command, how many bytes it wrote, and gives bytes as base64', async () => {
    expect(await runtime.execute("sh -c 'printf \"a\\377\"; kill -9 $$'", undefined, 'base64')).toEqual({
      stdout: Buffer.from([0x61, 0xff]).toString('base64'), stderr: '', encoding: 'base64', exit_code: -9, signal: 9, timed_out: false, truncated: false, stdout_bytes: 2, stderr_bytes: 0,
    });
    const { json } = await runtime.postJson('/execute', { command: 'true', encoding: 'latin1' });
    expect(json.detail).toEqual([{ type: 'enum', loc: ['body', 'encoding'], msg: "Input should be 'utf-8' or 'base64'", input: 'latin1' }]);
  });

  test('runs in the base directory', async () => {
    expect((await runtime.execute('pwd')).stdout).toBe(`${runtime.base}\n`);
  });

  test('the time limit kills the whole group and keeps what was written', async () => {
    const result = await runtime.execute(`sh -c 'echo before; echo problem >&2; sleep 1000 & echo $!; wait'`, 0.7);
    const [before, grandchild] = result.stdout.split('\n');
    expect(before).toBe('before');
    expect(result).toMatchObject({ exit_code: 1, timed_out: true });
    expect(result.stderr).toMatch(/^problem\nFailed to execute command: Command '\['sh', '-c', .*\]' timed out after 0.7 seconds$/s);
    expect(await runtime.execute(`sh -c 'kill -0 ${grandchild} 2>/dev/null && grep -v Z /proc/${grandchild}/stat'`)).toMatchObject({ stdout: '' });
  });

  test('the limit of the server is the most that a request gets', async () => {
    const strict = await Harness.start({ execTimeoutSeconds: 0.3 });
    const result = await strict.execute('sleep 1000', 500);
    await strict.stop();
    expect(result).toMatchObject({ timed_out: true, stderr: "Failed to execute command: Command '['sleep', '1000']' timed out after 0.3 seconds" });
  });

  test('commands run side by side while other requests are answered', async () => {
    // Each waits for the other one.
    await runtime.execute('mkfifo fifo');
    const [reader, writer, health] = await Promise.all([
      runtime.execute("sh -c 'cat < fifo'"),
      runtime.execute("sh -c 'echo together > fifo'"),
      runtime.call('/'),
    ]);
    expect([reader.stdout, writer.exit_code, health.status]).toEqual(['together\n', 0, 200]);
  });

  test('over the limit of commands, nothing is started', async () => {
    const small = await Harness.start({ maxCommands: 1 });
    const first = small.execute("sh -c 'mkfifo held; cat held'");
    await small.execute('true').then(() => undefined, () => undefined);
    const refused = await (async () => {
      for (;;) {
        const answer = await small.postJson('/execute', { command: 'touch started' });
        if (answer.status === 503) {
          return answer;
        }
      }
    })();
    expect(refused.json).toEqual({ message: '1 commands run already, which is the limit (--max-commands): try again when one has ended' });
    expect(refused.headers['retry-after']).toBe('1');
    await small.stop();
    expect(await first).toMatchObject({ exit_code: -15 });
  });

  test('a script is uploaded, then run', async () => {
    await runtime.upload('script.sh', 'echo "from a script: $1"');
    expect(await runtime.execute('sh script.sh "an argument"')).toMatchObject({ stdout: 'from a script: an argument\n', exit_code: 0 });
  });
});

describe('the base directory', () => {
  test('is made, may be a link itself, and absolute links below it work under both names', async () => {
    const parent = await mkdtemp(join(tmpdir(), 'runtime-'));
    try {
      await mkdir(join(parent, 'real'));
      await writeFile(join(parent, 'real/file'), 'content');
      await symlink('real', join(parent, 'alias'));
      await symlink(join(parent, 'alias/file'), join(parent, 'real/by-alias'));
      await symlink(join(parent, 'real/file'), join(parent, 'real/by-name'));
      const runtime = await Harness.start({ baseDir: join(parent, 'alias') });
      const texts = await Promise.all(['by-alias', 'by-name'].map(async name => (await runtime.call(`/download/${name}`)).text));
      const pwd = await runtime.execute('pwd');
      await runtime.stop();
      expect([texts, pwd.stdout]).toEqual([['content', 'content'], `${join(parent, 'real')}\n`]);
    } finally {
      await rm(parent, { recursive: true });
    }
  });
});
