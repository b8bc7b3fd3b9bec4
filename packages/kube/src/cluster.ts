import { EventEmitter } from 'node:events';
import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { type Resource, apiVersionOf, definedOnly } from 'agent-sandbox-api';
import { backoffMs } from './backoff.js';
import { type Clock, sleep, systemClock } from './clock.js';
import type { Credentials } from './credentials.js';
import { ApiError, ConnectionError, RequestTimeoutError, type Status, isSituation } from './errors.js';
import { type Logger, silentLogger } from './logger.js';
import type { RequestMetrics } from './metrics.js';
import { RateLimiter } from './rate-limiter.js';
import { type Location, describeLocation, pathOf } from './resource.js';
import { onAbort } from './signals.js';
import { type Purpose, type Route, Transport, type TransportOptions } from './transport.js';

/** Verbs of the API, as in RBAC rules and audit logs. */
export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

const METHODS: Record<Verb, 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'> = {
  get: 'GET', list: 'GET', watch: 'GET', create: 'POST', update: 'PUT', patch: 'PATCH', delete: 'DELETE', deletecollection: 'DELETE',
};

/** A request about objects. */
export interface ResourceTarget extends Location {
  readonly verb: Verb;
  readonly resource: Resource<any>;
}

/** A request outside of resources: `/version`, `/readyz`, discovery. */
export interface PathTarget {
  readonly verb: 'get';
  /** Begins with a slash. */
  readonly path: string;
}

export type Target = ResourceTarget | PathTarget;

export interface RequestOptions {
  /** Query parameters; undefined values are left out. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Sent as JSON. @default - no body */
  readonly body?: unknown;
  /** Media type of the body. @default application/json */
  readonly contentType?: string;
  /** Ends the request; it then rejects with the signal's reason. @default - none */
  readonly signal?: AbortSignal;
  /** Milliseconds for one exchange, answer included. @default - the cluster's */
  readonly timeoutMs?: number;
  /** How often the request is repeated at most, see `Cluster.request`. @default - the cluster's */
  readonly maxRetries?: number;
}

export interface ClusterOptions extends TransportOptions {
  /** Credentials, for example of `loadCredentials()`. */
  readonly credentials: Credentials;
  /** Name of the program, shown in audit logs: `sandbox-controller/1.2.0`. */
  readonly userAgent: string;
  /** Requests per second on average, watches apart; 0 or less is no limit. @default -1 */
  readonly qps?: number;
  /** Requests at once before `qps` applies. @default 10 */
  readonly burst?: number;
  /** Milliseconds for one exchange, answer included. @default 30000 */
  readonly timeoutMs?: number;
  /** How often a request is repeated at most, see `request`. @default 4 */
  readonly maxRetries?: number;
  /** @default - nothing is logged */
  readonly logger?: Logger;
  /** @default - nothing is measured */
  readonly metrics?: RequestMetrics;
  /** @default - that of the machine */
  readonly clock?: Clock;
  /** Gives numbers from 0 to 1, for jitter. @default Math.random */
  readonly random?: () => number;
}

const RETRY_BACKOFF = { baseMs: 100, maxMs: 5_000, jitter: 0.5 };
/** A longer `Retry-After` becomes an error instead of blocking a worker. */
const LONGEST_RETRY_AFTER_MS = 30_000;
/** Different warnings that are remembered, so that each is logged once. */
const REMEMBERED_WARNINGS = 200;

/** How the body of an answer is read. */
type Reader<T> = (body: Dispatcher.ResponseData['body'], isJson: boolean) => Promise<T>;

/** A connection to one API server. */
export class Cluster {
  public readonly clock: Clock;
  public readonly random: () => number;
  public readonly logger: Logger;
  private readonly transport: Transport;
  private readonly limiter?: RateLimiter;
  private readonly warnings: Set<string>;

  constructor(private readonly options: ClusterOptions, shared?: Cluster) {
    this.clock = options.clock ?? systemClock;
    this.random = options.random ?? Math.random;
    this.logger = options.logger ?? silentLogger;
    this.transport = shared?.transport ?? new Transport(options.credentials, options);
    this.limiter = shared ? shared.limiter
      : options.qps && options.qps > 0 ? new RateLimiter(options.qps, options.burst ?? 10, this.clock) : undefined;
    this.warnings = shared?.warnings ?? new Set();
  }

  /** The same connections under another name in audit logs. */
  public withUserAgent(userAgent: string): Cluster {
    return new Cluster({ ...this.options, userAgent }, this);
  }

  /** Address of the server. */
  public get server(): string {
    return this.options.credentials.server;
  }

