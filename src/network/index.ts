export { Cidr, cidr } from './cidr';
export { ClusterDns } from './cluster-dns';
export { CidrPeerOptions, NetworkPeer, PodPeerOptions, PublicInternetPeerOptions } from './network-peer';
export { NetworkPort } from './network-port';
export { DnsOnlyNetworkProps, PublicInternetNetworkProps, RouterOnlyNetworkProps, SandboxNetwork, SandboxRouterPeer } from './network';
