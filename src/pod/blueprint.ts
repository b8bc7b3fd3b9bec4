import type * as l1 from '../../imports';
import { type Problems, wholeSeconds } from '../checks';
import { renderContainer, type RenderedContainer } from './container';
import type { SandboxContainer } from './container-props';
import type { SandboxPodProps } from './pod-props';
import { checkInitContainer, checkPodFields, checkPodMetadata, checkVolumeDevices, mergeNodeSelectors, mergeTolerations } from './pod-rules';
import { checkPodSecurity, podSecurityContext, withUser } from './pod-security';
import { Relaxation } from './relaxation';
import { nodeAffinity } from './scheduling';
import { withSeccomp } from './seccomp';
import type { SandboxVolume } from './volume';

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

/**
 * Volumes that containers mount and nothing here defines: claims have to bring them.
 *
 * @internal
 */
export function openVolumes({ podTemplate: { spec }, volumeClaimTemplates = [] }: Blueprint): string[] {
  const defined = [...(spec?.volumes ?? []).map(volume => volume.name), ...volumeClaimTemplates.map(claim => claim.metadata?.name)];
  const containers = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
  const mounted = containers.flatMap(container => (container.volumeMounts ?? []).map(mount => mount.name));
  return [...new Set(mounted)].filter(name => !defined.includes(name)).sort();
}

/** Containers write to persistent volumes as this group, whatever their user is, unless the Pod names another. @internal */
export const FS_GROUP = 1000;

/** Whether a volume outlives the Pod. What nothing defines, claims bring, and they bring persistent volumes only. */
function isPersistent(volume: SandboxVolume): boolean {
  return volume.isPersistent || !volume._isDefined || volume._volume?.persistentVolumeClaim !== undefined || volume._volume?.ephemeral !== undefined;
}

/** What only the kind knows of its Pods. */
interface BlueprintOptions {
  /** Whether claims may bring volumes. */
  readonly claimsBringVolumes?: boolean;
  /** Labels that all Pods of the object have, and no others. */
  readonly ownLabels?: { readonly [key: string]: string };
}

/**
 * Checks and renders what Sandboxes and templates have in common.
 *
 * @internal
 */
export function renderBlueprint(problems: Problems, props: SandboxPodProps, { claimsBringVolumes, ownLabels }: BlueprintOptions = {}): Blueprint {
  const windows = props.os?.name === 'windows';
  const containers = renderContainers(problems, props, windows);
  const volumes = collectVolumes(problems, props.volumes ?? [], containers.all.flatMap(({ rendered }) => rendered.volumes));
  if (!claimsBringVolumes) {
    checkDefined(problems, props.volumes ?? [], containers.all, volumes);
  }
  const claimTemplates = volumes.flatMap(volume => volume._claimTemplate ?? []);
  checkPodMetadata(problems, 'podLabels', 'podAnnotations', props.podLabels, props.podAnnotations, container =>
    [...(props.relaxations ?? []), ...(containers.all.find(({ rendered }) => rendered.container.name === container)?.props.relaxations ?? [])]);
  checkPodFields(problems, props);
  containers.all.forEach(({ at, props: container }) => checkVolumeDevices(at, container.volumeDevices, volumes));

  const mounted = containers.all.flatMap(({ rendered }) => rendered.volumes);
  const mountsClaims = mounted.some(volume => isPersistent(volumes.find(({ name }) => name === volume.name) ?? volume));
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
    nodeSelector: mergeNodeSelectors(problems, props.nodeSelector, props.isolation),
    nodeName: props.nodeName,
    tolerations: mergeTolerations(props.tolerations, props.isolation),
    affinity: nodeAffinity(problems, props),
    topologySpreadConstraints: spreadConstraints(problems, props, ownLabels),
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
  checkPodSecurity(problems, spec, props.relaxations ?? [], new Map(containers.all.map(entry => [entry.rendered.container.name, entry])));
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
    const rendered = renderContainer(at, name ?? `unnamed-${list.toLowerCase()}-${index}`, relaxed(container, props.relaxations), windows, volumeNames);
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
  const ports = [...main, ...sidecars].flatMap(({ at, props: container }) =>
    (container.ports ?? []).map(({ name }, index) => ({ at, prop: `ports[${index}].name`, value: name })));
  unique(ports.filter(({ value }) => value !== undefined), 'name each port of a Pod differently');
  // Sidecars come first, so that init containers can use them.
  return { main, init: [...sidecars, ...init], all: [...sidecars, ...init, ...main] };
}

/** Notes each value that occurs before, wherever in the Pod. */
function unique(values: readonly { readonly at: Problems; readonly prop: string; readonly value?: string }[], remedy: string): void {
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
    ...withSeccomp(problems, props, withUser(problems, props)),
  };
}

function spreadConstraints(
  problems: Problems, { spread, topologySpreadConstraints, podLabels }: SandboxPodProps, ownLabels: BlueprintOptions['ownLabels'],
): l1.TopologySpreadConstraint[] | undefined {
  const own = ownLabels ?? (podLabels && Object.keys(podLabels).length > 0 ? podLabels : undefined);
  const all = [...(spread ?? []).map((each, index) => each._constraint(problems, `spread[${index}]`, own)), ...(topologySpreadConstraints ?? [])];
  // Raw constraints among themselves are checked with the other raw fields.
  problems.unique(index => `spread[${index}]`, spread?.length ? all.map(({ topologyKey, whenUnsatisfiable }) => `${topologyKey}, ${whenUnsatisfiable}`) : [], 'spread once over each part of the cluster');
  return all.length > 0 ? all : topologySpreadConstraints;
}

/** Every volume needs a source in one of its mounts, unless claims bring it. */
function checkDefined(
  problems: Problems, explicit: readonly SandboxVolume[], containers: readonly ContainerEntry[], all: readonly SandboxVolume[],
): void {
  const undefinedVolume = (volume: SandboxVolume) => all.some(candidate => candidate.name === volume.name && !candidate._isDefined);
  const complain = (at: Problems, prop: string, volume: SandboxVolume) => undefinedVolume(volume)
    && at.add(prop, volume.name, 'nothing defines this volume: add it to volumes, or mount a SandboxVolume that says what it is');
  explicit.forEach((volume, index) => complain(problems, `volumes[${index}]`, volume));
  for (const { at, props } of containers) {
    (props.mounts ?? []).forEach((mount, index) => complain(at, `mounts[${index}].volume`, mount.volume));
  }
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
