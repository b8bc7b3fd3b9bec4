import { ANNOTATION, EXTENSIONS_GROUP, GROUP, LABEL, nameHash, RESERVED_PREFIXES } from '../generated/vocabulary.gen';
import { NAMESPACE_NAME_LABEL } from '../objects';
import { AddressSet } from './address-set';
import { describeObject, type Manifest, type PlacedManifest } from './manifests';
import type { KnownLabels } from './selectors';

/** A port that a container declares. @internal */
export interface ContainerPort {
  readonly name?: string;
  readonly port: number;
  readonly protocol: string;
}

/** Pods that have the same labels, as far as the manifests tell. @internal */
export interface PodGroup extends KnownLabels {
  /** What they are Pods of: `SandboxTemplate agents/python`. */
  readonly object: string;
  readonly place: string;

  /** The object; undefined for Pods of which no manifest tells. */
  readonly manifest?: Manifest;

  /** Undefined is the namespace that is chosen when the manifest is applied. */
  readonly namespace?: string;

  /** Whether a program of a tenant runs in them, and not a known one of the platform. */
  readonly isSandbox: boolean;
  readonly ports: readonly ContainerPort[];
  readonly hostNetwork: boolean;

  /** Their addresses, where the manifest is that of a Pod that runs. */
  readonly addresses?: AddressSet;
}

/** Kinds with a Pod template. */
const WORKLOADS: Readonly<Record<string, (spec: any) => any>> = {
  Pod: spec => ({ spec }),
  Deployment: spec => spec?.template,
  ReplicaSet: spec => spec?.template,
  StatefulSet: spec => spec?.template,
  DaemonSet: spec => spec?.template,
  Job: spec => spec?.template,
  CronJob: spec => spec?.jobTemplate?.spec?.template,
};

/** The Pods that a set of manifests makes. @internal */
export function podGroups(manifests: readonly PlacedManifest[]): PodGroup[] {
  return manifests.flatMap(({ manifest, place }) => groupsOf(manifest, place));
}

function groupsOf(manifest: Manifest, place: string): PodGroup[] {
  const { kind, metadata } = manifest;
  const group = manifest.apiVersion.split('/')[0];
  if (kind === 'SandboxTemplate' && group === EXTENSIONS_GROUP) {
    const foreign = (metadata.annotations?.[ANNOTATION.claimableFrom] ?? '').split(',').map(each => each.trim()).filter(each => each !== '' && each !== '*' && each !== metadata.namespace);
    const own = templateGroup(manifest, place, metadata.namespace, metadata.name);
    return [own, ...foreign.map(namespace => templateGroup(manifest, place, namespace, `${metadata.namespace}/${metadata.name}`))];
  }
  if (kind === 'Sandbox' && group === GROUP) {
    const hash = { [LABEL.sandboxNameHash]: nameHash(metadata.name) };
    return [{ ...podOf(manifest, place, manifest.spec?.podTemplate, hash), isSandbox: true, mayHave: () => false }];
  }
  const template = WORKLOADS[kind]?.(manifest.spec);
  if (template) {
    const labels = kind === 'Pod' ? metadata.labels ?? {} : {};
    return [{ ...podOf(manifest, place, template, labels), isSandbox: false, mayHave: () => false }];
  }
  return [];
}

/** Claims add labels to the Pods of a template, but none of the controller's own domains. */
function templateGroup(manifest: Manifest, place: string, namespace: string | undefined, key: string): PodGroup {
  const pod = podOf(manifest, place, manifest.spec?.podTemplate, { [LABEL.templateRefHash]: nameHash(key) });
  return {
    ...pod,
    namespace,
    object: namespace === manifest.metadata.namespace ? pod.object : `${pod.object}, claimed from ${namespace}`,
    isSandbox: true,
    // Which Sandbox it is, and whether it waits in a pool, differs from Pod to Pod.
    mayHave: label => label === LABEL.sandboxNameHash || label === LABEL.warmPool || !RESERVED_PREFIXES.some(prefix => label.startsWith(prefix)),
  };
}

function podOf(manifest: Manifest, place: string, template: any, labels: { readonly [key: string]: string }): Omit<PodGroup, 'isSandbox' | 'mayHave'> {
  const containers: any[] = [...(template?.spec?.containers ?? []), ...(template?.spec?.initContainers ?? [])];
  return {
    object: describeObject(manifest),
    place,
    manifest,
    namespace: manifest.metadata.namespace,
    labels: { ...template?.metadata?.labels, ...labels },
    ports: containers.flatMap(container => container.ports ?? []).map(port => ({ name: port.name, port: port.containerPort, protocol: port.protocol ?? 'TCP' })),
    hostNetwork: template?.spec?.hostNetwork === true,
    addresses: runningAddresses(manifest),
  };
}

function runningAddresses({ kind, status }: Manifest): AddressSet | undefined {
  const ips: string[] = kind === 'Pod' ? (status?.podIPs ?? []).map(({ ip }: any) => ip) : [];
  return ips.length > 0 ? AddressSet.of(...ips.map(ip => `${ip}/${ip.includes(':') ? 128 : 32}`)) : undefined;
}

/** Labels of namespaces, as far as the manifests tell: all of them may have others, except for their name. @internal */
export class Namespaces {
  private readonly known = new Map<string, { readonly [key: string]: string }>();

  public constructor(manifests: readonly PlacedManifest[]) {
    for (const { manifest: { kind, metadata } } of manifests) {
      if (kind === 'Namespace') {
        this.known.set(metadata.name, metadata.labels ?? {});
      }
    }
  }

  public labelsOf(name: string | undefined): KnownLabels {
    const known = name === undefined ? undefined : this.known.get(name);
    return {
      labels: name === undefined ? {} : { ...known, [NAMESPACE_NAME_LABEL]: name },
      mayHave: key => (key === NAMESPACE_NAME_LABEL ? name === undefined : known === undefined),
    };
  }
}
