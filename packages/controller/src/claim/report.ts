import { ANNOTATION, CONDITION, LABEL, LAUNCH_TYPE, REASON, type Sandbox, type SandboxClaim, type SandboxClaimStatus } from 'agent-sandbox-api';
import { poolNameOf } from '../blueprint/stale.js';
import { isConditionTrue } from '../object/conditions.js';
import { annotationOf, labelOf } from '../object/metadata.js';
import { event, type Request } from '../reconcile/plan.js';
import { readyAnnotations } from './annotations.js';
import { candidateIn, type Decision } from './decide.js';
import { createdMeasure, readyMeasures } from './measures.js';
import { nameOf, type ObservedClaim } from './observed.js';
import { statusWrite } from './status.js';

/** What is known when a claim has been reconciled. */
interface Conclusion {
  readonly observed: ObservedClaim;
  readonly decision: Decision;
  readonly sandbox: Sandbox | undefined;
  readonly status: SandboxClaimStatus;
  /** Whether the status was written and accepted. */
  readonly stored: boolean;
}

/** Events, measurements and annotations about a claim that got its Sandbox or became ready, sent once its status is stored. */
export function reports({ observed, decision, sandbox, status, stored }: Conclusion): Request[] {
  const { claim, options, firstSeen, target } = observed;
  const [wasReady, isReady] = [claim.status, status].map(state => isConditionTrue(state?.conditions, CONDITION.ready));
  const annotations = stored || statusWrite(claim, status) === undefined ? readyAnnotations(observed, status) : [];
  const first = stored && isReady && !wasReady && (options.annotate ? !annotationOf(claim, ANNOTATION.claimFirstReadyAt) : firstSeen !== undefined);
  const bound = stored && sandbox !== undefined && !claim.status?.sandbox?.name;
  const candidate = candidateIn(decision);
  const pool = target.poolName ?? (candidate && poolNameOf(candidate));
  return [
    ...(bound ? [bindingEvent(claim, sandbox), createdMeasure(claim, sandbox, pool)] : []),
    ...(first ? readyMeasures(observed, sandbox) : []),
    ...annotations,
  ];
}

function bindingEvent(claim: SandboxClaim, sandbox: Sandbox): Request {
  const name = nameOf(sandbox);
  return labelOf(sandbox, LABEL.launchType) === LAUNCH_TYPE.warm
    ? event(claim, { type: 'Normal', reason: REASON.sandboxAdopted, action: 'Adoption', note: `Adopted warm pool Sandbox "${name}"` })
    : event(claim, { type: 'Normal', reason: REASON.sandboxProvisioned, action: 'Provisioning', note: `Created Sandbox "${name}"` });
}
