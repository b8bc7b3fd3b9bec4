import { ClusterDns, NetworkPeer, NetworkPort, SandboxNetwork } from '../../../src';

/** Every preset, every option of the presets, and every kind of peer and port. */
export const NETWORKS: Readonly<Record<string, SandboxNetwork>> = {
  'deny-all': SandboxNetwork.denyAll(),
  'router-only': SandboxNetwork.routerOnly(),
  'router-elsewhere': SandboxNetwork.routerOnly({ router: { namespace: 'edge', podLabels: { tier: 'proxy', app: 'router' } } }),
  'dns-only': SandboxNetwork.dnsOnly(),
  'dns-node-local': SandboxNetwork.dnsOnly({ dns: ClusterDns.nodeLocal() }),
  'dns-openshift': SandboxNetwork.dnsOnly({ dns: ClusterDns.openshift() }),
  'dns-custom': SandboxNetwork.dnsOnly({ dns: ClusterDns.custom(NetworkPeer.pods({ app: 'dns' }, { namespace: 'infra' }), [NetworkPort.udp(5353)]) }),
  'public-internet': SandboxNetwork.publicInternet(),
  'public-internet-ipv6': SandboxNetwork.publicInternet({ ipv6: true, clusterCidrs: ['203.0.113.0/24', '2001:db8::/32'] }),
  'public-internet-https': SandboxNetwork.publicInternet({ ports: [NetworkPort.tcp(443), NetworkPort.udp(443)] }),
  'controller-default': SandboxNetwork.controllerDefault(),
  'unmanaged': SandboxNetwork.unmanaged(),
  'allow-egress': SandboxNetwork.dnsOnly()
    .allowEgressTo(NetworkPeer.cidr('10.0.0.0/8', { except: ['10.1.0.0/16', '10.2.0.0/16'] }), [NetworkPort.tcp(5432)])
    .allowEgressTo(NetworkPeer.cidr('2001:db8::/32', { except: ['2001:db8:1::/48'] }), [NetworkPort.tcpRange(8000, 8999), NetworkPort.udpRange(1, 65535)])
    .allowEgressTo(NetworkPeer.cidr('169.254.169.254/32'), [NetworkPort.tcp(80)])
    .allowEgressTo(NetworkPeer.pods({ app: 'model', tier: 'serving' }, { namespaceLabels: { team: 'ml' } }), [NetworkPort.named('http'), NetworkPort.sctp(7)])
    .allowEgressTo(NetworkPeer.anyPod(), [NetworkPort.allTcp(), NetworkPort.allUdp()])
    .allowEgressTo(NetworkPeer.anyPod({ anyNamespace: true }))
    .allowEgressTo(NetworkPeer.anyOf(NetworkPeer.namespace('data'), NetworkPeer.namespaces({ env: 'prod' }))),
  'allow-ingress': SandboxNetwork.routerOnly()
    .allowIngressFrom(NetworkPeer.pods({ app: 'istio-ingressgateway' }, { namespaceLabels: { 'istio-injection': 'enabled' } }), [NetworkPort.tcp(8888)])
    .allowIngressFrom(NetworkPeer.cidr('192.0.2.0/24'))
    .allowIngressFrom(NetworkPeer.pods({ app: 'client' }, { anyNamespace: true }), [NetworkPort.named('https')]),
};
