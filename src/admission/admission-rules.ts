/** Kinds that are admitted. @internal */
export type AdmittedKind = 'Sandbox' | 'SandboxTemplate' | 'SandboxClaim' | 'SandboxWarmPool' | 'Pod';

/** A rule as an expression of CEL. @internal */
export interface AdmissionRule {
  /** Id of the rule or topic that finds the same in manifests: see `Checks` and `Posture`. */
  readonly id: string;
  readonly kinds: readonly AdmittedKind[];
  readonly message: string;
  readonly expression: string;
}

const PODS: readonly AdmittedKind[] = ['Sandbox', 'SandboxTemplate', 'Pod'];
/** The word that names a secret, as in the posture of manifests. */
const SECRET_NAME = "'(?i)(^|_)(TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIALS?)(_|$)'";
const noSecretIn = (list: string) => `${list}.all(e, !e.name.matches(${SECRET_NAME}) || e.?value.orValue('') == '')`;
const every = (condition: string) => `variables.containers.all(c, ${condition})`;
/** A parameter that is absent or empty asks for nothing. */
const asked = (parameter: string, condition: string) => `params.?data.?${parameter}.orValue('') in ['', 'false'] || ${condition}`;

/** What is refused. An absent field means its default in Kubernetes or in the controller. @internal */
export const ADMISSION_RULES: readonly AdmissionRule[] = [
  {
    id: 'posture/isolation', kinds: PODS, message: 'runtimeClassName must be one that isolates from the kernel of the node',
    expression: asked('runtimeClasses', "variables.pod.?runtimeClassName.orValue('') in params.data.runtimeClasses.split(',')"),
  },
  {
    id: 'policy-not-enforced', kinds: PODS, message: 'hostNetwork must not be set: no NetworkPolicy applies to Pods on the network of the node',
    expression: '!variables.pod.?hostNetwork.orValue(false)',
  },
  {
    id: 'posture/host', kinds: PODS, message: 'processes, shared memory, folders and ports of the node are off limits',
    expression: '!variables.pod.?hostPID.orValue(false) && !variables.pod.?hostIPC.orValue(false) && variables.pod.?volumes.orValue([]).all(v, !has(v.hostPath)) && '
      + every('c.?ports.orValue([]).all(p, p.?hostPort.orValue(0) == 0)'),
  },
  {
    id: 'posture/pod-security', kinds: PODS, message: 'containers must meet the Pod Security Standard restricted: not privileged, no escalation, no capabilities, not as root, seccomp',
    expression: every([
      '!c.?securityContext.?privileged.orValue(false)',
      '!c.?securityContext.?allowPrivilegeEscalation.orValue(true)',
      "c.?securityContext.?capabilities.?drop.orValue([]).exists(d, d == 'ALL')",
      "c.?securityContext.?capabilities.?add.orValue([]).all(a, a == 'NET_BIND_SERVICE')",
      'c.?securityContext.?runAsNonRoot.orValue(variables.pod.?securityContext.?runAsNonRoot.orValue(false))',
      'c.?securityContext.?runAsUser.orValue(1) != 0',
      "c.?securityContext.?seccompProfile.?type.orValue(variables.pod.?securityContext.?seccompProfile.?type.orValue('')) in ['RuntimeDefault', 'Localhost']",
    ].join(' && ')),
  },
  {
    id: 'posture/token', kinds: ['Sandbox', 'Pod'], message: 'automountServiceAccountToken must be false',
    expression: '!variables.pod.?automountServiceAccountToken.orValue(true)',
  },
  {
    id: 'posture/token', kinds: ['SandboxTemplate'], message: 'automountServiceAccountToken must not be true',
    expression: '!variables.pod.?automountServiceAccountToken.orValue(false)',
  },
  {
    id: 'posture/secrets', kinds: PODS, message: 'variables that name a secret must not have their value in the manifest: use valueFrom.secretKeyRef',
    expression: every(noSecretIn('c.?env.orValue([])')),
  },
  {
    id: 'posture/images', kinds: PODS, message: 'images must come from a registry that is allowed',
    expression: asked('registries', every("params.data.registries.split(',').exists(r, c.image.startsWith(r))")),
  },
  {
    id: 'posture/limits', kinds: PODS, message: 'containers must have a limit of memory',
    expression: asked('requireMemoryLimit', every("'memory' in c.?resources.?limits.orValue({})")),
  },
  {
    id: 'unmanaged-open', kinds: ['SandboxTemplate'], message: 'networkPolicyManagement must not be Unmanaged: nothing would restrict the network',
    expression: "params.?data.?allowUnmanaged.orValue('') == 'true' || object.spec.?networkPolicyManagement.orValue('Managed') != 'Unmanaged'",
  },
  {
    id: 'universal-range', kinds: ['SandboxTemplate'], message: 'egress must not allow every address: name peers, and except private ranges',
    expression: "object.spec.?networkPolicy.?egress.orValue([]).all(r, size(r.?to.orValue([])) > 0 && r.to.all(p, !has(p.ipBlock) || !p.ipBlock.cidr.endsWith('/0') "
      + '|| size(p.ipBlock.?except.orValue([])) > 0))',
  },
  {
    id: 'posture/secrets', kinds: ['SandboxClaim'], message: 'variables that name a secret must not have their value in a claim',
    expression: noSecretIn('object.spec.?env.orValue([])'),
  },
  {
    id: 'posture/lifetime', kinds: ['SandboxClaim'], message: 'claims must say when they end, in spec.lifecycle',
    expression: asked('requireLifetime', 'has(object.spec.lifecycle)'),
  },
  {
    id: 'posture/size', kinds: ['SandboxWarmPool'], message: 'the pool is larger than is allowed',
    expression: asked('maxPoolReplicas', 'object.spec.?replicas.orValue(1) <= int(params.data.maxPoolReplicas)'),
  },
];
