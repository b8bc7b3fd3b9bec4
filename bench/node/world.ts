import { PODS } from '../../packages/api/src/index.js';
import { Cluster, loadCredentials } from '../../packages/kube/src/index.js';
import { ClaimOverrides, Isolation, Probe, Sandbox, type SandboxContainer, SandboxNetwork, SandboxTemplate, SandboxWarmPool } from '../../src';
import { applyIn, IMAGES, install, SYSTEM } from '../../test/node/support/installation';
import { ControlPlane } from '../../testbed/src/index.js';
import { CLAIMS, SANDBOXES } from '../controller/objects';
import { Watched } from '../controller/watched';
import type { SandboxClient } from '../../packages/client/src/index.js' with { 'resolution-mode': 'import' };

export const RUNTIMES = ['runc', 'gvisor'] as const;
export type Runtime = typeof RUNTIMES[number];

const ISOLATION = { runc: Isolation.none(), gvisor: Isolation.gvisor() };
const WARM = 2;
const LONG_MS = 120_000;
const CALLER = 'agent';

type Figures = Readonly<Record<string, number>>;

/** A real node with the product installed, a pool for each runtime, and watches of the driver. */
export class NodeWorld {
  public static async start(): Promise<NodeWorld> {
    const controlPlane = await ControlPlane.start({ node: true });
    try {
      // The way from here to the router does not leave this machine.
      await install(controlPlane, { router: { image: IMAGES.router, allowHttpTokens: true } });
      const namespace = await controlPlane.createNamespace('bench');
      const { path: kubeconfig } = await controlPlane.kubeconfig();
      const world = new NodeWorld(controlPlane, namespace, new Cluster({ credentials: loadCredentials({ kubeconfig }), userAgent: 'bench-driver' }));
      await world.begin();
      return world;
    } catch (error) {
      await controlPlane.stop();
      throw error;
    }
  }

  /** Called with figures that belong to another scenario than the one that is measured. */
  public keep: (scenario: string, runtime: Runtime, figures: Figures) => void = () => undefined;
  public readonly pods: Watched;
  public readonly claims: Watched;
  private readonly sandboxes: Watched;
  private readonly end = new AbortController();
  private client!: SandboxClient;
  private closeForward!: () => Promise<void>;
  private last = 0;

  private constructor(private readonly controlPlane: ControlPlane, private readonly namespace: string, private readonly cluster: Cluster) {
    [this.pods, this.claims, this.sandboxes] = [PODS, CLAIMS, SANDBOXES].map(resource => new Watched(cluster, resource, [namespace]));
  }

  public key(name: string): string {
    return `${this.namespace}/${name}`;
  }

