import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { placeOf } from '../src/cli/copy/place.js';
import { clientOf } from '../src/cli/options.js';
import { exitCodeOf } from '../src/process.js';
import { bytes, status } from './fake-sandbox.js';
import { Bench, CLAIMS, runCli } from './support.js';

const b64 = (content: string) => Buffer.from(content).toString('base64');

let bench: Bench;
let dir: string;

beforeEach(async () => {
  bench = await Bench.start();
  dir = await mkdtemp(join(tmpdir(), 'cli-'));
});
afterEach(async () => {
  await bench[Symbol.asyncDispose]();
  await rm(dir, { recursive: true });
});

const cli = (args: string[], input = '') => runCli(bench, args, input);
const exists = (name: string) => bench.exists(name);

/** Plays a program: echoes its input, says `out` and `err`, ends with the code. */
function program(code: number): void {
  bench.sandbox.onSocket = socket => socket.on('message', data => {
    const message = JSON.parse(data.toString());
    const send = (event: object) => socket.send(JSON.stringify(event));
    if (message.start) {
      send({ init: { processId: 1 } });
      send({ stdout: b64('out\n') });
      send({ stderr: b64('err\n') });
    } else if (message.input) {
      send({ stdout: message.input });
    } else if (message.eof) {
      send({ exit: { exitCode: code } });
    } else if (message.signal) {
      send({ exit: { exitCode: -1 } });
    }
  });
}

describe('run', () => {
  test('shows the output and ends with the code of the command; its sandbox is gone then', async () => {
    program(3);
    const running = cli(['run', '--pool', 'python', '--', 'python', '-c', 'print(1)']);
    await bench.bind();
    expect(await running).toEqual({ code: 3, out: 'out\n', err: 'err\n' });
    expect(bench.api.all(CLAIMS).size).toBe(0);
  });

  test('uses an existing sandbox and leaves it', async () => {
    exists('mine');
    program(0);
    expect(await cli(['run', '--sandbox', 'mine', '-i', '--json', '-e', 'A=1', '--cwd', 'd', '--', 'cat'], 'hello')).toEqual({
      code: 0, out: '{"exitCode":0,"stdout":"out\\nhello","stderr":"err\\n","timedOut":false}\n', err: '',
    });
    expect(bench.api.all(CLAIMS).size).toBe(1);
  });

  test('ends with 124 after the time limit', async () => {
    exists('mine');
    program(0);
    bench.sandbox.onSocket = socket => socket.on('message', data => {
      const message = JSON.parse(data.toString());
      if (message.start || message.signal) {
        socket.send(JSON.stringify(message.start ? { init: { processId: 1 } } : { exit: { exitCode: -1 } }));
      }
    });
    expect((await cli(['run', '--sandbox', 'mine', '--timeout', '0.1', '--', 'sleep', '9'])).code).toBe(124);
  });

  test('falls back to a single request where the runtime has no streams', async () => {
    exists('mine');
    bench.sandbox.refuseUpgrade = { status: 404, body: '{"detail":"Not Found"}' };
    bench.sandbox.answers = [status(200, { stdout: 'hi', stderr: '', exit_code: 0 })];
    expect(await cli(['run', '--sandbox', 'mine', '--', 'echo', 'a b'])).toEqual({ code: 0, out: 'hi', err: '' });
    expect(JSON.parse(bench.sandbox.arrived[1].body.toString()).command).toBe('echo \'a b\'');
  });

  test('ends with 125 and the reason when the sandbox does not come about', async () => {
    const running = cli(['run', '--pool', 'python', '--', 'ls']);
    await bench.bind('warm-1', { status: 'False', reason: 'PodFailed', message: 'exit 1' });
    expect(await running).toMatchObject({ code: 125, out: '', err: expect.stringMatching(/^agent-sandbox: claim team\/.* failed \(PodFailed: exit 1\): see the logs/) });
    expect(bench.api.all(CLAIMS).size).toBe(0);
  });

  test.each<[string[], RegExp]>([
    [['run', '--', 'ls'], /give one of --pool, --template and --sandbox/],
    [['run', '--pool', 'a', '--sandbox', 'b', '--', 'ls'], /cannot be used with option/],
    [['run', '--pool', 'a'], /missing required argument 'command'/],
    [['run', '--pool', 'a', '--timeout', '-1', '--', 'ls'], /give seconds above 0/],
    [['run', '--pool', 'a', '-e', 'X', '--', 'ls'], /give NAME=value/],
    [['nope'], /unknown command 'nope'/],
  ])('%j is a wrong command line', async (args, message) => {
    const { code, err } = await cli(args);
    expect([code, err]).toEqual([2, expect.stringMatching(message)]);
    expect(err).toMatch(/--help|--pool, --template and --sandbox/);
    expect(bench.api.requests).toEqual([]);
  });

  test.each([[0, 0], [255, 255], [-1, 128], [-9, 137], [-15, 143]])('exit code %d becomes %d', (code, wanted) => {
    expect(exitCodeOf(code)).toBe(wanted);
  });
});

