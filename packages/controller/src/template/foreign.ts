import { EXTENSIONS_GROUP, LABEL, type SandboxClaim, type SandboxTemplate, type NetworkPolicy } from 'agent-sandbox-api';
import type { CachedPod } from '../reconcile/cached-pod.js';
import { isDeleting, labelOf } from '../object/metadata.js';
import { controllerOf, describeController, isOfKind, ownerReference } from '../object/ownership.js';
import { create, refOf, refusal, update, type Failure, type Ref, type Request } from '../reconcile/plan.js';
import { ask, value, type Step } from '../reconcile/step.js';
import { isManaged, policyLabels, policyName, templateHash } from './identity.js';
import { podHolders, type Holder } from './owners.js';
import { desiredPolicySpec, samePolicy } from './policy.js';

/**
 * Templates of other namespaces. Their Pods run in the namespace of the claim, under a policy there that the claims own,
 * and everything that a Pod spec names would mean other objects there.
 */

/** Whether Pods may be created under a foreign template's policy, and what stands in the way. */
export interface ForeignPolicyResult {
  readonly ready: boolean;
  readonly errors: readonly Failure[];
  readonly blockedBy: readonly Ref[];
}

/** What a foreign template's policy is for: a claim, and the Pods of the claim's namespace that it confines. */
export interface ForeignPolicyUse {
  readonly claim: SandboxClaim;
  readonly pods: readonly CachedPod[];
  /** Whether Pods that are missing among the owners are worth a write: not while the claim starts. */
  readonly settled: boolean;
}

/**
 * Makes the policy of a foreign template in the claim's namespace, and the claim one of its owners. So are the Pods, in one write
 * for all that there are: they outlive claim and Sandbox by the time that they are given to end.
 */
export function ensureForeignPolicy(
  template: SandboxTemplate,
  { claim, pods, settled }: ForeignPolicyUse,
  policy: NetworkPolicy | undefined,
): Step<ForeignPolicyResult> {
  if (!isManaged(template)) {
    return result(true);
  }
  const namespace = claim.metadata.namespace ?? '';
  const spec = desiredPolicySpec(template, namespace);
  if (policy === undefined) {
    const metadata = {
      name: policyName(template, namespace),
      namespace,
      labels: policyLabels(template, namespace),
      ownerReferences: [ownerReference(claim)],
    };
    return write(create<NetworkPolicy>({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata, spec }));
  }
  if (!isForeignPolicy(policy, template)) {
    const message = `the NetworkPolicy "${policy.metadata.name}" is in the way of a template of another namespace: it is controlled by ${describeController(policy)}`;
    return value({ ready: false, errors: [refusal(message)], blockedBy: [refOf(policy)] });
  }
  if (isDeleting(policy)) {
    return value({ ready: false, errors: [], blockedBy: [refOf(policy)] });
  }
  const owners = policy.metadata.ownerReferences ?? [];
  const isMissing = ({ uid }: Holder) => !owners.some(reference => reference.uid === uid);
  const [missingClaim, missingPods] = [[ownerReference(claim)].filter(isMissing), podHolders(pods).filter(isMissing)];
  const inForce = missingClaim.length === 0 && samePolicy(policy.spec, spec);
  if (inForce && !(settled && missingPods.length > 0)) {
    return result(true);
  }
  const known = new Set(pods.map(({ metadata }) => metadata.uid));
  const kept = owners.filter(reference => !isOfKind(reference, '', 'Pod') || known.has(reference.uid));
  const metadata = { ...policy.metadata, ownerReferences: [...kept, ...missingClaim, ...missingPods] };
  const request = update({ ...policy, metadata, spec });
  if (!inForce) {
    return write(request);
  }
  // Another claim has written it at the same moment, most likely for the same Pods.
  return ask(request, outcome => (outcome.ok || outcome.failure.reason === 'Conflict' ? result(true) : failedWith(outcome.failure)));
}

/** Brings the policies of other namespaces in line with an edited template. */
export function foreignPolicyUpdates(template: SandboxTemplate, policies: readonly NetworkPolicy[]): Request[] {
  return policies.flatMap(policy => {
    const spec = desiredPolicySpec(template, policy.metadata.namespace ?? '');
    return isManaged(template) && isForeignPolicy(policy, template) && !isDeleting(policy) && !samePolicy(policy.spec, spec)
      ? [update({ ...policy, spec }, { ignore: ['NotFound'] })]
      : [];
  });
}

/** What the Pod spec of a template names in its own namespace, as paths: a foreign template must name nothing. */
export function namespacedReferences(template: SandboxTemplate): string[] {
  const { spec } = template.spec.podTemplate;
  const paths = referencesIn(spec, '');
  for (const [i, claim] of (template.spec.volumeClaimTemplates ?? []).entries()) {
    paths.push(...referencesIn(claim.spec, `volumeClaimTemplates[${i}]`));
  }
  // The token of the claimant's default service account is not the template's to hand out.
  return spec.automountServiceAccountToken === true ? ['automountServiceAccountToken', ...paths] : paths;
}

/** Fields whose value names an object of the namespace, wherever they occur in a Pod spec. */
const NAMING_FIELDS = new Set([
  'serviceAccountName', 'serviceAccount', 'serviceAccountToken', 'imagePullSecrets', 'secret', 'secretName', 'secretRef', 'secretKeyRef',
  'nodePublishSecretRef', 'configMap', 'configMapRef', 'configMapKeyRef', 'persistentVolumeClaim', 'resourceClaims', 'dataSource', 'dataSourceRef',
]);

/** Fields whose keys are the user's words. */
const FREE_FIELDS = new Set(['nodeSelector', 'matchLabels', 'labels', 'annotations', 'limits', 'requests', 'overhead', 'volumeAttributes', 'options']);

function referencesIn(node: unknown, path: string): string[] {
  if (typeof node !== 'object' || node === null) {
    return [];
  }
  return Object.entries(node).flatMap(([key, child]) => {
    const at = Array.isArray(node) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`;
    if (!Array.isArray(node) && FREE_FIELDS.has(key)) {
      return [];
    }
    const empty = child === undefined || child === null || child === '' || (Array.isArray(child) && child.length === 0);
    return !Array.isArray(node) && NAMING_FIELDS.has(key) && !empty ? [at] : referencesIn(child, at);
  });
}

/** Whether the policy was made for claims of a foreign template. */
function isForeignPolicy(policy: NetworkPolicy, template: SandboxTemplate): boolean {
  const namespace = policy.metadata.namespace ?? '';
  return namespace !== template.metadata.namespace
    && policy.metadata.name === policyName(template, namespace)
    && controllerOf(policy) === undefined
    && labelOf(policy, LABEL.templateRefHash) === templateHash(template, namespace)
    && (policy.metadata.ownerReferences ?? []).some(reference =>
      isOfKind(reference, EXTENSIONS_GROUP, 'SandboxClaim') || isOfKind(reference, '', 'Pod'));
}

function write(request: Request): Step<ForeignPolicyResult> {
  return ask(request, outcome => (outcome.ok ? result(true) : failedWith(outcome.failure)));
}

function failedWith(failure: Failure): Step<ForeignPolicyResult> {
  return value({ ready: false, errors: [failure], blockedBy: [] });
}

function result(ready: boolean): Step<ForeignPolicyResult> {
  return value({ ready, errors: [], blockedBy: [] });
}
