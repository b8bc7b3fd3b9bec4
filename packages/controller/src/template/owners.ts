import { EXTENSIONS_GROUP, GROUP, LABEL, type OwnerReference, type Sandbox, type SandboxTemplate, type NetworkPolicy } from 'agent-sandbox-api';
import type { CachedPod } from '../reconcile/cached-pod.js';
import { labelOf } from '../object/metadata.js';
import { controllerOf, controllerReference, isOfKind, ownerReference, ownershipOf } from '../object/ownership.js';
import { parseTime } from '../object/time.js';

/**
 * The owners of a template's policy. Garbage collection takes an object when the last of its owners is gone; a
 * policy that only its template owned would go with it, while Pods that it confines still run. Sandboxes are owners too.
 *
 * While the template is there, a few of them suffice to hold the policy until the controller has seen that the template
 * goes; listing all of them all the time would cost a write per Sandbox. Once it is gone, all of them are listed, and their Pods.
 */
export const FEWEST_HOLDERS = 2;
const USUAL_HOLDERS = 8;
/** A reference has about 150 bytes, an object at most 1.5 MB. */
const MOST_HOLDERS = 2000;

/** A Sandbox or Pod as an owner. */
export type Holder = Pick<OwnerReference, 'apiVersion' | 'kind' | 'name' | 'uid'>;

/** The Sandboxes whose Pods carry, or will carry, the hash of a template: those that are labelled, and the owners of Pods that are. */
export function holdersOf(sandboxes: readonly Sandbox[], pods: readonly CachedPod[]): Holder[] {
  // The times are read once: with thousands of Sandboxes, the comparisons would read them a hundred thousand times.
  const newestFirst = sandboxes
    .map(sandbox => ({ at: parseTime(sandbox.metadata.creationTimestamp) ?? Infinity, reference: ownerReference(sandbox) }))
    .sort((a, b) => (a.at === b.at ? (a.reference.uid < b.reference.uid ? 1 : -1) : b.at - a.at))
    .map(({ reference }) => reference);
  const ofPods = pods.flatMap(pod => {
    const controller = controllerOf(pod);
    return isOfKind(controller, GROUP, 'Sandbox') ? [holder(controller!)] : [];
  });
  return [...new Map([...newestFirst, ...ofPods].map(reference => [reference.uid, reference])).values()];
}

/** The Pods under a policy as its owners: a Pod outlives its Sandbox, since it is given time to end. */
export function podHolders(pods: readonly CachedPod[]): Holder[] {
  return pods.map(ownerReference);
}

/** Owners that a policy should have. */
export interface MissingOwners {
  readonly owners: OwnerReference[];
  /** Whether they are added a moment later: when Sandboxes end together, the last of them need not become owners. */
  readonly mayWait: boolean;
}

/** Owners of a policy that it should have, or `undefined` when those it has will do. */
export function missingOwners(
  policy: NetworkPolicy,
  template: SandboxTemplate | undefined,
  holders: readonly Holder[],
): MissingOwners | undefined {
  const current = policy.metadata.ownerReferences ?? [];
  const held = current.filter(reference => holders.some(({ uid }) => uid === reference.uid)).length;
  const going = template === undefined || template.metadata.deletionTimestamp !== undefined;
  const wanted = Math.min(holders.length, going ? MOST_HOLDERS : FEWEST_HOLDERS);
  const controlled = template === undefined || ownershipOf(policy, template) === 'own';
  if (held >= wanted && controlled) {
    return undefined;
  }
  const kept = holders.slice(0, going ? MOST_HOLDERS : USUAL_HOLDERS).map(reference => ({ ...reference }));
  const owners = [...(template === undefined ? [] : [controllerReference(template)]), ...kept];
  const hadHolders = current.some(({ kind }) => kind === 'Sandbox');
  return { owners, mayWait: hadHolders && controlled && !going };
}

/**
 * Whether a policy was made for a template of this name: by the one there is, or by an earlier one whose Sandboxes have
 * kept it. Any other object of its name has another owner.
 */
export function isPolicyOf(policy: NetworkPolicy, name: string, hash: string, template: SandboxTemplate | undefined): boolean {
  if (template !== undefined && ownershipOf(policy, template) === 'own') {
    return true;
  }
  const controller = controllerOf(policy);
  const ofEarlier = controller === undefined || (isOfKind(controller, EXTENSIONS_GROUP, 'SandboxTemplate') && controller.name === name);
  const held = (policy.metadata.ownerReferences ?? []).some(reference =>
    isOfKind(reference, GROUP, 'Sandbox') || isOfKind(reference, '', 'Pod') || isOfKind(reference, EXTENSIONS_GROUP, 'SandboxTemplate'));
  return ofEarlier && held && labelOf(policy, LABEL.templateRefHash) === hash;
}

function holder({ apiVersion, kind, name, uid }: OwnerReference): Holder {
  return { apiVersion, kind, name, uid };
}
