import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiObject, Chart, Duration, JsonPatch } from 'cdk8s';
import * as kplus from 'cdk8s-plus-28';
import {
  Checks, ClaimOverrides, FindingSeverity, Isolation, KedaTrigger, Lifetime, NetworkPeer, NetworkPort, PodSecurityLevel, Probe, Relaxation, Sandbox, SandboxClaim, SandboxDisruptionBudget, SandboxNamespace,
  SandboxNetwork, SandboxRuntimeClass, SandboxTemplate, SandboxVolume, SandboxWarmPool, AgentSandboxController, AgentSandboxCrds, WarmPoolMetric,
} from '../src';
import { withTables } from '../scripts/rules';
import { STANDARDS } from '../src/findings';
import { RULES } from '../src/findings/checks';
import { MISTAKES } from '../src/findings/mistakes';
import { TOPICS } from '../src/posture/topics';
import { CONTAINER, POD, messageOf, synth, testApp, testChart } from './helpers';

const SMALL = { ...CONTAINER, cpu: '1', memory: '1Gi' };
const found = (chart: Chart) => Checks.of(chart.node.root).map(({ rule, place, field, message, remedy }) => `${place}: ${field}: ${message}: ${remedy} [${rule}]`);
const withVolume = (name: string) => ({ containers: [{ ...CONTAINER, mounts: [{ path: '/data', volume: SandboxVolume.persistent(name, { size: '1Gi' }) }] }] });
const metrics = [WarmPoolMetric.claimRate({ target: '1' })];

const RBAC = 'rbac.authorization.k8s.io/v1';
const role = (chart: Chart, rule: object) => new ApiObject(chart, 'role', { apiVersion: RBAC, kind: 'Role', metadata: { name: 'role' }, rules: [rule] });
const roleBeside = (chart: Chart, rule: object) => [new SandboxTemplate(chart, 'python', POD), role(chart, rule)];
const binding = (chart: Chart, kind: string, name: string) => new ApiObject(chart, 'binding', {
  apiVersion: RBAC, kind: 'RoleBinding', metadata: { name: 'binding' }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name }, subjects: [{ kind: 'ServiceAccount', name: 'robot' }],
});
const withToken = (chart: Chart) => new SandboxTemplate(chart, 'python', { ...POD, serviceAccount: { kind: 'ServiceAccount', name: 'robot' }, automountServiceAccountToken: true });
const scaledObject = (chart: Chart, scaleTargetRef: object, more: object = {}) =>
  new ApiObject(chart, 'keda', { apiVersion: 'keda.sh/v1alpha1', kind: 'ScaledObject', metadata: { name: 'keda' }, spec: { scaleTargetRef, ...more } });

