import { NETWORK_POLICY_SUFFIX, definedOnly, nameHash } from 'agent-sandbox-api';
import { indexValue, type Cache } from '../reconcile/cache.js';
import type { ObservedTemplate } from './reconcile.js';

/** Reads a template, or the remains of a deleted one, from the cache. */
export function observeTemplate(cache: Cache, namespace: string, name: string, rest: Pick<ObservedTemplate, 'now' | 'monotonic' | 'memory'>): ObservedTemplate {
  const template = cache.get('SandboxTemplate', namespace, name);
  const policy = cache.get('NetworkPolicy', namespace, `${name}${NETWORK_POLICY_SUFFIX}`);
  const hash = indexValue(namespace, nameHash(name));
  return {
    ...rest,
    namespace,
    name,
    ...definedOnly({ template, policy }),
    sandboxes: cache.byIndex('Sandbox', 'templateHash', hash),
    pods: cache.byIndex('Pod', 'templateHash', hash),
    sameHash: cache.byIndex('SandboxTemplate', 'nameHash', hash),
    foreignPolicies: cache.byIndex('NetworkPolicy', 'anyTemplateHash', nameHash(`${namespace}/${name}`)),
  };
}
