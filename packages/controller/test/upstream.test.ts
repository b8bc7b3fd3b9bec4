import { describe, expect, test } from '@jest/globals';
import { ControlPlane, PROJECT_CRDS_DIR, readManifests, waitFor, type ApiClient, type KubeObject } from '../../../testbed/src/index.js';
import { describeWithPrograms } from '../../../testbed/src/jest/index.js';
import { end, start, startProgram } from './program.js';

/** The original's program, where there is one; nothing else needs it. */
const UPSTREAM = process.env.AGENT_SANDBOX_TEST_UPSTREAM_CONTROLLER;
const NAME = 'coming from the original';

const NAMESPACE = 'team';
const SYSTEM = 'agent-sandbox-system';
const CORE = { apiVersion: 'agents.x-k8s.io/v1beta1' };
const EXTENSIONS = { apiVersion: 'extensions.agents.x-k8s.io/v1beta1' };
const KINDS = [
  [CORE.apiVersion, 'Sandbox'], [EXTENSIONS.apiVersion, 'SandboxTemplate'], [EXTENSIONS.apiVersion, 'SandboxClaim'], [EXTENSIONS.apiVersion, 'SandboxWarmPool'],
  ['v1', 'Pod'], ['v1', 'Service'], ['v1', 'PersistentVolumeClaim'], ['networking.k8s.io/v1', 'NetworkPolicy'],
] as const;
/** With values that programs in Go write in their own way, and a strategy that replaces what differs. */
const POD_SPEC = {
  containers: [{
    name: 'main', image: 'image', ports: [{ containerPort: 8888 }], resources: { limits: { cpu: '0.5', memory: '1536Mi' } },
    env: [{ name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } }],
  }, { name: 'side', image: 'image' }],
  volumes: [{ name: 'tmp', emptyDir: { sizeLimit: '0.5Gi' } }],
};

const suite = () => {
  test('no Pod restarts, no object is lost, and the two never work at the same time', async () => {
    await using cluster = await ControlPlane.start({ fakeNodes: 1, auditLog: true });
    const { admin } = cluster;
    await withWebhookStanza(admin);
    for (const name of [NAMESPACE, SYSTEM]) {
      await admin.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    }
    const theirs = await identity(cluster, 'theirs');
    const ours = await identity(cluster, 'ours');
    const common = ['--extensions=true', '--leader-elect=true', `--leader-election-namespace=${SYSTEM}`, '--enable-webhook=false'];
    const silent = ['--metrics-bind-address=0', '--health-probe-bind-address=0'];

    const old = startProgram(UPSTREAM!, [`--kubeconfig=${theirs}`, ...common, ...silent]);
    const runs = [old];
    try {
      // Something of each kind, in the states in which it may be met.
      await create(admin, 'SandboxTemplate', 'python', { podTemplate: { spec: POD_SPEC }, envVarsInjectionPolicy: 'Overrides' });
      await create(admin, 'SandboxWarmPool', 'pool', { replicas: 3, sandboxTemplateRef: { name: 'python' }, updateStrategy: { type: 'Recreate' } });
      await ready(admin, 'SandboxWarmPool', 'pool', pool => pool.status?.readyReplicas === 3);
      await create(admin, 'SandboxClaim', 'warm', { warmPoolRef: { name: 'pool' } });
      await create(admin, 'SandboxClaim', 'cold', { warmPoolRef: { name: 'pool' }, env: [{ name: 'A', value: '1' }] });
      await create(admin, 'Sandbox', 'plain', {
        podTemplate: { spec: POD_SPEC }, service: true,
        volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } }],
      });
      await create(admin, 'Sandbox', 'asleep', { podTemplate: { spec: POD_SPEC }, operatingMode: 'Suspended' });
      for (const name of ['warm', 'cold']) {
        await ready(admin, 'SandboxClaim', name);
      }
      await ready(admin, 'SandboxWarmPool', 'pool', pool => pool.status?.readyReplicas === 3);
      await ready(admin, 'Sandbox', 'asleep', box => condition(box, 'Suspended') === 'True');
      const before = await everything(admin);
      expect(before.filter(id => id.startsWith('Pod/'))).toHaveLength(5 + 1);

      // Both run, one works.
      const fresh = start(`--kubeconfig=${ours}`, ...common, ...silent);
      runs.push(fresh);
      await waitFor(async () => (await cluster.auditLog.find({ user: 'ours', resource: 'leases' })).length > 0, { what: 'our controller to ask for the Lease' });
      expect(fresh.output()).not.toContain('"working"');
      expect(await writes(cluster, 'ours')).toEqual([]);

      // What docs/migrate-from-upstream.md says about the definitions.
      for (const crd of await readManifests([PROJECT_CRDS_DIR])) {
        await admin.merge({ ...crd, name: crd.metadata.name! }, { spec: { conversion: { strategy: 'None', webhook: null } } });
      }
      await cluster.installCrds(PROJECT_CRDS_DIR);

      await end(old);
      await waitFor(async () => fresh.output().includes('"working"'), { what: 'our controller to take over', timeoutMs: 60_000 });
      const since = await writes(cluster, 'theirs');
      await create(admin, 'SandboxClaim', 'next', { warmPoolRef: { name: 'pool' } });
      await ready(admin, 'SandboxClaim', 'next');
      await ready(admin, 'SandboxWarmPool', 'pool', pool => pool.status?.readyReplicas === 3);
      for (const name of ['warm', 'cold']) {
        await ready(admin, 'SandboxClaim', name);
      }

      const after = new Set(await everything(admin));
      expect(before.filter(id => !after.has(id))).toEqual([]);
      expect(await writes(cluster, 'theirs')).toEqual(since);

      // What the original made can be used to the end.
      await admin.merge(ref('Sandbox', 'asleep'), { spec: { operatingMode: 'Running' } });
      await ready(admin, 'Sandbox', 'asleep', box => condition(box, 'Ready') === 'True');
      const name = (await admin.get(ref('SandboxClaim', 'warm'))).status.sandbox.name;
      await admin.delete(ref('SandboxClaim', 'warm'));
      await admin.waitGone({ apiVersion: 'v1', kind: 'Pod', namespace: NAMESPACE, name });
    } finally {
      await end(...runs);
    }
  }, 240_000);
};

