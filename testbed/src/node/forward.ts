import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, type Server, type Socket, createServer } from 'node:net';
import type { Namespaces } from './namespaces.js';
import { machinePath } from './requirements.js';

/** A port of the loopback interface that leads into the network of a node. */
export class Forward {
  /** Takes connections until `close`, each to `host:port` as the node reaches it. */
  public static async open(network: Namespaces, host: string, port: number): Promise<Forward> {
    const { command, args } = network.command('socat', ['STDIO', `TCP:${host.includes(':') ? `[${host}]` : host}:${port}`]);
    const sockets = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true }, socket => {
      sockets.add(socket);
      const child = spawn(command, args, { env: { PATH: machinePath() }, stdio: ['pipe', 'pipe', 'ignore'] });
      socket.pipe(child.stdin).on('error', () => undefined);
      child.stdout.pipe(socket);
      socket.on('error', () => child.kill()).on('close', () => {
        sockets.delete(socket);
        child.kill();
      });
      child.on('error', () => socket.destroy()).on('exit', code => code !== 0 && socket.destroy());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    // A test run must be able to end while it is open.
    server.unref();
    return new Forward(server, sockets);
  }

  private constructor(private readonly server: Server, private readonly sockets: ReadonlySet<Socket>) {}

  public get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Ends all connections. */
  public async close(): Promise<void> {
    this.sockets.forEach(socket => socket.destroy());
    this.server.close();
    await once(this.server, 'close');
  }

  public async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
