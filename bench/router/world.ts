import { fork, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeApiServer, type Received } from '../../packages/kube/test/fake-api-server.js';
import { bundle } from '../../scripts/bundle';

/** The kernel counts processor time in these. */
const TICK_MS = 10;
const START_TIMEOUT_MS = 60_000;

/** A server that answers the requests of the benchmark. */
export interface Subject {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
}

/** A sandbox, and three ways to it: directly, through the least possible proxy, and through the router. */
export class World {
  /**
   * The router is bundled, as it is in its image, and runs as it does in a cluster: with caches filled from an API server, which
   * is a fake one, tokens that it reviews there, and an access log. Its limits on what one caller may do are off.
   */
  public static async start(): Promise<World> {
    const peers: ChildProcess[] = [];
    const startPeer = async (...args: string[]) => {
      const child = fork(join(__dirname, 'peers.ts'), args);
      peers.push(child);
      const port = await new Promise<number>((resolve, reject) => {
        child.once('message', resolve).once('exit', () => reject(new Error(`${args[0]} did not start`)));
      });
      return { port, pid: child.pid! };
    };
    const backend = await startPeer('backend');
    const bare = await startPeer('bare', String(backend.port));
    const api = await FakeApiServer.start();
    const dir = mkdtempSync(join(tmpdir(), 'bench-router-'));
    fill(api, backend.port);
    const kubeconfig = join(dir, 'kubeconfig');
    writeFileSync(kubeconfig, kubeconfigOf(api.url));
    const port = await freePort();
    const router = spawn(process.execPath, [
      await bundle('router', dir), `--kubeconfig=${kubeconfig}`, `--http-bind-address=127.0.0.1:${port}`, '--metrics-bind-address=0',
      '--health-probe-bind-address=0', '--workers=1', '--allow-loopback-pod-ip', '--max-requests-per-caller=0', '--max-connections-per-client=0', '--websocket-max-connections-per-client=0',
    ], { stdio: ['ignore', 'ignore', 'inherit'] });
    peers.push(router);
    const subjects = [
      { name: 'direct', url: `http://127.0.0.1:${backend.port}`, pid: backend.pid },
      { name: 'bare undici', url: `http://127.0.0.1:${bare.port}`, pid: bare.pid },
      { name: 'router', url: `http://127.0.0.1:${port}`, pid: router.pid! },
    ];
    const world = new World(subjects, { 'x-sandbox-id': 'box', 'x-sandbox-port': String(backend.port), 'authorization': 'Bearer token' }, async () => {
      peers.forEach(child => child.kill('SIGKILL'));
      await api.stop();
      rmSync(dir, { recursive: true });
    });
    try {
      await world.untilReady();
    } catch (error) {
      await world.stop();
      throw error;
    }
    return world;
  }

  private constructor(
    public readonly subjects: readonly Subject[],
    public readonly headers: Readonly<Record<string, string>>,
    public readonly stop: () => Promise<void>,
  ) {}

  private async untilReady(): Promise<void> {
    const { url } = this.subjects[2];
    for (const deadline = Date.now() + START_TIMEOUT_MS; ;) {
      const answer = await fetch(url, { headers: this.headers }).catch(() => undefined);
      if (answer?.ok) {
        return;
      }
      if (Date.now() > deadline) {
        const said = answer === undefined ? 'no connection' : `${answer.status} ${await answer.text()}`;
        throw new Error(`the router does not answer: ${said}`);
      }
      await new Promise(resolve => setTimeout(resolve, 50));
    }
  }
}

/** Milliseconds of processor time that a process has used. */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** Bytes of memory that a process has in use. */
export function rssBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024;
}

/** A Sandbox whose Pod is the backend, and answers to the reviews of its caller's token. */
function fill(api: FakeApiServer, port: number): void {
  const container = { name: 'main', image: 'image', ports: [{ containerPort: port }] };
  const { metadata } = api.put('/apis/agents.x-k8s.io/v1beta1/sandboxes', {
    metadata: { name: 'box', namespace: 'default' }, spec: { podTemplate: { spec: { containers: [container] } } },
  });
  api.put('/api/v1/pods', {
    metadata: {
      name: 'box', namespace: 'default', labels: { 'agents.x-k8s.io/sandbox-name-hash': 'x' },
      ownerReferences: [{ apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox', name: 'box', uid: metadata.uid, controller: true }],
    },
    spec: {}, status: { podIPs: [{ ip: '127.0.0.1' }], conditions: [{ type: 'Ready', status: 'True' }] },
  });
  api.respond = ({ path, body }: Received) => {
    if (path.endsWith('/tokenreviews')) {
      return { ...body, status: { authenticated: true, audiences: body.spec.audiences, user: { username: 'jane' } } };
    }
    return path.endsWith('/subjectaccessreviews') ? { ...body, status: { allowed: true } } : undefined;
  };
}

function kubeconfigOf(server: string): string {
  return JSON.stringify({
    'apiVersion': 'v1', 'kind': 'Config', 'current-context': 'x', 'clusters': [{ name: 'x', cluster: { server } }], 'users': [{ name: 'x', user: {} }],
    'contexts': [{ name: 'x', context: { cluster: 'x', user: 'x' } }],
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise(resolve => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise(resolve => server.close(resolve));
  return port;
}
