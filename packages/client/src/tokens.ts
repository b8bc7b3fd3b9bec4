import { readFile } from 'node:fs/promises';
import { ROUTER_AUDIENCE, type Resource } from 'agent-sandbox-api';
import type { Cluster } from 'agent-sandbox-kube';
import { untilAborted } from './deadline.js';
import { SandboxAccessError, SandboxInputError } from './errors.js';

/** The sandbox that a token is for. */
export interface TokenTarget {
  readonly namespace: string;
  /** Name of the Sandbox object. */
  readonly name: string;
  /** UID of the Sandbox object. */
  uid(signal: AbortSignal): Promise<string>;
}

/** Where the tokens for the router come from. */
export interface TokenProvider {
  /** A bearer token. Called before each request, so it answers from memory unless something is due to be renewed. */
  token(target: TokenTarget, cluster: () => Cluster, signal: AbortSignal): string | Promise<string>;
  /** Gets, and does not wait for, what the first request to a sandbox of this namespace would wait for. Its failures show there. */
  prepare?(namespace: string, cluster: () => Cluster): void;
  /** The router did not accept this one: the next call gets another one if there is any. */
  reject(token: string): void;
  /** Whether a token opens one sandbox only. Routers of others refuse an address in the request then, so none is sent. */
  readonly isScoped: boolean;
}

export interface ServiceAccountTokenOptions {
  /** Name of the ServiceAccount. */
  readonly name: string;
  /** @default - that of the sandbox */
  readonly namespace?: string;
  /** @default agent-sandbox-router */
  readonly audience?: string;
  /** 600 or more; the server may give less or more. @default 3600 */
  readonly expirationSeconds?: number;
}

interface TokenReply {
  readonly status: { readonly token: string; readonly expirationTimestamp: string };
}

const SERVICE_ACCOUNTS: Resource = { group: '', version: 'v1', kind: 'ServiceAccount', plural: 'serviceaccounts', namespaced: true };

/** The ways to get tokens. */
export const RouterToken = {
  /** One that stays the same. */
  fixed: (token: string): TokenProvider => {
    checkToken(token, 'the token');
    return { token: () => token, reject: () => undefined, isScoped: isScopedToken(token) };
  },

  /** Read from a file at each use that is more than a minute after the last: a projected ServiceAccount token is renewed in place. */
  fromFile: (path: string): TokenProvider => new Remembered(async () => {
    const token = await readFile(path, 'utf8').catch(error => {
      throw new SandboxAccessError(`the token file cannot be read (${(error as Error).message})`, undefined, { remedy: 'mount the token, or correct the path', cause: error });
    });
    return { token: token.trim(), untilMs: Date.now() + FILE_MEMORY_MS };
  }, false, () => ''),

  /**
   * Tokens of a ServiceAccount, by TokenRequest; the caller needs `create` on its `serviceaccounts/token`, the ServiceAccount needs
   * `create` on `sandboxes/proxy`.
   */
  fromServiceAccount: (options: ServiceAccountTokenOptions): TokenProvider => {
    const { name, namespace, audience = ROUTER_AUDIENCE, expirationSeconds = 3600 } = options;
    return new Remembered(async (target, cluster, signal) => {
      const reply = await cluster().request<TokenReply>(
        { verb: 'create', resource: SERVICE_ACCOUNTS, namespace: namespace ?? target.namespace, name, subresource: 'token' },
        {
          body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { audiences: [audience], expirationSeconds } },
          signal,
        },
      );
      const now = Date.now();
      // Renewed after four fifths of its life, as kubelets do.
      return { token: reply.status.token, untilMs: now + (Date.parse(reply.status.expirationTimestamp) - now) * 0.8 };
    }, false, target => namespace ?? target.namespace);
  },

  /** Tokens for one sandbox each, made by `mint`, for example a service that has the signing key. Cached for a minute. */
  scoped: (mint: (target: TokenTarget, signal: AbortSignal) => string | Promise<string>): TokenProvider => new Remembered(
    async (target, _, signal) => ({ token: await mint(target, signal), untilMs: Date.now() + FILE_MEMORY_MS }),
    true,
    target => `${target.namespace}/${target.name}`,
  ),

  /** An own function, asked before each request. */
  from: (token: (target: TokenTarget, signal: AbortSignal) => string | Promise<string>): TokenProvider => ({
    token: (target, _, signal) => token(target, signal), reject: () => undefined, isScoped: false,
  }),
} as const;

const FILE_MEMORY_MS = 60_000;
const RENEWAL_TIMEOUT_MS = 30_000;
/** Tokens that are kept at most, one for each sandbox; the oldest goes first. */
const MOST_TOKENS = 1000;

/** Throws unless it can be sent in a header. The message never has the token. */
function checkToken(token: string, what: string): void {
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new SandboxInputError(`${what} is empty or has characters that no token has`, { remedy: 'give the token itself, without "Bearer" and line breaks' });
  }
}

function isScopedToken(token: string): boolean {
  return /^v[12]\.[^.]+\.[^.]+$/.test(token);
}

interface Kept {
  readonly token: string;
  readonly untilMs: number;
}

/** Remembers tokens until they are due; many requests at once share one renewal. */
class Remembered implements TokenProvider {
  private readonly kept = new Map<string, Kept>();
  private readonly pending = new Map<string, Promise<string>>();

  constructor(
    private readonly obtain: (target: TokenTarget, cluster: () => Cluster, signal: AbortSignal) => Promise<Kept>,
    public readonly isScoped: boolean,
    private readonly keyOf: (target: TokenTarget) => string,
  ) {}

  public token(target: TokenTarget, cluster: () => Cluster, signal: AbortSignal): string | Promise<string> {
    const key = this.keyOf(target);
    const found = this.kept.get(key);
    if (found && found.untilMs > Date.now()) {
      return found.token;
    }
    let renewal = this.pending.get(key);
    if (!renewal) {
      // Other callers may wait for it too, so the first caller's signal does not abort it.
      renewal = this.renew(key, target, cluster, AbortSignal.timeout(RENEWAL_TIMEOUT_MS)).finally(() => this.pending.delete(key));
      this.pending.set(key, renewal);
    }
    return untilAborted(renewal, signal);
  }

  public prepare(namespace: string, cluster: () => Cluster): void {
    if (this.isScoped) {
      // Which sandbox it will be is not known yet.
      return;
    }
    const anySandbox = { namespace, name: '', uid: async () => '' };
    Promise.resolve(this.token(anySandbox, cluster, AbortSignal.timeout(RENEWAL_TIMEOUT_MS))).catch(() => undefined);
  }

  public reject(token: string): void {
    for (const [key, kept] of this.kept) {
      if (kept.token === token) {
        this.kept.delete(key);
      }
    }
  }

  private async renew(key: string, target: TokenTarget, cluster: () => Cluster, signal: AbortSignal): Promise<string> {
    const renewed = await this.obtain(target, cluster, signal);
    checkToken(renewed.token, 'the new token');
    this.kept.delete(key);
    this.kept.set(key, renewed);
    if (this.kept.size > MOST_TOKENS) {
      this.kept.delete(this.kept.keys().next().value!);
    }
    return renewed.token;
  }
}
