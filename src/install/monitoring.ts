import { Duration } from 'cdk8s';
import type { Construct } from 'constructs';
import { type Problems, wholeSeconds } from '../checks';
import { checkLabels } from '../objects';
import { type Alert, controllerAlerts, routerAlerts } from './alerts';
import { goDuration } from './flag';
import { dashboard } from './dashboard';
import { object } from './objects';

/** Objects for the operator of Prometheus, and for Grafana. */
export interface MonitoringProps {
  /**
   * Whether there are ServiceMonitors.
   *
   * @default false
   */
  readonly serviceMonitor?: boolean;

  /**
   * Labels of the ServiceMonitors, by which a Prometheus finds them.
   *
   * @default - none
   */
  readonly serviceMonitorLabels?: { [key: string]: string };

  /**
   * How often metrics are fetched, in whole seconds.
   *
   * @default Duration.seconds(30)
   */
  readonly scrapeInterval?: Duration;

  /**
   * When fetching them has failed, in whole seconds.
   *
   * @default - as Prometheus is configured
   */
  readonly scrapeTimeout?: Duration;

  /**
   * Whether there is a PrometheusRule with alerts: no controller, no leader, failing or hanging passes, slow claims, empty
   * pools, and, with the router, no or failing routers. They expect the labels `namespace` and `service` that ServiceMonitors give.
   *
   * @default false
   */
  readonly prometheusRule?: boolean;

  /**
   * Labels of the PrometheusRule.
   *
   * @default - none
   */
  readonly prometheusRuleLabels?: { [key: string]: string };

  /**
   * How long the slowest 5 % of the claims that a pool serves may take.
   *
   * @default Duration.seconds(5)
   */
  readonly claimLatencyThreshold?: Duration;

  /**
   * Groups of rules besides those of this library, as the PrometheusRule takes them.
   *
   * @default - none
   */
  readonly additionalRuleGroups?: any[];

  /**
   * Whether there is a ConfigMap with a dashboard.
   *
   * @default false
   */
  readonly dashboard?: boolean;

  /**
   * Labels of the ConfigMap, by which the sidecar of Grafana finds it.
   *
   * @default { grafana_dashboard: '1' }
   */
  readonly dashboardLabels?: { [key: string]: string };
}

/** A Service whose endpoints have metrics. @internal */
export interface Target {
  readonly name: string;
  readonly service: string;
  readonly selector: { [key: string]: string };
}

/** What is monitored. @internal */
export interface Monitored {
  readonly namespace: string;
  readonly controller: Target;
  readonly router?: Target;
  readonly leaderElect: boolean;
  /** Whether the controller has the metrics that only this project's has. */
  readonly ownMetrics: boolean;
}

const DEFAULT_INTERVAL = Duration.seconds(30);
const DEFAULT_LATENCY = Duration.seconds(5);
const OPERATOR = 'monitoring.coreos.com/v1';

/** @internal */
export function checkMonitoring(problems: Problems, props: MonitoringProps): void {
  for (const prop of ['serviceMonitorLabels', 'prometheusRuleLabels', 'dashboardLabels'] as const) {
    checkLabels(problems, prop, props[prop]);
  }
  const interval = wholeSeconds(problems, 'scrapeInterval', props.scrapeInterval ?? DEFAULT_INTERVAL, 1);
  const timeout = wholeSeconds(problems, 'scrapeTimeout', props.scrapeTimeout, 1);
  if (timeout !== undefined && timeout > interval!) {
    problems.add('scrapeTimeout', `${timeout}s`, `it is longer than the interval, ${interval}s, and Prometheus takes no such target: shorten it`);
  }
}

/** @internal */
export function monitoring(scope: Construct, props: MonitoringProps, { namespace, controller, router, ...monitored }: Monitored): void {
  const targets = router ? [controller, router] : [controller];
  if (props.serviceMonitor) {
    targets.forEach(target => serviceMonitor(scope, target, props));
  }
  if (props.prometheusRule) {
    const latency = (props.claimLatencyThreshold ?? DEFAULT_LATENCY).toMilliseconds({ integral: false });
    const group = (target: Target, rules: Alert[]) => ({ name: `${target.name}.rules`, rules });
    const { name, service } = controller;
    const alerts = controllerAlerts({ namespace, service }, latency, monitored.leaderElect, monitored.ownMetrics);
    object(scope, OPERATOR, 'PrometheusRule', { name, labels: { ...props.prometheusRuleLabels, ...controller.selector } }, {
      spec: { groups: [group(controller, alerts), ...(props.additionalRuleGroups ?? [])] },
    });
    if (router) {
      object(scope, OPERATOR, 'PrometheusRule', { name: router.name, labels: { ...props.prometheusRuleLabels, ...router.selector } }, {
        spec: { groups: [group(router, routerAlerts({ namespace, service: router.service }))] },
      });
    }
  }
  if (props.dashboard) {
    const matchers = (target: Target) => `namespace="${namespace}", service="${target.service}"`;
    object(scope, 'v1', 'ConfigMap', {
      name: `${controller.name}-dashboard`, labels: { ...(props.dashboardLabels ?? { grafana_dashboard: '1' }), ...controller.selector },
    }, { data: { 'agent-sandbox.json': dashboard(matchers(controller), router && matchers(router)) } });
  }
}

function serviceMonitor(scope: Construct, { name, selector }: Target, props: MonitoringProps): void {
  object(scope, OPERATOR, 'ServiceMonitor', { name, labels: { ...props.serviceMonitorLabels, ...selector } }, {
    spec: {
      selector: { matchLabels: selector },
      endpoints: [{
        port: 'metrics',
        path: '/metrics',
        interval: goDuration(props.scrapeInterval ?? DEFAULT_INTERVAL),
        scrapeTimeout: props.scrapeTimeout && goDuration(props.scrapeTimeout),
      }],
    },
  });
}
