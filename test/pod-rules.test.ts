import { ApiObject, JsonPatch } from 'cdk8s';
import { Checks, l1, Sandbox, type SandboxProps, SandboxVolume } from '../src';
import { CONTAINER, POD, messageOf, synth, testChart } from './helpers';

const EXTENSIONS = 'extensions.agents.x-k8s.io/v1beta1';
const IMAGE = 'registry.example/app:1';

/** Findings of a template with a Pod, as `rule: field: remedy`. */
function of(podSpec: object, metadata: object = {}, more: object = {}): string[] {
  const spec = { containers: [{ name: 'main', image: IMAGE }], ...podSpec };
  const manifest = { apiVersion: EXTENSIONS, kind: 'SandboxTemplate', metadata: { name: 'python', namespace: 'agents' }, spec: { podTemplate: { metadata, spec }, ...more } };
  return Checks.ofManifests([manifest]).map(({ rule, field, remedy }) => `${rule}: ${field.replace('spec.podTemplate.', '')}: ${remedy}`);
}
const main = (container: object, pod: object = {}) => of({ containers: [{ name: 'main', image: IMAGE, ...container }], ...pod });
const amounts = (limits: object, requests: object = {}) => main({ resources: { limits, requests } });
const DATA = [{ name: 'data', emptyDir: {} }];
const claim = (spec: object) => of({ containers: [{ name: 'main', image: IMAGE, volumeMounts: [{ name: 'data', mountPath: '/data' }] }] }, {}, { volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec } }] });

