import { BlockList, SocketAddress, isIP } from 'node:net';

/** Where no Pod of a sandbox can be, whatever the API says: this machine, its link, groups, and what clouds serve credentials from. */
const NEVER = blockList([
  '0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4', '255.255.255.255/32',
  'fe80::/10', 'ff00::/8',
  // metadata services outside of link-local: Azure, Alibaba Cloud, Oracle Cloud, AWS over IPv6
  '168.63.129.16/32', '100.100.100.200/32', '192.0.0.192/32', 'fd00:ec2::254/128',
  // IPv4 in IPv6: another way to write an address of above; with them the unspecified and the loopback address
  '::/96', '64:ff9b::/96', '64:ff9b:1::/48', '2002::/16',
]);
/** IPv4-mapped; not in the list, because to a `BlockList` that range is all of IPv4. */
const MAPPED = /^::ffff:[^:]+\.[^:]+$/i;
const LOOPBACK = blockList(['127.0.0.0/8', '::1/128']);

/** The one way to write an address, or undefined for what is not an IP address. Zones (`fe80::1%eth0`) are none. */
export function canonicalAddress(text: string): string | undefined {
  const family = isIP(text);
  if (family === 0 || text.includes('%')) {
    return undefined;
  }
  return family === 4 ? text : new SocketAddress({ address: text, family: 'ipv6' }).address;
}

/** Whether an address (as `canonicalAddress` writes it) is one that the router connects to. */
export function isReachable(address: string, allowLoopback: boolean): boolean {
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  if (MAPPED.test(address)) {
    return false;
  }
  return !NEVER.check(address, family) || (allowLoopback && LOOPBACK.check(address, family));
}

/** Whether a connection over this address stays on the machine. As sockets write addresses: in their shortest form, and IPv4 as `::ffff:127.0.0.1`, too. */
export function isLoopback(address: string): boolean {
  const plain = withoutMapping(address);
  return plain === '::1' || (plain.startsWith('127.') && isIP(plain) === 4);
}

/** The IPv4 address that a socket of both families writes as `::ffff:192.0.2.1`; other addresses as they are. */
export function withoutMapping(address: string): string {
  return address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address;
}

/** Whether an address, as `canonicalAddress` or a socket without mapping writes it, is in a list. */
export function isIn(address: string, list: BlockList): boolean {
  const family = isIP(address);
  return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/**
 * The client of a request and the trusted proxies that it came through, the nearest last. The client is the TCP peer, or, if that
 * is a trusted proxy, the right-most address in `X-Forwarded-For` that is none; the left-most one if all are.
 */
export function clientChain(peer: string, forwardedFor: string | undefined, trusted: BlockList): string[] {
  const chain = [withoutMapping(peer)];
  const entries = forwardedFor?.split(',') ?? [];
  while (entries.length > 0 && isIn(chain[0]!, trusted)) {
    const address = canonicalAddress(entries.pop()!.trim());
    if (address === undefined) {
      break;
    }
    chain.unshift(withoutMapping(address));
  }
  return chain;
}

function blockList(cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address, bits] = cidr.split('/') as [string, string];
    list.addSubnet(address, Number(bits), isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}
