import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { RouterToken, type TokenTarget } from '../src/tokens.js';
import { status } from './fake-sandbox.js';
import { Bench, rejection, withSandbox } from './support.js';

const TARGET: TokenTarget = { namespace: 'team', name: 's', uid: async () => 'u' };
const never = () => {
  throw new Error('no cluster is needed');
};
const signal = new AbortController().signal;

describe('RouterToken', () => {
  test('fixed gives the token, and knows one for a single sandbox by its shape', async () => {
    expect(RouterToken.fixed('secret').token(TARGET, never, signal)).toBe('secret');
    expect([RouterToken.fixed('secret'), RouterToken.fixed('v2.a.b'), RouterToken.fixed('v1.a.b'), RouterToken.fixed('v3.a.b')].map(({ isScoped }) => isScoped))
      .toEqual([false, true, true, false]);
  });

  test.each(['', 'Bearer x', 'a\nb'])('refuses %j without showing it', token => {
    expect(() => RouterToken.fixed(token)).toThrow(/^the token is empty or has characters that no token has: give the token itself/);
  });

  test('fromFile reads the file, and again when the router refuses', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'token-'));
    try {
      const file = join(dir, 'token');
      await writeFile(file, 'one\n');
      const provider = RouterToken.fromFile(file);
      expect(await provider.token(TARGET, never, signal)).toBe('one');
      await writeFile(file, 'two\n');
      expect(await provider.token(TARGET, never, signal)).toBe('one');
      provider.reject('one');
      expect(await provider.token(TARGET, never, signal)).toBe('two');
    } finally {
      await rm(dir, { recursive: true });
    }
    expect((await rejection(RouterToken.fromFile(join(dir, 'token')).token(TARGET, never, signal) as Promise<string>)).message).toMatch(/token file cannot be read/);
  });

  test('fromServiceAccount asks the API server once, for the audience of the router, and again after a 401', async () => {
    await using bench = await Bench.start({ token: RouterToken.fromServiceAccount({ name: 'agent' }) });
    const path = '/api/v1/namespaces/team/serviceaccounts/agent/token';
    let issued = 0;
    const answer = (bench.api as any).answer.bind(bench.api);
    (bench.api as any).answer = (request: any, response: any) => {
      if (request.path !== path) {
        return answer(request, response);
      }
      const body = { status: { token: `t${++issued}`, expirationTimestamp: new Date(Date.now() + 3_600_000).toISOString() } };
      response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    const creating = bench.client.create({ pool: 'python' });
    await bench.bind();
    const sandbox = await creating;
    bench.sandbox.answers = [status(200, [])];
    await Promise.all([sandbox.files.list(), sandbox.files.list()]);
    bench.sandbox.answers = [status(401, { detail: 'unauthenticated' }), status(200, { exit_code: 0 })];
    await sandbox.commands.run('ls');
    expect(bench.sandbox.arrived.map(({ headers }) => headers.authorization)).toEqual(['Bearer t1', 'Bearer t1', 'Bearer t1', 'Bearer t2']);
    expect(bench.api.requests.filter(request => request.path === path).map(({ body }) => body.spec))
      .toEqual([{ audiences: ['agent-sandbox-router'], expirationSeconds: 3600 }, { audiences: ['agent-sandbox-router'], expirationSeconds: 3600 }]);
  });

  test('a token that the router refuses twice is an error that does not show it', async () => {
    const { bench: _bench, sandbox } = await withSandbox({ token: RouterToken.fixed('secret') });
    await using bench = _bench;
    bench.sandbox.answers = [status(401, { detail: 'unauthenticated' })];
    const error = await rejection(sandbox.commands.run('ls'));
    expect(error).toMatchObject({ name: 'SandboxAccessError', statusCode: 401 });
    expect(error.message).not.toContain('secret');
    expect(bench.sandbox.arrived).toHaveLength(2);
  });

  test('scoped asks once for each sandbox, from asks before each request', async () => {
    const asked: string[] = [];
    const provider = RouterToken.scoped(({ name }) => {
      asked.push(name);
      return `token-${name}`;
    });
    for (const name of ['a', 'b', 'a']) {
      expect(await provider.token({ ...TARGET, name }, never, signal)).toBe(`token-${name}`);
    }
    expect(asked).toEqual(['a', 'b']);
    let count = 0;
    const own = RouterToken.from(() => `t${++count}`);
    expect([await own.token(TARGET, never, signal), await own.token(TARGET, never, signal)]).toEqual(['t1', 't2']);
  });

  test('a caller who gives up does not keep others from the token that is under way', async () => {
    let finish!: (token: string) => void;
    const provider = RouterToken.scoped(() => new Promise(resolve => finish = resolve));
    const controller = new AbortController();
    const first = rejection(provider.token(TARGET, never, controller.signal) as Promise<string>);
    const second = provider.token(TARGET, never, signal);
    controller.abort(new Error('enough'));
    expect((await first).message).toBe('enough');
    finish('token');
    expect(await second).toBe('token');
  });
});