test('--version says which one it is', async () => {
  expect(await cli(['--version'])).toEqual({ code: 0, out: 'agent-sandbox unknown\n', err: '' });
});

test('the help says times in the unit in which they are given', async () => {
  const { out } = await cli(['run', '--help']);
  expect(out.replace(/\s+/g, ' ')).toContain('--ready-timeout <duration> how long a new sandbox may take, in seconds or with a unit (default: 180)');
});

test('shell says what it needs when there is no terminal', async () => {
  exists('mine');
  expect(await cli(['shell', '--sandbox', 'mine'])).toMatchObject({ code: 2, err: expect.stringContaining('use run --stdin') });
});

describe('cp', () => {
  test.each([
    ['a:b/c', { claim: 'a', path: 'b/c' }], ['a:', { claim: 'a', path: '' }], ['./a:b', { path: './a:b' }], ['/a:b', { path: '/a:b' }], ['d/a:b', { path: 'd/a:b' }], ['a', { path: 'a' }],
  ])('%j is %j', (text, wanted) => {
    expect(placeOf(text)).toEqual(wanted);
  });

  describe('where the sandbox starts no programs', () => {
    beforeEach(() => {
      exists('mine');
      bench.sandbox.refuseUpgrade = { status: 404, body: '{"detail":"Not Found"}' };
    });
    const arrived = () => bench.sandbox.arrived.slice(1);

    test('copies a file into a sandbox', async () => {
      await writeFile(join(dir, 'a.txt'), 'hello');
      bench.sandbox.answers = [status(200, {})];
      expect(await cli(['cp', join(dir, 'a.txt'), 'mine:d/'])).toEqual({ code: 0, out: '', err: '' });
      expect(arrived()[0].body.toString()).toMatch(/filename="d\/a.txt"[^]*\r\n\r\nhello\r\n/);
    });

    test('copies directories both ways, and names what it cannot copy', async () => {
      await mkdir(join(dir, 'src', 'sub'), { recursive: true });
      await writeFile(join(dir, 'src', 'sub', 'a.txt'), 'hello');
      await symlink('a.txt', join(dir, 'src', 'sub', 'link'));
      bench.sandbox.answers = [status(404, { message: 'Path is not a directory' }), status(200, {})];
      const { code, out, err } = await cli(['cp', '-r', '--json', join(dir, 'src'), 'mine:d']);
      expect(JSON.parse(out)).toMatchObject({ files: 1, bytes: 5, skipped: [{ path: join(dir, 'src', 'sub', 'link') }] });
      expect([code, err]).toEqual([1, expect.stringContaining('link: it is a link, and the sandbox has no tar')]);
      expect(arrived().map(({ method, url }) => `${method} ${url}`)).toEqual(['GET /list/d', 'PUT /v1/files/d?type=directory', 'PUT /v1/files/d%2Fsub?type=directory', 'POST /upload']);
      bench.sandbox.answers = [(request, response) => (request.url.startsWith('/list')
        ? status(200, request.url === '/list/d' ? [{ name: 'sub', size: 0, type: 'directory', mod_time: 0 }] : [{ name: 'a.txt', size: 5, type: 'file', mod_time: 0 }])
        : bytes(Buffer.from('hello')))(request, response)];
      expect((await cli(['cp', '-r', 'mine:d', join(dir, 'back')])).code).toBe(0);
      expect(await readFile(join(dir, 'back', 'sub', 'a.txt'), 'utf8')).toBe('hello');
    });

    test('does not let a sandbox choose where files go here', async () => {
      bench.sandbox.answers = [status(200, [{ name: '../../evil', size: 5, type: 'file', mod_time: 0 }])];
      expect(await cli(['cp', '-r', 'mine:d', join(dir, 'back')])).toMatchObject({ code: 1, err: expect.stringContaining('its name leads out') });
    });

    test('says that absolute paths cannot be reached', async () => {
      expect(await cli(['cp', 'mine:/etc/hosts', join(dir, 'hosts')])).toMatchObject({ code: 2, err: expect.stringContaining('"/etc/hosts" is an absolute path') });
    });

    test('pipes', async () => {
      bench.sandbox.answers = [bytes(Buffer.from('hello'))];
      expect((await cli(['cp', 'mine:a', '-'])).out).toBe('hello');
    });
  });
});

