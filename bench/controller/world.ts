import { join } from 'node:path';
import { type KubeObject, PODS, type Resource } from '../../packages/api/src/index.js';
import { Cluster, Writer, loadCredentials } from '../../packages/kube/src/index.js';
import { type AuditedRequest, ControlPlane, PROJECT_CRDS_DIR, waitFor } from '../../testbed/src/index.js';
import { ControllerProcess, type Usage, usageOfProcess } from './controller-process';
import { CLAIMS, POOLS, SANDBOXES, TEMPLATES, claim, pool, sandbox, template } from './objects';
import { Watched } from './watched';

/** A controller to measure. */
export interface Candidate {
  readonly name: string;
  /** Shell command in which `{kubeconfig}` stands for the path of its kubeconfig. */
  readonly command: string;
}

/** Namespace of what is measured, and that of what is done before, so that nothing is done for the first time. */
export const NAMESPACE = 'bench';
const WARM_UP_NAMESPACE = 'warm-up';
const WARM_UP_CLAIMS = 5;

const SYSTEM_NAMESPACE = 'agent-sandbox-system';
const SERVICE_ACCOUNT = `${SYSTEM_NAMESPACE}/controller`;
/** How the audit log calls the controller. */
const USER = `system:serviceaccount:${SERVICE_ACCOUNT.replace('/', ':')}`;

const FAKE_NODES = 3;
const WARM_UP_TIMEOUT_MS = 120_000;
/** Seconds without a write after which nothing more is expected to come. */
const QUIET_SECONDS = 3;
const QUIET_TIMEOUT_MS = 180_000;

/** A control plane of its own with fake nodes, the driver's watches, and the controller under test with an identity of its own. */
export class World {
  /** Returns when the controller has shown that it works. */
  public static async start(candidate: Candidate): Promise<World> {
    const controlPlane = await ControlPlane.start({ fakeNodes: FAKE_NODES, auditLog: true, crds: [PROJECT_CRDS_DIR] });
    let world: World | undefined;
    try {
      world = new World(candidate, controlPlane, await prepare(controlPlane));
      await world.begin();
      return world;
    } catch (error) {
      await (world?.stop() ?? controlPlane.stop());
      throw error;
    }
  }

  public readonly claims: Watched;
  public readonly sandboxes: Watched;
  public readonly pods: Watched;
  private readonly cluster: Cluster;
  private readonly writer: Writer;
  private readonly end = new AbortController();
  private readonly apiServer: Promise<number>;
  private controller?: ControllerProcess;

  private constructor(private readonly candidate: Candidate, private readonly controlPlane: ControlPlane, private readonly kubeconfigs: Kubeconfigs) {
    this.cluster = new Cluster({ credentials: loadCredentials({ kubeconfig: kubeconfigs.driver }), userAgent: 'bench-driver' });
    // Not connected to a cache: what counts is what the watch shows.
    this.writer = new Writer(this.cluster);
    const watched = (resource: Resource<any>) => new Watched(this.cluster, resource, [NAMESPACE, WARM_UP_NAMESPACE]);
    [this.claims, this.sandboxes, this.pods] = [watched(CLAIMS), watched(SANDBOXES), watched(PODS)];
    this.apiServer = controlPlane.processes().then(processes => processes.find(({ name }) => name === 'kube-apiserver')!.pid);
  }

  public create<T extends KubeObject>(resource: Resource<T>, object: T): Promise<T> {
    this.controller?.assertRunning();
    return this.writer.create(resource, object);
  }

  public delete(resource: Resource<any>, name: string, namespace: string = NAMESPACE): Promise<unknown> {
    return this.writer.delete(resource, { namespace, name });
  }

  /** What the controller and the API server have used since they started. */
  public async usage(): Promise<{ controller: Usage; apiServer: Usage }> {
    return { controller: this.controller!.usage(), apiServer: usageOfProcess(await this.apiServer) };
  }

