import { BlockList, isIP } from 'node:net';

/** One entry of the allow-list. */
interface Pattern {
  /** Undefined: every host. */
  readonly host?: string;
  readonly subdomains: boolean;
  /** Undefined: every port. */
  readonly port?: number;
}

/** What the list says about a host: `yes`, `public` (if its address is public), or `no`. */
export type Verdict = 'yes' | 'public' | 'no';

/** An entry of the allow-list is none. */
export class DomainPatternError extends Error {
  constructor(entry: string) {
    super(`--agent-allowed-domains has '${entry}': write example.com, *.example.com, example.com:8080, or *`);
    this.name = 'DomainPatternError';
  }
}

/**
 * Which hosts the browser may reach. Empty: none.
 *
 * A host that is written out may have any address: who runs the sandbox has decided. What matches a `*` has to have a public
 * address, so that no page leads the browser to the cluster, the node or a metadata server.
 */
export class DomainPolicy {
  private readonly patterns: readonly Pattern[];

  /** Throws `DomainPatternError`. */
  constructor(entries: readonly string[]) {
    this.patterns = entries.map(parse);
  }

  public verdict(host: string, port: number): Verdict {
    const name = host.toLowerCase().replace(/\.$/, '').replace(/^\[(.*)\]$/, '$1');
    const matching = this.patterns.filter(each => (each.port === undefined || each.port === port)
      && (each.host === undefined || (each.subdomains ? name.endsWith(`.${each.host}`) : name === each.host)));
    return matching.some(each => each.host !== undefined && !each.subdomains) ? 'yes' : matching.length > 0 ? 'public' : 'no';
  }
}

function parse(entry: string): Pattern {
  const match = /^(?:(\*)|(\*\.)?([a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\]))(?::(\d{1,5}))?$/i.exec(entry);
  if (!match) {
    throw new DomainPatternError(entry);
  }
  const [, any, subdomains, host, port] = match;
  return {
    host: any ? undefined : host!.toLowerCase().replace(/\.$/, '').replace(/^\[(.*)\]$/, '$1'),
    subdomains: subdomains !== undefined,
    port: port === undefined ? undefined : Number(port),
  };
}

/** Ranges that are not the public internet: RFC 6890 and its registry, and the address of Azure's platform. */
const SPECIAL = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8], ['10.0.0.0', 8], ['100.64.0.0', 10], ['127.0.0.0', 8], ['168.63.129.16', 32], ['169.254.0.0', 16], ['172.16.0.0', 12],
  ['192.0.0.0', 24], ['192.0.2.0', 24], ['192.168.0.0', 16], ['198.18.0.0', 15], ['198.51.100.0', 24], ['203.0.113.0', 24], ['224.0.0.0', 4], ['240.0.0.0', 4],
] as const) {
  SPECIAL.addSubnet(network, prefix, 'ipv4');
}
/** Of IPv6, only global unicast is public, without the parts of it that lead to IPv4 or nowhere. */
const GLOBAL_V6 = new BlockList();
GLOBAL_V6.addSubnet('2000::', 3, 'ipv6');
for (const [network, prefix] of [['2001::', 23], ['2001:db8::', 32], ['2002::', 16]] as const) {
  SPECIAL.addSubnet(network, prefix, 'ipv6');
}

/** Whether an address is on the public internet. Addresses that carry an IPv4 address are not. */
export function isPublic(address: string): boolean {
  const family = isIP(address);
  return family === 4 ? !SPECIAL.check(address, 'ipv4')
    : family === 6 && GLOBAL_V6.check(address, 'ipv6') && !SPECIAL.check(address, 'ipv6');
}
