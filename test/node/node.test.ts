import { existsSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { OUTSIDE_HOSTS, RealNode, TOOLS_IMAGE } from '../../testbed/src/index.js';
import { describeWithNode } from '../../testbed/src/jest/index.js';
import { PodBench } from './support/pod-bench';

describeWithNode('a real node', testbed => {
  const pods = new PodBench(testbed);

  test('is Ready, in namespaces of its own', async () => {
    const { node, cluster } = testbed;
    const { status, spec } = await cluster.admin.get({ apiVersion: 'v1', kind: 'Node', name: node.name });
    expect(status.conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'True' }));
    expect(status.nodeInfo.kubeletVersion).toMatch(/^v1\.34\./);
    expect(spec.podCIDRs).toEqual(['10.244.0.0/24']);
    const { stdout } = await node.exec('readlink', ['/proc/self/ns/net', '/proc/self/ns/mnt', '/proc/self/ns/pid', '/proc/self/ns/uts']);
    const here = ['net', 'mnt', 'pid', 'uts'].map(name => readlinkSync(`/proc/self/ns/${name}`));
    expect(stdout.trim().split('\n').filter(namespace => here.includes(namespace))).toEqual([]);
  });

  test('has no way out of this machine', async () => {
    // Every interface of the node and of the outside is a cable between them, so an unassigned address is not reached.
    const { stdout } = await testbed.node.exec('ip', ['-json', 'route', 'get', '203.0.113.1']);
    expect(JSON.parse(stdout)).toEqual([expect.objectContaining({ gateway: '10.200.0.1', dev: 'uplink' })]);
    const pod = await pods.run({ runtime: 'runc' });
    expect(await pods.connect(pod, ['tcp:203.0.113.1:80'])).not.toEqual({ 'tcp:203.0.113.1:80': 'open' });
  });

  describe.each(['runc', 'gvisor'] as const)('a pod under %s', runtime => {
    test('runs on its own kernel or that of the node, has the outside, services and names', async () => {
      const pod = await pods.run({ runtime });
      const { stdout: kernel } = await pods.exec(pod, ['uname', '-r']);
      const host = readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim();
      expect([kernel.trim() === host, runtime]).toEqual([runtime === 'runc', runtime]);
      const targets = Object.fromEntries(['public host', 'metadata of clouds', 'private range 10/8'].map(name => {
        return [`tcp:${OUTSIDE_HOSTS[name as keyof typeof OUTSIDE_HOSTS]}:80`, 'open'];
      }));
      expect(await pods.connect(pod, [...Object.keys(targets), 'tcp:10.96.0.1:443', 'udp:10.96.0.10:53'])).toEqual({
        ...targets, 'tcp:10.96.0.1:443': 'open', 'udp:10.96.0.10:53': 'open',
      });
      expect((await pods.exec(pod, ['wget', '-qO-', 'http://example.com/'])).stdout).toMatch(new RegExp(`^${OUTSIDE_HOSTS['public host'].replaceAll('.', '\\.')}:80 saw ${pod.ip.replaceAll('.', '\\.')}:`));
    });

    test('keeps a volume over its end, and shows logs', async () => {
      await pods.claimVolume('data', '16Mi');
      const volume = { name: 'data', persistentVolumeClaim: { claimName: 'data' } };
      const mount = { name: 'data', mountPath: '/data' };
      const first = await pods.run({ runtime, volume, mount, command: ['sh', '-c', 'echo kept > /data/file; echo written; exec sleep 3600'] });
      const { stdout } = await testbed.cluster.kubectl(['logs', '-n', testbed.namespace, first.name]);
      expect(stdout).toBe('written\n');
      await pods.remove(first);
      const second = await pods.run({ runtime, volume, mount });
      expect((await pods.exec(second, ['cat', '/data/file'])).stdout).toBe('kept\n');
      await pods.remove(second);
      await testbed.cluster.admin.delete({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace: testbed.namespace, name: 'data' });
    });

    test('is closed by a policy that allows nothing, and open without it', async () => {
      const pod = await pods.run({ runtime, labels: { closed: 'yes' } });
      const targets = ['tcp:10.96.0.1:443', 'tcp:93.184.216.34:80', 'tcp:169.254.169.254:80', 'udp:10.96.0.10:53'];
      const policy = {
        apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: `closed-${runtime}`, namespace: testbed.namespace },
        spec: { podSelector: { matchLabels: { closed: 'yes' } }, policyTypes: ['Ingress', 'Egress'] },
      };
      await testbed.cluster.admin.create(policy);
      await pods.untilConnects(pod, targets, []);
      await testbed.cluster.admin.delete({ ...policy, name: policy.metadata.name, namespace: testbed.namespace });
      await pods.untilConnects(pod, targets, targets);
    });
  });

  test('tells why a pod cannot start that names a missing handler', async () => {
    const name = await pods.create({ runtime: 'missing-handler' });
    const event = await pods.event(name, 'FailedCreatePodSandBox');
    expect(event).toMatch(/no runtime for "no-such-handler" is configured/);
  });

  test('leaves the host as it was: no interface, no mount of it can be seen here', () => {
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain('containerd');
    expect(readdirSync('/sys/class/net').filter(name => /^(cni0|uplink|cable|veth)/.test(name))).toEqual([]);
    expect(existsSync('/run/containerd/containerd.sock')).toBe(false);
  });

  test('takes images from archives by the name in them', async () => {
    expect(await testbed.node.images()).toContain(TOOLS_IMAGE);
    expect(testbed.node).toBeInstanceOf(RealNode);
    await expect(testbed.node.kill('kubelet')).rejects.toThrow('only the process that started a node can kill its components');
  });
});
