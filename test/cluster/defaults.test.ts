import { type Json, type KindName, VERSION_NAMES, type VersionName } from '../../api/test/crd-files';
import { describeWithControlPlane } from '../../testbed/src/jest/index.js';
import { Bench, POD_TEMPLATE, leastSpec } from './support/bench';
import { differences } from './support/differences';

jest.setTimeout(30_000);

/** What the server adds to an object of a kind, by version and by what was sent: this and nothing else. */
const OF_KINDS: readonly (readonly [title: string, kind: KindName, version: VersionName, spec: Json, added: readonly string[]])[] = [
  ['a Sandbox', 'Sandbox', 'v1beta1', leastSpec('Sandbox'), ['+ operatingMode = "Running"', '+ replicas = 1', '+ shutdownPolicy = "Retain"']],
  // v1alpha1 has no default for the mode, but the server reads the object back in the stored version.
  ['a Sandbox', 'Sandbox', 'v1alpha1', leastSpec('Sandbox'), ['+ operatingMode = "Running"', '+ replicas = 1', '+ shutdownPolicy = "Retain"']],
  ['a template', 'SandboxTemplate', 'v1beta1', leastSpec('SandboxTemplate'),
    ['+ envVarsInjectionPolicy = "Disallowed"', '+ networkPolicyManagement = "Managed"', '+ volumeClaimTemplatesPolicy = "Disallowed"']],
  ['a template', 'SandboxTemplate', 'v1alpha1', leastSpec('SandboxTemplate'),
    ['+ envVarsInjectionPolicy = "Disallowed"', '+ networkPolicyManagement = "Managed"', '+ volumeClaimTemplatesPolicy = "Disallowed"']],
  ['a claim for a pool', 'SandboxClaim', 'v1beta1', leastSpec('SandboxClaim'), []],
  ['a claim for a template, without a pool of its own', 'SandboxClaim', 'v1alpha1', leastSpec('SandboxClaim', 'v1alpha1'), []],
  ['a claim with a lifecycle', 'SandboxClaim', 'v1beta1', { ...leastSpec('SandboxClaim'), lifecycle: {} }, ['+ lifecycle.shutdownPolicy = "Retain"']],
  ['a claim with a lifecycle', 'SandboxClaim', 'v1alpha1', { ...leastSpec('SandboxClaim', 'v1alpha1'), lifecycle: {} }, ['+ lifecycle.shutdownPolicy = "Retain"']],
  ['a pool', 'SandboxWarmPool', 'v1beta1', leastSpec('SandboxWarmPool'), ['+ replicas = 1']],
  ['a pool, which has to say its size,', 'SandboxWarmPool', 'v1alpha1', leastSpec('SandboxWarmPool', 'v1alpha1'), []],
  ['a pool with an update strategy', 'SandboxWarmPool', 'v1beta1', { ...leastSpec('SandboxWarmPool'), updateStrategy: {} },
    ['+ replicas = 1', '+ updateStrategy.type = "OnReplenish"']],
  ['a pool with an update strategy', 'SandboxWarmPool', 'v1alpha1', { ...leastSpec('SandboxWarmPool', 'v1alpha1'), updateStrategy: {} },
    ['+ updateStrategy.type = "OnReplenish"']],
];

