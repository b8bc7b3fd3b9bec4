import type { KubeObject, Resource } from 'agent-sandbox-api';
import { type WaitOptions, waitFor } from '../../../testbed/src/wait.js';
import { Cluster, type ClusterOptions } from '../src/cluster.js';
import { staticCredentials } from '../src/credentials.js';
import type { FakeApiServer } from './fake-api-server.js';

export interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}

export const CONFIG_MAPS: Resource<ConfigMap> = { group: '', version: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true };

/** Where the fake keeps them. */
export const COLLECTION = '/api/v1/configmaps';

export function configMap(namespace: string, name: string, data: Record<string, string> = {}, labels?: Record<string, string>) {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name, labels }, data };
}

/** A connection to the fake. Jitter is off, so that pauses are known. */
export function clusterOf(server: FakeApiServer, options: Partial<ClusterOptions> = {}): Cluster {
  return new Cluster({ credentials: staticCredentials({ server: server.url }), userAgent: 'test/1.0', random: () => 0, ...options });
}

/** Waits for a condition, with a deadline. */
export function eventually<T>(what: string, attempt: () => T | Promise<T>, options: Partial<WaitOptions> = {}): Promise<NonNullable<T>> {
  return waitFor(attempt, { what, intervalMs: 2, timeoutMs: 10_000, ...options });
}
