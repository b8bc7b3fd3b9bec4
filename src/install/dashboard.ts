/** One graph: its title, its unit, and its lines with their names. */
type Panel = readonly [title: string, unit: string, lines: readonly (readonly [expr: string, legend: string])[]];

/** Grafana counts in a grid of 24 columns. */
const COLUMNS = 24;
const WIDTH = 8;
const HEIGHT = 8;

const quantile = (q: number, metric: string, by: string) => `histogram_quantile(${q}, sum by (le, ${by}) (rate(${metric}_bucket{$target}[5m])))`;
const rate = (metric: string, by: string) => `sum by (${by}) (rate(${metric}[5m]))`;

const CONTROLLER: readonly Panel[] = [
  ['Claims until ready', 'ms', [
    [quantile(0.5, 'agent_sandbox_claim_controller_startup_latency_ms', 'launch_type'), '{{launch_type}} p50'],
    [quantile(0.95, 'agent_sandbox_claim_controller_startup_latency_ms', 'launch_type'), '{{launch_type}} p95'],
  ]],
  ['Claims by start', 'ops', [[rate('agent_sandbox_claim_creation_total{$target}', 'launch_type'), '{{launch_type}}']]],
  ['Sandboxes', 'short', [['sum by (owned_by, ready_condition) (agent_sandboxes{$target})', '{{owned_by}} ready={{ready_condition}}']]],
  ['Ready members of pools', 'short', [
    ['max by (exported_namespace, warmpool_name) (agent_sandbox_warm_pool_replicas{$target, state="ready"})', '{{exported_namespace}}/{{warmpool_name}}'],
  ]],
  ['Missing members of pools', 'short', [[
    'max by (exported_namespace, warmpool_name) (agent_sandbox_warm_pool_replicas{$target, state="desired"}) - max by (exported_namespace, warmpool_name) (agent_sandbox_warm_pool_replicas{$target, state="ready"})',
    '{{exported_namespace}}/{{warmpool_name}}',
  ]]],
  ['Sandboxes until ready', 'ms', [[quantile(0.95, 'agent_sandbox_creation_latency_ms', 'launch_type'), '{{launch_type}} p95']]],
  ['Passes', 'ops', [[rate('controller_runtime_reconcile_total{$target}', 'controller, result'), '{{controller}} {{result}}']]],
  ['Duration of passes', 's', [[quantile(0.95, 'controller_runtime_reconcile_time_seconds', 'controller'), '{{controller}} p95']]],
  ['Keys that wait', 'short', [['sum by (name) (workqueue_depth{$target})', '{{name}}']]],
  ['Requests to the API server', 'reqps', [[rate('rest_client_requests_total{$target}', 'method, code'), '{{method}} {{code}}']]],
  ['Processor', 'short', [['rate(process_cpu_seconds_total{$target}[5m])', '{{pod}}']]],
  ['Memory', 'bytes', [['process_resident_memory_bytes{$target}', '{{pod}}']]],
];

const ROUTER: readonly Panel[] = [
  ['Requests through the router', 'reqps', [[rate('sandbox_router_requests_total{$router}', 'code'), '{{code}}']]],
  ['Duration of requests', 's', [
    ['histogram_quantile(0.95, sum by (le) (rate(sandbox_router_request_duration_seconds_bucket{$router}[5m])))', 'p95'],
    ['histogram_quantile(0.5, sum by (le) (rate(sandbox_router_request_duration_seconds_bucket{$router}[5m])))', 'p50'],
  ]],
  ['Failures towards sandboxes', 'ops', [[rate('sandbox_router_upstream_errors_total{$router}', 'reason'), '{{reason}}']]],
];

/**
 * A dashboard for Grafana as JSON.
 *
 * @param controller label matchers of the controller's metrics
 * @param router those of the router's, if there is one
 * @internal
 */
export function dashboard(controller: string, router: string | undefined): string {
  const panels = [...CONTROLLER, ...(router ? ROUTER : [])].map(([title, unit, lines], index) => ({
    id: index + 1,
    type: 'timeseries',
    title,
    datasource: { type: 'prometheus', uid: '${datasource}' },
    gridPos: { x: (index * WIDTH) % COLUMNS, y: Math.floor((index * WIDTH) / COLUMNS) * HEIGHT, w: WIDTH, h: HEIGHT },
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    targets: lines.map(([expr, legendFormat], line) => ({
      refId: String.fromCharCode(65 + line), expr: expr.replaceAll('$target', controller).replaceAll('$router', router ?? ''), legendFormat,
    })),
  }));
  return JSON.stringify({
    uid: 'agent-sandbox',
    title: 'Agent Sandbox',
    tags: ['agent-sandbox'],
    schemaVersion: 39,
    time: { from: 'now-1h', to: 'now' },
    refresh: '30s',
    templating: { list: [{ name: 'datasource', type: 'datasource', query: 'prometheus' }] },
    panels,
  });
}
