import type { Flags } from './flags.js';
import { sandboxController } from './sandbox/controller.js';
import type { ControllerDefinition } from './shell/definition.js';
import { templateController } from './template/controller.js';

/** The controllers that the flags ask for. */
export function controllersOf(flags: Flags): ControllerDefinition[] {
  const sandbox = sandboxController(flags.sandboxConcurrentWorkers, {
    clusterDomain: flags.clusterDomain,
    writeBehindMs: flags.sandboxWriteBehindWindow,
    statusSettleMs: flags.sandboxStatusSettleWindow,
  });
  return flags.extensions ? [sandbox, templateController(flags.sandboxTemplateConcurrentWorkers)] : [sandbox];
}
