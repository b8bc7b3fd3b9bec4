import { checkCalls, Problems } from '../checks';
import { cidr as cidrRule } from './cidr';
import { NetworkPeer } from './network-peer';
import { NetworkPort } from './network-port';

/**
 * The name servers of a cluster, as far as network rules are concerned.
 *
 * Rules apply to the Pods behind the DNS Service in nearly all network plugins, so these are what is named here.
 */
export class ClusterDns {
  /** CoreDNS or kube-dns as in most clusters: Pods `k8s-app: kube-dns` in `kube-system`, port 53. */
  public static kubeDns(): ClusterDns {
    return new ClusterDns(NetworkPeer.pods({ 'k8s-app': 'kube-dns' }, { namespace: 'kube-system' }), onPort(53));
  }

  /**
   * NodeLocal DNSCache: an address on each node, port 53. Where kube-proxy runs with iptables, the cache also answers on
   * the address of the DNS Service: check `/etc/resolv.conf` of a Pod, and name that one (`10.96.0.10/32`).
   *
   * @param cidr the address, with its prefix length
   * @throws if it is not in CIDR notation
   */
  public static nodeLocal(cidr: string = '169.254.20.10/32'): ClusterDns {
    const problems = Problems.of('ClusterDns.nodeLocal');
    problems.check('cidr', cidr, cidrRule);
    problems.throwIfAny();
    return new ClusterDns(NetworkPeer.cidr(cidr), onPort(53));
  }

  /**
   * Cloud DNS for GKE: the address of the metadata server, at port 53 only, so that the metadata themselves stay closed.
   */
  public static cloudDns(): ClusterDns {
    return new ClusterDns(NetworkPeer.cidr('169.254.169.254/32'), onPort(53));
  }

  /** OpenShift: Pods of the default DNS in `openshift-dns`, which listen on port 5353. */
  public static openshift(): ClusterDns {
    const peer = NetworkPeer.pods({ 'dns.operator.openshift.io/daemonset-dns': 'default' }, { namespace: 'openshift-dns' });
    return new ClusterDns(peer, onPort(5353));
  }

  /**
   * Other name servers.
   *
   * @param peer the name servers
   * @param ports ports that they listen on (of the Pods, not of a Service); at least one
   * @throws if there is no peer or no port
   */
  public static custom(peer: NetworkPeer, ports: NetworkPort[]): ClusterDns {
    return new ClusterDns(peer, [...(ports ?? [])]);
  }

  private constructor(
    /** The name servers. */
    public readonly peer: NetworkPeer,
    /** Ports that they listen on. */
    public readonly ports: NetworkPort[],
  ) {
    const problems = Problems.of('ClusterDns.custom');
    if (!peer) {
      problems.add('peer', peer, 'without a peer every name server of the internet would be allowed: name the servers');
    }
    if (ports.length === 0) {
      problems.add('ports', ports, 'name at least one port: [NetworkPort.udp(53), NetworkPort.tcp(53)]');
    }
    problems.throwIfAny();
  }
}
checkCalls(ClusterDns);

/** DNS goes over UDP, and over TCP when an answer is long. */
function onPort(port: number): NetworkPort[] {
  return [NetworkPort.udp(port), NetworkPort.tcp(port)];
}
