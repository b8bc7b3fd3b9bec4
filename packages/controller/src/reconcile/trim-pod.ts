import { definedOnly } from 'agent-sandbox-api';
import { trimManagedFields } from 'agent-sandbox-kube';
import type { CachedPod, PodStatus } from '../core-kinds.js';
import { podProblem, type DiagnosedPod } from './pod-problem.js';

/** The Pod as it is cached: with thousands of Pods, the fields that reconcilers never read would take most of the memory. */
export function trimPod(pod: CachedPod): CachedPod {
  const { podIPs, phase, conditions } = pod.status ?? {};
  const { metadata } = trimManagedFields(pod);
  delete metadata.finalizers;
  const status: PodStatus = {
    ...definedOnly({ phase, podIPs, conditions }),
  };
  const nodeName = pod.spec?.nodeName;
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
