import { dnsSubdomain, type Problems } from '../checks';
import { goDuration } from './flag';
import type { RouterBrowserProps, RouterOidcProps } from './router-browser-props';

const FOLDERS = { session: '/etc/sandbox-router/session', oidc: '/etc/sandbox-router/oidc' } as const;
const PATH = /^(\/[A-Za-z0-9_-]+)+$/;
const SECRET_KEY = /^[-._a-zA-Z0-9]+$/;

/** Props that are flags of the same meaning. @internal */
export const BROWSER_FLAGS = {
  domain: 'host-routing-domain',
  pathPrefix: 'path-routing-prefix',
  unstrippedPathPrefix: 'path-routing-unstripped-prefix',
  sessionLifetime: 'authz-cookie-lifetime',
  allowedOrigins: 'authz-cookie-allowed-origins',
} as const satisfies { readonly [prop in keyof RouterBrowserProps]?: string };

/** @internal */
export const OIDC_FLAGS = {
  issuerUrl: 'browser-oidc-issuer-url',
  clientId: 'browser-oidc-client-id',
  redirectUrl: 'browser-oidc-redirect-url',
  scopes: 'browser-oidc-scopes',
  usernameClaim: 'browser-oidc-username-claim',
  usernamePrefix: 'browser-oidc-username-prefix',
  groupsClaim: 'browser-oidc-groups-claim',
  groupsPrefix: 'browser-oidc-groups-prefix',
} as const satisfies { readonly [prop in keyof RouterOidcProps]?: string };

/** @internal */
export function checkBrowser(problems: Problems, props: RouterBrowserProps, several: boolean, allowUnauthenticated: boolean): void {
  const path = (value: string) => (PATH.test(value) ? undefined : "use letters, digits, '-' and '_' after each slash, such as '/sandboxes'");
  if (props.domain === undefined && props.pathPrefix === undefined && props.unstrippedPathPrefix === undefined) {
    problems.add('domain', undefined, "name the domain of the sandboxes' hosts, or give pathPrefix");
  }
  problems.check('domain', props.domain, dnsSubdomain);
  problems.check('pathPrefix', props.pathPrefix, path);
  problems.check('unstrippedPathPrefix', props.unstrippedPathPrefix, path);
  const [one, other] = [props.pathPrefix, props.unstrippedPathPrefix].map(value => `${value}/`) as [string, string];
  if (props.pathPrefix !== undefined && props.unstrippedPathPrefix !== undefined && (one.startsWith(other) || other.startsWith(one))) {
    problems.add('unstrippedPathPrefix', props.unstrippedPathPrefix, 'it and pathPrefix must not begin with one another');
  }
  if (props.sessionSecret === undefined && several && !allowUnauthenticated) {
    problems.add('sessionSecret', undefined, 'a session has to count in all Pods: name a Secret, or use replicas: 1');
  }
  if (props.sessionKeys && !props.sessionSecret) {
    problems.add('sessionKeys', props.sessionKeys, 'they are keys of a Secret: set sessionSecret, too');
  }
  (props.sessionKeys ?? []).forEach((key, index) => problems.check(`sessionKeys[${index}]`, key, value =>
    (SECRET_KEY.test(value) ? undefined : "use letters, digits, '-', '_' and '.'")));
  for (const prop of ['sessionKeys', 'allowedOrigins'] as const) {
    if (props[prop]?.length === 0) {
      problems.add(prop, props[prop], 'name at least one, or leave it out');
    }
  }
  (props.allowedOrigins ?? []).forEach((origin, index) => problems.check(`allowedOrigins[${index}]`, origin, originProblem));
  const ms = props.sessionLifetime?.toMilliseconds({ integral: false });
  if (ms !== undefined && !(Number.isInteger(ms) && ms >= 1000)) {
    problems.add('sessionLifetime', `${ms}ms`, 'use at least a second, in whole milliseconds');
  }
  if (props.oidc) {
    if (allowUnauthenticated) {
      problems.add('oidc', undefined, 'with allowUnauthenticated users do not sign in: leave one of the two out');
    }
    checkOidc(problems.at('oidc'), props.oidc, props.domain);
  }
}

function checkOidc(problems: Problems, props: RouterOidcProps, domain: string | undefined): void {
  if (props.redirectUrl === undefined && domain === undefined) {
    problems.add('redirectUrl', undefined, 'without a domain it has no default: name the address that the provider sends browsers back to');
  }
  problems.check('issuerUrl', props.issuerUrl, value => (URL.canParse(value) && new URL(value).protocol === 'https:' ? undefined : 'use an https:// URL'));
  problems.check('redirectUrl', props.redirectUrl, value => {
    const url = URL.canParse(value) ? new URL(value) : undefined;
    return url?.protocol === 'https:' && url.pathname !== '/' && url.search === '' && url.hash === '' ? undefined
      : 'use an https:// URL with a path and without a query, such as https://login.sandboxes.example.com/oidc/callback';
  });
  if (props.scopes && !props.scopes.includes('openid')) {
    problems.add('scopes', props.scopes, "'openid' has to be among them");
  }
}

/** What is wrong with an origin, if anything. @internal */
function originProblem(value: string): string | undefined {
  return URL.canParse(value) && new URL(value).origin === value ? undefined
    : 'use scheme, host and a port that is not the default, such as https://portal.example.com';
}

/** The part of the command line that is about browsers. @internal */
export function browserArgs(props: RouterBrowserProps): string[] {
  const { domain, oidc, sessionSecret, sessionKeys = ['key'] } = props;
  // What is always there comes first, as in the Helm chart.
  const { sessionLifetime, allowedOrigins, ...routes } = props;
  return [
    ...flags(BROWSER_FLAGS, routes),
    ...(sessionSecret ? [`--authz-cookie-key-file=${sessionKeys.map(key => `${FOLDERS.session}/${key}`).join(',')}`] : []),
    ...flags(BROWSER_FLAGS, { sessionLifetime, allowedOrigins }),
    ...(oidc ? oidcArgs(oidc, domain) : []),
  ];
}

function oidcArgs({ issuerUrl, clientId, redirectUrl, ...more }: RouterOidcProps, domain: string | undefined): string[] {
  return [
    ...flags(OIDC_FLAGS, { issuerUrl, clientId, redirectUrl: redirectUrl ?? `https://login.${domain}/oidc/callback` }),
    `--browser-oidc-client-secret-file=${FOLDERS.oidc}/client-secret`,
    ...flags(OIDC_FLAGS, more),
  ];
}

function flags<T extends object>(names: { readonly [prop in keyof T]?: string }, props: Partial<T>): string[] {
  return (Object.keys(names) as (keyof T)[]).filter(prop => props[prop] !== undefined).map(prop => {
    const value = props[prop];
    return `--${names[prop]}=${typeof value === 'string' ? value : Array.isArray(value) ? value.join(',') : goDuration(value as never)}`;
  });
}

/** The Secrets of that part, in the file system of the router. @internal */
export function browserSecrets({ sessionSecret, oidc }: RouterBrowserProps): { name: string; path: string; secret?: { readonly name: string } }[] {
  return [
    { name: 'session', path: FOLDERS.session, secret: sessionSecret },
    { name: 'oidc', path: FOLDERS.oidc, secret: oidc?.clientSecret },
  ];
}
