import type { Server as HttpServer } from 'node:http';
import type { Http2Server, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import { Server as TlsServer, type TLSSocket } from 'node:tls';

/** What a client of HTTP/2 without TLS begins with (RFC 9113 §3.4). */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
/** Bytes of the preface that suffice: no method of HTTP/1.1 begins like this. */
const ENOUGH = 'PRI * '.length;

export interface Http2Options {
  /** How long a connection without TLS may take to send its first bytes, in milliseconds. */
  readonly firstByteTimeoutMs: number;
  /** How long a connection may be idle (no data on any stream) before it gets a GOAWAY, in milliseconds. @default - no limit */
  readonly idleTimeoutMs?: number;
}

/**
 * Lets the listening server of HTTP/1.1 serve HTTP/2 on the same port, which Node does not do by itself: with TLS when the handshake has
 * agreed on `h2`, without TLS when a client begins with the preface of HTTP/2 (prior knowledge). `http2` never listens itself. Returns
 * what ends the HTTP/2 connections: each when its last stream has ended.
 */
export function serveHttp2(server: HttpServer | HttpsServer, http2: Http2Server, { firstByteTimeoutMs, idleTimeoutMs }: Http2Options): () => void {
  const sessions = new Set<ServerHttp2Session>();
  http2.on('session', session => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    if (idleTimeoutMs !== undefined) {
      endWhenIdle(session, idleTimeoutMs);
    }
  });
  // A peer that vanishes, or speaks something else after the preface.
  http2.on('sessionError', () => undefined);
  const event = server instanceof TlsServer ? 'secureConnection' : 'connection';
  const http1 = server.listeners(event) as ((socket: Socket) => void)[];
  server.removeAllListeners(event);
  const toHttp1 = (socket: Socket) => http1.forEach(each => each.call(server, socket));
  const toHttp2 = (socket: Socket) => void http2.emit('connection', socket);
  if (server instanceof TlsServer) {
    server.on('secureConnection', (socket: TLSSocket) => (socket.alpnProtocol === 'h2' ? toHttp2 : toHttp1)(socket));
  } else {
    server.on('connection', (socket: Socket) => sniff(socket, firstByteTimeoutMs, toHttp1, toHttp2));
  }
  return () => sessions.forEach(session => session.close());
}

function sniff(socket: Socket, timeoutMs: number, toHttp1: (socket: Socket) => void, toHttp2: (socket: Socket) => void): void {
  const timer = setTimeout(() => socket.destroy(), timeoutMs);
  const stop = () => clearTimeout(timer);
  const onError = () => socket.destroy();
  socket.once('close', stop);
  socket.once('error', onError);
  let seen: Buffer = Buffer.alloc(0);
  const look = () => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) {
      return;
    }
    seen = Buffer.concat([seen, chunk]);
    if (seen.length < ENOUGH && PREFACE.subarray(0, seen.length).equals(seen)) {
      // Too few bytes to decide.
      return;
    }
    stop();
    socket.off('close', stop);
    socket.off('readable', look);
    socket.off('error', onError);
    socket.unshift(seen);
    (PREFACE.subarray(0, ENOUGH).equals(seen.subarray(0, ENOUGH)) ? toHttp2 : toHttp1)(socket);
  };
  socket.on('readable', look);
}

/** Ends a connection that has had no stream for a while. Streams have limits of their own. */
function endWhenIdle(session: ServerHttp2Session, timeoutMs: number): void {
  let streams = 0;
  session.on('stream', (stream: ServerHttp2Stream) => {
    streams++;
    stream.once('close', () => streams--);
  });
  session.setTimeout(timeoutMs, () => {
    if (streams === 0) {
      session.close();
    }
  });
}
