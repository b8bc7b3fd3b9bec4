import { execFile } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { ControlPlane, type KubeObject, PROJECT_CRDS_DIR, findPrograms } from '../../testbed/src/index.js';
import { describeWithPrograms } from '../../testbed/src/jest/index.js';
import { CRDS } from '../../api/test/crd-files';
import { apiVersion, leastSpec } from './support/bench';

const CHART = path.join(__dirname, '..', '..', 'chart');
const NAMESPACE = 'sandboxes-system';
const DEFINITION = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', name: 'sandboxes.agents.x-k8s.io' };

jest.setTimeout(120_000);

describeWithPrograms('a release of the Helm chart', () => {
  let cluster: ControlPlane;
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'helm-'));
  beforeAll(async () => {
    cluster = await ControlPlane.start({ fakeNodes: 1 });
  }, 120_000);
  afterAll(async () => {
    await cluster?.stop();
    fs.rmSync(home, { recursive: true });
  });

  const helm = async (...args: string[]) => {
    const found = findPrograms(['helm']);
    const program = found.kind === 'binaries' ? found.find('helm')! : '';
    const { path: kubeconfig } = await cluster.kubeconfig();
    const { stdout } = await promisify(execFile)(program, ['--kubeconfig', kubeconfig, '--namespace', NAMESPACE, ...args], {
      env: { PATH: process.env.PATH, HOME: home }, maxBuffer: 64 << 20,
    });
    return stdout;
  };
  const values = ['--set', 'image.repository=registry.example/controller,image.tag=v1'];
  const sandbox = (name: string): KubeObject =>
    ({ apiVersion: apiVersion('Sandbox', 'v1beta1'), kind: 'Sandbox', metadata: { name, namespace: 'default' }, spec: leastSpec('Sandbox') });

  test('is refused where others own the definitions, and takes them over with the flag', async () => {
    await cluster.installCrds(PROJECT_CRDS_DIR);
    await cluster.admin.create(sandbox('before'));
    await expect(helm('install', 'agent-sandbox', CHART, '--create-namespace', ...values)).rejects.toThrow(/invalid ownership metadata/);
    await helm('install', 'agent-sandbox', CHART, '--create-namespace', '--take-ownership', '--wait', '--timeout', '60s', ...values);
    expect((await cluster.admin.get(DEFINITION)).metadata.annotations['meta.helm.sh/release-name']).toBe('agent-sandbox');
    await cluster.admin.get({ ...sandbox('before'), name: 'before', namespace: 'default' });
  });

  test('upgrades the definitions', async () => {
    // As if the release were older: one column less in the definition that it applied.
    const folder = path.join(home, 'older');
    fs.cpSync(CHART, folder, { recursive: true });
    const file = path.join(folder, 'files', 'crds', 'sandboxes.agents.x-k8s.io.yaml');
    const text = fs.readFileSync(file, 'utf8');
    const column = CRDS.Sandbox.spec.versions[0].additionalPrinterColumns[0].name as string;
    const renamed = text.replaceAll(`name: ${column}\n`, 'name: Former\n');
    expect(renamed).not.toBe(text);
    fs.writeFileSync(file, renamed);
    const columns = async () => (await cluster.admin.get(DEFINITION)).spec.versions[0].additionalPrinterColumns.map(({ name }: any) => name);

    await helm('upgrade', 'agent-sandbox', folder, ...values);
    expect(await columns()).toContain('Former');
    await helm('upgrade', 'agent-sandbox', CHART, ...values);
    expect(await columns()).not.toContain('Former');
  });

  test('changes with its values', async () => {
    await helm('upgrade', 'agent-sandbox', CHART, ...values, '--set', 'replicas=2,router.enabled=true,router.image.repository=registry.example/router,router.image.tag=v1', '--wait', '--timeout', '60s');
    const deployment = await cluster.admin.get({ apiVersion: 'apps/v1', kind: 'Deployment', namespace: NAMESPACE, name: 'agent-sandbox-controller' });
    expect(deployment.spec.replicas).toBe(2);
    expect(await cluster.admin.find({ apiVersion: 'v1', kind: 'Service', namespace: NAMESPACE, name: 'sandbox-router-svc' })).toBeDefined();
  });

  test('leaves definitions, Sandboxes and the namespace when it is uninstalled', async () => {
    await helm('uninstall', 'agent-sandbox', '--wait');
    expect(await cluster.admin.find({ apiVersion: 'apps/v1', kind: 'Deployment', namespace: NAMESPACE, name: 'agent-sandbox-controller' })).toBeUndefined();
    expect((await cluster.admin.get(DEFINITION)).metadata.deletionTimestamp).toBeUndefined();
    expect((await cluster.admin.get({ apiVersion: 'v1', kind: 'Namespace', name: NAMESPACE })).status.phase).toBe('Active');
    await cluster.admin.get({ ...sandbox('before'), name: 'before', namespace: 'default' });
    // And comes back without a word about what it finds.
    await helm('install', 'agent-sandbox', CHART, ...values);
  });

  test('takes the place of a release that had the namespace in it, and leaves that', async () => {
    const former = path.join(home, 'former');
    fs.mkdirSync(path.join(former, 'templates'), { recursive: true });
    fs.writeFileSync(path.join(former, 'Chart.yaml'), 'apiVersion: v2\nname: agent-sandbox\nversion: 0.1.0\n');
    fs.writeFileSync(path.join(former, 'templates', 'all.yaml'), [
      'apiVersion: v1\nkind: Namespace\nmetadata: { name: former-system }',
      'apiVersion: v1\nkind: ServiceAccount\nmetadata: { name: agent-sandbox-controller, namespace: former-system }',
      'apiVersion: v1\nkind: Service\nmetadata: { name: webhook, namespace: former-system }\nspec: { ports: [{ port: 443 }] }',
    ].join('\n---\n'));
    await helm('uninstall', 'agent-sandbox', '--wait');
    await cluster.admin.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'former-system' } });
    await helm('install', 'agent-sandbox', former, '--namespace', 'former-system', '--take-ownership');

    await cluster.kubectl(['annotate', 'namespace', 'former-system', 'helm.sh/resource-policy=keep']);
    await helm('upgrade', 'agent-sandbox', CHART, '--namespace', 'former-system', '--reset-values', '--take-ownership', ...values);
    const { status } = await cluster.admin.get({ apiVersion: 'v1', kind: 'Namespace', name: 'former-system' });
    expect(status.phase).toBe('Active');
    expect(await cluster.admin.find({ apiVersion: 'v1', kind: 'Service', namespace: 'former-system', name: 'webhook' })).toBeUndefined();
    await cluster.admin.get({ apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'former-system', name: 'agent-sandbox-controller' });
    await cluster.admin.get({ ...sandbox('before'), name: 'before', namespace: 'default' });
  });
}, ['helm', 'kube-controller-manager', 'kube-scheduler', 'kwok']);
