import { LABEL, nameHash, type SandboxClaimSpec } from 'agent-sandbox-api';
import type { Logger } from 'agent-sandbox-kube';
import { describeWithControlPlane } from '../../../testbed/src/jest/index.js';
import { waitFor } from '../../../testbed/src/wait.js';
import { controllersOf } from '../src/controllers.js';
import { parseFlags } from '../src/flags.js';
import { runManager } from '../src/shell/manager.js';

const USER = 'claim-controller';
const EXTENSIONS = 'extensions.agents.x-k8s.io/v1beta1';
const SANDBOX = { apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox' };
const TEMPLATE = { apiVersion: EXTENSIONS, kind: 'SandboxTemplate' };
const POOL = { apiVersion: EXTENSIONS, kind: 'SandboxWarmPool' };
const POD = { apiVersion: 'v1', kind: 'Pod' };
const CLAIM = { apiVersion: EXTENSIONS, kind: 'SandboxClaim' };

describeWithControlPlane('claims on an API server', testbed => {
  const stop = new AbortController();
  const problems: unknown[] = [];
  const note = (fields: object, message: string) => {
    problems.push({ fields, message });
  };
  const logger: Logger & { fatal: typeof note } = { debug: () => undefined, info: () => undefined, warn: note, error: note, fatal: note };
  let running: Promise<void>;
  const meta = (name: string) => ({ name, namespace: testbed.namespace });
  const ref = (name: string, kind: typeof SANDBOX = CLAIM) => ({ ...kind, ...meta(name) });
  const condition = (object: any) => object.status?.conditions?.find((found: any) => found.type === 'Ready');
  const isReady = (object: any) => condition(object)?.status === 'True';
  const claim = (name: string, spec: SandboxClaimSpec = { warmPoolRef: { name: 'pool' } }, kind: typeof SANDBOX = CLAIM) =>
    testbed.cluster.admin.create({ ...kind, metadata: meta(name), spec } as any);
  const readyClaim = async (name: string): Promise<any> => await testbed.cluster.admin.waitFor(ref(name), isReady);
  const ours = (since: Date) => ({ user: USER, namespace: testbed.namespace, writes: true, since });
  const writes = async (since: Date, names: readonly string[]) =>
    (await testbed.auditLog.find(ours(since)))
      .filter(request => names.includes(request.name))
      .map(({ verb, resource, subresource, code }) => `${verb} ${resource}${subresource ? `/${subresource}` : ''} ${code}`);

  /** A pool, once all its members are ready, and their names. */
  const pool = async (name: string, replicas: number): Promise<string[]> => {
    const { admin } = testbed.cluster;
    await admin.create({ ...POOL, metadata: meta(name), spec: { replicas, sandboxTemplateRef: { name: 'python' } } } as any);
    await admin.waitFor(ref(name, POOL), (object: any) => object.status?.readyReplicas === replicas);
    const labelSelector = `${LABEL.warmPool}=${nameHash(name)}`;
    const sandboxes: any[] = await admin.list(SANDBOX.apiVersion, SANDBOX.kind, testbed.namespace, { labelSelector });
    return sandboxes.map(({ metadata }) => metadata.name);
  };

  beforeAll(async () => {
    const { namespace, cluster } = testbed;
    const { path } = await cluster.kubeconfig({ user: USER, groups: ['system:masters'] });
    const flags = parseFlags([
      `--kubeconfig=${path}`, `--namespaces=${namespace}`, `--leader-election-namespace=${namespace}`, '--extensions', '--metrics-bind-address=0',
      '--health-probe-bind-address=0', '--sandbox-status-settle-window=10m',
    ]);
    running = runManager({ flags, definitions: controllersOf(flags), logger, version: 'test' }, stop.signal);
    running.catch((error: Error) => note(error, error.message));
    const spec = { podTemplate: { spec: { containers: [{ name: 'main', image: 'image' }] } }, envVarsInjectionPolicy: 'Allowed' };
    await cluster.admin.create({ ...TEMPLATE, metadata: meta('python'), spec } as any);
    await cluster.admin.create({ ...POOL, metadata: meta('empty'), spec: { replicas: 0, sandboxTemplateRef: { name: 'python' } } } as any);
  }, 60_000);

  afterAll(async () => {
    stop.abort();
    await running;
  });

  test('a warm claim costs three writes on its path: Sandbox, claim status, Pod; its Event comes after', async () => {
    const { admin } = testbed.cluster;
    const [member] = await pool('pool', 1);
    const since = new Date();
    await claim('quick');
    const bound = await readyClaim('quick');
    expect(bound.status).toMatchObject({ sandbox: { name: member, podIPs: [expect.any(String)] }, sandboxName: member });
    await admin.waitFor(ref(member!, POD), (pod: any) => pod.metadata.labels[LABEL.warmPool] === undefined);
    const event = await waitFor(async () => (await testbed.auditLog.find({ ...ours(since), resource: 'events', name: /^quick\./ }))[0], { what: 'the Event' });
    const [status] = await testbed.auditLog.find({ ...ours(since), resource: 'sandboxclaims', subresource: 'status' });
    expect(event.at.getTime()).toBeGreaterThanOrEqual(status!.at.getTime());
    expect((await writes(since, ['quick', member!])).sort()).toEqual([
      'patch pods 200', 'patch sandboxclaims/status 200', 'patch sandboxes 200',
    ]);
  });

  test('twenty claims at once get twenty Sandboxes, without a conflict', async () => {
    const members = await pool('burst', 20);
    const since = new Date();
    const names = members.map((_, i) => `burst-claim-${i}`);
    await Promise.all(names.map(name => claim(name, { warmPoolRef: { name: 'burst' } })));
    const bound = await Promise.all(names.map(readyClaim));
    expect(bound.map(({ status }) => status.sandbox.name).sort()).toEqual([...members].sort());
    expect(await testbed.auditLog.find({ user: USER, namespace: testbed.namespace, since, code: 409 })).toEqual([]);
  });

  test('a cold claim costs six writes at most, and its Sandbox has its name', async () => {
    const since = new Date();
    await claim('cold', { sandboxTemplateRef: { name: 'python' } });
    expect((await readyClaim('cold')).status.sandbox.name).toBe('cold');
    expect((await writes(since, ['cold'])).sort()).toEqual([
      'create pods 201', 'create sandboxes 201', 'patch sandboxclaims/status 200', 'patch sandboxes/status 200',
    ]);
  });

  test('a claim of the first generation gets a Sandbox of its own name', async () => {
    const old = { ...CLAIM, apiVersion: 'extensions.agents.x-k8s.io/v1alpha1' };
    await claim('old', { sandboxTemplateRef: { name: 'python' } }, old);
    const bound: any = await testbed.cluster.admin.waitFor(ref('old', old), isReady);
    expect(bound.status).toMatchObject({ sandbox: { name: 'old' }, sandboxName: 'old' });
    await testbed.cluster.admin.waitFor({ ...ref('old', SANDBOX), apiVersion: 'agents.x-k8s.io/v1alpha1' }, isReady);
  });

  test('kubectl can wait for a claim, and variables of the claim reach the Pod', async () => {
    const { cluster, namespace } = testbed;
    await claim('variables', { warmPoolRef: { name: 'empty' }, env: [{ name: 'A', value: '1' }] });
    await cluster.kubectl(['-n', namespace, 'wait', '--for=condition=Ready', '--timeout=30s', 'sandboxclaim/variables']);
    expect(await cluster.admin.get(ref('variables', POD))).toMatchObject({ spec: { containers: [{ env: [{ name: 'A', value: '1' }] }] } });
  });

  test.each(['Retain', 'Delete', 'DeleteForeground'] as const)('a claim expires with policy %s', async shutdownPolicy => {
    const { admin } = testbed.cluster;
    const name = `short-${shutdownPolicy.toLowerCase()}`;
    await claim(name, { warmPoolRef: { name: 'empty' } });
    await readyClaim(name);
    await admin.merge(ref(name), { spec: { lifecycle: { shutdownTime: new Date().toISOString(), shutdownPolicy } } });
    await admin.waitGone(ref(name, SANDBOX), { timeoutMs: 30_000 });
    await admin.waitGone(ref(name, POD), { timeoutMs: 30_000 });
    if (shutdownPolicy === 'Retain') {
      await admin.waitFor(ref(name), (object: any) => condition(object)?.reason === 'ClaimExpired' && object.status.sandbox === undefined);
    } else {
      await admin.waitGone(ref(name), { timeoutMs: 30_000 });
    }
  });

  test('a claim waits for its pool, and gets its Sandbox when the pool is there', async () => {
    const { admin } = testbed.cluster;
    await claim('early', { warmPoolRef: { name: 'late' } });
    await admin.waitFor(ref('early'), (object: any) => condition(object)?.reason === 'WarmPoolNotFound');
    await admin.create({ ...POOL, metadata: meta('late'), spec: { replicas: 0, sandboxTemplateRef: { name: 'python' } } } as any);
    await readyClaim('early');
  });

  test('nothing went wrong', () => {
    expect(problems).toEqual([]);
  });
}, { requires: ['fakeNodes', 'auditLog'] });
