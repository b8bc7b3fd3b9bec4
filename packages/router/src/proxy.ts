import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Dispatcher } from 'undici';
import type { Admission, Admitted } from './admission.js';
import { answer } from './answer.js';
import { HOP_BY_HOP, namedByConnection } from './contract.js';
import type { Counts } from './limits.js';
import type { RequestRecord } from './record.js';
import { badRequest, cannotConnect, internalError, timedOut, tooLarge, tooManyRequests, unexpectedUpgrade, Refusal } from './refusal.js';
import { BodyTooLongError, ClientGoneError, RequestBody } from './request-body.js';
import type { Target } from './targets.js';
import { hostOf, type Upstreams } from './upstreams.js';

/** Milliseconds that a connection may be silent beyond the deadline of its request, which is answered first; undici's timers are up to 2 seconds late. */
const SILENCE_MARGIN_MS = 5_000;

export interface ProxyOptions {
  readonly admission: Admission;
  readonly upstreams: Upstreams;
  /** Requests at the same time, per caller. */
  readonly requests: Counts;
  /** Bytes; 0 for no limit. */
  readonly maxBodyBytes: number;
  readonly retries: RetryOptions;
  readonly onRetry: (record: RequestRecord) => void;
}

/** How failed connections are tried again. */
export interface RetryOptions {
  readonly max: number;
  readonly initialDelayMs: number;
  readonly maxDelayMs: number;
}

/** Carries ordinary requests: those that get one answer. */
export class Proxy {
  constructor(private readonly options: ProxyOptions) {}

  /** Answers a request, in any case. */
  public async handle(request: IncomingMessage, response: ServerResponse, isEncrypted: boolean, record: RequestRecord): Promise<void> {
    try {
      const admitted = await this.options.admission.admit(request, isEncrypted, record);
      const { key } = admitted.caller;
      if (!this.options.requests.enter(key)) {
        throw tooManyRequests('Too many requests at the same time.');
      }
      try {
        await this.forward(request, response, admitted, record);
      } finally {
        this.options.requests.leave(key);
      }
    } catch (error) {
      refuse(request, response, error, record);
    }
  }

  private async forward(request: IncomingMessage, response: ServerResponse, admitted: Admitted, record: RequestRecord): Promise<void> {
    const { maxBodyBytes, retries, upstreams, admission, onRetry } = this.options;
    const { question, headers, timeoutMs } = admitted;
    const length = request.headers['content-length'];
    const hasBody = request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
    if (maxBodyBytes > 0 && length !== undefined && Number(length) > maxBodyBytes) {
      throw tooLarge(maxBodyBytes);
    }
    if (request.headers.expect !== undefined) {
      response.writeContinue();
    }
    const body = hasBody ? new RequestBody(request, maxBodyBytes, record) : null;
    // Whoever waits for the answer hears of it; in between two tries nobody may.
    body?.on('error', () => undefined);
    if (length !== undefined && hasBody) {
      headers.push('Content-Length', length);
    }
    try {
      for (let attempt = 0; ; attempt++) {
        const target = admission.target(question);
        const exchange = new Exchange(request, response, record, timeoutMs, body);
        const failure = await exchange.run(upstreams.pool(target, question.port), target, question.port, headers);
        if (failure === undefined) {
          return;
        }
        record.error = 'dial';
        if (attempt >= retries.max || response.closed) {
          throw isTimeout(failure) ? timedOut(question.id) : cannotConnect(question.id);
        }
        onRetry(record);
        await pause(Math.min(retries.initialDelayMs * 2 ** attempt, retries.maxDelayMs));
      }
    } finally {
      body?.destroy();
    }
  }
}

/** The sandbox, or the connection to it, failed after the request was on its way. */
export class UpstreamError extends Error {
  /** `UND_ERR_HEADERS_TIMEOUT`, `ECONNRESET`, …; empty if there is none. */
  public readonly code: string;

  constructor(cause: Error & { code?: string }) {
    super(cause.message, { cause });
    this.name = 'UpstreamError';
    this.code = cause.code ?? '';
  }
}

/** One try to get an answer from a sandbox. */
class Exchange implements Dispatcher.DispatchHandler {
  private controller?: Dispatcher.DispatchController;
  private isOver = false;
  private settle!: (failure: Error | undefined) => void;
  private fail!: (error: unknown) => void;
  private readonly onClose = () => {
    if (!this.isOver) {
      this.controller?.abort(new ClientGoneError());
    }
  };
  private readonly onDrain = () => this.controller?.resume();

  constructor(
    private readonly request: IncomingMessage, private readonly response: ServerResponse, private readonly record: RequestRecord,
    private readonly timeoutMs: number, private readonly body: RequestBody | null,
  ) {}

