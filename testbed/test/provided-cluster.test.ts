import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { FOREIGN_CRDS_DIR } from '../src/crds.js';
import { describeWithControlPlane } from '../src/jest/index.js';
import { kubeconfigText, readKubeconfig } from '../src/kubeconfig.js';
import { ProvidedCluster } from '../src/provided-cluster.js';

describe('readKubeconfig', () => {
  let dir: string;
  beforeEach(() => { dir = mkdtempSync(join(tmpdir(), 'testbed-kubeconfig-')); });
  afterEach(() => rmSync(dir, { recursive: true }));
  const write = (name: string, text: string) => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  };

  test('reads what kubeconfigText writes', () => {
    const connection = { server: 'https://127.0.0.1:1', ca: 'CA', cert: 'CERT', key: 'KEY', token: 'TOKEN', impersonate: { user: 'jane', groups: ['devs'] } };
    expect(readKubeconfig(write('config', kubeconfigText(connection, 'me')))).toEqual({ user: 'me', namespace: undefined, connection });
  });

  test('reads files beside it', () => {
    write('ca.crt', 'CA');
    write('token', 'TOKEN\n');
    const path = write('config', stringify({
      'clusters': [{ name: 'c', cluster: { 'server': 'https://127.0.0.1:1', 'certificate-authority': 'ca.crt' } }],
      'users': [{ name: 'u', user: { tokenFile: 'token' } }],
      'contexts': [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'mine' } }],
      'current-context': 'x',
    }));
    expect(readKubeconfig(path)).toMatchObject({ namespace: 'mine', connection: { ca: 'CA', token: 'TOKEN' } });
  });

  test('refuses credential plugins and says what works', () => {
    const config = parse(kubeconfigText({ server: 'https://127.0.0.1:1' }, 'me'));
    config.users[0].user = { exec: { command: 'cloud-login' } };
    expect(() => readKubeconfig(write('config', stringify(config)))).toThrow(/credential plugin: use a kubeconfig with a client certificate or a token/);
  });

  test('names the missing part of an incomplete file', () => {
    expect(() => readKubeconfig(write('config', stringify({ 'current-context': 'gone' })))).toThrow('has no context "gone"');
  });
});

describeWithControlPlane('a provided cluster', testbed => {
  let dir: string;
  let kubeconfig: string;
  const connected: ProvidedCluster[] = [];

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'testbed-provided-'));
    const config = parse(readFileSync((await testbed.cluster.kubeconfig('admin')).path, 'utf8'));
    config.contexts[0].context.namespace = testbed.namespace;
    kubeconfig = join(dir, 'kubeconfig');
    writeFileSync(kubeconfig, stringify(config));
  });
  afterAll(async () => {
    await Promise.all(connected.map(cluster => cluster.close()));
    rmSync(dir, { recursive: true });
  });
  const connect = (allowsClusterWrites: boolean) => {
    const cluster = ProvidedCluster.connect({ kind: 'provided', kubeconfig, allowsClusterWrites });
    connected.push(cluster);
    return cluster;
  };

  test('is used without cluster-scoped writes: its own namespace, no CRDs, nothing deleted', async () => {
    const cluster = connect(false);
    expect(await cluster.createNamespace('suite')).toBe(testbed.namespace);
    await expect(cluster.installCrds(FOREIGN_CRDS_DIR)).rejects.toThrow('set AGENT_SANDBOX_TEST_ALLOW_CLUSTER_WRITES=1 if they may install CustomResourceDefinitions');
    await cluster.deleteNamespace(testbed.namespace);
    expect((await testbed.cluster.admin.get({ apiVersion: 'v1', kind: 'Namespace', name: testbed.namespace })).metadata.deletionTimestamp).toBeUndefined();
  });

  test('gets a namespace per suite when cluster-scoped writes are allowed', async () => {
    const cluster = connect(true);
    const namespace = await cluster.createNamespace('suite');
    expect(namespace).toMatch(/^suite-/);
    await cluster.deleteNamespace(namespace);
    await testbed.cluster.admin.waitGone({ apiVersion: 'v1', kind: 'Namespace', name: namespace });
  });

  test('is asked as other users by impersonation', async () => {
    const { stdout } = await connect(false).kubectl(['auth', 'whoami', '-o', 'jsonpath={.status.userInfo}'], { as: { user: 'jane', groups: ['devs'] } });
    expect(JSON.parse(stdout)).toMatchObject({ username: 'jane', groups: ['devs', 'system:authenticated'] });
  });
}, { requires: ['fakeNodes'] });
