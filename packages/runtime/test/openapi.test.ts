import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { openApiDocument } from '../src/openapi.js';
import { COMMAND_ROUTES, COMMON_ROUTES } from '../src/server.js';
import { Harness, multipart, type Call } from './harness.js';

jest.setTimeout(60_000);

const COMMAND = { config: { command: ['echo', 'hi'] } };
const json = (body: unknown): Call => ({ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

describe('the OpenAPI document', () => {
  let runtime: Harness;
  let document: any;
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, formats: { 'date-time': true } });
  beforeAll(async () => {
    runtime = await Harness.start();
    document = (await runtime.call('/openapi.json')).json;
    await runtime.upload('dir/file', 'hello');
  });
  afterAll(() => runtime.stop());

  test('has the routes that there are, and no others', () => {
    const redirects = ['GET /download', 'GET /list', 'GET /exists'];
    const routes = [...COMMON_ROUTES, ...COMMAND_ROUTES].map(({ method, url }) => `${method} ${url}`).filter(route => !redirects.includes(route));
    const described = Object.entries(document.paths).flatMap(([path, methods]) => Object.keys(methods as object).map(method => `${method.toUpperCase()} ${path.replace('{path}', '')}`));
    expect(described.sort()).toEqual(routes.sort());
  });

  test('of a runtime with an agent has the agent, and neither commands nor files', () => {
    expect(Object.keys((openApiDocument({ computerUse: true }) as any).paths)).toEqual(['/', '/healthz', '/metrics', '/openapi.json', '/agent']);
  });

  type Case = [route: string, target: string, call: Call, status: number];
  test.each<Case>([
    ['/', '/', {}, 200],
    ['/healthz', '/healthz', {}, 200],
    ['/metrics', '/metrics', {}, 200],
    ['/openapi.json', '/openapi.json', {}, 200],
    ['/execute', '/execute', json({ command: 'echo hi', timeout_seconds: 5 }), 200],
    ['/execute', '/execute', json({ command: 5 }), 422],
    ['/upload', '/upload', { method: 'POST', ...multipart([{ field: 'file', filename: 'f', content: 'x' }]) }, 200],
    ['/upload', '/upload', { method: 'POST', ...multipart([{ field: 'file', filename: '../f', content: 'x' }]) }, 403],
    ['/upload', '/upload', { method: 'POST' }, 422],
    ['/upload', '/upload', { method: 'POST', headers: { 'content-type': 'multipart/form-data' }, body: 'x' }, 400],
    ['/upload', '/upload', { method: 'POST', ...multipart([{ field: 'file', filename: 'dir', content: 'x' }]) }, 500],
    ['/download/{path}', '/download/dir/file', {}, 200],
    ['/download/{path}', '/download/dir/file', { headers: { range: 'bytes=0-1,3-4' } }, 206],
    ['/download/{path}', '/download/dir/file', { headers: { range: 'bytes=9-' } }, 416],
    ['/download/{path}', '/download/dir/file', { headers: { range: 'x' } }, 400],
    ['/download/{path}', '/download/nope', {}, 404],
    ['/list/{path}', '/list/dir', {}, 200],
    ['/list/{path}', '/list/nope', {}, 404],
    ['/list/{path}', '/list/..', {}, 403],
    ['/exists/{path}', '/exists/dir', {}, 200],
    ['/v1/files/{path}', '/v1/files/dir', {}, 200],
    ['/v1/files/{path}', '/v1/files/dir/file', {}, 200],
    ['/v1/files/{path}', '/v1/files/dir/file', { method: 'HEAD' }, 200],
    ['/v1/files/{path}', '/v1/files/nope', {}, 404],
    ['/v1/files/{path}', '/v1/files/dir/new', { method: 'PUT', body: 'x' }, 204],
    ['/v1/files/{path}', '/v1/files/?recursive=true', {}, 200],
    ['/v1/files/{path}', '/v1/files/dir?stat=true', {}, 200],
    ['/v1/files/{path}', '/v1/files/dir?archive=tar', {}, 200],
    ['/v1/files/{path}', '/v1/files/dir/new', { method: 'PUT', body: 'x', headers: { 'if-none-match': '*' } }, 412],
    ['/v1/files/{path}', '/v1/files/new?archive=tar', { method: 'PUT', body: Buffer.alloc(1024) }, 200],
    ['/v1/files/{path}', '/v1/files/dir/new?action=copy&destination=copy', { method: 'POST' }, 204],
    ['/v1/files/{path}', '/v1/files/dir/new?action=copy&destination=copy', { method: 'POST' }, 409],
    ['/v1/files/{path}', '/v1/files/dir', { method: 'DELETE' }, 409],
    ['/v1/files/{path}', '/v1/files/dir/new', { method: 'DELETE' }, 204],
    ['/v1/health', '/v1/health', {}, 200],
    ['/v1/metadata', '/v1/metadata', {}, 200],
    ['/process.v1.ProcessService/Execute', '/process.v1.ProcessService/Execute', json(COMMAND), 200],
    ['/process.v1.ProcessService/Execute', '/process.v1.ProcessService/Execute', json({}), 400],
    ['/process.v1.ProcessService/Start', '/process.v1.ProcessService/Start', json(COMMAND), 200],
    ['/process.v1.ProcessService/WriteStdin', '/process.v1.ProcessService/WriteStdin', json({ processId: 9999, eof: {} }), 404],
    ['/process.v1.ProcessService/SendSignal', '/process.v1.ProcessService/SendSignal', json({ processId: 9999, signal: 2 }), 404],
    ['/process.v1.ProcessService/ResizeTTY', '/process.v1.ProcessService/ResizeTTY', json({ processId: 9999, cols: 1, rows: 1 }), 400],
  ])('describes %s, called as %s %j: %i', async (route, target, call, status) => {
    const answer = await runtime.call(target, call);
    expect(answer.status).toBe(status);
    const operation = document.paths[route][(call.method ?? 'GET').toLowerCase()];
    const described = operation.responses[status];
    expect(described).toBeDefined();
    const type = answer.headers['content-type']?.split(';')[0];
    expect(Object.keys(described.content ?? {})).toEqual(type === undefined || call.method === 'HEAD' ? [] : expect.arrayContaining([type]));
    const schema = type === undefined || call.method === 'HEAD' ? undefined : described.content[type].schema;
    if (schema !== undefined) {
      const validate = ajv.compile(schema);
      const bodies = type === 'application/x-ndjson' ? answer.text.trim().split('\n').map(line => JSON.parse(line)) : [answer.json];
      bodies.forEach(each => {
        validate(each);
        expect(validate.errors ?? []).toEqual([]);
      });
    }
  });

  test('describes requests as they are taken', () => {
    const schemaOf = (path: string) => ajv.compile(document.paths[path].post.requestBody.content['application/json'].schema);
    const start = schemaOf('/process.v1.ProcessService/Start');
    expect([COMMAND, { ...COMMAND, pty: { cols: 80, rows: 24 } }, { config: { command: [] } }, {}].map(each => start(each))).toEqual([true, true, false, false]);
    const signal = schemaOf('/process.v1.ProcessService/SendSignal');
    expect([{ processId: 1, signal: 'SIGNAL_SIGINT' }, { processId: 1, signal: 2 }, { processId: 1, signal: 'SIGHUP' }].map(each => signal(each))).toEqual([true, true, false]);
  });
});
