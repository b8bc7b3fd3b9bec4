import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type IncomingMessage, type Server, createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { waitFor } from '../../../testbed/src/index.js';
import { freePort } from '../../../testbed/src/ports.js';
import { SandboxClient } from '../src/client.js';
import { SandboxConnection } from '../src/connection/index.js';
import { McpHttpServer, type McpHttpOptions, listenAddress } from '../src/mcp/http.js';
import { CommandLine, ended } from './command-line.js';

/** Users by token, as the router knows them. */
const USERS: Readonly<Record<string, { username: string; uid?: string }>> = {
  'alice-1': { username: 'alice', uid: '1' }, 'alice-2': { username: 'alice', uid: '1' }, 'later-alice': { username: 'alice', uid: '2' }, 'bob-1': { username: 'bob' },
};

/** A router with a REST surface, and whom it was asked for. */
class FakeRouter {
  public readonly seen: string[] = [];
  public readonly sandboxes = new Map<string, string>();
  public expiresAt: string | undefined;
  public readonly server: Server = createServer((request, response) => void this.answer(request).then(({ status, body }) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(body === undefined ? undefined : JSON.stringify(body));
  }));

  public get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  private async answer(request: IncomingMessage): Promise<{ status: number; body?: object }> {
    const text = Buffer.concat(await request.toArray()).toString();
    const token = request.headers.authorization?.slice('Bearer '.length) ?? '';
    const user = USERS[token];
    const { pathname } = new URL(request.url!, 'http://router');
    this.seen.push(`${token} ${request.method} ${pathname} ${request.headers['x-forwarded-for']}`);
    if (user === undefined) {
      return { status: 401, body: { type: 'about:blank', title: 'Unauthorized', status: 401, detail: 'unauthenticated', reason: 'Unauthorized' } };
    }
    if (pathname === '/process.v1.ProcessService/Start') {
      return { status: 404, body: { detail: 'Not Found' } };
    }
    if (request.headers['x-sandbox-id'] !== undefined) {
      return { status: 200, body: { stdout: `${token}\n`, stderr: '', exit_code: 0 } };
    }
    if (pathname === '/v1/self') {
      return { status: 200, body: { ...user, expiresAt: this.expiresAt } };
    }
    if (request.method === 'POST') {
      const { name, pool } = JSON.parse(text);
      this.sandboxes.set(name, user.username);
      return {
        status: 201,
        body: { name, namespace: 'team', uid: 'u', state: 'Ready', reason: 'DependenciesReady', message: '', sandboxName: 'box', pool, labels: {}, createdAt: '2026-01-01T00:00:00Z' },
      };
    }
    this.sandboxes.delete(pathname.split('/').at(-1)!);
    return { status: 204 };
  }
}

let router: FakeRouter;
let mcp: McpHttpServer;
const messages: string[] = [];

async function start(options: Partial<McpHttpOptions> = {}): Promise<McpHttpServer> {
  const server = new McpHttpServer({
    host: '127.0.0.1', port: 0, pool: 'python', allowedHosts: ['mcp.example.com'], allowedOrigins: ['https://app.example.com'], log: message => void messages.push(message),
    client: (token, address) => new SandboxClient({
      restApi: true, namespace: 'team', token, headers: { 'x-forwarded-for': address }, connection: SandboxConnection.direct({ url: router.url }), deleteOnExit: false,
    }),
    ...options,
  });
  await server.listen();
  return server;
}

beforeEach(async () => {
  messages.length = 0;
  router = new FakeRouter();
  router.server.listen(0, '127.0.0.1');
  await once(router.server, 'listening');
  mcp = await start();
});
afterEach(async () => {
  await mcp.close();
  router.server.closeAllConnections();
  router.server.close();
});

const agents: Client[] = [];
async function connect(token: string, url: string = mcp.url): Promise<{ agent: Client; transport: StreamableHTTPClientTransport; headers: Record<string, string> }> {
  const headers = { authorization: `Bearer ${token}` };
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
  const agent = new Client({ name: 'test', version: '1' });
  await agent.connect(transport);
  agents.push(agent);
  return { agent, transport, headers };
}
afterEach(async () => {
  await Promise.all(agents.splice(0).map(agent => agent.close()));
});

async function call(agent: Client, name: string, input: object): Promise<any> {
  const { content, isError } = await agent.callTool({ name, arguments: input as Record<string, unknown> }) as any;
  return isError ? content[0].text : JSON.parse(content[0].text);
}

const INITIALIZE = {
  jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
};

interface Sent {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}
/** A request with headers that `fetch` does not let one choose. */
function send(headers: Record<string, string>, body: unknown = INITIALIZE, { method = 'POST', path = '/mcp', url = mcp.url } = {}): Promise<Sent> {
  return new Promise((resolve, reject) => {
    const { port } = new URL(url);
    const text = body === null ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    const sent = httpRequest({
      host: '127.0.0.1', port, path, method,
      headers: { 'content-type': 'application/json', 'accept': 'application/json, text/event-stream', 'host': `127.0.0.1:${port}`, ...headers },
    }, response => {
      let answer = '';
      response.on('error', reject).on('data', chunk => (answer += chunk)).on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text: answer }));
    }).on('error', reject);
    sent.end(text);
  });
}
const ALICE = { authorization: 'Bearer alice-1' };

