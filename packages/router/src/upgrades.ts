import { request as httpRequest, ServerResponse, type ClientRequest, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Admission, Admitted } from './admission.js';
import { namedByConnection } from './contract.js';
import type { Counts } from './limits.js';
import { UpstreamError, answerHeaders, pause, refuse, type RetryOptions } from './proxy.js';
import type { RequestRecord } from './record.js';
import { WaitingClient } from './waiting-client.js';
import { badRequest, cannotConnect, timedOut, tooManyRequests } from './refusal.js';
import type { Target } from './targets.js';
import { onTokenEnd } from './token-end.js';
import { Tunnel, type TunnelLimits } from './tunnel.js';
import { hostOf } from './upstreams.js';
import { POLICY_VIOLATION } from './websocket.js';

export interface UpgradesOptions {
  readonly admission: Admission;
  /** Upgraded connections at the same time, per caller. */
  readonly connections: Counts;
  readonly connectTimeoutMs: number;
  readonly retries: RetryOptions;
  readonly limits: TunnelLimits;
  /** Whether connections may last longer than the token and the permission that they were opened with. */
  readonly outliveToken: boolean;
  readonly onRetry: (record: RequestRecord) => void;
  /** Handles a request whose wish for another protocol is not followed. */
  readonly plain: (request: IncomingMessage, response: ServerResponse, isEncrypted: boolean, record: RequestRecord) => Promise<void>;
}

/** A connection to a sandbox that was agreed on. */
interface OpenTunnel {
  readonly tunnel: Tunnel;
  /** Bytes that the client and the sandbox have sent already. */
  readonly head: Buffer;
  readonly rest: Buffer;
  /** Under which it counts; see `Admitted`. */
  readonly limitKey: string;
  readonly permission: Pick<Admitted, 'expiresAt' | 'isStillAllowed'>;
}

/** Carries requests that turn the connection into something else: WebSockets, and any other protocol that both sides agree on. */
export class Upgrades {
  private readonly tunnels = new Set<Tunnel>();

  constructor(private readonly options: UpgradesOptions) {}

  /** Connections that are open. */
  public get size(): number {
    return this.tunnels.size;
  }

  /** Ends all connections, WebSockets with the code for "going away". */
  public close(reason: string): void {
    this.tunnels.forEach(tunnel => tunnel.close(reason));
  }

  /**
   * Handles an upgrade request in any case. Resolves when it is over: with the connection itself, or with the answer that there
   * was instead.
   */
  public handle(request: IncomingMessage, socket: Duplex, head: Buffer, isEncrypted: boolean, record: RequestRecord): Promise<void> {
    destroyOnError(socket as Socket);
    // Nothing here waits for the tunnel and knows the request, which would otherwise be kept for as long as an editor is open.
    return this.establish(request, socket as Socket, head, isEncrypted, record).then(tunnel => tunnel && this.run(tunnel, record));
  }

  /** The tunnel, or undefined if there was another answer. */
  private async establish(
    request: IncomingMessage, socket: Socket, head: Buffer, isEncrypted: boolean, record: RequestRecord,
  ): Promise<OpenTunnel | undefined> {
    const response = new ServerResponse(request);
    response.assignSocket(socket);
    response.shouldKeepAlive = false;
    response.on('finish', () => socket.destroySoon());
    try {
      const length = request.headers['content-length'];
      if (request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')) {
        throw badRequest('An upgrade request has no body.');
      }
      if (request.headers.upgrade?.toLowerCase() === 'h2c') {
        // Some clients offer HTTP/2 along with their first ordinary request. Following it would let them past the router's rules.
        await this.options.plain(request, response, isEncrypted, record);
        return undefined;
      }
      const waiting = new WaitingClient(socket, head);
      try {
        return await waiting.until(this.admit(request, response, waiting, isEncrypted, record));
      } finally {
        waiting.release();
      }
    } catch (error) {
      refuse(request, response, error, record);
      return undefined;
    }
  }

  private async admit(
    request: IncomingMessage, response: ServerResponse, client: WaitingClient, isEncrypted: boolean, record: RequestRecord,
  ): Promise<OpenTunnel | undefined> {
    const { admission, connections } = this.options;
    const admitted = await admission.admit(request, isEncrypted, record);
    const { limitKey, deadline } = admitted;
    try {
      client.check();
      if (!connections.enter(limitKey)) {
        throw tooManyRequests('Too many upgraded connections.');
      }
      let tunnel: OpenTunnel | undefined;
      try {
        tunnel = await this.open(request, response, client, admitted, record);
      } finally {
        // From then on the tunnel has the place.
        if (tunnel === undefined) {
          connections.leave(limitKey);
        }
      }
      return tunnel;
    } finally {
      deadline.clear();
    }
  }

