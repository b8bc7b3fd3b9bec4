import { ANNOTATION, LABEL, LAUNCH_TYPE, type Sandbox, definedOnly } from 'agent-sandbox-api';
import { mapDiff } from '../object/diff.js';
import { annotationOf, labelOf } from '../object/metadata.js';
import { controllerReference, ownershipOf } from '../object/ownership.js';
import { get, mergePatch, refOf, type Failure } from '../reconcile/plan.js';
import { ask, value, type Step } from '../reconcile/step.js';
import type { BindResult } from './bind-result.js';
import { nameOf, templateOf, type ObservedClaim } from './observed.js';
import { POOL_LABELS, claimedPodMetadata, createdByLabel, without, withoutPoolMetadata } from './pod-metadata.js';
import { problem, type Problem } from './problem.js';
import { requestOf } from './request.js';
import { poolKeyOf } from './warm-queue.js';

/** Attempts to adopt a Sandbox that other clients write at the same time. */
const ATTEMPTS = 5;

/**
 * Makes an idle member of a pool the claim's, in one locked write that leaves the Sandbox in its final state. The owner
 * reference is the lock: the claim that sets it has the Sandbox, and a crash right after it is completed by the next reconciliation.
 */
export function adopt(observed: ObservedClaim, candidate: Sandbox): Step<BindResult> {
  return transfer(observed, candidate, 1);
}

function transfer(observed: ObservedClaim, candidate: Sandbox, attempt: number): Step<BindResult> {
  const patch = adoptionPatch(observed, candidate);
  if ('reason' in patch) {
    return value({ problem: patch });
  }
  return ask(mergePatch(candidate, patch, { resourceVersion: candidate.metadata.resourceVersion }), outcome => {
    if (outcome.ok) {
      return value({ sandbox: outcome.object as Sandbox });
    }
    return outcome.failure.reason === 'Conflict' || outcome.failure.reason === 'NotFound'
      ? resolve(observed, candidate, attempt)
      : value(failure(outcome.failure, candidate));
  });
}

/** Another client has written the candidate: a read past the cache shows whether it can still be adopted. */
function resolve(observed: ObservedClaim, candidate: Sandbox, attempt: number): Step<BindResult> {
  return ask(get(candidate), outcome => {
    if (!outcome.ok) {
      return value(outcome.failure.reason === 'NotFound'
        ? { problem: problem.adoptionConflict(`sandbox "${nameOf(candidate)}" is gone`) }
        : { problem: problem.failure(outcome.failure) });
    }
    const current = outcome.object as Sandbox;
    if (ownershipOf(current, observed.claim) === 'own') {
      return value({ sandbox: current });
    }
    const same = current.metadata.uid === candidate.metadata.uid && poolKeyOf(current) === poolKeyOf(candidate);
    if (!same) {
      return value({ problem: problem.adoptionConflict(`sandbox "${nameOf(candidate)}" was taken or changed by another client`) });
    }
    return attempt < ATTEMPTS
      ? transfer(observed, current, attempt + 1)
      : value({ problem: problem.adoptionConflict(`sandbox "${nameOf(candidate)}" is written by other clients continuously`) });
  });
}

/** What a failed write of a Sandbox that would be the claim's means: without an answer it may have succeeded. */
export function failure(cause: Failure, sandbox: Sandbox): BindResult {
  const unanswered = ['Timeout', 'Unknown', 'Cancelled'].includes(cause.reason);
  const { apiVersion, kind, namespace, name } = refOf(sandbox);
  return { problem: problem.failure(cause), ...(unanswered ? { uncertain: { apiVersion, kind, namespace, name } } : {}) };
}

/** Everything that changes when a member becomes the claim's, or why it cannot. */
export function adoptionPatch(observed: ObservedClaim, sandbox: Sandbox): object | Problem {
  const { claim } = observed;
  const template = templateOf(sandbox, observed);
  const base = template === undefined ? withoutPoolMetadata(sandbox.spec.podTemplate.metadata ?? {}) : template.spec.podTemplate.metadata ?? {};
  const metadata = claimedPodMetadata(base, claim, labelOf(sandbox, LABEL.templateRefHash));
  if (metadata.conflict !== undefined) {
    return problem.error(metadata.conflict);
  }
  const trace = annotationOf(claim, ANNOTATION.traceContext);
  const booted = labelOf(sandbox, LABEL.podTemplateHash);
  const annotations = mapDiff(sandbox.metadata.annotations, {
    ...sandbox.metadata.annotations,
    [ANNOTATION.podName]: nameOf(sandbox),
    [ANNOTATION.claimRequest]: requestOf(claim),
    ...definedOnly({ [ANNOTATION.podTemplateHash]: booted, [ANNOTATION.traceContext]: trace }),
  });
  return {
    metadata: {
      labels: mapDiff(sandbox.metadata.labels, claimedLabels(observed, sandbox)),
      ...definedOnly({ annotations }),
      ownerReferences: [controllerReference(claim)],
    },
    ...podTemplatePatch(sandbox, metadata),
  };
}

function claimedLabels({ claim }: ObservedClaim, sandbox: Sandbox): { [key: string]: string } {
  const createdBy = createdByLabel(claim);
  return {
    ...without(sandbox.metadata.labels, ...POOL_LABELS, LABEL.createdBy),
    [LABEL.launchType]: LAUNCH_TYPE.warm,
    [LABEL.claimUid]: claim.metadata.uid ?? '',
    ...definedOnly({ [LABEL.createdBy]: createdBy }),
  };
}

/** The change of a Sandbox's Pod template that gives it these labels and annotations; empty where it has them. */
export function podTemplatePatch(sandbox: Sandbox, wanted: { readonly labels: object; readonly annotations: object }): { spec?: object } {
  const before = sandbox.spec.podTemplate.metadata;
  const labels = mapDiff(before?.labels, wanted.labels as { [key: string]: string });
  const annotations = mapDiff(before?.annotations, wanted.annotations as { [key: string]: string });
  const metadata = definedOnly({ labels, annotations });
  return Object.keys(metadata).length === 0 ? {} : { spec: { podTemplate: { metadata } } };
}
