import { Knob, KnobType } from './knob';

const knob = (value: string, prop: string, type: KnobType, default_: unknown, description: string, more: Partial<Knob> = {}): Knob =>
  ({ value, prop, type, default: default_, description, ...more });

/** A flag of the controller; unset is the program's default. */
const flag = (name: string, type: KnobType, description: string, more: Partial<Knob> = {}): Knob =>
  knob(`controller.${name}`, name, type, type === 'boolean' ? false : null, description, more);

/** What the Deployments of controller and router have in common. */
function program(values: string, props: string, replicas: number, grace: string, more: Partial<Knob> = {}): Knob[] {
  const own = (value: string, prop: string, type: KnobType, default_: unknown, description: string, extra: Partial<Knob> = {}) =>
    knob(values + value, props + prop, type, default_, description, { ...more, ...extra });
  return [
    own('image', 'image', 'image', { repository: '', tag: '', digest: '' }, 'The image. There is none in a public registry: build and push it. A digest is best.'),
    own('imagePullPolicy', 'imagePullPolicy', 'string', '', 'When to pull the image.', { choices: ['', 'Always', 'IfNotPresent', 'Never'] }),
    own('imagePullSecrets', 'imagePullSecrets', 'pullSecrets', [], 'Secrets with registry credentials, as `- name: …`.'),
    own('replicas', 'replicas', 'integer', replicas, 'Number of Pods. From 2 on they are spread, and have a disruption budget.', values ? { without: 'router.autoscaling.maxReplicas' } : {}),
    own('resources.requests.cpu', 'cpu', 'quantity', '100m', 'CPU that is reserved.'),
    own('resources.requests.memory', 'memory', 'quantity', '256Mi', 'Memory that is reserved.'),
    own('resources.limits.cpu', 'cpuLimit', 'quantity', '', 'CPU that it gets at most. Empty: no limit.'),
    own('resources.limits.memory', 'memoryLimit', 'quantity', '1Gi', 'Memory that it gets at most.'),
    own('env', 'env', 'objects', [], 'Environment variables, as in a Pod.'),
    own('podLabels', 'podLabels', 'map', {}, 'Labels of the Pods. Those that are selected by stay as they are.'),
    own('podAnnotations', 'podAnnotations', 'map', {}, 'Annotations of the Pods.'),
    own('serviceAccount.annotations', 'serviceAccountAnnotations', 'map', {}, 'Annotations of the service account.'),
    own('nodeSelector', 'nodeSelector', 'map', {}, 'Labels of the nodes to run on.'),
    own('tolerations', 'tolerations', 'objects', [], 'Taints of nodes to put up with, as in a Pod.'),
    own('affinity', 'affinity', 'object', {}, 'Rules about nodes and other Pods, as in a Pod.'),
    own('priorityClassName', 'priorityClassName', 'string', '', 'Priority class of the Pods.'),
    own('terminationGracePeriodSeconds', 'terminationGracePeriod', 'seconds', null, `Seconds that a Pod gets to stop. Unset: ${grace}.`),
  ];
}

const NAME = '{{ include "agent-sandbox.name" $ }}';

/** A value of the router, which counts only where there is one. */
const router = (name: string, prop: string, type: KnobType, default_: unknown, description: string, more: Partial<Knob> = {}): Knob =>
  knob(`router.${name}`, `router.${prop}`, type, default_, description, { with: 'router.enabled', ...more });

