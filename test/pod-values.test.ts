import { Duration } from 'cdk8s';
import {
  Gpu, LifecycleHook, NodeRule, PodSpread, Relaxation, Sandbox, type SandboxContainer, type SandboxPodProps, SandboxTemplate, SeccompProfile, TaintEffect, Tolerations, l1,
} from '../src';
import { nameHash } from '../src/generated/vocabulary.gen';
import { CONTAINER, POD, container, messageOf, podSpec, sandbox, schemaProblems, template, testChart } from './helpers';

/** Props that are short for what is long in a manifest: of both kinds, and what is emitted. */
const POD_VALUES: readonly (readonly [what: string, props: Partial<SandboxPodProps>, field: string, wire: unknown])[] = [
  ['a toleration of a key', { tolerations: [Tolerations.taint('gpu')] }, 'tolerations', [{ key: 'gpu', operator: 'Exists' }]],
  ['a toleration that ends', { tolerations: [Tolerations.taint('gpu', { value: 'a', effect: TaintEffect.NO_EXECUTE, evictAfter: Duration.minutes(1) })] },
    'tolerations', [{ key: 'gpu', operator: 'Equal', value: 'a', effect: 'NoExecute', tolerationSeconds: 60 }]],
  ['a toleration of all taints', { tolerations: [Tolerations.everyTaint(), Tolerations.everyTaint(TaintEffect.NO_SCHEDULE)] },
    'tolerations', [{ operator: 'Exists' }, { operator: 'Exists', effect: 'NoSchedule' }]],
  ['required nodes', { requiredNodes: [NodeRule.isIn('zone', 'a', 'b'), NodeRule.isNotIn('disk', 'hdd'), NodeRule.exists('ssd'), NodeRule.doesNotExist('old'), NodeRule.greaterThan('cores', 8), NodeRule.lessThan('age', 3)] },
    'affinity', {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{
            matchExpressions: [
              { key: 'zone', operator: 'In', values: ['a', 'b'] }, { key: 'disk', operator: 'NotIn', values: ['hdd'] }, { key: 'ssd', operator: 'Exists' },
              { key: 'old', operator: 'DoesNotExist' }, { key: 'cores', operator: 'Gt', values: ['8'] }, { key: 'age', operator: 'Lt', values: ['3'] },
            ],
          }],
        },
      },
    }],
  ['preferred nodes beside an affinity to Pods', {
    preferredNodes: [NodeRule.exists('ssd').withWeight(80), NodeRule.exists('new')],
    affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone' }] } },
  }, 'affinity', {
    podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone' }] },
    nodeAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 80, preference: { matchExpressions: [{ key: 'ssd', operator: 'Exists' }] } }, { weight: 1, preference: { matchExpressions: [{ key: 'new', operator: 'Exists' }] } },
      ],
    },
  }],
  ['spreading by labels', { spread: [PodSpread.overZones({ labels: { team: 'a' } }), PodSpread.overNodes({ required: true, maxSkew: 3, labels: { team: 'a' } })] },
    'topologySpreadConstraints', [
      { maxSkew: 1, topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'ScheduleAnyway', labelSelector: { matchLabels: { team: 'a' } } },
      { maxSkew: 3, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'DoNotSchedule', labelSelector: { matchLabels: { team: 'a' } } },
    ]],
  ['a seccomp profile', { seccompProfile: SeccompProfile.localhost('profiles/a.json') },
    'securityContext', { runAsNonRoot: true, seccompProfile: { type: 'Localhost', localhostProfile: 'profiles/a.json' } }],
  ['no seccomp profile', { seccompProfile: SeccompProfile.unconfined(), relaxations: [Relaxation.UNCONFINED_SECCOMP] },
    'securityContext', { runAsNonRoot: true, seccompProfile: { type: 'Unconfined' } }],
];

test.each(POD_VALUES)('%s: of Sandboxes and templates, as the schema wants it', (_, props, field, wire) => {
  for (const object of [sandbox(props), template(props)]) {
    expect(podSpec(object)[field]).toEqual(wire);
    expect(schemaProblems(object)).toEqual([]);
  }
});

