import { CONDITION, EXTENSIONS_GROUP, NETWORK_POLICY_SUFFIX, type Sandbox, type SandboxClaim, type SandboxTemplate, type SandboxWarmPool } from 'agent-sandbox-api';
import { indexValue, type Cache } from '../cache.js';
import type { NetworkPolicy } from '../core-kinds.js';
import { conditionOf, controllerOf, isDeleting, isOfKind, semanticallyEqual } from '../object.js';
import { createdByAttribute, isOwnStatusWrite, statesOf, type Change, type ControllerDefinition, type Wake } from '../shell/definition.js';
import { FirstSeen } from './first-seen.js';
import { CLAIM_METRICS } from './measures.js';
import { observeClaim } from './observe.js';
import type { ClaimMemory, ClaimOptions } from './observed.js';
import { planClaim } from './plan.js';
import { WarmQueue } from './warm-queue.js';

export interface ClaimControllerOptions extends ClaimOptions {
  /** Whether Events about claims are sent. */
  readonly events: boolean;
}

/** The SandboxClaim controller: woken by claims, by what happens to their Sandboxes, and by the coming of what they wait for. */
export function claimController(
  concurrency: number,
  { events, ...options }: ClaimControllerOptions,
  clock: () => number = Date.now,
): ControllerDefinition {
  const queue = new WarmQueue();
  const seen = new FirstSeen();
  return {
    name: 'sandboxclaim-controller',
    concurrency,
    reads: ['SandboxClaim', 'Sandbox', 'SandboxWarmPool', 'SandboxTemplate', 'NetworkPolicy'],
    plan: (cache, namespace, name, { now, memory }) => {
      const claim = cache.get('SandboxClaim', namespace, name);
      const firstSeen = claim && seen.of(claim);
      const observed = observeClaim(cache, queue, namespace, name, { now, options, memory, ...(firstSeen === undefined ? {} : { firstSeen }) });
      return observed && planClaim(observed);
    },
    remembered: (key, memory: ClaimMemory | undefined) => queue.note(key, memory ?? {}),
    traced: { kind: 'SandboxClaim', span: 'ReconcileSandboxClaim', attributes: createdByAttribute, annotate: true },
    watches: {
      SandboxClaim: (change) => {
        seen.observe(change, clock());
        return isOwnStatusWrite(change) ? [] : [{ key: keyOf(statesOf(change)[0]!) }];
      },
      Sandbox: (change) => {
        const waiting = queue.observe(change);
        return [...ofSandbox(change), ...(waiting === undefined ? [] : [{ key: waiting }])];
      },
      SandboxWarmPool: (change, cache) => {
        if (change.after === undefined) {
          queue.dropPool(keyOf(change.before!));
        }
        return ofPool(change, cache);
      },
      SandboxTemplate: ofTemplate,
      NetworkPolicy: ofPolicy,
    },
    metrics: CLAIM_METRICS,
    silent: !events,
  };
}

/** The claims whose Sandbox has changed in what their status tells. What the claim itself has written it knows already. */
function ofSandbox(change: Change<Sandbox>): readonly Wake[] {
  return isRelevant(change) ? [...new Set(statesOf(change).flatMap(claimKeys))].map((key) => ({ key })) : [];
}

function isRelevant({ before, after, origin }: Change<Sandbox>): boolean {
  if (before === undefined || after === undefined) {
    return before !== undefined || origin !== 'write';
  }
  const [from, to] = [before, after].map(({ status }) => ({
    podIPs: status?.podIPs,
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
function ofPool({ before, after }: Change<SandboxWarmPool>, cache: Cache): readonly Wake[] {
  if (before !== undefined && after !== undefined && before.metadata.generation === after.metadata.generation) {
    return [];
  }
  const { metadata: { namespace = '', name = '' }, spec } = (after ?? before)!;
  const ofAnyPool = cache.byIndex('SandboxClaim', 'template', indexValue(namespace, spec.sandboxTemplateRef.name))
    .filter((claim) => claim.spec.warmpool === 'default' && claim.metadata.namespace === namespace);
  return wakes([...cache.byIndex('SandboxClaim', 'pool', indexValue(namespace, name)), ...ofAnyPool].filter((claim) => isUnbound(claim, cache)));
}

/** The claims of a template: all of them when it is new, and those without a Sandbox when it has changed. */
function ofTemplate({ before, after, origin }: Change<SandboxTemplate>, cache: Cache): readonly Wake[] {
  if (after === undefined || (before !== undefined && origin === 'resync')) {
    return [];
  }
  const { namespace = '', name = '' } = after.metadata;
  return wakes(claimsOf(cache, namespace, name).filter((claim) => before === undefined || isUnbound(claim, cache)));
}

/** The claims that wait for the policy of a template, which says in its name which one. */
function ofPolicy({ before, after }: Change<NetworkPolicy>, cache: Cache): readonly Wake[] {
  const { namespace = '', name = '' } = (after ?? before)!.metadata;
  const same = before !== undefined && after !== undefined && before.metadata.generation === after.metadata.generation
    && isDeleting(before) === isDeleting(after) && controllerOf(before)?.uid === controllerOf(after)?.uid;
  if (same || !name.endsWith(NETWORK_POLICY_SUFFIX)) {
    return [];
  }
  const template = name.slice(0, -NETWORK_POLICY_SUFFIX.length);
  const dot = template.indexOf('.');
  const foreign = dot < 0 ? [] : cache.byIndex('SandboxClaim', 'template', indexValue(template.slice(0, dot), template.slice(dot + 1)));
  // Nobody else keeps the policy of a foreign template, so that claims that have a Sandbox are woken, too.
  const waiting = claimsOf(cache, namespace, template).filter((claim) => isUnbound(claim, cache));
  return wakes([...waiting, ...foreign].filter((claim) => claim.metadata.namespace === namespace));
}

/** The claims that use a template, by its name or by that of a pool. */
function claimsOf(cache: Cache, namespace: string, name: string): SandboxClaim[] {
  const template = indexValue(namespace, name);
  const pools = cache.byIndex('SandboxWarmPool', 'template', template);
  return [
    ...cache.byIndex('SandboxClaim', 'template', template),
    ...pools.flatMap((pool) => cache.byIndex('SandboxClaim', 'pool', indexValue(namespace, pool.metadata.name ?? ''))),
  ];
}

/** Whether a claim has no Sandbox: none yet, or the one that its status names is gone and it waits for another. */
function isUnbound({ metadata, status }: SandboxClaim, cache: Cache): boolean {
  const name = status?.sandbox?.name;
  return !name || cache.get('Sandbox', metadata.namespace ?? '', name) === undefined;
}

function wakes(claims: readonly SandboxClaim[]): Wake[] {
  return [...new Set(claims.filter((claim) => !isDeleting(claim)).map(keyOf))].map((key) => ({ key }));
}

function keyOf({ metadata: { namespace, name } }: SandboxClaim | SandboxWarmPool): string {
  return `${namespace}/${name}`;
}
