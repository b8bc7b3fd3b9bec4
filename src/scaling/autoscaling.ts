import { ApiObject, Chart, type Duration } from 'cdk8s';
import { Construct } from 'constructs';
import { checkCalls, checkProps, dnsSubdomain, integer, placed, Problems, Quantity, quantity } from '../checks';
import { EXTENSIONS_GROUP, VERSION } from '../generated/vocabulary.gen';
import { checkLabels, checkObject, type ObjectMetadataProps } from '../objects';

/** A SandboxWarmPool to scale. A construct `SandboxWarmPool` is one, too. */
export interface WarmPoolScaleTarget {
  /** Group and version of the object: `extensions.agents.x-k8s.io/v1beta1`. */
  readonly apiVersion: string;

  /** Name of the SandboxWarmPool. */
  readonly name: string;

  /**
   * Its namespace, which is also that of the autoscaler.
   *
   * @default - the namespace of the chart
   */
  readonly namespace?: string;
}

/** How a metric turns into a number of sandboxes. */
export enum MetricTargetType {
  /**
   * Number of sandboxes = metric / target. What fits rates: the size follows the load, whatever the size is now.
   */
  AVERAGE_VALUE = 'AverageValue',

  /**
   * Number of sandboxes = present number x metric / target. Only for metrics that fall when the pool grows: the rate of
   * claims does not, so a pool that is scaled by it multiplies with every cycle until it reaches its maximum, and
   * shrinks to its minimum as soon as the rate is below the target.
   */
  VALUE = 'Value',
}

/** The target of an external metric that counts the claims of a pool. */
export interface ClaimRateMetricProps {
  /**
   * Claims per second that one idle sandbox is to cover, as a quantity: about 1 / (seconds that a new sandbox takes to
   * become ready). At 20 seconds: `'50m'`, so 2 claims per second make a pool of 40.
   */
  readonly target: string;

  /**
   * How the metric turns into a number of sandboxes.
   *
   * @default MetricTargetType.AVERAGE_VALUE
   */
  readonly targetType?: MetricTargetType;

  /**
   * Name under which the metrics adapter serves the rate of the counter `agent_sandbox_claim_creation_total`. The
   * default is what the usual rule of prometheus-adapter makes of it (`_total` becomes `_per_second`).
   *
   * @default 'agent_sandbox_claim_creation_per_second'
   */
  readonly metricName?: string;
}

/** An external metric: one that belongs to no object in the cluster. */
export interface ExternalMetricProps {
  /** Name of the metric, as the metrics adapter serves it. */
  readonly metricName: string;

  /**
   * Labels that the time series must have.
   *
   * @default - all series of the metric
   */
  readonly matchLabels?: { [key: string]: string };

  /** Target, as a quantity above 0: `'500m'`. */
  readonly target: string;

  /**
   * How the metric turns into a number of sandboxes.
   *
   * @default MetricTargetType.AVERAGE_VALUE
   */
  readonly targetType?: MetricTargetType;
}

/** The counter of claims, and its labels for the pool. Prometheus renames the controller's own label `namespace`. */
const CLAIM_COUNTER = 'agent_sandbox_claim_creation_total';
const POOL_LABEL = 'warmpool_name';
const NAMESPACE_LABEL = 'exported_namespace';

/** A metric that the size of a warm pool follows. Values are immutable. */
export class WarmPoolMetric {
  /**
   * Claims per second of the pool, as an external metric with the labels `warmpool_name` and, if the namespace of the
   * pool is known, `exported_namespace`.
   *
   * @param props target and name of the metric
   * @throws if the target is not a quantity above 0, or the name cannot be one
   */
  public static claimRate(props: ClaimRateMetricProps): WarmPoolMetric {
    return WarmPoolMetric.rate('WarmPoolMetric.claimRate', 'agent_sandbox_claim_creation_per_second', '', props);
  }

