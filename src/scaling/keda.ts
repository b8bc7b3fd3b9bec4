import { ApiObject, Duration } from 'cdk8s';
import { Construct } from 'constructs';
import { checkCalls, checkProps, definedOnly, describe, dnsSubdomain, integer, labelValue, placed, Problems } from '../checks';
import { checkObject, type ObjectMetadataProps } from '../objects';
import {
  behaviorOf, checkMaximum, checkSeconds, checkTarget, type MetricTargetType, scaleTargetOf, scaleTargetRef, type ScalingBehavior,
  type WarmPoolScaleTarget,
} from './autoscaling';

/** How KEDA authenticates to where it reads a metric. */
export class KedaAuthentication {
  /**
   * A TriggerAuthentication in the namespace of the pool.
   *
   * @param name its name
   * @throws if the name is not well-formed
   */
  public static fromTriggerAuthentication(name: string): KedaAuthentication {
    return new KedaAuthentication('KedaAuthentication.fromTriggerAuthentication', name, undefined);
  }

  /**
   * A ClusterTriggerAuthentication, for all namespaces.
   *
   * @param name its name
   * @throws if the name is not well-formed
   */
  public static fromClusterTriggerAuthentication(name: string): KedaAuthentication {
    return new KedaAuthentication('KedaAuthentication.fromClusterTriggerAuthentication', name, 'ClusterTriggerAuthentication');
  }

  private constructor(where: string, private readonly name: string, private readonly kind: string | undefined) {
    const problems = Problems.of(where);
    problems.check('name', name, dnsSubdomain);
    problems.throwIfAny();
  }

  /** @internal */
  public _ref(): any {
    return { name: this.name, kind: this.kind };
  }
}
checkCalls(KedaAuthentication);

/** Where Prometheus is, and from which value on the pool grows. */
export interface KedaPrometheusOptions {
  /** URL of the Prometheus API: `http://prometheus.monitoring:9090`. */
  readonly serverAddress: string;

  /**
   * The value that one sandbox is to cover: size of the pool = value of the query / threshold. Above 0. For claims per
   * second: about 1 / (seconds that a new sandbox takes to become ready); at 20 seconds 0.05, so 2 claims per second
   * make a pool of 40.
   */
  readonly threshold: number;

  /**
   * While the value of the query is not above this, the pool may shrink to zero; from there it grows again only when
   * the value is above it. 0 or more.
   *
   * @default - 0 (KEDA's)
   */
  readonly activationThreshold?: number;

  /**
   * How KEDA authenticates to Prometheus.
   *
   * @default - not at all
   */
  readonly authentication?: KedaAuthentication;

  /**
   * How the value turns into a number of sandboxes.
   *
   * @default - MetricTargetType.AVERAGE_VALUE (KEDA's)
   */
  readonly metricType?: MetricTargetType;

  /**
   * Other parameters of the trigger: `{ ignoreNullValues: 'false' }`.
   *
   * @default - none
   */
  readonly parameters?: { [name: string]: string };
}

/** The rate of claims of a pool. */
export interface KedaClaimRateProps extends KedaPrometheusOptions {
  /**
   * The time over which the rate is taken, at least twice the scrape interval; in whole seconds.
   *
   * @default Duration.minutes(1)
   */
  readonly window?: Duration;

  /**
   * Label that holds the namespace of the claim. Prometheus renames the controller's own label `namespace` to
   * `exported_namespace`, unless the scrape configuration says `honor_labels`.
   *
   * @default 'exported_namespace'
   */
  readonly namespaceLabel?: string;
}

/** Any query to Prometheus. */
export interface KedaPrometheusProps extends KedaPrometheusOptions {
  /** A PromQL query with one value as its result. */
  readonly query: string;
}

/** A trigger of any type that KEDA knows. */
export interface KedaTriggerProps {
  /** Type of the trigger: `cron`, `datadog`. */
  readonly type: string;

  /** Parameters of the trigger, all of them strings. */
  readonly metadata: { [name: string]: string };

  /**
   * Name of the trigger, unique within the ScaledObject.
   *
   * @default - none
   */
  readonly name?: string;

  /**
   * How KEDA authenticates.
   *
   * @default - not at all
   */
  readonly authentication?: KedaAuthentication;

  /**
   * How the value turns into a number of sandboxes.
   *
   * @default - MetricTargetType.AVERAGE_VALUE (KEDA's)
   */
  readonly metricType?: MetricTargetType;
}

