import type { Server as HttpServer } from 'node:http';
import { createServer as createTcpServer, type Server as TcpServer } from 'node:net';

/** Lets a server take connections of another port, too. Throws what listening throws. */
export async function listenAlso(server: HttpServer, host: string, port: number): Promise<TcpServer> {
  const other = createTcpServer({ noDelay: true }, socket => void server.emit('connection', socket));
  await new Promise<void>((resolve, reject) => other.once('error', reject).listen({ host, port }, resolve));
  return other;
}
