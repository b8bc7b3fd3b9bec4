import { definedOnly } from 'agent-sandbox-api';
import { createServer, request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Connection } from '../../../testbed/src/kubeconfig.js';

/** Fault of a request: the proxy answers itself, or the server handles the request and its answer is lost. */
export type Fault = { readonly code: number; readonly reason: string; readonly retryAfter?: number } | 'lostAnswer';

/** What a fault is decided by. */
export interface ProxiedRequest {
  readonly method: string;
  readonly path: string;
  readonly isWatch: boolean;
}

/** An HTTP proxy in front of a real API server that breaks what a test wants broken. */
export class FaultyProxy {
  public static async inFrontOf(connection: Connection): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(connection);
    await new Promise<void>(resolve => proxy.server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  /** Asked for each request. */
  public fault: (request: ProxiedRequest) => Fault | undefined = () => undefined;
  /** How often something was broken. */
  public faults = 0;
  private readonly server: Server;
  private readonly agent: Agent;
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly connection: Connection) {
    const { ca, cert, key } = connection;
    this.agent = new Agent({ ca, cert, key, keepAlive: true });
    this.server = createServer((request, response) => this.handle(request, response));
    this.server.on('connection', socket => this.sockets.add(socket.on('close', () => this.sockets.delete(socket))));
  }

  public get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Breaks all connections; new ones come about as before. */
  public cut(): void {
    this.faults++;
    this.sockets.forEach(socket => socket.destroy());
  }

  public async close(): Promise<void> {
    const closed = new Promise(resolve => this.server.close(resolve));
    this.sockets.forEach(socket => socket.destroy());
    this.agent.destroy();
    await closed;
  }

  private handle(request: IncomingMessage, response: ServerResponse): void {
    const { method = 'GET', url = '/', headers } = request;
    const fault = this.fault({ method, path: url, isWatch: /[?&]watch=(true|1)/.test(url) });
    if (fault !== undefined) {
      this.faults++;
    }
    if (fault !== undefined && fault !== 'lostAnswer') {
      request.resume().on('end', () => refuse(response, fault));
      return;
    }
    const { protocol, hostname, port } = new URL(this.connection.server);
    const send = protocol === 'https:' ? httpsRequest : httpRequest;
    const upstream = send({ hostname, port, method, path: url, headers: { ...headers, host: `${hostname}:${port}` }, agent: this.agent }, answer => {
      if (fault === 'lostAnswer') {
        answer.resume().on('end', () => request.socket.destroy());
        return;
      }
      response.writeHead(answer.statusCode!, answer.headers);
      answer.on('error', () => request.socket.destroy()).pipe(response);
    });
    upstream.on('error', () => request.socket.destroy());
    response.on('close', () => (fault === 'lostAnswer' ? undefined : upstream.destroy()));
    request.pipe(upstream);
  }
}

function refuse(response: ServerResponse, { code, reason, retryAfter }: Exclude<Fault, string>): void {
  const status = { kind: 'Status', apiVersion: 'v1', status: 'Failure', message: 'broken on purpose', reason, code };
  response.writeHead(code, { 'content-type': 'application/json', ...definedOnly({ 'retry-after': retryAfter === undefined ? undefined : String(retryAfter) }) }).end(JSON.stringify(status));
}
