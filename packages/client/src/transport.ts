import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { Cluster, Logger, backoffMs, onAbort, sleep, systemClock } from 'agent-sandbox-kube';
import type { Dispatcher } from 'undici';
import { LARGEST_ERROR_BODY, refusalOf } from './answer.js';
import type { TraceContext } from './claim.js';
import { Connection, Route, Target } from './connection/connection.js';
import { withDeadline } from './deadline.js';
import {
  SandboxAccessError, SandboxClosedError, SandboxError, SandboxRequestError, SandboxResponseTooLargeError, SandboxTimeoutError, SandboxTunnelError,
} from './errors.js';
import { TokenProvider } from './tokens.js';
import { UpgradeRefusedError, WebSocketClient, WebSocketHandler } from './web-socket.js';

/** What every call takes. */
export interface CallOptions {
  /** Milliseconds for the call, repetitions included; for streams, until they begin and between two pieces. @default 60000 */
  readonly timeoutMs?: number;
  /** Ends the call, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /**
   * Attempts when the answer is 500, 502, 503 or 504, or none comes. @default - 6 for calls that only read, else 1. What the sandbox
   * surely has not worked on (no connection, 429 or 503 with Retry-After) is repeated up to 6 times by any call.
   */
  readonly maxAttempts?: number;
}

export interface Call extends CallOptions {
  /** For messages: `read "a/b"`. */
  readonly operation: string;
  readonly method: Dispatcher.HttpMethod;
  /** Without leading slash, encoded; may have a query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A stream can be sent only once: such a call is never repeated. @default - none */
  readonly body?: string | Buffer | Readable;
  /** Whether it only reads, so that repeating it changes nothing. */
  readonly reads: boolean;
  /** Whether the answer may be silent for as long as it likes. @default false */
  readonly isEndless?: boolean;
}

export interface TransportOptions {
  readonly connection: Connection;
  readonly cluster: () => Cluster;
  readonly tokens?: TokenProvider;
  readonly allowInsecureTokens: boolean;
  /** Whether routers are told the address of the Pod. */
  readonly sendAddress: boolean;
  /** Port of the runtime. */
  readonly port: number;
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly trace?: () => TraceContext | undefined;
  readonly logger: Logger;
  /** Gives numbers from 0 to 1, for jitter. */
  readonly random: () => number;
}

/** What is known of one sandbox besides its name. */
export interface TransportTarget extends Target {
  /** The address may be of a Pod that is gone. */
  forgetAddress(): void;
}

/** How an attempt ended. */
type Outcome<T> = { readonly value: T } | {
  readonly error: Error;
  /** `always`: nothing was done; `if-harmless`: perhaps it was; `never`: it would end the same. */
  readonly repeat: 'always' | 'if-harmless' | 'never';
  readonly retryAfterMs?: number;
  /** Whether the router refused what can be had anew: the token, or the address of the Pod. */
  readonly isRenewed?: boolean;
};

const RETRIED_STATUSES = new Set([500, 502, 503, 504]);
const ATTEMPTS = 6;
const BACKOFF = { baseMs: 500, maxMs: 8_000, jitter: 0.25 };
/** If the other side wants to be left alone for longer, the caller is told instead. */
const LONGEST_RETRY_AFTER_MS = 30_000;
/** Errors before any byte was sent. */
const NOT_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT']);

/** Sends requests to the runtime of one sandbox, with the headers that routers want, deadlines and repetitions. */
export class Transport {
  private isOver = false;

  constructor(private readonly options: TransportOptions, public readonly target: TransportTarget) {}

  /** Whether it was closed. */
  public get isClosed(): boolean {
    return this.isOver;
  }

  /** Refuses all further calls; those under way go on. */
  public close(): void {
    this.isOver = true;
  }

  /** Throws `SandboxClosedError` after `close`. */
  public throwIfClosed(): void {
    if (this.isOver) {
      const { claim } = this.target;
      throw new SandboxClosedError(`the handle of claim ${claim} was closed`, { claim, remedy: 'get another one with client.get' });
    }
  }

  /** The whole answer. Throws for every status but 2xx, and `SandboxResponseTooLargeError` above `limit` bytes. */
  public async buffer(call: Call, limit: number): Promise<Buffer> {
    return this.withDeadline(call, signal => this.repeat(call, signal, response => this.collect(call, response, limit)));
  }

  /** The answer parsed as JSON; undefined for a text that is none. */
  public async json(call: Call, limit: number): Promise<any> {
    const text = (await this.buffer(call, limit)).toString('utf8');
    try {
      return JSON.parse(text);
    } catch {
      return undefined;
    }
  }

