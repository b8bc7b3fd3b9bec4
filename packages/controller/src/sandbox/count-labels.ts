import { ANNOTATION, CONDITION, EXTENSIONS_GROUP, LABEL, LAUNCH_TYPE, REASON, isMeantToRun, type Sandbox } from 'agent-sandbox-api';
import { conditionOf } from '../object/conditions.js';
import { annotationOf, createdByOf, labelOf } from '../object/metadata.js';
import { controllerOf, isOfKind } from '../object/ownership.js';

export interface SandboxCountLabels {
  readonly namespace: string;
  readonly ready_condition: string;
  readonly expired: string;
  readonly launch_type: string;
  readonly sandbox_template: string;
  readonly owned_by: string;
  readonly created_by: string;
  readonly operating_mode: string;
}

/** The labels under which a Sandbox is counted. */
export function countLabels(sandbox: Sandbox): SandboxCountLabels {
  const ready = conditionOf(sandbox.status?.conditions, CONDITION.ready);
  const controller = controllerOf(sandbox);
  const owner = ['SandboxClaim', 'SandboxWarmPool'].find(kind => isOfKind(controller, EXTENSIONS_GROUP, kind));
  const launch = labelOf(sandbox, LABEL.launchType);
  return {
    namespace: sandbox.metadata.namespace ?? '',
    ready_condition: String(ready?.status === 'True'),
    expired: String(ready?.reason === REASON.sandboxExpired),
    launch_type: launch === LAUNCH_TYPE.warm ? LAUNCH_TYPE.warm : LAUNCH_TYPE.cold,
    sandbox_template: annotationOf(sandbox, ANNOTATION.templateRef) || 'unknown',
    owned_by: owner ?? 'None',
    created_by: createdByOf(sandbox) ?? 'unknown',
    operating_mode: isMeantToRun(sandbox) ? 'Running' : 'Suspended',
  };
}