/** Parts of a Pod's spec in which the server fills something in, with what it does. */
const IN_PODS: readonly (readonly [what: string, podSpec: Json, added: readonly string[]])[] = [
  ['a port', inContainer({ ports: [{ containerPort: 80 }] }), ['+ containers[0].ports[0].protocol = "TCP"']],
  ['a variable from a config map', variable({ configMapKeyRef: { key: 'k' } }), ['+ containers[0].env[0].valueFrom.configMapKeyRef.name = ""']],
  ['a variable from a secret', variable({ secretKeyRef: { key: 'k' } }), ['+ containers[0].env[0].valueFrom.secretKeyRef.name = ""']],
  ['a variable from a file', variable({ fileKeyRef: { key: 'k', path: 'p', volumeName: 'v' } }), ['+ containers[0].env[0].valueFrom.fileKeyRef.optional = false']],
  ['variables from objects', inContainer({ envFrom: [{ configMapRef: {} }, { secretRef: {} }] }),
    ['+ containers[0].envFrom[0].configMapRef.name = ""', '+ containers[0].envFrom[1].secretRef.name = ""']],
  ['gRPC probes', inContainer({ readinessProbe: { grpc: { port: 1 } }, livenessProbe: { grpc: { port: 1 } }, startupProbe: { grpc: { port: 1 } } }),
    ['livenessProbe', 'readinessProbe', 'startupProbe'].map(probe => `+ containers[0].${probe}.grpc.service = ""`)],
  ['a pull secret', pod({ imagePullSecrets: [{}] }), ['+ imagePullSecrets[0].name = ""']],
  ['a volume of a config map', volume({ configMap: {} }), ['+ volumes[0].configMap.name = ""']],
  ['a projected volume', volume({ projected: { sources: [{ configMap: {} }, { secret: {} }] } }),
    ['+ volumes[0].projected.sources[0].configMap.name = ""', '+ volumes[0].projected.sources[1].secret.name = ""']],
  ['an Azure disk', volume({ azureDisk: { diskName: 'd', diskURI: 'u' } }), ['+ volumes[0].azureDisk.fsType = "ext4"', '+ volumes[0].azureDisk.readOnly = false']],
  ['a CephFS volume', volume({ cephfs: { monitors: ['m'], secretRef: {} } }), ['+ volumes[0].cephfs.secretRef.name = ""']],
  ['a Cinder volume', volume({ cinder: { volumeID: 'v', secretRef: {} } }), ['+ volumes[0].cinder.secretRef.name = ""']],
  ['a CSI volume', volume({ csi: { driver: 'd', nodePublishSecretRef: {} } }), ['+ volumes[0].csi.nodePublishSecretRef.name = ""']],
  ['a flex volume', volume({ flexVolume: { driver: 'd', secretRef: {} } }), ['+ volumes[0].flexVolume.secretRef.name = ""']],
  ['an iSCSI volume', volume({ iscsi: { iqn: 'i', lun: 1, targetPortal: 't', secretRef: {} } }),
    ['+ volumes[0].iscsi.iscsiInterface = "default"', '+ volumes[0].iscsi.secretRef.name = ""']],
  ['an RBD volume', volume({ rbd: { image: 'i', monitors: ['m'], secretRef: {} } }), [
    '+ volumes[0].rbd.keyring = "/etc/ceph/keyring"', '+ volumes[0].rbd.pool = "rbd"', '+ volumes[0].rbd.secretRef.name = ""', '+ volumes[0].rbd.user = "admin"']],
  ['a ScaleIO volume', volume({ scaleIO: { gateway: 'g', system: 's', secretRef: {} } }),
    ['+ volumes[0].scaleIO.fsType = "xfs"', '+ volumes[0].scaleIO.secretRef.name = ""', '+ volumes[0].scaleIO.storageMode = "ThinProvisioned"']],
  ['a StorageOS volume', volume({ storageos: { secretRef: {} } }), ['+ volumes[0].storageos.secretRef.name = ""']],
];