describe('MCP over HTTP', () => {
  test('serves the tools to the client of the SDK, with the token of the caller and no other', async () => {
    const { agent } = await connect('alice-1');
    expect((await agent.listTools()).tools.map(({ name }) => name)).toContain('start_command');
    const { claim_name } = await call(agent, 'create_sandbox', {});
    expect(await call(agent, 'execute_command', { claim_name, command: 'x' })).toMatchObject({ stdout: 'alice-1\n', exit_code: 0 });
    expect([...router.sandboxes.values()]).toEqual(['alice']);
    expect(router.seen.every(line => line.startsWith('alice-1 ') && line.endsWith(' 127.0.0.1'))).toBe(true);
  });

  test('reports progress, as events', async () => {
    const { agent } = await connect('alice-1');
    const { claim_name } = await call(agent, 'create_sandbox', {});
    const seen: (string | undefined)[] = [];
    await agent.callTool({ name: 'execute_command', arguments: { claim_name, command: 'x' } }, undefined, { onprogress: ({ message }) => seen.push(message) });
    expect(seen).toEqual(['working for 0 s']);
  });

  test('ends a session with its sandboxes', async () => {
    const { agent, transport } = await connect('alice-1');
    await call(agent, 'create_sandbox', {});
    expect(router.sandboxes.size).toBe(1);
    const { sessionId } = transport;
    await transport.terminateSession();
    await waitFor(() => router.sandboxes.size === 0, { what: 'the end of the sandbox' });
    expect(await send({ ...ALICE, 'mcp-session-id': sessionId! }, { jsonrpc: '2.0', id: 2, method: 'tools/list' })).toMatchObject({ status: 404 });
  });

  test('ends a session that is not used, and all of them when it ends itself', async () => {
    const short = await start({ idleMs: 50 });
    const idle = await send(ALICE, INITIALIZE, { url: short.url });
    const id = idle.headers['mcp-session-id'] as string;
    expect(idle.status).toBe(200);
    await waitFor(async () => (await send({ ...ALICE, 'mcp-session-id': id, 'mcp-protocol-version': '2025-06-18' }, { jsonrpc: '2.0', id: 2, method: 'nothing' }, { url: short.url })).status === 404, {
      what: 'the end of the session', intervalMs: 200,
    });
    await short.close();
    const { agent } = await connect('alice-1');
    await call(agent, 'create_sandbox', {});
    await mcp.close();
    expect(router.sandboxes.size).toBe(0);
  });

  test('goes on with a renewed token of the same user', async () => {
    const { agent, headers } = await connect('alice-1');
    const { claim_name } = await call(agent, 'create_sandbox', {});
    headers.authorization = 'Bearer alice-2';
    expect(await call(agent, 'execute_command', { claim_name, command: 'x' })).toMatchObject({ stdout: 'alice-2\n' });
  });

  test.each(['bob-1', 'later-alice'])('a session is nothing to another user (%s), who does not even learn that it is there', async token => {
    const { agent, transport } = await connect('alice-1');
    const { claim_name } = await call(agent, 'create_sandbox', {});
    const tool = { jsonrpc: '2.0', id: 9, method: 'tools/call', params: { name: 'execute_command', arguments: { claim_name, command: 'x' } } };
    const as = { 'authorization': `Bearer ${token}`, 'mcp-session-id': transport.sessionId!, 'mcp-protocol-version': '2025-06-18' };
    const theirs = await send(as, tool);
    const none = await send({ ...as, 'mcp-session-id': '00000000-0000-4000-8000-000000000000' }, tool);
    expect([theirs.status, theirs.text]).toEqual([404, none.text]);
    expect((await send(as, null, { method: 'DELETE' })).status).toBe(404);
    expect((await send(as, null, { method: 'GET' })).status).toBe(404);
    expect(router.sandboxes.size).toBe(1);
  });

  test.each<[string, Record<string, string>, number]>([
    ['no token', {}, 401],
    ['a worthless token', { authorization: 'Bearer worthless' }, 401],
    ['a password', { authorization: 'Basic YWxpY2U6YWxpY2U=' }, 401],
    ['a token with a blank', { authorization: 'Bearer alice-1 x' }, 401],
    ['a cookie', { cookie: 'token=alice-1' }, 401],
    ['a page of another origin', { ...ALICE, origin: 'https://evil.example' }, 403],
    ['a page of no origin', { ...ALICE, origin: 'null' }, 403],
    ['a page of the own address that is not allowed', { ...ALICE, origin: 'http://localhost:1' }, 403],
    ['a name that leads here by rebinding', { ...ALICE, host: 'evil.example' }, 403],
    ['a name that begins as an allowed one', { ...ALICE, host: 'mcp.example.com.evil.example' }, 403],
    ['localhost with another port', { ...ALICE, host: 'localhost:1' }, 403],
    ['an allowed host', { ...ALICE, host: 'mcp.example.com' }, 200],
    ['an allowed host with a port', { ...ALICE, host: 'MCP.example.com:443' }, 200],
    ['an allowed origin', { ...ALICE, origin: 'https://app.example.com' }, 200],
    ['a form', { ...ALICE, 'content-type': 'text/plain' }, 415],
    ['a client that takes no events', { ...ALICE, accept: 'text/html' }, 406],
  ])('%s: %j gets %s', async (_, headers, status) => {
    const { status: got, headers: answer } = await send(headers);
    expect(got).toBe(status);
    expect(answer['www-authenticate']).toBe(status === 401 ? 'Bearer' : undefined);
    expect(answer['access-control-allow-origin']).toBeUndefined();
  });

  test.each<[string, unknown, object, number]>([
    ['another path', INITIALIZE, { path: '/' }, 404],
    ['a path with dots', INITIALIZE, { path: '/mcp/../v1/self' }, 404],
    ['another method', null, { method: 'PUT' }, 405],
    ['no session', { jsonrpc: '2.0', id: 1, method: 'tools/list' }, {}, 400],
    ['no JSON', '{', {}, 400],
    ['a request of 17 MiB', `"${'x'.repeat(17 * 1024 * 1024)}"`, {}, 413],
  ])('%s is refused', async (_, body, options, status) => {
    expect((await send(ALICE, body, options)).status).toBe(status);
    // What did not become a session leaves nothing.
    expect(mcp['sessions'].size).toBe(0);
  });

  test('one user has at most 16 sessions', async () => {
    const ids = new Set<unknown>();
    for (let i = 0; i < 16; i++) {
      ids.add((await send(ALICE)).headers['mcp-session-id']);
    }
    expect(ids.size).toBe(16);
    expect(await send(ALICE)).toMatchObject({ status: 429, headers: { 'retry-after': '60' } });
    expect((await send({ authorization: 'Bearer bob-1' })).status).toBe(200);
  });

  test('a stream of events ends with its token', async () => {
    router.expiresAt = new Date(Date.now() + 1_500).toISOString();
    const { headers } = await send(ALICE);
    const ended = await send({ ...ALICE, 'mcp-session-id': headers['mcp-session-id'] as string, 'mcp-protocol-version': '2025-06-18' }, null, { method: 'GET' })
      .then(({ status }) => status, error => (error as Error).message);
    expect(ended).toBe('aborted');
  });

  test('says nothing of tokens in its messages', async () => {
    await connect('alice-1');
    router.server.closeAllConnections();
    router.server.close();
    mcp['identities'].clear();
    await send(ALICE);
    expect(messages.join('\n')).not.toContain('alice-1');
  });

  test('listens where tokens cannot be read, unless a flag allows that', () => {
    expect(listenAddress('127.0.0.1:8090', false)).toEqual({ host: '127.0.0.1', port: 8090 });
    expect(listenAddress('[::1]:0', false)).toEqual({ host: '::1', port: 0 });
    expect(() => listenAddress(':8090', false)).toThrow(/where tokens can be read on their way: listen on 127.0.0.1, or give --allow-http-tokens/);
    expect(() => listenAddress('0.0.0.0:8090', false)).toThrow(/--allow-http-tokens/);
    expect(listenAddress(':8090', true)).toEqual({ host: '::', port: 8090 });
    expect(() => listenAddress('8090', true)).toThrow(/give host:port/);
  });
});

