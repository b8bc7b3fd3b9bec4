import { nameHash } from 'agent-sandbox-api';
import { memberName, poolHash, randomSuffix } from '../blueprint/member.js';
import { observeTemplateInUse } from '../blueprint/template-in-use.js';
import { indexValue, type Cache } from '../reconcile/cache.js';
import { podOf } from '../reconcile/pod-events.js';
import type { PolicyFailures } from '../template/policy-failures.js';
import type { ObservedPool } from './observed.js';

/** Upper bound on random names drawn to avoid a hash that the cache has already. */
const MOST_DRAWS = 20;

/** Reads a pool and all that it depends on from the cache; `undefined` when it is gone. `below(n)` gives random numbers from 0 to n - 1. */
export function observePool(
  cache: Cache,
  namespace: string,
  name: string,
  below: (n: number) => number,
  rest: Pick<ObservedPool, 'now' | 'monotonic' | 'options' | 'memory'>,
  failures?: PolicyFailures,
): ObservedPool | undefined {
  const pool = cache.get('SandboxWarmPool', namespace, name);
  if (pool === undefined) {
    return undefined;
  }
  const hash = indexValue(namespace, poolHash(pool));
  const names: string[] = [];
  const hasHash = (candidate: string) => cache.byIndex('Sandbox', 'nameHash', indexValue(namespace, nameHash(candidate))).length > 0;
  return {
    ...rest,
    pool,
    sandboxes: [...new Set([...cache.byIndex('Sandbox', 'controller', pool.metadata.uid ?? ''), ...cache.byIndex('Sandbox', 'pool', hash)])],
    templateInUse: observeTemplateInUse(cache, namespace, pool.spec.sandboxTemplateRef.name, failures),
    sameHash: cache.byIndex('SandboxWarmPool', 'nameHash', hash),
    podOf: sandbox => podOf(cache, sandbox),
    nameOf: index => {
      while (names.length <= index) {
        let draws = 0;
        let candidate: string;
        do {
          candidate = memberName(pool, randomSuffix(below));
        } while (++draws < MOST_DRAWS && (names.includes(candidate) || hasHash(candidate)));
        names.push(candidate);
      }
      return names[index]!;
    },
  };
}
