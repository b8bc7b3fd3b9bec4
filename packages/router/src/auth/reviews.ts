import { hash, randomBytes } from 'node:crypto';
import { GROUP, type KubeObject, type Resource } from 'agent-sandbox-api';
import type { Cluster, Logger } from 'agent-sandbox-kube';
import { LRUCache } from 'lru-cache';
import type { RateLimits } from '../limits.js';
import { Refusal, tooManyRequests } from '../refusal.js';
import type { Action, Authenticator, Caller, SandboxRef } from './caller.js';
import { isScoped } from './scoped-token.js';

/** Milliseconds for one question to the API server. */
const TIMEOUT_MS = 3_000;

/** Who a token belongs to, as the API server says. */
interface UserInfo {
  readonly username?: string;
  readonly uid?: string;
  readonly groups?: readonly string[];
  readonly extra?: { readonly [key: string]: readonly string[] };
}

interface Review extends KubeObject {
  spec?: unknown;
  status?: { authenticated?: boolean; audiences?: readonly string[]; user?: UserInfo; error?: string; allowed?: boolean };
}

const TOKEN_REVIEWS: Resource<Review> = {
  group: 'authentication.k8s.io', version: 'v1', kind: 'TokenReview', plural: 'tokenreviews', namespaced: false,
};
const ACCESS_REVIEWS: Resource<Review> = {
  group: 'authorization.k8s.io', version: 'v1', kind: 'SubjectAccessReview', plural: 'subjectaccessreviews', namespaced: false,
};

/** What each action is called in RBAC: using a Sandbox is `create` on `sandboxes/proxy`, as for Pods. */
const PERMISSIONS: { readonly [A in Action]: { readonly verb: string; readonly subresource?: string } } = {
  connect: { verb: 'create', subresource: 'proxy' },
  resume: { verb: 'patch' },
};

export interface ReviewOptions {
  readonly cluster: Cluster;
  readonly audiences: readonly string[];
  /** Milliseconds that the answer about a token is remembered. */
  readonly tokenTtlMs: number;
  /** Milliseconds that a decision about a Sandbox is remembered. */
  readonly accessTtlMs: number;
  /** Entries of each of the two caches. */
  readonly cacheSize: number;
  /** Of worthless tokens, per client address. */
  readonly failures: RateLimits;
  readonly logger: Logger;
}

/**
 * Tokens of the API server: who they belong to (TokenReview) and what those may do (SubjectAccessReview). Answers are
 * remembered for a short time, by a keyed hash of the token; equal questions at the same time are asked once.
 */
export class TokenReviews implements Authenticator {
  private readonly secret = randomBytes(32).toString('hex');
  private readonly callers: Remembered<Caller | undefined>;
  private readonly decisions: Remembered<boolean>;

  constructor(private readonly options: ReviewOptions) {
    this.callers = new Remembered(options.cacheSize, options.tokenTtlMs);
    this.decisions = new Remembered(options.cacheSize, options.accessTtlMs);
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
        return user && this.caller(user, expiryOf(token));
      } finally {
        failures.refund(client);
      }
    });
  }

  private caller(user: UserInfo, expiresAt: number | undefined): Caller {
    const key = `user:${hash('sha256', JSON.stringify(user), 'base64')}`;
    return {
      key,
      name: user.username!,
      ...(expiresAt === undefined ? {} : { expiresAt }),
      may: (action, sandbox) => {
        const question = `${action} ${sandbox.namespace}/${sandbox.name} ${key}`;
        const known = this.decisions.known(question);
        return known === undefined ? this.decisions.ask(question, () => this.access(user, action, sandbox)) : known.value;
      },
    };
  }

  private async review(token: string): Promise<UserInfo | undefined> {
    const { audiences } = this.options;
    const { status } = await this.ask('tokenreview', TOKEN_REVIEWS, { token, audiences });
    // A server that does not know audiences answers without: its word would count for tokens that were made for anybody.
    const isOurs = status?.audiences?.some((audience) => audiences.includes(audience)) ?? false;
    return status?.authenticated === true && isOurs && status.user?.username ? status.user : undefined;
  }

  private async access(user: UserInfo, action: Action, { namespace, name }: SandboxRef): Promise<boolean> {
    const { username, uid, groups, extra } = user;
    const resourceAttributes = { group: GROUP, resource: 'sandboxes', namespace, name, ...PERMISSIONS[action] };
    const { status } = await this.ask('subjectaccessreview', ACCESS_REVIEWS, { user: username, uid, groups, extra, resourceAttributes });
    return status?.allowed === true;
  }

  private async ask(what: string, resource: Resource<Review>, spec: object): Promise<Review> {
    try {
      return await this.options.cluster.request<Review>({ verb: 'create', resource }, {
        body: { apiVersion: `${resource.group}/${resource.version}`, kind: resource.kind, spec }, timeoutMs: TIMEOUT_MS, maxRetries: 0,
      });
    } catch (error) {
      // The reason names accounts and addresses of the cluster, so it is for the operator alone.
      this.options.logger.error({ err: error }, `${what} failed`);
      throw new Refusal(500, `${what}: the API server did not answer the question`);
    }
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

/** Wrapped, because an answer may be undefined. */
interface Answer<T> {
  readonly value: T | Promise<T>;
}

/** Answers by question, each for a time; of failures a third of it, but at least a second. */
class Remembered<T> {
  private readonly answers: LRUCache<string, Answer<T>>;

  constructor(max: number, private readonly ttlMs: number) {
    this.answers = new LRUCache({ max, ttl: Math.max(1, ttlMs), ttlResolution: 0 });
  }

  public known(question: string): Answer<T> | undefined {
    return this.answers.get(question);
  }

  public ask(question: string, find: () => Promise<T>): Promise<T> {
    const asked = find();
    this.answers.set(question, { value: asked });
    asked.then(
      (value) => this.replace(question, asked, { value }, this.ttlMs),
      () => this.replace(question, asked, { value: asked }, Math.max(1_000, this.ttlMs / 3)),
    );
    return asked;
  }

  private replace(question: string, asked: Promise<T>, answer: Answer<T>, ttlMs: number): void {
    if (this.answers.peek(question)?.value !== asked) {
      return;
    }
    if (ttlMs > 0) {
      this.answers.set(question, answer, { ttl: ttlMs });
    } else {
      this.answers.delete(question);
    }
  }
}