  /** Writes of the controller that arrived since a time of day. */
  public writes(since: Date): Promise<AuditedRequest[]> {
    return this.controlPlane.auditLog.find({ user: USER, writes: true, since });
  }

  /** Waits until the controller has written nothing for some seconds. */
  public async quiet(): Promise<void> {
    const since = new Date();
    let [last, seconds] = [-1, 0];
    await waitFor(async () => {
      this.controller?.assertRunning();
      const count = (await this.writes(since)).length;
      seconds = count === last ? seconds + 1 : 0;
      last = count;
      return seconds >= QUIET_SECONDS;
    }, { what: 'the controller to write nothing more', timeoutMs: QUIET_TIMEOUT_MS, intervalMs: 1000, lastSeen: () => `${last} writes so far` });
  }

  /** Starts the controller, which must not run; returns when that was, as `performance.now()`. */
  public startController(): number {
    this.controller = ControllerProcess.start(this.candidate.command, this.kubeconfigs.controller, join(this.controlPlane.dir, 'controller.log'));
    return this.controller.startedAt;
  }

  public async stopController(): Promise<void> {
    await this.controller?.stop();
    this.controller = undefined;
  }

  public async stop(): Promise<void> {
    this.end.abort();
    await this.stopController();
    await this.cluster.close();
    await this.controlPlane.stop();
  }

  private async begin(): Promise<void> {
    this.startController();
    await Promise.all([this.claims, this.sandboxes, this.pods].map(watched => watched.start(this.end.signal)));
    await this.warmUp();
    await this.create(TEMPLATES, template(NAMESPACE));
    await this.quiet();
  }

  /** Has everything done once: a Sandbox, a pool, claims, and their end. */
  private async warmUp(): Promise<void> {
    const namespace = WARM_UP_NAMESPACE;
    await this.create(TEMPLATES, template(namespace));
    await this.create(SANDBOXES, sandbox(namespace, 'sandbox'));
    await this.create(POOLS, pool(namespace, 'pool', WARM_UP_CLAIMS));
    const members = WARM_UP_CLAIMS + 1;
    await this.sandboxes.until('a Sandbox and a pool to get ready', () => (this.sandboxes.ready.size >= members ? true : undefined), WARM_UP_TIMEOUT_MS);
    for (let number = 0; number < WARM_UP_CLAIMS; number++) {
      await this.create(CLAIMS, claim(namespace, `claim-${number}`, 'pool'));
      await this.claims.until('a claim to get ready', () => this.claims.ready.get(`${namespace}/claim-${number}`), WARM_UP_TIMEOUT_MS);
    }
    await this.delete(POOLS, 'pool', namespace);
    await this.delete(SANDBOXES, 'sandbox', namespace);
    for (let number = 0; number < WARM_UP_CLAIMS; number++) {
      await this.delete(CLAIMS, `claim-${number}`, namespace);
    }
    await this.pods.until('the end of what was for practice', () => (this.pods.seen.size === 0 ? true : undefined), WARM_UP_TIMEOUT_MS);
  }
}

interface Kubeconfigs {
  readonly driver: string;
  readonly controller: string;
}

async function prepare(controlPlane: ControlPlane): Promise<Kubeconfigs> {
  const { admin } = controlPlane;
  for (const name of [SYSTEM_NAMESPACE, NAMESPACE, WARM_UP_NAMESPACE]) {
    await admin.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }
  await Promise.all([NAMESPACE, WARM_UP_NAMESPACE].map(namespace => (
    waitFor(() => admin.find({ apiVersion: 'v1', kind: 'ServiceAccount', namespace, name: 'default' }), { what: `the ServiceAccount of pods in ${namespace}` })
  )));
  await admin.create({
    apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding', metadata: { name: 'controller-under-test' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: USER }],
  });
  return { driver: (await controlPlane.kubeconfig()).path, controller: (await controlPlane.kubeconfig({ serviceAccount: SERVICE_ACCOUNT })).path };
}
