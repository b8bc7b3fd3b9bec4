import { Duration } from 'cdk8s';
import { AgentSandboxController, type AgentSandboxControllerProps, ControllerImplementation } from '../../src';
import { ControlPlane, type KubeObject, type ObjectRef, PROJECT_CRDS_DIR, waitFor } from '../../testbed/src/index.js';
import { describeWithPrograms } from '../../testbed/src/jest/index.js';
import { synth, testApp } from '../helpers';
import { type RunningProgram, freePort, startProgram } from './support/program';
import { UNSEEN, granted, used } from './support/rights';

const SYSTEM = 'agent-sandbox-system';
const ACCOUNT = `${SYSTEM}/agent-sandbox-controller`;
const USER = 'system:serviceaccount:agent-sandbox-system:agent-sandbox-controller';
const ROUTER_USER = 'system:serviceaccount:agent-sandbox-system:sandbox-router';
/** Path of the controller of the original, for who has it. */
const UPSTREAM = process.env.AGENT_SANDBOX_TEST_UPSTREAM_CONTROLLER;
const HASH = 'agents.x-k8s.io/sandbox-name-hash';

/** Objects of an installation, but for what would run: the program runs here, as its service account. */
function manifests(props: Partial<AgentSandboxControllerProps> = {}): KubeObject[] {
  return synth(new AgentSandboxController(testApp(), 'agent-sandbox', { image: 'registry.example/controller:1', crds: false, ...props }))
    .filter(({ kind }) => kind !== 'Deployment');
}

/** The arguments of the container of a Deployment. */
function args(props: Partial<AgentSandboxControllerProps> = {}, deployment = 'agent-sandbox-controller'): string[] {
  return synth(new AgentSandboxController(testApp(), 'agent-sandbox', { image: 'registry.example/controller:1', crds: false, ...props }))
    .find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === deployment).spec.template.spec.containers[0].args;
}

/** What a user does with one namespace, so that every right of the controller is needed. */
class Scenario {
  constructor(private readonly cluster: ControlPlane, public readonly namespace: string) {}

