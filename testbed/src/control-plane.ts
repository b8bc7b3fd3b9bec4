import { readFile, rename, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { AuditLog } from './audit-log.js';
import { type Binaries, FAKE_NODE_PROGRAMS, NODE_PROGRAMS, findPrograms } from './binaries.js';
import type { CertificateAuthority } from './certificates.js';
import { Cluster } from './cluster.js';
import { type AuditLevel, type ComponentName, type OptionalComponent, WorkFiles } from './components.js';
import type { FakeNodeOptions } from './fake-nodes.js';
import type { Connection } from './kubeconfig.js';
import { Launcher } from './launcher.js';
import { INTERNAL_SERVER } from './node/machine-files.js';
import { API_SERVER_PORT, CONTROL_PLANE_ADDRESS, SERVICE_CIDR } from './node/network.js';
import { type NodeOptions, NodeTier, type TierDescription } from './node/node-tier.js';
import { RealNode } from './node/real-node.js';
import { missingForNode } from './node/requirements.js';
import { loadAuthority } from './pki.js';
import { childrenOf, commandLine, isAlive, residentBytes } from './processes.js';
import type { ProgramName } from './programs.js';
import { type Stages, stagesFile } from './stages.js';
import { type Exit, Supervisor } from './supervisor.js';
import { waitFor } from './wait.js';
import { makeWorkDir, readProcesses, sweep } from './work-dir.js';

export interface ControlPlaneOptions {
  /** Fake nodes, whose pods kwok runs: their number, or their props. @default - none */
  readonly fakeNodes?: number | FakeNodeOptions;
  /**
   * Real nodes in namespaces of their own, which run pods under runc and gVisor and enforce policies. `true` is one node. Needs
   * Linux, root and packages; the error says which. @default - none
   */
  readonly node?: boolean | NodeOptions;
  /** What happens to pods on fake nodes that do not say it themselves. @default fast */
  readonly stages?: Stages;
  /** Without a controller manager no pod can be created, because the ServiceAccounts are missing. @default - both with fake nodes, else none */
  readonly components?: readonly OptionalComponent[];
  /** Notes every request, see `auditLog`. `true` is `Metadata`. @default false */
  readonly auditLog?: boolean | AuditLevel;
  /** Feature gates of all components. @default - those of the release */
  readonly featureGates?: Readonly<Record<string, boolean>>;
  /** Refuses owner references that would block the deletion of objects which the writer may not delete. @default true */
  readonly ownerReferencesPermissionEnforcement?: boolean;
  /** CRD files or folders to install before `start` returns. @default - none */
  readonly crds?: readonly string[];
  /** Arguments added to the command line of a component; of two equal flags the last counts. @default - none */
  readonly extraArgs?: Partial<Record<ComponentName, readonly string[]>>;
  /** Where the programs are. @default - `KUBEBUILDER_ASSETS`, else what `npm run testbed -- build` made */
  readonly binaries?: Binaries;
}

/** A process of a control plane. */
export interface ControlPlaneProcess {
  readonly name: string;
  readonly pid: number;
  readonly residentBytes: number;
}

/** What another process needs to know to attach. */
interface Description {
  readonly connection: Connection;
  readonly kubectlPath: string;
  readonly components: readonly ComponentName[];
  readonly audited: boolean;
  readonly tier?: TierDescription;
}

/** What only the process that started a control plane has. */
interface Ownership {
  readonly supervisor: Supervisor;
  readonly launcher: Launcher;
  readonly tier?: NodeTier;
}

/**
 * A Kubernetes control plane of real programs for one test or one test run: own certificate authority, own port, data on
 * tmpfs. Any number run side by side. It ends with `stop()`, and in any case with the process that started it.
 */
export class ControlPlane extends Cluster {
  /**
   * Starts one, and returns when it serves, its fake nodes take pods and its CRDs are established. Throws `ComponentError` if
   * a component fails, and an error that says what to run if there are no programs.
   */
  public static async start(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
    const nodes = typeof options.fakeNodes === 'number' ? { count: options.fakeNodes } : options.fakeNodes;
    const realNodes = options.node === true ? {} : options.node || undefined;
    const missing = realNodes && missingForNode();
    if (missing) {
      throw new Error(missing);
    }
    const optional = options.components ?? (nodes || realNodes ? ['kube-controller-manager', 'kube-scheduler'] : []);
    const components: ComponentName[] = ['etcd', 'kube-apiserver', ...optional, ...(nodes ? ['kwok' as const] : [])];
    const binaries = options.binaries ?? findBinaries([...nodes ? FAKE_NODE_PROGRAMS : optional, ...realNodes ? NODE_PROGRAMS : []]);
    const stages = stagesFile(options.stages);
    const auditLevel = options.auditLog === true ? 'Metadata' : options.auditLog || undefined;

    await sweep();
    const dir = await makeWorkDir();
    const supervisor = Supervisor.start(dir);
    try {
      const tier = realNodes && await NodeTier.prepare(dir, supervisor, binaries, realNodes);
      const launcher = new Launcher(supervisor, binaries, {
        dir,
        port: API_SERVER_PORT,
        network: tier && { address: CONTROL_PLANE_ADDRESS.v4, serviceCidr: SERVICE_CIDR },
        auditLevel,
        featureGates: options.featureGates ?? {},
        ownerReferencesPermissionEnforcement: options.ownerReferencesPermissionEnforcement ?? true,
        extraArgs: options.extraArgs ?? {},
      }, tier?.withinControlPlane);
      await launcher.writeStages(stages);
      const [{ connection, ca }] = await Promise.all([
        tier ? launcher.startServerBehind(tier.relay, INTERNAL_SERVER) : launcher.startServer(),
        tier?.startMachines(launcher),
      ]);
      const description: Description = {
        connection, kubectlPath: binaries.find('kubectl')!, components, audited: auditLevel !== undefined, tier: tier?.description,
      };
      const controlPlane = new ControlPlane(dir, description, ca, { supervisor, launcher, tier });
      // Before the others: quotas and garbage collection begin with the kinds that there are, and learn of new ones late.
      await Promise.all([options.crds?.length && controlPlane.installCrds(...options.crds), controlPlane.describe(description)]);
      await Promise.all([
        launcher.startOthers(controlPlane.admin, components, nodes),
        tier?.startNodes(controlPlane.admin, ca),
      ]);
      supervisor.onExit(reportExit);
      return controlPlane;
    } catch (error) {
      await supervisor.shutdown();
      throw error;
    }
  }

  /** Takes up a control plane that another process started in `dir`; all but `restart` and `setStages` works. */
  public static async attach(dir: string): Promise<ControlPlane> {
    const files = new WorkFiles(dir);
    const description: Description = JSON.parse(await readFile(files.description, 'utf8'));
    return new ControlPlane(dir, description, await loadAuthority(files));
  }

  /** Work folder: logs of the components, kubeconfigs, data. It is gone after `stop`. */
  public readonly dir: string;
  public readonly kubectlPath: string;
  public readonly components: readonly ComponentName[];
  /** The real nodes; those that another process started can be used but not broken. */
  public readonly nodes: readonly RealNode[];
  /** Requests that the API server has answered. Throws on use unless started with `auditLog`. */
  public readonly auditLog: AuditLog;

  private constructor(dir: string, description: Description, private readonly ca: CertificateAuthority, private readonly ownership?: Ownership) {
    const files = new WorkFiles(dir);
    super(description.connection, files.kubeconfigs, true);
    this.dir = dir;
    this.kubectlPath = description.kubectlPath;
    this.components = description.components;
    this.nodes = ownership?.tier?.nodes ?? description.tier?.nodes.map(node => new RealNode(node)) ?? [];
    this.auditLog = new AuditLog(description.audited ? files.auditLog : undefined, this.admin);
  }

  /** Kills a component and starts it again; returns when it is ready. For tests of what clients do about it. */
  public async restart(component: ComponentName): Promise<void> {
    await this.owned('restart a component').launcher.restart(component, this.admin);
  }

  /** Changes what happens to pods that do not say it themselves, for pods that have not reached their last stage yet. */
  public async setStages(stages: Stages): Promise<void> {
    const { launcher } = this.owned('change stages');
    await launcher.writeStages(stagesFile(stages));
    await launcher.restart('kwok', this.admin);
  }

  /** Its processes with the memory they use, the supervisor first. */
  public async processes(): Promise<ControlPlaneProcess[]> {
    const processes = await readProcesses(this.dir);
    const pids: Record<string, number> = processes ? { supervisor: processes.supervisor, ...processes.children } : {};
    return Object.entries(pids).map(([name, pid]) => ({ name, pid: programOf(pid), residentBytes: residentBytes(programOf(pid)) }));
  }

  /** Lets it outlive this process; `stop` of an attached one ends it. */
  public async release(): Promise<void> {
    await this.owned('release it').supervisor.release();
  }

  /** Ends all its processes and removes its folder. A second call does nothing. */
  public async stop(): Promise<void> {
    await this.close();
    if (this.ownership) {
      await this.ownership.supervisor.shutdown();
    }
    const processes = await readProcesses(this.dir);
    if (processes && isAlive(processes.supervisor)) {
      process.kill(processes.supervisor, 'SIGTERM');
    }
    await waitFor(() => !existsSync(this.dir), { what: `the removal of ${this.dir}` });
  }

  public async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  protected credentials(user: string, groups: readonly string[]): Promise<Partial<Connection>> {
    return this.ca.issue({ commonName: user, organizations: groups });
  }

  protected givesServiceAccounts(): boolean {
    return this.components.includes('kube-controller-manager');
  }

  private owned(action: string): Ownership {
    if (!this.ownership) {
      throw new Error(`only the process that started a control plane can ${action}: start an own one with ControlPlane.start()`);
    }
    return this.ownership;
  }

  private async describe(description: Description): Promise<void> {
    const { description: file } = new WorkFiles(this.dir);
    // By rename: readers see the whole file or none.
    await writeFile(`${file}.new`, JSON.stringify(description), { mode: 0o600 });
    await rename(`${file}.new`, file);
  }
}

/** A program in a process namespace has a process outside that waits for it. */
function programOf(pid: number): number {
  return commandLine(pid).startsWith('nsenter ') ? childrenOf(pid)[0] ?? pid : pid;
}

function findBinaries(needs: readonly ProgramName[]): Binaries {
  const found = findPrograms(needs);
  if (found.kind === 'nothing') {
    throw new Error(found.reason);
  }
  return found;
}

function reportExit(component: string, exit: Exit): void {
  process.stderr.write(`testbed: ${component} ended with ${exit.signal ?? `code ${exit.code}`}\n`);
}
