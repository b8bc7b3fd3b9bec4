import * as l1 from '../imports';
import { toWire } from '../imports/wire';
import { Cidr } from './cidr';
import { ClusterDns } from './cluster-dns';
import { selectorOf } from './label-selector';
import { NetworkPeer, PublicInternetPeerOptions } from './network-peer';
import { NetworkPort } from './network-port';
import { Problems } from './problems';
import { dnsLabel } from './rules';
import { METADATA_SERVERS } from './special-ranges';
import { ROUTER } from './vocabulary.gen';

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
    return new SandboxNetwork('denyAll', [], []);
  }

  /**
   * The sandbox router may connect; the sandbox can connect to nothing, not even resolve names.
   *
   * @param props where the router runs
   * @throws if the namespace or a label is not well-formed
   */
  public static routerOnly(props: RouterOnlyNetworkProps = {}): SandboxNetwork {
    return new SandboxNetwork('routerOnly', [fromRouter(props)], []);
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
    return new SandboxNetwork('dnsOnly', [fromRouter(props)], [toDns('dnsOnly', props)]);
  }

  /**
   * The sandbox router may connect; the sandbox can resolve names and connect to public addresses, but not to private,
   * link-local (metadata servers) and other special ranges. Clusters with public addresses name them in `clusterCidrs`.
   *
   * @param props where router and name servers run, what counts as the internet
   * @throws if the namespace, a label or a CIDR is not well-formed
   */
  public static publicInternet(props: PublicInternetNetworkProps = {}): SandboxNetwork {
    const internet = egressRule(Problems.of('SandboxNetwork.publicInternet'), NetworkPeer.publicInternet(props), props.ports);
    return new SandboxNetwork('publicInternet', [fromRouter(props)], [toDns('publicInternet', props), internet]);
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
    return new SandboxNetwork('controllerDefault');
  }

  /**
   * No NetworkPolicy: nothing protects the Pods, nor what they can reach, unless the team writes a policy of its own.
   */
  public static unmanaged(): SandboxNetwork {
    return new SandboxNetwork('unmanaged');
  }

  private constructor(
    /** Name of the preset that this network began with. */
    public readonly preset: string,
    private readonly ingress?: readonly l1.NetworkPolicyIngressRule[],
    private readonly egress?: readonly l1.NetworkPolicyEgressRule[],
    private readonly added: number = 0,
  ) {}

  /**
   * The same network, where the sandbox can also connect to `peer`.
   *
   * @param peer who it can connect to
   * @param ports ports of the peer; left out: all. For Pods these are container ports, not those of a Service
   * @throws if the preset has no rules, if `ports` is empty (which would allow all), if a CIDR includes a cloud's
   * metadata server among other addresses, or if the CIDRs of the network are the whole internet in parts
   */
  public allowEgressTo(peer: NetworkPeer, ports?: NetworkPort[]): SandboxNetwork {
    const problems = Problems.of('SandboxNetwork.allowEgressTo');
    const { ingress, egress } = this.extensible(problems);
    const rule = egressRule(problems, peer, ports);
    return new SandboxNetwork(this.preset, ingress, withRule(egress, rule, problems), this.added + 1);
  }

  /**
   * The same network, where `peer` may also connect to the sandbox.
   *
   * @param peer who may connect
   * @param ports ports of the sandbox; left out: all
   * @throws if the preset has no rules, or if `ports` is empty (which would allow all)
   */
  public allowIngressFrom(peer: NetworkPeer, ports?: NetworkPort[]): SandboxNetwork {
    const problems = Problems.of('SandboxNetwork.allowIngressFrom');
    const { ingress, egress } = this.extensible(problems);
    const { to: from, ...rest } = rule(problems, peer, ports);
    return new SandboxNetwork(this.preset, without(ingress, { from, ...rest }), egress, this.added + 1);
  }

  /** For tables: the preset, and how many rules came on top. */
  public toString(): string {
    return this.added === 0 ? this.preset : `${this.preset} + ${this.added} rule${this.added === 1 ? '' : 's'}`;
  }
}
