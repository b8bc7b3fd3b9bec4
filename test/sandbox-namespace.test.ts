import { ApiObject } from 'cdk8s';
import fc from 'fast-check';
import { PodSecurityLevel, SandboxNamespace, type SandboxNamespaceContainerLimits, type SandboxNamespaceProps } from '../src/namespace/sandbox-namespace';
import { manifest, manifestOf, synth, testChart } from './helpers';

function namespace(props: SandboxNamespaceProps = {}): any[] {
  const chart = testChart();
  new SandboxNamespace(chart, 'agents', props);
  return synth(chart);
}

function only(kind: string, props: SandboxNamespaceProps): any {
  const chart = testChart();
  new SandboxNamespace(chart, 'agents', props);
  return manifest(chart, kind);
}

const RESTRICTED = {
  'pod-security.kubernetes.io/audit': 'restricted',
  'pod-security.kubernetes.io/enforce': 'restricted',
  'pod-security.kubernetes.io/warn': 'restricted',
};

test('a namespace is restricted, and denies traffic in both directions', () => {
  expect(namespace()).toEqual([
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'agents', labels: RESTRICTED } },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'default-deny', namespace: 'agents' },
      spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
    },
  ]);
});

test('in a chart of another namespace, the Namespace has none and what is inside has its own', () => {
  const chart = testChart({ namespace: 'platform' });
  new SandboxNamespace(chart, 'agents', { quota: { pods: 1 }, containerLimits: { max: { cpu: '1' } } });
  expect(synth(chart).map(object => [object.kind, object.metadata.namespace])).toEqual([
    ['Namespace', undefined], ['NetworkPolicy', 'agents'], ['ResourceQuota', 'agents'], ['LimitRange', 'agents'],
  ]);
});

test('the Namespace comes before what is inside', () => {
  const chart = testChart();
  const construct = new SandboxNamespace(chart, 'agents', { quota: { pods: 1 }, containerLimits: { max: { cpu: '1' } } });
  const resource = ApiObject.of(construct);
  expect(resource.kind).toBe('Namespace');
  for (const child of construct.node.children.filter(other => other !== resource)) {
    expect(child.node.dependencies).toContain(resource);
  }
});

test('name, labels and annotations can be given', () => {
  expect(manifestOf(new SandboxNamespace(testChart(), 'ns', { name: 'agents', labels: { team: 'a' }, annotations: { note: 'b' } })).metadata)
    .toEqual({ name: 'agents', labels: { ...RESTRICTED, team: 'a' }, annotations: { note: 'b' } });
});

test('each mode has its own level, and all have one version', () => {
  expect(only('Namespace', {
    enforce: PodSecurityLevel.BASELINE, audit: PodSecurityLevel.PRIVILEGED, podSecurityVersion: 'v1.34',
  }).metadata.labels).toEqual({
    'pod-security.kubernetes.io/audit': 'privileged',
    'pod-security.kubernetes.io/audit-version': 'v1.34',
    'pod-security.kubernetes.io/enforce': 'baseline',
    'pod-security.kubernetes.io/enforce-version': 'v1.34',
    'pod-security.kubernetes.io/warn': 'restricted',
    'pod-security.kubernetes.io/warn-version': 'v1.34',
  });
});

test('traffic is not denied where that is switched off', () => {
  expect(namespace({ defaultDeny: false }).map(object => object.kind)).toEqual(['Namespace']);
});

test('a quota names every resource as Kubernetes does', () => {
  expect(only('ResourceQuota', {
    quota: {
      pods: 50,
      sandboxes: 40,
      sandboxClaims: 30,
      sandboxTemplates: 20,
      sandboxWarmPools: 0,
      persistentVolumeClaims: 10,
      requestsStorage: '500Gi',
      requestsCpu: '20',
      requestsMemory: '40Gi',
      limitsCpu: '40',
      limitsMemory: '80Gi',
      others: { 'requests.nvidia.com/gpu': '4', 'requests.hugepages-2Mi': '1Gi', 'secrets': '9' },
    },
  })).toEqual({
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'quota', namespace: 'agents' },
    spec: {
      hard: {
        'pods': '50',
        'count/sandboxes.agents.x-k8s.io': '40',
        'count/sandboxclaims.extensions.agents.x-k8s.io': '30',
        'count/sandboxtemplates.extensions.agents.x-k8s.io': '20',
        'count/sandboxwarmpools.extensions.agents.x-k8s.io': '0',
        'persistentvolumeclaims': '10',
        'requests.storage': '500Gi',
        'requests.cpu': '20',
        'requests.memory': '40Gi',
        'limits.cpu': '40',
        'limits.memory': '80Gi',
        'requests.nvidia.com/gpu': '4',
        'requests.hugepages-2Mi': '1Gi',
        'secrets': '9',
      },
    },
  });
});

test('container limits are a LimitRange', () => {
  expect(only('LimitRange', {
    containerLimits: {
      min: { cpu: '10m' },
      defaultRequest: { cpu: '100m', memory: '128Mi' },
      defaultLimit: { cpu: '1', memory: '512Mi', ephemeralStorage: '1Gi' },
      max: { memory: '8Gi', ephemeralStorage: '10Gi' },
    },
  })).toEqual({
    apiVersion: 'v1',
    kind: 'LimitRange',
    metadata: { name: 'container-limits', namespace: 'agents' },
    spec: {
      limits: [{
        type: 'Container',
        min: { cpu: '10m' },
        // The rest is what the API server would add, which a second apply would show as a change.
        defaultRequest: { 'cpu': '100m', 'memory': '128Mi', 'ephemeral-storage': '1Gi' },
        default: { 'cpu': '1', 'memory': '512Mi', 'ephemeral-storage': '1Gi' },
        max: { 'memory': '8Gi', 'ephemeral-storage': '10Gi' },
      }],
    },
  });
});

