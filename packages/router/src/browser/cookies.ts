/** Names of the router's own cookies, after the prefix that says what browsers guarantee for them. */
export class CookieNames {
  private readonly own: RegExp;

  constructor(private readonly base: string, private readonly isInsecure: boolean) {
    this.own = new RegExp(`^(?:__host-|__secure-)?${base.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').toLowerCase()}(?:-[a-z]+)?$`);
  }

  /**
   * @param path `/`: the browser then guarantees that only this host has set it
   * @param what distinguishes cookies of the same path
   */
  public name(path: string, what?: 'login' | 'flow' | 'nonce'): string {
    const prefix = this.isInsecure ? '' : path === '/' ? '__Host-' : '__Secure-';
    return `${prefix}${this.base}${what === undefined ? '' : `-${what}`}`;
  }

  /** Whether a cookie is one of the router, of whatever kind: sandboxes neither get nor set these. */
  public isOwn(name: string): boolean {
    return this.own.test(name.toLowerCase());
  }

  /** A `Set-Cookie` header. @param maxAgeS 0 takes the cookie away */
  public set(name: string, value: string, path: string, maxAgeS: number, sameSite: string): string {
    return [`${name}=${value}`, `Path=${path}`, `Max-Age=${maxAgeS}`, 'HttpOnly', ...(this.isInsecure ? [] : ['Secure']), `SameSite=${sameSite}`].join('; ');
  }
}

/** The values of a cookie in a `Cookie` header; several if it was set for several paths. */
export function cookieValues(header: string | undefined, name: string): string[] {
  return header === undefined || !header.includes(name) ? []
    : header.split(';').map(pair => pair.trim()).filter(pair => pair.startsWith(`${name}=`)).map(pair => pair.slice(name.length + 1));
}

/** A `Cookie` header without some cookies, the others byte by byte; undefined if none is left. */
export function withoutCookies(header: string, isOwn: (name: string) => boolean): string | undefined {
  const kept = header.split(';').filter(pair => !isOwn(nameOf(pair)));
  return kept.length === 0 ? undefined : kept.join(';').trimStart();
}

function nameOf(pair: string): string {
  const end = pair.indexOf('=');
  return (end < 0 ? pair : pair.slice(0, end)).trim();
}
