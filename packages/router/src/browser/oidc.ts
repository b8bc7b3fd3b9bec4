import type { IncomingMessage } from 'node:http';
import * as client from 'openid-client';
import type { User } from '../auth/caller.js';
import type { Caller } from '../auth/index.js';
import type { Outside } from '../forwarded.js';
import { badRequest, forbidden, unauthenticated, Refusal, redirect } from '../refusal.js';
import { cookieValues, type CookieNames } from './cookies.js';
import type { Routes } from './route.js';
import type { Seal } from './sealed.js';
import type { Ticket } from './ticket.js';

/** Milliseconds that a user has to sign in at the provider. */
const FLOW_MS = 600_000;
/** Milliseconds in which a browser must follow the redirects from the login to the sandbox. */
const TICKET_MS = 60_000;
/** Seconds for one question to the provider. */
const TIMEOUT_S = 10;
/** Bytes of a cookie that browsers keep, less name and attributes. */
const LONGEST_COOKIE = 3_800;
/** Names that only the API server gives. */
const RESERVED = 'system:';

export interface OidcOptions {
  readonly issuer: URL;
  readonly clientId: string;
  /** Read anew each time. */
  readonly clientSecret: () => string;
  /** Where the provider sends browsers back to: a host that the router serves, and a path of its own there. */
  readonly redirectUrl: URL;
  readonly scopes: readonly string[];
  readonly usernameClaim: string;
  readonly usernamePrefix: string;
  readonly groupsClaim: string;
  readonly groupsPrefix: string;
  /** Query parameter that carries a ticket. */
  readonly parameter: string;
  readonly lifetimeMs: number;
  readonly isInsecure: boolean;
  readonly seal: Seal;
  readonly names: CookieNames;
  readonly routes: Routes;
  readonly callerOf: (user: User) => Caller;
  readonly onFailure: (error: unknown) => void;
}

/** What a browser keeps while its owner signs in at the provider. */
interface Flow {
  readonly to: string;
  readonly browser: string;
  readonly verifier: string;
  readonly state: string;
  readonly nonce: string;
}

interface Login {
  readonly user: User;
  readonly expiresAt: number;
}

/**
 * Signs people in at an OpenID Connect provider: authorization code with PKCE, at one address for all sandboxes. From there a
 * ticket leads to the sandbox's own address. It counts for one sandbox, for a minute, and in the browser that asked for it.
 */
export class Oidc {
  private readonly host: string;
  private readonly start: string;
  private discovered?: Promise<client.Configuration>;

  constructor(private readonly options: OidcOptions) {
    this.host = options.redirectUrl.host;
    this.start = new URL('start', options.redirectUrl).pathname;
  }

  /** The caller that a user of the provider is. */
  public caller(user: User): Caller {
    return this.options.callerOf(user);
  }

  /**
   * Where a browser begins to sign in.
   *
   * @param to address that it wants to open
   * @param browser by which it is recognized there, see `nonceHash`
   */
  public startAddress(to: string, browser: string): string {
    const url = new URL(this.start, this.options.redirectUrl);
    url.search = new URLSearchParams({ to, browser }).toString();
    return url.href;
  }

  /** Whether a request is for the login itself. */
  public isFor({ host }: Outside, path: string): boolean {
    return host?.toLowerCase() === this.host && (path === this.start || path === this.options.redirectUrl.pathname);
  }

  /** Answers a request for the login: always with a `Refusal`, which may be a redirect. */
  public async handle(request: IncomingMessage): Promise<Refusal> {
    try {
      if (request.method !== 'GET') {
        return new Refusal(405, 'Method Not Allowed', { allow: 'GET' });
      }
      const url = new URL(request.url!, this.options.redirectUrl);
      return url.pathname === this.start ? await this.begin(request, url) : await this.finish(request, url);
    } catch (error) {
      if (error instanceof Refusal) {
        return error;
      }
      // Reasons may contain personal data from the provider, so they are only logged.
      this.options.onFailure(error);
      return new Refusal(502, 'The login failed at the provider. Try again.');
    }
  }

  private async begin(request: IncomingMessage, { searchParams }: URL): Promise<Refusal> {
    const { seal, names, redirectUrl, scopes } = this.options;
    const [to, browser] = [searchParams.get('to') ?? '', searchParams.get('browser') ?? ''];
    this.scopeOf(to);
    if (!/^[\w-]{43}$/.test(browser)) {
      throw badRequest('The login does not say for which browser it is.');
    }
    for (const value of cookieValues(request.headers.cookie, names.name('/', 'login'))) {
      const login = await seal.open<Login>('login', value);
      if (login !== undefined) {
        return this.toSandbox(login, to, browser);
      }
    }
    const provider = await this.provider();
    const [verifier, state, nonce] = [client.randomPKCECodeVerifier(), client.randomState(), client.randomNonce()];
    const flow: Flow = { to, browser, verifier, state, nonce };
    const sealed = await seal.close('flow', flow, Date.now() + FLOW_MS);
    if (sealed.length > LONGEST_COOKIE) {
      throw badRequest('The address is too long to sign in for.');
    }
    const address = client.buildAuthorizationUrl(provider, {
      redirect_uri: redirectUrl.href, scope: scopes.join(' '), state, nonce,
      code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
    });
    return redirect(address.href, { 'set-cookie': names.set(names.name('/', 'flow'), sealed, '/', FLOW_MS / 1000, 'Lax') });
  }