describe('ls, list, create, delete, logs', () => {
  test('ls shows a directory by name', async () => {
    exists('mine');
    bench.sandbox.answers = [status(200, [{ name: 'b', size: 12, type: 'file', mod_time: 0 }, { name: 'a', size: 0, type: 'directory', mod_time: 0 }])];
    expect((await cli(['ls', 'mine'])).out).toBe('d  0   1970-01-01T00:00:00  a/\n-  12  1970-01-01T00:00:00  b\n');
    expect(JSON.parse((await cli(['ls', '--json', 'mine:d'])).out)).toHaveLength(2);
    expect(bench.sandbox.arrived.at(-1)!.url).toBe('/list/d');
  });

  test('list shows claims', async () => {
    exists('mine');
    expect((await cli(['list'])).out).toBe('CLAIM  READY  SANDBOX  FROM         AGE  REASON\nmine   yes    warm-1   pool/python  1h   \n');
  });

  test('create prints the name of a claim that stays', async () => {
    const creating = cli(['create', '--pool', 'python', '--lifetime', '60']);
    const name = await bench.bind();
    expect(await creating).toEqual({ code: 0, out: `${name}\n`, err: '' });
    expect(bench.api.all(CLAIMS).get(`team/${name}`)!.spec.lifecycle.shutdownPolicy).toBe('Delete');
  });

  test('delete says what there was', async () => {
    exists('mine');
    expect(await cli(['delete', 'mine'])).toEqual({ code: 0, out: 'mine deleted\n', err: '' });
    expect(await cli(['delete', 'mine'])).toEqual({ code: 1, out: 'mine does not exist\n', err: '' });
  });

  test('logs asks for those of the Pod', async () => {
    exists('mine');
    bench.api.put('/api/v1/pods', { metadata: { namespace: 'team', name: 'warm-1' } });
    expect((await cli(['logs', 'mine', '--tail', '5'])).code).toBe(0);
    expect(bench.api.requests.at(-1)).toMatchObject({ path: '/api/v1/namespaces/team/pods/warm-1/log', query: { tailLines: '5' } });
  });

  test('an error is one line with what to do', async () => {
    expect(await cli(['ls', 'gone'])).toEqual({ code: 1, out: '', err: 'agent-sandbox: claim team/gone does not exist: correct the name or the namespace\n' });
  });
});

describe('options', () => {
  test.each([['url', { url: 'http://a' }], ['gateway', { gateway: 'infra/router' }], ['inCluster', { inCluster: true }], ['none', {}]])('make a client: %s', async (_, options) => {
    const kubeconfig = join(dir, 'config');
    await writeFile(kubeconfig, JSON.stringify({
      'clusters': [{ name: 'c', cluster: { server: 'https://127.0.0.1:1' } }], 'users': [{ name: 'u', user: {} }],
      'contexts': [{ name: 'x', context: { cluster: 'c', user: 'u' } }], 'current-context': 'x',
    }));
    const client = clientOf({ kubeconfig, port: 8888, ...options }, { AGENT_SANDBOX_ROUTER_TOKEN: 'secret' });
    expect((client as any).options.token.token()).toBe('secret');
    await client.close();
  });
});

describe('skill', () => {
  test('writes the skill below a folder, and again over an older version', async () => {
    for (const text of ['name: agent-sandbox\n', undefined]) {
      const { code, out, err } = await cli(['skill', '--out', join(dir, 'skills')]);
      expect({ code, err }).toEqual({ code: 0, err: '' });
      expect(out.split('\n')).toContain(join(dir, 'skills', 'agent-sandbox', 'references', 'fields.md'));
      expect(await readFile(join(dir, 'skills', 'agent-sandbox', 'SKILL.md'), 'utf8')).toMatch(/^---\nname: agent-sandbox\n/);
      await writeFile(join(dir, 'skills', 'agent-sandbox', 'SKILL.md'), text ?? '');
    }
  });

  test('leaves another skill of the same folder alone', async () => {
    await mkdir(join(dir, 'agent-sandbox'));
    await writeFile(join(dir, 'agent-sandbox', 'SKILL.md'), '---\nname: mine\n---\n');
    const { code, err } = await cli(['skill', '--out', dir]);
    expect(code).toBe(2);
    expect(err).toContain('SKILL.md is another skill');
    expect(await readFile(join(dir, 'agent-sandbox', 'SKILL.md'), 'utf8')).toBe('---\nname: mine\n---\n');
  });
});
