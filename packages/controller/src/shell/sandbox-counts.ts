import type { Sandbox } from 'agent-sandbox-api';
import { Gauge, type Registry } from 'prom-client';
import { controllerOf } from '../object/ownership.js';
import { countLabels } from '../sandbox/count-labels.js';

/** Counts the idle members of pools in the cache when scraped, while this process leads. */
export function countMembers(registry: Registry, sandboxes: () => readonly Sandbox[], isWorking: () => boolean): Gauge {
  return new Gauge({
    name: 'agent_sandbox_warmpool_size',
    help: 'Idle Sandboxes of pools',
    labelNames: ['namespace', 'warmpool_name', 'sandbox_template', 'sandbox_status'],
    registers: [registry],
    collect() {
      this.reset();
      for (const sandbox of isWorking() ? sandboxes() : []) {
        const { namespace, sandbox_template, ready_condition, owned_by } = countLabels(sandbox);
        if (owned_by === 'SandboxWarmPool') {
          const warmpool_name = controllerOf(sandbox)?.name ?? '';
          this.inc({ namespace, warmpool_name, sandbox_template, sandbox_status: ready_condition === 'true' ? 'ready' : 'not_ready' });
        }
      }
    },
  });
}

/**
 * Counts the Sandboxes in the cache when scraped. Only while this process leads: every replica caches all of them, and a sum
 * over replicas would count each several times.
 */
export function countSandboxes(registry: Registry, sandboxes: () => readonly Sandbox[], isWorking: () => boolean): Gauge {
  return new Gauge({
    name: 'agent_sandboxes',
    help: 'Sandboxes',
    labelNames: ['namespace', 'ready_condition', 'expired', 'launch_type', 'sandbox_template', 'owned_by', 'created_by', 'operating_mode'],
    registers: [registry],
    collect() {
      this.reset();
      for (const sandbox of isWorking() ? sandboxes() : []) {
        this.inc({ ...countLabels(sandbox) });
      }
    },
  });
}
