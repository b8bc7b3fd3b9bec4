import type { Outside } from '../forwarded.js';
import type { CookieNames } from './cookies.js';
import type { Route } from './route.js';

/** Headers by which one sandbox would speak for all that share its origin. */
const OF_THE_ORIGIN: ReadonlySet<string> = new Set(['clear-site-data', 'strict-transport-security', 'public-key-pins', 'origin-agent-cluster']);

/**
 * Rewrites the headers of a sandbox's answer to what they mean at its address from outside, and takes out what would reach beyond
 * it: cookies for other hosts, the router's own cookies, other ways to the origin, and in path routes what counts for all of it.
 *
 * @param headers names and values in turn
 * @param rewritesPaths whether paths in `Location` and `Set-Cookie` get the base that was taken off the request
 */
export function rewriteAnswer(headers: readonly string[], route: Route, outside: Outside, names: CookieNames, rewritesPaths: boolean): string[] {
  const addsBase = rewritesPaths && route.isStripped;
  const rewritten: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const value = rewriteHeader(headers[i]!.toLowerCase(), headers[i + 1]!, route, outside, names, addsBase);
    if (value !== undefined) {
      rewritten.push(headers[i]!, value);
    }
  }
  return rewritten;
}

function rewriteHeader(name: string, value: string, route: Route, outside: Outside, names: CookieNames, addsBase: boolean): string | undefined {
  switch (name) {
    case 'set-cookie':
      return names.isOwn(value.split(/[=;]/, 1)[0]!.trim()) ? undefined : rewriteCookie(value, route, addsBase);
    case 'alt-svc':
      return undefined;
    case 'location':
    case 'content-location':
      return addsBase ? rewriteLocation(value, route, outside) : value;
    case 'service-worker-allowed':
      return route.kind === 'host' ? value : `${route.base}/`;
    default:
      return route.kind === 'path' && OF_THE_ORIGIN.has(name) ? undefined : value;
  }
}

/** A cookie belongs to this host alone, and in a path route to this path alone. */
function rewriteCookie(value: string, route: Route, addsBase: boolean): string {
  const [pair, ...attributes] = value.split(';');
  let hasPath = false;
  const kept = attributes.filter(attribute => attribute.split('=', 1)[0]!.trim().toLowerCase() !== 'domain').map(attribute => {
    const [key, path = ''] = attribute.split(/=(.*)/s, 2) as [string, string?];
    if (route.kind === 'host' || key.trim().toLowerCase() !== 'path') {
      return attribute;
    }
    hasPath = true;
    return `${key}=${cookiePath(path.trim(), route, addsBase)}`;
  });
  return [pair, ...kept, ...(route.kind === 'path' && !hasPath ? [` Path=${route.base}/`] : [])].join(';');
}

function cookiePath(path: string, { base }: Route, addsBase: boolean): string {
  const isBelow = path === base || path.startsWith(`${base}/`);
  return isBelow ? path : addsBase && path.startsWith('/') ? `${base}${path}` : `${base}/`;
}

function rewriteLocation(value: string, { base }: Route, { host }: Outside): string {
  const absolute = /^(https?:)?\/\/([^/?#]*)(.*)$/is.exec(value);
  const path = absolute === null ? value : absolute[2]!.toLowerCase() === host?.toLowerCase() ? absolute[3]! || '/' : undefined;
  if (path === undefined || !path.startsWith('/') || path === base || path.startsWith(`${base}/`)) {
    return value;
  }
  return absolute === null ? `${base}${path}` : `${value.slice(0, value.length - absolute[3]!.length)}${base}${path}`;
}
