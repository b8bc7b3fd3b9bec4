import { type Chart, Duration } from 'cdk8s';
import {
  Isolation, NetworkPeer, NetworkPort, SandboxDisruptionBudget, SandboxNamespace, type SandboxNamespaceProps, SandboxNetwork, SandboxRuntimeClass, SandboxTemplate,
  SandboxVolume, SandboxWarmPool, ScalingPolicy, type WarmPoolAutoscalingOptions, WarmPoolMetric,
} from '../../../src';
import type { KubeObject } from '../../../testbed/src/index.js';
import { type Refused, TYPED, sandbox } from './refused';

const object = (apiVersion: string, kind: string, fields: object, name = 'refused'): KubeObject => ({ apiVersion, kind, metadata: { name }, ...fields });
const policy = (rules: object) => object('networking.k8s.io/v1', 'NetworkPolicy', { spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'], ...rules } });
const policyTo = (peer: object) => policy({ egress: [{ to: [peer] }] });
const policyOn = (port: object) => policy({ egress: [{ to: [{ podSelector: {} }], ports: [port] }] });
const volumeClaim = (spec: object, name?: string) => object('v1', 'PersistentVolumeClaim', {
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
}, name);
const service = (name: string) => object('v1', 'Service', { spec: { clusterIP: 'None', selector: { a: 'b' } } }, name);
const runtimeClass = (fields: object) => object('node.k8s.io/v1', 'RuntimeClass', { handler: 'runsc', ...fields });
const autoscaler = (spec: object) => object('autoscaling/v2', 'HorizontalPodAutoscaler', {
  spec: {
    scaleTargetRef: { apiVersion: 'extensions.agents.x-k8s.io/v1beta1', kind: 'SandboxWarmPool', name: 'pool' }, maxReplicas: 5,
    metrics: [{ type: 'External', external: { metric: { name: 'm' }, target: { type: 'AverageValue', averageValue: '1' } } }], ...spec,
  },
});
const budget = (spec: object) => object('policy/v1', 'PodDisruptionBudget', { spec: { selector: {}, ...spec } });
const quota = (hard: object) => object('v1', 'ResourceQuota', { spec: { hard } });
const limits = (fields: object) => object('v1', 'LimitRange', { spec: { limits: [{ type: 'Container', ...fields }] } });

const autoscale = (options: Partial<WarmPoolAutoscalingOptions>) => (chart: Chart) =>
  new SandboxWarmPool(chart, 'pool', { template: SandboxTemplate.fromName('t') })
    .autoscale({ maxReplicas: 5, metrics: [WarmPoolMetric.claimRate({ target: '1' })], ...options });
const namespace = (props: SandboxNamespaceProps) => (chart: Chart) => new SandboxNamespace(chart, 'team', props);

/** What constructs and controller make beside the four kinds, as the server refuses it. */
export const REFUSED_OBJECTS: readonly Refused[] = [
  // Networks: the CRD takes any rule, so the first error would come when the controller makes the NetworkPolicy.
  { title: 'a network that is an address', object: policyTo({ ipBlock: { cidr: '10.0.0.1' } }), reason: 'ipBlock.cidr: Invalid value: "10.0.0.1"',
    earlier: [() => NetworkPeer.cidr('10.0.0.1'), "NetworkPeer.cidr: cidr is '10.0.0.1': add the prefix length: '10.0.0.1/32' is this address alone"] },
  { title: 'a network of numbers beyond 255', object: policyTo({ ipBlock: { cidr: '10.0.0.256/24' } }), reason: 'ipBlock.cidr: Invalid value: "10.0.0.256/24"',
    earlier: [() => NetworkPeer.cidr('10.0.0.256/24'), 'write the first address and the prefix length of a network'] },
  { title: 'a network of 33 bits', object: policyTo({ ipBlock: { cidr: '10.0.0.0/33' } }), reason: 'ipBlock.cidr: Invalid value: "10.0.0.0/33"',
    earlier: [() => NetworkPeer.cidr('10.0.0.0/33'), 'use a prefix length from 0 to 32'] },
  { title: 'an exception outside of its network', object: policyTo({ ipBlock: { cidr: '10.0.0.0/8', except: ['192.168.0.0/16'] } }), reason: 'must be a strict subset of `cidr`',
    earlier: [() => NetworkPeer.cidr('10.0.0.0/8', { except: ['192.168.0.0/16'] }), "except[0] is '192.168.0.0/16': it is not inside of 10.0.0.0/8"] },
  { title: 'an exception that leaves nothing', object: policyTo({ ipBlock: { cidr: '10.0.0.0/8', except: ['10.0.0.0/8'] } }), reason: 'must be a strict subset of `cidr`',
    earlier: [() => NetworkPeer.cidr('10.0.0.0/8', { except: ['10.0.0.0/8'] }), 'it leaves nothing of 10.0.0.0/8: leave the peer out'] },
  { title: 'an exception of the other family', object: policyTo({ ipBlock: { cidr: '0.0.0.0/0', except: ['fc00::/7'] } }), reason: 'must be a strict subset of `cidr`',
    earlier: [() => NetworkPeer.cidr('0.0.0.0/0', { except: ['fc00::/7'] }), 'it is IPv6 and 0.0.0.0/0 is IPv4: use one peer per family'] },
  { title: 'an exception of IPv4 in IPv6', object: policyTo({ ipBlock: { cidr: '::/0', except: ['::ffff:10.0.0.0/104'] } }), reason: 'except[0]: Invalid value: "::ffff:10.0.0.0/104"',
    earlier: [() => NetworkPeer.cidr('::/0', { except: ['::ffff:10.0.0.0/104'] }), 'API servers refuse IPv4-mapped IPv6 networks in exceptions'] },
  { title: 'a peer of two kinds', object: policyTo({ ipBlock: { cidr: '10.0.0.0/8' }, podSelector: {} }), reason: 'may not specify both ipBlock and another peer', earlier: TYPED },
  { title: 'a peer of no kind', object: policyTo({}), reason: 'must specify a peer', earlier: TYPED },
  { title: 'a network port 0', object: policyOn({ port: 0 }), reason: 'must be between 1 and 65535, inclusive',
    earlier: [() => NetworkPort.tcp(0), 'NetworkPort.tcp: port is 0: use a whole number from 1 to 65535'] },
  { title: 'a range of ports that runs backwards', object: policyOn({ port: 8000, endPort: 7000 }), reason: 'must be greater than or equal to `port`',
    earlier: [() => NetworkPort.tcpRange(8000, 7000), 'NetworkPort.tcpRange: to is 7000: use a whole number from 8000 to 65535'] },
  { title: 'a network port with a name that is none', object: policyOn({ port: 'HTTP' }), reason: 'port: Invalid value: "HTTP"',
    earlier: [() => NetworkPort.named('HTTP'), "NetworkPort.named: name is 'HTTP'"] },
  { title: 'a label of a peer that is none', object: policyTo({ podSelector: { matchLabels: { app: 'a b' } } }), reason: 'matchLabels: Invalid value: "a b"',
    earlier: [() => NetworkPeer.pods({ app: 'a b' }), "labels['app'] is 'a b'"] },
  { title: 'a label of the router that is none', object: policy({ ingress: [{ from: [{ podSelector: { matchLabels: { app: '-' } } }] }] }), reason: 'matchLabels: Invalid value: "-"',
    earlier: [() => SandboxNetwork.routerOnly({ router: { podLabels: { app: '-' } } }), "router.podLabels['app'] is '-'"] },

  // What the controller makes of volumes and of `service`
  { title: 'a volume without room', object: volumeClaim({ resources: { requests: { storage: '0' } } }), reason: 'must be greater than zero',
    earlier: [() => SandboxVolume.persistent('data', { size: '0' }), "size is '0': a volume needs room"] },
  { title: 'a volume that cannot be mounted', object: volumeClaim({ accessModes: [] }), reason: 'at least 1 access mode is required',
    earlier: [() => SandboxVolume.persistent('data', { size: '1Gi', accessModes: [] }), 'accessModes is []: name at least one'] },
  { title: 'a volume whose name is too long with that of the Sandbox', object: volumeClaim({}, `data-${'a'.repeat(249)}`), reason: 'must be no more than 253 characters',
    earlier: [sandbox({ volumes: [SandboxVolume.persistent('data', { size: '1Gi' })], network: SandboxNetwork.unmanaged() }, 'a'.repeat(249)), 'would have 254 characters, 253 are allowed'] },
  { title: 'a Service with a long name', object: service('a'.repeat(64)), reason: 'must be no more than 63 characters',
    earlier: [sandbox({ service: true }, 'a'.repeat(64)), 'the Service takes this name: use 1 to 63 lower-case letters'] },
  { title: 'a Service with a dot in its name', object: service('a.b'), reason: 'metadata.name: Invalid value: "a.b"',
    earlier: [sandbox({ service: true }, 'a.b'), "name is 'a.b': the Service takes this name"] },

  // Runtime classes
  { title: 'a runtime handler in capitals', object: runtimeClass({ handler: 'Runsc' }), reason: 'handler: Invalid value: "Runsc"',
    earlier: [chart => new SandboxRuntimeClass(chart, 'rc', { isolation: Isolation.gvisor(), handler: 'Runsc' }), "handler is 'Runsc'"] },
  { title: 'a runtime that gives memory back', object: runtimeClass({ overhead: { podFixed: { memory: '-1Mi' } } }), reason: 'must be greater than or equal to 0',
    earlier: [chart => new SandboxRuntimeClass(chart, 'rc', { isolation: Isolation.gvisor(), overhead: { memory: '-1Mi' } }), "overhead.memory is '-1Mi'"] },
  { title: 'a runtime on nodes with a label that is none', object: runtimeClass({ scheduling: { nodeSelector: { 'a b': '' } } }), reason: 'scheduling.nodeSelector: Invalid value: "a b"',
    earlier: [() => Isolation.gvisor({ nodeSelector: { 'a b': '' } }), "Isolation.gvisor: nodeSelector key is 'a b'"] },
  { title: 'a toleration of a runtime twice', object: runtimeClass({ scheduling: { tolerations: [{ operator: 'Exists' }, { operator: 'Exists' }] } }), reason: 'tolerations[1]: Duplicate value',
    earlier: [() => Isolation.gvisor({ tolerations: [{ operator: 'Exists' }, { operator: 'Exists' }] }), 'it is there already: leave it out'] },

  // Autoscalers
  { title: 'an autoscaler that scales to zero', object: autoscaler({ minReplicas: 0 }), reason: 'spec.minReplicas: Invalid value: 0',
    earlier: [autoscale({ minReplicas: 0 }), 'minReplicas is 0: a HorizontalPodAutoscaler cannot scale to zero: use 1 or more, or KEDA'] },
  { title: 'an autoscaler whose minimum is above its maximum', object: autoscaler({ minReplicas: 6 }), reason: 'must be greater than or equal to `minReplicas`',
    earlier: [autoscale({ minReplicas: 6 }), 'maxReplicas is 5: it is less than minReplicas, 6'] },
  { title: 'an autoscaler without a maximum', object: autoscaler({ maxReplicas: 0 }), reason: 'spec.maxReplicas: Invalid value: 0',
    earlier: [autoscale({ maxReplicas: 0 }), 'maxReplicas is 0: use a whole number from 1 to 2147483647'] },
  { title: 'a metric with a target of nothing',
    object: autoscaler({ metrics: [{ type: 'External', external: { metric: { name: 'm' }, target: { type: 'AverageValue', averageValue: '0' } } }] }), reason: 'target.averageValue: Invalid value',
    earlier: [() => WarmPoolMetric.claimRate({ target: '0' }), "target is '0': the metric is divided by it: use a quantity above 0"] },
  { title: 'a metric without a name', object: autoscaler({ metrics: [{ type: 'External', external: { metric: { name: '' }, target: { type: 'AverageValue', averageValue: '1' } } }] }), reason: 'metric.name: Required value',
    earlier: [() => WarmPoolMetric.external({ metricName: '', target: '1' }), "metricName is '': it is empty: write a value"] },
  { title: 'a policy of an autoscaler over hours', object: autoscaler({ behavior: { scaleUp: { policies: [{ type: 'Pods', value: 1, periodSeconds: 3600 }] } } }), reason: 'must be less than or equal to 1800',
    earlier: [() => ScalingPolicy.pods(1, Duration.hours(1)), "period is '3600s': use whole seconds from 1 to 1800"] },
  { title: 'a policy of an autoscaler that changes nothing', object: autoscaler({ behavior: { scaleUp: { policies: [{ type: 'Pods', value: 0, periodSeconds: 15 }] } } }), reason: 'must be greater than zero',
    earlier: [() => ScalingPolicy.pods(0, Duration.seconds(15)), 'value is 0: use a whole number from 1 to 2147483647'] },
  { title: 'an autoscaler that looks back over two hours', object: autoscaler({ behavior: { scaleDown: { stabilizationWindowSeconds: 7200 } } }), reason: 'must be less than or equal to 3600',
    earlier: [autoscale({ behavior: { scaleDown: { stabilizationWindow: Duration.hours(2) } } }), "behavior.scaleDown.stabilizationWindow is '7200s': use whole seconds from 0 to 3600"] },
  { title: 'an autoscaler without policies', object: autoscaler({ behavior: { scaleUp: { policies: [] } } }), reason: 'must specify at least one Policy',
    earlier: [autoscale({ behavior: { scaleUp: { policies: [] } } }), 'behavior.scaleUp.policies is []: name at least one policy'] },

  // Budgets
  { title: 'a budget with two numbers', object: budget({ minAvailable: 1, maxUnavailable: 1 }), reason: 'minAvailable and maxUnavailable cannot be both set',
    earlier: [chart => new SandboxDisruptionBudget(chart, 'b', { template: SandboxTemplate.fromName('t'), minAvailable: 1, maxUnavailable: 1 } as any), 'maxUnavailable is 1'] },
  { title: 'a budget of less than nothing', object: budget({ minAvailable: -1 }), reason: 'must be greater than or equal to 0',
    earlier: [chart => new SandboxDisruptionBudget(chart, 'b', { template: SandboxTemplate.fromName('t'), minAvailable: -1 }), 'minAvailable is -1: use a whole number from 0'] },

  // Namespaces
  { title: 'a namespace with a dot', object: object('v1', 'Namespace', {}, 'a.b'), reason: 'metadata.name: Invalid value: "a.b"',
    earlier: [namespace({ name: 'a.b' }), "name is 'a.b': use 1 to 63 lower-case letters"] },
  { title: 'a level of security that does not exist', object: { ...object('v1', 'Namespace', {}), metadata: { name: 'refused', labels: { 'pod-security.kubernetes.io/enforce': 'strict' } } }, reason: 'must be one of privileged, baseline, restricted',
    earlier: [namespace({ labels: { 'pod-security.kubernetes.io/enforce': 'strict' } }), 'use the props enforce, audit, warn and podSecurityVersion'] },
  { title: 'a version of security that does not exist', object: { ...object('v1', 'Namespace', {}), metadata: { name: 'refused', labels: { 'pod-security.kubernetes.io/enforce-version': '1.34' } } }, reason: 'must be "latest" or "v1.x"',
    earlier: [namespace({ podSecurityVersion: '1.34' }), "podSecurityVersion is '1.34': use 'latest' or a minor version of Kubernetes, such as 'v1.34'"] },
  { title: 'a quota for a resource that does not exist', object: quota({ gpus: '1' }), reason: 'must be a standard resource for quota',
    earlier: [namespace({ quota: { others: { gpus: '1' } } }), "quota.others key is 'gpus': use a resource with a domain"] },
  { title: 'a quota of half a Pod', object: quota({ pods: '500m' }), reason: 'must be an integer',
    earlier: [namespace({ quota: { pods: 0.5 } }), 'quota.pods is 0.5: use a whole number'] },
  { title: 'a quota of less than nothing', object: quota({ 'requests.cpu': '-1' }), reason: 'must be greater than or equal to 0',
    earlier: [namespace({ quota: { requestsCpu: '-1' } }), "quota.requestsCpu is '-1': write a non-negative number"] },
  { title: 'limits whose minimum is above their maximum', object: limits({ min: { cpu: '2' }, max: { cpu: '1' } }), reason: 'min value 2 is greater than max value 1',
    earlier: [namespace({ containerLimits: { min: { cpu: '2' }, max: { cpu: '1' } } }), "containerLimits.max.cpu is '1': it is less than min.cpu, '2'"] },
  { title: 'limits whose default is above their maximum', object: limits({ default: { memory: '2Gi' }, max: { memory: '1Gi' } }), reason: 'default value 2Gi is greater than max value 1Gi',
    earlier: [namespace({ containerLimits: { defaultLimit: { memory: '2Gi' }, max: { memory: '1Gi' } } }), "containerLimits.max.memory is '1Gi': it is less than defaultLimit.memory, '2Gi'"] },
];
