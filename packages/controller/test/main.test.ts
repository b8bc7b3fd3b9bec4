import { describeWithControlPlane } from '../../../testbed/src/jest/index.js';
import { freePort } from '../../../testbed/src/ports.js';
import { end, start, type Run } from './program.js';

async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
  for (const deadline = Date.now() + 60_000; !await condition().catch(() => false);) {
    if (Date.now() > deadline) {
      throw new Error(`waited in vain for ${what}`);
    }
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

test('prints its version', async () => {
  const { output, exit } = start('--version');
  expect(await exit).toBe(0);
  expect(output()).toBe('agent-sandbox-controller unknown\n');
}, 60_000);

test('refuses a wrong flag with exit code 1', async () => {
  const { output, exit } = start('--sandbox-concurrent-workers=0');
  expect(await exit).toBe(1);
  expect(output()).toContain('give a whole number from 1 to 2147483647.');
}, 60_000);

describeWithControlPlane('the program', testbed => {
  test('is ready with its caches, works as leader, and hands over on SIGTERM', async () => {
    const { path } = await testbed.cluster.kubeconfig();
    const replicas = await Promise.all([0, 1].map(async () => {
      const [metrics, health] = [await freePort(), await freePort()];
      const run = start(
        '--kubeconfig', path, '--extensions', `--namespaces=${testbed.namespace}`, `--leader-election-namespace=${testbed.namespace}`,
        `--metrics-bind-address=127.0.0.1:${metrics}`, `--health-probe-bind-address=127.0.0.1:${health}`, '--enable-webhook=false',
      );
      return { ...run, metrics: `http://127.0.0.1:${metrics}/metrics`, ready: `http://127.0.0.1:${health}/readyz` };
    }));
    const isLeader = ({ output }: Run) => output().includes('"working"');
    try {
      for (const replica of replicas) {
        await until(async () => (await fetch(replica.ready)).ok, 'readiness');
      }
      await until(async () => replicas.some(isLeader), 'a leader');
      const [first, second] = isLeader(replicas[0]!) ? replicas : [...replicas].reverse();
      expect(isLeader(second!)).toBe(false);
      const meta = { name: 'box', namespace: testbed.namespace };
      await testbed.cluster.admin.create({
        apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox', metadata: meta, spec: { podTemplate: { spec: { containers: [{ name: 'main', image: 'image' }] } } },
      } as any);
      await until(async () => (await (await fetch(first!.metrics)).text()).includes('agent_sandboxes{namespace="'), 'a count of Sandboxes');
      await until(async () => (await (await fetch(first!.metrics)).text()).includes('ready_condition="true"'), 'a ready Sandbox');
      expect(await (await fetch(second!.metrics)).text()).not.toContain('agent_sandboxes{');
      const status = 'leader_election_master_status{name="a3317529.agent-sandbox.x-k8s.io"}';
      expect(await (await fetch(second!.metrics)).text()).toContain('reflector_list_duration_seconds_count{resource="sandboxes"}');
      expect(await (await fetch(first!.metrics)).text()).toContain(`${status} 1`);
      expect(await (await fetch(second!.metrics)).text()).toContain(`${status} 0`);
      first!.child.kill('SIGTERM');
      expect(await first!.exit).toBe(0);
      await until(async () => isLeader(second!), 'the next leader');
      expect(first!.output()).toContain('--enable-webhook');
    } finally {
      await end(...replicas);
    }
  }, 180_000);
}, { requires: ['fakeNodes'] });
