import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { AuditLog } from './audit-log.js';
import { Binaries, FAKE_NODE_PROGRAMS, REQUIRED, resolve } from './binaries.js';
import { CertificateAuthority } from './certificates.js';
import { Cluster } from './cluster.js';
import { AuditLevel, ComponentName, ComponentSettings, OptionalComponent, WorkFiles, commandLineOf } from './components.js';
import { FakeNodeOptions, createFakeNodes } from './fake-nodes.js';
import { Connection } from './kubeconfig.js';
import { writeFiles } from './pki.js';
import { freePort } from './ports.js';
import { isAlive } from './processes.js';
import { ProgramName } from './programs.js';
import { Stages, stagesFile } from './stages.js';
import { Supervisor } from './supervisor.js';
import { waitFor } from './wait.js';
import { makeWorkDir, readProcesses, sweep } from './work-dir.js';

/** Milliseconds that a component has for its start; a cold disk is slow, a healthy start takes 5 seconds. */
const START_TIMEOUT_MS = 60_000;

/** A port may be taken between the moment it is found free and the moment the server opens it. */
const PORT_ATTEMPTS = 3;

/** Lines of a component's log that an error repeats. */
const LOG_LINES = 15;

export interface ControlPlaneOptions {
  /** Fake nodes, whose pods kwok brings to life: how many, or what they are like. @default - none */
  readonly fakeNodes?: number | FakeNodeOptions;
  /** What happens to pods on fake nodes that do not say it themselves. @default fast */
  readonly stages?: Stages;
  /** Controller manager and scheduler. @default - both with fake nodes, else none */
  readonly components?: readonly OptionalComponent[];
  /** Notes every request, see `auditLog`. `true` is `Metadata`. @default false */
  readonly auditLog?: boolean | AuditLevel;
  /** Feature gates of all components. @default - those of the release */
  readonly featureGates?: Readonly<Record<string, boolean>>;
  /** Refuses owner references that would block the deletion of objects the writer may not delete. @default true */
  readonly ownerReferencesPermissionEnforcement?: boolean;
  /** CRD files or folders to install before `start` returns. @default - none */
  readonly crds?: readonly string[];
  /** Arguments added to a component's command line; the last of two equal flags counts. @default - none */
  readonly extraArgs?: Partial<Record<ComponentName, readonly string[]>>;
  /** Where the programs are. @default - `KUBEBUILDER_ASSETS`, else what `npm run testbed -- build` made */
  readonly binaries?: Binaries;
}

/** What another process needs to attach. */
interface Description {
  readonly connection: Connection;
  readonly kubectl: string;
  readonly components: readonly ComponentName[];
  readonly audit: boolean;
}

/** A component did not start or has ended; the message carries the end of its log. */
export class ComponentError extends Error {
  constructor(public readonly component: ComponentName, what: string, log: string) {
    super(`${component} ${what}. The end of its log:\n${log.trimEnd().split('\n').slice(-LOG_LINES).join('\n')}`);
    this.name = 'ComponentError';
  }
}

/**
 * A Kubernetes control plane of real programs that belongs to one test: own certificate authority, own port, data on tmpfs.
 * Any number run side by side. It ends with `stop()` and in any case with the process that started it.
 */
export class ControlPlane extends Cluster {
  /**
   * Starts one and returns when it serves, its fake nodes are Ready and its CRDs established. Throws `ComponentError`, or an
   * error that says what to run if there are no programs.
   */
  public static async start(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
    const nodes = typeof options.fakeNodes === 'number' ? { count: options.fakeNodes } : options.fakeNodes;
    const optional = options.components ?? (nodes ? ['kube-controller-manager', 'kube-scheduler'] : []);
    const components: ComponentName[] = ['etcd', 'kube-apiserver', ...optional, ...(nodes ? ['kwok' as const] : [])];
    const binaries = options.binaries ?? findBinaries(nodes ? FAKE_NODE_PROGRAMS : optional);
    const stages = stagesFile(options.stages);

    await sweep();
    const dir = await makeWorkDir();
    const supervisor = Supervisor.start(dir);
    try {
      const settings: ComponentSettings = {
        dir,
        port: 0,
        auditLevel: options.auditLog === true ? 'Metadata' : options.auditLog || undefined,
        featureGates: options.featureGates ?? {},
        ownerReferencesPermissionEnforcement: options.ownerReferencesPermissionEnforcement ?? true,
        extraArgs: options.extraArgs ?? {},
      };
      const launcher = new Launcher(supervisor, binaries, settings);
      return await launcher.launch(components, stages, nodes, options.crds ?? []);
    } catch (error) {
      await supervisor.shutdown();
      throw error;
    }
  }

}
