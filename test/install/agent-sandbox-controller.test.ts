import { Duration } from 'cdk8s';
import * as kplus from 'cdk8s-plus-28';
import { AgentSandboxController, ControllerImplementation, ControllerLogLevel } from '../../src';
import { messageOf, testApp, testChart } from '../helpers';
import { IMAGE, all, controllerPod, install, one } from './helpers';

const kinds = (objects: any[]) => objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);

test('an image is all that has to be said', () => {
  expect(kinds(install())).toEqual([
    'Namespace agent-sandbox-system',
    'ClusterRole agent-sandbox-user', 'ClusterRole agent-sandbox-view', 'ClusterRole agent-sandbox-edit',
    'ServiceAccount agent-sandbox-controller',
    'ClusterRole agent-sandbox-controller', 'ClusterRoleBinding agent-sandbox-controller',
    'ClusterRole agent-sandbox-controller-extensions', 'ClusterRoleBinding agent-sandbox-controller-extensions',
    'Role agent-sandbox-controller-leader-election', 'RoleBinding agent-sandbox-controller-leader-election',
    'NetworkPolicy agent-sandbox-controller',
    'Service agent-sandbox-controller',
    'Deployment agent-sandbox-controller',
  ]);
});

test('the definitions come right after the namespace, with the annotations asked for', () => {
  const objects = install({ crds: true, crdAnnotations: { 'helm.sh/resource-policy': 'keep' } });
  expect(objects.slice(0, 5).map(({ kind }) => kind)).toEqual(['Namespace', ...Array(4).fill('CustomResourceDefinition')]);
  expect(objects[1].metadata.annotations['helm.sh/resource-policy']).toBe('keep');
});

test('every object has the common labels, and namespaced ones the namespace', () => {
  const objects = install({ namespace: 'sandboxes', labels: { team: 'platform' }, crds: true });
  for (const object of objects) {
    expect(object.metadata.labels).toMatchObject({ 'team': 'platform', 'app.kubernetes.io/part-of': 'agent-sandbox' });
  }
  expect([...new Set(objects.map(({ metadata }) => metadata.namespace))]).toEqual([undefined, 'sandboxes']);
  expect(one(objects, 'ClusterRoleBinding', 'agent-sandbox-controller').subjects).toEqual([
    { kind: 'ServiceAccount', name: 'agent-sandbox-controller', namespace: 'sandboxes' },
  ]);
});

test('the namespace is restricted, and can be left out', () => {
  expect(one(install(), 'Namespace', 'agent-sandbox-system').metadata.labels['pod-security.kubernetes.io/enforce']).toBe('restricted');
  expect(all(install({ createNamespace: false }), 'Namespace')).toEqual([]);
});

