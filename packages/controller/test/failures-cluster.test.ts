import { describeWithControlPlane } from '../../../testbed/src/jest/index.js';
import { ClusterBench } from './cluster-bench.js';

const podTemplate = (behavior: string, spec: object = {}) => ({
  podTemplate: { metadata: { annotations: { 'testbed/pod-behavior': behavior } }, spec: { containers: [{ name: 'main', image: 'image' }], ...spec } },
});
const REFUSED = { containers: [{ name: 'Not_A_Name', image: 'image' }] };

describeWithControlPlane('failures on an API server', testbed => {
  const bench = new ClusterBench(testbed, 'failures-controller');

  beforeAll(() => bench.start(), 60_000);
  afterAll(() => bench.end());

  test('F4 a Pod that the API server refuses is tried once, until the spec changes', async () => {
    await bench.create('Sandbox', 'refused', podTemplate('ready', REFUSED));
    await bench.condition('Sandbox', 'refused', 'Ready', /^False\/InvalidConfiguration: the API server refuses this configuration: .*Not_A_Name/s);
    await bench.merge('Sandbox', 'refused', { metadata: { labels: { touched: 'yes' } } });
    await bench.merge('Sandbox', 'refused', { spec: podTemplate('ready') });
    await bench.ready('Sandbox', 'refused');
    expect((await bench.requests('create', 'pods', /^refused$/)).map(({ code }) => code)).toEqual([422, 201]);
    expect(bench.problems).toEqual([]);
  });

  test('F4 a mended template reaches broken members and the cold Sandbox of a claim', async () => {
    await bench.create('SandboxTemplate', 'broken', podTemplate('ready', REFUSED));
    await bench.create('SandboxWarmPool', 'broken', { replicas: 2, sandboxTemplateRef: { name: 'broken' } });
    await bench.create('SandboxClaim', 'cold', { sandboxTemplateRef: { name: 'broken' } });
    await bench.condition('SandboxWarmPool', 'broken', 'Available', /^False\/InvalidConfiguration: .*Not_A_Name/s);
    await bench.condition('SandboxClaim', 'cold', 'Ready', /^False\/InvalidConfiguration: .*Not_A_Name/s);
    await bench.merge('SandboxTemplate', 'broken', { spec: podTemplate('ready') });
    await bench.until('SandboxWarmPool', 'broken', ({ status }) => status?.readyReplicas === 2);
    await bench.ready('SandboxClaim', 'cold');
  });

  test('F4 so it does where the API server forbids the Pod: a missing account, a missing runtime class, a quota that is used up', async () => {
    await bench.create('ResourceQuota', 'gpus', { hard: { 'requests.example.com/gpu': '0' } });
    const forbidden: { readonly [name: string]: [spec: object, words: RegExp] } = {
      account: [{ serviceAccountName: 'missing' }, /serviceaccount "missing" not found/],
      class: [{ runtimeClassName: 'missing' }, /RuntimeClass "missing" not found/],
      quota: [{ containers: [{ name: 'main', image: 'image', resources: { limits: { 'example.com/gpu': '1' } } }] }, /exceeded quota: gpus/],
    };
    for (const [name, [spec, words]] of Object.entries(forbidden)) {
      await bench.create('SandboxTemplate', name, podTemplate('ready', spec));
      await bench.create('SandboxWarmPool', name, { replicas: 1, sandboxTemplateRef: { name } });
      await bench.create('SandboxClaim', name, { sandboxTemplateRef: { name } });
      for (const kind of ['Sandbox', 'SandboxClaim']) {
        await bench.condition(kind, name, 'Ready', new RegExp(`^False/ReconcilerError: .*${words.source}`, 's'));
      }
      await bench.merge('SandboxTemplate', name, { spec: { podTemplate: { spec: { serviceAccountName: null, runtimeClassName: null, containers: [{ name: 'main', image: 'image' }] } } } });
      await bench.ready('SandboxClaim', name);
      await bench.until('SandboxWarmPool', name, ({ status }) => status?.readyReplicas === 1);
    }
  }, 120_000);

  test('F5 a handler that the node does not have, and a volume that cannot be mounted, are named in the words of the kubelet', async () => {
    for (const [reason, words] of [
      ['FailedCreatePodSandBox', 'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox runtime: no runtime for "kata" is configured'],
      ['FailedMount', 'MountVolume.SetUp failed for volume "config" : configmap "missing" not found'],
    ] as const) {
      const name = reason.toLowerCase();
      await bench.create('SandboxTemplate', name, podTemplate('pending'));
      await bench.create('SandboxWarmPool', name, { replicas: 1, sandboxTemplateRef: { name } });
      await bench.create('SandboxClaim', name, { sandboxTemplateRef: { name } });
      const member = await bench.some('Sandbox', ({ metadata }) => metadata.name.startsWith(`${name}-`));
      for (const podName of [name, member.metadata.name]) {
        const pod = await bench.until('Pod', podName, () => true);
        await bench.admin.create({
          apiVersion: 'v1', kind: 'Event', metadata: { name: `${podName}.1`, namespace: bench.namespace }, type: 'Warning', reason, message: words,
          involvedObject: { apiVersion: 'v1', kind: 'Pod', name: podName, namespace: bench.namespace, uid: pod.metadata.uid },
          lastTimestamp: new Date().toISOString().replace(/\.\d+/, ''), source: { component: 'kubelet' },
        } as never);
      }
      const text = new RegExp(`^False/DependenciesNotReady: .*not started: ${reason}: ${words.replace(/[.[\]()]/g, '\\$&')}`);
      await bench.condition('Sandbox', name, 'Ready', text);
      await bench.condition('SandboxClaim', name, 'Ready', text);
      await bench.condition('SandboxWarmPool', name, 'Available', new RegExp(`^False/${reason}: `));
    }
  }, 90_000);

  test('F5 conditions of Sandbox, claim and pool say why a Pod does not start', async () => {
    for (const [behavior, cause] of [['image-pull-failure', 'ImagePullBackOff'], ['crash-loop', 'CrashLoopBackOff']] as const) {
      await bench.create('SandboxTemplate', behavior, podTemplate(behavior));
      await bench.create('SandboxWarmPool', behavior, { replicas: 1, sandboxTemplateRef: { name: behavior } });
      await bench.create('SandboxClaim', behavior, { sandboxTemplateRef: { name: behavior } });
      await bench.condition('Sandbox', behavior, 'Ready', new RegExp(`^False/DependenciesNotReady: .*container "main" .*${cause}`));
      await bench.condition('SandboxClaim', behavior, 'Ready', new RegExp(`^False/DependenciesNotReady: .*container "main" .*${cause}`));
      await bench.condition('SandboxWarmPool', behavior, 'Available', new RegExp(`^False/${cause}: .*container "main" .*${cause}`));
    }
  }, 90_000);

  test('F5 a scheduling gate and a missing node are named', async () => {
    await bench.create('Sandbox', 'gated', podTemplate('ready', { schedulingGates: [{ name: 'example.com/gate' }] }));
    await bench.create('Sandbox', 'homeless', podTemplate('ready', { nodeSelector: { nowhere: 'yes' } }));
    await bench.condition('Sandbox', 'gated', 'Ready', /^False\/DependenciesNotReady: .*not scheduled: SchedulingGated/);
    await bench.condition('Sandbox', 'homeless', 'Ready', /^False\/DependenciesNotReady: .*not scheduled: Unschedulable/);
  });

  test('F5 a NetworkPolicy that the server refuses is named in pool and claim, and a mended template goes on', async () => {
    const networkPolicy = (cidr: string) => ({ networkPolicy: { egress: [{ to: [{ ipBlock: { cidr } }] }] } });
    await bench.create('SandboxTemplate', 'policy', { ...podTemplate('ready'), ...networkPolicy('10.0.0.0/99') });
    await bench.create('SandboxWarmPool', 'policy', { replicas: 1, sandboxTemplateRef: { name: 'policy' } });
    await bench.create('SandboxClaim', 'policy', { warmPoolRef: { name: 'policy' } });
    await bench.condition('SandboxWarmPool', 'policy', 'Progressing', /^False\/NetworkPolicyNotReady: .*10\.0\.0\.0\/99/s);
    await bench.condition('SandboxClaim', 'policy', 'Ready', /^False\/NetworkPolicyNotReady: .*10\.0\.0\.0\/99/s);
    await bench.merge('SandboxTemplate', 'policy', { spec: networkPolicy('10.0.0.0/8') });
    await bench.ready('SandboxClaim', 'policy');
  });
}, { requires: ['fakeNodes', 'auditLog'] });

