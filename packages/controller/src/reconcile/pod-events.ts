import { podNameOf, type PodEvent, type Sandbox } from 'agent-sandbox-api';
import { isDeleting } from '../object/metadata.js';
import { parseTime } from '../object/time.js';
import type { Cache } from './cache.js';
import type { CachedPod } from './cached-pod.js';
import { startProblem } from './pod-problem.js';

/**
 * Why a Pod does not start is sometimes said in Events only: a handler that the node does not have, a network that cannot be set
 * up, a volume that cannot be mounted. The two reasons are watched, and nothing else: while all is well, the watches are silent.
 */
const KINDS = ['PodSandboxFailure', 'PodMountFailure'] as const;

/** The Event as it is cached. */
export function trimPodEvent({ apiVersion, kind, metadata, involvedObject, reason, message, lastTimestamp }: PodEvent): PodEvent {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata;
  return { apiVersion, kind, metadata: { name, namespace, uid, resourceVersion, creationTimestamp }, involvedObject, reason, message, lastTimestamp };
}

/** The Pod of a Sandbox by its name, with what its Events say while it does not start. */
export function podOf(cache: Cache, sandbox: Sandbox): CachedPod | undefined {
  const pod = cache.get('Pod', sandbox.metadata.namespace ?? '', podNameOf(sandbox));
  return pod && withEvents(cache, pod);
}

/** The Pods under a value of the index `nameHash`, with what their Events say while they do not start. */
export function podsOfHash(cache: Cache, hash: string): CachedPod[] {
  return cache.byIndex('Pod', 'nameHash', hash).map(pod => withEvents(cache, pod));
}

function withEvents(cache: Cache, pod: CachedPod): CachedPod {
  if (pod.problem !== undefined || isDeleting(pod) || hasStarted(pod)) {
    return pod;
  }
  const events = KINDS.flatMap(kind => cache.byIndex(kind, 'pod', pod.metadata.uid ?? ''));
  const [latest] = [...events].sort((a, b) => timeOf(b) - timeOf(a));
  return latest?.reason === undefined ? pod : { ...pod, problem: startProblem(latest.reason, latest.message) };
}

/** Whether the sandbox of the Pod is there: what an earlier attempt failed for is over. */
function hasStarted({ status = {} }: CachedPod): boolean {
  return status.phase !== 'Pending' || (status.podIPs ?? []).length > 0
    || (status.conditions ?? []).some(({ type, status: value }) => type === 'PodReadyToStartContainers' && value === 'True');
}

function timeOf({ lastTimestamp, metadata }: PodEvent): number {
  return parseTime(lastTimestamp ?? metadata.creationTimestamp) ?? 0;
}
