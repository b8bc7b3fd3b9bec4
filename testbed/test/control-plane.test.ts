import { existsSync } from 'node:fs';
import { ApiClient } from '../src/api-client.js';
import { ControlPlane, type ControlPlaneOptions } from '../src/control-plane.js';
import { describeWithPrograms } from '../src/jest/index.js';
import { isAlive } from '../src/processes.js';
import { waitFor } from '../src/wait.js';

const START_LIMIT_MS = 15_000;
const SUITE_MS = 120_000;

/** Milliseconds of the starts of this file. */
const starts: number[] = [];

async function start(options?: ControlPlaneOptions): Promise<ControlPlane> {
  const begin = performance.now();
  const controlPlane = await ControlPlane.start(options);
  starts.push(performance.now() - begin);
  return controlPlane;
}

describeWithPrograms('a running control plane', () => {
  let controlPlane: ControlPlane;
  beforeAll(async () => {
    controlPlane = await start({ featureGates: { WatchList: false } });
  }, SUITE_MS);
  afterAll(() => controlPlane?.stop());

  test('serves the pinned version', async () => {
    const { body } = await controlPlane.admin.request('GET', '/version');
    expect(body.gitVersion).toMatch(/^v1\.34\.\d+$/);
  });

  test('has the feature gates of the test', async () => {
    const { body } = await controlPlane.admin.request('GET', '/metrics');
    expect(body).toContain('kubernetes_feature_enabled{name="WatchList",stage="BETA"} 0');
  });

  test('refuses owner references that block a deletion which the writer may not do', async () => {
    const { admin } = controlPlane;
    const owner = await admin.create({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'owner', namespace: 'default' } });
    await admin.create({
      apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name: 'writer', namespace: 'default' },
      rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['create'] }],
    });
    await admin.create({
      apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name: 'writer', namespace: 'default' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'writer' },
      subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'jane' }],
    });
    const jane = await controlPlane.client({ user: 'jane' });
    const owned = (blockOwnerDeletion: boolean) => ({
      apiVersion: 'v1', kind: 'ConfigMap',
      metadata: {
        generateName: 'owned-', namespace: 'default',
        ownerReferences: [{ apiVersion: 'v1', kind: 'Secret', name: 'owner', uid: owner.metadata.uid, blockOwnerDeletion }],
      },
    });
    // The authorizer learns of the binding from its watch.
    await waitFor(() => jane.create(owned(false)), { what: 'the right to write' });
    await expect(jane.create(owned(true))).rejects.toMatchObject({ code: 403, message: expect.stringContaining('cannot set blockOwnerDeletion') });
  });

  test('keeps its objects over the restart of the server', async () => {
    await controlPlane.admin.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'kept', namespace: 'default' } });
    const pidOf = async (name: string) => (await controlPlane.processes()).find(entry => entry.name === name)!.pid;
    const before = await pidOf('kube-apiserver');
    await controlPlane.restart('kube-apiserver');
    expect(await pidOf('kube-apiserver')).not.toBe(before);
    await expect(controlPlane.admin.get({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default', name: 'kept' })).resolves.toBeTruthy();
  }, SUITE_MS);

  test('can be used, but not restarted, by another process', async () => {
    const attached = await ControlPlane.attach(controlPlane.dir);
    const jane = await attached.client({ user: 'jane', groups: ['devs'] });
    const { body } = await jane.request('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
    });
    expect(body.status.userInfo).toMatchObject({ username: 'jane', groups: ['devs', 'system:authenticated'] });
    await expect(attached.restart('etcd')).rejects.toThrow('only the process that started a control plane can restart a component');
    await attached.close();
  });

  test('says how to get an audit log when it has none', async () => {
    await expect(controlPlane.auditLog.count()).rejects.toThrow('start it with auditLog: true');
  });
});

describeWithPrograms('ControlPlane', () => {
  test('stop leaves no process and no folder', async () => {
    const controlPlane = await start();
    const processes = await controlPlane.processes();
    expect(processes.map(({ name }) => name)).toEqual(['supervisor', 'etcd', 'kube-apiserver']);
    expect(processes.every(({ pid, residentBytes }) => isAlive(pid) && residentBytes > 1e6)).toBe(true);
    await controlPlane.stop();
    expect(processes.filter(({ pid }) => isAlive(pid))).toEqual([]);
    expect(existsSync(controlPlane.dir)).toBe(false);
    await expect(controlPlane.stop()).resolves.toBeUndefined();
  }, SUITE_MS);

  test('two run side by side, know nothing of each other, and end with their block', async () => {
    const dirs: string[] = [];
    {
      const [first, second] = await Promise.all([start(), start()]);
      await using one = first;
      await using two = second;
      dirs.push(one.dir, two.dir);
      await one.admin.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'mine', namespace: 'default' } });
      await expect(two.admin.find({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'default', name: 'mine' })).resolves.toBeUndefined();
      const { cert, key } = one.connection;
      const stranger = new ApiClient({ ...two.connection, cert, key });
      await expect(stranger.list('v1', 'Secret')).rejects.toMatchObject({ code: 401 });
      await stranger.close();
    }
    expect(dirs.filter(dir => existsSync(dir))).toEqual([]);
  }, SUITE_MS);

  test('a component that cannot start is an error with its log, and nothing stays', async () => {
    const failed = ControlPlane.start({ extraArgs: { 'kube-apiserver': ['--no-such-flag'] } });
    await expect(failed).rejects.toThrow(/^kube-apiserver ended with code 1[\s\S]*unknown flag: --no-such-flag/);
  }, SUITE_MS);

  test('starts in time when the machine is not too busy', () => {
    expect(Math.min(...starts)).toBeLessThan(START_LIMIT_MS);
  });

  test('an unknown feature gate is an error with its name', async () => {
    await expect(ControlPlane.start({ featureGates: { NoSuchGate: true } })).rejects.toThrow('NoSuchGate');
  }, SUITE_MS);
});
