import { claimController } from './claim/controller.js';
import { readLabelDomains } from './claim/label-domains.js';
import type { Flags } from './flags.js';
import { poolController } from './pool/controller.js';
import { sandboxController } from './sandbox/controller.js';
import type { ControllerDefinition } from './reconcile/definition.js';
import { templateController } from './template/controller.js';
import { PolicyFailures } from './template/policy-failures.js';

/** The controllers that the flags ask for. Throws `LabelDomainsError` when the file of the allowed domains cannot be used. */
export function controllersOf(flags: Flags): ControllerDefinition[] {
  const sandbox = sandboxController(flags.sandboxConcurrentWorkers, {
    clusterDomain: flags.clusterDomain,
    writeBehindMs: flags.sandboxWriteBehindWindow,
    statusSettleMs: flags.sandboxStatusSettleWindow,
    events: !flags.disableSandboxEvents,
  });
  if (!flags.extensions) {
    return [sandbox];
  }
  const failures = new PolicyFailures();
  const pool = poolController(flags.sandboxWarmPoolConcurrentWorkers, {
    batchSize: flags.sandboxWarmPoolMaxBatchSize,
    replenishDelayMs: flags.sandboxWarmPoolReplenishDelay,
    refillRate: flags.sandboxWarmPoolMaxRefillRate,
    graceMs: flags.sandboxWarmPoolReadinessGracePeriod,
    recheckMs: flags.sandboxWarmPoolUnschedulableRecheckInterval,
    maxReplicas: flags.sandboxWarmPoolMaxReplicas,
    progressDeadlineMs: flags.sandboxWarmPoolProgressDeadline,
    statusWindowMs: flags.sandboxWarmPoolStatusWindow,
    evictable: flags.enableWarmPoolEviction,
  }, failures);
  return [sandbox, claimsOf(flags, failures), templateController(flags.sandboxTemplateConcurrentWorkers, failures), pool];
}

function claimsOf(flags: Flags, failures: PolicyFailures): ControllerDefinition {
  return claimController(flags.sandboxClaimConcurrentWorkers, {
    labelDomains: readLabelDomains(flags.allowedLabelDomainsFile),
    annotate: flags.claimObservabilityAnnotations && !flags.disableClaimObservabilityAnnotations,
    statusSettleMs: flags.sandboxStatusSettleWindow,
    events: !flags.disableClaimEvents,
  }, failures);
}
