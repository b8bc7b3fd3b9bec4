import { KubeConfig } from '@kubernetes/client-node';
import type { Access, TlsMaterial } from './credentials.js';
import { type Fields, basicAuthorization, impersonation } from './kubeconfig-fields.js';

/** Credentials of a plugin or a provider that a kubeconfig names. This module loads client-node: import it dynamically. */
export class Plugin {
  private readonly config = new KubeConfig();

  constructor(cluster: Fields, private readonly user: Fields) {
    this.config.loadFromString(JSON.stringify({
      'clusters': [{
        name: 'cluster',
        // There is no TLS to verify in plain HTTP, but client-node refuses it unless verification is off.
        cluster: String(cluster.server).startsWith('http:') ? { ...cluster, 'insecure-skip-tls-verify': true } : cluster,
      }],
      'users': [{ name: 'user', user }],
      'contexts': [{ name: 'context', context: { cluster: 'cluster', user: 'user' } }],
      'current-context': 'context',
    }));
  }

  /** Asks the plugin, or answers with what it said while that is valid. */
  public async access(): Promise<Access> {
    const options: Fields = { headers: {} };
    await this.config.applyToHTTPSOptions(options);
    const headers = impersonation(this.user);
    for (const [name, value] of Object.entries<any>(options.headers)) {
      headers[name.toLowerCase()] = typeof value === 'string' ? value.trim() : value;
    }
    if (options.auth) {
      headers.authorization = basicAuthorization(options.auth);
    }
    const { ca, cert, key, servername, rejectUnauthorized } = options as TlsMaterial;
    return { headers, tls: { ca, cert, key, servername, rejectUnauthorized } };
  }
}
