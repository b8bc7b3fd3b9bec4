import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ProvidedCluster as Description } from './binaries.js';
import { isInstalled, installedPath } from './cache.js';
import { Cluster } from './cluster.js';
import { type Connection, readKubeconfig } from './kubeconfig.js';
import { program } from './programs.js';

/**
 * A cluster that `AGENT_SANDBOX_TEST_KUBECONFIG` provides. Identities other than the administrator are
 * impersonated, so the kubeconfig's user needs the right to do that.
 */
export class ProvidedCluster extends Cluster {
  public static connect(description: Description): ProvidedCluster {
    const { connection, namespace } = readKubeconfig(description.kubeconfig);
    return new ProvidedCluster(connection, namespace, description.allowsClusterWrites, mkdtempSync(join(tmpdir(), 'agent-sandbox-kubeconfigs-')));
  }

  public readonly kubectlPath: string;

  private constructor(
    connection: Connection, private readonly namespace: string | undefined, allowsClusterWrites: boolean, private readonly dir: string,
  ) {
    super(connection, dir, allowsClusterWrites);
    this.kubectlPath = isInstalled(program('kubectl')) ? installedPath(program('kubectl')) : 'kubectl';
  }

  /** A new namespace if cluster-scoped writes are allowed, else the one of the kubeconfig's context, which suites then share. */
  public override async createNamespace(prefix: string, labels: Readonly<Record<string, string>> = {}): Promise<string> {
    if (this.allowsClusterWrites || !this.namespace) {
      return super.createNamespace(prefix, labels);
    }
    return this.namespace;
  }

  public override async deleteNamespace(name: string): Promise<void> {
    if (name !== this.namespace) {
      await super.deleteNamespace(name);
    }
  }

  public override async close(): Promise<void> {
    await super.close();
    rmSync(this.dir, { recursive: true, force: true });
  }

  protected async credentials(user: string, groups: readonly string[]): Promise<Partial<Connection>> {
    const { cert, key, token } = this.connection;
    return { cert, key, token, impersonate: { user, groups } };
  }

  protected givesServiceAccounts(): boolean {
    return true;
  }
}
