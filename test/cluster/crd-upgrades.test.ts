import { join } from 'node:path';
import { CRDS, CRD_FILES, type Json, type KindName } from '../../api/test/crd-files';
import { type Connection, ControlPlane, type KubeObject, type ObjectRef, PROJECT_CRDS_DIR, waitFor } from '../../testbed/src/index.js';
import { describeWithPrograms } from '../../testbed/src/jest/index.js';
import { apiVersion, leastSpec } from './support/bench';

const START_MS = 120_000;
const NAMESPACE = 'default';
const FORBIDDEN = 'spec.conversion.webhookClientConfig: Forbidden: should not be set when strategy is not set to Webhook';

const file = (kind: KindName) => join(PROJECT_CRDS_DIR, CRD_FILES[kind]);
const ref = (kind: KindName): ObjectRef => ({ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', name: CRDS[kind].metadata.name });

/** A CRD of ours with the conversion webhook that v0.5 of the original has. */
function withWebhook(kind: KindName): Json {
  const service = { name: 'agent-sandbox-webhook-service', namespace: 'agent-sandbox-system', path: '/convert' };
  const conversion = { strategy: 'Webhook', webhook: { conversionReviewVersions: ['v1', 'v1beta1'], clientConfig: { service } } };
  return { ...CRDS[kind], spec: { ...CRDS[kind].spec, conversion } };
}

/** A CRD as the first generation had it: v1alpha1 alone, stored as such. */
function firstGeneration(kind: KindName): Json {
  const { spec } = CRDS[kind];
  const versions = spec.versions.filter(({ name }: Json) => name === 'v1alpha1')
    .map(({ deprecated: _, deprecationWarning: __, ...version }: Json) => ({ ...version, storage: true }));
  return { ...CRDS[kind], spec: { ...spec, versions } };
}

describeWithPrograms('upgrades of the CRDs', () => {
  // Each test has a kind of its own, so that they do not meet.
  let cluster: ControlPlane;
  beforeAll(async () => {
    cluster = await ControlPlane.start();
  }, START_MS);
  afterAll(() => cluster.stop());

  const install = async (crd: Json, kind: KindName, ...args: string[]) => {
    await cluster.kubectl([...args, '-f', '-'], { input: JSON.stringify(crd) });
    await cluster.admin.waitFor(ref(kind), ({ status }) => status?.conditions?.some(({ type, status: value }: Json) => type === 'Established' && value === 'True'));
  };
  /** What the controller of the original does when it starts. */
  const patchCaBundle = (kind: KindName) => cluster.admin.merge(ref(kind), {
    spec: { conversion: { webhook: { clientConfig: { caBundle: base64((cluster.connection as Connection).ca) } } } },
  });
  /** An object, written in the version that is stored. The server may not serve its kind yet. */
  const create = async (kind: KindName, version: 'v1beta1' | 'v1alpha1', spec: Json = leastSpec(kind, version)): Promise<KubeObject> => waitFor(
    () => cluster.admin.create({ apiVersion: apiVersion(kind, version), kind, metadata: { name: 'kept', namespace: NAMESPACE }, spec }),
    { what: `the server to serve ${kind}` },
  );
  /** The object through the other version, which takes the server a moment to learn. */
  const readThrough = (kind: KindName, version: 'v1beta1' | 'v1alpha1') => waitFor(
    () => cluster.admin.get({ apiVersion: apiVersion(kind, version), kind, name: 'kept', namespace: NAMESPACE }),
    { what: `${kind} to be served as ${version}` },
  );
  const conversion = async (kind: KindName) => (await cluster.admin.get(ref(kind))).spec.conversion;

  test('kubectl apply removes the webhook that kubectl apply brought', async () => {
    await install(withWebhook('Sandbox'), 'Sandbox', 'apply');
    await patchCaBundle('Sandbox');
    const before = await create('Sandbox', 'v1beta1');
    await cluster.kubectl(['apply', '-f', file('Sandbox')]);
    expect(await conversion('Sandbox')).toEqual({ strategy: 'None' });
    expect((await readThrough('Sandbox', 'v1alpha1')).spec).toEqual(before.spec);
  }, START_MS);

  test('server-side apply cannot remove the webhook, because parts of it belong to the controller', async () => {
    await install(withWebhook('SandboxTemplate'), 'SandboxTemplate', 'apply', '--server-side');
    await patchCaBundle('SandboxTemplate');
    const failed = await cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-f', file('SandboxTemplate')], { allowFailure: true });
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain(FORBIDDEN);
  }, START_MS);

  test('kubectl replace removes the webhook, of any origin, and keeps the objects', async () => {
    await install(withWebhook('SandboxClaim'), 'SandboxClaim', 'create');
    await patchCaBundle('SandboxClaim');
    const before = await create('SandboxClaim', 'v1beta1');
    await cluster.kubectl(['replace', '-f', file('SandboxClaim')]);
    expect(await conversion('SandboxClaim')).toEqual({ strategy: 'None' });
    const after = await readThrough('SandboxClaim', 'v1alpha1');
    expect(after.metadata.uid).toBe(before.metadata.uid);
    expect(after.spec).toEqual(before.spec);
  }, START_MS);

  test('a patch of the stanza clears the way for server-side apply', async () => {
    await install(withWebhook('SandboxWarmPool'), 'SandboxWarmPool', 'create');
    await patchCaBundle('SandboxWarmPool');
    const before = await create('SandboxWarmPool', 'v1beta1');
    const patch = JSON.stringify({ spec: { conversion: { strategy: 'None', webhook: null } } });
    await cluster.kubectl(['patch', '-f', file('SandboxWarmPool'), '--type=merge', '-p', patch]);
    await cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-f', file('SandboxWarmPool')]);
    expect(await conversion('SandboxWarmPool')).toEqual({ strategy: 'None' });
    expect((await readThrough('SandboxWarmPool', 'v1alpha1')).spec).toEqual(before.spec);
  }, START_MS);
});

describeWithPrograms('objects of the first generation, which were stored as v1alpha1', () => {
  const KINDS: readonly KindName[] = ['Sandbox', 'SandboxClaim', 'SandboxWarmPool'];
  let cluster: ControlPlane;
  beforeAll(async () => {
    cluster = await ControlPlane.start();
    await cluster.kubectl(['apply', '-f', '-'], { input: KINDS.map(kind => JSON.stringify(firstGeneration(kind))).join('\n---\n') });
    const specs: Partial<Record<KindName, Json>> = { Sandbox: { ...leastSpec('Sandbox'), replicas: 0 } };
    for (const kind of KINDS) {
      const object = { apiVersion: apiVersion(kind, 'v1alpha1'), kind, metadata: { name: 'old', namespace: NAMESPACE }, spec: specs[kind] ?? leastSpec(kind, 'v1alpha1') };
      await waitFor(() => cluster.admin.create(object), { what: `the server to serve ${kind}` });
    }
    await cluster.kubectl(['apply', '-f', PROJECT_CRDS_DIR]);
  }, START_MS);
  afterAll(() => cluster.stop());

  const read = (kind: KindName) => waitFor(
    () => cluster.admin.get({ apiVersion: apiVersion(kind, 'v1beta1'), kind, name: 'old', namespace: NAMESPACE }),
    { what: `${kind} to be served as v1beta1` },
  );

  test('a suspended Sandbox stays suspended', async () => {
    const { spec } = await read('Sandbox');
    expect(spec.replicas).toBe(0);
    // The server fills in the defaults of the version that an object is stored in, and v1alpha1 has none for the mode.
    expect(spec).not.toHaveProperty('operatingMode');
  });

  test('a claim keeps its template', async () => {
    expect((await read('SandboxClaim')).spec).toEqual({ sandboxTemplateRef: { name: 'template' } });
  });

  test('a pool keeps its size', async () => {
    expect((await read('SandboxWarmPool')).spec).toEqual({ replicas: 1, sandboxTemplateRef: { name: 'template' } });
  });

  test('the server remembers that it has to look for objects of both versions', async () => {
    const { status } = await cluster.admin.get(ref('Sandbox'));
    expect(status.storedVersions).toEqual(['v1alpha1', 'v1beta1']);
  });
});

function base64(value: unknown): string {
  return Buffer.from(String(value)).toString('base64');
}
