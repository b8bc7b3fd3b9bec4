import { Duration } from 'cdk8s';
import {
  MetricTargetType, ScalingPolicy, ScalingPolicySelect, WarmPoolHorizontalPodAutoscaler, type WarmPoolHorizontalPodAutoscalerProps, WarmPoolMetric,
} from '../src/scaling/autoscaling';
import { manifestOf, synth, testChart } from './helpers';

const target = { apiVersion: 'extensions.agents.x-k8s.io/v1beta1', name: 'python-pool', namespace: 'agents' };
const metrics = [WarmPoolMetric.claimRate({ target: '50m' })];

function autoscaler(props: Partial<WarmPoolHorizontalPodAutoscalerProps> = {}, namespace?: string): any {
  return manifestOf(new WarmPoolHorizontalPodAutoscaler(testChart({ namespace }), 'Autoscaler', { target, maxReplicas: 100, metrics, ...props }));
}

function metric(value: WarmPoolMetric): any {
  return autoscaler({ metrics: [value] }).spec.metrics[0];
}

test('a HorizontalPodAutoscaler sets the size of the pool by its rate of claims', () => {
  const chart = testChart();
  new WarmPoolHorizontalPodAutoscaler(chart, 'Autoscaler', { target, minReplicas: 10, maxReplicas: 100, metrics });
  expect(synth(chart)).toEqual([{
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'python-pool', namespace: 'agents' },
    spec: {
      scaleTargetRef: { apiVersion: 'extensions.agents.x-k8s.io/v1beta1', kind: 'SandboxWarmPool', name: 'python-pool' },
      minReplicas: 10,
      maxReplicas: 100,
      metrics: [{
        type: 'External',
        external: {
          metric: {
            name: 'agent_sandbox_claim_creation_per_second',
            selector: { matchLabels: { warmpool_name: 'python-pool', exported_namespace: 'agents' } },
          },
          target: { type: 'AverageValue', averageValue: '50m' },
        },
      }],
    },
  }]);
});

test('the minimum is left to the API server', () => {
  expect(autoscaler().spec).not.toHaveProperty('minReplicas');
});

test('name, labels and annotations can be given', () => {
  expect(autoscaler({ name: 'by-load', labels: { a: 'b' }, annotations: { c: 'd' } }).metadata)
    .toEqual({ name: 'by-load', namespace: 'agents', labels: { a: 'b' }, annotations: { c: 'd' } });
});

test('the namespace is that of the chart where the pool has none, and no label where there is none at all', () => {
  const anywhere = { apiVersion: target.apiVersion, name: target.name };
  expect(autoscaler({ target: anywhere }, 'team')).toMatchObject({
    metadata: { namespace: 'team' },
    spec: { metrics: [{ external: { metric: { selector: { matchLabels: { exported_namespace: 'team' } } } } }] },
  });
  const nowhere = autoscaler({ target: anywhere });
  expect(nowhere.metadata).not.toHaveProperty('namespace');
  expect(nowhere.spec.metrics[0].external.metric.selector.matchLabels).toEqual({ warmpool_name: 'python-pool' });
});

test('the rate of claims has the name and labels of Google Cloud there', () => {
  expect(metric(WarmPoolMetric.gkeClaimRate({ target: '500m', targetType: MetricTargetType.VALUE })).external).toEqual({
    metric: {
      name: 'prometheus.googleapis.com|agent_sandbox_claim_creation_total|counter',
      selector: { matchLabels: { 'metric.labels.warmpool_name': 'python-pool', 'metric.labels.exported_namespace': 'agents' } },
    },
    target: { type: 'Value', value: '500m' },
  });
});

test('the rate of claims may have another name', () => {
  expect(metric(WarmPoolMetric.claimRate({ target: '1', metricName: 'claims:rate1m' })).external.metric.name).toBe('claims:rate1m');
});

test('any external metric goes, with and without labels', () => {
  expect(metric(WarmPoolMetric.external({ metricName: 'queue_depth', target: '5' }))).toEqual({
    type: 'External', external: { metric: { name: 'queue_depth' }, target: { type: 'AverageValue', averageValue: '5' } },
  });
  expect(metric(WarmPoolMetric.external({ metricName: 'queue_depth', matchLabels: { queue: 'jobs' }, target: '5' })).external.metric.selector)
    .toEqual({ matchLabels: { queue: 'jobs' } });
});

test('any metric of autoscaling/v2 goes as it is', () => {
  const spec = { type: 'Object', object: { describedObject: { kind: 'Service', name: 'queue' }, metric: { name: 'depth' }, target: { type: 'Value', value: '1' } } };
  expect(metric(WarmPoolMetric.raw(spec))).toEqual(spec);
});

