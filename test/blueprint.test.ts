import { Duration } from 'cdk8s';
import * as kplus from 'cdk8s-plus-28';
import { schemaOf } from '../api/test/crd-files';
import { Isolation, Relaxation, SandboxNetwork, type SandboxProps, SandboxVolume, l1 } from '../src';
import { CONTAINER, podSpec, sandbox, schemaProblems, template, testChart } from './helpers';

const chart = testChart();
const quantity = (text: string) => l1.Quantity.fromString(text);

/** Fields of PodSpec, the props that reach them and what is emitted. */
const FIELDS: readonly (readonly [field: string, props: Partial<SandboxProps>, wire: unknown])[] = [
  ['activeDeadlineSeconds', { activeDeadline: Duration.hours(1) }, 3600],
  ['affinity', { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone' }] } } },
    { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone' }] } }],
  ['automountServiceAccountToken', { automountServiceAccountToken: true }, true],
  ['containers', { containers: [{ image: 'a:1' }] }, [expect.objectContaining({ name: 'sandbox', image: 'a:1' })]],
  ['dnsConfig', { dnsConfig: { searches: ['svc.example'], options: [{ name: 'ndots', value: '2' }] } },
    { searches: ['svc.example'], options: [{ name: 'ndots', value: '2' }] }],
  ['dnsPolicy', { dnsPolicy: kplus.DnsPolicy.DEFAULT }, 'Default'],
  ['enableServiceLinks', { enableServiceLinks: true }, true],
  ['ephemeralContainers', {
    ephemeralContainers: [{ name: 'debug', targetContainerName: 'sandbox', securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } }],
  }, [{ name: 'debug', targetContainerName: 'sandbox', securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } }]],
  ['hostAliases', { hostAliases: [{ ip: '192.0.2.1', hostnames: ['mirror.example'] }] }, [{ ip: '192.0.2.1', hostnames: ['mirror.example'] }]],
  ['hostIPC', { hostIpc: true, relaxations: [Relaxation.HOST_IPC] }, true],
  ['hostNetwork', { hostNetwork: true, relaxations: [Relaxation.HOST_NETWORK], network: SandboxNetwork.unmanaged() }, true],
  ['hostPID', { hostPid: true, relaxations: [Relaxation.HOST_PID] }, true],
  ['hostUsers', { hostUsers: false }, false],
  ['hostname', { hostname: 'workspace' }, 'workspace'],
  ['hostnameOverride', { hostnameOverride: 'workspace.example' }, 'workspace.example'],
  ['imagePullSecrets', { imagePullSecrets: [kplus.Secret.fromSecretName(chart, 'pull', 'registry')] }, [{ name: 'registry' }]],
  ['initContainers', { initContainers: [{ name: 'clone', image: 'git:1' }] }, [expect.objectContaining({ name: 'clone', image: 'git:1' })]],
  ['nodeName', { nodeName: 'node-1' }, 'node-1'],
  ['nodeSelector', { nodeSelector: { disk: 'ssd' } }, { disk: 'ssd' }],
  ['os', { os: { name: 'linux' } }, { name: 'linux' }],
  ['overhead', { overhead: { cpu: quantity('250m') } }, { cpu: '250m' }],
  ['preemptionPolicy', { preemptionPolicy: 'Never' }, 'Never'],
  ['priority', { priority: 1000 }, 1000],
  ['priorityClassName', { priorityClassName: 'interactive' }, 'interactive'],
  ['readinessGates', { readinessGates: [{ conditionType: 'example.com/ready' }] }, [{ conditionType: 'example.com/ready' }]],
  ['resourceClaims', { resourceClaims: [{ name: 'gpu', resourceClaimTemplateName: 'one-gpu' }] }, [{ name: 'gpu', resourceClaimTemplateName: 'one-gpu' }]],
  ['resources', { podResources: { limits: { cpu: quantity('2') } } }, { limits: { cpu: '2' } }],
  ['restartPolicy', { restartPolicy: kplus.RestartPolicy.ON_FAILURE }, 'OnFailure'],
  ['runtimeClassName', { isolation: Isolation.runtimeClass('youki') }, 'youki'],
  ['schedulerName', { schedulerName: 'bin-packing' }, 'bin-packing'],
  ['schedulingGates', { schedulingGates: [{ name: 'example.com/quota' }] }, [{ name: 'example.com/quota' }]],
  ['schedulingGroup', { schedulingGroup: { podGroupName: 'batch' } }, { podGroupName: 'batch' }],
  ['securityContext', { securityContext: { runAsUser: 1001, fsGroup: 2000, supplementalGroups: [3000] } },
    { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' }, runAsUser: 1001, fsGroup: 2000, supplementalGroups: [3000] }],
  ['serviceAccountName', { serviceAccount: kplus.ServiceAccount.fromServiceAccountName(chart, 'account', 'builder') }, 'builder'],
  ['setHostnameAsFQDN', { setHostnameAsFqdn: true }, true],
  ['shareProcessNamespace', { shareProcessNamespace: true }, true],
  ['subdomain', { subdomain: 'workspaces' }, 'workspaces'],
  ['terminationGracePeriodSeconds', { terminationGracePeriod: Duration.seconds(0) }, 0],
  ['tolerations', { tolerations: [{ key: 'gpu', operator: 'Exists' }] }, [{ key: 'gpu', operator: 'Exists' }]],
  ['topologySpreadConstraints', { topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway' }] },
    [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway' }]],
  ['volumes', { volumes: [SandboxVolume.emptyDir('scratch')] }, [{ name: 'scratch', emptyDir: {} }]],
];

/** Fields that have no prop of their own, and why. */
const UNREACHABLE: Readonly<Record<string, string>> = {
  serviceAccount: 'the deprecated name of serviceAccountName',
};

test.each(FIELDS)('%s of the Pod is reachable', (field, props, wire) => {
  const object = sandbox(props);
  expect(podSpec(object)[field]).toEqual(wire);
  expect(schemaProblems(object)).toEqual([]);
});

test('every field of PodSpec in the API has a row above', () => {
  const properties = Object.keys(schemaOf('Sandbox', 'v1beta1', 'spec.podTemplate.spec').properties);
  expect(properties).toHaveLength(42);
  expect([...FIELDS.map(([field]) => field), ...Object.keys(UNREACHABLE)].sort()).toEqual(properties.sort());
});

test('a Pod says what keeps it safe and nothing that Kubernetes would say anyway', () => {
  expect(template().spec.podTemplate).toEqual({
    spec: {
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      runtimeClassName: 'gvisor',
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [{
        name: 'sandbox',
        image: CONTAINER.image,
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      }],
    },
  });
});

test('without isolation there is no runtime class', () => {
  expect(podSpec(sandbox({ isolation: Isolation.none() }))).not.toHaveProperty('runtimeClassName');
});

test('the isolation adds its nodes to those of the Pod', () => {
  const spec = podSpec(sandbox({
    isolation: Isolation.gkeSandbox(), nodeSelector: { disk: 'ssd', 'sandbox.gke.io/runtime': 'gvisor' }, tolerations: [{ key: 'gpu', operator: 'Exists' }],
  }));
  expect(spec.nodeSelector).toEqual({ disk: 'ssd', 'sandbox.gke.io/runtime': 'gvisor' });
  expect(spec.tolerations).toEqual([
    { key: 'gpu', operator: 'Exists' },
    { key: 'sandbox.gke.io/runtime', operator: 'Equal', value: 'gvisor', effect: 'NoSchedule' },
  ]);
});

test('labels and annotations of the Pod are its metadata', () => {
  expect(sandbox({ podLabels: { team: 'research' }, podAnnotations: { note: 'any text, even with spaces' } }).spec.podTemplate.metadata)
    .toEqual({ labels: { team: 'research' }, annotations: { note: 'any text, even with spaces' } });
});

test.each([true, false])('service %s is emitted', service => {
  expect(sandbox({ service }).spec.service).toBe(service);
});

test('a service that is not mentioned is not emitted', () => {
  expect(sandbox().spec).not.toHaveProperty('service');
});

test('sidecars are init containers that stay, before those that do not', () => {
  const { initContainers, containers } = podSpec(sandbox({
    initContainers: [{ name: 'clone', image: 'git:1' }],
    sidecars: [{ name: 'proxy', image: 'proxy:1' }, { name: 'logs', image: 'logs:1', restartPolicy: 'Always' }],
  }));
  expect(initContainers.map((container: any) => [container.name, container.restartPolicy]))
    .toEqual([['proxy', 'Always'], ['logs', 'Always'], ['clone', undefined]]);
  expect(containers.map((container: any) => container.name)).toEqual(['sandbox']);
});

describe('volumes', () => {
  const mount = (volume: SandboxVolume) => ({ path: `/${volume.name}`, volume });
  const persistent = (name: string) => SandboxVolume.persistent(name, { size: '1Gi' });
  const claims = (props: Partial<SandboxProps>) => sandbox(props).spec.volumeClaimTemplates?.map((claim: any) => claim.metadata.name);

  test('a mounted volume is a volume of the Pod', () => {
    const object = sandbox({ containers: [{ ...CONTAINER, mounts: [mount(SandboxVolume.emptyDir('cache')), mount(persistent('data'))] }] });
    expect(podSpec(object).volumes).toEqual([{ name: 'cache', emptyDir: {} }]);
    expect(object.spec.volumeClaimTemplates).toEqual([
      { metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
    ]);
  });

  test('volumes of the Pod keep their order and come before those that are only mounted', () => {
    expect(claims({
      containers: [{ ...CONTAINER, mounts: ['zebra', 'apple', 'mango'].map(name => mount(persistent(name))) }],
      volumes: [persistent('quince'), persistent('mango')],
    })).toEqual(['quince', 'mango', 'apple', 'zebra']);
  });

  test('the order of containers and mounts does not show in the order of volumes', () => {
    const names = ['c', 'a', 'b'];
    const orders = [names, [...names].reverse()].map(list => claims({
      containers: list.map(name => ({ ...CONTAINER, name: `container-${name}`, mounts: [mount(persistent(name))] })),
    }));
    expect(orders).toEqual([['a', 'b', 'c'], ['a', 'b', 'c']]);
  });

  test('two containers share a volume by mounting the same one', () => {
    const shared = () => SandboxVolume.persistent('data', { size: '1Gi', labels: { a: '1', b: '2' } });
    const again = SandboxVolume.persistent('data', { size: '1Gi', labels: { b: '2', a: '1' } });
    const twice = claims({ containers: [{ ...CONTAINER, mounts: [mount(shared())] }, { ...CONTAINER, name: 'other', mounts: [mount(again)] }] });
    expect(twice).toEqual(['data']);
  });

  test('a volume by name is the volume that another container defines', () => {
    const byName = mount(SandboxVolume.fromName('data'));
    expect(claims({ containers: [{ ...CONTAINER, mounts: [byName] }, { ...CONTAINER, name: 'other', mounts: [mount(persistent('data'))] }] })).toEqual(['data']);
  });

  test('a raw block volume is one of the Pod', () => {
    const block = SandboxVolume.persistent('disk', { size: '1Gi', spec: { volumeMode: 'Block' } });
    const object = sandbox({ volumes: [block], containers: [{ ...CONTAINER, volumeDevices: [{ name: 'disk', devicePath: '/dev/xvda' }] }] });
    expect(object.spec.volumeClaimTemplates[0].spec.volumeMode).toBe('Block');
  });
});

describe('the group that owns fresh volumes', () => {
  const group = (props: Partial<SandboxProps>) => podSpec(sandbox(props)).securityContext.fsGroup;
  const data = { path: '/data', volume: SandboxVolume.persistent('data', { size: '1Gi' }) };

  test('is 1000 where a persistent volume is mounted', () => {
    expect(group({ containers: [{ ...CONTAINER, mounts: [data] }] })).toBe(1000);
  });

  test('is 1000 where only an init container or a sidecar mounts one', () => {
    expect(group({ initContainers: [{ ...CONTAINER, name: 'seed', mounts: [data] }] })).toBe(1000);
    expect(group({ sidecars: [{ ...CONTAINER, name: 'sync', mounts: [data] }] })).toBe(1000);
  });

  test('is 1000 where claims bring the volume', () => {
    const object = template({ claimVolumes: 'Allowed' as any, containers: [{ ...CONTAINER, mounts: [{ path: '/data', volume: SandboxVolume.fromName('data') }] }] });
    expect(podSpec(object).securityContext.fsGroup).toBe(1000);
  });

  test.each<[string, Partial<SandboxProps>]>([
    ['the container that mounts it is root', { containers: [{ ...CONTAINER, mounts: [data], relaxations: [Relaxation.RUN_AS_ROOT] }] }],
    ['the Pod is root', { containers: [{ ...CONTAINER, mounts: [data] }], relaxations: [Relaxation.RUN_AS_ROOT] }],
    ['the volume is an existing claim', { containers: [{ ...CONTAINER, mounts: [{ path: '/data', volume: SandboxVolume.of({ name: 'data', persistentVolumeClaim: { claimName: 'datasets' } }) }] }] }],
  ])('is 1000 where %s', (_, props) => {
    expect(group(props)).toBe(1000);
  });

  test('is what the Pod names', () => {
    expect(group({ containers: [{ ...CONTAINER, mounts: [data] }], securityContext: { fsGroup: 2000 } })).toBe(2000);
  });

  test.each<[string, Partial<SandboxProps>]>([
    ['nothing is mounted', {}],
    ['a persistent volume is not mounted', { volumes: [data.volume] }],
    ['volumes live as long as the Pod', { containers: [{ ...CONTAINER, mounts: [{ path: '/tmp', volume: SandboxVolume.emptyDir('tmp') }] }] }],
    ['the Pod runs on Windows', { containers: [{ ...CONTAINER, mounts: [data] }], os: { name: 'windows' } }],
  ])('is not set where %s', (_, props) => {
    expect(group(props)).toBeUndefined();
  });
});

test('the network of the node goes with the network that promises nothing', () => {
  const hostNetwork = { hostNetwork: true, relaxations: [Relaxation.HOST_NETWORK] };
  expect(podSpec(template({ ...hostNetwork, network: SandboxNetwork.unmanaged() })).hostNetwork).toBe(true);
  for (const network of [SandboxNetwork.routerOnly(), SandboxNetwork.denyAll(), SandboxNetwork.controllerDefault()]) {
    expect(() => template({ ...hostNetwork, network })).toThrow(
      'test/python: hostNetwork is true: no NetworkPolicy applies on the network of the node: leave it out, or say network: SandboxNetwork.unmanaged()');
  }
});
