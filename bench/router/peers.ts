/**
 * The processes around the router, by the word on the command line: `backend`, what a sandbox would be, and `bare`, the least
 * that a reverse proxy on undici can be: no validation, no permission, no log. Each tells its port to the process that forked it.
 */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool } from 'undici';
import { WebSocketServer } from 'ws';

/** Bytes of the download. */
const DOWNLOAD_BYTES = 10 * 1024 * 1024;
const SMALL = JSON.stringify({ status: 'ok', message: 'x'.repeat(80) });

function backend(): Server {
  const download = Buffer.alloc(DOWNLOAD_BYTES, 'x');
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      const body = request.url === '/download' ? download : SMALL;
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body);
    });
  });
  // The other side of idle connections.
  new WebSocketServer({ server }).on('connection', socket => socket.on('message', data => socket.send(data)));
  return server;
}

function bare(port: string): Server {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 256 });
  const without = (headers: IncomingHttpHeaders, ...names: string[]) =>
    Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)));
  const forward = async (request: IncomingMessage, response: ServerResponse) => {
    const headers = without(request.headers, 'connection', 'host', 'transfer-encoding');
    const hasBody = request.method !== 'GET';
    const answer = await pool.request({ path: request.url!, method: request.method as 'GET', headers, body: hasBody ? request : null });
    response.writeHead(answer.statusCode, without(answer.headers, 'connection', 'keep-alive'));
    answer.body.pipe(response);
  };
  return createServer((request, response) => void forward(request, response).catch(() => response.destroy()));
}

const [role, port] = process.argv.slice(2);
const server = role === 'backend' ? backend() : bare(port);
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit());
