import { CONDITION, type Condition, LABEL, REASON, type Sandbox, type SandboxWarmPoolStatus, definedOnly } from 'agent-sandbox-api';
import { poolHash } from '../blueprint/member.js';
import { isStale } from '../blueprint/stale.js';
import type { UnmetPrecondition } from '../blueprint/template-in-use.js';
import { conditionOf, withCondition, type NewCondition } from '../object/conditions.js';
import { mergeDiff } from '../object/diff.js';
import { mergePatch, type Failure, type PatchRequest } from '../reconcile/plan.js';
import { failureReason } from './members.js';
import { desiredReplicas, type ObservedPool } from './observed.js';

/** The state of the pool at the end of a reconciliation, for the status. */
export interface PoolState {
  /** Sandboxes that are not being deleted. */
  readonly active: readonly Sandbox[];
  /** How many of them are ready. */
  readonly ready: number;
  readonly unmet?: UnmetPrecondition;
  readonly errors: readonly Failure[];
  /** Sandboxes that are held since no node takes them. */
  readonly held: number;
  readonly deadlineExceeded: boolean;
}

/** Messages of the API server can be long; a part of one will do. */
const LONGEST_DETAIL = 1000;

export function poolStatus(observed: ObservedPool, state: PoolState): SandboxWarmPoolStatus {
  const { pool, now } = observed;
  const { generation } = pool.metadata;
  const replicas = state.active.length;
  const readyReplicas = state.ready;
  const { template } = observed.templateInUse;
  const verdicts = new Map<string, boolean>();
  // Without a template nothing can be said: the last count stays, for as many as there are.
  const updatedReplicas = template === undefined
    ? Math.min(pool.status?.updatedReplicas ?? 0, replicas)
    : state.active.filter(sandbox => !isStale(sandbox, template, verdicts)).length;
  const conditions = [available(observed, state), progressing(observed, state)].reduce<Condition[]>(
    (list, condition) => withCondition(list, { ...condition, ...definedOnly({ observedGeneration: generation }) }, now),
    pool.status?.conditions ?? [],
  );
  return {
    ...(replicas === 0 ? {} : { replicas }),
    ...(readyReplicas === 0 ? {} : { readyReplicas }),
    ...(updatedReplicas === 0 ? {} : { updatedReplicas }),
    selector: `${LABEL.warmPool}=${poolHash(pool)}`,
    ...definedOnly({ observedGeneration: generation }),
    conditions,
  };
}

/** The request that stores a status; none where nothing changed. */
export function poolStatusWrite({ pool }: ObservedPool, status: SandboxWarmPoolStatus): PatchRequest | undefined {
  const diff = mergeDiff(pool.status ?? {}, status);
  return diff === undefined ? undefined : mergePatch(pool, { status: diff }, { subresource: 'status', ignore: ['NotFound'] });
}

/**
 * Whether the status is written at once: the spec was changed, or a condition became true. The rest is
 * counts, which change with every claim and mostly change back.
 */
export function isUrgent({ pool }: ObservedPool, status: SandboxWarmPoolStatus): boolean {
  const better = (status.conditions ?? []).some(({ type, status: value, reason }) => {
    const before = conditionOf(pool.status?.conditions, type);
    return value === 'True' && (before?.status !== value || before.reason !== reason);
  });
  return better || pool.status?.observedGeneration !== status.observedGeneration;
}

/** Whether the pool has reached its size since its spec was changed last; what claims take from it does not undo that. */
function wasFull({ pool: { metadata, status } }: ObservedPool): boolean {
  return status?.observedGeneration === metadata.generation && conditionOf(status?.conditions, CONDITION.progressing)?.reason === REASON.warmPoolFull;
}

/** As a Deployment has it, with the default of its strategy: a quarter may be missing. */
function available(observed: ObservedPool, { active, ready, unmet }: PoolState): NewCondition {
  const desired = desiredReplicas(observed);
  const minimum = desired - Math.floor(desired / 4);
  const type = CONDITION.available;
  if (ready >= minimum) {
    return { type, status: 'True', reason: REASON.minimumReplicasAvailable, message: 'The pool has its minimum of ready Sandboxes.' };
  }
  const failure = failureOf(active, observed.podOf);
  const cause = failure ?? unmet;
  return {
    type,
    status: 'False',
    reason: cause?.reason ?? REASON.minimumReplicasUnavailable,
    message: `The pool does not have its minimum of ready Sandboxes.${cause === undefined ? '' : ` ${cause.message}`}`,
  };
}

function progressing(observed: ObservedPool, state: PoolState): NewCondition {
  const { active, ready, unmet, errors, held, deadlineExceeded } = state;
  const type = CONDITION.progressing;
  const not = (reason: string, message: string): NewCondition => ({ type, status: 'False', reason, message });
  if (unmet !== undefined) {
    return not(unmet.reason, unmet.message);
  }
  if (errors.length > 0) {
    return not(REASON.reconcilerError, `Error seen: ${cut([...new Set(errors.map(({ message }) => message))].join('\n'))}`);
  }
  if (held > 0) {
    return not(REASON.warmPoolNotProgressing, 'No node takes the Sandboxes that are not ready.');
  }
  if (deadlineExceeded) {
    const failure = failureOf(active, observed.podOf);
    return not(REASON.progressDeadlineExceeded, `The pool has not come closer to its size in time.${failure === undefined ? '' : ` ${failure.message}`}`);
  }
  const full = ready >= desiredReplicas(observed) || wasFull(observed);
  const reason = full ? REASON.warmPoolFull : REASON.warmPoolProgressing;
  const message = full ? 'The pool has reached its size.' : 'The pool is on the way to its size.';
  return { type, status: 'True', reason, message: `${message}${limitation(observed)}` };
}

function limitation({ pool, options: { maxReplicas } }: ObservedPool): string {
  return maxReplicas > 0 && (pool.spec.replicas ?? 1) > maxReplicas
    ? ` The controller limits pools to ${maxReplicas} Sandboxes (--sandbox-warm-pool-max-replicas).`
    : '';
}

/** The most frequent problem of the pool's Sandboxes, with the message of the first of them by name. */
function failureOf(active: readonly Sandbox[], podOf: ObservedPool['podOf']): { reason: string; message: string } | undefined {
  const byReason = new Map<string, Sandbox[]>();
  for (const sandbox of active) {
    const failure = failureReason(sandbox, podOf(sandbox));
    if (failure !== undefined) {
      byReason.set(failure, [...byReason.get(failure) ?? [], sandbox]);
    }
  }
  const [most] = [...byReason].sort(([a, first], [b, second]) => second.length - first.length || (a < b ? -1 : 1));
  if (most === undefined) {
    return undefined;
  }
  const [reason, sandboxes] = most;
  const example = [...sandboxes].sort((a, b) => (a.metadata.name! < b.metadata.name! ? -1 : 1))[0]!;
  const message = conditionOf(example.status?.conditions, CONDITION.ready)?.message ?? '';
  return { reason, message: `Sandbox "${example.metadata.name}": ${reason}: ${cut(message)}` };
}

function cut(text: string): string {
  return text.length > LONGEST_DETAIL ? `${text.slice(0, LONGEST_DETAIL)}…` : text;
}
