/** API groups of the Agent Sandbox API. */
export const GROUP = 'agents.x-k8s.io';
export const EXTENSIONS_GROUP = 'extensions.agents.x-k8s.io';

/** The stored version, and the deprecated one that is served beside it. */
export const VERSION = 'v1beta1';
export const DEPRECATED_VERSION = 'v1alpha1';

/** Label keys. Values called hashes are `nameHash` of the name in question. */
export const LABEL = {
  /** On Pod, Service and PersistentVolumeClaim: hash of the Sandbox's name. */
  sandboxNameHash: 'agents.x-k8s.io/sandbox-name-hash',
  /** On a pool's Sandbox and its Pod while the pool owns it: hash of the pool's name. */
  warmPool: 'agents.x-k8s.io/warm-pool-sandbox',
  /** On template, Sandbox and Pod: hash of the template's name. NetworkPolicies of templates select by it. */
  templateRefHash: 'agents.x-k8s.io/sandbox-template-ref-hash',
  /** On a pool's Sandbox: hash of the blueprint that it was made from. */
  templateHash: 'agents.x-k8s.io/sandbox-template-hash',
  /** On a pool's Sandbox: hash of the pod template that it was made from; informational. */
  podTemplateHash: 'agents.x-k8s.io/sandbox-pod-template-hash',
  /** On a Sandbox: `cold` or `warm`. */
  launchType: 'agents.x-k8s.io/launch-type',
  /** On any object: the kind of client that made it. */
  createdBy: 'agents.x-k8s.io/created-by',
  /** On a claimed Sandbox: UID of the claim. */
  claimUid: 'agents.x-k8s.io/claim-uid',
  /** On a claim: where the first generation kept the annotation of this key. */
  sandboxName: 'agents.x-k8s.io/sandbox-name',
  /** On an existing Pod, Service or PersistentVolumeClaim: `true` lets a Sandbox adopt it. */
  adoptable: 'agents.x-k8s.io/adoptable',
} as const;

/** Annotation keys. */
export const ANNOTATION = {
  /** On a Sandbox: name of its Pod. */
  podName: 'agents.x-k8s.io/pod-name',
  /** On a Sandbox: name of its template. */
  templateRef: 'agents.x-k8s.io/sandbox-template-ref',
  /** On a Pod: sorted, comma-separated keys that came from the pod template. */
  propagatedLabels: 'agents.x-k8s.io/propagated-labels',
  propagatedAnnotations: 'agents.x-k8s.io/propagated-annotations',
  /** On a claim: the Sandbox assigned to it. */
  sandboxName: 'agents.x-k8s.io/sandbox-name',
  /** On a claim: times of its way to readiness, RFC 3339 with nanoseconds. */
  controllerFirstObservedAt: 'agents.x-k8s.io/controller-first-observed-at',
  claimFirstReadyAt: 'agents.x-k8s.io/claim-first-ready-at',
  clientFirstRequestedAt: 'agents.x-k8s.io/client-first-requested-at',
  webhookFirstObservedAt: 'agents.x-k8s.io/webhook-first-observed-at',
  /** On a claim that the router made: the user whom it was made for. */
  requestedBy: 'agents.x-k8s.io/requested-by',
  /** On a claim that the router made: hashes of the Idempotency-Key and of the request. */
  idempotency: 'agents.x-k8s.io/idempotency',
  /** On a template: comma-separated namespaces, or `*`, whose claims may use it. */
  claimableFrom: 'agents.x-k8s.io/claimable-from',
  /** On a claim or Sandbox: JSON object of W3C trace headers. */
  traceContext: 'opentelemetry.io/trace-context',
  /** On a claimed Sandbox that came from a pool: hash of the pod template that it was started from, a label while it was in the pool. */
  podTemplateHash: 'agents.x-k8s.io/sandbox-pod-template-hash',
  /** On a Pod: hash of the Pod spec of the Sandbox when the Pod was created. */
  podSpecHash: 'agents.x-k8s.io/pod-spec-hash',
  /** On a claimed Sandbox: hashes of the parts of the claim's spec that it was chosen and made by. */
  claimRequest: 'agents.x-k8s.io/claim-request',
  /** On a Pod: whether the cluster autoscaler may evict it. */
  safeToEvict: 'cluster-autoscaler.kubernetes.io/safe-to-evict',
} as const;

/** Values of the label `launchType`. */
export const LAUNCH_TYPE = { cold: 'cold', warm: 'warm' } as const;

