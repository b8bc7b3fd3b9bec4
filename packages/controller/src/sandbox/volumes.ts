import { LABEL, type Sandbox, type VolumeClaimTemplate, definedOnly, type PersistentVolumeClaim } from 'agent-sandbox-api';
import { labelOf, type KubeObject } from '../object/metadata.js';
import { controllerReference, describeController, ownershipOf } from '../object/ownership.js';
import { create, get, mergePatch, refOf, refusal, type Ref } from '../reconcile/plan.js';
import { all, ask, andThen, value, type Step } from '../reconcile/step.js';
import { hashOf, nameOf, namespaceOf, volumeClaimName, type ChildResult, type ObservedSandbox } from './observed.js';

/**
 * Creates the PersistentVolumeClaims that are missing and adopts those that were provided for the Sandbox. Existing ones
 * are never changed otherwise: they hold data.
 */
export function reconcileVolumes(observed: ObservedSandbox, mayCreate: boolean): Step<ChildResult> {
  const { sandbox, volumeClaims } = observed;
  const steps: Step<ChildResult>[] = [];
  for (const template of sandbox.spec.volumeClaimTemplates ?? []) {
    const name = volumeClaimName(template.metadata?.name ?? '', sandbox);
    const existing = volumeClaims[name];
    if (existing !== undefined) {
      const step = adoptIfNeeded(sandbox, existing);
      steps.push(step);
      if (step.done && step.value.errors.length > 0) {
        break;
      }
    } else if (mayCreate) {
      steps.push(createVolumeClaim(sandbox, template, name));
    }
  }
  return andThen(all(steps), results => value({
    errors: results.flatMap(result => result.errors),
    blockedBy: results.flatMap(result => result.blockedBy),
  }));
}

/** Whether an unowned object says that this Sandbox may take it. */
export function mayAdopt(sandbox: Sandbox, object: Pick<KubeObject, 'metadata'>): boolean {
  return labelOf(object, LABEL.adoptable) === 'true' || labelOf(object, LABEL.sandboxNameHash) === hashOf(sandbox);
}

/** How to authorise an adoption, for messages. */
export function adoptionRemedy(sandbox: Sandbox): string {
  return `it needs the label ${LABEL.adoptable}=true or ${LABEL.sandboxNameHash}=${hashOf(sandbox)}`;
}

function createVolumeClaim(sandbox: Sandbox, template: VolumeClaimTemplate, name: string): Step<ChildResult> {
  const claim: PersistentVolumeClaim = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name,
      namespace: namespaceOf(sandbox),
      labels: { ...template.metadata?.labels, [LABEL.sandboxNameHash]: hashOf(sandbox) },
      ...definedOnly({ annotations: template.metadata?.annotations }),
      ownerReferences: [controllerReference(sandbox)],
    },
    spec: template.spec,
  };
  return ask(create(claim), outcome => {
    if (outcome.ok) {
      return fine;
    }
    // The cache was behind, or another client created it first: the rules for an existing claim apply.
    return outcome.failure.reason === 'AlreadyExists'
      ? ask(get(claim), found => (found.ok ? adoptIfNeeded(sandbox, found.object as PersistentVolumeClaim) : failing(found.failure)))
      : failing(outcome.failure);
  });
}

function adoptIfNeeded(sandbox: Sandbox, claim: PersistentVolumeClaim): Step<ChildResult> {
  const name = claim.metadata.name ?? '';
  switch (ownershipOf(claim, sandbox)) {
    case 'own':
      return fine;
    case 'foreign':
      return failing(refusal(`PVC "${name}" is owned by ${describeController(claim)}, not by sandbox "${nameOf(sandbox)}"`), refOf(claim));
    case 'unowned':
      if (!mayAdopt(sandbox, claim)) {
        return failing(refusal(`cannot adopt unowned PVC "${name}" for sandbox "${nameOf(sandbox)}": ${adoptionRemedy(sandbox)}`), refOf(claim));
      }
      return ask(adoption(sandbox, claim), outcome => (outcome.ok ? fine : failing(outcome.failure)));
  }
}

/** Makes the Sandbox the controller of an unowned object, unless the object has changed since it was observed. */
function adoption(sandbox: Sandbox, object: KubeObject) {
  const ownerReferences = [...(object.metadata.ownerReferences ?? []), controllerReference(sandbox)];
  return mergePatch(object, { metadata: { ownerReferences } }, { resourceVersion: object.metadata.resourceVersion });
}

const fine: Step<ChildResult> = value({ errors: [], blockedBy: [] });

function failing(failure: ChildResult['errors'][number], ...blockedBy: Ref[]): Step<ChildResult> {
  return value({ errors: [failure], blockedBy });
}
