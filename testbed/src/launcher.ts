import { readFile, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import { ApiClient } from './api-client.js';
import { Binaries } from './binaries.js';
import { CertificateAuthority } from './certificates.js';
import { ComponentName, ComponentSettings, ETCD_SOCKET, WorkFiles, commandLineOf } from './components.js';
import { FakeNodeOptions, createFakeNodes, takesPods } from './fake-nodes.js';
import { Connection } from './kubeconfig.js';
import { writeAuditPolicy, writeComponentKubeconfigs, writePki } from './pki.js';
import { freePort } from './ports.js';
import { Supervisor } from './supervisor.js';

/** Milliseconds that a component has for its start; a busy machine is slow, a healthy start takes 5 seconds. */
const START_TIMEOUT_MS = 120_000;

/** Milliseconds between two looks at whether a component is ready. */
const PROBE_INTERVAL_MS = 25;

/** A port may be taken between the moment it is found free and the moment the server opens it. */
const PORT_ATTEMPTS = 3;

/** Lines of a component's log that an error repeats. */
const LOG_LINES = 15;

/** A component did not start or has ended; the message carries the end of its log. */
export class ComponentError extends Error {
  constructor(public readonly component: ComponentName, what: string, public readonly log: string) {
    super(`${component} ${what}. The end of its log:\n${log.trimEnd().split('\n').slice(-LOG_LINES).join('\n')}`);
    this.name = 'ComponentError';
  }
}

/** Brings the components of one control plane up, each when those it needs are ready. */
export class Launcher {
  private readonly files: WorkFiles;

  constructor(private readonly supervisor: Supervisor, private readonly binaries: Binaries, private settings: ComponentSettings) {
    this.files = new WorkFiles(settings.dir);
  }

  /** Starts etcd and the API server. Returns how an administrator reaches it, and its authority. */
  public async startServer(): Promise<{ connection: Connection; ca: CertificateAuthority }> {
    const [{ ca, admin }] = await Promise.all([
      writePki(this.files),
      this.spawn('etcd'),
      this.settings.auditLevel && writeAuditPolicy(this.files, this.settings.auditLevel),
    ]);
    await this.untilReady('etcd', () => canConnect(join(this.settings.dir, ETCD_SOCKET)));
    for (let attempt = 1; ; attempt++) {
      this.settings = { ...this.settings, port: await freePort() };
      const connection: Connection = { server: `https://127.0.0.1:${this.settings.port}`, ca: ca.cert, ...admin };
      try {
        await this.spawn('kube-apiserver');
        await this.untilServing(connection);
        await writeComponentKubeconfigs(this.files, ca, connection.server);
        return { connection, ca };
      } catch (error) {
        if (attempt === PORT_ATTEMPTS || !(error instanceof ComponentError && error.log.includes('address already in use'))) {
          throw error;
        }
      }
    }
  }

  /** Starts the other components and returns when they do their work. */
  public async startOthers(client: ApiClient, components: readonly ComponentName[], nodes?: FakeNodeOptions): Promise<void> {
    const others = components.filter(component => component !== 'etcd' && component !== 'kube-apiserver');
    await Promise.all(others.map(component => this.spawn(component)));
    if (nodes) {
      const names = await createFakeNodes(client, nodes);
      await this.untilReady('kwok', async () => {
        const found = await client.list('v1', 'Node');
        return found.filter(node => names.includes(node.metadata.name!) && takesPods(node)).length === names.length;
      });
    }
    if (others.includes('kube-controller-manager')) {
      await this.untilReady('kube-controller-manager', async () => {
        await client.get({ apiVersion: 'v1', kind: 'ServiceAccount', namespace: 'default', name: 'default' });
        return true;
      });
    }
    for (const component of others) {
      await this.assertRuns(component);
    }
  }

  /** Ends a component and starts it again. */
  public async restart(component: ComponentName, client: ApiClient): Promise<void> {
    await this.supervisor.kill(component);
    if (component === 'kwok') {
      // The new process would wait until the Leases of the old one have run out.
      await client.request('DELETE', '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases');
    }
    await this.spawn(component);
    if (component === 'kube-apiserver') {
      await this.untilServing(client.connection);
    } else if (component === 'etcd') {
      await this.untilReady('etcd', () => canConnect(join(this.settings.dir, ETCD_SOCKET)));
    }
  }

  /** Writes the file that kwok reads when it starts. */
  public async writeStages(text: string): Promise<void> {
    await writeFile(this.files.stages, text);
  }

  private async spawn(component: ComponentName): Promise<void> {
    await this.supervisor.spawn({
      name: component,
      command: this.binaries.find(component)!,
      args: commandLineOf(component, this.settings),
      // Nothing of the user's environment: no KUBECONFIG, no proxies.
      env: { HOME: this.settings.dir, TMPDIR: this.settings.dir, PATH: process.env.PATH ?? '' },
      log: this.files.log(component),
    });
  }

  private async untilServing(connection: Connection): Promise<void> {
    const client = new ApiClient(connection);
    try {
      await this.untilReady('kube-apiserver', async () => (await client.request('GET', '/readyz')).code === 200);
    } finally {
      await client.close();
    }
  }

  private async untilReady(component: ComponentName, probe: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT_MS;
    while (!await probe().catch(() => false)) {
      await this.assertRuns(component);
      if (performance.now() > deadline) {
        throw new ComponentError(component, `was not ready after ${START_TIMEOUT_MS} ms`, await this.log(component));
      }
      await delay(PROBE_INTERVAL_MS);
    }
  }

  private async assertRuns(component: ComponentName): Promise<void> {
    const exit = this.supervisor.exitOf(component);
    if (exit) {
      throw new ComponentError(component, `ended with ${exit.signal ?? `code ${exit.code}`}`, await this.log(component));
    }
  }

  private log(component: ComponentName): Promise<string> {
    return readFile(this.files.log(component), 'utf8').catch(() => '');
  }
}

function canConnect(socketPath: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createConnection(socketPath);
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
