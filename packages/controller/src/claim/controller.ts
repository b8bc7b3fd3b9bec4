import {
  CONDITION, EXTENSIONS_GROUP, NETWORK_POLICY_SUFFIX, type Sandbox, type SandboxClaim, type SandboxTemplate, type SandboxWarmPool,
  definedOnly, type NetworkPolicy,
} from 'agent-sandbox-api';
import { indexValue, type Cache } from '../reconcile/cache.js';
import { conditionOf, hasFailed } from '../object/conditions.js';
import { semanticallyEqual } from '../object/diff.js';
import { isDeleting } from '../object/metadata.js';
import { controllerOf, isOfKind } from '../object/ownership.js';
import { createdByAttribute, isOwnStatusWrite, statesOf, type Change, type ControllerDefinition, type QueueItem } from '../reconcile/definition.js';
import { PolicyFailures } from '../template/policy-failures.js';
import { FirstSeen } from './first-seen.js';
import { CLAIM_METRICS } from './measures.js';
import { observeClaim } from './observe.js';
import type { ClaimMemory, ClaimOptions } from './observed.js';
import { reconcileClaim } from './reconcile.js';
import { WarmQueue } from './warm-queue.js';

export interface ClaimControllerOptions extends ClaimOptions {
  /** Whether Events about claims are sent. */
  readonly events: boolean;
}

/** The SandboxClaim controller: reconciles a claim when it, its Sandbox, or an object that it waits for changes. */
export function claimController(
  concurrency: number,
  { events, ...options }: ClaimControllerOptions,
  failures = new PolicyFailures(),
  clock: () => number = Date.now,
): ControllerDefinition {
  const queue = new WarmQueue();
  const seen = new FirstSeen();
  return {
    name: 'sandboxclaim-controller',
    kind: 'SandboxClaim',
    concurrency,
    reads: ['SandboxClaim', 'Sandbox', 'SandboxWarmPool', 'SandboxTemplate', 'NetworkPolicy', 'Pod'],
    plan: (cache, namespace, name, context) => {
      const claim = cache.get('SandboxClaim', namespace, name);
      const firstSeen = claim && seen.of(claim);
      const rest = { ...context, options, ...definedOnly({ firstSeen }) };
      const observed = observeClaim(cache, queue, namespace, name, rest, failures);
      return observed && reconcileClaim(observed);
    },
    takesAccountOfWrites: true,
    onMemoryChange: (key, memory: ClaimMemory | undefined) => queue.note(key, memory ?? {}),
    traced: { span: 'ReconcileSandboxClaim', attributes: createdByAttribute, annotate: true },
    watches: {
      SandboxClaim: change => {
        seen.observe(change, clock());
        return isOwnStatusWrite(change) ? [] : [{ key: keyOf(statesOf(change)[0]!) }];
      },
      Sandbox: change => {
        const waiting = queue.observe(change);
        return [...enqueueForSandbox(change), ...(waiting === undefined ? [] : [{ key: waiting }])];
      },
      SandboxWarmPool: (change, cache) => {
        if (change.after === undefined) {
          queue.dropPool(keyOf(change.before!));
        }
        return enqueueForPool(change, cache);
      },
      SandboxTemplate: enqueueForTemplate,
      NetworkPolicy: enqueueForPolicy,
    },
    metrics: CLAIM_METRICS,
    silent: !events,
  };
}

/** The claims whose Sandbox has changed in a way that their status shows. Own writes are known already. */
function enqueueForSandbox(change: Change<Sandbox>): readonly QueueItem[] {
  return isRelevantChange(change) ? [...new Set(statesOf(change).flatMap(claimKeys))].map(key => ({ key })) : [];
}

function isRelevantChange({ before, after, origin }: Change<Sandbox>): boolean {
  if (before === undefined || after === undefined) {
    return before !== undefined || origin !== 'write';
  }
  const [from, to] = [before, after].map(({ status }) => ({
    podIPs: status?.podIPs,
    serviceFQDN: status?.serviceFQDN,
    ready: conditionOf(status?.conditions, CONDITION.ready),
    finished: conditionOf(status?.conditions, CONDITION.finished),
  }));
  return isDeleting(before) !== isDeleting(after)
    || (controllerOf(before)?.uid !== controllerOf(after)?.uid && origin !== 'write')
    || !semanticallyEqual(from, to);
}

