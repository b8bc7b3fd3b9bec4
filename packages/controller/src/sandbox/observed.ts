import { CONDITION, isMeantToRun, nameHash, type Sandbox, type PersistentVolumeClaim, type Service } from 'agent-sandbox-api';
import type { CachedPod } from '../reconcile/cached-pod.js';
import { isConditionTrue } from '../object/conditions.js';
import type { Failure, Observed, Ref } from '../reconcile/plan.js';

/** What the Sandbox reconciler reads, all of it from the cache. */
export interface ObservedSandbox extends Observed {
  readonly sandbox: Sandbox;
  /** Pods of the namespace with the Sandbox's name hash as label. */
  readonly pods: readonly CachedPod[];
  /** The Pod of the name `podNameOf(sandbox)`, whatever its labels. */
  readonly trackedPod?: CachedPod;
  /** The Service of the Sandbox's name. */
  readonly service?: Service;
  /** PersistentVolumeClaims of the namespace by name; at least those of `volumeClaimNames(sandbox)`. */
  readonly volumeClaims: { readonly [name: string]: PersistentVolumeClaim };
  /** Sandboxes of the namespace whose names have the same hash; may contain the Sandbox itself. */
  readonly sameHash: readonly Sandbox[];
  readonly options: SandboxOptions;
  readonly memory?: SandboxMemory;
}

export interface SandboxOptions {
  /** Suffix of the names in `status.serviceFQDN`. */
  readonly clusterDomain: string;
  /** How long a metadata change of an owned Pod may wait for the next one, in milliseconds; at most a second counts. 0: not at all. */
  readonly writeBehindMs: number;
  /**
   * How long the status of a Sandbox that is starting may wait for the next change, in milliseconds, so that a quick start
   * costs one status write instead of four. 0: not at all.
   */
  readonly statusSettleMs: number;
}

/** Since when postponed writes of a Sandbox wait, in milliseconds on the monotonic clock. After a restart the windows begin again. */
export interface SandboxMemory {
  readonly podMetadataSince?: number;
  /** What the API server refused as invalid, and for which generation: it is not tried again before the spec changes. */
  readonly refused?: { readonly generation: number | undefined; readonly message: string };
  readonly statusSince?: number;
  /** Since when the spec is suspended and the Pod is not gone yet. */
  readonly suspendingSince?: number;
  /** Since when a Sandbox that was suspended is to run and is not ready yet. */
  readonly resumingSince?: number;
}

/** The result that all children have in common. */
export interface ChildResult {
  readonly errors: readonly Failure[];
  /** Objects that block this one. */
  readonly blockedBy: readonly Ref[];
}

/**
 * Whether the work of the Sandbox has ended for good: its Pod ran to the end and is not to be restarted. A Pod that is deleted
 * afterwards is not created again. Suspending and resuming the Sandbox starts the work anew.
 */
export function isWorkOver(sandbox: Sandbox): boolean {
  const { restartPolicy = 'Always' } = sandbox.spec.podTemplate.spec;
  return isMeantToRun(sandbox) && restartPolicy !== 'Always' && isConditionTrue(sandbox.status?.conditions, CONDITION.finished);
}

export function volumeClaimName(template: string, sandbox: Sandbox): string {
  return `${template}-${nameOf(sandbox)}`;
}

export function volumeClaimNames(sandbox: Sandbox): string[] {
  return (sandbox.spec.volumeClaimTemplates ?? []).map(template => volumeClaimName(template.metadata?.name ?? '', sandbox));
}

export function nameOf(sandbox: Sandbox): string {
  return sandbox.metadata.name ?? '';
}

export function namespaceOf(sandbox: Sandbox): string {
  return sandbox.metadata.namespace ?? '';
}

/** The value that the Sandbox's Pod, Service and volumes carry as label. */
export function hashOf(sandbox: Sandbox): string {
  return nameHash(nameOf(sandbox));
}
