import { definedOnly, nameHash, type PersistentVolumeClaim } from 'agent-sandbox-api';
import { indexValue, type Cache } from '../reconcile/cache.js';
import { podOf, podsOfHash } from '../reconcile/pod-events.js';
import { volumeClaimNames, type ObservedSandbox } from './observed.js';

/** Reads a Sandbox and all that it depends on from the cache; `undefined` when it is gone. */
export function observeSandbox(
  cache: Cache,
  namespace: string,
  name: string,
  rest: Pick<ObservedSandbox, 'now' | 'monotonic' | 'options' | 'memory'>,
): ObservedSandbox | undefined {
  const sandbox = cache.get('Sandbox', namespace, name);
  if (sandbox === undefined) {
    return undefined;
  }
  const hash = indexValue(namespace, nameHash(name));
  const trackedPod = podOf(cache, sandbox);
  const service = cache.get('Service', namespace, name);
  const volumeClaims: { [name: string]: PersistentVolumeClaim } = {};
  for (const claimName of volumeClaimNames(sandbox)) {
    const claim = cache.get('PersistentVolumeClaim', namespace, claimName);
    if (claim !== undefined) {
      volumeClaims[claimName] = claim;
    }
  }
  return {
    ...rest,
    sandbox,
    pods: podsOfHash(cache, hash),
    ...definedOnly({ trackedPod, service }),
    volumeClaims,
    sameHash: cache.byIndex('Sandbox', 'nameHash', hash),
  };
}
