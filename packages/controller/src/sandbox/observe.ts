import { definedOnly, nameHash, podNameOf } from 'agent-sandbox-api';
import { indexValue, type Cache } from '../reconcile/cache.js';
import { withEvents } from '../reconcile/pod-events.js';
import type { PersistentVolumeClaim } from '../core-kinds.js';
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
  const tracked = cache.get('Pod', namespace, podNameOf(sandbox));
  const trackedPod = tracked && withEvents(cache, tracked);
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
    pods: cache.byIndex('Pod', 'nameHash', hash).map(pod => (pod === tracked ? trackedPod! : withEvents(cache, pod))),
    ...definedOnly({ trackedPod, service }),
    volumeClaims,
    sameHash: cache.byIndex('Sandbox', 'nameHash', hash),
  };
}
