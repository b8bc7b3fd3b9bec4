import type { Sandbox } from 'agent-sandbox-api';
import { Gauge, type Registry } from 'prom-client';
import { countLabels } from '../sandbox/count-labels.js';

/**
 * Counts the Sandboxes in the cache when scraped. Only while this process leads: every replica caches all of them, and a sum
 * over replicas would count each several times.
 */
export function countSandboxes(registry: Registry, sandboxes: () => readonly Sandbox[], isWorking: () => boolean): Gauge {
  return new Gauge({
    name: 'agent_sandboxes',
    help: 'Sandboxes',
    labelNames: ['namespace', 'ready_condition', 'expired', 'launch_type', 'sandbox_template', 'owned_by', 'created_by'],
    registers: [registry],
    collect() {
      this.reset();
      for (const sandbox of isWorking() ? sandboxes() : []) {
        this.inc({ ...countLabels(sandbox) });
      }
    },
  });
}
