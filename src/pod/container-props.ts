import type * as l1 from '../../imports';
import type { IEnvFrom, IEnvValue, ImagePullPolicy, MountPropagation, Protocol } from '../objects';
import type { Gpu } from './gpu';
import type { LifecycleHook } from './lifecycle-hook';
import type { Probe } from './probe';
import type { Relaxation } from './relaxation';
import type { SeccompProfile } from './seccomp';
import type { SandboxVolume } from './volume';

/** A value of a variable as it is, or from elsewhere. With a name, because jsii-rosetta translates no union without one. */
type EnvironmentValue = string | IEnvValue;

/** A port that a container listens on. */
export interface SandboxPort {
  /** Port number, 1 to 65535. */
  readonly port: number;

  /**
   * Name, 1 to 15 lower-case letters, digits and `-`.
   *
   * @default - none
   */
  readonly name?: string;

  /**
   * Protocol.
   *
   * @default Protocol.TCP
   */
  readonly protocol?: Protocol;

  /**
   * Port of the node to bind; needs `Relaxation.HOST_PORTS`.
   *
   * @default - none
   */
  readonly hostPort?: number;

  /**
   * Address of the node to bind.
   *
   * @default - all
   */
  readonly hostIp?: string;
}

/** A volume in the file system of a container. */
export interface SandboxMount {
  /** Absolute path in the container. */
  readonly path: string;

  /** The volume; it is added to the Pod. */
  readonly volume: SandboxVolume;

  /**
   * Whether the container cannot write.
   *
   * @default false
   */
  readonly readOnly?: boolean;

  /**
   * Path inside the volume to mount.
   *
   * @default - the whole volume
   */
  readonly subPath?: string;

  /**
   * Like `subPath`, with `$(VAR)` of the container's environment.
   *
   * @default - none
   */
  readonly subPathExpr?: string;

  /**
   * How mounts made later pass between node and container.
   *
   * @default MountPropagation.NONE
   */
  readonly propagation?: MountPropagation;

  /**
   * `Enabled`, `IfPossible` or `Disabled`: whether mounts below a read-only mount are read-only too.
   *
   * @default - Disabled (Kubernetes)
   */
  readonly recursiveReadOnly?: string;
}

/** A container of a sandbox. It follows the *restricted* Pod Security Standard. */
export interface SandboxContainer {
  /** Image, best with its digest: `registry.example/python@sha256:…`. */
  readonly image: string;

  /**
   * Name, unique in the Pod; only the first container can do without.
   *
   * @default - `sandbox` for the first container
   */
  readonly name?: string;

  /**
   * When to pull the image.
   *
   * @default - as Kubernetes: always for `:latest`, else if not present
   */
  readonly imagePullPolicy?: ImagePullPolicy;

  /**
   * Command, instead of the image's entry point.
   *
   * @default - the image's
   */
  readonly command?: string[];

  /**
   * Arguments of the command, instead of the image's.
   *
   * @default - the image's
   */
  readonly args?: string[];

  /**
   * Working directory.
   *
   * @default - the image's
   */
  readonly workingDir?: string;

  /**
   * The port, for containers with one. Adds up with `ports`.
   *
   * @default - none
   */
  readonly port?: number;

  /**
   * Ports. The router and the headless Service reach only declared ports (the router also 8888).
   *
   * @default - none
   */
  readonly ports?: SandboxPort[];

  /**
   * CPU, requested and as limit: `'250m'` is a quarter of a core.
   *
   * @default - none
   */
  readonly cpu?: string;

  /**
   * CPU limit, where it is above what is requested.
   *
   * @default - same as `cpu`
   */
  readonly cpuLimit?: string;

  /**
   * Memory, requested and as limit: `'512Mi'`.
   *
   * @default - none
   */
  readonly memory?: string;

  /**
   * Memory limit, where it is above what is requested.
   *
   * @default - same as `memory`
   */
  readonly memoryLimit?: string;

  /**
   * Local disk for logs, the writable layer and `emptyDir` volumes, requested and as limit: `'2Gi'`.
   *
   * @default - none
   */
  readonly ephemeralStorage?: string;

