import * as kplus from 'cdk8s-plus-28';
import { schemaOf } from '../api/test/crd-files';
import { Relaxation, SandboxVolume, l1 } from '../src';
import { STRUCTS_JSON } from '../src/generated/shapes.gen';
import { CONTAINER, podSpec, sandbox, schemaProblems, testChart } from './helpers';

const chart = testChart();
const config = kplus.ConfigMap.fromConfigMapName(chart, 'config', 'settings');
const secret = kplus.Secret.fromSecretName(chart, 'secret', 'credentials');

const volume = (value: SandboxVolume) => podSpec(sandbox({ volumes: [value] })).volumes[0];
const claim = (value: SandboxVolume) => sandbox({ volumes: [value] }).spec.volumeClaimTemplates[0];

describe('a persistent volume', () => {
  test('is a volume claim template of one writer', () => {
    expect(claim(SandboxVolume.persistent('data', { size: '10Gi' })))
      .toEqual({ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '10Gi' } } } });
  });

  test('is not a volume of the Pod, as the controller adds that', () => {
    expect(podSpec(sandbox({ volumes: [SandboxVolume.persistent('data', { size: '1Gi' })] }))).not.toHaveProperty('volumes');
  });

  test('has class, modes, labels and annotations', () => {
    expect(claim(SandboxVolume.persistent('data', {
      size: '1Gi', storageClass: 'fast', accessModes: [kplus.PersistentVolumeAccessMode.READ_WRITE_ONCE_POD], labels: { a: '1' }, annotations: { b: 'any text' },
    }))).toEqual({
      metadata: { name: 'data', labels: { a: '1' }, annotations: { b: 'any text' } },
      spec: { storageClassName: 'fast', accessModes: ['ReadWriteOncePod'], resources: { requests: { storage: '1Gi' } } },
    });
  });

  test('can ask for no storage class at all', () => {
    expect(claim(SandboxVolume.persistent('data', { size: '1Gi', storageClass: '' })).spec.storageClassName).toBe('');
  });

  test('takes every other field of a claim', () => {
    const spec: l1.PersistentVolumeClaimSpec = {
      dataSource: { kind: 'PersistentVolumeClaim', name: 'golden' },
      dataSourceRef: { kind: 'VolumeSnapshot', name: 'golden', apiGroup: 'snapshot.storage.k8s.io', namespace: 'shared' },
      selector: { matchLabels: { disk: 'ssd' } },
      volumeAttributesClassName: 'gold',
      volumeMode: 'Filesystem',
      volumeName: 'pv-1',
      resources: { limits: { storage: l1.Quantity.fromString('20Gi') } },
    };
    const object = sandbox({ volumes: [SandboxVolume.persistent('data', { size: '10Gi', storageClass: 'fast', spec })] });
    const wire = object.spec.volumeClaimTemplates[0].spec;
    expect(wire).toEqual({
      ...spec, storageClassName: 'fast', accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '10Gi' }, limits: { storage: '20Gi' } },
    });
    expect(Object.keys(wire).sort()).toEqual(Object.keys(schemaOf('Sandbox', 'v1beta1', 'spec.volumeClaimTemplates[].spec').properties).sort());
    expect(schemaProblems(object)).toEqual([]);
  });
});

