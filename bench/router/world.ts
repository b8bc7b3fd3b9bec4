import { fork, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeApiServer, type Received } from '../../packages/kube/test/fake-api-server.js';
import { bundle } from '../../scripts/bundle';

/** The kernel counts processor time in these. */
const TICK_MS = 10;
const START_TIMEOUT_MS = 60_000;
/** Domain of the addresses by host. */
const DOMAIN = 'sandboxes.test';

/** A server that answers the requests of the benchmark. */
export interface Subject {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
}

export interface WorldOptions {
  /** Where the router leaves a profile of its processor time. @default - none */
  readonly profileDir?: string;
}

/** A sandbox, and three ways to it: directly, through the least possible proxy, and through the router. */
export class World {
  /**
   * The router is bundled, as it is in its image, and runs as it does in a cluster: with caches filled from an API server, which
   * is a fake one, tokens that it reviews there, and an access log. Its limits on what one caller may do are off.
   */
  public static async start({ profileDir }: WorldOptions = {}): Promise<World> {
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
    const keyFile = join(dir, 'session-key');
    writeFileSync(keyFile, 'k'.repeat(32));
    const port = await freePort();
    const router = spawn(process.execPath, [
      ...(profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`]), await bundle('router', dir), `--kubeconfig=${kubeconfig}`, `--http-bind-address=127.0.0.1:${port}`, '--metrics-bind-address=0',
      '--health-probe-bind-address=0', '--workers=1', '--allow-loopback-pod-ip', `--host-routing-domain=${DOMAIN}`, `--authz-cookie-key-file=${keyFile}`,
      '--max-requests-per-caller=0', '--max-connections-per-client=0', '--websocket-max-connections-per-client=0',
    ], { stdio: ['ignore', 'ignore', 'inherit'] });
    peers.push(router);
    const subjects = [
      { name: 'direct', url: `http://127.0.0.1:${backend.port}`, pid: backend.pid },
      { name: 'bare undici', url: `http://127.0.0.1:${bare.port}`, pid: bare.pid },
      { name: 'router', url: `http://127.0.0.1:${port}`, pid: router.pid! },
    ];
    const world = new World(subjects, { 'x-sandbox-id': 'box', 'x-sandbox-port': String(backend.port), 'authorization': 'Bearer token' }, `box--default--${backend.port}.${DOMAIN}`, backend.pid, async () => {
      // A profile is written at the end.
      if (profileDir !== undefined && router.exitCode === null) {
        await new Promise(resolve => router.once('exit', resolve).kill('SIGTERM') && undefined);
      }
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
    /** Of a program with a token. */
    public readonly headers: Readonly<Record<string, string>>,
    private readonly host: string,
    private readonly backendPid: number,
    public readonly stop: () => Promise<void>,
  ) {}

  /** Headers of a browser that has signed in. */
  public async session(): Promise<Readonly<Record<string, string>>> {
    const { host } = this;
    const cookie = await new Promise<string>((resolve, reject) => {
      get(`${this.subjects[2].url}/?sandbox_token=token`, { headers: { host } }, answer => {
        answer.resume();
        const [set] = answer.headers['set-cookie'] ?? [];
        if (set === undefined) {
          reject(new Error(`no session: ${answer.statusCode}`));
        } else {
          resolve(set.split(';', 1)[0]);
        }
      }).on('error', reject);
    });
    return { host, cookie, origin: `http://${host}` };
  }

  /** Lets a subject run on one core, and the load with all else on the others. Does nothing on a machine with one core. Returns what undoes it. */
  public apart({ pid }: Subject): () => void {
    const count = cpus().length;
    if (count < 2) {
      return () => undefined;
    }
    const pin = (who: number, cores: string) => {
      const { status, stderr } = spawnSync('taskset', ['--all-tasks', '--pid', '--cpu-list', cores, String(who)], { encoding: 'utf8' });
      if (status !== 0) {
        throw new Error(`taskset: ${stderr}`);
      }
    };
    const others = [process.pid, this.backendPid].filter(other => other !== pid);
    others.forEach(other => pin(other, `0-${count - 2}`));
    pin(pid, String(count - 1));
    return () => [...others, pid].forEach(each => pin(each, `0-${count - 1}`));
  }

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
