import { CONDITION, GROUP, LABEL, REASON, type Sandbox, type SandboxWarmPool, VERSION, definedOnly } from 'agent-sandbox-api';
import { formatDuration } from 'agent-sandbox-program';
import { memberObject, poolHash } from '../blueprint/member.js';
import { unmetPrecondition, type UnmetPrecondition } from '../blueprint/template-in-use.js';
import { conditionOf } from '../object/conditions.js';
import { isDeleting, isOlder } from '../object/metadata.js';
import { ownershipOf } from '../object/ownership.js';
import { create, event, list, refOf, remove, type Failure, type FailureReason, type Outcome, type Plan, type Request } from '../reconcile/plan.js';
import { ask, planOf, andThen, value, type Step } from '../reconcile/step.js';
import { byDeletionPriority, classify, isReady, type Members } from './members.js';
import { desiredReplicas, type ObservedPool, type PoolMemory } from './observed.js';
import { holdAfterLoss, takeTokens, type Grant } from './pacing.js';
import { isUrgent, poolStatus, poolStatusWrite, type PoolState } from './status.js';
import { findStuck, graceMsOf, type Stuck } from './stuck.js';
import { tolerantSlowStart, slowStart } from './slow-start.js';

/** Failures after which the request may have been carried out all the same. */
const UNCLEAR: readonly FailureReason[] = ['Timeout', 'Unknown', 'Cancelled'];

/** When to look again at what another writer has just changed, or the cache does not show yet. */
const SOON_MS = 500;
/** The template's controller may learn meanwhile that the API server refuses the policy. */
const POLICY_WAIT_MS = 2000;
/** When to go on with the next batch. */
const AT_ONCE_MS = 1;

/** Longest delay of the next reconciliation; timers are limited. */
const LONGEST_MS = 3_600_000;

/** The pool's Sandboxes so far in a reconciliation. */
interface Population {
  readonly active: readonly Sandbox[];
  readonly terminating: number;
  readonly errors: readonly Failure[];
  /** Milliseconds until the next look that no event would trigger. */
  readonly again?: number;
}

/** The result of creating Sandboxes. */
interface Creation extends Population {
  readonly certain: boolean;
  readonly heldUntil?: number;
  readonly grant?: Grant;
}

/**
 * Reconciles a pool: repairs and deletes Sandboxes, creates missing ones in slow-start batches, then writes the status.
 * Nothing is sent when nothing has changed.
 */
export function reconcilePool(observed: ObservedPool): Plan<PoolMemory> {
  const { pool, templateInUse } = observed;
  if (isDeleting(pool)) {
    return { requests: [], memory: null };
  }
  const unmet = unmetPrecondition(templateInUse) ?? collision(observed);
  const members = classify(observed, unmet === undefined ? templateInUse.template : undefined);
  const stuck = findStuck(observed, members.active);
  const step = andThen(repairMembers(observed, members), repaired =>
    andThen(deleteMembers(observed, members, stuck, repaired), population => createMembers(observed, unmet, population)));
  return planOf(step, creation => {
    const left = creation.active === members.active ? stuck : findStuck(observed, creation.active);
    return finish(observed, unmet, creation, { ...left, quota: stuck.quota });
  });
}

/** Of two pools with the same hash the younger gets no Sandboxes, since the selectors of both would match. */
function collision({ pool, sameHash, sandboxes }: ObservedPool): UnmetPrecondition | undefined {
  const elder = sameHash.find(other => other.metadata.name !== pool.metadata.name && isOlder(other, pool));
  if (elder === undefined || sandboxes.some(sandbox => ownershipOf(sandbox, pool) === 'own')) {
    return undefined;
  }
  const message = `the pool name "${pool.metadata.name}" has the same hash ${poolHash(pool)} as the older pool "${elder.metadata.name}": choose another name`;
  return { reason: REASON.invalidConfiguration, message, blockedBy: [refOf(elder)] };
}

/** Adopts Sandboxes and repairs the labels of others. A Sandbox that could not be adopted does not count. */
function repairMembers({ pool }: ObservedPool, { active, terminating, repairs }: Members): Step<Population> {
  if (repairs.size === 0) {
    return value({ active, terminating, errors: [] });
  }
  const repaired = [...repairs.keys()];
  return andThen(tolerantSlowStart([...repairs.values()]), outcomes => {
    const failed = new Set(repaired.filter((_, i) => outcomes[i]?.ok !== true));
    return value({
      active: active.filter(sandbox => !failed.has(sandbox) || ownershipOf(sandbox, pool) === 'own'),
      terminating,
      errors: failures(outcomes, ['Conflict', 'NotFound']),
      ...(failed.size > 0 ? { again: SOON_MS } : {}),
    });
  });
}