/** What contradicts itself in one app, and what is said about it. */
const TREES: readonly (readonly [rule: string, make: (chart: Chart) => unknown, finding: string])[] = [
  ['duplicate-name', chart => ['a', 'b'].map(id => new SandboxRuntimeClass(chart, id, { isolation: Isolation.gvisor() })),
    "test/b/Resource: name is 'gvisor': test/a/Resource is a RuntimeClass of this name and the cluster has room for one: rename one"],
  ['duplicate-name', chart => ['a', 'b'].map(id => new SandboxDisruptionBudget(chart, id, { template: SandboxTemplate.fromName('python'), name: 'same' })),
    "test/b/Resource: name is 'same': test/a/Resource is a PodDisruptionBudget of this name in the same namespace: rename one"],
  ['volume-claim-name', chart => [['x-y', 'w'], ['y', 'w-x']].map(([id, volume]) => new Sandbox(chart, id, { ...POD, ...withVolume(volume) })),
    "test/y/Resource: name is 'y': its volume 'w-x' would be the PersistentVolumeClaim 'w-x-y', which is also that of the volume 'w' of test/x-y/Resource: rename a volume or one of both"],
  ['two-autoscalers', chart => {
    const pool = new SandboxWarmPool(chart, 'pool', { template: SandboxTemplate.fromName('python') });
    pool.autoscale({ maxReplicas: 3, metrics });
    new ApiObject(chart, 'keda', { apiVersion: 'keda.sh/v1alpha1', kind: 'ScaledObject', metadata: { name: 'keda' }, spec: { scaleTargetRef: { apiVersion: pool.apiVersion, kind: 'SandboxWarmPool', name: 'pool' } } });
  }, "test/keda: spec.scaleTargetRef.name is 'pool': the HorizontalPodAutoscaler test/pool/Autoscaler/Resource scales this pool already: keep one of them"],
  ['dead-selector', chart => {
    const pod = new kplus.Pod(chart, 'pod', { containers: [{ image: 'a:1', portNumber: 80 }] });
    new kplus.Service(chart, 'service', { selector: pod, ports: [{ port: 80 }] });
    SandboxTemplate.fromPod(chart, 'python', pod, { isolation: Isolation.gvisor() });
  }, "test/service/Resource: spec.selector is {\"cdk8s.io/metadata.addr\":\"test-pod-c82fd911\"}: nothing in this app has this label: the Pod was given to SandboxTemplate.fromPod(), which does not emit it: select the template's Pods by a label of your own in podLabels, and say in network of the template what they may talk to"],
  ['other-namespace', chart => {
    const other = new Chart(chart.node.root, 'other', { namespace: 'vault' });
    const secret = new kplus.Secret(other, 'secret', { metadata: { name: 'token' }, stringData: { key: 'x' } });
    new Sandbox(chart, 'box', { containers: [{ ...CONTAINER, env: { TOKEN: kplus.EnvValue.fromSecretValue({ secret, key: 'key' }) } }], isolation: Isolation.gvisor() });
  }, "test/box/Resource: spec.podTemplate.spec.container 'sandbox'.env['TOKEN'] is 'token': this app has a Secret of this name in namespace 'vault' only (other/secret/Resource), and 'agents' cannot see it: define it in 'agents', or this object in 'vault'"],
  ['missing-key', chart => {
    const config = new kplus.ConfigMap(chart, 'config', { metadata: { name: 'config' }, data: { 'app.yaml': 'x' } });
    new Sandbox(chart, 'box', { containers: [{ ...CONTAINER, env: { MODE: kplus.EnvValue.fromConfigMap(config, 'mode') } }], isolation: Isolation.gvisor() });
  }, "test/box/Resource: spec.podTemplate.spec.container 'sandbox'.env['MODE'] is 'mode': the ConfigMap test/config/Resource has no such key: use one of 'app.yaml', or add it there"],
  ['namespace-level', chart => [new SandboxNamespace(chart, 'agents'),
    new SandboxTemplate(chart, 'desktop', { containers: [{ ...CONTAINER, relaxations: [Relaxation.RUN_AS_ROOT] }], isolation: Isolation.gvisor() })],
  "test/desktop/Resource: spec.podTemplate: its Pods need RUN_AS_ROOT, and the namespace 'agents' (test/agents/Resource) enforces 'restricted', so that no Pod would be made: have the namespace enforce 'baseline', or leave the relaxations out"],
  ['namespace-level', chart => [new SandboxNamespace(chart, 'agents', { enforce: PodSecurityLevel.BASELINE }),
    new SandboxTemplate(chart, 'docker', { containers: [{ ...CONTAINER, relaxations: [Relaxation.PRIVILEGED] }], isolation: Isolation.gvisor() })],
  "test/docker/Resource: spec.podTemplate: its Pods need PRIVILEGED, and the namespace 'agents' (test/agents/Resource) enforces 'baseline', so that no Pod would be made: have the namespace enforce 'privileged', or leave the relaxations out"],
  ['outside-of-namespace', chart => [new SandboxNamespace(chart, 'tenant'), new SandboxTemplate(chart, 'python', POD)],
    "test/python/Resource: metadata.namespace is 'agents': its chart creates the namespace 'tenant', and nothing in this app creates 'agents': give the chart the namespace: new Chart(app, '…', { namespace: 'tenant' })"],
  ['container-limits', chart => [new SandboxNamespace(chart, 'agents', { containerLimits: { max: { cpu: '500m' } } }), new SandboxTemplate(chart, 'python', { containers: [{ ...CONTAINER, cpu: '250m', cpuLimit: '2' }], isolation: Isolation.gvisor() })],
    "test/python/Resource: container 'sandbox'.resources.limits.cpu is '2': the LimitRange test/agents/ContainerLimits allows at most 500m, so that no Pod would be made: change one of them"],
  ['quota-needs-amounts', chart => [new SandboxNamespace(chart, 'agents', { quota: { requestsMemory: '20Gi' } }), new SandboxTemplate(chart, 'python', { containers: [{ ...CONTAINER, cpu: '1' }], isolation: Isolation.gvisor() })],
    "test/python/Resource: container 'sandbox'.resources.requests.memory: the ResourceQuota test/agents/Quota limits requests.memory, and Kubernetes refuses Pods that do not say how much they need: set memory of the container, or give the namespace defaults with containerLimits"],
  ['quota-of-sandboxes', chart => {
    new SandboxNamespace(chart, 'agents', { quota: { sandboxes: 20 } });
    new SandboxWarmPool(chart, 'busy', { template: SandboxTemplate.fromName('python') }).autoscale({ maxReplicas: 18, metrics });
    new SandboxWarmPool(chart, 'quiet', { template: SandboxTemplate.fromName('python'), replicas: 5 });
  }, "test/agents/Quota: spec.hard['count/sandboxes.agents.x-k8s.io'] is '20': the namespace has 23 Sandboxes when its pools are full (busy: 18, quiet: 5), not counting those that are claimed: raise it to more than 23, or make pools smaller"],
  ['never-finishes', chart => new SandboxClaim(chart, 'job', { pool: new SandboxWarmPool(chart, 'pool', { template: new SandboxTemplate(chart, 'python', POD) }), lifetime: Lifetime.afterFinished(Duration.hours(1)) }),
    "test/job/Resource: spec.lifecycle.ttlSecondsAfterFinished is 3600: the Pods of its template are always restarted, so their work never finishes: give the template restartPolicy 'OnFailure' or 'Never', or an active deadline, or end the claim at a point in time (Lifetime.until)"],
  ['empty-pool', chart => new SandboxWarmPool(chart, 'pool', { template: SandboxTemplate.fromName('python'), replicas: 0 }),
    'test/pool/Resource: spec.replicas is 0: every claim of it starts cold: keep at least 1, add an autoscaler, or claim the template itself'],
  ['claim-policy', chart => {
    const template = new SandboxTemplate(chart, 'python', POD);
    new SandboxWarmPool(new Chart(chart.node.root, 'platform', { namespace: 'agents' }), 'pool', { template });
    // In the words of a chart that knows the pool by name only
    new SandboxClaim(chart, 'job', { pool: SandboxWarmPool.fromName('pool'), env: { A: '1' } });
  }, 'test/job/Resource: spec.env is ["A"]: the template test/python/Resource does not let claims bring them: give it envVarsInjectionPolicy: Allowed (claimEnv: ClaimOverrides.ALLOWED), or leave them out'],
  ['router-namespace', chart => {
    new AgentSandboxController(chart.node.root, 'install', { namespace: 'sandbox-system', image: 'a:1', router: { image: 'b:1' } });
    new SandboxTemplate(chart, 'python', POD);
  }, "test/python/Resource: the namespace of the router is 'agent-sandbox-system': the router of this app (install/Deployment-sandbox-router) runs in 'sandbox-system', and could not connect: use a network with router: { namespace: 'sandbox-system' }"],
  ['namespace-level', chart => [new SandboxNamespace(chart, 'agents'),
    new kplus.Deployment(chart, 'web', { containers: [{ image: 'a:1', securityContext: { user: 1000 } }] })],
  "test/web/Resource: the Pod: its Pods need UNCONFINED_SECCOMP, DEFAULT_CAPABILITIES, and the namespace 'agents' (test/agents/Resource) enforces 'restricted', so that no Pod would be made: have the namespace enforce 'baseline', or write seccompProfile: { type: 'RuntimeDefault' }, capabilities: { drop: ['ALL'] }"],
  ['other-namespace', chart => {
    const other = new Chart(chart.node.root, 'other', { namespace: 'vault' });
    const tlsSecret = new kplus.Secret(other, 'secret', { metadata: { name: 'router-tls' }, stringData: { 'tls.crt': 'x', 'tls.key': 'x' } });
    new AgentSandboxController(chart.node.root, 'install', { image: 'a:1', router: { image: 'b:1', tlsSecret } });
  }, "install/Deployment-sandbox-router: the Pod.volumes['tls'] is 'router-tls': this app has a Secret of this name in namespace 'vault' only (other/secret/Resource), and 'agent-sandbox-system' cannot see it: define it in 'agent-sandbox-system', or this object in 'vault'"],
  ['nearly-a-name', chart => [new SandboxWarmPool(chart, 'python-pool', { template: SandboxTemplate.fromName('python') }), new SandboxClaim(chart, 'job', { pool: SandboxWarmPool.fromName('pyhton-pool') })],
    "test/job/Resource: spec.warmPoolRef.name is 'pyhton-pool': this app has no SandboxWarmPool of this name, and one that is called 'python-pool' (test/python-pool/Resource): write 'python-pool', if that is meant"],
  ['two-budgets', chart => ['a', 'b'].map(id => new SandboxDisruptionBudget(chart, id, { template: SandboxTemplate.fromName('python') })),
    'test/b/Resource: spec.selector: test/a/Resource is a PodDisruptionBudget for the same Pods, and Kubernetes refuses evictions of Pods with two: keep one of them'],
  ['quota-of-amounts', chart => {
    new SandboxNamespace(chart, 'agents', { quota: { requestsCpu: '2', requestsMemory: '8Gi' } });
    new SandboxRuntimeClass(chart, 'gvisor', { isolation: Isolation.gvisor(), overhead: { cpu: '50m' } });
    const template = new SandboxTemplate(chart, 'python', { containers: [{ ...CONTAINER, cpu: '500m', cpuLimit: '2', memory: '1Gi' }], isolation: Isolation.gvisor() });
    new SandboxWarmPool(chart, 'pool', { template, replicas: 4 });
  }, "test/agents/Quota: spec.hard['requests.cpu'] is '2': its Sandboxes need 2200m when its pools are full (pool: 4 x 550m): raise it to more than 2200m, or make pools or Pods smaller"],
  ['quota-of-claims', chart => {
    new SandboxNamespace(chart, 'agents', { quota: { sandboxClaims: 1 } });
    ['a', 'b'].forEach(id => new SandboxClaim(chart, id, { pool: SandboxWarmPool.fromName('pool') }));
  }, "test/agents/Quota: spec.hard['count/sandboxclaims.extensions.agents.x-k8s.io'] is '1': the namespace has 2 claims: raise it to 2 or more, or leave claims out"],
  ['not-looked-after', chart => {
    new AgentSandboxController(chart.node.root, 'install', { image: 'a:1', namespaces: ['research'], userRoles: false, crds: false });
    new SandboxTemplate(chart, 'python', POD);
  }, "test/python/Resource: metadata.namespace is 'agents': the controller of this app (install/Deployment-agent-sandbox-controller) looks after 'research' only: add 'agents' to namespaces of the controller"],
  ['not-looked-after', chart => {
    new AgentSandboxController(chart.node.root, 'install', { image: 'a:1', extensions: false });
    new SandboxTemplate(chart, 'python', POD);
    new Sandbox(chart, 'box', POD);
  }, "test/python/Resource: kind is 'SandboxTemplate': the controller of this app (install/Deployment-agent-sandbox-controller) runs without extensions, and looks after Sandboxes only: leave extensions of the controller out"],
  ['role-of-other-group', chart => roleBeside(chart, { apiGroups: ['agents.x-k8s.io'], resources: ['sandboxes', 'sandboxclaims'], verbs: ['create'] }),
    "test/role: rules[0].resources is 'sandboxclaims': the group of this rule is 'agents.x-k8s.io', which has no sandboxclaims: the rule allows nothing there: write apiGroups: ['extensions.agents.x-k8s.io'] in a rule of its own"],
  ['role-of-other-group', chart => roleBeside(chart, { apiGroups: [''], resources: ['sandboxes/proxy'], verbs: ['create'] }),
    "test/role: rules[0].resources is 'sandboxes/proxy': the group of this rule is '', which has no sandboxes/proxy: the rule allows nothing there: write apiGroups: ['agents.x-k8s.io'] in a rule of its own"],
  ...([
    [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }, 'may do everything'],
    [{ apiGroups: [''], resources: ['secrets'], verbs: ['get'] }, 'may read all Secrets of the namespace'],
    [{ apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles'], verbs: ['get', 'escalate'] }, 'may escalate'],
  ] as const).map(([rule, right]) => ['token-with-rights', (chart: Chart) => [role(chart, rule), binding(chart, 'Role', 'role'), withToken(chart)],
    `test/python/Resource: spec.podTemplate.spec.serviceAccountName is 'robot': the programs in it get a token of this account, which ${right} (test/binding): give it an account with the few rights that the programs need, or leave automountServiceAccountToken out`] as const),
  ['token-with-rights', chart => [binding(chart, 'ClusterRole', 'cluster-admin'), withToken(chart)],
    "test/python/Resource: spec.podTemplate.spec.serviceAccountName is 'robot': the programs in it get a token of this account, which has the ClusterRole cluster-admin (test/binding): give it an account with the few rights that the programs need, or leave automountServiceAccountToken out"],
  ['scale-target', chart => [new SandboxWarmPool(chart, 'pool', { template: SandboxTemplate.fromName('python') }), scaledObject(chart, { name: 'pool' })],
    'test/keda: spec.scaleTargetRef is {"name":"pool"}: without a kind it is a Deployment, and the pool of this name is not scaled: write apiVersion: extensions.agents.x-k8s.io/v1beta1, kind: SandboxWarmPool'],
  ['scale-target', chart => [new SandboxTemplate(chart, 'python', POD), scaledObject(chart, { apiVersion: 'apps/v1', kind: 'SandboxWarmPool', name: 'pool' })],
    "test/keda: spec.scaleTargetRef.apiVersion is 'apps/v1': there is no SandboxWarmPool in this group, so it scales nothing: write apiVersion: extensions.agents.x-k8s.io/v1beta1, kind: SandboxWarmPool"],
  ['scale-target', chart => [new SandboxTemplate(chart, 'python', POD), scaledObject(chart, { apiVersion: 'extensions.agents.x-k8s.io/v1beta1', kind: 'SandboxWarmPool', name: 'pool' }, { minReplicaCount: 5, maxReplicaCount: 3 })],
    'test/keda: spec is {"min":5,"max":3}: the least is more than the most: raise the one or lower the other'],
  ...([
    [{ env: { API_KEY: 'tr0ub4dor' } }, "env['API_KEY']: its value is a secret, by the name of the variable"],
    [{ env: { SETTINGS: `{"key":"sk-${'a'.repeat(24)}"}` } }, "env['SETTINGS']: its value is a token of a service"],
    [{ env: { DATABASE: 'postgres://app:tr0ub4dor@db/x' } }, "env['DATABASE']: its value is an address with a password"],
    [{ env: { PEM: '-----BEGIN PRIVATE KEY-----' } }, "env['PEM']: its value is a private key"],
    [{ env: { JWT: `eyJ${'a'.repeat(12)}.eyJ${'b'.repeat(12)}.c` } }, "env['JWT']: its value is a token (JWT)"],
  ] as const).map(([props, what]) => ['secret-in-manifest', (chart: Chart) => new SandboxTemplate(chart, 'python', { containers: [{ ...CONTAINER, ...props }], isolation: Isolation.gvisor() }),
    `test/python/Resource: spec.podTemplate.spec.container 'sandbox'.${what}: put it into a Secret, and refer to that: EnvSource.secretKey(…), or valueFrom: {secretKeyRef: {name: …, key: …}}`] as const),
  ['secret-in-manifest', chart => new SandboxTemplate(chart, 'python', { containers: [{ ...CONTAINER, args: ['--token', `ghp_${'a'.repeat(36)}`] }], isolation: Isolation.gvisor() }),
    "test/python/Resource: spec.podTemplate.spec.container 'sandbox'.args[1]: it has a token of a service: put it into a Secret, and refer to that: EnvSource.secretKey(…), or valueFrom: {secretKeyRef: {name: …, key: …}}; $(NAME) in a command stands for a variable"],
  ['secret-in-manifest', chart => new SandboxClaim(chart, 'job', { pool: SandboxWarmPool.fromName('pool'), env: { DB_PASSWORD: 'tr0ub4dor' } }),
    "test/job/Resource: spec.env['DB_PASSWORD']: its value is a secret, by the name of the variable: give the template the variable, from a Secret"],
  ['secret-in-manifest', chart => new SandboxWarmPool(chart, 'pool', { template: SandboxTemplate.fromName('python') })
    .autoscaleWithKeda({ maxReplicas: 2, triggers: [KedaTrigger.claimRate({ serverAddress: 'http://admin:tr0ub4dor@prometheus:9090', threshold: 1 })] }),
  'test/pool/Autoscaler/Resource: spec.triggers[0].metadata.serverAddress: it has a password: name a TriggerAuthentication: KedaAuthentication'],
  ['command-in-one-string', chart => new SandboxTemplate(chart, 'python', { containers: [{ ...CONTAINER, command: ['python main.py --all'] }], isolation: Isolation.gvisor() }),
    "test/python/Resource: spec.podTemplate.spec.container 'sandbox'.command[0] is 'python main.py --all': this is the name of the program, and no shell splits it: write one item for each word: ['python', 'main.py', '--all']"],
  ['command-in-one-string', chart => new SandboxTemplate(chart, 'python', { containers: [{ ...CONTAINER, liveness: Probe.exec(['pgrep python']) }], isolation: Isolation.gvisor() }),
    "test/python/Resource: spec.podTemplate.spec.container 'sandbox'.livenessProbe.exec.command[0] is 'pgrep python': this is the name of the program, and no shell splits it: write one item for each word: ['pgrep', 'python']"],
  ['port-twice', chart => new SandboxTemplate(chart, 'python', { containers: [{ ...CONTAINER, port: 8080 }], sidecars: [{ ...CONTAINER, name: 'proxy', port: 8080 }], isolation: Isolation.gvisor() }),
    "test/python/Resource: spec.podTemplate.spec.container 'sandbox'.ports is '8080/TCP': container 'proxy' listens there, too, and the containers of a Pod share one network: use another port"],
  ['unmounted-volume', chart => new Sandbox(chart, 'box', { ...POD, volumes: [SandboxVolume.persistent('data', { size: '1Gi' })] }),
    "test/box/Resource: spec.volumeClaimTemplates[0] is 'data': no container mounts it: mount it, or leave it out"],
  ['port-name', chart => new SandboxTemplate(chart, 'python', { ...POD, network: SandboxNetwork.routerOnly().allowIngressFrom(NetworkPeer.namespace('ci'), [NetworkPort.named('http')]) }),
    "test/python/Resource: spec.networkPolicy.ingress[1].ports[0].port is 'http': no container has a port of this name, so the rule lets nothing in: give the port of the container this name, or write its number"],
  ['volume-of-one', chart => {
    const shared = new kplus.PersistentVolumeClaim(chart, 'shared', { metadata: { name: 'shared' }, accessModes: [kplus.PersistentVolumeAccessMode.READ_WRITE_ONCE] });
    new SandboxTemplate(chart, 'python', { containers: [{ ...CONTAINER, mounts: [{ path: '/data', volume: SandboxVolume.persistentVolumeClaim('data', shared) }] }], isolation: Isolation.gvisor() }).addWarmPool('pool', { replicas: 2 });
  }, "test/python/Resource: spec.podTemplate.spec.volumes['data'] is 'shared': all Sandboxes of the pool 'pool' would share it, and its access mode is ReadWriteOnce (test/shared/Resource): give each Sandbox a volume of its own: SandboxVolume.persistent(…), or use a claim with ReadWriteMany or ReadOnlyMany"],
];

test.each(TREES)('%s: a contradiction of an app is found', (rule, make, finding) => {
  const chart = testChart({ namespace: 'agents' });
  make(chart);
  expect(found(chart)).toEqual([`${finding} [${rule}]`]);
  const { severity } = RULES.find(({ id }) => id === rule)!;
  if (severity === FindingSeverity.ERROR) {
    expect(messageOf(() => synth(chart))).toBe(`Validation failed with the following errors:\n  [] ${finding} [${rule}]`);
  } else {
    expect(() => synth(chart)).not.toThrow();
  }
});

test('what only looks like a mistake is none', () => {
  const chart = testChart({ namespace: 'agents' });
  const claims = new kplus.PersistentVolumeClaim(chart, 'datasets', { metadata: { name: 'datasets' }, accessModes: [kplus.PersistentVolumeAccessMode.READ_WRITE_MANY] });
  const template = new SandboxTemplate(chart, 'python', {
    containers: [{
      ...CONTAINER, ports: [{ port: 8080, name: 'http' }], command: ['/opt/My App/run', 'with spaces'], args: ['--url=https://example.com:443/a@b'],
      env: {
        TOKEN_PATH: '/var/run/token', API_KEY_HEADER: 'X-Key', SECRET: '$(OTHER)', PASSWORD_REQUIRED: 'true', TOKEN_URL: 'https://id.example.com/token',
        MAX_TOKENS: '4096', OTHER: 'x', KEYBOARD: 'de', PROXY: 'http://proxy.example.com:3128', SECRET_NAME: 'model-key',
      },
      mounts: [{ path: '/datasets', volume: SandboxVolume.persistentVolumeClaim('datasets', claims) }],
    }, { ...CONTAINER, name: 'other', port: 8081 }],
    initContainers: [{ ...CONTAINER, name: 'init', port: 8080 }],
    isolation: Isolation.gvisor(),
    network: SandboxNetwork.routerOnly().allowIngressFrom(NetworkPeer.namespace('ci'), [NetworkPort.named('http')]),
    serviceAccount: { kind: 'ServiceAccount', name: 'robot' },
    automountServiceAccountToken: true,
  });
  template.addWarmPool('pool-1', { replicas: 2 });
  // Names that differ by their number, or by a word, are other objects.
  new SandboxClaim(chart, 'a', { pool: SandboxWarmPool.fromName('pool-2') });
  new SandboxClaim(chart, 'b', { pool: SandboxWarmPool.fromName('python-pool') });
  role(chart, { apiGroups: ['agents.x-k8s.io', 'extensions.agents.x-k8s.io'], resources: ['sandboxes', 'sandboxclaims'], verbs: ['get'] });
  binding(chart, 'Role', 'role');
  new AgentSandboxController(chart.node.root, 'install', { image: 'a:1', namespaces: ['agents'], userRoles: false, crds: false });
  expect(found(chart)).toEqual([]);
});

describe('objects of a tree that no construct of ours has written', () => {
  const claim = (chart: Chart, manifest: object) => new ApiObject(chart, 'claim', { apiVersion: 'extensions.agents.x-k8s.io/v1beta1', kind: 'SandboxClaim', metadata: { name: 'job' }, ...manifest });

  test.each<[string, (chart: Chart) => unknown, string]>([
    ['a field', chart => claim(chart, { spec: { poolRef: { name: 'pool' } } }), 'test/claim: spec.poolRef: SandboxClaim has no such field: use spec.warmPoolRef: spec: {warmPoolRef: {name: …}} [unknown-field]'],
    ['a group', chart => claim(chart, { apiVersion: 'v1', spec: { warmPoolRef: { name: 'pool' } } }), "test/claim: apiVersion is 'v1': SandboxClaim is in the group extensions.agents.x-k8s.io: write apiVersion: extensions.agents.x-k8s.io/v1beta1 [wrong-group]"],
    ['a patch', chart => ApiObject.of(new SandboxTemplate(chart, 'python', POD)).addJsonPatch(JsonPatch.add('/spec/podTemplate/spec/runtimeClass', 'gvisor')),
      "test/python/Resource: spec.podTemplate.spec.runtimeClass is 'gvisor': SandboxTemplate has no such field: use spec.podTemplate.spec.runtimeClassName [unknown-field]"],
  ])('%s that the API does not have is found, and synthesis lets it pass', (_what, make, finding) => {
    const chart = testChart({ namespace: 'agents' });
    make(chart);
    new Sandbox(chart, 'box', POD);
    expect(found(chart)).toEqual([finding]);
    expect(() => synth(chart)).not.toThrow();
  });
});

test('a chart that creates a namespace and has none is found', () => {
  const chart = testChart();
  new SandboxNamespace(chart, 'agents');
  new SandboxTemplate(chart, 'python', POD);
  expect(found(chart)).toEqual([
    "test/python/Resource: metadata.namespace: its chart creates the namespace 'agents' and has none itself, so that the object lands wherever it is applied: give the chart the namespace: new Chart(app, '…', { namespace: 'agents' }) [outside-of-namespace]",
  ]);
});

test('a chart that creates several namespaces, or objects with namespaces of their own, is not', () => {
  const chart = testChart({ namespace: 'platform' });
  ['a', 'b'].forEach(name => new SandboxNamespace(chart, name));
  new SandboxTemplate(chart, 'python', { ...POD, namespace: 'a' });
  new SandboxTemplate(chart, 'shared', POD);
  expect(found(chart)).toEqual([]);
});

test('definitions twice are found', () => {
  const chart = testChart();
  ['a', 'b'].forEach(id => new AgentSandboxCrds(chart, id));
  expect(found(chart)).toHaveLength(4);
});

test('what fits together has no findings', () => {
  const chart = testChart({ namespace: 'agents' });
  new SandboxNamespace(chart, 'agents', {
    enforce: PodSecurityLevel.BASELINE, quota: { sandboxes: 30, requestsCpu: '40', limitsMemory: '40Gi' }, containerLimits: { defaultLimit: { cpu: '1', memory: '1Gi' }, max: { cpu: '4' } },
  });
  const config = new kplus.ConfigMap(chart, 'config', { data: { mode: 'x' } });
  const template = new SandboxTemplate(chart, 'python', {
    containers: [{ ...SMALL, env: { MODE: kplus.EnvValue.fromConfigMap(config, 'mode') }, relaxations: [Relaxation.RUN_AS_ROOT] }],
    isolation: Isolation.gvisor(), restartPolicy: kplus.RestartPolicy.NEVER, claimEnv: ClaimOverrides.ALLOWED, network: SandboxNetwork.dnsOnly(),
  });
  const pool = new SandboxWarmPool(chart, 'pool', { template });
  pool.autoscale({ maxReplicas: 20, metrics });
  new SandboxClaim(chart, 'job', { pool, env: { A: '1' }, lifetime: Lifetime.afterFinished(Duration.hours(1)) });
  new SandboxClaim(chart, 'direct', { template });
  const pod = new kplus.Deployment(chart, 'web', { containers: [{ image: 'a:1', portNumber: 80 }] });
  pod.exposeViaService();
  expect(found(chart)).toEqual([]);
});

test('a claim that ends at a point in time may also wait for its work to finish', () => {
  const chart = testChart();
  const lifetime = Lifetime.afterFinished(Duration.hours(1)).orUntil('2027-01-31T17:00:00Z');
  new SandboxClaim(chart, 'job', { template: new SandboxTemplate(chart, 'python', POD), lifetime });
  expect(Checks.of(chart)).toEqual([]);
});

test('findings follow the tree: an object or a patch that comes later counts', () => {
  const chart = testChart({ namespace: 'agents' });
  const pool = new SandboxWarmPool(chart, 'pool', { template: SandboxTemplate.fromName('python') });
  expect(() => synth(chart)).not.toThrow();
  new ApiObject(chart, 'twin', { apiVersion: pool.apiVersion, kind: 'SandboxWarmPool', metadata: { name: 'pool' } });
  expect(() => synth(chart)).toThrow('[duplicate-name]');
});

describe('manifests that something else has written', () => {
  const API: Record<string, string> = { Sandbox: 'agents.x-k8s.io/v1beta1', SandboxTemplate: 'extensions.agents.x-k8s.io/v1beta1', SandboxClaim: 'extensions.agents.x-k8s.io/v1beta1', SandboxWarmPool: 'extensions.agents.x-k8s.io/v1beta1' };
  const POD_TEMPLATE = { spec: { containers: [{ name: 'main', image: 'a:1' }] } };
  const SPECS: Record<string, object> = {
    Sandbox: { podTemplate: POD_TEMPLATE }, SandboxTemplate: { podTemplate: POD_TEMPLATE }, SandboxClaim: { warmPoolRef: { name: 'pool' } },
    SandboxWarmPool: { sandboxTemplateRef: { name: 'python' }, replicas: 1 },
  };
  const of = (kind: string, spec: object = SPECS[kind], apiVersion = API[kind], more: object = {}) => Checks.ofManifests([{ apiVersion, kind, metadata: { name: 'x', namespace: 'agents' }, spec, ...more }]);
  const brief = (findings: ReturnType<typeof of>) => findings.map(({ rule, field, remedy }) => [rule, field, remedy]);

  test('there are at least 40 mistakes with an answer in their own words', () => {
    expect(MISTAKES.length).toBeGreaterThanOrEqual(40);
  });

  test.each(MISTAKES.flatMap(mistake => (mistake.kinds ?? ['Sandbox']).map(kind => [kind, mistake.field, mistake] as const)))('%s %s', (kind, field, mistake) => {
    const [part, ...path] = field.split('.');
    const nested = path.reduceRight<any>((value, name) => ({ [name]: value }), 'x');
    const findings = part === 'spec' ? of(kind, { ...SPECS[kind], ...nested }) : of(kind, SPECS[kind], API[kind], { [part]: nested });
    expect(brief(findings)).toEqual([['unknown-field', `${field} is 'x'`, `use ${mistake.instead}: ${mistake.lines}`]]);
  });

  test.each<[string, string, string, string]>([
    ['SandboxTemplate', 'agents.x-k8s.io/v1beta1', 'wrong-group', 'write apiVersion: extensions.agents.x-k8s.io/v1beta1'],
    ['SandboxClaim', 'v1', 'wrong-group', 'write apiVersion: extensions.agents.x-k8s.io/v1beta1'],
    ['Sandbox', 'v1', 'wrong-group', 'write apiVersion: agents.x-k8s.io/v1beta1'],
    ['Sandbox', 'agents.x-k8s.io/v1', 'wrong-group', 'write apiVersion: agents.x-k8s.io/v1beta1'],
    ['Sandbox', 'agent-sandbox.x-k8s.io/v1beta1', 'wrong-group', 'write apiVersion: agents.x-k8s.io/v1beta1'],
    ['SandboxPool', 'extensions.agents.x-k8s.io/v1beta1', 'wrong-kind', 'write apiVersion: extensions.agents.x-k8s.io/v1beta1, kind: SandboxWarmPool'],
    ['AgentSandbox', 'agents.x-k8s.io/v1beta1', 'wrong-kind', 'write apiVersion: agents.x-k8s.io/v1beta1, kind: Sandbox'],
    ['SandboxWarmPol', 'extensions.agents.x-k8s.io/v1beta1', 'wrong-kind', 'write apiVersion: extensions.agents.x-k8s.io/v1beta1, kind: SandboxWarmPool'],
  ])('%s of %s', (kind, apiVersion, rule, remedy) => {
    expect(of(kind, {}, apiVersion).map(finding => [finding.rule, finding.remedy])).toEqual([[rule, remedy]]);
  });

  test('a Sandbox of another project is none of ours', () => {
    expect(of('Sandbox', {}, 'example.com/v1')).toEqual([]);
  });

  test('fields are held against the schema, with the nearest name', () => {
    expect(brief(of('Sandbox', { podTemplate: { spec: { containers: [{ name: 'main', imagee: 'a:1', ports: [{ containerPort: '80' }], livenessprobe: {} }] } }, operatingMode: 'suspended', service: 'true' }))).toEqual([
      ['invalid-pod', 'spec.podTemplate.spec.containers[0].image', 'the API requires it: the image to run'],
      ['unknown-field', "spec.podTemplate.spec.containers[0].imagee is 'a:1'", 'use spec.podTemplate.spec.containers[0].image'],
      ['unknown-field', 'spec.podTemplate.spec.containers[0].livenessprobe', 'use spec.podTemplate.spec.containers[0].livenessProbe'],
      ['wrong-type', "spec.podTemplate.spec.containers[0].ports[0].containerPort is '80'", 'write 80 without quotes'],
      ['wrong-type', "spec.service is 'true'", 'write true without quotes'],
      ['wrong-value', "spec.operatingMode is 'suspended'", "write 'Suspended'"],
    ]);
    expect(brief(of('SandboxWarmPool', { replicas: 1 }))).toEqual([['missing-field', 'spec.sandboxTemplateRef', 'add it (object)']]);
    expect(brief(of('SandboxWarmPool', SPECS.SandboxWarmPool, 'extensions.agents.x-k8s.io/v1alpha1'))).toEqual([['deprecated-version', "apiVersion is 'extensions.agents.x-k8s.io/v1alpha1'", 'write apiVersion: extensions.agents.x-k8s.io/v1beta1']]);
  });

  test('rules between objects hold as well, and lists are opened', () => {
    const pool = { apiVersion: API.SandboxWarmPool, kind: 'SandboxWarmPool', metadata: { name: 'pool' }, spec: SPECS.SandboxWarmPool };
    expect(Checks.ofManifests([{ apiVersion: 'v1', kind: 'List', items: [pool, pool] }])).toEqual([{
      rule: 'duplicate-name', severity: 'error', place: 'manifests[0] items[1]', object: 'SandboxWarmPool pool', field: "name is 'pool'",
      message: 'manifests[0] items[0] is a SandboxWarmPool of this name in the same namespace', remedy: 'rename one',
    }]);
  });

  test('what the constructs write has no findings', () => {
    const chart = testChart({ namespace: 'agents' });
    new Sandbox(chart, 'box', { ...POD, ...withVolume('data') });
    new SandboxClaim(chart, 'claim', { template: new SandboxTemplate(chart, 'python', { ...POD, network: SandboxNetwork.publicInternet({ ipv6: true }) }) });
    expect(Checks.ofManifests(synth(chart))).toEqual([]);
  });

  test('anything else is refused', () => {
    expect(() => Checks.of('x' as any)).toThrow("Checks.of: scope is 'x': use an app, a chart or another construct; for manifests, ofManifests");
    expect(() => Checks.ofManifests('x' as any)).toThrow("Checks.ofManifests: manifests is 'x': write it as a list: ['x']");
    expect(Checks.ofManifests([null, undefined, 'text'])).toEqual([]);
  });
});

test('5,000 objects are checked with one walk', () => {
  const app = testApp();
  let walks = 0;
  const findAll = app.node.findAll.bind(app.node);
  app.node.findAll = order => (walks++, findAll(order));
  const charts = Array.from({ length: 50 }, (_, index) => new Chart(app, `chart-${index}`, { namespace: 'agents' }));
  charts.forEach((chart, index) => new SandboxClaim(chart, `claim-${index}`, { pool: SandboxWarmPool.fromName('pool') }));
  charts.forEach(synth);
  // One for the state of the tree and one for its objects; cdk8s walks on its own.
  expect(walks).toBeLessThan(50 * 4);
});

test('docs/reference/rules.md has the tables of today: npx tsx scripts/rules.ts writes them', () => {
  const text = readFileSync(join(__dirname, '../docs/reference/rules.md'), 'utf8');
  expect(text).toBe(withTables(text));
  expect(RULES.filter(({ id, severity, summary }) => !text.includes(`| \`${id}\` | ${severity} | ${summary} |`))).toEqual([]);
});

/** Section 5 of the CIS Kubernetes Benchmark 1.10, as kube-bench has it (cfg/cis-1.10/policies.yaml): the sections, and what they recommend. */
const CIS = ['5.1', 13, '5.2', 13, '5.3', 2, '5.4', 2, '5.5', 1, '5.7', 4]
  .flatMap((each, index, all) => (typeof each === 'string' ? [each] : Array.from({ length: each }, (_, at) => `${all[index - 1]}.${at + 1}`)));
/** Chapters of the Kubernetes Hardening Guidance 1.2 of NSA and CISA. */
const NSA = [
  'Kubernetes Pod security', 'Network separation and hardening', 'Authentication and authorization', 'Audit logging and threat detection',
  'Upgrading and application security practices',
];

test('the table of standards names rules and topics that exist', () => {
  const known = [...RULES.map(({ id }) => id), ...Object.keys(TOPICS).map(topic => `posture/${topic}`)];
  expect(Object.keys(STANDARDS).filter(id => !known.includes(id))).toEqual([]);
  expect(Object.values(STANDARDS).flatMap(({ cis = [] }) => cis).filter(id => !CIS.includes(id))).toEqual([]);
  expect(Object.values(STANDARDS).flatMap(({ nsa = [] }) => nsa).filter(chapter => !NSA.includes(chapter))).toEqual([]);
  expect(Object.values(STANDARDS).flatMap(({ owasp = [] }) => owasp).filter(id => !/^ASI(0[1-9]|10)$/.test(id))).toEqual([]);
  expect(Object.values(STANDARDS).flatMap(({ kubescape = [] }) => kubescape).filter(id => !/^C-0\d{3}$/.test(id))).toEqual([]);
});
