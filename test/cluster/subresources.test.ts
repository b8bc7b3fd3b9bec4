import { ALL_VERSIONS, type Json, type KindName, VERSION_NAMES, type VersionName } from '../../api/test/crd-files';
import type { KubeObject } from '../../testbed/src/index.js';
import { describeWithControlPlane } from '../../testbed/src/jest/index.js';
import { Bench, condition, refusal } from './support/bench';

jest.setTimeout(30_000);

const WITH_STATUS = ALL_VERSIONS.filter(([kind]) => kind !== 'SandboxTemplate');
const SCALABLE: readonly (readonly [KindName, VersionName])[] = [
  ['Sandbox', 'v1alpha1'], ['SandboxWarmPool', 'v1beta1'], ['SandboxWarmPool', 'v1alpha1'],
];
/** What `kubectl` calls them. */
const RESOURCE: Readonly<Record<string, string>> = {
  'Sandbox v1alpha1': 'sandboxes.v1alpha1.agents.x-k8s.io',
  'SandboxWarmPool v1beta1': 'sandboxwarmpools.v1beta1.extensions.agents.x-k8s.io',
  'SandboxWarmPool v1alpha1': 'sandboxwarmpools.v1alpha1.extensions.agents.x-k8s.io',
};
/** A change of the spec that is fine in itself. */
const CHANGE: Readonly<Record<KindName, Json>> = {
  Sandbox: { service: true }, SandboxTemplate: { service: true }, SandboxClaim: { env: [] }, SandboxWarmPool: { replicas: 5 },
};
const STATUS: Json = { conditions: [condition('Ready', 'True', 'AllGood')] };

