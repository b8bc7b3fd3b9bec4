import { createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { LRUCache } from 'lru-cache';
import { isLoopback } from '../addresses.js';
import type { Authentication, Caller } from '../auth/index.js';
import type { User } from '../auth/caller.js';
import { bearerToken } from '../contract.js';
import type { Outside } from '../forwarded.js';
import { badRequest, forbidden, redirect, unauthenticated, type Refusal } from '../refusal.js';
import { after } from '../soon.js';
import { type CookieNames, cookieValues, withoutCookies } from './cookies.js';
import type { Oidc } from './oidc.js';
import { loginProblem, originProblem } from './origin.js';
import { rewriteAnswer } from './rewrite.js';
import { takeParameter, type Route, type Routes } from './route.js';
import type { Seal } from './sealed.js';
import type { Ticket } from './ticket.js';

/** Bytes of a cookie that browsers keep: 4,096 with its name and attributes. */
const LONGEST_COOKIE = 3_800;
/** Sessions that are kept open, so that not every request has to unseal its cookie. */
const REMEMBERED_SESSIONS = 2_048;
/** Upper bound on session cookies that are tried. */
const MOST_CANDIDATES = 4;

export interface BrowserOptions {
  readonly routes: Routes;
  readonly seal: Seal;
  readonly names: CookieNames;
  readonly authentication: Authentication;
  /** Query parameter that carries a token. */
  readonly parameter: string;
  readonly sameSite: string;
  /** Milliseconds that a session lasts at most. */
  readonly lifetimeMs: number;
  readonly allowedOrigins: ReadonlySet<string>;
  readonly rewritesAnswers: boolean;
  /** Whether cookies may go over plain HTTP. */
  readonly isInsecure: boolean;
  readonly oidc?: Oidc;
}

/** What a cookie of a sandbox says. Exactly one of `token` and `user` is there. */
interface Session {
  readonly scope: string;
  readonly namespace: string;
  readonly id: string;
  readonly uid: string;
  readonly token?: string;
  readonly user?: User;
  readonly expiresAt: number;
}

/** The credentials in a request. */
export interface Identified {
  /** Path and query for the sandbox, without the token. */
  readonly target: string;
  /** Throws a `Refusal` if a token is not good. */
  readonly caller: () => Caller | Promise<Caller>;
  /** A session ends then, in milliseconds since 1970. */
  readonly expiresAt?: number;
  /** UID of the Sandbox that a session is for. */
  readonly uid?: string;
  /** Whether `Authorization` is the sandbox's, because a cookie let the request in. */
  readonly handsOnAuthorization: boolean;
  /** What to answer if the caller turns out to be unknown. */
  readonly challenge: () => Refusal;
  /** Signs in once it is known that the caller may; the result is the answer. */
  readonly login?: (uid: string, caller: Caller) => Promise<Refusal>;
}

/** The way in for browsers: addresses that name a sandbox, and sessions in cookies that open one sandbox each. */
export class Browser {
  private readonly sessions = new LRUCache<string, Session>({ max: REMEMBERED_SESSIONS });

  constructor(private readonly options: BrowserOptions) {}

  /** The sandbox that the address names, if it names one. Throws a 400 if it is malformed. */
  public route({ host, prefix }: Outside, target: string): Route | undefined {
    const route = this.options.routes.of(host, target);
    if (route === undefined || route.kind === 'host' || prefix === '') {
      return route;
    }
    return { ...route, base: prefix + route.base, scope: prefix + route.scope };
  }

  /** Finds out who sends a request, or throws the answer: a refusal, or the way to sign in. */
  public identify(request: IncomingMessage, outside: Outside, route: Route, authorization: string | undefined): Identified | Promise<Identified> {
    const { authentication, parameter } = this.options;
    const { target, values } = takeParameter(route.target, parameter);
    const { headers, method } = request;
    const isPlain = (method === 'GET' || method === 'HEAD') && headers.upgrade === undefined;
    const challenge = () => this.challenge(request, outside, route, target, isPlain);
    const header = authentication.callerOf(bearerToken(authorization), outside.client);
    const base = { target, handsOnAuthorization: false, challenge };
    if (!authentication.isRequired) {
      return { ...base, caller: header };
    }
    if (values.length > 1) {
      throw badRequest(`The address has the parameter ${parameter} twice.`);
    }
    return after(this.session(headers.cookie, route), session => {
      if (values.length === 1 && isPlain) {
        return this.signIn(request, outside, route, { ...base, token: values[0]!, hasSession: session !== undefined });
      }
      if (session !== undefined) {
        return this.inSession(request, outside, session, authorization, base);
      }
      if (bearerToken(authorization) === undefined) {
        throw challenge();
      }
      return { ...base, caller: header };
    });
  }

  /** A request that a session lets in, if it comes from a page that may send it. */
  private inSession(
    request: IncomingMessage, outside: Outside, session: Session, authorization: string | undefined, base: Omit<Identified, 'caller'>,
  ): Identified {
    const problem = originProblem(request, outside, this.options.allowedOrigins);
    if (problem !== undefined) {
      throw problem;
    }
    return {
      ...base, uid: session.uid, expiresAt: session.expiresAt,
      handsOnAuthorization: session.token === undefined || bearerToken(authorization) !== session.token,
      caller: this.callerOf(session, outside),
    };
  }

  /** Headers for the sandbox without what is the router's: its cookies, and an address with a token in `Referer`. */
  public cleaned(headers: readonly string[]): string[] {
    const { names, parameter } = this.options;
    const kept: string[] = [];
    for (let i = 0; i < headers.length; i += 2) {
      const name = headers[i]!.toLowerCase();
      const value = name === 'cookie' ? withoutCookies(headers[i + 1]!, cookie => names.isOwn(cookie))
        : name === 'referer' && hasParameter(headers[i + 1]!, parameter) ? undefined : headers[i + 1]!;
      if (value !== undefined) {
        kept.push(headers[i]!, value);
      }
    }
    return kept;
  }

  /** The headers of a sandbox's answer as the browser gets them. */
  public answer(headers: string[], route: Route | undefined, outside: Outside): string[] {
    const { names, rewritesAnswers } = this.options;
    if (route !== undefined) {
      return rewriteAnswer(headers, route, outside, names, rewritesAnswers);
    }
    if (!headers.some((name, i) => i % 2 === 0 && name.toLowerCase() === 'set-cookie')) {
      return headers;
    }
    const isOwn = (i: number) => headers[i]!.toLowerCase() === 'set-cookie' && names.isOwn(headers[i + 1]!.split(/[=;]/, 1)[0]!.trim());
    return headers.filter((_, i) => !isOwn(i - i % 2));
  }

  /** The session of a request: the first one of its cookies that is for this address. */
  private session(cookie: string | undefined, route: Route): Session | undefined | Promise<Session | undefined> {
    const { names, seal } = this.options;
    const find = (values: readonly string[]): Session | undefined | Promise<Session | undefined> => {
      const [value, ...others] = values;
      if (value === undefined) {
        return undefined;
      }
      const known = this.sessions.get(value);
      const opened = known === undefined ? seal.open<Session>('session', value) : undefined;
      return after<Session | undefined, Session | undefined>(known ?? opened, session => {
        if (session === undefined || session.expiresAt <= Date.now()) {
          return find(others);
        }
        if (opened !== undefined) {
          this.sessions.set(value, session);
        }
        return session.scope === route.scope && session.namespace === route.namespace && session.id === route.id ? session : find(others);
      });
    };
    return find(cookieValues(cookie, names.name(cookiePath(route))).slice(0, MOST_CANDIDATES));
  }

  private callerOf({ token, user, expiresAt }: Pick<Session, 'token' | 'user' | 'expiresAt'>, { client }: Outside): () => Caller | Promise<Caller> {
    return () => {
      if (expiresAt <= Date.now()) {
        throw unauthenticated();
      }
      return user === undefined ? this.options.authentication.authenticate(token, client) : this.oidcCaller(user);
    };
  }

  private oidcCaller(user: User): Caller {
    if (this.options.oidc === undefined) {
      throw unauthenticated();
    }
    return this.options.oidc.caller(user);
  }

  /** A request that brings a token in its address. */
  private async signIn(
    request: IncomingMessage, outside: Outside, route: Route, { token, hasSession, ...base }: Omit<Identified, 'caller'> & { token: string; hasSession: boolean },
  ): Promise<Identified> {
    const { seal, names, oidc, allowedOrigins, isInsecure } = this.options;
    const away = (more: Record<string, string> = {}) => redirect(asLocation(outsidePath(outside, route, base.target)), more);
    const ticket = oidc === undefined ? undefined : await seal.open<Ticket>('ticket', token);
    if (ticket === undefined && hasSession) {
      // Already signed in: a link must not replace the session by that of another user.
      throw away();
    }
    const problem = ticket === undefined ? loginProblem(request, outside, allowedOrigins) : undefined;
    if (problem !== undefined) {
      throw problem;
    }
    if (outside.isProtoKnown && outside.proto === 'http' && !isInsecure && !isLocal(outside.host)) {
      throw forbidden('Signing in needs HTTPS, because browsers keep the cookie for HTTPS only. For tests there is --authz-cookie-insecure.');
    }
    if (ticket !== undefined) {
      const nonces = cookieValues(request.headers.cookie, names.name(cookiePath(route), 'nonce'));
      if (ticket.scope !== route.scope || !nonces.some(nonce => nonceHash(nonce) === ticket.nonce)) {
        throw base.challenge();
      }
    }
    const who = ticket === undefined ? { token } : { user: ticket.user };
    const caller = this.callerOf({ ...who, expiresAt: ticket?.until ?? Infinity }, outside);
    const login = async (uid: string, { expiresAt = Infinity }: Caller) => {
      const { lifetimeMs, sameSite } = this.options;
      const now = Date.now();
      const until = Math.min(now + lifetimeMs, expiresAt, ticket?.until ?? Infinity);
      const content = { scope: route.scope, namespace: route.namespace, id: route.id, uid, ...who };
      const value = await seal.close('session', content, until);
      if (value.length > LONGEST_COOKIE) {
        throw badRequest(`The token is too long for a cookie: ${value.length} of ${LONGEST_COOKIE} bytes.`);
      }
      const path = cookiePath(route);
      return away({ 'set-cookie': names.set(names.name(path), value, path, Math.max(0, Math.floor((until - now) / 1000)), sameSite) });
    };
    return { ...base, caller, login };
  }

  /** The scheme that the browser uses; HTTPS if something in front may have ended it. */
  private scheme({ isProtoKnown, proto, host }: Outside): string {
    return isProtoKnown ? proto : this.options.isInsecure || isLocal(host) ? 'http' : 'https';
  }

  /** What a request without a good token gets: a browser that opens a page is sent to sign in, if there is a place for that. */
  private challenge(request: IncomingMessage, outside: Outside, route: Route, target: string, isPlain: boolean): Refusal {
    const { oidc, names } = this.options;
    const { 'sec-fetch-dest': destination, accept } = request.headers;
    const isPage = isPlain && accept?.includes('text/html') === true && (destination === undefined || destination === 'document');
    if (oidc === undefined || !isPage) {
      return unauthenticated(isPage ? 'Open this sandbox with "agent-sandbox open", or with a token in the address.' : undefined);
    }
    const path = cookiePath(route);
    const nonce = randomBytes(16).toString('base64url');
    const here = `${this.scheme(outside)}://${outside.host}${outsidePath(outside, route, target)}`;
    return redirect(oidc.startAddress(here, nonceHash(nonce)), { 'set-cookie': names.set(names.name(path, 'nonce'), nonce, path, NONCE_S, 'Lax') });
  }
}

/** Seconds that a user has to sign in. */
const NONCE_S = 600;

/** The hash by which a browser is recognized that began to sign in. */
function nonceHash(nonce: string): string {
  return createHash('sha256').update(nonce).digest('base64url');
}

function cookiePath(route: Route): string {
  return route.kind === 'host' ? '/' : `${route.base}/`;
}

/** Path and query from outside that stand for a target in the sandbox. */
function outsidePath({ prefix }: Outside, { kind, base, isStripped }: Route, target: string): string {
  return kind === 'host' ? `${prefix}${target}` : isStripped ? `${base}${target}` : target;
}

/** A path as a redirect within the same origin: two slashes at its beginning would be read as another host. */
function asLocation(path: string): string {
  return /^\/[/\\]/.test(path) ? `/.${path}` : path;
}

function hasParameter(url: string, name: string): boolean {
  return takeParameter(url.split('#', 1)[0]!, name).values.length > 0;
}

/** Hosts of the own machine, to which browsers send secure cookies over plain HTTP, too. */
function isLocal(host: string | undefined): boolean {
  const name = host?.replace(/:\d+$/, '').toLowerCase() ?? '';
  return name === 'localhost' || name.endsWith('.localhost') || isLoopback(name.replace(/^\[|\]$/g, ''));
}