/** Every value of the Helm chart. Flags are in the order of the command line. */
export const KNOBS: readonly Knob[] = [
  ...program('', '', 1, '30'),
  knob('nameOverride', 'name', 'string', '', 'Name of the objects of the controller. Default: agent-sandbox-controller.', { expression: NAME }),
  knob('commonLabels', 'labels', 'map', {}, 'Labels of all objects.'),
  knob('crds.install', 'crds', 'boolean', true, 'Whether the CustomResourceDefinitions are installed and upgraded. They stay when the release is uninstalled.'),
  knob('userRoles.create', 'userRoles', 'boolean', true, 'Whether there are the ClusterRoles agent-sandbox-user, -view and -edit.'),
  knob('allowedLabelDomains', 'allowedLabelDomains', 'strings', [], "Domains of labels and annotations that claims may set on their Pods, in place of the controller's own list."),
  knob('service.name', 'metricsServiceName', 'string', '', 'Name of the Service of the metrics. Default: the name of the controller.',
    { expression: '{{ default (include "agent-sandbox.name" $) $.Values.service.name }}' }),
  knob('networkPolicy.enabled', 'networkPolicy', 'boolean', true, 'Whether NetworkPolicies confine controller and router.'),
  knob('networkPolicy.metricsNamespaces', 'metricsNamespaces', 'strings', [], 'Namespaces that may fetch metrics. Empty: all.'),
  knob('networkPolicy.apiServerPorts', 'apiServerPorts', 'integers', [443, 6443, 8443, 16443], 'Ports of the API server behind its Service.'),

  flag('extensions', 'boolean', 'Whether the controllers of claims, templates and warm pools run.', { default: true }),
  flag('leaderElect', 'boolean', 'Whether replicas agree on one that works.', { default: true, together: { replicas: 1 } }),
  knob('namespaces', 'namespaces', 'strings', [], 'Namespaces to look at; Roles there take the place of the ClusterRoles. They have to exist. Empty: the whole cluster.'),
  flag('clusterDomain', 'string', 'Suffix of the names of Services. Unset: cluster.local.', { default: '' }),
  flag('kubeApiQps', 'number', 'Requests per second to the API server. Unset: no limit.'),
  flag('kubeApiBurst', 'integer', 'Requests at once before that limit applies. Unset: 10.'),
  flag('apiConnections', 'integer', 'Connections to the API server, at least.'),
  flag('sandboxConcurrentWorkers', 'integer', 'Sandboxes in work at the same time. Unset: 100.'),
  flag('sandboxClaimConcurrentWorkers', 'integer', 'Claims in work at the same time. Unset: 50.'),
  flag('sandboxWarmPoolConcurrentWorkers', 'integer', 'Warm pools in work at the same time. Unset: 1.'),
  flag('sandboxTemplateConcurrentWorkers', 'integer', 'Templates in work at the same time. Unset: 1.'),
  flag('sandboxWarmPoolMaxBatchSize', 'integer', 'Sandboxes that a pool makes or deletes in one pass. Unset: 300.'),
  flag('sandboxWarmPoolReplenishDelay', 'duration', 'How long a pool waits after it lost a member. Unset: not at all.', { default: '' }),
  flag('sandboxWarmPoolMaxRefillRate', 'number', 'Sandboxes per second that a pool makes. Unset: no limit.'),
  flag('sandboxWarmPoolReadinessGracePeriod', 'duration', 'How long a member may be without readiness before it is replaced. Unset: 5m.', { default: '' }),
  flag('sandboxWarmPoolUnschedulableRecheckInterval', 'duration', 'How often members that no node takes are looked at. Unset: 1m.', { default: '' }),
  flag('sandboxWarmPoolMaxReplicas', 'integer', 'Most Sandboxes of a pool, whatever it asks for. Unset: no limit.'),
  flag('sandboxWarmPoolProgressDeadline', 'duration', 'How long a pool may come no closer to its size before it says so. Unset: 10m.', { default: '' }),
  flag('sandboxWarmPoolStatusWindow', 'duration', 'How long a pool status that only counts may wait. Unset: 1s.', { default: '' }),
  flag('enableWarmPoolEviction', 'boolean', 'Whether the cluster autoscaler may evict idle members.', { default: true }),
  flag('disableClaimEvents', 'boolean', 'Whether claims get no Events.'),
  flag('claimObservabilityAnnotations', 'boolean', 'Whether claims are annotated with the times when they were seen and ready. Costs writes.'),
  flag('cacheLabelSelectors', 'boolean', 'Whether only Pods and Services with the label of a Sandbox are kept in memory.'),
  flag('sandboxWriteBehindWindow', 'duration', "How long a change of a Pod's metadata may wait, at most 1s. Unset: not at all.", { default: '', sentinel: '707ms' }),
  flag('sandboxStatusSettleWindow', 'duration', 'How long the status of a starting Sandbox may wait. Unset: 1s.', { default: '' }),
  flag('enableTracing', 'boolean', 'Whether traces are sent by OTLP; `env` says where to.'),
  flag('logLevel', 'string', 'How much the controller says. Unset: info.', { default: '', choices: ['', 'debug', 'info', 'error'], sentinel: 'zz-level-zz' }),
  flag('extraArgs', 'strings', 'Further arguments, as they are.', { default: [] }),

  knob('monitoring.serviceMonitor.enabled', 'monitoring.serviceMonitor', 'boolean', false, 'Whether there are ServiceMonitors.'),
  knob('monitoring.serviceMonitor.labels', 'monitoring.serviceMonitorLabels', 'map', {}, 'Labels of the ServiceMonitors.'),
  knob('monitoring.serviceMonitor.scrapeTimeout', 'monitoring.scrapeTimeout', 'duration', '', 'When fetching metrics has failed. Unset: as Prometheus is configured.'),
  knob('monitoring.serviceMonitor.interval', 'monitoring.scrapeInterval', 'duration', '30s', 'How often metrics are fetched.'),
  knob('monitoring.prometheusRule.enabled', 'monitoring.prometheusRule', 'boolean', false, 'Whether there are PrometheusRules with alerts.'),
  knob('monitoring.prometheusRule.labels', 'monitoring.prometheusRuleLabels', 'map', {}, 'Labels of the PrometheusRules.'),
  knob('monitoring.prometheusRule.claimLatencyThresholdMs', 'monitoring.claimLatencyThreshold', 'milliseconds', 5000, 'Milliseconds that the slowest 5 % of warm claims may take.'),
  knob('monitoring.prometheusRule.additionalGroups', 'monitoring.additionalRuleGroups', 'objects', [], 'Further groups of rules.'),
  knob('monitoring.dashboard.enabled', 'monitoring.dashboard', 'boolean', false, 'Whether there is a ConfigMap with a dashboard for Grafana.'),
  knob('monitoring.dashboard.labels', 'monitoring.dashboardLabels', 'map', { grafana_dashboard: '1' }, 'Labels of that ConfigMap.'),

  knob('router.enabled', 'router', 'part', false, 'Whether the router in front of the sandboxes is installed.'),
  ...program('router.', 'router.', 2, '45', { with: 'router.enabled' }),
  router('tlsSecret', 'tlsSecret', 'secret', '', 'Secret (kubernetes.io/tls) of the certificate: the router then also listens on 8443.'),
  router('scopedTokens.secret', 'scopedTokenSecret', 'secret', '', 'Secret with the keys of scoped tokens.'),
  router('scopedTokens.keys', 'scopedTokenKeys', 'strings', ['key'], 'Keys of that Secret.', { with: 'router.scopedTokens.secret', separator: ',/etc/sandbox-router/scoped-tokens/' }),
  router('staticTokenSecret', 'staticTokenSecret', 'secret', '', 'Secret whose key `token` opens every sandbox.'),
  router('tokenReview', 'tokenReview', 'boolean', true, 'Whether tokens of the cluster are taken.', { together: { 'router.staticTokenSecret': 'zz-any-zz' } }),
  router('allowUnauthenticated', 'allowUnauthenticated', 'boolean', false, 'Whether nobody has to say who they are. Whoever can connect can then run code in every sandbox.'),
  router('allowHttpTokens', 'allowHttpTokens', 'boolean', false, 'Whether tokens may come over plain HTTP from other hosts: for routers behind something that ends TLS.'),
  router('tokenAudiences', 'tokenAudiences', 'strings', [], 'Audiences of which tokens must have one. Empty: agent-sandbox-router.'),
  router('resumeOnRequest', 'resumeOnRequest', 'boolean', false, 'Whether a request for a suspended sandbox resumes it, if the caller may patch it.'),
  router('resumeTimeout', 'resumeTimeout', 'duration', '', 'How long such a request waits. Unset: 1m.'),
  router('additionalPorts', 'additionalPorts', 'strings', [], 'Ports that sandboxes need not declare: "3000", "8000-8100" or "*".', { sentinel: ['6999'] }),
  router('proxyTimeout', 'proxyTimeout', 'duration', '', 'Longest wait for an answer. Unset: 3m.'),
  router('maxRequestBodyBytes', 'maxRequestBodyBytes', 'integer', null, 'Longest request body. Unset: no limit.'),
  router('rateLimit', 'rateLimit', 'number', null, 'Requests per second of one caller. Unset: no limit.'),
  router('rateLimitBurst', 'rateLimitBurst', 'integer', null, 'Requests of one caller at once before that limit applies. Unset: 100.'),
  router('maxRequestsPerCaller', 'maxRequestsPerCaller', 'integer', null, 'Requests of one caller at the same time. Unset: 500.'),
  router('maxConnections', 'maxConnections', 'integer', null, 'Connections at the same time. Unset: 10000.'),
  router('maxConnectionsPerClient', 'maxConnectionsPerClient', 'integer', null, 'Connections of one address at the same time. Unset: 1000.'),
  router('websocketIdleTimeout', 'websocketIdleTimeout', 'duration', '', 'How long a WebSocket may be silent. Unset: 1h.'),
  router('websocketMaxLifetime', 'websocketMaxLifetime', 'duration', '', 'How long a WebSocket may last. Unset: 24h.'),
  router('trustedProxyCidrs', 'trustedProxyCidrs', 'strings', [], 'Addresses whose X-Forwarded-For says who the client is.', { sentinel: ['203.0.113.77/32'] }),
  router('workers', 'workers', 'integer', 1, 'Worker processes in each Pod.'),
  router('accessLog', 'accessLog', 'boolean', true, 'Whether there is a log line for each request.'),
  router('logLevel', 'logLevel', 'string', '', 'How much the router says. Unset: info.', { choices: ['', 'debug', 'info', 'error'], sentinel: 'zz-router-level-zz' }),
  router('enableTracing', 'enableTracing', 'boolean', false, 'Whether traces are sent by OTLP, also without OTEL_EXPORTER_OTLP_ENDPOINT in `env`.'),
  router('extraArgs', 'extraArgs', 'strings', [], 'Further arguments, as they are.'),
  router('clientNamespaces', 'clientNamespaces', 'strings', [], 'Namespaces that may connect. Empty: everybody.'),
  router('autoscaling.minReplicas', 'minReplicas', 'integer', 2, 'Pods that the autoscaler goes down to, at least 2.', { with: 'router.autoscaling.maxReplicas' }),
  router('autoscaling.maxReplicas', 'maxReplicas', 'integer', null, 'Pods that the autoscaler goes up to; takes the place of `replicas`. Unset: no autoscaler.'),
  router('autoscaling.targetCpuUtilization', 'targetCpuUtilization', 'integer', 70, 'Percent of the reserved CPU that it aims at.', { with: 'router.autoscaling.maxReplicas' }),
  router('gateway.enabled', 'gateway', 'part', false, 'Whether there is a route of the Gateway API. Needs `allowHttpTokens`, as the Gateway ends TLS.',
    { together: { 'router.allowHttpTokens': true } }),
  router('gateway.className', 'gateway.className', 'string', '', 'GatewayClass of a Gateway of its own. Empty: the route belongs to the Gateway `name`.', { with: 'router.gateway.enabled' }),
  router('gateway.name', 'gateway.name', 'string', 'sandbox-router', 'Name of the Gateway.', { with: 'router.gateway.enabled' }),
  router('gateway.namespace', 'gateway.namespace', 'string', '', 'Namespace of an existing Gateway.', { with: 'router.gateway.enabled' }),
  router('gateway.hostnames', 'gateway.hostnames', 'strings', [], 'Host names that are routed. Empty: all.', { with: 'router.gateway.enabled' }),
  router('gateway.tlsSecret', 'gateway.tlsSecret', 'secret', '', "Secret with the certificate of the Gateway's own listener.",
    { with: 'router.gateway.enabled', together: { 'router.gateway.className': 'zz-any-zz' } }),
];
