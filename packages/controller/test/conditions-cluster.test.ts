import { describeWithControlPlane } from '../../../testbed/src/jest/index.js';
import { ClusterBench, textOf } from './cluster-bench.js';

/** A Pod spec whose Pod behaves as an annotation says. */
const template = (annotations: { [key: string]: string } = {}, spec: object = {}) => ({
  podTemplate: { metadata: { annotations }, spec: { containers: [{ name: 'main', image: 'image' }], ...spec } },
});
/** Longer than a test takes. */
const SLOW_DELETION = { 'testbed/delete-after': '50s' };

describeWithControlPlane('conditions that tell the truth, on an API server', testbed => {
  const bench = new ClusterBench(testbed, 'truth-controller');

  beforeAll(() => bench.start(), 60_000);
  afterAll(() => bench.end());

  test('F1 a Pod with a deletion timestamp makes Sandbox and claim not ready, and is not handed out', async () => {
    await bench.create('SandboxTemplate', 'slow', template(SLOW_DELETION));
    await bench.create('SandboxWarmPool', 'slow', { replicas: 1, sandboxTemplateRef: { name: 'slow' } });
    await bench.until('SandboxWarmPool', 'slow', ({ status }) => status?.readyReplicas === 1);
    await bench.create('SandboxClaim', 'first', { warmPoolRef: { name: 'slow' } });
    const { status: { sandbox: { name: held } } } = await bench.ready('SandboxClaim', 'first');
    const idle = await bench.some('Sandbox', sandbox => sandbox.metadata.name !== held && textOf(sandbox, 'Ready').startsWith('True'));
    // The claim that comes at the same moment must not get the member whose Pod is on its way out.
    await bench.admin.delete(bench.ref('Pod', idle.metadata.name));
    await bench.create('SandboxClaim', 'second', { warmPoolRef: { name: 'slow' } });
    const { status: { sandbox: { name: other } } } = await bench.ready('SandboxClaim', 'second');
    expect(other).not.toBe(idle.metadata.name);
    await bench.condition('Sandbox', idle.metadata.name, 'Ready', /^False\/DependenciesNotReady: Pod is terminating/);
    await bench.admin.delete(bench.ref('Pod', held));
    await bench.condition('SandboxClaim', 'first', 'Ready', /^False\/DependenciesNotReady: Pod is terminating/);
  }, 90_000);

  test('F2 neither suspending a Sandbox nor deleting its Pod ends the work, so that no TTL runs out', async () => {
    await bench.create('SandboxTemplate', 'ttl', template());
    for (const name of ['suspended', 'deleted']) {
      await bench.create('SandboxClaim', name, { sandboxTemplateRef: { name: 'ttl' }, lifecycle: { ttlSecondsAfterFinished: 0, shutdownPolicy: 'Delete' } });
      await bench.ready('SandboxClaim', name);
    }
    const before = await bench.get('Pod', 'deleted');
    await bench.merge('Sandbox', 'suspended', { spec: { operatingMode: 'Suspended' } });
    await bench.admin.delete(bench.ref('Pod', 'deleted'));
    await bench.condition('Sandbox', 'suspended', 'Suspended', /^True/);
    await bench.until('Pod', 'deleted', ({ metadata }) => metadata.uid !== before.metadata.uid);
    await bench.ready('SandboxClaim', 'deleted');
    await bench.merge('Sandbox', 'suspended', { spec: { operatingMode: 'Running' } });
    await bench.ready('SandboxClaim', 'suspended');
  }, 90_000);

  test('F6 times that could never come are refused', async () => {
    for (const shutdownTime of ['2027-01-01T00:00:00,5Z', '2027-01-01T00:00:00+24:00', '2027-01-01t00:00:00z', '2027-02-30T00:00:00Z']) {
      await expect(bench.create('Sandbox', 'never', { ...template(), shutdownTime })).rejects.toThrow('shutdownTime');
      const lifecycle = { shutdownTime };
      await expect(bench.create('SandboxClaim', 'never', { sandboxTemplateRef: { name: 'ttl' }, lifecycle })).rejects.toThrow('shutdownTime');
    }
    await bench.create('Sandbox', 'late', { ...template(), shutdownTime: '2127-01-01T00:00:00.5+23:59' });
    await bench.ready('Sandbox', 'late');
  });

  test('V3 a long name with a Service is refused, on creation and when the Service is asked for later', async () => {
    const name = `box-${'x'.repeat(60)}`;
    await expect(bench.create('Sandbox', name, { ...template(), service: true })).rejects.toThrow('at most 63 characters');
    await bench.create('Sandbox', name, template());
    await expect(bench.merge('Sandbox', name, { spec: { service: true } })).rejects.toThrow('at most 63 characters');
    await bench.ready('Sandbox', name);
  });

  test('F8 edits without effect are named in Sandbox and claim, until they take effect', async () => {
    await bench.create('Sandbox', 'edited', template());
    await bench.ready('Sandbox', 'edited');
    await bench.merge('Sandbox', 'edited', { spec: { podTemplate: { spec: { containers: [{ name: 'main', image: 'other' }] } } } });
    await bench.condition('Sandbox', 'edited', 'UpToDate', /^False\/PodTemplateChanged: the Pod "edited" was created from an earlier/);
    await bench.admin.delete(bench.ref('Pod', 'edited'));
    await bench.until('Sandbox', 'edited', sandbox => textOf(sandbox, 'UpToDate') === '' && textOf(sandbox, 'Ready').startsWith('True'));
    expect((await bench.get('Pod', 'edited')).spec.containers[0].image).toBe('other');
    await bench.create('SandboxTemplate', 'open', { ...template(), envVarsInjectionPolicy: 'Allowed' });
    await bench.create('SandboxClaim', 'edited-claim', { sandboxTemplateRef: { name: 'open' } });
    await bench.ready('SandboxClaim', 'edited-claim');
    await bench.merge('SandboxClaim', 'edited-claim', { spec: { env: [{ name: 'A', value: '1' }] } });
    await bench.condition('SandboxClaim', 'edited-claim', 'UpToDate', /^False\/ClaimChanged: the Sandbox "edited-claim" is that of an earlier spec\.env: /);
    await bench.admin.delete(bench.ref('Sandbox', 'edited-claim'));
    await bench.until('SandboxClaim', 'edited-claim', claim => textOf(claim, 'UpToDate') === '' && textOf(claim, 'Ready').startsWith('True'));
    expect((await bench.get('Pod', 'edited-claim')).spec.containers[0].env).toEqual([{ name: 'A', value: '1' }]);
  }, 90_000);

  test('F12 a pool says so while it is short of ready Sandboxes for longer than the status window', async () => {
    await bench.create('SandboxTemplate', 'short', template({ 'testbed/start-after': '4s' }));
    await bench.create('SandboxWarmPool', 'short', { replicas: 2, sandboxTemplateRef: { name: 'short' } });
    await bench.until('SandboxWarmPool', 'short', ({ status }) => status?.readyReplicas === 2);
    await bench.create('SandboxClaim', 'short', { warmPoolRef: { name: 'short' } });
    await bench.ready('SandboxClaim', 'short');
    await bench.until('SandboxWarmPool', 'short', ({ status }) => status.readyReplicas === 1);
    await bench.until('SandboxWarmPool', 'short', ({ status }) => status.readyReplicas === 2);
  }, 90_000);

  test('F7 finished work does not run again because its Pod is deleted', async () => {
    await bench.create('Sandbox', 'once', template({ 'testbed/pod-behavior': 'succeed' }, { restartPolicy: 'Never' }));
    await bench.condition('Sandbox', 'once', 'Finished', /^True\/PodSucceeded/);
    await bench.admin.delete(bench.ref('Pod', 'once'));
    const sandbox = await bench.until('Sandbox', 'once', ({ status }) => !(status.replicas > 0));
    expect(textOf(sandbox, 'Finished')).toBe('True/PodSucceeded: Pod completed successfully');
    expect((await bench.writesOf(/^once$/)).filter(write => write === 'create pods')).toHaveLength(1);
  });
}, { requires: ['fakeNodes', 'auditLog'] });
