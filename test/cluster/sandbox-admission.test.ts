import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { EXAMPLES, exampleApps, readManifests } from '../../scripts/example-apps';
import { projectionOf } from '../../scripts/scoreboard/presets';
import {
  Isolation, KataHypervisor, Sandbox, SandboxAdmissionPolicies, SandboxClaim, SandboxNetwork, SandboxProjection, SandboxTemplate, SandboxWarmPool,
} from '../../src';
import { ADMISSION_RULES } from '../../src/admission';
import { STANDARDS } from '../../src/findings/standards';
import { ControlPlane, type KubeObject, PROJECT_CRDS_DIR, waitFor } from '../../testbed/src/index.js';
import { describeWithPrograms } from '../../testbed/src/jest/index.js';
import { CONTAINER, synth, testChart } from '../helpers';
import { refusal } from './support/bench';

jest.setTimeout(120_000);

const CONTAINER_WITH_LIMITS = { ...CONTAINER, cpu: '250m', memory: '512Mi' };
const ISOLATIONS = [
  Isolation.gvisor(), Isolation.gkeSandbox(), Isolation.kata(), Isolation.kata({ hypervisor: KataHypervisor.CLOUD_HYPERVISOR }),
  Isolation.kata({ hypervisor: KataHypervisor.FIRECRACKER }), Isolation.kataMshv(),
];
const NETWORKS = [SandboxNetwork.denyAll(), SandboxNetwork.routerOnly(), SandboxNetwork.dnsOnly(), SandboxNetwork.publicInternet(), SandboxNetwork.controllerDefault()];

/** Every preset, as a template with a pool and a claim, and as a Sandbox. */
function presets(): KubeObject[] {
  const chart = testChart({ namespace: 'default' });
  ISOLATIONS.forEach((isolation, row) => NETWORKS.forEach((network, column) => {
    const pod = { containers: [CONTAINER_WITH_LIMITS], isolation, network };
    const template = new SandboxTemplate(chart, `template-${row}-${column}`, pod);
    const pool = new SandboxWarmPool(chart, `pool-${row}-${column}`, { template, replicas: 1 });
    new SandboxClaim(chart, `claim-${row}-${column}`, { pool });
    if (column !== NETWORKS.length - 1) {
      new Sandbox(chart, `box-${row}-${column}`, pod);
    }
  }));
  return synth(chart).filter(({ kind }) => kind !== 'NetworkPolicy');
}

const preset = (kind: string) => (kind === 'Pod'
  ? structuredClone(projectionOf('presets').find(each => each.kind === 'Pod' && each.metadata.name === 'gvisor-dns-box'))
  : structuredClone(presets().find(each => each.kind === kind))) as any;
const podOf = (object: any) => (object.kind === 'Pod' ? object.spec : object.spec.podTemplate.spec);

/** By rule and, where it differs, kind: a change that it refuses. */
const BREAKS: Readonly<Record<string, (object: any) => void>> = {
  'posture/isolation': object => { podOf(object).runtimeClassName = 'runc'; },
  'policy-not-enforced': object => { podOf(object).hostNetwork = true; podOf(object).containers.forEach((each: any) => { delete each.ports; }); },
  'posture/host': object => { podOf(object).hostPID = true; },
  'posture/pod-security': object => { podOf(object).containers[0].securityContext.capabilities = { drop: ['NET_RAW'] }; },
  'posture/token': object => { podOf(object).automountServiceAccountToken = true; },
  'posture/secrets': object => { podOf(object).containers[0].env = [{ name: 'API_KEY', value: 'x' }]; },
  'posture/images': object => { podOf(object).containers[0].image = 'elsewhere.example/app:1'; },
  'posture/limits': object => { podOf(object).containers[0].resources = { requests: { memory: '1Gi' } }; },
  'unmanaged-open': object => { object.spec.networkPolicyManagement = 'Unmanaged'; },
  'universal-range': object => { object.spec.networkPolicy = { ingress: [], egress: [{ to: [{ ipBlock: { cidr: '0.0.0.0/0' } }] }] }; },
  'posture/secrets SandboxClaim': object => { object.spec.env = [{ name: 'GITHUB_TOKEN', value: 'x' }]; },
  'posture/lifetime': object => { delete object.spec.lifecycle; },
  'posture/size': object => { object.spec.replicas = 11; },
};
/** By rule: what else is a fault of the same kind. */
const ALSO: ReadonlyArray<readonly [rule: string, what: string, change: (pod: any) => void]> = [
  ['posture/isolation', 'no runtime class', pod => { delete pod.runtimeClassName; }],
  ['posture/host', 'a folder of the node', pod => { pod.volumes = [{ name: 'v', hostPath: { path: '/' } }]; }],
  ['posture/host', 'a port of the node', pod => { pod.containers[0].ports = [{ containerPort: 80, hostPort: 80 }]; }],
  ['posture/pod-security', 'a privileged container', pod => { pod.containers[0].securityContext.privileged = true; }],
  ['posture/pod-security', 'an init container without any security context', pod => { pod.initContainers = [{ ...pod.containers[0], name: 'init', securityContext: undefined }]; }],
  ['posture/pod-security', 'root', pod => { pod.securityContext.runAsNonRoot = false; delete pod.containers[0].securityContext.runAsNonRoot; }],
  ['posture/pod-security', 'no seccomp profile', pod => { delete pod.securityContext.seccompProfile; delete pod.containers[0].securityContext.seccompProfile; }],
  ['posture/token', 'a token by default', pod => { delete pod.automountServiceAccountToken; }],
];

