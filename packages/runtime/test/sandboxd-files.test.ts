import { mkdir, readdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { eventually, Harness, multipart, type Call } from './harness.js';

jest.setTimeout(60_000);

const TIME = new Date('2026-01-31T17:00:00.700Z');

describe('files of sandboxd', () => {
  let runtime: Harness;
  beforeAll(async () => {
    runtime = await Harness.start({ env: { SANDBOX_NAME: 'box', SANDBOX_TOKEN: 't', SANDBOX_API_KEY: 'k', SANDBOX_author: 'a', OTHER: 'o' }, maxUploadBytes: 1000 });
    const base = runtime.base;
    await mkdir(join(base, 'dir/empty'), { recursive: true });
    await writeFile(join(base, 'dir/b.txt'), 'hello', { mode: 0o640 });
    await writeFile(join(base, 'dir/a.txt'), '');
    await utimes(join(base, 'dir/b.txt'), TIME, TIME);
    await symlink('b.txt', join(base, 'dir/link'));
    await symlink('missing', join(base, 'dir/dangling'));
    await writeFile(join(runtime.outside, 'secret'), 'secret');
    await symlink('../../secret', join(base, 'dir/out'));
    await symlink('..', join(base, 'up'));
  });
  afterAll(() => runtime.stop());

  type Case = [method: string, target: string, status: number, code: string | undefined, call?: Call];
  test.each(([
    ['GET', 'nope', 404, 'NOT_FOUND'],
    ['GET', 'dir/b.txt/x', 404, 'NOT_FOUND'],
    ['GET', '..%2Fsecret', 403, 'PERMISSION_DENIED'],
    ['GET', 'dir/out', 403, 'PERMISSION_DENIED'],
    ['GET', 'dir?watch=maybe', 400, 'INVALID_ARGUMENT'],
    ['GET', 'dir/b.txt?watch=true', 400, 'INVALID_ARGUMENT'],
    ['HEAD', 'nope', 404, undefined],
    ['HEAD', 'dir', 200, undefined],
    ['PUT', 'dir', 400, 'INVALID_ARGUMENT', { body: 'x' }],
    ['PUT', '', 400, 'INVALID_ARGUMENT', { body: 'x' }],
    ['PUT', 'm?mode=644', 400, 'INVALID_ARGUMENT', { body: 'x' }],
    ['PUT', 'm?mode=0999', 400, 'INVALID_ARGUMENT', { body: 'x' }],
    ['PUT', 'never/m?mode=9', 400, 'INVALID_ARGUMENT', { body: 'x' }],
    ['PUT', 'm?type=socket', 400, 'INVALID_ARGUMENT', { body: 'x' }],
    ['PUT', 'up/x', 403, 'PERMISSION_DENIED', { body: 'x' }],
    ['PUT', 'dir/b.txt/x', 404, 'NOT_FOUND', { body: 'x' }],
    ['PUT', 'big', 413, 'RESOURCE_EXHAUSTED', { body: Buffer.alloc(1001) }],
    ['PUT', 'm', 400, 'INVALID_ARGUMENT', multipart([{ field: 'other', filename: 'a', content: 'x' }])],
    ['PUT', 'm', 400, 'INVALID_ARGUMENT', { headers: { 'content-type': 'multipart/form-data' }, body: 'x' }],
    ['PUT', 'dir/b.txt?type=directory', 409, 'CONFLICT'],
    ['DELETE', 'nope', 404, 'NOT_FOUND'],
    ['DELETE', 'nope?recursive=true', 404, 'NOT_FOUND'],
    ['DELETE', 'dir', 409, 'CONFLICT'],
    ['DELETE', '', 409, 'CONFLICT'],
    ['DELETE', 'dir?recursive=yes', 400, 'INVALID_ARGUMENT'],
    ['DELETE', 'up/secret', 403, 'PERMISSION_DENIED'],
  ] as Case[]).map(([method, target, status, code, call]): Case => [method, target, status, code, call]))('%s %s is %i %s', async (method, target, status, code, call) => {
    const answer = await runtime.call(`/v1/files/${target}`, { method, ...call });
    expect([answer.status, code === undefined ? answer.text : answer.json.code]).toEqual([status, code ?? '']);
  });

  test('refused uploads leave nothing, not even parents', async () => {
    expect(await readdir(runtime.base)).toEqual(['dir', 'up']);
    expect(await readdir(runtime.outside)).toEqual(['app', 'secret']);
  });

  test('a listing is sorted, in whole seconds, and without links that lead nowhere or outside', async () => {
    const { json } = await runtime.call('/v1/files/dir');
    expect(json.path).toBe('/dir');
    expect(json.entries.map((entry: any) => entry.name)).toEqual(['a.txt', 'b.txt', 'empty', 'link']);
    const file = { size: 5, type: 'file', modified_at: '2026-01-31T17:00:00Z', mode: '0640' };
    expect([json.entries[1], json.entries[3]]).toEqual([{ name: 'b.txt', ...file }, { name: 'link', ...file }]);
    expect((await runtime.call('/v1/files/dir%2Fempty')).text).toBe('{"path":"/dir/empty","entries":[]}');
    expect((await runtime.call('/v1/files/')).json.path).toBe('/');
  });

  test('a path may be absolute', async () => {
    const answers = await Promise.all([`${runtime.base}/dir/b.txt`, '/dir/b.txt', 'dir/b.txt'].map(path => runtime.call(`/v1/files/${encodeURIComponent(path)}`)));
    expect(answers.map(answer => answer.text)).toEqual(['hello', 'hello', 'hello']);
  });

  test('conditional requests and ranges', async () => {
    const { headers } = await runtime.call('/v1/files/dir/b.txt', { method: 'HEAD' });
    expect(headers).toMatchObject({ 'content-length': '5', 'last-modified': 'Sat, 31 Jan 2026 17:00:00 GMT', 'content-type': 'application/octet-stream' });
    const status = async (given: { [name: string]: string }) => (await runtime.call('/v1/files/dir/b.txt', { headers: given })).status;
    expect(await Promise.all([
      status({ 'if-none-match': headers.etag! }), status({ 'if-none-match': '"other"' }), status({ 'if-match': headers.etag! }), status({ 'if-match': '"other"' }),
      status({ 'if-modified-since': headers['last-modified']! }), status({ 'if-unmodified-since': 'Sat, 31 Jan 2026 16:00:00 GMT' }),
      status({ range: 'bytes=1-2' }), status({ range: 'bytes=9-' }),
    ])).toEqual([304, 200, 200, 412, 304, 412, 206, 416]);
  });

  test('files are written with their mode, made and replaced', async () => {
    const put = async (target: string, call: Call) => (await runtime.call(`/v1/files/${target}`, { method: 'PUT', ...call })).status;
    const modeOf = async (path: string) => (await stat(join(runtime.base, path))).mode & 0o777;
    expect(await put('new/deep/f', { body: 'one' })).toBe(204);
    expect([await readFile(join(runtime.base, 'new/deep/f'), 'utf8'), await modeOf('new/deep/f'), await modeOf('new')]).toEqual(['one', 0o644, 0o755]);
    expect(await put('new/deep/f?mode=0600', multipart([{ field: 'x', content: 'x' }, { field: 'file', filename: 'ignored', content: 'two' }]))).toBe(204);
    expect([await readFile(join(runtime.base, 'new/deep/f'), 'utf8'), await modeOf('new/deep/f')]).toEqual(['two', 0o600]);
    expect(await put('new/sub/dir?type=directory', {})).toBe(204);
    expect(await put('new/sub/dir?type=directory', {})).toBe(204);
    expect((await stat(join(runtime.base, 'new/sub/dir'))).isDirectory()).toBe(true);
    const remove = async (target: string) => (await runtime.call(`/v1/files/${target}`, { method: 'DELETE' })).status;
    expect(await Promise.all([remove('new/deep/f'), remove('new/sub/dir')])).toEqual([204, 204]);
    expect(await remove('new?recursive=1')).toBe(204);
    expect(await readdir(runtime.base)).toEqual(['dir', 'up']);
  });

  test('a link is removed by its target, and removing a tree stays inside', async () => {
    const tree = await Harness.start();
    await mkdir(join(tree.base, 'a/b'), { recursive: true });
    await writeFile(join(tree.outside, 'secret'), 'secret');
    await symlink('../../..', join(tree.base, 'a/b/up'));
    await writeFile(join(tree.base, 'target'), '');
    await symlink('target', join(tree.base, 'link'));
    expect((await tree.call('/v1/files/link', { method: 'DELETE' })).status).toBe(204);
    expect((await readdir(tree.base)).sort()).toEqual(['a', 'link']);
    expect((await tree.call('/v1/files/?recursive=true', { method: 'DELETE' })).status).toBe(204);
    expect([await readdir(tree.base), (await readdir(tree.outside)).sort()]).toEqual([[], ['app', 'secret']]);
    await tree.stop();
  });

  test('metadata has what the prefix says and no secrets', async () => {
    expect((await runtime.call('/v1/metadata')).json).toEqual({ env: { SANDBOX_NAME: 'box' } });
  });

  test('a watch tells of changes', async () => {
    await mkdir(join(runtime.base, 'watched'));
    const events: any[] = [];
    const watching = request({ host: '127.0.0.1', port: runtime.port, path: '/v1/files/watched?watch=true' }, response => {
      expect(response.headers['content-type']).toBe('application/x-ndjson');
      response.on('data', (chunk: Buffer) => events.push(...chunk.toString().trim().split('\n').map(line => JSON.parse(line))));
    });
    watching.on('error', () => undefined).end();
    await eventually('ready', () => events.some(each => each.event === 'ready'));
    await runtime.call('/v1/files/watched/f', { method: 'PUT', body: 'abc' });
    await eventually('changed', () => events.some(each => each.event === 'changed' && each.entry.name === 'f' && each.entry.size === 3));
    await runtime.call('/v1/files/watched/f', { method: 'DELETE' });
    await eventually('removed', () => events.some(each => each.event === 'removed' && each.name === 'f'));
    watching.destroy();
  });
});

describe('health', () => {
  test('turns bad when the runtime stops', async () => {
    const runtime = await Harness.start();
    const before = await Promise.all(['/v1/health', '/healthz'].map(path => runtime.call(path)));
    await runtime.runtime.stop();
    const after = await Promise.all(['/v1/health', '/healthz'].map(path => runtime.call(path)));
    await runtime.stop();
    expect(before.map(each => each.status)).toEqual([200, 200]);
    expect(before[0]!.json).toEqual({ status: 'ok', uptime_seconds: expect.any(Number) });
    expect(after.map(each => [each.status, each.text])).toEqual([[503, '{"code":"UNAVAILABLE","message":"the runtime is stopping"}'], [503, 'stopping']]);
  });
});
