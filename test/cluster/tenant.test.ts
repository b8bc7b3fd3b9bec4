import { Gpu, Isolation, Tenant } from '../../src';
import { describeWithControlPlane } from '../../testbed/src/jest/index.js';
import { synth, testChart } from '../helpers';
import { refusal } from './support/bench';

jest.setTimeout(60_000);

const IMAGE = 'registry.example/app:1';
type Right = readonly [verb: string, group: string, resource: string];

/** What a user of a tenant may do in its namespace, and what not. */
const MAY: readonly Right[] = [
  ...['get', 'list', 'watch', 'create', 'delete'].map(verb => [verb, 'extensions.agents.x-k8s.io', 'sandboxclaims'] as const),
  ['list', 'extensions.agents.x-k8s.io', 'sandboxwarmpools'], ['get', 'agents.x-k8s.io', 'sandboxes'], ['create', 'agents.x-k8s.io', 'sandboxes/proxy'],
];
const MAY_NOT: readonly Right[] = [
  ['get', '', 'secrets'], ['list', '', 'secrets'], ['create', '', 'pods'], ['create', '', 'pods/exec'], ['get', '', 'pods/log'],
  ['create', '', 'serviceaccounts/token'], ['create', 'agents.x-k8s.io', 'sandboxes'], ['patch', 'agents.x-k8s.io', 'sandboxes'],
  ['patch', 'extensions.agents.x-k8s.io', 'sandboxclaims'], ['create', 'extensions.agents.x-k8s.io', 'sandboxtemplates'],
  ['patch', 'extensions.agents.x-k8s.io', 'sandboxwarmpools'], ['delete', '', 'resourcequotas'], ['delete', 'networking.k8s.io', 'networkpolicies'],
  ['create', 'rbac.authorization.k8s.io', 'rolebindings'],
];

describeWithControlPlane('a tenant on the API server', testbed => {
  const user = 'jane';
  let namespace: string;
  const allowed = async ([verb, group, resource]: Right, where: string): Promise<boolean> => {
    const [name, subresource] = resource.split('/');
    const spec = { user, resourceAttributes: { namespace: where, verb, group, resource: name, subresource } };
    const review: any = await testbed.cluster.admin.create({ apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', metadata: {} as any, spec });
    return review.status.allowed;
  };

  // Inside, so that the namespace is deleted while there is a client.
  describe('in a namespace of its own', () => {
    beforeAll(async () => {
      namespace = `${testbed.namespace}-users`;
      const chart = testChart();
      const tenant = new Tenant(chart, 'tenant', {
        name: namespace,
        users: [user],
        pools: [{
          name: 'python', claims: 1, replicas: 1,
          template: { containers: [{ image: IMAGE, cpu: '500m', memory: '512Mi', gpu: Gpu.nvidia(1) }], isolation: Isolation.none() },
        }],
      });
      tenant.pool('python').claim('first');
      for (const object of synth(chart)) {
        await testbed.cluster.admin.create(object);
      }
    });
    afterAll(() => testbed.cluster.admin.delete({ apiVersion: 'v1', kind: 'Namespace', name: namespace }));

    test('its user may claim and connect, and nothing else, nor anything elsewhere', async () => {
      const answers = await Promise.all([...MAY, ...MAY_NOT].map(right => allowed(right, namespace)));
      expect(answers).toEqual([...MAY.map(() => true), ...MAY_NOT.map(() => false)]);
      expect(await allowed(MAY[3], 'default')).toBe(false);
    });

    test('its quota and limits are what the pools need', async () => {
      const pod = {
        apiVersion: 'v1', kind: 'Pod', metadata: { name: 'large', namespace },
        spec: {
          securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
          containers: [{
            name: 'main', image: IMAGE, securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
            resources: { limits: { cpu: '501m', memory: '512Mi' } },
          }],
        },
      };
      expect((await refusal(testbed.cluster.admin.create(pod, { dryRun: 'All' }))).join()).toContain('maximum cpu usage per Container is 500m');
      const quota: any = await testbed.cluster.admin.get({ apiVersion: 'v1', kind: 'ResourceQuota', namespace, name: 'quota' });
      expect(quota.spec.hard).toMatchObject({ 'requests.cpu': '1', 'requests.memory': '1Gi', 'requests.nvidia.com/gpu': '2', 'count/sandboxes.agents.x-k8s.io': '2' });
    });
  });
});
