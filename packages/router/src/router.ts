import { definedOnly } from 'agent-sandbox-api';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { Writer, type Cluster, type InformerMetrics, type Logger } from 'agent-sandbox-kube';
import { accessLogFields, type WriteLine } from './access-log.js';
import { Admission } from './admission.js';
import { send } from './respond.js';
import { AccessReviews } from './auth/access.js';
import { authenticationOf } from './auth/methods.js';
import type { Oidc } from './browser/oidc.js';
import { browserOf } from './browser/setup.js';
import { Cors } from './cors.js';
import type { Flags } from './flags.js';
import { outsideOf, type Outside } from './forwarded.js';
import { Counts, RateLimits } from './limits.js';
import { Listeners } from './listeners.js';
import type { Metrics } from './metrics.js';
import { Proxy, refuse } from './proxy.js';
import { pathOf, type RequestRecord } from './record.js';
import type { RestApi } from './rest/index.js';
import { Resume } from './resume.js';
import { Targets } from './targets.js';
import type { Tracing } from './tracing.js';
import { Upgrades } from './upgrades.js';
import { Upstreams } from './upstreams.js';

/** Milliseconds for the first lists of Sandboxes and Pods. */
const SYNC_TIMEOUT_MS = 60_000;
/** Milliseconds before the end of the shutdown timeout at which upgraded connections get a close frame. */
const FAREWELL_MS = 2_000;

export interface RouterOptions {
  readonly flags: Flags;
  readonly cluster: Cluster;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** @default - no access log */
  readonly accessLog?: WriteLine;
  /** @default - no traces */
  readonly tracing?: Tracing;
}

/** One process of the router: caches, listeners, and the way in between. */
export class Router {
  private readonly targets: Targets;
  private readonly upstreams: Upstreams;
  private readonly admission: Admission;
  private readonly proxy: Proxy;
  private readonly upgrades: Upgrades;
  private readonly cors: Cors;
  private readonly listeners: Listeners;
  private readonly oidc: Oidc | undefined;
  private readonly access: AccessReviews;
  private readonly informerMetrics: InformerMetrics;
  private rest?: RestApi;
  private readonly closeAuthentication: () => void;
  private readonly stop = new AbortController();
  private watching?: Promise<unknown>;
  private isDraining = false;
  private inflight = 0;
  private onIdle?: () => void;