  /** Resolves when the answer is complete, or with the reason why no connection came about. Rejects if it failed later. */
  public run(pool: Dispatcher, target: Target, port: number, headers: readonly string[]): Promise<Error | undefined> {
    const { request, response, timeoutMs, body } = this;
    return new Promise((resolve, reject) => {
      this.settle = resolve;
      this.fail = reject;
      response.on('close', this.onClose).on('drain', this.onDrain);
      pool.dispatch({
        path: request.url!,
        method: request.method as Dispatcher.HttpMethod,
        headers: ['Host', hostOf(target.address, port), ...headers],
        body,
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
      }, this);
    });
  }

  public onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.response.closed) {
      controller.abort(new ClientGoneError());
      return;
    }
    // From now on one of both sides has to move, or the connection to the client is given up.
    this.request.socket.setTimeout(this.timeoutMs + SILENCE_MARGIN_MS);
  }

  public onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: Record<string, unknown>, message?: string): void {
    const { response } = this;
    if (status < 200) {
      this.inform(status, headers);
      return;
    }
    const raw = (controller.rawHeaders ?? []) as readonly Buffer[];
    response.writeHead(status, message !== undefined && /^[\x20-\x7e]*$/.test(message) ? message : '', answerHeaders(raw, headers.connection));
    this.record.status = status;
  }

  public onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.record.bytesOut += chunk.length;
    if (!this.response.write(chunk)) {
      controller.pause();
    }
  }

  public onResponseEnd(_: Dispatcher.DispatchController, trailers: Record<string, unknown>): void {
    for (const name in trailers) {
      this.response.addTrailers({ [name]: trailers[name] as string });
    }
    this.response.end();
    this.end();
    this.settle(undefined);
  }

  public onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.end();
    if (this.controller === undefined && (error as { code?: string }).code !== 'UND_ERR_INVALID_ARG') {
      this.settle(error);
    } else {
      this.fail(error instanceof ClientGoneError || error instanceof BodyTooLongError ? error : new UpstreamError(error));
    }
  }

  private end(): void {
    this.isOver = true;
    this.response.off('close', this.onClose).off('drain', this.onDrain);
  }

  private inform(status: number, headers: Record<string, unknown>): void {
    if (this.request.httpVersion === '1.0') {
      return;
    }
    if (status === 103 && headers.link !== undefined) {
      this.response.writeEarlyHints({ link: headers.link as string | string[] });
    } else if (status === 102) {
      this.response.writeProcessing();
    }
  }
}

/** The headers of an answer that the client gets, as names and values in turn: repeated ones stay apart, nothing is decoded. */
export function answerHeaders(raw: readonly (Buffer | string)[], connection: unknown): string[] {
  const named = namedByConnection(connection === undefined ? undefined : String(connection));
  const headers: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    const name = text(raw[i]!);
    const lower = name.toLowerCase();
    if (!HOP_BY_HOP.has(lower) && !named?.has(lower)) {
      headers.push(name, text(raw[i + 1]!));
    }
  }
  return headers;
}

/** Tells the client what went wrong, if it can still be told. */
export function refuse(request: IncomingMessage, response: ServerResponse, error: unknown, record: RequestRecord): void {
  if (response.closed || error instanceof ClientGoneError) {
    record.status ||= 499;
    response.destroy();
    return;
  }
  const refusal = refusalOf(error, record);
  if (response.headersSent) {
    // All that is left is not to let the answer look complete.
    response.destroy();
    return;
  }
  record.status = refusal.status;
  answer(request, response, refusal);
}

function refusalOf(error: unknown, record: RequestRecord): Refusal {
  if (error instanceof Refusal) {
    return error;
  }
  if (error instanceof BodyTooLongError) {
    return tooLarge(error.limit);
  }
  if (!(error instanceof UpstreamError)) {
    record.error = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return internalError();
  }
  if (error.code === 'UND_ERR_INVALID_ARG') {
    return badRequest('The request cannot be handed on.');
  }
  if (isTimeout(error)) {
    record.error = 'timeout';
    return timedOut(record.id ?? '');
  }
  record.error = ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'].includes(error.code) ? 'eof' : 'other';
  return error.message === 'bad upgrade' ? unexpectedUpgrade() : cannotConnect(record.id ?? '');
}

function isTimeout(error: unknown): boolean {
  return ['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT', 'ETIMEDOUT'].includes((error as { code?: string }).code ?? '');
}

function text(value: Buffer | string): string {
  return typeof value === 'string' ? value : value.toString('latin1');
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
