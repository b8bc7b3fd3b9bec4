import { ApiObject, type Chart, JsonPatch, Size } from 'cdk8s';
import * as kplus from 'cdk8s-plus-28';
import { Isolation, Relaxation, SandboxClaim, SandboxNetwork, SandboxTemplate, type SandboxTemplateFromPodProps } from '../src';
import { manifest, messageOf, podSpec, schemaProblems, synth, testChart } from './helpers';

const OPTIONS: SandboxTemplateFromPodProps = { isolation: Isolation.gvisor() };

/** A Pod as an application of cdk8s-plus has it. */
function pod(chart: Chart, props: kplus.PodProps = {}): kplus.Pod {
  return new kplus.Pod(chart, 'pod', { containers: [{ image: 'registry.example/app@sha256:0123', portNumber: 8888 }], ...props });
}

function fromPod(chart: Chart, source: kplus.Pod, options: Partial<SandboxTemplateFromPodProps> = {}): any {
  SandboxTemplate.fromPod(chart, 'python', source, { ...OPTIONS, ...options });
  return manifest(chart, 'SandboxTemplate');
}

/** The findings of synthesis, without the frame that cdk8s puts around them. */
function findings(chart: Chart): string[] {
  return messageOf(() => synth(chart)).split('\n').slice(1).map(line => line.trim());
}

test('a Pod keeps its containers, volumes, variables and probes', () => {
  const chart = testChart();
  const source = pod(chart, { metadata: { labels: { team: 'research' }, annotations: { note: 'x' } } });
  const [container] = source.containers;
  container.env.addVariable('MODE', kplus.EnvValue.fromValue('fast'));
  container.env.addVariable('TOKEN', kplus.EnvValue.fromSecretValue({ secret: kplus.Secret.fromSecretName(chart, 'secret', 'credentials'), key: 'token' }));
  container.mount('/scratch', kplus.Volume.fromEmptyDir(chart, 'scratch', 'scratch', { sizeLimit: Size.gibibytes(1) }));
  source.addContainer({
    name: 'web', image: 'web:1', readiness: kplus.Probe.fromHttpGet('/healthz', { port: 80 }),
    resources: { cpu: { request: kplus.Cpu.millis(100) }, memory: { limit: Size.mebibytes(64) } },
  });
  source.addInitContainer({ name: 'seed', image: 'seed:1' });

  const object = fromPod(chart, source);
  expect(schemaProblems(object)).toEqual([]);
  expect(object.spec.podTemplate.metadata).toEqual({ labels: { team: 'research' }, annotations: { note: 'x' } });
  const spec = podSpec(object);
  expect(spec.volumes).toEqual([{ name: 'scratch', emptyDir: { sizeLimit: '1024Mi' } }]);
  const [main, web] = spec.containers;
  expect(main.env).toEqual([{ name: 'MODE', value: 'fast' }, { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'credentials', key: 'token' } } }]);
  expect(main.volumeMounts).toEqual([{ name: 'scratch', mountPath: '/scratch' }]);
  expect(main.ports).toEqual([{ containerPort: 8888, protocol: 'TCP' }]);
  expect(web.readinessProbe.httpGet).toEqual({ path: '/healthz', port: 80, scheme: 'HTTP' });
  expect(web.resources).toEqual({ requests: { cpu: '100m' }, limits: { memory: '64Mi' } });
  expect(spec.initContainers.map((each: any) => each.name)).toEqual(['seed']);
});

test('a Pod gets the defaults of templates where it is silent', () => {
  const chart = testChart();
  const spec = podSpec(fromPod(chart, pod(chart)));
  expect(spec.runtimeClassName).toBe('gvisor');
  expect(spec.automountServiceAccountToken).toBe(false);
  expect(spec.enableServiceLinks).toBe(false);
  expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
  expect(spec.containers[0].securityContext).toMatchObject({ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } });
});

test('a relaxation decides where the Pod is silent', () => {
  const chart = testChart();
  const source = pod(chart);
  ApiObject.of(source).addJsonPatch(JsonPatch.remove('/spec/securityContext'), JsonPatch.remove('/spec/containers/0/securityContext'));
  const spec = podSpec(fromPod(chart, source, { relaxations: [Relaxation.RUN_AS_ROOT] }));
  expect(spec.securityContext).toEqual({ runAsNonRoot: false, seccompProfile: { type: 'RuntimeDefault' } });
  expect(spec.containers[0].securityContext).toEqual({ runAsNonRoot: false, allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } });
});

