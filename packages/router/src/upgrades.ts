import { request as httpRequest, ServerResponse, type ClientRequest, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Admission, Admitted } from './admission.js';
import { namedByConnection } from './contract.js';
import type { Counts } from './limits.js';
import { UpstreamError, answerHeaders, refuse, type RetryOptions } from './proxy.js';
import type { RequestRecord } from './record.js';
import { ClientGoneError } from './request-body.js';
import { badRequest, cannotConnect, timedOut, tooManyRequests } from './refusal.js';
import type { Target } from './targets.js';
import { Tunnel, type TunnelLimits } from './tunnel.js';
import { hostOf } from './upstreams.js';

export interface UpgradesOptions {
  readonly admission: Admission;
  /** Upgraded connections at the same time, per caller. */
  readonly connections: Counts;
  readonly connectTimeoutMs: number;
  readonly retries: RetryOptions;
  readonly limits: TunnelLimits;
  readonly onRetry: (record: RequestRecord) => void;
  /** Handles a request whose wish for another protocol is not followed. */
  readonly plain: (request: IncomingMessage, response: ServerResponse, isEncrypted: boolean, record: RequestRecord) => Promise<void>;
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
    this.tunnels.forEach((tunnel) => tunnel.close(reason));
  }

  /**
   * Handles an upgrade request in any case. Resolves when it is over: with the connection itself, or with the answer that there
   * was instead.
   */
  public async handle(request: IncomingMessage, socket: Duplex, head: Buffer, isEncrypted: boolean, record: RequestRecord): Promise<void> {
    socket.on('error', () => socket.destroy());
    const response = new ServerResponse(request);
    response.assignSocket(socket as Socket);
    response.shouldKeepAlive = false;
    response.on('finish', () => (socket as Socket).destroySoon());
    try {
      const length = request.headers['content-length'];
      if (request.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0')) {
        throw badRequest('An upgrade request has no body.');
      }
      if (request.headers.upgrade?.toLowerCase() === 'h2c') {
        // Some clients offer HTTP/2 along with their first ordinary request. Following it would let them past the router's rules.
        await this.options.plain(request, response, isEncrypted, record);
        return;
      }
      const admitted = await this.options.admission.admit(request, isEncrypted, record);
      const { key } = admitted.caller;
      if (!this.options.connections.enter(key)) {
        throw tooManyRequests('Too many upgraded connections.');
      }
      try {
        await this.run(request, response, socket as Socket, head, admitted, record);
      } finally {
        this.options.connections.leave(key);
      }
    } catch (error) {
      refuse(request, response, error, record);
    }
  }

  private async run(
    request: IncomingMessage, response: ServerResponse, client: Socket, head: Buffer, admitted: Admitted, record: RequestRecord,
  ): Promise<void> {
    const { timeoutMs } = admitted;
    const { socket, target } = await this.dial(admitted, client, record);
    const upstream = this.ask(request, socket, [...handshake(request, admitted, target)]);
    const answered = new Promise<[IncomingMessage, Socket, Buffer] | [IncomingMessage]>((resolve, reject) => {
      const timer = setTimeout(() => upstream.destroy(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' })), timeoutMs);
      const gone = () => upstream.destroy(new ClientGoneError());
      client.once('close', gone);
      upstream.once('upgrade', (answer, upgraded, rest) => resolve([answer, upgraded as Socket, rest]));
      upstream.once('response', (answer) => resolve([answer]));
      upstream.on('error', (error) => reject(error instanceof ClientGoneError ? error : new UpstreamError(error)));
      upstream.once('close', () => {
        clearTimeout(timer);
        client.off('close', gone);
        reject(new UpstreamError(Object.assign(new Error('closed before an answer'), { code: 'ECONNRESET' })));
      });
      upstream.once('upgrade', () => {
        clearTimeout(timer);
        client.off('close', gone);
      });
    });
    const [answer, upgraded, rest] = await answered;
    record.status = answer.statusCode!;
    if (upgraded === undefined) {
      await relay(answer, response, record);
      return;
    }
    response.detachSocket(client);
    client.write(statusLine(answer));
    const tunnel = new Tunnel(client, upgraded, isWebSocket(answer), this.options.limits);
    this.tunnels.add(tunnel);
    try {
      const { bytesIn, bytesOut } = await tunnel.run(head, rest!);
      record.bytesIn = bytesIn;
      record.bytesOut = bytesOut;
    } finally {
      this.tunnels.delete(tunnel);
    }
  }

  /** A connection to the sandbox, tried again as for other requests. */
  private async dial({ question }: Admitted, client: Socket, record: RequestRecord): Promise<{ socket: Socket; target: Target }> {
    const { admission, connectTimeoutMs, retries, onRetry } = this.options;
    for (let attempt = 0; ; attempt++) {
      const target = admission.target(question);
      try {
        return { socket: await open(target, question.port, connectTimeoutMs), target };
      } catch (error) {
        record.error = 'dial';
        if (attempt >= retries.max || client.destroyed) {
          throw (error as { code?: string }).code === 'ETIMEDOUT' ? timedOut(question.id) : cannotConnect(question.id);
        }
        onRetry(record);
        await new Promise((resolve) => setTimeout(resolve, Math.min(retries.initialDelayMs * 2 ** attempt, retries.maxDelayMs)));
      }
    }
  }

  private ask(request: IncomingMessage, socket: Socket, headers: string[]): ClientRequest {
    const upstream = httpRequest({
      createConnection: () => socket, method: request.method!, path: request.url!, headers: headers as any, setHost: false,
    });
    upstream.end();
    return upstream;
  }
}

function open({ address }: Target, port: number, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, noDelay: true, keepAlive: true });
    const timer = setTimeout(() => socket.destroy(Object.assign(new Error('no connection in time'), { code: 'ETIMEDOUT' })), timeoutMs);
    socket.once('error', reject).once('close', () => clearTimeout(timer)).once('connect', () => {
      clearTimeout(timer);
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

/** Headers of the request for the upgrade. `Origin` is left out: the sandbox would compare it with a host that is not its own. */
function* handshake(request: IncomingMessage, { headers, question }: Admitted, { address }: Target): Iterable<string> {
  yield* ['Host', hostOf(address, question.port), 'Connection', 'Upgrade', 'Upgrade', request.headers.upgrade!];
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i]!.toLowerCase() !== 'origin') {
      yield headers[i]!;
      yield headers[i + 1]!;
    }
  }
}

function isWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}

/** The head of a 101 answer as the client gets it. */
function statusLine({ statusMessage, rawHeaders, headers }: IncomingMessage): string {
  const kept = answerHeaders(rawHeaders, [...namedByConnection(headers.connection) ?? []].filter((name) => name !== 'upgrade').join(','));
  const lines = [`HTTP/1.1 101 ${statusMessage || 'Switching Protocols'}`, 'Connection: Upgrade', `Upgrade: ${headers.upgrade ?? ''}`];
  for (let i = 0; i < kept.length; i += 2) {
    lines.push(`${kept[i]}: ${kept[i + 1]}`);
  }
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** Hands on an ordinary answer to an upgrade request, and ends the connection. */
function relay(answer: IncomingMessage, response: ServerResponse, record: RequestRecord): Promise<void> {
  return new Promise((resolve) => {
    response.writeHead(answer.statusCode!, answer.statusMessage ?? '', [...answerHeaders(answer.rawHeaders, answer.headers.connection), 'Connection', 'close']);
    answer.on('data', (chunk: Buffer) => {
      record.bytesOut += chunk.length;
    });
    answer.pipe(response);
    answer.on('aborted', () => response.destroy());
    response.on('close', () => {
      answer.destroy();
      resolve();
    });
  });
}
