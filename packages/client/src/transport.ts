import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { type Cluster, type Logger, backoffMs, onAbort, sleep, systemClock } from 'agent-sandbox-kube';
import type { Dispatcher } from 'undici';
import { LARGEST_ERROR_BODY, responseError } from './response-error.js';
import type { TraceContext } from './claim.js';
import type { Connection, Route, Target } from './connection/connection.js';
import { withDeadline } from './deadline.js';
import {
  SandboxAccessError, SandboxClosedError, SandboxError, SandboxRequestError, SandboxResponseTooLargeError, SandboxTimeoutError, SandboxTunnelError,
} from './errors.js';
import type { TokenProvider } from './tokens.js';
import { UpgradeRefusedError, WebSocketClient, type WebSocketHandler } from './web-socket.js';

/** What every call takes. */
export interface CallOptions {
  /**
   * Milliseconds for the call, repetitions included. For content, in both directions, it is the time in which nothing moves: a large
   * file may take as long as it takes. Above 0; `Infinity` is no limit. @default 60000
   */
  readonly timeoutMs?: number;
  /** Ends the call, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /**
   * Attempts when the answer is 500, 502, 503 or 504, or none comes. @default - 6 for calls that only read, else 1. What the sandbox
   * surely has not worked on is repeated by any call: 429 and 503 with Retry-After up to 6 times, and while there is no connection for 30
   * seconds, in which a router can be started anew.
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
  /** A stream can be sent only once: such a call is repeated only while there is no connection. @default - none */
  readonly body?: string | Buffer | Readable;
  /** Whether it only reads, so that repeating it changes nothing. */
  readonly reads: boolean;
  /** Whether it is for the router itself, so that it names no sandbox. @default false */
  readonly isForRouter?: boolean;
  /** Whether the answer may be silent for as long as it likes. @default false */
  readonly isEndless?: boolean;
}

export interface TransportOptions {
  readonly connection: Connection;
  readonly cluster: () => Cluster;
  readonly tokens?: TokenProvider;
  readonly allowInsecureTokens: boolean;
  /** Whether requests carry the address of the Pod. */
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

/** A way to a port of a sandbox. */
export interface Access {
  readonly route: Route;
  readonly headers: Readonly<Record<string, string>>;
  /** Reports a refusal by its status (undefined: no answer came), so that the next access has another token or address. */
  refused(status: number | undefined): void;
}

/** Cached facts about one sandbox besides its name. */
export interface TransportTarget extends Target {
  /** The address may be of a Pod that is gone. */
  forgetAddress(): void;
}

/** How an attempt ended. */
type Outcome<T> = { readonly value: T } | {
  readonly error: Error;
  /** `unsent`: there was no connection; `always`: nothing was done; `if-harmless`: perhaps it was; `never`: it would end the same. */
  readonly repeat: 'unsent' | 'always' | 'if-harmless' | 'never';
  readonly retryAfterMs?: number;
  /** Whether the router refused something that can be renewed: the token, or the address of the Pod. */
  readonly isRenewed?: boolean;
};

const RETRIED_STATUSES = new Set([500, 502, 503, 504]);
const ATTEMPTS = 6;
/** Milliseconds in which calls are repeated while there is no connection: a Pod of the router is replaced meanwhile. */
const UNSENT_PATIENCE_MS = 30_000;
const BACKOFF = { baseMs: 500, maxMs: 8_000, jitter: 0.25 };
/** A longer `Retry-After` is not waited for: the caller gets the error. */
const LONGEST_RETRY_AFTER_MS = 30_000;
/** Reasons of tunnels that no patience changes. */
const FINAL_REASONS = new Set(['RouterNotFound', 'Forbidden']);
/** Longest time that undici can wait, see `Timer`. */
const LONGEST_BODY_TIMEOUT_MS = 0x7fffffff;
/** Errors before any byte was sent. */
const NOT_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT']);
/** Bytes from which a body is sent in pieces, so that it can be seen to move. */
const PIECE_BYTES = 64 * 1024;

/** Sends requests to the runtime of one sandbox, with the headers that routers want, deadlines and repetitions. */
export class Transport {
  private isOver = false;
  private readonly requestIds = new WeakMap<Call, string>();
  /** Why calls that are repeated have not succeeded yet. */
  private readonly lastErrors = new WeakMap<object, Error>();

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
    return this.withDeadline(call, (signal, moved) => this.repeat(call, signal, timeoutMs => (
      this.request(call, timeoutMs, signal, moved, response => this.collect(call, response, limit, moved))
    )));
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
    const body = await this.withDeadline(call, (signal, moved) => this.repeat(call, signal, timeoutMs => (
      this.request(call, timeoutMs, signal, moved, async response => response.body)
    )));
    const { signal } = call;
    if (signal) {
      body.once('close', onAbort(signal, () => body.destroy(signal.reason)));
    }
    return body;
  }

