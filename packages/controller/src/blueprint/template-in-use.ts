import { NETWORK_POLICY_SUFFIX, REASON, type SandboxTemplate, definedOnly, nameHash, type NetworkPolicy } from 'agent-sandbox-api';
import { indexValue, type Cache } from '../reconcile/cache.js';
import { isDeleting } from '../object/metadata.js';
import { refOf, type Ref } from '../reconcile/plan.js';
import { policyName, templateProblem } from '../template/identity.js';
import { isPolicyReady } from '../template/policy.js';
import type { PolicyFailures } from '../template/policy-failures.js';

/** A template of the same namespace and what decides whether Sandboxes may be created from it. */
export interface TemplateInUse {
  /** As the user refers to it. */
  readonly name: string;
  /** Absent: there is none. */
  readonly template?: SandboxTemplate;
  /** The NetworkPolicy that has the name of the template's policy. */
  readonly policy?: NetworkPolicy;
  /** Templates of the namespace whose names have the same hash; may contain the template itself. */
  readonly sameHash: readonly SandboxTemplate[];
  /** What the API server said when it refused the NetworkPolicy. */
  readonly policyFailure?: string;
}

/** Why no Sandbox may be created from a template yet, for a condition. */
export interface UnmetPrecondition {
  readonly reason: string;
  readonly message: string;
  /** Objects whose change may resolve it, besides the template and its policy. */
  readonly blockedBy: readonly Ref[];
}

/** Reads a template that a pool or claim of the namespace uses from the cache. */
export function observeTemplateInUse(cache: Cache, namespace: string, name: string, failures?: PolicyFailures): TemplateInUse {
  const template = cache.get('SandboxTemplate', namespace, name);
  const policy = cache.get('NetworkPolicy', namespace, `${name}${NETWORK_POLICY_SUFFIX}`);
  const policyFailure = failures?.get(`${namespace}/${name}`);
  return {
    name,
    ...definedOnly({ template, policy }),
    sameHash: cache.byIndex('SandboxTemplate', 'nameHash', indexValue(namespace, nameHash(name))),
    ...definedOnly({ policyFailure }),
  };
}

/** The precondition for new Sandboxes that is not met; `undefined`: all are, and the template exists. */
export function unmetPrecondition({ name, template, policy, sameHash, policyFailure }: TemplateInUse): UnmetPrecondition | undefined {
  if (template === undefined || isDeleting(template)) {
    return templateNotFound(name);
  }
  const problem = templateProblem(template, sameHash, policy);
  if (problem !== undefined) {
    const others = sameHash.filter(({ metadata }) => metadata.uid !== template.metadata.uid);
    return { reason: REASON.invalidConfiguration, message: problem, blockedBy: others.map(refOf) };
  }
  if (!isPolicyReady(template, policy)) {
    const message = `the NetworkPolicy "${policyName(template, template.metadata.namespace ?? '')}" of the SandboxTemplate "${name}" is not in place yet${policyFailure === undefined ? '' : `: ${policyFailure}`}`;
    return { reason: REASON.networkPolicyNotReady, message, blockedBy: [] };
  }
  return undefined;
}

/** Also used for templates of other namespaces that do not permit claims from here: whether they exist is not disclosed. */
function templateNotFound(name: string): UnmetPrecondition {
  return { reason: REASON.templateNotFound, message: `SandboxTemplate "${name}" not found`, blockedBy: [] };
}
