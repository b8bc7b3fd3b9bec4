import { ANNOTATION, LABEL, NETWORK_POLICY_SUFFIX, nameHash, type SandboxTemplate, type NetworkPolicy } from 'agent-sandbox-api';
import { annotationOf, isOlder } from '../object/metadata.js';
import { ownershipOf } from '../object/ownership.js';

const LONGEST_NAME = 253;

/**
 * What a template is called in a namespace, for hash labels: its name, and `<namespace>/<name>` where it is foreign. No
 * name of an object contains a slash, so that both never meet.
 */
export function templateKey(template: SandboxTemplate, namespace: string): string {
  const { name = '', namespace: home = '' } = template.metadata;
  return home === namespace ? name : `${home}/${name}`;
}

/** The label by which the network policy selects the Pods of the template in a namespace. */
export function templateHash(template: SandboxTemplate, namespace: string): string {
  return nameHash(templateKey(template, namespace));
}

/** Name of the NetworkPolicy for the Pods of the template in a namespace. */
export function policyName(template: SandboxTemplate, namespace: string): string {
  return `${templateKey(template, namespace).replace('/', '.')}${NETWORK_POLICY_SUFFIX}`;
}

export function isManaged(template: SandboxTemplate): boolean {
  return template.spec.networkPolicyManagement !== 'Unmanaged';
}

/** Whether claims of a namespace may use the template. */
export function isClaimableFrom(template: SandboxTemplate, namespace: string): boolean {
  const allowed = (annotationOf(template, ANNOTATION.claimableFrom) ?? '').split(',').map(entry => entry.trim());
  return template.metadata.namespace === namespace || allowed.includes('*') || allowed.includes(namespace);
}

/**
 * Why nothing can be made from a template: its policy could not be named, or an older template of the namespace has the
 * same 32-bit hash, so that the policies of both would apply to the Pods of both. A template that has its policy is fine.
 * Pools and claims that use it report the text with the reason `InvalidConfiguration`.
 */
export function templateProblem(
  template: SandboxTemplate,
  sameHash: readonly SandboxTemplate[],
  policy: NetworkPolicy | undefined,
): string | undefined {
  const { name = '', namespace = '' } = template.metadata;
  if (policyName(template, namespace).length > LONGEST_NAME) {
    return `the template name "${name}" is too long for its NetworkPolicy: use at most ${LONGEST_NAME - NETWORK_POLICY_SUFFIX.length} characters`;
  }
  if (policy !== undefined && ownershipOf(policy, template) === 'own') {
    return undefined;
  }
  const hash = templateHash(template, namespace);
  const elder = sameHash.find(other =>
    other.metadata.name !== name && other.metadata.namespace === namespace && templateHash(other, namespace) === hash && isOlder(other, template));
  return elder === undefined
    ? undefined
    : `the template name "${name}" has the same hash ${hash} as the older template "${elder.metadata.name}": choose another name`;
}

/** The labels of the policy, by which it is recognised when the owner references of a template are gone. */
export function policyLabels(template: SandboxTemplate, namespace: string): { [key: string]: string } {
  return { [LABEL.templateRefHash]: templateHash(template, namespace) };
}
