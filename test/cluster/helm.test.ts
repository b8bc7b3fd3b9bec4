import { execFile, execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { parse, parseAllDocuments } from 'yaml';
import { ControlPlane, type KubeObject, PROJECT_CRDS_DIR, findPrograms, waitFor } from '../../testbed/src/index.js';
import { describeWithPrograms } from '../../testbed/src/jest/index.js';
import { CRDS } from '../../api/test/crd-files';
import { apiVersion, leastSpec } from './support/bench';

const CHART = path.join(__dirname, '..', '..', 'chart');
const NAMESPACE = 'sandboxes-system';
const DEFINITION = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', name: 'sandboxes.agents.x-k8s.io' };

jest.setTimeout(120_000);

/**
 * The chart of the last release: that of the last tag. Before there is one, the first chart of today's layout stands for it, whose definitions are
 * others than today's. Undefined in a clone without that history.
 */
function formerChart(folder: string): string | undefined {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: path.dirname(CHART), encoding: 'utf8', maxBuffer: 64 << 20, stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    const [tag] = git('tag', '--list', 'v*', '--sort=-v:refname').split('\n');
    const [first] = git('log', '--reverse', '--diff-filter=A', '--format=%H', '--', 'chart/files/crds/sandboxes.agents.x-k8s.io.yaml').split('\n');
    const isWhole = git('rev-parse', '--is-shallow-repository') === 'false';
    const revision = tag || (isWhole ? first : '');
    if (revision === '') {
      return undefined;
    }
    for (const file of git('ls-tree', '-r', '--name-only', revision, 'chart').split('\n')) {
      const target = path.join(folder, file);
      fs.mkdirSync(path.dirname(target), { recursive: true });
      fs.writeFileSync(target, `${git('show', `${revision}:${file}`)}\n`);
    }
    return path.join(folder, 'chart');
  } catch {
    return undefined;
  }
}

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

  const former = formerChart(path.join(home, 'release-before'));
  (former ? test : test.skip)(`takes the place of the chart of an earlier release, whose definitions are others${former ? '' : ' (needs the history of the repository)'}`, async () => {
    const definitionsOf = (chart: string) => fs.readdirSync(path.join(chart, 'files', 'crds')).sort().map(file => parse(fs.readFileSync(path.join(chart, 'files', 'crds', file), 'utf8')));
    const stored = () => Promise.all(definitionsOf(CHART).map(async ({ metadata: { name } }) => (await cluster.admin.get({ ...DEFINITION, name })).spec.versions));
    const versionsOf = (chart: string) => definitionsOf(chart).map(({ spec }) => spec.versions);
    expect(versionsOf(former!)).not.toEqual(versionsOf(CHART));
    const all = [...values, '--set', 'router.enabled=true,router.image.repository=registry.example/router,router.image.tag=v1'];
    const namespaced = { apiVersion: apiVersion('SandboxTemplate', 'v1beta1'), kind: 'SandboxTemplate', metadata: { name: 'kept', namespace: 'default' } };

    await helm('uninstall', 'agent-sandbox', '--wait');
    await helm('install', 'agent-sandbox', former!, ...all);
    expect(await stored()).toMatchObject(versionsOf(former!));
    const before = await cluster.admin.create({ ...namespaced, spec: leastSpec('SandboxTemplate') });
    // The values of the release before say nothing of those that are new.
    await helm('upgrade', 'agent-sandbox', CHART, '--reuse-values');
    await helm('upgrade', 'agent-sandbox', CHART, ...all);

    expect(await stored()).toMatchObject(versionsOf(CHART));
    const after = await cluster.admin.get({ ...namespaced, ...namespaced.metadata });
    expect([after.metadata.uid, after.metadata.generation]).toEqual([before.metadata.uid, 1]);
    const objects = parseAllDocuments(await helm('get', 'manifest', 'agent-sandbox')).map(document => document.toJS()).filter(Boolean);
    for (const { apiVersion: group, kind, metadata: { name, namespace } } of objects) {
      await cluster.admin.get({ apiVersion: group, kind, name, namespace });
    }
    expect(objects.length).toBeGreaterThan(20);
  }, 300_000);

  test('claims a sandbox and runs a command in it with the rights of its test alone', async () => {
    const shown = ['--show-only', 'templates/tests/claim.yaml'];
    const hooks = parseAllDocuments(await helm('template', 'agent-sandbox', CHART, ...shown, ...values, '--set', 'test.image.repository=registry.example/runtime,test.image.tag=v1'))
      .map(document => document.toJS());
    const pod = hooks.find(({ kind }) => kind === 'Pod');
    for (const object of hooks.filter(({ kind }) => kind !== 'Pod')) {
      await cluster.admin.create(object);
    }
    const [container] = pod.spec.containers;
    const variables = Object.fromEntries(container.env.map(({ name, value }: any) => [name, value]));
    const claim = JSON.parse(variables.CLAIM);
    const ref = { apiVersion: claim.apiVersion, kind: claim.kind, ...claim.metadata };
    // One that a test left, which has to go first.
    await cluster.admin.create({ ...claim, spec: { ...claim.spec, env: [{ name: 'OLD', value: '1' }] } });

    const commands: unknown[] = [];
    const runtime = createServer((request, response) => {
      request.setEncoding('utf8').on('data', text => commands.push(JSON.parse(text)));
      request.on('end', () => response.end(JSON.stringify({ stdout: 'a sandbox of agent-sandbox\n', exit_code: 0 })));
    });
    const port = await new Promise<number>(resolve => runtime.listen(0, '127.0.0.1', () => resolve((runtime.address() as AddressInfo).port)));
    const account = path.join(home, 'account');
    fs.mkdirSync(account);
    const { server, ca } = cluster.connection;
    fs.writeFileSync(path.join(account, 'ca.crt'), ca!);
    fs.writeFileSync(path.join(account, 'token'), (await cluster.kubectl(['--namespace', NAMESPACE, 'create', 'token', pod.spec.serviceAccountName])).stdout);
    const { hostname, port: apiPort } = new URL(server);
    const program = promisify(execFile)(process.execPath, ['--input-type=module', '--eval', container.args[0]], {
      env: { ...variables, RUNTIME_PORT: String(port), SERVICE_ACCOUNT_DIR: account, KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: apiPort },
    });
    // What the controller would do.
    const created = async () => {
      const found = await cluster.admin.find(ref);
      return found && !found.spec.env ? found : undefined;
    };
    await waitFor(created, { what: 'the claim of the test' });
    await cluster.admin.merge(ref, {
      status: { conditions: [{ type: 'Ready', status: 'True', reason: 'Ready', message: '', lastTransitionTime: new Date().toISOString() }], sandbox: { name: claim.metadata.name, podIPs: ['127.0.0.1'] } },
    }, 'status');
    try {
      expect((await program).stdout).toBe(`claimed ${NAMESPACE}/${claim.metadata.name}\nready at 127.0.0.1\nran a command in it\n`);
    } finally {
      runtime.close();
    }
    expect(commands).toEqual([{ command: 'echo a sandbox of agent-sandbox' }]);
    expect(await cluster.admin.find(ref)).toBeUndefined();
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
