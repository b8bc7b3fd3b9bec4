/**
 * The network of a control plane with real nodes. It lives in network namespaces of its own, so these addresses collide with
 * nothing, and no way leads out of it.
 */

/** Prefix of the cable between control plane, nodes and the outside. */
const CABLE = { v4: '10.200.0', v6: 'fd00:10:200:' } as const;

/** An address of each family. */
export interface Addresses {
  readonly v4: string;
  readonly v6: string;
}

/** Address of the namespace that plays the outside world; it is the gateway of all others. */
export const OUTSIDE_ADDRESS: Addresses = cableAddress(1);

/** Address of the control plane. */
export const CONTROL_PLANE_ADDRESS: Addresses = cableAddress(2);

/** Port of the API server, which is the one that the policies of the installation name. */
export const API_SERVER_PORT = 6443;

/**
 * Range of Services. Nodes and the outside have IPv6, pods and Services have none: kube-router v2.1.0, the newest release that
 * the module proxy has, cannot enforce policies for it. Its rules name IPv6 sets that it made under other names, and are refused
 * as a whole; it takes `::/0` for 2000::/3 and fd00::/8, which an exception of fc00::/7 does not close; and it blocks the
 * neighbor discovery of closed pods.
 */
export const SERVICE_CIDR = '10.96.0.0/16';

/** Range of all pods. */
export const POD_CIDR = '10.244.0.0/16';

/** Address of the Service of CoreDNS. */
export const DNS_ADDRESS = '10.96.0.10';

/** Address of a node; nodes count from 0. */
export function nodeAddress(index: number): Addresses {
  return cableAddress(10 + index);
}

/** Range of a node's pods. */
export function nodePodCidr(index: number): string {
  return `10.244.${index}.0/24`;
}

function cableAddress(host: number): Addresses {
  return { v4: `${CABLE.v4}.${host}`, v6: `${CABLE.v6}:${host}` };
}

/** Hosts that the outside plays: what network policies are about, by a name that explains the address. */
export const OUTSIDE_HOSTS = {
  'public host': '93.184.216.34',
  'public resolver 1.1.1.1': '1.1.1.1',
  'public resolver 8.8.8.8': '8.8.8.8',
  'metadata of clouds': '169.254.169.254',
  'metadata of Alibaba Cloud': '100.100.100.200',
  'host agent of Azure': '168.63.129.16',
  'shared range 100.64/10': '100.64.0.1',
  'private range 10/8': '10.50.0.100',
  'private range 172.16/12': '172.16.0.10',
  'private range 192.168/16': '192.168.1.10',
  'public IPv6 host': '2606:2800:220:1::1',
  'public IPv6 resolver': '2606:4700:4700::1111',
  'IPv6 metadata of AWS': 'fd00:ec2::254',
  'private IPv6 range': 'fd12:3456:789a::1',
  'metadata through NAT64': '64:ff9b::a9fe:a9fe',
} as const;

export type OutsideHost = keyof typeof OUTSIDE_HOSTS;

/** Names that CoreDNS knows for hosts of the outside. */
export const OUTSIDE_NAMES: Readonly<Record<string, OutsideHost>> = {
  'example.com': 'public host',
  'one.one.one.one': 'public resolver 1.1.1.1',
  'metadata.internal': 'metadata of clouds',
};

/** Where every host of the outside answers. */
export const OUTSIDE_PORTS = ['tcp:53', 'tcp:80', 'tcp:443', 'tcp:8080', 'udp:53', 'udp:443'] as const;
