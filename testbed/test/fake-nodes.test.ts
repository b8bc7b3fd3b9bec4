import { randomUUID } from 'node:crypto';
import type { KubeObject, ObjectRef } from '../src/api-client.js';
import { describeWithControlPlane } from '../src/jest/index.js';
import { POD_ANNOTATIONS, stagesFile } from '../src/stages.js';

describe('stages', () => {
  test('a negative delay is refused with its name', () => {
    expect(() => stagesFile({ startDelayMs: -1 })).toThrow('startDelayMs must be 0 or more milliseconds, got -1');
  });

  test('an unknown behavior is refused with the known ones', () => {
    expect(() => stagesFile({ behavior: 'explode' as any })).toThrow('behavior must be one of ready, unready, image-pull-failure, crash-loop, succeed, fail, got "explode"');
  });
});

describeWithControlPlane('pods on fake nodes', testbed => {
  const createPod = async (annotations: Record<string, string> = {}, spec: object = {}): Promise<ObjectRef> => {
    const name = `pod-${randomUUID().slice(0, 8)}`;
    await testbed.cluster.admin.create({
      apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: testbed.namespace, annotations },
      spec: { containers: [{ name: 'main', image: 'example.test/main' }], ...spec },
    });
    return { apiVersion: 'v1', kind: 'Pod', namespace: testbed.namespace, name };
  };
  const until = (pod: ObjectRef, condition: (pod: KubeObject) => boolean) => testbed.cluster.admin.waitFor(pod, condition);
  const conditionOf = (pod: KubeObject, type: string) => pod.status.conditions?.find((condition: any) => condition.type === type);
  const isReady = (pod: KubeObject) => conditionOf(pod, 'Ready')?.status === 'True';

  test('become Ready with an address of their own', async () => {
    const [one, two] = await Promise.all([createPod(), createPod({}, { initContainers: [{ name: 'setup', image: 'example.test/setup' }] })]);
    const pods = await Promise.all([until(one, isReady), until(two, isReady)]);
    expect(pods[0].status).toMatchObject({ phase: 'Running', podIP: expect.stringMatching(/^10\.244\./), containerStatuses: [{ name: 'main', ready: true, started: true }] });
    expect(pods[1].status.initContainerStatuses).toMatchObject([{ name: 'setup', state: { terminated: { exitCode: 0 } } }]);
    expect(pods[0].status.podIP).not.toBe(pods[1].status.podIP);
  });

  test('wait as long as they say before they start', async () => {
    const [late, soon] = [await createPod({ [POD_ANNOTATIONS.startAfter]: '1h' }), await createPod()];
    await until(soon, isReady);
    expect((await until(late, pod => conditionOf(pod, 'PodScheduled')?.status === 'True')).status.phase).toBe('Pending');
  });

  test('run without ever being ready', async () => {
    const pod = await until(await createPod({ [POD_ANNOTATIONS.behavior]: 'unready' }), ({ status }) => status.phase === 'Running');
    expect(conditionOf(pod, 'Ready')).toMatchObject({ status: 'False', reason: 'ContainersNotReady' });
  });

  test('cannot pull their image', async () => {
    const pod = await until(await createPod({ [POD_ANNOTATIONS.behavior]: 'image-pull-failure' }), ({ status }) => status.containerStatuses);
    expect(pod.status).toMatchObject({ phase: 'Pending', containerStatuses: [{ ready: false, state: { waiting: { reason: 'ImagePullBackOff' } } }] });
  });

  test('crash again and again', async () => {
    const pod = await until(await createPod({ [POD_ANNOTATIONS.behavior]: 'crash-loop' }), ({ status }) => status.containerStatuses);
    expect(pod.status).toMatchObject({ phase: 'Running', containerStatuses: [{ restartCount: 1, state: { waiting: { reason: 'CrashLoopBackOff' } } }] });
  });

  test('succeed and fail', async () => {
    const [good, bad] = [await createPod({ [POD_ANNOTATIONS.behavior]: 'succeed' }), await createPod({ [POD_ANNOTATIONS.behavior]: 'fail' })];
    expect((await until(good, ({ status }) => status.phase === 'Succeeded')).status.containerStatuses).toMatchObject([{ state: { terminated: { exitCode: 0 } } }]);
    expect((await until(bad, ({ status }) => status.phase === 'Failed')).status.containerStatuses).toMatchObject([{ state: { terminated: { exitCode: 1 } } }]);
  });

  test('stay unscheduled when they ask for more than there is', async () => {
    const pod = await createPod({}, { containers: [{ name: 'main', image: 'example.test/main', resources: { requests: { cpu: '1000' } } }] });
    const { status } = await until(pod, found => conditionOf(found, 'PodScheduled')?.status === 'False');
    expect(status).toMatchObject({ phase: 'Pending', conditions: [{ reason: 'Unschedulable', message: expect.stringContaining('Insufficient cpu') }] });
  });

  test('disappear when they are deleted, and not before the time they say', async () => {
    const [quick, slow] = [await createPod(), await createPod({ [POD_ANNOTATIONS.deleteAfter]: '1h' })];
    await Promise.all([until(quick, isReady), until(slow, isReady)]);
    await Promise.all([testbed.cluster.admin.delete(quick), testbed.cluster.admin.delete(slow)]);
    await testbed.cluster.admin.waitGone(quick);
    expect((await testbed.cluster.admin.get(slow)).metadata.deletionTimestamp).toBeTruthy();
    await testbed.cluster.admin.delete(slow, { gracePeriodSeconds: 0 });
    await testbed.cluster.admin.waitGone(slow);
  });

  test('of a Job complete', async () => {
    const job = { apiVersion: 'batch/v1', kind: 'Job', name: 'work', namespace: testbed.namespace };
    await testbed.cluster.admin.create({
      apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'work', namespace: testbed.namespace },
      spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'example.test/main' }] } } },
    });
    await until(job, ({ status }) => status.conditions?.some((condition: any) => condition.type === 'Complete' && condition.status === 'True'));
  });
}, { requires: ['fakeNodes'] });
