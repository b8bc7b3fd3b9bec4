import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createMcpServer } from '../src/mcp/server.js';
import { bytes, status } from './fake-sandbox.js';
import { Bench, CLAIMS } from './support.js';

let bench: Bench;
let agent: Client;

beforeEach(async () => {
  bench = await Bench.start();
  const server = createMcpServer(bench.client, { pool: 'python', session: 's1' });
  const [here, there] = InMemoryTransport.createLinkedPair();
  agent = new Client({ name: 'test', version: '1' });
  await Promise.all([server.connect(there), agent.connect(here)]);
});
afterEach(async () => {
  await agent.close();
  await bench[Symbol.asyncDispose]();
});

/** Calls a tool; an error becomes its text. */
async function call(name: string, args: object): Promise<any> {
  const { content, isError } = await agent.callTool({ name, arguments: args as Record<string, unknown> }) as any;
  return isError ? content[0].text : JSON.parse(content[0].text);
}

async function create(): Promise<string> {
  const creating = call('create_sandbox', {});
  await bench.bind();
  return (await creating).claim_name;
}

describe('mcp', () => {
  test('has the tools that agents know from other servers', async () => {
    expect((await agent.listTools()).tools.map(({ name }) => name).sort()).toEqual([
      'create_sandbox', 'delete_sandbox', 'download_file', 'execute_command', 'file_exists', 'list_files', 'read_command', 'start_command', 'stop_command',
      'upload_file', 'write_command',
    ]);
  });

  test('makes sandboxes that carry the session and end by themselves', async () => {
    const name = await create();
    const { metadata, spec } = bench.api.all(CLAIMS).get(`team/${name}`)!;
    expect(metadata.labels).toMatchObject({ 'mcp.k8s-agent-sandbox/session-id': 's1' });
    expect(spec).toMatchObject({ warmPoolRef: { name: 'python' }, lifecycle: { shutdownPolicy: 'Delete' } });
    const left = Date.parse(spec.lifecycle.shutdownTime) - Date.now();
    expect(left).toBeGreaterThan(200_000);
    expect(left).toBeLessThanOrEqual(300_000);
  });

  test('runs commands', async () => {
    const claim_name = await create();
    bench.sandbox.answers = [status(200, { stdout: 'hi\n', stderr: '', exit_code: 3, timed_out: false })];
    expect(await call('execute_command', { claim_name, command: 'echo hi', timeout: 5 })).toEqual({ stdout: 'hi\n', stderr: '', exit_code: 3, timed_out: false });
    expect(JSON.parse(bench.sandbox.arrived[0].body.toString())).toEqual({ command: 'echo hi', timeout_seconds: 5 });
    expect(await call('execute_command', { claim_name, command: 'x', timeout: 601 })).toMatch(/600/);
  });

  test('returns both ends of long output, and says what is missing', async () => {
    const claim_name = await create();
    bench.sandbox.answers = [status(200, { stdout: `begin${'x'.repeat(200_000)}end`, stderr: '', exit_code: 0 })];
    const { stdout, truncated, omitted_bytes } = await call('execute_command', { claim_name, command: 'x' });
    expect([stdout.length < 70_000, stdout.startsWith('begin'), stdout.endsWith('end'), truncated, omitted_bytes]).toEqual([true, true, true, true, 200_008 - 65_536]);
  });

  test('tells callers that ask for it that it still works', async () => {
    const claim_name = await create();
    bench.sandbox.answers = [status(200, { stdout: '', stderr: '', exit_code: 0 })];
    const seen: (string | undefined)[] = [];
    await agent.callTool({ name: 'execute_command', arguments: { claim_name, command: 'x' } }, undefined, { onprogress: ({ message }) => seen.push(message) });
    expect(seen).toEqual(['working for 0 s']);
  });

  test('returns pictures as pictures, and other bytes as base64', async () => {
    const claim_name = await create();
    bench.sandbox.answers = [bytes(Buffer.from('\x89PNG\r\n\x1a\nrest', 'latin1'))];
    const { content } = await agent.callTool({ name: 'download_file', arguments: { claim_name, path: 'a.png' } }) as any;
    expect(content).toEqual([{ type: 'image', mimeType: 'image/png', data: Buffer.from('\x89PNG\r\n\x1a\nrest', 'latin1').toString('base64') }]);
    bench.sandbox.answers = [bytes(Buffer.from([0, 255]))];
    expect(await call('download_file', { claim_name, path: 'a' })).toMatchObject({ encoding: 'base64', content: 'AP8=' });
    bench.sandbox.answers = [bytes(Buffer.from('ü'))];
    expect(await call('download_file', { claim_name, path: 'a' })).toMatchObject({ encoding: 'text', content: 'ü' });
  });

  test('gives every sandbox an end, also when none is wanted', async () => {
    const creating = call('create_sandbox', { shutdown_after_seconds: null });
    const name = await bench.bind();
    await creating;
    expect(Date.parse(bench.api.all(CLAIMS).get(`team/${name}`)!.spec.lifecycle.shutdownTime) - Date.now()).toBeLessThanOrEqual(86_400_000);
  });

  test('moves files, as text and as base64', async () => {
    const claim_name = await create();
    bench.sandbox.answers = [status(200, {})];
    expect(await call('upload_file', { claim_name, path: 'a', content: 'AAEC', encoding: 'base64' })).toEqual({ path: 'a', size: 3 });
    expect(bench.sandbox.arrived[0].body.includes(Buffer.from([13, 10, 13, 10, 0, 1, 2, 13, 10]))).toBe(true);
    expect(await call('upload_file', { claim_name, path: 'a', content: '***', encoding: 'base64' })).toMatch(/content is not base64/);
    bench.sandbox.answers = [bytes(Buffer.from([0, 1, 2]))];
    expect(await call('download_file', { claim_name, path: 'a', encoding: 'base64' })).toEqual({ path: 'a', size: 3, encoding: 'base64', content: 'AAEC' });
  });

  test('lists files up to a limit, and says when there are more', async () => {
    const claim_name = await create();
    bench.sandbox.answers = [status(200, ['a', 'b', 'c'].map(name => ({ name, size: 1, type: 'file', mod_time: 0 })))];
    expect(await call('list_files', { claim_name, max_entries: 2 })).toMatchObject({ total_entries: 3, truncated: true, entries: [{ name: 'a' }, { name: 'b' }] });
    bench.sandbox.answers = [status(200, { exists: true })];
    expect(await call('file_exists', { claim_name, path: 'a' })).toEqual({ path: 'a', exists: true });
  });

  test('runs commands in the background: start, read, write, stop', async () => {
    const claim_name = await create();
    const b64 = (content: string | Buffer) => Buffer.from(content as string).toString('base64');
    let tell: (event: object) => void = () => undefined;
    const received: any[] = [];
    bench.sandbox.onSocket = socket => {
      tell = event => socket.send(JSON.stringify(event));
      socket.on('message', data => {
        const message = JSON.parse(data.toString());
        received.push(message);
        if (message.start) {
          tell({ init: { processId: 7 } });
        } else if (message.input) {
          tell({ stdout: message.input });
        } else if (message.signal) {
          tell({ stderr: b64('bye') });
          tell({ exit: { exitCode: 143 } });
        }
      });
    };
    expect(await call('start_command', { claim_name, command: ['cat', '-'], cwd: 'd' })).toEqual({ command_id: 1 });
    expect(received).toEqual([{ start: { config: { command: ['cat', '-'], cwd: 'd' } } }]);
    expect(await call('read_command', { claim_name, command_id: 1, wait: 0 })).toEqual({ stdout: '', stderr: '', running: true });
    expect(await call('write_command', { claim_name, command_id: 1, input: 'grüße' })).toEqual({ written: 7 });
    expect(await call('read_command', { claim_name, command_id: 1, wait: 20 })).toEqual({ stdout: 'grüße', stderr: '', running: true });
    // The two bytes of a character in two answers.
    tell({ stdout: b64(Buffer.from([0xc3])) });
    expect(await call('read_command', { claim_name, command_id: 1, wait: 20 })).toMatchObject({ stdout: '' });
    tell({ stdout: b64(Buffer.from([0xbc])) });
    expect(await call('read_command', { claim_name, command_id: 1, wait: 20 })).toMatchObject({ stdout: 'ü' });
    expect(await call('stop_command', { claim_name, command_id: 1 })).toEqual({ sent: 'SIGTERM' });
    let news = { stdout: '', stderr: '', running: true } as any;
    let stderr = '';
    while (news.running) {
      news = await call('read_command', { claim_name, command_id: 1, wait: 20 });
      stderr += news.stderr;
    }
    expect([stderr, news.exit_code]).toEqual(['bye', 143]);
    expect(await call('read_command', { claim_name, command_id: 1 })).toMatch(/no command 1 in the background/);
  });

  test('keeps both ends of what a command in the background writes while it is not read, and ends it with its sandbox', async () => {
    const claim_name = await create();
    let isClosed!: Promise<unknown>;
    bench.sandbox.onSocket = socket => {
      isClosed = new Promise(resolve => socket.once('close', resolve));
      socket.once('message', () => {
        socket.send(JSON.stringify({ init: { processId: 1 } }));
        for (const part of [`begin${'x'.repeat(200_000)}`, 'end']) {
          socket.send(JSON.stringify({ stdout: Buffer.from(part).toString('base64') }));
        }
      });
    };
    await call('start_command', { claim_name, command: ['server'] });
    let all = '';
    let omitted = 0;
    while (!all.endsWith('end')) {
      const news = await call('read_command', { claim_name, command_id: 1, wait: 20 });
      all += news.stdout;
      omitted += news.omitted_bytes ?? 0;
    }
    expect([all.startsWith('begin'), omitted > 0]).toEqual([true, true]);
    await call('delete_sandbox', { claim_name });
    await isClosed;
  });

  test.each(['delete_sandbox', 'execute_command', 'list_files'])('%s refuses the sandboxes of others', async tool => {
    bench.api.put(CLAIMS, {
      metadata: { namespace: 'team', name: 'theirs', labels: { 'mcp.k8s-agent-sandbox/session-id': 's2' } }, spec: {}, status: { sandbox: { name: 'x' } },
    });
    expect(await call(tool, { claim_name: 'theirs', command: 'ls' })).toMatch(/this session has no sandbox "theirs"/);
    expect(bench.api.all(CLAIMS).has('team/theirs')).toBe(true);
  });

  test('lists the sandboxes of the session as a resource', async () => {
    const name = await create();
    bench.api.put(CLAIMS, { metadata: { namespace: 'team', name: 'theirs' }, spec: {} });
    const { contents } = await agent.readResource({ uri: 'sandboxes://team' }) as any;
    expect(JSON.parse(contents[0].text).map(({ claimName }: any) => claimName)).toEqual([name]);
  });

  test('deletes a sandbox, which is then unknown', async () => {
    const claim_name = await create();
    expect(await call('delete_sandbox', { claim_name })).toEqual({ deleted: true });
    expect(bench.api.all(CLAIMS).size).toBe(0);
    expect(await call('delete_sandbox', { claim_name })).toMatch(/no sandbox/);
  });
});