if (UPSTREAM === undefined) {
  describe.skip(`${NAME} (AGENT_SANDBOX_TEST_UPSTREAM_CONTROLLER names no controller of the original)`, suite);
} else {
  describeWithPrograms(NAME, suite, ['kwok', 'kube-controller-manager', 'kube-scheduler']);
}

/** Our definitions as the original's releases had them: with a webhook that never answers. */
async function withWebhookStanza(admin: ApiClient): Promise<void> {
  for (const crd of await readManifests([PROJECT_CRDS_DIR])) {
    const service = { name: 'agent-sandbox-webhook-service', namespace: SYSTEM, path: '/convert' };
    const conversion = { strategy: 'Webhook', webhook: { clientConfig: { service }, conversionReviewVersions: ['v1'] } };
    await admin.apply({ ...crd, spec: { ...crd.spec, conversion } }, { fieldManager: 'helm' });
    await admin.waitFor({ ...crd, name: crd.metadata.name! }, object => condition(object, 'Established') === 'True');
  }
}

/** A kubeconfig of another admin, so that the audit log distinguishes the two. */
async function identity(cluster: ControlPlane, user: string): Promise<string> {
  const { path } = await cluster.kubeconfig({ user, groups: ['system:masters'] });
  return path;
}

async function writes(cluster: ControlPlane, user: string): Promise<string[]> {
  const requests = await cluster.auditLog.find({ user, writes: true });
  return requests.map(({ verb, resource, name }) => `${verb} ${resource} ${name}`);
}

function ref(kind: string, name: string) {
  return { apiVersion: kind === 'Sandbox' ? CORE.apiVersion : EXTENSIONS.apiVersion, kind, namespace: NAMESPACE, name };
}

async function create(admin: ApiClient, kind: string, name: string, spec: object): Promise<void> {
  const { apiVersion } = ref(kind, name);
  await admin.create({ apiVersion, kind, metadata: { name, namespace: NAMESPACE }, spec });
}

async function ready(admin: ApiClient, kind: string, name: string, what = (object: KubeObject) => condition(object, 'Ready') === 'True'): Promise<void> {
  await admin.waitFor(ref(kind, name), what, { timeoutMs: 60_000 });
}

function condition(object: KubeObject, type: string): string | undefined {
  return object.status?.conditions?.find((found: any) => found.type === type)?.status;
}

/** The existing objects, as `Kind/name/uid`. */
async function everything(admin: ApiClient): Promise<string[]> {
  const lists = await Promise.all(KINDS.map(([apiVersion, kind]) => admin.list(apiVersion, kind, NAMESPACE)));
  return lists.flat().map(({ kind, metadata }) => `${kind}/${metadata.name}/${metadata.uid}`);
}
