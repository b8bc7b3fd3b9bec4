import { Duration } from 'cdk8s';
import * as kplus from 'cdk8s-plus-28';
import { messageOf, testChart } from '../helpers';
import { ROUTER, all, install, one, routerPod } from './helpers';

const secret = (name: string) => kplus.Secret.fromSecretName(testChart(), 'secret', name);
const withRouter = (router: object = {}, props: object = {}) => install({ ...props, router: { ...ROUTER, ...router } });

test('two routers, reachable under the name that clients look for, with the label that templates let in', () => {
  const objects = withRouter();
  const { spec } = one(objects, 'Deployment', 'sandbox-router');
  expect(spec.replicas).toBe(2);
  expect(spec.template.metadata.labels).toEqual({
    'app': 'sandbox-router', 'app.kubernetes.io/name': 'sandbox-router', 'app.kubernetes.io/component': 'router',
  });
  expect(one(objects, 'Service', 'sandbox-router-svc').spec).toEqual({
    selector: { 'app.kubernetes.io/name': 'sandbox-router', 'app.kubernetes.io/component': 'router' },
    ports: [{ name: 'http', port: 8080, targetPort: 'http' }, { name: 'metrics', port: 9090, targetPort: 'metrics' }],
  });
  expect(all(objects, 'PodDisruptionBudget').map(({ metadata }) => metadata.name)).toEqual(['sandbox-router']);
});

test('a token of the cluster is needed unless something else is said', () => {
  expect(routerPod().spec.containers[0].args).toEqual(['--authz-mode=tokenreview', '--workers=1']);
  expect(routerPod({ allowUnauthenticated: true }).spec.containers[0].args[0]).toBe('--authz-mode=allow-all');
  const { spec } = routerPod({ tokenReview: false, scopedTokenSecret: secret('keys'), scopedTokenKeys: ['new', 'old'], staticTokenSecret: secret('static') });
  expect(spec.containers[0].args).toEqual([
    '--authz-mode=scoped-token,static-token',
    '--authz-scoped-token-secret-file=/etc/sandbox-router/scoped-tokens/new,/etc/sandbox-router/scoped-tokens/old',
    '--authz-static-token-file=/etc/sandbox-router/static-token/token',
    '--workers=1',
  ]);
  expect(spec.volumes).toEqual([{ name: 'scoped-tokens', secret: { secretName: 'keys' } }, { name: 'static-token', secret: { secretName: 'static' } }]);
});

test('the router may look at Sandboxes and Pods and ask about tokens, and nothing else', () => {
  const granted = (objects: any[]) => all(objects, 'ClusterRole').filter(({ metadata }) => metadata.name.startsWith('sandbox-router'))
    .flatMap(({ rules }) => rules).map(({ resources, verbs }: any) => `${resources}: ${verbs}`);
  expect(granted(withRouter())).toEqual([
    'sandboxes: list,watch', 'pods: list,watch', 'tokenreviews: create', 'subjectaccessreviews: create',
  ]);
  expect(granted(withRouter({ tokenReview: false, staticTokenSecret: secret('static') }))).toEqual(['sandboxes: list,watch', 'pods: list,watch']);
  expect(granted(withRouter({ resumeOnRequest: true }))).toContain('sandboxes: patch');
  expect(all(withRouter(), 'ValidatingAdmissionPolicy')).toEqual([]);
  expect(granted(withRouter({ restApi: true })).slice(4)).toEqual(['sandboxclaims: get,list,watch,create,delete', 'sandboxes: patch']);
  expect(all(withRouter({ restApi: true }), 'ValidatingAdmissionPolicy').map(({ metadata }) => metadata.name)).toEqual(['sandbox-router-rest']);
});

test('in some namespaces the router has Roles for what it looks at', () => {
  const objects = withRouter({}, { namespaces: ['a'], userRoles: false });
  expect(all(objects, 'ClusterRole').map(({ metadata }) => metadata.name)).toEqual(['sandbox-router-authorize']);
  expect(one(objects, 'Role', 'sandbox-router').metadata.namespace).toBe('a');
  expect(one(objects, 'Deployment', 'sandbox-router').spec.template.spec.containers[0].args).toContain('--cache-namespace=a');
});

test('with a certificate it also listens on 8443', () => {
  const objects = withRouter({ tlsSecret: secret('cert') });
  const { args, ports, volumeMounts } = one(objects, 'Deployment', 'sandbox-router').spec.template.spec.containers[0];
  expect(args.slice(1, 4)).toEqual(['--https-bind-address=:8443', '--tls-cert-file=/etc/sandbox-router/tls/tls.crt', '--tls-key-file=/etc/sandbox-router/tls/tls.key']);
  expect(ports).toContainEqual({ name: 'https', containerPort: 8443 });
  expect(volumeMounts).toEqual([{ name: 'tls', mountPath: '/etc/sandbox-router/tls', readOnly: true }]);
  expect(one(objects, 'Service', 'sandbox-router-svc').spec.ports[1]).toEqual({ name: 'https', port: 8443, targetPort: 'https' });
  expect(one(objects, 'NetworkPolicy', 'sandbox-router').spec.ingress[0].ports.map(({ port }: any) => port)).toEqual([8080, 8443]);
});

