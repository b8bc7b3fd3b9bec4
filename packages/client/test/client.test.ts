import { describe, expect, test } from '@jest/globals';
import { ApiError } from 'agent-sandbox-kube';
import { SandboxClient } from '../src/client.js';
import { SandboxConnection } from '../src/connection/index.js';
import {
  SandboxClaimExistsError, SandboxClaimFailedError, SandboxCleanupError, SandboxClosedError, SandboxInputError, SandboxNotFoundError,
  SandboxTemplateNotFoundError, SandboxTimeoutError, SandboxWarmPoolNotFoundError,
} from '../src/errors.js';
import type { Progress } from '../src/readiness.js';
import { RouterToken } from '../src/tokens.js';
import { status } from './fake-sandbox.js';
import { Bench, CLAIMS, SANDBOXES, rejection } from './support.js';

const claims = (bench: Bench) => [...bench.api.all(CLAIMS).keys()];

describe('create', () => {
  test('claims a sandbox and gives a handle of it when it is Ready', async () => {
    await using bench = await Bench.start();
    const progress: Progress[] = [];
    const creating = bench.client.create({ pool: 'python', onProgress: event => progress.push(event) });
    const claim = await bench.bind('warm-1');
    const sandbox = await creating;
    expect([sandbox.namespace, sandbox.claimName, sandbox.name, sandbox.isKept]).toEqual(['team', claim, 'warm-1', false]);
    expect(progress).toEqual([{ step: 'created', claim: `team/${claim}` }, { step: 'ready', sandbox: 'warm-1' }]);
  });

  test.each([[{}, ['team']], [{ keep: true }, []], [{ name: 'mine' }, []]])('with %j, token and connection are got while the controller works: %j', async (options, namespaces) => {
    const [asked, opened]: string[][] = [[], []];
    const plan = SandboxConnection.direct({ url: 'http://127.0.0.1:1' });
    await using bench = await Bench.start({
      token: { ...RouterToken.fixed('t'), prepare: namespace => void asked.push(namespace) },
      connection: { ...plan, open: cluster => Object.assign(plan.open(cluster), { prepare: (namespace: string) => void opened.push(namespace) }) },
    });
    const creating = bench.client.create({ pool: 'python', ...options });
    await bench.claimed();
    expect([asked, opened]).toEqual([namespaces, namespaces]);
    await bench.bind();
    await creating;
  });

  test('watches from the version of the claim that it made, and nothing but it', async () => {
    await using bench = await Bench.start();
    const creating = bench.client.create({ pool: 'python' });
    const claim = await bench.bind();
    await creating;
    const watch = bench.api.requests.find(({ isWatch }) => isWatch)!;
    expect(watch.query).toMatchObject({ fieldSelector: `metadata.name=${claim}`, resourceVersion: '101' });
    expect(bench.api.requests.map(({ method }) => method)).toEqual(['POST', 'GET']);
  });

  test('waits while the reason may still pass, and tells it', async () => {
    await using bench = await Bench.start();
    const progress: Progress[] = [];
    const creating = bench.client.create({ pool: 'python', onProgress: event => progress.push(event) });
    const claim = await bench.claimed();
    bench.setStatus(claim, { conditions: [{ type: 'Ready', status: 'False', reason: 'SandboxNotReady', message: 'soon' }], sandbox: { name: 'warm-1' } });
    await bench.bind();
    await creating;
    expect(progress).toContainEqual({ step: 'waiting', reason: 'SandboxNotReady', message: 'soon' });
    expect(progress).toContainEqual({ step: 'bound', sandbox: 'warm-1' });
  });

  test.each([
    ['TemplateNotFound', SandboxTemplateNotFoundError],
    ['WarmPoolNotFound', SandboxWarmPoolNotFoundError],
    ...['InvalidMetadata', 'EnvVarsInjectionRejected', 'VolumeClaimTemplatesError', 'ClaimExpired', 'SandboxExpired', 'InvalidConfiguration', 'PodFailed', 'PodSucceeded']
      .map(reason => [reason, SandboxClaimFailedError] as const),
  ])('fails at once for %s, and deletes the claim', async (reason, type) => {
    await using bench = await Bench.start();
    const creating = rejection(bench.client.create({ pool: 'python' }));
    const claim = await bench.bind('warm-1', { status: 'False', reason, message: 'because' });
    const error = await creating;
    expect(error).toBeInstanceOf(type);
    expect(error).toMatchObject({ claim: `team/${claim}`, reason, message: expect.stringContaining(`(${reason}: because)`) });
    expect(error.remedy).toBeTruthy();
    expect(claims(bench)).toEqual([]);
  });

  test('gives up after the time limit, with the last reason, and deletes the claim', async () => {
    await using bench = await Bench.start();
    const creating = rejection(bench.client.create({ pool: 'python', timeoutMs: 300 }));
    bench.setStatus(await bench.claimed(), { conditions: [{ type: 'Ready', status: 'False', reason: 'SandboxNotReady', message: 'pulling' }] });
    const error = await creating;
    expect(error).toBeInstanceOf(SandboxTimeoutError);
    expect(error.message).toMatch(/was not ready within 300 ms; the controller says SandboxNotReady \(pulling\)/);
    expect(claims(bench)).toEqual([]);
  });

  test('says so when no controller runs', async () => {
    await using bench = await Bench.start();
    expect((await rejection(bench.client.create({ pool: 'python', timeoutMs: 100 }))).message).toMatch(/no controller has looked at it/);
  });

  test('goes on when the watch breaks, ends or is too old', async () => {
    await using bench = await Bench.start();
    const creating = bench.client.create({ pool: 'python' });
    await bench.claimed();
    const watching = async (count: number) => {
      while (bench.api.requests.filter(({ isWatch }) => isWatch).length < count || bench.api.watchCount < 1) {
        await new Promise(resolve => setTimeout(resolve, 2));
      }
    };
    await watching(1);
    bench.api.cutWatches();
    await watching(2);
    bench.api.endWatches();
    bench.api.put('/api/v1/configmaps', { metadata: { namespace: 'team', name: 'x' } });
    bench.api.compact();
    await bench.bind();
    expect((await creating).name).toBe('warm-1');
  });

  test('fails when the claim is deleted meanwhile', async () => {
    await using bench = await Bench.start();
    const creating = rejection(bench.client.create({ pool: 'python' }));
    bench.api.remove(CLAIMS, `team/${await bench.claimed()}`);
    expect(await creating).toBeInstanceOf(SandboxNotFoundError);
  });

  test('deletes the claim when it is aborted, and rejects with the reason', async () => {
    await using bench = await Bench.start();
    const controller = new AbortController();
    const creating = rejection(bench.client.create({ pool: 'python', signal: controller.signal }));
    await bench.claimed();
    const reason = new Error('enough');
    controller.abort(reason);
    expect(await creating).toBe(reason);
    expect(claims(bench)).toEqual([]);
  });

  test('deletes a claim whose creation got no answer', async () => {
    await using bench = await Bench.start();
    const { arrived, open } = bench.api.hold(({ method }) => method === 'POST');
    const creating = rejection(bench.client.create({ pool: 'python' }));
    await arrived;
    // It is stored, but its answer is lost.
    const { body } = bench.api.requests.at(-1)!;
    bench.api.put(CLAIMS, body);
    bench.api.fail(({ method }) => method === 'POST', 'cut');
    open();
    expect((await creating).name).toBe('ConnectionError');
    expect(claims(bench)).toEqual([]);
  });

  test('leaves nothing to delete when the server refuses', async () => {
    await using bench = await Bench.start();
    bench.api.fail(({ method }) => method === 'POST', { code: 403, reason: 'Forbidden' });
    expect(await rejection(bench.client.create({ pool: 'python' }))).toBeInstanceOf(ApiError);
    expect(bench.api.requests.map(({ method }) => method)).toEqual(['POST']);
  });

  test('says which claim is left when it cannot be deleted', async () => {
    await using bench = await Bench.start();
    bench.api.fail(({ method }) => method === 'DELETE', { code: 403, reason: 'Forbidden' });
    const creating = rejection(bench.client.create({ pool: 'python' }));
    const claim = await bench.bind('warm-1', { status: 'False', reason: 'PodFailed' });
    const error = await creating;
    expect(error).toBeInstanceOf(SandboxCleanupError);
    expect(error.claim).toBe(`team/${claim}`);
    expect(error.cause).toBeInstanceOf(SandboxClaimFailedError);
  });

  test('makes no request for options that are wrong', async () => {
    await using bench = await Bench.start();
    expect(await rejection(bench.client.create({}))).toBeInstanceOf(SandboxInputError);
    expect(await rejection(bench.client.create({ pool: 'a', adopt: true }))).toBeInstanceOf(SandboxInputError);
    expect(bench.api.requests).toEqual([]);
  });
});

