import { LABEL, type Sandbox, definedOnly, type Service } from 'agent-sandbox-api';
import { mapDiff } from '../object/diff.js';
import { labelOf } from '../object/metadata.js';
import { controllerReference, describeController, ownershipOf } from '../object/ownership.js';
import { create, get, mergePatch, refOf, refusal, remove, type Failure, type Ref } from '../reconcile/plan.js';
import { ask, value, type Step } from '../reconcile/step.js';
import { hashOf, nameOf, namespaceOf, type ChildResult, type ObservedSandbox } from './observed.js';
import { samePorts, servicePorts } from './ports.js';
import { adoptionRemedy, mayAdopt } from './volumes.js';

/** The state of the Service after reconciliation. */
export interface ServiceResult extends ChildResult {
  /** Name of the Service in use. */
  readonly service?: string;
}

/**
 * Keeps the headless Service as `spec.service` wants it: `true` creates, adopts and repairs it; unset keeps one that is
 * there already; `false` deletes it. A Service with another owner is never touched.
 */
export function reconcileService(observed: ObservedSandbox, mayCreate: boolean): Step<ServiceResult> {
  const { sandbox, service } = observed;
  if (service !== undefined) {
    return existing(sandbox, service);
  }
  return sandbox.spec.service === true && mayCreate ? createService(sandbox) : none;
}

/** Whether the Sandbox waits for a Service. */
export function needsService(sandbox: Sandbox, service: string | undefined): boolean {
  return sandbox.spec.service === true || (sandbox.spec.service === undefined && service !== undefined);
}

function createService(sandbox: Sandbox): Step<ServiceResult> {
  const name = nameOf(sandbox);
  const ports = servicePorts(sandbox.spec.podTemplate.spec);
  const service: Service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      namespace: namespaceOf(sandbox),
      labels: hashLabel(sandbox),
      ownerReferences: [controllerReference(sandbox)],
    },
    spec: { clusterIP: 'None', selector: hashLabel(sandbox), ...(ports.length === 0 ? {} : { ports }) },
  };
  return ask(create(service), outcome => {
    if (outcome.ok) {
      return using(name);
    }
    return outcome.failure.reason === 'AlreadyExists'
      ? ask(get(service), found => (found.ok ? existing(sandbox, found.object as Service) : failing(found.failure)))
      : failing(outcome.failure);
  });
}

function existing(sandbox: Sandbox, service: Service): Step<ServiceResult> {
  const wanted = sandbox.spec.service;
  const name = nameOf(sandbox);
  switch (ownershipOf(service, sandbox)) {
    case 'own':
      return wanted === false ? deleteService(service) : repair(sandbox, service);
    case 'foreign':
      return wanted === false
        ? none
        : failing(refusal(`service "${name}" is owned by ${describeController(service)}, not by sandbox "${name}"`), refOf(service));
    case 'unowned':
      return wanted === true ? adopt(sandbox, service) : none;
  }
}

function deleteService(service: Service): Step<ServiceResult> {
  if (service.metadata.deletionTimestamp !== undefined) {
    return none;
  }
  return ask(remove(service), outcome => (outcome.ok || outcome.failure.reason === 'NotFound' ? none : failing(outcome.failure)));
}

function repair(sandbox: Sandbox, service: Service): Step<ServiceResult> {
  const patch = repairPatch(sandbox, service, sandbox.spec.service === true);
  if (patch === undefined) {
    return using(nameOf(sandbox));
  }
  return ask(mergePatch(service, patch), outcome => value({
    service: nameOf(sandbox),
    errors: outcome.ok ? [] : [outcome.failure],
    blockedBy: [],
  }));
}

function adopt(sandbox: Sandbox, service: Service): Step<ServiceResult> {
  const name = nameOf(sandbox);
  const clusterIP = service.spec?.clusterIP;
  if (!mayAdopt(sandbox, service)) {
    return failing(refusal(`cannot adopt unowned service "${name}" for sandbox "${name}": ${adoptionRemedy(sandbox)}`), refOf(service));
  }
  if (clusterIP && clusterIP !== 'None') {
    return failing(refusal(`cannot adopt service "${name}" for sandbox "${name}": its clusterIP ${clusterIP} cannot be changed to None`), refOf(service));
  }
  const { metadata, spec } = repairPatch(sandbox, service, true) ?? {};
  const patch = {
    metadata: { ...metadata, ownerReferences: [...(service.metadata.ownerReferences ?? []), controllerReference(sandbox)] },
    ...definedOnly({ spec }),
  };
  return ask(mergePatch(service, patch, { resourceVersion: service.metadata.resourceVersion }), outcome =>
    (outcome.ok ? using(name) : failing(outcome.failure)));
}

function repairPatch(sandbox: Sandbox, service: Service, withPorts: boolean): { metadata?: object; spec?: object } | undefined {
  const labelled = labelOf(service, LABEL.sandboxNameHash) === hashOf(sandbox);
  const selector = mapDiff(service.spec?.selector, hashLabel(sandbox));
  const wanted = servicePorts(sandbox.spec.podTemplate.spec);
  const ports = withPorts && !samePorts(service.spec?.ports, wanted) ? wanted : undefined;
  if (labelled && selector === undefined && ports === undefined) {
    return undefined;
  }
  const spec = definedOnly({ selector, ports: ports?.length === 0 ? null : ports });
  return {
    ...(labelled ? {} : { metadata: { labels: hashLabel(sandbox) } }),
    ...(Object.keys(spec).length === 0 ? {} : { spec }),
  };
}

function hashLabel(sandbox: Sandbox): { [key: string]: string } {
  return { [LABEL.sandboxNameHash]: hashOf(sandbox) };
}

const none: Step<ServiceResult> = value({ errors: [], blockedBy: [] });

function using(service: string): Step<ServiceResult> {
  return value({ service, errors: [], blockedBy: [] });
}

function failing(failure: Failure, ...blockedBy: Ref[]): Step<ServiceResult> {
  return value({ errors: [failure], blockedBy });
}
