import { EXTENSIONS_GROUP, LABEL, type Sandbox, type SandboxTemplate, type SandboxWarmPool } from 'agent-sandbox-api';
import { labelOf } from '../object/metadata.js';
import { controllerOf, isOfKind } from '../object/ownership.js';
import { blueprintHash, blueprintOf, templateRefHash } from './blueprint.js';
import { hasBlueprint } from './compare.js';

/** Whether the Sandboxes of a pool are replaced when the template changes; otherwise they are kept until they are claimed. */
export function recreates(pool: SandboxWarmPool): boolean {
  return pool.spec.updateStrategy?.type === 'Recreate';
}

/**
 * Whether a Sandbox was made from another template, or from another state of this one.
 *
 * The hash that a pool put on its Sandbox is trusted if it says that nothing changed; where it differs, which it also
 * does for Sandboxes that another implementation made, the specs are compared. Labels of a Sandbox without a controller
 * are not trusted.
 *
 * @param memo verdicts by hash label, so that thousands of Sandboxes of one state are compared once; of one template only
 */
export function isStale(sandbox: Sandbox, template: SandboxTemplate, memo: Map<string, boolean> = new Map()): boolean {
  if (labelOf(sandbox, LABEL.templateRefHash) !== templateRefHash(template, sandbox.metadata.namespace ?? '')) {
    return true;
  }
  const blueprint = blueprintOf(template);
  if (controllerOf(sandbox) === undefined) {
    return !hasBlueprint(sandbox.spec, blueprint);
  }
  const label = labelOf(sandbox, LABEL.templateHash) ?? '';
  if (label === blueprintHash(template)) {
    return false;
  }
  const verdict = memo.get(label) ?? !hasBlueprint(sandbox.spec, blueprint);
  memo.set(label, verdict);
  return verdict;
}

/** Name of the pool that controls a Sandbox. */
export function poolNameOf(sandbox: Sandbox): string | undefined {
  const controller = controllerOf(sandbox);
  return isOfKind(controller, EXTENSIONS_GROUP, 'SandboxWarmPool') ? controller!.name : undefined;
}
