import { isIP, type BlockList } from 'node:net';
import { clientChain, isIn, withoutMapping } from './addresses.js';

/** A request as its client sent it: before the proxies in front of the router, if those are trusted. */
export interface Outside {
  /** Address of the client. */
  readonly client: string;
  /** The client and the trusted proxies behind it, the nearest last: the value of `X-Forwarded-For`. */
  readonly chain: string;
  readonly proto: 'http' | 'https';
  /** Whether `proto` is known: the connection is encrypted, or a trusted proxy has said so. */
  readonly isProtoKnown: boolean;
  /** As in a URL: name or address, and a port that is not the default; undefined without a `Host` header. */
  readonly host: string | undefined;
  readonly port: number;
  /** Path that a trusted proxy has taken off; empty for none. */
  readonly prefix: string;
}

/** A host name or an address, with or without a port. */
const HOST = /^(?:[a-zA-Z0-9_](?:[a-zA-Z0-9._-]*[a-zA-Z0-9_.])?|\[[0-9a-fA-F:.]+\])(?::(\d{1,5}))?$/;
const HTTP_SCHEMES: ReadonlyMap<string, 'http' | 'https'> = new Map([['http', 'http'], ['ws', 'http'], ['https', 'https'], ['wss', 'https']]);
const PREFIX = /^(?:\/[A-Za-z0-9._~!$&'()*+=:@%-]+)+$/;

/** The headers that say it, in lower case and joined by commas, as Node has them. */
type Headers = Readonly<Record<string, string | string[] | undefined>>;

/**
 * Reads `X-Forwarded-*` if the TCP peer is a trusted proxy, and ignores them otherwise. A malformed value counts as absent.
 */
export function outsideOf(headers: Headers, peer: string, isEncrypted: boolean, trusted: BlockList): Outside {
  const client = withoutMapping(peer);
  if (!isIn(client, trusted)) {
    const [proto, host] = [isEncrypted ? 'https' : 'http', headers.host as string | undefined] as const;
    return { client, chain: client, proto, isProtoKnown: isEncrypted, port: portOf(host, proto), prefix: '', host };
  }
  const forwarded = (name: string) => nearest(headers[`x-forwarded-${name}`] as string | undefined);
  const chain = clientChain(peer, headers['x-forwarded-for'] as string | undefined, trusted);
  const proto = HTTP_SCHEMES.get(forwarded('proto')?.toLowerCase() ?? '');
  const scheme = proto ?? (isEncrypted ? 'https' : 'http');
  const forwardedHost = forwarded('host');
  const host = forwardedHost !== undefined && isHost(forwardedHost) ? forwardedHost : headers.host as string | undefined;
  const forwardedPort = Number(forwarded('port'));
  const isPort = Number.isInteger(forwardedPort) && forwardedPort >= 1 && forwardedPort <= 65535;
  const port = isPort ? forwardedPort : portOf(host, scheme);
  const prefix = forwarded('prefix');
  return {
    client: chain[0]!, chain: chain.join(', '), proto: scheme, isProtoKnown: isEncrypted || proto !== undefined, port,
    host,
    prefix: prefix !== undefined && PREFIX.test(prefix) ? prefix : '',
  };
}

function portOf(host: string | undefined, scheme: 'http' | 'https'): number {
  const port = host === undefined ? undefined : HOST.exec(host)?.[1];
  return port === undefined ? (scheme === 'https' ? 443 : 80) : Number(port);
}

/** Whether a text may stand for a host in a URL. */
export function isHost(text: string): boolean {
  const match = HOST.exec(text);
  const port = match?.[1];
  return match !== null && (port === undefined || (Number(port) >= 1 && Number(port) <= 65535)) && (!text.startsWith('[') || isIP(text.slice(1, text.indexOf(']'))) === 6);
}

/** Headers for the sandbox, as names and values in turn. */
export function forwardedHeaders({ chain, proto, host, port }: Outside, prefix: string): string[] {
  const headers = ['X-Forwarded-For', chain, 'X-Forwarded-Proto', proto];
  if (host !== undefined) {
    headers.push('X-Forwarded-Host', host);
  }
  headers.push('X-Forwarded-Port', String(port));
  if (prefix !== '') {
    headers.push('X-Forwarded-Prefix', prefix);
  }
  return headers;
}

/** The value of the nearest proxy: earlier ones may be the client's. */
function nearest(list: string | undefined): string | undefined {
  return list?.split(',').at(-1)!.trim() || undefined;
}