test('the Pod meets the restricted standard, and cannot write to its root', () => {
  const { spec } = controllerPod();
  expect(spec.securityContext).toEqual({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
  expect(spec.containers[0].securityContext).toEqual({ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, readOnlyRootFilesystem: true });
});

test('the extensions run unless they are switched off, and their role goes with them', () => {
  expect(controllerPod().spec.containers[0].args).toEqual(['--extensions=true', '--leader-elect=true']);
  const objects = install({ extensions: false });
  expect(one(objects, 'Deployment', 'agent-sandbox-controller').spec.template.spec.containers[0].args[0]).toBe('--extensions=false');
  expect(kinds(objects).filter(name => name.includes('extensions'))).toEqual([]);
});

test('flags are written as the program reads them', () => {
  expect(controllerPod({
    clusterDomain: 'corp.local',
    kubeApiQps: 50,
    kubeApiBurst: 100,
    sandboxWarmPoolReplenishDelay: Duration.millis(1500),
    sandboxWarmPoolReadinessGracePeriod: Duration.minutes(2),
    sandboxWarmPoolMaxRefillRate: 0.5,
    logLevel: ControllerLogLevel.DEBUG,
    extraArgs: ['--some=thing'],
  }).spec.containers[0].args.slice(2)).toEqual([
    '--cluster-domain=corp.local', '--kube-api-qps=50', '--kube-api-burst=100', '--sandbox-warm-pool-replenish-delay=1500ms',
    '--sandbox-warm-pool-max-refill-rate=0.5', '--sandbox-warm-pool-readiness-grace-period=120s', '--zap-log-level=debug', '--some=thing',
  ]);
});

test('in some namespaces, Roles take the place of the ClusterRoles', () => {
  const objects = install({ namespaces: ['a', 'b'], userRoles: false });
  expect(all(objects, 'ClusterRole')).toEqual([]);
  expect(all(objects, 'Role').map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)).toEqual([
    'a/agent-sandbox-controller', 'a/agent-sandbox-controller-extensions', 'b/agent-sandbox-controller', 'b/agent-sandbox-controller-extensions',
    'agent-sandbox-system/agent-sandbox-controller-leader-election',
  ]);
  expect(controllerPod({ namespaces: ['a', 'b'] }).spec.containers[0].args).toContain('--namespaces=a,b');
});

test('its Leases are the only objects of its own that the controller may change', () => {
  const lease = 'a3317529.agent-sandbox.x-k8s.io';
  const shards = Array.from({ length: 16 }, (_, shard) => `${lease}.shard-${shard}`);
  const { rules } = one(install(), 'Role', 'agent-sandbox-controller-leader-election');
  expect(rules).toEqual([
    { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create'] },
    { apiGroups: ['coordination.k8s.io'], resources: ['leases'], resourceNames: [lease, ...shards], verbs: ['get', 'update'] },
  ]);
  expect(all(install({ leaderElect: false }), 'Role')).toEqual([]);
});

test('shards need leader election, and there are at most 16', () => {
  expect(one(install({ shards: 2, replicas: 2 }), 'Deployment', 'agent-sandbox-controller').spec.template.spec.containers[0].args).toContain('--shards=2');
  expect(() => install({ shards: 2, leaderElect: false })).toThrow('shards are divided by leader election: leave it out, or leave out shards');
  expect(() => install({ shards: 17 })).toThrow('shards is 17: use at most 16');
});

test('nothing is granted with a wildcard, and no Secret', () => {
  for (const implementation of Object.values(ControllerImplementation)) {
    const objects = install({ implementation, image: 'registry.example/controller:v0.5.6', router: { image: 'router:1', resumeOnRequest: true } });
    const rules = objects.filter(({ kind }) => kind.endsWith('Role')).flatMap(object => object.rules);
    expect(JSON.stringify(rules)).not.toMatch(/"\*"|"secrets"/);
  }
});

test('several replicas are spread and have a budget', () => {
  const objects = install({ replicas: 2 });
  const { spec } = one(objects, 'PodDisruptionBudget', 'agent-sandbox-controller');
  expect(spec.maxUnavailable).toBe(1);
  const deployment = one(objects, 'Deployment', 'agent-sandbox-controller').spec;
  expect(spec.selector).toEqual(deployment.selector);
  expect(deployment.template.spec.topologySpreadConstraints.map((constraint: any) => constraint.topologyKey))
    .toEqual(['kubernetes.io/hostname', 'topology.kubernetes.io/zone']);
  expect(all(install(), 'PodDisruptionBudget')).toEqual([]);
});

test('label domains are a file, and a change of them replaces the Pods', () => {
  const objects = install({ allowedLabelDomains: ['a.example', 'b.example'] });
  expect(one(objects, 'ConfigMap', 'agent-sandbox-config').data).toEqual({ 'allowed-label-domains': 'a.example,b.example' });
  const { metadata, spec } = one(objects, 'Deployment', 'agent-sandbox-controller').spec.template;
  expect(spec.containers[0].volumeMounts).toEqual([{ name: 'config', mountPath: '/etc/sandbox-config', readOnly: true }]);
  expect(metadata.annotations['checksum/config']).not.toBe(controllerPod({ allowedLabelDomains: ['a.example'] }).metadata.annotations['checksum/config']);
});

test('pull secrets, variables, places and priorities reach the Pod', () => {
  const { metadata, spec } = controllerPod({
    imagePullSecrets: [kplus.Secret.fromSecretName(testChart(), 'secret', 'registry')],
    imagePullPolicy: kplus.ImagePullPolicy.ALWAYS,
    env: [{ name: 'OTEL_EXPORTER_OTLP_ENDPOINT', value: 'http://collector:4317' }],
    podLabels: { 'team': 'a', 'app.kubernetes.io/name': 'mine' },
    podAnnotations: { note: 'b' },
    nodeSelector: { pool: 'system' },
    tolerations: [{ key: 'system', operator: 'Exists' }],
    priorityClassName: 'system-cluster-critical',
    terminationGracePeriod: Duration.seconds(20),
    cpuLimit: '2',
  });
  expect(metadata).toEqual({
    labels: { 'team': 'a', 'app.kubernetes.io/name': 'agent-sandbox-controller', 'app.kubernetes.io/component': 'controller' },
    annotations: { note: 'b' },
  });
  expect(spec).toMatchObject({
    imagePullSecrets: [{ name: 'registry' }],
    nodeSelector: { pool: 'system' },
    tolerations: [{ key: 'system', operator: 'Exists' }],
    priorityClassName: 'system-cluster-critical',
    terminationGracePeriodSeconds: 20,
    containers: [{
      imagePullPolicy: 'Always',
      env: [{ name: 'OTEL_EXPORTER_OTLP_ENDPOINT', value: 'http://collector:4317' }],
      resources: { requests: { cpu: '100m', memory: '256Mi' }, limits: { cpu: '2', memory: '1Gi' } },
    }],
  });
});

test('the policy of the controller lets metrics in, and the API server out', () => {
  expect(one(install({ metricsNamespaces: ['monitoring'], apiServerPorts: [6443] }), 'NetworkPolicy', 'agent-sandbox-controller').spec).toEqual({
    podSelector: { matchLabels: { 'app.kubernetes.io/name': 'agent-sandbox-controller', 'app.kubernetes.io/component': 'controller' } },
    policyTypes: ['Ingress', 'Egress'],
    ingress: [{
      from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }],
      ports: [{ port: 8080, protocol: 'TCP' }],
    }],
    egress: [{ ports: [{ port: 6443, protocol: 'TCP' }] }],
  });
  expect(one(install({ enableTracing: true }), 'NetworkPolicy', 'agent-sandbox-controller').spec.egress[1].ports).toContainEqual({ port: 4317, protocol: 'TCP' });
  expect(all(install({ networkPolicy: false, router: { image: 'router:1' } }), 'NetworkPolicy')).toEqual([]);
});