test.each<[string, string[], string]>([
  ['a device in parts', amounts({ 'nvidia.com/gpu': '0.5' }), "invalid-pod: spec.containers[0].resources.limits['nvidia.com/gpu'] is '0.5': devices come whole: use a whole number"],
  ['a device that is requested without a limit', amounts({}, { 'nvidia.com/gpu': 1 }), "invalid-pod: spec.containers[0].resources.requests['nvidia.com/gpu'] is 1: it cannot be shared: set limits['nvidia.com/gpu'] to the same amount"],
  ['fewer devices than the limit', amounts({ 'nvidia.com/gpu': 2 }, { 'nvidia.com/gpu': 1 }), "invalid-pod: spec.containers[0].resources.requests['nvidia.com/gpu'] is 1: it cannot be shared: request the limit, 2"],
  ['a device without the name of its plugin', amounts({ gpu: 1 }), "invalid-pod: spec.containers[0].resources.limits.gpu is 'gpu': use cpu, memory, ephemeral-storage, or the name that a device plugin gives it, such as 'nvidia.com/gpu'"],
  ['an amount in a unit that there is not', amounts({ memory: '1GB' }), "invalid-pod: spec.containers[0].resources.limits.memory is '1GB': there is no such unit: write '1Gi'"],
  ['a request above the limit', amounts({ cpu: 1 }, { cpu: '2' }), "invalid-pod: spec.containers[0].resources.requests.cpu is '2': request at most the limit, 1"],
  ['bytes that were mebibytes', amounts({ memory: '512' }), "few-bytes: spec.containers[0].resources.limits.memory is '512': write a unit: '512Mi'"],
  ['an emptyDir of bytes', main({ volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }] }, { volumes: [{ name: 'tmp', emptyDir: { sizeLimit: '64' } }] }), "few-bytes: spec.volumes[0].emptyDir.sizeLimit is '64': write a unit: '64Mi'"],
  ['cores that were thousandths', amounts({}, { cpu: '1000' }), "cpu-amount: spec.containers[0].resources.requests.cpu is '1000': write '1000m' for thousandths of a core, or '1000000m' where cores are meant"],
  ['a part of a thousandth of a core', amounts({}, { cpu: '0.0001' }), "cpu-amount: spec.containers[0].resources.requests.cpu is '0.0001': write whole ones, such as '1m'"],
  ['a relative working directory', main({ workingDir: 'work' }), "working-directory: spec.containers[0].workingDir is 'work': write an absolute path, such as '/workspace'"],
  ['a path with dots', main({ volumeMounts: [{ name: 'data', mountPath: '/a/../b' }] }, { volumes: DATA }), "mount-path: spec.containers[0].volumeMounts[0].mountPath is '/a/../b': leave '.', '..' and doubled slashes out: write '/b'"],
  ['thousandths of bytes', amounts({}, { memory: '512m' }), "few-bytes: spec.containers[0].resources.requests.memory is '512m': write a unit: '512Mi'"],
  ['two actions at one moment', main({ lifecycle: { preStop: { exec: { command: ['a'] }, sleep: { seconds: 1 } } } }), 'invalid-pod: spec.containers[0].lifecycle.preStop is ["exec","sleep"]: name exactly one of exec, httpGet, tcpSocket, sleep'],
  ['a sleep beyond the grace period', main({ lifecycle: { preStop: { sleep: { seconds: 31 } } } }), 'invalid-pod: spec.containers[0].lifecycle.preStop.sleep.seconds is 31: sleep at most the grace period of the Pod, 30 seconds, or raise terminationGracePeriodSeconds'],
  ['a host alias without an address', of({ hostAliases: [{ ip: 'db', hostnames: ['db'] }] }), "invalid-pod: spec.hostAliases[0].ip is 'db': write an IP address, such as '10.0.0.10' or 'fd00::10'"],
  ['four name servers', of({ dnsConfig: { nameservers: ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'] } }), 'invalid-pod: spec.dnsConfig.nameservers is ["10.0.0.1","10.0.0.2","10.0.0.3","10.0.0.4"]: resolvers ask at most 3 servers: leave the others out'],
  ['an operator that there is not', of({ tolerations: [{ key: 'a', operator: 'In' }] }), "invalid-pod: spec.tolerations[0].operator is 'In': use 'Exists' or 'Equal'"],
  ['an operator without values', of({ affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'In' }] }] } } } }), 'matchExpressions[0].values: operator In needs at least one value'],
  ['a spread that allows nothing', of({ topologySpreadConstraints: [{ maxSkew: 0, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' }] }), 'invalid-pod: spec.topologySpreadConstraints[0].maxSkew is 0: use a whole number from 1'],
  ['a profile of the node without its name', of({ securityContext: { seccompProfile: { type: 'Localhost' } } }), "invalid-pod: spec.securityContext.seccompProfile.localhostProfile: type 'Localhost' needs the profile on the node: name it"],
  ['a profile of AppArmor that there is not', main({ securityContext: { appArmorProfile: { type: 'Enforce' } } }), "invalid-pod: spec.containers[0].securityContext.appArmorProfile.type is 'Enforce': use 'Localhost', 'RuntimeDefault' or 'Unconfined'"],
  ['an operating system that there is not', of({ os: { name: 'darwin' } }), "invalid-pod: spec.os.name is 'darwin': use 'linux' or 'windows'"],
  ['fields that Windows does not have', of({ os: { name: 'windows' }, securityContext: { fsGroup: 1 } }), 'invalid-pod: spec.securityContext.fsGroup: leave it out, or the Pod is not for Windows'],
  ['a file outside of its volume', main({ volumeMounts: [{ name: 'v', mountPath: '/v' }] }, { volumes: [{ name: 'v', secret: { secretName: 's', items: [{ key: 'k', path: '../k' }] } }] }), "invalid-pod: spec.volumes[0].secret.items[0].path is '../k': use a relative path without '..'"],
  ['a storage class that is no name', claim({ storageClassName: 'Fast SSD' }), "invalid-pod: spec.volumeClaimTemplates[0].spec.storageClassName is 'Fast SSD': use 1 to 253 lower-case letters"],
  ['an access mode that there is not', claim({ accessModes: ['RWO'] }), "invalid-pod: spec.volumeClaimTemplates[0].spec.accessModes[0] is 'RWO': use 'ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany' or 'ReadWriteOncePod'"],
  ['a mode that excludes others', claim({ accessModes: ['ReadWriteOncePod', 'ReadOnlyMany'] }), 'ReadWriteOncePod excludes every other mode: leave the others out'],
  ['a volume without a size', claim({ resources: {} }), 'invalid-pod: spec.volumeClaimTemplates[0].spec.resources.requests.storage: the API requires it: the size, such as 10Gi'],
  ['a resource claim that the Pod does not have', main({ resources: { claims: [{ name: 'gpu' }] } }), "invalid-pod: spec.containers[0].resources.claims[0].name is 'gpu': the Pod has no such claim in resourceClaims: add it"],
  ['a resource claim of two sources', of({ resourceClaims: [{ name: 'a', resourceClaimName: 'b', resourceClaimTemplateName: 'c' }] }), 'name either resourceClaimName or resourceClaimTemplateName'],
  ['a header that is none', main({ livenessProbe: { httpGet: { port: 1, httpHeaders: [{ name: 'X A', value: 'v' }] } } }), "invalid-pod: spec.containers[0].livenessProbe.httpGet.httpHeaders[0].name is 'X A': use letters, digits and '-'"],
  ['a port of the node twice', of({ containers: [{ name: 'a', image: IMAGE, ports: [{ containerPort: 1, hostPort: 5 }] }, { name: 'b', image: IMAGE, ports: [{ containerPort: 2, hostPort: 5 }] }] }), 'invalid-pod: spec.containers[1].ports[0].hostPort is 5: another port of the Pod has it: use another'],
  ['a path twice', main({ volumeMounts: [{ name: 'data', mountPath: '/a' }, { name: 'data', mountPath: '/a' }] }, { volumes: DATA }), "invalid-pod: spec.containers[0].volumeMounts[1].mountPath is '/a': use each path once"],
  ['a path twice in two spellings', main({ volumeMounts: [{ name: 'data', mountPath: '/a' }, { name: 'data', mountPath: '/a/' }] }, { volumes: DATA }), "mount-path: spec.containers[0].volumeMounts[1].mountPath is '/a/': use each path once"],
  ['a relative path', main({ volumeMounts: [{ name: 'data', mountPath: 'a' }] }, { volumes: DATA }), "mount-path: spec.containers[0].volumeMounts[0].mountPath is 'a': write an absolute path without ':', such as '/workspace'"],
  ['a mount of nothing', main({ volumeMounts: [{ name: 'data', mountPath: '/a' }] }), "invalid-pod: spec.containers[0].volumeMounts[0].name is 'data': the Pod has no volume of this name: add it to volumes"],
  ['annotations that are data', of({}, { annotations: { data: 'x'.repeat(262_144) } }), 'invalid-pod: metadata.annotations: they have 262148 bytes together, and may have 262144: keep data in a ConfigMap'],
  ['an image with capitals', main({ image: 'registry.example/Team/App:1' }), "image-reference: spec.containers[0].image is 'registry.example/Team/App:1': write the path in lower case: 'registry.example/team/app:1'"],
  ['an image with a scheme', main({ image: 'https://registry.example/app' }), "image-reference: spec.containers[0].image is 'https://registry.example/app': leave the scheme out"],
  ['an image with an empty tag', main({ image: 'registry.example/app:' }), "image-reference: spec.containers[0].image is 'registry.example/app:': write registry, path, and tag or digest: 'registry.example/python:3.13'"],
])('%s is a finding', (_what, found, expected) => {
  expect(found).toEqual([expect.stringContaining(expected)]);
});

test('what the API server accepts is none, however unusual', () => {
  expect(of({
    containers: [{
      name: 'main', image: 'localhost:5000/a/b-c__d:v1.0_x@sha256:0123456789abcdef0123456789abcdef', resources: { limits: { 'nvidia.com/gpu': 1, 'memory': '1e9', 'cpu': '0.5' } },
      volumeMounts: [{ name: 'data', mountPath: '/a' }, { name: 'data', mountPath: '/a/b' }],
      lifecycle: { preStop: { sleep: { seconds: 45 } } },
    }],
    volumes: DATA, terminationGracePeriodSeconds: 60,
  })).toEqual([]);
});

test('claims can bring what a template mounts, if it lets them', () => {
  const mounting = { containers: [{ name: 'main', image: IMAGE, volumeMounts: [{ name: 'data', mountPath: '/data' }] }] };
  expect(of(mounting, {}, { volumeClaimTemplatesPolicy: 'Allowed' })).toEqual([]);
  expect(of(mounting)).toHaveLength(1);
});

test('nothing that a manifest may hold makes the rules fail', () => {
  for (const odd of [null, 1, 'x', true, [], [null], [1], {}, { a: null }]) {
    for (const field of ['containers', 'initContainers', 'volumes', 'affinity', 'tolerations', 'topologySpreadConstraints', 'securityContext', 'dnsConfig', 'hostAliases', 'resourceClaims', 'os', 'nodeSelector', 'overhead']) {
      expect(() => of({ [field]: odd })).not.toThrow();
    }
    for (const field of ['env', 'envFrom', 'ports', 'resources', 'volumeMounts', 'volumeDevices', 'livenessProbe', 'lifecycle', 'securityContext', 'resizePolicy', 'image', 'name']) {
      expect(() => main({ [field]: odd })).not.toThrow();
    }
  }
});

describe('synthesis refuses the same', () => {
  const synthesized = (props: Partial<SandboxProps>) => messageOf(() => {
    const chart = testChart({ namespace: 'agents' });
    new Sandbox(chart, 'box', { ...POD, ...props });
    synth(chart);
  });

  test('of props with L1 types', () => {
    expect(synthesized({ hostAliases: [{ ip: 'db', hostnames: ['db'] }] })).toContain("test/box/Resource: spec.podTemplate.spec.hostAliases[0].ip is 'db': the API server refuses a Pod with it: write an IP address");
    expect(synthesized({ containers: [{ ...CONTAINER, resources: { limits: { gpu: l1.Quantity.fromNumber(1) } } }] })).toContain('[invalid-pod]');
    expect(synthesized({ containers: [{ ...CONTAINER, lifecycle: {} }], volumes: [SandboxVolume.persistent('data', { size: '1Gi', storageClass: 'Fast SSD' })] })).toContain("storageClassName is 'Fast SSD'");
  });

  test('of L1 constructs beside ours, and of patches', () => {
    const chart = testChart({ namespace: 'agents' });
    new l1.SandboxTemplate(chart, 'plain', { spec: { podTemplate: { spec: { containers: [{ name: 'Main', image: IMAGE }] } } } });
    const box = new Sandbox(chart, 'box', POD);
    ApiObject.of(box).addJsonPatch(JsonPatch.add('/spec/podTemplate/spec/hostname', 'a.b'));
    const message = messageOf(() => synth(chart));
    expect(message).toContain("containers[0].name is 'Main'");
    expect(message).toContain("hostname is 'a.b'");
  });
});

test('a mistake is found in each object that has it, also where their Pods are alike, and in none that is like them but for it', () => {
  const sandbox = (name: string, cpu: string) => ({
    apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox', metadata: { name, namespace: 'agents' },
    spec: { podTemplate: { spec: { containers: [{ name: 'main', image: 'registry.example/a:1', resources: { requests: { cpu } } }] } } },
  });
  const found = Checks.ofManifests([sandbox('a', '1000m'), sandbox('b', '1000'), sandbox('c', '1000m'), sandbox('d', '1000')]);
  expect(found.map(({ rule, object }) => `${rule}: ${object}`)).toEqual(['cpu-amount: Sandbox agents/b', 'cpu-amount: Sandbox agents/d']);
});
