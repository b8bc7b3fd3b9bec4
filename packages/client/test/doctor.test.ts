import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { Cluster, loadCredentials } from 'agent-sandbox-kube';
import { describeWithControlPlane } from '../../../testbed/src/jest/index.js';
import { type Diagnosis, diagnose } from '../src/cli/doctor.js';
import type { AnalysisLibrary } from '../src/cli/library.js';
import { main } from '../src/cli/program.js';

/** Later than any claim of the suite can be on its way. */
const LATER_MS = 3_600_000;
const POD_TEMPLATE = { podTemplate: { spec: { runtimeClassName: 'doctor-missing', containers: [{ name: 'main', image: 'image' }] } } };
const EXTENSIONS = 'extensions.agents.x-k8s.io/v1beta1';

describeWithControlPlane('doctor, on an API server', testbed => {
  let cluster: Cluster;
  let folder: string;
  const created: { apiVersion: string; kind: string; name: string; namespace?: string }[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'doctor-'));
    cluster = new Cluster({ credentials: loadCredentials({ kubeconfig: (await testbed.cluster.kubeconfig()).path, env: {} }), userAgent: 'doctor-test' });
  });
  afterEach(async () => {
    for (const ref of created.splice(0)) {
      await testbed.cluster.admin.delete(ref);
    }
  });
  afterAll(async () => {
    await cluster.close();
    await rm(folder, { recursive: true });
  });

  const create = async (apiVersion: string, kind: string, name: string, rest: object, namespace: string | undefined = testbed.namespace) => {
    await testbed.cluster.admin.create({ apiVersion, kind, metadata: { name, namespace }, ...rest } as any);
    created.push({ apiVersion, kind, name, namespace });
  };
  const look = () => diagnose(cluster, { namespace: testbed.namespace, now: Date.now() + LATER_MS });
  const of = (found: readonly Diagnosis[], check: string) => found.filter(each => each.check === check).map(({ status, message }) => `${status} ${message}`);

  async function run(args: string[], library?: AnalysisLibrary) {
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
    const read = async (stream: PassThrough) => Buffer.concat(await stream.toArray()).toString();
    const [out, err] = [read(stdout), read(stderr)];
    const code = await main([...args, '-n', testbed.namespace, '--kubeconfig', (await testbed.cluster.kubeconfig()).path], { stdin, stdout, stderr, env: {}, library: library && (() => Promise.resolve(library)) } as any);
    stdout.end();
    stderr.end();
    return { code, out: await out, err: await err };
  }

  test('server, definitions and versions', async () => {
    const found = await look();
    expect(of(found, 'server')).toEqual([expect.stringMatching(/^ok Kubernetes v1\.\d+\.\d+/)]);
    expect(of(found, 'definitions')).toEqual(['ok all four kinds, stored as v1beta1']);
  });

  test('a RuntimeClass that templates name and the cluster does not have', async () => {
    await create(EXTENSIONS, 'SandboxTemplate', 'python', { spec: POD_TEMPLATE });
    expect(of(await look(), 'runtime-classes')).toContain(`error there is no RuntimeClass doctor-missing, and SandboxTemplate ${testbed.namespace}/python needs it`);
  });

  test('a RuntimeClass that no node has', async () => {
    await create(EXTENSIONS, 'SandboxTemplate', 'python', { spec: { podTemplate: { spec: { ...POD_TEMPLATE.podTemplate.spec, runtimeClassName: 'doctor-nowhere' } } } });
    await create('node.k8s.io/v1', 'RuntimeClass', 'doctor-nowhere', { handler: 'runsc', scheduling: { nodeSelector: { 'doctor.example': 'none' } } }, undefined);
    expect(of(await look(), 'runtime-classes')).toContain('error doctor-nowhere (handler runsc): 0 nodes');
  });

  test('claims that are stuck, and why', async () => {
    await create(EXTENSIONS, 'SandboxClaim', 'ticket', { spec: { warmPoolRef: { name: 'nowhere' } } });
    expect(of(await look(), 'claims')).toEqual([`error 1 stuck: ${testbed.namespace}/ticket: there is no pool nowhere`]);
    expect(of(await diagnose(cluster, { namespace: testbed.namespace }), 'claims')).toEqual(['ok 1 claim, none stuck']);
  });

  test('webhooks that the original has left', async () => {
    const client = { url: 'https://127.0.0.1:1/none' };
    await create('admissionregistration.k8s.io/v1', 'ValidatingWebhookConfiguration', `doctor-${testbed.namespace}`, {
      webhooks: [{
        name: 'sandbox.doctor.example', clientConfig: client, sideEffects: 'None', admissionReviewVersions: ['v1'], failurePolicy: 'Ignore',
        // It selects no namespace: other suites go on.
        namespaceSelector: { matchLabels: { 'doctor.example': 'none' } },
        rules: [{ apiGroups: ['agents.x-k8s.io'], apiVersions: ['*'], operations: ['CREATE'], resources: ['sandboxes'] }],
      }],
    }, undefined);
    expect(of(await look(), 'webhooks')).toContainEqual(expect.stringContaining(`warning the API has webhooks that this controller does not need: ValidatingWebhookConfiguration doctor-${testbed.namespace}`));
  });

  test('the command line prints it, reads a cluster for the rules, and compares with manifests', async () => {
    await create(EXTENSIONS, 'SandboxTemplate', 'python', { spec: POD_TEMPLATE });
    const doctor = await run(['doctor', '--json']);
    expect(JSON.parse(doctor.out)).toContainEqual(expect.objectContaining({ check: 'runtime-classes', status: 'error' }));
    expect(doctor.code).toBe(1);

    const seen: { args: readonly string[]; objects: string[] }[] = [];
    const library: AnalysisLibrary = {
      main: (args, { objects = [] } = {}) => {
        seen.push({ args, objects: objects.map(({ place }) => place) });
        return { output: 'it differs', code: 1 };
      },
    };
    expect(await run(['posture', '--cluster'], library)).toMatchObject({ code: 1, out: 'it differs\n' });
    expect(seen[0].args).toEqual(['posture', '--']);
    expect(seen[0].objects).toEqual(expect.arrayContaining([`cluster/${testbed.namespace}/SandboxTemplate/python`, `cluster/Namespace/${testbed.namespace}`]));

    const file = join(folder, 'template.json');
    await writeFile(file, '{}');
    expect((await run(['doctor', file], library)).out).toMatch(/^warning {2}drift: it differs\n/m);
    expect(seen[1].args).toEqual(['drift', '--', file]);
  });
});
