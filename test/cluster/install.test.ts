import { Yaml } from 'cdk8s';
import * as kplus from 'cdk8s-plus-28';
import { AgentSandboxController, type AgentSandboxControllerProps } from '../../src';
import { type ApiClient, ControlPlane, FOREIGN_CRDS_DIR, type KubeObject, waitFor } from '../../testbed/src/index.js';
import { describeWithPrograms } from '../../testbed/src/jest/index.js';
import { synth, testApp, testChart } from '../helpers';
import { refusal } from './support/bench';

const NAMESPACE = 'agent-sandbox-system';
const secret = (name: string) => kplus.Secret.fromSecretName(testChart(), 'secret', name);

function manifests(props: Partial<AgentSandboxControllerProps> = {}): string {
  return Yaml.stringify(...synth(new AgentSandboxController(testApp(), 'agent-sandbox', { image: 'registry.example/controller:1', ...props })));
}

/** Everything that the chart can emit. */
const EVERYTHING: Partial<AgentSandboxControllerProps> = {
  replicas: 2,
  allowedLabelDomains: ['example.com'],
  enableTracing: true,
  metricsNamespaces: ['monitoring'],
  monitoring: { serviceMonitor: true, prometheusRule: true, dashboard: true },
  router: {
    image: 'registry.example/router:1',
    tlsSecret: secret('cert'),
    scopedTokenSecret: secret('keys'),
    allowHttpTokens: true,
    resumeOnRequest: true,
    maxReplicas: 5,
    gateway: { className: 'some-class', hostnames: ['sandboxes.example'] },
  },
};

describeWithPrograms('the install chart', () => {
  let cluster: ControlPlane;
  beforeAll(async () => {
    cluster = await ControlPlane.start({ fakeNodes: 1, crds: [FOREIGN_CRDS_DIR] });
  }, 120_000);
  afterAll(() => cluster?.stop());

  const apply = (yaml: string) => cluster.kubectl(['apply', '--server-side', '-f', '-'], { input: yaml });
  const deployed = (name: string) => cluster.admin.waitFor({ apiVersion: 'apps/v1', kind: 'Deployment', namespace: NAMESPACE, name },
    ({ spec, status }) => status?.availableReplicas === spec.replicas && status.observedGeneration !== undefined);

  test('applies in one pass, and its Pod is admitted into the restricted namespace', async () => {
    await apply(manifests());
    await deployed('agent-sandbox-controller');
  });

  test('applies in one pass with all that it has, and shows no difference afterwards', async () => {
    const yaml = manifests(EVERYTHING);
    await apply(yaml);
    await deployed('agent-sandbox-controller');
    await deployed('sandbox-router');
    expect((await cluster.kubectl(['diff', '--server-side', '-f', '-'], { input: yaml })).stdout).toBe('');
  });

  describe('the policy of the router', () => {
    let router: ApiClient;
    const sandbox = (name: string): KubeObject => ({
      apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox', metadata: { name, namespace: 'default', labels: { team: 'a' } },
      spec: { operatingMode: 'Suspended', replicas: 0, service: true, podTemplate: { spec: { containers: [{ name: 'main', image: 'registry.example/app:1' }] } } },
    });
    const ref = (name: string) => ({ apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox', namespace: 'default', name });

    beforeAll(async () => {
      await apply(manifests(EVERYTHING));
      router = await cluster.client({ serviceAccount: `${NAMESPACE}/sandbox-router` });
      await cluster.admin.create(sandbox('probe'));
      // The server takes a moment until it enforces a policy.
      await waitFor(async () => (await refusal(router.merge(ref('probe'), { spec: { service: false } }))).length > 0, { what: 'the policy to be enforced' });
    }, 60_000);

    test('lets the router resume', async () => {
      await cluster.admin.create(sandbox('resumed'));
      const { spec } = await router.merge(ref('resumed'), { spec: { operatingMode: 'Running', replicas: 1 } });
      expect(spec).toMatchObject({ operatingMode: 'Running', replicas: 1, service: true });
    });

    test.each<[string, object, string]>([
      ['another image', { spec: { podTemplate: { spec: { containers: [{ name: 'main', image: 'evil' }] } } } }, 'may change spec.operatingMode and spec.replicas only'],
      ['a field less', { spec: { service: null } }, 'may change spec.operatingMode and spec.replicas only'],
      ['a field more', { spec: { shutdownTime: '2027-01-31T17:00:00Z' } }, 'may change spec.operatingMode and spec.replicas only'],
      ['labels', { metadata: { labels: { team: 'b' } } }, 'may not change metadata'],
      ['annotations', { metadata: { annotations: { note: 'x' } } }, 'may not change metadata'],
      ['owners', { metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'x', uid: 'x' }] } }, "cannot set an ownerRef on a resource you can't delete"],
      ['finalizers', { metadata: { finalizers: ['example.com/stay'] } }, 'may not change metadata'],
    ])('keeps it from %s', async (_what, patch, message) => {
      expect((await refusal(router.merge(ref('probe'), patch))).join()).toContain(message);
    });

    test('does not concern others', async () => {
      await expect(cluster.admin.merge(ref('probe'), { metadata: { labels: { team: 'b' } } })).resolves.toBeDefined();
    });
  });

  describe('the roles of users', () => {
    const allowed = async (user: string, verb: string, resource: string, group = 'extensions.agents.x-k8s.io', subresource?: string) => {
      const review = await cluster.admin.create({
        apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', metadata: {},
        spec: { user, resourceAttributes: { namespace: 'default', verb, group, resource, subresource } },
      });
      return review.status.allowed as boolean;
    };
    beforeAll(async () => {
      await apply(manifests());
      for (const role of ['agent-sandbox-user', 'view', 'edit']) {
        await cluster.admin.apply({
          apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name: role, namespace: 'default' },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role }, subjects: [{ kind: 'User', name: role, apiGroup: 'rbac.authorization.k8s.io' }],
        });
      }
      await waitFor(() => allowed('edit', 'create', 'sandboxclaims'), { what: 'the roles to be aggregated' });
      await waitFor(() => allowed('view', 'list', 'sandboxclaims'), { what: 'the roles to be aggregated' });
    }, 60_000);

    const [CORE, EXTENSIONS] = ['agents.x-k8s.io', 'extensions.agents.x-k8s.io'];
    test.each([
      ['agent-sandbox-user', 'may', 'create', EXTENSIONS, 'sandboxclaims', ''],
      ['agent-sandbox-user', 'may', 'create', CORE, 'sandboxes', 'proxy'],
      ['agent-sandbox-user', 'may not', 'patch', CORE, 'sandboxes', ''],
      ['agent-sandbox-user', 'may not', 'create', EXTENSIONS, 'sandboxtemplates', ''],
      ['view', 'may not', 'create', CORE, 'sandboxes', 'proxy'],
      ['view', 'may not', 'create', EXTENSIONS, 'sandboxclaims', ''],
      ['edit', 'may not', 'create', CORE, 'sandboxes', 'proxy'],
      ['edit', 'may', 'patch', EXTENSIONS, 'sandboxwarmpools', 'scale'],
    ])('%s %s %s %s/%s %s', async (user, may, verb, group, resource, subresource) => {
      expect(await allowed(user, verb, resource, group, subresource || undefined)).toBe(may === 'may');
    });
  });
}, ['kube-controller-manager', 'kube-scheduler', 'kwok']);
