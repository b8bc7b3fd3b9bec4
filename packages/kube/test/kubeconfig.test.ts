import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManualClock } from '../src/clock.js';
import type { Access } from '../src/credentials.js';
import { CredentialsError, KubeconfigError } from '../src/errors.js';
import { loadCredentials } from '../src/kubeconfig.js';

describe('loadCredentials', () => {
  let dir: string;
  const write = (name: string, content: string | object) => {
    const path = join(dir, name);
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
    return path;
  };
  const config = (user: object, cluster: object = {}) => ({
    'clusters': [{ name: 'c', cluster: { server: 'https://example.com:6443/', ...cluster } }],
    'users': [{ name: 'u', user }],
    'contexts': [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'team' } }, { name: 'y', context: { cluster: 'gone', user: 'u' } }],
    'current-context': 'x',
  });
  const load = (user: object, cluster?: object) => loadCredentials({ kubeconfig: write('config', config(user, cluster)), env: {} });
  beforeEach(() => dir = mkdtempSync(join(tmpdir(), 'kubeconfig-')));
  afterEach(() => rmSync(dir, { recursive: true }));

  test('reads address, namespace and token', async () => {
    const credentials = load({ token: 'secret' });
    expect([credentials.server, credentials.namespace]).toEqual(['https://example.com:6443', 'team']);
    expect((await credentials.access()).headers).toEqual({ authorization: 'Bearer secret' });
  });

  test('reads certificates, inline and from files beside the kubeconfig, and what to expect of the server', async () => {
    write('ca.crt', 'CA');
    write('tls.key', 'KEY');
    const credentials = load(
      { 'client-certificate-data': Buffer.from('CERT').toString('base64'), 'client-key': 'tls.key' },
      { 'certificate-authority': 'ca.crt', 'tls-server-name': 'kubernetes', 'proxy-url': 'http://proxy:3128' },
    );
    const { tls } = await credentials.access();
    expect([tls.ca, tls.cert, tls.key].map(String)).toEqual(['CA', 'CERT', 'KEY']);
    expect([tls.servername, tls.rejectUnauthorized, credentials.proxyUrl]).toEqual(['kubernetes', undefined, 'http://proxy:3128']);
  });

  test('verification is off only when the kubeconfig says so', async () => {
    expect((await load({}, { 'insecure-skip-tls-verify': true }).access()).tls.rejectUnauthorized).toBe(false);
  });

  test('reads name and password, and plain HTTP', async () => {
    const credentials = load({ username: 'jane', password: 'pass' }, { server: 'http://127.0.0.1:8001' });
    expect((await credentials.access()).headers).toEqual({ authorization: `Basic ${Buffer.from('jane:pass').toString('base64')}` });
  });

  test('impersonates user, groups and more', async () => {
    expect((await load({ 'as': 'jane', 'as-groups': ['devs', 'ops'], 'as-uid': '7', 'as-user-extra': { 'Example.com/Why': ['test'] } }).access()).headers).toEqual({
      'impersonate-user': 'jane', 'impersonate-group': ['devs', 'ops'], 'impersonate-uid': '7', 'impersonate-extra-example.com%2fwhy': ['test'],
    });
  });

  test('a token file is read again in time, and beats a token', async () => {
    const clock = new ManualClock();
    write('token', 'first\n');
    const credentials = loadCredentials({ kubeconfig: write('config', config({ token: 'ignored', tokenFile: 'token' })), env: {}, clock });
    const first = await credentials.access();
    expect(first.headers.authorization).toBe('Bearer first');
    write('token', 'second\n');
    expect(credentials.access()).toBe(first);
    credentials.reject(first);
    expect((await credentials.access()).headers.authorization).toBe('Bearer second');
  });

  test('certificates on disk are read again after 30 s', async () => {
    const clock = new ManualClock();
    write('ca.crt', 'OLD');
    const credentials = loadCredentials({ kubeconfig: write('config', config({ token: 't' }, { 'certificate-authority': 'ca.crt' })), env: {}, clock });
    expect(String((await credentials.access()).tls.ca)).toBe('OLD');
    write('ca.crt', 'NEW');
    clock.advance(29_999);
    expect(String((await credentials.access()).tls.ca)).toBe('OLD');
    clock.advance(1);
    expect(String((await credentials.access()).tls.ca)).toBe('NEW');
  });

  describe('a credential plugin', () => {
    const plugin = (script: string) => {
      mkdirSync(join(dir, 'bin'), { recursive: true });
      const path = write('bin/plugin', `#!/bin/sh\n${script}`);
      chmodSync(path, 0o755);
      return { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: './bin/plugin', args: [dir], env: [{ name: 'WHO', value: 'jane' }] } };
    };
    const answer = (status: string) => `echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":${status}}'`;

    test('is asked once for many requests, and again when its token is refused', async () => {
      const credentials = load(plugin(`echo run >> "$1/runs"; n=$(wc -l < "$1/runs" | tr -d ' '); ${answer('{"token":"\'$WHO-$n\'","expirationTimestamp":"2999-01-01T00:00:00Z"}')}`));
      const accesses = await Promise.all([credentials.access(), credentials.access()]);
      expect(accesses[0]).toBe(accesses[1]);
      expect(accesses[0].headers.authorization).toBe('Bearer jane-1');
      credentials.reject(accesses[0]);
      const renewed = await credentials.access();
      expect(renewed.headers.authorization).toBe('Bearer jane-2');
      credentials.reject(accesses[0]);
      expect(credentials.access()).toBe(renewed);
    });

    test('may give a client certificate', async () => {
      const { tls } = await load(plugin(answer('{"clientCertificateData":"CERT","clientKeyData":"KEY"}'))).access();
      expect([tls.cert, tls.key]).toEqual(['CERT', 'KEY']);
    });

    test('that fails is an error with what it said', async () => {
      const failed: Error = await (load(plugin('echo "session expired" >&2; exit 1')).access() as Promise<Access>).catch(error => error);
      expect(failed).toBeInstanceOf(CredentialsError);
      expect(failed.message).toBe('credentials for https://example.com:6443: session expired: log in again, or correct the kubeconfig');
    });
  });

  test('of several files the first entry of a name and the first current context count', async () => {
    const first = write('first', { 'users': [{ name: 'u', user: { token: 'first' } }], 'current-context': 'x' });
    const second = write('second', { ...config({ token: 'second' }), 'current-context': 'y' });
    const credentials = loadCredentials({ env: { KUBECONFIG: `${first}:${second}` } });
    expect((await credentials.access()).headers.authorization).toBe('Bearer first');
  });

  test('inside of a pod, its ServiceAccount is used unless a file is given', () => {
    const env = { KUBERNETES_SERVICE_HOST: '::1', KUBERNETES_SERVICE_PORT: '443', HOME: dir };
    const saved = { ...process.env };
    Object.assign(process.env, env);
    try {
      expect(loadCredentials({ env }).server).toBe('https://[::1]:443');
      expect(loadCredentials({ env, kubeconfig: write('config', config({})) }).server).toBe('https://example.com:6443');
    } finally {
      process.env = saved;
    }
  });

  test('the file in the home directory is the last resort, and nothing at all is an error', () => {
    expect(() => loadCredentials({ env: { HOME: dir } })).toThrow('no Kubernetes cluster to talk to: give a kubeconfig file, set KUBECONFIG, or run inside a pod');
    mkdirSync(join(dir, '.kube'));
    write('.kube/config', config({}));
    expect(loadCredentials({ env: { HOME: dir } }).namespace).toBe('team');
  });

  test('a context that does not exist, or is incomplete, is an error with the names there are', () => {
    const kubeconfig = write('config', config({}));
    expect(() => loadCredentials({ kubeconfig, context: 'z', env: {} })).toThrow(`${kubeconfig} has no context "z" (it has x, y): correct the context or choose another one`);
    expect(() => loadCredentials({ kubeconfig, context: 'y', env: {} })).toThrow(`${kubeconfig} has no cluster "gone" (it has c)`);
  });

  test.each<[object, string]>([
    [{ clusters: [{ name: 'c' }] }, '"c" in clusters has no cluster.server: add it, or choose another context'],
    [{ clusters: [{ name: 'c', cluster: null }] }, '"c" in clusters has no cluster.server'],
    [{ clusters: [{ name: 'c', cluster: 'https://example.com' }] }, '"c" in clusters has no cluster: add it'],
    [{ clusters: [{ name: 'c', cluster: {} }] }, '"c" in clusters has no cluster.server'],
    [{ clusters: [{ cluster: { server: 'https://example.com' } }] }, 'has no cluster "c": correct the context'],
    [{ clusters: { c: {} } }, 'is no list of entries with "name" and "cluster"'],
    [{ users: 'u' }, 'is no list of entries with "name" and "user"'],
    [{ contexts: [{ name: 'x' }] }, '"x" in contexts has no context.cluster: add it'],
    [{ contexts: [{ name: 'x', context: 'c' }] }, '"x" in contexts has no context: add it'],
    [{ contexts: [null] }, 'has no context "x": correct'],
  ])('an entry that is incomplete, %j, is an error that names it', (broken, message) => {
    const kubeconfig = write('config', { ...config({}), ...broken });
    const read = () => loadCredentials({ kubeconfig, env: {} });
    expect(read).toThrow(KubeconfigError);
    expect(read).toThrow(message);
  });

  test('entries that are incomplete and not used do no harm', () => {
    const { clusters, users, contexts, ...rest } = config({ token: 'secret' });
    const content = { clusters: [null, { name: 'd' }, ...clusters], users: [{}, { name: 'v', user: null }, ...users], contexts: [{ name: 'z' }, ...contexts], ...rest };
    expect(loadCredentials({ kubeconfig: write('config', content), env: {} }).server).toBe('https://example.com:6443');
  });

  test.each([
    ['apiVersion: v1', 'has no current context: set current-context in it, or name a context'],
    ['just text', 'is not a map of clusters, users and contexts'],
    ['users: [token: s3cret', 'cannot be read: '],
  ])('the file %j is an error that names it, and shows nothing of it', (content, message) => {
    const kubeconfig = write('config', content);
    let error: unknown;
    try {
      loadCredentials({ kubeconfig, env: {} });
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(KubeconfigError);
    expect((error as Error).message).toContain(kubeconfig);
    expect((error as Error).message).toContain(message);
    expect((error as Error).message).not.toContain('s3cret');
  });

  test('a file that does not exist is an error that names it', () => {
    expect(() => loadCredentials({ kubeconfig: join(dir, 'gone'), env: {} })).toThrow(/the kubeconfig ".*gone" cannot be read: ENOENT.*: correct the file, or name another one/);
  });
});
