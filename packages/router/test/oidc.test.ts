import { mkdtempSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { definedOnly } from 'agent-sandbox-api';
import Provider from 'oidc-provider';
import { FakeCluster, ask, eventually, freePort, startBackend, startRouter, type Backend, type Reply, type Running } from './support.js';

jest.setTimeout(60_000);

/** People who sign in at a real OpenID Connect provider, and who tries to get in by way of it. */
const DOMAIN = 'sandboxes.example.com';
const LOGIN = `login.${DOMAIN}`;
const CALLBACK = `https://${LOGIN}/oidc/callback`;
const NAVIGATION = { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', 'accept': 'text/html,*/*' };
const folder = mkdtempSync(join(tmpdir(), 'router-oidc-'));
const write = (name: string, content: string) => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
let issuer: string;
let provider: Server;
let cluster: FakeCluster;
let backend: Backend;
let router: Running;
/** Claims of each account besides `sub`. */
const accounts: Record<string, Record<string, unknown>> = { ann: { groups: ['devs', 'system:masters'] }, bob: { groups: [] }, root: { groups: 'ops' } };

const flags = (...more: string[]) => [
  '--trusted-proxy-cidrs=127.0.0.0/8', `--host-routing-domain=${DOMAIN}`, '--path-routing-prefix=/sandboxes', `--authz-cookie-key-file=${write('session', 's'.repeat(32))}`, '--authz-access-ttl=0s', '--authz-failure-rate-limit=0',
  '--authz-mode=tokenreview', `--browser-oidc-issuer-url=${issuer}`, '--browser-oidc-client-id=router', `--browser-oidc-client-secret-file=${write('secret', 'a-secret-of-the-client')}`, `--browser-oidc-redirect-url=${CALLBACK}`,
  '--browser-oidc-scopes=openid,groups', '--browser-oidc-username-prefix=oidc:', '--browser-oidc-groups-prefix=oidc:', ...more,
];

beforeAll(async () => {
  // The provider says at length that its defaults are for trials.
  for (const method of ['warn', 'info'] as const) {
    jest.spyOn(console, method).mockImplementation(() => undefined);
  }
  const port = await freePort();
  issuer = `http://127.0.0.1:${port}`;
  const app = new Provider(issuer, {
    clients: [{ client_id: 'router', client_secret: 'a-secret-of-the-client', redirect_uris: [CALLBACK] }],
    claims: { openid: ['sub'], groups: ['groups'] },
    scopes: ['openid', 'groups'],
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    cookies: { keys: ['some key'] },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...accounts[id] }) }),
  });
  await new Promise<void>(resolve => {
    provider = app.listen(port, '127.0.0.1', resolve);
  });
  backend = await startBackend();
  cluster = await FakeCluster.start();
  for (const name of ['box', 'other']) {
    cluster.sandbox(name, { ports: [backend.port] });
  }
  cluster.grants.add('oidc:ann create proxy default/box').add('oidc:ann create proxy default/other').add('token create proxy default/box');
  cluster.users.set('token', { username: 'token' });
  router = await startRouter(cluster, flags());
  await eventually('the sandbox', async () => (await ask(router.url, { headers: { 'authorization': 'Bearer token', 'x-sandbox-id': 'box', 'x-sandbox-port': String(backend.port) } })).status === 200);
});
afterAll(async () => {
  await router.close(0);
  await backend.close();
  await cluster.api.stop();
  provider.closeAllConnections();
  await new Promise(resolve => provider.close(resolve));
});
beforeEach(() => {
  backend.got.length = 0;
  cluster.reviews.length = 0;
});

/** A browser: it keeps cookies by host and path, and follows a given number of redirects. */
class Visitor {
  public readonly seen: string[] = [];
  private readonly jar = new Map<string, { host: string; path: string; name: string; value: string }>();

  public constructor(private readonly to: Running = router) {}