/** Deletes one batch of Sandboxes: stuck ones first, then stale ones, then surplus ones. */
function deleteMembers(observed: ObservedPool, { stale }: Members, stuck: Stuck, population: Population): Step<Population> {
  const { active, terminating, errors, again } = population;
  const replaced = new Set(stuck.replaced);
  const healthy = replaced.size === 0 ? active : active.filter(sandbox => !replaced.has(sandbox));
  const excess = Math.max(0, healthy.length - desiredReplicas(observed));
  const surplus = excess === 0 ? [] : [...healthy].sort(byDeletionPriority).slice(0, excess);
  const unusable = replaced.size === 0 ? [] : active.filter(sandbox => replaced.has(sandbox));
  const wanted = [...unusable, ...[...stale].sort(byDeletionPriority), ...surplus];
  if (wanted.length === 0) {
    return value(population);
  }
  const targets = wanted.slice(0, observed.options.batchSize);
  // Locked by version: a claim may take the Sandbox at the same moment, and then it is no longer ours to delete.
  const requests = targets.map(sandbox =>
    remove(sandbox, { resourceVersion: sandbox.metadata.resourceVersion, ignore: ['NotFound', 'Conflict'] }));
  return andThen(tolerantSlowStart(requests), outcomes => {
    const going = new Set(targets.filter((_, i) => isGoing(outcomes[i])));
    const lingering = outcomes.filter(outcome => outcome.ok && outcome.object !== undefined).length;
    const conflict = outcomes.some(outcome => !outcome.ok && outcome.failure.reason === 'Conflict');
    return value({
      active: active.filter(sandbox => !going.has(sandbox)),
      // Stale members count until they are deleted, so that their successors are not created too early.
      terminating: terminating + lingering + stale.filter(sandbox => !going.has(sandbox)).length,
      errors: [...errors, ...failures(outcomes, ['NotFound', 'Conflict'])],
      ...soonest(again, conflict ? SOON_MS : undefined, wanted.length > targets.length ? AT_ONCE_MS : undefined),
    });
  });
}

function createMembers(observed: ObservedPool, unmet: UnmetPrecondition | undefined, population: Population): Step<Creation> {
  const { monotonic: now, memory, options } = observed;
  const certain = memory?.certain ?? false;
  const desired = desiredReplicas(observed);
  const heldUntil = holdAfterLoss(population.active.length, desired, now, memory, options);
  const missing = desired - population.active.length - population.terminating;
  const nothing: Creation = { ...population, certain, ...definedOnly({ heldUntil }) };
  if (missing <= 0 || unmet !== undefined || heldUntil !== undefined) {
    return value(nothing);
  }
  return andThen(certain ? value<Certainty>('certain') : ensureCertainty(observed), certainty => {
    if (certainty === 'behind') {
      return value({ ...nothing, ...soonest(population.again, SOON_MS) });
    }
    if (certainty !== 'certain') {
      return value({ ...nothing, errors: [...population.errors, certainty] });
    }
    const grant = takeTokens(Math.min(missing, options.batchSize), options.refillRate, memory?.bucket, now);
    return andThen(createMissing(observed, grant.count), ({ created, errors, unclear }) => value({
      ...population,
      active: [...population.active, ...created],
      errors: [...population.errors, ...errors],
      certain: !unclear,
      grant,
      ...soonest(population.again, created.length < missing && grant.waitMs === undefined ? AT_ONCE_MS : undefined),
    }));
  });
}

/** Whether the cache shows all Sandboxes of the pool, or why that is unknown. */
type Certainty = 'certain' | 'behind' | Failure;

/** Lists the pool's Sandboxes past the cache: one that is not in the cache yet must not be created twice. */
function ensureCertainty({ pool, sandboxes }: ObservedPool): Step<Certainty> {
  const target = { apiVersion: `${GROUP}/${VERSION}`, kind: 'Sandbox', namespace: pool.metadata.namespace ?? '' };
  return ask<Certainty>(list(target, { [LABEL.warmPool]: poolHash(pool) }), outcome => {
    if (!outcome.ok) {
      return value(outcome.failure);
    }
    const seen = new Set(sandboxes.map(({ metadata }) => metadata.uid));
    const unseen = (outcome.items ?? []).some(item => ownershipOf(item, pool) === 'own' && !seen.has(item.metadata.uid));
    return value(unseen ? 'behind' : 'certain');
  });
}

interface Created {
  readonly created: readonly Sandbox[];
  readonly errors: readonly Failure[];
  /** A Sandbox may have been made although the answer does not say so. */
  readonly unclear: boolean;
}

function createMissing(observed: ObservedPool, count: number): Step<Created> {
  const { pool, templateInUse, nameOf, options } = observed;
  const template = templateInUse.template!;
  const requests = Array.from({ length: count }, (_, i) =>
    create(memberObject(pool, template, { name: nameOf(i), evictable: options.evictable }), { ignore: ['AlreadyExists'] }));
  return andThen(slowStart(requests), outcomes => value({
    created: outcomes.flatMap(outcome => (outcome.ok && outcome.object !== undefined ? [outcome.object as Sandbox] : [])),
    errors: failures(outcomes, ['AlreadyExists']),
    unclear: outcomes.some(outcome => !outcome.ok && UNCLEAR.includes(outcome.failure.reason)),
  }));
}

