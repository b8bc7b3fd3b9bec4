import { definedOnly } from 'agent-sandbox-api';
import { randomBytes } from 'node:crypto';
import type { Logger } from 'agent-sandbox-kube';
import type { AccessReviews } from '../auth/access.js';
import type { Authentication } from '../auth/index.js';
import { readKey } from '../auth/scoped-token.js';
import type { Flags } from '../flags.js';
import { WatchedFiles } from '../watched-file.js';
import { CookieNames } from './cookies.js';
import { Browser } from './index.js';
import { Oidc } from './oidc.js';
import { Routes } from './route.js';
import { Seal } from './sealed.js';

/** Holds the key of sessions for workers of one process, if no file does. */
export const SESSION_KEY_VARIABLE = 'SANDBOX_ROUTER_SESSION_KEY';

/** A key for sessions, as `SESSION_KEY_VARIABLE` holds it. */
export function randomSessionKey(): string {
  return randomBytes(32).toString('base64url');
}

/** Access for browsers as the flags configure it, with a function that closes its files; undefined without routes. Throws if a file is invalid. */
export function browserOf(
  flags: Flags, authentication: Authentication, access: AccessReviews, logger: Logger, env: NodeJS.ProcessEnv = process.env,
): { readonly browser: Browser; readonly oidc?: Oidc; readonly close: () => void } | undefined {
  const { hostRoutingDomain: domain, pathRoutingPrefix: prefix, pathRoutingUnstrippedPrefix: unstrippedPrefix } = flags;
  const routes = new Routes({ domain, prefix, unstrippedPrefix });
  if (!routes.areEnabled) {
    return undefined;
  }
  const files: { close(): void }[] = [];
  const close = () => files.forEach(file => file.close());
  const watched = <T>(paths: readonly string[], read: (contents: readonly string[]) => T): () => T => {
    const file = new WatchedFiles({ files: paths, read, logger });
    files.push(file);
    return () => file.value;
  };
  try {
    const seal = new Seal(sessionKeys(flags, watched, logger, env));
    const names = new CookieNames(flags.authzCookieName, flags.authzCookieInsecure);
    const { authzCookieQueryParam: parameter, authzCookieLifetime: lifetimeMs, authzCookieInsecure: isInsecure } = flags;
    const shared = { seal, names, routes, parameter, lifetimeMs, isInsecure };
    const oidc = oidcOf(flags, shared, watched, access, logger);
    const browser = new Browser({
      ...shared, authentication, sameSite: flags.authzCookieSameSite, allowedOrigins: new Set(flags.authzCookieAllowedOrigins),
      rewritesAnswers: flags.pathRoutingRewriteResponses,
      ...definedOnly({ oidc }),
    });
    return { browser, close, ...definedOnly({ oidc }) };
  } catch (error) {
    close();
    throw error;
  }
}

type Watch = <T>(paths: readonly string[], read: (contents: readonly string[]) => T) => () => T;

function sessionKeys({ authzCookieKeyFile: paths }: Flags, watched: Watch, logger: Logger, env: NodeJS.ProcessEnv): () => readonly Buffer[] {
  if (paths.length > 0) {
    return watched(paths, contents => contents.map((content, i) => readKey(content, paths[i]!)));
  }
  logger.warn({}, 'sessions of browsers end with this process, and count in it only: give all replicas the same --authz-cookie-key-file');
  const key = Buffer.from(env[SESSION_KEY_VARIABLE] ?? randomSessionKey());
  return () => [key];
}

function oidcOf(
  flags: Flags, shared: { seal: Seal; names: CookieNames; routes: Routes; parameter: string; lifetimeMs: number; isInsecure: boolean },
  watched: Watch, access: AccessReviews, logger: Logger,
): Oidc | undefined {
  const { browserOidcIssuerUrl: issuer, browserOidcClientSecretFile: secretFile, browserOidcRedirectUrl: redirectUrl } = flags;
  if (issuer === undefined) {
    return undefined;
  }
  return new Oidc({
    ...shared,
    issuer: new URL(issuer), clientId: flags.browserOidcClientId!, redirectUrl: new URL(redirectUrl!),
    clientSecret: watched([secretFile!], ([content]) => content!.trim()),
    scopes: flags.browserOidcScopes,
    usernameClaim: flags.browserOidcUsernameClaim,
    usernamePrefix: flags.browserOidcUsernamePrefix ?? defaultPrefix(flags),
    groupsClaim: flags.browserOidcGroupsClaim,
    groupsPrefix: flags.browserOidcGroupsPrefix,
    callerOf: user => access.caller(user),
    onFailure: error => logger.error({ err: error }, 'a login at the OIDC provider failed'),
  });
}

/** As the API server has it: names are unique with the issuer only, e-mail addresses by themselves; `-` is no prefix. */
function defaultPrefix({ browserOidcUsernameClaim: claim, browserOidcIssuerUrl: issuer }: Flags): string {
  return claim === 'email' ? '' : `${issuer}#`;
}
