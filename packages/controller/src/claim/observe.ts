import {
  LABEL, NETWORK_POLICY_SUFFIX, type Sandbox, type SandboxClaim, type SandboxTemplate, type SandboxWarmPool, definedOnly, podNameOf,
} from 'agent-sandbox-api';
import { observeTemplateInUse, type TemplateInUse } from '../blueprint/template-in-use.js';
import { isStale, recreates } from '../blueprint/stale.js';
import { indexValue, type Cache } from '../reconcile/cache.js';
import { isDeleting, labelOf } from '../object/metadata.js';
import { controllerOf } from '../object/ownership.js';
import { isClaimableFrom, policyName, templateHash } from '../template/identity.js';
import type { PolicyFailures } from '../template/policy-failures.js';
import { timeLeft } from './expiry.js';
import { ownSandbox } from './locate.js';
import { assignmentOf, nameOf, namespaceOf, type ObservedClaim, type Target } from './observed.js';
import type { Offer, Source, WarmQueue } from './warm-queue.js';

const NOTHING: Offer = { pending: false };

/** Reads a claim and all that it depends on from the cache and the queue of idle Sandboxes; `undefined` when it is gone. */
export function observeClaim(
  cache: Cache,
  queue: WarmQueue,
  namespace: string,
  name: string,
  rest: Pick<ObservedClaim, 'now' | 'monotonic' | 'options' | 'memory' | 'firstSeen'>,
  failures?: PolicyFailures,
): ObservedClaim | undefined {
  const claim = cache.get('SandboxClaim', namespace, name);
  if (claim === undefined) {
    return undefined;
  }
  const sandbox = (named: string | undefined) => (named ? cache.get('Sandbox', namespace, named) : undefined);
  const [bound, namesake, assigned] = [sandbox(claim.status?.sandbox?.name), sandbox(name), sandbox(assignmentOf(claim)?.name)];
  const legacyPolicy = cache.get('NetworkPolicy', namespace, `${name}${NETWORK_POLICY_SUFFIX}`);
  const owned = cache.byIndex('Sandbox', 'controller', claim.metadata.uid ?? '');
  const own = ownSandbox({ claim, owned, ...definedOnly({ assigned }) });
  const target = targetOf(cache, claim, failures);
  const foreign = target.foreign ? target.inUse?.template : undefined;
  const foreignPods = foreign && cache.byIndex('Pod', 'templateHash', indexValue(namespace, templateHash(foreign, namespace)));
  const observed: ObservedClaim = {
    ...rest,
    claim,
    owned,
    ...definedOnly({ own, bound, namesake, assigned, legacyPolicy, foreignPods }),
    target,
    offer: NOTHING,
  };
  return needsMember(observed) ? { ...observed, offer: queue.offer(`${namespace}/${name}`, sourcesOf(cache, observed)) } : observed;
}

/** Whether the claim is to be given an idle Sandbox of a pool, if there is one. */
function needsMember(observed: ObservedClaim): boolean {
  const { claim, own, namesake, now } = observed;
  return !isDeleting(claim) && namesake === undefined && observed.target.pools.length > 0
    && own === undefined && timeLeft(claim, claim.status?.conditions, now) !== 0
    && !claim.spec.env?.length && !claim.spec.volumeClaimTemplates?.length;
}

function targetOf(cache: Cache, claim: SandboxClaim, failures: PolicyFailures | undefined): Target {
  const { warmPoolRef, sandboxTemplateRef, warmpool } = claim.spec;
  const namespace = namespaceOf(claim);
  if (sandboxTemplateRef === undefined) {
    const poolName = warmPoolRef?.name ?? '';
    const pool = cache.get('SandboxWarmPool', namespace, poolName);
    const found = pool === undefined ? {} : { pool, inUse: observeTemplateInUse(cache, namespace, pool.spec.sandboxTemplateRef.name, failures) };
    return { poolName, ...found, pools: pool === undefined ? [] : [keyOf(pool)], foreign: false, permitted: true };
  }
  const { name, namespace: home = namespace } = sandboxTemplateRef;
  if (home !== namespace && home !== '') {
    const inUse = foreignTemplate(cache, namespace, home, name);
    return { pools: [], inUse, foreign: true, permitted: inUse.template !== undefined && isClaimableFrom(inUse.template, namespace) };
  }
  const template = { inUse: observeTemplateInUse(cache, namespace, name, failures), foreign: false, permitted: true };
  if (!warmpool || warmpool === 'none') {
    return { pools: [], ...template };
  }
  if (warmpool === 'default') {
    return { pools: cache.byIndex('SandboxWarmPool', 'template', indexValue(namespace, name)).map(keyOf).sort(), ...template };
  }
  const pool = cache.get('SandboxWarmPool', namespace, warmpool);
  const found = definedOnly({ pool });
  return { poolName: warmpool, ...found, pools: pool?.spec.sandboxTemplateRef.name === name ? [keyOf(pool)] : [], ...template };
}

/** A template of another namespace, with its policy in the namespace of the claim. */
function foreignTemplate(cache: Cache, namespace: string, home: string, name: string): TemplateInUse {
  const template = cache.get('SandboxTemplate', home, name);
  const policy = template && cache.get('NetworkPolicy', namespace, policyName(template, namespace));
  return {
    name: `${home}/${name}`,
    ...definedOnly({ template, policy }),
    sameHash: [],
  };
}

/** The pools that the claim may draw from, each with its predicate for members. */
function sourcesOf(cache: Cache, { claim, target }: ObservedClaim): Source[] {
  const template = target.inUse?.template;
  // A claim that names the template itself must not get a member that an edited pool still has of another template.
  const hash = claim.spec.sandboxTemplateRef && template && templateHash(template, namespaceOf(claim));
  return target.pools.flatMap(key => {
    const pool = cache.get('SandboxWarmPool', ...(key.split('/') as [string, string]));
    return pool === undefined ? [] : [{
      pool: key,
      version: [pool, template].map(object => `${object?.metadata.uid}/${object?.metadata.generation}`).concat(hash ?? '').join(),
      accepts: (sandbox: Sandbox) => fits(sandbox, pool, template) && !isPodTerminating(cache, sandbox)
        && (hash === undefined || labelOf(sandbox, LABEL.templateRefHash) === hash),
    }];
  });
}

function fits(sandbox: Sandbox, pool: SandboxWarmPool, template: SandboxTemplate | undefined): boolean {
  return controllerOf(sandbox)?.uid === pool.metadata.uid && (!recreates(pool) || (template !== undefined && !isStale(sandbox, template)));
}

/** The Sandbox's status says so a moment later; a claim that comes in between must not get it. */
function isPodTerminating(cache: Cache, sandbox: Sandbox): boolean {
  const pod = cache.get('Pod', namespaceOf(sandbox), podNameOf(sandbox));
  return pod !== undefined && isDeleting(pod);
}

function keyOf(pool: SandboxWarmPool): string {
  return `${namespaceOf(pool)}/${nameOf(pool)}`;
}
