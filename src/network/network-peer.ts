import type * as l1 from '../../imports';
import { checkCalls, dnsLabel, Problems } from '../checks';
import { SPECIAL_IPV4, SPECIAL_IPV6 } from '../generated/semantics.gen';
import { type ILabelSelector, type INetworkPolicyPeer, NAMESPACE_NAME_LABEL, type NetworkPolicyPeerConfig, orderedSelector, selectorOf } from '../objects';
import { Cidr, cidr as cidrRule } from './cidr';

/** Where Pods are. At most one of the options. */
export interface PodPeerOptions {
  /**
   * The namespace of the Pods.
   *
   * @default - the namespace of the sandboxes
   */
  readonly namespace?: string;

  /**
   * Labels of the namespaces of the Pods.
   *
   * @default - the namespace of the sandboxes
   */
  readonly namespaceLabels?: { [key: string]: string };

  /**
   * Pods of all namespaces.
   *
   * @default false
   */
  readonly anyNamespace?: boolean;
}

/** Options of a network by its addresses. */
export interface CidrPeerOptions {
  /**
   * Parts of the network that are left out, in CIDR notation.
   *
   * @default - none
   */
  readonly except?: string[];
}

/** What counts as the public internet. */
export interface PublicInternetPeerOptions {
  /**
   * Networks of the cluster with public addresses (Pods, Services, nodes, what is reached through peering), which are
   * left out like the private ranges.
   *
   * @default - none
   */
  readonly clusterCidrs?: string[];

  /**
   * Also IPv6.
   *
   * @default false
   */
  readonly ipv6?: boolean;
}

/** Who a sandbox may connect to, or who may connect to it. */
export class NetworkPeer {
  /**
   * Pods with labels.
   *
   * @param labels all of them must match; at least one
   * @param options where the Pods are
   * @throws if there is no label, or a label or the namespace is not well-formed
   */
  public static pods(labels: { [key: string]: string }, options: PodPeerOptions = {}): NetworkPeer {
    const problems = Problems.of('NetworkPeer.pods');
    const podSelector = selectorOf(problems, 'labels', labels, 'name at least one, or say NetworkPeer.anyPod()');
    const namespaceSelector = namespaces(problems, options);
    problems.throwIfAny();
    return new NetworkPeer([{ podSelector, namespaceSelector }]);
  }

  /**
   * All Pods: of the namespace of the sandboxes, or of others.
   *
   * @param options where the Pods are
   * @throws if a label or the namespace is not well-formed
   */
  public static anyPod(options: PodPeerOptions = {}): NetworkPeer {
    const problems = Problems.of('NetworkPeer.anyPod');
    const namespaceSelector = namespaces(problems, options);
    problems.throwIfAny();
    return new NetworkPeer([namespaceSelector ? { namespaceSelector } : { podSelector: {} }]);
  }

  /**
   * All Pods of a namespace.
   *
   * @param name name of the namespace
   * @throws if the name is not well-formed
   */
  public static namespace(name: string): NetworkPeer {
    const problems = Problems.of('NetworkPeer.namespace');
    problems.check('name', name, dnsLabel);
    problems.throwIfAny();
    return NetworkPeer.anyPod({ namespace: name });
  }

  /**
   * All Pods of the namespaces with labels.
   *
   * @param labels all of them must match; at least one
   * @throws if there is no label, or a label is not well-formed
   */
  public static namespaces(labels: { [key: string]: string }): NetworkPeer {
    const problems = Problems.of('NetworkPeer.namespaces');
    const namespaceSelector = selectorOf(problems, 'labels', labels, 'name at least one, or say NetworkPeer.anyPod({ anyNamespace: true })');
    problems.throwIfAny();
    return new NetworkPeer([{ namespaceSelector }]);
  }

  /**
   * A network by its addresses. Meant for what is outside of the cluster: addresses of Pods change, and whether a rule
   * sees the address of a Service or that of the Pod behind it depends on the network plugin.
   *
   * @param cidr first address and prefix length: `203.0.113.0/24`, `2001:db8::/32`
   * @param options parts of it that are left out
   * @throws if the notation is not well-formed, has bits set behind the prefix or is an IPv4-mapped IPv6 network, if an
   * exception is not inside of the network, or if the exceptions leave nothing of it
   */
  public static cidr(cidr: string, options: CidrPeerOptions = {}): NetworkPeer {
    const problems = Problems.of('NetworkPeer.cidr');
    const except = options.except ?? [];
    problems.check('cidr', cidr, cidrRule);
    except.forEach((each, index) => problems.check(`except[${index}]`, each, cidrRule));
    problems.throwIfAny();
    const block = Cidr.tryParse(cidr)!;
    const holes = except.map(each => Cidr.tryParse(each)!);
    holes.forEach((hole, index) => {
      const remedy = hole.bits !== block.bits ? `it is ${hole.family} and ${block} is ${block.family}: use one peer per family`
        : hole.contains(block) ? `it leaves nothing of ${block}: leave the peer out`
          : !block.contains(hole) ? `it is not inside of ${block}: leave it out, or check both`
            : undefined;
      if (remedy) {
        problems.add(`except[${index}]`, except[index], remedy);
      }
    });
    problems.throwIfAny();
    if (block.isCoveredBy(holes)) {
      problems.add('except', except, `together they leave nothing of ${block}: leave the peer out`);
      problems.throwIfAny();
    }
    return NetworkPeer.block(block, holes);
  }

