import { ANNOTATION, POD_SPEC_DEFAULTS, type Sandbox, definedOnly, isMeantToRun, type Pod } from 'agent-sandbox-api';
import type { CachedPod } from '../reconcile/cached-pod.js';
import { wasUpToDate } from '../object/conditions.js';
import { contentHash } from '../object/content-hash.js';
import { mapDiff } from '../object/diff.js';
import { annotationOf, isDeleting } from '../object/metadata.js';
import { controllerReference, describeController, ownershipOf, type Ownership } from '../object/ownership.js';
import { create, get, mergePatch, refOf, refusal, remove, type Failure } from '../reconcile/plan.js';
import { oncePerShared } from '../reconcile/shared-values.js';
import { all, ask, andThen, value, type Step } from '../reconcile/step.js';
import { isWorkOver, nameOf, namespaceOf, volumeClaimName, type ChildResult, type ObservedSandbox } from './observed.js';
import { newPodMetadata, reconciledPodMetadata } from './pod-metadata.js';
import { adoptionRemedy, mayAdopt } from './volumes.js';

/** The state of the Pod after reconciliation. */
export interface PodResult extends ChildResult {
  /** The Pod found under the tracked name, or the one that the Sandbox owns. */
  readonly pod?: CachedPod;
  readonly owned: boolean;
  /** Number of Pods of the Sandbox that are not being deleted: `status.replicas`. */
  readonly replicas: number;
  /** Several Pods are controlled by the Sandbox: the text that says so. */
  readonly conflict?: string;
  /** The annotation that names the Pod, where it must change; null: must go. */
  readonly tracking?: string | null;
  /** Whether this reconciliation created the Pod. */
  readonly created?: boolean;
  /** When the postponed metadata patch is due. */
  readonly postponedUntil?: number;
}

/** The observed Pods, and the one that counts. */
interface Found {
  /** Every Pod that the Sandbox controls. */
  readonly owned: readonly CachedPod[];
  /** The owned Pod, else whatever has the tracked name. Ownership by UID beats the annotation. */
  readonly pod?: CachedPod;
}

/** Postponed metadata patches wait at most this long, whatever the window. */
const LONGEST_POSTPONEMENT_MS = 1000;

export function reconcilePod(observed: ObservedSandbox, mayCreate: boolean): Step<PodResult> {
  const { sandbox } = observed;
  const found = findPods(observed);
  if (!isMeantToRun(sandbox)) {
    return suspend(sandbox, found);
  }
  const conflict = conflictOf(observed);
  if (conflict !== undefined) {
    return value({ ...nothing, replicas: activeCount(found.owned), conflict, errors: [refusal(conflict)] });
  }
  if (found.pod !== undefined) {
    return usePod(observed, found.pod);
  }
  if (!mayCreate || isWorkOver(sandbox)) {
    return value({ ...nothing, ...untracked(sandbox) });
  }
  return createPod(observed);
}

/** The Pods that the Sandbox controls, and the Pod under the tracked name. */
export function findPods({ sandbox, pods, trackedPod }: ObservedSandbox): Found {
  const owned = pods.filter(pod => ownershipOf(pod, sandbox) === 'own');
  if (trackedPod !== undefined && ownershipOf(trackedPod, sandbox) === 'own' && !owned.some(pod => pod.metadata.uid === trackedPod.metadata.uid)) {
    owned.push(trackedPod);
  }
  const pod = owned.find(candidate => candidate.metadata.uid === trackedPod?.metadata.uid) ?? owned[0] ?? trackedPod;
  return pod === undefined ? { owned } : { owned, pod };
}

/** The text of the conflict when a running Sandbox controls several Pods. */
export function conflictOf(observed: ObservedSandbox): string | undefined {
  const count = findPods(observed).owned.length;
  return count > 1 && isMeantToRun(observed.sandbox)
    ? `multiple Pods (${count}) are controlled by this Sandbox; refusing to choose or create a Pod`
    : undefined;
}

