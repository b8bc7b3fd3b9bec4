import { App, Chart } from 'cdk8s';
import { Isolation, KataHypervisor } from '../src/pod/isolation';
import { SandboxNetwork } from '../src/network/network';
import { Sandbox } from '../src/kinds/sandbox';
import { SandboxTemplate } from '../src/kinds/sandbox-template';

function shape(isolation: Isolation) {
  const { description, runtimeClassName, nodeSelector, tolerations } = isolation;
  return { description, runtimeClassName, nodeSelector, tolerations };
}

test.each([
  [Isolation.gvisor(), 'gVisor', 'gvisor'],
  [Isolation.gvisor({ runtimeClassName: 'runsc-kvm' }), 'gVisor', 'runsc-kvm'],
  [Isolation.kata(), 'Kata (QEMU)', 'kata-qemu'],
  [Isolation.kata({ hypervisor: KataHypervisor.CLOUD_HYPERVISOR }), 'Kata (Cloud Hypervisor)', 'kata-clh'],
  [Isolation.kata({ hypervisor: KataHypervisor.FIRECRACKER }), 'Kata (Firecracker)', 'kata-fc'],
  [Isolation.kata({ hypervisor: KataHypervisor.FIRECRACKER, runtimeClassName: 'fc' }), 'Kata (Firecracker)', 'fc'],
  [Isolation.kataMshv(), 'Kata (MSHV)', 'kata-vm-isolation'],
  [Isolation.runtimeClass('youki'), 'runtime class youki', 'youki'],
  [Isolation.none(), 'none', undefined],
])('%# names its runtime class and asks for no nodes', (isolation, description, runtimeClassName) => {
  expect(shape(isolation)).toEqual({ description, runtimeClassName, nodeSelector: undefined, tolerations: undefined });
});

test('GKE Sandbox selects and tolerates its own nodes', () => {
  expect(shape(Isolation.gkeSandbox())).toEqual({
    description: 'GKE Sandbox (gVisor)',
    runtimeClassName: 'gvisor',
    nodeSelector: { 'sandbox.gke.io/runtime': 'gvisor' },
    tolerations: [{ key: 'sandbox.gke.io/runtime', operator: 'Equal', value: 'gvisor', effect: 'NoSchedule' }],
  });
});

test('nodes can be chosen for every isolation with a runtime class', () => {
  const placement = { nodeSelector: { 'kata-firecracker': 'true' }, tolerations: [{ key: 'kata', operator: 'Exists' }] };
  for (const isolation of [Isolation.gvisor(placement), Isolation.kata(placement), Isolation.kataMshv(placement), Isolation.runtimeClass('x', placement)]) {
    expect(isolation).toMatchObject(placement);
  }
});

test('empty placements are none', () => {
  expect(shape(Isolation.gvisor({ nodeSelector: {}, tolerations: [] }))).toEqual(shape(Isolation.gvisor()));
});

test('a value does not follow what it was made from, and cannot be changed', () => {
  const nodeSelector = { disk: 'ssd' };
  const isolation = Isolation.gvisor({ nodeSelector });
  nodeSelector.disk = 'hdd';
  expect(isolation.nodeSelector).toEqual({ disk: 'ssd' });
  expect(() => { isolation.nodeSelector!.disk = 'hdd'; }).toThrow(TypeError);
  expect(() => { (Isolation.gkeSandbox().tolerations![0] as { key: string }).key = 'x'; }).toThrow(TypeError);
});

