import { lazily } from '../checks';
import { METADATA_SERVERS, type MetadataServer, SPECIAL_RANGES, type SpecialRange } from '../generated/semantics.gen';
import { AddressSet } from './address-set';

/** A destination that the matrix asks about. @internal */
export interface NamedDestination {
  readonly name: string;
  readonly description: string;
  readonly class: 'metadata' | 'private' | 'link-local' | 'shared' | 'loopback' | 'translation' | 'reserved' | 'public';
  readonly cidr: string;
  readonly port: number;
}

type Row = readonly [name: string, description: string, cidr: string, port?: number];

/** Addresses that have a meaning, by class. Sources: the IANA special-purpose registries, and the documentation of each cloud. */
const ROWS: Readonly<Record<NamedDestination['class'], readonly Row[]>> = {
  metadata: [
    ['aws-metadata', 'Amazon EC2 instance metadata', '169.254.169.254/32'],
    ['aws-metadata-v6', 'Amazon EC2 instance metadata, IPv6', 'fd00:ec2::254/128'],
    ['aws-ecs-credentials', 'Amazon ECS task credentials', '169.254.170.2/32'],
    ['aws-pod-identity', 'Amazon EKS Pod Identity agent', '169.254.170.23/32'],
    ['aws-pod-identity-v6', 'Amazon EKS Pod Identity agent, IPv6', 'fd00:ec2::23/128'],
    ['aws-dns', 'Amazon VPC name server', '169.254.169.253/32', 53],
    ['aws-time', 'Amazon time service', '169.254.169.123/32', 123],
    ['gcp-metadata', 'Google Cloud metadata, and Cloud DNS', '169.254.169.254/32'],
    ['gcp-metadata-v6', 'Google Cloud metadata, IPv6', 'fd20:ce::254/128'],
    ['azure-metadata', 'Azure instance metadata', '169.254.169.254/32'],
    ['azure-wireserver', 'Azure platform service (WireServer)', '168.63.129.16/32'],
    ['alibaba-metadata', 'Alibaba Cloud metadata', '100.100.100.200/32'],
    ['oracle-metadata', 'Oracle Cloud metadata', '169.254.169.254/32'],
    ['oracle-metadata-old', 'Oracle Cloud metadata of the classic platform', '192.0.0.192/32'],
    ['tencent-metadata', 'Tencent Cloud metadata', '169.254.0.23/32'],
    ['huawei-metadata', 'Huawei Cloud metadata', '169.254.169.254/32'],
    ['ibm-metadata', 'IBM Cloud metadata', '169.254.169.254/32'],
    ['digitalocean-metadata', 'DigitalOcean metadata', '169.254.169.254/32'],
    ['hetzner-metadata', 'Hetzner Cloud metadata', '169.254.169.254/32'],
    ['openstack-metadata', 'OpenStack metadata', '169.254.169.254/32'],
    ['openstack-metadata-v6', 'OpenStack metadata, IPv6', 'fe80::a9fe:a9fe/128'],
    ['scaleway-metadata', 'Scaleway metadata', '169.254.42.42/32'],
    ['scaleway-metadata-v6', 'Scaleway metadata, IPv6', 'fd00:42::42/128'],
    ['linode-metadata-v6', 'Linode metadata, IPv6', 'fd00:a9fe:a9fe::1/128'],
    ['equinix-metadata', 'Equinix Metal metadata', '192.80.8.124/32'],
  ],
  private: [
    ['private-10', 'private use', '10.0.0.0/8'],
    ['private-172', 'private use', '172.16.0.0/12'],
    ['private-192', 'private use', '192.168.0.0/16'],
    ['unique-local', 'unique local IPv6 addresses', 'fc00::/7'],
    ['site-local', 'deprecated site-local IPv6 addresses', 'fec0::/10'],
  ],
  'link-local': [
    ['link-local', 'link-local addresses', '169.254.0.0/16'],
    ['link-local-v6', 'link-local IPv6 addresses', 'fe80::/10'],
    ['node-local-dns', 'NodeLocal DNSCache', '169.254.20.10/32', 53],
  ],
  shared: [
    ['shared', 'shared address space of carriers, and of Pods in some clusters', '100.64.0.0/10'],
    ['benchmark', 'benchmarking', '198.18.0.0/15'],
  ],
  loopback: [
    ['loopback', 'loopback', '127.0.0.0/8'],
    ['loopback-v6', 'loopback, IPv6', '::1/128'],
    ['this-network', 'this host on this network', '0.0.0.0/8'],
    ['unspecified-v6', 'the unspecified address, IPv6', '::/128'],
  ],
  translation: [
    ['ipv4-mapped', 'IPv4-mapped IPv6 addresses', '::ffff:0:0/96'],
    ['nat64', 'NAT64: every IPv4 address in IPv6', '64:ff9b::/96'],
    ['nat64-metadata', 'the metadata address through NAT64', '64:ff9b::a9fe:a9fe/128'],
    ['nat64-local', 'local NAT64', '64:ff9b:1::/48'],
    ['teredo', 'Teredo tunnels', '2001::/32'],
    ['6to4', '6to4 tunnels: every IPv4 address in IPv6', '2002::/16'],
    ['6to4-metadata', 'the metadata address through 6to4', '2002:a9fe:a9fe::/48'],
    ['6to4-relay', 'deprecated 6to4 relay anycast', '192.88.99.0/24'],
  ],
  reserved: [
    ['protocol-assignments', 'IETF protocol assignments', '192.0.0.0/24'],
    ['documentation-1', 'documentation', '192.0.2.0/24'],
    ['documentation-2', 'documentation', '198.51.100.0/24'],
    ['documentation-3', 'documentation', '203.0.113.0/24'],
    ['documentation-v6', 'documentation, IPv6', '2001:db8::/32'],
    ['documentation-v6-2', 'documentation, IPv6', '3fff::/20'],
    ['segment-routing-v6', 'segment routing, IPv6', '5f00::/16'],
    ['discard-v6', 'discard-only, IPv6', '100::/64'],
    ['multicast', 'multicast', '224.0.0.0/4'],
    ['multicast-v6', 'multicast, IPv6', 'ff00::/8'],
    ['reserved', 'reserved for future use', '240.0.0.0/4'],
    ['broadcast', 'limited broadcast', '255.255.255.255/32'],
  ],
  public: [
    ['public-dns-google', 'a public resolver', '8.8.8.8/32', 53],
    ['public-dns-cloudflare', 'a public resolver', '1.1.1.1/32', 53],
    ['public-dns-v6', 'a public resolver, IPv6', '2001:4860:4860::8888/128', 53],
    ['public-web', 'a host of the public internet', '93.184.215.14/32', 443],
    ['public-web-v6', 'a host of the public internet, IPv6', '2606:2800:21f:cb07:6820:80da:af6b:8b2c/128', 443],
    ['public-mail', 'a mail server of the public internet', '93.184.215.14/32', 25],
  ],
};