test('behavior is written in seconds', () => {
  expect(autoscaler({
    behavior: {
      scaleUp: {
        policies: [ScalingPolicy.pods(4, Duration.minutes(1)), ScalingPolicy.percent(100, Duration.seconds(15))],
        selectPolicy: ScalingPolicySelect.MIN,
        stabilizationWindow: Duration.seconds(0),
      },
      scaleDown: { stabilizationWindow: Duration.minutes(10) },
    },
  }).spec.behavior).toEqual({
    scaleUp: {
      policies: [{ type: 'Pods', value: 4, periodSeconds: 60 }, { type: 'Percent', value: 100, periodSeconds: 15 }],
      selectPolicy: 'Min',
      stabilizationWindowSeconds: 0,
    },
    scaleDown: { stabilizationWindowSeconds: 600 },
  });
});

test.each<[Partial<WarmPoolHorizontalPodAutoscalerProps>, string]>([
  [{ minReplicas: 0 },
    'test/Autoscaler: minReplicas is 0: a HorizontalPodAutoscaler cannot scale to zero: use 1 or more, or KEDA (WarmPoolScaledObject)'],
  [{ minReplicas: 1.5 }, 'test/Autoscaler: minReplicas is 1.5: use a whole number from 1 to 2147483647'],
  [{ maxReplicas: 0 }, 'test/Autoscaler: maxReplicas is 0: use a whole number from 1 to 2147483647'],
  [{ minReplicas: 5, maxReplicas: 4 }, 'test/Autoscaler: maxReplicas is 4: it is less than minReplicas, 5: raise the one or lower the other'],
  [{ metrics: [] },
    'test/Autoscaler: metrics is []: without a metric Kubernetes would scale by the CPU use of idle sandboxes: give one, such as WarmPoolMetric.claimRate(…)'],
  [{ target: { ...target, apiVersion: 'extensions.agents.x-k8s.io/v1alpha1' } },
    "test/Autoscaler: target.apiVersion is 'extensions.agents.x-k8s.io/v1alpha1': only a pool of extensions.agents.x-k8s.io/v1beta1 can leave its replicas to an autoscaler; v1alpha1 requires them, so the next deployment would set them back: emit the pool as v1beta1"],
  [{ name: 'by-load', target: { ...target, name: 'Pool' } },
    "test/Autoscaler: target.name is 'Pool': use 1 to 253 lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or digit"],
  [{ name: 'By Load' },
    "test/Autoscaler: name is 'By Load': use 1 to 253 lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or digit"],
  [{ behavior: { scaleUp: { policies: [] } } },
    'test/Autoscaler: behavior.scaleUp.policies is []: name at least one policy, or leave them out; ScalingPolicySelect.DISABLED stops this direction'],
  [{ behavior: { scaleDown: { stabilizationWindow: Duration.minutes(61) } } },
    "test/Autoscaler: behavior.scaleDown.stabilizationWindow is '3660s': use whole seconds from 0 to 3600"],
  [{ behavior: { scaleDown: { stabilizationWindow: Duration.millis(500) } } },
    "test/Autoscaler: behavior.scaleDown.stabilizationWindow is '0.5s': use whole seconds from 0 to 3600"],
])('fails early: %#', (props, message) => {
  expect(() => autoscaler(props)).toThrow(new Error(message));
});

test.each<[() => unknown, string]>([
  [() => WarmPoolMetric.claimRate({ target: '0' }), "WarmPoolMetric.claimRate: target is '0': the metric is divided by it: use a quantity above 0"],
  [() => WarmPoolMetric.gkeClaimRate({ target: 'often' }),
    "WarmPoolMetric.gkeClaimRate: target is 'often': write a non-negative number with an optional unit: '500m', '2', '512Mi', '10Gi' (units: n u m k M G T P E, Ki Mi Gi Ti Pi Ei)"],
  [() => WarmPoolMetric.claimRate({ target: '1', metricName: 'a/b' }), "WarmPoolMetric.claimRate: metricName is 'a/b': use a name without '/' and '%'"],
  [() => WarmPoolMetric.external({ target: '1', metricName: '' }), "WarmPoolMetric.external: metricName is '': it is empty: write a value"],
  [() => WarmPoolMetric.external({ target: '1', metricName: 'a', matchLabels: { b: 'c d' } }),
    "WarmPoolMetric.external: matchLabels['b'] is 'c d': use at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit"],
  [() => WarmPoolMetric.raw({}), "WarmPoolMetric.raw: type: name the type of the metric: 'External', 'Object', 'Pods', 'Resource' or 'ContainerResource'"],
  [() => ScalingPolicy.pods(0, Duration.minutes(1)), 'ScalingPolicy.pods: value is 0: use a whole number from 1 to 2147483647'],
  [() => ScalingPolicy.percent(10, Duration.minutes(31)), "ScalingPolicy.percent: period is '1860s': use whole seconds from 1 to 1800"],
])('values fail early: %s', (make, message) => {
  expect(make).toThrow(new Error(message));
});
