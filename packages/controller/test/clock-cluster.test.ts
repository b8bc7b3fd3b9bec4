import { describeWithControlPlane } from '../../../testbed/src/jest/index.js';
import { ClusterBench } from './cluster-bench.js';

/** How far the clock of this process, and so of the controllers, is ahead of the API server's. */
const AHEAD_MS = 3_600_000;
/** Members need longer than the grace period would leave them if it were compared with the server's stamps. */
const START_AFTER = '4s';

describeWithControlPlane('controllers whose clock is ahead, on an API server', testbed => {
  const bench = new ClusterBench(testbed, 'clock-controller');
  const { now } = Date;

  beforeAll(async () => {
    Date.now = () => now() + AHEAD_MS;
    await bench.start('--sandbox-warm-pool-readiness-grace-period=60s');
  }, 60_000);

  afterAll(async () => {
    await bench.end();
    Date.now = now;
  });

  test('F3 fill a pool without replacing any of its members', async () => {
    await bench.create('SandboxTemplate', 'slow', {
      podTemplate: { metadata: { annotations: { 'testbed/start-after': START_AFTER } }, spec: { containers: [{ name: 'main', image: 'image' }] } },
    });
    await bench.create('SandboxWarmPool', 'ahead', { replicas: 3, sandboxTemplateRef: { name: 'slow' } });
    await bench.until('SandboxWarmPool', 'ahead', ({ status }) => status?.readyReplicas === 3);
    const writes = await bench.writesOf(/^ahead-/);
    expect(writes.filter(write => /^(create|delete) sandboxes$/.test(write))).toEqual(['create sandboxes', 'create sandboxes', 'create sandboxes']);
  });
}, { requires: ['fakeNodes', 'auditLog'] });
