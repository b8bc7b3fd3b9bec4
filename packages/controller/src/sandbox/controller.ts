import { isDeleting, type KubeObject } from '../object/metadata.js';
import { EXTENSIONS_GROUP, GROUP, type Sandbox, type PodEvent } from 'agent-sandbox-api';
import type { CachedPod } from '../reconcile/cached-pod.js';
import { controllerOf, isOfKind } from '../object/ownership.js';
import { createdByAttribute, isOwnStatusWrite, statesOf, type Change, type ControllerDefinition, type QueueItem } from '../reconcile/definition.js';
import type { Cache } from '../reconcile/cache.js';
import { SANDBOX_METRICS } from './measures.js';
import { observeSandbox } from './observe.js';
import type { SandboxOptions } from './observed.js';
import { reconcileSandbox } from './reconcile.js';

export interface SandboxControllerOptions extends SandboxOptions {
  /** Whether Events about Sandboxes are sent. Default: they are. */
  readonly events?: boolean;
}

/** The Sandbox controller: reconciles a Sandbox when it or an object that it controls changes. */
export function sandboxController(concurrency: number, { events = true, ...options }: SandboxControllerOptions): ControllerDefinition {
  return {
    name: 'sandbox-controller',
    kind: 'Sandbox',
    concurrency,
    reads: ['Sandbox', 'Pod', 'Service', 'PersistentVolumeClaim', 'PodSandboxFailure', 'PodMountFailure'],
    plan: (cache, namespace, name, context) => {
      const observed = observeSandbox(cache, namespace, name, { ...context, options });
      return observed === undefined ? undefined : reconcileSandbox(observed);
    },
    takesAccountOfWrites: true,
    watches: {
      Sandbox: enqueueSandbox,
      Pod: enqueueForPod,
      Service: enqueueOwners,
      PersistentVolumeClaim: enqueueOwners,
      PodSandboxFailure: enqueueForEvent,
      PodMountFailure: enqueueForEvent,
    },
    isLowPriority: (cache, namespace, name) => isPoolMember(cache.get('Sandbox', namespace, name)),
    metrics: SANDBOX_METRICS,
    silent: !events,
    traced: {
      span: 'ReconcileSandbox',
      attributes: sandbox => ({
        'sandbox.name': sandbox.metadata.name ?? '', 'sandbox.namespace': sandbox.metadata.namespace ?? '', ...createdByAttribute(sandbox),
      }),
      parts: { Pod: 'reconcilePod', PersistentVolumeClaim: 'reconcilePVCs' },
      annotate: true,
    },
  };
}

/** Idle members of pools have low priority. */
function isPoolMember(sandbox: Sandbox | undefined): boolean {
  return sandbox !== undefined && isOfKind(controllerOf(sandbox), EXTENSIONS_GROUP, 'SandboxWarmPool');
}

function enqueueSandbox(change: Change<Sandbox>): readonly QueueItem[] {
  const { namespace, name } = statesOf(change)[0]!.metadata;
  return isOwnStatusWrite(change) ? [] : [{ key: `${namespace}/${name}` }];
}

/** What is said about a Pod that is starting follows quickly: one reconciliation covers the steps. */
const STARTING_MS = 100;

function enqueueForPod(change: Change<CachedPod>): readonly QueueItem[] {
  const { before, after } = change;
  const isStarting = before?.status?.phase === 'Pending' && after?.status?.phase === 'Pending' && after.problem === undefined && !isDeleting(after)
    && !after.status.podIPs?.length && controllerOf(before)?.uid === controllerOf(after)?.uid;
  return enqueueOwners(change).map(item => (isStarting ? { ...item, delayMs: STARTING_MS } : item));
}

/** The Sandboxes that control an object, or did before the change. */
function enqueueOwners(change: Change<KubeObject>): readonly QueueItem[] {
  const owners = statesOf(change).flatMap(object => {
    const controller = controllerOf(object);
    return isOfKind(controller, GROUP, 'Sandbox') ? [`${object.metadata.namespace}/${controller!.name}`] : [];
  });
  return [...new Set(owners)].map(key => ({ key }));
}

/** The Sandbox whose Pod an Event is about. What an Event said holds until the Pod changes, also when the Event has expired. */
function enqueueForEvent({ after }: Change<PodEvent>, cache: Cache): readonly QueueItem[] {
  const { namespace = '', name = '', uid } = after?.involvedObject ?? {};
  const pod = after && cache.get('Pod', namespace, name);
  return pod !== undefined && pod.metadata.uid === uid ? enqueueOwners({ after: pod, origin: 'watch' }) : [];
}