const CONTAINER_VALUES: readonly (readonly [what: string, props: Partial<SandboxContainer>, field: string, wire: unknown])[] = [
  ['GPUs beside other resources', { gpu: Gpu.nvidia(2), cpu: '1' }, 'resources', { requests: { 'cpu': '1', 'nvidia.com/gpu': '2' }, limits: { 'cpu': '1', 'nvidia.com/gpu': '2' } }],
  ['a part of a GPU', { gpu: Gpu.nvidiaMig('1g.5gb', 1) }, 'resources', { requests: { 'nvidia.com/mig-1g.5gb': '1' }, limits: { 'nvidia.com/mig-1g.5gb': '1' } }],
  ['a GPU of AMD', { gpu: Gpu.amd(1) }, 'resources', { requests: { 'amd.com/gpu': '1' }, limits: { 'amd.com/gpu': '1' } }],
  ['a GPU of Intel', { gpu: Gpu.intel(1) }, 'resources', { requests: { 'gpu.intel.com/xe': '1' }, limits: { 'gpu.intel.com/xe': '1' } }],
  ['any device', { gpu: Gpu.of('example.com/tpu', 4) }, 'resources', { requests: { 'example.com/tpu': '4' }, limits: { 'example.com/tpu': '4' } }],
  ['hooks', { port: 8080, postStart: LifecycleHook.exec(['sh', '-c', 'true']), preStop: LifecycleHook.httpGet('/stop', { headers: { b: '2', a: '1' } }) }, 'lifecycle', {
    postStart: { exec: { command: ['sh', '-c', 'true'] } },
    preStop: { httpGet: { path: '/stop', port: 8080, httpHeaders: [{ name: 'a', value: '1' }, { name: 'b', value: '2' }] } },
  }],
  ['a hook beside raw ones', { preStop: LifecycleHook.sleep(Duration.seconds(5)), lifecycle: { postStart: { exec: { command: ['a'] } }, stopSignal: 'SIGINT' } },
    'lifecycle', { postStart: { exec: { command: ['a'] } }, preStop: { sleep: { seconds: 5 } }, stopSignal: 'SIGINT' }],
  ['a hook with a port of its own', { preStop: LifecycleHook.httpGet('/', { port: 1, https: true }) }, 'lifecycle', { preStop: { httpGet: { path: '/', port: 1, scheme: 'HTTPS' } } }],
  ['a seccomp profile', { seccompProfile: SeccompProfile.localhost('a.json') },
    'securityContext', { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, seccompProfile: { type: 'Localhost', localhostProfile: 'a.json' } }],
];

test.each(CONTAINER_VALUES)('%s', (_, props, field, wire) => {
  expect(container(props)[field]).toEqual(wire);
  expect(schemaProblems(sandbox({ containers: [{ ...CONTAINER, ...props }] }))).toEqual([]);
});

test('the Pods of a template are spread among themselves, those of Sandboxes among those with their labels', () => {
  expect(podSpec(template({ spread: [PodSpread.overNodes()] })).topologySpreadConstraints[0].labelSelector)
    .toEqual({ matchLabels: { 'agents.x-k8s.io/sandbox-template-ref-hash': nameHash('python') } });
  expect(podSpec(sandbox({ spread: [PodSpread.overNodes()], podLabels: { team: 'a' } })).topologySpreadConstraints[0].labelSelector).toEqual({ matchLabels: { team: 'a' } });
});

const box = (props: object) => () => new Sandbox(testChart(), 'box', { ...POD, ...props } as any);
const main = (props: object) => box({ containers: [{ ...CONTAINER, ...props }] });