const NAMED: readonly NamedDestination[] = (Object.keys(ROWS) as Array<NamedDestination['class']>).flatMap(group =>
  ROWS[group].map(([name, description, address, port = 80]) => ({ name, description, class: group, cidr: address, port })));

/** Metadata servers and special ranges of which no row names an address: each is named by its cloud or its use. @internal */
export function unnamedDestinations(servers: readonly MetadataServer[], ranges: readonly SpecialRange[]): NamedDestination[] {
  // IPv4-mapped IPv6 addresses are no addresses of their own: that set is empty, and in every other.
  const named = NAMED.map(({ cidr }) => AddressSet.of(cidr)).filter(set => !set.isEmpty);
  const slug = (words: string) => words.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '');
  const nameOf = (words: string, cidr: string) => {
    const name = `${slug(words)}${cidr.includes(':') ? '-v6' : ''}`;
    return NAMED.some(each => each.name === name) ? `${name}-${slug(cidr)}` : name;
  };
  return [
    ...servers.filter(({ cidr }) => !named.some(each => each.equals(AddressSet.of(cidr)))).map(({ cidr, cloud }) =>
      ({ name: nameOf(`${cloud} metadata`, cidr), description: `${cloud} metadata`, class: 'metadata' as const, cidr, port: 80 })),
    ...ranges.filter(({ cidr }) => !named.some(each => AddressSet.of(cidr).contains(each))).map(({ cidr, use }) =>
      ({ name: nameOf(use, cidr), description: use, class: 'reserved' as const, cidr, port: 80 })),
  ];
}

/** All named destinations outside of the cluster. @internal */
export const destinations = lazily((): readonly NamedDestination[] => [...NAMED, ...unnamedDestinations(METADATA_SERVERS, SPECIAL_RANGES)]);