function finish(observed: ObservedPool, unmet: UnmetPrecondition | undefined, creation: Creation, stuck: Stuck): Plan<PoolMemory> {
  const { monotonic: now, options, memory } = observed;
  const { active, errors, certain, heldUntil, grant, again } = creation;
  const held = stuck.held.length;
  const ready = active.filter(isReady).length;
  const complete = ready >= desiredReplicas(observed);
  const waiting = unmet !== undefined || heldUntil !== undefined;
  const stalledSince = complete || waiting ? undefined : lastProgress(observed, ready);
  const deadline = stalledSince === undefined ? undefined : stalledSince + options.progressDeadlineMs;
  const deadlineExceeded = deadline !== undefined && now >= deadline;
  const state: PoolState = {
    active, ready, ...definedOnly({ unmet }), errors, held, deadlineExceeded,
  };
  const bucket = grant?.bucket ?? memory?.bucket;
  const status = poolStatus(observed, state);
  const write = poolStatusWrite(observed, status);
  // After repeated failures, the next reconciliation may be far away.
  const failing = errors.length > 0 && memory?.failed === true;
  const statusDue = write === undefined || failing || isUrgent(observed, status) ? now : (memory?.statusSince ?? now) + options.statusWindowMs;
  const delays = [
    again, unmet?.reason === REASON.networkPolicyNotReady ? POLICY_WAIT_MS : undefined,
    grant?.waitMs, heldUntil === undefined ? undefined : heldUntil - now, held > 0 ? options.recheckMs : undefined,
    stuck.deadline === undefined ? undefined : stuck.deadline - now, statusDue > now ? statusDue - now : undefined,
    deadline === undefined || deadlineExceeded ? undefined : deadline - now,
  ].filter((delay): delay is number => delay !== undefined);
  return {
    requests: [...(write === undefined || statusDue > now ? [] : [write]), ...schedulingEvent(observed, held)],
    errors,
    blockedBy: unmet?.blockedBy ?? [],
    ...(delays.length === 0 ? {} : { requeueAfterMs: Math.min(LONGEST_MS, ...delays) }),
    memory: {
      certain,
      active: active.length,
      ...definedOnly({ heldUntil, bucket }),
      ready,
      unready: stuck.unready,
      quota: stuck.quota,
      ...definedOnly({ stalledSince }),
      ...(statusDue > now ? { statusSince: memory?.statusSince ?? now } : {}),
      reportedUnschedulable: held > 0,
      ...(errors.length > 0 ? { failed: true } : {}),
    },
  };
}

/** When the pool last came closer to its size, milliseconds on the monotonic clock. */
function lastProgress({ pool, monotonic: now, memory, options }: ObservedPool, ready: number): number {
  if (memory === undefined) {
    // The condition from before a restart is kept until something changes.
    return progressReason(pool) === REASON.progressDeadlineExceeded ? now - options.progressDeadlineMs : now;
  }
  const changed = pool.status?.observedGeneration !== pool.metadata.generation;
  return changed || ready > memory.ready ? now : memory.stalledSince ?? now;
}

/** Reports once that Sandboxes are unschedulable, and once that they no longer are. */
function schedulingEvent(observed: ObservedPool, held: number): Request[] {
  const { pool, memory } = observed;
  const reported = memory?.reportedUnschedulable ?? progressReason(pool) === REASON.warmPoolNotProgressing;
  if (reported === held > 0) {
    return [];
  }
  const action = 'Reconciling';
  if (held === 0) {
    return [event(pool, { type: 'Normal', reason: REASON.warmPoolProgressing, action, note: 'Warm pool is progressing again' })];
  }
  const note = `${held}/${desiredReplicas(observed)} sandboxes are unschedulable past the ${formatDuration(graceMsOf(observed))} readiness grace period; `
    + 'holding them instead of replacing (replacements would be equally unschedulable)';
  return [event(pool, { type: 'Warning', reason: REASON.warmPoolNotProgressing, action, note })];
}

function progressReason({ status }: SandboxWarmPool): string | undefined {
  return conditionOf(status?.conditions, CONDITION.progressing)?.reason;
}

function isGoing(outcome: Outcome | undefined): boolean {
  return outcome !== undefined && (outcome.ok || outcome.failure.reason === 'NotFound');
}

function failures(outcomes: readonly Outcome[], ignored: readonly FailureReason[]): Failure[] {
  return outcomes.flatMap(outcome => (outcome.ok || ignored.includes(outcome.failure.reason) ? [] : [outcome.failure]));
}

function soonest(...delays: readonly (number | undefined)[]): Pick<Population, 'again'> {
  const known = delays.filter((delay): delay is number => delay !== undefined);
  return known.length === 0 ? {} : { again: Math.min(...known) };
}
