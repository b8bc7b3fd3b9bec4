import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import { mkdtempSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { jest } from '@jest/globals';
import { CertificateAuthority, type KeyPair } from '../../../testbed/src/certificates.js';
import { FakeCluster, ask, eventually, freePort, startBackend, type Backend } from './support.js';
import { VERSION, bundleProgram, startProgram, type Program } from './program.js';

jest.setTimeout(120_000);

/** The program as a process: its life cycle, its listeners, its workers. */
const folder = mkdtempSync(join(tmpdir(), 'router-main-'));
let bundle: string;
let cluster: FakeCluster;
let backend: Backend;
let kubeconfig: string;
let issued: { ca: string; servers: KeyPair[]; client: KeyPair; stranger: KeyPair };
const programs: Program[] = [];

beforeAll(async () => {
  bundle = bundleProgram();
  backend = await startBackend();
  cluster = await FakeCluster.start();
  cluster.sandbox('box', { ports: [backend.port] });
  const [ca, otherCa] = [await CertificateAuthority.create('ours'), await CertificateAuthority.create('theirs')];
  const server = () => ca.issue({ commonName: 'router', serverNames: ['localhost'] });
  issued = { ca: ca.cert, servers: [await server(), await server()], client: await ca.issue({ commonName: 'jane' }), stranger: await otherCa.issue({ commonName: 'jane' }) };
  kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, JSON.stringify({
    'apiVersion': 'v1', 'kind': 'Config', 'current-context': 'x', 'clusters': [{ name: 'x', cluster: { server: cluster.api.url } }], 'users': [{ name: 'x', user: {} }],
    'contexts': [{ name: 'x', context: { cluster: 'x', user: 'x' } }],
  }));
});
afterAll(async () => {
  programs.forEach(({ child }) => child.kill('SIGKILL'));
  await Promise.all(programs.map(({ exit }) => exit));
  await backend.close();
  await cluster.api.stop();
});

async function start(...args: string[]) {
  const [http, https, health, metrics] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const program = startProgram(bundle, [
    `--kubeconfig=${kubeconfig}`, `--http-bind-address=127.0.0.1:${http}`, `--health-probe-bind-address=127.0.0.1:${health}`, `--metrics-bind-address=127.0.0.1:${metrics}`, '--workers=1', '--authz-mode=allow-all',
    '--allow-loopback-pod-ip', ...args.map(arg => arg.replace('HTTPS', `127.0.0.1:${https}`)),
  ]);
  programs.push(program);
  const ready = `http://127.0.0.1:${health}/readyz`;
  return {
    ...program, https, ready, url: `http://127.0.0.1:${http}`, healthz: `http://127.0.0.1:${health}/healthz`, metrics: `http://127.0.0.1:${metrics}/metrics`, http,
    isReady: () => eventually('readiness', async () => (await ask(ready).catch(() => undefined))?.status === 200, 60_000).catch(error => {
      throw new Error(`${error.message}\n${program.output()}`);
    }),
  };
}
const box = () => ({ headers: { 'x-sandbox-id': 'box', 'x-sandbox-port': String(backend.port) } });

test('prints its version, and refuses what it does not know with exit code 2', async () => {
  const version = startProgram(bundle, ['--version']);
  expect(await version.exit).toBe(0);
  expect(version.output()).toBe(`agent-sandbox-router ${VERSION}\n`);
  const wrong = startProgram(bundle, ['--no-such-flag']);
  expect(await wrong.exit).toBe(2);
  expect(wrong.output()).toContain("unknown option '--no-such-flag'");
});

test('is ready only when the caches are full and the ports are bound; ends what is under way before it ends', async () => {
  const gate = cluster.api.hold(({ path, isWatch }) => path.endsWith('/pods') && !isWatch);
  const router = await start();
  await gate.arrived;
  expect(await ask(router.ready)).toMatchObject({ status: 503, text: 'draining' });
  expect(await ask(router.healthz)).toMatchObject({ status: 200, text: '{"status":"ok"}' });
  await expect(ask(`${router.url}/healthz`)).rejects.toThrow('ECONNREFUSED');
  gate.open();
  await router.isReady();
  expect((await ask(router.url, box())).status).toBe(200);
  expect((await ask(router.metrics)).text).toContain('reflector_list_duration_seconds_count{resource="sandboxes"} 1');
  expect((await ask(router.metrics)).text).toMatch(/sandbox_router_requests_total\{method="GET",code="200",sandbox_namespace="default"\} 1/);

  const held: (() => void)[] = [];
  const slow = await startBackend((_, response) => void held.push(() => response.end('done')));
  cluster.sandbox('slow', { ports: [slow.port] });
  const answer = eventually('an answer', async () => {
    const given = await ask(router.url, { headers: { 'x-sandbox-id': 'slow', 'x-sandbox-port': String(slow.port) } });
    return given.status === 200 && given;
  });
  await eventually('the request', () => held[0]);
  router.child.kill('SIGTERM');
  await eventually('the draining', async () => (await ask(router.ready)).status === 503);
  await eventually('the closed port', () => ask(`${router.url}/healthz`).then(() => false, () => true));
  held[0]!();
  expect(await answer).toMatchObject({ text: 'done' });
  expect(await router.exit).toBe(0);
  expect(router.output()).toContain('"path":"/"');
  await slow.close();
});