  private async finish(request: IncomingMessage, url: URL): Promise<Refusal> {
    const { seal, names, redirectUrl, lifetimeMs } = this.options;
    const flowName = names.name('/', 'flow');
    const [value] = cookieValues(request.headers.cookie, flowName);
    const flow = value === undefined ? undefined : await seal.open<Flow>('flow', value);
    if (flow === undefined || url.searchParams.get('state') !== flow.state) {
      throw badRequest('This browser has not begun to sign in, or it took too long. Open the sandbox again.');
    }
    if (url.searchParams.has('error')) {
      throw forbidden('The provider refused the login.');
    }
    const current = new URL(redirectUrl);
    current.search = url.search;
    const tokens = await client.authorizationCodeGrant(await this.provider(), current, {
      pkceCodeVerifier: flow.verifier, expectedState: flow.state, expectedNonce: flow.nonce, idTokenExpected: true,
    });
    const until = Date.now() + lifetimeMs;
    const user = this.userOf(tokens.claims() as Readonly<Record<string, unknown>>);
    const sealed = await seal.close('login', { user }, until);
    if (sealed.length > LONGEST_COOKIE) {
      throw forbidden('The groups of this user are too many for a cookie: let the provider send fewer of them.');
    }
    const cookies = [
      names.set(names.name('/', 'login'), sealed, '/', Math.floor(lifetimeMs / 1000), 'Lax'),
      names.set(flowName, '', '/', 0, 'Lax'),
    ];
    return this.toSandbox({ user, expiresAt: until }, flow.to, flow.browser, cookies);
  }

  private async toSandbox({ user, expiresAt }: Login, to: string, browser: string, cookies: readonly string[] = []): Promise<Refusal> {
    const ticket: Ticket = { scope: this.scopeOf(to), user, until: expiresAt, nonce: browser };
    const sealed = await this.options.seal.close('ticket', ticket, Date.now() + TICKET_MS);
    const [address, query] = to.split(/\?(.*)/s, 2) as [string, string?];
    const location = `${address}?${query ? `${query}&` : ''}${this.options.parameter}=${sealed}`;
    return redirect(location, cookies.length === 0 ? {} : { 'set-cookie': [...cookies] });
  }

  /** What a session for this address is bound to. Throws a 400 unless it is one of a sandbox, so that no user is redirected elsewhere. */
  private scopeOf(to: string): string {
    const { routes, redirectUrl, isInsecure } = this.options;
    const url = URL.canParse(to) ? new URL(to) : undefined;
    const isScheme = url?.protocol === 'https:' || url?.protocol === redirectUrl.protocol || (isInsecure && url?.protocol === 'http:');
    if (url === undefined || !isScheme || url.username !== '' || url.password !== '' || !to.startsWith(`${url.origin}/`)) {
      throw badRequest('The login is for no address of a sandbox.');
    }
    const route = routes.of(url.host, to.slice(url.origin.length).split('#', 1)[0]!);
    if (route === undefined || (route.kind === 'path' && url.origin !== redirectUrl.origin)) {
      throw badRequest('The login is for no address of a sandbox.');
    }
    return route.scope;
  }

  /** The user as the API server would have it with the same settings. Throws if the provider does not say enough. */
  private userOf(claims: Readonly<Record<string, unknown>>): User {
    const { usernameClaim, usernamePrefix, groupsClaim, groupsPrefix } = this.options;
    const name = claims[usernameClaim];
    if (typeof name !== 'string' || name === '') {
      throw forbidden(`The provider does not say who you are: the claim "${usernameClaim}" is missing.`);
    }
    if (usernameClaim === 'email' && claims.email_verified === false) {
      throw forbidden('The provider has not verified your e-mail address.');
    }
    const username = usernamePrefix + name;
    if (username.startsWith(RESERVED)) {
      throw unauthenticated(`Names that begin with "${RESERVED}" belong to the API server.`);
    }
    const claim = claims[groupsClaim];
    const groups = (Array.isArray(claim) ? claim : [claim]).filter((group): group is string => typeof group === 'string' && group !== '')
      .map(group => groupsPrefix + group).filter(group => !group.startsWith(RESERVED));
    return { username, groups: [...groups, 'system:authenticated'] };
  }

  private provider(): Promise<client.Configuration> {
    const { issuer, clientId, clientSecret } = this.options;
    this.discovered ??= client.discovery(issuer, clientId, undefined, (...args) => client.ClientSecretBasic(clientSecret())(...args), {
      timeout: TIMEOUT_S, execute: issuer.protocol === 'http:' ? [client.allowInsecureRequests] : [],
    }).catch(error => {
      this.discovered = undefined;
      throw error;
    });
    return this.discovered;
  }
}

