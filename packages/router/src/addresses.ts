import { SocketAddress, isIP, type BlockList } from 'node:net';
import { LRUCache } from 'lru-cache';
import { NO_POD_RANGES } from 'agent-sandbox-api';
import { blockListOf } from 'agent-sandbox-program';

/** Where no Pod can be, whatever its status says: this machine, its link, multicast, and what clouds serve credentials from. */
const NEVER = blockListOf(NO_POD_RANGES);
/** IPv4-mapped; not in the list, because to a `BlockList` that range is all of IPv4. */
const MAPPED = /^::ffff:[^:]+\.[^:]+$/i;
const LOOPBACK = blockListOf(['127.0.0.0/8', '::1/128']);

/** The canonical form of an IP address, or undefined for other text. Addresses with a zone (`fe80::1%eth0`) are refused. */
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

/** Addresses that are remembered of a list. */
const REMEMBERED = 4_096;
/** What lists have said: a check costs more than everything else that is read of the headers of a request. */
const KNOWN = new WeakMap<BlockList, LRUCache<string, boolean>>();

/** Whether an address, as `canonicalAddress` or a socket without mapping writes it, is in a list that does not change any more. */
export function isIn(address: string, list: BlockList): boolean {
  let known = KNOWN.get(list);
  if (known === undefined) {
    known = new LRUCache({ max: REMEMBERED });
    KNOWN.set(list, known);
  }
  let answer = known.get(address);
  if (answer === undefined) {
    const family = isIP(address);
    answer = family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4');
    known.set(address, answer);
  }
  return answer;
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
