import type { Duration } from 'cdk8s';
import type * as l1 from '../../imports';
import type { DnsPolicy, ISecret, IServiceAccount, RestartPolicy } from '../objects';
import type { SandboxContainer } from './container-props';
import type { Isolation } from './isolation';
import type { Relaxation } from './relaxation';
import type { NodeRule, PodSpread } from './scheduling';
import type { SeccompProfile } from './seccomp';
import type { SandboxVolume } from './volume';

/** The Pod of a sandbox: everything that Sandboxes and templates have in common. */
export interface SandboxPodProps {
  /** Containers, at least one. The first is the one that claims inject environment variables into. */
  readonly containers: SandboxContainer[];

  /**
   * Containers that run to completion, one after the other, before the others start.
   *
   * @default - none
   */
  readonly initContainers?: SandboxContainer[];

  /**
   * Containers that start before the others and run beside them (init containers with restart policy `Always`).
   *
   * @default - none
   */
  readonly sidecars?: SandboxContainer[];

  /**
   * Volumes besides those that containers mount. Persistent volumes are emitted in this order, then those of mounts
   * by name; the order cannot change on an existing Sandbox.
   *
   * @default - the volumes that containers mount
   */
  readonly volumes?: SandboxVolume[];

  /** What keeps the containers apart from the node and its other Pods. `Isolation.none()` has to be written out. */
  readonly isolation: Isolation;

  /**
   * Whether to keep a headless Service of the sandbox's name: `true` creates one, `false` removes it, unset creates
   * none and keeps one that exists.
   *
   * @default - unset
   */
  readonly service?: boolean;

  /**
   * Labels of the Pod. Keys below `agents.x-k8s.io/` and `extensions.agents.x-k8s.io/` are reserved.
   *
   * @default - none
   */
  readonly podLabels?: { [key: string]: string };

  /**
   * Annotations of the Pod; the prefixes of labels are reserved here too.
   *
   * @default - none
   */
  readonly podAnnotations?: { [key: string]: string };

  /**
   * Departures from the *restricted* Pod Security Standard for the whole Pod, by name.
   *
   * @default - none
   */
  readonly relaxations?: Relaxation[];

  /**
   * User id to run as. Needed for images whose own user is root or a name: Kubernetes cannot tell that such a user is
   * not root, and does not start the container. 0 needs `Relaxation.RUN_AS_ROOT`.
   *
   * @default - the image's
   */
  readonly runAsUser?: number;

  /**
   * Which system calls the containers may make.
   *
   * @default SeccompProfile.runtimeDefault()
   */
  readonly seccompProfile?: SeccompProfile;

  /**
   * Security settings of the Pod over the *restricted* defaults. What weakens them needs a relaxation.
   *
   * @default - not as root, the runtime's seccomp profile, and `fsGroup: 1000` where persistent volumes are mounted
   */
  readonly securityContext?: l1.PodSecurityContext;

  /**
   * Service account to run as.
   *
   * @default - the namespace's default account
   */
  readonly serviceAccount?: IServiceAccount;

  /**
   * Whether containers get a token of the service account, with which they can call the API server.
   *
   * @default false
   */
  readonly automountServiceAccountToken?: boolean;

  /**
   * Whether containers get environment variables for every Service of the namespace.
   *
   * @default false
   */
  readonly enableServiceLinks?: boolean;

  /**
   * Secrets with registry credentials.
   *
   * @default - those of the service account
   */
  readonly imagePullSecrets?: ISecret[];

  /**
   * When containers are restarted.
   *
   * @default - always (Kubernetes)
   */
  readonly restartPolicy?: RestartPolicy;

  /**
   * Time that containers get to stop.
   *
   * @default - 30 seconds (Kubernetes)
   */
  readonly terminationGracePeriod?: Duration;

  /**
   * Time after which the Pod fails, counted from its start.
   *
   * @default - none
   */
  readonly activeDeadline?: Duration;

  /**
   * Where names are looked up.
   *
   * @default - the cluster's DNS (Kubernetes)
   */
  readonly dnsPolicy?: DnsPolicy;

  /**
   * Name servers, search domains and options.
   *
   * @default - by `dnsPolicy`
   */
  readonly dnsConfig?: l1.PodDnsConfig;

  /**
   * Entries of `/etc/hosts`.
   *
   * @default - none
   */
  readonly hostAliases?: l1.HostAlias[];

  /**
   * Host name inside the Pod.
   *
   * @default - the name of the sandbox
   */
  readonly hostname?: string;