/** Values of the label `createdBy`; anything else counts as unknown. */
export const CREATED_BY = {
  goClient: 'go-client', pythonClient: 'python-client', typescriptClient: 'typescript-client', controller: 'controller', unknown: 'unknown',
} as const;

/** Prefixes of label and annotation keys that the controller keeps for itself on Pods. */
export const RESERVED_PREFIXES: readonly string[] = ['agents.x-k8s.io/', 'extensions.agents.x-k8s.io/'];

/** Annotation keys that the controller keeps for itself on Pods, besides those with a reserved prefix. */
export const RESERVED_ANNOTATIONS: readonly string[] = [ANNOTATION.traceContext];

/** Prefix of the pools of 0 replicas that stand for "no pool, this template". */
export const SHADOW_POOL_PREFIX = 'shadow-pool-';

/** Suffix of the name of the NetworkPolicy that the controller keeps for a template. */
export const NETWORK_POLICY_SUFFIX = '-network-policy';

/** Where the sandbox router runs, as far as network policies are concerned. */
export const ROUTER = {
  namespace: 'agent-sandbox-system',
  labels: { app: 'sandbox-router' },
  service: 'sandbox-router-svc',
} as const;

/** Port of the runtime server inside a sandbox. */
export const RUNTIME_PORT = 8888;

/** Audience of the tokens that the router takes from callers, unless it is configured with others. */
export const ROUTER_AUDIENCE = 'agent-sandbox-router';

/** Types of status conditions. */
export const CONDITION = {
  ready: 'Ready',
  suspended: 'Suspended',
  finished: 'Finished',
  podScheduled: 'PodScheduled',
  upToDate: 'UpToDate',
  available: 'Available',
  progressing: 'Progressing',
} as const;

/** Reasons of the conditions and Events of all kinds. */
export const REASON = {
  // Sandbox
  notSuspended: 'NotSuspended',
  podStateUnknown: 'PodStateUnknown',
  podTerminated: 'PodTerminated',
  podNotOwned: 'PodNotOwned',
  podTerminating: 'PodTerminating',
  podSucceeded: 'PodSucceeded',
  podFailed: 'PodFailed',
  podScheduled: 'PodScheduled',
  podSchedulingUnknown: 'PodSchedulingUnknown',
  multiplePods: 'MultiplePods',
  reconcilerError: 'ReconcilerError',
  sandboxSuspended: 'SandboxSuspended',
  dependenciesReady: 'DependenciesReady',
  dependenciesNotReady: 'DependenciesNotReady',
  sandboxExpired: 'SandboxExpired',
  sandboxPodCreated: 'SandboxPodCreated',
  sandboxPodCreateFailed: 'SandboxPodCreateFailed',
  sandboxReady: 'SandboxReady',
  invalidConfiguration: 'InvalidConfiguration',
  podTemplateChanged: 'PodTemplateChanged',
  // SandboxClaim
  templateNotFound: 'TemplateNotFound',
  warmPoolNotFound: 'WarmPoolNotFound',
  adoptionConflict: 'AdoptionConflict',
  sandboxCreatePending: 'SandboxCreatePending',
  invalidMetadata: 'InvalidMetadata',
  envVarsInjectionRejected: 'EnvVarsInjectionRejected',
  claimExpired: 'ClaimExpired',
  volumeClaimTemplatesError: 'VolumeClaimTemplatesError',
  sandboxMissing: 'SandboxMissing',
  claimChanged: 'ClaimChanged',
  sandboxNotReady: 'SandboxNotReady',
  networkPolicyNotReady: 'NetworkPolicyNotReady',
  sandboxProvisioned: 'SandboxProvisioned',
  sandboxAdopted: 'SandboxAdopted',
  // SandboxWarmPool
  minimumReplicasAvailable: 'MinimumReplicasAvailable',
  minimumReplicasUnavailable: 'MinimumReplicasUnavailable',
  warmPoolFull: 'WarmPoolFull',
  warmPoolNotProgressing: 'WarmPoolNotProgressing',
  warmPoolProgressing: 'WarmPoolProgressing',
  progressDeadlineExceeded: 'ProgressDeadlineExceeded',
} as const;

/**
 * The hash of names in label values: 32-bit FNV-1a over the UTF-8 bytes, as 8 lower-case hexadecimal digits.
 * Names can collide: `browser-prod-team-2151` and `browser-template-team-2200` share `22b058e1`.
 */
export function nameHash(name: string): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) {
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}
