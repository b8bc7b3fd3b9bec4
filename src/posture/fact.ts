/** How much a fact of a posture weakens a sandbox. */
export enum PostureConcern {
  /** Not at all. */
  NONE = 'none',

  /** It should be meant: a tag instead of a digest, no limit of memory, a secret in a variable. */
  NOTICE = 'notice',

  /** It takes a wall away: no isolation, a token of the API server, the host, metadata servers of clouds. */
  RISK = 'risk',
}

/** One thing that is true of an object. */
export interface PostureFact {
  /** What it is about: `isolation`, `pod-security`, `reaches`, and so on; see docs/reference/rules.md. */
  readonly topic: string;

  /** What is true, in words that stay the same as long as the manifests do. Sorted where the order has no meaning. */
  readonly items: string[];

  /** Whether this is the default of the constructs. */
  readonly isDefault: boolean;

  /** How much it weakens a sandbox. */
  readonly concern: PostureConcern;
}

/** What is true of one object: a tenant (a namespace with sandboxes), a template, a pool, or a Sandbox. */
export interface PostureEntry {
  /** The object: `SandboxTemplate agents/python`, or `Tenant agents` for a namespace. */
  readonly object: string;

  /** Where the object comes from: the path of its construct, or its position in the list of manifests; empty for a tenant. */
  readonly place: string;

  /** The facts, in the order of the topics. */
  readonly facts: PostureFact[];
}

/** @internal */
export const NOTHING = 'nothing';
const NONE = 'none';

/** What a fact can say besides its items. */
interface FactOptions {
  /** Default: whether there are no items and no concern. */
  readonly isDefault?: boolean;
  readonly concern?: PostureConcern;
  /** What it says without items. */
  readonly empty?: string;
}

/** Makes a fact; without items it says that there is none. @internal */
export function fact(topic: string, items: readonly string[], options: FactOptions = {}): PostureFact {
  const { concern = PostureConcern.NONE, empty = NONE, isDefault = items.length === 0 && concern === PostureConcern.NONE } = options;
  return { topic, items: items.length === 0 ? [empty] : [...items], isDefault, concern };
}
