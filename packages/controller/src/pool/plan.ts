import { CONDITION, GROUP, LABEL, REASON, VERSION, type Sandbox, type SandboxWarmPool } from 'agent-sandbox-api';
import { formatDuration } from 'agent-sandbox-kube';
import { memberObject, poolHash } from '../blueprint/member.js';
import { hindranceOf, type Hindrance } from '../blueprint/readiness.js';
import { conditionOf, isDeleting, isOlder, ownershipOf } from '../object.js';
import { create, event, list, refOf, remove, type Failure, type FailureReason, type Outcome, type Plan, type Request } from '../plan.js';
import { ask, planOf, then, value, type Step } from '../step.js';
import { byUselessness, classify, isReady, type Members } from './members.js';
import { desiredReplicas, type ObservedPool, type PoolMemory } from './observed.js';
import { holdAfterLoss, takeTokens, type Grant } from './pacing.js';
import { isUrgent, poolStatus, poolStatusWrite, type PoolFindings } from './status.js';
import { findStuck, type Stuck } from './stuck.js';
import { inTolerantWaves, inWaves } from './waves.js';

/** Failures after which the request may have been carried out all the same. */
const UNCLEAR: readonly FailureReason[] = ['Timeout', 'Unknown', 'Cancelled'];

/** When to look again at what another writer has just changed, or the cache does not show yet. */
const SOON_MS = 500;
/** When to go on with the next batch. */
const AT_ONCE_MS = 1;

/** Longest wish for a next pass; timers cannot wait for ever. */
const LONGEST_MS = 3_600_000;

/** What has become of the pool's Sandboxes so far in a pass. */
interface Population {
  readonly active: readonly Sandbox[];
  readonly terminating: number;
  readonly errors: readonly Failure[];
  /** Something is left to do, or to see, without an event that would say so. */
  readonly again?: number;
}

/** What making Sandboxes came to. */
interface Creation extends Population {
  readonly certain: boolean;
  readonly heldUntil?: number;
  readonly grant?: Grant;
}

/**
 * One pass over a pool: first what must go or must be put right, then what is missing, in waves, then the status. A pass that
 * finds everything as it should be sends nothing.
 */
export function planPool(observed: ObservedPool): Plan<PoolMemory> {
  const { pool, templateInUse } = observed;
  if (isDeleting(pool)) {
    return { requests: [], memory: null };
  }
  const hindrance = hindranceOf(templateInUse) ?? collision(observed);
  const members = classify(observed, hindrance === undefined ? templateInUse.template : undefined);
  const stuck = findStuck(observed, members.active);
  const step = then(repairMembers(observed, members), (repaired) =>
    then(deleteMembers(observed, members, stuck, repaired), (population) => createMembers(observed, hindrance, population)));
  return planOf(step, (creation) =>
    finish(observed, hindrance, creation, creation.active === members.active ? stuck : findStuck(observed, creation.active)));
}

/** Of two pools with one hash the younger gets no Sandboxes: the selectors of both would find those of both. */
function collision({ pool, sameHash, sandboxes }: ObservedPool): Hindrance | undefined {
  const elder = sameHash.find((other) => other.metadata.name !== pool.metadata.name && isOlder(other, pool));
  if (elder === undefined || sandboxes.some((sandbox) => ownershipOf(sandbox, pool) === 'own')) {
    return undefined;
  }
  const message = `the pool name "${pool.metadata.name}" has the same hash ${poolHash(pool)} as the older pool "${elder.metadata.name}": choose another name`;
  return { reason: REASON.invalidConfiguration, message, blockedBy: [refOf(elder)] };
}

/** Adopts Sandboxes and mends the labels of others. A Sandbox that could not be adopted does not count. */
function repairMembers({ pool }: ObservedPool, { active, terminating, repairs }: Members): Step<Population> {
  if (repairs.size === 0) {
    return value({ active, terminating, errors: [] });
  }
  const repaired = [...repairs.keys()];
  return then(inTolerantWaves([...repairs.values()]), (outcomes) => {
    const failed = new Set(repaired.filter((_, i) => outcomes[i]?.ok !== true));
    return value({
      active: active.filter((sandbox) => !failed.has(sandbox) || ownershipOf(sandbox, pool) === 'own'),
      terminating,
      errors: failures(outcomes, ['Conflict', 'NotFound']),
      ...(failed.size > 0 ? { again: SOON_MS } : {}),
    });
  });
}

