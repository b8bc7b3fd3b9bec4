import { ANNOTATION, CONDITION, LABEL, LAUNCH_TYPE, type Sandbox, type SandboxClaim } from 'agent-sandbox-api';
import { conditionOf, isConditionTrue } from '../object/conditions.js';
import { annotationOf, createdByOf, labelOf } from '../object/metadata.js';
import { parseTime } from '../object/time.js';
import { measure, type MeasureRequest } from '../reconcile/plan.js';
import type { MetricDefinition } from '../reconcile/definition.js';
import type { ObservedClaim } from './observed.js';

/** Upper bounds in milliseconds, as the original has them. */
const STARTUP_MS = [100, 250, 500, 750, 1000, 1250, 1500, 2000, 2500, 5000, 10_000, 30_000, 60_000, 120_000, 240_000];
const CREATION_MS = [50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 120_000, 240_000, 300_000, 600_000];

const STARTUP_LABELS = ['launch_type', 'sandbox_template'];

const WEBHOOK = 'agent_sandbox_claim_startup_latency_ms';
const CONTROLLER = 'agent_sandbox_claim_controller_startup_latency_ms';
const CLIENT = 'agent_sandbox_client_claim_startup_latency_ms';
const CREATION = 'agent_sandbox_creation_latency_ms';
const CREATED = 'agent_sandbox_claim_creation_total';

/** Names, labels and bounds are those of the original, for its dashboards. */
export const CLAIM_METRICS: readonly MetricDefinition[] = [
  { name: WEBHOOK, type: 'histogram', help: 'From the first sight of a claim by a webhook to its readiness', labels: STARTUP_LABELS, buckets: STARTUP_MS },
  { name: CONTROLLER, type: 'histogram', help: 'From the first sight of a claim by the controller to its readiness', labels: STARTUP_LABELS, buckets: STARTUP_MS },
  { name: CLIENT, type: 'histogram', help: 'From the request of a client to the readiness of its claim', labels: STARTUP_LABELS, buckets: STARTUP_MS },
  { name: CREATION, type: 'histogram', help: 'From the creation of a Sandbox to its readiness', labels: ['namespace', ...STARTUP_LABELS], buckets: CREATION_MS },
  {
    name: CREATED,
    type: 'counter',
    help: 'Claims that got a Sandbox',
    labels: ['namespace', 'sandbox_template', 'launch_type', 'warmpool_name', 'pod_condition', 'created_by'],
  },
];

/** Counts a claim that got its Sandbox. `pool`: where it came from, or which pool a new one stands in for. */
export function createdMeasure(claim: SandboxClaim, sandbox: Sandbox, pool: string | undefined): MeasureRequest {
  const { launch_type, sandbox_template } = startupLabels(sandbox);
  const ready = launch_type === LAUNCH_TYPE.warm && isConditionTrue(sandbox.status?.conditions, CONDITION.ready);
  return measure(CREATED, 1, {
    namespace: claim.metadata.namespace ?? '',
    sandbox_template,
    launch_type,
    warmpool_name: pool || 'none',
    pod_condition: ready ? 'ready' : 'not_ready',
    created_by: createdByOf(claim) ?? 'unknown',
  });
}

/** The latencies of a claim that has just become ready for the first time. Times that are missing, malformed or in the future give none. */
export function readyMeasures({ claim, now, firstSeen }: ObservedClaim, sandbox: Sandbox | undefined): MeasureRequest[] {
  const labels = startupLabels(sandbox);
  const since = (key: string) => parseTime(annotationOf(claim, key));
  const ready = conditionOf(sandbox?.status?.conditions, CONDITION.ready);
  return [
    ...latency(WEBHOOK, since(ANNOTATION.webhookFirstObservedAt), now, labels),
    ...latency(CONTROLLER, since(ANNOTATION.controllerFirstObservedAt) ?? firstSeen, now, labels),
    ...latency(CLIENT, since(ANNOTATION.clientFirstRequestedAt), now, labels),
    ...latency(CREATION, parseTime(sandbox?.metadata.creationTimestamp), parseTime(ready?.lastTransitionTime), {
      namespace: claim.metadata.namespace ?? '', ...labels,
    }),
  ];
}

function latency(name: string, from: number | undefined, to: number | undefined, labels: { [label: string]: string }): MeasureRequest[] {
  return from === undefined || to === undefined || to < from ? [] : [measure(name, to - from, labels)];
}

function startupLabels(sandbox: Sandbox | undefined): { launch_type: string; sandbox_template: string } {
  const launch = sandbox && labelOf(sandbox, LABEL.launchType);
  return {
    launch_type: sandbox === undefined ? 'unknown' : launch === LAUNCH_TYPE.warm ? LAUNCH_TYPE.warm : LAUNCH_TYPE.cold,
    sandbox_template: (sandbox && annotationOf(sandbox, ANNOTATION.templateRef)) || '__unknown__',
  };
}
