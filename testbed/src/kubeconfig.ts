import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse, stringify } from 'yaml';

/** Identity of a client. */
export type Identity = 'admin' | UserIdentity | ServiceAccountIdentity;

/** A person or program with a name and groups of the test's choice; it may do what RBAC rules of the test say. */
export interface UserIdentity {
  readonly user: string;
  /** @default - none but `system:authenticated`, which the server adds */
  readonly groups?: readonly string[];
}

/** A ServiceAccount with its three groups. */
export interface ServiceAccountIdentity {
  /** `<namespace>/<name>`. */
  readonly serviceAccount: string;
  /**
   * `true`: a bound token as pods get it (TokenRequest, one hour); the ServiceAccount must exist. Otherwise its name and groups are
   * impersonated, whether it exists or not.
   *
   * @default false
   */
  readonly token?: boolean;
  /** Audiences of the token. @default - the API server */
  readonly audiences?: readonly string[];
}

/** Address and credentials with which a client reaches an API server. Certificates and keys are PEM. */
export interface Connection {
  /** For example `https://127.0.0.1:6443`. */
  readonly server: string;
  /** @default - the authorities that Node trusts */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Bearer token. @default - none */
  readonly token?: string;
  /** User and groups to impersonate. @default - none */
  readonly impersonate?: { readonly user: string; readonly groups: readonly string[] };
}

/** A kubeconfig file on disk and its contents. */
export interface Kubeconfig {
  /** Absolute path; readable by its owner only. */
  readonly path: string;
  /** User name that the server sees. */
  readonly user: string;
  readonly connection: Connection;
}

/** User name and groups of an identity as the server sees them. */
export function subjectOf(identity: Identity): { user: string; groups: readonly string[] } {
  if (identity === 'admin') {
    return { user: 'testbed-admin', groups: ['system:masters'] };
  }
  if ('user' in identity) {
    return { user: identity.user, groups: identity.groups ?? [] };
  }
  const { namespace, name } = parseServiceAccount(identity.serviceAccount);
  return { user: `system:serviceaccount:${namespace}:${name}`, groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`] };
}

/** Splits `<namespace>/<name>`; throws if it is something else. */
export function parseServiceAccount(serviceAccount: string): { namespace: string; name: string } {
  const [namespace, name, ...rest] = serviceAccount.split('/');
  if (!namespace || !name || rest.length > 0) {
    throw new Error(`serviceAccount must be "<namespace>/<name>", got "${serviceAccount}"`);
  }
  return { namespace, name };
}

/** Text of a kubeconfig with one context, whose user is the connection's. */
export function kubeconfigText(connection: Connection, user: string): string {
  const base64 = (text?: string) => text && Buffer.from(text).toString('base64');
  return stringify({
    'apiVersion': 'v1',
    'kind': 'Config',
    'clusters': [{ name: 'testbed', cluster: { 'server': connection.server, 'certificate-authority-data': base64(connection.ca) } }],
    'users': [{
      name: user,
      user: {
        'client-certificate-data': base64(connection.cert),
        'client-key-data': base64(connection.key),
        'token': connection.token,
        'as': connection.impersonate?.user,
        'as-groups': connection.impersonate?.groups,
      },
    }],
    'contexts': [{ name: 'testbed', context: { cluster: 'testbed', user } }],
    'current-context': 'testbed',
  });
}

/**
 * Reads the current context of a kubeconfig. Client certificates and tokens are understood; credential plugins are not, and an
 * error says so.
 */
export function readKubeconfig(path: string): { connection: Connection; user: string; namespace?: string } {
  const config = parse(readFileSync(path, 'utf8')) as any;
  const pick = (list: any[] | undefined, name: string, what: string) => {
    const found = list?.find(entry => entry.name === name);
    if (!found) {
      throw new Error(`${path} has no ${what} "${name}": set current-context to a complete context`);
    }
    return found;
  };
  const context = pick(config.contexts, config['current-context'], 'context').context;
  const cluster = pick(config.clusters, context.cluster, 'cluster').cluster;
  const user = pick(config.users, context.user, 'user').user ?? {};
  const read = (file: string | undefined) => file && readFileSync(resolve(dirname(path), file), 'utf8');
  const data = (text: string | undefined) => text && Buffer.from(text, 'base64').toString();
  if (user.exec || user['auth-provider']) {
    throw new Error(`user "${context.user}" of ${path} uses a credential plugin: use a kubeconfig with a client certificate or a token ("kubectl create token …")`);
  }
  return {
    user: context.user,
    namespace: context.namespace,
    connection: {
      server: cluster.server,
      ca: data(cluster['certificate-authority-data']) ?? read(cluster['certificate-authority']),
      cert: data(user['client-certificate-data']) ?? read(user['client-certificate']),
      key: data(user['client-key-data']) ?? read(user['client-key']),
      token: user.token ?? read(user.tokenFile)?.trim(),
      impersonate: user.as ? { user: user.as, groups: user['as-groups'] ?? [] } : undefined,
    },
  };
}
