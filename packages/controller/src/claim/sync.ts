import { CONDITION, LABEL, LAUNCH_TYPE, REASON, type Sandbox, definedOnly } from 'agent-sandbox-api';
import { conditionOf, hasFailed } from '../object/conditions.js';
import { mapDiff, mergeDiff } from '../object/diff.js';
import { labelOf } from '../object/metadata.js';
import { mergePatch, type PatchRequest } from '../reconcile/plan.js';
import { ask, value, type Step } from '../reconcile/step.js';
import { templateHash } from '../template/identity.js';
import { podTemplatePatch } from './adopt.js';
import type { BindResult } from './bind-result.js';
import { newSandbox } from './cold.js';
import { launchTypeOf } from './locate.js';
import { namespaceOf, templateOf, usableTemplate, type ObservedClaim } from './observed.js';
import { claimedPodMetadata, createdByLabel, without } from './pod-metadata.js';
import { problem, type Problem } from './problem.js';

/**
 * Keeps the metadata of the claim's Sandbox as its template and the claim specify. A Sandbox stays with the template that it
 * was made from: if the claim names another one now, nothing of that one is applied, in particular not the label that network
 * policies select by.
 */
export function syncSandbox(observed: ObservedClaim, sandbox: Sandbox): Step<BindResult> {
  const patch = syncPatch(observed, sandbox);
  if (patch === undefined) {
    return value({ sandbox });
  }
  if ('reason' in patch) {
    return value({ sandbox, problem: patch });
  }
  return ask(patch, outcome => {
    if (outcome.ok) {
      return value({ sandbox: outcome.object as Sandbox });
    }
    // It was deleted meanwhile, which requeues the claim.
    return value(outcome.failure.reason === 'NotFound' ? { sandbox } : { sandbox, problem: problem.failure(outcome.failure) });
  });
}

function syncPatch(observed: ObservedClaim, sandbox: Sandbox): PatchRequest | Problem | undefined {
  const { claim } = observed;
  const current = labelOf(sandbox, LABEL.templateRefHash);
  const template = current === undefined ? usableTemplate(observed) : templateOf(sandbox, observed);
  const hash = current ?? (template && templateHash(template, namespaceOf(claim)));
  // Without the template, the existing metadata stands in for it: keys are added, never changed.
  const base = (template === undefined ? sandbox.spec.podTemplate : template.spec.podTemplate).metadata ?? {};
  const metadata = claimedPodMetadata(base, claim, hash);
  if (metadata.conflict !== undefined) {
    return problem.error(metadata.conflict);
  }
  const createdBy = createdByLabel(claim);
  const labels = without(sandbox.metadata.labels, LABEL.createdBy);
  const diff = mapDiff(sandbox.metadata.labels, {
    ...labels,
    ...definedOnly({ [LABEL.templateRefHash]: hash, [LABEL.createdBy]: createdBy }),
    [LABEL.launchType]: labels[LABEL.launchType] || launchTypeOf(claim, sandbox),
  });
  const { spec } = podTemplatePatch(sandbox, metadata) as { spec?: { podTemplate: object } };
  const mended = mendedPodSpec(observed, sandbox);
  const podTemplate = { ...spec?.podTemplate, ...definedOnly({ spec: mended }) };
  const body = {
    ...definedOnly({ metadata: diff === undefined ? undefined : { labels: diff } }),
    ...(Object.keys(podTemplate).length === 0 ? {} : { spec: { podTemplate } }),
  };
  return Object.keys(body).length === 0 ? undefined : mergePatch(sandbox, body);
}

/**
 * What a changed template changes in the Sandbox of a claim whose Pod the API server refuses, as invalid or as forbidden: it has no Pod, so that the new Pod spec
 * takes effect at once. Sandboxes that run, or have run, stay as they are. `undefined`: nothing.
 */
function mendedPodSpec(observed: ObservedClaim, sandbox: Sandbox): object | undefined {
  const template = templateOf(sandbox, observed);
  if (!isRefused(sandbox) || template === undefined || sandbox.status?.podIPs?.length || launchTypeOf(observed.claim, sandbox) !== LAUNCH_TYPE.cold) {
    return undefined;
  }
  const wanted = newSandbox(observed, template);
  return 'reason' in wanted ? undefined : mergeDiff(sandbox.spec.podTemplate.spec, wanted.spec.podTemplate.spec);
}

/** Whether the API server refuses the Pod of a Sandbox. If a Pod once existed, which the selector in the status shows, an error may be about another request. */
function isRefused({ status }: Sandbox): boolean {
  const isInvalid = conditionOf(status?.conditions, CONDITION.ready)?.reason === REASON.invalidConfiguration;
  return hasFailed(status?.conditions) && (isInvalid || status?.selector === undefined);
}