test.each<[() => Isolation, string]>([
  [() => Isolation.gvisor({ runtimeClassName: 'GVisor' }),
    "Isolation.gvisor: runtimeClassName is 'GVisor': use 1 to 253 lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or digit"],
  [() => Isolation.runtimeClass(''),
    "Isolation.runtimeClass: name is '': use 1 to 253 lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or digit"],
  [() => Isolation.kata({ nodeSelector: { 'a b': 'true' } }),
    "Isolation.kata: nodeSelector key is 'a b': use '<name>' or '<dns domain>/<name>', the name of 1 to 63 letters, digits, '-', '_' and '.'"],
  [() => Isolation.kata({ nodeSelector: { pool: 'a b' } }),
    "Isolation.kata: nodeSelector['pool'] is 'a b': use at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit"],
  [() => Isolation.gvisor({ tolerations: [{ key: 'a b' }] }),
    "Isolation.gvisor: tolerations[0].key is 'a b': use '<name>' or '<dns domain>/<name>', the name of 1 to 63 letters, digits, '-', '_' and '.'"],
  [() => Isolation.gvisor({ tolerations: [{ effect: 'NoSchedule' }] }),
    "Isolation.gvisor: tolerations[0].operator: a toleration without key tolerates every taint and needs operator 'Exists'"],
  [() => Isolation.gvisor({ tolerations: [{ key: 'a', value: 'b c' }] }),
    "Isolation.gvisor: tolerations[0].value is 'b c': use at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit"],
  [() => Isolation.gvisor({ tolerations: [{ key: 'a', operator: 'Exists', value: 'b' }] }),
    "Isolation.gvisor: tolerations[0].value is 'b': operator 'Exists' takes no value: leave it out, or use 'Equal'"],
  [() => Isolation.gvisor({ tolerations: [{ key: 'a', operator: 'Gt', value: '1.5' }] }),
    "Isolation.gvisor: tolerations[0].value is '1.5': operator 'Gt' compares whole numbers: write one, such as '950'"],
  [() => Isolation.gvisor({ tolerations: [{ key: 'a', operator: 'In', value: 'b' }] }),
    "Isolation.gvisor: tolerations[0].operator is 'In': use 'Equal', 'Exists', or from Kubernetes 1.35 on 'Lt' or 'Gt'"],
  [() => Isolation.gvisor({ tolerations: [{ key: 'a', operator: 'Exists' }, { key: 'b', operator: 'Exists' }, { operator: 'Exists', key: 'a' }] }),
    'Isolation.gvisor: tolerations[2] is {"operator":"Exists","key":"a"}: it is there already: leave it out'],
  [() => Isolation.gvisor({ tolerations: [{ key: 'a', value: 'b', effect: 'Never' }] }),
    "Isolation.gvisor: tolerations[0].effect is 'Never': use 'NoSchedule', 'PreferNoSchedule' or 'NoExecute', or leave it out for all of them"],
  [() => Isolation.gvisor({ tolerations: [{ key: 'a', value: 'b', effect: 'NoSchedule', tolerationSeconds: 60 }] }),
    "Isolation.gvisor: tolerations[0].tolerationSeconds is 60: only a toleration of effect 'NoExecute' ends: set the effect or leave it out"],
  [() => Isolation.gvisor({ tolerations: [{ key: 'a', value: 'b', effect: 'NoExecute', tolerationSeconds: 0.5 }] }),
    'Isolation.gvisor: tolerations[0].tolerationSeconds is 0.5: use a whole number of seconds'],
])('fails early: %s', (make, message) => {
  expect(make).toThrow(new Error(message));
});

test('tolerations that Kubernetes accepts are accepted', () => {
  const tolerations = [
    { operator: 'Exists' },
    { key: 'a', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: -1 },
    { key: 'example.com/a', value: '' },
    { key: 'a', operator: 'Lt', value: '-950' },
  ];
  expect(Isolation.gvisor({ tolerations }).tolerations).toEqual(tolerations);
});

test('several problems are reported at once', () => {
  expect(() => Isolation.kata({ runtimeClassName: 'A', tolerations: [{ key: 'a', effect: 'x' }] })).toThrow(/^2 problems:\n {2}Isolation\.kata: runtimeClassName .*\n {2}Isolation\.kata: tolerations\[0\]\.effect /);
});

describe('what is not an isolation or a network', () => {
  const container = { image: 'x' };
  const chart = () => new Chart(new App({ outdir: '/nonexistent' }), 'test');
  const HOW = 'say what keeps the containers apart from the node: Isolation.gvisor(), Isolation.kata(), or Isolation.none()';
  test.each<[string, unknown, string]>([
    ['left out', undefined, `test/a: isolation: ${HOW}`],
    ['a string', 'gvisor', `test/a: isolation is 'gvisor': ${HOW}`],
    ['a factory that was not called', Isolation.gvisor, `test/a: isolation is a function that was not called: ${HOW}`],
    ['another construct', chart(), `test/a: isolation is a Chart ('test'): ${HOW}`],
  ])('is refused where types are not checked: %s', (_, isolation: any, message) => {
    expect(() => new SandboxTemplate(chart(), 'a', { containers: [container], isolation })).toThrow(message);
    expect(() => new Sandbox(chart(), 'a', { containers: [container], isolation })).toThrow(message);
  });

  test('a network factory that was not called is refused', () => {
    const network: any = SandboxNetwork.denyAll;
    expect(() => new Sandbox(chart(), 'a', { containers: [container], isolation: Isolation.none(), network }))
      .toThrow('test/a: network is a function that was not called: say what it may talk to');
  });
});