describe('create with a name', () => {
  test('keeps the claim at the end of the scope', async () => {
    await using bench = await Bench.start();
    const creating = bench.client.create({ pool: 'python', name: 'mine' });
    await bench.bind();
    {
      await using sandbox = await creating;
      expect(sandbox.isKept).toBe(true);
    }
    await bench.client.deleteAll();
    expect(claims(bench)).toEqual(['team/mine']);
  });

  test('refuses a name that is taken, and leaves that claim alone', async () => {
    await using bench = await Bench.start();
    bench.api.put(CLAIMS, { metadata: { namespace: 'team', name: 'mine' }, spec: { warmPoolRef: { name: 'python' } } });
    expect(await rejection(bench.client.create({ pool: 'python', name: 'mine' }))).toBeInstanceOf(SandboxClaimExistsError);
    expect(claims(bench)).toEqual(['team/mine']);
  });

  test('adopts a claim of the same pool, also one that is Ready already', async () => {
    await using bench = await Bench.start();
    bench.api.put(CLAIMS, {
      metadata: { namespace: 'team', name: 'mine' }, spec: { warmPoolRef: { name: 'python' } },
      status: { sandbox: { name: 'old' }, conditions: [{ type: 'Ready', status: 'True' }] },
    });
    expect((await bench.client.create({ pool: 'python', name: 'mine', adopt: true })).name).toBe('old');
  });

  test.each([
    ['names another pool', { spec: { warmPoolRef: { name: 'other' } } }, /names another pool or template/],
    ['is being deleted', { spec: { warmPoolRef: { name: 'python' } }, metadata: { deletionTimestamp: 'x' } }, /being deleted/],
  ])('does not adopt a claim that %s', async (_, { metadata = {}, ...change }: any, message) => {
    await using bench = await Bench.start();
    bench.api.put(CLAIMS, { metadata: { namespace: 'team', name: 'mine', ...metadata }, ...change });
    const error = await rejection(bench.client.create({ pool: 'python', name: 'mine', adopt: true }));
    expect(error).toBeInstanceOf(SandboxClaimExistsError);
    expect(error.message).toMatch(message);
    expect(claims(bench)).toEqual(['team/mine']);
  });

  test('does not delete an adopted claim when waiting for it fails', async () => {
    await using bench = await Bench.start();
    bench.api.put(CLAIMS, { metadata: { namespace: 'team', name: 'mine' }, spec: { warmPoolRef: { name: 'python' } } });
    expect(await rejection(bench.client.create({ pool: 'python', name: 'mine', adopt: true, timeoutMs: 50 }))).toBeInstanceOf(SandboxTimeoutError);
    expect(claims(bench)).toEqual(['team/mine']);
  });
});