/** Deletes every Pod that the Sandbox controls, even if there are several. */
function suspend(sandbox: Sandbox, { owned, pod }: Found): Step<PodResult> {
  if (pod === undefined) {
    return value({ ...nothing, ...untracked(sandbox) });
  }
  if (owned.length === 0) {
    return value({ ...nothing, pod, blockedBy: [refOf(pod)], ...tracking(sandbox, null) });
  }
  return andThen(deletePods(owned), errors => value({
    ...nothing, pod, owned: true, replicas: errors.length === 0 ? 0 : activeCount(owned), errors, ...tracking(sandbox, pod.metadata.name),
  }));
}

/** Deletes the Pods that are not being deleted yet. A Pod that is gone is no failure. */
export function deletePods(pods: readonly CachedPod[]): Step<readonly Failure[]> {
  const deletions = pods.filter(pod => !isDeleting(pod)).map(pod => ask(remove(pod), outcome =>
    value(outcome.ok || outcome.failure.reason === 'NotFound' ? [] : [outcome.failure])));
  return andThen(all(deletions), failures => value(failures.flat()));
}

/** Applies the ownership rules to an existing Pod. */
function usePod(observed: ObservedSandbox, pod: CachedPod): Step<PodResult> {
  const { sandbox } = observed;
  const name = pod.metadata.name ?? '';
  const ownership = ownershipOf(pod, sandbox);
  if (ownership === 'foreign') {
    const failure = refusal(`pod "${name}" is owned by ${describeController(pod)}, not by sandbox "${nameOf(sandbox)}"`);
    return value({ ...nothing, pod, errors: [failure], blockedBy: [refOf(pod)], ...tracking(sandbox, null) });
  }
  if (ownership === 'unowned' && !mayAdopt(sandbox, pod)) {
    const failure = refusal(`cannot adopt unowned pod "${name}" for sandbox "${nameOf(sandbox)}": ${adoptionRemedy(sandbox)}`);
    return value({ ...nothing, pod, errors: [failure], blockedBy: [refOf(pod)] });
  }
  const own: PodResult = { ...nothing, pod, owned: true, replicas: activeCount([pod]), ...tracking(sandbox, name) };
  const patch = metadataPatch(sandbox, pod, ownership);
  if (patch === undefined) {
    return value(own);
  }
  const due = ownership === 'own' ? dueTime(observed) : observed.monotonic;
  if (observed.monotonic < due) {
    return value({ ...own, postponedUntil: due });
  }
  // An adoption is locked, so that of two Sandboxes that want the same Pod one fails.
  const lock = ownership === 'own' ? {} : { resourceVersion: pod.metadata.resourceVersion };
  return ask(mergePatch(pod, { metadata: patch }, lock), outcome => {
    if (outcome.ok) {
      return value(own);
    }
    return value(ownership === 'own' ? { ...own, errors: [outcome.failure] } : { ...nothing, pod, errors: [outcome.failure] });
  });
}

function metadataPatch(sandbox: Sandbox, pod: CachedPod, ownership: Ownership): object | undefined {
  const wanted = reconciledPodMetadata(sandbox, pod);
  const labels = mapDiff(pod.metadata.labels, wanted.labels);
  const annotations = mapDiff(pod.metadata.annotations, wanted.annotations);
  const patch = {
    ...definedOnly({ labels, annotations }),
    ...(ownership === 'own' ? {} : { ownerReferences: [...(pod.metadata.ownerReferences ?? []), controllerReference(sandbox)] }),
  };
  return Object.keys(patch).length === 0 ? undefined : patch;
}

/** When the metadata of an owned Pod is to be patched, together with the changes collected until then. */
function dueTime({ monotonic: now, options, memory }: ObservedSandbox): number {
  return options.writeBehindMs <= 0 ? now : (memory?.podMetadataSince ?? now) + Math.min(options.writeBehindMs, LONGEST_POSTPONEMENT_MS);
}

