import { CONDITION, EXTENSIONS_GROUP, LABEL, REASON, type Sandbox, type SandboxStatus, definedOnly } from 'agent-sandbox-api';
import { conditionOf, isConditionTrue } from '../object/conditions.js';
import { mergeDiff, semanticallyEqual } from '../object/diff.js';
import { controllerOf, isOfKind } from '../object/ownership.js';
import { mergePatch, type PatchRequest } from '../reconcile/plan.js';
import { sandboxConditions, type ChildrenState } from './conditions.js';
import { hashOf, nameOf, namespaceOf, type ObservedSandbox } from './observed.js';

/** The status of a Sandbox that has not expired. */
export function sandboxStatus({ sandbox, now, options }: ObservedSandbox, children: ChildrenState): SandboxStatus {
  const { pod: { pod, owned, replicas }, service } = children;
  const podIPs = owned ? (pod?.status?.podIPs ?? []).map(({ ip }) => ip) : [];
  const nodeName = owned ? pod?.spec?.nodeName : undefined;
  const selector = pod === undefined ? sandbox.status?.selector : `${LABEL.sandboxNameHash}=${hashOf(sandbox)}`;
  return {
    conditions: sandboxConditions(sandbox, children, now),
    ...definedOnly({ selector, service, serviceFQDN: service === undefined ? undefined : `${nameOf(sandbox)}.${namespaceOf(sandbox)}.svc.${options.clusterDomain}` }),
    ...(podIPs.length === 0 ? {} : { podIPs }),
    ...(nodeName ? { nodeName } : {}),
    replicas,
  };
}

/** The request that stores a status; none where nothing changed. */
export function statusWrite(sandbox: Sandbox, status: SandboxStatus): PatchRequest | undefined {
  const diff = mergeDiff(sandbox.status ?? {}, status);
  return diff === undefined ? undefined : mergePatch(sandbox, { status: diff }, { subresource: 'status', ignore: ['NotFound'] });
}

/** The node alone is not worth a write before the Sandbox is ready: it travels with the next change. */
export function isOnlyNode(sandbox: Sandbox, status: SandboxStatus): boolean {
  const diff = mergeDiff(sandbox.status ?? {}, status) ?? {};
  return Object.keys(diff).join() === 'nodeName' && !isConditionTrue(status.conditions, CONDITION.ready);
}

/**
 * Whether nothing is new but the generation: a claim gives its Sandbox other labels for the Pod, which its conditions do not
 * depend on. They go on to name the generation that they were last written for, until something else changes: that is true, and
 * saves a write per claim. Sandboxes that no claim controls are changed by their users, who may wait for the generation.
 */
export function isOnlyGeneration(sandbox: Sandbox, status: SandboxStatus): boolean {
  return isOfKind(controllerOf(sandbox), EXTENSIONS_GROUP, 'SandboxClaim')
    && semanticallyEqual(withoutGenerations(sandbox.status ?? {}), withoutGenerations(status));
}

function withoutGenerations({ conditions = [], ...status }: SandboxStatus): object {
  return { ...status, conditions: conditions.map(({ observedGeneration: _, ...condition }) => condition) };
}

/** Whether the Sandbox is between its creation and its first readiness, when statuses follow each other quickly. */
export function isStarting(sandbox: Sandbox, status: SandboxStatus): boolean {
  const [before, after] = [conditionOf(sandbox.status?.conditions, CONDITION.ready), conditionOf(status.conditions, CONDITION.ready)];
  return after?.reason === REASON.dependenciesNotReady && (before === undefined || before.reason === REASON.dependenciesNotReady);
}
