import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { waitFor } from '../../../testbed/src/index.js';
import { Harness } from '../../runtime/test/harness.js';
import * as compat from '../src/compat/index.js';
import { SandboxConnection } from '../src/connection/index.js';
import { Bench, CLAIMS, SANDBOXES, rejection } from './support.js';

let runtime: Harness;
let bench: Bench;
let client: compat.SandboxClient;

beforeEach(async () => {
  runtime = await Harness.start();
  bench = await Bench.start();
  const { cluster } = bench.client['options'];
  client = new compat.SandboxClient({
    namespace: 'team', native: { cluster, connection: SandboxConnection.direct({ url: `http://127.0.0.1:${runtime.port}` }) },
  });
});
afterEach(async () => {
  await client[Symbol.asyncDispose]();
  await bench[Symbol.asyncDispose]();
  await runtime.stop();
});

async function create(options?: compat.CreateSandboxOptions): Promise<compat.Sandbox> {
  const creating = client.createSandbox('python', '', options);
  await bench.bind();
  return creating;
}

/* Each test is a row of the table in the README. */
describe('the client of the original, v1.0.12', () => {
  test('createSandbox: seconds, labels, pod labels and annotations, shutdownAfterSeconds', async () => {
    const sandbox = await create({
      sandboxReadyTimeout: 30, labels: { app: 'a' }, podLabels: { 'sandbox.users.io/s': '1' }, podAnnotations: { 'sandbox.users.io/n': 'x' }, shutdownAfterSeconds: 300,
    });
    const [claim] = bench.api.all(CLAIMS).values() as any;
    expect(claim.metadata.labels.app).toBe('a');
    expect(claim.spec).toMatchObject({
      warmPoolRef: { name: 'python' }, lifecycle: { shutdownPolicy: 'Delete' },
      additionalPodMetadata: { labels: { 'sandbox.users.io/s': '1' }, annotations: { 'sandbox.users.io/n': 'x' } },
    });
    expect(sandbox).toMatchObject({ namespace: 'team', sandboxName: 'warm-1', podName: 'warm-1', podIP: '10.1.2.3', serviceFQDN: '', isActive: true });
    expect(sandbox.claimName).toMatch(/^sandbox-claim-[0-9a-f]{8}$/);
  });

  test.each([0, 1.5, -1])('shutdownAfterSeconds %d is refused', async seconds => {
    expect(await rejection(client.createSandbox('python', undefined, { shutdownAfterSeconds: seconds }))).toBeInstanceOf(compat.SandboxError);
  });

  test('getSandbox, listActiveSandboxes, listAllSandboxes, deleteSandbox, deleteAll', async () => {
    const sandbox = await create();
    expect(await client.getSandbox(sandbox.claimName)).toBe(sandbox);
    expect(await client.listActiveSandboxes()).toEqual([{ namespace: 'team', claimName: sandbox.claimName }]);
    bench.exists('other');
    expect((await client.listAllSandboxes()).sort()).toEqual(['other', sandbox.claimName]);
    await client.deleteSandbox('other');
    expect(await rejection(client.getSandbox('other'))).toBeInstanceOf(compat.SandboxNotFoundError);
    await client.deleteAll();
    expect([sandbox.isActive, bench.api.all(CLAIMS).size]).toEqual([false, 0]);
  });

  test('close deletes, closeLocal does not', async () => {
    const sandbox = await create();
    await sandbox.closeLocal();
    expect([sandbox.isActive, bench.api.all(CLAIMS).size]).toEqual([false, 1]);
    expect(await rejection(sandbox.commands.run('true'))).toBeInstanceOf(compat.SandboxClosedError);
    await sandbox.close();
    expect(bench.api.all(CLAIMS).size).toBe(0);
  });

  test('commands.run(command, args, options): no shell, exit codes are results, a missing program is not_found', async () => {
    const { commands } = await create();
    expect(await commands.run('sh', ['-c', 'echo "$A" "$0"; exit 3', 'x y'], { env: { A: '1' } })).toEqual({ stdout: '1 x y\n', stderr: '', exitCode: 3 });
    expect((await commands.run('pwd', { cwd: '' })).stdout).toBe(`${runtime.base}\n`);
    expect(await rejection(commands.run('no-such-program'))).toMatchObject({ name: 'SandboxdRpcError', code: 'not_found' });
    expect(await rejection(commands.run('sleep', ['9'], { timeoutMs: 100 }))).toMatchObject({ name: 'SandboxdRpcError', code: 'deadline_exceeded' });
    expect(await rejection(commands.run('head', ['-c', '5000000', '/dev/zero']))).toMatchObject({ name: 'SandboxdRpcError', code: 'resource_exhausted' });
  });

  test('commands.start: events, stdin, signals', async () => {
    const { commands } = await create();
    const cat = await commands.start('sh', ['-c', 'cat; echo err >&2; exit 4']);
    await cat.write('hello');
    await cat.closeStdin();
    const seen: string[] = [];
    for await (const event of cat.events) {
      seen.push(event.type === 'exit' ? `exit ${event.exitCode}` : `${event.type} ${Buffer.from(event.data)}`);
    }
    expect([seen.sort(), cat.pid > 0]).toEqual([['exit 4', 'stderr err\n', 'stdout hello'], true]);
    expect(await rejection(cat.write('late'))).toMatchObject({ code: 'not_found' });
    const sleeper = await commands.start('sleep', ['60']);
    await sleeper.kill();
    expect(await sleeper.wait()).toBe(137);
    expect(() => sleeper.events).toThrow('events has none');
  });

  test('commands.start: callbacks, a terminal, and an error of a callback', async () => {
    const { commands } = await create();
    let output = '';
    const shell = await commands.start('sh', { pty: { cols: 80, rows: 24 }, onStdout: chunk => (output += Buffer.from(chunk)) });
    await shell.resize({ cols: 120, rows: 40 });
    expect(await rejection(shell.closeStdin())).toMatchObject({ code: 'failed_precondition' });
    await shell.write('stty size\nexit 5\n');
    expect([await shell.wait(), output.includes('40 120')]).toEqual([5, true]);
    const broken = await commands.start('echo', ['x'], { onStdout: () => {
      throw new Error('mine');
    } });
    expect((await rejection(broken.wait())).message).toBe('mine');
    expect(await rejection((await commands.start('sleep', ['9'])).resize({ cols: 1, rows: 1 }))).toMatchObject({ code: 'failed_precondition' });
  });

  test('files: read, write with a mode, list, exists, delete', async () => {
    const { files, commands } = await create();
    await files.write('d/a.sh', 'echo hi', { mode: '0750' });
    expect((await commands.run('stat', ['-c', '%a', 'd/a.sh'])).stdout).toBe('750\n');
    expect(new TextDecoder().decode(await files.read('d/a.sh'))).toBe('echo hi');
    expect(await files.list('d')).toEqual({ path: 'd', entries: [{ name: 'a.sh', size: 7, type: 'file', modifiedAt: expect.stringMatching(/^\d{4}-.*Z$/) }] });
    expect([await files.exists('d'), await files.exists('e')]).toEqual([true, false]);
    expect(await rejection(files.delete('d'))).toMatchObject({ name: 'SandboxdApiError', status: 409, code: 'CONFLICT' });
    await files.delete('d', { recursive: true });
    expect(await rejection(files.read('d/a.sh'))).toMatchObject({ name: 'SandboxdApiError', status: 404 });
    expect(await rejection(files.write('x', 'x', { mode: '999' }))).toMatchObject({ name: 'SandboxdApiError', status: 400, code: 'INVALID_ARGUMENT' });
  });

  test('files: web streams, with their limits', async () => {
    const { files } = await create();
    await files.writeStream('a', new Blob(['streamed']).stream());
    expect(await new Response(await files.readStream('a')).text()).toBe('streamed');
    const small = new compat.SandboxClient({ namespace: 'team', sandboxd: { maxDownloadSize: 3, maxUploadSize: 3 }, native: client['options'].native });
    const [{ claimName }] = await client.listActiveSandboxes();
    const limited = (await small.getSandbox(claimName)).files;
    await expect(limited.write('b', 'more')).rejects.toThrow('more than 3 bytes');
    await expect(limited.writeStream('b', new Blob(['more']).stream())).rejects.toThrow('more than 3 bytes');
    await expect(new Response(await limited.readStream('a')).text()).rejects.toThrow('more than 3 bytes');
    expect(await files.exists('b')).toBe(false);
  });

  test('suspend and resume', async () => {
    const sandbox = await create();
    const suspending = sandbox.suspend();
    const key = 'team/warm-1';
    const spec = async (mode: string) => waitFor(() => bench.api.all(SANDBOXES).get(key)?.spec.operatingMode === mode, { what: mode });
    await spec('Suspended');
    bench.putSandbox('warm-1', { spec: { operatingMode: 'Suspended', replicas: 0 }, status: { conditions: [{ type: 'Suspended', status: 'True', reason: 'PodTerminated', message: '' }] } });
    await suspending;
    const resuming = sandbox.resume();
    await spec('Running');
    bench.putSandbox('warm-1', { spec: { operatingMode: 'Running', replicas: 1 } });
    await resuming;
  });

  test('health and metadata', async () => {
    const sandbox = await create();
    expect(await sandbox.health()).toEqual({ status: 'ok', uptimeSeconds: expect.any(Number) });
    expect((await sandbox.metadata()).env).toEqual(expect.any(Object));
  });

  test('connectivity and limits are checked when the client is made', () => {
    expect(() => new compat.SandboxClient({ sandboxd: { connectivity: 'in-cluster-service' } })).toThrow(compat.SandboxNoServiceError);
    expect(() => new compat.SandboxClient({ sandboxd: { maxDownloadSize: 0 } })).toThrow('maxDownloadSize is 0');
    expect(() => new compat.SandboxClient({ sandboxReadyTimeout: NaN })).toThrow(compat.SandboxError);
  });

  test('no connection is a SandboxConnectionError', async () => {
    const sandbox = await create();
    await runtime.stop();
    expect(await rejection(sandbox.files.read('a', { timeoutMs: 60_000, maxAttempts: 1 } as object))).toMatchObject({ name: 'SandboxConnectionError', kind: 'connect' });
    runtime = await Harness.start();
  });
});
