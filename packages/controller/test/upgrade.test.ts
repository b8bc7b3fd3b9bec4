import { ControlPlane, PROJECT_CRDS_DIR, readManifests, type ApiClient } from '../../../testbed/src/index.js';
import { describeWithPrograms } from '../../../testbed/src/jest/index.js';
import { ClusterBench, textOf } from './cluster-bench.js';

const CONTAINER = { name: 'main', image: 'image', livenessProbe: { grpc: { port: 80 } } };
const POD_TEMPLATE = { podTemplate: { spec: { containers: [CONTAINER] } } };

describeWithPrograms('new definitions', () => {
  test('F8 bring defaults, which are no edits: nothing is out of date, replaced or written', async () => {
    await using cluster = await ControlPlane.start({ fakeNodes: 1, auditLog: true });
    const namespace = await cluster.createNamespace('upgrade');
    const bench = new ClusterBench({ cluster, namespace, auditLog: cluster.auditLog }, 'upgrade-controller');
    // Definitions without a default that today's have.
    await install(cluster.admin, container => {
      delete container.properties.livenessProbe.properties.grpc.properties.service.default;
    });
    await bench.start();
    try {
      await bench.create('Sandbox', 'box', POD_TEMPLATE);
      await bench.create('SandboxTemplate', 'python', POD_TEMPLATE);
      await bench.create('SandboxWarmPool', 'pool', { replicas: 1, sandboxTemplateRef: { name: 'python' }, updateStrategy: { type: 'Recreate' } });
      await bench.until('SandboxWarmPool', 'pool', ({ status }) => status?.readyReplicas === 1);
      await bench.create('SandboxClaim', 'claim', { warmPoolRef: { name: 'pool' } });
      await bench.ready('SandboxClaim', 'claim');
      await bench.until('SandboxWarmPool', 'pool', ({ status }) => status?.readyReplicas === 1);
      await bench.merge('Sandbox', 'box', { spec: { shutdownTime: '2127-01-01T00:00:00Z' } });
      await bench.until('Sandbox', 'box', ({ metadata, status }) => readyOf(status)?.observedGeneration === metadata.generation);
      expect((await bench.get('Sandbox', 'box')).spec.podTemplate.spec.containers[0].livenessProbe).toEqual(CONTAINER.livenessProbe);
      const before = await uids(bench);

      // Today's definitions.
      await install(cluster.admin, () => undefined);
      await bench.until('Sandbox', 'box', ({ spec }) => spec.podTemplate.spec.containers[0].livenessProbe.grpc.service === '');
      await bench.end();
      await bench.start();
      await bench.merge('SandboxTemplate', 'python', { metadata: { labels: { touched: 'yes' } } });
      await bench.merge('SandboxClaim', 'claim', { metadata: { labels: { touched: 'yes' } } });
      await bench.merge('Sandbox', 'box', { metadata: { labels: { touched: 'yes' } } });
      await bench.create('Sandbox', 'later', POD_TEMPLATE);
      await bench.ready('Sandbox', 'later');

      const { status: { sandbox: { name } } } = await bench.get('SandboxClaim', 'claim');
      const objects = await Promise.all([bench.get('Sandbox', 'box'), bench.get('Sandbox', name), bench.get('SandboxClaim', 'claim')]);
      expect(objects.map(object => textOf(object, 'UpToDate'))).toEqual(['', '', '']);
      expect((await bench.get('SandboxWarmPool', 'pool')).status.updatedReplicas).toBe(1);
      expect(await uids(bench)).toMatchObject(before);
    } finally {
      await bench.end();
    }
  }, 180_000);
}, ['kwok', 'kube-controller-manager', 'kube-scheduler']);

/** Installs the definitions of the project with a change of the schema of containers. */
async function install(admin: ApiClient, change: (container: any) => void): Promise<void> {
  for (const crd of await readManifests([PROJECT_CRDS_DIR])) {
    for (const version of crd.spec.versions) {
      const template = version.schema.openAPIV3Schema.properties.spec.properties.podTemplate;
      if (template !== undefined) {
        change(template.properties.spec.properties.containers.items);
      }
    }
    await admin.apply(crd, { force: true });
    await admin.waitFor({ ...crd, name: crd.metadata.name! }, ({ status }) =>
      status?.conditions?.some((condition: any) => condition.type === 'Established' && condition.status === 'True'));
  }
}

function readyOf(status: any): any {
  return status?.conditions?.find(({ type }: any) => type === 'Ready');
}

async function uids(bench: ClusterBench): Promise<object> {
  const lists = await Promise.all(['Sandbox', 'Pod'].map(kind => bench.list(kind)));
  return Object.fromEntries(lists.flat().map(({ kind, metadata }) => [`${kind}/${metadata.name}`, metadata.uid]));
}
