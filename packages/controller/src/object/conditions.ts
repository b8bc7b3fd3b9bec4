import { CONDITION, type Condition, type ObjectMeta, REASON, definedOnly } from 'agent-sandbox-api';
import { timestamp } from './time.js';

/** A condition before it has a time; `lastTransitionTime` only for mirrored conditions, which keep the time of their origin. */
export type NewCondition = Omit<Condition, 'lastTransitionTime'> & { readonly lastTransitionTime?: string };

export function conditionOf(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find(condition => condition.type === type);
}

export function isConditionTrue(conditions: readonly Condition[] | undefined, type: string): boolean {
  return conditionOf(conditions, type)?.status === 'True';
}

/** Reasons of `Ready` while requests fail: the API server refuses what the spec asks for, or a request failed otherwise. */
export const FAILED_REASONS: readonly string[] = [REASON.invalidConfiguration, REASON.reconcilerError];

/** Whether `Ready` says that requests fail, so that only another spec, or another try, helps. */
export function hasFailed(conditions: readonly Condition[] | undefined): boolean {
  return FAILED_REASONS.includes(conditionOf(conditions, CONDITION.ready)?.reason ?? '');
}

/**
 * The list with one condition set: replaced in place, or appended. The transition time moves only when the status does,
 * to the time that the incoming condition carries, else to `now`.
 */
export function withCondition(conditions: readonly Condition[] | undefined, incoming: NewCondition, now: number): Condition[] {
  const list = conditions ?? [];
  const old = conditionOf(list, incoming.type);
  const time = old !== undefined && old.status === incoming.status ? old.lastTransitionTime : incoming.lastTransitionTime ?? timestamp(now);
  const { type, status, reason, message, observedGeneration } = incoming;
  const generation = definedOnly({ observedGeneration });
  const merged: Condition = { type, status, reason, message, lastTransitionTime: time, ...generation };
  return old === undefined ? [...list, merged] : list.map(condition => (condition === old ? merged : condition));
}

export function withoutCondition(conditions: readonly Condition[] | undefined, type: string): Condition[] {
  return (conditions ?? []).filter(condition => condition.type !== type);
}

/**
 * Whether the last status of an object was written for its generation, and named no edit without effect. Then there is none: what else
 * differs are defaults of newer definitions, which the API server fills in without a new generation.
 */
export function wasUpToDate({ metadata, status }: Judged): boolean {
  const ready = conditionOf(status?.conditions, CONDITION.ready);
  return ready !== undefined && ready.observedGeneration === metadata.generation && conditionOf(status?.conditions, CONDITION.upToDate) === undefined;
}

interface Judged {
  readonly metadata: ObjectMeta;
  readonly status?: { readonly conditions?: readonly Condition[] };
}
