import { spawn, execFile, type ChildProcess } from 'node:child_process';
import { createWriteStream, existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { PODS, type Pod, keyOf } from 'agent-sandbox-api';
import { Cluster, Informer, loadCredentials } from 'agent-sandbox-kube';
import { ControlPlane, type KubeObject, PROJECT_CRDS_DIR, waitFor } from '../../../testbed/src/index.js';
import { freePort } from '../../../testbed/src/ports.js';

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));

/** Namespace of the sandboxes, and of the router without authentication. */
export const TEAM = 'team';
/** Namespace of the router that requires a token. */
const SYSTEM = 'agent-sandbox-system';
/** What routers know: a token for everything, and the key of tokens for one sandbox. */
export const STATIC_TOKEN = 'static-token-of-the-suite';
export const SCOPED_KEY = 'a key of at least thirty-two bytes, for the suite';

/** The command of a template's container, which does not run: a process on this machine takes the image's place. */
const CONTAINER = { name: 'runtime', image: 'registry.example/runtime:test', ports: [{ containerPort: 8888 }, { containerPort: 9001 }] };

/** A process and the file that it writes to. */
interface Program {
  readonly child: ChildProcess;
  readonly log: string;
}

/** A router of the suite. */
interface RouterProcess extends Program {
  readonly port: number;
  readonly args: readonly string[];
}

/**
 * A cluster on which sandboxes work: our controller and two of our routers run as processes on this machine, and so does one of our
 * runtimes for each Pod, on a loopback address that is put into the status of the Pod. Port-forwards to the Pods of the routers end at
 * their processes.
 */
export class World {
  public static async start(): Promise<World> {
    const dir = await mkdtemp(join(tmpdir(), 'agent-sandbox-e2e-'));
    const bundles = join(REPOSITORY, 'dist', `e2e-${process.pid}`);
    const [kubelet, open, closed] = [await freePort(), await freePort(), await freePort()];
    const forwards = join(dir, 'forwards.yaml');
    const forward = (namespace: string, port: number) => ({
      apiVersion: 'kwok.x-k8s.io/v1alpha1', kind: 'PortForward', metadata: { name: 'router', namespace },
      spec: { forwards: [{ ports: [8080], target: { address: '127.0.0.1', port } }] },
    });
    await writeFile(forwards, [forward(TEAM, open), forward(SYSTEM, closed)].map(document => JSON.stringify(document)).join('\n---\n'));
    await bundle(bundles, ['controller', 'router', 'runtime', 'client']);
    const controlPlane = await ControlPlane.start({
      fakeNodes: 1,
      crds: [PROJECT_CRDS_DIR],
      extraArgs: { kwok: [`--server-address=127.0.0.1:${kubelet}`, '--node-ip=127.0.0.1', `--node-port=${kubelet}`, `--config=${forwards}`] },
    });
    const world = new World(dir, bundles, controlPlane, (await controlPlane.kubeconfig()).path);
    try {
      await world.build(kubelet, open, closed);
      return world;
    } catch (error) {
      await world.stop();
      throw error;
    }
  }

  public readonly kubelet: Kubelet;
  private readonly programs: Program[] = [];
  private open!: RouterProcess;
  private closed!: RouterProcess;

  private constructor(public readonly dir: string, private readonly bundles: string, public readonly controlPlane: ControlPlane, public readonly adminKubeconfig: string) {
    this.kubelet = new Kubelet(join(bundles, 'runtime.mjs'), dir, adminKubeconfig);
  }

  /** The command line, in one file. */
  public get commandLine(): string {
    return join(this.bundles, 'client.mjs');
  }

  /** Address of the router that asks for no token. */
  public get openUrl(): string {
    return `http://127.0.0.1:${this.open.port}`;
  }

  /** Address of the router that wants one. */
  public get closedUrl(): string {
    return `http://127.0.0.1:${this.closed.port}`;
  }

  /** A connection to the API server as a ServiceAccount of the team. */
  public async clusterOf(serviceAccount: string): Promise<Cluster> {
    const { path } = await this.controlPlane.kubeconfig({ serviceAccount: `${TEAM}/${serviceAccount}` });
    return new Cluster({ credentials: loadCredentials({ kubeconfig: path }), userAgent: 'e2e' });
  }

