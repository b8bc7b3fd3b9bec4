/** A Pod, and what was done to it: `path = value` of one field, or the names of the parts of a Pod that nothing was done to. */
export interface RandomPod {
  readonly title: string;
  readonly pod: any;
}

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const LONG = 'x'.repeat(64);
const NAMES = ['', 'a', 'a-1', '1a', '1', 'A', 'a.b', 'a_b', '-a', 'a-', 'a b', LONG, 'ä'];
const SUBDOMAINS = ['a', 'a.b', 'a..b', 'A.b', 'a_b', `${LONG}.a`, 'x'.repeat(254), '.'];
const KEYS = ['', 'a', 'A_b.c', 'example.com/a', 'example.com/', '/a', 'a/b/c', '-a', LONG, 'Example.com/a'];
const LABEL_VALUES = ['', 'a', 'A_b.c', '-a', 'a b', LONG, 'a/b'];
const AMOUNTS = ['0', '1', '1.5', '500m', '1Ki', '1k', '1e3', '1E', '-1', '1 Gi', '1GB', 'many', '', '.5', '5.', '+1', '1Mi1', 2, 0.5, -1];
const PATHS = ['', 'a', 'a/b', '/a', '..', '../a', 'a/../b', '..a', 'a..', './a', 'a/..b'];
const ADDRESSES = ['10.0.0.1', '::1', 'fd00::1', '10.0.0', '010.0.0.1', 'fe80::1%eth0', '10.0.0.1/32', 'db', '', '::ffff:10.0.0.1'];
const COUNTS = [-1, 0, 1, 2];
const IDS = [-1, 0, 1, 2 ** 31 - 1, 2 ** 31];
const MODES = [-1, 0, 0o644, 0o777, 0o1000];
const PORTS = [-1, 0, 1, 65535, 65536];
const PORT_NAMES = ['a', 'http-1', '80', 'a--b', '-a', 'A', 'x'.repeat(15), 'x'.repeat(16)];
const words = (...good: string[]) => [...good, '', good[0]!.toLowerCase(), 'Other'];
const FIELD_PATHS = ['metadata.name', 'metadata.uid', 'metadata.labels', "metadata.labels['a']", "metadata.annotations['A/b']", "metadata.labels['']", 'spec.nodeName', 'status.podIP', 'status.hostIP', 'spec.containers', ''];
const RESOURCE_FIELDS = ['limits.cpu', 'requests.memory', 'limits.ephemeral-storage', 'limits.gpu', 'cpu', ''];