describe('get', () => {
  test('gives a handle of a sandbox that need not be Ready', async () => {
    await using bench = await Bench.start();
    bench.api.put(CLAIMS, { metadata: { namespace: 'team', name: 'a' }, spec: {}, status: { sandbox: { Name: 'old-server' } } });
    bench.putSandbox('old-server');
    const sandbox = await bench.client.get('a');
    expect([sandbox.name, sandbox.isKept]).toEqual(['old-server', true]);
  });

  test.each([
    ['no claim', (_: Bench) => undefined, /claim team\/a does not exist/],
    ['no Sandbox', (bench: Bench) => bench.api.put(CLAIMS, { metadata: { namespace: 'team', name: 'a' }, status: { sandbox: { name: 's' } } }), /Sandbox team\/s of claim team\/a does not exist/],
  ])('throws SandboxNotFoundError when there is %s, and deletes nothing', async (_, prepare, message) => {
    await using bench = await Bench.start();
    prepare(bench);
    const error = await rejection(bench.client.get('a'));
    expect(error).toBeInstanceOf(SandboxNotFoundError);
    expect(error.message).toMatch(message);
    expect(bench.api.requests.filter(({ method }) => method !== 'GET')).toEqual([]);
  });

  test('deletes nothing when the lookup fails for a handle that this client has', async () => {
    await using bench = await Bench.start();
    const creating = bench.client.create({ pool: 'python' });
    const claim = await bench.bind();
    await creating;
    bench.api.fail(({ method }) => method === 'GET', { code: 500 }, 1);
    await rejection(bench.client.get(claim));
    expect(claims(bench)).toEqual([`team/${claim}`]);
  });
});

