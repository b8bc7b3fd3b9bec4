import { LABEL, REASON, type Sandbox, type SandboxTemplate, definedOnly, nameHash, type NetworkPolicy } from 'agent-sandbox-api';
import type { CachedPod } from '../reconcile/cached-pod.js';
import { isDeleting, labelOf } from '../object/metadata.js';
import { controllerReference, describeController, ownershipOf } from '../object/ownership.js';
import { create, event, failuresOf, mergePatch, refOf, refusal, remove, stage, update, type Failure, type Observed, type Plan, type Ref, type Request } from '../reconcile/plan.js';
import { foreignPolicyUpdates } from './foreign.js';
import { isManaged, policyLabels, policyName, templateProblem } from './identity.js';
import { holdersOf, isPolicyOf, missingOwners, podHolders, type Holder } from './owners.js';
import { desiredPolicySpec, samePolicy } from './policy.js';

/** What the SandboxTemplate reconciler reads, all of it from the cache. Its key lives on while a policy of the name does. */
export interface ObservedTemplate extends Observed {
  readonly namespace: string;
  readonly name: string;
  /** Absent: deleted. */
  readonly template?: SandboxTemplate;
  /** The NetworkPolicy of the namespace that has the name of the template's policy. */
  readonly policy?: NetworkPolicy;
  /** Sandboxes of the namespace with the template's hash as label. */
  readonly sandboxes: readonly Sandbox[];
  /** Pods of the namespace with the template's hash as label. */
  readonly pods: readonly CachedPod[];
  /** The Sandboxes under the policy, by label or by their Pods, that are not about to go. */
  readonly lasting: readonly Holder[];
  /** Templates of the namespace whose names have the same hash; may contain the template itself. */
  readonly sameHash: readonly SandboxTemplate[];
  /** NetworkPolicies of other namespaces with the hash of this template there as label. */
  readonly foreignPolicies: readonly NetworkPolicy[];
  readonly memory?: TemplateMemory;
}

export interface TemplateMemory {
  /** The problem that an Event has reported already. */
  readonly reported?: string;
  /** What the API server refused as invalid, and for which generation: it is not tried again before the template changes. */
  readonly refused?: { readonly generation: number | undefined; readonly message: string };
  /** Since when owners are missing that may be added later, in milliseconds on the monotonic clock. */
  readonly missingSince?: number;
}

/** For how long owners may be missing while the template, itself an owner, is there. */
const OWNERS_WAIT_MS = 1000;

/** The action that the policy needs. */
interface PolicyActions {
  readonly requests: readonly Request[];
  readonly errors?: readonly Failure[];
  readonly blockedBy?: readonly Ref[];
  /** Since when owners are missing that may wait. */
  readonly missingSince?: number;
}

/**
 * Reconciles a template: its label and its NetworkPolicy. The policy is never loosened for a running Pod: it stays, whatever
 * happens to the template, until no Sandbox of the template is left.
 */
export function reconcileTemplate(observed: ObservedTemplate): Plan<TemplateMemory> {
  const { template, policy, namespace, name } = observed;
  const holders = holdersOf(observed.sandboxes, observed.pods);
  if (template === undefined || isDeleting(template)) {
    const kept = policy !== undefined && isPolicyOf(policy, name, nameHash(name), template);
    const all = [...holdersOf(observed.sandboxes, []), ...podHolders(observed.pods)];
    return { requests: kept ? ownerUpdate(policy, template, all) : [], memory: null };
  }
  const problem = templateProblem(template, observed.sameHash, policy);
  if (problem !== undefined) {
    return refuse(observed, template, problem);
  }
  const { generation } = template.metadata;
  const known = observed.memory?.refused?.generation === generation ? observed.memory?.refused : undefined;
  if (known !== undefined) {
    return { requests: labelUpdate(template, namespace) };
  }
  const actions = policyActions(observed, template, holders);
  const requests = [...labelUpdate(template, namespace), ...actions.requests, ...foreignPolicyUpdates(template, observed.foreignPolicies)];
  return stage<TemplateMemory>(requests, outcomes => {
    const failures = failuresOf(requests, outcomes);
    const [invalid] = failures.filter(({ reason }) => reason === 'Invalid');
    return {
      requests: invalid === undefined ? [] : [event(template, { ...REFUSAL_EVENT, note: invalid.message })],
      errors: [...actions.errors ?? [], ...failures.filter(({ reason }) => reason !== 'Invalid')],
      blockedBy: actions.blockedBy ?? [],
      ...definedOnly({ requeueAfterMs: actions.missingSince === undefined ? undefined : actions.missingSince + OWNERS_WAIT_MS - observed.monotonic }),
      memory: memoryOf(definedOnly({
        refused: invalid && { generation, message: invalid.message }, missingSince: actions.missingSince,
      })),
    };
  });
}