test('the Pod itself is not emitted, and its address label does not reach the template', () => {
  const chart = testChart();
  const object = fromPod(chart, pod(chart));
  expect(synth(chart).map(each => each.kind)).toEqual(['SandboxTemplate']);
  expect(object.spec.podTemplate).not.toHaveProperty('metadata');
});

test('what happens to the Pod after the call counts', () => {
  const chart = testChart();
  const source = pod(chart);
  SandboxTemplate.fromPod(chart, 'python', source, OPTIONS);
  source.addContainer({ name: 'late', image: 'late:1' });
  source.metadata.addLabel('added', 'later');
  ApiObject.of(source).addJsonPatch(JsonPatch.add('/spec/hostname', 'patched'));
  const { podTemplate } = manifest(chart, 'SandboxTemplate').spec;
  expect(podTemplate.spec.containers.map((each: any) => each.name)).toEqual(['main', 'late']);
  expect(podTemplate.metadata).toEqual({ labels: { added: 'later' } });
  expect(podTemplate.spec.hostname).toBe('patched');
});

test('nodes of the isolation join those of the Pod', () => {
  const chart = testChart();
  const source = pod(chart);
  source.scheduling.attract(kplus.Node.labeled(kplus.NodeLabelQuery.is('disk', 'ssd')));
  source.scheduling.tolerate(kplus.Node.tainted(kplus.NodeTaintQuery.exists('gpu')));
  const spec = podSpec(fromPod(chart, source, { isolation: Isolation.gkeSandbox() }));
  expect(spec.affinity.nodeAffinity).toBeDefined();
  expect(spec.nodeSelector).toEqual({ 'sandbox.gke.io/runtime': 'gvisor' });
  expect(spec.tolerations).toEqual([
    { key: 'gpu', operator: 'Exists' }, { key: 'sandbox.gke.io/runtime', operator: 'Equal', value: 'gvisor', effect: 'NoSchedule' },
  ]);
});

test('the other options of templates apply', () => {
  const chart = testChart();
  const object = fromPod(chart, pod(chart), { network: SandboxNetwork.denyAll(), service: true, claimableFrom: ['support'], labels: { a: 'b' } });
  expect(object.metadata).toMatchObject({ labels: { a: 'b' }, annotations: { 'agents.x-k8s.io/claimable-from': 'support' } });
  expect(object.spec).toMatchObject({ service: true, networkPolicy: { ingress: [], egress: [] } });
});

