import type * as l1 from '../../imports';
import { toWire } from '../../imports/wire';
import { checkCalls, dnsLabel, Problems } from '../checks';
import { ROUTER } from '../generated/vocabulary.gen';
import { NAMESPACE_NAME_LABEL, selectorOf } from '../objects';
import { Cidr } from './cidr';
import { ClusterDns } from './cluster-dns';
import { NetworkPeer, type PublicInternetPeerOptions } from './network-peer';
import type { NetworkPort } from './network-port';
import { reachProblem } from './reach';

/** The preset that keeps no NetworkPolicy. */
const UNMANAGED = 'unmanaged';

/** Where the sandbox router runs: the proxy through which programs reach sandboxes. */
export interface SandboxRouterPeer {
  /**
   * Namespace of the router.
   *
   * @default 'agent-sandbox-system'
   */
  readonly namespace?: string;

  /**
   * Labels of the Pods of the router.
   *
   * @default { app: 'sandbox-router' }
   */
  readonly podLabels?: { [key: string]: string };
}

/** Options of a network that the router can reach. */
export interface RouterOnlyNetworkProps {
  /**
   * Where the router runs.
   *
   * @default - where the install chart puts it
   */
  readonly router?: SandboxRouterPeer;
}

/** Options of a network with name resolution. */
export interface DnsOnlyNetworkProps extends RouterOnlyNetworkProps {
  /**
   * The name servers of the cluster.
   *
   * @default ClusterDns.kubeDns()
   */
  readonly dns?: ClusterDns;
}

/** Options of a network with the public internet. */
export interface PublicInternetNetworkProps extends DnsOnlyNetworkProps, PublicInternetPeerOptions {
  /**
   * Ports on the internet.
   *
   * @default - all
   */
  readonly ports?: NetworkPort[];
}

/**
 * What sandboxes may talk to, as rules of a NetworkPolicy.
 *
 * Every preset speaks about both directions, so what it does not allow is denied, unless another NetworkPolicy that
 * selects the Pods allows it: policies only ever add up. Answers to allowed connections are allowed. The node of a Pod
 * can always connect to it. Rules hold only in clusters whose network plugin enforces NetworkPolicies.
 *
 * Values are immutable: `allowEgressTo` and `allowIngressFrom` return another network.
 */
export class SandboxNetwork {
  /** No connections in any direction: `kubectl exec` and logs are all there is. */
  public static denyAll(): SandboxNetwork {
    return SandboxNetwork.of(Problems.of('SandboxNetwork.denyAll'), 'denyAll', [], []);
  }

  /**
   * The sandbox router may connect; the sandbox can connect to nothing, not even resolve names.
   *
   * @param props where the router runs
   * @throws if the namespace or a label is not well-formed
   */
  public static routerOnly(props: RouterOnlyNetworkProps = {}): SandboxNetwork {
    const problems = Problems.of('SandboxNetwork.routerOnly');
    return SandboxNetwork.of(problems, 'routerOnly', [fromRouter(problems, props)], []);
  }

  /**
   * The sandbox router may connect; the sandbox can resolve names at the name servers of the cluster, and connect to
   * nothing else. Name resolution alone can carry data out: queries for names of a foreign domain reach the owner of
   * that domain.
   *
   * @param props where router and name servers run
   * @throws if the namespace or a label is not well-formed
   */
  public static dnsOnly(props: DnsOnlyNetworkProps = {}): SandboxNetwork {
    const problems = Problems.of('SandboxNetwork.dnsOnly');
    return SandboxNetwork.of(problems, 'dnsOnly', [fromRouter(problems, props)], [toDns(problems, props)]);
  }

  /**
   * The sandbox router may connect; the sandbox can resolve names and connect to public addresses, but not to private,
   * link-local (metadata servers) and other special ranges. Clusters with public addresses name them in `clusterCidrs`.
   *
   * @param props where router and name servers run, what counts as the internet
   * @throws if the namespace, a label or a CIDR is not well-formed, or if `ports` is empty
   */
  public static publicInternet(props: PublicInternetNetworkProps = {}): SandboxNetwork {
    const problems = Problems.of('SandboxNetwork.publicInternet');
    const internet = toPeer(problems, 'internet', NetworkPeer._publicInternet(problems, props), props.ports);
    return SandboxNetwork.of(problems, 'publicInternet', [fromRouter(problems, props)], [toDns(problems, props), internet]);
  }

