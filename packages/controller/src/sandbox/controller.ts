import { EXTENSIONS_GROUP, GROUP, type Sandbox } from 'agent-sandbox-api';
import { controllerOf, isOfKind } from '../object.js';
import type { KubeObject } from '../plan.js';
import { createdByAttribute, isOwnStatusWrite, statesOf, type Change, type ControllerDefinition, type Wake } from '../shell/definition.js';
import { observeSandbox } from './observe.js';
import type { SandboxOptions } from './observed.js';
import { planSandbox } from './plan.js';

/** The Sandbox controller: woken by Sandboxes and by what they own. */
export function sandboxController(concurrency: number, options: SandboxOptions): ControllerDefinition {
  return {
    name: 'sandbox-controller',
    concurrency,
    reads: ['Sandbox', 'Pod', 'Service', 'PersistentVolumeClaim'],
    plan: (cache, namespace, name, { now, memory }) => {
      const observed = observeSandbox(cache, namespace, name, { now, options, memory });
      return observed === undefined ? undefined : planSandbox(observed);
    },
    watches: { Sandbox: ofSandbox, Pod: ownersOf, Service: ownersOf, PersistentVolumeClaim: ownersOf },
    yields: (cache, namespace, name) => isPoolMember(cache.get('Sandbox', namespace, name)),
    traced: {
      kind: 'Sandbox',
      span: 'ReconcileSandbox',
      attributes: (sandbox) => ({
        'sandbox.name': sandbox.metadata.name ?? '', 'sandbox.namespace': sandbox.metadata.namespace ?? '', ...createdByAttribute(sandbox),
      }),
      parts: { Pod: 'reconcilePod', PersistentVolumeClaim: 'reconcilePVCs' },
      annotate: true,
    },
  };
}

/** Nobody waits for what is still in a pool. */
function isPoolMember(sandbox: Sandbox | undefined): boolean {
  return sandbox !== undefined && isOfKind(controllerOf(sandbox), EXTENSIONS_GROUP, 'SandboxWarmPool');
}

function ofSandbox(change: Change<Sandbox>): readonly Wake[] {
  const { namespace, name } = statesOf(change)[0]!.metadata;
  return isOwnStatusWrite(change) ? [] : [{ key: `${namespace}/${name}` }];
}

/** The Sandboxes that control an object, or did before the change. */
function ownersOf(change: Change<KubeObject>): readonly Wake[] {
  const owners = statesOf(change).flatMap((object) => {
    const controller = controllerOf(object);
    return isOfKind(controller, GROUP, 'Sandbox') ? [`${object.metadata.namespace}/${controller!.name}`] : [];
  });
  return [...new Set(owners)].map((key) => ({ key }));
}
