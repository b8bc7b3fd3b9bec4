import { ApiObject, JsonPatch } from 'cdk8s';
import { Isolation, KataHypervisor } from '../src/pod/isolation';
import { SandboxRuntimeClass, type SandboxRuntimeClassProps } from '../src/pod/runtime-class';
import { manifestOf, synth, testChart } from './helpers';

function runtimeClass(props: SandboxRuntimeClassProps): any {
  return manifestOf(new SandboxRuntimeClass(testChart(), 'runtime', props));
}

test('gVisor is a RuntimeClass with its usual name and handler', () => {
  const chart = testChart();
  new SandboxRuntimeClass(chart, 'runtime', { isolation: Isolation.gvisor() });
  expect(synth(chart)).toEqual([{ apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', metadata: { name: 'gvisor' }, handler: 'runsc' }]);
});

test.each([
  [KataHypervisor.QEMU, 'kata-qemu'],
  [KataHypervisor.CLOUD_HYPERVISOR, 'kata-clh'],
  [KataHypervisor.FIRECRACKER, 'kata-fc'],
])('Kata on %s has a handler of the name of its runtime class', (hypervisor, name) => {
  expect(runtimeClass({ isolation: Isolation.kata({ hypervisor }) })).toMatchObject({ metadata: { name }, handler: name });
});

test('it has no namespace in a chart that has one', () => {
  const chart = testChart({ namespace: 'agents' });
  const resource = ApiObject.of(new SandboxRuntimeClass(chart, 'runtime', { isolation: Isolation.gvisor() }));
  expect(resource.metadata.namespace).toBeUndefined();
  expect(synth(chart)[0].metadata).toEqual({ name: 'gvisor' });
});

test('overhead, labels and annotations are written', () => {
  expect(runtimeClass({
    isolation: Isolation.kata(), overhead: { cpu: '250m', memory: '160Mi' }, labels: { team: 'agents' }, annotations: { note: 'any text' },
  })).toMatchObject({
    metadata: { labels: { team: 'agents' }, annotations: { note: 'any text' } },
    overhead: { podFixed: { cpu: '250m', memory: '160Mi' } },
  });
});

test('scheduling is that of the isolation', () => {
  const tolerations = [{ key: 'kata', operator: 'Exists' }];
  expect(runtimeClass({ isolation: Isolation.kata({ nodeSelector: { kata: 'true' }, tolerations }) }).scheduling)
    .toEqual({ nodeSelector: { kata: 'true' }, tolerations });
  expect(runtimeClass({ isolation: Isolation.kata({ tolerations }) }).scheduling).toEqual({ tolerations });
});

test('its isolation asks for it by its name', () => {
  const placement = { nodeSelector: { kata: 'true' } };
  const resource = new SandboxRuntimeClass(testChart(), 'runtime', { isolation: Isolation.kata(placement), name: 'kata-small' });
  expect(resource.name).toBe('kata-small');
  expect(resource.isolation).toMatchObject({ description: 'Kata (QEMU)', runtimeClassName: 'kata-small', ...placement });
  expect(manifestOf(resource)).toMatchObject({ metadata: { name: 'kata-small' }, handler: 'kata-qemu' });
});

test('a managed runtime class or any other one needs a handler', () => {
  expect(runtimeClass({ isolation: Isolation.runtimeClass('youki'), handler: 'youki' })).toMatchObject({ metadata: { name: 'youki' }, handler: 'youki' });
  expect(() => runtimeClass({ isolation: Isolation.gkeSandbox() }))
    .toThrow(new Error('test/runtime: handler: GKE brings the RuntimeClass of GKE Sandbox: leave this construct out, or name the handler'));
  expect(() => runtimeClass({ isolation: Isolation.kataMshv() }))
    .toThrow(new Error('test/runtime: handler: AKS brings the RuntimeClass of Pod Sandboxing: leave this construct out, or name the handler'));
  expect(() => runtimeClass({ isolation: Isolation.runtimeClass('youki') }))
    .toThrow(new Error("test/runtime: handler: the handler of a runtime class is the cluster's choice: name the one in the configuration of containerd or CRI-O"));
});

test.each<[SandboxRuntimeClassProps, string]>([
  [{ isolation: Isolation.none(), handler: 'runc' },
    "test/runtime: isolation is 'none': without isolation there is no RuntimeClass: leave this construct out, or use Isolation.gvisor() or Isolation.kata()"],
  [{ isolation: Isolation.gvisor(), handler: 'io.containerd.runsc.v1' },
    "test/runtime: handler is 'io.containerd.runsc.v1': use 1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit"],
  [{ isolation: Isolation.gvisor(), name: 'gVisor' },
    "test/runtime: name is 'gVisor': use 1 to 253 lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or digit"],
  [{ isolation: Isolation.gvisor(), overhead: {} },
    'test/runtime: overhead is {}: name cpu, memory or both, or leave it out'],
  [{ isolation: Isolation.gvisor(), overhead: { cpu: '1 core' } },
    "test/runtime: overhead.cpu is '1 core': write a non-negative number with an optional unit: '500m', '2', '512Mi', '10Gi' (units: n u m k M G T P E, Ki Mi Gi Ti Pi Ei)"],
  [{ isolation: Isolation.gvisor(), overhead: { memory: '-1Gi' } },
    "test/runtime: overhead.memory is '-1Gi': write a non-negative number with an optional unit: '500m', '2', '512Mi', '10Gi' (units: n u m k M G T P E, Ki Mi Gi Ti Pi Ei)"],
])('fails early: %j', (props, message) => {
  expect(() => runtimeClass(props)).toThrow(new Error(message));
});

test('patches reach the manifest as Kubernetes sees it', () => {
  const resource = new SandboxRuntimeClass(testChart(), 'runtime', { isolation: Isolation.gvisor() });
  ApiObject.of(resource).addJsonPatch(JsonPatch.replace('/handler', 'runsc-debug'), JsonPatch.add('/future', true));
  expect(manifestOf(resource)).toMatchObject({ handler: 'runsc-debug', future: true });
});
