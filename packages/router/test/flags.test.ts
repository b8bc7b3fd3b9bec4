import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { FlagError } from 'agent-sandbox-program';
import { PortSet, parseFlags } from '../src/flags.js';

const parse = (args: readonly string[], env: NodeJS.ProcessEnv = {}) => parseFlags(args, { env, write: () => undefined });

test('has the defaults of the Go router where they are safe, and is closed', () => {
  expect(parse([])).toMatchObject({
    httpBindAddress: ':8080', httpsBindAddress: '', metricsBindAddress: ':9090', healthProbeBindAddress: ':8081', authzMode: ['tokenreview'],
    authzTokenreviewAudiences: ['agent-sandbox-router'], authzTokenreviewTtl: 30_000, authzTokenreviewCacheSize: 2048, proxyTimeout: 180_000,
    upstreamMaxRetries: 3, upstreamRetryInitialDelay: 200, upstreamRetryMaxDelay: 800, shutdownTimeout: 30_000, maxRequestBodyBytes: 0,
    allowHttpTokens: false, allowLoopbackPodIp: false, resumeOnRequest: false, accessLog: true, enableTracing: false, cacheNamespace: [], ignored: [],
  });
});

test('the command line wins over the file, the file over the environment', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'router-flags-')), 'router.yaml');
  writeFileSync(file, 'proxy-timeout: 60s\nupstream-max-retries: 5\naccess-log: false\n');
  const env = { PROXY_TIMEOUT_SECONDS: '7.5', WEBSOCKET_MAX_MESSAGE_BYTES: '1024', SANDBOX_ROUTER_CONFIG: file };
  expect(parse([], { PROXY_TIMEOUT_SECONDS: '7.5' }).proxyTimeout).toBe(7500);
  expect(parse([], env)).toMatchObject({ proxyTimeout: 60_000, upstreamMaxRetries: 5, websocketMaxMessageBytes: 1024, accessLog: false });
  expect(parse(['--config', file, '--upstream-max-retries=1'])).toMatchObject({ upstreamMaxRetries: 1, proxyTimeout: 60_000 });
});

test.each([['no-such-flag: 1', 'unknown option'], ['proxy-timeout: [1s]', 'no plain value'], ['- 1', 'is not a map'], ['config: other', 'no plain value']])('refuses the file %j', (text, message) => {
  const file = join(mkdtempSync(join(tmpdir(), 'router-flags-')), 'router.yaml');
  writeFileSync(file, text);
  expect(() => parse([`--config=${file}`])).toThrow(message);
});

test('a token in the environment is the only credential; no authentication has to be requested explicitly', () => {
  expect(parse([], { ROUTER_AUTH_TOKEN: ' secret ' })).toMatchObject({ authzMode: ['static-token'], staticToken: 'secret' });
  expect(parse([], { ROUTER_AUTH_TOKEN: '  ' }).authzMode).toEqual(['tokenreview']);
  expect(parse([], { ALLOW_UNAUTHENTICATED_ROUTER: 'Yes' }).authzMode).toEqual(['allow-all']);
  expect(parse([], { ALLOW_UNAUTHENTICATED_ROUTER: 'please' }).authzMode).toEqual(['tokenreview']);
  expect(parse(['--authz-mode=allow-all'], { ALLOW_UNAUTHENTICATED_ROUTER: 'no' }).authzMode).toEqual(['allow-all']);
});

test('knows flags by the names of the Go router', () => {
  expect(parse(['--authz-cookie-samesite=strict', '--authz-trust-forwarded-proto'])).toMatchObject({ authzCookieSameSite: 'strict', ignored: ['--authz-trust-forwarded-proto'] });
});

test('takes flags of the Go router that have no effect, and says so', () => {
  expect(parse(['--cache-enabled', '--cluster-domain=x', '-response-header-timeout', '30s']).ignored).toEqual(['--cluster-domain', '--cache-enabled', '--response-header-timeout']);
});

test.each([
  [['--http-bind-address='], 'nothing to listen on'],
  [['--https-bind-address=:8443'], '--tls-cert-file'],
  [['--mtls-mode=required'], 'needs --https-bind-address'],
  [['--https-bind-address=:8443', '--tls-cert-file=a', '--tls-key-file=b', '--mtls-mode=optional'], 'needs --tls-client-ca-file'],
  [['--authz-mode=allow-all,tokenreview'], 'stands alone'],
  [['--authz-mode=scoped-token'], '--authz-scoped-token-secret-file'],
  [['--authz-mode=static-token'], 'ROUTER_AUTH_TOKEN'],
  [['--authz-static-token-file=x'], 'has no effect'],
  [['--authz-scoped-token-secret-file=x'], 'has no effect'],
  [['--authz-mode=none'], 'give one or more of tokenreview, scoped-token, static-token, allow-all'],
  [['--authz-mode='], 'give one or more of'],
  [['--authz-tokenreview-audiences='], 'give a text without commas, at least once'],
  [['--proxy-timeout=0'], 'from 1ms to 596h31m23.647s'],
  [['--proxy-timeout=60d'], 'give a duration'],
  [['--websocket-max-lifetime=1000h'], 'from 0s to 596h31m23.647s'],
  [['--max-request-body-bytes=-1'], 'give a whole number from 0 to 9007199254740991'],
  [['--max-request-body-bytes=1.5'], 'whole number'],
  [['--trusted-proxy-cidrs=10.0.0.0/33'], 'give the addresses of proxies'],
  [['--trusted-proxy-cidrs=gateway'], 'give the addresses of proxies'],
  [['--additional-ports=0'], 'give a port from 1 to 65535'],
  [['--additional-ports=9-8'], 'give a port from 1 to 65535'],
  [['--cors-allowed-origins=app.example.com'], 'give an origin of scheme, host'],
  [['--cors-allowed-origins=https://app.example.com/'], 'give an origin of scheme, host'],
  [['--access-log=maybe'], 'give true or false'],
])('refuses %j', (args, message) => {
  expect(() => parse(args)).toThrow(FlagError);
  expect(() => parse(args)).toThrow(message);
});

test('a set of ports has the ports of its ranges and no others', () => {
  const port = fc.integer({ min: 1, max: 65535 });
  fc.assert(fc.property(fc.array(fc.tuple(port, port), { maxLength: 4 }), port, (pairs, probe) => {
    const ranges = pairs.map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
    const set = PortSet.of(ranges.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)));
    expect(set.has(probe)).toBe(ranges.some(([from, to]) => from <= probe && probe <= to));
  }));
  expect(PortSet.of(['*']).has(65535)).toBe(true);
});

test('trusted proxies are networks of both families', () => {
  const { trustedProxyCidrs } = parse(['--trusted-proxy-cidrs=10.1.0.0/16, fd00::/8,192.0.2.7']);
  expect([trustedProxyCidrs.check('10.1.2.3'), trustedProxyCidrs.check('10.2.0.1'), trustedProxyCidrs.check('fd12::1', 'ipv6'), trustedProxyCidrs.check('192.0.2.7')]).toEqual([true, false, true, true]);
});

test('the help writes defaults as the command line takes them', () => {
  let help = '';
  expect(() => parseFlags(['--help'], { env: {}, write: text => void (help += text) })).toThrow(FlagError);
  expect(help).toContain('(env PROXY_TIMEOUT_SECONDS; default: 3m0s)');
  expect(help).toContain('`8000-8100`, or `*` for all. (default: none)');
  expect(help).not.toMatch(/default: [[{]/);
});