test('flags are written as the program reads them', () => {
  expect(routerPod({
    resumeOnRequest: true, resumeTimeout: Duration.seconds(90), restApi: true, additionalPorts: ['3000', '8000-8100'], maxRequestBodyBytes: 0,
    trustedProxyCidrs: ['10.0.0.0/8'], accessLog: false, tokenAudiences: ['a', 'b'], extraArgs: ['--idle-timeout=5s'],
  }).spec.containers[0].args.slice(1)).toEqual([
    '--authz-tokenreview-audiences=a,b', '--resume-on-request=true', '--resume-timeout=90s', '--rest-api=true', '--additional-ports=3000,8000-8100',
    '--max-request-body-bytes=0', '--trusted-proxy-cidrs=10.0.0.0/8', '--workers=1', '--access-log=false', '--idle-timeout=5s',
  ]);
});

test('an autoscaler decides about the replicas', () => {
  const objects = withRouter({ maxReplicas: 10 });
  expect(one(objects, 'Deployment', 'sandbox-router').spec).not.toHaveProperty('replicas');
  expect(one(objects, 'HorizontalPodAutoscaler', 'sandbox-router').spec).toMatchObject({ minReplicas: 2, maxReplicas: 10 });
  expect(one(objects, 'PodDisruptionBudget', 'sandbox-router').spec.maxUnavailable).toBe(1);
});

test('a Gateway of its own, or the route of an existing one', () => {
  const own = withRouter({ allowHttpTokens: true, gateway: { className: 'gke', hostnames: ['sandboxes.example'], tlsSecret: secret('cert') } });
  expect(one(own, 'Gateway', 'sandbox-router').spec).toEqual({
    gatewayClassName: 'gke',
    listeners: [{ name: 'https', port: 443, protocol: 'HTTPS', tls: { mode: 'Terminate', certificateRefs: [{ name: 'cert' }] } }],
  });
  const existing = withRouter({ allowHttpTokens: true, gateway: { name: 'shared', namespace: 'gateways' } });
  expect(all(existing, 'Gateway')).toEqual([]);
  expect(one(existing, 'HTTPRoute', 'sandbox-router').spec).toEqual({
    parentRefs: [{ name: 'shared', namespace: 'gateways' }],
    rules: [{ backendRefs: [{ name: 'sandbox-router-svc', port: 8080 }] }],
  });
});

test('browsers reach sandboxes by hosts of their own, with sessions that count in all Pods', () => {
  const objects = withRouter({ browser: { domain: 'sandboxes.example.com', sessionSecret: secret('session'), sessionKeys: ['next', 'key'] } });
  const { containers: [{ args, volumeMounts }], volumes } = one(objects, 'Deployment', 'sandbox-router').spec.template.spec;
  expect(args).toEqual(expect.arrayContaining([
    '--host-routing-domain=sandboxes.example.com', '--authz-cookie-key-file=/etc/sandbox-router/session/next,/etc/sandbox-router/session/key',
  ]));
  expect(volumeMounts).toContainEqual({ name: 'session', mountPath: '/etc/sandbox-router/session', readOnly: true });
  expect(volumes).toContainEqual({ name: 'session', secret: { secretName: 'session' } });
  expect(one(objects, 'NetworkPolicy', 'sandbox-router').spec.egress).toHaveLength(2);
});

test('people sign in at a provider, which the policy lets the router reach', () => {
  const oidc = { issuerUrl: 'https://id.example.com', clientId: 'router', clientSecret: secret('oidc') };
  const objects = withRouter({
    tokenReview: false, scopedTokenSecret: secret('keys'), browser: { domain: 'sandboxes.example.com', sessionSecret: secret('session'), oidc },
  });
  const { containers: [{ args }], volumes } = one(objects, 'Deployment', 'sandbox-router').spec.template.spec;
  expect(args).toEqual(expect.arrayContaining([
    '--browser-oidc-redirect-url=https://login.sandboxes.example.com/oidc/callback', '--browser-oidc-client-secret-file=/etc/sandbox-router/oidc/client-secret',
  ]));
  expect(volumes).toContainEqual({ name: 'oidc', secret: { secretName: 'oidc' } });
  expect(one(objects, 'ClusterRole', 'sandbox-router-access').rules).toEqual([
    { apiGroups: ['authorization.k8s.io'], resources: ['subjectaccessreviews'], verbs: ['create'] },
  ]);
  const ports = one(objects, 'NetworkPolicy', 'sandbox-router').spec.egress.flatMap((rule: any) => (rule.to ? [] : rule.ports));
  expect(ports).toEqual(expect.arrayContaining([{ port: 443, protocol: 'TCP' }, { port: 53, protocol: 'UDP' }]));
});