  /**
   * Claims per second of the pool, as the custom metrics adapter of Google Cloud serves them from Managed Service for
   * Prometheus.
   *
   * @param props target and name of the metric; the name is `prometheus.googleapis.com|agent_sandbox_claim_creation_total|counter` by default
   * @throws if the target is not a quantity above 0, or the name cannot be one
   */
  public static gkeClaimRate(props: ClaimRateMetricProps): WarmPoolMetric {
    return WarmPoolMetric.rate('WarmPoolMetric.gkeClaimRate', `prometheus.googleapis.com|${CLAIM_COUNTER}|counter`, 'metric.labels.', props);
  }

  /**
   * Any external metric.
   *
   * @param props metric and target
   * @throws if the target is not a quantity above 0, or a name or label is not well-formed
   */
  public static external(props: ExternalMetricProps): WarmPoolMetric {
    const problems = Problems.of('WarmPoolMetric.external');
    checkMetric(problems, props.metricName, props.target);
    checkLabels(problems, 'matchLabels', props.matchLabels);
    problems.throwIfAny();
    return new WarmPoolMetric(() => externalMetric(props));
  }

  /**
   * Any metric that `autoscaling/v2` knows.
   *
   * @param spec a MetricSpec as in a manifest: `{ type: 'Object', object: { … } }`
   * @throws if the type is missing
   */
  public static raw(spec: { [key: string]: any }): WarmPoolMetric {
    const problems = Problems.of('WarmPoolMetric.raw');
    if (typeof spec.type !== 'string') {
      problems.add('type', spec.type, "name the type of the metric: 'External', 'Object', 'Pods', 'Resource' or 'ContainerResource'");
    }
    problems.throwIfAny();
    return new WarmPoolMetric(() => spec);
  }

  private static rate(where: string, defaultName: string, labelPrefix: string, props: ClaimRateMetricProps): WarmPoolMetric {
    const metricName = props.metricName ?? defaultName;
    const problems = Problems.of(where);
    checkMetric(problems, metricName, props.target);
    problems.throwIfAny();
    return new WarmPoolMetric(target => {
      const matchLabels: { [key: string]: string } = { [labelPrefix + POOL_LABEL]: target.name };
      if (target.namespace !== undefined) {
        matchLabels[labelPrefix + NAMESPACE_LABEL] = target.namespace;
      }
      return externalMetric({ ...props, metricName, matchLabels });
    });
  }

  private constructor(private readonly render: (target: WarmPoolScaleTarget) => any) {}

  /** The metric of a pool, as in the manifest. @internal */
  public _spec(target: WarmPoolScaleTarget): any {
    return this.render(target);
  }
}
checkCalls(WarmPoolMetric);

function checkMetric(problems: Problems, metricName: string, target: string): void {
  // The name becomes a part of a URL path.
  if (metricName === '' || metricName === '.' || metricName === '..' || /[/%]/.test(metricName)) {
    problems.add('metricName', metricName, "use a name without '/' and '%'");
  }
  problems.check('target', target, quantity);
  if (Quantity.tryParse(target)?.isZero) {
    problems.add('target', target, 'the metric is divided by it: use a quantity above 0');
  }
}

function externalMetric(props: ExternalMetricProps): any {
  const type = props.targetType ?? MetricTargetType.AVERAGE_VALUE;
  return {
    type: 'External',
    external: {
      metric: { name: props.metricName, selector: props.matchLabels && { matchLabels: props.matchLabels } },
      target: type === MetricTargetType.VALUE ? { type, value: props.target } : { type, averageValue: props.target },
    },
  };
}

/** Which of several scaling policies counts. */
export enum ScalingPolicySelect {
  /** The one that allows the largest change; the default of Kubernetes. */
  MAX = 'Max',

  /** The one that allows the smallest change. */
  MIN = 'Min',

  /** None: no scaling in this direction. */
  DISABLED = 'Disabled',
}

/** How much the size of a pool may change within a time. Values are immutable. */
export class ScalingPolicy {
  /**
   * By a number of sandboxes.
   *
   * @param value number of sandboxes, 1 or more
   * @param period the time, 1 second to 30 minutes
   * @throws if value or period is out of bounds
   */
  public static pods(value: number, period: Duration): ScalingPolicy {
    return new ScalingPolicy('ScalingPolicy.pods', 'Pods', value, period);
  }

