import { ANNOTATION, LABEL, nameHash } from 'agent-sandbox-api';
import type { Logger } from 'agent-sandbox-kube';
import { describeWithControlPlane } from '../../../testbed/src/jest/index.js';
import { controllersOf } from '../src/controllers.js';
import { parseFlags } from '../src/flags.js';
import { runManager } from '../src/shell/manager.js';

const USER = 'sandbox-controller';
const SANDBOX = { apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox' };
const TEMPLATE = { apiVersion: 'extensions.agents.x-k8s.io/v1beta1', kind: 'SandboxTemplate' };

/** What the controllers may do in a namespace. */
const RULES = [
  { apiGroups: [''], resources: ['pods', 'services', 'persistentvolumeclaims'], verbs: ['create', 'delete', 'get', 'list', 'patch', 'watch'] },
  { apiGroups: ['agents.x-k8s.io'], resources: ['sandboxes'], verbs: ['create', 'delete', 'get', 'list', 'patch', 'watch'] },
  { apiGroups: ['agents.x-k8s.io'], resources: ['sandboxes/status'], verbs: ['patch'] },
  { apiGroups: ['agents.x-k8s.io'], resources: ['sandboxes/finalizers'], verbs: ['update'] },
  { apiGroups: ['extensions.agents.x-k8s.io'], resources: ['sandboxtemplates'], verbs: ['get', 'list', 'patch', 'watch'] },
  { apiGroups: ['extensions.agents.x-k8s.io'], resources: ['sandboxtemplates/finalizers'], verbs: ['update'] },
  { apiGroups: ['extensions.agents.x-k8s.io'], resources: ['sandboxwarmpools'], verbs: ['list', 'watch'] },
  { apiGroups: ['extensions.agents.x-k8s.io'], resources: ['sandboxwarmpools/status'], verbs: ['patch'] },
  { apiGroups: ['extensions.agents.x-k8s.io'], resources: ['sandboxwarmpools/finalizers'], verbs: ['update'] },
  { apiGroups: ['extensions.agents.x-k8s.io'], resources: ['sandboxclaims'], verbs: ['delete', 'list', 'patch', 'watch'] },
  { apiGroups: ['extensions.agents.x-k8s.io'], resources: ['sandboxclaims/status'], verbs: ['patch'] },
  { apiGroups: ['extensions.agents.x-k8s.io'], resources: ['sandboxclaims/finalizers'], verbs: ['update'] },
  { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs: ['create', 'delete', 'list', 'update', 'watch'] },
  { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
  { apiGroups: [''], resources: ['events'], verbs: ['list', 'watch'] },
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create', 'get', 'update'] },
];

describeWithControlPlane('the controllers on an API server, with the rights of a Role', testbed => {
  const stop = new AbortController();
  const problems: unknown[] = [];
  const note = (fields: object, message: string) => {
    problems.push({ fields, message });
  };
  const logger: Logger & { fatal: typeof note } = { debug: () => undefined, info: () => undefined, warn: note, error: note, fatal: note };
  let running: Promise<void>;
  const box = (name: string, spec: object = {}, metadata: object = {}) => testbed.cluster.admin.create({
    ...SANDBOX, metadata: { ...meta(name), ...metadata }, spec: { podTemplate: { spec: { containers: [{ name: 'main', image: 'image' }] } }, ...spec },
  });
  const ref = (name: string, kind: typeof SANDBOX = SANDBOX) => ({ ...kind, namespace: testbed.namespace, name });
  const meta = (name: string) => ({ name, namespace: testbed.namespace });
  const pod = (name: string) => ref(name, { apiVersion: 'v1', kind: 'Pod' });
  const condition = (object: any, type: string) => object.status?.conditions?.find((found: any) => found.type === type);
  const ready = (name: string) => testbed.cluster.admin.waitFor(ref(name), object => condition(object, 'Ready')?.status === 'True');
  const writesOf = (name: string) => testbed.auditLog.find({ user: USER, namespace: testbed.namespace, writes: true }).then(requests =>
    requests.filter(request => request.name === name).map(({ verb, resource, subresource }) => `${verb} ${resource}${subresource ? `/${subresource}` : ''}`));

  beforeAll(async () => {
    const { namespace, cluster } = testbed;
    const { path } = await cluster.kubeconfig({ user: USER, groups: [] });
    await cluster.admin.create({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name: 'controller', namespace }, rules: RULES } as any);
    await cluster.admin.create({
      apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name: 'controller', namespace },
      subjects: [{ kind: 'User', name: USER, apiGroup: 'rbac.authorization.k8s.io' }], roleRef: { kind: 'Role', name: 'controller', apiGroup: 'rbac.authorization.k8s.io' },
    } as any);
    const flags = parseFlags([
      `--kubeconfig=${path}`, `--namespaces=${namespace}`, `--leader-election-namespace=${namespace}`, '--extensions', '--metrics-bind-address=0',
      '--health-probe-bind-address=0', '--sandbox-status-settle-window=10m',
    ]);
    running = runManager({ flags, definitions: controllersOf(flags), logger, version: 'test' }, stop.signal);
    running.catch((error: Error) => note(error, error.message));
  }, 60_000);

  afterAll(async () => {
    stop.abort();
    await running;
  });

  test('a Sandbox becomes ready with two writes', async () => {
    await box('plain', {}, { annotations: { [ANNOTATION.podName]: 'plain' } });
    expect(await ready('plain')).toMatchObject({ status: { replicas: 1, podIPs: [expect.any(String)], nodeName: expect.any(String) } });
    expect(await writesOf('plain')).toEqual(['create pods', 'patch sandboxes/status']);
  });

  test('S86 a Sandbox with Service and volume has both, keeps its volumes, and suspends and resumes', async () => {
    const volumeClaimTemplates = [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } }];
    await box('full', { service: true, volumeClaimTemplates, operatingMode: 'Suspended', replicas: 0 });
    const { admin } = testbed.cluster;
    await admin.waitFor(ref('full'), object => condition(object, 'Suspended')?.status === 'True');
    expect(await admin.get(ref('data-full', { apiVersion: 'v1', kind: 'PersistentVolumeClaim' }))).toMatchObject({ metadata: { labels: { [LABEL.sandboxNameHash]: nameHash('full') } } });
    expect(await admin.get(ref('full', { apiVersion: 'v1', kind: 'Service' }))).toMatchObject({ spec: { clusterIP: 'None' } });
    await expect(admin.merge(ref('full'), { spec: { volumeClaimTemplates: [] } })).rejects.toThrow('mmutable');
    await admin.merge(ref('full'), { spec: { operatingMode: 'Running', replicas: 1 } });
    await admin.waitFor(pod('full'), (object: any) => object.spec.volumes.some((volume: any) => volume.persistentVolumeClaim?.claimName === 'data-full'));
    expect(condition(await admin.waitFor(ref('full'), object => condition(object, 'Suspended')?.status === 'False'), 'Ready').status).toBe('False');
    await admin.merge(ref('full'), { spec: { operatingMode: 'Suspended', replicas: 0 } });
    await admin.waitGone(pod('full'));
  });

  test('the first generation of the API suspends by replicas', async () => {
    const { admin } = testbed.cluster;
    const old = { ...SANDBOX, apiVersion: 'agents.x-k8s.io/v1alpha1' };
    await admin.create({ ...old, metadata: meta('old'), spec: { podTemplate: { spec: { containers: [{ name: 'main', image: 'image' }] } } } } as any);
    await ready('old');
    await admin.merge(ref('old', old), { spec: { replicas: 0 } });
    await admin.waitGone(pod('old'));
    expect(await admin.waitFor(ref('old', old), object => condition(object, 'Suspended')?.status === 'True')).toMatchObject({ status: { replicas: 0 } });
  });

  test('a Sandbox that was blocked starts as soon as the Pod in its way is gone', async () => {
    const { admin } = testbed.cluster;
    await admin.create({ apiVersion: 'v1', kind: 'Pod', metadata: meta('late'), spec: { containers: [{ name: 'main', image: 'image' }] } } as any);
    await box('late');
    await admin.waitFor(ref('late'), object => condition(object, 'Ready')?.message.includes('cannot adopt unowned pod "late"'));
    await admin.delete(pod('late'));
    await ready('late');
  });

  test('a Sandbox expires, first in word and then in deed', async () => {
    const { admin } = testbed.cluster;
    await box('short', { shutdownTime: new Date(Date.now() + 4000).toISOString(), shutdownPolicy: 'Delete' });
    await ready('short');
    await admin.waitGone(ref('short'), { timeoutMs: 20_000 });
    await admin.waitGone(pod('short'));
  });

  test('a template has its policy, which stays after it until its Sandboxes are gone', async () => {
    const { admin } = testbed.cluster;
    const policy = ref('python-network-policy', { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' });
    const networkPolicy = { egress: [{ ports: [{ port: 53 }] }] };
    await admin.create({ ...TEMPLATE, metadata: meta('python'), spec: { podTemplate: { spec: { containers: [{ name: 'main', image: 'image' }] } }, networkPolicy } } as any);
    await admin.waitFor(policy, () => true);
    await box('member', {}, { labels: { [LABEL.templateRefHash]: nameHash('python') } });
    await admin.waitFor(policy, (object: any) => object.metadata.ownerReferences.length === 2);
    await admin.delete(ref('python', TEMPLATE));
    await admin.waitFor(policy, (object: any) => object.metadata.ownerReferences.every(({ kind }: any) => kind === 'Sandbox'), { timeoutMs: 30_000 });
    expect(await writesOf('python-network-policy')).toEqual(['create networkpolicies', 'update networkpolicies']);
    await admin.delete(ref('member'));
    await admin.waitGone(policy, { timeoutMs: 30_000 });
  }, 90_000);

  test('nothing was refused, and nothing went wrong but what was meant to', async () => {
    const requests = await testbed.auditLog.find({ user: USER });
    expect(requests.filter(({ code }) => code === 403)).toEqual([]);
    expect(requests.filter(({ code, verb }) => code === 409 && verb !== 'create')).toEqual([]);
    expect(await writesOf('plain')).toHaveLength(2);
    expect(problems.filter(problem => !JSON.stringify(problem).includes('late'))).toEqual([]);
  });
}, { requires: ['fakeNodes', 'auditLog'] });