/** Parts of a Pod that the server accepts, by name; each adds to the Pod. */
const PARTS: { readonly [name: string]: (pod: any) => void } = {
  labels: ({ metadata }) => Object.assign(metadata.labels ??= {}, { 'app': 'web', 'example.com/tier': 'A_1' }),
  annotations: ({ metadata }) => Object.assign(metadata.annotations ??= {}, { 'example.com/Note': 'any text: !' }),
  emptyDir: pod => mount(pod, 'scratch', { emptyDir: { sizeLimit: '1Gi', medium: 'Memory' } }, '/scratch'),
  secret: pod => mount(pod, 'secret', { secret: { secretName: 's', defaultMode: 0o400, items: [{ key: 'k', path: 'a/b', mode: 0o777 }] } }, '/secret', { readOnly: true }),
  configMap: pod => mount(pod, 'config', { configMap: { name: 'c', items: [{ key: 'k', path: 'k' }], optional: true } }, '/config', { subPath: 'k' }),
  downward: pod => mount(pod, 'downward', { downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }, { path: 'cpu', resourceFieldRef: { containerName: 'main', resource: 'limits.cpu' } }] } }, '/downward'),
  projected: pod => mount(pod, 'projected', { projected: { sources: [{ secret: { name: 's', items: [{ key: 'a', path: 'x' }] } }, { configMap: { name: 'c', items: [{ key: 'a', path: 'y' }] } }, { serviceAccountToken: { path: 'token', expirationSeconds: 600 } }] } }, '/projected'),
  claim: pod => mount(pod, 'data', { persistentVolumeClaim: { claimName: 'data' } }, '/data', { mountPropagation: 'HostToContainer' }),
  ephemeral: pod => mount(pod, 'temporary', { ephemeral: { volumeClaimTemplate: { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, storageClassName: 'fast' } } } }, '/temporary'),
  csi: pod => mount(pod, 'csi', { csi: { driver: 'csi.example.com' } }, '/csi'),
  device: ({ spec }) => {
    (spec.volumes ??= []).push({ name: 'disk', persistentVolumeClaim: { claimName: 'disk' } });
    (spec.containers[0].volumeDevices ??= []).push({ name: 'disk', devicePath: '/dev/x' });
  },
  ports: ({ spec }) => (spec.containers[0].ports ??= []).push({ name: 'http', containerPort: 8080 }, { name: 'dns', containerPort: 53, protocol: 'UDP' }),
  env: ({ spec }) => (spec.containers[0].env ??= []).push({ name: 'A', value: 'b' }, { name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
    { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } }, { name: 'KEY', valueFrom: { secretKeyRef: { name: 's', key: 'k.e-y' } } }),
  envFrom: ({ spec }) => (spec.containers[0].envFrom ??= []).push({ prefix: 'P_', configMapRef: { name: 'c' } }, { secretRef: { name: 's' } }),
  resources: ({ spec }) => Object.assign(spec.containers[0].resources ??= {}, { requests: { cpu: '100m', memory: '64Mi' }, limits: { 'cpu': '1', 'memory': '128Mi', 'nvidia.com/gpu': 1 } }),
  probes: ({ spec }) => Object.assign(spec.containers[0], {
    livenessProbe: { httpGet: { path: '/', port: 8080, httpHeaders: [{ name: 'X-A', value: 'b' }] } }, readinessProbe: { tcpSocket: { port: 'http' }, successThreshold: 2 },
    startupProbe: { grpc: { port: 9090 }, terminationGracePeriodSeconds: 5 },
  }),
  lifecycle: ({ spec }) => Object.assign(spec.containers[0], { lifecycle: { postStart: { exec: { command: ['true'] } }, preStop: { sleep: { seconds: 10 } } } }),
  security: ({ spec }) => {
    Object.assign(spec.securityContext ??= {}, { runAsUser: 1, fsGroup: 2, fsGroupChangePolicy: 'Always', supplementalGroups: [3], seccompProfile: { type: 'RuntimeDefault' }, sysctls: [{ name: 'net.core.somaxconn', value: '1' }] });
    Object.assign(spec.containers[0].securityContext ??= {}, { seccompProfile: { type: 'Localhost', localhostProfile: 'a/b.json' }, appArmorProfile: { type: 'RuntimeDefault' }, capabilities: { drop: ['ALL'] } });
  },
  init: ({ spec }) => (spec.initContainers ??= []).push({ name: 'init', image: 'i' }, { name: 'sidecar', image: 'i', restartPolicy: 'Always', readinessProbe: { exec: { command: ['true'] } } }),
  second: ({ spec }) => spec.containers.push({ name: 'second', image: 'registry.example/second:1', imagePullPolicy: 'Never' }),
  tolerations: ({ spec }) => (spec.tolerations ??= []).push({ operator: 'Exists' }, { key: 'a', value: 'b', effect: 'NoExecute', tolerationSeconds: 5 }),
  affinity: ({ spec }) => Object.assign(spec.affinity ??= {}, {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }, { key: 'n', operator: 'Gt', values: ['5'] }] }] },
      preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, preference: { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['node'] }] } }],
    },
    podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, podAffinityTerm: { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { a: 'b' } } } }] },
  }),
  spread: ({ spec }) => (spec.topologySpreadConstraints ??= []).push({ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: { matchExpressions: [{ key: 'a', operator: 'Exists' }] }, minDomains: 2 }),
  names: ({ spec }) => Object.assign(spec, { hostAliases: [{ ip: '10.0.0.1', hostnames: ['a.b'] }], dnsPolicy: 'None', dnsConfig: { nameservers: ['10.0.0.10'], searches: ['a.b.', 'c_d.e'], options: [{ name: 'ndots', value: '2' }] }, hostname: 'h', subdomain: 's' }),
  claims: ({ spec }) => {
    (spec.resourceClaims ??= []).push({ name: 'gpu', resourceClaimTemplateName: 'gpus' });
    (spec.containers[0].resources ??= {}).claims = [{ name: 'gpu', request: 'one' }];
  },
  gates: ({ spec }) => Object.assign(spec, { schedulingGates: [{ name: 'example.com/a' }], readinessGates: [{ conditionType: 'example.com/ready' }] }),
  times: ({ spec }) => Object.assign(spec, { terminationGracePeriodSeconds: 60, activeDeadlineSeconds: 1, restartPolicy: 'OnFailure' }),
  linux: ({ spec }) => Object.assign(spec, { os: { name: 'linux' }, nodeSelector: { 'kubernetes.io/os': 'linux' } }),
};

