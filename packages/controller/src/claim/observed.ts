import { ANNOTATION, LABEL, type Sandbox, type SandboxClaim, type SandboxTemplate, type SandboxWarmPool, type NetworkPolicy } from 'agent-sandbox-api';
import type { TemplateInUse } from '../blueprint/template-in-use.js';
import type { CachedPod } from '../reconcile/cached-pod.js';
import { annotationOf, labelOf } from '../object/metadata.js';
import type { Observed, Ref } from '../reconcile/plan.js';
import { templateHash } from '../template/identity.js';
import type { Interest, Offer } from './warm-queue.js';

/** What the SandboxClaim reconciler reads, all of it from the cache and the queue of idle Sandboxes. */
export interface ObservedClaim extends Observed {
  readonly claim: SandboxClaim;
  /** Sandboxes that the claim controls: one at most, unless something went wrong. */
  readonly owned: readonly Sandbox[];
  /** The one of `owned` that counts. */
  readonly own?: Sandbox;
  /** The Sandbox that the status names, whatever its owner. */
  readonly bound?: Sandbox;
  /** The Sandbox that has the claim's own name, whatever its owner. */
  readonly namesake?: Sandbox;
  /** The Sandbox that the original controller has assigned by annotation or label, whatever its owner. */
  readonly assigned?: Sandbox;
  readonly target: Target;
  /** The idle Sandboxes that the claim may have. Empty where it needs none. */
  readonly offer: Offer;
  /** Pods of the namespace under the policy of the foreign template that the claim uses. */
  readonly foreignPods?: readonly CachedPod[];
  /** The NetworkPolicy that controllers of the first generation made for the claim alone. */
  readonly legacyPolicy?: NetworkPolicy;
  /** When this process first saw the claim, in milliseconds since the epoch; only until it is ready. */
  readonly firstSeen?: number;
  readonly options: ClaimOptions;
  readonly memory?: ClaimMemory;
}

/** What a claim asks for: a pool or a template, and what was found of it. */
export interface Target {
  /** The pool that the claim names. Absent: none, or any of the template. */
  readonly poolName?: string;
  readonly pool?: SandboxWarmPool;
  /** `namespace/name` of the pools that members may come from. */
  readonly pools: readonly string[];
  /** The template, with its policy in the claim's namespace. Absent where the pool that would name it is missing. */
  readonly inUse?: TemplateInUse;
  /** Whether the template is one of another namespace. */
  readonly foreign: boolean;
  /** Whether claims of this namespace may use the template. */
  readonly permitted: boolean;
}

export interface ClaimOptions {
  /** Domains under which claims may add labels to Pods. */
  readonly labelDomains: readonly string[];
  /** Whether times and the assigned Sandbox are written on claims as annotations, as the original does. */
  readonly annotate: boolean;
  /**
   * How long the first statuses of a claim that is starting may wait for the next change, in milliseconds, so that a quick
   * start costs one status write. 0: not at all.
   */
  readonly statusSettleMs: number;
}

/** What the process remembers about a claim; what must not be lost is in the owner reference of its Sandbox. */
export interface ClaimMemory extends Interest {
  /** Since when it waits for a member of a pool, in milliseconds on the monotonic clock. */
  readonly waitingSince?: number;
  /** Since when the status waits to be written, in milliseconds on the monotonic clock. */
  readonly statusSince?: number;
  /** A Sandbox that may have become the claim's: the answer to the request got lost. */
  readonly uncertain?: Ref;
}

export function nameOf(object: Sandbox | SandboxClaim | SandboxTemplate | SandboxWarmPool): string {
  return object.metadata.name ?? '';
}

export function namespaceOf(object: Sandbox | SandboxClaim | SandboxTemplate | SandboxWarmPool): string {
  return object.metadata.namespace ?? '';
}

/** Name of the Sandbox that the original controller has assigned, and where it says so. */
export function assignmentOf(claim: SandboxClaim): { readonly name: string; readonly part: 'annotations' | 'labels' } | undefined {
  const annotation = annotationOf(claim, ANNOTATION.sandboxName);
  if (annotation) {
    return { name: annotation, part: 'annotations' };
  }
  const label = labelOf(claim, LABEL.sandboxName);
  return label ? { name: label, part: 'labels' } : undefined;
}

/** The template that the claim names, where there is one that it may use. */
export function usableTemplate({ target: { inUse, permitted } }: ObservedClaim): SandboxTemplate | undefined {
  return permitted ? inUse?.template : undefined;
}

/** The template that a Sandbox was made from, where it is the one that the claim names now. */
export function templateOf(sandbox: Sandbox, observed: ObservedClaim): SandboxTemplate | undefined {
  const template = usableTemplate(observed);
  return template !== undefined && labelOf(sandbox, LABEL.templateRefHash) === templateHash(template, namespaceOf(sandbox)) ? template : undefined;
}