test.each<[string, SandboxVolume, object]>([
  ['an empty folder', SandboxVolume.emptyDir('v'), { emptyDir: {} }],
  ['an empty folder in memory', SandboxVolume.emptyDir('v', { inMemory: true, sizeLimit: '64Mi' }), { emptyDir: { medium: 'Memory', sizeLimit: '64Mi' } }],
  ['a ConfigMap', SandboxVolume.configMap('v', config), { configMap: { name: 'settings' } }],
  ['some files of a ConfigMap', SandboxVolume.configMap('v', config, { items: { 'z.yaml': 'b', 'a/b.yaml': 'a' }, defaultMode: 0o400, optional: true }),
    { configMap: { name: 'settings', items: [{ key: 'a', path: 'a/b.yaml' }, { key: 'b', path: 'z.yaml' }], defaultMode: 0o400, optional: true } }],
  ['a Secret', SandboxVolume.secret('v', secret), { secret: { secretName: 'credentials' } }],
  ['some files of a Secret', SandboxVolume.secret('v', secret, { items: { token: 'token' }, defaultMode: 0, optional: false }),
    { secret: { secretName: 'credentials', items: [{ key: 'token', path: 'token' }], defaultMode: 0, optional: false } }],
  ['an existing claim', SandboxVolume.persistentVolumeClaim('v', kplus.PersistentVolumeClaim.fromClaimName(chart, 'pvc', 'datasets')),
    { persistentVolumeClaim: { claimName: 'datasets' } }],
  ['any other volume', SandboxVolume.of({ name: 'v', downwardApi: { items: [{ path: 'cpu', resourceFieldRef: { containerName: 'sandbox', resource: 'limits.cpu' } }] } }),
    { downwardAPI: { items: [{ path: 'cpu', resourceFieldRef: { containerName: 'sandbox', resource: 'limits.cpu' } }] } }],
])('%s is a volume of the Pod', (_, value, wire) => {
  expect(volume(value)).toEqual({ name: 'v', ...wire });
});

/** Sources by their names in TypeScript, where a cased abbreviation makes them differ from the wire. */
const SOURCE_PROPS: Readonly<Record<string, string>> = { downwardAPI: 'downwardApi', scaleIO: 'scaleIo' };
const SHAPES: Record<string, Record<string, string>> = JSON.parse(STRUCTS_JSON);
const REQUIRED: Readonly<Record<string, unknown>> = { 's': 'x', 'n': 1, '[s': ['x'], 'l1.LocalObjectReference': { name: 'x' } };
/** What the API server wants beyond the schema. */
const WANTED: Readonly<Record<string, object>> = {
  configMap: { name: 'x' },
  ephemeral: { volumeClaimTemplate: { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: l1.Quantity.fromString('1Gi') } } } } },
  image: { reference: 'registry.example/x:1' },
  nfs: { path: '/x' },
  secret: { secretName: 'x' },
};
const SOURCES = Object.keys(schemaOf('Sandbox', 'v1beta1', 'spec.podTemplate.spec.volumes[]').properties).filter(name => name !== 'name');

test.each(SOURCES)('a volume can be of source %s', source => {
  const type = SHAPES['l1.Volume'][SOURCE_PROPS[source] ?? source].replace('?', '');
  const required = Object.fromEntries(Object.entries(SHAPES[type]).filter(([, prop]) => !prop.endsWith('?')).map(([name, prop]) => [name, REQUIRED[prop]]));
  const value = SandboxVolume.of({ name: 'v', [SOURCE_PROPS[source] ?? source]: { ...required, ...WANTED[source] } });
  const object = sandbox({ volumes: [value], relaxations: [Relaxation.HOST_PATH_VOLUMES, Relaxation.OTHER_VOLUMES] });
  expect(podSpec(object).volumes.map((each: object) => Object.keys(each).sort())).toEqual([['name', source].sort()]);
});

test('a volume knows its name and whether it outlives the Pod', () => {
  const values = [SandboxVolume.persistent('a', { size: '1Gi' }), SandboxVolume.emptyDir('b'), SandboxVolume.fromName('c')];
  expect(values.map(value => [value.name, value.isPersistent])).toEqual([['a', true], ['b', false], ['c', false]]);
});

test('one value can be mounted in several places', () => {
  const data = SandboxVolume.persistent('data', { size: '1Gi' });
  const object = sandbox({ containers: [{ ...CONTAINER, mounts: [{ path: '/a', volume: data, subPath: 'a' }, { path: '/b', volume: data, subPath: 'b' }] }] });
  expect(object.spec.volumeClaimTemplates).toHaveLength(1);
  expect(podSpec(object).containers[0].volumeMounts).toEqual([{ name: 'data', mountPath: '/a', subPath: 'a' }, { name: 'data', mountPath: '/b', subPath: 'b' }]);
});
