import { type Chart, Duration } from 'cdk8s';
import { Isolation, Probe, Sandbox, SandboxClaim, type SandboxContainer, SandboxNetwork, SandboxTemplate, SandboxVolume } from '../../src';
import { type KubeObject, TOOLS_IMAGE, waitFor } from '../../testbed/src/index.js';
import { type NodeTestbed, describeWithNode } from '../../testbed/src/jest/index.js';
import { applyIn, install } from './support/installation';
import { PodBench } from './support/pod-bench';
import { SANDBOX, CLAIM, isReady, readyMessage } from './support/sandboxes';

const SH = (script: string) => ({ command: ['sh', '-c', script] });

interface Fault {
  readonly container?: Partial<SandboxContainer>;
  readonly isolation?: Isolation;
  /** What the conditions have to say: the words of scheduler, kubelet, containerd or API server. */
  readonly says: RegExp;
}

const FAULTS: { readonly [name: string]: Fault } = {
  'missing-image': { container: { image: 'registry.example/none:1' }, says: /container "main" is waiting: ImagePullBackOff: cannot pull the image "registry\.example\/none:1": .*registry\.example/ },
  'missing-class': { isolation: Isolation.runtimeClass('no-such-class'), says: /RuntimeClass "no-such-class" not found/ },
  'too-large': { container: { cpu: '1000000m' }, says: /Unschedulable: 0\/1 nodes are available: 1 Insufficient cpu/ },
  'crash': { container: SH('exit 3'), says: /container "main" keeps terminating: CrashLoopBackOff: Error, exit code 3/ },
  'crash-under-gvisor': { container: SH('exit 3'), isolation: Isolation.gvisor(), says: /container "main" keeps terminating: CrashLoopBackOff: Error, exit code 3/ },
  'out-of-memory': { container: { ...SH('dd if=/dev/zero of=/dev/null bs=200M count=1'), memoryLimit: '32Mi' }, says: /container "main" keeps terminating: CrashLoopBackOff: OOMKilled, exit code 137/ },
  'full-volume': {
    container: { ...SH('dd if=/dev/zero of=/data/file bs=1M count=16; sleep 3600'), mounts: [{ path: '/data', volume: SandboxVolume.emptyDir('data', { sizeLimit: '1Mi' }) }] },
    says: /Evicted: Usage of EmptyDir volume "data" exceeds the limit "1Mi"/,
  },
  'not-ready': { container: { ...SH('sleep 3600'), port: 8888, readiness: Probe.httpGet('/', { period: Duration.seconds(1) }) }, says: /container "main" has not passed its readiness probe/ },
};

/** A template and a claim of one name. */
function claimed(chart: Chart, name: string, { container, isolation = Isolation.none() }: Omit<Fault, 'says'>): void {
  const template = new SandboxTemplate(chart, name, {
    name, isolation, network: SandboxNetwork.routerOnly(),
    containers: [{ name: 'main', image: TOOLS_IMAGE, cpu: '10m', memory: '16Mi', ...SH('sleep 3600'), ...container }],
  });
  new SandboxClaim(chart, `claim-${name}`, { name, template });
}

const find = (testbed: NodeTestbed, kind: typeof SANDBOX | typeof CLAIM, name: string, namespace = testbed.namespace) =>
  testbed.cluster.admin.find({ ...kind, namespace, name });

async function expectBothSay(testbed: NodeTestbed, name: string, says: RegExp, namespace?: string): Promise<void> {
  let last: (string | undefined)[] = [];
  const both = async () => {
    last = (await Promise.all([find(testbed, SANDBOX, name, namespace), find(testbed, CLAIM, name, namespace)])).map(readyMessage);
    return last.every(message => says.test(message ?? ''));
  };
  await waitFor(both, { what: `the conditions of ${name} to say ${says}`, timeoutMs: 150_000, intervalMs: 250, lastSeen: () => JSON.stringify(last) });
}

describeWithNode('what keeps a sandbox from running', testbed => {
  beforeAll(async () => {
    await install(testbed.cluster);
    await applyIn(testbed.cluster, testbed.namespace, chart => Object.entries(FAULTS).forEach(([name, fault]) => claimed(chart, name, fault)));
  }, 600_000);

  test.each(Object.keys(FAULTS))('%s: the conditions of Sandbox and claim report it, with the original message', async name => {
    await expectBothSay(testbed, name, FAULTS[name].says);
  });
});

describeWithNode('the limits that a sandbox meets', testbed => {
  const pods = new PodBench(testbed);

  beforeAll(() => install(testbed.cluster), 600_000);

  test('a quota: the conditions say so, and the sandbox runs when there is room', async () => {
    const namespace = await testbed.cluster.createNamespace('quota');
    try {
      const quota = { apiVersion: 'v1', kind: 'ResourceQuota', name: 'none', namespace };
      await testbed.cluster.admin.create({ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'none', namespace }, spec: { hard: { pods: '0' } } });
      await testbed.cluster.admin.waitFor(quota, ({ status }) => status?.hard !== undefined);
      await applyIn(testbed.cluster, namespace, chart => claimed(chart, 'full', {}));
      await expectBothSay(testbed, 'full', /pods? "full" is forbidden: exceeded quota: none, requested: pods=1, used: pods=0, limited: pods=0/, namespace);
      await testbed.cluster.admin.merge(quota, { spec: { hard: { pods: '1' } } });
      await testbed.cluster.admin.waitFor({ ...CLAIM, namespace, name: 'full' }, isReady, { timeoutMs: 150_000 });
    } finally {
      await testbed.cluster.deleteNamespace(namespace);
    }
  });

  test('a fork bomb ends at the limit of processes, and leaves the sandbox usable', async () => {
    await applyIn(testbed.cluster, testbed.namespace, chart => new Sandbox(chart, 'bomb', {
      isolation: Isolation.none(), network: SandboxNetwork.routerOnly(),
      // The bomb needs processor time: at 10m, programs that sleep 20 s end sooner than a thousand of them have started.
      containers: [{ image: TOOLS_IMAGE, cpu: '10m', cpuLimit: '1', memory: '64Mi', memoryLimit: '512Mi', ...SH('sleep 3600') }],
    }));
    await testbed.cluster.admin.waitFor({ ...SANDBOX, namespace: testbed.namespace, name: 'bomb' }, isReady, { timeoutMs: 150_000 });
    const pod = { name: 'bomb', ip: '' };
    const { stderr } = await pods.exec(pod, ['sh', '-c', 'i=0; while [ $i -lt 2000 ]; do sleep 20 > /dev/null 2>&1 & i=$((i+1)); done; true']).catch((error: Error) => ({ stderr: error.message }));
    expect(stderr).toMatch(/can't fork|Resource temporarily unavailable/);
    // The node is unharmed: a neighbour starts and runs commands.
    const neighbour = await pods.run({ runtime: 'runc' });
    expect((await pods.exec(neighbour, ['echo', 'alive'])).stdout).toBe('alive\n');
    await waitFor(async () => (await find(testbed, SANDBOX, 'bomb')) !== undefined && isReady((await find(testbed, SANDBOX, 'bomb')) as KubeObject), { what: 'the sandbox to be Ready again', timeoutMs: 60_000 });
  });
}, { long: true });
