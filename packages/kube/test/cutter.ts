import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';
import type { Credentials } from '../src/credentials.js';

/** A TCP proxy in front of a real API server that can break all connections, as a failing network does. */
export class Cutter {
  /** Credentials of the same server, reached through a cutter. */
  public static async inFrontOf(credentials: Credentials): Promise<{ cutter: Cutter; credentials: Credentials }> {
    const { hostname, port } = new URL(credentials.server);
    const cutter = new Cutter(hostname, Number(port));
    await new Promise<void>(resolve => cutter.server.listen(0, '127.0.0.1', resolve));
    const server = `https://127.0.0.1:${(cutter.server.address() as AddressInfo).port}`;
    return { cutter, credentials: { server, namespace: credentials.namespace, access: () => credentials.access(), reject: access => credentials.reject(access) } };
  }

  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  private constructor(host: string, port: number) {
    this.server = createServer(client => {
      const upstream = connect(port, host);
      for (const [one, other] of [[client, upstream], [upstream, client]]) {
        this.sockets.add(one);
        one.on('error', () => other.destroy()).on('close', () => {
          this.sockets.delete(one);
          other.destroy();
        });
        one.pipe(other);
      }
    });
  }

  /** Breaks all connections; new ones come about as before. */
  public cut(): void {
    this.sockets.forEach(socket => socket.destroy());
  }

  /** Also ends the listening; a second call does nothing. */
  public async close(): Promise<void> {
    const closed = new Promise(resolve => this.server.close(resolve));
    this.cut();
    await closed;
  }
}
