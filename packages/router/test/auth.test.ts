import { createHmac } from 'node:crypto';
import { mkdtempSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { jest } from '@jest/globals';
import { definedOnly } from 'agent-sandbox-api';
import { FlagError } from 'agent-sandbox-program';
import { mintScopedToken, readKey, verifyScopedToken } from '../src/auth/scoped-token.js';
import { mint } from '../src/mint.js';
import { FakeCluster, ask, eventually, startBackend, startRouter, type Backend, type Running } from './support.js';

jest.setTimeout(60_000);

const KEY = 'k'.repeat(32);
const OTHER_KEY = 'o'.repeat(40);
const folder = mkdtempSync(join(tmpdir(), 'router-auth-'));
const file = (name: string, content: string) => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const now = () => Math.floor(Date.now() / 1000);

let cluster: FakeCluster;
let backend: Backend;
let uid: string;
let otherUid: string;
const routers: Running[] = [];

beforeAll(async () => {
  backend = await startBackend();
  cluster = await FakeCluster.start();
  uid = cluster.sandbox('box', { ports: [backend.port] });
  otherUid = cluster.sandbox('other', { ports: [backend.port] });
});
afterAll(async () => {
  for (const router of routers) {
    await router.close(0);
  }
  await backend.close();
  await cluster.api.stop();
});
beforeEach(() => {
  cluster.reviews.length = 0;
  cluster.users.clear();
  cluster.grants.clear();
  cluster.reviewsFail = false;
});

const start = async (...args: string[]) => {
  const router = await startRouter(cluster, args);
  routers.push(router);
  return router;
};
const as = (router: Running, token: string | undefined, more: Record<string, string> = {}) => ask(router.url, {
  headers: { 'x-sandbox-id': 'box', 'x-sandbox-port': String(backend.port), ...definedOnly({ authorization: token === undefined ? undefined : `Bearer ${token}` }), ...more },
});

describe('a static token', () => {
  test('opens everything; anything else is refused in the words of the first router', async () => {
    const router = await start('--authz-mode=static-token', `--authz-static-token-file=${file('static', ' secret\n')}`);
    expect((await as(router, 'secret')).status).toBe(200);
    expect((await as(router, undefined, { authorization: 'bEARER   secret  ' })).status).toBe(200);
    expect(await as(router, undefined)).toMatchObject({ status: 401, detail: 'Missing or invalid Authorization header.' });
    for (const authorization of ['Basic secret', 'Bearer', 'Bearer secret x', 'secret']) {
      expect(await as(router, undefined, { authorization })).toMatchObject({ status: 401, detail: 'Missing or invalid Authorization header.' });
    }
    for (const token of ['Secret', 'secre', 'secrets', 'x']) {
      expect(await as(router, token)).toMatchObject({ status: 401, detail: 'Invalid token.' });
    }
    expect((await ask(`${router.url}/healthz`)).status).toBe(200);
    expect(backend.got.every(({ headers }) => headers.authorization === undefined)).toBe(true);
    expect(JSON.stringify([router.log, router.accessLog])).not.toContain('secret');
  });

  test('changes when its file does', async () => {
    const path = file('rotating', 'first');
    const router = await start('--authz-mode=static-token', `--authz-static-token-file=${path}`);
    expect((await as(router, 'first')).status).toBe(200);
    writeFileSync(path, '  ');
    await eventually('the complaint', () => router.log.find(line => line.includes('are invalid')));
    expect((await as(router, 'first')).status).toBe(200);
    renameSync(file('next', 'second'), path);
    await eventually('the new token', async () => (await as(router, 'second')).status === 200);
    expect((await as(router, 'first')).status).toBe(401);
  });

  test('a Secret that the kubelet swaps is read again', async () => {
    const mount = mkdtempSync(join(tmpdir(), 'router-mount-'));
    const data = (name: string, token: string) => {
      const dir = mkdtempSync(join(mount, `..${name}`));
      writeFileSync(join(dir, 'token'), token);
      return dir;
    };
    symlinkSync(data('one', 'first'), join(mount, '..data'));
    symlinkSync(join('..data', 'token'), join(mount, 'token'));
    const router = await start('--authz-mode=static-token', `--authz-static-token-file=${join(mount, 'token')}`);
    expect((await as(router, 'first')).status).toBe(200);
    symlinkSync(data('two', 'second'), join(mount, '..data_tmp'));
    renameSync(join(mount, '..data_tmp'), join(mount, '..data'));
    await eventually('the new token', async () => (await as(router, 'second')).status === 200);
  });

  test('an invalid file ends the start', async () => {
    await expect(start('--authz-mode=static-token', `--authz-static-token-file=${file('empty', '\n')}`)).rejects.toThrow('is empty or has white space');
    await expect(start('--authz-mode=scoped-token', `--authz-scoped-token-secret-file=${file('short', 'short')}`)).rejects.toThrow('write at least 32');
    await expect(start('--authz-mode=static-token', `--authz-static-token-file=${join(folder, 'missing')}`)).rejects.toThrow('ENOENT');
  });
});

describe('scoped tokens', () => {
  const scoped = (claims: Partial<Parameters<typeof mintScopedToken>[1]> = {}, key = KEY) => mintScopedToken(Buffer.from(key), { namespace: 'default', name: 'box', uid, exp: now() + 60, ...claims });
  const v1 = (claims: object) => {
    const payload = Buffer.from(JSON.stringify(claims)).toString('base64url');
    return `v1.${payload}.${createHmac('sha256', KEY).update(`agent-sandbox/scoped-token/v1.${payload}`).digest('base64url')}`;
  };
  let router: Running;
  beforeAll(async () => {
    router = await start('--authz-mode=scoped-token', `--authz-scoped-token-secret-file=${file('key', `${KEY}\n`)}`, '--authz-failure-rate-limit=0');
  });

  test('open their own Sandbox, also with an address and a UID that are right', async () => {
    expect((await as(router, scoped())).status).toBe(200);
    expect((await as(router, scoped(), { 'x-sandbox-pod-ip': '127.0.0.1', 'x-sandbox-uid': uid })).status).toBe(200);
  });

  test.each([
    ['of another name', () => ({ name: 'other', uid: otherUid })], ['of another namespace', () => ({ namespace: 'else' })], ['of an earlier Sandbox of that name', () => ({ uid: 'gone' })],
  ])('%s are forbidden', async (_, claims) => {
    expect(await as(router, scoped(claims()))).toMatchObject({ status: 403, detail: 'forbidden' });
  });

  test.each([
    ['wrong key', () => scoped({}, OTHER_KEY)], ['expired', () => scoped({ exp: now() - 1 })], ['expiring now', () => scoped({ exp: now() })], ['malformed', () => 'v2.x'], ['unversioned', () => scoped().slice(3)],
    ['another version', () => scoped().replace('v2.', 'v3.')], ['version 1', () => v1({ ns: 'default', name: 'box', exp: now() + 60 })], ['version 1 made version 2', () => v1({ ns: 'default', name: 'box', uid, exp: now() + 60 }).replace('v1.', 'v2.')],
    ['a part too many', () => `${scoped()}.x`], ['padded', () => `${scoped()}=`], ['signature cut', () => scoped().slice(0, -1)],
  ])('%s is worthless', async (_, token) => {
    expect(await as(router, token())).toMatchObject({ status: 401, detail: 'unauthenticated' });
  });

  test('a wrong address or UID beside a good token is forbidden', async () => {
    expect(await as(router, scoped(), { 'x-sandbox-pod-ip': '10.0.0.9' })).toMatchObject({ status: 403 });
    expect(await as(router, scoped(), { 'x-sandbox-uid': otherUid })).toMatchObject({ status: 403 });
  });

  test('version 1 counts when the flag says so, and then for every Sandbox of that name', async () => {
    const old = await start('--authz-mode=scoped-token', `--authz-scoped-token-secret-file=${file('key-v1', KEY)}`, '--authz-scoped-token-allow-v1');
    expect((await as(old, v1({ ns: 'default', name: 'box', exp: now() + 60 }))).status).toBe(200);
    expect((await as(old, v1({ ns: 'default', name: 'other', exp: now() + 60 }))).status).toBe(403);
    expect((await as(old, scoped())).status).toBe(200);
  });

  test('keys rotate: the new one is added, the old one taken away', async () => {
    const [first, second] = [file('key-a', KEY), file('key-b', OTHER_KEY)];
    const rotating = await start('--authz-mode=scoped-token', `--authz-scoped-token-secret-file=${first},${second}`, '--authz-failure-rate-limit=0');
    expect((await as(rotating, scoped())).status).toBe(200);
    expect((await as(rotating, scoped({}, OTHER_KEY))).status).toBe(200);
    writeFileSync(first, 'n'.repeat(32));
    await eventually('the new key', async () => (await as(rotating, scoped({}, 'n'.repeat(32)))).status === 200);
    expect((await as(rotating, scoped())).status).toBe(401);
    expect((await as(rotating, scoped({}, OTHER_KEY))).status).toBe(200);
  });

  test('the command prints one', async () => {
    const key = file('key-mint', KEY);
    let text = '';
    await mint([`--key-file=${key}`, '--name=box', `--uid=${uid}`, '--lifetime=90s'], more => void (text += more));
    expect((await as(router, text.trim())).status).toBe(200);
    await expect(mint([`--key-file=${key}`])).rejects.toThrow(FlagError);
    await expect(mint([`--key-file=${key}`, '--name=box', '--uid=u', '--lifetime=1ms'])).rejects.toThrow('at least 1s');
  });

  test('what was minted is what is verified, and no changed token is', () => {
    const text = fc.string({ minLength: 1, maxLength: 20 });
    const key = Buffer.from(KEY);
    fc.assert(fc.property(text, text, text, fc.integer({ min: 1, max: 2 ** 40 }), fc.nat(), fc.nat({ max: 61 }), (namespace, name, id, exp, at, letter) => {
      const token = mintScopedToken(key, { namespace, name, uid: id, exp });
      expect(verifyScopedToken([Buffer.from(OTHER_KEY), key], token, exp * 1000 - 1)).toEqual({ namespace, name, uid: id, exp });
      expect(verifyScopedToken([key], token, exp * 1000)).toBeUndefined();
      expect(verifyScopedToken([Buffer.from(OTHER_KEY)], token, 0)).toBeUndefined();
      const place = at % token.length;
      const changed = token.slice(0, place) + 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'[letter] + token.slice(place + 1);
      expect(changed === token || verifyScopedToken([key], changed, 0) === undefined).toBe(true);
    }));
    expect(() => mintScopedToken(key, { namespace: '', name: 'a', uid: 'b', exp: 1 })).toThrow('needs the namespace');
    expect(() => mintScopedToken(key, { namespace: 'a', name: 'a', uid: 'b', exp: 1.5 })).toThrow('not a number of seconds');
    expect(() => readKey(' short ', 'file')).toThrow('5 bytes');
  });
});

describe('tokens of the API server', () => {
  const reviews = (kind: string) => cluster.reviews.filter(({ path }) => path.endsWith(kind));

  test('who may create sandboxes/proxy gets through; the questions say who, what and for whom', async () => {
    const router = await start('--authz-mode=tokenreview');
    cluster.users.set('good', { username: 'jane' });
    cluster.grants.add('jane create proxy default/box');
    expect((await as(router, 'good')).status).toBe(200);
    expect(reviews('tokenreviews').map(({ body }) => body.spec)).toEqual([{ token: 'good', audiences: ['agent-sandbox-router'] }]);
    expect(reviews('subjectaccessreviews').map(({ body }) => body.spec)).toEqual([{
      user: 'jane', groups: ['devs'], resourceAttributes: { group: 'agents.x-k8s.io', resource: 'sandboxes', subresource: 'proxy', verb: 'create', namespace: 'default', name: 'box' },
    }]);
    expect(await as(router, 'good', { 'x-sandbox-id': 'other' })).toMatchObject({ status: 403, detail: 'forbidden' });
    expect(await eventually('the log', () => router.accessLog[1])).toMatchObject({ user: 'jane', status: 403 });
  });

  test('a missing Sandbox and a forbidden one look the same to callers without access', async () => {
    const router = await start('--authz-mode=tokenreview');
    cluster.users.set('good', { username: 'jane' });
    expect(await as(router, 'good', { 'x-sandbox-id': 'other' })).toEqual(await as(router, 'good', { 'x-sandbox-id': 'missing' }).then(answer => ({ ...answer, headers: expect.anything() })));
  });

  test.each([
    ['unknown', undefined], ['of other audiences', { username: 'jane', audiences: ['https://kubernetes.default.svc'] }], ['of a server that knows no audiences', { username: 'jane', audiences: undefined }],
  ])('a token %s is worthless', async (_, user) => {
    const router = await start('--authz-mode=tokenreview');
    if (user) {
      cluster.users.set('token', user);
    }
    cluster.grants.add('jane create proxy default/box');
    expect(await as(router, 'token')).toMatchObject({ status: 401, detail: 'unauthenticated' });
    expect(await as(router, undefined)).toMatchObject({ status: 401, detail: 'unauthenticated' });
  });

  test('answers are remembered for a while, good and bad ones, and asked again afterwards', async () => {
    const router = await start('--authz-mode=tokenreview', '--authz-tokenreview-ttl=1h', '--authz-access-ttl=1h');
    cluster.users.set('good', { username: 'jane' });
    cluster.grants.add('jane create proxy default/box');
    await Promise.all(Array.from({ length: 20 }, () => as(router, 'good')));
    await as(router, 'bad');
    await as(router, 'bad');
    expect([reviews('tokenreviews').length, reviews('subjectaccessreviews').length]).toEqual([2, 1]);
    const forgetful = await start('--authz-mode=tokenreview', '--authz-tokenreview-ttl=0', '--authz-access-ttl=0');
    expect((await as(forgetful, 'good')).status).toBe(200);
    cluster.grants.clear();
    expect((await as(forgetful, 'good')).status).toBe(403);
    cluster.users.clear();
    expect((await as(forgetful, 'good')).status).toBe(401);
  });

  test('when the API server does not answer, every request is refused, without naming it', async () => {
    const router = await start('--authz-mode=tokenreview');
    cluster.reviewsFail = true;
    expect(await as(router, 'good')).toMatchObject({ status: 500, detail: 'tokenreview: the API server did not answer the question' });
    expect(router.log.join()).toContain('tokenreview failed');
  });

  test('worthless tokens are limited by address; good ones are not counted', async () => {
    const router = await start('--authz-mode=tokenreview', '--authz-failure-rate-limit=0.001');
    cluster.users.set('good', { username: 'jane' });
    cluster.grants.add('jane create proxy default/box');
    expect((await as(router, 'good')).status).toBe(200);
    expect((await as(router, 'bad-1')).status).toBe(401);
    expect(await as(router, 'bad-2')).toMatchObject({ status: 429, headers: { 'retry-after': '1' } });
    expect((await as(router, 'good')).status).toBe(200);
    expect(reviews('tokenreviews').length).toBe(2);
  });

  test('several ways at once: each token finds its own', async () => {
    const router = await start('--authz-mode=tokenreview,scoped-token,static-token', `--authz-scoped-token-secret-file=${file('key-all', KEY)}`, `--authz-static-token-file=${file('static-all', 'operator')}`);
    cluster.users.set('good', { username: 'jane' });
    cluster.grants.add('jane create proxy default/box');
    expect((await as(router, 'good')).status).toBe(200);
    expect((await as(router, 'operator')).status).toBe(200);
    expect((await as(router, mintScopedToken(Buffer.from(KEY), { namespace: 'default', name: 'box', uid, exp: now() + 60 }))).status).toBe(200);
    expect((await as(router, 'v2.a.b')).status).toBe(401);
    expect(reviews('tokenreviews').map(({ body }) => body.spec.token)).toEqual(['good']);
  });
});

describe('limits of a caller', () => {
  test('requests per second and concurrent requests are limited', async () => {
    const router = await start('--authz-mode=static-token', `--authz-static-token-file=${file('limited', 'secret')}`, '--rate-limit=0.001', '--rate-limit-burst=3');
    const statuses = [];
    for (let i = 0; i < 4; i++) {
      statuses.push((await as(router, 'secret')).status);
    }
    expect(statuses).toEqual([200, 200, 200, 429]);

    const held: (() => void)[] = [];
    const slow = await startBackend((_, response) => void held.push(() => response.end()));
    cluster.sandbox('slow', { ports: [slow.port] });
    const narrow = await start('--max-requests-per-caller=1');
    const given = { 'x-sandbox-id': 'slow', 'x-sandbox-port': String(slow.port) };
    await eventually('the sandbox', async () => (await ask(narrow.url, { headers: { ...given, 'x-sandbox-port': '1' } })).status === 403);
    const first = ask(narrow.url, { headers: given });
    await eventually('the first request', () => held[0]);
    expect(await ask(narrow.url, { headers: given })).toMatchObject({ status: 429, detail: 'Too many requests at the same time.' });
    held[0]!();
    expect((await first).status).toBe(200);
    await slow.close();
  });
});