  /** Namespace of the kubeconfig's context or of the own pod, undefined if there is none. */
  public get namespace(): string | undefined {
    return this.options.credentials.namespace;
  }

  /**
   * Sends a request and returns the JSON of the answer, or its text if it is none.
   *
   * Repeated, at most `maxRetries` times and with growing pauses, are: any request that the server answered with 429 and
   * Retry-After, which means that it was not worked on; `get` and `list` that failed for lack of a connection or with 500 to 504.
   * A request that is refused with 401 is sent once more if the credentials can be renewed. Nothing else is: whether a write that
   * got no answer was done is for the caller to find out.
   *
   * Throws `ApiError` for a refusal, `ConnectionError`, `RequestTimeoutError`, or the reason of the signal.
   */
  public async request<T = any>(target: Target, options: RequestOptions = {}): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.attempt<T>(target, options);
      } catch (error) {
        const delayMs = attempt <= (options.maxRetries ?? this.options.maxRetries ?? 4) ? this.retryDelay(target, error, attempt) : undefined;
        if (delayMs === undefined) {
          throw error;
        }
        this.logger.debug({ request: describe(target), attempt, delayMs, err: error }, 'request is repeated');
        await sleep(this.clock, delayMs, options.signal);
      }
    }
  }

  /**
   * Sends a request whose answer is read piece by piece, and returns its body: a watch or a log. The deadline `timeoutMs` is for
   * the beginning of the answer. Never repeated, except after renewed credentials; errors as for `request`.
   *
   * @param idleTimeoutMs milliseconds without any byte after which the body fails; 0 for none
   */
  public async stream(target: Target, options: RequestOptions = {}, idleTimeoutMs = 0): Promise<Readable> {
    return this.exchange(target, options, 'watch', async body => body, idleTimeoutMs);
  }

  /** What a WebSocket to the server (exec, port-forward) needs: address, headers and the dispatcher with our TLS credentials. */
  public async upgrade(path: string): Promise<{ url: string; headers: Record<string, string | string[]>; dispatcher: Dispatcher }> {
    const { access, dispatcher } = await this.transport.acquire('watch');
    return {
      url: `${this.transport.origin.replace(/^http/, 'ws')}${this.transport.prefix}${path}`,
      headers: { ...access.headers, 'user-agent': this.options.userAgent },
      dispatcher,
    };
  }

  /** Closes all connections, also those of `withUserAgent`; requests in flight fail with `ConnectionError`. */
  public async close(): Promise<void> {
    await this.transport.close();
  }

  private async attempt<T>(target: Target, options: RequestOptions): Promise<T> {
    if (this.limiter) {
      const waited = await this.limiter.take(options.signal);
      if (waited > 0) {
        this.options.metrics?.throttled?.(waited);
      }
    }
    return this.exchange(target, options, 'request', async (body, isJson) => {
      const text = await body.text();
      return isJson ? JSON.parse(text) : text;
    });
  }

  /** One exchange, and a second one if the first was refused for credentials that could be renewed. */
  private async exchange<T>(target: Target, options: RequestOptions, purpose: Purpose, read: Reader<T>, idleTimeoutMs = 0): Promise<T> {
    const route = await this.transport.acquire(purpose);
    try {
      return await this.send(route, target, options, purpose, read, idleTimeoutMs);
    } catch (error) {
      if (!isSituation(error, 'unauthorized')) {
        throw error;
      }
      this.transport.credentials.reject(route.access);
      const renewed = await this.transport.acquire(purpose);
      if (renewed.access === route.access) {
        throw error;
      }
      return this.send(renewed, target, options, purpose, read, idleTimeoutMs);
    }
  }

  private async send<T>(route: Route, target: Target, options: RequestOptions, purpose: Purpose, read: Reader<T>, idleTimeoutMs: number): Promise<T> {
    options.signal?.throwIfAborted();
    const timeoutMs = options.timeoutMs ?? this.options.timeoutMs ?? 30_000;
    // One cancellation for deadline and signal: `AbortSignal.any` would hold on to a signal that lives as long as the process.
    const cancellation = new Cancellation();
    const timer = this.clock.setTimeout(() => cancellation.abort(new RequestTimeoutError(describe(target), timeoutMs)), timeoutMs);
    let forget = options.signal && onAbort(options.signal, () => cancellation.abort(options.signal!.reason));
    const begin = this.clock.monotonic();
    let code = 0;
    try {
      const response = await route.dispatcher.request({
        origin: this.transport.origin,
        path: this.transport.prefix + pathWithQuery(target, options.query),
        method: METHODS[target.verb],
        headers: {
          ...route.access.headers,
          'user-agent': this.options.userAgent,
          'accept': 'application/json',
          ...definedOnly({ 'content-type': options.body === undefined ? undefined : options.contentType ?? 'application/json' }),
        },
        body: options.body === undefined ? undefined : JSON.stringify(options.body),
        signal: cancellation,
        bodyTimeout: idleTimeoutMs,
      });
      code = response.statusCode;
      const isJson = String(response.headers['content-type']).startsWith('application/json');
      if (response.headers.warning) {
        this.warn(target, response.headers.warning);
      }
      if (code >= 400) {
        throw refusal(target, code, await response.body.text(), isJson, response.headers['retry-after']);
      }
      const result = await read(response.body, isJson);
      if (purpose === 'watch' && forget) {
        // The signal must be able to end the stream for as long as it flows.
        response.body.once('close', forget);
        forget = undefined;
      }
      return result;
    } catch (error) {
      throw cancellation.aborted ? cancellation.reason
        : error instanceof ApiError || error instanceof SyntaxError ? error : new ConnectionError(describe(target), error as Error);
    } finally {
      timer.cancel();
      forget?.();
      this.observe(target, code, this.clock.monotonic() - begin);
    }
  }

  private retryDelay(target: Target, error: unknown, attempt: number): number | undefined {
    const backoff = backoffMs(RETRY_BACKOFF, attempt, this.random);
    if (error instanceof ApiError && error.retryAfterMs !== undefined && error.retryAfterMs > LONGEST_RETRY_AFTER_MS) {
      return undefined;
    }
    if (isSituation(error, 'tooManyRequests') && error.retryAfterMs !== undefined) {
      return Math.max(error.retryAfterMs, backoff);
    }
    const isRead = target.verb === 'get' || target.verb === 'list';
    if (isRead && (error instanceof ConnectionError || isSituation(error, 'internal', 'unavailable', 'timeout'))) {
      return Math.max(error instanceof ApiError ? error.retryAfterMs ?? 0 : 0, backoff);
    }
    return undefined;
  }

  private observe(target: Target, code: number, durationMs: number): void {
    const { request } = this.options.metrics ?? {};
    if (request) {
      request('resource' in target ? {
        verb: target.verb, group: target.resource.group, resource: target.resource.plural, subresource: target.subresource ?? '',
        namespace: target.namespace ?? '', code, durationMs,
      } : { verb: target.verb, group: '', resource: target.path, subresource: '', namespace: '', code, durationMs });
    }
  }

  /** Logs what the server warns of (deprecated versions, unknown fields), each text once. */
  private warn(target: Target, headers: string | string[]): void {
    for (const header of [headers].flat()) {
      const text = /^299 \S+ "((?:[^"\\]|\\.)*)"/.exec(header)?.[1] ?? header;
      if (!this.warnings.has(text) && this.warnings.size < REMEMBERED_WARNINGS) {
        this.warnings.add(text);
        this.logger.warn({ request: describe(target) }, `API server warns: ${text.replace(/\\(.)/g, '$1')}`);
      }
    }
  }
}