  /** The body as a stream, which the signal of the call can end for as long as it flows. */
  public async stream(call: Call): Promise<Readable> {
    const body = await this.withDeadline(call, signal => this.repeat(call, signal, async response => response.body));
    const { signal } = call;
    if (signal) {
      body.once('close', onAbort(signal, () => body.destroy(signal.reason)));
    }
    return body;
  }

  /** A WebSocket to the runtime. Not repeated, except with a renewed token. */
  public async webSocket(operation: string, path: string, handler: WebSocketHandler, options: CallOptions): Promise<WebSocketClient> {
    return this.withDeadline({ ...options, operation }, async signal => {
      for (let isRenewed = false; ; isRenewed = true) {
        const route = await this.options.connection.route(this.target, signal);
        const { headers, token, address } = await this.headers(route, undefined, signal);
        try {
          return await WebSocketClient.open({ dispatcher: route.dispatcher, origin: route.origin, path: `${route.prefix}/${path}`, headers, signal }, handler);
        } catch (error) {
          signal.throwIfAborted();
          if (!(error instanceof UpgradeRefusedError)) {
            throw this.failureOf(operation, error as Error);
          }
          this.doubt(error.statusCode);
          if (isRenewed || !this.renews(error.statusCode, token, address)) {
            throw refusalOf(operation, this.target.claim, error.statusCode, error.body);
          }
        }
      }
    });
  }

  private async withDeadline<T>(call: CallOptions & { operation: string }, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.throwIfClosed();
    const timeoutMs = call.timeoutMs ?? this.options.timeoutMs;
    const { claim } = this.target;
    const onTimeout = () => new SandboxTimeoutError(`${call.operation} in ${claim}: no answer within ${timeoutMs} ms`, timeoutMs, { claim });
    return withDeadline(timeoutMs, call.signal, onTimeout, work);
  }

