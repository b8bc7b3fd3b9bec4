import { ApiError } from '../src/api-client.js';
import type { Identity } from '../src/kubeconfig.js';
import { describeWithControlPlane } from '../src/jest/index.js';

describeWithControlPlane('identities', testbed => {
  const whoAmI = async (identity: Identity) => {
    const client = await testbed.cluster.client(identity);
    const { body } = await client.request('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
    });
    return body.status.userInfo;
  };

  test('the administrator may do anything', async () => {
    expect(await whoAmI('admin')).toMatchObject({ groups: expect.arrayContaining(['system:masters']) });
  });

  test('a user has the name and groups of the test', async () => {
    expect(await whoAmI({ user: 'jane', groups: ['devs', 'ops'] })).toMatchObject({ username: 'jane', groups: ['devs', 'ops', 'system:authenticated'] });
  });

  test('a user without rights is refused', async () => {
    const jane = await testbed.cluster.client({ user: 'jane' });
    const refused = jane.list('v1', 'Secret', testbed.namespace);
    await expect(refused).rejects.toThrow(ApiError);
    await expect(refused).rejects.toMatchObject({ code: 403, reason: 'Forbidden' });
  });

  test('a ServiceAccount has its name and groups, whether it exists or not', async () => {
    expect(await whoAmI({ serviceAccount: `${testbed.namespace}/missing` })).toMatchObject({
      username: `system:serviceaccount:${testbed.namespace}:missing`,
      groups: ['system:serviceaccounts', `system:serviceaccounts:${testbed.namespace}`, 'system:authenticated'],
    });
  });

  test('a ServiceAccount can have a token as pods have it', async () => {
    await testbed.cluster.admin.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'robot', namespace: testbed.namespace } });
    const identity = { serviceAccount: `${testbed.namespace}/robot`, token: true };
    const { connection } = await testbed.cluster.kubeconfig(identity);
    expect(connection.token).toMatch(/^ey/);
    expect(connection.cert).toBeUndefined();
    expect(await whoAmI(identity)).toMatchObject({ username: `system:serviceaccount:${testbed.namespace}:robot` });
  });

  test('a ServiceAccount without its namespace is refused at once', async () => {
    await expect(testbed.cluster.kubeconfig({ serviceAccount: 'robot' })).rejects.toThrow('serviceAccount must be "<namespace>/<name>", got "robot"');
  });

  test('kubectl is who the test says', async () => {
    const { stdout } = await testbed.cluster.kubectl(['auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}'], { as: { user: 'jane' } });
    expect(stdout).toBe('jane');
  });

  test('kubectl takes a manifest from standard input and throws what it complains about', async () => {
    const manifest = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'from-kubectl' } });
    await testbed.cluster.kubectl(['-n', testbed.namespace, 'apply', '-f', '-'], { input: manifest });
    await expect(testbed.cluster.kubectl(['-n', testbed.namespace, 'get', 'configmap', 'missing'])).rejects.toThrow('"missing" not found');
    expect(await testbed.cluster.kubectl(['-n', testbed.namespace, 'get', 'configmap', 'missing'], { allowFailure: true })).toMatchObject({ code: 1 });
  });
});