  /** Throws if a file that the flags name is invalid. */
  constructor(private readonly options: RouterOptions) {
    const { flags, cluster, logger, metrics, tracing } = options;
    const allowLoopback = flags.allowLoopbackPodIp;
    metrics.observeInflight(() => this.inflight);
    if (allowLoopback) {
      logger.warn({}, 'FOR TESTS ONLY: Pods whose address is on loopback are reached (--allow-loopback-pod-ip)');
    }
    this.informerMetrics = metrics.informers();
    this.targets = new Targets({
      cluster, allowLoopback, namespaces: flags.cacheNamespace, additionalPorts: flags.additionalPorts, metrics: this.informerMetrics,
    });
    this.upstreams = new Upstreams(flags.upstreamConnectTimeout);
    this.targets.onGone(podUid => this.upstreams.forget(podUid));
    this.access = new AccessReviews({ cluster, logger, accessTtlMs: flags.authzAccessTtl, cacheSize: flags.authzTokenreviewCacheSize });
    const { authentication, close } = authenticationOf(flags, cluster, logger, this.access);
    const browser = browserOf(flags, authentication, this.access, logger);
    this.oidc = browser?.oidc;
    this.closeAuthentication = () => {
      close();
      browser?.close();
    };
    const writer = this.targets.connect(new Writer(cluster, { fieldManager: 'agent-sandbox-router' }));
    this.admission = new Admission({
      authentication, targets: this.targets, allowLoopback,
      rates: new RateLimits(flags.rateLimit, flags.rateLimitBurst),
      allowHttpTokens: flags.allowHttpTokens,
      timeoutMs: flags.proxyTimeout,
      ...definedOnly({
        browser: browser?.browser,
        traceHeaders: tracing && ((record: RequestRecord) => tracing.headersOf(record)),
      }),
      ...(flags.resumeOnRequest ? { resume: new Resume({ targets: this.targets, writer, timeoutMs: flags.resumeTimeout, logger }) } : {}),
    });
    const retries = { max: flags.upstreamMaxRetries, initialDelayMs: flags.upstreamRetryInitialDelay, maxDelayMs: flags.upstreamRetryMaxDelay };
    const onRetry = (record: RequestRecord) => metrics.retried(this.label(record));
    this.proxy = new Proxy({
      admission: this.admission, upstreams: this.upstreams, retries, onRetry,
      requests: new Counts(flags.maxRequestsPerCaller),
      maxBodyBytes: flags.maxRequestBodyBytes,
      outliveToken: flags.websocketOutliveToken,
    });
    this.upgrades = new Upgrades({
      admission: this.admission, retries, onRetry,
      connections: new Counts(flags.websocketMaxConnectionsPerClient),
      connectTimeoutMs: flags.upstreamConnectTimeout,
      outliveToken: flags.websocketOutliveToken,
      limits: { idleMs: flags.websocketIdleTimeout, lifetimeMs: flags.websocketMaxLifetime, maxMessageBytes: flags.websocketMaxMessageBytes },
      plain: (request, response, isEncrypted, record) => this.proxy.handle(request, response, isEncrypted, record),
    });
    this.cors = new Cors(flags.corsAllowedOrigins);
    this.listeners = new Listeners({
      httpAddress: flags.httpBindAddress,
      httpsAddress: flags.httpsBindAddress,
      ...(flags.tlsCertFile !== undefined && flags.tlsKeyFile !== undefined ? { tls: {
        certFile: flags.tlsCertFile, keyFile: flags.tlsKeyFile, mtls: flags.mtlsMode, onReload: (success: boolean) => metrics.reloaded(success),
        ...definedOnly({ clientCaFile: flags.tlsClientCaFile }),
      } } : {}),
      maxHeaderBytes: flags.maxHeaderBytes,
      readHeaderTimeoutMs: flags.readHeaderTimeout,
      idleTimeoutMs: flags.idleTimeout,
      maxConnections: flags.maxConnections,
      maxConnectionsPerClient: flags.maxConnectionsPerClient,
      trustedProxies: flags.trustedProxyCidrs,
      logger,
      onRequest: (request, response, isEncrypted) => this.onRequest(request, response, isEncrypted),
      onUpgrade: (request, socket, head, isEncrypted) => this.onUpgrade(request, socket, head, isEncrypted),
    });
  }

  /** Fills the caches, then binds the ports. Rejects if either fails. */
  public async start(): Promise<void> {
    const { signal } = this.stop;
    this.rest = await this.restApi();
    this.watching = Promise.all([this.targets.run(signal), this.rest?.run(signal)]);
    await Promise.all([this.targets.waitForSync(signal, SYNC_TIMEOUT_MS), this.rest?.waitForSync(signal, SYNC_TIMEOUT_MS)]);
    await this.listeners.bind();
  }

  /** Ports of the listeners, HTTP before HTTPS. */
  public get ports(): number[] {
    return this.listeners.ports;
  }

  /** Takes no more connections, lets requests end for the time that the flags give them, and ends. */
  public async close(timeoutMs: number = this.options.flags.shutdownTimeout): Promise<void> {
    this.isDraining = true;
    const farewell = setTimeout(() => this.upgrades.close('the router shuts down'), Math.max(0, timeoutMs - FAREWELL_MS));
    await Promise.all([this.listeners.close(timeoutMs), this.whenIdle(timeoutMs)]);
    clearTimeout(farewell);
    this.stop.abort();
    this.closeAuthentication();
    await Promise.all([this.watching, this.upstreams.close()]);
  }

