import { ANNOTATION, CONDITION, REASON, type Sandbox, type SandboxWarmPool } from 'agent-sandbox-api';
import { Gauge, type Registry } from 'prom-client';
import { conditionOf, isConditionTrue } from '../object/conditions.js';
import { annotationOf, isDeleting } from '../object/metadata.js';
import { countLabels } from '../sandbox/count-labels.js';

/** What members of a pool are counted as, in the words of the original. */
const MEMBER_STATUSES = ['ready', 'pending', 'succeeded', 'failed'] as const;

/** Counts the idle members of pools in the cache when scraped, while this process leads. A pool without members counts as zeros. */
export function countMembers(
  registry: Registry, pools: () => readonly SandboxWarmPool[], members: (pool: SandboxWarmPool) => readonly Sandbox[], isWorking: () => boolean,
): Gauge {
  return new Gauge({
    name: 'agent_sandbox_warmpool_size',
    help: 'Idle Sandboxes of pools by what their conditions say: ready, pending, succeeded or failed',
    labelNames: ['namespace', 'warmpool_name', 'sandbox_template', 'sandbox_status'],
    registers: [registry],
    collect() {
      this.reset();
      for (const pool of isWorking() ? pools().filter(object => !isDeleting(object)) : []) {
        const labels = { namespace: pool.metadata.namespace ?? '', warmpool_name: pool.metadata.name ?? '', sandbox_template: pool.spec.sandboxTemplateRef.name };
        MEMBER_STATUSES.forEach(sandbox_status => this.set({ ...labels, sandbox_status }, 0));
        for (const sandbox of members(pool).filter(object => !isDeleting(object))) {
          const sandbox_template = annotationOf(sandbox, ANNOTATION.templateRef) || labels.sandbox_template;
          this.inc({ ...labels, sandbox_template, sandbox_status: memberStatus(sandbox) });
        }
      }
    },
  });
}

function memberStatus({ status }: Sandbox): (typeof MEMBER_STATUSES)[number] {
  if (isConditionTrue(status?.conditions, CONDITION.finished)) {
    return conditionOf(status?.conditions, CONDITION.finished)?.reason === REASON.podFailed ? 'failed' : 'succeeded';
  }
  return isConditionTrue(status?.conditions, CONDITION.ready) ? 'ready' : 'pending';
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
