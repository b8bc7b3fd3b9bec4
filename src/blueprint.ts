import { Duration } from 'cdk8s';
import * as kplus from 'cdk8s-plus-28';
import * as l1 from '../imports';
import { RenderedContainer, SandboxContainer, renderContainer } from './container';
import { Isolation } from './isolation';
import { checkInitContainer, checkPodFields, checkPodMetadata, checkVolumeDevices } from './pod-rules';
import { checkPodSecurity, podSecurityContext, withUser } from './pod-security';
import { Problems } from './problems';
import { Relaxation } from './relaxation';
import { wholeSeconds } from './seconds';
import { SandboxVolume } from './volume';

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
  readonly serviceAccount?: kplus.IServiceAccount;

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
  readonly imagePullSecrets?: kplus.ISecret[];

  /**
   * When containers are restarted.
   *
   * @default - always (Kubernetes)
   */
  readonly restartPolicy?: kplus.RestartPolicy;

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
  readonly dnsPolicy?: kplus.DnsPolicy;

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
   * Taints to tolerate, besides those that the isolation asks for.
   *
   * @default - none
   */
  readonly tolerations?: l1.Toleration[];

  /**
   * Attraction to nodes and other Pods.
   *
   * @default - none
   */
  readonly affinity?: l1.Affinity;

  /**
   * How Pods are spread.
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

/**
 * What Sandboxes and templates have in common, checked and ready to emit.
 *
 * @internal
 */
export interface Blueprint {
  readonly podTemplate: l1.PodTemplate;
  readonly volumeClaimTemplates?: l1.VolumeClaimTemplate[];
  readonly service?: boolean;
}

/** Non-root containers write to fresh volumes as this group, unless the Pod names another. */
const FS_GROUP = 1000;

/**
 * Checks and renders what Sandboxes and templates have in common.
 *
 * @internal
 */
export function renderBlueprint(problems: Problems, props: SandboxPodProps, claimsBringVolumes = false): Blueprint {
  const windows = props.os?.name === 'windows';
  const containers = renderContainers(problems, props, windows);
  const volumes = collectVolumes(problems, props.volumes ?? [], containers.all.flatMap(({ rendered }) => rendered.volumes));
  for (const volume of claimsBringVolumes ? [] : volumes.filter(candidate => !candidate._isDefined)) {
    problems.add('volumes', volume.name, 'nothing defines this volume: add it to volumes, or mount a SandboxVolume that says what it is');
  }
  const claimTemplates = volumes.flatMap(volume => volume._claimTemplate ?? []);
  checkPodMetadata(problems, 'podLabels', 'podAnnotations', props.podLabels, props.podAnnotations);
  checkPodFields(problems, props);
  containers.all.forEach(({ at, props: container }) => checkVolumeDevices(at, container.volumeDevices, volumes));

  const asRoot = (relaxations: readonly Relaxation[] | undefined) => relaxations?.includes(Relaxation.RUN_AS_ROOT) ?? false;
  const writers = containers.all.filter(({ props: container }) => !asRoot(container.relaxations) && !asRoot(props.relaxations));
  // What nothing defines here, claims bring, and they bring persistent volumes only.
  const mountsClaims = writers.some(({ rendered }) => rendered.volumes.some(volume => volume.isPersistent || !volume._isDefined));
  const spec: l1.PodSpec = {
    containers: containers.main.map(({ rendered }) => rendered.container),
    initContainers: containers.init.length > 0 ? containers.init.map(({ rendered }) => rendered.container) : undefined,
    ephemeralContainers: props.ephemeralContainers,
    volumes: volumes.some(volume => volume._volume) ? volumes.flatMap(volume => volume._volume ?? []) : undefined,
    runtimeClassName: props.isolation.runtimeClassName,
    securityContext: podSecurityContext(podContext(problems, props), windows, mountsClaims ? FS_GROUP : undefined),
    serviceAccountName: props.serviceAccount?.name,
    automountServiceAccountToken: props.automountServiceAccountToken ?? false,
    enableServiceLinks: props.enableServiceLinks ?? false,
    imagePullSecrets: props.imagePullSecrets?.map(secret => ({ name: secret.name })),
    restartPolicy: props.restartPolicy,
    terminationGracePeriodSeconds: wholeSeconds(problems, 'terminationGracePeriod', props.terminationGracePeriod, 0),
    activeDeadlineSeconds: wholeSeconds(problems, 'activeDeadline', props.activeDeadline, 1),
    dnsPolicy: props.dnsPolicy,
    dnsConfig: props.dnsConfig,
    hostAliases: props.hostAliases,
    hostname: props.hostname,
    hostnameOverride: props.hostnameOverride,
    subdomain: props.subdomain,
    setHostnameAsFqdn: props.setHostnameAsFqdn,
    nodeSelector: mergeNodeSelectors(problems, props),
    nodeName: props.nodeName,
    tolerations: mergeTolerations(props),
    affinity: props.affinity,
    topologySpreadConstraints: props.topologySpreadConstraints,
    priorityClassName: props.priorityClassName,
    priority: props.priority,
    preemptionPolicy: props.preemptionPolicy,
    schedulerName: props.schedulerName,
    schedulingGates: props.schedulingGates,
    schedulingGroup: props.schedulingGroup,
    readinessGates: props.readinessGates,
    resources: props.podResources,
    resourceClaims: props.resourceClaims,
    overhead: props.overhead,
    os: props.os,
    shareProcessNamespace: props.shareProcessNamespace,
    hostUsers: props.hostUsers,
    hostNetwork: props.hostNetwork,
    hostPid: props.hostPid,
    hostIpc: props.hostIpc,
  };
  const relaxations = new Map(containers.all.map(({ rendered, props: container }) => [rendered.container.name, container.relaxations ?? []]));
  checkPodSecurity(problems, spec, props.relaxations ?? [], name => relaxations.get(name) ?? []);
  const metadata = props.podLabels || props.podAnnotations ? { labels: props.podLabels, annotations: props.podAnnotations } : undefined;
  return {
    podTemplate: { metadata, spec },
    volumeClaimTemplates: claimTemplates.length > 0 ? claimTemplates : undefined,
    service: props.service,
  };
}

