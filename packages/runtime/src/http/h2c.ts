import { createServer, type Http2Server, type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Session } from 'node:http2';
import type { Server as HttpServer } from 'node:http';
import { createServer as createTcpServer, type Server as TcpServer, type Socket } from 'node:net';

/** What a client of HTTP/2 without TLS begins with (RFC 9113 §3.4). */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
/** How much of it tells: no method of HTTP/1.1 begins like this. */
const ENOUGH = 'PRI * '.length;

export interface Http2Options {
  readonly handler: (request: Http2ServerRequest, response: Http2ServerResponse) => void;
  /** How long a connection may say nothing at all, in milliseconds. */
  readonly firstByteTimeoutMs: number;
}

/**
 * Lets the listening server of HTTP/1.1 serve HTTP/2 without TLS (h2c, with prior knowledge) on the same port, which Node does not do by
 * itself. Returns what ends the HTTP/2 connections: each when its last stream has ended.
 */
export function serveHttp2(server: HttpServer, { handler, firstByteTimeoutMs }: Http2Options): () => void {
  const http2: Http2Server = createServer(handler as Parameters<typeof createServer>[0]);
  const sessions = new Set<ServerHttp2Session>();
  http2.on('session', session => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
  });
  // A peer that vanishes, or speaks something else after the preface.
  http2.on('sessionError', () => undefined);
  const http1 = server.listeners('connection') as ((socket: Socket) => void)[];
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    const timer = setTimeout(() => socket.destroy(), firstByteTimeoutMs);
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
        // Not enough to tell.
        return;
      }
      stop();
      socket.off('readable', look);
      socket.off('error', onError);
      socket.unshift(seen);
      if (PREFACE.subarray(0, ENOUGH).equals(seen.subarray(0, ENOUGH))) {
        http2.emit('connection', socket);
      } else {
        http1.forEach(each => each.call(server, socket));
      }
    };
    socket.on('readable', look);
  });
  return () => sessions.forEach(session => session.close());
}

/** Lets a server take connections of another port, too. Throws what listening throws. */
export async function listenAlso(server: HttpServer, host: string, port: number): Promise<TcpServer> {
  const other = createTcpServer({ noDelay: true }, socket => void server.emit('connection', socket));
  await new Promise<void>((resolve, reject) => other.once('error', reject).listen({ host, port }, resolve));
  return other;
}