  public async open(address: string, init: { method?: string; body?: string } = {}): Promise<Reply & { at: URL }> {
    const at = new URL(address);
    this.seen.push(at.href);
    const isRouter = at.hostname.endsWith(DOMAIN);
    const cookies = [...this.jar.values()].filter(({ host, path }) => host === at.host && at.pathname.startsWith(path)).map(({ name, value }) => `${name}=${value}`);
    const headers = {
      ...NAVIGATION, ...(cookies.length === 0 ? {} : { cookie: cookies.join('; ') }), ...(isRouter ? { 'host': at.host, 'x-forwarded-proto': at.protocol.slice(0, -1) } : {}),
      ...definedOnly({ 'content-type': init.body === undefined ? undefined : 'application/x-www-form-urlencoded' }),
    };
    const reply = await ask(isRouter ? `${this.to.url}${at.pathname}${at.search}` : at.href, { headers, ...init });
    for (const line of [reply.headers['set-cookie'] ?? []].flat()) {
      const [pair, ...attributes] = line.split('; ') as [string, ...string[]];
      const [name, value] = pair.split(/=(.*)/s, 2) as [string, string];
      const path = attributes.find(attribute => /^path=/i.test(attribute))?.slice(5) ?? '/';
      this.jar.set(`${at.host} ${path} ${name}`, { host: at.host, path, name, value });
    }
    return { ...reply, at };
  }

  /** Follows redirects to where there are none, or as long as the condition holds. */
  public async follow(address: string, whileAt: (url: URL) => boolean = () => true): Promise<Reply & { at: URL }> {
    let reply = await this.open(address);
    for (let hops = 0; reply.status >= 300 && reply.status < 400 && hops < 20; hops++) {
      const next = new URL(String(reply.headers.location), reply.at);
      if (!whileAt(next)) {
        return { ...reply, at: next };
      }
      reply = await this.open(next.href);
    }
    return reply;
  }

  /** Fills in the forms of the provider until it sends the browser back; returns the address that it sends it to. */
  public async signIn(address: string, account: string): Promise<URL> {
    const isElsewhere = (url: URL) => url.origin === issuer || !url.href.startsWith(CALLBACK);
    let reply = await this.follow(address, isElsewhere);
    for (let forms = 0; reply.status === 200 && forms < 3; forms++) {
      const [, action] = /action="([^"]+)"/.exec(reply.text) ?? [];
      const [, prompt] = /name="prompt" value="([^"]+)"/.exec(reply.text) ?? [];
      const next = await this.open(new URL(action!, reply.at).href, { method: 'POST', body: `prompt=${prompt}&login=${account}&password=x` });
      reply = await this.follow(new URL(String(next.headers.location), next.at).href, isElsewhere);
    }
    return reply.at;
  }

  public cookie(name: string): string | undefined {
    return [...this.jar.values()].find(cookie => cookie.name === name)?.value;
  }

  public put(host: string, name: string, value: string): void {
    this.jar.set(`${host} / ${name}`, { host, path: '/', name, value });
  }
}

const boxAt = (name = 'box') => `https://${name}--default--${backend.port}.${DOMAIN}/page?x=1`;

