import { lazily } from '../checks';
import { COMMON_METADATA_SERVER, METADATA_SERVERS, SPECIAL_IPV4, SPECIAL_IPV6, SPECIAL_RANGES } from '../generated/semantics.gen';
import { Cidr } from './cidr';

/** Ranges of IPv6 in which addresses stand for IPv4 addresses, with the number of bits before the IPv4 address. */
const TRANSLATED = lazily((): ReadonlyArray<{ readonly range: Cidr; readonly before?: number }> => [
  { range: Cidr.tryParse('64:ff9b::/96')!, before: 96 },
  { range: Cidr.tryParse('2002::/16')!, before: 16 },
  { range: Cidr.tryParse('64:ff9b:1::/48')! },
  { range: Cidr.tryParse('2001::/32')! },
  { range: Cidr.tryParse('::/96')! },
]);

const SPECIAL = lazily((): Readonly<Record<32 | 128, readonly Cidr[]>> => ({ 32: parsed(SPECIAL_IPV4), 128: parsed(SPECIAL_IPV6) }));

function parsed(cidrs: readonly string[]): Cidr[] {
  return cidrs.map(each => Cidr.tryParse(each)!);
}

/**
 * What is wrong with a network that sandboxes may connect to, or undefined: a network that is wider than a special range
 * (private, link-local, translated and so on) must leave that range out, because its author meant public addresses. A
 * network inside a special range was meant, unless it reaches a metadata server among others, or IPv4 by translation.
 *
 * @internal
 */
export function reachProblem(block: Cidr, holes: readonly Cidr[]): string | undefined {
  const translated = TRANSLATED().find(({ range }) => range.contains(block));
  if (translated) {
    return translationProblem(block, translated.before);
  }
  const reached = SPECIAL()[block.bits].filter(range => block.contains(range) && !range.contains(block) && !range.isCoveredBy(holes));
  if (reached.length > 0) {
    const whole = Cidr.compact([...SPECIAL()[block.bits].filter(range => block.contains(range)), ...holes]);
    const servers = METADATA_SERVERS.filter(({ cidr }) => reached.some(range => range.contains(Cidr.tryParse(cidr)!)));
    const worst = servers.find(({ cidr }) => cidr === COMMON_METADATA_SERVER) ?? servers[0];
    const more = reached.length > 3 ? ` and ${reached.length - 3} more that are not public` : '';
    const danger = worst ? `; at ${worst.cidr.split('/')[0]} clouds hand out the credentials of the node` : '';
    const named = reached.slice(0, 3).map(range => `${range} (${SPECIAL_RANGES.find(({ cidr }) => cidr === String(range))!.use})`).join(', ');
    return `it reaches ${named}${more}${danger}: use SandboxNetwork.publicInternet(), or ${exceptions(whole)} and allow what is needed of these ranges by itself`;
  }
  const servers = METADATA_SERVERS.filter(({ cidr, range }) => {
    const server = Cidr.tryParse(cidr)!;
    // A network that is as narrow as the range of the server was meant.
    return block.contains(server) && !Cidr.tryParse(range)!.contains(block) && !holes.some(hole => hole.contains(server));
  });
  if (servers.length > 0) {
    const addresses = servers.map(({ cidr }) => cidr.split('/')[0]).join(' and ');
    const whole = Cidr.compact([...servers.map(({ range }) => Cidr.tryParse(range)!), ...holes]);
    return `it reaches ${addresses}, where clouds hand out the credentials of the node: add ${exceptions(whole)}; if sandboxes need that server, allow it by itself`;
  }
  return undefined;
}

function exceptions(whole: readonly Cidr[]): string {
  return `except: [${whole.map(each => `'${each}'`).join(', ')}]`;
}

function translationProblem(block: Cidr, before: number | undefined): string | undefined {
  const bits = before === undefined ? -1 : block.prefix - before;
  const embedded = bits >= 32 || (before === 96 && bits > 0) ? Cidr.embedded(block, before!, Math.min(bits, 32)) : undefined;
  const isPublic = embedded && SPECIAL()[32].every(range => !range.contains(embedded) && !embedded.contains(range));
  return isPublic ? undefined
    : `gateways translate it to IPv4 addresses, private ones and metadata servers among them: allow the IPv4 networks instead${embedded ? `, such as '${embedded}'` : ''}`;
}
