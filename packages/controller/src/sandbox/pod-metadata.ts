import { ANNOTATION, EXTENSIONS_GROUP, LABEL, RESERVED_ANNOTATIONS, RESERVED_PREFIXES, type Sandbox } from 'agent-sandbox-api';
import type { CachedPod } from '../reconcile/cached-pod.js';
import { createdByOf, labelOf, type StringMap } from '../object/metadata.js';
import { controllerOf, groupOf, isOfKind, ownershipOf } from '../object/ownership.js';
import { hashOf } from './observed.js';

/** Labels and annotations of a Pod. */
export interface PodLabelsAndAnnotations {
  readonly labels: { [key: string]: string };
  readonly annotations: { [key: string]: string };
}

type Part = 'labels' | 'annotations';

const BOOKKEEPING: { readonly [part in Part]: string } = { labels: ANNOTATION.propagatedLabels, annotations: ANNOTATION.propagatedAnnotations };

/** Reserved keys that stay on the Pod even where an old controller listed them as propagated. */
const KEPT: readonly string[] = [LABEL.sandboxNameHash, ANNOTATION.propagatedLabels, ANNOTATION.propagatedAnnotations];

/** Labels and annotations of a new Pod. */
export function newPodMetadata(sandbox: Sandbox): PodLabelsAndAnnotations {
  const labels = { ...propagated(sandbox, 'labels'), [LABEL.sandboxNameHash]: hashOf(sandbox), ...present(controlledLabels(sandbox)) };
  const annotations = { ...propagated(sandbox, 'annotations') };
  for (const part of ['labels', 'annotations'] as const) {
    const keys = propagatedKeys(sandbox, part);
    if (keys !== '') {
      annotations[BOOKKEEPING[part]] = keys;
    }
  }
  return { labels, annotations };
}

/**
 * Labels and annotations that an existing Pod should have: what the template says now, without what it said before and
 * the Pod's bookkeeping still lists; whatever others put there stays.
 */
export function reconciledPodMetadata(sandbox: Sandbox, pod: CachedPod): PodLabelsAndAnnotations {
  const labels = withPropagated(sandbox, 'labels', pod.metadata.labels, pod.metadata.annotations);
  labels[LABEL.sandboxNameHash] = hashOf(sandbox);
  for (const [key, value] of Object.entries(controlledLabels(sandbox, ownershipOf(pod, sandbox) === 'own' ? pod.metadata.labels : {}))) {
    if (value === undefined) {
      delete labels[key];
    } else {
      labels[key] = value;
    }
  }
  const annotations = withPropagated(sandbox, 'annotations', pod.metadata.annotations, pod.metadata.annotations);
  for (const part of ['labels', 'annotations'] as const) {
    const keys = propagatedKeys(sandbox, part);
    if (keys !== (annotations[BOOKKEEPING[part]] ?? '')) {
      annotations[BOOKKEEPING[part]] = keys;
    }
  }
  return { labels, annotations };
}

/**
 * Labels whose value the controller alone decides; `undefined`: the Pod must not carry it. The pool and the template
 * are taken only from Sandboxes that a pool or claim controls, since any user may label their own Sandbox.
 */
function controlledLabels(sandbox: Sandbox, onPod: StringMap = {}): { [key: string]: string | undefined } {
  const controller = controllerOf(sandbox);
  const byExtension = controller !== undefined && groupOf(controller.apiVersion) === EXTENSIONS_GROUP;
  const ofPool = isOfKind(controller, EXTENSIONS_GROUP, 'SandboxWarmPool');
  const templateHash = onPod[LABEL.templateRefHash] || (byExtension ? labelOf(sandbox, LABEL.templateRefHash) : undefined);
  return {
    [LABEL.warmPool]: ofPool ? labelOf(sandbox, LABEL.warmPool) : undefined,
    // The network policy of the template selects by this label: a running Pod stays under the policy of the template that
    // its spec came from, whatever becomes of the labels and owners of its Sandbox.
    [LABEL.templateRefHash]: templateHash,
    [LABEL.createdBy]: createdByOf(sandbox),
  };
}

function present(labels: { [key: string]: string | undefined }): { [key: string]: string } {
  return Object.fromEntries(Object.entries(labels).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

function isReserved(key: string, part: Part): boolean {
  return RESERVED_PREFIXES.some(prefix => key.startsWith(prefix)) || (part === 'annotations' && RESERVED_ANNOTATIONS.includes(key));
}

/** Metadata that the template may set on the Pod. */
function propagated(sandbox: Sandbox, part: Part): { [key: string]: string } {
  const entries = Object.entries(sandbox.spec.podTemplate.metadata?.[part] ?? {});
  return Object.fromEntries(entries.filter(([key]) => !isReserved(key, part)));
}

function propagatedKeys(sandbox: Sandbox, part: Part): string {
  return Object.keys(propagated(sandbox, part)).sort().join(',');
}

function withPropagated(sandbox: Sandbox, part: Part, current: StringMap = {}, annotations: StringMap = {}): { [key: string]: string } {
  const wanted = propagated(sandbox, part);
  const result = { ...current };
  for (const key of (annotations[BOOKKEEPING[part]] ?? '').split(',')) {
    if (isReserved(key, part) ? !KEPT.includes(key) : !Object.hasOwn(wanted, key)) {
      delete result[key];
    }
  }
  return Object.assign(result, wanted);
}