test('a port that is taken ends it at once', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await eventually('the port', () => taken.listening);
  const { port } = taken.address() as { port: number };
  const router = await start(`--http-bind-address=127.0.0.1:${port}`);
  expect(await router.exit).toBe(1);
  expect(router.output()).toContain('EADDRINUSE');
  const several = await start(`--http-bind-address=127.0.0.1:${port}`, '--workers=2');
  expect(await several.exit).toBe(1);
  taken.close();
});

describe('HTTPS', () => {
  const serialOf = (port: number, options: object = {}) => new Promise<string>((resolve, reject) => {
    const socket = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca: issued.ca, ...options }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.on('error', reject);
  });
  /** The status of a request, or the error when there is no answer. */
  const statusOver = (port: number, options: object = {}) => new Promise<string>(resolve => {
    const socket = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca: issued.ca, ...options }, () => {
      socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    });
    let text = '';
    socket.on('data', chunk => (text += chunk)).on('error', error => (text ||= error.message)).on('close', () => resolve(text.slice(0, 12)));
  });
  const write = (name: string, { cert, key }: { cert: string; key: string }) => {
    writeFileSync(join(folder, `${name}.crt`), cert);
    writeFileSync(join(folder, `${name}.key`), key);
    return [`--tls-cert-file=${join(folder, `${name}.crt`)}`, `--tls-key-file=${join(folder, `${name}.key`)}`];
  };

  test('a new certificate is used when the files change, a bad one is not', async () => {
    const router = await start('--https-bind-address=HTTPS', ...write('tls', issued.servers[0]!));
    await router.isReady();
    expect(await statusOver(router.https)).toBe('HTTP/1.1 200');
    await expect(serialOf(router.https, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1' })).rejects.toThrow();
    const first = await serialOf(router.https);
    writeFileSync(join(folder, 'tls.crt'), 'nonsense');
    await eventually('the complaint', () => router.output().includes('are invalid'));
    expect(await serialOf(router.https)).toBe(first);
    for (const file of ['crt', 'key']) {
      writeFileSync(join(folder, `next.${file}`), file === 'crt' ? issued.servers[1]!.cert : issued.servers[1]!.key);
      renameSync(join(folder, `next.${file}`), join(folder, `tls.${file}`));
    }
    await eventually('the new certificate', async () => await serialOf(router.https) !== first);
    expect((await ask(router.metrics)).text).toMatch(/sandbox_router_cert_reloads_total\{outcome="failure"\} [1-9]/);
    expect((await ask(router.metrics)).text).toMatch(/sandbox_router_cert_reloads_total\{outcome="success"\} [1-9]/);
  });

  test('a Secret that the kubelet swaps is used', async () => {
    const mount = mkdtempSync(join(tmpdir(), 'router-tls-'));
    const version = (i: number) => {
      const dir = mkdtempSync(join(mount, '..v'));
      writeFileSync(join(dir, 'tls.crt'), issued.servers[i]!.cert);
      writeFileSync(join(dir, 'tls.key'), issued.servers[i]!.key);
      return dir;
    };
    symlinkSync(version(0), join(mount, '..data'));
    ['tls.crt', 'tls.key'].forEach(name => symlinkSync(join('..data', name), join(mount, name)));
    const router = await start('--https-bind-address=HTTPS', `--tls-cert-file=${mount}/tls.crt`, `--tls-key-file=${mount}/tls.key`);
    await router.isReady();
    const first = await serialOf(router.https);
    symlinkSync(version(1), join(mount, '..data_tmp'));
    renameSync(join(mount, '..data_tmp'), join(mount, '..data'));
    await eventually('the new certificate', async () => await serialOf(router.https) !== first);
  });

  test.each(['required', 'optional'])('client certificates: %s', async mode => {
    writeFileSync(join(folder, 'clients.crt'), issued.ca);
    const router = await start('--https-bind-address=HTTPS', ...write(`mtls-${mode}`, issued.servers[0]!), `--tls-client-ca-file=${join(folder, 'clients.crt')}`, `--mtls-mode=${mode}`);
    await router.isReady();
    expect(await statusOver(router.https, issued.client)).toBe('HTTP/1.1 200');
    expect(await statusOver(router.https, issued.stranger)).not.toContain('200');
    expect((await statusOver(router.https)).includes('200')).toBe(mode === 'optional');
  });
});

test('several workers share the ports; health, metrics and the end are common to them; one that dies is replaced', async () => {
  const router = await start('--workers=2');
  await router.isReady();
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(router.url, box())));
  expect(answers.every(({ status }) => status === 200)).toBe(true);
  const counted = await eventually('the count', async () => {
    const { text } = await ask(router.metrics);
    return /sandbox_router_requests_total\{[^}]*code="200"[^}]*\} 20/.test(text) && text;
  });
  expect(counted.match(/sandbox_router_build_info/g)!.length).toBeGreaterThan(0);
  const children = () => execFileSync('ps', ['-o', 'pid=', '--ppid', String(router.child.pid)], { encoding: 'utf8' }).split('\n').map(Number).filter(Boolean);
  const before = await eventually('two workers', () => children().length >= 2 && children());
  process.kill(before[0]!, 'SIGKILL');
  await eventually('the next worker', () => router.output().includes('a worker has ended'));
  await router.isReady();
  expect((await ask(router.url, box())).status).toBe(200);
  router.child.kill('SIGTERM');
  expect(await router.exit).toBe(0);
});
