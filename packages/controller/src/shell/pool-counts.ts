import type { SandboxWarmPool } from 'agent-sandbox-api';
import { Gauge, type Registry } from 'prom-client';

/**
 * Sizes of the pools in the cache when scraped, from their status. Only while this process leads, as for
 * Sandboxes.
 *
 * @param maxReplicas the ceiling of all pools; 0: none
 */
export function countPools(registry: Registry, pools: () => readonly SandboxWarmPool[], isWorking: () => boolean, maxReplicas: number): Gauge {
  return new Gauge({
    name: 'agent_sandbox_warm_pool_replicas',
    help: 'Sandboxes of pools: desired, those that there are, and the ready ones among them',
    labelNames: ['namespace', 'warmpool_name', 'state'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { metadata: { namespace = '', name = '' }, spec, status } of isWorking() ? pools() : []) {
        const desired = Math.min(spec.replicas ?? 1, maxReplicas > 0 ? maxReplicas : Infinity);
        const states = { desired, current: status?.replicas ?? 0, ready: status?.readyReplicas ?? 0 };
        Object.entries(states).forEach(([state, count]) => this.set({ namespace, warmpool_name: name, state }, count));
      }
    },
  });
}
