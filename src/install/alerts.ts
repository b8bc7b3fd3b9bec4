
/** What the alerts are about. @internal */
export interface AlertOptions {
  readonly namespace: string;
  /** Name of the Service whose endpoints are scraped. */
  readonly service: string;
}

/** @internal */
export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}

function alert(name: string, severity: 'critical' | 'warning', minutes: number, expr: string, summary: string, description: string): Alert {
  return { alert: name, expr, for: `${minutes}m`, labels: { severity }, annotations: { summary, description } };
}

/** Share of `part` in `whole`, both rates over ten minutes. */
function share(by: string, part: string, whole: string): string {
  return `sum by (${by}) (rate(${part}[10m])) / sum by (${by}) (rate(${whole}[10m]))`;
}

/**
 * Alerts on the controller. The operator of Prometheus renames labels that collide with those of the target, so the
 * namespace of a Sandbox is `exported_namespace` here.
 *
 * @internal
 */
export function controllerAlerts({ namespace, service }: AlertOptions, claimLatencyMs: number, leaderElect: boolean, ownMetrics: boolean): Alert[] {
  const target = `namespace="${namespace}", service="${service}"`;
  const passes = (more = '') => `controller_runtime_reconcile_total{${target}${more}}`;
  const pool = (state: string) => `max by (exported_namespace, warmpool_name) (agent_sandbox_warm_pool_replicas{${target}, state="${state}"})`;
  return [
    alert('AgentSandboxControllerDown', 'critical', 5, `absent(up{${target}} == 1)`,
      'No replica of the agent sandbox controller answers.',
      'No metrics came from the controller for 5 minutes. Claims stay unanswered, and Sandboxes do not change, until it runs again.'),
    ...(leaderElect ? [alert('AgentSandboxControllerNoLeader', 'critical', 5,
      `max by (name) (leader_election_master_status{${target}}) < 1`,
      'No replica of the agent sandbox controller holds the Lease {{ $labels.name }}.',
      'Replicas are up, and the work that the Lease stands for is not done: all of it, or that of a shard. Look whether another controller holds it, or whether the API server refuses it.')] : []),
    alert('AgentSandboxReconcileErrors', 'warning', 15, `${share('controller', passes(', result="error"'), passes())} > 0.1`,
      'More than a tenth of the passes of {{ $labels.controller }} fail.',
      'The log of the controller has the errors. Common reasons are missing rights, quotas, and admission policies that refuse its objects.'),
    alert('AgentSandboxReconcileStuck', 'warning', 10, `max by (name) (workqueue_longest_running_processor_seconds{${target}}) > 120`,
      'A pass of {{ $labels.name }} takes longer than two minutes.',
      'The API server does not answer, or a pass hangs. The objects in question do not change meanwhile.'),
    alert('AgentSandboxClaimsSlow', 'warning', 10,
      `histogram_quantile(0.95, sum by (le) (rate(agent_sandbox_claim_controller_startup_latency_ms_bucket{${target}, launch_type="warm"}[10m]))) > ${claimLatencyMs}`,
      'Claims that a warm pool serves take too long.',
      `Of the claims of the last ten minutes that were served by a pool, 5 % took longer than ${claimLatencyMs} ms to become ready. Pools should have members that are ready already.`),
    ...(ownMetrics ? [alert('AgentSandboxWarmPoolEmpty', 'warning', 5, `${pool('ready')} == 0 and ${pool('desired')} > 0`,
      'The warm pool {{ $labels.exported_namespace }}/{{ $labels.warmpool_name }} has no ready member.',
      'Claims of this pool start cold. Its conditions and Events say whether members cannot be scheduled, do not become ready, or are taken faster than they are made.')] : []),
    alert('AgentSandboxPoolsMissed', 'warning', 15,
      `${share('exported_namespace, warmpool_name',
        `agent_sandbox_claim_creation_total{${target}, launch_type="cold", ${REAL_POOLS}}`, `agent_sandbox_claim_creation_total{${target}, ${REAL_POOLS}}`)} > 0.2`,
      'More than a fifth of the claims of {{ $labels.exported_namespace }}/{{ $labels.warmpool_name }} start cold.',
      'The pool is too small for the rate of claims, or refills too slowly. Raise its replicas, or let an autoscaler do so.'),
  ];
}

/** Not those that stand for "no pool, this template". */
const REAL_POOLS = 'warmpool_name!~"none|shadow-pool-.*"';

/** @internal */
export function routerAlerts({ namespace, service }: AlertOptions): Alert[] {
  const target = `namespace="${namespace}", service="${service}"`;
  return [
    alert('AgentSandboxRouterDown', 'critical', 5, `absent(up{${target}} == 1)`,
      'No replica of the sandbox router answers.', 'Programs and people cannot reach their sandboxes through the router.'),
    alert('AgentSandboxRouterErrors', 'warning', 10,
      `sum(rate(sandbox_router_upstream_errors_total{${target}}[10m])) / sum(rate(sandbox_router_requests_total{${target}}[10m])) > 0.05`,
      'More than 5 % of the requests through the sandbox router fail on their way to the sandbox.',
      'The label reason of sandbox_router_upstream_errors_total tells refused connections from timeouts. Look at the Pods, and at the NetworkPolicies of the templates.'),
  ];
}