function claimKeys(sandbox: Sandbox): string[] {
  const controller = controllerOf(sandbox);
  return isOfKind(controller, EXTENSIONS_GROUP, 'SandboxClaim') ? [`${sandbox.metadata.namespace}/${controller!.name}`] : [];
}

/** The claims that wait for a pool: those that name it, and those that take any pool of its template. */
function enqueueForPool({ before, after }: Change<SandboxWarmPool>, cache: Cache): readonly QueueItem[] {
  if (before !== undefined && after !== undefined && before.metadata.generation === after.metadata.generation) {
    return [];
  }
  const { metadata: { namespace = '', name = '' }, spec } = (after ?? before)!;
  const ofAnyPool = cache.byIndex('SandboxClaim', 'template', indexValue(namespace, spec.sandboxTemplateRef.name))
    .filter(claim => claim.spec.warmpool === 'default' && claim.metadata.namespace === namespace);
  return enqueue([...cache.byIndex('SandboxClaim', 'pool', indexValue(namespace, name)), ...ofAnyPool].filter(claim => isUnbound(claim, cache)));
}

/** The claims of a template that is new; of one that has changed, those that have no Sandbox or have failed. */
function enqueueForTemplate({ before, after, origin }: Change<SandboxTemplate>, cache: Cache): readonly QueueItem[] {
  if (after === undefined || (before !== undefined && origin === 'resync')) {
    return [];
  }
  const { namespace = '', name = '' } = after.metadata;
  const needsTemplate = (claim: SandboxClaim) => isUnbound(claim, cache) || hasFailed(claim.status?.conditions);
  return enqueue(claimsOf(cache, namespace, name).filter(claim => before === undefined || needsTemplate(claim)));
}

/** The claims that wait for the policy of a template, which says in its name which one. */
function enqueueForPolicy({ before, after }: Change<NetworkPolicy>, cache: Cache): readonly QueueItem[] {
  const { namespace = '', name = '' } = (after ?? before)!.metadata;
  const same = before !== undefined && after !== undefined && before.metadata.generation === after.metadata.generation
    && isDeleting(before) === isDeleting(after) && controllerOf(before)?.uid === controllerOf(after)?.uid;
  if (same || !name.endsWith(NETWORK_POLICY_SUFFIX)) {
    return [];
  }
  const template = name.slice(0, -NETWORK_POLICY_SUFFIX.length);
  const dot = template.indexOf('.');
  const foreign = dot < 0 ? [] : cache.byIndex('SandboxClaim', 'template', indexValue(template.slice(0, dot), template.slice(dot + 1)));
  // Claims maintain the policies of foreign templates themselves, so that bound claims are enqueued, too.
  const waiting = claimsOf(cache, namespace, template).filter(claim => isUnbound(claim, cache));
  return enqueue([...waiting, ...foreign].filter(claim => claim.metadata.namespace === namespace));
}

/** The claims that use a template, by its name or by that of a pool. */
function claimsOf(cache: Cache, namespace: string, name: string): SandboxClaim[] {
  const template = indexValue(namespace, name);
  const pools = cache.byIndex('SandboxWarmPool', 'template', template);
  return [
    ...cache.byIndex('SandboxClaim', 'template', template),
    ...pools.flatMap(pool => cache.byIndex('SandboxClaim', 'pool', indexValue(namespace, pool.metadata.name ?? ''))),
  ];
}

/** Whether a claim has no Sandbox: none yet, or the one that its status names is gone and it waits for another. */
function isUnbound({ metadata, status }: SandboxClaim, cache: Cache): boolean {
  const name = status?.sandbox?.name;
  return !name || cache.get('Sandbox', metadata.namespace ?? '', name) === undefined;
}

function enqueue(claims: readonly SandboxClaim[]): QueueItem[] {
  return [...new Set(claims.filter(claim => !isDeleting(claim)).map(keyOf))].map(key => ({ key }));
}

function keyOf({ metadata: { namespace, name } }: SandboxClaim | SandboxWarmPool): string {
  return `${namespace}/${name}`;
}
