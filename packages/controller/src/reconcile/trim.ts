import { definedOnly, type Condition, type KubeObject, type ObjectMeta, type Sandbox, type SandboxTemplate, type PodStatus, type Service } from 'agent-sandbox-api';
import { trimManagedFields } from 'agent-sandbox-kube';
import type { CachedPod } from './cached-pod.js';
import type { Kind } from './cache.js';
import { trimPodEvent } from './pod-events.js';
import { podProblem, type DiagnosedPod } from './pod-problem.js';
import { SharedValues } from './shared-values.js';

/** The conditions of Pods that reconcilers read. */
const POD_CONDITIONS: readonly string[] = ['Ready', 'PodScheduled'];
/** Those that they read of a Pod that is pending. */
const PENDING_POD_CONDITIONS: readonly string[] = [...POD_CONDITIONS, 'PodReadyToStartContainers'];

/**
 * The form in which objects are cached, by kind: with thousands of them, the fields that reconcilers never read, and values that are the
 * same in all of them, would take most of the memory.
 */
export function trims(shared: SharedValues = new SharedValues()): { readonly [K in Kind]?: (object: any) => any } {
  return {
    Pod: (pod: CachedPod) => trimPod(pod, shared),
    Sandbox: (sandbox: Sandbox) => trimSandbox(sandbox, shared),
    SandboxTemplate: (template: SandboxTemplate) => trimTemplate(template, shared),
    Service: (service: Service) => trimService(service, shared),
    PodSandboxFailure: trimPodEvent,
    PodMountFailure: trimPodEvent,
  };
}

export function trimPod(pod: CachedPod, shared: SharedValues = new SharedValues()): CachedPod {
  const { podIPs, phase, conditions } = pod.status ?? {};
  const metadata = withoutFinalizers(trimMetadata(pod, shared).metadata);
  const kept = phase === 'Pending' ? PENDING_POD_CONDITIONS : POD_CONDITIONS;
  const read = conditions?.filter(({ type }) => kept.includes(type)).map(({ type, status, reason, message, lastTransitionTime }) => (
    { type: shared.text(type), status, ...definedOnly({ reason, message, lastTransitionTime }) }));
  const status: PodStatus = { ...definedOnly({ phase, podIPs, conditions: read }) };
  const nodeName = shared.text(pod.spec?.nodeName);
  const problem = podProblem(pod as DiagnosedPod);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata,
    ...definedOnly({ spec: nodeName === undefined ? undefined : { nodeName } }),
    status,
    ...definedOnly({ problem }),
  };
}

function withoutFinalizers({ finalizers: _, ...metadata }: ObjectMeta): ObjectMeta {
  return metadata;
}

function trimSandbox(sandbox: Sandbox, shared: SharedValues): Sandbox {
  const { spec, status } = trimMetadata(sandbox, shared);
  shareSpecs(spec, shared);
  if (status?.conditions !== undefined) {
    status.conditions = status.conditions.map(condition => shareTexts(condition, shared));
  }
  return sandbox;
}

function trimTemplate(template: SandboxTemplate, shared: SharedValues): SandboxTemplate {
  shareSpecs(trimManagedFields(template).spec, shared);
  return template;
}

function trimService(service: Service, shared: SharedValues): Service {
  const { apiVersion, kind, metadata, spec } = trimMetadata(service, shared);
  const ports = spec?.ports && shared.object(spec.ports);
  return { apiVersion, kind, metadata, ...definedOnly({ spec: spec && { ...spec, ...definedOnly({ ports }) } }) };
}

/** The specs of Pods and volumes: the larger part of an object, and most often that of a template. */
function shareSpecs(spec: Sandbox['spec'] | SandboxTemplate['spec'], shared: SharedValues): void {
  if (spec.podTemplate?.spec !== undefined) {
    spec.podTemplate.spec = shared.object(spec.podTemplate.spec);
  }
  if (spec.volumeClaimTemplates !== undefined) {
    spec.volumeClaimTemplates = shared.object(spec.volumeClaimTemplates);
  }
}

function shareTexts({ type, status, reason, message, lastTransitionTime, observedGeneration }: Condition, shared: SharedValues): Condition {
  return { type, status, reason: shared.text(reason), message: shared.text(message), lastTransitionTime, ...definedOnly({ observedGeneration }) };
}

function trimMetadata<T extends KubeObject>(object: T, shared: SharedValues): T {
  const { metadata } = trimManagedFields(object);
  for (const reference of metadata.ownerReferences ?? []) {
    reference.apiVersion = shared.text(reference.apiVersion);
    reference.kind = shared.text(reference.kind);
  }
  return object;
}
