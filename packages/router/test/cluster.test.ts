import { CALLER_RULES, LABEL, ROUTER_RULES, type RbacRule, definedOnly, nameHash } from 'agent-sandbox-api';
import { describeWithControlPlane } from '../../../testbed/src/jest/index.js';
import { bundleProgram, startProgram, type Program } from './program.js';
import { ask, eventually, freePort, startBackend, type Backend } from './support.js';

const SANDBOX = { apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox' };
const RBAC = 'rbac.authorization.k8s.io';

describeWithControlPlane('the router on an API server, with the rights that it asks for', testbed => {
  let backend: Backend;
  let router: Program;
  let url: string;
  let routerUser: string;
  let caller: string;
  let stranger: string;
  let wrongAudience: string;

  const api = () => testbed.cluster.admin;
  const meta = (name: string) => ({ name, namespace: testbed.namespace });
  const podOf = (name: string) => ({ apiVersion: 'v1', kind: 'Pod', namespace: testbed.namespace, name });
  const sandboxOf = (name: string) => ({ ...SANDBOX, namespace: testbed.namespace, name });

  /** A Sandbox; there is no controller here, so its Pod is ours. */
  const makeSandbox = async (name: string, spec: object = {}) => {
    const container = { name: 'main', image: 'image', ports: [{ containerPort: backend.port }] };
    return api().create({ ...SANDBOX, metadata: meta(name), spec: { podTemplate: { spec: { containers: [container] } }, ...spec } });
  };
  const makePod = async (name: string, uid: string, ip = '127.0.0.1') => {
    await api().create({
      apiVersion: 'v1', kind: 'Pod',
      metadata: { ...meta(name), labels: { [LABEL.sandboxNameHash]: nameHash(name) }, ownerReferences: [{ apiVersion: SANDBOX.apiVersion, kind: 'Sandbox', name, uid, controller: true }] },
      // not scheduled, so only the test writes its status
      spec: { schedulerName: 'none', containers: [{ name: 'main', image: 'image' }] },
    });
    await setAddress(name, ip);
  };
  const setAddress = (name: string, ip: string) => api().merge(podOf(name), {
    status: { phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions: [{ type: 'Ready', status: 'True', lastProbeTime: null, lastTransitionTime: '2026-01-01T00:00:00Z' }] },
  }, 'status');
  const bind = async (name: string, rules: readonly RbacRule[], subject: object, isClusterWide = false) => {
    const metadata = isClusterWide ? { name: `${testbed.namespace}-${name}` } : meta(name);
    await api().create({ apiVersion: `${RBAC}/v1`, kind: isClusterWide ? 'ClusterRole' : 'Role', metadata, rules });
    await api().create({
      apiVersion: `${RBAC}/v1`, kind: isClusterWide ? 'ClusterRoleBinding' : 'RoleBinding', metadata, subjects: [subject],
      roleRef: { apiGroup: RBAC, kind: isClusterWide ? 'ClusterRole' : 'Role', name: metadata.name },
    });
  };
  const account = async (name: string) => {
    await api().create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: meta(name) });
    return { kind: 'ServiceAccount', name, namespace: testbed.namespace };
  };
  const tokenOf = async (name: string, audience = 'agent-sandbox-router') => {
    const { connection } = await testbed.cluster.kubeconfig({ serviceAccount: `${testbed.namespace}/${name}`, token: true, audiences: [audience] });
    return connection.token!;
  };
  const send = (id: string, token: string | undefined, more: Record<string, string> = {}) => ask(url, {
    headers: {
      'x-sandbox-id': id, 'x-sandbox-namespace': testbed.namespace, 'x-sandbox-port': String(backend.port), ...definedOnly({ authorization: token === undefined ? undefined : `Bearer ${token}` }), ...more,
    },
  });

  beforeAll(async () => {
    backend = await startBackend();
    routerUser = `router-${testbed.namespace}`;
    const subject = { kind: 'User', name: routerUser, apiGroup: RBAC };
    await bind('router', [...ROUTER_RULES.resolve, ...ROUTER_RULES.resume], subject);
    await bind('router-reviews', ROUTER_RULES.authorize, subject, true);
    await bind('callers', [...CALLER_RULES.connect, ...CALLER_RULES.resume], await account('caller'));
    await bind('connecting', CALLER_RULES.connect, await account('connector'));
    await account('stranger');
    [caller, stranger, wrongAudience] = await Promise.all([tokenOf('caller'), tokenOf('stranger'), tokenOf('caller', 'https://somewhere.else')]) as [string, string, string];
    const { path } = await testbed.cluster.kubeconfig({ user: routerUser, groups: [] });
    const [port, health] = [await freePort(), await freePort()];
    url = `http://127.0.0.1:${port}`;
    router = startProgram(bundleProgram(), [
      `--kubeconfig=${path}`, `--cache-namespace=${testbed.namespace}`, `--http-bind-address=127.0.0.1:${port}`, `--health-probe-bind-address=127.0.0.1:${health}`, '--metrics-bind-address=0',
      '--workers=1', '--allow-loopback-pod-ip', '--resume-on-request', '--authz-access-ttl=0', '--upstream-max-retries=0',
    ]);
    await eventually('readiness', async () => (await ask(`http://127.0.0.1:${health}/readyz`)).status === 200, 60_000).catch(error => {
      throw new Error(`${error.message}\n${router.output()}`);
    });
  }, 120_000);

  afterAll(async () => {
    router.child.kill('SIGTERM');
    expect(await router.exit).toBe(0);
    await backend.close();
  }, 60_000);

  test('a token of this audience whose account may use the Sandbox opens it; any other does not', async () => {
    await makePod('box', (await makeSandbox('box')).metadata.uid);
    await eventually('the sandbox', async () => (await send('box', caller)).status === 200);
    expect(await send('box', undefined)).toMatchObject({ status: 401, detail: 'unauthenticated' });
    expect(await send('box', wrongAudience)).toMatchObject({ status: 401 });
    expect(await send('box', `${caller}x`)).toMatchObject({ status: 401 });
    expect(await send('box', stranger)).toMatchObject({ status: 403, detail: 'forbidden' });
    expect(await send('box', stranger, { 'x-sandbox-id': 'missing' })).toMatchObject({ status: 403, detail: 'forbidden' });
    expect(await send('box', caller, { 'x-sandbox-namespace': 'default' })).toMatchObject({ status: 403 });
    await eventually('the line in the log', () => router.output().includes(`"user":"system:serviceaccount:${testbed.namespace}:stranger"`));
    expect(router.output()).not.toContain(caller.slice(-20));
  });

  test('the right to read Sandboxes is none to use them', async () => {
    await bind('reading', [{ apiGroups: ['agents.x-k8s.io'], resources: ['sandboxes'], verbs: ['get', 'list', 'watch', 'update', 'create'] }], { kind: 'ServiceAccount', name: 'stranger', namespace: testbed.namespace });
    expect(await send('box', stranger)).toMatchObject({ status: 403 });
  });

  test('the watch moves requests: a new address, a Pod that is not ready, a new Sandbox of the same name', async () => {
    const first = await makeSandbox('moving');
    await makePod('moving', first.metadata.uid);
    const status = (wanted: number, more: Record<string, string> = {}) => eventually(`status ${wanted}`, async () => (await send('moving', caller, more)).status === wanted);
    await status(200);
    await setAddress('moving', '127.0.0.99');
    await status(502);
    await status(403, { 'x-sandbox-pod-ip': '127.0.0.1' });
    await setAddress('moving', '127.0.0.1');
    await status(200, { 'x-sandbox-pod-ip': '127.0.0.1', 'x-sandbox-uid': first.metadata.uid });
    await api().delete(podOf('moving'));
    await api().waitGone(podOf('moving'));
    await api().delete(sandboxOf('moving'));
    await api().waitGone(sandboxOf('moving'));
    await status(502);
    const second = await makeSandbox('moving');
    await makePod('moving', second.metadata.uid);
    await status(200, { 'x-sandbox-uid': second.metadata.uid });
    await status(403, { 'x-sandbox-uid': first.metadata.uid });
  });

  test('a request resumes a suspended Sandbox, once for many, and waits for it; who may only connect does not', async () => {
    const { metadata } = await makeSandbox('asleep', { operatingMode: 'Suspended', replicas: 0 });
    const connector = await tokenOf('connector');
    expect(await eventually('the refusal', async () => {
      const answer = await send('asleep', connector);
      return answer.status === 403 && answer;
    })).toMatchObject({ detail: 'The sandbox is suspended, and the caller may not resume it.' });
    const requests = Array.from({ length: 5 }, () => send('asleep', caller));
    await api().waitFor(sandboxOf('asleep'), ({ spec }: any) => spec.operatingMode === 'Running' && spec.replicas === 1);
    await makePod('asleep', metadata.uid);
    expect((await Promise.all(requests)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    const patches = await testbed.auditLog.find({ user: routerUser, namespace: testbed.namespace, writes: true });
    expect(patches.map(({ verb, resource, name }) => `${verb} ${resource} ${name}`)).toEqual(['patch sandboxes asleep']);
  });

  test('a Sandbox whose time is over is not resumed', async () => {
    await makeSandbox('over', { operatingMode: 'Suspended', replicas: 0, shutdownTime: '2020-01-01T00:00:00Z', shutdownPolicy: 'Retain' });
    await eventually('the refusal', async () => (await send('over', caller)).status === 502);
    expect(await api().get(sandboxOf('over'))).toMatchObject({ spec: { operatingMode: 'Suspended' } });
  });

  test('it was never refused, and used every right that it has', async () => {
    const requests = await testbed.auditLog.find({ user: routerUser });
    expect(requests.filter(({ code }) => code === 403)).toEqual([]);
    const used = new Set(requests.map(({ verb, resource }) => `${verb} ${resource}`));
    const granted = [...ROUTER_RULES.resolve, ...ROUTER_RULES.resume, ...ROUTER_RULES.authorize].flatMap(({ verbs, resources }) => resources.flatMap(resource => verbs.map(verb => `${verb} ${resource}`)));
    expect([...used].sort()).toEqual([...new Set(granted)].sort());
  });
}, { requires: ['fakeNodes', 'auditLog'] });
