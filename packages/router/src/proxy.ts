import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ClientHttp2Session } from 'node:http2';
import type { Dispatcher } from 'undici';
import type { Admission, Admitted } from './admission.js';
import { sendRefusal } from './respond.js';
import { HOP_BY_HOP, namedByConnection } from './contract.js';
import type { Deadline } from './deadline.js';
import { GrpcExchange, isGrpc } from './grpc.js';
import { hasBody, streamOf } from './http2.js';
import type { Counts } from './limits.js';
import type { RequestRecord } from './record.js';
import { badRequest, cannotConnect, internalError, timedOut, tooLarge, tooManyRequests, unexpectedUpgrade, Refusal } from './refusal.js';
import { BodyTooLongError, ClientGoneError, RequestBody } from './request-body.js';
import type { Target } from './targets.js';
import { hostOf, type Upstreams } from './upstreams.js';

/** Methods that may be sent twice without harm (RFC 9110, section 9.2.1). */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

/** Bytes of an answer that is written as one text with its head, which takes one buffer instead of three. */
const SMALL_ANSWER_BYTES = 16_384;

/** What undici says of an answer 101 to an ordinary request. */
const BAD_UPGRADE = 'bad upgrade';

export interface ProxyOptions {
  readonly admission: Admission;
  readonly upstreams: Upstreams;
  /** Requests at the same time, per caller. */
  readonly requests: Counts;
  /** Bytes; 0 for no limit. */
  readonly maxBodyBytes: number;
  readonly retries: RetryOptions;
  /** Whether calls of gRPC may last longer than the token and the permission that they were begun with. */
  readonly outliveToken: boolean;
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
      const { limitKey, deadline } = admitted;
      try {
        if (!this.options.requests.enter(limitKey)) {
          throw tooManyRequests('Too many requests at the same time.');
        }
        try {
          await this.forward(request, response, admitted, record);
        } finally {
          this.options.requests.leave(limitKey);
        }
      } finally {
        deadline.clear();
      }
    } catch (error) {
      refuse(request, response, error, record);
    }
  }

  private async forward(request: IncomingMessage, response: ServerResponse, admitted: Admitted, record: RequestRecord): Promise<void> {
    const { maxBodyBytes, retries, upstreams, admission, onRetry } = this.options;
    const { question, headers, deadline } = admitted;
    const length = request.headers['content-length'];
    if (maxBodyBytes > 0 && length !== undefined && Number(length) > maxBodyBytes) {
      throw tooLarge(maxBodyBytes);
    }
    if (request.headers.expect !== undefined) {
      response.writeContinue();
    }
    const body = hasBody(request) ? new RequestBody(request, maxBodyBytes, record, () => deadline.refresh()) : null;
    // The try in progress gets the error; between two tries there may be no other listener.
    body?.on('error', () => undefined);
    if (length !== undefined && body !== null) {
      headers.push('Content-Length', length);
    }
    try {
      // A kept connection may have been closed by the sandbox at the moment when it was used; that is no failed connection.
      let isResent = false;
      for (let attempt = 0; ;) {
        const target = admission.target(question);
        const failure = isGrpc(request) ? await this.call(request, response, admitted, record, body, target)
          : await new Exchange(request, response, record, admitted, body).run(upstreams.pool(target, question.port), target, question.port, headers);
        if (failure === undefined) {
          return;
        }
        if (response.closed) {
          throw new ClientGoneError();
        }
        if (deadline.isOver) {
          throw timedOut(question.id);
        }
        if (failure.isUnread && !isResent) {
          isResent = true;
          continue;
        }
        if (attempt >= retries.max) {
          record.error = 'dial';
          throw isTimeout(failure.error) ? timedOut(question.id) : cannotConnect(question.id);
        }
        onRetry(record);
        await deadline.bound(pause(Math.min(retries.initialDelayMs * 2 ** attempt++, retries.maxDelayMs)));
      }
    } finally {
      body?.destroy();
    }
  }

  /** Carries a call of gRPC. Returns why there is no connection, if there is none. */
  private async call(
    request: IncomingMessage, response: ServerResponse, admitted: Admitted, record: RequestRecord, body: RequestBody | null, target: Target,
  ): Promise<Failure | undefined> {
    const { upstreams, outliveToken } = this.options;
    let session: ClientHttp2Session;
    try {
      session = await admitted.deadline.bound(upstreams.session(target, admitted.question.port));
    } catch (error) {
      return { error: error as Error, isUnread: false };
    }
    if (!response.closed) {
      await new GrpcExchange(request, response, record, admitted, body, outliveToken).run(session, admitted.headers);
    }
    return undefined;
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

/** Why nothing came of a try, and the request may be sent again. */
interface Failure {
  readonly error: Error;
  /** Whether it was on a kept connection that ended before an answer began, and sending the request again does no harm. */
  readonly isUnread: boolean;
}

/** One try to get an answer from a sandbox. */
class Exchange implements Dispatcher.DispatchHandler {
  private readonly deadline: Deadline;
  private controller?: Dispatcher.DispatchController;
  private isOver = false;
  private hasAnswer = false;
  /** Whether the head of the answer was sent. Until then, the first piece of its body is held: it may be all of it. */
  private isReleased = false;
  private held: Buffer | undefined;
  private forgetDeadline!: () => void;
  private settle!: (failure: Failure | undefined) => void;
  private fail!: (error: unknown) => void;
  private readonly onClose = () => {
    if (!this.isOver) {
      this.give(new ClientGoneError());
    }
  };
  private readonly onDrain = () => {
    this.deadline.refresh();
    this.controller?.resume();
  };

  constructor(
    private readonly request: IncomingMessage, private readonly response: ServerResponse, private readonly record: RequestRecord,
    private readonly admitted: Admitted, private readonly body: RequestBody | null,
  ) {
    this.deadline = admitted.deadline;
  }

  /** Resolves when the answer is complete, or with the reason why the request can be sent again. Rejects if it failed otherwise. */
  public run(pool: Dispatcher, target: Target, port: number, headers: readonly string[]): Promise<Failure | undefined> {
    const { request, response, deadline, body } = this;
    return new Promise((resolve, reject) => {
      this.settle = resolve;
      this.fail = reject;
      response.on('close', this.onClose).on('drain', this.onDrain);
      this.forgetDeadline = deadline.onExpiry(() => this.give(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' })));
      pool.dispatch({
        path: this.admitted.target,
        method: request.method as Dispatcher.HttpMethod,
        headers: headers[0] === 'Host' ? headers as string[] : ['Host', hostOf(target.address, port), ...headers],
        body,
        // The deadline bounds both, from the arrival of the request on.
        headersTimeout: 0,
        bodyTimeout: 0,
      }, this);
    });
  }

  public onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.isOver || this.response.closed) {
      controller.abort(new ClientGoneError());
    }
  }

  public onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: Record<string, unknown>, message?: string): void {
    const { response } = this;
    this.hasAnswer = true;
    this.deadline.refresh();
    if (status < 200) {
      this.inform(status, headers);
      return;
    }
    const raw = (controller.rawHeaders ?? []) as readonly Buffer[];
    response.writeHead(status, message !== undefined && /^[\x20-\x7e]*$/.test(message) ? message : '', this.admitted.answered(answerHeaders(raw, headers.connection)));
    this.record.status = status;
    // At once, but in one piece with what has come along with them.
    process.nextTick(() => !this.isOver && this.release());
  }

  /** Sends the head, and the piece that was held. */
  private release(): void {
    const { held, response } = this;
    if (this.isReleased) {
      return;
    }
    this.isReleased = true;
    if (held === undefined) {
      response.flushHeaders();
    } else if (!response.write(held)) {
      this.controller!.pause();
    }
  }

  public onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.deadline.refresh();
    this.record.bytesOut += chunk.length;
    if (!this.isReleased && this.held === undefined) {
      this.held = chunk;
      return;
    }
    this.release();
    if (!this.response.write(chunk)) {
      controller.pause();
    }
  }

  public onResponseEnd(_: Dispatcher.DispatchController, trailers: Record<string, unknown>): void {
    for (const name in trailers) {
      this.response.addTrailers({ [name]: trailers[name] as string });
    }
    const { held } = this;
    if (held === undefined || this.isReleased) {
      this.response.end();
    } else if (held.length <= SMALL_ANSWER_BYTES && streamOf(this.request) === undefined) {
      this.response.end(held.toString('latin1'), 'latin1');
    } else {
      this.response.end(held);
    }
    if (this.response.writableLength > 0) {
      // A client that does not fetch the rest is given up.
      this.response.setTimeout(this.deadline.ms);
    }
    this.end();
    this.settle(undefined);
  }

  public onResponseError(_: Dispatcher.DispatchController, error: Error & { code?: string; socket?: { bytesRead: number } }): void {
    if (this.isOver) {
      return;
    }
    this.end();
    if (this.controller === undefined && error.code !== 'UND_ERR_INVALID_ARG') {
      this.settle({ error, isUnread: false });
    } else if (!this.hasAnswer && this.isUnread(error)) {
      this.settle({ error, isUnread: true });
    } else {
      this.fail(error instanceof ClientGoneError || error instanceof BodyTooLongError ? error : new UpstreamError(error));
    }
  }

  /** Whether a kept connection had been closed by the sandbox, and the request can have had no effect there. */
  private isUnread({ code, socket, message }: Error & { code?: string; socket?: { bytesRead: number } }): boolean {
    const { body, request } = this;
    const isKept = socket !== undefined && socket.bytesRead > 0;
    const isClosed = ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'].includes(code ?? '') && message !== BAD_UPGRADE;
    // EPIPE: the system knew that the connection was closed, and has sent nothing.
    return isKept && isClosed && (body === null || !body.isBegun) && (SAFE.has(request.method!) || code === 'EPIPE');
  }

  /** Gives up, whatever the state. */
  private give(error: Error): void {
    if (this.controller !== undefined) {
      this.controller.abort(error);
    } else if (!this.isOver) {
      // Still waiting for a connection: the request is taken back when there is one.
      this.end();
      this.settle({ error, isUnread: false });
    }
  }

  private end(): void {
    this.isOver = true;
    this.forgetDeadline();
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

/** Sends the client an error response, if a response can still be sent. */
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
  sendRefusal(request, response, refusal);
}

function refusalOf(error: unknown, record: RequestRecord): Refusal {
  if (error instanceof Refusal) {
    if (error.status === 504) {
      record.error ??= 'timeout';
    }
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
  return error.message === BAD_UPGRADE ? unexpectedUpgrade() : cannotConnect(record.id ?? '');
}

function isTimeout(error: unknown): boolean {
  return ['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT', 'ETIMEDOUT'].includes((error as { code?: string }).code ?? '');
}

function text(value: Buffer | string): string {
  return typeof value === 'string' ? value : value.toString('latin1');
}

/** Waits. */
export function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms));
}
