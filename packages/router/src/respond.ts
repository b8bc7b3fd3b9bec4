import type { IncomingMessage, ServerResponse } from 'node:http';
import { grpcStatus, isGrpc } from './grpc.js';
import { streamOf } from './http2.js';
import type { Refusal } from './refusal.js';

/** Milliseconds that a client may go on sending a body after the answer; the body is discarded. */
const LINGER_MS = 2_000;

/** Sends a refusal. */
export function sendRefusal(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void {
  const { status, body, page, headers } = refusal;
  if (isGrpc(request)) {
    const stream = streamOf(request)!;
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...grpcStatus(refusal) }, { endStream: true });
    // The rest of the request is not needed. Not closed at once: Node.js 22 would send the end of the stream in place of the status.
    const stop = () => void setImmediate(() => stream.close());
    if (stream.writableFinished) {
      stop();
    } else {
      stream.once('finish', stop);
    }
  } else if (request.headers['sec-fetch-dest'] === 'document') {
    send(request, response, status, page, { ...headers, 'content-type': 'text/html; charset=utf-8', 'content-security-policy': "default-src 'none'" });
  } else {
    send(request, response, status, body, headers);
  }
}

/**
 * Sends a JSON text. A request that is not complete is read to its end for a short time, since closing at once would take the
 * answer from a client that is still sending; then the connection is closed.
 */
export function send(
  request: IncomingMessage, response: ServerResponse, status: number, body: string, headers: Readonly<Record<string, string | string[]>> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...headers }).end(body);
  if (!request.complete) {
    request.resume();
    const { socket } = request;
    const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
    request.once('end', () => clearTimeout(timer));
    socket.once('close', () => clearTimeout(timer));
  }
}