const CASES = ADMISSION_RULES.flatMap(({ id, kinds }) => kinds.map(kind => [id, kind] as const));

describe('the rules of admission', () => {
  test('have the ids of rules and topics', () => {
    expect(ADMISSION_RULES.map(({ id }) => id).filter(id => !(id in STANDARDS) && !['posture/size'].includes(id))).toEqual([]);
  });

  test('each have a fault here', () => {
    expect(CASES.filter(([id, kind]) => !(`${id} ${kind}` in BREAKS) && !(id in BREAKS))).toEqual([]);
  });
});

describeWithPrograms('admission on the API server', () => {
  let cluster: ControlPlane;
  const tryOut = (object: KubeObject) => cluster.admin.create(object, { dryRun: 'All' });
  const strict = () => {
    const chart = testChart();
    new SandboxAdmissionPolicies(chart, 'admission', {
      parameterNamespace: 'default', registries: ['registry.example/'], requireMemoryLimit: true, requireLifetime: true, maxPoolReplicas: 10,
    });
    return synth(chart);
  };
  const lenient = () => {
    const chart = testChart();
    new SandboxAdmissionPolicies(chart, 'admission', { parameterNamespace: 'default', allowUnmanaged: true });
    return synth(chart);
  };
  const configure = async (parameters: KubeObject, probe: KubeObject, isRefused: boolean) => {
    await cluster.admin.delete({ apiVersion: 'v1', kind: 'ConfigMap', name: parameters.metadata.name!, namespace: parameters.metadata.namespace });
    await cluster.admin.create(parameters);
    // The server takes a moment until it enforces policies and sees their parameters.
    const refused = () => tryOut(probe).then(() => false, () => true);
    await waitFor(async () => (await refused()) === isRefused, { what: 'the parameters to be seen' });
  };
  const claimWithEnd = () => {
    const claim = preset('SandboxClaim');
    claim.spec.lifecycle = { ttlSecondsAfterFinished: 60 };
    return claim;
  };
  const accepted = (kind: string) => (kind === 'SandboxClaim' ? claimWithEnd() : preset(kind));

  beforeAll(async () => {
    cluster = await ControlPlane.start({ crds: [PROJECT_CRDS_DIR] });
    for (const name of ['gvisor', 'runc', 'kata-qemu']) {
      await cluster.admin.create({ apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', metadata: { name }, handler: name } as any);
    }
    await cluster.admin.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'agents' } } as any);
    // What the controller of ServiceAccounts would make.
    await cluster.admin.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: 'agents' } } as any);
    for (const manifest of strict()) {
      await cluster.admin.create(manifest);
    }
    const pool = preset('SandboxWarmPool');
    BREAKS['posture/size'](pool);
    await waitFor(async () => (await tryOut(pool).then(() => '', (error: Error) => error.message)).includes('[posture/size]'), { what: 'the policies to be enforced' });
  });
  afterAll(() => cluster?.stop());

  test('type checks find nothing wrong in the expressions', async () => {
    for (const { metadata } of strict().filter(({ kind }) => kind === 'ValidatingAdmissionPolicy')) {
      const stored: any = await cluster.admin.get({ apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingAdmissionPolicy', name: metadata.name });
      expect(stored.status?.typeChecking?.expressionWarnings ?? []).toEqual([]);
    }
  });

  test.each(CASES)('%s refuses a %s, and takes the preset', async (id, kind) => {
    await expect(tryOut(accepted(kind))).resolves.toMatchObject({ kind });
    const object = accepted(kind);
    (BREAKS[`${id} ${kind}`] ?? BREAKS[id])(object);
    expect(await refusal(tryOut(object))).toEqual([expect.stringContaining(`[${id}]`)]);
  });

  test.each(ALSO)('%s refuses %s', async (id, _what, change) => {
    const sandbox = preset('Sandbox');
    change(podOf(sandbox));
    expect(await refusal(tryOut(sandbox))).toEqual([expect.stringContaining(`[${id}]`)]);
  });

  test('a Pod that is of no Sandbox is not looked at', async () => {
    const pod = preset('Pod');
    delete pod.metadata.labels;
    pod.spec.runtimeClassName = 'runc';
    await expect(tryOut(pod)).resolves.toMatchObject({ kind: 'Pod' });
  });

  test('a stored object stays as it is until its spec changes', async () => {
    const template: any = preset('SandboxTemplate');
    template.metadata.name = 'stored';
    await cluster.admin.create(template);
    const parameters = structuredClone(strict().find(({ kind }) => kind === 'ConfigMap'));
    parameters.data.runtimeClasses = 'kata-qemu';
    await configure(parameters, preset('Sandbox'), true);
    const patch = (body: object) => cluster.admin.merge({ apiVersion: template.apiVersion, kind: template.kind, ...template.metadata }, body);
    await expect(patch({ metadata: { labels: { team: 'a' } } })).resolves.toMatchObject({ metadata: { labels: { team: 'a' } } });
    expect(await refusal(patch({ spec: { podTemplate: { metadata: { labels: { team: 'a' } } } } }))).toEqual([expect.stringContaining('[posture/isolation]')]);
  });

  test('without parameters everything is refused', async () => {
    const parameters = strict().find(({ kind }) => kind === 'ConfigMap');
    await cluster.admin.delete({ apiVersion: 'v1', kind: 'ConfigMap', ...parameters.metadata });
    await waitFor(() => tryOut(accepted('Sandbox')).then(() => false, () => true), { what: 'the parameters to be gone' });
  });

  describe('with the least parameters', () => {
    beforeAll(async () => {
      const claim = preset('SandboxClaim');
      await configure(lenient().find(({ kind }) => kind === 'ConfigMap'), claim, false);
    });

    test('every preset is admitted', async () => {
      const objects = presets();
      expect(objects.length).toBeGreaterThan(100);
      const answers = await Promise.all(objects.map(object => tryOut(object).then(() => '', (error: Error) => `${object.kind} ${object.metadata.name}: ${error.message}`)));
      expect(answers.filter(answer => answer !== '')).toEqual([]);
    });

    test('every example is admitted, but for what it relaxes on purpose', async () => {
      const refused: string[] = [];
      for (const name of exampleApps()) {
        const objects: any[] = [...readManifests(join(EXAMPLES, name, 'manifests')).values()].flatMap(text => parseAllDocuments(text).map(document => document.toJS()));
        for (const object of objects.filter(each => /agents\.x-k8s\.io/.test(each?.apiVersion))) {
          const placed = { ...object, metadata: { ...object.metadata, namespace: 'default' } };
          await tryOut(placed).catch((error: Error) => refused.push(`${name}: ${object.kind} ${object.metadata.name}: ${/\[[\w/-]+\]/.exec(error.message)?.[0] ?? error.message}`));
        }
      }
      expect(refused).toEqual([]);
    });
  });

  test('Pods that the controller makes of the presets are admitted', async () => {
    const pods = SandboxProjection.ofManifests(projectionOf('presets')).filter(({ kind }) => kind === 'Pod');
    const answers = await Promise.all(pods.filter(({ spec }) => spec.runtimeClassName === 'gvisor').map(pod => tryOut(pod).then(() => '', (error: Error) => error.message)));
    expect(answers.filter(answer => answer !== '')).toEqual([]);
  });
});
