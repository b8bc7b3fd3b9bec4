import { EXTENSIONS_GROUP, GROUP, VERSION } from '../generated/vocabulary.gen';

/** What people and programs write in place of a field, and what it is called. */
export interface Mistake {
  /** Kinds that it occurs in; all without it. */
  readonly kinds?: readonly string[];
  /** The field as it is written, by its whole path. */
  readonly field: string;
  /** The field that is meant. */
  readonly instead: string;
  /** The corrected lines. */
  readonly lines: string;
}

const POOL = ['SandboxWarmPool'];
const CLAIM = ['SandboxClaim'];
const BLUEPRINTS = ['Sandbox', 'SandboxTemplate'];
const SANDBOX = ['Sandbox'];
const TEMPLATE = ['SandboxTemplate'];

const POD_LINES = 'podTemplate: {spec: {containers: [{name: main, image: …}]}}';

function all(kinds: readonly string[], fields: readonly string[], instead: string, lines: string): Mistake[] {
  return fields.map(field => ({ kinds, field, instead, lines }));
}

/**
 * Fields that do not exist, under the names that authors use. A name that is near to a field of the schema needs no entry:
 * the nearest name is suggested.
 */
export const MISTAKES: readonly Mistake[] = [
  ...all(POOL, ['spec.poolSize', 'spec.size', 'spec.count', 'spec.minReady', 'spec.warmReplicas', 'spec.desiredReplicas', 'spec.capacity'],
    'spec.replicas', 'spec: {replicas: 3}'),
  ...all(POOL, ['spec.maxSize', 'spec.minSize', 'spec.maxReplicas', 'spec.minReplicas', 'spec.max', 'spec.min', 'spec.autoscaling'],
    'a HorizontalPodAutoscaler of the pool', `scaleTargetRef: {apiVersion: ${EXTENSIONS_GROUP}/${VERSION}, kind: SandboxWarmPool, name: …}`),
  ...all(POOL, ['spec.templateRef', 'spec.template', 'spec.sandboxTemplate', 'spec.templateName', 'spec.sandboxTemplateName'],
    'spec.sandboxTemplateRef', 'spec: {sandboxTemplateRef: {name: …}}'),
  ...all(POOL, ['spec.podTemplate', 'spec.containers'], 'a SandboxTemplate, named in spec.sandboxTemplateRef', 'spec: {sandboxTemplateRef: {name: …}}'),
  ...all(POOL, ['spec.selector'], 'nothing: the controller selects the Sandboxes of a pool by labels of its own', 'spec: {replicas: 3, sandboxTemplateRef: {name: …}}'),
  ...all(POOL, ['spec.strategy'], 'spec.updateStrategy', 'spec: {updateStrategy: {type: OnReplenish}}'),
  ...all(CLAIM, ['spec.templateRef', 'spec.template', 'spec.sandboxTemplate', 'spec.templateName', 'spec.sandboxTemplateName'],
    'spec.sandboxTemplateRef', 'spec: {sandboxTemplateRef: {name: …}}'),
  ...all(CLAIM, ['spec.poolRef', 'spec.pool', 'spec.warmPool', 'spec.warmPoolName', 'spec.sandboxWarmPoolRef', 'spec.poolName'],
    'spec.warmPoolRef', 'spec: {warmPoolRef: {name: …}}'),
  ...all(CLAIM, ['spec.ttl', 'spec.ttlSeconds', 'spec.ttlSecondsAfterFinished', 'spec.timeout'],
    'spec.lifecycle.ttlSecondsAfterFinished', 'spec: {lifecycle: {ttlSecondsAfterFinished: 3600}}'),
  ...all(CLAIM, ['spec.shutdownTime', 'spec.expiresAt', 'spec.deadline', 'spec.lifecycle.expiresAt'],
    'spec.lifecycle.shutdownTime', "spec: {lifecycle: {shutdownTime: '2027-01-31T17:00:00Z'}}"),
  ...all(CLAIM, ['spec.shutdownPolicy'], 'spec.lifecycle.shutdownPolicy', 'spec: {lifecycle: {shutdownPolicy: Delete}}'),
  ...all(CLAIM, ['spec.envVars', 'spec.environment'], 'spec.env', "spec: {env: [{name: MODE, value: 'batch'}]}"),
  ...all(CLAIM, ['spec.labels', 'spec.metadata', 'spec.podMetadata', 'spec.annotations'],
    'spec.additionalPodMetadata', 'spec: {additionalPodMetadata: {labels: {sandbox.users.io/team: …}}}'),
  ...all(CLAIM, ['spec.volumes', 'spec.storage'], 'spec.volumeClaimTemplates', 'spec: {volumeClaimTemplates: [{metadata: {name: data}, spec: {…}}]}'),
  ...all(CLAIM, ['spec.sandboxName', 'spec.sandboxRef'], 'status.sandbox.name: the controller says there which Sandbox it is', 'spec: {warmPoolRef: {name: …}}'),
  ...all(CLAIM, ['spec.replicas'], 'one claim for each Sandbox', 'spec: {warmPoolRef: {name: …}}'),
  ...all(BLUEPRINTS, ['spec.template', 'spec.pod', 'spec.podSpec'], 'spec.podTemplate', `spec: {${POD_LINES}}`),
  ...all(BLUEPRINTS, ['spec.containers', 'spec.initContainers', 'spec.image', 'spec.command', 'spec.env', 'spec.ports', 'spec.resources'],
    'spec.podTemplate.spec.containers', `spec: {${POD_LINES}}`),
  ...all(BLUEPRINTS, ['spec.runtimeClassName', 'spec.runtimeClass', 'spec.runtime', 'spec.isolation'],
    'spec.podTemplate.spec.runtimeClassName', 'spec: {podTemplate: {spec: {runtimeClassName: gvisor}}}'),
  ...all(BLUEPRINTS, ['spec.volumes', 'spec.serviceAccountName', 'spec.nodeSelector', 'spec.securityContext', 'spec.restartPolicy'],
    'the same field of spec.podTemplate.spec', 'spec: {podTemplate: {spec: {…}}}'),
  ...all(BLUEPRINTS, ['spec.storage', 'spec.persistence', 'spec.volumeClaimTemplate', 'spec.pvc'],
    'spec.volumeClaimTemplates', 'spec: {volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 10Gi}}}}]}'),
  ...all(SANDBOX, ['spec.suspend', 'spec.suspended', 'spec.paused', 'spec.running', 'spec.state', 'spec.phase'],
    'spec.operatingMode', 'spec: {operatingMode: Suspended}'),
  ...all(SANDBOX, ['spec.ttl', 'spec.ttlSeconds', 'spec.timeout', 'spec.expiresAt', 'spec.lifecycle', 'spec.deadline', 'spec.idleTimeout'],
    'spec.shutdownTime', "spec: {shutdownTime: '2027-01-31T17:00:00Z', shutdownPolicy: Delete}"),
  ...all(SANDBOX, ['spec.networkPolicy', 'spec.network'], 'a NetworkPolicy beside the Sandbox, or a SandboxTemplate with networkPolicy', 'kind: NetworkPolicy'),
  ...all(SANDBOX, ['spec.sandboxTemplateRef', 'spec.templateRef', 'spec.warmPoolRef'], 'a SandboxClaim', 'kind: SandboxClaim'),
  ...all(TEMPLATE, ['spec.network', 'spec.networkPolicies'], 'spec.networkPolicy', 'spec: {networkPolicy: {ingress: […], egress: […]}}'),
  ...all(TEMPLATE, ['spec.envPolicy', 'spec.allowEnv'], 'spec.envVarsInjectionPolicy', 'spec: {envVarsInjectionPolicy: Allowed}'),
  ...all(TEMPLATE, ['spec.replicas'], 'a SandboxWarmPool', 'kind: SandboxWarmPool'),
  ...all(TEMPLATE, ['spec.shutdownTime', 'spec.ttl'], 'spec.lifecycle of claims', 'spec: {lifecycle: {…}}'),
  { field: 'status.phase', instead: 'status.conditions: wait for the type Ready', lines: 'kubectl wait --for=condition=Ready' },
];

/** Kinds by what they are called instead. */
export const KIND_NAMES: Readonly<Record<string, string>> = {
  AgentSandbox: 'Sandbox', SandboxInstance: 'Sandbox', SandboxPool: 'SandboxWarmPool', WarmPool: 'SandboxWarmPool', SandboxWarmpool: 'SandboxWarmPool',
  SandboxRequest: 'SandboxClaim', SandboxClass: 'SandboxTemplate', SandboxBlueprint: 'SandboxTemplate',
};

/** The group of each kind. */
export const GROUPS: Readonly<Record<string, string>> = {
  Sandbox: GROUP, SandboxTemplate: EXTENSIONS_GROUP, SandboxClaim: EXTENSIONS_GROUP, SandboxWarmPool: EXTENSIONS_GROUP,
};
