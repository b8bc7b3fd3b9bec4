import { definedOnly } from 'agent-sandbox-api';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants, type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2';
import type { Admitted } from './admission.js';
import { HOP_BY_HOP } from './contract.js';
import { streamOf } from './http2.js';
import type { RequestRecord } from './record.js';
import { badRequest, cannotConnect, timedOut, unauthenticated, type Refusal } from './refusal.js';
import { ClientGoneError, type RequestBody } from './request-body.js';
import { onTokenEnd } from './token-end.js';

const { NGHTTP2_CANCEL, NGHTTP2_FLAG_END_STREAM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants;

/** Whether a request is a call of gRPC, which is HTTP/2 all the way. gRPC-Web is ordinary HTTP. */
export function isGrpc(request: IncomingMessage): boolean {
  return streamOf(request) !== undefined && /^application\/grpc(?:$|[+; ])/i.test(request.headers['content-type'] ?? '');
}

/** Status codes of gRPC for those of HTTP; others are UNKNOWN. A 504 must not be tried again without a thought, so it is no UNAVAILABLE. */
const STATUS: Readonly<Record<number, number>> = { 400: 3, 401: 16, 403: 7, 408: 4, 413: 8, 429: 14, 431: 8, 500: 13, 502: 14, 503: 14, 504: 4 };

/** A refusal as clients of gRPC read it: status and message as headers, or as trailers of an answer that has begun. */
export function grpcStatus({ status, message }: Refusal): { 'grpc-status': string; 'grpc-message': string } {
  const encoded = message.replace(/[^\x20-\x24\x26-\x7e]/gu, character => encodeURIComponent(character));
  return { 'grpc-status': String(STATUS[status] ?? 2), 'grpc-message': encoded };
}

/** Carries a call of gRPC: the streams of both sides become one, with headers and trailers. */
export class GrpcExchange {
  private upstream?: ClientHttp2Stream;
  private isOver = false;
  private readonly ends: (() => void)[] = [];
  private settle!: () => void;
  private fail!: (error: unknown) => void;

  constructor(
    private readonly request: IncomingMessage, private readonly response: ServerResponse, private readonly record: RequestRecord,
    private readonly admitted: Admitted, private readonly body: RequestBody | null, private readonly outliveToken: boolean,
  ) {}

  /** Resolves when the client has got an answer, be it cut off. Rejects with the reason if it has not got any. */
  public run(session: ClientHttp2Session, headers: readonly string[]): Promise<void> {
    const { response, admitted, body } = this;
    const { deadline, question } = admitted;
    return new Promise((resolve, reject) => {
      this.settle = resolve;
      this.fail = reject;
      let upstream: ClientHttp2Stream;
      try {
        upstream = session.request(requestHeaders(this.request, admitted.target, headers), { endStream: body === null });
      } catch (error) {
        const isHeader = /HEADER|PSEUDO/.test((error as { code?: string }).code ?? '');
        reject(isHeader ? badRequest('The request cannot be handed on.') : cannotConnect(question.id));
        return;
      }
      this.upstream = upstream;
      const onClose = () => this.end(new ClientGoneError());
      const onDrain = () => {
        deadline.refresh();
        upstream.resume();
      };
      response.on('close', onClose).on('drain', onDrain);
      this.ends.push(() => response.off('close', onClose).off('drain', onDrain), deadline.onExpiry(() => this.end(timedOut(question.id))));
      if (!this.outliveToken) {
        this.ends.push(onTokenEnd(admitted, reason => this.end(unauthenticated(reason))));
      }
      upstream.on('response', (answer, flags) => this.begin(answer, (flags & NGHTTP2_FLAG_END_STREAM) !== 0));
      upstream.on('data', (chunk: Buffer) => this.take(chunk));
      upstream.on('trailers', trailers => response.addTrailers(plain(trailers) as NodeJS.Dict<string>));
      upstream.on('end', () => this.finish());
      // The reason is the code of the stream, when it closes.
      upstream.on('error', () => undefined);
      upstream.on('close', () => this.closed(session));
      body?.on('error', error => this.end(error)).pipe(upstream);
    });
  }

  private begin(answer: IncomingHttpHeaders, isWhole: boolean): void {
    const { record, response, request, admitted } = this;
    if (this.isOver) {
      return;
    }
    admitted.deadline.refresh();
    const status = Number(answer[':status']);
    record.status = status;
    const list = Object.entries(plain(answer)).flatMap(([name, value]) => [value].flat().flatMap(each => [name, each]));
    const headers = named(admitted.answered(list));
    if (isWhole) {
      // A status without a body has to be in one piece: clients look for it in headers that end the stream.
      streamOf(request)!.respond({ ...headers, ':status': status }, { endStream: true });
      this.complete();
    } else {
      response.writeHead(status, headers as NodeJS.Dict<string>);
    }
  }

  private take(chunk: Buffer): void {
    if (!this.isOver) {
      this.admitted.deadline.refresh();
      this.record.bytesOut += chunk.length;
      if (!this.response.write(chunk)) {
        this.upstream!.pause();
      }
    }
  }

  /** The sandbox has said everything. */
  private finish(): void {
    const { response } = this;
    if (!this.isOver && response.headersSent) {
      response.end();
      response.setTimeout(this.admitted.deadline.ms);
      this.complete();
    }
  }

  private complete(): void {
    const stream = streamOf(this.request)!;
    if (!this.request.complete) {
      // The rest of the request is not needed: the stream is closed without an error after the trailers.
      const stop = () => void setImmediate(() => stream.close(NGHTTP2_NO_ERROR));
      if (stream.writableFinished) {
        stop();
      } else {
        stream.once('wantTrailers', stop).once('finish', () => stream.sentTrailers === undefined || stop());
      }
    }
    this.release();
    this.settle();
  }

  /** The stream of the sandbox has closed; unexpectedly, if nothing else has ended the exchange before. */
  private closed(session: ClientHttp2Session): void {
    if (this.isOver) {
      return;
    }
    const code = this.upstream!.rstCode || NGHTTP2_NO_ERROR;
    this.record.error = session.destroyed ? 'eof' : 'other';
    if (session.destroyed || code === NGHTTP2_NO_ERROR) {
      this.end(cannotConnect(this.admitted.question.id));
      return;
    }
    this.release();
    this.record.status ||= 502;
    streamOf(this.request)!.close(code);
    this.settle();
  }

  /** Ends both sides for a reason that is not the sandbox's. */
  private end(reason: Error): void {
    if (this.isOver) {
      return;
    }
    this.release();
    this.upstream?.close(NGHTTP2_CANCEL);
    const { response } = this;
    if (!response.headersSent || response.closed) {
      this.fail(reason);
      return;
    }
    if (reason.name === 'Refusal') {
      if ((reason as Refusal).status === 504) {
        this.record.error ??= 'timeout';
      }
      response.addTrailers(grpcStatus(reason as Refusal));
      response.end();
    } else {
      streamOf(this.request)!.close(NGHTTP2_INTERNAL_ERROR);
    }
    this.settle();
  }

  private release(): void {
    this.isOver = true;
    this.ends.forEach(end => end());
    this.body?.unpipe();
  }
}

function requestHeaders(request: IncomingMessage, target: string, headers: readonly string[]): OutgoingHttpHeaders {
  const [authority, rest] = headers[0] === 'Host' ? [headers[1], headers.slice(2)] : [undefined, headers];
  return {
    ...named(rest), te: 'trailers', ':method': request.method!, ':path': target, ':scheme': 'http',
    ...definedOnly({ ':authority': authority }),
  };
}

/** Headers from names and values in turn. */
function named(list: readonly string[]): OutgoingHttpHeaders {
  const headers: Record<string, string | string[]> = {};
  for (let i = 0; i < list.length; i += 2) {
    const [name, value] = [list[i]!.toLowerCase(), list[i + 1]!];
    headers[name] = name in headers ? [headers[name]!, value].flat() : value;
  }
  return headers;
}

/** Without the headers of the hop. */
function plain(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  return Object.fromEntries(Object.entries(headers).filter((entry): entry is [string, string | string[]] => !entry[0].startsWith(':') && !HOP_BY_HOP.has(entry[0]) && entry[1] !== undefined));
}
