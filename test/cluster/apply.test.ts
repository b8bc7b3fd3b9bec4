import { ALL_VERSIONS, CRDS, type Json, KIND_NAMES, type KindName, schemaOf } from '../../api/test/crd-files';
import type { KubeObject } from '../../testbed/src/index.js';
import { describeWithControlPlane } from '../../testbed/src/jest/index.js';
import { Bench, apiVersion, condition, leastSpec } from './support/bench';

jest.setTimeout(60_000);

describeWithControlPlane('kubectl', testbed => {
  const bench = new Bench(testbed);
  const kubectl = async (args: readonly string[], input?: unknown) =>
    (await testbed.cluster.kubectl(['-n', testbed.namespace, ...args], { input: input ? JSON.stringify(input) : undefined })).stdout;

  test.each<[kind: KindName, condition: string]>([
    ['Sandbox', 'Ready'], ['Sandbox', 'Suspended'], ['SandboxClaim', 'Ready'], ['SandboxWarmPool', 'Available'],
  ])('waits until a %s is %s', async (kind, type) => {
    const created = await bench.create(kind);
    const resource = `${CRDS[kind].spec.names.singular}/${created.metadata.name}`;
    const waiting = kubectl(['wait', `--for=condition=${type}`, resource, '--timeout=30s']);
    await bench.merge(created, { status: { conditions: [condition(type, 'False', 'NotYet')] } }, 'v1beta1', 'status');
    await bench.merge(created, { status: { conditions: [condition(type, 'True', 'Good')] } }, 'v1beta1', 'status');
    expect(await waiting).toContain(`${created.metadata.name} condition met`);
  });

  test('does not take a condition of an older generation for the present one', async () => {
    const created = await bench.create('Sandbox');
    await bench.merge(created, { status: { conditions: [{ ...condition('Ready', 'True', 'Good'), observedGeneration: 1 }] } }, 'v1beta1', 'status');
    await bench.merge(created, { spec: { service: true } });
    const { code, stderr } = await testbed.cluster.kubectl(
      ['-n', testbed.namespace, 'wait', '--for=condition=Ready', `sandbox/${created.metadata.name}`, '--timeout=1s'], { allowFailure: true });
    expect([code, stderr]).toEqual([1, expect.stringContaining('timed out waiting for the condition')]);
  });

  test('waits until a claim has its Sandbox', async () => {
    const created = await bench.create('SandboxClaim');
    const waiting = kubectl(['wait', '--for=jsonpath={.status.sandbox.name}=pool-abcde', `sandboxclaim/${created.metadata.name}`, '--timeout=30s']);
    await bench.merge(created, { status: { sandbox: { name: 'pool-abcde' } } }, 'v1beta1', 'status');
    expect(await waiting).toContain('condition met');
  });

  test('applies a changed object, and gives fields that went back to their defaults', async () => {
    const manifest = bench.manifest('Sandbox', 'v1beta1', { ...leastSpec('Sandbox'), service: true, shutdownPolicy: 'Delete' });
    await kubectl(['apply', '-f', '-'], manifest);
    await kubectl(['apply', '-f', '-'], { ...manifest, spec: { ...leastSpec('Sandbox'), shutdownTime: '2027-01-31T17:00:00Z' } });
    const { spec } = await bench.get(manifest);
    expect(spec).toMatchObject({ shutdownPolicy: 'Retain', shutdownTime: '2027-01-31T17:00:00Z' });
    expect(spec).not.toHaveProperty('service');
  });

  test('applies an object with every change since then kept, where it does not say otherwise', async () => {
    const manifest = bench.manifest('Sandbox');
    await kubectl(['apply', '-f', '-'], manifest);
    await bench.merge(manifest, { spec: { operatingMode: 'Suspended', replicas: 0 } });
    await kubectl(['apply', '-f', '-'], { ...manifest, spec: { ...manifest.spec, service: true } });
    expect((await bench.get(manifest)).spec).toMatchObject({ operatingMode: 'Suspended', replicas: 0, service: true });
  });
});