function mount({ spec }: any, name: string, source: object, mountPath: string, more: object = {}): void {
  (spec.volumes ??= []).push({ name, ...source });
  (spec.containers[0].volumeMounts ??= []).push({ name, mountPath, ...more });
}

/** Fields, and values of them that the server may or may not accept. `#` creates the entry of a list that the rest is about. */
const FIELDS: ReadonlyArray<readonly [path: string, values: readonly unknown[]]> = [
  ['metadata.labels.#key', KEYS], ['metadata.labels.a', LABEL_VALUES], ['metadata.annotations.#key', KEYS], ['metadata.annotations.big', ['x'.repeat(262_130), 'x'.repeat(262_142), 'x'.repeat(300_000)]],
  ['spec.containers', [[]]], ['spec.containers.0.name', NAMES], ['spec.containers.0.image', ['a', ' a', 'a ', '', 'A:b@c']],
  ['spec.containers.0.imagePullPolicy', words('Always', 'Never', 'IfNotPresent')], ['spec.containers.0.terminationMessagePolicy', words('File', 'FallbackToLogsOnError')],
  ['spec.containers.0.restartPolicy', ['Always', 'Never']], ['spec.containers.1', [{ name: 'main', image: 'a' }, { name: 'other', image: 'a' }, { image: 'a' }, { name: 'other' }]],
  ['spec.initContainers.0', [{ name: 'main', image: 'a' }, { name: 'i', image: 'a', restartPolicy: 'Never' }, { name: 'i', image: 'a', lifecycle: { preStop: { sleep: { seconds: 1 } } } }, { name: 'i', image: 'a', readinessProbe: { exec: { command: ['true'] } } }, { name: 'i', image: 'a', restartPolicy: 'Always', livenessProbe: { tcpSocket: { port: 1 } } }]],
  ['spec.containers.0.ports', [
    ...PORTS.map(containerPort => [{ containerPort }]), ...PORTS.map(hostPort => [{ containerPort: 1, hostPort }]), ...PORT_NAMES.map(name => [{ containerPort: 1, name }]),
    ...words('TCP', 'UDP', 'SCTP').map(protocol => [{ containerPort: 1, protocol }]), [{ containerPort: 1 }, { containerPort: 1, protocol: 'UDP' }],
    [{ containerPort: 1, name: 'a' }, { containerPort: 2, name: 'a' }], [{ containerPort: 1, hostPort: 5 }, { containerPort: 2, hostPort: 5 }], [{ containerPort: 1, hostPort: 5 }, { containerPort: 2, hostPort: 5, protocol: 'UDP' }],
    [{ containerPort: 1, hostPort: 5, hostIP: '10.0.0.1' }, { containerPort: 2, hostPort: 5, hostIP: '10.0.0.2' }],
  ]],
  ['spec.containers.0.env', [
    ...['', 'A', 'a-b.c', '1A', 'A=B', 'A B', '.', '..a', 'ä'].map(name => [{ name, value: 'x' }]), [{ name: 'A', valueFrom: {} }], [{ name: 'A', value: 'x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
    [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' }, secretKeyRef: { name: 's', key: 'k' } } }], ...FIELD_PATHS.map(fieldPath => [{ name: 'A', valueFrom: { fieldRef: { fieldPath } } }]),
    [{ name: 'A', valueFrom: { fieldRef: { apiVersion: 'v2', fieldPath: 'metadata.name' } } }], ...RESOURCE_FIELDS.map(resource => [{ name: 'A', valueFrom: { resourceFieldRef: { resource } } }]),
    ...['k', 'k.e-y', 'a/b', '', '..', 'a b'].map(key => [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'c', key } } }]), [{ name: 'A', valueFrom: { secretKeyRef: { key: 'k' } } }],
  ]],
  ['spec.containers.0.envFrom', [[{}], [{ secretRef: { name: 's' }, configMapRef: { name: 'c' } }], [{ secretRef: {} }], [{ prefix: 'A B', secretRef: { name: 's' } }], [{ prefix: 'A=', secretRef: { name: 's' } }]]],
  ['spec.containers.0.resources', [
    ...AMOUNTS.map(cpu => ({ limits: { cpu } })), ...AMOUNTS.slice(0, 12).map(memory => ({ requests: { memory } })), ...AMOUNTS.slice(0, 9).map(gpu => ({ limits: { 'nvidia.com/gpu': gpu } })),
    { requests: { 'nvidia.com/gpu': 1 } }, { requests: { 'nvidia.com/gpu': 1 }, limits: { 'nvidia.com/gpu': 2 } }, { requests: { 'nvidia.com/gpu': 2 }, limits: { 'nvidia.com/gpu': 2 } },
    { requests: { cpu: '2' }, limits: { cpu: '1' } }, { requests: { cpu: '1000m' }, limits: { cpu: '1' } }, ...['gpu', 'kubernetes.io/x', 'example.com/', 'Example.com/x', 'requests.example.com/x', `example.com/${LONG}`, 'storage', 'pods', 'hugepages-2Mi', 'a b'].map(name => ({ limits: { [name]: 1 } })),
    { limits: { 'hugepages-2Mi': '2Mi', 'cpu': 1 } }, { limits: { 'hugepages-2Mi': '2Mi', 'cpu': 1 }, requests: { 'hugepages-2Mi': '4Mi' } }, { claims: [{ name: 'gpu' }] },
  ]],
  ['spec.containers.0.resizePolicy', [[{ resourceName: 'cpu', restartPolicy: 'NotRequired' }], [{ resourceName: 'cpu', restartPolicy: 'Never' }], [{ resourceName: 'gpu', restartPolicy: 'NotRequired' }], [{ resourceName: 'cpu', restartPolicy: 'NotRequired' }, { resourceName: 'cpu', restartPolicy: 'NotRequired' }]]],
  ['volume', [
    {}, { emptyDir: {}, secret: { secretName: 's' } }, ...AMOUNTS.map(sizeLimit => ({ emptyDir: { sizeLimit } })), { secret: {} }, { configMap: {} }, ...MODES.map(defaultMode => ({ secret: { secretName: 's', defaultMode } })), ...MODES.map(mode => ({ configMap: { name: 'c', items: [{ key: 'k', path: 'p', mode }] } })),
    ...PATHS.map(path => ({ secret: { secretName: 's', items: [{ key: 'k', path }] } })), { configMap: { name: 'c', items: [{ path: 'p' }] } }, ...PATHS.map(path => ({ downwardAPI: { items: [{ path, fieldRef: { fieldPath: 'metadata.name' } }] } })),
    { downwardAPI: { items: [{ path: 'a' }] } }, { downwardAPI: { items: [{ path: 'a', fieldRef: { fieldPath: 'metadata.name' }, resourceFieldRef: { containerName: 'main', resource: 'limits.cpu' } }] } }, ...FIELD_PATHS.map(fieldPath => ({ downwardAPI: { items: [{ path: 'a', fieldRef: { fieldPath } }] } })),
    ...RESOURCE_FIELDS.map(resource => ({ downwardAPI: { items: [{ path: 'a', resourceFieldRef: { containerName: 'main', resource } }] } })), { downwardAPI: { items: [{ path: 'a', resourceFieldRef: { resource: 'limits.cpu' } }] } },
    { persistentVolumeClaim: {} }, { persistentVolumeClaim: { claimName: '' } }, { hostPath: { path: '/a' } }, { hostPath: { path: '/a/../b' } }, { hostPath: { path: '' } }, ...words('Directory', 'File', 'Socket').map(type => ({ hostPath: { path: '/a', type } })),
    { nfs: { server: 's', path: '/a' } }, { nfs: { server: 's', path: 'a' } }, { nfs: { path: '/a' } }, ...['csi.example.com', 'A.b', '', 'a b', LONG].map(driver => ({ csi: { driver } })), { csi: { driver: 'a', nodePublishSecretRef: {} } },
    { ephemeral: {} }, ...[['ReadWriteOnce'], [], ['ReadWriteOnce', 'ReadOnlyMany'], ['ReadWriteOncePod', 'ReadWriteOnce'], ['ReadWrite']].map(accessModes => claimOf({ accessModes })), ...SUBDOMAINS.map(storageClassName => claimOf({ storageClassName })),
    ...words('Filesystem', 'Block').map(volumeMode => claimOf({ volumeMode })), ...AMOUNTS.map(storage => claimOf({ resources: { requests: { storage } } })), claimOf({ resources: {} }), claimOf({ selector: { matchExpressions: [{ key: 'a', operator: 'In' }] } }),
    { projected: { sources: [{ secret: { name: 's' }, configMap: { name: 'c' } }] } }, { projected: { sources: [{ secret: {} }] } }, { projected: { sources: [] } }, { projected: { sources: [{}] } }, { projected: { sources: [{ serviceAccountToken: { path: 'a', expirationSeconds: 599 } }] } },
    { projected: { sources: [{ serviceAccountToken: { path: '../a' } }] } }, { projected: { sources: [{ serviceAccountToken: {} }] } }, { projected: { sources: [{ secret: { name: 's', items: [{ key: 'a', path: 'x' }] } }, { configMap: { name: 'c', items: [{ key: 'a', path: 'x' }] } }] } },
    { gitRepo: { repository: 'https://git.example/a' } },
  ]],
  ['spec.volumes', [...NAMES.map(name => [{ name, emptyDir: {} }]), [{ name: 'a', emptyDir: {} }, { name: 'a', secret: { secretName: 's' } }]]],
  ['mount', [
    { name: 'missing' }, { mountPath: '' }, { mountPath: 'a' }, { mountPath: '/a:b' }, ...PATHS.map(subPath => ({ subPath })), ...PATHS.map(subPathExpr => ({ subPathExpr })), { subPath: 'a', subPathExpr: 'b' },
    ...words('None', 'HostToContainer', 'Bidirectional').filter(Boolean).map(mountPropagation => ({ mountPropagation })), { recursiveReadOnly: 'Enabled' }, { recursiveReadOnly: 'Enabled', readOnly: true }, { recursiveReadOnly: 'IfPossible', readOnly: true, mountPropagation: 'HostToContainer' },
    { recursiveReadOnly: 'Disabled' }, { recursiveReadOnly: 'Sometimes', readOnly: true },
  ]],
  ['spec.containers.0.volumeDevices', [[{ name: 'missing', devicePath: '/dev/x' }]]],
  ...['livenessProbe', 'readinessProbe', 'startupProbe'].flatMap(probe => [
    [`spec.containers.0.${probe}`, [
      {}, { exec: {} }, { exec: { command: [] } }, { exec: { command: ['true'] }, tcpSocket: { port: 1 } }, ...PORTS.map(port => ({ tcpSocket: { port } })), ...PORT_NAMES.map(port => ({ httpGet: { port } })), ...PORTS.map(port => ({ grpc: { port } })),
      ...words('HTTP', 'HTTPS').map(scheme => ({ httpGet: { port: 1, scheme } })), ...['X-A', 'x_a', 'a b', '', 'ä:'].map(name => ({ httpGet: { port: 1, httpHeaders: [{ name, value: 'v' }] } })),
      ...['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold', 'terminationGracePeriodSeconds'].flatMap(count => COUNTS.map(value => ({ exec: { command: ['true'] }, [count]: value }))),
    ]] as const,
  ]),
  ...['postStart', 'preStop'].map(moment => [`spec.containers.0.lifecycle.${moment}`, [{}, { exec: { command: ['true'] }, sleep: { seconds: 1 } }, { tcpSocket: { port: 1 } }, ...[-1, 0, 1, 30, 31, 60, 61].map(seconds => ({ sleep: { seconds } })), { httpGet: { port: 0 } }]] as const),
  ['spec.containers.0.securityContext', [
    ...IDS.map(runAsUser => ({ runAsUser })), ...IDS.map(runAsGroup => ({ runAsGroup })), ...words('Default', 'Unmasked').map(procMount => ({ procMount })), { privileged: true, allowPrivilegeEscalation: false }, { allowPrivilegeEscalation: false, capabilities: { add: ['CAP_SYS_ADMIN'] } },
    { allowPrivilegeEscalation: false, capabilities: { add: ['SYS_ADMIN'] } }, ...['seccompProfile', 'appArmorProfile'].flatMap(profile => [...words('RuntimeDefault', 'Unconfined', 'Localhost').map(type => ({ [profile]: { type } })), { [profile]: {} },
      ...PATHS.map(localhostProfile => ({ [profile]: { type: 'Localhost', localhostProfile } })), { [profile]: { type: 'RuntimeDefault', localhostProfile: 'a' } }, { [profile]: { type: 'Localhost', localhostProfile: ' a' } }]),
  ]],
  ['spec.securityContext', [
    ...IDS.map(fsGroup => ({ fsGroup })), ...IDS.map(id => ({ supplementalGroups: [id] })), ...words('Always', 'OnRootMismatch').filter(Boolean).map(fsGroupChangePolicy => ({ fsGroupChangePolicy })), ...words('Merge', 'Strict').filter(Boolean).map(supplementalGroupsPolicy => ({ supplementalGroupsPolicy })),
    { seccompProfile: { type: 'Localhost' } }, { appArmorProfile: { type: 'Other' } }, ...['kernel.shmmax', 'net/ipv4/tcp_syncookies', 'A.b', 'a b', '', 'a..b', '-a'].map(name => ({ sysctls: [{ name, value: '1' }] })), { sysctls: [{ name: 'a', value: '1' }, { name: 'a', value: '2' }] }, { windowsOptions: { runAsUserName: 'a' } },
  ]],
  ['spec.tolerations', [[{}], [{ key: 'a' }], [{ key: 'a b', operator: 'Exists' }], [{ key: 'a', operator: 'Exists', value: 'x' }], [{ key: 'a', operator: 'Is', value: 'x' }], ...LABEL_VALUES.map(value => [{ key: 'a', value }]), ...words('NoSchedule', 'NoExecute', 'PreferNoSchedule').map(effect => [{ key: 'a', effect }]), [{ key: 'a', tolerationSeconds: 1 }], [{ key: 'a', effect: 'NoExecute', tolerationSeconds: -1 }]]],
  ['spec.nodeSelector.#key', KEYS], ['spec.nodeSelector.a', LABEL_VALUES],
  ['spec.affinity', [
    ...[undefined, [], [{}], ...KEYS.map(key => [{ matchExpressions: [{ key, operator: 'Exists' }] }]), ...words('In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt').flatMap(operator => [[], ['a'], ['5'], ['1', '2']].map(values => [{ matchExpressions: [{ key: 'a', operator, values }] }])),
      ...[['In', ['a']], ['In', ['a', 'b']], ['Exists', []], ['NotIn', ['A']]].map(([operator, values]) => [{ matchFields: [{ key: 'metadata.name', operator, values }] }]), [{ matchFields: [{ key: 'name', operator: 'In', values: ['a'] }] }]]
      .map(nodeSelectorTerms => ({ nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: nodeSelectorTerms ? { nodeSelectorTerms } : { nodeSelectorTerms: [] } } })),
    ...[-1, 0, 1, 100, 101].map(weight => ({ podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight, podAffinityTerm: { topologyKey: 'a' } }] } })), ...[-1, 0, 1, 100, 101].map(weight => ({ nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight, preference: {} }] } })),
    ...KEYS.map(topologyKey => ({ podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey, labelSelector: {} }] } })), ...SUBDOMAINS.map(name => ({ podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'a', namespaces: [name] }] } })),
    ...words('In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt').flatMap(operator => [[], ['a'], ['a b']].map(values => ({ podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'a', labelSelector: { matchExpressions: [{ key: 'a', operator, values }] } }] } }))),
    { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'a', matchLabelKeys: ['b'] }] } }, { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'a', labelSelector: {}, matchLabelKeys: ['b'], mismatchLabelKeys: ['b'] }] } },
  ]],
  ['spec.topologySpreadConstraints', [
    ...COUNTS.map(maxSkew => [{ maxSkew, topologyKey: 'a', whenUnsatisfiable: 'ScheduleAnyway' }]), ...KEYS.map(topologyKey => [{ maxSkew: 1, topologyKey, whenUnsatisfiable: 'ScheduleAnyway' }]), ...words('DoNotSchedule', 'ScheduleAnyway').map(whenUnsatisfiable => [{ maxSkew: 1, topologyKey: 'a', whenUnsatisfiable }]),
    ...COUNTS.map(minDomains => [{ maxSkew: 1, topologyKey: 'a', whenUnsatisfiable: 'DoNotSchedule', minDomains }]), [{ maxSkew: 1, topologyKey: 'a', whenUnsatisfiable: 'ScheduleAnyway', minDomains: 1 }], ...words('Honor', 'Ignore').filter(Boolean).map(nodeTaintsPolicy => [{ maxSkew: 1, topologyKey: 'a', whenUnsatisfiable: 'ScheduleAnyway', nodeTaintsPolicy }]),
    [{ maxSkew: 1, topologyKey: 'a', whenUnsatisfiable: 'DoNotSchedule' }, { maxSkew: 2, topologyKey: 'a', whenUnsatisfiable: 'DoNotSchedule' }], [{ maxSkew: 1, topologyKey: 'a', whenUnsatisfiable: 'DoNotSchedule', matchLabelKeys: ['b'] }],
  ]],
  ['spec.hostAliases', [...ADDRESSES.map(ip => [{ ip, hostnames: ['a'] }]), ...SUBDOMAINS.map(name => [{ ip: '10.0.0.1', hostnames: [name] }])]],
  ['spec.dnsConfig', [...ADDRESSES.map(server => ({ nameservers: [server] })), { nameservers: ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'] }, ...[...SUBDOMAINS, 'a.', '_tcp.a'].map(search => ({ nameservers: ['10.0.0.1'], searches: [search] })), { nameservers: ['10.0.0.1'], searches: Array.from({ length: 33 }, (_, index) => `a${index}`) }, { nameservers: ['10.0.0.1'], options: [{}] }]],
  ['spec.dnsPolicy', [...words('ClusterFirst', 'Default', 'ClusterFirstWithHostNet').filter(Boolean), 'None']],
  ['spec.hostname', NAMES], ['spec.subdomain', NAMES], ['spec.schedulerName', SUBDOMAINS], ['spec.nodeName', SUBDOMAINS], ['spec.restartPolicy', words('Always', 'OnFailure', 'Never')],
  ['spec.activeDeadlineSeconds', [...COUNTS, 2 ** 31]], ['spec.terminationGracePeriodSeconds', [0, 1, 60]],
  ['spec.readinessGates', KEYS.map(conditionType => [{ conditionType }])], ['spec.schedulingGates', [...KEYS.map(name => [{ name }]), [{ name: 'a' }, { name: 'a' }]]],
  ['spec.resourceClaims', [...NAMES.map(name => [{ name, resourceClaimName: 'a' }]), [{ name: 'a' }], [{ name: 'a', resourceClaimName: 'a', resourceClaimTemplateName: 'b' }], ...SUBDOMAINS.map(name => [{ name: 'a', resourceClaimTemplateName: name }]), [{ name: 'a', resourceClaimName: 'a' }, { name: 'a', resourceClaimName: 'b' }]]],
  ['spec.os', [...words('linux', 'windows').map(name => ({ name })), {}]], ['windows', [{ fsGroup: 1 }, { runAsNonRoot: true }, { seccompProfile: { type: 'RuntimeDefault' } }, { supplementalGroups: [1] }, { sysctls: [] }]],
  ['spec.hostUsers', [true, false]], ['spec.shareProcessNamespace', [true, false]], ['spec.hostPID', [true]], ['spec.hostNetwork', [true]], ['hostUsers', [{ hostNetwork: true }, { hostPID: true }, { hostIPC: true }, {}]], ['shared', [{ hostPID: true }, {}]],
  ['hostNetwork', [{ containerPort: 80, hostPort: 81 }, { containerPort: 80, hostPort: 80 }, { containerPort: 80 }]],
  ['spec.ephemeralContainers', [[]]],
];

function claimOf(spec: object): object {
  return { ephemeral: { volumeClaimTemplate: { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec } } } };
}

/** Fields that are easier to say together. */
const SPECIAL: { readonly [name: string]: (pod: any, value: any) => void } = {
  volume: ({ spec }, value) => void (spec.volumes ??= []).push({ name: 'v', ...value }),
  mount: (pod, value) => mount(pod, 'mounted', { emptyDir: {} }, '/mounted', value),
  windows: ({ spec }, securityContext) => Object.assign(spec, { os: { name: 'windows' }, securityContext }),
  hostUsers: ({ spec }, value) => Object.assign(spec, { hostUsers: false }, value),
  shared: ({ spec }, value) => Object.assign(spec, { shareProcessNamespace: true }, value),
  hostNetwork: ({ spec }, port) => Object.assign(spec, { hostNetwork: true, containers: [{ ...spec.containers[0], ports: [port] }] }),
};

function leastPod(): any {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'random' }, spec: { containers: [{ name: 'main', image: 'registry.example/app:1' }] } };
}