  /**
   * Local disk limit, where it is above what is requested.
   *
   * @default - same as `ephemeralStorage`
   */
  readonly ephemeralStorageLimit?: string;

  /**
   * GPUs: whole devices that the container has for itself.
   *
   * @default - none
   */
  readonly gpu?: Gpu;

  /**
   * Further resources: extended resources, claims, or requests without limits.
   *
   * @default - none
   */
  readonly resources?: l1.ResourceRequirements;

  /**
   * Environment variables by name, as strings, from `EnvSource`, or as `EnvValue` of cdk8s-plus; emitted sorted by name.
   *
   * @default - none
   */
  readonly env?: { [name: string]: EnvironmentValue };

  /**
   * ConfigMaps and Secrets whose keys become environment variables.
   *
   * @default - none
   */
  readonly envFrom?: IEnvFrom[];

  /**
   * Volumes in the container's file system.
   *
   * @default - none
   */
  readonly mounts?: SandboxMount[];

  /**
   * Raw block volumes.
   *
   * @default - none
   */
  readonly volumeDevices?: l1.VolumeDevice[];

  /**
   * Makes the root file system read-only.
   *
   * @default false
   */
  readonly readOnlyRoot?: boolean;

  /**
   * Folders that stay writable, each as an `emptyDir` that lives as long as the Pod: `['/tmp']`.
   *
   * @default - none
   */
  readonly writablePaths?: string[];

  /**
   * Whether requests may be sent to the container. A Sandbox is ready when its containers are.
   *
   * @default - none
   */
  readonly readiness?: Probe;

  /**
   * Whether the container has to be restarted.
   *
   * @default - none
   */
  readonly liveness?: Probe;

  /**
   * Whether the container has started; the other probes wait for it.
   *
   * @default - none
   */
  readonly startup?: Probe;

  /**
   * What happens right after the start of the container, beside its command. The container counts as running when it is done.
   *
   * @default - nothing
   */
  readonly postStart?: LifecycleHook;

  /**
   * What happens before the container is stopped. It counts against the Pod's `terminationGracePeriod`.
   *
   * @default - nothing
   */
  readonly preStop?: LifecycleHook;

  /**
   * Actions after start and before stop as in a manifest, and the signal that stops the container. For the actions, `postStart` and
   * `preStop` are shorter.
   *
   * @default - none
   */
  readonly lifecycle?: l1.Lifecycle;

  /**
   * Departures from the *restricted* Pod Security Standard, by name.
   *
   * @default - none
   */
  readonly relaxations?: Relaxation[];

  /**
   * User id to run as, instead of the Pod's.
   *
   * @default - that of the Pod
   */
  readonly runAsUser?: number;

  /**
   * Filter of system calls of this container, instead of the Pod's.
   *
   * @default - that of the Pod
   */
  readonly seccompProfile?: SeccompProfile;

  /**
   * Security settings over the *restricted* defaults. What weakens them needs a relaxation.
   *
   * @default - no privilege escalation, all capabilities dropped
   */
  readonly securityContext?: l1.SecurityContext;

  /**
   * Restart policy of this container (Kubernetes 1.34+): `Always`, `OnFailure`, `Never`.
   *
   * @default - that of the Pod
   */
  readonly restartPolicy?: string;

  /**
   * Exceptions from the restart policy by exit code (Kubernetes 1.34+).
   *
   * @default - none
   */
  readonly restartPolicyRules?: l1.ContainerRestartRule[];

  /**
   * What resizing a resource in place does to the container.
   *
   * @default - no restart (Kubernetes)
   */
  readonly resizePolicy?: l1.ContainerResizePolicy[];

  /**
   * Keeps standard input open.
   *
   * @default false
   */
  readonly stdin?: boolean;

  /**
   * Closes standard input after the first client.
   *
   * @default false
   */
  readonly stdinOnce?: boolean;

  /**
   * Allocates a terminal.
   *
   * @default false
   */
  readonly tty?: boolean;

  /**
   * File for the last words of the container.
   *
   * @default - /dev/termination-log (Kubernetes)
   */
  readonly terminationMessagePath?: string;

  /**
   * `File` or `FallbackToLogsOnError`.
   *
   * @default - File (Kubernetes)
   */
  readonly terminationMessagePolicy?: string;
}
