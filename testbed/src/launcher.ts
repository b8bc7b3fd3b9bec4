import { readFile, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import { ApiClient } from './api-client.js';
import type { Binaries } from './binaries.js';
import type { CertificateAuthority, KeyPair } from './certificates.js';
import { type ComponentName, type ComponentSettings, ETCD_SOCKET, WorkFiles, commandLineOf } from './components.js';
import { type FakeNodeOptions, createFakeNodes, takesPods } from './fake-nodes.js';
import type { Connection } from './kubeconfig.js';
import { writeAuditPolicy, writeComponentKubeconfigs, writePki } from './pki.js';
import { freePort } from './ports.js';
import type { Supervisor } from './supervisor.js';

/** Milliseconds that a component has for its start; a busy machine is slow, a healthy start takes 5 seconds. */
const START_TIMEOUT_MS = 120_000;

/** Milliseconds between two looks at whether a component is ready. */
const PROBE_INTERVAL_MS = 25;

/** A port may be taken between the moment it is found free and the moment the server opens it. */
const PORT_ATTEMPTS = 3;

/** Lines of a component's log that an error repeats. */
const LOG_LINES = 15;

/** What leads from this machine to an API server in a network of its own. */
const RELAY = 'api-relay';

/** A component did not start or has ended; the message carries the end of its log. */
export class ComponentError extends Error {
  constructor(public readonly component: string, what: string, public readonly log: string) {
    super(`${component} ${what}. The end of its log:\n${log.trimEnd().split('\n').slice(-LOG_LINES).join('\n')}`);
    this.name = 'ComponentError';
  }
}

/** A program to run beside the components. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  /** Variables beyond HOME, TMPDIR and PATH. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Brings the components of one control plane up, each when those it needs are ready. */
export class Launcher {
  private readonly files: WorkFiles;

  /**
   * @param within what makes the command line of a component one that runs in namespaces
   */
  constructor(
    private readonly supervisor: Supervisor,
    private readonly binaries: Binaries,
    private settings: ComponentSettings,
    private readonly within: (program: string, args: readonly string[]) => Program = (command, args) => ({ command, args }),
  ) {
    this.files = new WorkFiles(settings.dir);
  }

  /** Starts etcd and the API server. Returns how an administrator reaches it, and its authority. */
  public async startServer(): Promise<{ connection: Connection; ca: CertificateAuthority }> {
    const { ca, admin } = await this.startStorage();
    const connectionTo = (port: number): Connection => ({ server: `https://127.0.0.1:${port}`, ca: ca.cert, ...admin });
    const connection = await this.onFreePort('kube-apiserver', async port => {
      this.settings = { ...this.settings, port };
      await this.spawn('kube-apiserver');
      await this.untilServing(connectionTo(port));
      return connectionTo(port);
    });
    await writeComponentKubeconfigs(this.files, ca, connection.server);
    return { connection, ca };
  }

  /**
   * Starts etcd and an API server that is reached through a relay only.
   *
   * @param relay what listens on a port of the loopback interface and leads to the server
   * @param server address of the server for the other components
   */
  public async startServerBehind(relay: (port: number) => Program, server: string): Promise<{ connection: Connection; ca: CertificateAuthority }> {
    const { ca, admin } = await this.startStorage();
    await this.spawn('kube-apiserver');
    const [connection] = await Promise.all([
      this.onFreePort(RELAY, async port => {
        await this.supervisor.kill(RELAY);
        await this.run(RELAY, relay(port));
        const reached: Connection = { server: `https://127.0.0.1:${port}`, ca: ca.cert, ...admin };
        await this.untilServing(reached, RELAY);
        return reached;
      }),
      writeComponentKubeconfigs(this.files, ca, server),
    ]);
    return { connection, ca };
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

  /** Starts a program under a name that no other has. Returns its process id. */
  public run(name: string, { command, args, env }: Program): Promise<number> {
    return this.supervisor.spawn({
      name,
      command,
      args,
      // Nothing of the user's environment: no KUBECONFIG, no proxies.
      env: { HOME: this.settings.dir, TMPDIR: this.settings.dir, PATH: process.env.PATH ?? '', ...env },
      log: this.files.log(name),
    });
  }

  /** Calls `probe` until it returns true. Throws `ComponentError` if the component ends or takes too long. */
  public async untilReady(component: string, probe: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT_MS;
    while (!await probe().catch(() => false)) {
      await this.assertRuns(component);
      if (performance.now() > deadline) {
        throw new ComponentError(component, `was not ready after ${START_TIMEOUT_MS} ms`, await this.log(component));
      }
      await delay(PROBE_INTERVAL_MS);
    }
  }

  private async startStorage(): Promise<{ ca: CertificateAuthority; admin: KeyPair }> {
    const [{ ca, admin }] = await Promise.all([
      writePki(this.files, this.settings.network ? [this.settings.network.address] : []),
      this.spawn('etcd'),
      this.settings.auditLevel && writeAuditPolicy(this.files, this.settings.auditLevel),
    ]);
    await this.untilReady('etcd', () => canConnect(join(this.settings.dir, ETCD_SOCKET)));
    return { ca, admin };
  }

  private spawn(component: ComponentName): Promise<number> {
    return this.run(component, this.within(this.binaries.find(component)!, commandLineOf(component, this.settings)));
  }

  /** Waits until the server answers; it fails with `alsoNeeds`, which has a port of this machine, too. */
  private async untilServing(connection: Connection, alsoNeeds?: string): Promise<void> {
    const client = new ApiClient(connection);
    try {
      await this.untilReady('kube-apiserver', async () => {
        if (alsoNeeds) {
          await this.assertRuns(alsoNeeds);
        }
        return (await client.request('GET', '/readyz')).code === 200;
      });
    } finally {
      await client.close();
    }
  }

  /** Calls `start` with a free port, and again with another if `component` finds it taken. */
  private async onFreePort<T>(component: string, start: (port: number) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await start(await freePort());
      } catch (error) {
        const taken = error instanceof ComponentError && error.component === component && /address already in use/i.test(error.log);
        if (!taken || attempt === PORT_ATTEMPTS) {
          throw error;
        }
      }
    }
  }

  private async assertRuns(component: string): Promise<void> {
    const exit = this.supervisor.exitOf(component);
    if (exit) {
      throw new ComponentError(component, `ended with ${exit.signal ?? `code ${exit.code}`}`, await this.log(component));
    }
  }

  private log(component: string): Promise<string> {
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