describeWithControlPlane('a namespace that is deleted, on an API server', testbed => {
  test('F9 costs one refused create for all of its Sandboxes, and no warnings', async () => {
    const namespace = await testbed.cluster.createNamespace('ending');
    const bench = new ClusterBench(testbed, 'ending-controller', namespace);
    await bench.start();
    try {
      const names = Array.from({ length: 40 }, (_, i) => `box-${i}`);
      await Promise.all(names.map(name => bench.create('Sandbox', name, podTemplate('ready'), { finalizers: ['test/keep'] })));
      await Promise.all(names.map(name => bench.ready('Sandbox', name)));
      const begin = Date.now();
      await bench.admin.delete({ apiVersion: 'v1', kind: 'Namespace', name: namespace });
      await Promise.all(names.map(name => bench.until('Sandbox', name, ({ metadata }) => metadata.deletionTimestamp !== undefined)));
      await Promise.all(names.map(name => bench.merge('Sandbox', name, { metadata: { finalizers: null } })));
      await bench.admin.waitGone({ apiVersion: 'v1', kind: 'Namespace', name: namespace }, { timeoutMs: 60_000 });
      const refused = (await bench.requests('create', 'pods')).filter(({ code }) => code === 403);
      // One asks for all; another one half a minute later.
      expect(refused.length).toBeLessThanOrEqual(1 + Math.floor((Date.now() - begin) / 30_000));
      expect(bench.problems).toEqual([]);
    } finally {
      await bench.end();
    }
  }, 150_000);
}, { requires: ['fakeNodes', 'auditLog'] });