  /** A WebSocket to the runtime. A handshake has no effects in the sandbox, so it is repeated like a call that only reads. */
  public async webSocket(operation: string, path: string, handler: WebSocketHandler, options: CallOptions): Promise<WebSocketClient> {
    const call = { ...options, operation, reads: true };
    return this.withDeadline(call, signal => this.repeat(call, signal, () => this.handshake(operation, path, handler, signal)));
  }

  /** Address and headers of a port of the sandbox, for callers that forward requests. */
  public async access(signal: AbortSignal, port?: number): Promise<Access> {
    this.throwIfClosed();
    const route = await this.options.connection.route(this.target, signal);
    const { headers, token, address } = await this.headers(route, undefined, signal);
    return {
      route: route.viaRouter || port === undefined ? route : { ...route, origin: withPort(route.origin, port) },
      headers: route.viaRouter && port !== undefined ? { ...headers, 'x-sandbox-port': String(port) } : headers,
      refused: status => {
        this.doubt(status);
        this.renews(status, token, address);
      },
    };
  }

  private async withDeadline<T>(
    call: CallOptions & { operation: string }, work: (signal: AbortSignal, moved: () => void) => Promise<T>,
  ): Promise<T> {
    this.throwIfClosed();
    const timeoutMs = call.timeoutMs ?? this.options.timeoutMs;
    const { claim } = this.target;
    const onTimeout = () => {
      const cause = this.lastErrors.get(call);
      const said = cause ? ` (the last attempt: ${cause.message})` : '';
      return new SandboxTimeoutError(`${call.operation} in ${claim}: no answer within ${timeoutMs} ms${said}`, timeoutMs, { claim, cause });
    };
    return withDeadline(timeoutMs, call.signal, onTimeout, work);
  }

  /** @param attempt gets the milliseconds that are left */
  private async repeat<T>(
    call: Pick<Call, 'operation' | 'timeoutMs' | 'maxAttempts' | 'reads' | 'body'>, signal: AbortSignal,
    attempt: (timeoutMs: number) => Promise<Outcome<T>>,
  ): Promise<T> {
    const isStream = typeof call.body === 'object' && !Buffer.isBuffer(call.body);
    const attempts = isStream ? 1 : call.maxAttempts ?? ATTEMPTS;
    const isHarmless = call.reads || call.maxAttempts !== undefined;
    const timeoutMs = call.timeoutMs ?? this.options.timeoutMs;
    const begin = performance.now();
    let isRenewed = isStream;
    for (let number = 1; ; number++) {
      const outcome = await attempt(Math.max(1, begin + timeoutMs - performance.now()));
      if ('value' in outcome) {
        return outcome.value;
      }
      const { error, repeat, retryAfterMs = 0 } = outcome;
      this.lastErrors.set(call, error);
      if (outcome.isRenewed && !isRenewed) {
        isRenewed = true;
        continue;
      }
      const isPatient = repeat === 'unsent' && call.maxAttempts === undefined && performance.now() - begin < UNSENT_PATIENCE_MS;
      const isRepeated = repeat === 'unsent' || repeat === 'always' || (repeat === 'if-harmless' && isHarmless);
      if (!isRepeated || (number >= attempts && !isPatient) || retryAfterMs > LONGEST_RETRY_AFTER_MS) {
        throw error;
      }
      const backoff = backoffMs({ ...BACKOFF, ...(isPatient && { maxMs: 2_000 }) }, number, this.options.random);
      const delayMs = Math.max(retryAfterMs, backoff);
      this.options.logger.debug({ operation: call.operation, claim: this.target.claim, attempt: number, delayMs }, 'request is repeated');
      await sleep(systemClock, delayMs, signal);
    }
  }

  private async request<T>(
    call: Call, timeoutMs: number, signal: AbortSignal, moved: () => void, take: (response: Dispatcher.ResponseData) => Promise<T>,
  ): Promise<Outcome<T>> {
    const moves = call.body !== undefined && typeof call.body !== 'string' && !(Buffer.isBuffer(call.body) && call.body.length <= PIECE_BYTES);
    // A stream must not be used up by an attempt that finds no connection: it is opened when the first piece is asked for.
    const state = { isBegun: false };
    try {
      const route = await this.options.connection.route(this.target, signal);
      const { headers, token, address } = call.isForRouter ? await this.authorized(route, this.options.headers, signal)
        : await this.headers(route, call.isEndless || moves ? undefined : timeoutMs, signal);
      const response = await route.dispatcher.request({
        origin: route.origin,
        path: `${route.prefix}/${call.path}`,
        method: call.method,
        headers: {
          ...headers, 'x-request-id': this.requestIdOf(call), ...call.headers,
          ...(moves && Buffer.isBuffer(call.body) && { 'content-length': String(call.body.length) }),
        },
        body: moves ? Readable.from(piecesOf(call.body as Buffer | Readable, moved, state), { objectMode: false }) : call.body,
        signal,
        bodyTimeout: call.isEndless || !(timeoutMs <= LONGEST_BODY_TIMEOUT_MS) ? 0 : timeoutMs,
      });
      const { statusCode } = response;
      if (statusCode >= 200 && statusCode < 300) {
        return { value: await take(response) };
      }
      const body = await limited(response.body);
      this.doubt(statusCode);
      const retryAfter = response.headers['retry-after'];
      const isRefusedForNow = (statusCode === 429 || statusCode === 503) && retryAfter !== undefined;
      const error = responseError(call.operation, this.target.claim, statusCode, body);
      return {
        error,
        repeat: isRefusedForNow ? 'always' : RETRIED_STATUSES.has(statusCode) ? 'if-harmless' : 'never',
        retryAfterMs: isRefusedForNow ? Number(retryAfter) * 1000 || 0 : undefined,
        isRenewed: error instanceof SandboxAccessError && this.renews(statusCode, token, address),
      };
    } catch (error) {
      signal.throwIfAborted();
      const outcome = this.outcomeOf(call.operation, error as Error);
      return state.isBegun && call.body instanceof Readable ? { ...outcome, repeat: 'never' } : outcome;
    }
  }

