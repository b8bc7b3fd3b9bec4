import { append } from '../checks';
import { CONTROLLER_DEFAULT_RULES } from '../generated/semantics.gen';
import { EXTENSIONS_GROUP, LABEL, NETWORK_POLICY_SUFFIX } from '../generated/vocabulary.gen';
import { describeObject, type Manifest, type PlacedManifest } from './manifests';
import type { PodGroup } from './pods';
import type { Selector } from './selectors';

/** @internal */
export type Direction = 'ingress' | 'egress';

/** Ports of one protocol; no bounds mean all ports. @internal */
export interface PortRange {
  readonly protocol: string;
  readonly from?: number;
  readonly to?: number;
  /** A named port: which number it is, only the Pod tells. */
  readonly name?: string;
}

/** One peer of a rule. @internal */
export interface Peer {
  readonly cidrs?: readonly string[];
  readonly except?: readonly string[];
  /** Both as one text, which equal blocks share. */
  readonly block?: string;
  /** With `pods` absent: all Pods of the namespaces. With `namespaces` absent: the namespace of the policy. */
  readonly namespaces?: Selector;
  readonly pods?: Selector;
  /** Nodes or host names, which no manifest resolves. */
  readonly unresolved?: 'nodes' | 'host names';
}

/** @internal */
export interface PolicyRule {
  /** `NetworkPolicy agents/x, egress rule 2`. */
  readonly source: string;
  readonly action: 'Accept' | 'Deny' | 'Pass';
  /** Undefined: every peer. */
  readonly peers?: readonly Peer[];
  /** Undefined: every port of every protocol. */
  readonly ports?: readonly PortRange[];
}

/** A NetworkPolicy: rules that add up for the Pods that it selects. @internal */
export interface NamespacedPolicy {
  readonly source: string;
  readonly place: string;
  /** The NetworkPolicy, or the template that it is derived from. */
  readonly manifest: Manifest;
  /** Its place among all policies. */
  readonly position: number;
  /** The rules of each direction as a number, which equal rules of the set share. */
  readonly content: Readonly<Record<Direction, number>>;
  readonly namespace?: string;
  readonly pods: Selector;
  readonly directions: ReadonlyArray<Direction>;
  readonly ingress: readonly PolicyRule[];
  readonly egress: readonly PolicyRule[];
}

/** A ClusterNetworkPolicy: rules of which the first that matches decides. @internal */
export interface TierPolicy {
  readonly source: string;
  readonly place: string;
  readonly tier: 'Admin' | 'Baseline';
  readonly priority: number;
  readonly namespaces: Selector;
  readonly pods: Selector;
  readonly ingress: readonly PolicyRule[];
  readonly egress: readonly PolicyRule[];
}

/** What becomes of `networkPolicy` of a template. @internal */
export type PolicyOutcome = 'controller default' | 'deny all' | 'ingress only' | 'egress only' | 'custom' | 'unmanaged';

/** @internal */
export function isTemplate({ kind, apiVersion }: Manifest): boolean {
  return kind === 'SandboxTemplate' && apiVersion.startsWith(`${EXTENSIONS_GROUP}/`);
}

/** @internal */
export function outcomeOf({ spec }: Manifest): PolicyOutcome {
  if (spec?.networkPolicyManagement === 'Unmanaged') {
    return 'unmanaged';
  }
  if (spec?.networkPolicy === undefined) {
    return 'controller default';
  }
  const ingress = (spec.networkPolicy.ingress ?? []).length > 0;
  const egress = (spec.networkPolicy.egress ?? []).length > 0;
  return ingress && egress ? 'custom' : ingress ? 'ingress only' : egress ? 'egress only' : 'deny all';
}

/** The NetworkPolicies of a set, those that the controller derives from templates included. @internal */
export function namespacedPolicies(manifests: readonly PlacedManifest[], groups: readonly PodGroup[]): NamespacedPolicy[] {
  const made = new Map<Manifest, PodGroup[]>();
  groups.forEach(group => append(made, group.manifest!, group));
  const policies = manifests.flatMap(({ manifest, place }) => {
    if (manifest.kind === 'NetworkPolicy' && manifest.apiVersion === 'networking.k8s.io/v1') {
      return [policyOf(manifest.spec ?? {}, describeObject(manifest), place, manifest, manifest.metadata.namespace)];
    }
    if (isTemplate(manifest) && outcomeOf(manifest) !== 'unmanaged') {
      // A template of which other namespaces make Sandboxes has a policy in each of them.
      return (made.get(manifest) ?? []).map(group => policyOf(
        {
          ...(manifest.spec?.networkPolicy ?? CONTROLLER_DEFAULT_RULES),
          policyTypes: ['Ingress', 'Egress'],
          podSelector: { matchLabels: { [LABEL.templateRefHash]: group.labels[LABEL.templateRefHash] } },
        },
        `NetworkPolicy ${group.namespace === undefined ? '' : `${group.namespace}/`}${manifest.metadata.name}${NETWORK_POLICY_SUFFIX} (by the controller)`,
        place, manifest, group.namespace));
    }
    return [];
  });
  const ids = new Map<string, number>();
  const idOf = (rules: readonly PolicyRule[]) => {
    const text = JSON.stringify(rules.map(({ action, peers, ports }) => [action, peers, ports]));
    const id = ids.get(text) ?? ids.size;
    ids.set(text, id);
    return id;
  };
  return policies.map((policy, position) => ({ ...policy, position, content: { ingress: idOf(policy.ingress), egress: idOf(policy.egress) } }));
}

