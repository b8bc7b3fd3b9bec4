import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';

/** A request as it arrived, its path raw. */
export interface Arrived {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export type Answer = (request: Arrived, response: ServerResponse) => void;

/** Router and runtime in one: it records what arrives and answers what a test says. */
export class FakeSandbox {
  public static async start(): Promise<FakeSandbox> {
    const fake = new FakeSandbox();
    await new Promise<void>(resolve => fake.server.listen(0, '127.0.0.1', resolve));
    return fake;
  }

  public readonly arrived: Arrived[] = [];
  /** Connections so far. */
  public connections = 0;
  /** Answers of the next requests, in order; the last one goes on answering. */
  public answers: Answer[] = [];
  /** Whether it plays a runtime with streams; others know the plain endpoints only, and such questions are not recorded. */
  public hasStreams = false;
  /** What happens on a WebSocket. */
  public onSocket: (socket: WebSocket, request: IncomingMessage) => void = socket => socket.close();
  /** Status that refuses WebSockets instead. */
  public refuseUpgrade?: { readonly status: number; readonly body: string };
  private readonly server: Server;
  private readonly sockets = new WebSocketServer({ noServer: true });

  private constructor() {
    // A client that gives up in the middle of a request is part of some tests.
    this.server = createServer((request, response) => void this.handle(request, response).catch(() => undefined));
    this.server.on('connection', () => this.connections++);
    this.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.arrived.push({ method: request.method!, url: request.url!, headers: request.headers, body: Buffer.alloc(0) });
      const { refuseUpgrade } = this;
      if (refuseUpgrade) {
        socket.end(`HTTP/1.1 ${refuseUpgrade.status} No\r\nContent-Length: ${refuseUpgrade.body.length}\r\nConnection: close\r\n\r\n${refuseUpgrade.body}`);
      } else {
        this.sockets.handleUpgrade(request, socket, head, client => this.onSocket(client, request));
      }
    });
  }

  public get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  public get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  public async stop(): Promise<void> {
    this.sockets.clients.forEach(client => client.terminate());
    this.server.closeAllConnections();
    await new Promise(resolve => this.server.close(resolve));
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) {
      chunks.push(chunk);
    }
    if (!this.hasStreams && request.url === '/process.v1.ProcessService/Start') {
      status(404, { detail: 'Not Found' })(undefined as never, response);
      return;
    }
    const arrived = { method: request.method!, url: request.url!, headers: request.headers, body: Buffer.concat(chunks) };
    this.arrived.push(arrived);
    const answer = this.answers.length > 1 ? this.answers.shift()! : this.answers[0] ?? status(404, { detail: 'Not Found' });
    answer(arrived, response);
  }
}

/** Answers with a status and JSON. */
export function status(code: number, body: unknown, headers: Record<string, string> = {}): Answer {
  return (_, response) => {
    response.writeHead(code, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
  };
}

/** Answers with bytes. */
export function bytes(content: Buffer): Answer {
  return (_, response) => {
    response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(content);
  };
}

/** Closes the connection without an answer. */
export const cut: Answer = (_, response) => response.destroy();
