import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ApiClient } from './api-client.js';
import { installCrds } from './crds.js';
import { type Connection, type Identity, type Kubeconfig, type ServiceAccountIdentity, kubeconfigText, parseServiceAccount, subjectOf } from './kubeconfig.js';
import { type CommandResult, run } from './processes.js';
import { waitFor } from './wait.js';

export type { CommandResult } from './processes.js';

export interface KubectlOptions {
  /** @default admin */
  readonly as?: Identity;
  /** Standard input, for `-f -`. */
  readonly input?: string;
  /** Returns a failure instead of throwing it. @default false */
  readonly allowFailure?: boolean;
}

/** A cluster that tests talk to: their own control plane or a provided one. */
export abstract class Cluster {
  private readonly kubeconfigs = new Map<string, Promise<Kubeconfig>>();
  private readonly clients = new Map<string, Promise<ApiClient>>();
  private namespaces = 0;

  /** Client with the rights of an administrator. */
  public readonly admin: ApiClient;

  protected constructor(
    /** How an administrator reaches it. */
    public readonly connection: Connection,
    /** Folder for kubeconfigs. */
    private readonly kubeconfigDir: string,
    /** Whether tests may write cluster-scoped objects: Namespaces, CRDs, ClusterRoles, Nodes. */
    public readonly allowsClusterWrites: boolean,
  ) {
    this.admin = new ApiClient(connection);
  }

  /** Path of a kubectl that fits the server. */
  public abstract readonly kubectlPath: string;

  /** Credentials of a user that is not a ServiceAccount with a token. */
  protected abstract credentials(user: string, groups: readonly string[]): Promise<Partial<Connection>>;

  /** A kubeconfig file with the credentials of an identity, for a program, kubectl or client-node. The same identity gets the same file. */
  public kubeconfig(identity: Identity = 'admin'): Promise<Kubeconfig> {
    return remember(this.kubeconfigs, JSON.stringify(identity), () => this.makeKubeconfig(identity));
  }

  /** A client with the credentials of an identity. The same identity gets the same client. */
  public client(identity: Identity): Promise<ApiClient> {
    return identity === 'admin'
      ? Promise.resolve(this.admin)
      : remember(this.clients, JSON.stringify(identity), async () => new ApiClient((await this.kubeconfig(identity)).connection));
  }

  /** Runs kubectl. Throws with its error output if it fails, unless `allowFailure`. */
  public async kubectl(args: readonly string[], options: KubectlOptions = {}): Promise<CommandResult> {
    const { path } = await this.kubeconfig(options.as);
    return run(this.kubectlPath, args, {
      env: { PATH: process.env.PATH, HOME: this.kubeconfigDir, KUBECONFIG: path, KUBECACHEDIR: join(this.kubeconfigDir, 'cache') },
      input: options.input,
      allowFailure: options.allowFailure,
    });
  }

  /**
   * Creates a namespace whose name begins with `prefix` (lower-case letters, digits and dashes; shortened to 40) and waits until
   * pods can be created in it, if a controller manager gives it its ServiceAccount. Throws if the cluster does not allow
   * cluster-scoped writes.
   */
  public async createNamespace(prefix: string, labels: Readonly<Record<string, string>> = {}): Promise<string> {
    this.assertClusterWrites('create Namespaces');
    const clean = prefix.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-+/, '').slice(0, 40).replace(/-+$/, '') || 'test';
    const name = `${clean}-${process.pid.toString(36)}-${(this.namespaces++).toString(36)}-${Math.random().toString(36).slice(2, 6)}`;
    await this.admin.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
    if (this.givesServiceAccounts()) {
      await waitFor(() => this.admin.get({ apiVersion: 'v1', kind: 'ServiceAccount', namespace: name, name: 'default' }), {
        what: `the default ServiceAccount of ${name}`,
      });
    }
    return name;
  }

  /** Deletes a namespace without waiting until it is empty; one that does not exist is fine. */
  public async deleteNamespace(name: string): Promise<void> {
    await this.admin.delete({ apiVersion: 'v1', kind: 'Namespace', name });
  }

  /**
   * Applies the CustomResourceDefinitions of YAML files or folders and waits until the server serves them. Returns their names.
   * Throws if the cluster does not allow cluster-scoped writes.
   */
  public async installCrds(...paths: string[]): Promise<string[]> {
    this.assertClusterWrites('install CustomResourceDefinitions');
    return installCrds(this.admin, paths);
  }

  /** Closes the connections of the clients it handed out. */
  public async close(): Promise<void> {
    const clients = await Promise.all([this.admin, ...this.clients.values()]);
    await Promise.all(clients.map(client => client.close()));
  }

  /** Whether a controller manager runs. */
  protected abstract givesServiceAccounts(): boolean;

  private assertClusterWrites(action: string): void {
    if (!this.allowsClusterWrites) {
      throw new Error(`tests may write namespaced objects only in this cluster: set AGENT_SANDBOX_TEST_ALLOW_CLUSTER_WRITES=1 if they may ${action}`);
    }
  }

  private async makeKubeconfig(identity: Identity): Promise<Kubeconfig> {
    const { user, groups } = subjectOf(identity);
    const connection = await this.connectionOf(identity, user, groups);
    const hash = createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 8);
    const path = join(this.kubeconfigDir, `${user.replace(/[^A-Za-z0-9.-]+/g, '-')}-${hash}.yaml`);
    await mkdir(this.kubeconfigDir, { recursive: true, mode: 0o700 });
    await writeFile(path, kubeconfigText(connection, user), { mode: 0o600 });
    return { path, user, connection };
  }

  private async connectionOf(identity: Identity, user: string, groups: readonly string[]): Promise<Connection> {
    if (identity === 'admin') {
      return this.connection;
    }
    const { server, ca } = this.connection;
    if ('serviceAccount' in identity && identity.token) {
      return { server, ca, token: await this.requestToken(identity) };
    }
    return { server, ca, ...await this.credentials(user, groups) };
  }

  private async requestToken(identity: ServiceAccountIdentity): Promise<string> {
    const { namespace, name } = parseServiceAccount(identity.serviceAccount);
    const { body } = await this.admin.request('POST', `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`, {
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { audiences: identity.audiences, expirationSeconds: 3600 } },
    });
    return body.status.token;
  }
}

/** Value of a key, made on first use; a failure is not remembered. */
function remember<T>(cache: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  let value = cache.get(key);
  if (!value) {
    value = make();
    cache.set(key, value);
    value.catch(() => cache.delete(key));
  }
  return value;
}
