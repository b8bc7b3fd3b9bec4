import { IGNORED_ZAP, KUBECONFIG_FLAG, LOG_LEVEL_FLAG, VERSION_FLAG, ignored } from './common';
import type { Flag, Program } from './flag';

const NO_PROFILER = 'there is no profiler of Go';
const NO_TLS = 'metrics are served over HTTP; a NetworkPolicy says who may read them';
const NO_WEBHOOK = 'both versions of the API have one schema, so there is no conversion webhook';
const OWN_CONNECTIONS = 'each watch has a connection of its own';

/** Flags of the original that are accepted and have no effect. */
const IGNORED: readonly Flag[] = [
  ignored('enable-webhook', 'boolean', NO_WEBHOOK),
  ignored('manage-webhook-certs', 'boolean', NO_WEBHOOK),
  ignored('webhook-port', 'text', NO_WEBHOOK),
  ignored('webhook-cert-dir', 'text', NO_WEBHOOK),
  ignored('webhook-cert-name', 'text', NO_WEBHOOK),
  ignored('webhook-key-name', 'text', NO_WEBHOOK),
  ignored('webhook-service-name', 'text', NO_WEBHOOK),
  ignored('webhook-namespace', 'text', NO_WEBHOOK),
  ignored('separate-watch-connection', 'boolean', OWN_CONNECTIONS),
  ignored('enable-pprof', 'boolean', NO_PROFILER),
  ignored('enable-pprof-debug', 'boolean', NO_PROFILER),
  ignored('pprof-block-profile-rate', 'text', NO_PROFILER),
  ignored('pprof-mutex-profile-fraction', 'text', NO_PROFILER),
  ignored('metrics-secure-serving', 'boolean', NO_TLS, 'v1.0.12'),
  ignored('metrics-cert-dir', 'text', NO_TLS, 'v1.0.12'),
  ignored('tls-min-version', 'text', NO_TLS, 'v1.0.12'),
  ignored('tls-cipher-suites', 'text', NO_TLS, 'v1.0.12'),
  ignored('sandbox-claim-warm-candidate-grace-period', 'text', 'claims take members of pools that are ready', 'v1.0.12'),
  ...IGNORED_ZAP,
];

