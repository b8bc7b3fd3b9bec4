import { withoutIndexes } from './differences';

/**
 * All that the API server may change about a synthesized object, by kind; `*` stands for any value. Whatever else comes
 * back different is a finding: GitOps tools would show it as drift.
 */
export const SERVER_DEFAULTS: Readonly<Record<string, readonly string[]>> = {
  // Of the four kinds these are the defaults of the CRDs. None is inside of a list: clients compare lists as a whole, and would find drift.
  Sandbox: [
    '+ spec.operatingMode = "Running"',
    '+ spec.replicas = 1',
    '+ spec.shutdownPolicy = "Retain"',
  ],
  SandboxTemplate: [
    '+ spec.envVarsInjectionPolicy = "Disallowed"',
    '+ spec.networkPolicyManagement = "Managed"',
    '+ spec.volumeClaimTemplatesPolicy = "Disallowed"',
  ],
  SandboxClaim: ['+ spec.lifecycle.shutdownPolicy = "Retain"'],
  SandboxWarmPool: ['+ spec.replicas = 1'],

  HorizontalPodAutoscaler: [
    '+ spec.behavior.scaleDown.selectPolicy = "Max"',
    '+ spec.behavior.scaleUp.selectPolicy = "Max"',
    '+ spec.behavior.scaleUp.stabilizationWindowSeconds = 0',
    '+ spec.minReplicas = 1',
    '+ status = *',
  ],
  Ingress: ['+ status = *'],
  Namespace: ['+ metadata.labels.kubernetes.io/metadata.name = *', '+ spec = {"finalizers":["kubernetes"]}', '+ status = {"phase":"Active"}'],
  PodDisruptionBudget: ['+ status = *'],
  ResourceQuota: ['+ status = *'],
  Service: [
    '+ spec.clusterIP = *',
    '+ spec.clusterIPs = *',
    '+ spec.internalTrafficPolicy = "Cluster"',
    '+ spec.ipFamilies = *',
    '+ spec.ipFamilyPolicy = "SingleStack"',
    '+ spec.ports[].protocol = "TCP"',
    '+ spec.sessionAffinity = "None"',
    '+ status = *',
  ],
  ValidatingAdmissionPolicy: [
    '+ spec.matchConstraints.matchPolicy = "Equivalent"',
    '+ spec.matchConstraints.namespaceSelector = {}',
    '+ spec.matchConstraints.objectSelector = {}',
    '+ spec.matchConstraints.resourceRules[].scope = "*"',
    '+ status = *',
  ],
  ValidatingAdmissionPolicyBinding: ['+ spec.matchResources.matchPolicy = "Equivalent"', '+ spec.matchResources.objectSelector = {}'],
};

/** The lists of a template that deny, as they are in a NetworkPolicy: it does without, as its policy types say the same. */
export const DENYING_LISTS: readonly string[] = ['- spec.egress = []', '- spec.ingress = []'];

/** The rows of {@link SERVER_DEFAULTS} that a kind's differences need, and the differences that no row allows. */
export function explain(kind: string, lines: readonly string[]): { readonly rows: readonly string[]; readonly unexplained: readonly string[] } {
  const rows = SERVER_DEFAULTS[kind] ?? [];
  const rowOf = (line: string) => rows.find(row => (row.endsWith(' = *') ? line.startsWith(row.slice(0, -1)) : line === row));
  const normal = withoutIndexes(lines);
  return { rows: normal.flatMap(line => rowOf(line) ?? []), unexplained: normal.filter(line => !rowOf(line)) };
}
