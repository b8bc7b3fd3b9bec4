import type { CommandResult, RunOptions } from '../processes.js';
import { Forward } from './forward.js';
import { Namespaces } from './namespaces.js';
import type { Addresses } from './network.js';
import { CONTAINERD_SOCKET } from './machine-files.js';

/** The programs of a node that can be killed and started again. */
export type NodeComponent = 'containerd' | 'kubelet' | 'kube-proxy' | 'kube-router';

/** What another process needs to know about a node. */
export interface NodeDescription {
  readonly name: string;
  readonly address: Addresses;
  /** Process that holds its namespaces. */
  readonly holder: number;
  /** Folder on the disk of this machine with its images, volumes and logs. */
  readonly dir: string;
  readonly components: readonly NodeComponent[];
}

/** What only the process that started the node can do. */
export interface NodeControl {
  /** Kills a component and waits until it is gone. */
  stop(component: NodeComponent): Promise<void>;
  /** Starts a component; returns when it does its work. */
  start(component: NodeComponent): Promise<void>;
}

/** A node with kubelet, containerd, runc and gVisor in namespaces of its own. */
export class RealNode {
  public readonly name: string;
  public readonly address: Addresses;
  public readonly dir: string;
  private readonly namespaces: Namespaces;

  constructor(description: NodeDescription, private readonly control?: NodeControl) {
    this.name = description.name;
    this.address = description.address;
    this.dir = description.dir;
    this.namespaces = new Namespaces(description.holder, true);
  }

  /** Runs a program of this machine in the namespaces of the node. Throws with its error output if it fails, unless `allowFailure`. */
  public exec(program: string, args: readonly string[] = [], options: Omit<RunOptions, 'env'> = {}): Promise<CommandResult> {
    return this.namespaces.exec(program, args, options);
  }

  /** Opens a port of the loopback interface of this machine that leads where the node connects to: a pod, a Service, itself. */
  public forward(host: string, port: number): Promise<Forward> {
    return Forward.open(this.namespaces.networkOnly, host, port);
  }

  /**
   * Makes the images of OCI archives available to pods, under the name in the annotation `io.containerd.image.name`. Pods need
   * `imagePullPolicy: IfNotPresent` or `Never`. Returns the names.
   */
  public async importImages(...archives: string[]): Promise<string[]> {
    const names: string[] = [];
    for (const archive of archives) {
      const { stdout } = await this.ctr('images', 'import', archive);
      names.push(...[...stdout.matchAll(/^unpacking (\S+)/gm)].map(([, name]) => name));
    }
    return names;
  }

  /** Names of the images that pods can use. */
  public async images(): Promise<string[]> {
    return (await this.ctr('images', 'ls', '-q')).stdout.trim().split('\n').filter(name => !name.startsWith('sha256:'));
  }

  /** Kills a component with SIGKILL; pods live on. Only the process that started the node can do that. */
  public async kill(component: NodeComponent): Promise<void> {
    await this.owned('kill').stop(component);
  }

  /** Starts a component that was killed; returns when it does its work. */
  public async start(component: NodeComponent): Promise<void> {
    await this.owned('start').start(component);
  }

  private ctr(...args: string[]): Promise<CommandResult> {
    return this.exec('ctr', ['--address', CONTAINERD_SOCKET, '--namespace', 'k8s.io', ...args]);
  }

  private owned(action: string): NodeControl {
    if (!this.control) {
      throw new Error(`only the process that started a node can ${action} its components: start an own one with ControlPlane.start({ node: true })`);
    }
    return this.control;
  }
}