test('the controller of the original gets its own flags and role', () => {
  const objects = install({ implementation: ControllerImplementation.UPSTREAM_V0_5_6, image: 'registry.k8s.io/agent-sandbox/agent-sandbox-controller:v0.5.6' });
  expect(one(objects, 'Deployment', 'agent-sandbox-controller').spec.template.spec.containers[0].args)
    .toEqual(['--enable-webhook=false', '--extensions=true', '--leader-elect=true']);
  expect(one(objects, 'ClusterRole', 'agent-sandbox-controller').rules).not.toEqual(one(install(), 'ClusterRole', 'agent-sandbox-controller').rules);
});

test('all problems are said at once', () => {
  expect(messageOf(() => new AgentSandboxController(testApp(), 'chart', {
    image: '<image>', name: 'A', replicas: 2, leaderElect: false, namespaces: ['a', 'a'], sandboxConcurrentWorkers: 0, memory: '2Gi', apiServerPorts: [],
    sandboxWriteBehindWindow: Duration.millis(0.5),
  }))).toBe([
    '8 problems:',
    "  chart: name is 'A': use 1 to 63 lower-case letters, digits and '-', beginning with a letter and ending with a letter or digit",
    "  chart: image is '<image>': name an image that you have built or mirrored, best with its digest",
    "  chart: memoryLimit is '1Gi': it is less than memory, '2Gi': raise the one or lower the other",
    "  chart: namespaces[1] is 'a': it is in the list already: remove one",
    '  chart: sandboxConcurrentWorkers is 0: use a whole number from 1 to 2147483647',
    "  chart: sandboxWriteBehindWindow is '0.5ms': use a duration such as 500ms or 1m30s, from 0s to 596h31m23.647s in whole milliseconds",
    '  chart: leaderElect is false: several replicas would all work: leave it out, or use one replica',
    '  chart: apiServerPorts is []: name at least one, or leave it out',
  ].join('\n'));
});

test('the roles of Kubernetes run no code in sandboxes unless that is asked for', () => {
  const aggregated = (objects: any[]) => all(objects, 'ClusterRole').filter(({ metadata }) => Object.keys(metadata.labels).some(label => label.includes('aggregate-to')));
  const connecting = (objects: any[]) => aggregated(objects).filter(({ rules }) => JSON.stringify(rules).includes('sandboxes/proxy')).map(({ metadata }) => metadata.name);
  expect(connecting(install())).toEqual([]);
  expect(connecting(install({ editorsConnect: true }))).toEqual(['agent-sandbox-connect']);
  expect(connecting(install({ editorsConnect: true, userRoles: false }))).toEqual([]);
  expect(JSON.stringify(one(install(), 'ClusterRole', 'agent-sandbox-user').rules)).toContain('sandboxes/proxy');
});

test.each<[string, (props: any) => unknown, string]>([
  ['nothing', () => new (AgentSandboxController as any)(testApp(), 'chart'), 'chart: props: '],
  ['no app', () => new (AgentSandboxController as any)(undefined, 'chart', { image: 'a' }), 'AgentSandboxController: scope: define it in an app'],
  ['no id', () => new (AgentSandboxController as any)(testApp(), '', { image: 'a' }), "AgentSandboxController: id is '': define it in an app"],
  ['an unknown prop', () => install({ namespaced: true } as any), 'agent-sandbox: namespaced is true: AgentSandboxControllerProps has no such prop'],
  ['a text for the router', () => install({ router: 'router:1' } as any), "agent-sandbox: router is 'router:1': write an object"],
  ['a Secret as a text', () => install({ router: { image: 'router:1', tlsSecret: 'cert' } } as any), "agent-sandbox: router.tlsSecret is 'cert': use ObjectReference.secret('…'), or a Secret of cdk8s-plus"],
])('%s is refused with an error of its own', (_what, make, message) => {
  expect(messageOf(() => make({}))).toContain(message);
});

test('the flags of the original go with its image only', () => {
  expect(messageOf(() => install({ implementation: ControllerImplementation.UPSTREAM_V0_5_6, namespaces: ['a'] }))).toBe([
    '2 problems:',
    '  agent-sandbox: namespaces is ["a"]: the controller of v0.5.6 has no such flag: leave it out',
    `  agent-sandbox: image is '${IMAGE}': flags and role are those of v0.5.6: use an image with this tag, or its digest`,
  ].join('\n'));
});
