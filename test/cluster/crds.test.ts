import { CRDS, KIND_NAMES, type KindName } from '../../api/test/crd-files';
import { type Cluster, ControlPlane, type KubeObject, PROJECT_CRDS_DIR, waitFor } from '../../testbed/src/index.js';
import { describeWithControlPlane, describeWithPrograms } from '../../testbed/src/jest/index.js';
import { Bench } from './support/bench';

const CRD = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' };
const START_MS = 120_000;

/** The CRD of a kind as the server has it. */
function installed(cluster: Cluster, kind: KindName): Promise<KubeObject> {
  return cluster.admin.get({ ...CRD, name: CRDS[kind].metadata.name });
}

describeWithControlPlane('CRDs', testbed => {
  const bench = new Bench(testbed);

  describe.each(KIND_NAMES)('%s', kind => {
    test('is established, structural, and stored as v1beta1', async () => {
      const { status } = await installed(testbed.cluster, kind);
      const conditions = status.conditions.map(({ type, status: value }: any) => `${type}=${value}`);
      // NonStructuralSchema would show up here.
      expect(conditions.sort()).toEqual(['Established=True', 'NamesAccepted=True']);
      expect(status.storedVersions).toEqual(['v1beta1']);
      expect(status.acceptedNames).toEqual(CRDS[kind].spec.names);
    });

    test('is stored as it was written: the server adds nothing to the definition', async () => {
      const { spec } = await installed(testbed.cluster, kind);
      expect(spec).toEqual(CRDS[kind].spec);
    });

    test('is discovered in both versions, v1beta1 first', async () => {
      const { group, names } = CRDS[kind].spec;
      const { body } = await bench.client.request('GET', `/apis/${group}`);
      expect(body.preferredVersion.version).toBe('v1beta1');
      expect(body.versions.map(({ version }: any) => version)).toEqual(['v1beta1', 'v1alpha1']);
      const { body: { resources } } = await bench.client.request('GET', `/apis/${group}/v1beta1`);
      expect(resources.find(({ name }: any) => name === names.plural)).toMatchObject({
        singularName: names.singular, namespaced: true, kind, shortNames: names.shortNames,
        verbs: ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'],
      });
    });
  });
});

describeWithPrograms('CRDs on a new cluster', () => {
  let cluster: ControlPlane;
  beforeEach(async () => {
    cluster = await ControlPlane.start();
  }, START_MS);
  afterEach(() => cluster.stop());

  const versions = () => Promise.all(KIND_NAMES.map(async kind => (await installed(cluster, kind)).metadata.resourceVersion));
  const established = () => waitFor(
    async () => (await Promise.all(KIND_NAMES.map(kind => installed(cluster, kind))))
      .every(({ status }) => status?.conditions.some(({ type, status: value }: any) => type === 'Established' && value === 'True')),
    { what: 'the CRDs to be established' },
  );

  test('kubectl apply installs them, and a second one changes nothing', async () => {
    const { stderr } = await cluster.kubectl(['apply', '-f', PROJECT_CRDS_DIR]);
    expect(stderr).toBe('');
    await established();
    const before = await versions();
    const { stdout } = await cluster.kubectl(['apply', '-f', PROJECT_CRDS_DIR]);
    expect(stdout.trim().split('\n').every(line => line.endsWith(' unchanged'))).toBe(true);
    expect(await versions()).toEqual(before);
    // From here to server-side apply there are no conflicts.
    await cluster.kubectl(['apply', '--server-side', '-f', PROJECT_CRDS_DIR]);
  }, START_MS);

  test('kubectl apply --server-side installs them, and a second one changes nothing', async () => {
    const { stderr } = await cluster.kubectl(['apply', '--server-side', '-f', PROJECT_CRDS_DIR]);
    expect(stderr).toBe('');
    await established();
    const before = await versions();
    await cluster.kubectl(['apply', '--server-side', '-f', PROJECT_CRDS_DIR]);
    expect(await versions()).toEqual(before);
  }, START_MS);
});
