import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import WebSocket from 'ws';
import { TokenFile } from '../src/http/token.js';
import { ProcessService } from '../src/proto/process/v1/process_pb.js';
import { Harness } from './harness.js';

jest.setTimeout(60_000);

describe('a runtime with a token', () => {
  let folder: string;
  let file: string;
  let runtime: Harness;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'token-'));
    file = join(folder, 'token');
    await writeFile(file, 'right\n');
    runtime = await Harness.start({ token: new TokenFile(file) });
  });
  afterAll(async () => {
    await runtime.stop();
    await rm(folder, { recursive: true });
  });

  test.each(['/', '/healthz', '/v1/health'])('tells %s to anyone, for probes', async path => {
    expect((await runtime.call(path)).status).toBe(200);
  });

  test.each<[string, { [name: string]: string }, number]>([
    ['no token', {}, 401],
    ['another token', { authorization: 'Bearer wrong' }, 401],
    ['a longer token', { authorization: 'Bearer right2' }, 401],
    ['another scheme', { authorization: 'Basic right' }, 401],
    ['an empty token', { authorization: 'Bearer ' }, 401],
    ['a wrong token beside the right one', { 'authorization': 'Bearer right', 'x-runtime-token': 'wrong' }, 401],
    ['the token', { authorization: 'Bearer right' }, 200],
    ['the token in other letters of the scheme', { authorization: 'bearer right' }, 200],
    ['the token in the header for routers', { 'authorization': 'Bearer of-the-router', 'x-runtime-token': 'right' }, 200],
  ])('answers %s with %i', async (_, headers, status) => {
    expect((await runtime.call('/metrics', { headers })).status).toBe(status);
    expect((await runtime.call('/v1/files/', { headers })).status).toBe(status);
    expect((await runtime.call('//v1/health/../files/', { headers })).status).toBe(status === 200 ? 404 : 401);
    expect((await runtime.postJson('/execute', { command: 'true' }, headers)).status).toBe(status);
  });

  test('wants it for gRPC and WebSockets, too', async () => {
    const client = createClient(ProcessService, createGrpcTransport({ baseUrl: `http://127.0.0.1:${runtime.port}` }));
    const run = (headers: { [name: string]: string }) => client.execute({ config: { command: ['true'] } }, { headers }).then(() => 'ok', (error: unknown) => [Code[ConnectError.from(error).code], ConnectError.from(error).rawMessage]);
    expect([await run({}), await run({ authorization: 'Bearer right' })])
      .toEqual([['Unauthenticated', 'this runtime wants a token (Authorization: Bearer, or X-Runtime-Token)'], 'ok']);
    const status = await new Promise(resolve => {
      const socket = new WebSocket(`ws://127.0.0.1:${runtime.port}/process.v1.ProcessService/Start`);
      socket.on('unexpected-response', (_request, response) => resolve(response.statusCode)).on('error', () => undefined).on('open', () => resolve('open'));
    });
    expect(status).toBe(401);
  });

  test('reads it again when the file changes, and refuses all while there is none', async () => {
    const status = async (token: string) => (await runtime.call('/metrics', { headers: { authorization: `Bearer ${token}` } })).status;
    await writeFile(`${file}.new`, 'rotated');
    await rename(`${file}.new`, file);
    expect([await status('right'), await status('rotated')]).toEqual([401, 200]);
    await rm(file);
    expect([await status('rotated'), await status('')]).toEqual([401, 401]);
    await writeFile(file, 'back');
    expect(await status('back')).toBe(200);
  });

  test('does not start with an empty file', async () => {
    await writeFile(join(folder, 'empty'), ' \n');
    expect(() => new TokenFile(join(folder, 'empty'))).toThrow(/--auth-token-file is '.*empty', which is empty/);
  });
});
