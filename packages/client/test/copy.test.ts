import { execFile } from 'node:child_process';
import { chmod, lstat, mkdir, mkdtemp, readFile, readdir, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { pack } from 'tar-stream';
import { Harness } from '../../runtime/test/harness.js';
import { copyFiles } from '../src/cli/copy/copy.js';
import { sizeOf } from '../src/cli/copy/report.js';
import { nameOf } from '../src/cli/copy/place.js';
import { SandboxConnection } from '../src/connection/index.js';
import { Bench, runCli } from './support.js';

const run = promisify(execFile);

let runtime: Harness;
let bench: Bench;
let here: string;

beforeEach(async () => {
  runtime = await Harness.start();
  bench = await Bench.start({ connection: SandboxConnection.direct({ url: `http://127.0.0.1:${runtime.port}` }) });
  bench.exists('box');
  here = await mkdtemp(join(tmpdir(), 'copy-'));
});
afterEach(async () => {
  await bench[Symbol.asyncDispose]();
  await runtime.stop();
  await rm(here, { recursive: true });
});

const cli = (args: string[], input: string | Buffer = '') => runCli(bench, args, input);
const there = (...path: string[]) => join(runtime.base, ...path);
const modeOf = async (path: string) => ((await lstat(path)).mode & 0o777).toString(8);

describe('into a sandbox', () => {
  test('a file keeps its mode, and a directory is made on the way', async () => {
    await writeFile(join(here, 'run.sh'), 'echo', { mode: 0o750 });
    expect(await cli(['cp', join(here, 'run.sh'), 'box:a b/c/run.sh'])).toEqual({ code: 0, out: '', err: '' });
    expect([await readFile(there('a b/c/run.sh'), 'utf8'), await modeOf(there('a b/c/run.sh'))]).toEqual(['echo', '750']);
  });

  test.each(['box:dir', 'box:dir/', 'box:./dir'])('a file goes into %s if that is a directory', async target => {
    await mkdir(there('dir'));
    await writeFile(join(here, 'f'), 'x');
    expect((await cli(['cp', join(here, 'f'), target])).code).toBe(0);
    expect(await readFile(there('dir/f'), 'utf8')).toBe('x');
  });

  test('an absolute path means what it says', async () => {
    await writeFile(join(here, 'h.txt'), 'x');
    const outside = join(runtime.outside, 'elsewhere', 'h.txt');
    expect((await cli(['cp', join(here, 'h.txt'), `box:${outside}`])).code).toBe(0);
    expect((await cli(['cp', join(here, 'h.txt'), `box:${there('h.txt')}`])).code).toBe(0);
    expect([await readFile(outside, 'utf8'), await readFile(there('h.txt'), 'utf8')]).toEqual(['x', 'x']);
  });

  test('a directory keeps modes and links, and links are not followed', async () => {
    const [tree, secret] = [join(here, 'tree'), join(here, 'secret')];
    await mkdir(join(tree, 'sub'), { recursive: true });
    await mkdir(secret);
    await writeFile(join(secret, 'id_rsa'), 'TOP SECRET');
    await writeFile(join(tree, 'sub', 'run.sh'), 'echo', { mode: 0o755 });
    await writeFile(join(tree, '-dash "quoted" ü\n'), 'odd');
    await symlink('sub/run.sh', join(tree, 'inside'));
    await symlink(secret, join(tree, 'keys'));
    await symlink('../secret/id_rsa', join(tree, 'sub', 'key'));
    expect(await cli(['cp', '-r', tree, 'box:'])).toEqual({ code: 0, out: '', err: '5 files\n' });
    expect((await readdir(there('tree'))).sort()).toEqual(['-dash "quoted" ü\n', 'inside', 'keys', 'sub']);
    expect([await modeOf(there('tree/sub/run.sh')), await readlink(there('tree/inside')), await readlink(there('tree/keys'))]).toEqual(['755', 'sub/run.sh', secret]);
    expect((await run('grep', ['-r', 'TOP SECRET', runtime.base]).catch(error => error)).code).toBe(1);
  });

  test.each([['tree', 'box:new', 'new/f'], ['tree', 'box:old', 'old/tree/f'], ['tree/.', 'box:old', 'old/f'], ['tree/.', 'box:', 'f']])('%s to %s makes %s', async (source, target, wanted) => {
    await mkdir(there('old'));
    await mkdir(join(here, 'tree'));
    await writeFile(join(here, 'tree', 'f'), 'x');
    expect((await cli(['cp', '-r', `${here}/${source}`, target])).code).toBe(0);
    expect(await readFile(there(wanted), 'utf8')).toBe('x');
  });

  test('names what cannot be copied, and copies the rest', async () => {
    const tree = join(here, 'tree');
    await mkdir(tree);
    await writeFile(join(tree, 'f'), 'x');
    await run('mkfifo', [join(tree, 'fifo')]);
    await writeFile(Buffer.concat([Buffer.from(`${tree}/bad-`), Buffer.of(0xff)]), 'x');
    const { code, err } = await cli(['cp', '-r', tree, 'box:t']);
    expect(code).toBe(1);
    expect(err).toContain(`not copied: ${join(tree, 'fifo')}: it is a FIFO\n`);
    expect(err).toContain('its name is not UTF-8');
    expect(await readdir(there('t'))).toEqual(['f']);
  });

  test('a broken copy writes nothing under the name of the file', async () => {
    await writeFile(there('f'), 'before');
    const content = new Readable({ read() {} });
    content.push('half of it');
    const copying = copyFiles(bench.client, '-', 'box:f', {}, { stdin: content } as any, AbortSignal.timeout(500));
    await expect(copying).rejects.toThrow();
    expect(await readFile(there('f'), 'utf8')).toBe('before');
  });

  test('stdin', async () => {
    expect((await cli(['cp', '-', 'box:a'], 'input')).code).toBe(0);
    expect(await readFile(there('a'), 'utf8')).toBe('input');
    expect(await cli(['cp', '-', 'box:'], 'input')).toMatchObject({ code: 2, err: expect.stringContaining('has no name') });
  });

  test.each([[['cp', 'HERE', 'box:a'], /is a directory: give --recursive/], [['cp', '-r', 'HERE', 'box:f'], /"f" in the sandbox is not a directory/], [['cp', 'a', 'b'], /one side of a copy is in a sandbox/]])('%j is refused', async (args, message) => {
    await writeFile(there('f'), 'x');
    expect(await cli(args.map(arg => arg.replace('HERE', here)))).toMatchObject({ code: 2, err: expect.stringMatching(message) });
  });
});

describe('out of a sandbox', () => {
  test('a file keeps its mode and replaces what was there at once', async () => {
    await writeFile(there('run.sh'), 'new', { mode: 0o700 });
    await writeFile(join(here, 'run.sh'), 'old');
    expect(await cli(['cp', 'box:run.sh', here])).toEqual({ code: 0, out: '', err: '' });
    expect([await readFile(join(here, 'run.sh'), 'utf8'), await modeOf(join(here, 'run.sh')), await readdir(here)]).toEqual(['new', '700', ['run.sh']]);
  });

  test('an absolute path means what it says, and a link is followed if it is the source itself', async () => {
    await writeFile(join(runtime.outside, 'out.txt'), 'outside');
    await symlink(join(runtime.outside, 'out.txt'), there('link'));
    expect((await cli(['cp', `box:${join(runtime.outside, 'out.txt')}`, join(here, 'a')])).code).toBe(0);
    expect((await cli(['cp', 'box:link', join(here, 'b')])).code).toBe(0);
    expect([await readFile(join(here, 'a'), 'utf8'), await readFile(join(here, 'b'), 'utf8')]).toEqual(['outside', 'outside']);
  });

  test('a directory with modes, links and other names of files', async () => {
    await mkdir(there('tree/sub'), { recursive: true });
    await writeFile(there('tree/sub/run.sh'), 'echo', { mode: 0o755 });
    await symlink('sub/run.sh', there('tree/inside'));
    await run('ln', [there('tree/sub/run.sh'), there('tree/second')]);
    await chmod(there('tree/sub'), 0o700);
    expect((await cli(['cp', '-r', 'box:tree', join(here, 'new')])).code).toBe(0);
    expect([await modeOf(join(here, 'new/sub')), await modeOf(join(here, 'new/sub/run.sh')), await readlink(join(here, 'new/inside')), await readFile(join(here, 'new/second'), 'utf8')])
      .toEqual(['700', '755', 'sub/run.sh', 'echo']);
  });

  test('links that lead out are not made, whatever they lead over', async () => {
    await mkdir(there('tree/a'), { recursive: true });
    await symlink('/etc/passwd', there('tree/absolute'));
    await symlink('../../outside', there('tree/a/up'));
    await symlink('..', there('tree/a/b'));
    await symlink('a/b/..', there('tree/c'));
    const { code, err } = await cli(['cp', '-r', 'box:tree', join(here, 'new')]);
    expect(code).toBe(1);
    expect(err.match(/not copied: .*: it is a link that leads out/g)).toHaveLength(3);
    expect((await readdir(join(here, 'new'))).concat(await readdir(join(here, 'new/a')))).toEqual(['a', 'b']);
  });

  test('what is missing and what is a directory', async () => {
    expect(await cli(['cp', 'box:gone', here])).toMatchObject({ code: 1, err: expect.stringContaining('"gone" in the sandbox does not exist') });
    await mkdir(there('d'));
    expect(await cli(['cp', 'box:d', here])).toMatchObject({ code: 2, err: expect.stringContaining('"d" in the sandbox is a directory: give --recursive') });
  });

  test('stdout gets a large file no faster than it is taken', async () => {
    const size = 64 * 1024 * 1024;
    await writeFile(there('big'), Buffer.alloc(size, 'x'));
    let [taken, waiting, most] = [0, 0, 0];
    const stdout = new Writable({
      write: (chunk, _, done) => {
        waiting += chunk.length;
        most = Math.max(most, waiting + stdout.writableLength);
        setImmediate(() => {
          taken += chunk.length;
          waiting -= chunk.length;
          done();
        });
      },
    });
    await copyFiles(bench.client, 'box:big', '-', {}, { stdout } as any, new AbortController().signal);
    await new Promise<void>(resolve => stdout.end(resolve));
    expect(taken).toBe(size);
    expect(most).toBeLessThan(4 * 1024 * 1024);
  });

  test('a connection that breaks leaves no part of a file, and says what is missing', async () => {
    await mkdir(there('tree'));
    await writeFile(there('tree/a'), 'x');
    await writeFile(there('tree/b'), Buffer.alloc(200 * 1024 * 1024));
    const copying = copyFiles(bench.client, 'box:tree', join(here, 'new'), { recursive: true, onProgress: () => void runtime.runtime.stop() }, {} as any, new AbortController().signal);
    await expect(copying).rejects.toThrow(/the copy is not complete, missing: "b", all that the sandbox had not sent yet/);
    expect((await readdir(join(here, 'new'))).filter(name => name !== 'a')).toEqual([]);
  });
});

describe('a sandbox that is not to be trusted', () => {
  /** Puts a `tar` into the sandbox that sends what a test says. */
  async function sends(fill: (archive: ReturnType<typeof pack>) => void): Promise<void> {
    const archive = pack();
    fill(archive);
    archive.finalize();
    await writeFile(there('evil.tar'), await Readable.from(archive as AsyncIterable<Buffer>).toArray());
    await writeFile(there('tar'), `#!/bin/sh\ncat ${there('evil.tar')}\n`, { mode: 0o755 });
    await mkdir(there('tree'));
  }

  beforeEach(async () => {
    await bench[Symbol.asyncDispose]();
    await runtime.stop();
    const path = process.env.PATH;
    runtime = await Harness.start();
    Object.assign(runtime.runtime.options.env, { PATH: `${runtime.base}:${path}` });
    bench = await Bench.start({ connection: SandboxConnection.direct({ url: `http://127.0.0.1:${runtime.port}` }) });
    bench.exists('box');
    await mkdir(join(here, 'home'));
  });

  test.each<[string, (archive: ReturnType<typeof pack>) => void]>([
    ['names with ..', archive => archive.entry({ name: './../home/evil' }, 'x')],
    ['absolute names', archive => archive.entry({ name: '/tmp/agent-sandbox-evil' }, 'x')],
    ['a link, and a file through it', archive => {
      archive.entry({ name: './l', type: 'symlink', linkname: '../home' });
      archive.entry({ name: './l/evil' }, 'x');
    }],
    ['another name of a file outside', archive => archive.entry({ name: './h', type: 'link', linkname: '../home/kept' })],
    ['devices', archive => archive.entry({ name: './d', type: 'character-device' } as any)],
  ])('writes nothing outside by %s', async (_, fill) => {
    await writeFile(join(here, 'home', 'kept'), 'kept');
    await sends(archive => {
      archive.entry({ name: './', type: 'directory' });
      fill(archive);
    });
    const { err } = await cli(['cp', '-r', 'box:tree', join(here, 'new')]);
    expect(err).toMatch(/not copied|1 files/);
    expect(await readdir(join(here, 'home'))).toEqual(['kept']);
    await expect(stat('/tmp/agent-sandbox-evil')).rejects.toThrow('ENOENT');
    for (const name of await readdir(join(here, 'new'))) {
      expect((await lstat(join(here, 'new', name))).isSymbolicLink()).toBe(false);
    }
  });

  test('writes through no link that is here', async () => {
    await mkdir(join(here, 'new'));
    await symlink('../home', join(here, 'new', 'l'));
    await sends(archive => {
      archive.entry({ name: './', type: 'directory' });
      archive.entry({ name: './l/evil' }, 'x');
    });
    expect(await cli(['cp', '-r', 'box:tree/.', join(here, 'new')])).toMatchObject({ code: 1, err: expect.stringContaining('"l" is here, and is not a directory') });
    expect(await readdir(join(here, 'home'))).toEqual([]);
  });

  test('gives no file the rights of its owner', async () => {
    await sends(archive => {
      archive.entry({ name: './', type: 'directory' });
      archive.entry({ name: './f', mode: 0o6755 }, 'x');
    });
    await cli(['cp', '-r', 'box:tree', join(here, 'new')]);
    expect(((await lstat(join(here, 'new', 'f'))).mode & 0o7777).toString(8)).toBe('755');
  });

  test('does nothing to the terminal by its names', async () => {
    await writeFile(there('\u001b]0;evil\u0007\u009b2J'), 'x');
    expect((await cli(['ls', 'box'])).out).toContain('\\x1b]0;evil\\x07\\x9b2J');
    expect((await cli(['ls', '--json', 'box'])).out).not.toMatch(/[\u001b\u0007\u009b]/);
  });
});

test.each([['a', 'a'], ['a/b/', 'b'], ['.', ''], ['a/.', ''], ['a/./', ''], ['..', ''], ['', ''], ['/', '']])('the name of %j is %j', (path, name) => {
  expect(nameOf(path)).toBe(name);
});

test.each([[0, '0 B'], [1023, '1023 B'], [1536, '1.5 KiB'], [3 * 2 ** 30, '3.0 GiB']])('%d bytes are %s', (bytes, text) => {
  expect(sizeOf(bytes)).toBe(text);
});
