import { ANNOTATION, GROUP, LABEL, LAUNCH_TYPE, type Sandbox, type SandboxTemplate, VERSION, definedOnly } from 'agent-sandbox-api';
import { blueprintOf } from '../blueprint/blueprint.js';
import { annotationOf } from '../object/metadata.js';
import { controllerReference, ownershipOf } from '../object/ownership.js';
import { create, get } from '../reconcile/plan.js';
import { ask, value, type Step } from '../reconcile/step.js';
import { templateHash, templateKey } from '../template/identity.js';
import { failure } from './adopt.js';
import type { BindResult } from './bind-result.js';
import { withEnv } from './env.js';
import { namesakeText } from './locate.js';
import { nameOf, namespaceOf, type ObservedClaim } from './observed.js';
import { claimedPodMetadata, identityLabels } from './pod-metadata.js';
import { problem, type Problem } from './problem.js';
import { requestOf } from './request.js';
import { mergedVolumes } from './volumes.js';

/** Makes a Sandbox of the claim's own name from the template. */
export function createSandbox(observed: ObservedClaim, template: SandboxTemplate): Step<BindResult> {
  const { claim } = observed;
  const sandbox = newSandbox(observed, template);
  if ('reason' in sandbox) {
    return value({ problem: sandbox });
  }
  return ask<BindResult>(create(sandbox), outcome => {
    if (outcome.ok) {
      return value({ sandbox: (outcome.object as Sandbox | undefined) ?? sandbox });
    }
    if (outcome.failure.reason !== 'AlreadyExists') {
      return value(failure(outcome.failure, sandbox));
    }
    return ask<BindResult>(get(sandbox), found => {
      if (!found.ok) {
        return value({ problem: found.failure.reason === 'NotFound' ? problem.createPending() : problem.failure(found.failure) });
      }
      const current = found.object as Sandbox;
      return value(ownershipOf(current, claim) === 'own'
        ? { sandbox: current }
        : { problem: problem.error(namesakeText(claim, current)) });
    });
  });
}

/** The Sandbox as it is created; its lifetime is controlled by the claim. */
export function newSandbox({ claim }: ObservedClaim, template: SandboxTemplate): Sandbox | Problem {
  const namespace = namespaceOf(claim);
  const { podTemplate, volumeClaimTemplates = [], ...rest } = blueprintOf(template);
  const { envVarsInjectionPolicy, volumeClaimTemplatesPolicy } = template.spec;
  const volumes = mergedVolumes(volumeClaimTemplates, claim.spec.volumeClaimTemplates ?? [], volumeClaimTemplatesPolicy);
  if ('reason' in volumes) {
    return volumes;
  }
  const podSpec = withEnv(podTemplate.spec, claim.spec.env ?? [], envVarsInjectionPolicy);
  if ('reason' in podSpec) {
    return podSpec;
  }
  const hash = templateHash(template, namespace);
  const { labels, annotations, conflict } = claimedPodMetadata(podTemplate.metadata ?? {}, claim, hash);
  if (conflict !== undefined) {
    return problem.error(conflict);
  }
  const trace = annotationOf(claim, ANNOTATION.traceContext);
  return {
    apiVersion: `${GROUP}/${VERSION}`,
    kind: 'Sandbox',
    metadata: {
      name: nameOf(claim),
      namespace,
      labels: { ...identityLabels(claim, hash), [LABEL.launchType]: LAUNCH_TYPE.cold },
      annotations: {
        [ANNOTATION.templateRef]: templateKey(template, namespace),
        // Known beforehand, which saves a write.
        [ANNOTATION.podName]: nameOf(claim),
        [ANNOTATION.claimRequest]: requestOf(claim),
        ...definedOnly({ [ANNOTATION.traceContext]: trace }),
      },
      ownerReferences: [controllerReference(claim)],
    },
    spec: {
      ...rest,
      ...(volumes.length === 0 ? {} : { volumeClaimTemplates: [...volumes] }),
      podTemplate: {
        metadata: { labels, ...(Object.keys(annotations).length === 0 ? {} : { annotations }) },
        spec: podSpec,
      },
    },
  };
}