test('the router may only connect to Pods of Sandboxes and to the API server', () => {
  const { egress, ingress } = one(withRouter({ clientNamespaces: ['agents'] }), 'NetworkPolicy', 'sandbox-router').spec;
  expect(egress[1]).toEqual({ to: [{ namespaceSelector: {}, podSelector: { matchExpressions: [{ key: 'agents.x-k8s.io/sandbox-name-hash', operator: 'Exists' }] } }] });
  expect(egress).toHaveLength(2);
  expect(ingress[0].from).toEqual([{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'agents' } } }]);
});

test.each<[string, object, string]>([
  ['no way to say who one is', { tokenReview: false }, 'router.tokenReview is false: name another way to say who one is: scopedTokenSecret, staticTokenSecret, or allowUnauthenticated: true'],
  ['tokens that are not checked', { allowUnauthenticated: true, tokenReview: true }, 'router.tokenReview is true: no token is looked at with allowUnauthenticated: leave one of the two out'],
  ['a resume without an authenticated caller', { allowUnauthenticated: true, resumeOnRequest: true }, 'router.resumeOnRequest is true: resuming needs an authenticated caller: leave it or allowUnauthenticated out'],
  ['claims for users that are not known', { allowUnauthenticated: true, restApi: true }, 'router.restApi is true: it needs users of the cluster, whose rights can be asked about: leave it out, or tokenReview on'],
  ['claims for tokens that are no users', { tokenReview: false, staticTokenSecret: secret('static'), restApi: true }, 'router.restApi is true: it needs users of the cluster, whose rights can be asked about: leave it out, or tokenReview on'],
  ['replicas beside an autoscaler', { maxReplicas: 3, replicas: 2 }, 'router.replicas is 2: the autoscaler decides: use minReplicas'],
  ['a lonely router', { maxReplicas: 3, minReplicas: 1 }, 'router.minReplicas is 1: use a whole number from 2: the last router has no substitute'],
  ['half an autoscaler', { minReplicas: 3 }, 'router.minReplicas is 3: it is for an autoscaler: set maxReplicas as well, or leave it out'],
  ['a Gateway whose requests are all refused', { gateway: { className: 'gke' } }, 'router.allowHttpTokens is false: the Gateway ends TLS and speaks plain HTTP to the router, which would refuse every token: set it to true'],
  ['browsers without an address', { browser: { sessionSecret: secret('session') } }, "router.browser.domain: name the domain of the sandboxes' hosts, or give pathPrefix"],
  ['sessions of one Pod', { browser: { domain: 'a.example' } }, 'router.browser.sessionSecret: a session has to count in all Pods: name a Secret, or use replicas: 1'],
  ['a path that is none', { replicas: 1, browser: { pathPrefix: 'sandboxes/' } }, "router.browser.pathPrefix is 'sandboxes/': use letters, digits, '-' and '_' after each slash, such as '/sandboxes'"],
  ['paths that overlap', { replicas: 1, browser: { pathPrefix: '/a', unstrippedPathPrefix: '/a/b' } }, "router.browser.unstrippedPathPrefix is '/a/b': it and pathPrefix must not begin with one another"],
  ['an origin that is none', { replicas: 1, browser: { domain: 'a.example', allowedOrigins: ['portal'] } }, "router.browser.allowedOrigins[0] is 'portal': use scheme, host and a port that is not the default, such as https://portal.example.com"],
  ['a provider in the clear', { replicas: 1, browser: { domain: 'a.example', oidc: { issuerUrl: 'http://id.example', clientId: 'a', clientSecret: secret('oidc') } } }, "router.browser.oidc.issuerUrl is 'http://id.example': use an https:// URL"],
  ['a provider that sends browsers nowhere', { replicas: 1, browser: { pathPrefix: '/a', oidc: { issuerUrl: 'https://id.example', clientId: 'a', clientSecret: secret('oidc') } } }, 'router.browser.oidc.redirectUrl: without a domain it has no default: name the address that the provider sends browsers back to'],
  ['a port that is none', { additionalPorts: ['http'] }, "router.additionalPorts[0] is 'http': use a port from 1 to 65535, a range such as '8000-8100', or '*'"],
  ['a network that is none', { trustedProxyCidrs: ['10.0.0.1/33'] }, "router.trustedProxyCidrs[0] is '10.0.0.1/33': use the addresses of proxies, such as '10.1.2.3' or '10.0.0.0/8': a network with a prefix of at least 8 bits in IPv4, and in IPv6 24 (7 in fc00::/7 and fe80::/10, 104 where IPv4 addresses are written as IPv6)"],
])('refuses %s', (_what, router, message) => {
  expect(messageOf(() => withRouter(router))).toBe(`agent-sandbox: ${message}`);
});
