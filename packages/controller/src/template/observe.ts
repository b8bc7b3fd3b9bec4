import { EXTENSIONS_GROUP, LABEL, NETWORK_POLICY_SUFFIX, type NetworkPolicy, type Sandbox, type SandboxTemplate, definedOnly, nameHash } from 'agent-sandbox-api';
import { isDeleting, labelOf } from '../object/metadata.js';
import { controllerOf, isOfKind } from '../object/ownership.js';
import { indexValue, type Cache } from '../reconcile/cache.js';
import { FEWEST_HOLDERS, holdersOf } from './owners.js';
import type { ObservedTemplate } from './reconcile.js';

/** Reads a template, or the remains of a deleted one, from the cache. */
export function observeTemplate(cache: Cache, namespace: string, name: string, rest: Pick<ObservedTemplate, 'now' | 'monotonic' | 'memory'>): ObservedTemplate {
  const template = cache.get('SandboxTemplate', namespace, name);
  const policy = cache.get('NetworkPolicy', namespace, `${name}${NETWORK_POLICY_SUFFIX}`);
  const hash = indexValue(namespace, nameHash(name));
  const sandboxes = cache.byIndex('Sandbox', 'templateHash', hash);
  const pods = cache.byIndex('Pod', 'templateHash', hash);
  return {
    ...rest,
    namespace,
    name,
    ...definedOnly({ template, policy }),
    sandboxes,
    pods,
    lasting: holdersOf(sandboxes, pods).filter(({ name: sandbox, uid }) => isLasting(cache, cache.get('Sandbox', namespace, sandbox), uid)),
    sameHash: cache.byIndex('SandboxTemplate', 'nameHash', hash),
    foreignPolicies: cache.byIndex('NetworkPolicy', 'anyTemplateHash', nameHash(`${namespace}/${name}`)),
  };
}

/** Whether as many owners of a template's policy as it needs are Sandboxes of the template that stay. */
export function hasLastingOwners(cache: Cache, template: SandboxTemplate, policy: NetworkPolicy): boolean {
  const { namespace = '', ownerReferences = [] } = policy.metadata;
  const hash = nameHash(template.metadata.name ?? '');
  return ownerReferences.filter(({ kind, name, uid }) => {
    const sandbox = kind === 'Sandbox' ? cache.get('Sandbox', namespace, name) : undefined;
    return isLasting(cache, sandbox, uid) && labelOf(sandbox!, LABEL.templateRefHash) === hash;
  }).length >= FEWEST_HOLDERS;
}

/** Whether a Sandbox stays: garbage collection takes those whose claim or pool is gone. */
function isLasting(cache: Cache, sandbox: Sandbox | undefined, uid: string): boolean {
  if (sandbox === undefined || sandbox.metadata.uid !== uid || isDeleting(sandbox)) {
    return false;
  }
  const owner = controllerOf(sandbox);
  const kind = (['SandboxClaim', 'SandboxWarmPool'] as const).find(one => isOfKind(owner, EXTENSIONS_GROUP, one));
  return kind === undefined || cache.get(kind, sandbox.metadata.namespace ?? '', owner!.name)?.metadata.uid === owner!.uid;
}
