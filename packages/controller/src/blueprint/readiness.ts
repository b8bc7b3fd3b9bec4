import { NETWORK_POLICY_SUFFIX, REASON, nameHash, type SandboxTemplate } from 'agent-sandbox-api';
import { indexValue, type Cache } from '../cache.js';
import type { NetworkPolicy } from '../core-kinds.js';
import { isDeleting } from '../object.js';
import { refOf, type Ref } from '../plan.js';
import { policyName, templateProblem } from '../template/identity.js';
import { isPolicyReady } from '../template/policy.js';

/** A template of the own namespace and what decides whether Sandboxes may be made from it. */
export interface TemplateInUse {
  /** What the user calls it. */
  readonly name: string;
  /** Absent: there is none. */
  readonly template?: SandboxTemplate;
  /** The NetworkPolicy that has the name of the template's policy. */
  readonly policy?: NetworkPolicy;
  /** Templates of the namespace whose names have the same hash; may contain the template itself. */
  readonly sameHash: readonly SandboxTemplate[];
}

/** Why no Sandbox may be made from a template, for a condition. */
export interface Hindrance {
  readonly reason: string;
  readonly message: string;
  /** Objects whose change may end it, besides the template and its policy. */
  readonly blockedBy: readonly Ref[];
}

/** What the cache knows about a template that a pool or claim of the namespace uses. */
export function observeTemplateInUse(cache: Cache, namespace: string, name: string): TemplateInUse {
  const template = cache.get('SandboxTemplate', namespace, name);
  const policy = cache.get('NetworkPolicy', namespace, `${name}${NETWORK_POLICY_SUFFIX}`);
  return {
    name,
    ...(template === undefined ? {} : { template }),
    ...(policy === undefined ? {} : { policy }),
    sameHash: cache.byIndex('SandboxTemplate', 'nameHash', indexValue(namespace, nameHash(name))),
  };
}

/** What stands in the way of new Sandboxes; `undefined`: nothing, and there is a template. */
export function hindranceOf({ name, template, policy, sameHash }: TemplateInUse): Hindrance | undefined {
  if (template === undefined || isDeleting(template)) {
    return templateNotFound(name);
  }
  const problem = templateProblem(template, sameHash, policy);
  if (problem !== undefined) {
    const others = sameHash.filter(({ metadata }) => metadata.uid !== template.metadata.uid);
    return { reason: REASON.invalidConfiguration, message: problem, blockedBy: others.map(refOf) };
  }
  if (!isPolicyReady(template, policy)) {
    const message = `the NetworkPolicy "${policyName(template, template.metadata.namespace ?? '')}" of the SandboxTemplate "${name}" is not in place yet`;
    return { reason: REASON.networkPolicyNotReady, message, blockedBy: [] };
  }
  return undefined;
}

/** Also for templates of other namespaces that may not be used: whether they exist is nobody's business. */
export function templateNotFound(name: string): Hindrance {
  return { reason: REASON.templateNotFound, message: `SandboxTemplate "${name}" not found`, blockedBy: [] };
}
