import { OUTSIDE_HOSTS, TOOLS_IMAGE } from '../../testbed/src/index.js';
import { Isolation, SandboxClaim, SandboxNetwork, SandboxTemplate, StartGate } from '../../src';
import { describeWithNode } from '../../testbed/src/jest/index.js';
import { IMAGES, applyIn, install } from './support/installation';
import { PodBench } from './support/pod-bench';

const METADATA = `tcp:${OUTSIDE_HOSTS['metadata of clouds']}:80`;

describeWithNode('the moment after the start of a Pod', testbed => {
  const pods = new PodBench(testbed);
  beforeAll(() => install(testbed.cluster), 600_000);

  test.each(['runc', 'gvisor'])('behind the gate, a program under %s never reaches what its policy closes', async runtime => {
    const { cluster, namespace } = testbed;
    const name = `gated-${runtime}`;
    await applyIn(cluster, namespace, chart => {
      const template = new SandboxTemplate(chart, name, {
        name,
        isolation: runtime === 'gvisor' ? Isolation.gvisor() : Isolation.none(),
        network: SandboxNetwork.routerOnly(),
        initContainers: [StartGate.container({ image: IMAGES.runtime })],
        containers: [{ image: TOOLS_IMAGE, command: ['sh', '-c', `probe watch 4s ${METADATA}; exec sleep 3600`], cpu: '10m', memory: '64Mi' }],
      });
      new SandboxClaim(chart, `claim-${name}`, { name, template });
    });
    const claim = await cluster.admin.waitFor(
      { apiVersion: 'extensions.agents.x-k8s.io/v1beta1', kind: 'SandboxClaim', namespace, name }, found => Boolean(found.status?.sandbox?.name), { timeoutMs: 120_000 });
    const pod = await pods.ready(claim.status.sandbox.name);
    expect((await pods.logs(pod, 'start-gate')).trim()).toMatch(/^closed after \d+ ms; 10\.96\.0\.1:443 answered \d+ times$/);
    const watched = JSON.parse(await pods.untilLogs(pod, /\}/));
    expect(watched).toMatchObject({ reached: 0, firstReachedMs: null });
    expect(watched.attempts).toBeGreaterThan(0);
  });

  test('the gate does not open where no policy closes anything', async () => {
    const { cluster, namespace } = testbed;
    await applyIn(cluster, namespace, chart => {
      const template = new SandboxTemplate(chart, 'open', {
        name: 'open', isolation: Isolation.none(), network: SandboxNetwork.unmanaged(),
        initContainers: [StartGate.container({ image: IMAGES.runtime, timeoutSeconds: 1 })],
        containers: [{ image: TOOLS_IMAGE, command: ['sleep', '3600'], cpu: '10m', memory: '64Mi' }],
      });
      new SandboxClaim(chart, 'claim-open', { name: 'open', template });
    });
    const { status } = await cluster.admin.waitFor({ apiVersion: 'v1', kind: 'Pod', namespace, name: 'open' },
      pod => (pod.status?.initContainerStatuses?.[0]?.restartCount ?? 0) > 0, { timeoutMs: 120_000 });
    expect(status.containerStatuses[0].state.waiting.reason).toBe('PodInitializing');
  });
});