/** Deletes what does not become ready, what is stale, and what is too many, in this order; one pass deletes one batch. */
function deleteMembers(observed: ObservedPool, { stale }: Members, stuck: Stuck, population: Population): Step<Population> {
  const { active, terminating, errors, again } = population;
  const replaced = new Set(stuck.replaced);
  const healthy = replaced.size === 0 ? active : active.filter((sandbox) => !replaced.has(sandbox));
  const excess = Math.max(0, healthy.length - desiredReplicas(observed));
  const surplus = excess === 0 ? [] : [...healthy].sort(byUselessness).slice(0, excess);
  const wanted = [...(replaced.size === 0 ? [] : active.filter((sandbox) => replaced.has(sandbox))), ...[...stale].sort(byUselessness), ...surplus];
  if (wanted.length === 0) {
    return value(population);
  }
  const targets = wanted.slice(0, observed.options.batchSize);
  // Locked by version: a claim may take the Sandbox at the same moment, and then it is no longer ours to delete.
  const requests = targets.map((sandbox) =>
    remove(sandbox, { resourceVersion: sandbox.metadata.resourceVersion, ignore: ['NotFound', 'Conflict'] }));
  return then(inTolerantWaves(requests), (outcomes) => {
    const going = new Set(targets.filter((_, i) => isGoing(outcomes[i])));
    const lingering = outcomes.filter((outcome) => outcome.ok && outcome.object !== undefined).length;
    const conflict = outcomes.some((outcome) => !outcome.ok && outcome.failure.reason === 'Conflict');
    return value({
      active: active.filter((sandbox) => !going.has(sandbox)),
      // What is stale counts until it is gone, so that its successors do not come too early.
      terminating: terminating + lingering + stale.filter((sandbox) => !going.has(sandbox)).length,
      errors: [...errors, ...failures(outcomes, ['NotFound', 'Conflict'])],
      ...soonest(again, conflict ? SOON_MS : undefined, wanted.length > targets.length ? AT_ONCE_MS : undefined),
    });
  });
}

function createMembers(observed: ObservedPool, hindrance: Hindrance | undefined, population: Population): Step<Creation> {
  const { now, memory, options } = observed;
  const certain = memory?.certain ?? false;
  const desired = desiredReplicas(observed);
  const heldUntil = holdAfterLoss(population.active.length, desired, now, memory, options);
  const missing = desired - population.active.length - population.terminating;
  const nothing: Creation = { ...population, certain, ...(heldUntil === undefined ? {} : { heldUntil }) };
  if (missing <= 0 || hindrance !== undefined || heldUntil !== undefined) {
    return value(nothing);
  }
  return then(certain ? value<Certainty>('certain') : ensureCertainty(observed), (certainty) => {
    if (certainty === 'behind') {
      return value({ ...nothing, ...soonest(population.again, SOON_MS) });
    }
    if (certainty !== 'certain') {
      return value({ ...nothing, errors: [...population.errors, certainty] });
    }
    const grant = takeTokens(Math.min(missing, options.batchSize), options.refillRate, memory?.bucket, now);
    return then(createInWaves(observed, grant.count), ({ created, errors, unclear }) => value({
      ...population,
      active: [...population.active, ...created],
      errors: [...population.errors, ...errors],
      certain: !unclear,
      grant,
      ...soonest(population.again, created.length < missing && grant.waitMs === undefined ? AT_ONCE_MS : undefined),
    }));
  });
}

/** Whether the cache shows all Sandboxes of the pool, or why that cannot be told. */
type Certainty = 'certain' | 'behind' | Failure;

/** Asks the API server for the pool's Sandboxes: one that is not in the cache yet must not be made a second time. */
function ensureCertainty({ pool, sandboxes }: ObservedPool): Step<Certainty> {
  const target = { apiVersion: `${GROUP}/${VERSION}`, kind: 'Sandbox', namespace: pool.metadata.namespace ?? '' };
  return ask<Certainty>(list(target, { [LABEL.warmPool]: poolHash(pool) }), (outcome) => {
    if (!outcome.ok) {
      return value(outcome.failure);
    }
    const seen = new Set(sandboxes.map(({ metadata }) => metadata.uid));
    const unseen = (outcome.items ?? []).some((item) => ownershipOf(item, pool) === 'own' && !seen.has(item.metadata.uid));
    return value(unseen ? 'behind' : 'certain');
  });
}

interface Created {
  readonly created: readonly Sandbox[];
  readonly errors: readonly Failure[];
  /** A Sandbox may have been made although the answer does not say so. */
  readonly unclear: boolean;
}

