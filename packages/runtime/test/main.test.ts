import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, readlink, realpath, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { FlagError } from 'agent-sandbox-program';
import { baseDirOf, execTimeoutOf, parseFlags } from '../src/flags.js';
import { INIT_SCRIPT } from '../src/init.js';
import { eventually } from './harness.js';

jest.setTimeout(60_000);

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));
const ROOT = process.getuid!() === 0;
const namespaces = ROOT && spawnSync('unshare', ['--mount', '--pid', '--fork', 'true']).status === 0;

describe('the program, as one file', () => {
  let bundle: string;
  let NODE: string[];
  beforeAll(async () => {
    bundle = await realpath(await mkdtemp(join(tmpdir(), 'runtime-bundle-')));
    await chmod(bundle, 0o755);
    // In a process of its own: the script is not an ES module.
    const made = spawnSync(process.execPath, ['--require', 'tsx/cjs', '-e', `require('./scripts/bundle.ts').bundle('runtime', ${JSON.stringify(bundle)})`], { cwd: REPOSITORY });
    expect([made.status, made.stderr.toString()]).toEqual([0, '']);
    // As in the image, but without the optional package.
    await mkdir(join(bundle, 'node_modules'));
    await symlink(join(REPOSITORY, 'node_modules/playwright-core'), join(bundle, 'node_modules/playwright-core'));
    NODE = [process.execPath, join(bundle, 'runtime.mjs')];
  });
  afterAll(() => rm(bundle, { recursive: true }));

  let directory: string;
  let child: ChildProcess | undefined;
  let log = '';

  beforeEach(async () => {
    directory = await realpath(await mkdtemp(join(tmpdir(), 'runtime-')));
    log = '';
  });
  afterEach(async () => {
    if (child?.exitCode === null && child.signalCode === null) {
      const ended = new Promise(resolve => child!.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
    }
    child = undefined;
    await rm(directory, { recursive: true, force: true });
  });

  /** Starts the program, and resolves to its address. */
  const start = async (command: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> => {
    child = spawn(command[0]!, command.slice(1), { env: { PATH: process.env.PATH, SANDBOX_BASE_DIR: join(directory, 'app'), ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout!.on('data', (chunk: Buffer) => log += chunk.toString());
    child.stderr!.on('data', (chunk: Buffer) => log += chunk.toString());
    return eventually('listening', () => {
      if (child!.exitCode !== null) {
        throw new Error(`ended: ${log}`);
      }
      return /Server listening at (http:\/\/[\d.:]+)/.exec(log)?.[1];
    });
  };
  const exit = () => new Promise<number | NodeJS.Signals>(resolve => child!.once('exit', (code, signal) => resolve(code ?? signal!)));
  const FLAGS = ['--port', '0', '--listen-host', '127.0.0.1'];
  const json = async (response: Promise<Response>): Promise<any> => (await response).json();
  const execute = (url: string, command: string) => json(fetch(`${url}/execute`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ command }) }));

  test('answers, and ends with 0 on SIGTERM after its commands', async () => {
    const url = await start([...NODE, ...FLAGS]);
    expect(await (await fetch(url)).json()).toEqual({ status: 'ok', message: 'Sandbox Runtime is active.' });
    const running = execute(url, 'sh -c \'trap "echo bye; exit 3" TERM; touch ready; while :; do sleep 0.05; done\'');
    await eventually('started', () => readFile(join(directory, 'app/ready')).catch(() => undefined));
    const ended = exit();
    child!.kill('SIGTERM');
    expect(await running).toMatchObject({ stdout: 'bye\n', exit_code: 3 });
    expect(await ended).toBe(0);
    expect(log).toContain('"msg":"ended"');
  });

  (ROOT ? test : test.skip)('runs as an ordinary user', async () => {
    await chmod(directory, 0o755);
    await writeFile(join(directory, 'theirs'), '', { mode: 0o600 });
    const app = join(directory, 'app');
    await mkdir(app);
    await chown(app, 1000, 1000);
    const url = await start(['setpriv', '--reuid=1000', '--regid=1000', '--clear-groups', '--no-new-privs', ...NODE, ...FLAGS]);
    expect(await execute(url, 'id -u')).toMatchObject({ stdout: '1000\n' });
    expect(await execute(url, 'cat ../theirs')).toMatchObject({ exit_code: 1 });
    const put = await fetch(`${url}/v1/files/a/b`, { method: 'PUT', body: 'x' });
    expect([put.status, await readFile(join(app, 'a/b'), 'utf8')]).toEqual([204, 'x']);
  });

  (namespaces ? test : test.skip)('needs one writable directory only', async () => {
    const script = `mount -t tmpfs none ${directory} && mount -o remount,bind,ro / && exec "$@"`;
    const url = await start(['unshare', '--mount', 'sh', '-c', script, 'sh', ...NODE, ...FLAGS], { TMPDIR: directory });
    expect(await execute(url, 'touch /outside')).toMatchObject({ exit_code: 1, stderr: expect.stringContaining('Read-only file system') });
    const put = await fetch(`${url}/v1/files/a/b`, { method: 'PUT', body: 'x' });
    expect([put.status, await execute(url, 'cat a/b')]).toEqual([204, expect.objectContaining({ stdout: 'x' })]);
  });

  (namespaces ? test : test.skip)('a shell as process 1 collects orphans, passes signals on, and ends with the code of the program', async () => {
    const url = await start(['unshare', '--pid', '--fork', '--mount-proc', '--kill-child', 'sh', '-c', INIT_SCRIPT, 'sh', ...NODE, ...FLAGS]);
    await execute(url, "sh -c 'for i in 1 2 3 4 5; do setsid sleep 0.01 & done'");
    await eventually('no zombies', async () => ((await execute(url, "sh -c 'cat /proc/[0-9]*/stat'")).stdout as string).split('\n').filter(line => / Z /.test(line)).length === 0);
    const [first] = ((await execute(url, 'cat /proc/1/comm')).stdout as string).split('\n');
    expect(first).toBe('sh');
    const ended = exit();
    await execute(url, "sh -c 'kill -TERM 1'").catch(() => undefined);
    expect(await ended).toBe(0);
    expect(log).toContain('"msg":"ended"');
  });

  test('serves the ports that clients of sandboxd know, asks for its token, and sweeps what an earlier run left', async () => {
    await mkdir(join(directory, 'app/deep'), { recursive: true });
    const left = join(directory, 'app/deep/.sandboxd-tmp-00000000-1');
    await writeFile(left, '');
    await utimes(left, new Date(0), new Date(0));
    await writeFile(join(directory, 'token'), 'secret-token');
    const url = await start([...NODE, ...FLAGS, '--auth-token-file', join(directory, 'token')], {
      SANDBOX_REST_PORT: String(await freePort()), SANDBOX_GRPC_PORT: String(await freePort()),
    });
    const ports = await eventually('three ports', async () => {
      const found = (await listening(child!.pid!)).filter(port => port !== Number(new URL(url).port));
      return found.length === 2 && found;
    });
    for (const port of ports) {
      const answers = await Promise.all(['', 'Bearer secret-token'].map(authorization => fetch(`http://127.0.0.1:${port}/v1/metadata`, { headers: { authorization } })));
      expect(answers.map(answer => answer.status)).toEqual([401, 200]);
    }
    await eventually('swept', async () => !(await readdir(join(directory, 'app/deep'))).length);
    expect(log).not.toContain('secret-token');
  });

  test('a terminal without the optional package is an error that names it', async () => {
    const url = await start([...NODE, ...FLAGS]);
    const body = JSON.stringify({ config: { command: ['sh'] }, pty: { cols: 80, rows: 24 } });
    const answer = await fetch(`${url}/process.v1.ProcessService/Start`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    expect(await answer.json()).toEqual({ code: 'failed_precondition', message: expect.stringContaining('terminals need the optional package @lydell/node-pty, which cannot be loaded here') });
  });

  test('with an agent, there are neither commands nor files, and the key is nowhere', async () => {
    const url = await start([...NODE, ...FLAGS, '--computer-use', '--agent-allowed-domains', '127.0.0.1', '--agent-chromium', '/no/such/browser'], { GEMINI_API_KEY: 'key-that-must-not-leak' });
    const post = (path: string, body: object) => fetch(url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    expect((await post('/execute', { command: 'env' })).status).toBe(404);
    expect((await fetch(`${url}/list/`)).status).toBe(404);
    expect((await post('/agent', {})).status).toBe(422);
    expect((await json(post('/agent', { query: 'q', api_key: 'another' }))).detail[0]).toMatchObject({ type: 'extra_forbidden', input: null });
    const answer = await json(post('/agent', { query: 'q', api_key: null }));
    expect(answer).toMatchObject({ stdout: '', exit_code: 1, stderr: expect.stringContaining('/no/such/browser') });
    expect((await fetch(`${url}/v1/metadata`)).status).toBe(404);
    expect(Object.keys((await json(fetch(`${url}/openapi.json`))).paths)).toContain('/agent');
    expect(JSON.stringify(answer) + log + await (await fetch(`${url}/metrics`)).text()).not.toContain('key-that-must-not-leak');
  });

  test.each<[string, readonly string[], string]>([
    ['an unknown flag', ['--nonsense'], "unknown option '--nonsense'"],
    ['a base directory that is a file', ['--base-dir', '/proc/version'], "'/proc/version': choose another --listen-host, --port or --base-dir"],
    ['a token file that is missing', ['--auth-token-file', '/no/such/token'], '--auth-token-file cannot be read: ENOENT'],
    ['a domain that is none', ['--computer-use', '--agent-allowed-domains', 'http://x'], "--agent-allowed-domains has 'http://x'"],
  ])('%s ends it with 1 and a reason', async (_, flags, reason) => {
    child = spawn(NODE[0]!, [...NODE.slice(1), ...FLAGS, ...flags], { stdio: ['ignore', 'pipe', 'ignore'] });
    child.stdout!.on('data', (chunk: Buffer) => log += chunk.toString());
    expect(await exit()).toBe(1);
    await eventually('reason', () => log.includes(reason));
  });
});

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise(resolve => server.close(resolve));
  return port;
}

/** Ports of IPv4 that a process listens on. */
async function listening(pid: number): Promise<number[]> {
  const inodes = new Set((await Promise.all((await readdir(`/proc/${pid}/fd`)).map(fd => readlink(`/proc/${pid}/fd/${fd}`).catch(() => ''))))
    .map(target => /^socket:\[(\d+)\]$/.exec(target)?.[1]));
  const rows = (await readFile(`/proc/${pid}/net/tcp`, 'utf8')).trim().split('\n').slice(1).map(row => row.trim().split(/\s+/));
  return rows.filter(row => row[3] === '0A' && inodes.has(row[9])).map(row => parseInt(row[1]!.split(':')[1]!, 16));
}

describe('flags', () => {
  test('have defaults, and --help prints them', () => {
    let help = '';
    expect(() => parseFlags(['--help'], text => help += text)).toThrow(new FlagError(''));
    expect(help).toContain('--max-output-bytes');
    expect([['--computer-use'], ['--computer-use', 'true'], ['--computer-use', '0']].map(args => parseFlags(args).computerUse)).toEqual([true, true, false]);
    expect(parseFlags([])).toMatchObject({ listenHost: '0.0.0.0', port: 8888, maxOutputBytes: 4194304, maxCommands: 64, maxUploadBytes: 0, computerUse: false, allowedOrigins: [], agentAllowedDomains: [] });
  });

  test('of sandboxd have their names, and those without effect are listed', () => {
    expect(parseFlags(['-root-dir=/work', '--http-idle-timeout', '60s', '--shutdown-timeout=1m30s'])).toMatchObject({ baseDir: '/work', shutdownTimeout: 90, ignored: ['--http-idle-timeout'] });
  });

  test.each([['--port', '70000'], ['--max-commands', '0'], ['--max-output-bytes', '1e3'], ['--exec-timeout-seconds', '-1'], ['--log-level', 'loud'], ['--agent-chromium-sandbox', 'perhaps']])(
    '%s %s is refused', (name, value) => {
      expect(() => parseFlags([name, value])).toThrow(FlagError);
    });

  test.each([[undefined, {}, '/app'], [undefined, { SANDBOX_BASE_DIR: '  ' }, '/app'], [undefined, { SANDBOX_BASE_DIR: '/work' }, '/work'], ['/flag', { SANDBOX_BASE_DIR: '/work' }, '/flag']] as [string | undefined, NodeJS.ProcessEnv, string][])(
    'base directory of flag %s and %j is %s', (flag, env, expected) => {
      expect(baseDirOf({ baseDir: flag as string }, env)).toBe(expected);
    });

  test.each([[undefined, 300, 0], ['12.5', 12.5, 0], ['0', 300, 1], ['-3', 300, 1], ['soon', 300, 1], ['Infinity', 300, 1], ['nan', 300, 1], ['', 300, 1]] as [string | undefined, number, number][])(
    'SANDBOX_EXEC_TIMEOUT_SECONDS=%s is %d, with %d warnings', (value, expected, warnings) => {
      const warn = jest.fn();
      expect(execTimeoutOf({} as { execTimeoutSeconds: number }, { SANDBOX_EXEC_TIMEOUT_SECONDS: value }, { warn } as any)).toBe(expected);
      expect(warn).toHaveBeenCalledTimes(warnings);
    });
});
