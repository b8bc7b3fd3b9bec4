import { hash } from 'node:crypto';
import { GROUP, type KubeObject, type Resource, definedOnly } from 'agent-sandbox-api';
import type { Cluster, Logger } from 'agent-sandbox-kube';
import { Refusal } from '../refusal.js';
import type { Action, Caller, SandboxRef, User } from './caller.js';
import { Remembered } from './remembered.js';

/** Milliseconds for one question to the API server. */
const TIMEOUT_MS = 3_000;

/** A question to the API server that is asked by creating an object. */
export interface Review extends KubeObject {
  spec?: unknown;
  status?: { authenticated?: boolean; audiences?: readonly string[]; user?: Partial<User>; error?: string; allowed?: boolean };
}

const ACCESS_REVIEWS: Resource<Review> = {
  group: 'authorization.k8s.io', version: 'v1', kind: 'SubjectAccessReview', plural: 'subjectaccessreviews', namespaced: false,
};

/** What each action is called in RBAC: using a Sandbox is `create` on `sandboxes/proxy`, as for Pods. */
const PERMISSIONS: { readonly [A in Action]: { readonly verb: string; readonly subresource?: string } } = {
  connect: { verb: 'create', subresource: 'proxy' },
  resume: { verb: 'patch' },
};

/** What is asked about, as a SubjectAccessReview has it. */
export interface ResourceAttributes {
  readonly group: string;
  readonly version?: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly namespace: string;
  readonly verb: string;
  /** Absent: any, and none for `create` and `list`. */
  readonly name?: string;
}

export interface AccessOptions {
  readonly cluster: Cluster;
  /** Milliseconds that a decision about a Sandbox is remembered. */
  readonly accessTtlMs: number;
  /** Decisions that are remembered. */
  readonly cacheSize: number;
  readonly logger: Logger;
}

/** What users may do, as the API server says (SubjectAccessReview). Answers are remembered for a short time. */
export class AccessReviews {
  private readonly decisions: Remembered<boolean>;

  constructor(private readonly options: AccessOptions) {
    this.decisions = new Remembered(options.cacheSize, options.accessTtlMs);
  }

  /** The caller that a user is. */
  public caller(user: User, expiresAt?: number): Caller {
    const key = `user:${hash('sha256', JSON.stringify(user), 'base64')}`;
    return {
      key,
      name: user.username,
      user,
      ...definedOnly({ expiresAt }),
      may: (action, sandbox) => {
        const question = `${action} ${sandbox.namespace}/${sandbox.name} ${key}`;
        const known = this.decisions.known(question);
        return known === undefined ? this.decisions.ask(question, () => this.access(user, action, sandbox)) : known.value;
      },
    };
  }

  private access(user: User, action: Action, { namespace, name }: SandboxRef): Promise<boolean> {
    return this.allows(user, { group: GROUP, resource: 'sandboxes', namespace, name, ...PERMISSIONS[action] });
  }

  /** Whether a user may do something. Asks each time. Throws a 500 if the API server does not answer. */
  public async allows({ username, uid, groups, extra }: User, resourceAttributes: ResourceAttributes): Promise<boolean> {
    const { cluster, logger } = this.options;
    const spec = { user: username, uid, groups, extra, resourceAttributes };
    const { status } = await askReview(cluster, logger, 'subjectaccessreview', ACCESS_REVIEWS, spec);
    return status?.allowed === true;
  }
}

/** Asks the API server. Throws a 500 without its reason if it does not answer. */
export async function askReview(cluster: Cluster, logger: Logger, what: string, resource: Resource<Review>, spec: object): Promise<Review> {
  try {
    return await cluster.request<Review>({ verb: 'create', resource }, {
      body: { apiVersion: `${resource.group}/${resource.version}`, kind: resource.kind, spec }, timeoutMs: TIMEOUT_MS, maxRetries: 0,
    });
  } catch (error) {
    // The reason names accounts and addresses of the cluster, so it is only logged.
    logger.error({ err: error }, `${what} failed`);
    throw new Refusal(500, `${what}: the API server did not answer the question`);
  }
}