  /** Ends the router with a token as a failing machine does, runs `meanwhile`, and starts it again. */
  public async restartRouter(meanwhile: () => Promise<void>): Promise<void> {
    await kill(this.closed);
    await meanwhile();
    this.closed = await this.router(this.closed.port, this.closed.args);
  }

  /** Makes a pool and waits until it is full. */
  public async pool(name: string, replicas: number): Promise<void> {
    const { admin } = this.controlPlane;
    await admin.create(extension('SandboxWarmPool', name, { replicas, sandboxTemplateRef: { name: 'python' } }));
    await this.full(name);
  }

  /** Waits until a pool has as many ready sandboxes as it wants. */
  public async full(name: string): Promise<void> {
    const ref = { apiVersion: EXTENSIONS, kind: 'SandboxWarmPool', name, namespace: TEAM };
    await this.controlPlane.admin.waitFor(ref, ({ spec, status }) => (status?.readyReplicas ?? 0) >= spec.replicas, { timeoutMs: 90_000 });
  }

  public async stop(): Promise<void> {
    await this.kubelet.stop();
    await Promise.all(this.programs.map(kill));
    await this.controlPlane.stop();
    await rm(this.bundles, { recursive: true, force: true });
    await rm(this.dir, { recursive: true, force: true });
  }

  private async build(kubelet: number, open: number, closed: number): Promise<void> {
    const { admin } = this.controlPlane;
    // kwok serves what a kubelet serves, but says so only in stages that the testbed does not have.
    await admin.merge({ apiVersion: 'v1', kind: 'Node', name: 'fake-0' }, { status: { daemonEndpoints: { kubeletEndpoint: { Port: kubelet } } } }, 'status');
    await Promise.all([TEAM, SYSTEM].map(name => admin.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })));
    await Promise.all([TEAM, SYSTEM].flatMap(namespace => routerObjects(namespace)).map(object => admin.create(object)));
    await Promise.all(accounts().map(object => admin.create(object)));
    await admin.create(extension('SandboxTemplate', 'python', {
      podTemplate: { metadata: { annotations: { 'testbed/pod-behavior': 'unready' } }, spec: { containers: [CONTAINER] } },
      envVarsInjectionPolicy: 'Allowed',
    }));
    await this.kubelet.start();
    await writeFile(join(this.dir, 'key'), SCOPED_KEY);
    await writeFile(join(this.dir, 'static'), STATIC_TOKEN);
    this.run('controller', [
      `--kubeconfig=${this.adminKubeconfig}`, '--extensions', '--leader-elect=false', '--metrics-bind-address=0', '--health-probe-bind-address=0',
    ]);
    [this.open, this.closed] = await Promise.all([
      this.router(open, ['--authz-mode=allow-all']),
      this.router(closed, [
        '--rest-api', '--authz-mode=tokenreview,static-token,scoped-token', `--authz-static-token-file=${join(this.dir, 'static')}`,
        `--authz-scoped-token-secret-file=${join(this.dir, 'key')}`,
      ]),
    ]);
    await Promise.all([TEAM, SYSTEM].map(namespace => admin.waitFor({ apiVersion: 'v1', kind: 'Pod', name: 'router', namespace },
      pod => pod.status?.conditions?.some((condition: any) => condition.type === 'Ready' && condition.status === 'True'))));
  }

  private async router(port: number, args: readonly string[]): Promise<RouterProcess> {
    const program = this.run('router', [
      `--http-bind-address=127.0.0.1:${port}`, `--kubeconfig=${this.adminKubeconfig}`, '--allow-loopback-pod-ip', '--workers=1', '--metrics-bind-address=0',
      '--health-probe-bind-address=0', ...args,
    ]);
    await waitFor(async () => isRunning(program.child) && (await fetch(`http://127.0.0.1:${port}/healthz`)).ok, { what: 'the router', timeoutMs: 60_000, lastSeen: () => tail(program.log) });
    return { ...program, port, args };
  }

  private run(name: string, args: readonly string[]): Program {
    const log = join(this.dir, `${name}-${this.programs.length}.log`);
    const child = spawn(process.execPath, [ENDS_WITH_US, join(this.bundles, `${name}.mjs`), ...args], {
      stdio: ['pipe', 'pipe', 'pipe'], env: { PATH: process.env.PATH, HOME: this.dir },
    });
    const file = createWriteStream(log);
    child.stdout!.pipe(file, { end: false });
    child.stderr!.pipe(file, { end: false });
    const program = { child, log };
    this.programs.push(program);
    return program;
  }
}