  /**
   * By a part of the present number.
   *
   * @param value percent, 1 or more; 100 doubles the size
   * @param period the time, 1 second to 30 minutes
   * @throws if value or period is out of bounds
   */
  public static percent(value: number, period: Duration): ScalingPolicy {
    return new ScalingPolicy('ScalingPolicy.percent', 'Percent', value, period);
  }

  private constructor(where: string, private readonly type: string, private readonly value: number, private readonly period: Duration) {
    const problems = Problems.of(where);
    problems.check('value', value, integer(1));
    checkSeconds(problems, 'period', period, 1, 1800);
    problems.throwIfAny();
  }

  /** @internal */
  public _spec(): any {
    return { type: this.type, value: this.value, periodSeconds: this.period.toSeconds() };
  }
}
checkCalls(ScalingPolicy);

/** How a pool scales in one direction. */
export interface ScalingRules {
  /**
   * How much the size may change within a time; at least one, if given.
   *
   * @default - up: by 4 or to the double every 15 seconds, whichever is more; down: to the minimum at once (Kubernetes')
   */
  readonly policies?: ScalingPolicy[];

  /**
   * Which of the policies counts.
   *
   * @default - ScalingPolicySelect.MAX (the API server's)
   */
  readonly selectPolicy?: ScalingPolicySelect;

  /**
   * The most careful of the sizes that were computed within this time is taken: 0 to 60 minutes, in whole seconds.
   *
   * @default - up: none; down: 5 minutes (Kubernetes')
   */
  readonly stabilizationWindow?: Duration;
}

/** How fast a pool grows and shrinks. */
export interface ScalingBehavior {
  /**
   * How it grows.
   *
   * @default - as Kubernetes does
   */
  readonly scaleUp?: ScalingRules;

  /**
   * How it shrinks.
   *
   * @default - as Kubernetes does
   */
  readonly scaleDown?: ScalingRules;
}

/** Bounds and metrics of a HorizontalPodAutoscaler. */
export interface WarmPoolAutoscalingOptions extends ObjectMetadataProps {
  /**
   * Name of the object.
   *
   * @default - the name of the pool
   */
  readonly name?: string;

  /**
   * Smallest number of idle sandboxes, 1 or more.
   *
   * @default - 1 (the API server's)
   */
  readonly minReplicas?: number;

  /** Largest number of idle sandboxes, at least `minReplicas`. */
  readonly maxReplicas: number;

  /** What the size follows; of several metrics, the one that asks for the largest size. At least one. */
  readonly metrics: WarmPoolMetric[];

  /**
   * How fast the pool grows and shrinks.
   *
   * @default - as Kubernetes does
   */
  readonly behavior?: ScalingBehavior;
}

/** A HorizontalPodAutoscaler of a warm pool. */
export interface WarmPoolHorizontalPodAutoscalerProps extends WarmPoolAutoscalingOptions {
  /** The pool. It must not set `replicas`, or every deployment would undo what the autoscaler did. */
  readonly target: WarmPoolScaleTarget;
}

/**
 * A HorizontalPodAutoscaler (`autoscaling/v2`) that sets the size of a warm pool through its scale subresource. The
 * cluster needs a metrics adapter that serves the metrics.
 *
 * @throws if a prop is not well-formed; the error names every such prop, its value and the remedy
 */
export class WarmPoolHorizontalPodAutoscaler extends Construct {
  /** Name of the object. */
  public readonly name: string;

  /** Namespace of the object; undefined where it is chosen when the manifest is applied. */
  public readonly namespace?: string;

