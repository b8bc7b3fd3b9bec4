import { CONTROLLER } from '../../api/flags/controller';
import type { Flag } from '../../api/flags/flag';
import { ROUTER } from '../../api/flags/router';
import type { FlagType } from '../../api/flags/rules';
import { defaultWords, flagWords } from '../../api/flags/words';
import type { Knob, KnobType } from './knob';

const knob = (value: string, prop: string, type: KnobType, default_: unknown, description: string, more: Partial<Knob> = {}): Knob =>
  ({ value, prop, type, default: default_, description, ...more });

/** What the chart needs to know of a flag besides its row. */
type Details = { readonly [prop: string]: Partial<Knob> };

const CONTROLLER_DETAILS: Details = {
  leaderElect: { together: { replicas: 1 } },
  namespaces: { value: 'namespaces' },
};
const ROUTER_DETAILS: Details = {
  additionalPorts: { sentinel: ['6999'], example: ['3000', '8000-8100'] },
  trustedProxyCidrs: { sentinel: ['203.0.113.77/32'], example: ['10.0.0.0/8', 'fd00::/8'] },
  corsAllowedOrigins: { sentinel: ['https://zz-cors-zz'], example: ['https://app.example.com'] },
};
const EXTRA_ARGS = 'Further arguments, which are appended as they are.';

/** The value of a flag. Unset is the default of the program. */
function flagKnob(flag: Flag, values: string, props: string, details: Details, more: Partial<Knob> = {}): Knob {
  const { name, default: preset } = flag.prop!;
  const type = KNOB_TYPES[flag.type];
  const shown = preset ?? (type === 'boolean' ? flag.default ?? false : type === 'strings' ? [] : type === 'integer' || type === 'number' ? null : '');
  const unset = type === 'boolean' || preset !== undefined ? '' : ` Unset: ${defaultWords(flag)}.`;
  return knob(values + name, props + name, type, shown, flagWords(flag) + unset, { flag, ...more, ...details[name] });
}

const KNOB_TYPES: { readonly [type in FlagType]: KnobType } = {
  boolean: 'boolean', integer: 'integer', number: 'number', duration: 'duration', seconds: 'number', text: 'string', choice: 'string', list: 'strings', logLevel: 'string',
};

/** What the Deployments of controller and router have in common. */
function program(values: string, props: string, replicas: number, grace: string, more: Partial<Knob> = {}): Knob[] {
  const own = (value: string, prop: string, type: KnobType, default_: unknown, description: string, extra: Partial<Knob> = {}) =>
    knob(values + value, props + prop, type, default_, description, { ...more, ...extra });
  return [
    own('image', 'image', 'image', { repository: '', tag: '', digest: '' }, 'The image. There is none in a public registry: build and push it. A digest is best.'),
    own('imagePullPolicy', 'imagePullPolicy', 'string', '', 'When to pull the image.', { choices: ['', 'Always', 'IfNotPresent', 'Never'] }),
    own('imagePullSecrets', 'imagePullSecrets', 'pullSecrets', [], 'Secrets with registry credentials, as `- name: …`.'),
    own('replicas', 'replicas', 'integer', replicas, 'Number of Pods. From 2 on they are spread, and have a disruption budget.',
      { least: 1, ...(values && { without: 'router.autoscaling.maxReplicas' }) }),
    own('resources.requests.cpu', 'cpu', 'quantity', '100m', 'CPU that is reserved.', { example: '300m' }),
    own('resources.requests.memory', 'memory', 'quantity', '256Mi', 'Memory that is reserved.'),
    own('resources.limits.cpu', 'cpuLimit', 'quantity', '', 'CPU limit. Empty: no limit.', { example: '3' }),
    own('resources.limits.memory', 'memoryLimit', 'quantity', '1Gi', 'Memory limit.', { example: '3Gi' }),
    own('env', 'env', 'objects', [], 'Environment variables, as in a Pod.'),
    own('podLabels', 'podLabels', 'map', {}, 'Labels of the Pods. Labels that the Deployment selects by cannot be changed.'),
    own('podAnnotations', 'podAnnotations', 'map', {}, 'Annotations of the Pods.'),
    own('serviceAccount.annotations', 'serviceAccountAnnotations', 'map', {}, 'Annotations of the service account.'),
    own('nodeSelector', 'nodeSelector', 'map', {}, 'Labels of the nodes to run on.'),
    own('tolerations', 'tolerations', 'objects', [], 'Taints of nodes that the Pods tolerate, as in a Pod.'),
    own('affinity', 'affinity', 'object', {}, 'Rules about nodes and other Pods, as in a Pod.'),
    own('priorityClassName', 'priorityClassName', 'string', '', 'Priority class of the Pods.'),
    own('terminationGracePeriodSeconds', 'terminationGracePeriod', 'seconds', null, `Seconds that a Pod gets to stop. Unset: ${grace}.`),
  ];
}

