import { describeWithControlPlane } from '../../testbed/src/jest/index.js';

describeWithControlPlane('smoke', testbed => {
  test('lists', async () => {
    console.log(testbed.namespace, (await testbed.cluster.admin.list('apiextensions.k8s.io/v1', 'CustomResourceDefinition')).map(c => c.metadata.name));
  });
});