  /** Starts a Pod without the product; milliseconds until it is Ready. */
  public async startPod(runtime: Runtime): Promise<{ name: string; ms: number }> {
    const name = this.name('pod');
    const start = performance.now();
    await this.controlPlane.admin.create({
      apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: this.namespace },
      spec: {
        runtimeClassName: runtime === 'runc' ? undefined : runtime, terminationGracePeriodSeconds: 0, automountServiceAccountToken: false,
        containers: [{
          name: 'main', image: IMAGES.runtime, imagePullPolicy: 'Never',
          readinessProbe: { httpGet: { path: '/healthz', port: 8888 }, periodSeconds: 1 },
        }],
      },
    });
    const { at } = await this.pods.until(`${name} to be Ready`, () => this.pods.ready.get(this.key(name)), LONG_MS);
    return { name, ms: at - start };
  }

  public async remove({ name }: { readonly name: string }): Promise<void> {
    await this.controlPlane.admin.delete({ apiVersion: 'v1', kind: 'Pod', namespace: this.namespace, name });
    await this.gone(name);
  }

  public async claim({ template }: { readonly template: Runtime }): Promise<{ name: string; start: number }> {
    const name = this.name('claim');
    const start = performance.now();
    await this.controlPlane.admin.create({
      // A variable of its own is what no member of a pool has.
      ...this.identity('SandboxClaim', name), spec: { warmPoolRef: { name: template }, env: [{ name: 'COLD', value: 'yes' }] },
    });
    return { name, start };
  }

  public async endClaim(name: string): Promise<void> {
    await this.controlPlane.admin.delete({ ...this.refOf('SandboxClaim', name) });
    await this.gone(name);
  }

  /** Waits until the pool has all of its members. */
  public async full(runtime: Runtime): Promise<void> {
    await this.controlPlane.admin.waitFor({ ...this.refOf('SandboxWarmPool', runtime) }, ({ status }) => status?.readyReplicas === WARM, { timeoutMs: LONG_MS });
  }

  /** From asking for a sandbox to the output of a first command, with the client and through the router. */
  public async firstOutput(runtime: Runtime): Promise<Figures> {
    const start = performance.now();
    let stored = 0;
    await using sandbox = await this.client.create({
      pool: runtime,
      onProgress: ({ step }) => {
        if (step === 'created') {
          stored = performance.now();
        }
      },
    });
    const ready = performance.now();
    await sandbox.commands.run(['echo', 'out']);
    const first = performance.now();
    await sandbox.commands.run(['echo', 'out']);
    return {
      'total': first - start, 'product': first - start, 'claim stored': stored - start, 'Ready': ready - stored,
      'first command': first - ready, 'second command': performance.now() - first,
    };
  }

  /** A Sandbox that runs. */
  public async sandbox(runtime: Runtime): Promise<string> {
    const name = this.name('sandbox');
    await applyIn(this.controlPlane, this.namespace, chart => new Sandbox(chart, name, {
      isolation: ISOLATION[runtime], network: SandboxNetwork.routerOnly(), containers: [container()],
    }));
    await this.sandboxes.until(`${name} to be Ready`, () => this.sandboxes.ready.get(this.key(name)), LONG_MS);
    return name;
  }

  public async suspend(name: string): Promise<Figures> {
    const start = performance.now();
    await this.controlPlane.admin.merge(this.refOf('Sandbox', name), { spec: { operatingMode: 'Suspended' } });
    const isDeleting = () => !this.pods.seen.has(this.key(name)) || this.pods.get(this.key(name))?.metadata.deletionTimestamp !== undefined;
    const deleting = await this.pods.until(`the Pod of ${name} to be deleted`, () => (isDeleting() ? performance.now() : undefined), LONG_MS);
    const gone = await this.gone(name);
    const isSuspended = () => conditionOf(this.sandboxes.get(this.key(name)), 'Suspended');
    const suspended = await this.sandboxes.until(`${name} to be suspended`, () => (isSuspended() ? performance.now() : undefined), LONG_MS);
    return { total: suspended - start, product: deleting - start + suspended - gone, kubelet: gone - deleting };
  }

  public async resume(name: string): Promise<Figures> {
    const start = performance.now();
    await this.controlPlane.admin.merge(this.refOf('Sandbox', name), { spec: { operatingMode: 'Running' } });
    const pod = await this.pods.until(`the Pod of ${name}`, () => this.pods.seen.get(this.key(name))?.at, LONG_MS);
    const running = await this.pods.until(`the Pod of ${name} to be Ready`, () => this.pods.ready.get(this.key(name))?.at, LONG_MS);
    const ready = await this.sandboxes.until(`${name} to be Ready`, () => (conditionOf(this.sandboxes.get(this.key(name)), 'Ready') ? performance.now() : undefined), LONG_MS);
    return { total: ready - start, product: pod - start + ready - running, kubelet: running - pod };
  }

  public async endSandbox(name: string): Promise<void> {
    await this.controlPlane.admin.delete(this.refOf('Sandbox', name));
    await this.gone(name);
  }

  /** Waits until both pools are full again. */
  public async settle(): Promise<void> {
    await Promise.all(RUNTIMES.map(runtime => this.full(runtime)));
  }

  /** MiB that a Pod with the runtime takes on the node, shim and kernel of gVisor included. */
  public async memoryOfPods(runtime: Runtime, count: number): Promise<number> {
    const before = total(await this.memory());
    const pods = await Promise.all(Array.from({ length: count }, () => this.startPod(runtime)));
    const after = total(await this.memory());
    await Promise.all(pods.map(pod => this.remove(pod)));
    return (after - before) / count;
  }

  /** MiB of the programs of the product and of the node. */
  public async memoryOfDaemons(): Promise<Record<string, number>> {
    const names = { controller: 'controller.mjs', router: 'router.mjs', kubelet: 'kubelet', containerd: '/containerd ', 'kube-router': 'kube-router', 'kube-proxy': 'kube-proxy' };
    const all = await this.memory();
    return Object.fromEntries(Object.entries(names).map(([name, text]) => [name, total(all.filter(({ command }) => command.includes(text)))]));
  }

  public async stop(): Promise<void> {
    this.end.abort();
    await this.client?.close();
    await this.closeForward?.();
    await this.cluster.close();
    await this.controlPlane.stop();
  }

  private async begin(): Promise<void> {
    await Promise.all([this.pods, this.claims, this.sandboxes].map(watched => watched.start(this.end.signal)));
    await applyIn(this.controlPlane, this.namespace, chart => RUNTIMES.forEach(runtime => {
      const template = new SandboxTemplate(chart, `template-${runtime}`, {
        name: runtime, isolation: ISOLATION[runtime], network: SandboxNetwork.routerOnly(),
        claimEnv: ClaimOverrides.ALLOWED, containers: [container()],
      });
      new SandboxWarmPool(chart, `pool-${runtime}`, { name: runtime, template, replicas: WARM });
    }));
    const { admin } = this.controlPlane;
    await admin.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: CALLER, namespace: this.namespace } });
    await admin.create({
      apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name: CALLER, namespace: this.namespace },
      subjects: [{ kind: 'ServiceAccount', name: CALLER, namespace: this.namespace }],
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'agent-sandbox-user' },
    });
    const { spec } = await admin.get({ apiVersion: 'v1', kind: 'Service', namespace: SYSTEM, name: 'sandbox-router-svc' });
    const forward = await this.controlPlane.nodes[0].forward(spec.clusterIP, spec.ports[0].port);
    this.closeForward = () => forward.close();
    const { RouterToken, SandboxClient, SandboxConnection } = await import('../../packages/client/src/index.js');
    this.client = new SandboxClient({
      cluster: this.cluster, namespace: this.namespace, token: RouterToken.fromServiceAccount({ name: CALLER }),
      connection: SandboxConnection.direct({ url: `http://127.0.0.1:${forward.port}` }),
    });
    await this.settle();
  }

  /** PSS of every process of the node. */
  private async memory(): Promise<{ command: string; mib: number }[]> {
    const script = 'for p in /proc/[0-9]*; do pss=$(sed -n "s/^Pss: *\\([0-9]*\\) kB/\\1/p" $p/smaps_rollup 2>/dev/null); [ -n "$pss" ]'
      + ' && echo "$pss $(tr "\\0" " " < $p/cmdline)"; done; true';
    const { stdout } = await this.controlPlane.nodes[0].exec('sh', ['-c', script]);
    return stdout.trim().split('\n').map(line => ({ mib: Number(line.split(' ', 1)[0]) / 1024, command: line.slice(line.indexOf(' ')) }));
  }

  /** Waits for the end of a Pod; when that was. */
  private gone(name: string): Promise<number> {
    return this.pods.until(`the end of Pod ${name}`, () => (this.pods.seen.has(this.key(name)) ? undefined : performance.now()), LONG_MS);
  }

  private name(prefix: string): string {
    return `${prefix}-${++this.last}`;
  }

  private refOf(kind: 'Sandbox' | 'SandboxClaim' | 'SandboxWarmPool', name: string) {
    return { apiVersion: `${kind === 'Sandbox' ? '' : 'extensions.'}agents.x-k8s.io/v1beta1`, kind, namespace: this.namespace, name };
  }

  private identity(kind: 'SandboxClaim', name: string) {
    return { apiVersion: 'extensions.agents.x-k8s.io/v1beta1', kind, metadata: { name, namespace: this.namespace } };
  }
}

function container(): SandboxContainer {
  return { image: IMAGES.runtime, port: 8888, cpu: '10m', memory: '64Mi', readOnlyRoot: true, writablePaths: ['/app', '/tmp'], readiness: Probe.httpGet('/healthz') };
}

function conditionOf(object: any, type: string): boolean {
  return object?.status?.conditions?.some((condition: any) => condition.type === type && condition.status === 'True') ?? false;
}

function total(processes: readonly { mib: number }[]): number {
  return processes.reduce((sum, { mib }) => sum + mib, 0);
}