/** The flags of the controller. */
export const CONTROLLER: Program = {
  name: 'agent-sandbox-controller',
  words: 'Reconciles Sandboxes, their templates, claims and warm pools.',
  flags: [
    VERSION_FLAG,
    KUBECONFIG_FLAG,
    {
      name: 'extensions', type: 'boolean', words: 'Whether the controllers of claims, templates and warm pools run.',
      default: false, original: 'extensions', prop: { name: 'extensions', default: true },
    },
    {
      name: 'leader-elect', type: 'boolean', words: 'Whether replicas elect a leader, which alone reconciles. Without it there can be one replica only.',
      default: true, original: 'leader-elect', prop: { name: 'leaderElect', default: true },
    },
    {
      name: 'leader-election-namespace', type: 'text', value: 'name', words: 'Namespace of the Lease.', default: '', otherwise: 'the namespace of the Pod',
      original: 'leader-election-namespace',
    },
    {
      name: 'shards', type: 'integer', least: 1,
      words: 'Number of parts, at most 16, into which the namespaces are divided, so that as many replicas work at the same time. Processes with another number wait until all with this one have stopped.',
      default: 1, prop: { name: 'shards' },
    },
    {
      name: 'namespaces', type: 'list', items: 'dnsLabel', unique: true,
      words: 'Namespaces to watch, which have to exist. Roles in these namespaces then take the place of the ClusterRole.',
      otherwise: 'the whole cluster', prop: { name: 'namespaces' },
    },
    {
      name: 'cluster-domain', type: 'text', value: 'name', items: 'dnsSubdomain', words: 'Suffix of the DNS names of Services.', default: 'cluster.local',
      original: 'cluster-domain', prop: { name: 'clusterDomain' },
    },
    {
      name: 'metrics-bind-address', type: 'text', value: 'address', words: 'Address of the metrics (HTTP); 0 turns them off.', default: ':8080',
      original: 'metrics-bind-address',
    },
    {
      name: 'health-probe-bind-address', type: 'text', value: 'address', words: 'Address of /healthz and /readyz (HTTP); 0 turns them off.', default: ':8081',
      original: 'health-probe-bind-address',
    },
    {
      name: 'kube-api-qps', type: 'number', unit: 'requests per second', words: 'Average rate of requests to the API server. A negative number means no limit.',
      default: -1, original: 'kube-api-qps', prop: { name: 'kubeApiQps' },
    },
    {
      name: 'kube-api-burst', type: 'integer', least: 1, words: 'Requests that may exceed the average rate at once.', default: 10,
      original: 'kube-api-burst', prop: { name: 'kubeApiBurst' },
    },
    {
      name: 'api-connections', type: 'integer', least: 1,
      words: 'Least number of connections to the API server. The controller opens more where it needs them.', default: 1,
      original: 'api-connections', prop: { name: 'apiConnections' },
    },
    {
      name: 'sandbox-concurrent-workers', type: 'integer', least: 1, words: 'Sandboxes that are reconciled at the same time.', default: 100,
      original: 'sandbox-concurrent-workers', prop: { name: 'sandboxConcurrentWorkers' },
    },
    {
      name: 'sandbox-claim-concurrent-workers', type: 'integer', least: 1, words: 'Claims that are reconciled at the same time.', default: 50,
      original: 'sandbox-claim-concurrent-workers', prop: { name: 'sandboxClaimConcurrentWorkers' },
    },
    {
      name: 'sandbox-warm-pool-concurrent-workers', type: 'integer', least: 1, words: 'Warm pools that are reconciled at the same time.', default: 1,
      original: 'sandbox-warm-pool-concurrent-workers', prop: { name: 'sandboxWarmPoolConcurrentWorkers' },
    },
    {
      name: 'sandbox-template-concurrent-workers', type: 'integer', least: 1, words: 'Templates that are reconciled at the same time.', default: 1,
      original: 'sandbox-template-concurrent-workers', prop: { name: 'sandboxTemplateConcurrentWorkers' },
    },
    {
      name: 'sandbox-warm-pool-max-batch-size', type: 'integer', least: 1, words: 'Sandboxes that one reconciliation of a pool creates or deletes at most.',
      default: 300, original: 'sandbox-warm-pool-max-batch-size', prop: { name: 'sandboxWarmPoolMaxBatchSize' },
    },
    {
      name: 'sandbox-warm-pool-replenish-delay', type: 'duration', words: 'How long a pool waits after it lost a member before it creates another.', default: 0,
      original: 'sandbox-warm-pool-replenish-delay', prop: { name: 'sandboxWarmPoolReplenishDelay' },
    },
    {
      name: 'sandbox-warm-pool-max-refill-rate', type: 'number', least: 0, unit: 'Sandboxes per second', words: 'Rate at which a pool creates Sandboxes; 0 means no limit.',
      default: 0, original: 'sandbox-warm-pool-max-refill-rate', prop: { name: 'sandboxWarmPoolMaxRefillRate' },
    },
    {
      name: 'sandbox-warm-pool-readiness-grace-period', type: 'duration', least: 1, words: 'How long a member of a pool may be not ready before it is replaced.',
      default: 300_000, original: 'sandbox-warm-pool-readiness-grace-period', prop: { name: 'sandboxWarmPoolReadinessGracePeriod' },
    },
    {
      name: 'sandbox-warm-pool-unschedulable-recheck-interval', type: 'duration', least: 1, words: 'How often members that fit on no node are checked again.',
      default: 60_000, original: 'sandbox-warm-pool-unschedulable-recheck-interval', prop: { name: 'sandboxWarmPoolUnschedulableRecheckInterval' },
    },
    {
      name: 'sandbox-warm-pool-max-replicas', type: 'integer', words: 'Upper limit for the size of a pool, whatever its spec asks for; 0 means no limit.',
      default: 0, prop: { name: 'sandboxWarmPoolMaxReplicas' },
    },
    {
      name: 'sandbox-warm-pool-progress-deadline', type: 'duration', least: 1,
      words: 'How long a pool may come no closer to its size before its condition `Progressing` becomes False.', default: 600_000,
      prop: { name: 'sandboxWarmPoolProgressDeadline' },
    },
    {
      name: 'sandbox-warm-pool-status-window', type: 'duration', words: 'How long a change of the counters in the status of a pool may wait for the next one.', default: 1000,
      prop: { name: 'sandboxWarmPoolStatusWindow' },
    },
    {
      name: 'enable-warm-pool-eviction', type: 'boolean', words: 'Whether the cluster autoscaler may evict idle members of pools.', default: true,
      original: 'enable-warm-pool-eviction', prop: { name: 'enableWarmPoolEviction' },
    },
    {
      name: 'disable-claim-events', type: 'boolean', words: 'Whether no Events about claims are sent.', default: false,
      original: 'disable-claim-events', prop: { name: 'disableClaimEvents' },
    },
    {
      name: 'disable-sandbox-events', type: 'boolean', words: 'Whether no Events about Sandboxes are sent.', default: false,
      original: 'disable-sandbox-events', since: 'v1.0.12', prop: { name: 'disableSandboxEvents' },
    },
    {
      name: 'claim-observability-annotations', type: 'boolean',
      words: 'Whether claims are annotated with the times at which they were first seen and ready, and with their Sandbox. Costs writes. The original always writes these annotations.',
      default: false, prop: { name: 'claimObservabilityAnnotations' },
    },
    {
      name: 'disable-claim-observability-annotations', type: 'boolean', words: 'Whether these annotations are left out in any case.', default: false,
      original: 'disable-claim-observability-annotations',
    },
    {
      name: 'allowed-label-domains-file', type: 'text', value: 'file', words: 'File with the domains of labels and annotations that claims may set on their Pods.',
      default: '/etc/sandbox-config/allowed-label-domains',
    },
    {
      name: 'cache-label-selectors', type: 'boolean',
      words: 'Whether only Pods and Services with the label of a Sandbox are cached. Objects that Sandboxes are to adopt then need this label, too.', default: false,
      original: 'cache-label-selectors', prop: { name: 'cacheLabelSelectors' },
    },
    {
      name: 'sandbox-write-behind-window', type: 'duration', words: "How long a change of a Pod's metadata may wait for others. It waits for 1 second at most, even if more is given.", default: 0,
      original: 'sandbox-write-behind-window', prop: { name: 'sandboxWriteBehindWindow' },
    },
    {
      name: 'sandbox-status-settle-window', type: 'duration', words: 'How long the status of a starting Sandbox may wait for the next change.', default: 1000,
      prop: { name: 'sandboxStatusSettleWindow' },
    },
    {
      name: 'enable-tracing', type: 'boolean',
      words: 'Whether traces are exported over OTLP (gRPC). The standard variables, such as `OTEL_EXPORTER_OTLP_ENDPOINT`, name the collector.', default: false,
      original: 'enable-tracing', prop: { name: 'enableTracing' },
    },
    LOG_LEVEL_FLAG,
    ...IGNORED,
  ],
};