/** What undici takes for a signal, in a tenth of the time that an `AbortController` takes: each request has one. */
class Cancellation extends EventEmitter {
  public aborted = false;
  public reason: unknown;

  public abort(reason: unknown): void {
    if (!this.aborted) {
      this.aborted = true;
      this.reason = reason;
      this.emit('abort');
    }
  }
}

function describe(target: Target): string {
  return `${target.verb} ${'resource' in target ? describeLocation(target.resource, target) : target.path}`;
}

function pathWithQuery(target: Target, query: RequestOptions['query'] = {}): string {
  const path = 'resource' in target ? pathOf(target.resource, target) : target.path;
  let text = '';
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) {
      text += `${text ? '&' : '?'}${name}=${encodeURIComponent(value)}`;
    }
  }
  return path + text;
}

function refusal(target: Target, code: number, text: string, isJson: boolean, retryAfter: string | string[] | undefined): ApiError {
  const message = text.trim().slice(0, 1000);
  let status: Status = { message };
  if ('resource' in target && code === 404 && message === '404 page not found') {
    // What Go's servers say about a path that they do not know. A missing object has a Status.
    const { resource } = target;
    status = { message: `the API server does not know ${resource.plural} of ${apiVersionOf(resource)}: install the CustomResourceDefinitions` };
  }
  try {
    status = isJson ? JSON.parse(text) : status;
  } catch {
    // A gateway cut its own error page short: the text is all there is.
  }
  const seconds = retryAfter === undefined ? status.details?.retryAfterSeconds : Number(retryAfter);
  return new ApiError(describe(target), code, status, seconds !== undefined && seconds >= 0 ? seconds * 1000 : undefined);
}
