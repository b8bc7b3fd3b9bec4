import type { RateLimits } from '../limits.js';
import { tooManyRequests, unauthenticated } from '../refusal.js';
import type { Authenticator, Caller } from './caller.js';

export type { Action, Authenticator, Caller, SandboxRef } from './caller.js';

/** Texts of the first router, which knew a static token only. */
const STATIC_TEXTS = { missing: 'Missing or invalid Authorization header.', wrong: 'Invalid token.' };

/** Authenticates the sender of a request. */
export class Authentication {
  private readonly texts: { readonly missing?: string; readonly wrong?: string };

  /**
   * @param methods in the order in which they are tried; undefined: no authentication, every request is allowed
   * @param failures worthless tokens per client address
   */
  constructor(private readonly methods: readonly Authenticator[] | undefined, private readonly failures: RateLimits, staticOnly: boolean) {
    this.texts = staticOnly ? STATIC_TEXTS : {};
  }

  /** Whether tokens matter at all. */
  public get isRequired(): boolean {
    return this.methods !== undefined;
  }

  /** What asks for the caller with this token; keeps nothing else. */
  public callerOf(token: string | undefined, client: string): () => Caller | Promise<Caller> {
    return () => this.authenticate(token, client);
  }

  /** The caller with this token. Throws a 401 for none or a worthless one, and 429 for too many of these. */
  public authenticate(token: string | undefined, client: string): Caller | Promise<Caller> {
    if (this.methods === undefined) {
      return { key: `address:${client}`, name: '-', may: () => true };
    }
    if (token === undefined) {
      throw unauthenticated(this.texts.missing);
    }
    return this.ask(this.methods.filter(method => method.accepts(token)), token, client);
  }

  private ask(methods: readonly Authenticator[], token: string, client: string): Caller | Promise<Caller> {
    for (const [i, method] of methods.entries()) {
      const answer = method.authenticate(token, client);
      if (answer instanceof Promise) {
        return answer.then(caller => caller ?? this.ask(methods.slice(i + 1), token, client));
      }
      if (answer !== undefined) {
        return answer;
      }
    }
    if (!this.failures.take(client)) {
      throw tooManyRequests('Too many worthless tokens from this address.');
    }
    throw unauthenticated(this.texts.wrong);
  }
}
