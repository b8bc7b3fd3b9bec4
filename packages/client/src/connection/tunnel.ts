import type { Duplex } from 'node:stream';
import { type KubeObject, type ObjectRef, PODS, ROUTER, type Resource, keyOf } from 'agent-sandbox-api';
import { ApiError, type Cluster, Reader, isNotFound, isSituation } from 'agent-sandbox-kube';
import { Agent } from 'undici';
import { SandboxTunnelError } from '../errors.js';
import type { Connection, ConnectionPlan, Route, Target } from './connection.js';
import { portForward } from './port-forward.js';

export interface TunnelOptions {
  /**
   * Namespace of the router. @default - `agent-sandbox-system`, and if there is no router, that of the sandbox
   */
  readonly routerNamespace?: string;
  /** Name of the router's Service. @default sandbox-router-svc */
  readonly routerService?: string;
  /** Milliseconds in which a connection through the API server must come about. @default 30000 */
  readonly readyTimeoutMs?: number;
}

interface EndpointSlice extends KubeObject {
  endpoints?: { conditions?: { ready?: boolean }; targetRef?: { kind?: string; name?: string; namespace?: string } }[] | null;
  ports?: { name?: string; port?: number }[] | null;
}

const ENDPOINT_SLICES: Resource<EndpointSlice> = {
  group: 'discovery.k8s.io', version: 'v1', kind: 'EndpointSlice', plural: 'endpointslices', namespaced: true,
};
const ROUTER_PORT = 8080;
/** The name is never resolved: the dispatcher knows where its connections lead. */
const ORIGIN = 'http://sandbox-router.tunnel';
/** Connections at a time; each is a WebSocket to the API server. */
const CONNECTIONS = 32;
/** Milliseconds that an idle one is kept. */
const KEEP_ALIVE_MS = 30_000;

/** Through the API server to a Pod of the router, as `kubectl port-forward` does, but without kubectl and without a local port. */
export function tunnel(options: TunnelOptions = {}): ConnectionPlan {
  return { mode: 'tunnel', open: cluster => new TunnelConnection(cluster, options) };
}

/** A Pod of the router and the port that it listens on. */
interface Endpoint extends ObjectRef {
  readonly port: number;
}

class TunnelConnection implements Connection {
  /** One set of connections for each namespace in which a router is looked for. */
  private readonly tunnels = new Map<string, RouterTunnel>();

  constructor(private readonly cluster: () => Cluster, private readonly options: TunnelOptions) {}

  public async route({ namespace }: Target): Promise<Route> {
    return { origin: ORIGIN, prefix: '', dispatcher: this.tunnel(namespace).agent, viaRouter: true, isPrivate: true };
  }

  public prepare(namespace: string): void {
    if (this.tunnels.size === 0) {
      this.tunnel(namespace).prepare();
    }
  }

  private tunnel(namespace: string): RouterTunnel {
    const { routerNamespace } = this.options;
    const namespaces = routerNamespace ? [routerNamespace] : [...new Set([ROUTER.namespace, namespace])];
    const key = namespaces.join();
    let found = this.tunnels.get(key);
    if (!found) {
      this.tunnels.set(key, found = new RouterTunnel(this.cluster(), namespaces, this.options));
    }
    return found;
  }

  public forget(): void {
    this.tunnels.forEach(each => each.forget());
  }

  public async close(): Promise<void> {
    await Promise.all([...this.tunnels.values()].map(each => each.close()));
  }
}

/** Connections to the router. Each is made when it is needed, so a tunnel that broke needs no repair. */
class RouterTunnel {
  public readonly agent: Agent;
  private endpoint?: Promise<Endpoint>;
  /** Whether a router was ever seen there, ready or not: then it is worth waiting for. */
  private isKnown = false;
  private readonly closing = new AbortController();

  constructor(private readonly cluster: Cluster, private readonly namespaces: readonly string[], private readonly options: TunnelOptions) {
    this.agent = new Agent({
      connections: CONNECTIONS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: (_, callback) => {
        // undici wants a net.Socket, but uses nothing that other duplex streams lack.
        this.connect().then(stream => callback(null, stream as any), error => callback(error, null));
      },
    });
  }

  public forget(): void {
    this.endpoint = undefined;
  }

  /** Finds the router and makes one connection, which is kept for the first request. */
  public prepare(): void {
    this.agent.request({ origin: ORIGIN, path: '/healthz', method: 'GET' }).then(({ body }) => body.dump()).catch(() => undefined);
  }

  public async close(): Promise<void> {
    this.closing.abort(new SandboxTunnelError('the tunnel was closed', false));
    await this.agent.destroy();
  }