  /**
   * @param scope the scope in which to define this construct
   * @param id the construct's id
   * @param props pool, bounds and metrics
   */
  public constructor(scope: Construct, id: string, props: WarmPoolHorizontalPodAutoscalerProps) {
    super(...placed('WarmPoolHorizontalPodAutoscaler', scope, id));
    checkProps(this.node.path, 'WarmPoolHorizontalPodAutoscalerProps', props);
    const target = scaleTargetOf(this, props.target);
    this.name = props.name ?? target.name;
    this.namespace = target.namespace;

    const problems = Problems.of(this.node.path);
    checkObject(problems, this, { ...props, name: this.name });
    checkTarget(problems, target, this.name);
    if (props.minReplicas === 0) {
      problems.add('minReplicas', 0, 'a HorizontalPodAutoscaler cannot scale to zero: use 1 or more, or KEDA (WarmPoolScaledObject)');
    } else {
      problems.check('minReplicas', props.minReplicas, integer(1));
    }
    checkMaximum(problems, props.minReplicas ?? 1, props.maxReplicas);
    if (props.metrics.length === 0) {
      problems.add('metrics', props.metrics, 'without a metric Kubernetes would scale by the CPU use of idle sandboxes: give one, such as WarmPoolMetric.claimRate(…)');
    }
    const behavior = behaviorOf(problems, props.behavior);
    problems.throwIfAny();

    new ApiObject(this, 'Resource', {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: this.name, namespace: this.namespace, labels: props.labels, annotations: props.annotations },
      spec: {
        scaleTargetRef: scaleTargetRef(target),
        minReplicas: props.minReplicas,
        maxReplicas: props.maxReplicas,
        metrics: props.metrics.map(metric => metric._spec(target)),
        behavior,
      },
    });
  }
}

/** The target with the namespace that it will have. @internal */
export function scaleTargetOf(scope: Construct, target: WarmPoolScaleTarget): WarmPoolScaleTarget {
  return { apiVersion: target.apiVersion, name: target.name, namespace: target.namespace ?? Chart.of(scope).namespace };
}

/** @internal */
export function scaleTargetRef(target: WarmPoolScaleTarget): any {
  return { apiVersion: target.apiVersion, kind: 'SandboxWarmPool', name: target.name };
}

/** @internal */
export function checkTarget(problems: Problems, target: WarmPoolScaleTarget, ownName: string): void {
  // Where the autoscaler has the name of the pool, that name is checked as its own.
  if (target.name !== ownName) {
    problems.check('target.name', target.name, dnsSubdomain);
  }
  if (target.apiVersion !== `${EXTENSIONS_GROUP}/${VERSION}`) {
    problems.add('target.apiVersion', target.apiVersion,
      `only a pool of ${EXTENSIONS_GROUP}/${VERSION} can leave its replicas to an autoscaler; v1alpha1 requires them, so the next deployment would set them back: emit the pool as ${VERSION}`);
  }
}

/** @internal */
export function checkMaximum(problems: Problems, minReplicas: number, maxReplicas: number): void {
  problems.check('maxReplicas', maxReplicas, integer(1));
  if (Number.isInteger(maxReplicas) && maxReplicas >= 1 && maxReplicas < minReplicas) {
    problems.add('maxReplicas', maxReplicas, `it is less than minReplicas, ${minReplicas}: raise the one or lower the other`);
  }
}

/** @internal */
export function checkSeconds(problems: Problems, prop: string, duration: Duration | undefined, min: number, max: number): void {
  const seconds = duration?.toSeconds({ integral: false });
  if (seconds !== undefined && !(Number.isInteger(seconds) && seconds >= min && seconds <= max)) {
    problems.add(prop, `${seconds}s`, `use whole seconds from ${min} to ${max}`);
  }
}

/** @internal */
export function behaviorOf(problems: Problems, behavior: ScalingBehavior | undefined): any {
  return behavior && {
    scaleUp: rulesOf(problems.at('behavior.scaleUp'), behavior.scaleUp),
    scaleDown: rulesOf(problems.at('behavior.scaleDown'), behavior.scaleDown),
  };
}

function rulesOf(problems: Problems, rules: ScalingRules | undefined): any {
  if (rules?.policies?.length === 0) {
    problems.add('policies', rules.policies, 'name at least one policy, or leave them out; ScalingPolicySelect.DISABLED stops this direction');
  }
  checkSeconds(problems, 'stabilizationWindow', rules?.stabilizationWindow, 0, 3600);
  return rules && {
    policies: rules.policies?.map(policy => policy._spec()),
    selectPolicy: rules.selectPolicy,
    stabilizationWindowSeconds: rules.stabilizationWindow?.toSeconds({ integral: false }),
  };
}
