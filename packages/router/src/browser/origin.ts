import type { IncomingMessage } from 'node:http';
import { LRUCache } from 'lru-cache';
import type { Outside } from '../forwarded.js';
import { forbidden, type Refusal } from '../refusal.js';

const SAFE: ReadonlySet<string | undefined> = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Checks the origin of a request that is authenticated by a cookie, which browsers attach to requests of any page. Allowed are the
 * sandbox's own pages, pages of an allowed origin, and following a link. Returns the refusal, if any.
 */
export function originProblem(request: IncomingMessage, outside: Outside, allowed: ReadonlySet<string>): Refusal | undefined {
  const { origin, referer, 'sec-fetch-site': site, 'sec-fetch-mode': mode, 'sec-fetch-dest': destination, upgrade } = request.headers;
  if (origin !== undefined) {
    return isOwn(origin, outside) || allowed.has(origin) ? undefined : forbidden(`The page of ${shown(origin)} may not use this sandbox.`);
  }
  const isPlain = SAFE.has(request.method) && upgrade === undefined;
  if (site === undefined) {
    // Browsers that send neither send `Origin` with everything that is not plain.
    return isPlain ? undefined : forbidden('The request says neither by Origin nor by Sec-Fetch-Site which page sends it.');
  }
  const isLink = isPlain && mode === 'navigate' && destination === 'document';
  const isFromAllowed = isPlain && referer !== undefined && URL.canParse(referer) && allowed.has(new URL(referer).origin);
  return site === 'same-origin' || site === 'none' || isLink || isFromAllowed ? undefined : forbidden('Pages of other origins may not use this sandbox.');
}

/** Whether a page may send its visitors here with a token: an address that was opened by hand or by a program, or a link of an allowed origin. */
export function loginProblem(request: IncomingMessage, outside: Outside, allowed: ReadonlySet<string>): Refusal | undefined {
  const { referer, 'sec-fetch-site': site, 'sec-fetch-dest': destination } = request.headers;
  if (destination !== undefined && destination !== 'document') {
    return forbidden('A sandbox is opened with a token in a window of its own only.');
  }
  const from = referer !== undefined && URL.canParse(referer) ? new URL(referer).origin : undefined;
  const isFromAllowed = from !== undefined && (allowed.has(from) || isOwn(from, outside));
  return site === undefined || site === 'none' || site === 'same-origin' || isFromAllowed ? undefined
    : forbidden('A link of another site would sign you in. Open the address yourself, or add the site to --authz-cookie-allowed-origins.');
}

/** What was found out about origins, by all that it depends on: parsing them costs as much as the rest of the admission of a request. */
const KNOWN = new LRUCache<string, boolean>({ max: 4_096 });

function isOwn(origin: string, outside: Outside): boolean {
  const { host, proto, isProtoKnown } = outside;
  const question = `${isProtoKnown ? proto : '?'} ${host} ${origin}`;
  let answer = KNOWN.get(question);
  if (answer === undefined) {
    answer = compare(origin, outside);
    KNOWN.set(question, answer);
  }
  return answer;
}

function compare(origin: string, outside: Outside): boolean {
  if (outside.host === undefined || !URL.canParse(origin)) {
    return false;
  }
  const { origin: canonical, protocol } = new URL(origin);
  // A proxy in front that ends TLS need not have said so.
  return canonical === origin && (outside.isProtoKnown ? canonical === canonicalOrigin(outside.proto, outside.host)
    : canonical === canonicalOrigin(protocol === 'https:' ? 'https' : 'http', outside.host));
}

function canonicalOrigin(proto: string, host: string): string | undefined {
  const text = `${proto}://${host}`;
  return URL.canParse(text) ? new URL(text).origin : undefined;
}

function shown(origin: string): string {
  return URL.canParse(origin) && new URL(origin).origin === origin ? origin : 'an origin without a name';
}
