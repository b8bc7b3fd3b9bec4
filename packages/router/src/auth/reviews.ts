import { hash, randomBytes } from 'node:crypto';
import type { Resource } from 'agent-sandbox-api';
import type { Cluster, Logger } from 'agent-sandbox-kube';
import type { RateLimits } from '../limits.js';
import { tooManyRequests } from '../refusal.js';
import { askReview, type AccessReviews, type Review } from './access.js';
import type { Authenticator, Caller, User } from './caller.js';
import { Remembered } from './remembered.js';
import { isScoped } from './scoped-token.js';

const TOKEN_REVIEWS: Resource<Review> = {
  group: 'authentication.k8s.io', version: 'v1', kind: 'TokenReview', plural: 'tokenreviews', namespaced: false,
};

export interface ReviewOptions {
  readonly cluster: Cluster;
  readonly audiences: readonly string[];
  /** Milliseconds that the answer about a token is remembered. */
  readonly tokenTtlMs: number;
  /** Tokens that are remembered. */
  readonly cacheSize: number;
  readonly access: AccessReviews;
  /** Of worthless tokens, per client address. */
  readonly failures: RateLimits;
  readonly logger: Logger;
}

/**
 * Authenticates tokens of the API server by TokenReview. Answers are remembered for a short time, by a keyed hash of the
 * token; equal questions at the same time are asked once.
 */
export class TokenReviews implements Authenticator {
  private readonly secret = randomBytes(32).toString('hex');
  private readonly callers: Remembered<Caller | undefined>;

  constructor(private readonly options: ReviewOptions) {
    this.callers = new Remembered(options.cacheSize, options.tokenTtlMs);
  }

  public accepts(token: string): boolean {
    // The API server gives out no such token, so it need not be asked.
    return !isScoped(token);
  }

  public authenticate(token: string, client: string): Caller | undefined | Promise<Caller | undefined> {
    const key = hash('sha256', this.secret + token, 'base64');
    const known = this.callers.known(key);
    if (known !== undefined) {
      return known.value;
    }
    // Held while the question is open, so that many at once cannot all pass.
    const { failures } = this.options;
    if (!failures.take(client)) {
      throw tooManyRequests('Too many worthless tokens from this address.');
    }
    return this.callers.ask(key, async () => {
      try {
        const user = await this.review(token);
        return user && this.options.access.caller(user, expiryOf(token));
      } finally {
        failures.refund(client);
      }
    });
  }

  private async review(token: string): Promise<User | undefined> {
    const { audiences, cluster, logger } = this.options;
    const { status } = await askReview(cluster, logger, 'tokenreview', TOKEN_REVIEWS, { token, audiences });
    // A server that does not know audiences returns none; accepting that would accept tokens for any audience.
    const isOurs = status?.audiences?.some(audience => audiences.includes(audience)) ?? false;
    return status?.authenticated === true && isOurs && status.user?.username ? status.user as User : undefined;
  }
}

/**
 * When a token ends, in milliseconds since 1970, as a JWT says it; undefined for other tokens. Its signature is not looked at:
 * only for tokens that the API server has found to be good.
 */
function expiryOf(token: string): number | undefined {
  try {
    const { exp } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { exp?: unknown };
    return typeof exp === 'number' && Number.isFinite(exp) ? exp * 1000 : undefined;
  } catch {
    return undefined;
  }
}