describe('a user with an account', () => {
  test('opens a sandbox by signing in, with the groups that the provider tells, and the next without', async () => {
    const ann = new Visitor();
    const back = await ann.signIn(boxAt(), 'ann');
    const page = await ann.follow(back.href);
    expect([page.status, page.at.href]).toEqual([200, boxAt()]);
    expect(backend.got.map(({ url }) => url)).toEqual(['/page?x=1']);
    const asked = cluster.reviews.map(({ body }) => body.spec).find(({ user }) => user === 'oidc:ann');
    expect(asked).toMatchObject({ user: 'oidc:ann', groups: ['oidc:devs', 'oidc:system:masters', 'system:authenticated'] });
    const before = ann.seen.length;
    expect((await ann.follow(boxAt('other'))).status).toBe(200);
    expect(ann.seen.slice(before).filter(address => address.startsWith(issuer))).toEqual([]);
    expect((await ann.open(boxAt())).status).toBe(200);
    expect(router.accessLog.filter(({ user }) => user === 'oidc:ann').length).toBeGreaterThan(0);
  });

  test('by path, too', async () => {
    const byPath = await startRouter(cluster, flags().filter(flag => !flag.startsWith('--host-routing')));
    const ann = new Visitor(byPath);
    const address = `https://${LOGIN}/sandboxes/default/box/${backend.port}/page`;
    const page = await ann.follow((await ann.signIn(address, 'ann')).href);
    expect([page.status, page.at.href]).toEqual([200, address]);
    expect(backend.got.map(({ url }) => url)).toEqual(['/page']);
    await byPath.close(0);
  });

  test('without the permission opens nothing', async () => {
    const bob = new Visitor();
    const page = await bob.follow((await bob.signIn(boxAt(), 'bob')).href);
    expect(page.status).toBe(403);
    expect(page.headers['content-type']).toContain('text/html');
    expect(backend.got).toEqual([]);
  });

  test('is out when the permission is gone', async () => {
    cluster.grants.add('oidc:root create proxy default/box');
    const root = new Visitor();
    expect((await root.follow((await root.signIn(boxAt(), 'root')).href)).status).toBe(200);
    cluster.grants.delete('oidc:root create proxy default/box');
    await eventually('the refusal', async () => (await root.open(boxAt())).status === 403);
  });
});

test('without prefixes, neither names nor groups of the API server can be taken', async () => {
  const bare = await startRouter(cluster, flags('--browser-oidc-username-prefix=', '--browser-oidc-groups-prefix='));
  const ann = new Visitor(bare);
  cluster.grants.add('ann create proxy default/box');
  expect((await ann.follow((await ann.signIn(boxAt(), 'ann')).href)).status).toBe(200);
  expect(cluster.reviews.map(({ body }) => body.spec).find(({ user }) => user === 'ann').groups).toEqual(['devs', 'system:authenticated']);
  accounts['system:admin'] = { groups: [] };
  const admin = new Visitor(bare);
  expect((await admin.follow((await admin.signIn(boxAt(), 'system:admin')).href)).status).toBe(401);
  await bare.close(0);
});