describeWithControlPlane('status', testbed => {
  const bench = new Bench(testbed);

  test.each(WITH_STATUS)('of a %s in %s is written by the subresource alone', async (kind, version) => {
    const created = await bench.client.create({ ...bench.manifest(kind, version), status: STATUS });
    expect(created).not.toHaveProperty('status');
    const replaced = await bench.replace({ ...created, status: STATUS });
    expect(replaced).not.toHaveProperty('status');
    const written = await bench.replace({ ...replaced, status: STATUS }, 'status');
    expect(written.status).toEqual(STATUS);
  });

  test.each(WITH_STATUS)('of a %s in %s cannot change the spec, nor the generation', async (kind, version) => {
    const created = await bench.create(kind, version);
    const written = await bench.replace({ ...created, spec: { ...created.spec, ...CHANGE[kind] }, status: STATUS }, 'status');
    expect(written.spec).toEqual(created.spec);
    expect(written.metadata.generation).toBe(1);
  });

  test.each(WITH_STATUS)('of a %s in %s: a merge patch replaces the atomic list of conditions', async (kind, version) => {
    const created = await bench.create(kind, version);
    await bench.merge(created, { status: { conditions: [condition('Ready', 'False', 'Starting'), condition('Finished', 'False', 'Running')] } }, version, 'status');
    const patched = await bench.merge(created, { status: STATUS }, version, 'status');
    expect(patched.status.conditions.map(({ type, status }: Json) => [type, status])).toEqual([['Ready', 'True']]);
  });

  test('of a pool is a map of conditions for server-side apply, of the other kinds one list', async () => {
    const conditionsAfterTwo = async (kind: KindName) => {
      const created = await bench.create(kind);
      const path = await bench.path(created, undefined, 'status');
      for (const [fieldManager, type] of [['one', 'Available'], ['two', 'Progressing']]) {
        await bench.client.request('PATCH', path, {
          contentType: 'application/apply-patch+yaml',
          query: { fieldManager, force: true },
          body: { apiVersion: created.apiVersion, kind, metadata: { name: created.metadata.name }, status: { conditions: [condition(type, 'True', 'Good')] } },
        });
      }
      return (await bench.get(created)).status.conditions.map(({ type }: Json) => type);
    };
    expect(await conditionsAfterTwo('SandboxWarmPool')).toEqual(['Available', 'Progressing']);
    expect(await conditionsAfterTwo('Sandbox')).toEqual(['Progressing']);
    expect(await conditionsAfterTwo('SandboxClaim')).toEqual(['Progressing']);
  });

  test('generation counts changes of the spec only; of a template, which has no status, too', async () => {
    const generation = async (kind: KindName, patch: Json) => (await bench.merge(await bench.create(kind), patch)).metadata.generation;
    for (const [kind, spec] of Object.entries(CHANGE) as [KindName, Json][]) {
      expect(await generation(kind, { spec })).toBe(2);
      expect(await generation(kind, { metadata: { labels: { a: 'b' } } })).toBe(1);
    }
  });

  test.each(VERSION_NAMES)('of a template does not exist in %s', async version => {
    const created = await bench.create('SandboxTemplate', version);
    await expect(bench.request('GET', created, { subresource: 'status' })).rejects.toMatchObject({ code: 404 });
    await expect(bench.merge(created, { status: STATUS }, version, 'status')).rejects.toMatchObject({ code: 404 });
    expect(await refusal(bench.merge(created, { status: STATUS }))).toEqual([expect.stringContaining('unknown field "status"')]);
  });

  test.each(WITH_STATUS)('of a %s in %s: conditions that no client could read are refused', async (kind, version) => {
    const created = await bench.create(kind, version);
    const write = (fields: Json) => refusal(bench.merge(created, { status: { conditions: [{ ...condition('Ready', 'True', 'Good'), ...fields }] } }, version, 'status'));
    expect(await write({ status: 'Maybe' })).toEqual(['status.conditions[0].status: Unsupported value: "Maybe": supported values: "True", "False", "Unknown"']);
    expect(await write({ type: 'Not Ready' })).toEqual([expect.stringMatching(/^status\.conditions\[0\]\.type: Invalid value: "Not Ready": .* should match '\^/)]);
    expect(await write({ reason: '' })).toEqual(expect.arrayContaining([expect.stringMatching(/^status\.conditions\[0\]\.reason: .* at least 1 chars long$/)]));
    expect(await write({ reason: '1st' })).toEqual([expect.stringMatching(/^status\.conditions\[0\]\.reason: .* should match/)]);
    expect(await write({ lastTransitionTime: 'yesterday' })).toEqual([expect.stringMatching(/^status\.conditions\[0\]\.lastTransitionTime: .* must be of type date-time/)]);
    expect(await write({ message: 'x'.repeat(32_769) })).toEqual([expect.stringMatching(/^status\.conditions\[0\]\.message: Too long/)]);
    expect(await write({ observedGeneration: -1 })).toEqual([expect.stringMatching(/^status\.conditions\[0\]\.observedGeneration: .* greater than or equal to 0$/)]);
    expect(await write({ message: null })).toEqual(['status.conditions[0].message: Required value']);
  });
});

describeWithControlPlane('scale', testbed => {
  const bench = new Bench(testbed);
  const scale = async (object: KubeObject) => (await bench.request<any>('GET', object, { subresource: 'scale' })).body;
  const kubectlScale = (object: KubeObject, resource: string, ...args: string[]) =>
    testbed.cluster.kubectl(['-n', testbed.namespace, 'scale', `${resource}/${object.metadata.name}`, ...args], { allowFailure: true });

  test.each(SCALABLE)('of a %s in %s reads spec, status and selector', async (kind, version) => {
    const created = await bench.create(kind, version);
    expect(await scale(created)).toMatchObject({ apiVersion: 'autoscaling/v1', kind: 'Scale', spec: { replicas: 1 }, status: { replicas: 0 } });
    await bench.merge(created, { status: { replicas: 1, selector: 'a=b' } }, version, 'status');
    expect(await scale(created)).toMatchObject({ spec: { replicas: 1 }, status: { replicas: 1, selector: 'a=b' } });
  });

  test.each(SCALABLE)('of a %s in %s is written as an autoscaler does: read, change, write back', async (kind, version) => {
    const created = await bench.create(kind, version);
    const read = await scale(created);
    const { body: written } = await bench.request<any>('PUT', created, { subresource: 'scale', body: { ...read, spec: { replicas: 0 } } });
    expect(written.spec).toEqual({});
    const after = await bench.get(created);
    expect(after.spec).toEqual({ ...created.spec, replicas: 0 });
    expect(after.metadata.generation).toBe(2);
    // The version that was read is too old by now.
    await expect(bench.request('PUT', created, { subresource: 'scale', body: { ...read, spec: { replicas: 1 } } })).rejects.toMatchObject({ code: 409 });
  });

  test.each(SCALABLE)('of a %s in %s is set by kubectl', async (kind, version) => {
    const created = await bench.create(kind, version);
    const { stdout } = await kubectlScale(created, `${RESOURCE[`${kind} ${version}`]}`, '--replicas=0');
    expect(stdout).toMatch(new RegExp(`/${created.metadata.name} scaled\n$`));
    expect((await bench.get(created)).spec.replicas).toBe(0);
  });

  test('of a pool is set by kubectl on the condition of the present number', async () => {
    const created = await bench.create('SandboxWarmPool');
    const stale = await kubectlScale(created, 'swp', '--current-replicas=7', '--replicas=3');
    expect([stale.code, stale.stderr]).toEqual([1, expect.stringContaining('Expected replicas to be 7, was 1')]);
    expect((await kubectlScale(created, 'swp', '--current-replicas=1', '--replicas=3')).code).toBe(0);
  });

  test('of a Sandbox cannot be set by kubectl on a condition, as it then asks the preferred version', async () => {
    const created = await bench.create('Sandbox', 'v1alpha1');
    const { code, stderr } = await kubectlScale(created, RESOURCE['Sandbox v1alpha1'], '--current-replicas=1', '--replicas=0');
    expect([code, stderr]).toEqual([1, expect.stringContaining('(NotFound)')]);
  });

  test('of a Sandbox ends at 1', async () => {
    const created = await bench.create('Sandbox', 'v1alpha1');
    const body = { ...await scale(created), spec: { replicas: 2 } };
    expect(await refusal(bench.request('PUT', created, { subresource: 'scale', body })))
      .toEqual(['spec.replicas: Invalid value: 2: spec.replicas in body should be less than or equal to 1']);
  });

  test('of a pool has no end', async () => {
    const created = await bench.create('SandboxWarmPool');
    const { body } = await bench.request<any>('PUT', created, { subresource: 'scale', body: { ...await scale(created), spec: { replicas: 100_000 } } });
    expect(body.spec.replicas).toBe(100_000);
    const negative = bench.request('PUT', created, { subresource: 'scale', body: { ...body, spec: { replicas: -1 } } });
    expect(await refusal(negative)).toContain('spec.replicas: Invalid value: -1: spec.replicas in body should be greater than or equal to 0');
  });

  test('of a Sandbox does not exist in v1beta1, so kubectl has to name the version', async () => {
    const created = await bench.create('Sandbox');
    await expect(scale(created)).rejects.toMatchObject({ code: 404 });
    expect(await kubectlScale(created, 'sandbox', '--replicas=0')).toMatchObject({ code: 1, stderr: expect.stringContaining('(NotFound)') });
    expect((await kubectlScale(created, RESOURCE['Sandbox v1alpha1'], '--replicas=0')).code).toBe(0);
    expect((await bench.get(created)).spec).toMatchObject({ replicas: 0, operatingMode: 'Running' });
  });

  test.each(['SandboxClaim', 'SandboxTemplate'] as const)('of a %s does not exist', async kind => {
    const created = await bench.create(kind);
    for (const version of VERSION_NAMES) {
      await expect(bench.request('GET', created, { version, subresource: 'scale' })).rejects.toMatchObject({ code: 404 });
    }
  });

  test('of a pool without a number, as autoscalers want it, begins with the default', async () => {
    const created = await bench.create('SandboxWarmPool', 'v1beta1', { sandboxTemplateRef: { name: 'template' } });
    expect((await scale(created)).spec).toEqual({ replicas: 1 });
  });
});
