import { spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile, readlink, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { pack } from 'tar-stream';
import { eventually, Harness, multipart, type Call } from './harness.js';

jest.setTimeout(60_000);

const TIME = new Date('2026-01-31T17:00:00.700Z');

describe('files of sandboxd', () => {
  let runtime: Harness;
  beforeAll(async () => {
    runtime = await Harness.start({ env: { SANDBOX_NAME: 'box', SANDBOX_TOKEN: 't', SANDBOX_API_KEY: 'k', SANDBOX_author: 'a', OTHER: 'o' }, maxUploadBytes: 1_000_000 });
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
    ['PUT', 'big', 413, 'RESOURCE_EXHAUSTED', { body: Buffer.alloc(1_000_001) }],
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

  test('a file is only made, never replaced, with If-None-Match', async () => {
    const put = (body: string) => runtime.call('/v1/files/once', { method: 'PUT', body, headers: { 'if-none-match': '*' } });
    expect((await put('first')).status).toBe(204);
    expect(await put('second')).toMatchObject({ status: 412, json: { code: 'CONFLICT' } });
    expect(await readFile(join(runtime.base, 'once'), 'utf8')).toBe('first');
    const many = await Promise.all(Array.from({ length: 20 }, (_, index) => runtime.call('/v1/files/race', { method: 'PUT', body: String(index), headers: { 'if-none-match': '*' } })));
    expect(many.map(answer => answer.status).sort()).toEqual([204, ...Array(19).fill(412)]);
    expect((await readdir(runtime.base)).filter(name => name.startsWith('.sandboxd'))).toEqual([]);
  });

  test('the entry at a path is described, links as links', async () => {
    expect((await runtime.call('/v1/files/dir/b.txt?stat=true')).json).toEqual({ path: '/dir/b.txt', type: 'file', size: 5, modified_at: '2026-01-31T17:00:00Z', mode: '0640' });
    expect((await runtime.call('/v1/files/dir/out?stat=true')).json).toMatchObject({ type: 'symlink', target: '../../secret' });
    expect((await runtime.call('/v1/files/?stat=true')).json).toMatchObject({ path: '/', type: 'directory' });
    expect((await runtime.call('/v1/files/dir/out/x?stat=true')).status).toBe(403);
  });

  test('a tree is listed with paths, without what links lead to, and up to a limit', async () => {
    await mkdir(join(runtime.base, 'tree/a/b'), { recursive: true });
    await Promise.all(['tree/a/b/1', 'tree/a/2', 'tree/c'].map(name => writeFile(join(runtime.base, name), '')));
    await symlink('a', join(runtime.base, 'tree/link'));
    await symlink('../..', join(runtime.base, 'tree/up'));
    const { json } = await runtime.call('/v1/files/tree?recursive=true');
    expect([json.path, json.truncated, json.entries.map((each: any) => `${each.name} ${each.type}`)]).toEqual([
      '/tree', false, ['a directory', 'a/2 file', 'a/b directory', 'a/b/1 file', 'c file', 'link directory'],
    ]);
    const cut = (await runtime.call('/v1/files/tree?recursive=true&max_entries=2')).json;
    expect([cut.truncated, cut.entries.length]).toEqual([true, 2]);
  });

  test('moves and copies, and refuses what would lose or leave something', async () => {
    const post = async (from: string, query: string) => {
      const answer = await runtime.call(`/v1/files/${from}?${query}`, { method: 'POST' });
      return answer.status === 204 ? 204 : [answer.status, answer.json.code];
    };
    await mkdir(join(runtime.base, 'm/d/e'), { recursive: true });
    await writeFile(join(runtime.base, 'm/d/e/f'), 'f', { mode: 0o600 });
    await writeFile(join(runtime.base, 'm/x'), 'x');
    await symlink('../../../secret', join(runtime.base, 'm/d/out'));
    expect(await post('m/d', 'action=copy&destination=n/copy')).toBe(204);
    expect(await readFile(join(runtime.base, 'n/copy/e/f'), 'utf8')).toBe('f');
    expect((await stat(join(runtime.base, 'n/copy/e/f'))).mode & 0o777).toBe(0o600);
    expect(await readlink(join(runtime.base, 'n/copy/out'))).toBe('../../../secret');
    expect(await post('m/x', 'action=move&destination=n/copy')).toEqual([409, 'CONFLICT']);
    expect(await post('m/x', 'action=move&destination=n/copy&overwrite=true')).toBe(204);
    expect(await readFile(join(runtime.base, 'n/copy'), 'utf8')).toBe('x');
    expect(await post('m/d', 'action=move&destination=n/copy&overwrite=1')).toBe(204);
    expect(await readdir(join(runtime.base, 'n/copy'))).toEqual(['e', 'out']);
    expect(await post('n/copy', 'action=copy&destination=n/copy/e/g')).toEqual([400, 'INVALID_ARGUMENT']);
    expect(await post('n/copy', 'action=copy&destination=n&overwrite=true')).toEqual([400, 'INVALID_ARGUMENT']);
    expect(await post('n/copy', 'action=move&destination=n/copy&overwrite=true')).toEqual([400, 'INVALID_ARGUMENT']);
    expect(await post('', 'action=move&destination=n/z')).toEqual([400, 'INVALID_ARGUMENT']);
    expect(await post('n/nope', 'action=move&destination=n/z')).toEqual([404, 'NOT_FOUND']);
    expect(await post('n/copy', 'action=move&destination=..%2Fz')).toEqual([403, 'PERMISSION_DENIED']);
    expect(await post('..%2Fsecret', 'action=copy&destination=n/z')).toEqual([403, 'PERMISSION_DENIED']);
    expect(await post('n/copy', 'action=rename&destination=n/z')).toEqual([400, 'INVALID_ARGUMENT']);
    expect(await post('n/copy', 'action=move')).toEqual([400, 'INVALID_ARGUMENT']);
    expect(await readdir(join(runtime.base, 'n'))).toEqual(['copy']);
  });

  test('a pipe is not copied, and its tree leaves nothing behind', async () => {
    await mkdir(join(runtime.base, 'pipes'));
    expect(spawnSync('mkfifo', [join(runtime.base, 'pipes/fifo')]).status).toBe(0);
    const answer = await runtime.call('/v1/files/pipes?action=copy&destination=pipes2', { method: 'POST' });
    expect([answer.status, answer.json.message]).toEqual([400, "'pipes/fifo' is neither a file, a directory nor a link and cannot be copied"]);
    expect((await readdir(runtime.base)).filter(name => name.startsWith('pipes2') || name.startsWith('.'))).toEqual([]);
  });

  test.each(['tar', 'tar.gz'])('a directory comes out and goes in as %s', async format => {
    await mkdir(join(runtime.base, 'pack/empty'), { recursive: true });
    await writeFile(join(runtime.base, 'pack/run.sh'), 'x'.repeat(300_000), { mode: 0o755 });
    await writeFile(join(runtime.base, 'pack/nothing'), '');
    await symlink('run.sh', join(runtime.base, 'pack/link')).catch(() => undefined);
    const archive = await runtime.call(`/v1/files/pack?archive=${format}`);
    expect([archive.status, archive.headers['content-type']]).toEqual([200, format === 'tar' ? 'application/x-tar' : 'application/gzip']);
    const listed = spawnSync('tar', [format === 'tar' ? '-tf' : '-tzf', '-'], { input: archive.body }).stdout.toString();
    expect(listed).toBe('empty/\nlink\nnothing\nrun.sh\n');
    const unpacked = await runtime.call(`/v1/files/in/${format}?archive=${format}`, { method: 'PUT', body: archive.body });
    expect([unpacked.status, unpacked.json]).toEqual([200, { entries: 4, skipped: [] }]);
    const at = join(runtime.base, 'in', format);
    expect([(await stat(join(at, 'run.sh'))).mode & 0o777, (await stat(join(at, 'run.sh'))).size, await readlink(join(at, 'link'))]).toEqual([0o755, 300_000, 'run.sh']);
  });

  test('an archive cannot write outside, neither by names nor through links of its own', async () => {
    const tar = (...entries: readonly [name: string, type: 'file' | 'symlink' | 'link' | 'fifo', link?: string][]) => new Promise<Buffer>(resolve => {
      const archive = pack();
      const chunks: Buffer[] = [];
      archive.on('data', chunk => chunks.push(chunk as Buffer)).on('end', () => resolve(Buffer.concat(chunks)));
      entries.forEach(([name, type, linkname]) => archive.entry({ name, type, linkname, size: type === 'file' ? 1 : 0 }, type === 'file' ? 'x' : ''));
      archive.finalize();
    });
    const put = async (body: Buffer, query = 'archive=tar') => {
      const answer = await runtime.call(`/v1/files/evil?${query}`, { method: 'PUT', body });
      return [answer.status, answer.json.code ?? answer.json];
    };
    expect(await put(await tar(['../../stolen', 'file']))).toEqual([403, 'PERMISSION_DENIED']);
    expect(await put(await tar(['l', 'symlink', '/'], ['l/tmp/stolen', 'file']))).toEqual([403, 'PERMISSION_DENIED']);
    expect(await put(await tar(['m', 'symlink', '../..'], ['m/stolen', 'file']))).toEqual([403, 'PERMISSION_DENIED']);
    expect(await put(await tar(['h', 'link', '../../secret']))).toEqual([403, 'PERMISSION_DENIED']);
    expect(await put(await tar(['pipe', 'fifo'], ['fine', 'file'], ['hard', 'link', 'fine']))).toEqual([200, { entries: 2, skipped: ['pipe'] }]);
    expect(await readFile(join(runtime.base, 'evil/hard'), 'utf8')).toBe('x');
    expect(await put(Buffer.from('not an archive'.repeat(100)))).toEqual([400, 'INVALID_ARGUMENT']);
    expect(await put(Buffer.from('not compressed'), 'archive=tar.gz')).toEqual([400, 'INVALID_ARGUMENT']);
    expect(await put((await tar(['cut', 'file'])).subarray(0, 512))).toEqual([400, 'INVALID_ARGUMENT']);
    expect(await put(Buffer.from(''), 'archive=zip')).toEqual([400, 'INVALID_ARGUMENT']);
    expect(await readdir(runtime.outside)).toEqual(['app', 'secret']);
  });

  test('a watch can have the directories below, and tells when its own goes', async () => {
    await mkdir(join(runtime.base, 'below/old'), { recursive: true });
    let lines = '';
    const ended = new Promise<void>(resolve => {
      request({ host: '127.0.0.1', port: runtime.port, path: '/v1/files/below?watch=true&recursive=true' }, response => {
        response.on('data', (chunk: Buffer) => lines += chunk.toString()).once('end', () => resolve());
      }).end();
    });
    await eventually('ready', () => lines.includes('"ready"'));
    await runtime.call('/v1/files/below/old/new/f', { method: 'PUT', body: 'abc' });
    await eventually('seen', () => lines.includes('"name":"old/new/f","size":3'));
    await runtime.call('/v1/files/below?recursive=true', { method: 'DELETE' });
    await ended;
    expect(JSON.parse(lines.trim().split('\n').at(-1)!)).toEqual({ event: 'error', message: expect.stringContaining('removed') });
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
