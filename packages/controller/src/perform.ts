import { failuresOf, type Failure, type Outcome, type Plan, type Ref, type Request } from './plan.js';

/** What a finished pass means for the work queue. */
export interface PassResult {
  /** Any error: back-off, `requeueAfterMs` is void. */
  readonly errors: readonly Failure[];
  readonly requeueAfterMs?: number;
  readonly blockedBy: readonly Ref[];
}

/** Where a pass meets the world. */
export interface PassContext<M> {
  /** Sends one request; never throws. */
  send(request: Request): Promise<Outcome>;
  /** Stores (`null`: forgets) what the process remembers about the key. */
  remember?(memory: M | null): void;
}

/**
 * A locked write that lost its race is no error: what came in between wakes the key. Should that have been heard of before,
 * the key is looked at again after this long.
 */
const AFTER_CONFLICT_MS = 1000;

/** Stages of one pass; a plan that needs more than this is a loop. */
const MAX_STAGES = 100;

/** Sends the requests of a plan, stage after stage, until the pass ends. */
export async function perform<M>(first: Plan<M>, context: PassContext<M>): Promise<PassResult> {
  let plan = first;
  let conflict = false;
  for (let i = 0; i < MAX_STAGES; i++) {
    if (plan.memory !== undefined) {
      context.remember?.(plan.memory);
    }
    const outcomes = await Promise.all(plan.requests.map((request) => context.send(request)));
    conflict ||= outcomes.some((outcome) => !outcome.ok && outcome.failure.reason === 'Conflict');
    if (plan.next === undefined) {
      const result = resultOf(plan, outcomes);
      return conflict ? { ...result, requeueAfterMs: Math.min(result.requeueAfterMs ?? Infinity, AFTER_CONFLICT_MS) } : result;
    }
    plan = plan.next(outcomes);
  }
  throw new Error(`a pass has more than ${MAX_STAGES} stages`);
}

/** The result of a pass, from its last stage. */
export function resultOf<M>(last: Plan<M>, outcomes: readonly Outcome[]): PassResult {
  const errors = [...(last.errors ?? []), ...failuresOf(last.requests, outcomes)];
  return {
    errors,
    ...(errors.length === 0 && last.requeueAfterMs !== undefined ? { requeueAfterMs: last.requeueAfterMs } : {}),
    blockedBy: last.blockedBy ?? [],
  };
}
