import { ControlPlane } from '../src/control-plane.js';
import { FAKE_NODE_PROGRAMS } from '../src/binaries.js';
import { describeWithPrograms } from '../src/jest/index.js';

const SUITE_MS = 120_000;

describeWithPrograms('stages of an own control plane', () => {
  let controlPlane: ControlPlane;
  beforeAll(async () => {
    controlPlane = await ControlPlane.start({ fakeNodes: { count: 3, cpu: '1', labels: { pool: 'sandboxes' } }, stages: { behavior: 'unready' } });
  }, SUITE_MS);
  afterAll(() => controlPlane?.stop());

  const createPod = async (name: string) => {
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default' }, spec: { containers: [{ name: 'main', image: 'example.test/main' }] } };
    await controlPlane.admin.create(pod);
    return { apiVersion: 'v1', kind: 'Pod', namespace: 'default', name };
  };
  const readiness = (pod: any) => pod.status.conditions?.find((condition: any) => condition.type === 'Ready')?.status;

  test('the nodes are what was asked for', async () => {
    const nodes = await controlPlane.admin.list('v1', 'Node', undefined, { labelSelector: 'pool=sandboxes' });
    expect(nodes.map(node => [node.metadata.name, node.status.allocatable.cpu])).toEqual([['fake-0', '1'], ['fake-1', '1'], ['fake-2', '1']]);
  });

  test('decide about pods that say nothing, and can be changed', async () => {
    const pod = await controlPlane.admin.waitFor(await createPod('one'), ({ status }) => status.phase === 'Running');
    expect(readiness(pod)).toBe('False');
    await controlPlane.setStages('fast');
    await controlPlane.admin.waitFor(await createPod('two'), found => readiness(found) === 'True');
  });
}, FAKE_NODE_PROGRAMS);