const PROMETHEUS_LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** What makes KEDA scale. Values are immutable. */
export class KedaTrigger {
  /**
   * Claims per second of the pool, from the controller's counter `agent_sandbox_claim_creation_total`. The query sums
   * the rates of all series of the pool, leaves out what is negative or not a number, and is 0 where there is none. If
   * the namespace of the pool is not known, pools of its name in all namespaces count.
   *
   * @param props Prometheus and threshold
   * @throws if an address, number, duration or label is not well-formed
   */
  public static claimRate(props: KedaClaimRateProps): KedaTrigger {
    const where = 'KedaTrigger.claimRate';
    const window = props.window ?? Duration.minutes(1);
    const namespaceLabel = props.namespaceLabel ?? 'exported_namespace';
    const problems = Problems.of(where);
    checkSeconds(problems, 'window', window, 1, 2 ** 31 - 1);
    problems.check('namespaceLabel', namespaceLabel, label =>
      PROMETHEUS_LABEL.test(label) ? undefined : "use letters, digits and '_', not beginning with a digit");
    checkPrometheus(problems, props);
    problems.throwIfAny();
    return KedaTrigger.ofPrometheus(props, target => claimRateQuery(target, window, namespaceLabel));
  }

  /**
   * The result of any query to Prometheus.
   *
   * @param props query, Prometheus and threshold
   * @throws if the query is empty, or an address or number is not well-formed
   */
  public static prometheus(props: KedaPrometheusProps): KedaTrigger {
    const problems = Problems.of('KedaTrigger.prometheus');
    if (props.query.trim() === '') {
      problems.add('query', props.query, 'write a PromQL query with one value as its result');
    }
    checkPrometheus(problems, props);
    problems.throwIfAny();
    return KedaTrigger.ofPrometheus(props, () => props.query);
  }

  /**
   * A trigger of any type that KEDA knows, as in a manifest.
   *
   * @param props type and parameters
   * @throws if the type is empty
   */
  public static raw(props: KedaTriggerProps): KedaTrigger {
    if (props.type === '') {
      throw new Error(describe('KedaTrigger.raw', 'type', props.type, "name the type of the trigger, such as 'cron'"));
    }
    return new KedaTrigger(() => props);
  }

  private static ofPrometheus(props: KedaPrometheusOptions, query: (target: WarmPoolScaleTarget) => string): KedaTrigger {
    return new KedaTrigger(target => ({
      type: 'prometheus',
      metadata: {
        ...props.parameters,
        serverAddress: props.serverAddress,
        query: query(target),
        threshold: String(props.threshold),
        ...definedOnly({ activationThreshold: props.activationThreshold?.toString() }),
      },
      authentication: props.authentication,
      metricType: props.metricType,
    }));
  }

  private constructor(private readonly propsFor: (target: WarmPoolScaleTarget) => KedaTriggerProps) {}

  /** The trigger for a pool, as in the manifest. @internal */
  public _spec(target: WarmPoolScaleTarget): any {
    const { type, name, metadata, authentication, metricType } = this.propsFor(target);
    return { type, name, metricType, metadata, authenticationRef: authentication?._ref() };
  }
}
checkCalls(KedaTrigger);

function claimRateQuery(target: WarmPoolScaleTarget, window: Duration, namespaceLabel: string): string {
  const namespace = target.namespace === undefined ? '' : `${namespaceLabel}="${target.namespace}",`;
  const series = `agent_sandbox_claim_creation_total{${namespace}warmpool_name="${target.name}"}`;
  // A comparison drops the series for which it does not hold, NaN included.
  return `sum(rate(${series}[${window.toSeconds()}s]) >= 0) or vector(0)`;
}

function checkPrometheus(problems: Problems, props: KedaPrometheusOptions): void {
  if (!isHttpUrl(props.serverAddress)) {
    problems.add('serverAddress', props.serverAddress, "write the URL of the Prometheus API, such as 'http://prometheus.monitoring:9090'");
  }
  if (!(Number.isFinite(props.threshold) && props.threshold > 0)) {
    problems.add('threshold', shown(props.threshold), 'the value of the query is divided by it: use a number above 0');
  }
  if (props.activationThreshold !== undefined && !(Number.isFinite(props.activationThreshold) && props.activationThreshold >= 0)) {
    problems.add('activationThreshold', shown(props.activationThreshold), 'use a number, 0 or more');
  }
  for (const name of ['serverAddress', 'query', 'threshold', 'activationThreshold']) {
    if (Object.hasOwn(props.parameters ?? {}, name)) {
      problems.add(`parameters['${name}']`, props.parameters![name], `use the prop ${name}`);
    }
  }
}