test.each<[() => unknown, string]>([
  [() => Gpu.nvidia(0), 'Gpu.nvidia: count is 0: use a whole number from 1 to 2147483647'],
  [() => Gpu.nvidia(0.5), 'Gpu.nvidia: count is 0.5: use a whole number from 1 to 2147483647'],
  [() => Gpu.nvidiaMig('small', 1), "Gpu.nvidiaMig: profile is 'small': write compute slices and memory: '1g.5gb'"],
  [() => Gpu.of('gpu', 1), "Gpu.of: resource is 'gpu': use the name of the device plugin with its domain, such as 'nvidia.com/gpu'"],
  [() => Gpu.of('requests.nvidia.com/gpu', 1), "Gpu.of: resource is 'requests.nvidia.com/gpu': use the name of the device plugin with its domain, such as 'nvidia.com/gpu'"],
  [() => Gpu.of('kubernetes.io/gpu', 1), "Gpu.of: resource is 'kubernetes.io/gpu': use the name of the device plugin with its domain, such as 'nvidia.com/gpu'"],
  [main({ gpu: Gpu.nvidia(1), resources: { limits: { 'nvidia.com/gpu': l1.Quantity.fromNumber(1) } } }),
    "test/box: containers[0].gpu is '1 nvidia.com/gpu': resources sets nvidia.com/gpu too: set it in one place"],
  [main({ gpu: 1 }), 'test/box: containers[0].gpu is 1: use Gpu.amd(…), Gpu.intel(…), Gpu.nvidia(…)'],
  [() => LifecycleHook.exec([]), 'LifecycleHook.exec: command is []: name the program to run'],
  [() => LifecycleHook.httpGet('stop'), "LifecycleHook.httpGet: path is 'stop': begin it with '/', such as '/healthz'"],
  [() => LifecycleHook.httpGet('/', { port: 0 }), 'LifecycleHook.httpGet: port is 0: use a whole number from 1 to 65535'],
  [() => LifecycleHook.sleep(Duration.seconds(0)), 'LifecycleHook.sleep: duration is \'0s\': use whole seconds from 1 to 2147483647'],
  [main({ preStop: LifecycleHook.httpGet('/stop') }), 'test/box: containers[0].preStop.port: give a port, to the hook or to the container'],
  [main({ preStop: LifecycleHook.exec(['a']), lifecycle: { preStop: { exec: { command: ['b'] } } } }),
    'test/box: containers[0].lifecycle.preStop is {"exec":{"command":["b"]}}: preStop sets it too: set it in one place'],
  [box({ initContainers: [{ ...CONTAINER, name: 'init', postStart: LifecycleHook.exec(['a']) }] }),
    'test/box: initContainers[0].postStart: an init container runs to completion and has none: leave it out, or make the container a sidecar'],
  [() => SeccompProfile.localhost('../a.json'), "SeccompProfile.localhost: path is '../a.json': use a path below the kubelet's folder of seccomp profiles, without '..': 'profiles/agents.json'"],
  [box({ seccompProfile: SeccompProfile.unconfined() }), "test/box: securityContext.seccompProfile.type is 'Unconfined': name it: relaxations: [Relaxation.UNCONFINED_SECCOMP]"],
  [main({ seccompProfile: SeccompProfile.runtimeDefault(), securityContext: { seccompProfile: { type: 'Unconfined' } } }),
    'test/box: containers[0].securityContext.seccompProfile is {"type":"Unconfined"}: seccompProfile sets it too: set it in one place'],
  [() => Tolerations.taint('a b'), "Tolerations.taint: key is 'a b': use '<name>' or '<dns domain>/<name>', the name of 1 to 63 letters, digits, '-', '_' and '.'"],
  [() => Tolerations.taint('a', { evictAfter: Duration.seconds(1) }), "Tolerations.taint: evictAfter is '1s': only a taint of effect TaintEffect.NO_EXECUTE evicts: set the effect or leave it out"],
  [() => NodeRule.isIn('zone'), 'NodeRule.isIn: values is []: name at least one value'],
  [() => NodeRule.isIn('zone', 'a b'), "NodeRule.isIn: values[0] is 'a b': use at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit"],
  [() => NodeRule.greaterThan('cores', 1.5), 'NodeRule.greaterThan: bound is 1.5: use a whole number'],
  [() => NodeRule.exists('a').withWeight(101), 'NodeRule.withWeight: weight is 101: use a whole number from 1 to 100'],
  [box({ requiredNodes: [NodeRule.exists('a').withWeight(2)] }), 'test/box: requiredNodes[0].weight is 2: a node must meet all of these rules: leave withWeight out, or move the rule to preferredNodes'],
  [box({ requiredNodes: [NodeRule.exists('a')], affinity: { nodeAffinity: {} } }), 'test/box: affinity.nodeAffinity is {}: requiredNodes sets it too: set it in one place'],
  [box({ spread: [PodSpread.overNodes()] }), 'test/box: spread[0].labels: say which Pods are counted: give the labels, or podLabels to the Sandboxes'],
  [() => PodSpread.overNodes({ maxSkew: 0 }), 'PodSpread.overNodes: maxSkew is 0: use a whole number from 1 to 2147483647'],
  [() => PodSpread.overZones({ labels: {} }), 'PodSpread.overZones: labels is {}: name at least one label, or leave it out'],
  [() => PodSpread.overLabel('a b'), "PodSpread.overLabel: key is 'a b': use '<name>' or '<dns domain>/<name>', the name of 1 to 63 letters, digits, '-', '_' and '.'"],
  [box({ podLabels: { a: 'b' }, spread: [PodSpread.overNodes(), PodSpread.overNodes()] }), "test/box: spread[1] is 'kubernetes.io/hostname, ScheduleAnyway': spread once over each part of the cluster"],
  [() => new SandboxTemplate(testChart(), 'box', { ...POD, claimableFrom: ['b'], spread: [PodSpread.overNodes()] }),
    'test/box: spread[0].labels: say which Pods are counted: give the labels, or podLabels to the Sandboxes'],
])('what cannot be is refused: %#', (action, message) => {
  expect(messageOf(action)).toBe(message);
});
