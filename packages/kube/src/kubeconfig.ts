import { existsSync, readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { homedir } from 'node:os';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import { definedOnly } from 'agent-sandbox-api';
import { load as loadYaml } from 'js-yaml';
import { type Clock, systemClock } from './clock.js';
import type { Access, Credentials } from './credentials.js';
import { CredentialsError, KubeconfigError } from './errors.js';
import { type Fields, basicAuthorization, impersonation } from './kubeconfig-fields.js';
import type { Plugin } from './plugin.js';

/** Milliseconds for which credentials are taken from memory. Tokens of pods and certificates on disk are renewed in place, well before they end. */
const REFRESH_MS = 30_000;

export interface LoadOptions {
  /** Path of a kubeconfig file. @default - the files of `KUBECONFIG`, else the pod's ServiceAccount, else `~/.kube/config` */
  readonly kubeconfig?: string;
  /** Context to use. @default - the current one */
  readonly context?: string;
  /** @default - that of the machine */
  readonly clock?: Clock;
  /** @default process.env */
  readonly env?: NodeJS.ProcessEnv;
}

/** The lists of a kubeconfig file, and the field of their entries besides the name. */
const FIELDS = { clusters: 'cluster', users: 'user', contexts: 'context' } as const;
type List = keyof typeof FIELDS;

/** A kubeconfig file as it is written; nothing of it has been checked. */
interface Document extends Readonly<Record<List, unknown>> {
  readonly 'current-context'?: string;
}

type Entry = { readonly name: string } & Record<string, unknown>;

/**
 * Finds the credentials of this process: a kubeconfig (all its ways to authenticate, credential plugins included) or the
 * ServiceAccount of the pod. Throws `KubeconfigError` if there is nothing, or if a file cannot be read or a context is incomplete.
 */
export function loadCredentials(options: LoadOptions = {}): Credentials {
  const env = options.env ?? process.env;
  const clock = options.clock ?? systemClock;
  const home = join(env.HOME ?? homedir(), '.kube', 'config');
  const files = options.kubeconfig ? [options.kubeconfig] : (env.KUBECONFIG ?? '').split(delimiter).filter(Boolean);
  if (files.length > 0) {
    return new KubeconfigCredentials(() => fromFiles(files, options.context), clock);
  }
  if (env.KUBERNETES_SERVICE_HOST && !options.context) {
    return new KubeconfigCredentials(() => inCluster(env), clock);
  }
  if (existsSync(home)) {
    return new KubeconfigCredentials(() => fromFiles([home], options.context), clock);
  }
  throw new KubeconfigError('no Kubernetes cluster to talk to: give a kubeconfig file, set KUBECONFIG, or run inside a pod with a ServiceAccount token');
}

/** What was found, and how to get what requests carry. */
interface Loaded {
  readonly server: string;
  readonly namespace?: string;
  readonly proxyUrl?: string;
  /** Reads tokens and certificates again, or asks a plugin. */
  access(): Access | Promise<Access>;
}

class KubeconfigCredentials implements Credentials {
  public readonly server: string;
  public readonly namespace?: string;
  public readonly proxyUrl?: string;
  private loaded: Loaded;
  private current?: Access;
  private pending?: Promise<Access>;
  private due = 0;

  constructor(private readonly load: () => Loaded, private readonly clock: Clock) {
    this.loaded = load();
    const { server, namespace, proxyUrl } = this.loaded;
    this.server = server.replace(/\/$/, '');
    this.namespace = namespace;
    this.proxyUrl = proxyUrl;
  }

  public access(): Access | Promise<Access> {
    if (this.current && this.clock.monotonic() < this.due) {
      return this.current;
    }
    // Many requests may find them due at once: one renewal serves all.
    this.pending ??= this.renew().finally(() => {
      this.pending = undefined;
    });
    return this.pending;
  }

  public reject(access: Access): void {
    if (access === this.current) {
      // A plugin's own cache would give the same again: only a fresh configuration asks it anew.
      this.loaded = this.load();
      this.current = undefined;
    }
  }

  private async renew(): Promise<Access> {
    try {
      this.current = await this.loaded.access();
    } catch (error) {
      throw new CredentialsError(this.server, error);
    }
    this.due = this.clock.monotonic() + REFRESH_MS;
    return this.current;
  }
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
/** Ports on which an API server speaks plain HTTP. */
const PLAIN_PORTS: readonly unknown[] = ['80', '8080', '8001'];

/** The API server and ServiceAccount of the pod, as the kubelet gives them. */
function inCluster({ KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port }: NodeJS.ProcessEnv): Loaded {
  const namespace = join(SERVICE_ACCOUNT, 'namespace');
  const fields = { 'certificate-authority': join(SERVICE_ACCOUNT, 'ca.crt') };
  return {
    server: `${PLAIN_PORTS.includes(port) ? 'http' : 'https'}://${isIPv6(host) ? `[${host}]` : host}:${port}`,
    ...(existsSync(namespace) ? { namespace: readFileSync(namespace, 'utf8') } : {}),
    access: () => staticAccess(fields, { tokenFile: join(SERVICE_ACCOUNT, 'token') }),
  };
}

/** Credentials that are in the kubeconfig or in files that it names. */
function staticAccess(cluster: Fields, user: Fields): Access {
  const read = (fields: Fields, name: string) => (fields[name] ? readFileSync(fields[name]) : fields[`${name}-data`] ? Buffer.from(fields[`${name}-data`], 'base64') : undefined);
  const token: string | undefined = user.tokenFile ? readFileSync(user.tokenFile, 'utf8').trim() : user.token;
  const authorization = user.username ? basicAuthorization(`${user.username}:${user.password}`) : token && `Bearer ${token}`;
  return {
    headers: { ...impersonation(user), ...(authorization ? { authorization } : {}) },
    tls: definedOnly({
      ca: read(cluster, 'certificate-authority'),
      cert: read(user, 'client-certificate'),
      key: read(user, 'client-key'),
      servername: cluster['tls-server-name'] || undefined,
      rejectUnauthorized: cluster['insecure-skip-tls-verify'] ? false : undefined,
    }),
  };
}

function usesPlugin(user: Fields): boolean {
  return Boolean(user.exec || user['auth-provider']);
}

/** client-node knows how to ask plugins. It is imported only for them: it would be most of what a program loads when it starts. */
function pluginAccess(cluster: Fields, user: Fields): () => Promise<Access> {
  let plugin: Promise<Plugin> | undefined;
  return async () => {
    plugin ??= import('./plugin.js').then(module => new module.Plugin(cluster, user));
    return (await plugin).access();
  };
}

/** Merges files as kubectl does: of two entries with one name the first counts, and so does the first current context. */
function fromFiles(files: readonly string[], context?: string): Loaded {
  const merged = { 'clusters': new Map<string, any>(), 'users': new Map<string, any>(), 'contexts': new Map<string, any>(), 'current-context': context ?? '' };
  for (const file of files) {
    const document = read(file);
    for (const list of ['clusters', 'users', 'contexts'] as const) {
      for (const entry of entriesOf(document, list, file)) {
        if (!merged[list].has(entry.name)) {
          merged[list].set(entry.name, entry);
        }
      }
    }
    merged['current-context'] ||= document['current-context'] ?? '';
  }
  const name = merged['current-context'];
  const where = files.join(delimiter);
  if (!name) {
    throw new KubeconfigError(`${where} has no current context: set current-context in it, or name a context`);
  }
  const find = (list: List, wanted: string, required?: string): Fields => {
    const [entry, field] = [merged[list].get(wanted), FIELDS[list]];
    if (!entry) {
      const names = [...merged[list].keys()].join(', ');
      throw new KubeconfigError(`${where} has no ${field} "${wanted}"${names ? ` (it has ${names})` : ''}: correct the context or choose another one`);
    }
    const value = entry[field] ?? {};
    const missing = !isMap(value) ? field : required !== undefined && typeof value[required] !== 'string' ? `${field}.${required}` : undefined;
    if (missing !== undefined) {
      throw new KubeconfigError(`${where}: "${wanted}" in ${list} has no ${missing}: add it, or choose another context`);
    }
    return value;
  };
  const chosen = find('contexts', name, 'cluster');
  const cluster = find('clusters', chosen.cluster, 'server');
  const user = find('users', chosen.user);
  const { server, 'proxy-url': proxyUrl } = cluster;
  const { namespace } = chosen;
  const access = usesPlugin(user) ? pluginAccess(cluster, user) : () => staticAccess(cluster, user);
  return { server, ...definedOnly({ namespace, proxyUrl }), access };
}

/** Reads one file: paths in it are relative to it. */
function read(file: string): Document {
  const document = parse(file);
  const absolute = (fields: Fields, key: string) => {
    if (typeof fields[key] === 'string' && !isAbsolute(fields[key])) {
      fields[key] = join(dirname(file), fields[key]);
    }
  };
  const fieldsOf = (list: List) => entriesOf(document, list, file).map(entry => entry[FIELDS[list]]).filter(isMap) as Fields[];
  for (const cluster of fieldsOf('clusters')) {
    absolute(cluster, 'certificate-authority');
  }
  for (const user of fieldsOf('users')) {
    absolute(user, 'client-certificate');
    absolute(user, 'client-key');
    absolute(user, 'tokenFile');
    if (user.exec?.command?.includes('/')) {
      absolute(user.exec, 'command');
    }
  }
  return document;
}

function parse(file: string): Document {
  let document: unknown;
  try {
    document = loadYaml(readFileSync(file, 'utf8')) ?? {};
  } catch (error) {
    // Only the first line: the others would show what is in the file, and that may be a token.
    const [reason] = (error as Error).message.split('\n');
    throw new KubeconfigError(`the kubeconfig "${file}" cannot be read: ${reason}: correct the file, or name another one`, { cause: error });
  }
  if (typeof document !== 'object' || Array.isArray(document)) {
    throw new KubeconfigError(`the kubeconfig "${file}" is not a map of clusters, users and contexts: correct the file, or name another one`);
  }
  return document as Document;
}

/** The named entries of a list. Entries that are incomplete matter only where they are used. */
function entriesOf(document: Document, list: List, file: string): Entry[] {
  const entries: unknown = document[list] ?? [];
  if (!Array.isArray(entries)) {
    throw new KubeconfigError(`${list} of the kubeconfig "${file}" is no list of entries with "name" and "${FIELDS[list]}": correct the file, or name another one`);
  }
  return entries.filter((entry): entry is Entry => isMap(entry) && typeof entry.name === 'string');
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