describe('list and delete', () => {
  test('lists the claims of the namespace', async () => {
    await using bench = await Bench.start();
    bench.api.put(CLAIMS, {
      metadata: { namespace: 'team', name: 'a', creationTimestamp: '2026-01-31T17:00:00Z' },
      spec: { warmPoolRef: { name: 'python' }, lifecycle: { shutdownTime: '2026-01-31T18:00:00Z' } },
      status: { sandbox: { name: 'warm-1' }, conditions: [{ type: 'Ready', status: 'True', reason: 'DependenciesReady', message: 'fine' }] },
    });
    bench.api.put(CLAIMS, { metadata: { namespace: 'other', name: 'b' }, spec: {} });
    expect(await bench.client.list()).toEqual([{
      namespace: 'team', claimName: 'a', sandboxName: 'warm-1', pool: 'python', template: undefined, isReady: true, reason: 'DependenciesReady', message: 'fine',
      createdAt: new Date('2026-01-31T17:00:00Z'), expiresAt: new Date('2026-01-31T18:00:00Z'),
    }]);
  });

  test('deletes a claim by name, and says whether there was one', async () => {
    await using bench = await Bench.start();
    bench.api.put(CLAIMS, { metadata: { namespace: 'team', name: 'a' }, spec: {} });
    expect(await bench.client.delete('a')).toBe(true);
    expect(await bench.client.delete('a')).toBe(false);
  });

  test('deletes at the end of the scope what it made under a name of its own', async () => {
    await using bench = await Bench.start();
    const creating = bench.client.create({ pool: 'python' });
    await bench.bind();
    {
      await using sandbox = await creating;
      expect(sandbox.isClosed).toBe(false);
    }
    expect(claims(bench)).toEqual([]);
  });

  test('does not delete another claim that has the name by now', async () => {
    await using bench = await Bench.start();
    const creating = bench.client.create({ pool: 'python' });
    const claim = await bench.bind();
    const sandbox = await creating;
    bench.api.remove(CLAIMS, `team/${claim}`);
    bench.api.put(CLAIMS, { metadata: { namespace: 'team', name: claim }, spec: {} });
    await sandbox.delete();
    expect(claims(bench)).toEqual([`team/${claim}`]);
  });

  test('deleteAll tries all, reports what failed, and can be repeated', async () => {
    await using bench = await Bench.start();
    for (let i = 0; i < 3; i++) {
      const creating = bench.client.create({ pool: 'python' });
      const name = await new Promise<string>(resolve => {
        const look = () => {
          const open = [...bench.api.all(CLAIMS).values()].find(({ status: state }) => !state);
          return open ? resolve(open.metadata.name) : setImmediate(look);
        };
        look();
      });
      bench.setStatus(name, { conditions: [{ type: 'Ready', status: 'True' }], sandbox: { name: `s${i}` } });
      await creating;
    }
    bench.api.fail(({ method }) => method === 'DELETE', { code: 500 });
    const error = await rejection(bench.client.deleteAll());
    expect(error).toBeInstanceOf(AggregateError);
    expect(error.message).toMatch(/^1 sandboxes could not be deleted/);
    expect(claims(bench)).toHaveLength(1);
    await bench.client.deleteAll();
    expect(claims(bench)).toEqual([]);
  });

  test('refuses to work after close', async () => {
    await using bench = await Bench.start();
    const creating = bench.client.create({ pool: 'python' });
    await bench.bind();
    const sandbox = await creating;
    await bench.client.close();
    expect(await rejection(sandbox.commands.run('true'))).toBeInstanceOf(SandboxClosedError);
    expect(await rejection(bench.client.list())).toBeInstanceOf(SandboxClosedError);
  });
});