const EXTENSIONS = 'extensions.agents.x-k8s.io/v1beta1';

/** A runtime of the suite, for one Pod. */
interface Runtime {
  child: ChildProcess;
  address: string;
  readonly pod: Pod;
}

/**
 * Plays the part of the kubelet that kwok leaves out: for each Pod that runs but is not ready it starts a runtime and puts its address
 * into the status of the Pod; when the Pod is gone, the runtime ends. Files of a Pod are found again by the next one of its name, as on
 * a volume.
 */
class Kubelet {
  private readonly cluster: Cluster;
  private readonly runtimes = new Map<string, Promise<Runtime>>();
  private readonly stopping = new AbortController();
  private watching?: Promise<void>;
  private addresses = 0;

  constructor(private readonly program: string, private readonly dir: string, kubeconfig: string) {
    this.cluster = new Cluster({ credentials: loadCredentials({ kubeconfig }), userAgent: 'e2e-kubelet' });
  }

  public async start(): Promise<void> {
    const pods = new Informer(this.cluster, PODS, { namespaces: [TEAM] });
    pods.store.addHandler({ add: pod => this.see(pod), update: (_, pod) => this.see(pod), delete: pod => void this.end(keyOf(pod)) });
    this.watching = pods.run(this.stopping.signal);
    await pods.waitForSync({ timeoutMs: 30_000 });
  }

  /** The runtime of a Pod dies; a new one is started at the same address by `restart`. */
  public async crash(pod: string): Promise<void> {
    const runtime = await this.of(pod);
    await kill(runtime);
  }

  public async restart(pod: string): Promise<void> {
    const runtime = await this.of(pod);
    runtime.child = await this.serve(pod, runtime.address);
  }

  /** The Pod gets another address, where its runtime is from then on. */
  public async move(pod: string): Promise<void> {
    const runtime = await this.of(pod);
    await kill(runtime);
    runtime.address = this.nextAddress();
    runtime.child = await this.serve(pod, runtime.address);
    await this.report(runtime.pod, runtime.address);
  }

  public async stop(): Promise<void> {
    this.stopping.abort();
    await this.watching;
    await Promise.all([...this.runtimes.keys()].map(key => this.end(key)));
    await this.cluster.close();
  }

  private async of(pod: string): Promise<Runtime> {
    const found = await this.runtimes.get(`${TEAM}/${pod}`);
    if (!found) {
      throw new Error(`no runtime of Pod ${pod}: there are ${[...this.runtimes.keys()].join(', ')}`);
    }
    return found;
  }

  private see(pod: Pod): void {
    const key = keyOf(pod);
    if (pod.status?.phase !== 'Running' || pod.metadata.deletionTimestamp || this.runtimes.has(key) || pod.metadata.labels?.app === 'sandbox-router') {
      return;
    }
    const starting = (async () => {
      const address = this.nextAddress();
      const child = await this.serve(pod.metadata.name!, address);
      await this.report(pod, address);
      return { child, address, pod };
    })();
    this.runtimes.set(key, starting);
    starting.catch(error => {
      if (!this.stopping.signal.aborted) {
        process.stderr.write(`e2e kubelet: ${key}: ${error}\n`);
      }
    });
  }

  private async end(key: string): Promise<void> {
    const runtime = this.runtimes.get(key);
    this.runtimes.delete(key);
    await runtime?.then(kill, () => undefined);
  }

  /** An address that suites which run at the same time do not use. */
  private nextAddress(): string {
    this.addresses++;
    return `127.${1 + process.pid % 250}.${1 + Math.floor(this.addresses / 250)}.${1 + this.addresses % 250}`;
  }

