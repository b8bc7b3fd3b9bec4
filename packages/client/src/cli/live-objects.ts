import {
  type KubeObject, NAMESPACES, NETWORK_POLICIES, type Resource, SANDBOX_CLAIMS, SANDBOX_TEMPLATES, SANDBOX_WARM_POOLS, SANDBOXES, SERVICES,
} from 'agent-sandbox-api';
import { type Cluster, Reader, isNotFound, isSituation } from 'agent-sandbox-kube';
import type { Located } from './library.js';

const kind = (group: string, version: string, name: string, plural: string, namespaced = true): Resource =>
  ({ group, version, kind: name, plural, namespaced });

export const RUNTIME_CLASSES = kind('node.k8s.io', 'v1', 'RuntimeClass', 'runtimeclasses', false);
export const DEPLOYMENTS = kind('apps', 'v1', 'Deployment', 'deployments');

/** What rules, posture and network model read. Optional groups are those of cluster-wide policies and autoscalers. */
const KINDS: readonly Resource[] = [
  SANDBOXES, SANDBOX_TEMPLATES, SANDBOX_WARM_POOLS, SANDBOX_CLAIMS, NETWORK_POLICIES, NAMESPACES, SERVICES, DEPLOYMENTS, RUNTIME_CLASSES,
  kind('', 'v1', 'ResourceQuota', 'resourcequotas'), kind('', 'v1', 'LimitRange', 'limitranges'),
  kind('policy', 'v1', 'PodDisruptionBudget', 'poddisruptionbudgets'),
  kind('rbac.authorization.k8s.io', 'v1', 'RoleBinding', 'rolebindings'), kind('autoscaling', 'v2', 'HorizontalPodAutoscaler', 'horizontalpodautoscalers'),
  kind('keda.sh', 'v1alpha1', 'ScaledObject', 'scaledobjects'),
  kind('policy.networking.k8s.io', 'v1alpha2', 'ClusterNetworkPolicy', 'clusternetworkpolicies', false),
  kind('policy.networking.k8s.io', 'v1alpha1', 'AdminNetworkPolicy', 'adminnetworkpolicies', false),
  kind('policy.networking.k8s.io', 'v1alpha1', 'BaselineAdminNetworkPolicy', 'baselineadminnetworkpolicies', false),
];

/** Objects of a cluster, and kinds that could not be read. */
export interface LiveObjects {
  readonly objects: Located[];
  /** `rolebindings: forbidden`. */
  readonly unread: string[];
}

/**
 * The objects that people and GitOps have made: without those that the controller keeps for others, which follow from them. Reads only. Without a
 * namespace, of all namespaces. `onKind` is called with each kind before it is read.
 */
export async function readLive(
  cluster: Cluster, { namespace, signal, onKind = () => undefined }: { namespace?: string; signal?: AbortSignal; onKind?: (plural: string) => void },
): Promise<LiveObjects> {
  const reader = new Reader(cluster);
  const objects: Located[] = [];
  const unread: string[] = [];
  for (const resource of KINDS) {
    onKind(resource.plural);
    const found = await listOf(reader, resource, resource.namespaced ? namespace : undefined, signal);
    if (found === 'forbidden') {
      unread.push(`${resource.plural}: forbidden`);
      continue;
    }
    objects.push(...found.filter(object => !isKept(object)).map(object => ({ manifest: trimmed(object), place: placeOf(object) })));
  }
  return { objects, unread };
}

/** All objects of a kind; none where the server does not have the kind. */
export async function listOf(reader: Reader, resource: Resource, namespace?: string, signal?: AbortSignal): Promise<KubeObject[] | 'forbidden'> {
  try {
    return await reader.list(resource, { namespace, signal });
  } catch (error) {
    if (isNotFound(error)) {
      return [];
    }
    if (isSituation(error, 'forbidden')) {
      return 'forbidden';
    }
    throw error;
  }
}

/** Whether the controller keeps an object for a pool, a claim, a template or a Sandbox. */
function isKept({ metadata }: KubeObject): boolean {
  return (metadata.ownerReferences ?? []).some(({ apiVersion, controller }) => controller === true && apiVersion.split('/')[0].endsWith('agents.x-k8s.io'));
}

function placeOf({ kind: name, metadata }: KubeObject): string {
  return `cluster/${metadata.namespace ? `${metadata.namespace}/` : ''}${name}/${metadata.name}`;
}

/** Without what the server adds for itself. */
function trimmed(object: KubeObject): KubeObject {
  const metadata = Object.fromEntries(Object.entries(object.metadata).filter(([key]) => key !== 'managedFields')) as unknown as KubeObject['metadata'];
  return { ...object, metadata };
}
