import { createHash, randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { onAbort } from 'agent-sandbox-kube';
import type { Dispatcher } from 'undici';
import * as ws from 'ws';

/** The part of ws that reads and writes frames. It is exported, but without types. */
interface Frames {
  readonly Receiver: new (options: {
    isServer: boolean; maxPayload: number; extensions: object; allowSynchronousEvents: boolean;
  }) => NodeJS.WritableStream;
  readonly Sender: new (socket: Duplex, extensions: object) => {
    send(data: Buffer, options: { binary: boolean; mask: boolean; fin: boolean }, done: (error?: Error) => void): void;
    ping(data: Buffer, mask: boolean, done?: (error?: Error) => void): void;
    pong(data: Buffer, mask: boolean, done?: (error?: Error) => void): void;
    close(code: number, data: string, mask: boolean, done?: (error?: Error) => void): void;
  };
}

const { Receiver, Sender } = ws as unknown as Frames;

/** Bytes of a message that is taken. What kubelets and runtimes send is much smaller. */
const LARGEST_MESSAGE = 4 * 1024 * 1024;
/** Bytes kept of the body of a refusal. */
const LARGEST_REFUSAL = 4096;

/** Constant of RFC 6455. */
const ACCEPT_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export interface WebSocketRequest {
  readonly dispatcher: Dispatcher;
  readonly origin: string;
  /** With query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** Subprotocol that the server must take. @default - none */
  readonly protocol?: string;
  /** Ends the handshake, not the connection. */
  readonly signal: AbortSignal;
  /**
   * Whether a quiet connection is asked for a sign of life every 20 seconds, and given up when none comes within 20 more. Without it,
   * the question is asked only to keep what is in between from forgetting the connection. @default false
   */
  readonly pings?: boolean;
  /** Milliseconds between them, for tests. @default 20000 */
  readonly pingIntervalMs?: number;
}

/** Milliseconds of silence after which the other side is asked for a sign of life. Proxies forget connections after 60 seconds and more. */
const PING_INTERVAL_MS = 20_000;

/** What a WebSocket hands over. */
export interface WebSocketHandler {
  /** Returns false to receive nothing more until `resume`. */
  message(data: Buffer): boolean;
  /** The last call: the connection is over, with an error unless one side closed it in good order. */
  over(error?: Error): void;
}

/** The server answered the handshake with a status. */
export class UpgradeRefusedError extends Error {
  constructor(public readonly statusCode: number, public readonly body: string) {
    super(`${statusCode} instead of a WebSocket`);
    this.name = 'UpgradeRefusedError';
  }
}

/**
 * The client's side of a WebSocket. It has back-pressure: unread messages stay in the connection, which the WebSocket of undici
 * cannot do. It uses a dispatcher of undici (certificates, proxies, tunnels), which the WebSocket of ws cannot.
 */
export class WebSocketClient {
  /** Opens one. Throws `UpgradeRefusedError`, the error of the connection, or the reason of the signal. */
  public static async open(request: WebSocketRequest, handler: WebSocketHandler): Promise<WebSocketClient> {
    const key = randomBytes(16).toString('base64');
    const { socket, headers } = await upgrade(request, {
      ...request.headers,
      'sec-websocket-version': '13',
      'sec-websocket-key': key,
      ...(request.protocol && { 'sec-websocket-protocol': request.protocol }),
    });
    const accept = createHash('sha1').update(key + ACCEPT_SUFFIX).digest('base64');
    if (headers['sec-websocket-accept'] !== accept || headers['sec-websocket-protocol'] !== request.protocol) {
      socket.destroy();
      throw new Error(`the server does not speak ${request.protocol ?? 'WebSocket'}`);
    }
    return new WebSocketClient(socket, handler, request);
  }

  private readonly sender: InstanceType<Frames['Sender']>;
  private ended = false;
  private readonly heartbeat: NodeJS.Timeout;
  /** Questions since the last sign of life. */
  private unanswered = 0;

  private constructor(
    private readonly socket: Duplex, private readonly handler: WebSocketHandler, { pings, pingIntervalMs = PING_INTERVAL_MS }: WebSocketRequest,
  ) {
    const receiver = new Receiver({ isServer: false, maxPayload: LARGEST_MESSAGE, extensions: {}, allowSynchronousEvents: true });
    this.sender = new Sender(socket, {});
    receiver.on('message', (data: Buffer) => {
      if (!this.ended && !handler.message(data)) {
        socket.pause();
      }
    });
    receiver.on('ping', (data: Buffer) => this.sender.pong(data, true));
    receiver.on('conclude', (code: number, reason: Buffer) => {
      // 1000 and 1005 (no code) are the good order; 1001 is a server that goes away.
      this.finish(code === 1000 || code === 1005 ? undefined : new Error(`closed with ${code}${reason.length > 0 ? `: ${reason}` : ''}`));
    });
    receiver.on('error', error => this.finish(error));
    socket.on('data', (chunk: Buffer) => {
      this.unanswered = 0;
      receiver.write(chunk);
    });
    this.heartbeat = setInterval(() => {
      // While messages wait to be taken, an answer would wait behind them.
      if (pings && this.unanswered > 1 && !socket.isPaused()) {
        this.finish(new Error(`no sign of life within ${2 * pingIntervalMs} ms`));
      } else if (!this.ended) {
        this.unanswered++;
        this.sender.ping(Buffer.alloc(0), true);
      }
    }, pingIntervalMs).unref();
    socket.on('error', error => this.finish(error));
    socket.on('close', () => this.finish(new Error('the connection was closed')));
    socket.on('end', () => this.finish(new Error('the connection was closed')));
  }

  /** Goes on after `message` returned false. */
  public resume(): void {
    this.socket.resume();
  }

  public send(data: Buffer, { binary }: { binary: boolean }, done: (error?: Error) => void): void {
    this.sender.send(data, { binary, mask: true, fin: true }, done);
  }

  /** Says good-bye and closes; `over` is called without an error. */
  public close(): void {
    if (!this.ended) {
      this.sender.close(1000, '', true, () => this.socket.destroy());
      this.finish();
    }
  }

  private finish(error?: Error): void {
    if (!this.ended) {
      this.ended = true;
      clearInterval(this.heartbeat);
      if (error) {
        this.socket.destroy();
      } else {
        this.socket.end();
        // What still comes is not wanted, but would keep the connection from closing.
        this.socket.resume();
      }
      this.handler.over(error);
    }
  }
}

/** Sends the handshake. Not `dispatcher.upgrade`, which forgets the status of a refusal. */
function upgrade(
  { dispatcher, origin, path, signal }: WebSocketRequest, headers: Record<string, string | string[]>,
): Promise<{ socket: Duplex; headers: Record<string, string | string[] | undefined> }> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    let code = 0;
    let body = '';
    let cancel = () => undefined as void;
    let isSettled = false;
    const forget = onAbort(signal, () => {
      cancel();
      settle(() => reject(signal.reason));
    });
    const settle = (finish: () => void) => {
      isSettled = true;
      forget?.();
      finish();
    };
    dispatcher.dispatch({ origin, path, method: 'GET', headers, upgrade: 'websocket' }, {
      onRequestStart: controller => {
        cancel = () => controller.abort(new Error('aborted'));
        if (isSettled) {
          cancel();
        }
      },
      onRequestUpgrade: (_, __, received, socket) => {
        if (isSettled) {
          socket.destroy();
        } else {
          settle(() => resolve({ socket, headers: received as Record<string, string> }));
        }
      },
      onResponseStart: (_, statusCode) => {
        code = statusCode;
      },
      onResponseData: (_, chunk) => {
        body = (body + chunk.toString()).slice(0, LARGEST_REFUSAL);
      },
      onResponseEnd: () => settle(() => reject(new UpgradeRefusedError(code, body))),
      onResponseError: (_, error) => settle(() => reject(error)),
    });
  });
}