  private async connect(): Promise<Duplex> {
    const timeoutMs = this.options.readyTimeoutMs ?? 30_000;
    const signal = AbortSignal.any([this.closing.signal, AbortSignal.timeout(Math.max(timeoutMs, 1))]);
    const remembered = this.endpoint;
    try {
      return await this.dial(signal);
    } catch (error) {
      if (!remembered || signal.aborted) {
        throw this.explain(error, signal, timeoutMs);
      }
    }
    // The Pod that we knew may have been replaced since.
    try {
      this.forget();
      return await this.dial(signal);
    } catch (error) {
      throw this.explain(error, signal, timeoutMs);
    }
  }

  private async dial(signal: AbortSignal): Promise<Duplex> {
    const pending = this.endpoint ??= this.discover(signal);
    try {
      const endpoint = await pending;
      return await portForward(this.cluster, endpoint, endpoint.port, signal);
    } catch (error) {
      if (this.endpoint === pending) {
        this.forget();
      }
      throw error;
    }
  }

  private async discover(signal: AbortSignal): Promise<Endpoint> {
    for (const namespace of this.namespaces) {
      const found = await this.fromSlices(namespace, signal).catch(error => {
        if (isSituation(error, 'forbidden')) {
          return this.fromPods(namespace, signal);
        }
        throw error;
      });
      if (found) {
        return found;
      }
    }
    const where = `Service ${this.service} in namespace ${this.namespaces.join(' or ')}`;
    throw this.isKnown
      ? new SandboxTunnelError(`no router is ready behind ${where}`, false, { reason: 'RouterNotReady', remedy: 'see whether its Pods are Ready' })
      : new SandboxTunnelError(`there is no router behind ${where}`, false, { reason: 'RouterNotFound', remedy: 'install the router there, or set routerNamespace' });
  }

  private get service(): string {
    return this.options.routerService ?? ROUTER.service;
  }

  private async fromSlices(namespace: string, signal: AbortSignal): Promise<Endpoint | undefined> {
    const slices: EndpointSlice[] = await new Reader(this.cluster).list(ENDPOINT_SLICES, { namespace, labelSelector: `kubernetes.io/service-name=${this.service}`, signal });
    this.isKnown ||= slices.length > 0;
    const endpoints = slices.flatMap(({ endpoints: all, ports }) => (all ?? [])
      .filter(({ conditions, targetRef }) => conditions?.ready !== false && targetRef?.kind === 'Pod' && targetRef.name)
      .map(({ targetRef }) => ({ namespace: targetRef!.namespace ?? namespace, name: targetRef!.name!, port: plainPort(ports ?? []) })));
    return this.pick(endpoints);
  }

  /** For callers that may not list EndpointSlices: Pods with the label of the router's Pods. */
  private async fromPods(namespace: string, signal: AbortSignal): Promise<Endpoint | undefined> {
    const pods = await new Reader(this.cluster).list(PODS, { namespace, labelSelector: `app=${ROUTER.labels.app}`, signal });
    this.isKnown ||= pods.length > 0;
    return this.pick(pods
      .filter(({ metadata, status }) => !metadata.deletionTimestamp && status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True'))
      .map(({ metadata }) => ({ namespace, name: metadata.name!, port: ROUTER_PORT })));
  }

  /** Any of them: several clients spread over several routers. */
  private pick(endpoints: readonly Endpoint[]): Endpoint | undefined {
    return endpoints[Math.floor(this.cluster.random() * endpoints.length)];
  }

  private explain(error: unknown, signal: AbortSignal, timeoutMs: number): Error {
    if (error instanceof SandboxTunnelError) {
      return error;
    }
    if (this.closing.signal.aborted) {
      return this.closing.signal.reason;
    }
    const where = `tunnel to Service ${keyOf({ namespace: this.namespaces[0], name: this.service })}`;
    if (signal.aborted) {
      return new SandboxTunnelError(`${where}: no connection within ${timeoutMs} ms`, false, { remedy: 'see whether the router\'s Pods are Ready', cause: error });
    }
    return new SandboxTunnelError(`${where}: ${error instanceof Error ? error.message : String(error)}`, false, {
      cause: error, remedy: remedyOf(error), reason: error instanceof ApiError && isSituation(error, 'forbidden', 'unauthorized') ? 'Forbidden' : undefined,
    });
  }
}

/** The port without TLS: inside the tunnel the API server encrypts. */
function plainPort(ports: readonly { name?: string; port?: number }[]): number {
  const found = ports.find(({ port }) => port === ROUTER_PORT) ?? ports.find(({ name }) => name === 'http' || name === 'proxy') ?? ports[0];
  return found?.port ?? ROUTER_PORT;
}

function remedyOf(error: unknown): string | undefined {
  if (!(error instanceof ApiError)) {
    return undefined;
  }
  if (isSituation(error, 'forbidden')) {
    return 'get the right to get and create pods/portforward and to list endpointslices in that namespace';
  }
  return isNotFound(error) ? 'see whether the router\'s Pods are Ready' : undefined;
}
