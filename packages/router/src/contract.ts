import { RUNTIME_PORT } from 'agent-sandbox-api';
import { canonicalAddress, isReachable } from './addresses.js';
import { badRequest } from './refusal.js';

/** What the headers of a request say to the router. */
export interface Contract {
  /** Name of the Sandbox. */
  readonly id: string;
  readonly namespace: string;
  readonly port: number;
  /** Address that the caller believes the Pod to have, canonical. */
  readonly podIp: string | undefined;
  /** UID that the caller believes the Sandbox to have. */
  readonly uid: string | undefined;
  /** The caller's timeout in milliseconds, not capped yet. */
  readonly timeoutMs: number | undefined;
}

/** The headers of a request, split into those of the router and those of the sandbox. */
export interface SortedHeaders {
  /** For the router: lower-case name to value. */
  readonly own: ReadonlyMap<string, string>;
  /** For the sandbox, as names and values in turn. Without `Host`, length and forwarding headers, which the router writes. */
  readonly forwarded: string[];
  /** Whether `Cookie` or `Referer` is among these: in requests of browsers, they may hold what is the router's. */
  readonly hasTraces: boolean;
}

/** Headers that end at the next hop, in both directions (RFC 9110, section 7.6.1), and old spellings of them. */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer', 'trailers',
  'transfer-encoding', 'upgrade', 'http2-settings',
]);

/** Headers that the router reads and never hands on. */
const OWN_PREFIX = 'x-sandbox-';
const OWN: ReadonlySet<string> = new Set(['authorization', 'host']);
/** Headers that it writes itself, or that are about the hop to it. */
const REPLACED: ReadonlySet<string> = new Set(['content-length', 'expect', 'forwarded']);
const FORWARDED_PREFIX = 'x-forwarded-';
const TRACES: ReadonlySet<string> = new Set(['cookie', 'referer']);

/** What becomes of a header: for the router, for the sandbox, or for neither. `trace`: for the sandbox, and see `SortedHeaders.hasTraces`. */
type Kind = 'own' | 'dropped' | 'trace' | 'forwarded';

/** Kinds of the names that were seen, as they were spelled: most requests have the same few. */
const KNOWN_KINDS = new Map<string, Kind>();
const MOST_KNOWN_KINDS = 1_000;

/** A label of the DNS, RFC 1123: 1 to 63 lower-case letters, digits and inner hyphens. */
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const UID = /^[A-Za-z0-9._-]{1,128}$/;

/**
 * Sorts the raw headers of a request. Throws a 400 for a header of the router that is there twice: two readers could follow
 * different ones of them.
 */
export function sortHeaders(raw: readonly string[], connection: string | undefined): SortedHeaders {
  const own = new Map<string, string>();
  const forwarded: string[] = [];
  let hasTraces = false;
  const named = namedByConnection(connection);
  for (let i = 0; i < raw.length; i += 2) {
    const kind = kindOf(raw[i]!);
    if (kind === 'own') {
      const name = raw[i]!.toLowerCase();
      if (own.has(name)) {
        throw badRequest(`The header ${raw[i]} occurs twice.`);
      }
      own.set(name, raw[i + 1]!);
    } else if (kind !== 'dropped' && !named?.has(raw[i]!.toLowerCase())) {
      hasTraces ||= kind === 'trace';
      forwarded.push(raw[i]!, raw[i + 1]!);
    }
  }
  return { own, forwarded, hasTraces };
}

function kindOf(spelled: string): Kind {
  const known = KNOWN_KINDS.get(spelled);
  if (known !== undefined) {
    return known;
  }
  if (KNOWN_KINDS.size >= MOST_KNOWN_KINDS) {
    KNOWN_KINDS.clear();
  }
  const name = spelled.toLowerCase();
  const isDropped = HOP_BY_HOP.has(name) || REPLACED.has(name) || name.startsWith(FORWARDED_PREFIX);
  const kind = OWN.has(name) || name.startsWith(OWN_PREFIX) ? 'own' : isDropped ? 'dropped' : TRACES.has(name) ? 'trace' : 'forwarded';
  KNOWN_KINDS.set(spelled, kind);
  return kind;
}

/** The headers that a `Connection` header declares to end at the next hop; undefined if there are none. */
export function namedByConnection(connection: string | undefined): ReadonlySet<string> | undefined {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') {
    return undefined;
  }
  return new Set(connection.toLowerCase().split(',').map(name => name.trim()));
}

/** Reads the router's headers. Throws a 400 that says what is wrong, in the order and the words of the other routers. */
export function readContract(own: ReadonlyMap<string, string>, allowLoopback: boolean): Contract {
  const id = own.get('x-sandbox-id')?.trim();
  if (!id) {
    throw badRequest('X-Sandbox-ID header is required.');
  }
  if (!LABEL.test(id)) {
    throw badRequest('Invalid sandbox ID format.');
  }
  const namespace = own.get('x-sandbox-namespace')?.trim() || 'default';
  if (!LABEL.test(namespace)) {
    throw badRequest('Invalid namespace format.');
  }
  const port = readPort(own.get('x-sandbox-port')?.trim());
  const podIp = readAddress(own.get('x-sandbox-pod-ip')?.trim(), allowLoopback);
  const uid = own.get('x-sandbox-uid')?.trim();
  if (uid && !UID.test(uid)) {
    throw badRequest('Invalid sandbox UID format.');
  }
  const timeoutMs = readTimeout(own.get('x-sandbox-timeout'));
  return { id, namespace, port, podIp, uid: uid || undefined, timeoutMs };
}

function readPort(text: string | undefined): number {
  if (!text) {
    return RUNTIME_PORT;
  }
  const port = /^\+?\d{1,20}$/.test(text) ? Number(text) : NaN;
  if (!(port >= 1 && port <= 65535)) {
    throw badRequest('Invalid port format.');
  }
  return port;
}

function readAddress(text: string | undefined, allowLoopback: boolean): string | undefined {
  if (!text) {
    return undefined;
  }
  const address = canonicalAddress(text);
  if (address === undefined) {
    throw badRequest('Invalid target IP address format.');
  }
  if (!isReachable(address, allowLoopback)) {
    throw badRequest('Invalid target IP address.');
  }
  return address;
}

/** Milliseconds of a number of seconds; undefined for text that is not a number above 0: the configured maximum then applies. */
export function readTimeout(text: string | undefined): number | undefined {
  const seconds = text === undefined || text.trim() === '' ? NaN : Number(text);
  return Number.isFinite(seconds) && seconds > 0 ? Math.max(1, Math.round(seconds * 1000)) : undefined;
}

/** The token of an `Authorization` header of the scheme `Bearer`; undefined for anything else. */
export function bearerToken(authorization: string | undefined): string | undefined {
  return authorization === undefined ? undefined : /^bearer[ \t]+(\S+)$/i.exec(authorization.trim())?.[1];
}