function policyOf(spec: any, source: string, place: string, manifest: Manifest, namespace: string | undefined): Omit<NamespacedPolicy, 'position' | 'content'> {
  const types: string[] = spec.policyTypes ?? ['Ingress', ...((spec.egress ?? []).length > 0 ? ['Egress'] : [])];
  const rules = (direction: Direction, key: 'from' | 'to') => (spec[direction] ?? []).map((rule: any, index: number): PolicyRule => ({
    source: `${source}, ${direction} rule ${index + 1}`,
    action: 'Accept',
    peers: (rule[key] ?? []).length > 0 ? rule[key].map(peerOf) : undefined,
    ports: (rule.ports ?? []).length > 0 ? rule.ports.map(portOf) : undefined,
  }));
  return {
    source, place, manifest, namespace,
    pods: spec.podSelector ?? {},
    directions: types.map(type => (type === 'Egress' ? 'egress' : 'ingress')),
    ingress: rules('ingress', 'from'),
    egress: rules('egress', 'to'),
  };
}

function peerOf(peer: any): Peer {
  return peer.ipBlock
    ? blockPeer([peer.ipBlock.cidr], peer.ipBlock.except)
    : { namespaces: peer.namespaceSelector ?? undefined, pods: peer.podSelector ?? undefined };
}

function blockPeer(cidrs: readonly string[], except: readonly string[] = []): Peer {
  return { cidrs, except, block: `${cidrs.join()} ${except.join()}` };
}

function portOf({ port, endPort, protocol = 'TCP' }: any): PortRange {
  return typeof port === 'string' ? { protocol, name: port } : port === undefined || port === null ? { protocol } : { protocol, from: port, to: endPort ?? port };
}

/** Kinds of cluster-wide policies; the older two are of one tier each. */
const TIERS: Readonly<Record<string, 'Admin' | 'Baseline' | undefined>> = {
  ClusterNetworkPolicy: undefined, AdminNetworkPolicy: 'Admin', BaselineAdminNetworkPolicy: 'Baseline',
};

/** The cluster-wide policies of a tier, the one with the lowest number first. @internal */
export function tierPolicies(manifests: readonly PlacedManifest[]): TierPolicy[] {
  return manifests
    .filter(({ manifest }) => manifest.kind in TIERS && manifest.apiVersion.startsWith('policy.networking.k8s.io/'))
    .map(({ manifest, place }): TierPolicy => {
      const { tier = TIERS[manifest.kind], priority = 0, subject = {}, ingress = [], egress = [] } = manifest.spec ?? {};
      const source = describeObject(manifest);
      const rules = (all: any[], direction: Direction, key: 'from' | 'to') => all.map((rule, index): PolicyRule => ({
        source: `${source}, ${direction} rule ${rule.name ?? index + 1}`,
        action: rule.action === 'Allow' ? 'Accept' : rule.action,
        peers: (rule[key] ?? []).map(tierPeer),
        ports: portsOfTier(rule),
      }));
      return {
        source, place, tier, priority,
        namespaces: subject.namespaces ?? subject.pods?.namespaceSelector ?? {},
        pods: subject.pods?.podSelector ?? {},
        ingress: rules(ingress, 'ingress', 'from'),
        egress: rules(egress, 'egress', 'to'),
      };
    })
    .sort((a, b) => a.priority - b.priority);
}

function tierPeer(peer: any): Peer {
  if (peer.networks) {
    return blockPeer(peer.networks);
  }
  if (peer.nodes || peer.domainNames) {
    return { unresolved: peer.nodes ? 'nodes' : 'host names' };
  }
  return { namespaces: peer.namespaces ?? peer.pods?.namespaceSelector ?? {}, pods: peer.pods?.podSelector };
}

function portsOfTier({ protocols = [], ports = [] }: any): PortRange[] | undefined {
  return protocols.length > 0 ? protocols.flatMap(tierPorts) : ports.length > 0 ? ports.flatMap(olderPorts) : undefined;
}

/** Ports of AdminNetworkPolicy and BaselineAdminNetworkPolicy. */
function olderPorts({ portNumber, portRange, namedPort }: any): PortRange[] {
  return namedPort ? withAnyProtocol(namedPort)
    : portNumber ? [{ protocol: portNumber.protocol, from: portNumber.port, to: portNumber.port }]
      : [{ protocol: portRange.protocol, from: portRange.start, to: portRange.end }];
}

function withAnyProtocol(name: string): PortRange[] {
  return ['TCP', 'UDP', 'SCTP'].map(protocol => ({ protocol, name }));
}

function tierPorts(protocol: any): PortRange[] {
  if (protocol.destinationNamedPort) {
    return withAnyProtocol(protocol.destinationNamedPort);
  }
  return ['tcp', 'udp', 'sctp'].filter(each => protocol[each]).map(each => {
    const { number, range } = protocol[each].destinationPort ?? {};
    return { protocol: each.toUpperCase(), from: number ?? range?.start, to: number ?? range?.end };
  });
}
