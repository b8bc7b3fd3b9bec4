import { isIP } from 'node:net';
import { type KubeObject, type Resource, keyOf } from 'agent-sandbox-api';
import { type Cluster, backoffMs, isNotFound, sleep } from 'agent-sandbox-kube';
import type { Agent } from 'undici';
import { withDeadline } from '../deadline.js';
import { SandboxGatewayError, SandboxInputError } from '../errors.js';
import { urlHost } from '../pod-address.js';
import { type Connection, type ConnectionPlan, type Route, type Target, type TlsOptions, isPrivateOrigin } from './connection.js';
import { agentOf } from './direct.js';

export interface GatewayOptions {
  /** Name of the Gateway (`gateway.networking.k8s.io/v1`) that leads to the router. */
  readonly name: string;
  /** @default default */
  readonly namespace?: string;
  /** @default http */
  readonly scheme?: 'http' | 'https';
  /** @default - 80, or 443 with https */
  readonly port?: number;
  /** For `https` only. @default - the authorities that Node trusts */
  readonly tls?: TlsOptions;
  /** Milliseconds to wait for an address. @default 180000 */
  readonly readyTimeoutMs?: number;
}

interface Gateway extends KubeObject {
  status?: { addresses?: { value?: string }[] };
}

const GATEWAYS: Resource<Gateway> = {
  group: 'gateway.networking.k8s.io', version: 'v1', kind: 'Gateway', plural: 'gateways', namespaced: true,
};
const POLL = { baseMs: 250, maxMs: 5_000, jitter: 0.25 };

/** Through a Gateway whose address is read from the API. */
export function gateway(options: GatewayOptions): ConnectionPlan {
  if (options.tls && options.scheme !== 'https') {
    throw new SandboxInputError('tls has no effect on http', { remedy: 'set scheme to https, or leave tls out' });
  }
  return { mode: 'gateway', open: cluster => new GatewayConnection(cluster, options) };
}

class GatewayConnection implements Connection {
  private readonly agent: Agent;
  private origin?: string;

  constructor(private readonly cluster: () => Cluster, private readonly options: GatewayOptions) {
    this.agent = agentOf(options.tls);
  }

  public async route(_target: Target, signal: AbortSignal): Promise<Route> {
    this.origin ??= await this.discover(signal);
    return { origin: this.origin, prefix: '', dispatcher: this.agent, viaRouter: true, isPrivate: isPrivateOrigin(this.origin) };
  }

  public forget(): void {
    this.origin = undefined;
  }

  public async close(): Promise<void> {
    await this.agent.destroy();
  }

  private async discover(caller: AbortSignal): Promise<string> {
    const { name, namespace = 'default', scheme = 'http', port, readyTimeoutMs = 180_000 } = this.options;
    const key = keyOf({ namespace, name });
    let seen = 'it has no address yet';
    const timedOut = () => new SandboxGatewayError(`Gateway ${key}: ${seen}, after ${readyTimeoutMs} ms`, {
      remedy: 'see the conditions of the Gateway',
    });
    return withDeadline(readyTimeoutMs, caller, timedOut, async signal => {
      const cluster = this.cluster();
      for (let attempt = 1; ; attempt++) {
        const found = await cluster.request<Gateway>({ verb: 'get', resource: GATEWAYS, namespace, name }, { signal }).catch(error => {
          throw isNotFound(error) ? new SandboxGatewayError(`Gateway ${key} does not exist`, { remedy: 'create it, or name another one', cause: error }) : error;
        });
        const values = (found.status?.addresses ?? []).map(({ value = '' }) => value);
        const host = values.find(isGatewayHost);
        if (host) {
          return `${scheme}://${urlHost(host)}${port === undefined ? '' : `:${port}`}`;
        }
        seen = values.length > 0 ? `none of its addresses can be used (${values.join(', ').slice(0, 200)})` : 'it has no address yet';
        await sleep(cluster.clock, backoffMs(POLL, attempt, cluster.random), signal);
      }
    });
  }
}

/**
 * Whether a text is a host and nothing else: an address, or a DNS name of at most 253 characters whose last label is no number, since
 * resolvers and URLs take such names for addresses (`0x7f.1` is 127.0.0.1).
 */
export function isGatewayHost(text: string): boolean {
  if (isIP(text) !== 0) {
    return !text.includes('%');
  }
  const labels = text.split('.');
  return text.length > 0 && text.length <= 253
    && labels.every(label => /^[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?$/.test(label))
    && !/^([0-9]+|0[xX][0-9a-fA-F]*)$/.test(labels.at(-1)!);
}
