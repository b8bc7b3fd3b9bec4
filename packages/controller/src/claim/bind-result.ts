import type { Sandbox } from 'agent-sandbox-api';
import type { Ref } from '../reconcile/plan.js';
import type { Problem } from './problem.js';

/** The Sandbox that a claim got, or why it has none. */
export interface BindResult {
  readonly sandbox?: Sandbox;
  readonly problem?: Problem;
  /** Milliseconds to wait for a member of the pool. The status stays as it is until then. */
  readonly waitMs?: number;
  /** A Sandbox that may belong to the claim although the answer to the request was lost. */
  readonly uncertain?: Ref;
  readonly blockedBy?: readonly Ref[];
}