test.each<[SandboxNamespaceProps, string]>([
  [{ name: 'team.agents' },
    "test/agents: name is 'team.agents': use 1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit"],
  [{ name: 'kube-system' },
    "test/agents: name is 'kube-system': names that begin with 'kube-' belong to Kubernetes, whose Pods do not work under these restrictions: use another"],
  [{ labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } },
    "test/agents: labels['pod-security.kubernetes.io/enforce'] is 'privileged': use the props enforce, audit, warn and podSecurityVersion"],
  [{ podSecurityVersion: '1.34' },
    "test/agents: podSecurityVersion is '1.34': use 'latest' or a minor version of Kubernetes, such as 'v1.34'"],
  [{ podSecurityVersion: 'v1.34.2' },
    "test/agents: podSecurityVersion is 'v1.34.2': use 'latest' or a minor version of Kubernetes, such as 'v1.34'"],
  [{ annotations: { '': 'x' } },
    "test/agents: annotations key is '': use '<name>' or '<dns domain>/<name>', the name of 1 to 63 letters, digits, '-', '_' and '.'"],
  [{ quota: {} },
    'test/agents: quota is {}: limit at least one resource, or leave the quota out'],
  [{ quota: { sandboxes: -1 } },
    'test/agents: quota.sandboxes is -1: use a whole number from 0 to 2147483647'],
  [{ quota: { requestsCpu: 'many' } },
    "test/agents: quota.requestsCpu is 'many': write a non-negative number with an optional unit: '500m', '2', '512Mi', '10Gi' (units: n u m k M G T P E, Ki Mi Gi Ti Pi Ei)"],
  [{ quota: { others: { 'requests.cpu': '1' } } },
    "test/agents: quota.others['requests.cpu'] is '1': use the prop requestsCpu"],
  [{ quota: { others: { gpus: '1' } } },
    "test/agents: quota.others key is 'gpus': use a resource with a domain, such as 'requests.nvidia.com/gpu' or 'count/jobs.batch', or one of cpu, memory, ephemeral-storage, requests.ephemeral-storage, limits.ephemeral-storage, configmaps, replicationcontrollers, resourcequotas, secrets, services, services.loadbalancers, services.nodeports"],
  [{ quota: { others: { 'count/jobs.batch': '1k' } } },
    "test/agents: quota.others['count/jobs.batch'] is '1k': objects are counted: use a whole number, such as '10'"],
  [{ quota: { others: { 'a b/c': '1' } } },
    "test/agents: quota.others key is 'a b/c': use '<name>' or '<dns domain>/<name>', the name of 1 to 63 letters, digits, '-', '_' and '.'"],
  [{ containerLimits: { max: {} } },
    'test/agents: containerLimits is {"max":{}}: name at least one amount, or leave the container limits out'],
  [{ containerLimits: { max: { memory: '1GB' } } },
    "test/agents: containerLimits.max.memory is '1GB': there is no such unit: write '1Gi' (units: n u m k M G T P E, Ki Mi Gi Ti Pi Ei)"],
  [{ containerLimits: { defaultRequest: { cpu: '2' }, defaultLimit: { cpu: '1500m' } } },
    "test/agents: containerLimits.defaultLimit.cpu is '1500m': it is less than defaultRequest.cpu, '2': raise the one or lower the other"],
  [{ containerLimits: { min: { ephemeralStorage: '1Gi' }, max: { ephemeralStorage: '1G' } } },
    "test/agents: containerLimits.max.ephemeralStorage is '1G': it is less than min.ephemeralStorage, '1Gi': raise the one or lower the other"],
])('fails early: %j', (props, message) => {
  expect(() => namespace(props)).toThrow(new Error(message));
});

test('the id is checked when it is the name', () => {
  expect(() => new SandboxNamespace(testChart(), 'Agents'))
    .toThrow(new Error("test/Agents: name (the construct id) is 'Agents': use 1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit"));
});

test('container limits are accepted exactly when no larger one is below a smaller one', () => {
  const order = ['min', 'defaultRequest', 'defaultLimit', 'max'] as const;
  const amounts = fc.tuple(...order.map(() => fc.option(fc.integer({ min: 0, max: 4 }), { nil: undefined })));
  fc.assert(fc.property(amounts.filter(values => values.some(value => value !== undefined)), values => {
    const containerLimits: SandboxNamespaceContainerLimits = Object.fromEntries(
      order.map((name, index) => [name, values[index] === undefined ? undefined : { cpu: `${values[index]}00m` }]));
    const given = values.filter(value => value !== undefined);
    const sorted = given.every((value, index) => index === 0 || given[index - 1]! <= value!);
    const attempt = expect(() => namespace({ containerLimits }));
    if (sorted) {
      attempt.not.toThrow();
    } else {
      attempt.toThrow('raise the one or lower the other');
    }
  }));
});