interface ContainerEntry {
  readonly at: Problems;
  readonly props: SandboxContainer;
  readonly rendered: RenderedContainer;
}

function renderContainers(problems: Problems, props: SandboxPodProps, windows: boolean) {
  if (props.containers.length === 0) {
    problems.add('containers', [], 'a Pod needs at least one container');
  }
  const own = [props.containers, props.sidecars, props.initContainers].flatMap(list => (list ?? []).flatMap(container => container.mounts ?? []));
  const volumeNames = new Set([...(props.volumes ?? []), ...own.map(mount => mount.volume)].map(volume => volume.name));
  const render = (list: 'containers' | 'initContainers' | 'sidecars'): ContainerEntry[] => (props[list] ?? []).map((container, index) => {
    const at = problems.at(`${list}[${index}]`);
    const name = container.name ?? (list === 'containers' && index === 0 ? 'sandbox' : undefined);
    if (name === undefined) {
      at.add('name', undefined, 'give it a name; only the first container can do without');
    }
    const rendered = renderContainer(at, name ?? `unnamed-${list}-${index}`, relaxed(container, props.relaxations), windows, volumeNames);
    if (list === 'initContainers') {
      checkInitContainer(at, container);
    }
    if (list !== 'sidecars') {
      return { at, props: container, rendered };
    }
    at.check('restartPolicy', container.restartPolicy, policy => (policy === 'Always' ? undefined : 'a sidecar always restarts: leave it out, or make it an init container'));
    return { at, props: container, rendered: { ...rendered, container: { ...rendered.container, restartPolicy: 'Always' } } };
  });
  const main = render('containers');
  const sidecars = render('sidecars');
  const init = render('initContainers');
  const inOrderOfProps = [...main, ...sidecars, ...init];
  unique(inOrderOfProps.map(({ at, rendered }) => ({ at, prop: 'name', value: rendered.container.name })), 'name each container of a Pod differently');
  unique([...main, ...sidecars].flatMap(({ at, rendered }) => (rendered.container.ports ?? []).flatMap(({ name }) => (name ? [{ at, prop: 'ports', value: name }] : []))),
    'name each port of a Pod differently');
  // Sidecars come first, so that init containers can use them.
  return { main, init: [...sidecars, ...init], all: [...sidecars, ...init, ...main] };
}

/** Notes each value that occurs before, wherever in the Pod. */
function unique(values: readonly { readonly at: Problems; readonly prop: string; readonly value: string }[], remedy: string): void {
  values.forEach(({ at, prop, value }, index) => {
    if (values.findIndex(other => other.value === value) < index) {
      at.add(prop, value, remedy);
    }
  });
}

/** A container with the relaxations that its Pod has for all. */
function relaxed(container: SandboxContainer, forAll: readonly Relaxation[] | undefined): SandboxContainer {
  return forAll ? { ...container, relaxations: [...(container.relaxations ?? []), ...forAll] } : container;
}

function podContext(problems: Problems, props: SandboxPodProps): l1.PodSecurityContext | undefined {
  return {
    ...(props.relaxations?.includes(Relaxation.RUN_AS_ROOT) && { runAsNonRoot: false }),
    ...(props.relaxations?.includes(Relaxation.UNCONFINED_SECCOMP) && { seccompProfile: { type: 'Unconfined' } }),
    ...withUser(problems, props),
  };
}

/** Explicit volumes in their order, then those of mounts by name: adding a mount elsewhere must not reorder them. */
function collectVolumes(problems: Problems, explicit: readonly SandboxVolume[], mounted: readonly SandboxVolume[]): SandboxVolume[] {
  const byName = new Map<string, SandboxVolume>();
  const sorted = [...mounted].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  for (const volume of [...explicit, ...sorted]) {
    const known = byName.get(volume.name);
    if (known?._isDefined && volume._isDefined && !known._equals(volume)) {
      problems.add('volumes', volume.name, 'two different volumes have this name: rename one');
    }
    if (!known?._isDefined) {
      byName.set(volume.name, volume);
    }
  }
  return [...byName.values()];
}

function mergeNodeSelectors(problems: Problems, props: SandboxPodProps): { [key: string]: string } | undefined {
  for (const [key, value] of Object.entries(props.isolation.nodeSelector ?? {})) {
    const own = props.nodeSelector?.[key];
    if (own !== undefined && own !== value) {
      problems.add(`nodeSelector['${key}']`, own, `the isolation needs '${value}': leave it out`);
    }
  }
  return props.nodeSelector || props.isolation.nodeSelector ? { ...props.nodeSelector, ...props.isolation.nodeSelector } : undefined;
}

function mergeTolerations(props: SandboxPodProps): l1.Toleration[] | undefined {
  return props.tolerations || props.isolation.tolerations ? [...(props.tolerations ?? []), ...(props.isolation.tolerations ?? [])] : undefined;
}
