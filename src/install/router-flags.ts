import { Duration } from 'cdk8s';
import { dnsLabel, integer, Problems } from '../checks';
import { Cidr } from '../network';
import { goDuration } from './controller-flags';
import { RouterProps } from './router-props';

/** Ports of the router. @internal */
export const ROUTER_ARGS = { http: 8080, https: 8443, metrics: 9090, healthz: 8081 } as const;

const FOLDERS = { tls: '/etc/sandbox-router/tls', scoped: '/etc/sandbox-router/scoped-tokens', static: '/etc/sandbox-router/static-token' } as const;

/** Props that are flags of the same meaning. @internal */
export const ROUTER_FLAGS = {
  allowHttpTokens: 'allow-http-tokens',
  tokenAudiences: 'authz-tokenreview-audiences',
  resumeOnRequest: 'resume-on-request',
  resumeTimeout: 'resume-timeout',
  additionalPorts: 'additional-ports',
  proxyTimeout: 'proxy-timeout',
  maxRequestBodyBytes: 'max-request-body-bytes',
  rateLimit: 'rate-limit',
  rateLimitBurst: 'rate-limit-burst',
  maxRequestsPerCaller: 'max-requests-per-caller',
  maxConnections: 'max-connections',
  maxConnectionsPerClient: 'max-connections-per-client',
  websocketIdleTimeout: 'websocket-idle-timeout',
  websocketMaxLifetime: 'websocket-max-lifetime',
  trustedProxyCidrs: 'trusted-proxy-cidrs',
  workers: 'workers',
  accessLog: 'access-log',
  logLevel: 'zap-log-level',
  enableTracing: 'enable-tracing',
} as const satisfies { readonly [prop in keyof RouterProps]?: string };

const PORTS = /^(\*|\d{1,5}(-\d{1,5})?)$/;
const SECRET_KEY = /^[-._a-zA-Z0-9]+$/;

/** @internal */
export function checkRouterFlags(problems: Problems, props: RouterProps): void {
  if (props.allowUnauthenticated) {
    for (const prop of ['tokenReview', 'tokenAudiences', 'scopedTokenSecret', 'staticTokenSecret'] as const) {
      if (props[prop] !== undefined && props[prop] !== false) {
        problems.add(prop, props[prop] === true ? true : undefined, 'no token is looked at with allowUnauthenticated: leave one of the two out');
      }
    }
    if (props.resumeOnRequest) {
      problems.add('resumeOnRequest', true, 'without tokens nobody can be asked whether they may: leave it or allowUnauthenticated out');
    }
  } else if (props.tokenReview === false && !props.scopedTokenSecret && !props.staticTokenSecret) {
    problems.add('tokenReview', false, 'name another way to say who one is: scopedTokenSecret, staticTokenSecret, or allowUnauthenticated: true');
  }
  if (props.scopedTokenKeys && !props.scopedTokenSecret) {
    problems.add('scopedTokenKeys', props.scopedTokenKeys, 'they are keys of a Secret: set scopedTokenSecret, too');
  }
  (props.scopedTokenKeys ?? []).forEach((key, index) => problems.check(`scopedTokenKeys[${index}]`, key, value =>
    (SECRET_KEY.test(value) ? undefined : "use letters, digits, '-', '_' and '.'")));
  for (const prop of ['tokenAudiences', 'scopedTokenKeys', 'additionalPorts', 'trustedProxyCidrs', 'clientNamespaces'] as const) {
    if (props[prop]?.length === 0) {
      problems.add(prop, props[prop], 'name at least one, or leave it out');
    }
  }
  (props.additionalPorts ?? []).forEach((ports, index) => problems.check(`additionalPorts[${index}]`, ports, value =>
    (PORTS.test(value) ? undefined : "use a port, a range such as '8000-8100', or '*'")));
  (props.trustedProxyCidrs ?? []).forEach((cidr, index) => problems.check(`trustedProxyCidrs[${index}]`, cidr, cidrProblem));
  (props.clientNamespaces ?? []).forEach((namespace, index) => problems.check(`clientNamespaces[${index}]`, namespace, dnsLabel));
  problems.check('maxRequestBodyBytes', props.maxRequestBodyBytes, integer(0, Number.MAX_SAFE_INTEGER));
  problems.check('rateLimitBurst', props.rateLimitBurst, integer(1));
  for (const prop of ['workers', 'maxRequestsPerCaller', 'maxConnections', 'maxConnectionsPerClient'] as const) {
    problems.check(prop, props[prop], integer(0));
  }
  problems.check('rateLimit', props.rateLimit, value => (Number.isFinite(value) && value >= 0 ? undefined : 'use a number of at least 0; 0 is no limit'));
  for (const [prop, least] of [['resumeTimeout', 1], ['proxyTimeout', 1], ['websocketIdleTimeout', 0], ['websocketMaxLifetime', 0]] as const) {
    const ms = props[prop]?.toMilliseconds({ integral: false });
    if (ms !== undefined && !(Number.isInteger(ms) && ms >= least)) {
      problems.add(prop, `${ms}ms`, `use whole milliseconds${least > 0 ? ', more than 0' : ''}`);
    }
  }
}

/** The command line of the router. @internal */
export function routerArgs(props: RouterProps, namespaces: readonly string[] | undefined): string[] {
  const modes = props.allowUnauthenticated ? ['allow-all'] : [
    ...((props.tokenReview ?? true) ? ['tokenreview'] : []),
    ...(props.scopedTokenSecret ? ['scoped-token'] : []),
    ...(props.staticTokenSecret ? ['static-token'] : []),
  ];
  const set = { ...props, workers: props.workers ?? 1 };
  return [
    `--authz-mode=${modes.join(',')}`,
    ...(namespaces ? [`--cache-namespace=${namespaces.join(',')}`] : []),
    ...(props.tlsSecret ? [`--https-bind-address=:${ROUTER_ARGS.https}`, `--tls-cert-file=${FOLDERS.tls}/tls.crt`, `--tls-key-file=${FOLDERS.tls}/tls.key`] : []),
    ...(props.scopedTokenSecret ? [`--authz-scoped-token-secret-file=${keys(props).map(key => `${FOLDERS.scoped}/${key}`).join(',')}`] : []),
    ...(props.staticTokenSecret ? [`--authz-static-token-file=${FOLDERS.static}/token`] : []),
    ...(Object.keys(ROUTER_FLAGS) as (keyof typeof ROUTER_FLAGS)[])
      .filter(prop => set[prop] !== undefined).map(prop => `--${ROUTER_FLAGS[prop]}=${text(set[prop])}`),
    ...(props.extraArgs ?? []),
  ];
}

function cidrProblem(value: string): string | undefined {
  const read = Cidr.read(value);
  return typeof read === 'string' ? read : undefined;
}

function keys(props: RouterProps): string[] {
  return props.scopedTokenKeys ?? ['key'];
}

function text(value: unknown): string {
  return value instanceof Duration ? goDuration(value) : Array.isArray(value) ? value.join(',') : String(value);
}

/** The Secrets in the file system of the router. @internal */
export function routerSecrets(props: RouterProps): { name: string; path: string; source: object }[] {
  return [
    { name: 'tls', path: FOLDERS.tls, secret: props.tlsSecret },
    { name: 'scoped-tokens', path: FOLDERS.scoped, secret: props.scopedTokenSecret },
    { name: 'static-token', path: FOLDERS.static, secret: props.staticTokenSecret },
  ].flatMap(({ name, path, secret }) => (secret ? [{ name, path, source: { secret: { secretName: secret.name } } }] : []));
}
