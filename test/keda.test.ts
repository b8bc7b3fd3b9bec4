import { Duration } from 'cdk8s';
import { MetricTargetType, ScalingPolicy } from '../src/scaling/autoscaling';
import { KedaAuthentication, KedaTrigger, WarmPoolScaledObject, type WarmPoolScaledObjectProps } from '../src/scaling/keda';
import { manifestOf, synth, testChart } from './helpers';

const target = { apiVersion: 'extensions.agents.x-k8s.io/v1beta1', name: 'python-pool', namespace: 'agents' };
const prometheus = { serverAddress: 'http://prometheus.monitoring:9090', threshold: 0.05 };
const triggers = [KedaTrigger.claimRate(prometheus)];

function scaledObject(props: Partial<WarmPoolScaledObjectProps> = {}, namespace?: string): any {
  return manifestOf(new WarmPoolScaledObject(testChart({ namespace }), 'Scaler', { target, maxReplicas: 100, triggers, ...props }));
}

function trigger(value: KedaTrigger): any {
  return scaledObject({ triggers: [value] }).spec.triggers[0];
}

test('a ScaledObject sets the size of the pool by its rate of claims, down to zero', () => {
  const chart = testChart();
  new WarmPoolScaledObject(chart, 'Scaler', { target, maxReplicas: 100, triggers });
  expect(synth(chart)).toEqual([{
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: { name: 'python-pool', namespace: 'agents' },
    spec: {
      scaleTargetRef: { apiVersion: 'extensions.agents.x-k8s.io/v1beta1', kind: 'SandboxWarmPool', name: 'python-pool' },
      maxReplicaCount: 100,
      triggers: [{
        type: 'prometheus',
        metadata: {
          serverAddress: 'http://prometheus.monitoring:9090',
          query: 'sum(rate(agent_sandbox_claim_creation_total{exported_namespace="agents",warmpool_name="python-pool"}[60s]) >= 0) or vector(0)',
          threshold: '0.05',
        },
      }],
    },
  }]);
});

test('bounds, times, behavior and metadata are written', () => {
  expect(scaledObject({
    name: 'by-claims',
    labels: { a: 'b' },
    annotations: { c: 'd' },
    minReplicas: 0,
    pollingInterval: Duration.seconds(15),
    cooldownPeriod: Duration.minutes(5),
    behavior: { scaleDown: { policies: [ScalingPolicy.percent(10, Duration.minutes(1))] } },
  })).toMatchObject({
    metadata: { name: 'by-claims', labels: { a: 'b' }, annotations: { c: 'd' } },
    spec: {
      minReplicaCount: 0,
      pollingInterval: 15,
      cooldownPeriod: 300,
      advanced: { horizontalPodAutoscalerConfig: { behavior: { scaleDown: { policies: [{ type: 'Percent', value: 10, periodSeconds: 60 }] } } } },
    },
  });
});

test('the rate of claims can be taken over another time, under another label, and with everything that Prometheus takes', () => {
  expect(trigger(KedaTrigger.claimRate({
    ...prometheus,
    window: Duration.minutes(5),
    namespaceLabel: 'namespace',
    activationThreshold: 0.01,
    metricType: MetricTargetType.VALUE,
    authentication: KedaAuthentication.fromTriggerAuthentication('gcp-credentials'),
    parameters: { ignoreNullValues: 'false' },
  }))).toEqual({
    type: 'prometheus',
    metricType: 'Value',
    metadata: {
      serverAddress: 'http://prometheus.monitoring:9090',
      query: 'sum(rate(agent_sandbox_claim_creation_total{namespace="agents",warmpool_name="python-pool"}[300s]) >= 0) or vector(0)',
      threshold: '0.05',
      activationThreshold: '0.01',
      ignoreNullValues: 'false',
    },
    authenticationRef: { name: 'gcp-credentials' },
  });
});

test('the query leaves the namespace out where it is not known', () => {
  const anywhere = { apiVersion: target.apiVersion, name: target.name };
  expect(scaledObject({ target: anywhere }).spec.triggers[0].metadata.query)
    .toBe('sum(rate(agent_sandbox_claim_creation_total{warmpool_name="python-pool"}[60s]) >= 0) or vector(0)');
  expect(scaledObject({ target: anywhere }, 'team').spec.triggers[0].metadata.query).toContain('{exported_namespace="team",warmpool_name="python-pool"}');
});