  private onRequest(request: IncomingMessage, response: ServerResponse, isEncrypted: boolean): void {
    if (this.isDraining) {
      response.shouldKeepAlive = false;
    }
    const outside = outsideOf(request.headers, request.socket.remoteAddress ?? '', isEncrypted, this.options.flags.trustedProxyCidrs);
    if (pathOf(request.url!) === '/healthz' && !this.isHostRoute(outside)) {
      send(request, response, 200, '{"status":"ok"}');
      return;
    }
    if (this.cors.handle(request, response)) {
      return;
    }
    const record = this.begin(request, outside);
    // Over when the connection has it, not when we have written it.
    response.once('close', () => this.end(record));
    if (this.oidc?.isFor(record.outside, record.path)) {
      void this.oidc.handle(request).then(refusal => refuse(request, response, refusal, record));
      this.count(1);
      return;
    }
    if (this.rest?.isFor(request) && !this.isHostRoute(outside)) {
      void this.rest.handle(request, response, isEncrypted, record);
      this.count(1);
      return;
    }
    void this.proxy.handle(request, response, isEncrypted, record);
    this.count(1);
  }

  /** Loaded only where it is wanted: its checks of requests are a part of the program that others need not evaluate. */
  private async restApi(): Promise<RestApi | undefined> {
    const { flags, cluster, logger } = this.options;
    if (!flags.restApi) {
      return undefined;
    }
    const { RestApi: Api } = await import('./rest/index.js');
    return new Api({
      cluster, logger, admission: this.admission, access: this.access, targets: this.targets, namespaces: flags.cacheNamespace,
      maxRequestsPerCaller: flags.maxRequestsPerCaller, timeoutMs: flags.proxyTimeout, metrics: this.informerMetrics,
    });
  }

  private onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, isEncrypted: boolean): void {
    const outside = outsideOf(request.headers, request.socket.remoteAddress ?? '', isEncrypted, this.options.flags.trustedProxyCidrs);
    const record = this.begin(request, outside);
    this.count(1);
    void this.upgrades.handle(request, socket, head, isEncrypted, record).finally(() => this.end(record));
  }

  /** Whether the whole host is a sandbox's, so that no path of it is the router's. */
  private isHostRoute({ host }: Outside): boolean {
    const { hostRoutingDomain: domain } = this.options.flags;
    return domain !== '' && host?.toLowerCase().replace(/:\d*$/, '').endsWith(`.${domain}`) === true;
  }

  private begin(request: IncomingMessage, outside: Outside): RequestRecord {
    const record: RequestRecord = {
      method: request.method!,
      path: pathOf(request.url!),
      outside,
      userAgent: request.headers['user-agent'],
      startedAt: performance.now(),
      status: 0,
      bytesIn: 0,
      bytesOut: 0,
    };
    this.options.tracing?.begin(record, request.headers);
    return record;
  }

  private end(record: RequestRecord): void {
    const { metrics, accessLog, tracing } = this.options;
    record.status ||= 499;
    const durationMs = performance.now() - record.startedAt;
    metrics.observe(record, this.label(record), durationMs / 1000);
    accessLog?.(accessLogFields(record, durationMs, tracing?.idsOf(record)), 'request');
    tracing?.end(record);
    this.count(-1);
  }

  /** Namespaces become labels only if they exist, for callers can write anything. */
  private label({ namespace }: RequestRecord): string {
    return namespace !== undefined && this.targets.hasNamespace(namespace) ? namespace : '-';
  }

  private count(change: 1 | -1): void {
    this.inflight += change;
    if (this.inflight === 0) {
      this.onIdle?.();
    }
  }

  private whenIdle(timeoutMs: number): Promise<void> {
    return new Promise(resolve => {
      if (this.inflight === 0) {
        resolve();
        return;
      }
      const timer = setTimeout(resolve, timeoutMs);
      this.onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