test('the Deployment of the example runs, and answers its probes and an agent at its host', async () => {
  const manifests = await readFile(fileURLToPath(new URL('../../../examples/mcp-service/manifests/mcp-service.k8s.yaml', import.meta.url)), 'utf8');
  const { spec } = parseAllDocuments(manifests).map(document => document.toJS()).find(({ kind }) => kind === 'Deployment');
  const [{ args, readinessProbe, ports }] = spec.template.spec.containers;
  const port = await freePort();
  const replaced = new Map<string, string>([[`--http=:${ports[0].containerPort}`, `--http=:${port}`], ['--url', `--url=${router.url}`], ['--ca-file', '']]);
  const own = (args as string[]).map(arg => replaced.get(arg) ?? replaced.get(arg.split('=')[0]!) ?? arg).filter(arg => arg !== '');
  expect(own.filter((arg, i) => arg !== args[i])).not.toEqual([]);
  await using commandLine = await CommandLine.build();
  const child = commandLine.run(own);
  const end = ended(child);
  const url = `http://127.0.0.1:${port}/mcp`;
  await waitFor(() => fetch(new URL(readinessProbe.httpGet.path, url)).then(({ status }) => status === 200, () => false), { what: 'the probe', timeoutMs: 30_000 });
  expect((await send({ authorization: 'Bearer alice-1', host: 'mcp.example.com' }, INITIALIZE, { url })).status).toBe(200);
  expect((await send({ authorization: 'Bearer alice-1', host: 'other.example.com' }, INITIALIZE, { url })).status).toBe(403);
  child.kill('SIGTERM');
  expect((await end).err).toContain('listening at');
}, 120_000);
