import { execFile, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readlink, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { spawn as spawnTerminal } from '@lydell/node-pty';
import { Client as McpClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Cluster } from 'agent-sandbox-kube';
import { describeWithPrograms } from '../../../testbed/src/jest/index.js';
import { waitFor } from '../../../testbed/src/index.js';
import { FAKE_NODE_PROGRAMS } from '../../../testbed/src/binaries.js';
import { SandboxClient, type SandboxClientOptions } from '../src/client.js';
import { SandboxConnection } from '../src/connection/index.js';
import {
  SandboxAccessError, SandboxClaimExistsError, SandboxNotFoundError, SandboxPathNotFoundError, SandboxRequestError, SandboxUnsupportedError,
  SandboxWarmPoolNotFoundError,
} from '../src/errors.js';
import { RouterToken } from '../src/tokens.js';
import { rejection } from './support.js';
import { SCOPED_KEY, STATIC_TOKEN, TEAM, World } from './world.js';

describeWithPrograms('client, router, runtime and controller together', () => {
  let world: World;
  let agent: Cluster;
  const clients: SandboxClient[] = [];

  beforeAll(async () => {
    world = await World.start();
    agent = await world.clusterOf('agent');
    await world.pool('pool', 2);
  }, 240_000);
  afterAll(async () => {
    await agent?.close();
    await world?.stop();
  }, 60_000);
  afterEach(async () => {
    for (const client of clients.splice(0)) {
      await client.deleteAll();
      await client.close();
    }
  });

  /** A client through the tunnel, with tokens of its own ServiceAccount by default. */
  function connect(options: Partial<SandboxClientOptions> = {}): SandboxClient {
    const client = new SandboxClient({ cluster: agent, namespace: TEAM, token: RouterToken.fromServiceAccount({ name: 'agent' }), ...options });
    clients.push(client);
    return client;
  }

  /** A client at the address of the router. The fake kubelet does not pass on that a router or runtime hung up; real ones do. */
  const connectDirectly = () => connect({ connection: SandboxConnection.direct({ url: world.closedUrl }) });

  const claims = () => world.controlPlane.admin.list('extensions.agents.x-k8s.io/v1beta1', 'SandboxClaim', TEAM);

  test('a warm sandbox, through the tunnel: commands, files, processes', async () => {
    const sandbox = await connect().create({ pool: 'pool' });
    expect(sandbox.name).not.toBe(sandbox.claimName);
    expect(await sandbox.commands.run(['sh', '-c', 'echo "it\'s $0"; echo bad >&2; exit 3', 'me'])).toMatchObject({ stdout: 'it\'s me\n', stderr: 'bad\n', exitCode: 3, timedOut: false, truncated: false });
    expect(await sandbox.commands.run('sleep 60', { timeoutMs: 200 })).toMatchObject({ timedOut: true, exitCode: 1 });

    const content = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251));
    const name = 'dir with blank/ü "q" \'s\' %41.bin';
    await sandbox.files.write(name, content);
    expect((await sandbox.files.read(name)).equals(content)).toBe(true);
    expect(await sandbox.files.exists(name)).toBe(true);
    expect(await sandbox.files.list('dir with blank')).toMatchObject([{ name: 'ü "q" \'s\' %41.bin', size: 300_000, type: 'file' }]);
    await sandbox.files.delete('dir with blank', { recursive: true });
    expect(await sandbox.files.list()).toEqual([]);
    expect(await rejection(sandbox.files.read(name))).toBeInstanceOf(SandboxPathNotFoundError);

    await using process = await sandbox.commands.start(['cat']);
    process.stdin.end('streamed');
    expect((await process.stdout.toArray()).join('')).toBe('streamed');
    expect(await process.exit).toBe(0);
  });

  test('a terminal', async () => {
    const sandbox = await connect().create({ pool: 'pool' });
    await using shell = await sandbox.commands.start(['sh'], { pty: { cols: 100, rows: 30 } });
    let output = '';
    shell.stdout.on('data', chunk => (output += chunk));
    shell.stdin.write('stty size; test -t 0 && echo terminal; exit 4\n');
    expect(await shell.exit).toBe(4);
    expect(output).toMatch(/30 100\r\n[^]*terminal\r\n/);
  });

  test('changes in a directory are reported', async () => {
    const sandbox = await connect().create({ pool: 'pool' });
    const seen: string[] = [];
    const watching = (async () => {
      for await (const event of sandbox.files.watch()) {
        seen.push(event.type === 'changed' ? `changed ${event.entry.name}` : `removed ${event.name}`);
        if (event.type === 'removed') {
          return;
        }
      }
    })();
    // The watch reports changes after its start: the change is repeated until it is reported.
    await waitFor(async () => {
      await sandbox.files.write('a', 'x');
      return seen.includes('changed a');
    }, { what: 'the change to be reported', intervalMs: 200 });
    await sandbox.files.delete('a');
    await watching;
    expect(seen.at(-1)).toBe('removed a');
  });

  test('a cold sandbox from a template, with environment and an end', async () => {
    const sandbox = await connect().create({ template: 'python', env: { DEPTH: '3' }, lifetime: { seconds: 600 } });
    expect(sandbox.name).toBe(sandbox.claimName);
    expect((await sandbox.commands.run('echo cold')).stdout).toBe('cold\n');
    const [claim] = (await claims()).filter(({ metadata }) => metadata.name === sandbox.claimName);
    expect(claim.spec).toMatchObject({ sandboxTemplateRef: { name: 'python' }, env: [{ name: 'DEPTH', value: '3' }] });
  });

  test('who may not use a sandbox is refused by the router, and so is who says nothing', async () => {
    const owner = connect();
    const sandbox = await owner.create({ pool: 'pool' });
    const stranger = await world.clusterOf('stranger');
    try {
      const other = connect({ cluster: stranger, token: RouterToken.fromServiceAccount({ name: 'stranger' }) });
      const refused = await rejection((await other.get(sandbox.claimName)).commands.run('id'));
      expect(refused).toBeInstanceOf(SandboxAccessError);
      expect(refused.statusCode).toBe(403);
      const silent = await rejection((await connect({ token: undefined }).get(sandbox.claimName)).commands.start(['id']));
      expect(silent).toMatchObject({ name: 'SandboxAccessError', statusCode: 401 });
    } finally {
      await stranger.close();
    }
  });

  test('static and scoped tokens, at a known address', async () => {
    const connection = SandboxConnection.direct({ url: world.closedUrl });
    const everything = connect({ connection, token: RouterToken.fixed(STATIC_TOKEN) });
    const [mine, other] = [await everything.create({ pool: 'pool' }), await everything.create({ pool: 'pool' })];
    expect((await mine.commands.run('echo static')).stdout).toBe('static\n');
    const scoped = connect({
      connection,
      token: RouterToken.scoped(async (target, signal) => {
        const payload = Buffer.from(JSON.stringify({
          ns: target.namespace, name: target.name, uid: await target.uid(signal), exp: Math.floor(Date.now() / 1000) + 60,
        })).toString('base64url');
        return `v2.${payload}.${createHmac('sha256', SCOPED_KEY).update(`agent-sandbox/scoped-token/v2.${payload}`).digest('base64url')}`;
      }),
    });
    expect((await (await scoped.get(mine.claimName)).commands.run('echo scoped')).stdout).toBe('scoped\n');
    // The token of one sandbox does not open another.
    const { token } = (clients.at(-1) as any).options;
    const stolen = await token.token({ namespace: TEAM, name: mine.name, uid: async () => '' }, () => agent, new AbortController().signal);
    const thief = connect({ connection, token: RouterToken.fixed(stolen) });
    expect(await rejection((await thief.get(other.claimName)).commands.run('id'))).toMatchObject({ name: 'SandboxAccessError', statusCode: 403 });
  });

  test('a sandbox that ends while a program runs in it', async () => {
    const client = connectDirectly();
    const sandbox = await client.create({ pool: 'pool', lifetime: { seconds: 8 } });
    const process = await sandbox.commands.start(['sleep', '300']);
    const error = await rejection(process.exit);
    expect(error).toBeInstanceOf(SandboxRequestError);
    await waitFor(async () => (await sandbox.status()).state === 'NotFound', { what: 'the end of the sandbox' });
    expect(await rejection(sandbox.commands.run('ls', { maxAttempts: 1 }))).toBeInstanceOf(SandboxRequestError);
    await waitFor(async () => (await client.list()).every(({ claimName }) => claimName !== sandbox.claimName), { what: 'the end of the claim' });
  });

  test('suspended, a sandbox answers nothing; resumed, it has its files', async () => {
    const sandbox = await connect().create({ pool: 'pool' });
    await sandbox.files.write('kept.txt', 'still here');
    await sandbox.suspend();
    expect((await sandbox.status()).state).toBe('Suspended');
    expect(await rejection(sandbox.files.read('kept.txt', { maxAttempts: 1 }))).toBeInstanceOf(SandboxRequestError);
    await sandbox.resume();
    expect((await sandbox.files.read('kept.txt')).toString()).toBe('still here');
  });

  test('a router that is restarted: what only reads waits for it, a command is not sent twice', async () => {
    const sandbox = await connectDirectly().create({ pool: 'pool' });
    await sandbox.files.write('a', 'x');
    await sandbox.commands.run('true');
    let reading: Promise<Buffer>;
    await world.restartRouter(async () => {
      reading = sandbox.files.read('a', { timeoutMs: 60_000 });
      await expect(sandbox.commands.run('touch once', { maxAttempts: 1 })).rejects.toThrow();
    });
    expect((await reading!).toString()).toBe('x');
    expect((await sandbox.commands.run(['sh', '-c', 'echo >> count; wc -l < count'])).stdout.trim()).toBe('1');
    expect(await sandbox.files.exists('once')).toBe(false);
  });

  test('a runtime that crashes ends its programs, and serves again', async () => {
    const sandbox = await connectDirectly().create({ pool: 'pool' });
    const process = await sandbox.commands.start(['sleep', '300']);
    await world.kubelet.crash(sandbox.name);
    expect(await rejection(process.exit)).toBeInstanceOf(SandboxRequestError);
    expect(await rejection(sandbox.commands.run('true'))).toMatchObject({ statusCode: 502 });
    await world.kubelet.restart(sandbox.name);
    expect((await sandbox.commands.run('echo again')).stdout).toBe('again\n');
  });

  test('a Pod that gets another address is found again', async () => {
    const sandbox = await connect().create({ pool: 'pool' });
    const { address } = await sandbox.status();
    await world.kubelet.move(sandbox.name);
    await waitFor(async () => (await sandbox.files.exists('', { maxAttempts: 1 })), { what: 'the new address to be used' });
    expect((await sandbox.commands.run('echo moved')).stdout).toBe('moved\n');
    await waitFor(async () => (await sandbox.status()).address !== address, { what: 'the status to tell the new address' });
  });

  test('a forward to a port survives the router and the Pod', async () => {
    const sandbox = await connectDirectly().create({ pool: 'pool' });
    const serve = async () => {
      const { address } = await sandbox.status();
      const program = 'require("http").createServer((request, response) => response.end(request.headers.host)).listen(9001, process.argv[1])';
      // On its own: a command that was started ends with its connection, and the router is about to be restarted.
      await sandbox.commands.run(['sh', '-c', 'setsid node -e "$0" "$1" >/dev/null 2>&1 </dev/null &', program, address!]);
    };
    await serve();
    await using forward = await sandbox.forward({ port: 9001 });
    const key = new URL(forward.url).searchParams.get('agent-sandbox-key')!;
    let answer = '';
    const ask = async () => (answer = await (await fetch(`http://127.0.0.1:${forward.listenPort}/`, { headers: { 'x-agent-sandbox-key': key } })).text());
    const host = new URL(world.closedUrl).host;
    await waitFor(async () => (await ask()) === host, { what: 'the program to listen', lastSeen: () => answer });
    let asked: Promise<string>;
    await world.restartRouter(async () => {
      asked = ask();
    });
    expect(await asked!).toBe(host);
    await sandbox.suspend();
    expect(await ask()).not.toBe(host);
    await sandbox.resume();
    await serve();
    await waitFor(async () => (await ask()) === host, { what: 'the program to listen again', lastSeen: () => answer });
  });

  describe('without credentials of Kubernetes, by the REST surface of the router', () => {
    const tokenOf = async (account: string) => (
      await world.controlPlane.kubeconfig({ serviceAccount: `${TEAM}/${account}`, token: true, audiences: ['agent-sandbox-router'] })
    ).connection.token!;
    const byRest = async (options: Partial<SandboxClientOptions> = {}) => {
      const client = new SandboxClient({
        restApi: true, namespace: TEAM, connection: SandboxConnection.direct({ url: world.closedUrl }), token: RouterToken.fixed(await tokenOf('agent')), ...options,
      });
      clients.push(client);
      return client;
    };

    test('a sandbox is claimed, used, suspended, resumed, found, adopted and deleted', async () => {
      const client = await byRest();
      expect(await client.self()).toMatchObject({ username: `system:serviceaccount:${TEAM}:agent` });
      const sandbox = await client.create({ pool: 'pool', name: 'by-rest', labels: { by: 'rest' }, lifetime: { until: new Date(Date.now() + 600_000) }, keep: false });
      expect((await sandbox.commands.run('echo over HTTP')).stdout).toBe('over HTTP\n');
      await sandbox.files.write('kept', 'yes');
      expect(await sandbox.status()).toMatchObject({ state: 'Ready' });
      await sandbox.suspend();
      expect(await sandbox.status()).toMatchObject({ state: 'Suspended' });
      expect(await rejection(sandbox.files.read('kept', { maxAttempts: 1 }))).toBeInstanceOf(SandboxRequestError);
      await sandbox.resume();
      expect((await sandbox.files.read('kept')).toString()).toBe('yes');
      expect(await client.list({ labelSelector: 'by=rest' })).toMatchObject([{ claimName: 'by-rest', sandboxName: sandbox.name, pool: 'pool', isReady: true }]);
      expect((await client.get('by-rest')).name).toBe(sandbox.name);
      expect((await client.create({ pool: 'pool', name: 'by-rest', adopt: true })).name).toBe(sandbox.name);
      expect(await rejection(client.create({ pool: 'pool', name: 'by-rest' }))).toBeInstanceOf(SandboxClaimExistsError);
      expect([await client.delete('by-rest'), await client.delete('by-rest')]).toEqual([true, false]);
      expect(await rejection(client.get('by-rest'))).toBeInstanceOf(SandboxNotFoundError);
    });

    test('what fails has the same errors, and leaves nothing', async () => {
      const client = await byRest();
      expect(await rejection(client.create({ pool: 'missing' }))).toBeInstanceOf(SandboxWarmPoolNotFoundError);
      const abort = new AbortController();
      const aborted = rejection(client.create({ template: 'python', signal: abort.signal, onProgress: () => abort.abort(new Error('enough')) }));
      expect((await aborted).message).toBe('enough');
      expect(await rejection(client.create({ pool: 'pool', namespace: 'default' }))).toMatchObject({ name: 'ApiError', situation: 'forbidden' });
      expect(await rejection((await byRest({ token: RouterToken.fixed('worthless') })).list())).toBeInstanceOf(SandboxAccessError);
      expect(await rejection((await byRest({ connection: SandboxConnection.direct({ url: world.openUrl }) })).list())).toBeInstanceOf(SandboxUnsupportedError);
      await waitFor(async () => (await claims()).filter(({ metadata }) => !metadata.deletionTimestamp).length === 0, { what: 'the claims to be gone' });
    });

    test('the command line needs an address and a token', async () => {
      await writeFile(join(world.dir, 'token'), await tokenOf('agent'));
      const { stdout } = await promisify(execFile)(process.execPath, [
        world.commandLine, 'run', '--rest-api', '--url', world.closedUrl, '--token-file', join(world.dir, 'token'), '-n', TEAM, '--pool', 'pool', '--', 'echo', 'no kubeconfig',
      ], { env: { PATH: process.env.PATH!, HOME: '/nonexistent' } });
      expect(stdout).toBe('no kubeconfig\n');
    });

    test('agents work over MCP and HTTP, each with the own token', async () => {
      const service = spawn(process.execPath, [
        world.commandLine, 'mcp', '--http', '127.0.0.1:0', '--rest-api', '--url', world.closedUrl, '-n', TEAM, '--pool', 'pool',
      ], { env: { PATH: process.env.PATH!, HOME: '/nonexistent' }, stdio: ['ignore', 'ignore', 'pipe'] });
      const exit = once(service, 'exit');
      let log = '';
      service.stderr!.on('data', data => (log += data));
      const url = await waitFor(() => /listening at (\S+)/.exec(log)?.[1], { what: 'the service', lastSeen: () => log });
      const attach = async (account: string) => {
        const agentOf = new McpClient({ name: 'test', version: '1' });
        const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { authorization: `Bearer ${await tokenOf(account)}` } } });
        await agentOf.connect(transport);
        const raw = async (name: string, input: object) => await agentOf.callTool({ name, arguments: input as Record<string, unknown> }) as any;
        const call = async (name: string, input: object) => {
          const { content, isError } = await raw(name, input);
          return isError ? content[0].text : JSON.parse(content[0].text);
        };
        return { agentOf, transport, raw, call };
      };
      try {
        const { agentOf, transport, raw, call } = await attach('agent');
        const { claim_name } = await call('create_sandbox', {});
        const png = Buffer.from('iVBORw0KGgo=', 'base64');
        await call('upload_file', { claim_name, path: 'a.png', content: png.toString('base64'), encoding: 'base64' });
        expect((await raw('download_file', { claim_name, path: 'a.png' })).content).toEqual([{ type: 'image', mimeType: 'image/png', data: png.toString('base64') }]);
        await call('upload_file', { claim_name, path: 'bytes', content: 'AP8=', encoding: 'base64' });
        expect(await call('download_file', { claim_name, path: 'bytes' })).toMatchObject({ encoding: 'base64', content: 'AP8=' });
        const seen: unknown[] = [];
        await agentOf.callTool({ name: 'execute_command', arguments: { claim_name, command: 'true' } }, undefined, { onprogress: ({ message }) => seen.push(message) });
        expect(seen).toEqual(['working for 0 s']);
        const { command_id } = await call('start_command', { claim_name, command: ['cat'] });
        await call('write_command', { claim_name, command_id, input: 'typed\n' });
        expect(await call('read_command', { claim_name, command_id, wait: 20 })).toMatchObject({ stdout: 'typed\n', running: true });
        await call('stop_command', { claim_name, command_id });
        expect(await call('read_command', { claim_name, command_id, wait: 20 })).toMatchObject({ running: false, exit_code: 143 });

        // May claim, and may not use: the router says so, whatever the service is asked for.
        const stranger = await attach('stranger');
        const { claim_name: theirs } = await stranger.call('create_sandbox', {});
        expect(await stranger.call('execute_command', { claim_name: theirs, command: 'id' })).toMatch(/403 forbidden/);
        expect(await stranger.call('execute_command', { claim_name, command: 'id' })).toMatch(/this session has no sandbox/);
        expect(await stranger.call('create_sandbox', { namespace: 'default' })).toMatch(/403 Forbidden/);
        await stranger.transport.terminateSession();
        await stranger.agentOf.close();

        await transport.terminateSession();
        await waitFor(async () => (await claims()).filter(({ metadata }) => !metadata.deletionTimestamp).length === 0, { what: 'the end of the sandboxes' });
        await agentOf.close();
        const last = await attach('agent');
        await last.call('create_sandbox', {});
        service.kill('SIGTERM');
        expect((await exit)[0]).toBe(143);
        expect((await claims()).filter(({ metadata }) => !metadata.deletionTimestamp)).toEqual([]);
        await last.agentOf.close();
      } catch (error) {
        throw new Error(`${(error as Error).stack}\n${log}`);
      } finally {
        service.kill('SIGKILL');
      }
    });
  });

  describe('the command line', () => {
    const args = async (...rest: string[]) => {
      const { path } = await world.controlPlane.kubeconfig({ serviceAccount: `${TEAM}/agent` });
      const [command, ...others] = rest;
      return [world.commandLine, command, '--kubeconfig', path, '-n', TEAM, '--service-account', 'agent', ...others];
    };
    const env = () => ({ PATH: process.env.PATH!, HOME: world.dir });
    const left = async () => (await claims()).filter(({ metadata }) => !metadata.deletionTimestamp).map(({ metadata }) => metadata.name);

    test('runs a command in a new sandbox, ends with its exit code, and leaves nothing', async () => {
      const command = await args('run', '--pool', 'pool', '-i', '--', 'sh', '-c', 'cat; echo err >&2; exit 7');
      const result = await new Promise<object>(resolve => {
        const child = execFile(process.execPath, command, { env: env() }, (error, stdout, stderr) => resolve({ code: error?.code, stdout, stderr }));
        child.stdin!.end('piped\n');
      });
      expect(result).toEqual({ code: 7, stdout: 'piped\n', stderr: 'err\n' });
      expect(await left()).toEqual([]);
    });

    test('deletes the new sandbox after Ctrl-C', async () => {
      const child = spawn(process.execPath, await args('run', '--pool', 'pool', '--', 'sh', '-c', 'echo begun; sleep 300'), { env: env(), stdio: ['ignore', 'pipe', 'ignore'] });
      const exit = new Promise(resolve => child.once('exit', resolve));
      await once(child.stdout!, 'data');
      child.kill('SIGINT');
      expect(await exit).toBe(130);
      expect(await left()).toEqual([]);
    });

    test('opens a terminal, and shows how far the sandbox is', async () => {
      const terminal = spawnTerminal(process.execPath, await args('shell', '--pool', 'pool'), { cols: 90, rows: 25, env: env() });
      let output = '';
      terminal.onData(text => (output += text));
      const exit = new Promise<number>(resolve => terminal.onExit(({ exitCode }) => resolve(exitCode)));
      await waitFor(() => /[$#] $/.test(output), { what: 'a prompt', lastSeen: () => output });
      terminal.write('stty size; exit 5\r');
      expect(await exit).toBe(5);
      expect(output).toContain('Sandbox of pool pool: ready');
      // Exactly what the terminal in the sandbox wrote: this one adds no \r to it.
      expect(output).toMatch(/\n25 90\r\n/);
      expect(await left()).toEqual([]);
    });

    test('leaves the screen to programs that use all of it', async () => {
      const terminal = spawnTerminal(process.execPath, await args('shell', '--pool', 'pool', '--', 'sh', '-c', 'stty raw -echo; printf "1\\n2\\033[5;1H3"; head -c 1 | od -An -c'), {
        cols: 90, rows: 25, env: env(),
      });
      let output = '';
      terminal.onData(text => (output += text));
      const exit = new Promise<number>(resolve => terminal.onExit(({ exitCode }) => resolve(exitCode)));
      await waitFor(() => output.includes(';1H3'), { what: 'the screen', lastSeen: () => output });
      expect(output).toContain('1\n2\u001b[5;1H3');
      terminal.write('\u0003');
      expect(await exit).toBe(0);
      expect(output).toContain('003');
    });

    test('copies a directory in and out, through the tunnel', async () => {
      const sandbox = await connect().create({ pool: 'pool' });
      await mkdir(join(world.dir, 'tree', 'sub'), { recursive: true });
      await writeFile(join(world.dir, 'tree', 'sub', 'run.sh'), 'echo copied', { mode: 0o755 });
      await symlink('sub/run.sh', join(world.dir, 'tree', 'link'));
      const copy = async (...rest: string[]) => promisify(execFile)(process.execPath, await args('cp', '-r', ...rest), { env: env() });
      await copy(join(world.dir, 'tree'), `${sandbox.claimName}:`);
      expect((await sandbox.commands.run('tree/link')).stdout).toBe('copied\n');
      await copy(`${sandbox.claimName}:tree`, join(world.dir, 'back'));
      expect([await readlink(join(world.dir, 'back', 'link')), (await stat(join(world.dir, 'back', 'sub', 'run.sh'))).mode & 0o777]).toEqual(['sub/run.sh', 0o755]);
    });

    test('serves agents, and deletes their sandboxes when they hang up', async () => {
      const agentOf = new McpClient({ name: 'test', version: '1' });
      const call = async (name: string, input: object) => {
        const { content, isError } = await agentOf.callTool({ name, arguments: input as Record<string, unknown> }) as any;
        return isError ? content[0].text : JSON.parse(content[0].text);
      };
      await agentOf.connect(new StdioClientTransport({ command: process.execPath, args: await args('mcp', '--pool', 'pool'), env: env(), stderr: 'ignore' }));
      const { claim_name } = await call('create_sandbox', {});
      await call('upload_file', { claim_name, path: 'a.sh', content: 'echo $((6 * 7))' });
      expect(await call('execute_command', { claim_name, command: 'sh a.sh' })).toEqual({ stdout: '42\n', stderr: '', exit_code: 0, timed_out: false });
      expect(await left()).toEqual([claim_name]);
      await agentOf.close();
      await waitFor(async () => (await left()).length === 0, { what: 'the end of the sandbox' });
    });
  });
}, FAKE_NODE_PROGRAMS);