function set(pod: any, path: string, value: unknown): void {
  const keys = path.split('.');
  const last = keys.pop()!;
  const parent = keys.reduce((object, key) => (object[key] ??= {}), pod);
  if (last === '#key') {
    parent[value as string] = 'a';
  } else {
    // Lists of which there are no entries yet.
    parent[last] = structuredClone(value);
  }
}

/** A Pod for each value of each field, on top of parts that the server accepts; and `valid` Pods of parts alone. */
export function randomPods(seed: number, valid: number): RandomPod[] {
  const next = random(seed);
  const parts = Object.keys(PARTS);
  const some = (pod: any, chance: number, ...without: string[]) => parts.filter(name => !without.includes(name) && next() < chance).map(name => {
    PARTS[name]!(pod);
    return name;
  });
  const mutated = FIELDS.flatMap(([path, values]) => values.map(value => {
    const pod = leastPod();
    // Parts that the field is among would be replaced, and others that refer to them refused.
    if (/^metadata|annotations|^spec\.(tolerations|nodeSelector|topology|schedulerName|activeDeadline|readinessGates)/.test(path)) {
      some(pod, 0.2, 'labels', 'annotations', 'tolerations', 'linux', 'spread', 'gates', 'times');
    }
    if (/initContainers\.0$/.test(path)) {
      pod.spec.initContainers = [];
    }
    (SPECIAL[path] ?? ((target: any, item: unknown) => set(target, path, item)))(pod, value);
    return { title: `${path} = ${(JSON.stringify(value) ?? 'undefined').slice(0, 160)}`, pod };
  }));
  const plain = Array.from({ length: valid }, () => {
    const pod = leastPod();
    return { title: `parts: ${some(pod, 0.35).join(', ')}`, pod };
  });
  return [...mutated, ...plain];
}
