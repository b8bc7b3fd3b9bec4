import { failuresOf, type Failure, type Outcome, type Plan, type Ref, type Request } from './plan.js';

/** The result of a reconciliation, for the work queue. */
export interface ReconcileResult {
  /** On any error the key is requeued with back-off and `requeueAfterMs` is ignored. */
  readonly errors: readonly Failure[];
  readonly requeueAfterMs?: number;
  readonly blockedBy: readonly Ref[];
}

/** The effects of a plan. */
export interface RunOptions<M> {
  /** Sends one request; never throws. */
  send(request: Request): Promise<Outcome>;
  /** Stores (`null`: forgets) what the process remembers about the key. */
  remember?(memory: M | null): void;
}

/**
 * A write with a stale lock is no error: the write that it conflicts with requeues the key. If that event was handled before,
 * the key is reconciled again after this time.
 */
const AFTER_CONFLICT_MS = 1000;

/** When to try again in a namespace that is being terminated: one of its name may have taken its place. */
const AFTER_TERMINATION_MS = 60_000;

/** Upper bound on the stages of a plan; more than this is a loop. */
const MAX_STAGES = 100;

/** Sends the requests of a plan, stage after stage, until the last one. */
export async function runPlan<M>(first: Plan<M>, context: RunOptions<M>): Promise<ReconcileResult> {
  let plan = first;
  let conflict = false;
  for (let i = 0; i < MAX_STAGES; i++) {
    if (plan.memory !== undefined) {
      context.remember?.(plan.memory);
    }
    const outcomes = await Promise.all(plan.requests.map(request => context.send(request)));
    conflict ||= outcomes.some(outcome => !outcome.ok && outcome.failure.reason === 'Conflict');
    if (plan.next === undefined) {
      const result = resultOf(plan, outcomes);
      return conflict ? { ...result, requeueAfterMs: Math.min(result.requeueAfterMs ?? Infinity, AFTER_CONFLICT_MS) } : result;
    }
    plan = plan.next(outcomes);
  }
  throw new Error(`a plan has more than ${MAX_STAGES} stages`);
}

/** The result of a reconciliation, from its last stage. */
export function resultOf<M>(last: Plan<M>, outcomes: readonly Outcome[]): ReconcileResult {
  const failures = [...(last.errors ?? []), ...failuresOf(last.requests, outcomes)];
  // Nothing can be created in a namespace that is being terminated, and its objects are deleted with it.
  const errors = failures.filter(({ reason }) => reason !== 'NamespaceTerminating');
  const requeueAfterMs = errors.length < failures.length ? Math.min(last.requeueAfterMs ?? Infinity, AFTER_TERMINATION_MS) : last.requeueAfterMs;
  return {
    errors,
    ...(errors.length === 0 && requeueAfterMs !== undefined ? { requeueAfterMs } : {}),
    blockedBy: last.blockedBy ?? [],
  };
}
