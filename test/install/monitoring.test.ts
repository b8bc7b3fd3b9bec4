import { Duration } from 'cdk8s';
import { ControllerImplementation, type MonitoringProps } from '../../src';
import { messageOf } from '../helpers';
import { ROUTER, all, install, one } from './helpers';

const monitored = (monitoring: MonitoringProps, props: object = {}) => install({ ...props, monitoring });
const EVERYTHING: MonitoringProps = { serviceMonitor: true, prometheusRule: true, dashboard: true };

/** The selectors in an expression, without what is between braces. */
const metricsOf = (expr: string) => [...expr.matchAll(/([a-z_]+)\{/g)].map(([, name]) => name);

test('nothing of it is there unless asked for', () => {
  expect(install().map(({ apiVersion }) => apiVersion)).not.toContain('monitoring.coreos.com/v1');
  expect(all(monitored({}), 'ConfigMap')).toEqual([]);
});

test('a ServiceMonitor selects the metrics Service of its component alone', () => {
  const objects = monitored({ serviceMonitor: true, serviceMonitorLabels: { release: 'prometheus' }, scrapeTimeout: Duration.seconds(10) }, { router: ROUTER });
  for (const [name, service] of [['agent-sandbox-controller', 'agent-sandbox-controller'], ['sandbox-router', 'sandbox-router-svc']]) {
    const { metadata, spec } = one(objects, 'ServiceMonitor', name);
    expect(metadata.labels.release).toBe('prometheus');
    expect(spec.endpoints).toEqual([{ port: 'metrics', path: '/metrics', interval: '30s', scrapeTimeout: '10s' }]);
    const selected = all(objects, 'Service').filter(({ metadata: { labels } }) =>
      Object.entries(spec.selector.matchLabels).every(([key, value]) => labels[key] === value));
    expect(selected.map(object => object.metadata.name)).toEqual([service]);
    expect(selected[0].spec.ports.map((port: any) => port.name)).toContain('metrics');
  }
});

test('alerts ask for the metrics of this installation', () => {
  const objects = monitored(EVERYTHING, { namespace: 'here', metricsServiceName: 'metrics', router: ROUTER });
  for (const { spec } of all(objects, 'PrometheusRule')) {
    for (const { expr } of spec.groups[0].rules) {
      expect(expr).toMatch(/namespace="here", service="(metrics|sandbox-router-svc)"/);
      expect(expr.split('{').length).toBe(metricsOf(expr).length + 1);
    }
  }
  expect(one(objects, 'PrometheusRule', 'agent-sandbox-controller').spec.groups[0].rules.map(({ alert }: any) => alert)).toEqual([
    'AgentSandboxControllerDown', 'AgentSandboxControllerNoLeader', 'AgentSandboxReconcileErrors', 'AgentSandboxReconcileStuck', 'AgentSandboxClaimsSlow',
    'AgentSandboxWarmPoolEmpty', 'AgentSandboxPoolsMissed',
  ]);
});

test('the threshold of slow claims and groups of rules can be given', () => {
  const groups = [{ name: 'mine', rules: [] }];
  const { spec } = one(monitored({ prometheusRule: true, claimLatencyThreshold: Duration.millis(1500), additionalRuleGroups: groups }), 'PrometheusRule', 'agent-sandbox-controller');
  expect(spec.groups[0].rules.find(({ alert }: any) => alert === 'AgentSandboxClaimsSlow').expr).toMatch(/ > 1500$/);
  expect(spec.groups[1]).toEqual(groups[0]);
});

test('a leader is missed only where there is one, and metrics only where the controller has them', () => {
  const alerts = (props: object) => one(monitored({ prometheusRule: true }, props), 'PrometheusRule', 'agent-sandbox-controller')
    .spec.groups[0].rules.map(({ alert }: any) => alert);
  expect(alerts({ leaderElect: false })).not.toContain('AgentSandboxControllerNoLeader');
  expect(alerts({ implementation: ControllerImplementation.UPSTREAM_V0_5_6, image: 'controller:v0.5.6' })).not.toContain('AgentSandboxWarmPoolEmpty');
});

test('the dashboard is JSON that the sidecar of Grafana finds', () => {
  const { metadata, data } = one(monitored({ dashboard: true }, { router: ROUTER }), 'ConfigMap', 'agent-sandbox-controller-dashboard');
  expect(metadata.labels.grafana_dashboard).toBe('1');
  const { panels } = JSON.parse(data['agent-sandbox.json']);
  expect(new Set(panels.map(({ gridPos }: any) => `${gridPos.x}/${gridPos.y}`)).size).toBe(panels.length);
  for (const { expr } of panels.flatMap(({ targets }: any) => targets)) {
    expect(expr).not.toContain('$');
  }
});

test('a fetch cannot take longer than the time between two', () => {
  expect(messageOf(() => monitored({ scrapeInterval: Duration.seconds(5), scrapeTimeout: Duration.seconds(6) })))
    .toBe("agent-sandbox: monitoring.scrapeTimeout is '6s': it is longer than the interval, 5s, and Prometheus takes no such target: shorten it");
});