function memoryOf(memory: TemplateMemory): TemplateMemory | null {
  return Object.keys(memory).length === 0 ? null : memory;
}

const REFUSAL_EVENT = { type: 'Warning', reason: REASON.invalidConfiguration, action: 'Reconciling' } as const;

function policyActions(observed: ObservedTemplate, template: SandboxTemplate, holders: readonly Holder[]): PolicyActions {
  const { policy, namespace, name, memory, monotonic } = observed;
  if (policy === undefined) {
    return { requests: isManaged(template) ? [create(newPolicy(template, namespace))] : [] };
  }
  if (!isPolicyOf(policy, name, nameHash(name), template)) {
    return isManaged(template) ? refuseForeign(policy, template) : { requests: [] };
  }
  if (isDeleting(policy)) {
    return { requests: [] };
  }
  if (!isManaged(template) && holders.length === 0) {
    return { requests: [remove(policy)] };
  }
  const desired = desiredPolicySpec(template, namespace);
  const missing = missingOwners(policy, template, observed.lasting);
  // Switched to Unmanaged, the policy stays as it was while Pods carry the hash: it must not become looser for them.
  const changed = isManaged(template) && !samePolicy(policy.spec, desired);
  const missingSince = missing?.mayWait && !changed ? memory?.missingSince ?? monotonic : undefined;
  if (missingSince !== undefined && monotonic < missingSince + OWNERS_WAIT_MS) {
    return { requests: [], missingSince };
  }
  if (missing === undefined && !changed) {
    return { requests: [] };
  }
  const metadata = {
    ...policy.metadata,
    labels: { ...policy.metadata.labels, ...policyLabels(template, namespace) },
    ...definedOnly({ ownerReferences: missing?.owners }),
  };
  return { requests: [update({ ...policy, metadata, spec: changed ? desired : policy.spec })] };
}

function newPolicy(template: SandboxTemplate, namespace: string): NetworkPolicy {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: {
      name: policyName(template, namespace),
      namespace,
      labels: policyLabels(template, namespace),
      ownerReferences: [controllerReference(template)],
    },
    spec: desiredPolicySpec(template, namespace),
  };
}

function ownerUpdate(policy: NetworkPolicy, template: SandboxTemplate | undefined, holders: readonly Holder[]): Request[] {
  const owners = isDeleting(policy) || holders.length === 0 ? undefined : missingOwners(policy, template, holders)?.owners;
  return owners === undefined ? [] : [update({ ...policy, metadata: { ...policy.metadata, ownerReferences: owners } })];
}

function refuseForeign(policy: NetworkPolicy, template: SandboxTemplate): PolicyActions {
  const owner = ownershipOf(policy, template) === 'unowned' ? 'no controller' : describeController(policy);
  const message = `refusing to update the NetworkPolicy "${policy.metadata.name}": it is controlled by ${owner}, not by the template "${template.metadata.name}"`;
  return { requests: [], errors: [refusal(message)], blockedBy: [refOf(policy)] };
}

function refuse({ memory, sameHash }: ObservedTemplate, template: SandboxTemplate, problem: string): Plan<TemplateMemory> {
  const reported = memory?.reported === problem;
  return {
    requests: reported ? [] : [event(template, { type: 'Warning', reason: REASON.invalidConfiguration, action: 'Reconciling', note: problem })],
    blockedBy: sameHash.filter(other => other.metadata.uid !== template.metadata.uid).map(refOf),
    memory: { reported: problem },
  };
}

function labelUpdate(template: SandboxTemplate, namespace: string): Request[] {
  const labels = policyLabels(template, namespace);
  return labelOf(template, LABEL.templateRefHash) === labels[LABEL.templateRefHash]
    ? []
    : [mergePatch(template, { metadata: { labels } }, { ignore: ['NotFound'] })];
}
