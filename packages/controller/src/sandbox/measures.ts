import { CONDITION, type Sandbox, type SandboxStatus } from 'agent-sandbox-api';
import { conditionOf, isConditionTrue } from '../object/conditions.js';
import type { MetricDefinition } from '../reconcile/definition.js';
import { measure, type MeasureRequest } from '../reconcile/plan.js';
import { countLabels } from './count-labels.js';
import type { SandboxMemory } from './observed.js';

/** Upper bounds in milliseconds. */
const LATENCY_MS = [50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 120_000, 300_000];

const SUSPENDED = 'agent_sandbox_suspend_total';
const RESUMED = 'agent_sandbox_resume_total';
const SUSPEND_LATENCY = 'agent_sandbox_suspend_latency_ms';
const RESUME_LATENCY = 'agent_sandbox_resume_latency_ms';
const EXPIRED = 'agent_sandbox_expired_total';
const FINISHED = 'agent_sandbox_finished_total';

const LABELS = ['namespace', 'sandbox_template', 'owned_by'];

/** Names and labels are those of the original, for its dashboards. */
export const SANDBOX_METRICS: readonly MetricDefinition[] = [
  { name: SUSPENDED, type: 'counter', help: 'Sandboxes that were suspended', labels: [...LABELS, 'result'] },
  { name: RESUMED, type: 'counter', help: 'Sandboxes that were resumed', labels: [...LABELS, 'result'] },
  { name: SUSPEND_LATENCY, type: 'histogram', help: 'From the first sight of a suspended spec until the Pod is gone', labels: LABELS, buckets: LATENCY_MS },
  { name: RESUME_LATENCY, type: 'histogram', help: 'From the first sight of a resumed spec until the Sandbox is ready', labels: LABELS, buckets: LATENCY_MS },
  { name: EXPIRED, type: 'counter', help: 'Sandboxes that expired', labels: [...LABELS, 'shutdown_policy'] },
  { name: FINISHED, type: 'counter', help: 'Sandboxes whose work ended', labels: [...LABELS, 'reason'] },
];

/** Measurements of what a status that is written says for the first time. `now`: milliseconds on the monotonic clock. */
export function statusMeasures(sandbox: Sandbox, status: SandboxStatus, memory: SandboxMemory | undefined, now: number): MeasureRequest[] {
  const became = (type: string) => isConditionTrue(status.conditions, type) && !isConditionTrue(sandbox.status?.conditions, type);
  const labels = labelsOf(sandbox);
  const latency = (metric: string, since: number | undefined) => (since === undefined ? [] : [measure(metric, now - since, labels)]);
  const succeeded = { ...labels, result: 'success' };
  const finished = conditionOf(status.conditions, CONDITION.finished);
  return [
    // A Sandbox that is suspended from its beginning was not suspended by anyone.
    ...(became(CONDITION.suspended) && conditionOf(sandbox.status?.conditions, CONDITION.suspended) !== undefined
      ? [measure(SUSPENDED, 1, succeeded), ...latency(SUSPEND_LATENCY, memory?.suspendingSince)]
      : []),
    ...(became(CONDITION.ready) && memory?.resumingSince !== undefined
      ? [measure(RESUMED, 1, succeeded), ...latency(RESUME_LATENCY, memory.resumingSince)]
      : []),
    ...(became(CONDITION.finished) ? [measure(FINISHED, 1, { ...labels, reason: finished!.reason })] : []),
  ];
}

/** Counts a Sandbox that has expired. */
export function expiredMeasure(sandbox: Sandbox): MeasureRequest {
  return measure(EXPIRED, 1, { ...labelsOf(sandbox), shutdown_policy: sandbox.spec.shutdownPolicy ?? 'Retain' });
}

/** Counts a resumed Sandbox whose Pod the API server refuses for good. */
export function failedResumeMeasures(sandbox: Sandbox, memory: SandboxMemory | undefined): MeasureRequest[] {
  return memory?.resumingSince === undefined ? [] : [measure(RESUMED, 1, { ...labelsOf(sandbox), result: 'failure' })];
}

/** The labels that all metrics of Sandboxes have. */
function labelsOf(sandbox: Sandbox): { [label: string]: string } {
  const { namespace, sandbox_template, owned_by } = countLabels(sandbox);
  return { namespace, sandbox_template, owned_by };
}