/** JSON knows neither NaN nor Infinity. */
function shown(value: number): unknown {
  return Number.isFinite(value) ? value : String(value);
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && ['http:', 'https:'].includes(new URL(text).protocol);
}

/** Bounds and triggers of a ScaledObject. */
export interface WarmPoolScaledObjectOptions extends ObjectMetadataProps {
  /**
   * Name of the object, at most 63 characters.
   *
   * @default - the name of the pool
   */
  readonly name?: string;

  /**
   * Smallest number of idle sandboxes, 0 or more. At 0, the first claims after a quiet time start cold.
   *
   * @default - 0 (KEDA's)
   */
  readonly minReplicas?: number;

  /** Largest number of idle sandboxes, 1 or more and at least `minReplicas`. */
  readonly maxReplicas: number;

  /** What the size follows; of several triggers, the one that asks for the largest size. At least one. */
  readonly triggers: KedaTrigger[];

  /**
   * How often KEDA looks at the triggers while the pool is at zero; in whole seconds, 1 or more.
   *
   * @default - 30 seconds (KEDA's)
   */
  readonly pollingInterval?: Duration;

  /**
   * How long the triggers have to be quiet before the pool shrinks from one to zero; in whole seconds.
   *
   * @default - 5 minutes (KEDA's)
   */
  readonly cooldownPeriod?: Duration;

  /**
   * How fast the pool grows and shrinks above zero.
   *
   * @default - as Kubernetes does
   */
  readonly behavior?: ScalingBehavior;
}

/** A ScaledObject of a warm pool. */
export interface WarmPoolScaledObjectProps extends WarmPoolScaledObjectOptions {
  /** The pool. It must not set `replicas`, or every deployment would undo what KEDA did. */
  readonly target: WarmPoolScaleTarget;
}

/**
 * A ScaledObject (`keda.sh/v1alpha1`) that sets the size of a warm pool, down to zero when there are no claims. The
 * cluster needs KEDA.
 *
 * @throws if a prop is not well-formed; the error names every such prop, its value and the remedy
 */
export class WarmPoolScaledObject extends Construct {
  /** Name of the object. */
  public readonly name: string;

  /** Namespace of the object; undefined where it is chosen when the manifest is applied. */
  public readonly namespace?: string;

  /**
   * @param scope the scope in which to define this construct
   * @param id the construct's id
   * @param props pool, bounds and triggers
   */
  public constructor(scope: Construct, id: string, props: WarmPoolScaledObjectProps) {
    super(...placed('WarmPoolScaledObject', scope, id));
    checkProps(this.node.path, 'WarmPoolScaledObjectProps', props);
    const target = scaleTargetOf(this, props.target);
    this.name = props.name ?? target.name;
    this.namespace = target.namespace;

    const problems = Problems.of(this.node.path);
    checkObject(problems, this, { ...props, name: this.name });
    if (dnsSubdomain(this.name) === undefined && labelValue(this.name) !== undefined) {
      problems.add('name', this.name, 'KEDA puts it into a label: use at most 63 characters');
    }
    checkTarget(problems, target, this.name);
    problems.check('minReplicas', props.minReplicas, integer(0));
    checkMaximum(problems, props.minReplicas ?? 0, props.maxReplicas);
    if (props.triggers.length === 0) {
      problems.add('triggers', props.triggers, 'give at least one, such as KedaTrigger.claimRate(…)');
    }
    checkSeconds(problems, 'pollingInterval', props.pollingInterval, 1, 2 ** 31 - 1);
    checkSeconds(problems, 'cooldownPeriod', props.cooldownPeriod, 0, 2 ** 31 - 1);
    const behavior = behaviorOf(problems, props.behavior);
    problems.throwIfAny();

    new ApiObject(this, 'Resource', {
      apiVersion: 'keda.sh/v1alpha1',
      kind: 'ScaledObject',
      metadata: { name: this.name, namespace: this.namespace, labels: props.labels, annotations: props.annotations },
      spec: {
        scaleTargetRef: scaleTargetRef(target),
        minReplicaCount: props.minReplicas,
        maxReplicaCount: props.maxReplicas,
        pollingInterval: props.pollingInterval?.toSeconds(),
        cooldownPeriod: props.cooldownPeriod?.toSeconds(),
        advanced: behavior && { horizontalPodAutoscalerConfig: { behavior } },
        triggers: props.triggers.map(trigger => trigger._spec(target)),
      },
    });
  }
}