  /**
   * What the controller does for a template without rules. Templates only: a Sandbox without a template gets nothing
   * from the controller.
   *
   * The router (Pods `app: sandbox-router` in `agent-sandbox-system`, wherever it was installed) may connect. The
   * sandbox can connect to all addresses but 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 169.254.0.0/16, fc00::/7 and
   * fe80::/10. That leaves out the name servers of the cluster: unless a DNS policy is set, the controller has the Pods
   * use 8.8.8.8 and 1.1.1.1. It leaves in 100.64.0.0/10, where some clusters have their Pods and some clouds their
   * metadata servers; `publicInternet` does not.
   */
  public static controllerDefault(): SandboxNetwork {
    return new SandboxNetwork('controllerDefault', undefined, 0);
  }

  /**
   * No NetworkPolicy: nothing protects the Pods, nor what they can reach, unless the team writes a policy of its own.
   */
  public static unmanaged(): SandboxNetwork {
    return new SandboxNetwork(UNMANAGED, undefined, 0);
  }

  private static of(problems: Problems, preset: string, ingress: Ingress, egress: Egress, presetRules?: number): SandboxNetwork {
    checkParts(problems, egress);
    problems.throwIfAny();
    const rules = { ingress: distinct(ingress), egress: distinct(egress) };
    return new SandboxNetwork(preset, rules, presetRules ?? count(rules));
  }

  private constructor(
    /** Name of the preset that this network began with. */
    public readonly preset: string,
    private readonly rules: Rules | undefined,
    private readonly presetRules: number,
  ) {
  }

  /**
   * The same network, where the sandbox can also connect to `peer`.
   *
   * @param peer who it can connect to
   * @param ports ports of the peer; left out: all. Of Pods these are the container ports, not those of a Service
   * @throws if the preset has no rules to add to, if `ports` is empty (which would allow all), if a CIDR reaches
   * special ranges among other addresses (private, link-local with the metadata servers of clouds, translated and so on), or if the CIDRs of the network are the whole internet in parts
   */
  public allowEgressTo(peer: NetworkPeer, ports?: NetworkPort[]): SandboxNetwork {
    const problems = Problems.of('SandboxNetwork.allowEgressTo');
    const { ingress, egress } = this.ownRules(problems);
    return SandboxNetwork.of(problems, this.preset, ingress, [...egress, toPeer(problems, 'peer', peer, ports)], this.presetRules);
  }

  /**
   * The same network, where `peer` may also connect to the sandbox.
   *
   * @param peer who may connect
   * @param ports ports of the sandbox; left out: all
   * @throws if the preset has no rules to add to, or if `ports` is empty (which would allow all)
   */
  public allowIngressFrom(peer: NetworkPeer, ports?: NetworkPort[]): SandboxNetwork {
    const problems = Problems.of('SandboxNetwork.allowIngressFrom');
    const { ingress, egress } = this.ownRules(problems);
    const rule = { from: peers(problems, 'peer', peer, ports), ...portsOf(problems, ports) };
    return SandboxNetwork.of(problems, this.preset, [...ingress, rule], egress, this.presetRules);
  }

  /** The preset, and how many rules were added: `dnsOnly + 2 rules`. */
  public toString(): string {
    const added = count(this.rules) - this.presetRules;
    return added === 0 ? this.preset : `${this.preset} + ${added} ${added === 1 ? 'rule' : 'rules'}`;
  }

  /** Whether there is a NetworkPolicy, kept by the controller or brought by the Sandbox itself. @internal */
  public get _managed(): boolean {
    return this.preset !== UNMANAGED;
  }

  /** The rules, both directions always; none where the preset leaves them to others. @internal */
  public _rules(): l1.SandboxNetworkPolicy | undefined {
    return this.rules && { ingress: [...this.rules.ingress], egress: [...this.rules.egress] };
  }

  /**
   * The spec of a `networking.k8s.io/v1` NetworkPolicy with these rules: what the controller makes of a template's.
   *
   * @internal
   */
  public _networkPolicySpec(podLabels: { readonly [key: string]: string }): { readonly [key: string]: any } {
    const { ingress, egress } = toWire('SandboxNetworkPolicy', this.ownRules(Problems.of('SandboxNetwork')));
    // The API server drops empty lists of this kind; policyTypes says already that they deny.
    const orNothing = (rules: unknown[]) => (rules.length > 0 ? rules : undefined);
    return { podSelector: { matchLabels: { ...podLabels } }, policyTypes: ['Ingress', 'Egress'], ingress: orNothing(ingress), egress: orNothing(egress) };
  }

