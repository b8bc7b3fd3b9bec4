import { CONDITION, REASON, isMeantToRun, type Sandbox, type SandboxStatus } from 'agent-sandbox-api';
import { conditionOf, hasFailed, isConditionTrue } from '../object/conditions.js';
import type { MetricDefinition } from '../reconcile/definition.js';
import { measure, type MeasureRequest } from '../reconcile/plan.js';
import { countLabels } from './count-labels.js';
import type { SandboxMemory } from './observed.js';

/** Upper bounds in milliseconds. */
const LATENCY_MS = [50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 120_000, 240_000, 300_000, 600_000];

const SUSPENDED = 'agent_sandbox_suspend_total';
const RESUMED = 'agent_sandbox_resume_total';
const SUSPEND_LATENCY = 'agent_sandbox_suspend_latency_ms';
const RESUME_LATENCY = 'agent_sandbox_resume_latency_ms';
const EXPIRED = 'agent_sandbox_expired_total';
const FINISHED = 'agent_sandbox_finished_total';

const LABELS = ['namespace', 'sandbox_template', 'owned_by'];

/** Names, labels, their values and bounds are those of the original, for its dashboards. */
export const SANDBOX_METRICS: readonly MetricDefinition[] = [
  { name: SUSPENDED, type: 'counter', help: 'Suspensions by result: requested, pod_terminated, error', labels: [...LABELS, 'result'] },
  { name: RESUMED, type: 'counter', help: 'Resumptions by result: requested, ready, error', labels: [...LABELS, 'result'] },
  { name: SUSPEND_LATENCY, type: 'histogram', help: 'From the first sight of a suspended spec until the Pod is gone', labels: LABELS, buckets: LATENCY_MS },
  { name: RESUME_LATENCY, type: 'histogram', help: 'From the first sight of a resumed spec until the Sandbox is ready', labels: LABELS, buckets: LATENCY_MS },
  { name: EXPIRED, type: 'counter', help: 'Sandboxes that expired', labels: [...LABELS, 'shutdown_policy'] },
  { name: FINISHED, type: 'counter', help: 'Sandboxes whose work ended', labels: [...LABELS, 'reason'] },
];

/** Measurements of what a status that is written says for the first time. `now`: milliseconds on the monotonic clock. */
export function statusMeasures(sandbox: Sandbox, status: SandboxStatus, memory: SandboxMemory | undefined, now: number): MeasureRequest[] {
  const finished = conditionOf(status.conditions, CONDITION.finished);
  return [
    ...(isMeantToRun(sandbox) ? resumption(sandbox, status, memory, now) : suspension(sandbox, status, memory, now)),
    ...(became(sandbox, status, CONDITION.finished) ? [measure(FINISHED, 1, { ...labelsOf(sandbox), reason: finished!.reason })] : []),
  ];
}

/** A Sandbox that is suspended from its beginning was not suspended by anyone. */
function suspension(sandbox: Sandbox, status: SandboxStatus, memory: SandboxMemory | undefined, now: number): MeasureRequest[] {
  const ran = conditionOf(sandbox.status?.conditions, CONDITION.suspended)?.status === 'False';
  const isReported = conditionOf(sandbox.status?.conditions, CONDITION.ready)?.reason === REASON.sandboxSuspended;
  const isNew = ran && !isReported && memory?.suspendingSince === undefined;
  return [
    ...(isNew ? [result(SUSPENDED, sandbox, 'requested')] : []),
    ...(ran && failedAnew(sandbox, status) ? [result(SUSPENDED, sandbox, 'error')] : []),
    ...(ran && became(sandbox, status, CONDITION.suspended)
      ? [result(SUSPENDED, sandbox, 'pod_terminated'), ...latency(SUSPEND_LATENCY, sandbox, memory?.suspendingSince, now)]
      : []),
  ];
}

function resumption(sandbox: Sandbox, status: SandboxStatus, memory: SandboxMemory | undefined, now: number): MeasureRequest[] {
  const isNew = isConditionTrue(sandbox.status?.conditions, CONDITION.suspended) && !isConditionTrue(status.conditions, CONDITION.suspended);
  const resuming = isNew || memory?.resumingSince !== undefined;
  return [
    ...(isNew ? [result(RESUMED, sandbox, 'requested')] : []),
    ...(resuming && failedAnew(sandbox, status) ? [result(RESUMED, sandbox, 'error')] : []),
    ...(resuming && became(sandbox, status, CONDITION.ready)
      ? [result(RESUMED, sandbox, 'ready'), ...latency(RESUME_LATENCY, sandbox, memory?.resumingSince, now)]
      : []),
  ];
}

function became(sandbox: Sandbox, status: SandboxStatus, type: string): boolean {
  return isConditionTrue(status.conditions, type) && !isConditionTrue(sandbox.status?.conditions, type);
}

/** Whether the status says for the first time that requests fail. */
function failedAnew(sandbox: Sandbox, status: SandboxStatus): boolean {
  const [before, after] = [sandbox.status?.conditions, status.conditions].map(conditions => conditionOf(conditions, CONDITION.ready)?.reason);
  return hasFailed(status.conditions) && before !== after;
}

function result(metric: string, sandbox: Sandbox, value: string): MeasureRequest {
  return measure(metric, 1, { ...labelsOf(sandbox), result: value });
}

function latency(metric: string, sandbox: Sandbox, since: number | undefined, now: number): MeasureRequest[] {
  return since === undefined ? [] : [measure(metric, now - since, labelsOf(sandbox))];
}

/** Counts a Sandbox that has expired. */
export function expiredMeasure(sandbox: Sandbox): MeasureRequest {
  return measure(EXPIRED, 1, { ...labelsOf(sandbox), shutdown_policy: sandbox.spec.shutdownPolicy ?? 'Retain' });
}

/** The labels that all metrics of Sandboxes have. */
function labelsOf(sandbox: Sandbox): { [label: string]: string } {
  const { namespace, sandbox_template, owned_by } = countLabels(sandbox);
  return { namespace, sandbox_template, owned_by };
}
