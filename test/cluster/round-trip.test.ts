import { type Json, type KindName, VERSION_NAMES, type VersionName, schemaOf } from '../../api/test/crd-files';
import type { KubeObject } from '../../testbed/src/index.js';
import { describeWithControlPlane } from '../../testbed/src/jest/index.js';
import { Bench, apiVersion, leastSpec } from './support/bench';
import { SERVER_METADATA, canonical, differences, withoutIndexes, withoutServerMetadata } from './support/differences';
import { fullSpec, fullStatus } from './support/full-objects';

jest.setTimeout(30_000);

const OTHER: Readonly<Record<VersionName, VersionName>> = { v1beta1: 'v1alpha1', v1alpha1: 'v1beta1' };

/** Each object with every field set, by a title. */
const FULL: readonly (readonly [title: string, kind: KindName, spec: (version: VersionName) => Json])[] = [
  ['Sandbox', 'Sandbox', version => fullSpec('Sandbox', version)],
  ['SandboxTemplate', 'SandboxTemplate', version => fullSpec('SandboxTemplate', version)],
  ['SandboxClaim of a pool', 'SandboxClaim', version => fullSpec('SandboxClaim', version, 'pool')],
  ['SandboxClaim of a template', 'SandboxClaim', version => fullSpec('SandboxClaim', version, 'template')],
  ['SandboxWarmPool', 'SandboxWarmPool', version => fullSpec('SandboxWarmPool', version)],
];

/** Small objects as clients of both generations write them. */
const TYPICAL: readonly (readonly [title: string, kind: KindName, version: VersionName, spec: Json])[] = [
  ['a running Sandbox of v1beta1', 'Sandbox', 'v1beta1', leastSpec('Sandbox')],
  ['a suspended Sandbox of v1beta1', 'Sandbox', 'v1beta1', { ...leastSpec('Sandbox'), operatingMode: 'Suspended', replicas: 0 }],
  ['a suspended Sandbox of v1alpha1', 'Sandbox', 'v1alpha1', { ...leastSpec('Sandbox'), replicas: 0 }],
  ['a Sandbox with an empty list of volumes', 'Sandbox', 'v1beta1', { ...leastSpec('Sandbox'), volumeClaimTemplates: [] }],
  ['a claim of v1beta1 for a pool', 'SandboxClaim', 'v1beta1', { warmPoolRef: { name: 'pool' }, lifecycle: { ttlSecondsAfterFinished: 0 } }],
  ['a claim of v1alpha1 for any pool', 'SandboxClaim', 'v1alpha1', { sandboxTemplateRef: { name: 'template' }, warmpool: 'default' }],
  ['a claim of v1alpha1 for no pool', 'SandboxClaim', 'v1alpha1', { sandboxTemplateRef: { name: 'template' }, warmpool: 'none' }],
  ['a claim for a template of another namespace', 'SandboxClaim', 'v1beta1', { sandboxTemplateRef: { name: 'template', namespace: 'platform' } }],
  ['a template that denies all', 'SandboxTemplate', 'v1beta1', { ...leastSpec('SandboxTemplate'), networkPolicy: {} }],
  ['a template with rules that are empty lists', 'SandboxTemplate', 'v1beta1', { ...leastSpec('SandboxTemplate'), networkPolicy: { ingress: [], egress: [] } }],
  ['an empty pool', 'SandboxWarmPool', 'v1beta1', { ...leastSpec('SandboxWarmPool'), replicas: 0 }],
];

/**
 * What the server adds to objects with every field set: their lists have a second item with nothing but its required
 * fields, and that gets the defaults of optional fields.
 */
const IN_PODS = [
  '+ podTemplate.spec.containers[].ports[].protocol = "TCP"',
  '+ podTemplate.spec.ephemeralContainers[].ports[].protocol = "TCP"',
  '+ podTemplate.spec.imagePullSecrets[].name = ""',
  '+ podTemplate.spec.initContainers[].ports[].protocol = "TCP"',
];
const ADDED: Readonly<Record<KindName, readonly string[]>> = {
  Sandbox: IN_PODS, SandboxTemplate: IN_PODS, SandboxClaim: [], SandboxWarmPool: [],
};

