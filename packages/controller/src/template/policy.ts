import { CONTROLLER_DEFAULT_RULES, LABEL, type NetworkPolicyPort, type SandboxNetworkPolicy, type SandboxTemplate, type NetworkPolicy, type NetworkPolicySpec } from 'agent-sandbox-api';
import { semanticallyEqual } from '../object/diff.js';
import { isDeleting } from '../object/metadata.js';
import { ownershipOf } from '../object/ownership.js';
import { isManaged, templateHash } from './identity.js';

/** The policy for the Pods of a template in a namespace. A direction without rules is denied. */
export function desiredPolicySpec(template: SandboxTemplate, namespace: string): NetworkPolicySpec {
  const { ingress = [], egress = [] }: SandboxNetworkPolicy = template.spec.networkPolicy ?? CONTROLLER_DEFAULT_RULES;
  return {
    podSelector: { matchLabels: { [LABEL.templateRefHash]: templateHash(template, namespace) } },
    policyTypes: ['Ingress', 'Egress'],
    ingress,
    egress,
  };
}

/** Whether a stored policy does what is desired. */
export function samePolicy(stored: NetworkPolicySpec | undefined, desired: NetworkPolicySpec): boolean {
  return stored !== undefined && semanticallyEqual(normalized(stored), normalized(desired));
}

/**
 * Whether Pods of a template may be created in its own namespace: nothing runs before the policy that confines it is in
 * the cache as the template wants it. Unmanaged templates have none. For foreign templates see `ensureForeignPolicy`.
 */
export function isPolicyReady(template: SandboxTemplate, policy: NetworkPolicy | undefined): boolean {
  return !isManaged(template) || (policy !== undefined && !isDeleting(policy) && ownershipOf(policy, template) === 'own'
    && samePolicy(policy.spec, desiredPolicySpec(template, template.metadata.namespace ?? '')));
}

/** The API server stores TCP where a port names no protocol. */
function normalized(spec: NetworkPolicySpec): NetworkPolicySpec {
  const withProtocol = <T extends { ports?: NetworkPolicyPort[] }>(rule: T): T =>
    (rule.ports === undefined ? rule : { ...rule, ports: rule.ports.map(port => ({ ...port, protocol: port.protocol ?? 'TCP' })) });
  return { ...spec, ingress: spec.ingress?.map(withProtocol), egress: spec.egress?.map(withProtocol) };
}