function createPod(observed: ObservedSandbox): Step<PodResult> {
  const { sandbox } = observed;
  const pod = newPod(sandbox);
  return ask(create(pod), outcome => {
    if (outcome.ok) {
      const created = (outcome.object as CachedPod | undefined) ?? pod;
      return value({ ...nothing, pod: created, created: true, owned: true, replicas: 1, ...tracking(sandbox, nameOf(sandbox)) });
    }
    if (outcome.failure.reason !== 'AlreadyExists') {
      return value({ ...nothing, errors: [outcome.failure] });
    }
    return ask(get(pod), found => (found.ok
      ? usePod(observed, found.object as CachedPod)
      : value({ ...nothing, errors: [found.failure] })));
  });
}

/** The Pod of a Sandbox, as it is created. */
export function newPod(sandbox: Sandbox): Pod {
  const { labels, annotations } = newPodMetadata(sandbox);
  const { spec } = sandbox.spec.podTemplate;
  annotations[ANNOTATION.podSpecHash] = podSpecHash(sandbox);
  const claims = (sandbox.spec.volumeClaimTemplates ?? []).map(template => {
    const name = template.metadata?.name ?? '';
    return { name, persistentVolumeClaim: { claimName: volumeClaimName(name, sandbox) } };
  });
  const volumes = [...(spec.volumes ?? []).filter(volume => !claims.some(claim => claim.name === volume.name)), ...claims];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: nameOf(sandbox),
      namespace: namespaceOf(sandbox),
      labels,
      annotations,
      ownerReferences: [controllerReference(sandbox)],
    },
    spec: claims.length === 0 ? spec : { ...spec, volumes },
  };
}

/** Whether a Pod was created from another Pod spec than the Sandbox has now. Pods that others made do not say what they were made from. */
export function hasOldSpec(sandbox: Sandbox, pod: CachedPod): boolean {
  const hash = annotationOf(pod, ANNOTATION.podSpecHash);
  // What was never changed is not compared.
  return hash !== undefined && sandbox.metadata.generation !== 1 && !wasUpToDate(sandbox) && hash !== podSpecHash(sandbox);
}

/** Fields that have their default count as absent: they appear in stored objects when new definitions bring the default. */
const hashOfPodSpec = oncePerShared((spec: object) => contentHash(withoutDefaults(spec, '')));

function podSpecHash({ spec: { podTemplate } }: Sandbox): string {
  return hashOfPodSpec(podTemplate.spec);
}

function withoutDefaults(node: unknown, path: string): unknown {
  if (Array.isArray(node)) {
    return node.map(item => withoutDefaults(item, `${path}[]`));
  }
  if (typeof node !== 'object' || node === null) {
    return node;
  }
  return Object.fromEntries(Object.entries(node).flatMap(([key, child]) => {
    const at = path === '' ? key : `${path}.${key}`;
    return at in POD_SPEC_DEFAULTS && POD_SPEC_DEFAULTS[at] === child ? [] : [[key, withoutDefaults(child, at)]];
  }));
}

function activeCount(pods: readonly CachedPod[]): number {
  return pods.some(pod => !isDeleting(pod)) ? 1 : 0;
}

/** The change of the tracking annotation that makes it say `name`; null: removes it. */
function tracking(sandbox: Sandbox, name: string | null | undefined): Pick<PodResult, 'tracking'> {
  const current = annotationOf(sandbox, ANNOTATION.podName);
  const unchanged = name === null ? current === undefined : name === undefined || current === name;
  return unchanged ? {} : { tracking: name };
}

/** The change for a Pod that is gone. An annotation equal to the default name stays: the next Pod has that name. */
function untracked(sandbox: Sandbox): Pick<PodResult, 'tracking'> {
  return annotationOf(sandbox, ANNOTATION.podName) === nameOf(sandbox) ? {} : tracking(sandbox, null);
}

const nothing: PodResult = { owned: false, replicas: 0, errors: [], blockedBy: [] };