describeWithControlPlane('server-side apply', testbed => {
  const bench = new Bench(testbed);
  const withEnv = (name: string, value: string): Json => ({ podTemplate: { spec: { containers: [{ name: 'main', env: [{ name, value }] }] } } });

  test('lets two managers have entries of one list, by name', async () => {
    const manifest = bench.manifest('Sandbox', 'v1beta1', withEnv('A', '1'));
    await bench.client.apply(manifest, { fieldManager: 'one' });
    await bench.client.apply({ ...manifest, spec: withEnv('B', '2') }, { fieldManager: 'two' });
    const { spec } = await bench.get(manifest);
    expect(spec.podTemplate.spec.containers).toEqual([{ name: 'main', env: [{ name: 'A', value: '1' }, { name: 'B', value: '2' }] }]);
  });

  test('says who has a field that another manager wants to change', async () => {
    const manifest = bench.manifest('SandboxWarmPool', 'v1beta1', { ...leastSpec('SandboxWarmPool'), replicas: 2 });
    await bench.client.apply(manifest, { fieldManager: 'gitops' });
    const other: KubeObject = { ...manifest, spec: { ...leastSpec('SandboxWarmPool'), replicas: 3 } };
    await expect(bench.client.apply(other, { fieldManager: 'person' })).rejects.toThrow('conflict with "gitops": .spec.replicas');
    expect((await bench.client.apply(other, { fieldManager: 'person', force: true })).spec.replicas).toBe(3);
  });

  test('leaves the size of a pool to an autoscaler, where the manifest does not say it', async () => {
    const manifest = bench.manifest('SandboxWarmPool');
    await bench.client.apply(manifest, { fieldManager: 'gitops' });
    await bench.merge(manifest, { spec: { replicas: 7 } }, 'v1beta1', 'scale');
    expect((await bench.client.apply(manifest, { fieldManager: 'gitops' })).spec.replicas).toBe(7);
  });

  const versionsOf = async (manifest: KubeObject, times: number) => {
    const versions: string[] = [];
    for (let time = 0; time < times; time++) {
      versions.push((await bench.client.apply(manifest)).metadata.resourceVersion);
    }
    return new Set(versions).size;
  };

  test.each(ALL_VERSIONS.filter(of => of.join() !== 'Sandbox,v1alpha1'))('of a %s of %s is repeated without a change', async (kind, version) => {
    expect(await versionsOf(bench.manifest(kind, version), 2)).toBe(1);
  });

  test('of a Sandbox of v1alpha1 is repeated without a change, once the default of the stored version is in', async () => {
    expect(await versionsOf(bench.manifest('Sandbox', 'v1alpha1'), 4)).toBe(2);
  });

  test('through one version and then the other is one manager still', async () => {
    const manifest = bench.manifest('Sandbox', 'v1alpha1', { ...leastSpec('Sandbox'), service: true });
    await bench.client.apply(manifest, { fieldManager: 'gitops' });
    const applied = await bench.client.apply({ ...manifest, apiVersion: apiVersion('Sandbox', 'v1beta1'), spec: leastSpec('Sandbox') }, { fieldManager: 'gitops' });
    expect(applied.spec).not.toHaveProperty('service');
    expect(applied.metadata.managedFields.map(({ manager }: Json) => manager)).toEqual(['gitops']);
  });
});

describeWithControlPlane('kubectl explain', testbed => {
  /** What it prints, with the line breaks of the terminal taken out. */
  const explain = async (...args: string[]) => (await testbed.cluster.kubectl(['explain', ...args])).stdout.replace(/\s+/g, ' ');

  test('shows the description and the values of a field', async () => {
    const text = await explain('sandbox.spec.operatingMode');
    expect(text).toContain('GROUP: agents.x-k8s.io KIND: Sandbox VERSION: v1beta1 FIELD: operatingMode <string> ENUM: Running Suspended');
    expect(text).toContain(schemaOf('Sandbox', 'v1beta1', 'spec.operatingMode').description);
  });

  test.each(KIND_NAMES)('shows a %s and each field of its spec', async kind => {
    const { names } = CRDS[kind].spec;
    const schema = schemaOf(kind, 'v1beta1');
    const [whole, spec] = [await explain(names.plural), await explain(`${names.plural}.spec`)];
    expect(whole).toContain(schema.description);
    for (const [name, field] of Object.entries<Json>(schema.properties.spec.properties)) {
      expect(spec).toContain(`${name} <`);
      expect(spec).toContain(field.description);
    }
  });

  test('knows the version that it is asked for', async () => {
    expect(await explain('sandboxclaim.spec.warmpool', '--api-version=extensions.agents.x-k8s.io/v1alpha1')).toContain('VERSION: v1alpha1 FIELD: warmpool <string>');
  });

  test('goes down into the Pod', async () => {
    expect(await explain('sandboxtemplate.spec.podTemplate.spec.containers.resources.limits')).toContain('FIELD: limits <map[string]Object>');
  });
});