/** Parts to which the server adds defaults when they are in a Pod, and none when they are in a template. */
const NOT_IN_TEMPLATES: readonly (readonly [what: string, podSpec: Json])[] = [
  ['the Pod itself', pod({})],
  ['probes', inContainer({ readinessProbe: { httpGet: { port: 80 } }, livenessProbe: { tcpSocket: { port: 80 } }, startupProbe: { exec: { command: ['true'] } } })],
  ['lifecycle actions', inContainer({ lifecycle: { preStop: { httpGet: { port: 80 } } } })],
  ['limits without requests', inContainer({ resources: { limits: { cpu: '1', memory: '1Gi' } } })],
  ['variables from fields', variable({ fieldRef: { fieldPath: 'metadata.name' } })],
  ['mounts', inContainer({ volumeMounts: [{ name: 'data', mountPath: '/data' }] })],
  ['volumes', pod({ volumes: [{ name: 'a', emptyDir: {} }, { name: 'b', secret: { secretName: 's' } }, { name: 'c', hostPath: { path: '/' } }, { name: 'd' }] })],
  ['projected volumes', volume({ projected: { sources: [{ serviceAccountToken: { path: 'token' } }, { downwardAPI: { items: [{ path: 'p', fieldRef: { fieldPath: 'metadata.name' } }] } }] } })],
  ['ephemeral volumes', volume({ ephemeral: { volumeClaimTemplate: { spec: { accessModes: ['ReadWriteOnce'] } } } })],
  ['spread constraints', pod({ topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' }] })],
  ['tolerations', pod({ tolerations: [{ key: 'k', operator: 'Exists' }] })],
  ['the network of the node', pod({ hostNetwork: true, containers: [{ name: 'main', ports: [{ containerPort: 80, protocol: 'TCP' }] }] })],
];

describeWithControlPlane('defaults', testbed => {
  const bench = new Bench(testbed);

  test.each(OF_KINDS)('%s gets those of its kind (%s %s)', async (_title, kind, version, spec, added) => {
    expect(differences(spec, await bench.trySpec(kind, version, spec))).toEqual(added);
  });

  describe.each(VERSION_NAMES)('of the Pod of a Sandbox in %s', version => {
    const added = async (podSpec: Json) => differences(podSpec, (await bench.trySpec('Sandbox', version, { podTemplate: { spec: podSpec } })).podTemplate.spec);

    test.each(IN_PODS)('%s gets its defaults', async (_what, podSpec, expected) => {
      expect((await added(podSpec)).sort()).toEqual([...expected].sort());
    });

    test.each(NOT_IN_TEMPLATES)('%s gets none, as the Pod is made later', async (_what, podSpec) => {
      expect(await added(podSpec)).toEqual([]);
    });
  });

  test.each(VERSION_NAMES)('volume claim templates get none (%s)', async version => {
    const volumeClaimTemplates = [{ spec: {} }, { metadata: { name: 'data' }, spec: { resources: { requests: { storage: '1Gi' } } } }];
    for (const kind of ['Sandbox', 'SandboxTemplate', 'SandboxClaim'] as const) {
      const stored = await bench.trySpec(kind, version, { ...leastSpec(kind, version), volumeClaimTemplates });
      expect(stored.volumeClaimTemplates).toEqual(volumeClaimTemplates);
    }
  });

  test.each(VERSION_NAMES)('rules of a network get none: protocol and policy types are for the NetworkPolicy (%s)', async version => {
    for (const networkPolicy of [{}, { ingress: [] }, { egress: [{}] }, { egress: [{ ports: [{ port: 53 }], to: [{ podSelector: {} }] }], ingress: [{ from: [] }] }]) {
      expect((await bench.trySpec('SandboxTemplate', version, { podTemplate: POD_TEMPLATE, networkPolicy })).networkPolicy).toEqual(networkPolicy);
    }
  });

  test('an explicit null counts as not sent', async () => {
    const spec = { ...leastSpec('Sandbox'), operatingMode: null, replicas: null, shutdownPolicy: null };
    expect(await bench.trySpec('Sandbox', 'v1beta1', spec)).toMatchObject({ operatingMode: 'Running', replicas: 1, shutdownPolicy: 'Retain' });
  });

  test('a Sandbox written through v1alpha1 is read with the defaults of the stored version', async () => {
    const created = await bench.create('Sandbox', 'v1alpha1');
    for (const version of VERSION_NAMES) {
      expect((await bench.get(created, version)).spec).toMatchObject({ operatingMode: 'Running', replicas: 1 });
    }
  });

  test('a Sandbox written through v1beta1 has the number that the scale subresource of v1alpha1 needs', async () => {
    const created = await bench.create('Sandbox', 'v1beta1');
    expect((await bench.get(created, 'v1alpha1')).spec.replicas).toBe(1);
    const { body: scale } = await bench.request('GET', created, { version: 'v1alpha1', subresource: 'scale' });
    expect(scale.spec).toEqual({ replicas: 1 });
  });
});

function pod(fields: Json): Json {
  return { containers: [{ name: 'main' }], ...fields };
}

function inContainer(fields: Json): Json {
  return pod({ containers: [{ name: 'main', ...fields }] });
}

function variable(valueFrom: Json): Json {
  return inContainer({ env: [{ name: 'A', valueFrom }] });
}

function volume(source: Json): Json {
  return pod({ volumes: [{ name: 'v', ...source }] });
}
