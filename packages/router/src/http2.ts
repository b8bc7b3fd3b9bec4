import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  Http2ServerRequest, Http2ServerResponse, constants, createServer, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream,
} from 'node:http2';
import type { ReadableOptions } from 'node:stream';

/** Streams that a client may have at the same time on one connection. */
const MAX_STREAMS = 128;
/** Headers of a request that are read at all; how many are admitted is decided where the others are, with an answer. */
const MAX_HEADERS_READ = 512;

export interface Http2Settings {
  /** Bytes of the header of a request. */
  readonly maxHeaderBytes: number;
  readonly onRequest: (request: IncomingMessage, response: ServerResponse) => void;
}

/** A server of HTTP/2 whose requests and answers can be used as those of HTTP/1.1. It does not listen; see `serveHttp2`. */
export function http2Server({ maxHeaderBytes, onRequest }: Http2Settings): Http2Server {
  const server = createServer({
    settings: { maxConcurrentStreams: MAX_STREAMS, maxHeaderListSize: maxHeaderBytes, enablePush: false },
    maxHeaderListPairs: MAX_HEADERS_READ,
    Http2ServerRequest: Request, Http2ServerResponse: Response as typeof Http2ServerResponse,
  }) as Http2Server;
  const handle = (request: Http2ServerRequest, response: Http2ServerResponse) =>
    onRequest(request as unknown as IncomingMessage, response as unknown as ServerResponse);
  return server.on('request', handle).on('checkContinue', handle);
}

/** The stream of a request that came over HTTP/2; undefined for others. */
export function streamOf(request: IncomingMessage): ServerHttp2Stream | undefined {
  return request instanceof Request ? request.stream : undefined;
}

/** Whether a request has a body. */
export function hasBody(request: IncomingMessage): boolean {
  const stream = streamOf(request);
  if (stream !== undefined) {
    return !stream.endAfterHeaders;
  }
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  return encoding !== undefined || (length !== undefined && length !== '0');
}

/** A request of HTTP/2 in the form of one of HTTP/1.1: with `Host`, one `Cookie`, and without the headers that begin with a colon. */
class Request extends Http2ServerRequest {
  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, options: ReadableOptions, raw: readonly string[]) {
    const authority = headers[':authority'];
    super(stream, authority === undefined ? headers : Object.assign(headers, { host: authority }), options, rawAsHttp1(raw));
    // Whether the body has come whole. Node says so for one that was cut, too.
    Object.defineProperty(this, 'complete', { get: () => stream.endAfterHeaders || this.readableEnded || stream.readableEnded });
  }
}

/** Names and values in turn. A `host` that differs from `:authority` is kept beside it: admission refuses duplicates. */
function rawAsHttp1(raw: readonly string[]): string[] {
  const headers: string[] = [];
  const cookies: string[] = [];
  let authority: string | undefined;
  for (let i = 0; i < raw.length; i += 2) {
    const [name, value] = [raw[i]!, raw[i + 1]!];
    if (name === ':authority') {
      authority = value;
      headers.push('Host', value);
    } else if (name === 'cookie') {
      cookies.push(value);
    } else if (!name.startsWith(':') && !(name === 'host' && value === authority)) {
      headers.push(name, value);
    }
  }
  // Clients may send them one by one (RFC 9113, section 8.2.3).
  return cookies.length === 0 ? headers : [...headers, 'cookie', cookies.join('; ')];
}

/** An answer of HTTP/2 that can be written as one of HTTP/1.1. */
class Response extends Http2ServerResponse {
  /** Of HTTP/1.1 only. */
  public shouldKeepAlive = true;

  constructor(stream: ServerHttp2Stream) {
    super(stream);
    Object.defineProperty(this, 'closed', { get: () => stream.closed || stream.destroyed });
  }

  /** Takes headers as an object, or as names and values in turn. HTTP/2 has no text beside the status. */
  public override writeHead(status: number, ...more: any[]): this {
    const headers = more.at(-1);
    const named: Record<string, string | string[]> = {};
    const add = (name: string, value: string | string[]) => {
      const lower = name.toLowerCase();
      if (lower !== 'connection' && lower !== 'keep-alive') {
        named[lower] = lower in named ? [named[lower]!, value].flat() : value;
      }
    };
    if (Array.isArray(headers)) {
      for (let i = 0; i < headers.length; i += 2) {
        add(headers[i], headers[i + 1]);
      }
    } else if (typeof headers === 'object') {
      Object.entries<string | string[]>(headers).forEach(([name, value]) => add(name, value));
    }
    return super.writeHead(status, named);
  }

  public writeProcessing(): void {
    this.stream.additionalHeaders({ ':status': 102 });
  }

  /** Gives a client up that takes nothing for so long. */
  public override setTimeout(ms: number): void {
    this.stream?.setTimeout(ms, () => this.destroy());
  }

  /** Ends the stream so that an answer which has begun does not look complete. */
  public destroy(): this {
    this.stream?.close(constants.NGHTTP2_INTERNAL_ERROR);
    return this;
  }
}
