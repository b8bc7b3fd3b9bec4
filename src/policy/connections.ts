import { NAMESPACE_NAME_LABEL } from '../objects';
import type { AddressSet } from './address-set';
import type { Peer, PortRange } from './policies';
import type { Selector } from './selectors';

/** Addresses that are not of Pods, on neighbouring ports of one protocol. @internal */
export interface ConnectedAddresses {
  readonly protocol: string;
  readonly fromPort: number;
  readonly toPort: number;
  readonly set: AddressSet;
  /** False where the manifests do not tell whether the connection is possible. */
  readonly certain: boolean;
}

/** Pods that a rule names, as words. @internal */
export interface ConnectedPods {
  /** `Pods app=db of namespace data`. */
  readonly pods: string;
  /** Namespace, if the rule names exactly one. */
  readonly namespace?: string;
  /** Labels, if the rule selects by labels only. */
  readonly labels?: { readonly [key: string]: string };
  /** Whether Pods of other namespaces than that of the subject are meant, or can be. */
  readonly isForeign: boolean;
  /** `TCP 8888`, sorted; empty for every port. */
  readonly ports: readonly string[];
  readonly certain: boolean;
}

/** What Pods can connect to, or what can connect to them. @internal */
export interface Connections {
  readonly addresses: readonly ConnectedAddresses[];
  readonly pods: readonly ConnectedPods[];
  /** Rules of cluster-wide policies that can apply, which come before or after all others: `Deny egress rule 1 of ClusterNetworkPolicy x`. */
  readonly tiers: readonly string[];
}

/** The Pods of a peer; undefined if the peer has addresses. @internal */
export function podsOfPeer(peer: Peer | undefined, subjectNamespace: string | undefined): Omit<ConnectedPods, 'ports' | 'certain'> | undefined {
  if (peer === undefined) {
    return { pods: 'all Pods', isForeign: true };
  }
  if (peer.cidrs || peer.unresolved) {
    return undefined;
  }
  const named = namespaceOf(peer.namespaces);
  const isOwn = peer.namespaces === undefined || (named !== undefined && named === subjectNamespace);
  const pods = isEmpty(peer.pods) ? 'all Pods' : `Pods ${describeSelector(peer.pods!)}`;
  const where = isOwn ? 'of its namespace'
    : named !== undefined ? `of namespace ${named}`
      : isEmpty(peer.namespaces) ? 'of any namespace' : `of namespaces ${describeSelector(peer.namespaces!)}`;
  const labels = peer.pods && !peer.pods.matchExpressions?.length ? peer.pods.matchLabels : undefined;
  return { pods: `${pods} ${where}`, namespace: isOwn ? subjectNamespace : named, labels, isForeign: !isOwn };
}

/** `TCP 443`, `UDP 1-1024`, `TCP http`. @internal */
export function describePort({ protocol, from, to, name }: PortRange): string {
  return name !== undefined ? `${protocol} ${name}` : from === undefined ? `${protocol}` : `${protocol} ${from === to || to === undefined ? from : `${from}-${to}`}`;
}

function isEmpty(selector: Selector | undefined): boolean {
  return !selector || (Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0);
}

/** The one namespace that a selector selects by its name. */
function namespaceOf(selector: Selector | undefined): string | undefined {
  const labels = Object.entries(selector?.matchLabels ?? {});
  return labels.length === 1 && labels[0][0] === NAMESPACE_NAME_LABEL && !selector?.matchExpressions?.length ? labels[0][1] : undefined;
}

function describeSelector({ matchLabels = {}, matchExpressions = [] }: Selector): string {
  const labels = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`);
  const expressions = matchExpressions.map(({ key, operator, values = [] }) => (operator === 'Exists' ? key : operator === 'DoesNotExist' ? `!${key}`
    : `${key} ${operator === 'NotIn' ? 'notin' : 'in'} (${values.join(', ')})`));
  return [...labels, ...expressions].join(',');
}