  private async open(
    request: IncomingMessage, response: ServerResponse, client: WaitingClient, admitted: Admitted, record: RequestRecord,
  ): Promise<OpenTunnel | undefined> {
    const { deadline } = admitted;
    const { socket, target } = await this.dial(admitted, client, record);
    const upstream = this.ask(request, admitted.target, socket, [...handshake(request, admitted, target)]);
    const answered = new Promise<[IncomingMessage, Socket, Buffer] | [IncomingMessage]>((resolve, reject) => {
      upstream.once('upgrade', (answer, upgraded, rest) => resolve([answer, upgraded as Socket, rest]));
      upstream.once('response', answer => resolve([answer]));
      upstream.on('error', error => reject(new UpstreamError(error)));
      upstream.once('close', () => reject(new UpstreamError(Object.assign(new Error('closed before an answer'), { code: 'ECONNRESET' }))));
    });
    let answer: IncomingMessage, upgraded: Socket | undefined, rest: Buffer | undefined;
    try {
      [answer, upgraded, rest] = await client.until(deadline.bound(answered));
    } catch (error) {
      upstream.destroy();
      throw error;
    }
    record.status = answer.statusCode!;
    if (upgraded === undefined) {
      await relay(answer, response, admitted, record);
      return undefined;
    }
    deadline.clear();
    const head = client.release();
    response.detachSocket(client.socket);
    client.socket.write(statusLine(answer, admitted));
    const tunnel = new Tunnel(client.socket, upgraded, isWebSocket(answer), this.options.limits);
    const { expiresAt, isStillAllowed, limitKey } = admitted;
    return { tunnel, head, rest: rest!, limitKey, permission: { expiresAt, isStillAllowed } };
  }

  /** Carries what the two sides send until both have ended. */
  private async run({ tunnel, head, rest, limitKey, permission }: OpenTunnel, record: RequestRecord): Promise<void> {
    const stopWatching = this.options.outliveToken ? () => undefined : onTokenEnd(permission, reason => tunnel.close(reason, POLICY_VIOLATION));
    this.tunnels.add(tunnel);
    try {
      const { bytesIn, bytesOut } = await tunnel.run(head, rest);
      record.bytesIn = bytesIn;
      record.bytesOut = bytesOut;
    } finally {
      stopWatching();
      this.tunnels.delete(tunnel);
      this.options.connections.leave(limitKey);
    }
  }

  /** A connection to the sandbox, tried again as for other requests. */
  private async dial({ question, deadline }: Admitted, client: WaitingClient, record: RequestRecord): Promise<{ socket: Socket; target: Target }> {
    const { admission, connectTimeoutMs, retries, onRetry } = this.options;
    for (let attempt = 0; ; attempt++) {
      const target = admission.target(question);
      const opening = open(target, question.port, connectTimeoutMs);
      try {
        return { socket: await client.until(deadline.bound(opening)), target };
      } catch (error) {
        // A late answer is discarded.
        opening.then(socket => socket.destroy(), () => undefined);
        client.check();
        if (deadline.isOver) {
          throw error;
        }
        if (attempt >= retries.max) {
          record.error = 'dial';
          throw (error as { code?: string }).code === 'ETIMEDOUT' ? timedOut(question.id) : cannotConnect(question.id);
        }
        onRetry(record);
        await client.until(deadline.bound(pause(Math.min(retries.initialDelayMs * 2 ** attempt, retries.maxDelayMs))));
      }
    }
  }

  private ask(request: IncomingMessage, target: string, socket: Socket, headers: string[]): ClientRequest {
    const upstream = httpRequest({
      createConnection: () => socket, method: request.method!, path: target, headers: headers as any, setHost: false,
    });
    upstream.end();
    return upstream;
  }
}

function destroyOnError(socket: Socket): void {
  socket.on('error', () => socket.destroy());
}

function open({ address }: Target, port: number, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    // A sandbox that has sent everything may still read.
    const socket = connect({ host: address, port, noDelay: true, keepAlive: true, allowHalfOpen: true });
    const timer = setTimeout(() => socket.destroy(Object.assign(new Error('no connection in time'), { code: 'ETIMEDOUT' })), timeoutMs);
    socket.once('error', reject).once('close', () => clearTimeout(timer)).once('connect', () => {
      clearTimeout(timer);
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

/** Headers of the request for the upgrade. `Host` and `Origin` are the client's, so that the sandbox can recognize its own pages. */
function* handshake(request: IncomingMessage, { headers, question }: Admitted, { address }: Target): Iterable<string> {
  if (headers[0] !== 'Host') {
    yield* ['Host', hostOf(address, question.port)];
  }
  yield* headers;
  yield* ['Connection', 'Upgrade', 'Upgrade', request.headers.upgrade!];
}

function isWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}

/** The head of a 101 answer as the client gets it. */
function statusLine({ statusMessage, rawHeaders, headers }: IncomingMessage, { answered }: Admitted): string {
  const kept = answered(answerHeaders(rawHeaders, [...namedByConnection(headers.connection) ?? []].filter(name => name !== 'upgrade').join(',')));
  const lines = [`HTTP/1.1 101 ${statusMessage || 'Switching Protocols'}`, 'Connection: Upgrade', `Upgrade: ${headers.upgrade ?? ''}`];
  for (let i = 0; i < kept.length; i += 2) {
    lines.push(`${kept[i]}: ${kept[i + 1]}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** Hands on an ordinary answer to an upgrade request for as long as it moves, and ends the connection. */
function relay(answer: IncomingMessage, response: ServerResponse, { deadline, answered }: Admitted, record: RequestRecord): Promise<void> {
  return new Promise(resolve => {
    response.writeHead(answer.statusCode!, answer.statusMessage ?? '', [...answered(answerHeaders(answer.rawHeaders, answer.headers.connection)), 'Connection', 'close']);
    response.flushHeaders();
    deadline.refresh();
    deadline.onExpiry(() => response.destroy());
    answer.on('data', (chunk: Buffer) => {
      deadline.refresh();
      record.bytesOut += chunk.length;
    });
    response.on('drain', () => deadline.refresh());
    answer.pipe(response);
    answer.on('aborted', () => response.destroy());
    response.on('close', () => {
      answer.destroy();
      resolve();
    });
  });
}