  private ownRules(problems: Problems): Rules {
    if (!this.rules) {
      problems.add('preset', this.preset,
        'it has no rules to add to, and rules would replace it as a whole: begin with another preset, such as SandboxNetwork.publicInternet()');
      problems.throwIfAny();
    }
    return this.rules!;
  }
}
checkCalls(SandboxNetwork);

type Ingress = readonly l1.NetworkPolicyIngressRule[];
type Egress = readonly l1.NetworkPolicyEgressRule[];
interface Rules {
  readonly ingress: Ingress;
  readonly egress: Egress;
}

function count(rules: Rules | undefined): number {
  return rules ? rules.ingress.length + rules.egress.length : 0;
}

function fromRouter(problems: Problems, props: RouterOnlyNetworkProps): l1.NetworkPolicyIngressRule {
  const { namespace = ROUTER.namespace, podLabels = ROUTER.labels } = props.router ?? {};
  problems.check('router.namespace', namespace, dnsLabel);
  return {
    from: [{
      namespaceSelector: { matchLabels: { [NAMESPACE_NAME_LABEL]: namespace } },
      podSelector: selectorOf(problems, 'router.podLabels', podLabels, 'name the labels of the router'),
    }],
  };
}

let kubeDns: ClusterDns | undefined;

function toDns(problems: Problems, props: DnsOnlyNetworkProps): l1.NetworkPolicyEgressRule {
  const { peer, ports } = props.dns ?? (kubeDns ??= ClusterDns.kubeDns());
  return toPeer(problems, 'dns', peer, ports);
}

function toPeer(problems: Problems, prop: string, peer: NetworkPeer, ports: NetworkPort[] | undefined): l1.NetworkPolicyEgressRule {
  const to = peers(problems, prop, peer, ports);
  for (const { ipBlock } of to) {
    const block = ipBlock && Cidr.tryParse(ipBlock.cidr)!;
    const holes = (ipBlock?.except ?? []).map(each => Cidr.tryParse(each)!);
    const remedy = block && reachProblem(block, holes);
    if (remedy) {
      problems.add(prop, ipBlock!.cidr, remedy);
    }
  }
  return { to, ...portsOf(problems, ports) };
}

function peers(problems: Problems, prop: string, peer: NetworkPeer | undefined, ports: NetworkPort[] | undefined): l1.NetworkPolicyPeer[] {
  if (!peer) {
    problems.add(prop, peer, ports?.some(port => port._includesDns)
      ? 'without a peer, port 53 is open to every name server of the internet: name the servers, such as ClusterDns.kubeDns().peer'
      : 'without a peer everything would be allowed: name one');
  }
  return distinct(peer?._peers() ?? []);
}

function portsOf(problems: Problems, ports: NetworkPort[] | undefined): { readonly ports?: l1.NetworkPolicyPort[] } {
  if (ports?.length === 0) {
    problems.add('ports', ports, 'an empty list means every port to Kubernetes: leave it out for every port, or name one');
  }
  return ports ? { ports: distinct(ports.map(port => port._toPolicyPort())) } : {};
}

const FAMILIES = ['0.0.0.0/0', '::/0'].map(text => ({ text, whole: Cidr.tryParse(text)! }));

/** The whole internet in parts passes for less than it is, to readers and to policies about `/0`. */
function checkParts(problems: Problems, egress: Egress): void {
  const blocks = egress.flatMap(rule => rule.to ?? []).flatMap(({ ipBlock }) => (ipBlock ? [Cidr.tryParse(ipBlock.cidr)!] : []));
  for (const { text, whole } of blocks.length > 1 ? FAMILIES : []) {
    const parts = Cidr.compact(blocks.filter(block => block.bits === whole.bits));
    if (parts.length > 1 && whole.isCoveredBy(parts)) {
      problems.add('peer', parts.join(', '),
        `together they are all ${whole.family} addresses: use SandboxNetwork.publicInternet(), or one NetworkPeer.cidr('${text}', { except: [...] })`);
    }
  }
}

/** Without repetitions. Peers, ports and rules that mean the same are written the same. */
function distinct<T>(items: readonly T[]): T[] {
  return [...new Map(items.map(item => [JSON.stringify(item), item])).values()];
}