const NAME = '{{ include "agent-sandbox.name" $ }}';

/** Values that have to be there as well for those of browsers. */
const IN_BROWSER = { together: { 'router.browser.domain': 'zz-any-zz', 'router.browser.session.secret': 'zz-any-zz' } };

/** A value of the router, which counts only where there is one. */
const router = (name: string, prop: string, type: KnobType, default_: unknown, description: string, more: Partial<Knob> = {}): Knob =>
  knob(`router.${name}`, `router.${prop}`, type, default_, description, { with: 'router.enabled', ...more });

/** A value of the provider where people sign in, which counts only with one. */
const oidc = (name: string, type: KnobType, default_: unknown, description: string, more: Partial<Knob> = {}): Knob =>
  router(`browser.oidc.${name}`, `browser.oidc.${name}`, type, default_, description, {
    with: 'router.browser.oidc.issuerUrl', together: { ...IN_BROWSER.together, 'router.browser.oidc.issuerUrl': 'https://zz-any-zz' }, ...more,
  });

/** Values of the Helm chart that are no props of the construct. */
export const CHART_VALUES: readonly Knob[] = [
  knob('global.imageRegistry', '', 'string', '', 'Registry, or registry and folder, to take all images from in place of their own: a mirror, such as mirror.example/proxied. Digests stay.'),
  knob('global.imagePullSecrets', '', 'pullSecrets', [], 'Secrets with credentials of that registry, for all Pods, as `- name: …`.'),
  knob('test.image', '', 'image', { repository: '', tag: '', digest: '' }, 'Image of the sandbox that `helm test` claims: agent-sandbox-runtime, or one built upon it. Without, there is no test.'),
  knob('test.runtimeClassName', '', 'string', '', 'RuntimeClass of that sandbox, such as gvisor. Empty: that of the cluster.'),
  knob('test.timeoutSeconds', '', 'integer', 120, 'Seconds that the test may take.', { least: 1 }),
];