describe('suspend and resume', () => {
  async function start(bench: Bench) {
    const creating = bench.client.create({ pool: 'python' });
    await bench.bind();
    return creating;
  }

  test('write both generations of the API in one request and wait for the controller', async () => {
    await using bench = await Bench.start();
    const sandbox = await start(bench);
    const suspending = sandbox.suspend();
    const patched = async (mode: string) => {
      while (bench.api.all(SANDBOXES).get('team/warm-1')!.spec.operatingMode !== mode) {
        await new Promise(resolve => setImmediate(resolve));
      }
    };
    await patched('Suspended');
    bench.putSandbox('warm-1', { spec: { operatingMode: 'Suspended', replicas: 0 }, status: { conditions: [{ type: 'Suspended', status: 'True' }] } });
    await suspending;
    expect((await sandbox.status()).state).toBe('Suspended');
    const resuming = sandbox.resume();
    await patched('Running');
    bench.putSandbox('warm-1', { spec: { operatingMode: 'Running', replicas: 1 } });
    await resuming;
    expect(await sandbox.status()).toEqual({ state: 'Ready', reason: 'DependenciesReady', message: 'fine', podName: 'warm-1', address: '10.1.2.3' });
    expect(bench.api.requests.filter(({ method }) => method === 'PATCH').map(({ body }) => body)).toEqual([
      { spec: { operatingMode: 'Suspended', replicas: 0 } }, { spec: { operatingMode: 'Running', replicas: 1 } },
    ]);
  });

  test('do not wait when the option says so', async () => {
    await using bench = await Bench.start();
    await (await start(bench)).suspend({ wait: false });
    expect(bench.api.requests.at(-1)!.method).toBe('PATCH');
  });

  test('throw when the Sandbox is gone, which status does not', async () => {
    await using bench = await Bench.start();
    const sandbox = await start(bench);
    bench.api.remove(SANDBOXES, 'team/warm-1');
    expect(await rejection(sandbox.resume())).toBeInstanceOf(SandboxNotFoundError);
    expect((await sandbox.status()).state).toBe('NotFound');
  });

  test('tell why the sandbox does not come back', async () => {
    await using bench = await Bench.start();
    const sandbox = await start(bench);
    bench.putSandbox('warm-1', { status: { conditions: [{ type: 'Ready', status: 'False', reason: 'PodFailed', message: 'exit 1' }] } });
    expect((await rejection(sandbox.resume())).message).toMatch(/Sandbox team\/warm-1 failed \(PodFailed: exit 1\)/);
  });
});

describe('new SandboxClient', () => {
  test.each([
    ['a port beyond 65535', { port: 65536 }, /port is 65536/],
    ['a namespace that is none', { namespace: 'A' }, /namespace "A"/],
    ['headers of the router', { headers: { 'X-Sandbox-Id': 'a' } }, /headers has "X-Sandbox-Id", which the client sets itself/],
  ])('refuses %s', (_, options, message) => {
    expect(() => new SandboxClient(options)).toThrow(message);
  });

  test('sends own headers and asks an agent', async () => {
    await using bench = await Bench.start({ headers: { 'x-gateway-key': 'k' } });
    const creating = bench.client.create({ pool: 'python' });
    await bench.bind();
    bench.sandbox.answers = [status(200, { stdout: 'done', stderr: '', exit_code: 0 })];
    expect(await (await creating).agent('look')).toMatchObject({ stdout: 'done', stderr: '', exitCode: 0, timedOut: false });
    expect(bench.sandbox.arrived[0]).toMatchObject({ method: 'POST', url: '/agent', headers: { 'x-gateway-key': 'k' } });
    expect(JSON.parse(bench.sandbox.arrived[0].body.toString())).toEqual({ query: 'look' });
  });
});