  private async handshake(operation: string, path: string, handler: WebSocketHandler, signal: AbortSignal): Promise<Outcome<WebSocketClient>> {
    let sentWith: { token?: string; address?: string } = {};
    try {
      const route = await this.options.connection.route(this.target, signal);
      const { headers, token, address } = await this.headers(route, undefined, signal);
      sentWith = { token, address };
      const request = { dispatcher: route.dispatcher, origin: route.origin, path: `${route.prefix}/${path}`, headers, signal, pings: true };
      return { value: await WebSocketClient.open(request, handler) };
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof UpgradeRefusedError)) {
        return this.outcomeOf(operation, error as Error);
      }
      this.doubt(error.statusCode);
      return {
        error: responseError(operation, this.target.claim, error.statusCode, error.body),
        repeat: RETRIED_STATUSES.has(error.statusCode) || error.statusCode === 429 ? 'always' : 'never',
        isRenewed: this.renews(error.statusCode, sentWith.token, sentWith.address),
      };
    }
  }

  /** What becomes of a request that failed without an answer. */
  private outcomeOf(operation: string, error: Error): Outcome<never> {
    const failure = this.failureOf(operation, error);
    if (failure instanceof SandboxTunnelError || failure instanceof SandboxRequestError) {
      const isFinal = failure.reason !== undefined && FINAL_REASONS.has(failure.reason);
      return { error: failure, repeat: isFinal ? 'never' : failure.sent ? 'if-harmless' : failure.reason === 'ENOTFOUND' ? 'always' : 'unsent' };
    }
    return { error: failure, repeat: failure instanceof SandboxError ? 'never' : 'if-harmless' };
  }

  /** One value for all attempts of a call. */
  private requestIdOf(call: Call): string {
    let id = this.requestIds.get(call);
    if (id === undefined) {
      this.requestIds.set(call, id = randomBytes(8).toString('hex'));
    }
    return id;
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
    return { ...await this.authorized(route, headers, signal), address };
  }

  /** Headers with the token, if there are tokens. */
  private async authorized(
    route: Route, headers: Readonly<Record<string, string>>, signal: AbortSignal,
  ): Promise<{ headers: Record<string, string>; token?: string; address?: string }> {
    const { tokens } = this.options;
    const { target } = this;
    if (!tokens) {
      return { headers };
    }
    if (!route.isPrivate && !this.options.allowInsecureTokens) {
      throw new SandboxAccessError(`the token would go to ${route.origin} in plain text`, undefined, {
        claim: target.claim, remedy: 'use https, the tunnel, or set allowInsecureTokens where the network is trusted',
      });
    }
    const token = await tokens.token(target, this.options.cluster, signal);
    return { headers: { ...headers, authorization: `Bearer ${token}` }, token };
  }

  /** Whether a refusal may be about an old token, or about the address of a Pod that was replaced; the next attempt has others. */
  private renews(statusCode: number | undefined, token: string | undefined, address: string | undefined): boolean {
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
    if (error instanceof SandboxRequestError && !error.sent) {
      this.doubt(undefined);
      return error;
    }
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
    return new SandboxRequestError(`${operation} in ${claim}: ${error.message || error.code || error.name}`, undefined, '', sent, {
      claim, cause: error, remedy, reason: error.code,
    });
  }

  private async collect({ operation }: Call, response: Dispatcher.ResponseData, limit: number, moved: () => void): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      moved();
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

function withPort(origin: string, port: number): string {
  return Object.assign(new URL(origin), { port: String(port) }).origin;
}

/** Content in pieces, each of which is a sign of life. */
async function* piecesOf(content: Buffer | Readable, moved: () => void, state: { isBegun: boolean }): AsyncGenerator<Buffer> {
  state.isBegun = true;
  if (Buffer.isBuffer(content)) {
    for (let begin = 0; begin < content.length; begin += PIECE_BYTES) {
      moved();
      yield content.subarray(begin, begin + PIECE_BYTES);
    }
  } else {
    for await (const piece of content) {
      moved();
      yield piece;
    }
  }
  moved();
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