  /**
   * Host name that the kernel reports, instead of all others (Kubernetes 1.34+).
   *
   * @default - none
   */
  readonly hostnameOverride?: string;

  /**
   * Subdomain of the host name.
   *
   * @default - none
   */
  readonly subdomain?: string;

  /**
   * Whether the host name is the full DNS name.
   *
   * @default false
   */
  readonly setHostnameAsFqdn?: boolean;

  /**
   * Labels that a node must have, besides those that the isolation asks for.
   *
   * @default - none
   */
  readonly nodeSelector?: { [key: string]: string };

  /**
   * Node to run on, past the scheduler.
   *
   * @default - chosen by the scheduler
   */
  readonly nodeName?: string;

  /**
   * Rules for labels of nodes. The Pod runs only where all of them are met.
   *
   * @default - none
   */
  readonly requiredNodes?: NodeRule[];

  /**
   * Rules for labels of nodes. The scheduler prefers nodes that meet many of them, by their weights.
   *
   * @default - none
   */
  readonly preferredNodes?: NodeRule[];

  /**
   * Taints to tolerate, besides those that the isolation asks for: `[Tolerations.taint('nvidia.com/gpu')]`.
   *
   * @default - none
   */
  readonly tolerations?: l1.Toleration[];

  /**
   * Attraction to nodes and other Pods, as in a manifest. For labels of nodes, `requiredNodes` and `preferredNodes` are shorter.
   *
   * @default - none
   */
  readonly affinity?: l1.Affinity;

  /**
   * Over which parts of the cluster Pods are spread: `[PodSpread.overZones()]`.
   *
   * @default - by the scheduler
   */
  readonly spread?: PodSpread[];

  /**
   * How Pods are spread, as in a manifest; after those of `spread`.
   *
   * @default - by the scheduler
   */
  readonly topologySpreadConstraints?: l1.TopologySpreadConstraint[];

  /**
   * PriorityClass.
   *
   * @default - the cluster's default
   */
  readonly priorityClassName?: string;

  /**
   * Priority that the class must have; set by the API server.
   *
   * @default - that of the class
   */
  readonly priority?: number;

  /**
   * `PreemptLowerPriority` or `Never`.
   *
   * @default - that of the class
   */
  readonly preemptionPolicy?: string;

  /**
   * Scheduler.
   *
   * @default - the default scheduler
   */
  readonly schedulerName?: string;

  /**
   * Gates that hold scheduling back until something removes them.
   *
   * @default - none
   */
  readonly schedulingGates?: l1.PodSchedulingGate[];

  /**
   * Group that is scheduled together (Kubernetes 1.36+).
   *
   * @default - none
   */
  readonly schedulingGroup?: l1.PodSchedulingGroup;

  /**
   * Extra conditions for readiness.
   *
   * @default - none
   */
  readonly readinessGates?: l1.PodReadinessGate[];

  /**
   * Resources of the Pod as a whole (Kubernetes 1.34+).
   *
   * @default - the sum of the containers
   */
  readonly podResources?: l1.ResourceRequirements;

  /**
   * Devices by dynamic resource allocation.
   *
   * @default - none
   */
  readonly resourceClaims?: l1.PodResourceClaim[];

  /**
   * Resources that the runtime itself takes; set from the RuntimeClass.
   *
   * @default - that of the RuntimeClass
   */
  readonly overhead?: { [resource: string]: l1.Quantity };

  /**
   * Operating system; with `windows`, defaults that only Linux knows are left out.
   *
   * @default - linux
   */
  readonly os?: l1.PodOs;

  /**
   * Whether containers see each other's processes.
   *
   * @default false
   */
  readonly shareProcessNamespace?: boolean;

  /**
   * Whether the Pod uses the users of the node; `false` maps them away from it.
   *
   * @default - true (Kubernetes)
   */
  readonly hostUsers?: boolean;

  /**
   * The network of the node; needs `Relaxation.HOST_NETWORK` and `SandboxNetwork.unmanaged()`.
   *
   * @default false
   */
  readonly hostNetwork?: boolean;

  /**
   * The processes of the node; needs `Relaxation.HOST_PID`.
   *
   * @default false
   */
  readonly hostPid?: boolean;

  /**
   * The shared memory of the node; needs `Relaxation.HOST_IPC`.
   *
   * @default false
   */
  readonly hostIpc?: boolean;

  /**
   * Containers for debugging. Kubernetes takes them on running Pods only: they are here because the API has them.
   *
   * @default - none
   */
  readonly ephemeralContainers?: l1.EphemeralContainer[];
}