/** Every value of the Helm chart. Flags are in the order of the command line; api/flags has their rows. */
export const KNOBS: readonly Knob[] = [
  ...program('', '', 1, '30'),
  knob('nameOverride', 'name', 'string', '', 'Name of the objects of the controller. Default: agent-sandbox-controller.', { expression: NAME }),
  knob('commonLabels', 'labels', 'map', {}, 'Labels of all objects.'),
  knob('crds.install', 'crds', 'boolean', true, 'Whether the CustomResourceDefinitions are installed and upgraded. They stay when the release is uninstalled.'),
  knob('userRoles.create', 'userRoles', 'boolean', true, 'Whether there are the ClusterRoles agent-sandbox-user, -view and -edit.'),
  knob('userRoles.editorsConnect', 'editorsConnect', 'boolean', false, 'Whether everyone with the role edit or admin of Kubernetes can run code in the sandboxes of the namespace (create of sandboxes/proxy).', { with: 'userRoles.create' }),
  knob('allowedLabelDomains', 'allowedLabelDomains', 'strings', [], "Domains of labels and annotations that claims may set on their Pods, in place of the controller's own list."),
  knob('service.name', 'metricsServiceName', 'string', '', 'Name of the Service of the metrics. Default: the name of the controller.',
    { expression: '{{ default (include "agent-sandbox.name" $) $.Values.service.name }}' }),
  knob('networkPolicy.enabled', 'networkPolicy', 'boolean', true, 'Whether NetworkPolicies confine controller and router.'),
  knob('networkPolicy.metricsNamespaces', 'metricsNamespaces', 'strings', [], 'Namespaces that may fetch metrics. Empty: all.'),
  knob('networkPolicy.apiServerPorts', 'apiServerPorts', 'integers', [443, 6443, 8443, 16443], 'Ports of the API server behind its Service.'),

  ...CONTROLLER.flags.filter(({ prop }) => prop).map(flag => flagKnob(flag, 'controller.', '', CONTROLLER_DETAILS)),
  knob('controller.extraArgs', 'extraArgs', 'strings', [], EXTRA_ARGS),

  knob('monitoring.serviceMonitor.enabled', 'monitoring.serviceMonitor', 'boolean', false, 'Whether there are ServiceMonitors.'),
  knob('monitoring.serviceMonitor.labels', 'monitoring.serviceMonitorLabels', 'map', {}, 'Labels of the ServiceMonitors.'),
  knob('monitoring.serviceMonitor.scrapeTimeout', 'monitoring.scrapeTimeout', 'duration', '', 'Timeout of fetching metrics. Unset: as Prometheus is configured.', { example: '7s' }),
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
  router('tokenReview', 'tokenReview', 'boolean', true, 'Whether tokens of the cluster are accepted.', { together: { 'router.staticTokenSecret': 'zz-any-zz' } }),
  router('allowUnauthenticated', 'allowUnauthenticated', 'boolean', false, 'Disables authentication. Anyone who can reach the router can then run code in every sandbox.'),
  ...ROUTER.flags.filter(({ prop }) => prop).map(flag => flagKnob(flag, 'router.', 'router.', ROUTER_DETAILS, { with: 'router.enabled' })),
  router('browser.domain', 'browser.domain', 'string', '', 'Domain of hosts that name a sandbox: <name>--<namespace>--<port>.<domain>. Empty: none.', {
    together: { 'router.browser.session.secret': 'zz-any-zz', 'router.browser.pathPrefix': '/zz-any-zz' },
  }),
  router('browser.pathPrefix', 'browser.pathPrefix', 'string', '', 'Beginning of paths that name a sandbox, such as /sandboxes. Empty: none.', { ...IN_BROWSER, sentinel: '/zz-prefix-zz', example: '/sandboxes' }),
  router('browser.unstrippedPathPrefix', 'browser.unstrippedPathPrefix', 'string', '', 'The same for programs that know their base path. Empty: none.', { ...IN_BROWSER, sentinel: '/zz-raw-zz', example: '/raw' }),
  router('browser.session.secret', 'browser.sessionSecret', 'secret', '', 'Secret with the keys that seal sessions. Required with several Pods.', { together: { 'router.browser.domain': 'zz-any-zz', 'router.replicas': 1 } }),
  router('browser.session.keys', 'browser.sessionKeys', 'strings', ['key'], 'Keys of that Secret: the first seals, all open.', { with: 'router.browser.session.secret', separator: ',/etc/sandbox-router/session/' }),
  router('browser.session.lifetime', 'browser.sessionLifetime', 'duration', '', 'Longest session. Unset: 12h.', IN_BROWSER),
  router('browser.allowedOrigins', 'browser.allowedOrigins', 'strings', [], 'Origins whose pages may use open sandboxes, and sign browsers in by links.', { ...IN_BROWSER, sentinel: ['https://zz-origin-zz'], example: ['https://portal.example.com'] }),
  router('browser.oidc.issuerUrl', 'browser.oidc.issuerUrl', 'string', '', 'OpenID Connect provider where people sign in. Empty: none.', {
    ...IN_BROWSER, sentinel: 'https://zz-issuer-zz', example: 'https://issuer.example.com',
  }),
  oidc('clientId', 'string', 'agent-sandbox-router', 'ID of the router there.'),
  oidc('clientSecret', 'secret', 'agent-sandbox-router-oidc', 'Secret whose key `client-secret` is the router\'s there.'),
  oidc('redirectUrl', 'string', '', 'Where the provider sends browsers back to. Empty: https://login.<domain>/oidc/callback.', {
    sentinel: 'https://zz-redirect-zz/x',
    example: 'https://login.example.com/oidc/callback',
    expression: '{{ default (printf "https://login.%s/oidc/callback" $.Values.router.browser.domain) $.Values.router.browser.oidc.redirectUrl }}',
  }),
  oidc('scopes', 'strings', [], 'Scopes that the router asks for. Empty: openid.', { sentinel: ['openid'], example: ['openid', 'groups'] }),
  oidc('usernameClaim', 'string', '', 'Claim with the user name. Empty: sub.'),
  oidc('usernamePrefix', 'string', '', 'Text before user names. Empty: the issuer and #, nothing with the claim email.'),
  oidc('groupsClaim', 'string', '', 'Claim with the groups. Empty: groups.'),
  oidc('groupsPrefix', 'string', '', 'Text before groups.'),
  router('extraArgs', 'extraArgs', 'strings', [], EXTRA_ARGS),
  router('clientNamespaces', 'clientNamespaces', 'strings', [], 'Namespaces that may connect. Empty: all.'),
  router('autoscaling.minReplicas', 'minReplicas', 'integer', 2, 'Pods that the autoscaler goes down to, at least 2.', { least: 1, with: 'router.autoscaling.maxReplicas' }),
  router('autoscaling.maxReplicas', 'maxReplicas', 'integer', null, 'Pods that the autoscaler goes up to; takes the place of `replicas`. Unset: no autoscaler.', { least: 1, example: 7 }),
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
