import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { EXAMPLES, readManifests } from '../../scripts/example-apps';
import { Isolation, Sandbox, SandboxNetwork } from '../../src';
import { ControlPlane, type KubeObject, PROJECT_CRDS_DIR, waitFor } from '../../testbed/src/index.js';
import { describeWithPrograms } from '../../testbed/src/jest/index.js';
import { manifestsOf } from './support/features';
import { refusal } from './support/bench';

jest.setTimeout(60_000);

/** A change of the Pod that the policy of the example refuses, and what it says. */
const REFUSED: readonly (readonly [what: string, message: string, change: (pod: any) => void])[] = [
  ['another runtime class', 'runtimeClassName must be gvisor', pod => { pod.runtimeClassName = 'runc'; }],
  ['no runtime class', 'runtimeClassName must be gvisor', pod => { delete pod.runtimeClassName; }],
  ['the network of the node', 'are off limits', pod => { pod.hostNetwork = true; }],
  ['the processes of the node', 'are off limits', pod => { pod.hostPID = true; }],
  ['the token of the service account', 'automountServiceAccountToken must be false', pod => { delete pod.automountServiceAccountToken; }],
  ['a privileged container', 'containers must not be privileged', pod => { pod.containers[0].securityContext.privileged = true; }],
  ['capabilities', 'containers must drop ALL capabilities', pod => { pod.containers[0].securityContext.capabilities = { drop: ['NET_RAW'] }; }],
  ['added capabilities', 'containers must not add capabilities', pod => { pod.containers[0].securityContext.capabilities.add = ['NET_ADMIN']; }],
  ['no limits', 'containers must have limits of CPU and memory', pod => { delete pod.containers[0].resources; }],
  ['an init container without limits', 'containers must have limits of CPU and memory', pod => { pod.initContainers = [{ ...pod.containers[0], name: 'init', resources: {} }]; }],
  ['root', 'containers must not run as root', pod => { pod.securityContext.runAsNonRoot = false; }],
  ['root in one container', 'containers must not run as root', pod => { pod.containers[0].securityContext.runAsNonRoot = false; }],
  ['a folder of the node', 'volumes must not be folders of the node', pod => { pod.volumes = [{ name: 'v', hostPath: { path: '/' } }]; }],
  ['a projected token', 'volumes must not carry credentials of the cluster', pod => { pod.volumes = [{ name: 'v', projected: { sources: [{ serviceAccountToken: { path: 't' } }] } }]; }],
  ['a port of the node', 'ports of the node are off limits', pod => { pod.containers[0].ports = [{ containerPort: 80, hostPort: 80 }]; }],
  ['sysctls', 'sysctls are off limits', pod => { pod.securityContext.sysctls = [{ name: 'kernel.msgmax', value: '1' }]; }],
  ['an unmasked /proc', 'procMount must be Default', pod => { pod.containers[0].securityContext.procMount = 'Unmasked'; }],
];

describeWithPrograms('the admission policy of the example', () => {
  let cluster: ControlPlane;
  const sandbox = (change: (pod: any) => void = () => undefined): KubeObject => {
    const [manifest] = manifestsOf(chart => new Sandbox(chart, 'box', {
      containers: [{ image: 'registry.example/app:1', cpu: '1', memory: '1Gi' }], isolation: Isolation.gvisor(), network: SandboxNetwork.unmanaged(),
    }), 'default');
    change(manifest.spec.podTemplate.spec);
    return manifest;
  };
  const tryOut = (object: KubeObject) => cluster.admin.create(object, { dryRun: 'All' });

  beforeAll(async () => {
    cluster = await ControlPlane.start({ crds: [PROJECT_CRDS_DIR] });
    const manifests = [...readManifests(join(EXAMPLES, 'admission-policy', 'manifests')).values()].flatMap(text => parseAllDocuments(text).map(document => document.toJS()));
    for (const manifest of manifests) {
      await cluster.admin.create(manifest);
    }
    // The server takes a moment until it enforces a policy.
    const bad = sandbox(pod => { pod.hostNetwork = true; });
    await waitFor(async () => (await refusal(tryOut(bad))).length > 0, { what: 'the policy to be enforced' });
  });
  afterAll(() => cluster?.stop());

  test('takes a Sandbox with the defaults of the constructs, gVisor and limits', async () => {
    await expect(tryOut(sandbox())).resolves.toMatchObject({ kind: 'Sandbox' });
  });

  test.each(REFUSED)('refuses %s: %s', async (_what, message, change) => {
    const [reason] = await refusal(tryOut(sandbox(change)));
    expect(reason).toContain("ValidatingAdmissionPolicy 'secure-sandbox-policy' with binding 'secure-sandbox-binding' denied request: ");
    expect(reason).toContain(message);
  });

  test('holds in both versions of the API', async () => {
    const old = sandbox(pod => { pod.hostNetwork = true; });
    expect(await refusal(tryOut({ ...old, apiVersion: 'agents.x-k8s.io/v1alpha1' }))).toEqual([expect.stringContaining('are off limits')]);
  });

  test('can be applied twice without a change', async () => {
    const folder = join(EXAMPLES, 'admission-policy', 'manifests');
    await cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-f', folder]);
    const policy = { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingAdmissionPolicy', name: 'secure-sandbox-policy' };
    const before = await cluster.admin.get(policy);
    await cluster.kubectl(['apply', '--server-side', '-f', folder]);
    expect((await cluster.admin.get(policy)).metadata.resourceVersion).toBe(before.metadata.resourceVersion);
  });
});
