import { ANNOTATION, CONDITION, EXTENSIONS_GROUP, LABEL, LAUNCH_TYPE, REASON, type Sandbox } from 'agent-sandbox-api';
import { Gauge, type Registry } from 'prom-client';
import { annotationOf, conditionOf, controllerOf, createdByOf, isOfKind, labelOf } from '../object.js';

export interface SandboxCountLabels {
  readonly namespace: string;
  readonly ready_condition: string;
  readonly expired: string;
  readonly launch_type: string;
  readonly sandbox_template: string;
  readonly owned_by: string;
  readonly created_by: string;
}

/** The labels under which a Sandbox is counted. */
export function countLabels(sandbox: Sandbox): SandboxCountLabels {
  const ready = conditionOf(sandbox.status?.conditions, CONDITION.ready);
  const controller = controllerOf(sandbox);
  const owner = ['SandboxClaim', 'SandboxWarmPool'].find((kind) => isOfKind(controller, EXTENSIONS_GROUP, kind));
  const launch = labelOf(sandbox, LABEL.launchType);
  return {
    namespace: sandbox.metadata.namespace ?? '',
    ready_condition: String(ready?.status === 'True'),
    expired: String(ready?.reason === REASON.sandboxExpired),
    launch_type: launch === LAUNCH_TYPE.warm ? LAUNCH_TYPE.warm : LAUNCH_TYPE.cold,
    sandbox_template: annotationOf(sandbox, ANNOTATION.templateRef) || 'unknown',
    owned_by: owner ?? 'None',
    created_by: createdByOf(sandbox) ?? 'unknown',
  };
}

/**
 * Counts the Sandboxes in the cache when asked. Only while this process works: every replica knows all of them, and a sum
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
