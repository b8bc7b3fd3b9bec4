import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** Name of the query parameter that carries the key. */
const KEY_PARAMETER = 'agent-sandbox-key';
/** Header for programs that are no browsers. */
export const KEY_HEADER = 'x-agent-sandbox-key';
const COOKIE = 'agent-sandbox-forward';

/** What becomes of a request. */
export type Decision =
  /** It may pass; `path` is without the key. */
  | { readonly kind: 'pass'; readonly path: string }
  /** A browser has shown the key: it gets a cookie and goes to the same address without the key, or first to the host of the cookie. */
  | { readonly kind: 'sign-in'; readonly location: string; readonly cookie?: string }
  | { readonly kind: 'refuse'; readonly status: number; readonly reason: string };

/**
 * Decides who may use a listener on loopback, which every user of the machine and every page in its browsers can reach.
 *
 * The key is shown once, in the address that is printed. A browser gets a cookie for it, at a host of this listener alone
 * (`<random>.localhost`): cookies are not bound to ports, so one for 127.0.0.1 would go to every server there. What the cookie lets in must
 * also come from a page of this host, or be the opening of a page. Programs send the key with each request.
 */
export class ForwardSession {
  /** In the address that is printed; 256 bits. */
  public readonly key = randomBytes(32).toString('base64url');
  /** Host without port. */
  public readonly hostname = `${randomBytes(8).toString('hex')}.localhost`;
  /** Not the key, so that the key is in no request after the first. */
  private readonly cookieValue = randomBytes(32).toString('base64url');

  /** @param port of the listener */
  constructor(private readonly port: number) {}

  public get origin(): string {
    return `http://${this.hostname}:${this.port}`;
  }

  /** The address to open. @param path with a leading slash */
  public address(path: string): string {
    return `${this.origin}${withQuery(path, `${KEY_PARAMETER}=${this.key}`)}`;
  }

  public decide({ method, headers, url = '/' }: IncomingMessage, isUpgrade: boolean): Decision {
    const host = headers.host?.toLowerCase();
    const isOwnHost = host === `${this.hostname}:${this.port}`;
    // Other host names that resolve to this address (DNS rebinding) are refused, with or without a valid key.
    if (!isOwnHost && host !== `127.0.0.1:${this.port}` && host !== `localhost:${this.port}`) {
      return { kind: 'refuse', status: 421, reason: 'this host is not served here' };
    }
    const { path, keys } = takeKey(url);
    const shown = [...keys, headers[KEY_HEADER]].filter(key => typeof key === 'string');
    if (shown.length > 0) {
      if (shown.length > 1 || !isSame(shown[0] as string, this.key)) {
        return { kind: 'refuse', status: 403, reason: 'the key is wrong' };
      }
      if (keys.length > 0 && !isUpgrade && (method === 'GET' || method === 'HEAD') && headers['sec-fetch-mode'] === 'navigate') {
        return isOwnHost
          ? { kind: 'sign-in', location: path, cookie: `${COOKIE}=${this.cookieValue}; Path=/; HttpOnly; SameSite=Lax` }
          : { kind: 'sign-in', location: this.address(path) };
      }
      return this.isOwnPage(headers.origin) ? { kind: 'pass', path } : { kind: 'refuse', status: 403, reason: 'pages of other origins may not do this' };
    }
    const isSignedIn = isOwnHost && cookiesOf(headers.cookie).some(({ name, value }) => name === COOKIE && isSame(value, this.cookieValue));
    if (!isSignedIn) {
      return { kind: 'refuse', status: 403, reason: 'open the address that agent-sandbox has printed' };
    }
    const isOpening = method === 'GET' && !isUpgrade && headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
    const site = headers['sec-fetch-site'];
    const isFromElsewhere = site !== undefined && site !== 'same-origin' && site !== 'none';
    if ((isFromElsewhere && !isOpening) || !this.isOwnPage(headers.origin) || (isUpgrade && headers.origin === undefined)) {
      return { kind: 'refuse', status: 403, reason: 'pages of other origins may not do this' };
    }
    return { kind: 'pass', path };
  }

  /** Whether a page of this origin may ask; requests without one are those of programs and of openings. */
  private isOwnPage(origin: string | undefined): boolean {
    return origin === undefined || origin === this.origin;
  }
}

/** The cookies for the sandbox: all but ours. Undefined if there are no others. */
export function foreignCookies(header: string | undefined): string | undefined {
  return cookiesOf(header).filter(({ name }) => name !== COOKIE).map(({ text }) => text).join('; ') || undefined;
}

/** Whether an answer would set our cookie. */
export function setsOurCookie(header: string): boolean {
  return header.split(/[=;]/)[0].trim() === COOKIE;
}

function cookiesOf(header: string = ''): { name: string; value: string; text: string }[] {
  return header.split(';').map(part => part.trim()).filter(Boolean).map(text => {
    const equals = text.indexOf('=');
    return { name: equals < 0 ? '' : text.slice(0, equals), value: text.slice(equals + 1), text };
  });
}

/** A path without the key, byte by byte as it was otherwise. */
function takeKey(url: string): { path: string; keys: string[] } {
  const question = url.indexOf('?');
  if (question < 0) {
    return { path: url, keys: [] };
  }
  const keys: string[] = [];
  const rest = url.slice(question + 1).split('&').filter(pair => {
    const isKey = pair.startsWith(`${KEY_PARAMETER}=`);
    if (isKey) {
      keys.push(pair.slice(KEY_PARAMETER.length + 1));
    }
    return !isKey;
  });
  return { path: rest.length === 0 || (rest.length === 1 && rest[0] === '') ? url.slice(0, question) : `${url.slice(0, question)}?${rest.join('&')}`, keys };
}

function withQuery(path: string, parameter: string): string {
  const [before, fragment] = path.split(/(?=#)/, 2);
  return `${before}${before.includes('?') ? '&' : '?'}${parameter}${fragment ?? ''}`;
}

/** Compares without telling by its time how much is the same. */
function isSame(a: string, b: string): boolean {
  const [x, y] = [a, b].map(text => createHash('sha256').update(text).digest());
  return timingSafeEqual(x, y);
}
