import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Cluster, staticCredentials } from 'agent-sandbox-kube';
import type { Agent } from 'undici';
import type { Connection, Target } from '../src/connection/connection.js';
import type { TunnelOptions } from '../src/connection/index.js';
import { tunnel } from '../src/connection/tunnel.js';
import { SandboxTunnelError } from '../src/errors.js';
import { Transport } from '../src/transport.js';
import { FakeKubelet } from './fake-kubelet.js';
import { FakeSandbox, bytes, status } from './fake-sandbox.js';
import { rejection } from './support.js';

const slices = (namespace: string) => `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`;
const slice = (...pods: string[]) => ({ body: {
  metadata: { resourceVersion: '1' },
  items: [{ metadata: {}, ports: [{ name: 'https', port: 8443 }, { name: 'http', port: 8080 }], endpoints: pods.map(name => ({ conditions: { ready: true }, targetRef: { kind: 'Pod', name } })) }],
} });

let router: FakeSandbox;
let kubelet: FakeKubelet;
let cluster: Cluster;

beforeEach(async () => {
  router = await FakeSandbox.start();
  kubelet = await FakeKubelet.start(() => router.port);
  cluster = new Cluster({ credentials: staticCredentials({ server: kubelet.url, token: 'mine' }), userAgent: 'test', random: () => 0, maxRetries: 0 });
});
afterEach(async () => {
  await cluster.close();
  await kubelet.stop();
  await router.stop();
});

/** Runs with a transport to sandbox `team/s` through a tunnel. */
async function through<T>(options: TunnelOptions, work: (transport: Transport) => Promise<T>): Promise<T> {
  const connection = tunnel(options).open(() => cluster);
  try {
    return await work(new Transport({
      connection, cluster: () => cluster, allowInsecureTokens: false, sendAddress: false, port: 8888, headers: {}, timeoutMs: 20_000, random: () => 1,
      logger: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
    }, { claim: 'team/c', namespace: 'team', name: 's', uid: async () => 'u', address: async () => undefined, isAt: async () => true, forgetAddress: () => undefined }));
  } finally {
    await connection.close();
  }
}

const disposable = (connection: Connection) => Object.assign(connection, { [Symbol.asyncDispose]: () => connection.close() });

const READ = { operation: 'read', method: 'GET', path: 'download/a', reads: true } as const;
const RUN = { operation: 'run', method: 'POST', path: 'execute', body: '{}', reads: false } as const;

