import { type IncomingMessage, type Server, createServer } from 'node:http';
import { type AddressInfo, type Socket, connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';

/**
 * What the tunnel needs of an API server: objects by path, and port-forwards in the protocol of kubelets, `v4.channel.k8s.io`: one
 * byte names the channel (data 0, error 1), and both begin with the port.
 */
export class FakeKubelet {
  public static async start(target: () => number): Promise<FakeKubelet> {
    const fake = new FakeKubelet(target);
    await new Promise<void>(resolve => fake.server.listen(0, '127.0.0.1', resolve));
    return fake;
  }

  /** Answers by path without query. Others are 404. */
  public readonly objects = new Map<string, { code?: number; body: unknown }>();
  /** Pods that can be connected to. */
  public readonly pods = new Set<string>();
  /** Paths with query of all requests. */
  public readonly requests: string[] = [];
  public readonly forwards: Duplex[] = [];
  /** Said on the error channel instead of connecting. */
  public complaint?: string;
  private readonly server: Server;
  private readonly sockets = new WebSocketServer({ noServer: true, handleProtocols: offered => (offered.has('v4.channel.k8s.io') ? 'v4.channel.k8s.io' : false) });

  private constructor(private readonly target: () => number) {
    this.server = createServer((request, response) => {
      this.requests.push(request.url!);
      const { code = 200, body } = this.objects.get(request.url!.split('?')[0]) ?? { code: 404, body: { kind: 'Status', reason: 'NotFound', message: 'not found' } };
      response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
    this.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => this.upgrade(request, socket, head));
  }

  public get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  public async stop(): Promise<void> {
    this.sockets.clients.forEach(client => client.terminate());
    this.forwards.forEach(socket => socket.destroy());
    this.server.closeAllConnections();
    await new Promise(resolve => this.server.close(resolve));
  }

  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.requests.push(request.url!);
    const pod = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)\/portforward\?ports=(\d+)$/.exec(request.url!);
    if (!pod || !this.pods.has(pod[2])) {
      const body = JSON.stringify({ kind: 'Status', code: 404, reason: 'NotFound', message: 'pods not found' });
      socket.end(`HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      return;
    }
    this.sockets.handleUpgrade(request, socket, head, client => {
      this.forwards.push(socket);
      const port = Buffer.alloc(2);
      port.writeUInt16LE(Number(pod[3]));
      client.send(Buffer.concat([Buffer.of(0), port]));
      client.send(Buffer.concat([Buffer.of(1), port]));
      if (this.complaint) {
        client.send(Buffer.concat([Buffer.of(1), Buffer.from(this.complaint)]));
        client.close(1000);
        return;
      }
      const upstream: Socket = connect(this.target(), '127.0.0.1');
      client.on('message', (data: Buffer) => upstream.write(data.subarray(1)));
      client.on('close', () => upstream.destroy());
      upstream.on('data', data => client.send(Buffer.concat([Buffer.of(0), data])));
      upstream.on('close', () => client.close(1000));
      upstream.on('error', () => undefined);
    });
  }
}
