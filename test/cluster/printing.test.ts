import { CRDS, type Json, KIND_NAMES, type KindName, VERSION_NAMES, type VersionName } from '../../api/test/crd-files';
import { describeWithControlPlane } from '../../testbed/src/jest/index.js';
import { Bench, condition } from './support/bench';

jest.setTimeout(30_000);

const CONDITIONS = { conditions: [condition('Finished', 'False', 'Working'), condition('Ready', 'True', 'DependenciesReady')] };
const READY: Readonly<Partial<Record<KindName, Json>>> = {
  Sandbox: CONDITIONS,
  SandboxClaim: { ...CONDITIONS, sandbox: { name: 'pool-abcde' } },
  SandboxWarmPool: { replicas: 3, readyReplicas: 2, updatedReplicas: 1 },
};

/** What `kubectl get` shows of an object without a status, and of one with it, but for the name. */
const TABLES: readonly (readonly [kind: KindName, version: VersionName, header: string, empty: string, ready: string])[] = [
  ['Sandbox', 'v1beta1', 'NAME READY REASON AGE', 'AGE', 'True DependenciesReady AGE'],
  ['Sandbox', 'v1alpha1', 'NAME AGE', 'AGE', 'AGE'],
  ['SandboxTemplate', 'v1beta1', 'NAME AGE', 'AGE', 'AGE'],
  ['SandboxTemplate', 'v1alpha1', 'NAME AGE', 'AGE', 'AGE'],
  ['SandboxClaim', 'v1beta1', 'NAME READY SANDBOX REASON AGE', 'AGE', 'True pool-abcde DependenciesReady AGE'],
  ['SandboxClaim', 'v1alpha1', 'NAME AGE', 'AGE', 'AGE'],
  ['SandboxWarmPool', 'v1beta1', 'NAME READY DESIRED UP-TO-DATE AGE', '1 AGE', '2 1 1 AGE'],
  ['SandboxWarmPool', 'v1alpha1', 'NAME READY DESIRED UP-TO-DATE AGE', '1 AGE', '2 1 1 AGE'],
];

describeWithControlPlane('kubectl get', testbed => {
  const bench = new Bench(testbed);
  const resource = (kind: KindName, version: VersionName) => `${CRDS[kind].spec.names.plural}.${version}.${CRDS[kind].spec.group}`;
  const kubectl = (...args: string[]) => testbed.cluster.kubectl(['-n', testbed.namespace, ...args]);

  test.each(TABLES)('shows a %s of %s in its columns', async (kind, version, header, empty, ready) => {
    const plain = await bench.create(kind, version);
    const done = await bench.create(kind, version);
    const status = READY[kind];
    if (status) {
      await bench.merge(done, { status }, version, 'status');
    }
    const { stdout } = await kubectl('get', resource(kind, version), plain.metadata.name!, done.metadata.name!);
    const lines = stdout.trim().split('\n').map(line => line.trim().replace(/\s+/g, ' ').replace(/ \d+s$/, ' AGE'));
    expect(lines).toEqual([header, `${plain.metadata.name} ${empty}`, `${done.metadata.name} ${ready}`]);
  });

  test.each(KIND_NAMES)('finds a %s by its short name, singular and plural', async kind => {
    const { metadata: { name } } = await bench.create(kind);
    const { plural, singular, shortNames } = CRDS[kind].spec.names;
    for (const resourceName of new Set<string>([plural, singular, ...shortNames])) {
      const { stdout } = await kubectl('get', resourceName, name!, '-o', 'name');
      expect(stdout.trim()).toBe(`${singular}.${CRDS[kind].spec.group}/${name}`);
    }
  });

  test('all does not include them', async () => {
    await bench.create('SandboxClaim');
    expect((await kubectl('get', 'all', '-o', 'name')).stdout).not.toContain('sandbox');
  });

  test('asks in v1beta1 by default, and is not warned', async () => {
    const { metadata: { name } } = await bench.create('Sandbox');
    const { stdout, stderr } = await kubectl('get', 'sandbox', name!, '-o', 'jsonpath={.apiVersion}');
    expect([stdout, stderr]).toEqual(['agents.x-k8s.io/v1beta1', '']);
  });
});

describeWithControlPlane('deprecation', testbed => {
  const bench = new Bench(testbed);
  const WARNINGS: Readonly<Record<KindName, string>> = {
    Sandbox: 'agents.x-k8s.io/v1alpha1 Sandbox is deprecated; use agents.x-k8s.io/v1beta1 Sandbox instead',
    SandboxTemplate: 'extensions.agents.x-k8s.io/v1alpha1 SandboxTemplate is deprecated; use extensions.agents.x-k8s.io/v1beta1 SandboxTemplate instead',
    SandboxClaim: 'extensions.agents.x-k8s.io/v1alpha1 SandboxClaim is deprecated; use extensions.agents.x-k8s.io/v1beta1 SandboxClaim instead',
    SandboxWarmPool: 'extensions.agents.x-k8s.io/v1alpha1 SandboxWarmPool is deprecated; use extensions.agents.x-k8s.io/v1beta1 SandboxWarmPool instead',
  };

  test.each(KIND_NAMES)('every request for a %s of v1alpha1 is warned, none of v1beta1', async kind => {
    const warnings = async (version: VersionName) => {
      const manifest = bench.manifest(kind, version);
      const collection = (await bench.path(manifest)).replace(/\/[^/]+$/, '');
      const created = await bench.client.request('POST', collection, { body: manifest });
      const requests = [
        created, await bench.client.request('GET', collection), await bench.request('GET', created.body),
        await bench.request('PUT', created.body, { body: created.body }), await bench.request('DELETE', created.body),
      ];
      return requests.map(response => response.warnings);
    };
    expect(await warnings('v1alpha1')).toEqual(Array(5).fill([WARNINGS[kind]]));
    expect(await warnings('v1beta1')).toEqual(Array(5).fill([]));
  });

  test('kubectl shows the warning', async () => {
    const manifest = bench.manifest('SandboxWarmPool', 'v1alpha1');
    const { stderr } = await testbed.cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(manifest) });
    expect(stderr.trim()).toBe(`Warning: ${WARNINGS.SandboxWarmPool}`);
  });

  test.each(VERSION_NAMES)('an unknown field is a warning, too, where a client of %s asks for no more', async version => {
    const { body, warnings } = await bench.client.request('POST', (await bench.path(bench.manifest('SandboxWarmPool', version))).replace(/\/[^/]+$/, ''), {
      body: bench.manifest('SandboxWarmPool', version, { replicas: 1, sandboxTemplateRef: { name: 't', nmae: 't' } }), query: { fieldValidation: 'Warn' },
    });
    expect(warnings).toContain('unknown field "spec.sandboxTemplateRef.nmae"');
    expect(body.spec.sandboxTemplateRef).toEqual({ name: 't' });
  });
});