describeWithControlPlane('objects in both versions', testbed => {
  const bench = new Bench(testbed);
  const as = (version: VersionName, object: KubeObject): KubeObject => ({ ...object, apiVersion: apiVersion(object.kind as KindName, version) });

  describe.each(FULL)('every field of a %s', (_title, kind, spec) => {
    test.each(VERSION_NAMES)('is stored by %s as it was sent', async version => {
      const sent = bench.manifest(kind, version, spec(version));
      sent.metadata.labels = { 'example.com/team': 'a' };
      sent.metadata.annotations = { 'example.com/note': 'text' };
      const created = await bench.client.create(sent);
      expect(withoutIndexes(differences(sent.spec, created.spec))).toEqual(ADDED[kind]);
      expect(Object.keys(created.metadata).sort()).toEqual([...Object.keys(sent.metadata), ...SERVER_METADATA].sort());
      expect(withoutServerMetadata(created).metadata).toEqual(sent.metadata);
    });

    test.each(VERSION_NAMES)('survives from %s through the other version and back, byte for byte', async version => {
      const created = await bench.create(kind, version, spec(version));
      const read = await bench.get(created, OTHER[version]);
      expect(read.apiVersion).toBe(apiVersion(kind, OTHER[version]));
      const written = await bench.replace(read);
      const back = await bench.get(written, version);
      for (const object of [read, written, back]) {
        expect(canonical(object.spec)).toBe(canonical(created.spec));
      }
      expect(back.metadata.uid).toBe(created.metadata.uid);
      expect(back.metadata.generation).toBe(1);
    });
  });

  test.each(['Sandbox', 'SandboxClaim', 'SandboxWarmPool'] as const)('every field of the status of a %s survives both versions', async kind => {
    const status = fullStatus(kind);
    expect(Object.keys(status).sort()).toEqual(Object.keys(schemaOf(kind, 'v1beta1', 'status').properties).sort());
    const created = await bench.create(kind);
    const beta = await bench.replace({ ...created, status }, 'status');
    const alpha = await bench.get(created, 'v1alpha1');
    const written = await bench.replace(alpha, 'status');
    for (const object of [beta, alpha, written, await bench.get(created, 'v1beta1')]) {
      expect(canonical(object.status)).toBe(canonical(status));
    }
  });

  test.each(TYPICAL)('%s is the same in both versions', async (_title, kind, version, spec) => {
    const created = await bench.create(kind, version, spec);
    const other = await bench.get(created, OTHER[version]);
    // What was sent is there; defaults are tested elsewhere.
    expect(differences(spec, created.spec).filter(line => !line.startsWith('+'))).toEqual([]);
    expect(differences(spec, other.spec).filter(line => !line.startsWith('+'))).toEqual([]);
    const before = await bench.get(created);
    const written = await bench.replace(as(version, await bench.replace(other)));
    expect(canonical(written.spec)).toBe(canonical(before.spec));
  });

  test('metadata beyond the spec survives both versions', async () => {
    const object = bench.manifest('SandboxClaim');
    const annotations = { 'api.agents.x-k8s.io/v1alpha1-sandboxclaim-state': '{"kind":"SandboxClaim"}', 'agents.x-k8s.io/sandbox-name': 'x' };
    const created = await bench.client.create({ ...object, metadata: { ...object.metadata, annotations, finalizers: ['example.com/keep'] } });
    const written = await bench.replace(await bench.get(created, 'v1alpha1'));
    expect(written.metadata.annotations).toEqual(annotations);
    expect(written.metadata.finalizers).toEqual(['example.com/keep']);
    await bench.merge(created, { metadata: { finalizers: null } });
  });

  test.each(VERSION_NAMES)('lists and watches speak %s when they are asked in it', async version => {
    const created = await bench.create('SandboxWarmPool');
    const path = await bench.client.path(apiVersion('SandboxWarmPool', version), 'SandboxWarmPool', { namespace: testbed.namespace });
    const query = { fieldSelector: `metadata.name=${created.metadata.name}` };
    const { body: list } = await bench.client.request('GET', path, { query });
    expect(list).toMatchObject({ kind: 'SandboxWarmPoolList', apiVersion: apiVersion('SandboxWarmPool', version) });
    expect(list.items.map(({ apiVersion: of, metadata }: Json) => [of, metadata.name])).toEqual([[apiVersion('SandboxWarmPool', version), created.metadata.name]]);
    // The server ends a watch after whole seconds only. Its body is one event, and so looks like one object.
    const { body: event } = await bench.client.request('GET', path, { query: { ...query, watch: true, timeoutSeconds: 1 } });
    expect(event).toMatchObject({ type: 'ADDED', object: { apiVersion: apiVersion('SandboxWarmPool', version) } });
  });
});