  private async serve(pod: string, address: string): Promise<ChildProcess> {
    const files = join(this.dir, 'volumes', pod);
    await mkdir(files, { recursive: true });
    const child = spawn(process.execPath, [ENDS_WITH_US, this.program, `--listen-host=${address}`, `--base-dir=${files}`, '--log-level=error'], {
      stdio: ['pipe', 'ignore', 'inherit'], env: { PATH: process.env.PATH, HOME: files },
    });
    await waitFor(async () => (await fetch(`http://${address}:8888/`)).ok && isRunning(child), { what: `the runtime of ${pod} at ${address}`, timeoutMs: 60_000 });
    return child;
  }

  private async report({ metadata: { namespace, name }, status }: Pod, address: string): Promise<void> {
    const conditions = status!.conditions!.map(condition => (
      ['Ready', 'ContainersReady'].includes(condition.type) ? { type: condition.type, status: 'True', lastTransitionTime: new Date().toISOString() } : condition
    ));
    // Not a strategic patch, which would add the address to the one that kwok gave.
    await this.cluster.request({ verb: 'patch', resource: PODS, namespace, name, subresource: 'status' }, {
      body: { status: { podIP: address, podIPs: [{ ip: address }], conditions } }, contentType: 'application/merge-patch+json',
    });
  }
}

async function bundle(outdir: string, programs: readonly string[]): Promise<void> {
  const script = `import('./scripts/bundle.ts').then(async m => { for (const p of ${JSON.stringify(programs)}) await (m.bundle ?? m.default.bundle)(p, ${JSON.stringify(outdir)}); })`;
  await promisify(execFile)(process.execPath, ['--import', 'tsx', '-e', script], { cwd: REPOSITORY, env: { PATH: process.env.PATH } });
}

/** Lets a program end when its standard input does, and so with the suite, however that ends. */
const ENDS_WITH_US = `--import=data:text/javascript,${encodeURIComponent('process.stdin.on("end", () => process.exit(1)).resume()')}`;

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

async function kill({ child }: { readonly child: ChildProcess }): Promise<void> {
  if (isRunning(child)) {
    const exit = new Promise(resolve => child.once('exit', resolve));
    child.kill('SIGKILL');
    await exit;
  }
}

function extension(kind: string, name: string, spec: object): KubeObject {
  return { apiVersion: EXTENSIONS, kind, metadata: { name, namespace: TEAM }, spec };
}

function routerObjects(namespace: string): KubeObject[] {
  const labels = { app: 'sandbox-router' };
  return [
    {
      apiVersion: 'v1', kind: 'Pod', metadata: { name: 'router', namespace, labels },
      spec: { containers: [{ name: 'router', image: 'registry.example/router:test', ports: [{ name: 'http', containerPort: 8080 }] }] },
    },
    {
      apiVersion: 'v1', kind: 'Service', metadata: { name: 'sandbox-router-svc', namespace },
      spec: { selector: labels, ports: [{ name: 'http', port: 8080, targetPort: 8080 }] },
    },
  ];
}

/** ServiceAccounts: `agent` may do what the README says that a client needs, `stranger` may talk to the API server only. */
function accounts(): KubeObject[] {
  const role = (name: string, namespace: string, rules: object[]) => [
    { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name, namespace }, rules },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name, namespace },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
      subjects: [{ kind: 'ServiceAccount', name: 'agent', namespace: TEAM }, ...(name === 'client' ? [{ kind: 'ServiceAccount', name: 'stranger', namespace: TEAM }] : [])],
    },
  ];
  return [
    ...['agent', 'stranger'].map(name => ({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: TEAM } })),
    ...role('client', TEAM, [
      { apiGroups: ['extensions.agents.x-k8s.io'], resources: ['sandboxclaims'], verbs: ['create', 'get', 'list', 'watch', 'delete'] },
      { apiGroups: ['agents.x-k8s.io'], resources: ['sandboxes'], verbs: ['get', 'list', 'watch', 'patch'] },
      { apiGroups: [''], resources: ['serviceaccounts/token'], verbs: ['create'] },
    ]),
    ...role('use', TEAM, [{ apiGroups: ['agents.x-k8s.io'], resources: ['sandboxes/proxy'], verbs: ['create'] }]),
    ...role('client', SYSTEM, [
      { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list'] },
      { apiGroups: [''], resources: ['pods/portforward'], verbs: ['get', 'create'] },
    ]),
  ];
}

/** The end of a log, for messages. */
function tail(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8').slice(-2000) : '';
}