describe('a Pod that contradicts a template', () => {
  test.each<[string, kplus.PodProps, Partial<SandboxTemplateFromPodProps>, string]>([
    ['runs as root', { securityContext: { ensureNonRoot: false } }, {},
      '[test/python] securityContext.runAsNonRoot is false: name it: relaxations: [Relaxation.RUN_AS_ROOT]'],
    ['uses the network of the node', { hostNetwork: true }, {},
      '[test/python] hostNetwork is true: name it: relaxations: [Relaxation.HOST_NETWORK]'],
    ['uses the network of the node under a network policy', { hostNetwork: true }, { relaxations: [Relaxation.HOST_NETWORK] },
      '[test/python] hostNetwork is true: no NetworkPolicy applies on the network of the node: leave it out, or say network: SandboxNetwork.unmanaged()'],
    ['has a reserved label', { metadata: { labels: { 'agents.x-k8s.io/claim-uid': 'x' } } }, {},
      "[test/python] metadata.labels key is 'agents.x-k8s.io/claim-uid': the controller drops keys of this prefix from Pods: use a prefix of your own"],
    ['passes for the router', { metadata: { labels: { app: 'sandbox-router' } } }, {},
      "[test/python] metadata.labels['app'] is 'sandbox-router': network policies let the router in by this label: use another value"],
  ])('fails the synthesis: %s', (_, props, options, message) => {
    const chart = testChart();
    SandboxTemplate.fromPod(chart, 'python', pod(chart, props), { ...OPTIONS, ...options });
    expect(findings(chart)).toContain(message);
  });

  test('names everything at once', () => {
    const chart = testChart();
    const source = pod(chart, {
      containers: [{ image: 'a:1', securityContext: { ensureNonRoot: false, privileged: true, allowPrivilegeEscalation: true } }],
      volumes: [kplus.Volume.fromHostPath(chart, 'host', 'host', { path: '/' })],
    });
    SandboxTemplate.fromPod(chart, 'python', source, OPTIONS);
    expect(findings(chart)).toEqual([
      "[test/python] volumes is 'host': a hostPath volume shows the node to the sandbox: use another volume, or name it: relaxations: [Relaxation.HOST_PATH_VOLUMES]",
      "[test/python] container 'main'.securityContext.privileged is true: name it: relaxations: [Relaxation.PRIVILEGED]",
      "[test/python] container 'main'.securityContext.runAsNonRoot is false: name it: relaxations: [Relaxation.RUN_AS_ROOT]",
    ]);
  });

  test('passes with the relaxations named', () => {
    const chart = testChart();
    const source = pod(chart, {
      hostNetwork: true, containers: [{ image: 'a:1', securityContext: { ensureNonRoot: false, privileged: true, allowPrivilegeEscalation: true } }],
    });
    const spec = podSpec(fromPod(chart, source, {
      relaxations: [Relaxation.RUN_AS_ROOT, Relaxation.PRIVILEGED, Relaxation.HOST_NETWORK], network: SandboxNetwork.unmanaged(),
    }));
    expect(spec.containers[0].securityContext).toMatchObject({ privileged: true, runAsNonRoot: false });
  });

  test('names what is inside of the Pod and would get lost with it', () => {
    const chart = testChart();
    const source = pod(chart, { isolate: true });
    new kplus.ConfigMap(source, 'config');
    SandboxTemplate.fromPod(chart, 'python', source, OPTIONS);
    expect(findings(chart)).toEqual([
      "[test/python] pod is 'test/pod/DefaultDenyAll/Resource': a policy of the Pod does not reach its sandboxes: say in network what they may talk to, and leave connections and isolate out",
      "[test/python] pod is 'test/pod/config/Resource': a ConfigMap inside of the Pod is not emitted: define it beside the Pod",
    ]);
  });

  test('names objects that claims of other namespaces would not find', () => {
    const chart = testChart();
    const source = pod(chart, { serviceAccount: kplus.ServiceAccount.fromServiceAccountName(chart, 'account', 'builder') });
    SandboxTemplate.fromPod(chart, 'python', source, { ...OPTIONS, claimableFrom: ['*'] });
    expect(findings(chart)[0]).toContain("service account 'builder'");
  });
});

test('claims cannot be held against a Pod that is known at synthesis only', () => {
  const chart = testChart();
  const template = SandboxTemplate.fromPod(chart, 'python', pod(chart), { ...OPTIONS, claimEnv: 'Allowed' as any });
  expect(() => new SandboxClaim(chart, 'claim', { template, containerEnv: { main: { A: '1' } } })).not.toThrow();
});

test('synthesizing twice gives the same', () => {
  const chart = testChart();
  const object = fromPod(chart, pod(chart));
  expect(manifest(chart, 'SandboxTemplate')).toEqual(object);
});

test('persistent volumes of the Pod are writable for its group', () => {
  const chart = testChart();
  const pod = new kplus.Pod(chart, 'pod', { containers: [{ image: 'a:1' }] });
  pod.containers[0].mount('/data', kplus.Volume.fromPersistentVolumeClaim(chart, 'volume', kplus.PersistentVolumeClaim.fromClaimName(chart, 'claim', 'datasets')));
  SandboxTemplate.fromPod(chart, 'python', pod, { isolation: Isolation.gvisor() });
  expect(podSpec(manifest(chart, 'SandboxTemplate')).securityContext.fsGroup).toBe(1000);
});

test('annotations that weaken the isolation need a relaxation', () => {
  const chart = testChart();
  const pod = new kplus.Pod(chart, 'pod', { metadata: { annotations: { 'dev.gvisor.flag.network': 'host' } }, containers: [{ image: 'a:1' }] });
  SandboxTemplate.fromPod(chart, 'python', pod, { isolation: Isolation.gvisor() });
  expect(() => synth(chart)).toThrow("metadata.annotations['dev.gvisor.flag.network'] is 'host': it is an instruction to gVisor");
});
