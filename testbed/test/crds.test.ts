import { ApiError } from '../src/api-client.js';
import { FOREIGN_CRDS_DIR, readManifests } from '../src/crds.js';
import { describeWithControlPlane } from '../src/jest/index.js';

test('every stand-in says that it is one', async () => {
  const crds = await readManifests([FOREIGN_CRDS_DIR]);
  expect(crds.map(crd => crd.spec.names.kind).sort()).toEqual([
    'Gateway', 'HTTPRoute', 'HealthCheckPolicy', 'PodMonitor', 'PodMonitoring', 'PrometheusRule', 'ScaledObject', 'ServiceMonitor', 'TriggerAuthentication',
  ]);
  for (const crd of crds) {
    expect(crd.metadata.annotations['testbed/stand-in']).toContain('reduced stand-in');
  }
});

describeWithControlPlane('stand-ins of foreign kinds', testbed => {
  test('are established with a structural schema', async () => {
    const names = await testbed.cluster.installCrds(FOREIGN_CRDS_DIR);
    const installed = await testbed.cluster.admin.list('apiextensions.k8s.io/v1', 'CustomResourceDefinition');
    for (const name of names) {
      const { conditions } = installed.find(crd => crd.metadata.name === name)!.status;
      expect(conditions).toContainEqual(expect.objectContaining({ type: 'Established', status: 'True' }));
      expect(conditions).not.toContainEqual(expect.objectContaining({ type: 'NonStructuralSchema' }));
    }
  });

  test('keep fields that they do not know', async () => {
    const stored = await testbed.cluster.admin.create({
      apiVersion: 'keda.sh/v1alpha1', kind: 'ScaledObject', metadata: { name: 'scaled', namespace: testbed.namespace },
      spec: { scaleTargetRef: { name: 'target' }, triggers: [{ type: 'prometheus', metadata: { threshold: '1' } }], advanced: { restoreToOriginalReplicaCount: true } },
    });
    expect(stored.spec.advanced).toEqual({ restoreToOriginalReplicaCount: true });
  });

  test('refuse an object without what every such object needs', async () => {
    const incomplete = { apiVersion: 'keda.sh/v1alpha1', kind: 'ScaledObject', metadata: { name: 'bad', namespace: testbed.namespace }, spec: { triggers: [] } };
    await expect(testbed.cluster.admin.create(incomplete)).rejects.toThrow(ApiError);
    await expect(testbed.cluster.admin.create(incomplete)).rejects.toThrow('spec.scaleTargetRef: Required value');
  });

  test('a kind without definition is named in the error', async () => {
    await expect(testbed.cluster.admin.create({ apiVersion: 'keda.sh/v1alpha1', kind: 'ScaledJob', metadata: { name: 'x', namespace: testbed.namespace } }))
      .rejects.toThrow('the server has no kind ScaledJob in keda.sh/v1alpha1');
  });
}, { requires: ['auditLog'] });
