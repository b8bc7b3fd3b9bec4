import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { request } from 'node:http';
import * as os from 'node:os';
import * as path from 'node:path';
import { spawn as spawnTerminal } from '@lydell/node-pty';
import { bundle } from '../../scripts/bundle';
import { Isolation, Probe, Sandbox, SandboxClaim, SandboxDisruptionBudget, SandboxNetwork, SandboxTemplate, SandboxVolume } from '../../src';
import { type KubeObject, TOOLS_IMAGE, waitFor } from '../../testbed/src/index.js';
import { describeWithNode } from '../../testbed/src/jest/index.js';
import { IMAGES, SYSTEM, applyIn, install } from './support/installation';
import { killContainer, killShim } from './support/kill';
import { PodBench } from './support/pod-bench';
import { CLAIM, SANDBOX, isReady } from './support/sandboxes';

const LONG_MS = 150_000;
const RUNTIMES = [['runc', Isolation.none()], ['gvisor', Isolation.gvisor()]] as const;
const SLEEP = ['sh', '-c', 'trap "exit 0" TERM; echo started; while :; do sleep 1; done'];

describeWithNode('the product on a real node', testbed => {
  const pods = new PodBench(testbed);
  const admin = () => testbed.cluster.admin;
  const podRef = (name: string) => ({ apiVersion: 'v1', kind: 'Pod', namespace: testbed.namespace, name });
  const ready = (kind: typeof SANDBOX | typeof CLAIM, name: string) => admin().waitFor({ ...kind, namespace: testbed.namespace, name }, isReady, { timeoutMs: LONG_MS });
  const containerId = async (name: string) => (await admin().get(podRef(name))).status.containerStatuses[0].containerID as string;
  const uid = async (name: string) => (await admin().find(podRef(name)))?.metadata.uid as string | undefined;

  beforeAll(() => install(testbed.cluster, { replicas: 2 }), 600_000);

  test('controller and router meet the restricted Pod Security Standard, and are reached on the ports of their policies alone', async () => {
    const { stderr } = await testbed.cluster.kubectl(['label', '--dry-run=server', '--overwrite', 'namespace', SYSTEM, 'pod-security.kubernetes.io/enforce=restricted']);
    expect(stderr).toBe('');
    const controllers = await admin().list('v1', 'Pod', SYSTEM, { labelSelector: 'app.kubernetes.io/name=agent-sandbox-controller' });
    expect(controllers).toHaveLength(2);
    const stranger = await pods.run({ runtime: 'runc' });
    const routers = await admin().list('v1', 'Pod', SYSTEM, { labelSelector: 'app=sandbox-router' });
    const ports = (objects: readonly KubeObject[], ...numbers: number[]) => objects.flatMap(({ status }) => numbers.map(port => `tcp:${status.podIP}:${port}`));
    // Requests and metrics are let through; probes are for the kubelet alone.
    const open = [...ports(controllers, 8080), ...ports(routers, 8080, 9090)];
    await pods.untilConnects(stranger, [...open, ...ports([...controllers, ...routers], 8081)], open);
  });

  describe.each(RUNTIMES)('a Sandbox with a volume under %s', (runtime, isolation) => {
    const name = `kept-${runtime}`;
    const run = async (...command: string[]) => (await pods.exec({ name, ip: '' }, command)).stdout;
    const replaced = async (before: string | undefined) => {
      await waitFor(async () => ![undefined, before].includes(await uid(name)), { what: `another Pod of ${name}`, timeoutMs: LONG_MS });
      await ready(SANDBOX, name);
      expect(await run('cat', '/data/file')).toBe('kept\n');
    };

    beforeAll(async () => {
      await applyIn(testbed.cluster, testbed.namespace, chart => new Sandbox(chart, name, {
        isolation, network: SandboxNetwork.routerOnly(), service: true,
        containers: [{ image: TOOLS_IMAGE, command: SLEEP, cpu: '10m', memory: '32Mi', mounts: [{ path: '/data', volume: SandboxVolume.persistent('data', { size: '16Mi' }) }] }],
      }));
      await ready(SANDBOX, name);
      await run('sh', '-c', 'echo kept > /data/file');
    }, LONG_MS);

    test('keeps its files while it is suspended', async () => {
      const before = await uid(name);
      await admin().merge({ ...SANDBOX, namespace: testbed.namespace, name }, { spec: { operatingMode: 'Suspended' } });
      await admin().waitGone(podRef(name), { timeoutMs: LONG_MS });
      await admin().merge({ ...SANDBOX, namespace: testbed.namespace, name }, { spec: { operatingMode: 'Running' } });
      await replaced(before);
    });

    test('keeps its files when its Pod is deleted, and has the same name in the network', async () => {
      const before = await uid(name);
      await admin().delete(podRef(name));
      await replaced(before);
      const { status } = await admin().get({ ...SANDBOX, namespace: testbed.namespace, name });
      const neighbour = await pods.run({ runtime: 'runc' });
      const { stdout } = await pods.exec(neighbour, ['nslookup', status.serviceFQDN]);
      expect(stdout).toContain((await admin().get(podRef(name))).status.podIP);
    });

    test('runs again when its program or its shim was killed', async () => {
      const first = await containerId(name);
      const another = (id: string) => admin().waitFor(podRef(name), pod => isReady(pod) && pod.status.containerStatuses[0].containerID !== id, { timeoutMs: LONG_MS });
      await killContainer(testbed, { namespace: testbed.namespace, name });
      await another(first);
      const second = await containerId(name);
      await killShim(testbed, { namespace: testbed.namespace, name });
      await another(second);
      await ready(SANDBOX, name);
      expect(await run('cat', '/data/file')).toBe('kept\n');
    });

    test('answers exec and logs', async () => {
      expect((await pods.logs({ name, ip: '' })).trim()).toBe('started');
      expect(await run('id', '-u')).toBe('1000\n');
    });
  });

  test('a drain waits for a budget, and takes a sandbox without one', async () => {
    const budgeted = 'budgeted';
    await applyIn(testbed.cluster, testbed.namespace, chart => {
      const template = new SandboxTemplate(chart, budgeted, {
        name: budgeted, isolation: Isolation.none(), network: SandboxNetwork.routerOnly(),
        containers: [{ image: TOOLS_IMAGE, command: SLEEP, cpu: '10m', memory: '32Mi' }],
      });
      new SandboxDisruptionBudget(chart, 'budget', { template });
      new SandboxClaim(chart, `claim-${budgeted}`, { name: budgeted, template });
    });
    await ready(CLAIM, budgeted);
    const evict = (name: string) => admin().request('POST', `/api/v1/namespaces/${testbed.namespace}/pods/${name}/eviction`, {
      body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: testbed.namespace } },
    });
    await waitFor(async () => (await admin().list('policy/v1', 'PodDisruptionBudget', testbed.namespace)).some(({ status }) => status?.expectedPods === 1), { what: 'the budget to count its Pod' });
    await expect(evict(budgeted)).rejects.toThrow(/Cannot evict pod as it would violate the pod's disruption budget/);
    const node = testbed.node.name;
    const before = await uid('kept-runc');
    try {
      await testbed.cluster.kubectl(['drain', node, '--ignore-daemonsets', '--delete-emptydir-data', '--force', `--pod-selector=agents.x-k8s.io/sandbox-name-hash=${await hashOf('kept-runc')}`, '--timeout=120s']);
      await waitFor(async () => ![undefined, before].includes(await uid('kept-runc')), { what: 'a Pod in its place', timeoutMs: LONG_MS });
      const { status } = await admin().waitFor({ ...SANDBOX, namespace: testbed.namespace, name: 'kept-runc' },
        sandbox => /unschedulable/.test(JSON.stringify(sandbox.status?.conditions)), { timeoutMs: LONG_MS });
      expect(isReady({ status } as unknown as KubeObject)).toBe(false);
    } finally {
      await testbed.cluster.kubectl(['uncordon', node]);
    }
    await ready(SANDBOX, 'kept-runc');
    expect((await pods.exec({ name: 'kept-runc', ip: '' }, ['cat', '/data/file'])).stdout).toBe('kept\n');
  });

  async function hashOf(name: string): Promise<string> {
    return (await admin().get(podRef(name))).metadata.labels['agents.x-k8s.io/sandbox-name-hash'];
  }

  test('the next claim is served when the controller that leads is killed, and sandboxes run on', async () => {
    const lease = async () => (await admin().list('coordination.k8s.io/v1', 'Lease', SYSTEM)).find(({ spec }) => spec.holderIdentity?.includes('agent-sandbox-controller'))!;
    const before = (await lease()).spec.holderIdentity as string;
    const leader = (await admin().list('v1', 'Pod', SYSTEM, { labelSelector: 'app.kubernetes.io/name=agent-sandbox-controller' })).find(({ metadata }) => before.startsWith(metadata.name!))!;
    const kept = await uid('kept-gvisor');
    await killContainer(testbed, { namespace: SYSTEM, name: leader.metadata.name! });
    await applyIn(testbed.cluster, testbed.namespace, chart => {
      new SandboxClaim(chart, 'claim-after', { name: 'after', template: SandboxTemplate.fromName('budgeted') });
    });
    await ready(CLAIM, 'after');
    expect((await lease()).spec.holderIdentity).not.toBe(before);
    expect(await uid('kept-gvisor')).toBe(kept);
  });

  describe('with the runtime, through the router', () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'node-cli-'));
    let program: string;
    let kubeconfig: string;

    beforeAll(async () => {
      program = await bundle('client', folder);
      kubeconfig = (await testbed.cluster.kubeconfig()).path;
      await applyIn(testbed.cluster, testbed.namespace, chart => {
        for (const [runtime, isolation] of RUNTIMES) {
          const template = new SandboxTemplate(chart, `runtime-${runtime}`, {
            name: `runtime-${runtime}`, isolation, network: SandboxNetwork.routerOnly(),
            containers: [{ image: IMAGES.runtime, port: 8888, cpu: '10m', memory: '128Mi', readOnlyRoot: true, writablePaths: ['/app', '/tmp'], readiness: Probe.httpGet('/healthz') }],
          });
          new SandboxClaim(chart, `claim-runtime-${runtime}`, { name: `runtime-${runtime}`, template });
        }
      });
      await admin().create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'agent', namespace: testbed.namespace } });
      await admin().create({
        apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name: 'agent', namespace: testbed.namespace },
        subjects: [{ kind: 'ServiceAccount', name: 'agent', namespace: testbed.namespace }],
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'agent-sandbox-user' },
      });
      await Promise.all(RUNTIMES.map(([runtime]) => ready(CLAIM, `runtime-${runtime}`)));
    }, 600_000);
    afterAll(() => fs.rmSync(folder, { recursive: true }));

    const options = () => ['--kubeconfig', kubeconfig, '-n', testbed.namespace, '--service-account', 'agent', '--quiet'];
    const cli = (...args: string[]) => execFileSync(process.execPath, [program, ...args], { encoding: 'utf8', timeout: LONG_MS });

    test.each(RUNTIMES)('a program under %s is run by a killed runtime that has come back', async runtime => {
      const name = `runtime-${runtime}`;
      const hello = () => cli('run', ...options(), '--sandbox', name, '--', 'sh', '-c', 'echo hello');
      expect(hello()).toBe('hello\n');
      await killContainer(testbed, { namespace: testbed.namespace, name });
      await admin().waitFor(podRef(name), pod => pod.status.containerStatuses[0].restartCount > 0 && isReady(pod), { timeoutMs: LONG_MS });
      await ready(CLAIM, name);
      expect(hello()).toBe('hello\n');
    });

    test.each(RUNTIMES)('a program that fills the screen runs in a terminal under %s', async runtime => {
      const script = "const o = process.stdout; process.stdin.setRawMode(true); const draw = () => o.write('\\x1b[?1049h\\x1b[2J\\x1b[3;5Hsize ' + o.columns + 'x' + o.rows + ' '); draw(); o.on('resize', draw);"
        + "process.stdin.on('data', key => { o.write('\\x1b[4;5Hkey ' + JSON.stringify(String(key)) + ' '); if (String(key) === 'q') { o.write('\\x1b[?1049l'); process.exit(7); } });";
      const terminal = spawnTerminal(process.execPath, [program, 'shell', ...options(), '--sandbox', `runtime-${runtime}`, '--', '/usr/local/bin/node', '-e', script], { cols: 100, rows: 30, env: { ...process.env, TERM: 'xterm' } as Record<string, string> });
      let screen = '';
      terminal.onData(data => (screen += data));
      const ended = new Promise<number>(resolve => terminal.onExit(({ exitCode }) => resolve(exitCode)));
      const shows = (text: string) => waitFor(() => screen.includes(text), { what: `${JSON.stringify(text)} on the screen`, timeoutMs: LONG_MS, lastSeen: () => JSON.stringify(screen.slice(-500)) });
      await shows('size 100x30');
      // The gVisor of Debian does not tell programs of a new size.
      if (runtime === 'runc') {
        terminal.resize(120, 40);
        await shows('size 120x40');
      }
      // Keys arrive one by one and unchanged, also those that a terminal in its usual mode would take for itself.
      terminal.write('\x03');
      await shows('key "\\u0003"');
      terminal.write('\r');
      await shows('key "\\r"');
      terminal.write('q');
      expect(await ended).toBe(7);
      expect(screen).toContain('\x1b[?1049l');
    });

    test('kubectl forwards a port to it under runc', async () => {
      const child = spawn(testbed.cluster.kubectlPath, ['--kubeconfig', kubeconfig, 'port-forward', '-n', testbed.namespace, 'pod/runtime-runc', ':8888'], { stdio: ['ignore', 'pipe', 'inherit'] });
      try {
        const [line] = await once(child.stdout, 'data') as [Buffer];
        const [, port] = /127\.0\.0\.1:(\d+)/.exec(String(line))!;
        const answer = await new Promise<number | undefined>((resolve, reject) => request({ port, path: '/healthz' }, response => resolve(response.resume().statusCode)).on('error', reject).end());
        expect(answer).toBe(200);
      } finally {
        child.kill();
      }
    });
  });
}, { long: true });
