import { isIP } from 'node:net';
import { GLOBAL_UNICAST_IPV6, SPECIAL_IPV4, SPECIAL_IPV6 } from 'agent-sandbox-api';
import { blockListOf } from 'agent-sandbox-program';

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
 * A host that is named in full may have any address: the operator of the sandbox has decided. What matches a `*` has to have a public
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

const SPECIAL = blockListOf([...SPECIAL_IPV4, ...SPECIAL_IPV6]);
const GLOBAL_UNICAST = blockListOf([GLOBAL_UNICAST_IPV6]);

/** Whether an address is on the public internet. Addresses that carry an IPv4 address are not. */
export function isPublic(address: string): boolean {
  const family = isIP(address);
  return family === 4 ? !SPECIAL.check(address, 'ipv4')
    : family === 6 && GLOBAL_UNICAST.check(address, 'ipv6') && !SPECIAL.check(address, 'ipv6');
}