  public async sandboxes(): Promise<void> {
    const box = await this.create('Sandbox', 'box', {
      service: true,
      podTemplate: { metadata: { labels: { tier: 'a' } }, spec: { containers: [{ name: 'main', image: 'registry.example/app:1', ports: [{ containerPort: 80 }] }] } },
      volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } }],
    });
    await this.until({ ...box, apiVersion: 'v1', kind: 'Pod' }, () => true);
    await this.merge(box, { spec: { podTemplate: { metadata: { labels: { tier: 'b' } } } } });
    await this.until({ ...box, apiVersion: 'v1', kind: 'Pod' }, ({ metadata }) => metadata.labels.tier === 'b');
    await this.merge({ ...box, apiVersion: 'v1', kind: 'Service' }, { spec: { selector: { [HASH]: 'another-sandbox' } } });
    await this.until({ ...box, apiVersion: 'v1', kind: 'Service' }, ({ spec }) => spec.selector[HASH] !== 'another-sandbox');
    await this.merge(box, { spec: { service: false, operatingMode: 'Suspended', replicas: 0 } });
    await this.gone({ ...box, apiVersion: 'v1', kind: 'Service' });
    await this.gone({ ...box, apiVersion: 'v1', kind: 'Pod' });
  }

  /** A volume that was there before, and a Sandbox whose time is over. */
  public async adoptionAndExpiry(): Promise<void> {
    await this.cluster.admin.create({
      apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data-heir', namespace: this.namespace, labels: { 'agents.x-k8s.io/adoptable': 'true' } },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    });
    const heir = await this.create('Sandbox', 'heir', {
      podTemplate: { spec: { containers: [{ name: 'main', image: 'registry.example/app:1' }] } },
      volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } }],
    });
    await this.until({ ...heir, apiVersion: 'v1', kind: 'PersistentVolumeClaim', name: 'data-heir' }, ({ metadata }) => metadata.ownerReferences?.length === 1);
    await this.merge(heir, { spec: { shutdownTime: '2020-01-01T00:00:00Z', shutdownPolicy: 'Delete' } });
    await this.gone(heir);
  }

  public async templates(): Promise<void> {
    const template = await this.create('SandboxTemplate', 'python', { podTemplate: { spec: { containers: [{ name: 'main', image: 'registry.example/app:1' }] } } });
    const policy = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', namespace: this.namespace, name: 'python-network-policy' };
    await this.until(policy, () => true);
    await this.merge(template, { spec: { networkPolicy: { ingress: [], egress: [] } } });
    await this.until(policy, ({ spec }) => !spec.egress);
    await this.merge(template, { spec: { networkPolicyManagement: 'Unmanaged' } });
    await this.gone(policy);
  }

  /** A pool, a claim that it serves, a cold one, and one whose time is over. */
  public async claims(): Promise<void> {
    const podTemplate = { spec: { containers: [{ name: 'main', image: 'registry.example/app:1' }] } };
    await this.create('SandboxTemplate', 'base', { podTemplate, envVarsInjectionPolicy: 'Allowed' });
    const pool = await this.create('SandboxWarmPool', 'pool', { replicas: 2, sandboxTemplateRef: { name: 'base' } });
    await this.until(pool, ({ status }) => status?.readyReplicas === 2);
    const ready = ({ status }: any) => status?.conditions?.some(({ type, status: value }: any) => type === 'Ready' && value === 'True');
    const warm = await this.create('SandboxClaim', 'warm', { warmPoolRef: { name: 'pool' } });
    const cold = await this.create('SandboxClaim', 'cold', { warmPoolRef: { name: 'pool' }, env: [{ name: 'A', value: 'b' }] });
    await this.until(warm, ready);
    await this.until(cold, ready);
    await this.merge(cold, { spec: { lifecycle: { shutdownTime: '2020-01-01T00:00:00Z', shutdownPolicy: 'Delete' } } });
    await this.gone(cold);
    await this.merge(pool, { spec: { replicas: 0 } });
    await this.until(pool, ({ status }) => (status?.replicas ?? 0) === 0);
  }

  private async create(kind: string, name: string, spec: object): Promise<ObjectRef> {
    const apiVersion = kind === 'Sandbox' ? 'agents.x-k8s.io/v1beta1' : 'extensions.agents.x-k8s.io/v1beta1';
    await this.cluster.admin.create({ apiVersion, kind, metadata: { name, namespace: this.namespace }, spec });
    return { apiVersion, kind, namespace: this.namespace, name };
  }

  private merge(ref: ObjectRef, patch: object): Promise<KubeObject> {
    return this.cluster.admin.merge(ref, patch);
  }

  private until(ref: ObjectRef, condition: (object: any) => boolean): Promise<KubeObject> {
    return this.cluster.admin.waitFor(ref, condition);
  }

  private gone(ref: ObjectRef): Promise<void> {
    return this.cluster.admin.waitGone(ref);
  }
}

