import { dnsLabel, type Problems } from '../checks';
import { checkExtraArgs, type TakenFlags } from './extra-args';
import { checkFlags, flagArgs } from './flag';
import { BROWSER_FLAGS, browserArgs, browserSecrets, checkBrowser, OIDC_FLAGS } from './router-browser';
import { ROUTER_FLAGS } from './router-flags.gen';
import type { RouterProps } from './router-props';

/** Ports of the router. @internal */
export const ROUTER_ARGS = { http: 8080, https: 8443, metrics: 9090, healthz: 8081 } as const;

const FOLDERS = { tls: '/etc/sandbox-router/tls', scoped: '/etc/sandbox-router/scoped-tokens', static: '/etc/sandbox-router/static-token' } as const;

/** Flags of the router that are on the command line because of something else than a prop of their own, and the props that decide. */
const DERIVED_FLAGS: { readonly [flag: string]: readonly string[] } = {
  'authz-mode': ['router.tokenReview', 'router.scopedTokenSecret', 'router.staticTokenSecret', 'router.allowUnauthenticated'],
  'cache-namespace': ['namespaces'],
  'https-bind-address': ['router.tlsSecret'],
  'tls-cert-file': ['router.tlsSecret'],
  'tls-key-file': ['router.tlsSecret'],
  'authz-scoped-token-secret-file': ['router.scopedTokenSecret'],
  'authz-static-token-file': ['router.staticTokenSecret'],
  'authz-cookie-key-file': ['router.browser.sessionSecret'],
  'browser-oidc-client-secret-file': ['router.browser.oidc.clientSecret'],
};

/** The flags of the router that `extraArgs` must not repeat. @internal */
export const TAKEN_ROUTER_FLAGS: TakenFlags = new Map([
  ...Object.entries(ROUTER_FLAGS).map(([prop, { flag }]) => [flag, [`router.${prop}`]] as const),
  ...Object.entries(BROWSER_FLAGS).map(([prop, flag]) => [flag, [`router.browser.${prop}`]] as const),
  ...Object.entries(OIDC_FLAGS).map(([prop, flag]) => [flag, [`router.browser.oidc.${prop}`]] as const),
  ...Object.entries(DERIVED_FLAGS),
]);

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
      problems.add('resumeOnRequest', true, 'resuming needs an authenticated caller: leave it or allowUnauthenticated out');
    }
  } else if (props.tokenReview === false && !props.scopedTokenSecret && !props.staticTokenSecret) {
    problems.add('tokenReview', false, 'name another way to say who one is: scopedTokenSecret, staticTokenSecret, or allowUnauthenticated: true');
  }
  if (props.restApi && (props.allowUnauthenticated || props.tokenReview === false)) {
    problems.add('restApi', true, 'it needs users of the cluster, whose rights can be asked about: leave it out, or tokenReview on');
  }
  if (props.scopedTokenKeys && !props.scopedTokenSecret) {
    problems.add('scopedTokenKeys', props.scopedTokenKeys, 'they are keys of a Secret: set scopedTokenSecret, too');
  }
  (props.scopedTokenKeys ?? []).forEach((key, index) => problems.check(`scopedTokenKeys[${index}]`, key, value =>
    (SECRET_KEY.test(value) ? undefined : "use letters, digits, '-', '_' and '.'")));
  for (const prop of ['scopedTokenKeys', 'clientNamespaces'] as const) {
    if (props[prop]?.length === 0) {
      problems.add(prop, props[prop], 'name at least one, or leave it out');
    }
  }
  if (props.browser) {
    const several = props.maxReplicas !== undefined || (props.replicas ?? 2) > 1;
    checkBrowser(problems.at('browser'), props.browser, several, props.allowUnauthenticated ?? false);
  }
  (props.clientNamespaces ?? []).forEach((namespace, index) => problems.check(`clientNamespaces[${index}]`, namespace, dnsLabel));
  checkFlags(problems, ROUTER_FLAGS, props);
  checkExtraArgs(problems, props.extraArgs, TAKEN_ROUTER_FLAGS);
}

/** The command line of the router. @internal */
export function routerArgs(props: RouterProps, namespaces: readonly string[] | undefined): string[] {
  const modes = props.allowUnauthenticated ? ['allow-all'] : [
    ...((props.tokenReview ?? true) ? ['tokenreview'] : []),
    ...(props.scopedTokenSecret ? ['scoped-token'] : []),
    ...(props.staticTokenSecret ? ['static-token'] : []),
  ];
  return [
    `--authz-mode=${modes.join(',')}`,
    ...(namespaces ? [`--cache-namespace=${namespaces.join(',')}`] : []),
    ...(props.tlsSecret ? [`--https-bind-address=:${ROUTER_ARGS.https}`, `--tls-cert-file=${FOLDERS.tls}/tls.crt`, `--tls-key-file=${FOLDERS.tls}/tls.key`] : []),
    ...(props.scopedTokenSecret ? [`--authz-scoped-token-secret-file=${keys(props).map(key => `${FOLDERS.scoped}/${key}`).join(',')}`] : []),
    ...(props.staticTokenSecret ? [`--authz-static-token-file=${FOLDERS.static}/token`] : []),
    ...flagArgs(ROUTER_FLAGS, props),
    ...(props.browser ? browserArgs(props.browser) : []),
    ...(props.extraArgs ?? []),
  ];
}

function keys(props: RouterProps): string[] {
  return props.scopedTokenKeys ?? ['key'];
}

/** The Secrets in the file system of the router. @internal */
export function routerSecrets(props: RouterProps): { name: string; path: string; source: object }[] {
  return [
    { name: 'tls', path: FOLDERS.tls, secret: props.tlsSecret },
    { name: 'scoped-tokens', path: FOLDERS.scoped, secret: props.scopedTokenSecret },
    { name: 'static-token', path: FOLDERS.static, secret: props.staticTokenSecret },
    ...(props.browser ? browserSecrets(props.browser) : []),
  ].flatMap(({ name, path, secret }) => (secret ? [{ name, path, source: { secret: { secretName: secret.name } } }] : []));
}
