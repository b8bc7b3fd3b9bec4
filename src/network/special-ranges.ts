/**
 * IPv4 ranges that are not the public internet: private, shared, loopback, link-local, protocol, benchmark, multicast
 * and reserved ranges of the IANA registry, and 168.63.129.16, where Azure serves its nodes.
 *
 * @see https://www.iana.org/assignments/iana-ipv4-special-registry
 * @internal
 */
export const SPECIAL_IPV4: readonly string[] = [
  '0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '168.63.129.16/32', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24',
  '192.168.0.0/16', '198.18.0.0/15', '224.0.0.0/4', '240.0.0.0/4',
];

/**
 * The same for IPv6. Translation and tunnel ranges are among them, since they lead to any IPv4 address.
 *
 * @see https://www.iana.org/assignments/iana-ipv6-special-registry
 * @internal
 */
export const SPECIAL_IPV6: readonly string[] = [
  '::1/128', '64:ff9b::/96', '64:ff9b:1::/48', '100::/64', '2001::/32', '2002::/16', 'fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8',
];

/**
 * Metadata servers of clouds, which hand out the credentials of a node to who asks from it, and the range that one
 * names to leave them out.
 *
 * @internal
 */
export const METADATA_SERVERS: ReadonlyArray<{ readonly address: string; readonly range: string }> = [
  { address: '169.254.169.254/32', range: '169.254.0.0/16' }, // nearly all clouds
  { address: 'fd00:ec2::254/128', range: 'fd00:ec2::/32' }, // AWS
  { address: 'fd20:ce::254/128', range: 'fd20:ce::/32' }, // Google Cloud
];