describeWithPrograms('the rights of the chart', () => {
  let cluster: ControlPlane;
  beforeAll(async () => {
    cluster = await ControlPlane.start({ fakeNodes: 1, auditLog: true, crds: [PROJECT_CRDS_DIR], ownerReferencesPermissionEnforcement: true });
  }, 120_000);
  afterAll(() => cluster?.stop());

  const install = async (objects: readonly KubeObject[]) => {
    for (const object of objects) {
      await cluster.admin.apply(object, { force: true });
    }
    await waitFor(() => cluster.admin.get({ apiVersion: 'v1', kind: 'ServiceAccount', namespace: SYSTEM, name: 'agent-sandbox-controller' }), { what: 'the service account' });
  };
  /** Runs the controller as its service account, lets `work` happen, and returns what it asked of the API server. */
  const watched = async (props: Partial<AgentSandboxControllerProps>, work: () => Promise<void>, program = 'controller') => {
    await install(manifests(props));
    const since = new Date();
    const { path } = await cluster.kubeconfig({ serviceAccount: ACCOUNT });
    let controller: RunningProgram | undefined;
    try {
      controller = await startProgram(program, ['--kubeconfig', path, `--leader-election-namespace=${SYSTEM}`, ...args(props)]);
      await work();
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${controller?.output().slice(-3000)}`);
    } finally {
      await controller?.stop();
    }
    return cluster.auditLog.find({ user: USER, since });
  };
  const refused = (requests: Awaited<ReturnType<typeof watched>>) =>
    requests.filter(({ code }) => code === 403).map(({ verb, uri, responseObject }) => `${verb} ${uri} ${responseObject?.message ?? ''}`);

  test('of the controller suffice, and are all used, but for those that are listed with their reason', async () => {
    const scenario = new Scenario(cluster, await cluster.createNamespace('rights'));
    const requests = await watched({}, async () => {
      await scenario.sandboxes();
      await scenario.adoptionAndExpiry();
      await scenario.templates();
      await scenario.claims();
    });
    expect(refused(requests)).toEqual([]);
    const rights = granted(manifests().filter(({ kind, metadata }) => kind.endsWith('Role') && metadata.name?.startsWith('agent-sandbox-controller')));
    const seen = used(requests);
    expect(rights.filter(right => !seen.includes(right) && !(right in UNSEEN))).toEqual([]);
    expect(Object.keys(UNSEEN).filter(right => !rights.includes(right))).toEqual([]);
  }, 120_000);

  test('of the router are all that it uses', async () => {
    const props = { editorsConnect: true, router: { image: 'registry.example/router:1', resumeOnRequest: true, resumeTimeout: Duration.seconds(1) } };
    await install(manifests(props));
    const namespace = await cluster.createNamespace('router');
    const user = { kind: 'ServiceAccount', name: 'user', namespace };
    await cluster.admin.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'user', namespace } });
    for (const name of ['agent-sandbox-edit', 'agent-sandbox-connect']) {
      await cluster.admin.create({
        apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name, namespace },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name }, subjects: [user],
      });
    }
    const { body: token } = await cluster.admin.request('POST', `/api/v1/namespaces/${namespace}/serviceaccounts/user/token`, {
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { audiences: ['agent-sandbox-router'] } },
    });
    const sandbox = { apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox', namespace, name: 'suspended' };
    await cluster.admin.create({
      apiVersion: sandbox.apiVersion, kind: 'Sandbox', metadata: { name: 'suspended', namespace },
      spec: { operatingMode: 'Suspended', replicas: 0, podTemplate: { spec: { containers: [{ name: 'main', image: 'registry.example/app:1' }] } } },
    });
    const since = new Date();
    const { path } = await cluster.kubeconfig({ serviceAccount: `${SYSTEM}/sandbox-router` });
    const port = await freePort();
    const router = await startProgram('router', [...args(props, 'sandbox-router'), `--kubeconfig=${path}`, `--http-bind-address=127.0.0.1:${port}`]);
    try {
      const headers = { 'x-sandbox-id': 'suspended', 'x-sandbox-namespace': namespace, 'authorization': `Bearer ${token.status.token}` };
      // Its Pod does not run here, so the request times out; but it is resumed.
      const { status } = await fetch(`http://127.0.0.1:${port}/`, { headers });
      expect(status).toBeGreaterThanOrEqual(500);
      expect((await cluster.admin.get(sandbox)).spec).toMatchObject({ operatingMode: 'Running', replicas: 1 });
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${router.output().slice(-3000)}`);
    } finally {
      await router.stop();
    }
    const requests = await cluster.auditLog.find({ user: ROUTER_USER, since });
    expect(refused(requests)).toEqual([]);
    const rights = granted(manifests(props).filter(({ kind, metadata }) => kind === 'ClusterRole' && metadata.name?.startsWith('sandbox-router')));
    expect(used(requests)).toEqual(rights);
  }, 120_000);

  const original = UPSTREAM ? test : test.skip;
  original(`suffice for the controller of the original${UPSTREAM ? '' : ' (AGENT_SANDBOX_TEST_UPSTREAM_CONTROLLER does not name it)'}`, async () => {
    const scenario = new Scenario(cluster, await cluster.createNamespace('original'));
    const props = { implementation: ControllerImplementation.UPSTREAM_V0_5_6, image: 'registry.example/controller:v0.5.6' };
    const requests = await watched(props, async () => {
      await scenario.sandboxes();
      await scenario.claims();
    }, UPSTREAM);
    expect(refused(requests)).toEqual([]);
  }, 120_000);

  test('in some namespaces are Roles there', async () => {
    const scenario = new Scenario(cluster, await cluster.createNamespace('scoped'));
    for (const name of ['agent-sandbox-controller', 'agent-sandbox-controller-extensions']) {
      await cluster.admin.delete({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding', name });
    }
    const requests = await watched({ namespaces: [scenario.namespace] }, async () => {
      await scenario.sandboxes();
      await scenario.templates();
      await scenario.claims();
    });
    expect(refused(requests)).toEqual([]);
    expect([...new Set(requests.map(({ namespace }) => namespace))].sort()).toEqual([SYSTEM, scenario.namespace].sort());
  }, 120_000);
}, ['kube-controller-manager', 'kube-scheduler', 'kwok']);