describe('tunnel', () => {
  test('reaches the router through the API server, many requests over few connections', async () => {
    kubelet.objects.set(slices('agent-sandbox-system'), slice('router-1'));
    kubelet.pods.add('router-1');
    router.answers = [bytes(Buffer.from('x'))];
    await through({}, async transport => {
      for (let i = 0; i < 5; i++) {
        expect((await transport.buffer(READ, 10)).toString()).toBe('x');
      }
      expect(kubelet.forwards.length).toBeLessThanOrEqual(2);
      expect(await Promise.all(Array.from({ length: 50 }, () => transport.buffer(READ, 10)))).toHaveLength(50);
    });
    expect(kubelet.requests.filter(url => url.includes('endpointslices'))).toHaveLength(1);
    expect(kubelet.requests).toContain('/api/v1/namespaces/agent-sandbox-system/pods/router-1/portforward?ports=8080');
    expect(kubelet.forwards.length).toBeLessThanOrEqual(32);
    expect(router.arrived[0].headers).toMatchObject({ 'x-sandbox-id': 's', 'x-sandbox-namespace': 'team' });
    // What proves who we are to the API server is not for the router.
    expect(router.arrived[0].headers.authorization).toBeUndefined();
  });

  test('is there for the first request if it was prepared; a failure shows in the first request', async () => {
    const request = async (connection: Connection) => {
      const { dispatcher, origin } = await connection.route({ namespace: 'team' } as Target, new AbortController().signal);
      await (await dispatcher.request({ origin, path: '/x', method: 'GET' })).body.dump();
    };
    kubelet.objects.set(slices('agent-sandbox-system'), slice());
    await using early = disposable(tunnel({ routerNamespace: 'agent-sandbox-system' }).open(() => cluster));
    early.prepare!('team');
    await expect(request(early)).rejects.toThrow('no router is ready behind');
    kubelet.objects.set(slices('agent-sandbox-system'), slice('router-1'));
    kubelet.pods.add('router-1');
    router.answers = [bytes(Buffer.from('ok'))];
    await using connection = disposable(tunnel().open(() => cluster));
    connection.prepare!('team');
    connection.prepare!('team');
    const { dispatcher, origin } = await connection.route({ namespace: 'team' } as Target, new AbortController().signal);
    // Until the connection is free again.
    while (router.arrived.length === 0 || (dispatcher as Agent).stats[origin]?.running !== 0) {
      await new Promise(resolve => setTimeout(resolve, 5));
    }
    expect(router.arrived.map(({ url }) => url)).toEqual(['/healthz']);
    await request(connection);
    expect(kubelet.forwards).toHaveLength(1);
  });

  test('carries large bodies both ways, byte by byte', async () => {
    kubelet.objects.set(slices('agent-sandbox-system'), slice('router-1'));
    kubelet.pods.add('router-1');
    const large = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => i % 251));
    router.answers = [(request, response) => response.end(request.body)];
    const back = await through({}, transport => transport.buffer({ ...RUN, body: large }, 4_000_000));
    expect(back.equals(large)).toBe(true);
  });

  test('carries WebSockets', async () => {
    kubelet.objects.set(slices('agent-sandbox-system'), slice('router-1'));
    kubelet.pods.add('router-1');
    router.onSocket = socket => socket.on('message', data => socket.send(`you said ${data}`));
    await through({}, async transport => {
      const said = await new Promise<string>((resolve, reject) => {
        void transport.webSocket('start', 'ws', { message: data => (resolve(data.toString()), true), over: reject }, {})
          .then(socket => socket.send(Buffer.from('hi'), { binary: false }, () => undefined), reject);
      });
      expect(said).toBe('you said hi');
    });
  });

  test('finds another router when the Pod that it knew is gone, and repeats a command that was not sent', async () => {
    kubelet.objects.set(slices('agent-sandbox-system'), slice('router-1'));
    kubelet.pods.add('router-1');
    router.answers = [status(200, {}, { connection: 'close' })];
    await through({}, async transport => {
      await transport.buffer(RUN, 10);
      kubelet.pods.delete('router-1');
      kubelet.pods.add('router-2');
      kubelet.objects.set(slices('agent-sandbox-system'), slice('router-2'));
      await transport.buffer(RUN, 10);
    });
    expect(kubelet.requests).toContain('/api/v1/namespaces/agent-sandbox-system/pods/router-2/portforward?ports=8080');
  });

  test('comes back after it broke: what only reads is repeated, a command is not', async () => {
    kubelet.objects.set(slices('agent-sandbox-system'), slice('router-1'));
    kubelet.pods.add('router-1');
    const breaking = () => void kubelet.forwards.at(-1)!.destroy();
    router.answers = [breaking, bytes(Buffer.from('x'))];
    await through({}, async transport => {
      expect((await transport.buffer(READ, 10)).toString()).toBe('x');
      router.answers = [breaking, status(200, {})];
      const error = await rejection(transport.buffer(RUN, 10));
      expect(error.sent).toBe(true);
      expect(router.arrived.filter(({ url }) => url === '/execute')).toHaveLength(1);
    });
  });

  test('also looks in the namespace of the sandbox', async () => {
    kubelet.objects.set(slices('agent-sandbox-system'), { body: { metadata: { resourceVersion: '1' }, items: [] } });
    kubelet.objects.set(slices('team'), slice('router-1'));
    kubelet.pods.add('router-1');
    router.answers = [bytes(Buffer.from('x'))];
    await through({}, transport => transport.buffer(READ, 10));
    expect(kubelet.requests).toContain('/api/v1/namespaces/team/pods/router-1/portforward?ports=8080');
  });

  test('finds Pods by their label when it may not list EndpointSlices', async () => {
    kubelet.objects.set(slices('routers'), { code: 403, body: { kind: 'Status', reason: 'Forbidden', message: 'no' } });
    const ready = (name: string, value: string) => ({ metadata: { name, namespace: 'routers' }, status: { conditions: [{ type: 'Ready', status: value }] } });
    kubelet.objects.set('/api/v1/namespaces/routers/pods', { body: { metadata: { resourceVersion: '1' }, items: [ready('starting', 'False'), ready('router-1', 'True')] } });
    kubelet.pods.add('router-1');
    router.answers = [bytes(Buffer.from('x'))];
    await through({ routerNamespace: 'routers' }, transport => transport.buffer(READ, 10));
    expect(kubelet.requests).toContain('/api/v1/namespaces/routers/pods?labelSelector=app%3Dsandbox-router&limit=500');
  });

  test.each<[string, () => void, RegExp]>([
    ['there is no router', () => [slices('agent-sandbox-system'), slices('team')].forEach(path => kubelet.objects.set(path, { body: { metadata: {}, items: [] } })),
      /there is no router behind Service sandbox-router-svc in namespace agent-sandbox-system or team: install the router there/],
    ['no router is ready', () => kubelet.objects.set(slices('agent-sandbox-system'), slice()).set(slices('team'), slice()),
      /no router is ready behind Service sandbox-router-svc in namespace agent-sandbox-system or team: see whether its Pods are Ready/],
    ['the Pod is gone', () => kubelet.objects.set(slices('agent-sandbox-system'), slice('gone')),
      /tunnel to Service agent-sandbox-system\/sandbox-router-svc: get pods\/portforward "agent-sandbox-system\/gone": 404 NotFound/],
    ['nothing listens in the Pod', () => {
      kubelet.objects.set(slices('agent-sandbox-system'), slice('router-1'));
      kubelet.pods.add('router-1');
      kubelet.complaint = 'error forwarding port 8080: dial tcp4 127.0.0.1:8080: connect: connection refused';
    }, /port-forward to agent-sandbox-system\/router-1:8080: error forwarding port 8080: .* connection refused/],
  ])('says so when %s', async (_, prepare, message) => {
    prepare();
    const error = await rejection(through({}, transport => transport.buffer({ ...RUN, maxAttempts: 1 }, 10)));
    expect(error).toBeInstanceOf(SandboxTunnelError);
    expect(error.message).toMatch(message);
    expect(error.sent).toBe(false);
  });

  test('gives up on a connection that does not come about', async () => {
    kubelet.objects.set(slices('agent-sandbox-system'), slice('router-1'));
    (kubelet as any).server.removeAllListeners('upgrade');
    (kubelet as any).server.on('upgrade', (_: unknown, socket: Duplex) => kubelet.forwards.push(socket));
    const error = await rejection(through({ readyTimeoutMs: 100 }, transport => transport.buffer({ ...RUN, maxAttempts: 1 }, 10)));
    expect(error.message).toMatch(/no connection within 100 ms: see whether the router's Pods are Ready/);
  });

  test('blocks a sender: unread data stays in the sockets', async () => {
    kubelet.objects.set(slices('agent-sandbox-system'), slice('router-1'));
    kubelet.pods.add('router-1');
    router.answers = [bytes(Buffer.alloc(20_000_000, 'x'))];
    await through({}, async transport => {
      const stream = await transport.stream(READ);
      await new Promise(resolve => stream.once('readable', resolve));
      expect(stream.readableLength).toBeLessThan(1_000_000);
      expect((await text(stream)).length).toBe(20_000_000);
    });
  });
});