test('any query and any trigger go', () => {
  expect(trigger(KedaTrigger.prometheus({ ...prometheus, query: 'sum(queue_depth)' })).metadata.query).toBe('sum(queue_depth)');
  const metadata = { timezone: 'Europe/Berlin', start: '0 8 * * 1-5', end: '0 18 * * 1-5', desiredReplicas: '20' };
  expect(trigger(KedaTrigger.raw({
    type: 'cron', name: 'office-hours', metadata, authentication: KedaAuthentication.fromClusterTriggerAuthentication('any'),
  }))).toEqual({ type: 'cron', name: 'office-hours', metadata, authenticationRef: { name: 'any', kind: 'ClusterTriggerAuthentication' } });
});

test.each<[Partial<WarmPoolScaledObjectProps>, string]>([
  [{ minReplicas: -1 }, 'test/Scaler: minReplicas is -1: use a whole number from 0 to 2147483647'],
  [{ maxReplicas: 0 }, 'test/Scaler: maxReplicas is 0: use a whole number from 1 to 2147483647'],
  [{ minReplicas: 5, maxReplicas: 4 }, 'test/Scaler: maxReplicas is 4: it is less than minReplicas, 5: raise the one or lower the other'],
  [{ triggers: [] }, 'test/Scaler: triggers is []: give at least one, such as KedaTrigger.claimRate(…)'],
  [{ pollingInterval: Duration.seconds(0) }, "test/Scaler: pollingInterval is '0s': use whole seconds from 1 to 2147483647"],
  [{ cooldownPeriod: Duration.millis(1) }, "test/Scaler: cooldownPeriod is '0.001s': use whole seconds from 0 to 2147483647"],
  [{ name: 'a'.repeat(64) }, `test/Scaler: name is '${'a'.repeat(64)}': KEDA puts it into a label: use at most 63 characters`],
  [{ target: { ...target, apiVersion: 'extensions.agents.x-k8s.io/v1alpha1' } },
    "test/Scaler: target.apiVersion is 'extensions.agents.x-k8s.io/v1alpha1': only a pool of extensions.agents.x-k8s.io/v1beta1 can leave its replicas to an autoscaler; v1alpha1 requires them, so the next deployment would set them back: emit the pool as v1beta1"],
])('fails early: %#', (props, message) => {
  expect(() => scaledObject(props)).toThrow(new Error(message));
});

test.each<[() => unknown, string]>([
  [() => KedaTrigger.claimRate({ ...prometheus, serverAddress: 'prometheus:9090' }),
    "KedaTrigger.claimRate: serverAddress is 'prometheus:9090': write the URL of the Prometheus API, such as 'http://prometheus.monitoring:9090'"],
  [() => KedaTrigger.claimRate({ ...prometheus, threshold: 0 }),
    'KedaTrigger.claimRate: threshold is 0: the value of the query is divided by it: use a number above 0'],
  [() => KedaTrigger.claimRate({ ...prometheus, threshold: NaN }),
    'KedaTrigger.claimRate: threshold is NaN: write a number'],
  [() => KedaTrigger.claimRate({ ...prometheus, activationThreshold: -1 }),
    'KedaTrigger.claimRate: activationThreshold is -1: use a number, 0 or more'],
  [() => KedaTrigger.claimRate({ ...prometheus, window: Duration.millis(1) }),
    "KedaTrigger.claimRate: window is '0.001s': use whole seconds from 1 to 2147483647"],
  [() => KedaTrigger.claimRate({ ...prometheus, namespaceLabel: 'exported-namespace' }),
    "KedaTrigger.claimRate: namespaceLabel is 'exported-namespace': use letters, digits and '_', not beginning with a digit"],
  [() => KedaTrigger.prometheus({ ...prometheus, query: ' ' }),
    "KedaTrigger.prometheus: query is ' ': write a PromQL query with one value as its result"],
  [() => KedaTrigger.prometheus({ ...prometheus, query: 'up', parameters: { threshold: '5' } }),
    "KedaTrigger.prometheus: parameters['threshold'] is '5': use the prop threshold"],
  [() => KedaTrigger.raw({ type: '', metadata: {} }), "KedaTrigger.raw: type is '': it is empty: write a value"],
  [() => KedaAuthentication.fromTriggerAuthentication('A'),
    "KedaAuthentication.fromTriggerAuthentication: name is 'A': use 1 to 253 lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or digit"],
])('values fail early: %s', (make, message) => {
  expect(make).toThrow(new Error(message));
});