  private async repeat<T>(call: Call, signal: AbortSignal, take: (response: Dispatcher.ResponseData) => Promise<T>): Promise<T> {
    const isStream = typeof call.body === 'object' && !Buffer.isBuffer(call.body);
    const attempts = isStream ? 1 : call.maxAttempts ?? ATTEMPTS;
    const isHarmless = call.reads || call.maxAttempts !== undefined;
    const requestId = randomBytes(8).toString('hex');
    const end = performance.now() + (call.timeoutMs ?? this.options.timeoutMs);
    let isRenewed = isStream;
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.attempt(call, requestId, Math.max(1, end - performance.now()), signal, take);
      if ('value' in outcome) {
        return outcome.value;
      }
      const { error, repeat, retryAfterMs = 0 } = outcome;
      if (outcome.isRenewed && !isRenewed) {
        isRenewed = true;
        continue;
      }
      if (attempt >= attempts || !(repeat === 'always' || (repeat === 'if-harmless' && isHarmless)) || retryAfterMs > LONGEST_RETRY_AFTER_MS) {
        throw error;
      }
      const delayMs = Math.max(retryAfterMs, backoffMs(BACKOFF, attempt, this.options.random));
      this.options.logger.debug({ operation: call.operation, claim: this.target.claim, attempt, delayMs }, 'request is repeated');
      await sleep(systemClock, delayMs, signal);
    }
  }

  private async attempt<T>(
    call: Call, requestId: string, timeoutMs: number, signal: AbortSignal, take: (response: Dispatcher.ResponseData) => Promise<T>,
  ): Promise<Outcome<T>> {
    const route = await this.options.connection.route(this.target, signal);
    const { headers, token, address } = await this.headers(route, call.isEndless ? undefined : timeoutMs, signal);
    try {
      const response = await route.dispatcher.request({
        origin: route.origin,
        path: `${route.prefix}/${call.path}`,
        method: call.method,
        headers: { ...headers, 'x-request-id': requestId, ...call.headers },
        body: call.body,
        signal,
        bodyTimeout: call.isEndless ? 0 : timeoutMs,
      });
      const { statusCode } = response;
      if (statusCode >= 200 && statusCode < 300) {
        return { value: await take(response) };
      }
      const body = await limited(response.body);
      this.doubt(statusCode);
      const retryAfter = response.headers['retry-after'];
      const isRefusedForNow = (statusCode === 429 || statusCode === 503) && retryAfter !== undefined;
      const error = refusalOf(call.operation, this.target.claim, statusCode, body);
      return {
        error,
        repeat: isRefusedForNow ? 'always' : RETRIED_STATUSES.has(statusCode) ? 'if-harmless' : 'never',
        retryAfterMs: isRefusedForNow ? Number(retryAfter) * 1000 || 0 : undefined,
        isRenewed: error instanceof SandboxAccessError && this.renews(statusCode, token, address),
      };
    } catch (error) {
      signal.throwIfAborted();
      const failure = this.failureOf(call.operation, error as Error);
      const isSent = !((failure instanceof SandboxRequestError || failure instanceof SandboxTunnelError) && !failure.sent);
      const isFinal = failure instanceof SandboxError && !(failure instanceof SandboxRequestError) && !(failure instanceof SandboxTunnelError);
      return { error: failure, repeat: isFinal ? 'never' : isSent ? 'if-harmless' : 'always' };
    }
  }

  /** @param timeoutMs for the router, which would otherwise end requests at a limit of its own; undefined to leave it at that */
  private async headers(
    route: Route, timeoutMs: number | undefined, signal: AbortSignal,
  ): Promise<{ headers: Record<string, string>; token?: string; address?: string }> {
    const { tokens, sendAddress, port, trace } = this.options;
    const headers: Record<string, string> = { ...this.options.headers };
    const context = trace?.();
    if (context) {
      headers.traceparent = context.traceparent;
      if (context.tracestate) {
        headers.tracestate = context.tracestate;
      }
    }
    if (!route.viaRouter) {
      return { headers };
    }
    const { target } = this;
    headers['x-sandbox-id'] = target.name;
    headers['x-sandbox-namespace'] = target.namespace;
    headers['x-sandbox-port'] = String(port);
    if (timeoutMs !== undefined) {
      headers['x-sandbox-timeout'] = String(Math.ceil(timeoutMs / 100) / 10);
    }
    const address = sendAddress && !tokens?.isScoped ? await this.address(signal) : undefined;
    if (address) {
      headers['x-sandbox-pod-ip'] = address;
    }
    if (!tokens) {
      return { headers, address };
    }
    if (!route.isPrivate && !this.options.allowInsecureTokens) {
      throw new SandboxAccessError(`the token would go to ${route.origin} in plain text`, undefined, {
        claim: target.claim, remedy: 'use https, the tunnel, or set allowInsecureTokens where the network is trusted',
      });
    }
    const token = await tokens.token(target, this.options.cluster, signal);
    return { headers: { ...headers, authorization: `Bearer ${token}` }, token, address };
  }

  /** Whether a refusal may be about an old token, or about the address of a Pod that was replaced; the next attempt has others. */
  private renews(statusCode: number, token: string | undefined, address: string | undefined): boolean {
    if (statusCode === 401 && token !== undefined) {
      this.options.tokens!.reject(token);
      return true;
    }
    return statusCode === 403 && address !== undefined;
  }

  /** The address is a help for routers that cannot look it up: without it the request is made all the same. */
  private async address(signal: AbortSignal): Promise<string | undefined> {
    try {
      return await this.target.address(signal);
    } catch (error) {
      signal.throwIfAborted();
      this.options.logger.debug({ claim: this.target.claim, err: error }, 'the address of the Pod is not known');
      return undefined;
    }
  }

  /** After a status that may come from a Pod which is no longer that of the sandbox, or from no Pod at all. */
  private doubt(statusCode: number | undefined): void {
    if (statusCode === undefined || statusCode >= 500 || statusCode === 403) {
      this.target.forgetAddress();
    }
    if (statusCode === undefined) {
      this.options.connection.forget();
    }
  }

  /** The error for a request, or a body, that ended without an answer. */
  public failureOf(operation: string, error: Error & { code?: string }): Error {
    if (error instanceof SandboxError && !(error instanceof SandboxTunnelError)) {
      return error;
    }
    this.doubt(undefined);
    if (error instanceof SandboxTunnelError) {
      return error;
    }
    const { claim } = this.target;
    const sent = !NOT_SENT.has(error.code ?? '');
    const remedy = sent ? undefined : 'see whether the router, or the sandbox, is up and reachable from here';
    return new SandboxRequestError(`${operation} in ${claim}: ${error.message || error.code || error.name}`, undefined, '', sent, { claim, cause: error, remedy });
  }

  private async collect({ operation }: Call, response: Dispatcher.ResponseData, limit: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limit) {
        // Leaving the loop ends the connection.
        throw new SandboxResponseTooLargeError(`${operation} in ${this.target.claim}: the answer has more than ${limit} bytes`, limit, {
          claim: this.target.claim, remedy: 'read it as a stream, or raise the limit',
        });
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }
}

/** The beginning of a body; the rest is not read. */
async function limited(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= LARGEST_ERROR_BODY) {
      break;
    }
  }
  return Buffer.concat(chunks).subarray(0, LARGEST_ERROR_BODY).toString('utf8');
}