  /**
   * Public addresses: all IPv4 addresses except private, link-local (metadata servers), shared and other special ranges,
   * and on demand the same for IPv6. IPv4 through NAT64 (`64:ff9b::/96`) is not among them, as it leads to private
   * addresses too.
   *
   * @param options networks of the cluster, IPv6
   * @throws if a network of the cluster is not well-formed or leaves nothing
   */
  public static publicInternet(options: PublicInternetPeerOptions = {}): NetworkPeer {
    return NetworkPeer._publicInternet(Problems.of('NetworkPeer.publicInternet'), options);
  }

  /** @internal */
  public static _publicInternet(problems: Problems, options: PublicInternetPeerOptions): NetworkPeer {
    const clusterCidrs = options.clusterCidrs ?? [];
    clusterCidrs.forEach((each, index) => problems.check(`clusterCidrs[${index}]`, each, cidrRule));
    problems.throwIfAny();
    const families = options.ipv6 ? [['0.0.0.0/0', ...SPECIAL_IPV4], ['::/0', ...SPECIAL_IPV6]] : [['0.0.0.0/0', ...SPECIAL_IPV4]];
    return NetworkPeer.anyOf(...families.map(([all, ...special]) => {
      const block = Cidr.tryParse(all)!;
      const holes = [...special, ...clusterCidrs].map(each => Cidr.tryParse(each)!).filter(each => each.bits === block.bits);
      if (block.isCoveredBy(holes)) {
        problems.add('clusterCidrs', clusterCidrs, `nothing of the ${block.family} internet is left: name the networks of the cluster only`);
        problems.throwIfAny();
      }
      return NetworkPeer.block(block, Cidr.compact(holes));
    }));
  }

  /**
   * Each of several peers.
   *
   * @param peers at least one
   * @throws if there is none
   */
  public static anyOf(...peers: NetworkPeer[]): NetworkPeer {
    if (peers.length === 0) {
      const problems = Problems.of('NetworkPeer.anyOf');
      problems.add('peers', peers, 'an empty list would mean everything to Kubernetes: name at least one peer');
      problems.throwIfAny();
    }
    return new NetworkPeer(peers.flatMap(peer => peer._peers()));
  }

  /**
   * A peer of cdk8s-plus: a Pod, a workload such as a Deployment, a selection of Pods or namespaces, or an IP block. It
   * is read now: labels that are selected later are not in the rule.
   *
   * @param peer the peer
   * @throws if an IP block of it does not follow the rules of `NetworkPeer.cidr`
   */
  public static fromPlus(peer: INetworkPolicyPeer): NetworkPeer {
    // A peer in JavaScript may return nothing.
    const { ipBlock, podSelector: selected } = (peer.toNetworkPolicyPeerConfig() as NetworkPolicyPeerConfig | undefined) ?? {};
    if (ipBlock) {
      return NetworkPeer.cidr(ipBlock.cidr, { except: ipBlock.except });
    }
    const problems = Problems.of('NetworkPeer.fromPlus');
    const podSelector = wireSelector(problems, selected?.labelSelector);
    const { labelSelector, names } = selected?.namespaces ?? {};
    const namespaceSelector = labelSelector && wireSelector(problems, labelSelector);
    problems.throwIfAny();
    // A label of each namespace is its name, and a selector takes one value of a label.
    const byName = names?.map(name => ({ ...namespaceSelector, matchLabels: { ...namespaceSelector?.matchLabels, [NAMESPACE_NAME_LABEL]: name } }));
    return new NetworkPeer((byName ?? [namespaceSelector]).map(each => ({ podSelector, namespaceSelector: orderedSelector(each) })));
  }

  private static block(block: Cidr, holes: readonly Cidr[]): NetworkPeer {
    const except = [...new Set(holes.map(String))];
    return new NetworkPeer([{ ipBlock: { cidr: String(block), ...(except.length > 0 ? { except } : {}) } }]);
  }

  private readonly peers: readonly l1.NetworkPolicyPeer[];

  private constructor(peers: readonly l1.NetworkPolicyPeer[]) {
    this.peers = peers.map(({ ipBlock, namespaceSelector, podSelector }) => ({
      ...(ipBlock && { ipBlock }), ...(namespaceSelector && { namespaceSelector }), ...(podSelector && { podSelector }),
    }));
  }

  /** The peers on the wire, at least one. @internal */
  public _peers(): l1.NetworkPolicyPeer[] {
    return [...this.peers];
  }
}
checkCalls(NetworkPeer);

/** A selector of cdk8s-plus on the wire, without the fields that it sets to undefined. */
function wireSelector(problems: Problems, selector: ILabelSelector | undefined): l1.LabelSelector | undefined {
  if (typeof selector?._toKube !== 'function') {
    problems.add('peer', selector, 'it selects neither addresses nor Pods: use a Pod, workload, Pods, Namespaces or NetworkPolicyIpBlock of cdk8s-plus');
    return undefined;
  }
  return orderedSelector(JSON.parse(JSON.stringify(selector._toKube())));
}

function namespaces(problems: Problems, options: PodPeerOptions): l1.LabelSelector | undefined {
  const { namespace, namespaceLabels, anyNamespace } = options;
  const given = Object.entries({ namespace, namespaceLabels, anyNamespace: anyNamespace || undefined }).filter(([, value]) => value !== undefined);
  if (given.length > 1) {
    problems.add('options', Object.fromEntries(given), `use only one of ${given.map(([name]) => name).join(', ')}`);
  }
  problems.check('namespace', namespace, dnsLabel);
  if (namespace !== undefined) {
    return { matchLabels: { [NAMESPACE_NAME_LABEL]: namespace } };
  }
  if (namespaceLabels !== undefined) {
    return selectorOf(problems, 'namespaceLabels', namespaceLabels, 'name at least one, or say anyNamespace: true');
  }
  return anyNamespace ? {} : undefined;
}
