import { EXTENSIONS_GROUP, LABEL, NETWORK_POLICY_SUFFIX, CONDITION, type Sandbox, type SandboxTemplate, type SandboxWarmPool, type NetworkPolicy } from 'agent-sandbox-api';
import { randomInt } from 'node:crypto';
import { indexValue, type Cache } from '../reconcile/cache.js';
import { conditionOf } from '../object/conditions.js';
import { labelOf } from '../object/metadata.js';
import { controllerOf, isOfKind } from '../object/ownership.js';
import { statesOf, type Change, type ControllerDefinition, type QueueItem } from '../reconcile/definition.js';
import { PolicyFailures } from '../template/policy-failures.js';
import { observePool } from './observe.js';
import type { PoolOptions } from './observed.js';
import { reconcilePool } from './reconcile.js';

/** Sandboxes change in bursts; one reconciliation of the pool covers a burst. */
const BATCH_MS = 100;

/** The SandboxWarmPool controller: reconciles a pool when it, one of its Sandboxes, its template or the template's policy changes. */
export function poolController(concurrency: number, options: PoolOptions, failures = new PolicyFailures()): ControllerDefinition {
  return {
    name: 'sandboxwarmpool-controller',
    kind: 'SandboxWarmPool',
    concurrency,
    reads: ['SandboxWarmPool', 'Sandbox', 'SandboxTemplate', 'NetworkPolicy', 'Pod', 'PodSandboxFailure', 'PodMountFailure'],
    plan: (cache, namespace, name, context) => {
      const observed = observePool(cache, namespace, name, randomInt, { ...context, options }, failures);
      return observed === undefined ? undefined : reconcilePool(observed);
    },
    watches: { SandboxWarmPool: enqueuePool, Sandbox: enqueueForSandbox, SandboxTemplate: enqueueForTemplate, NetworkPolicy: enqueueForPolicy },
    isLowPriority: () => true,
  };
}

/** A status is written by this controller alone, which knows what it has written. */
function enqueuePool({ before, after }: Change<SandboxWarmPool>): readonly QueueItem[] {
  const state = (after ?? before)!;
  const same = before !== undefined && after !== undefined && before !== after
    && before.metadata.generation === after.metadata.generation && before.metadata.deletionTimestamp === after.metadata.deletionTimestamp;
  return same ? [] : [{ key: keyOf(state) }];
}

function enqueueForSandbox(change: Change<Sandbox>, cache: Cache): readonly QueueItem[] {
  const { before, after, origin } = change;
  if (before === undefined && origin === 'write') {
    // The reconciliation that created it knows it.
    return [];
  }
  if (before !== undefined && after !== undefined && before !== after && relevantState(before) === relevantState(after)) {
    return [];
  }
  const keys = statesOf(change).flatMap(sandbox => poolsOf(sandbox, cache));
  return [...new Set(keys)].map(key => ({ key, delayMs: BATCH_MS }));
}

/** The parts of a Sandbox that matter to its pool. */
function relevantState({ metadata, status }: Sandbox): string {
  const { generation, deletionTimestamp, labels = {} } = metadata;
  const ready = conditionOf(status?.conditions, CONDITION.ready);
  const marks = [LABEL.warmPool, LABEL.launchType, LABEL.templateRefHash, LABEL.templateHash].map(key => labels[key]);
  return JSON.stringify([generation, deletionTimestamp, controllerOf({ metadata })?.uid, ready?.status, ready?.reason, ready?.status === 'False' ? ready.message : '', ...marks]);
}

/** The pool that controls a Sandbox, or those whose label an unowned one carries. */
function poolsOf(sandbox: Sandbox, cache: Cache): string[] {
  const { namespace = '' } = sandbox.metadata;
  const controller = controllerOf(sandbox);
  if (controller !== undefined) {
    return isOfKind(controller, EXTENSIONS_GROUP, 'SandboxWarmPool') ? [`${namespace}/${controller.name}`] : [];
  }
  const label = labelOf(sandbox, LABEL.warmPool);
  return label === undefined ? [] : cache.byIndex('SandboxWarmPool', 'nameHash', indexValue(namespace, label)).map(keyOf);
}

function enqueueForTemplate(change: Change<SandboxTemplate>, cache: Cache): readonly QueueItem[] {
  const { namespace = '', name = '' } = statesOf(change)[0]!.metadata;
  return usersOf(namespace, name, cache);
}

function enqueueForPolicy(change: Change<NetworkPolicy>, cache: Cache): readonly QueueItem[] {
  const { namespace = '', name = '' } = statesOf(change)[0]!.metadata;
  return name.endsWith(NETWORK_POLICY_SUFFIX) ? usersOf(namespace, name.slice(0, -NETWORK_POLICY_SUFFIX.length), cache) : [];
}

/** The pools that make their Sandboxes from a template. */
function usersOf(namespace: string, template: string, cache: Cache): readonly QueueItem[] {
  return cache.byIndex('SandboxWarmPool', 'template', indexValue(namespace, template)).map(pool => ({ key: keyOf(pool) }));
}

function keyOf({ metadata: { namespace, name } }: SandboxWarmPool): string {
  return `${namespace}/${name}`;
}
