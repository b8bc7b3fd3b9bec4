import { badRequest } from '../refusal.js';

/** A sandbox that an address names: by its host or by its path. */
export interface Route {
  readonly kind: 'host' | 'path';
  readonly namespace: string;
  readonly id: string;
  readonly port: number;
  /** What the sandbox gets as the target of the request: path and query, byte by byte. */
  readonly target: string;
  /** Where the address of the sandbox begins in the path, without a slash at the end; empty for host routes. */
  readonly base: string;
  /** Whether the base was taken off, so that the sandbox does not know of it. */
  readonly isStripped: boolean;
  /** What a session is bound to: the host of a host route, the base of a path route. */
  readonly scope: string;
}

export interface RouteOptions {
  /** Such as `sandboxes.example.com`; empty: no host routes. */
  readonly domain: string;
  /** Such as `/sandboxes`; empty: no path routes. */
  readonly prefix: string;
  /** Prefix of path routes that stays in the path that the sandbox gets; empty: none of these. */
  readonly unstrippedPrefix: string;
}

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const PORT = /^[1-9]\d{0,4}$/;

/** Reads which sandbox an address names. Addresses of neither kind belong to the routes by headers. */
export class Routes {
  constructor(private readonly options: RouteOptions) {}

  /** Whether there are any. */
  public get areEnabled(): boolean {
    const { domain, prefix, unstrippedPrefix } = this.options;
    return domain !== '' || prefix !== '' || unstrippedPrefix !== '';
  }

  /**
   * The route of a request; undefined if the address is of neither kind. Throws a 400 if it is of one and malformed: it is never
   * looked at in another way then.
   *
   * @param host as in the `Host` header
   * @param target path and query
   */
  public of(host: string | undefined, target: string): Route | undefined {
    return this.ofHost(host, target) ?? this.ofPath(target, this.options.prefix, true) ?? this.ofPath(target, this.options.unstrippedPrefix, false);
  }

  private ofHost(host: string | undefined, target: string): Route | undefined {
    const { domain } = this.options;
    const name = host?.replace(/:\d*$/, '').toLowerCase().replace(/\.+$/, '');
    if (domain === '' || !name?.endsWith(`.${domain}`)) {
      return undefined;
    }
    const parts = name.slice(0, -domain.length - 1).split('--');
    const [id, namespace, port] = parts as [string, string, string];
    if (parts.length !== 3 || host!.replace(/:\d*$/, '').endsWith('.')) {
      throw badRequest(`The host is not "<name>--<namespace>--<port>.${domain}". A name with two hyphens in a row needs a path route.`);
    }
    check(id, namespace, port);
    return { kind: 'host', id, namespace, port: Number(port), target, base: '', isStripped: false, scope: name };
  }

  private ofPath(target: string, prefix: string, isStripped: boolean): Route | undefined {
    if (prefix === '' || !target.startsWith(`${prefix}/`)) {
      return undefined;
    }
    const match = /^\/([^/?#]*)\/([^/?#]*)\/([^/?#]*)(.*)$/s.exec(target.slice(prefix.length));
    if (match === null) {
      throw badRequest(`The path is not "${prefix}/<namespace>/<name>/<port>/<path>".`);
    }
    const [, namespace, id, port, rest] = match as unknown as [string, string, string, string, string];
    check(id, namespace, port);
    const base = `${prefix}/${namespace}/${id}/${port}`;
    return { kind: 'path', id, namespace, port: Number(port), target: isStripped ? rest.startsWith('/') ? rest : `/${rest}` : target, base, isStripped, scope: base };
  }
}

function check(id: string, namespace: string, port: string): void {
  if (!LABEL.test(id)) {
    throw badRequest('Invalid sandbox ID format.');
  }
  if (!LABEL.test(namespace)) {
    throw badRequest('Invalid namespace format.');
  }
  if (!PORT.test(port) || Number(port) > 65535) {
    throw badRequest('Invalid port format.');
  }
}

/** Takes a parameter out of the query of a target; what remains stays byte by byte. Returns its values, decoded. */
export function takeParameter(target: string, name: string): { readonly target: string; readonly values: readonly string[] } {
  const at = target.indexOf('?');
  if (at < 0) {
    return { target, values: [] };
  }
  const values: string[] = [];
  const kept = target.slice(at + 1).split('&').filter(pair => {
    const [key, value = ''] = pair.split(/=(.*)/s, 2) as [string, string?];
    if (decode(key) !== name) {
      return true;
    }
    values.push(decode(value));
    return false;
  });
  return values.length === 0 ? { target, values } : { target: target.slice(0, at) + (kept.length === 0 ? '' : `?${kept.join('&')}`), values };
}

function decode(text: string): string {
  const spaced = text.replaceAll('+', ' ');
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}
