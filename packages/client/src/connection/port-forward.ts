import { Duplex } from 'node:stream';
import { type ObjectRef, PODS, keyOf } from 'agent-sandbox-api';
import { ApiError, type Cluster, ConnectionError, type Status, describeLocation, pathOf } from 'agent-sandbox-kube';
import { SandboxTunnelError } from '../errors.js';
import { UpgradeRefusedError, WebSocketClient } from '../web-socket.js';

/** Protocol of kubelets for port-forwards without SPDY: every message begins with the number of its channel. */
const PROTOCOL = 'v4.channel.k8s.io';
const DATA = 0;
const ERROR = 1;
/** Each channel begins with the port, two bytes. */
const PORT_BYTES = 2;

/**
 * Connects to a port of a Pod through the API server: one WebSocket is one TCP connection. Needs `get` and `create` on
 * `pods/portforward`. Throws `ApiError` for what the server refuses and `ConnectionError`.
 */
export async function portForward(cluster: Cluster, pod: ObjectRef, port: number, signal: AbortSignal): Promise<Duplex> {
  const stream = new PortForwardStream(`${keyOf(pod)}:${port}`);
  const location = { ...pod, subresource: 'portforward' };
  const { url, headers, dispatcher } = await cluster.upgrade(`${pathOf(PODS, location)}?ports=${port}`);
  const { origin, pathname, search } = new URL(url.replace(/^ws/, 'http'));
  try {
    stream.attach(await WebSocketClient.open({ dispatcher, origin, path: pathname + search, headers, protocol: PROTOCOL, signal }, {
      message: data => stream.receive(data),
      over: error => stream.over(error),
    }));
    return stream;
  } catch (error) {
    signal.throwIfAborted();
    const request = `get ${describeLocation(PODS, location)}`;
    throw error instanceof UpgradeRefusedError
      ? new ApiError(request, error.statusCode, statusOf(error.body))
      : new ConnectionError(request, error as Error);
  }
}

function statusOf(text: string): Status {
  try {
    const status = JSON.parse(text);
    return typeof status === 'object' && status !== null ? status : { message: text };
  } catch {
    // Proxies and kubelets answer in plain text.
    return { message: text.trim() };
  }
}

/** The TCP connection: bytes in, bytes out. Ends when the Pod closes it; fails when the kubelet says so or the tunnel breaks. */
class PortForwardStream extends Duplex {
  private socket?: WebSocketClient;
  /** Bytes of the port numbers that have not come yet, by channel. */
  private readonly preamble = [PORT_BYTES, PORT_BYTES];
  private complaint = '';

  constructor(private readonly target: string) {
    super({ allowHalfOpen: false });
  }

  public attach(socket: WebSocketClient): void {
    this.socket = socket;
    if (this.destroyed) {
      socket.close();
    }
  }

  /** Takes a message of the WebSocket; false when the reader cannot keep up. */
  public receive(data: Buffer): boolean {
    const channel = data[0];
    const skipped = Math.min(this.preamble[channel] ?? 0, data.length - 1);
    const content = data.subarray(1 + skipped);
    if (skipped > 0) {
      this.preamble[channel] -= skipped;
    }
    if (channel === ERROR) {
      this.complaint = (this.complaint + content.toString()).slice(0, 1000);
    }
    return channel === DATA && content.length > 0 && !this.destroyed ? this.push(content) : true;
  }

  /** The WebSocket is over. */
  public over(error?: Error): void {
    if (this.complaint || error) {
      // A kubelet that could not connect to the port says so here, since it took the WebSocket before it tried.
      const sent = !/refused|no such host|no route|not found/i.test(this.complaint);
      this.destroy(new SandboxTunnelError(`port-forward to ${this.target}: ${this.complaint || error!.message}`, sent, { cause: error }));
    } else {
      this.push(null);
    }
  }

  public override _read(): void {
    this.socket?.resume();
  }

  public override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.socket!.send(Buffer.concat([Buffer.of(DATA), chunk]), { binary: true }, done);
  }

  public override _final(done: () => void): void {
    this.socket?.close();
    done();
  }

  public override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.socket?.close();
    done(error);
  }
}