function createInWaves(observed: ObservedPool, count: number): Step<Created> {
  const { pool, templateInUse, nameOf, options } = observed;
  const template = templateInUse.template!;
  const requests = Array.from({ length: count }, (_, i) =>
    create(memberObject(pool, template, { name: nameOf(i), evictable: options.evictable }), { ignore: ['AlreadyExists'] }));
  return then(inWaves(requests), (outcomes) => value({
    created: outcomes.flatMap((outcome) => (outcome.ok && outcome.object !== undefined ? [outcome.object as Sandbox] : [])),
    errors: failures(outcomes, ['AlreadyExists']),
    unclear: outcomes.some((outcome) => !outcome.ok && UNCLEAR.includes(outcome.failure.reason)),
  }));
}

function finish(observed: ObservedPool, hindrance: Hindrance | undefined, creation: Creation, stuck: Stuck): Plan<PoolMemory> {
  const { now, options, memory } = observed;
  const { active, errors, certain, heldUntil, grant, again } = creation;
  const held = stuck.held.length;
  const ready = active.filter(isReady).length;
  const complete = ready >= desiredReplicas(observed);
  const waiting = hindrance !== undefined || heldUntil !== undefined;
  const stalledSince = complete || waiting ? undefined : lastProgress(observed, ready);
  const deadline = stalledSince === undefined ? undefined : stalledSince + options.progressDeadlineMs;
  const deadlineExceeded = deadline !== undefined && now >= deadline;
  const findings: PoolFindings = {
    active, ready, ...(hindrance === undefined ? {} : { hindrance }), errors, held, deadlineExceeded,
  };
  const bucket = grant?.bucket ?? memory?.bucket;
  const status = poolStatus(observed, findings);
  const write = poolStatusWrite(observed, status);
  // Where passes fail one after the other, the next one may be far away.
  const failing = errors.length > 0 && memory?.failed === true;
  const statusDue = write === undefined || failing || isUrgent(observed, status) ? now : (memory?.statusSince ?? now) + options.statusWindowMs;
  const wishes = [
    again, grant?.waitMs, heldUntil === undefined ? undefined : heldUntil - now, held > 0 ? options.recheckMs : undefined,
    stuck.deadline === undefined ? undefined : stuck.deadline - now, statusDue > now ? statusDue - now : undefined,
    deadline === undefined || deadlineExceeded ? undefined : deadline - now,
  ].filter((wish): wish is number => wish !== undefined);
  return {
    requests: [...(write === undefined || statusDue > now ? [] : [write]), ...schedulingEvent(observed, held)],
    errors,
    blockedBy: hindrance?.blockedBy ?? [],
    ...(wishes.length === 0 ? {} : { requeueAfterMs: Math.min(LONGEST_MS, ...wishes) }),
    memory: {
      certain,
      active: active.length,
      ...(heldUntil === undefined ? {} : { heldUntil }),
      ...(bucket === undefined ? {} : { bucket }),
      ready,
      ...(stalledSince === undefined ? {} : { stalledSince }),
      ...(statusDue > now ? { statusSince: memory?.statusSince ?? now } : {}),
      toldUnschedulable: held > 0,
      ...(errors.length > 0 ? { failed: true } : {}),
    },
  };
}

/** When the pool last came closer to its size, milliseconds since the epoch. */
function lastProgress({ pool, now, memory, options }: ObservedPool, ready: number): number {
  if (memory === undefined) {
    // What was said before a restart stays true until something moves.
    return progressReason(pool) === REASON.progressDeadlineExceeded ? now - options.progressDeadlineMs : now;
  }
  const changed = pool.status?.observedGeneration !== pool.metadata.generation;
  return changed || ready > memory.ready ? now : memory.stalledSince ?? now;
}

/** Tells once that Sandboxes find no node, and once that they do. */
function schedulingEvent(observed: ObservedPool, held: number): Request[] {
  const { pool, memory, options: { graceMs } } = observed;
  const told = memory?.toldUnschedulable ?? progressReason(pool) === REASON.warmPoolNotProgressing;
  if (told === held > 0) {
    return [];
  }
  const action = 'Reconciling';
  if (held === 0) {
    return [event(pool, { type: 'Normal', reason: REASON.warmPoolProgressing, action, note: 'Warm pool is progressing again' })];
  }
  const note = `${held}/${desiredReplicas(observed)} sandboxes are unschedulable past the ${formatDuration(graceMs)} readiness grace period; `
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
  return outcomes.flatMap((outcome) => (outcome.ok || ignored.includes(outcome.failure.reason) ? [] : [outcome.failure]));
}

function soonest(...wishes: readonly (number | undefined)[]): Pick<Population, 'again'> {
  const known = wishes.filter((wish): wish is number => wish !== undefined);
  return known.length === 0 ? {} : { again: Math.min(...known) };
}
