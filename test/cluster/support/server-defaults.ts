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

  // Of Pod templates of others: those of Sandboxes have every default.
  Deployment: [
    '+ spec.progressDeadlineSeconds = 600',
    '+ spec.revisionHistoryLimit = 10',
    '+ spec.strategy = {"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":"25%","maxSurge":"25%"}}',
    '+ spec.template.spec.containers[].imagePullPolicy = "IfNotPresent"',
    '+ spec.template.spec.containers[].livenessProbe.failureThreshold = 3',
    '+ spec.template.spec.containers[].livenessProbe.httpGet.scheme = "HTTP"',
    '+ spec.template.spec.containers[].livenessProbe.periodSeconds = 10',
    '+ spec.template.spec.containers[].livenessProbe.successThreshold = 1',
    '+ spec.template.spec.containers[].livenessProbe.timeoutSeconds = 1',
    '+ spec.template.spec.containers[].ports[].protocol = "TCP"',
    '+ spec.template.spec.containers[].readinessProbe.failureThreshold = 3',
    '+ spec.template.spec.containers[].readinessProbe.httpGet.scheme = "HTTP"',
    '+ spec.template.spec.containers[].readinessProbe.periodSeconds = 10',
    '+ spec.template.spec.containers[].readinessProbe.successThreshold = 1',
    '+ spec.template.spec.containers[].readinessProbe.timeoutSeconds = 1',
    '+ spec.template.spec.containers[].terminationMessagePath = "/dev/termination-log"',
    '+ spec.template.spec.containers[].terminationMessagePolicy = "File"',
    '+ spec.template.spec.dnsPolicy = "ClusterFirst"',
    '+ spec.template.spec.restartPolicy = "Always"',
    '+ spec.template.spec.schedulerName = "default-scheduler"',
    '+ spec.template.spec.volumes[].configMap.defaultMode = 420',
    '+ status = *',
  ],
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
    '+ spec.type = "ClusterIP"',
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
