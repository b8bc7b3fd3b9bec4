import type * as l1 from '../../imports';
import { absolutePath, dnsLabel, dnsSubdomain, integer, oneOf, type Problems } from '../checks';
import { RESERVED_ANNOTATIONS, RESERVED_PREFIXES, ROUTER } from '../generated/vocabulary.gen';
import { checkKeys, checkLabels } from '../objects';
import { checkAnnotations } from './annotations';
import type { SandboxContainer } from './container-props';
import { checkTolerations, type Isolation } from './isolation';
import type { SandboxPodProps } from './pod-props';
import type { Relaxation } from './relaxation';
import type { SandboxVolume } from './volume';

/**
 * Labels and annotations of a Pod: well-formed, none of those that the controller keeps for itself, and none that weakens
 * the Pod without a relaxation.
 *
 * @internal
 */
export function checkPodMetadata(
  problems: Problems, labelsProp: string, annotationsProp: string,
  labels: { readonly [key: string]: string } | undefined, annotations: { readonly [key: string]: string } | undefined,
  relaxations?: (container?: string) => readonly Relaxation[],
): void {
  checkLabels(problems, labelsProp, labels);
  checkAnnotations(problems, annotationsProp, annotations, relaxations);
  checkKeys(problems, annotationsProp, annotations);
  for (const [prop, map] of [[labelsProp, labels], [annotationsProp, annotations]] as const) {
    for (const key of Object.keys(map ?? {})) {
      if (RESERVED_PREFIXES.some(prefix => key.startsWith(prefix))) {
        problems.add(`${prop} key`, key, 'the controller drops keys of this prefix from Pods: use a prefix of your own');
      } else if (map === annotations && RESERVED_ANNOTATIONS.includes(key)) {
        problems.add(`${prop} key`, key, 'the controller drops this key from Pods: use a key of your own');
      }
    }
  }
  for (const [key, value] of Object.entries(ROUTER.labels)) {
    // The controller compares without case.
    if (labels?.[key]?.toLowerCase() === value) {
      problems.add(`${labelsProp}['${key}']`, labels[key], 'network policies let the router in by this label: use another value');
    }
  }
}

/**
 * Fields of a Pod that the schema leaves open and the API server does not, or that the schema wants to be unique.
 *
 * @internal
 */
export function checkPodFields(problems: Problems, props: SandboxPodProps): void {
  problems.check('hostname', props.hostname, dnsLabel);
  problems.check('subdomain', props.subdomain, dnsLabel);
  problems.check('hostnameOverride', props.hostnameOverride, dnsSubdomain);
  problems.check('nodeName', props.nodeName, dnsSubdomain);
  problems.check('priorityClassName', props.priorityClassName, dnsSubdomain);
  problems.check('preemptionPolicy', props.preemptionPolicy, oneOf('PreemptLowerPriority', 'Never'));
  problems.check('securityContext.fsGroup', props.securityContext?.fsGroup, integer(0));
  checkLabels(problems, 'nodeSelector', props.nodeSelector);
  checkTolerations(problems, 'tolerations', props.tolerations);
  (props.hostAliases ?? []).forEach((alias, index) => (alias.hostnames ?? []).forEach((name, position) =>
    problems.check(`hostAliases[${index}].hostnames[${position}]`, name, dnsSubdomain)));
  if (props.dnsPolicy === 'None' && !props.dnsConfig?.nameservers?.length) {
    problems.add('dnsPolicy', props.dnsPolicy, 'name the servers to ask instead: dnsConfig: { nameservers: […] }');
  }
  const once = <T>(prop: string, list: readonly T[] | undefined, key: (item: T) => string | undefined, keyProp: string) =>
    problems.unique(index => `${prop}[${index}]${keyProp}`, (list ?? []).map(key), 'list it once');
  once('imagePullSecrets', props.imagePullSecrets, secret => secret.name, '');
  once('hostAliases', props.hostAliases, alias => alias.ip, '.ip');
  once('schedulingGates', props.schedulingGates, gate => gate.name, '.name');
  once('resourceClaims', props.resourceClaims, claim => claim.name, '.name');
  once('topologySpreadConstraints', props.topologySpreadConstraints, ({ topologyKey, whenUnsatisfiable }) => `${topologyKey}, ${whenUnsatisfiable}`, '');
}

/**
 * The network of the node knows no policies, so it goes only with the network that promises none.
 *
 * @internal
 */
export function checkHostNetwork(problems: Problems, pod: { readonly hostNetwork?: boolean; readonly service?: boolean }, managed: boolean): void {
  if (pod.hostNetwork && managed) {
    problems.add('hostNetwork', true, 'no NetworkPolicy applies on the network of the node: leave it out, or say network: SandboxNetwork.unmanaged()');
  }
  if (pod.hostNetwork && pod.service) {
    problems.add('service', true, 'a Service on the network of the node would publish its ports: leave service or hostNetwork out');
  }
}

/**
 * Labels of the nodes for a Pod: its own and those that the isolation asks for.
 *
 * @internal
 */
export function mergeNodeSelectors(
  problems: Problems, own: { readonly [key: string]: string } | undefined, isolation: Isolation,
): { [key: string]: string } | undefined {
  for (const [key, value] of Object.entries(isolation.nodeSelector ?? {})) {
    if (own?.[key] !== undefined && own[key] !== value) {
      problems.add(`nodeSelector['${key}']`, own[key], `the isolation needs '${value}': leave it out`);
    }
  }
  return own || isolation.nodeSelector ? { ...own, ...isolation.nodeSelector } : undefined;
}

/**
 * Taints that a Pod tolerates: its own and those of the isolation.
 *
 * @internal
 */
export function mergeTolerations(own: readonly l1.Toleration[] | undefined, isolation: Isolation): l1.Toleration[] | undefined {
  return own || isolation.tolerations ? [...(own ?? []), ...(isolation.tolerations ?? [])] : undefined;
}

/**
 * What an init container cannot have, as it is gone once the Pod runs. Sidecars are no init containers in this sense.
 *
 * @internal
 */
export function checkInitContainer(problems: Problems, container: SandboxContainer): void {
  for (const prop of ['readiness', 'liveness', 'startup', 'lifecycle', 'postStart', 'preStop'] as const) {
    if (container[prop] !== undefined && container.restartPolicy !== 'Always') {
      problems.add(prop, undefined, 'an init container runs to completion and has none: leave it out, or make the container a sidecar');
    }
  }
}

/**
 * Raw block volumes of a container, which name volumes of the Pod.
 *
 * @internal
 */
export function checkVolumeDevices(problems: Problems, devices: readonly l1.VolumeDevice[] | undefined, volumes: readonly SandboxVolume[]): void {
  (devices ?? []).forEach((device, index) => {
    const at = problems.at(`volumeDevices[${index}]`);
    at.check('devicePath', device.devicePath, absolutePath);
    if (!volumes.some(volume => volume.name === device.name)) {
      at.add('name', device.name, 'the Pod has no volume of this name: add it to volumes');
    }
  });
  problems.unique(index => `volumeDevices[${index}].devicePath`, (devices ?? []).map(device => device.devicePath), 'use each path once');
}
