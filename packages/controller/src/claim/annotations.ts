import { ANNOTATION, CONDITION, type Sandbox, type SandboxClaim, type SandboxClaimStatus } from 'agent-sandbox-api';
import { isConditionTrue } from '../object/conditions.js';
import { annotationOf } from '../object/metadata.js';
import { mergePatch, type Failure, type Outcome, type Request } from '../reconcile/plan.js';
import { ask, andThen, value, type Step } from '../reconcile/step.js';
import { staleAssignment } from './locate.js';
import type { ObservedClaim } from './observed.js';

/** Written in place of an unknown time. */
const UNKNOWN = 'unknown';

/** The observed state with the claim as the first writes left it, or why they failed. */
export type Prepared = { readonly observed: ObservedClaim } | { readonly failure: Failure };

/** Annotation writes that come before everything else: sets the time of first observation and removes a stale assignment. */
export function prepare(observed: ObservedClaim): Step<Prepared> {
  const requests = [...firstSight(observed), ...staleAssignment(observed)];
  return requests.reduce<Step<Prepared>>((step, request) => andThen(step, send(request)), value({ observed }));
}

function send(request: Request): (prepared: Prepared) => Step<Prepared> {
  return prepared => ('failure' in prepared ? value(prepared) : ask(request, outcome => value(withAnswer(prepared.observed, request, outcome))));
}

function withAnswer(observed: ObservedClaim, { ignore }: Request, outcome: Outcome): Prepared {
  if (outcome.ok) {
    return { observed: { ...observed, claim: (outcome.object as SandboxClaim | undefined) ?? observed.claim } };
  }
  return ignore?.includes(outcome.failure.reason) ? { observed } : { failure: outcome.failure };
}

function firstSight({ claim, options, firstSeen, now }: ObservedClaim): Request[] {
  return options.annotate && !annotationOf(claim, ANNOTATION.controllerFirstObservedAt)
    ? [annotationPatch(claim, { [ANNOTATION.controllerFirstObservedAt]: precise(firstSeen ?? now) })]
    : [];
}

/** Names the Sandbox of the claim, which the original's clients look for here: before the status, so that it is there once the claim is ready. */
export function announce(observed: ObservedClaim, sandbox: Sandbox | undefined): Step<Prepared> {
  const { claim, options } = observed;
  const name = sandbox?.metadata.name;
  return !options.annotate || name === undefined || annotationOf(claim, ANNOTATION.sandboxName) === name
    ? value({ observed })
    : send(annotationPatch(claim, { [ANNOTATION.sandboxName]: name }))({ observed });
}

/** The time of the first readiness, which follows it. */
export function readyAnnotations({ claim, options, now }: ObservedClaim, status: SandboxClaimStatus): Request[] {
  const [before, after] = [claim.status, status].map(state => isConditionTrue(state?.conditions, CONDITION.ready));
  const missing = options.annotate && !annotationOf(claim, ANNOTATION.claimFirstReadyAt) && (before || after);
  return missing ? [annotationPatch(claim, { [ANNOTATION.claimFirstReadyAt]: before ? UNKNOWN : precise(now) })] : [];
}

function annotationPatch(claim: SandboxClaim, annotations: { [key: string]: string }): Request {
  return mergePatch(claim, { metadata: { annotations } }, { ignore: ['NotFound'] });
}

/** RFC 3339 with nanoseconds, as the original writes it. */
function precise(time: number): string {
  return new Date(time).toISOString().replace('Z', '000000Z');
}