describe('attacks', () => {
  const start = (to: string, browser = 'b'.repeat(43)) => `https://${LOGIN}/oidc/start?${new URLSearchParams({ to, browser }).toString()}`;

  test.each([
    'https://evil.example/', `https://evil.example/${DOMAIN}`, `https://box--default--80.${DOMAIN}.evil.example/`, `https://box--default--80.${DOMAIN}@evil.example/`, `https://${DOMAIN}/`, `http://box--default--80.${DOMAIN}/`,
    'javascript:alert(1)', '//evil.example/', '/sandboxes/default/box/80/', 'https://evil.example/sandboxes/default/box/80/', '', `https://x:y@box--default--80.${DOMAIN}/`, `https:box--default--80.${DOMAIN}/`, `https://${LOGIN}/sandboxes/default/box/`,
  ])('the login leads nowhere but to sandboxes: %s', async to => {
    expect((await new Visitor().open(start(to))).status).toBe(400);
  });

  test.each(['', 'short', `${'b'.repeat(42)}!`, 'b'.repeat(44)])('the login needs a browser that it is for: %j', async browser => {
    expect((await new Visitor().open(start(boxAt(), browser))).status).toBe(400);
  });

  test('a callback that this browser has not begun is refused: it must not sign in another user', async () => {
    const eve = new Visitor();
    const back = await eve.signIn(boxAt(), 'bob');
    expect((await new Visitor().open(back.href)).status).toBe(400);
    const ann = new Visitor();
    await ann.follow(boxAt(), url => url.origin !== issuer);
    const reply = await ann.open(back.href);
    expect([reply.status, ann.cookie('__Host-sandbox-session-login')]).toEqual([400, undefined]);
  });

  test('a ticket counts in the browser that it is for, for its sandbox', async () => {
    const ann = new Visitor();
    const back = await ann.signIn(boxAt(), 'ann');
    const { headers } = await ann.open(back.href);
    const ticket = String(headers.location);
    expect(ticket).toContain('sandbox_token=');
    const eve = new Visitor();
    await eve.open(boxAt());
    const stolen = await eve.open(ticket);
    expect(stolen.status).toBe(302);
    expect(eve.cookie('__Host-sandbox-session')).toBeUndefined();
    await ann.open(boxAt('other'));
    const elsewhere = await ann.open(ticket.replace('box--', 'other--'));
    expect(elsewhere.status).toBe(302);
    expect(ann.cookie('__Host-sandbox-session')).toBeUndefined();
    expect(backend.got).toEqual([]);
    expect((await ann.follow(ticket)).status).toBe(200);
  });

  test('a login is no session, a flow is no login', async () => {
    const ann = new Visitor();
    await ann.follow((await ann.signIn(boxAt(), 'ann')).href);
    const thief = new Visitor();
    thief.put(new URL(boxAt()).host, '__Host-sandbox-session', ann.cookie('__Host-sandbox-session-login')!);
    thief.put(LOGIN, '__Host-sandbox-session-login', ann.cookie('__Host-sandbox-session')!);
    expect((await thief.open(boxAt())).headers.location).toContain('/oidc/start');
    expect((await thief.open(start(boxAt()))).headers.location).toContain(issuer);
  });

  test.each(['POST', 'PUT'])('%s to the login is not served', async method => {
    expect((await new Visitor().open(start(boxAt()), { method, body: 'x' })).status).toBe(405);
  });

  test('a refusal of the provider, a wrong code and a wrong state do not sign in', async () => {
    for (const query of ['error=access_denied', 'code=wrong', 'code=wrong&state=wrong']) {
      const ann = new Visitor();
      const at = (await ann.follow(boxAt(), url => url.origin !== issuer)).at;
      const state = at.searchParams.get('state')!;
      const reply = await ann.open(`${CALLBACK}?${query.includes('state') ? query : `${query}&state=${state}`}&iss=${encodeURIComponent(issuer)}`);
      expect([400, 403, 502]).toContain(reply.status);
      expect(ann.cookie('__Host-sandbox-session-login')).toBeUndefined();
    }
  });

  test('the request to the provider has PKCE, state and nonce', async () => {
    const { at } = await new Visitor().follow(boxAt(), url => url.origin !== issuer);
    expect(Object.fromEntries(at.searchParams)).toMatchObject({
      response_type: 'code', code_challenge_method: 'S256', code_challenge: expect.stringMatching(/^.{43}$/), state: expect.stringMatching(/^.{43}$/), nonce: expect.stringMatching(/^.{43}$/), redirect_uri: CALLBACK,
    });
  });

  test('programs, frames and WebSockets are not sent to sign in', async () => {
    const host = new URL(boxAt()).host;
    for (const headers of [{}, { ...NAVIGATION, 'sec-fetch-dest': 'iframe' }, { accept: 'application/json' }] as Record<string, string>[]) {
      expect((await ask(`${router.url}/`, { headers: { host, 'x-forwarded-proto': 'https', ...headers } })).status).toBe(401);
    }
  });

  test('no code, ticket or state in the log', async () => {
    const ann = new Visitor();
    await ann.follow((await ann.signIn(boxAt(), 'ann')).href);
    const text = JSON.stringify([router.accessLog, router.log]);
    for (const address of ann.seen) {
      for (const [name, value] of new URL(address).searchParams) {
        if (['code', 'state', 'sandbox_token', 'nonce'].includes(name)) {
          expect(text).not.toContain(value);
        }
      }
    }
    expect(text).not.toContain('a-secret-of-the-client');
  });
});
