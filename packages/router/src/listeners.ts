import { definedOnly } from 'agent-sandbox-api';
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import { type AddressInfo, type BlockList, isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createSecureContext, type TLSSocket } from 'node:tls';
import type { Logger } from 'agent-sandbox-kube';
import { isOff, listen, serveHttp2 } from 'agent-sandbox-program';
import { withoutMapping } from './addresses.js';
import type { MtlsMode } from './flags.js';
import { http2Server } from './http2.js';
import { Counts } from './limits.js';
import { Refusal } from './refusal.js';
import { WatchedFiles } from './watched-file.js';

export interface ListenerOptions {
  readonly httpAddress: string;
  readonly httpsAddress: string;
  readonly tls?: {
    readonly certFile: string;
    readonly keyFile: string;
    readonly clientCaFile?: string;
    readonly mtls: MtlsMode;
    readonly onReload?: (success: boolean) => void;
  };
  readonly maxHeaderBytes: number;
  readonly readHeaderTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** 0 for no limit. */
  readonly maxConnections: number;
  /** Per address; 0 for no limit. */
  readonly maxConnectionsPerClient: number;
  /** Not counted by address: many clients are behind each of them. */
  readonly trustedProxies: BlockList;
  readonly logger: Logger;
  readonly onRequest: (request: IncomingMessage, response: ServerResponse, isEncrypted: boolean) => void;
  readonly onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer, isEncrypted: boolean) => void;
}

/** The ports that callers connect to. */
export class Listeners {
  private readonly servers: { readonly server: Server | HttpsServer; readonly address: string }[] = [];
  private readonly files: { close(): void }[] = [];
  private readonly connections: Counts;
  /** Ends the connections of HTTP/2 that each server has, as soon as their last stream has ended. */
  private readonly endHttp2: (() => void)[] = [];
  /** All that are open: a server forgets those that were upgraded. */
  private readonly sockets = new Set<Socket>();

  /** Throws if the certificate, its key or the client authorities are invalid. */
  constructor(private readonly options: ListenerOptions) {
    this.connections = new Counts(options.maxConnectionsPerClient);
    if (!isOff(options.httpAddress)) {
      this.add(createHttpServer(this.settings()), options.httpAddress, false);
    }
    if (!isOff(options.httpsAddress)) {
      this.add(this.secureServer(), options.httpsAddress, true);
    }
  }

  /** Binds all ports, or none: rejects if one of them cannot be had. */
  public async bind(): Promise<void> {
    try {
      for (const { server, address } of this.servers) {
        await listen(server, address);
      }
    } catch (error) {
      await this.close(0);
      throw error;
    }
  }

  /** Ports in the order HTTP, HTTPS. */
  public get ports(): number[] {
    return this.servers.map(({ server }) => (server.address() as AddressInfo).port);
  }

  /** Accepts no more connections, and waits until the open ones have ended, at most for the given milliseconds. */
  public async close(timeoutMs: number): Promise<void> {
    this.files.forEach(file => file.close());
    this.endHttp2.forEach(end => end());
    const timer = setTimeout(() => this.sockets.forEach(socket => socket.destroy()), timeoutMs);
    await Promise.all(this.servers.map(({ server }) => new Promise<void>(resolve => {
      server.close(() => resolve());
      server.closeIdleConnections();
    })));
    clearTimeout(timer);
  }

  private settings(): ServerOptions {
    const { maxHeaderBytes, readHeaderTimeoutMs, idleTimeoutMs } = this.options;
    return {
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: readHeaderTimeoutMs,
      keepAliveTimeout: idleTimeoutMs,
      // Bodies may take as long as they keep moving.
      requestTimeout: 0,
      connectionsCheckingInterval: Math.min(1_000, Math.ceil(readHeaderTimeoutMs / 4)),
      insecureHTTPParser: false,
      requireHostHeader: true,
    };
  }

  private secureServer(): HttpsServer {
    const { certFile, keyFile, clientCaFile, mtls, onReload } = this.options.tls!;
    const read = ([cert, key, ca]: readonly string[]) => {
      const material = { cert: cert!, key: key!, ...definedOnly({ ca }) };
      createSecureContext(material);
      return material;
    };
    const files = new WatchedFiles({
      files: [certFile, keyFile, ...(mtls === 'off' || clientCaFile === undefined ? [] : [clientCaFile])],
      read,
      logger: this.options.logger,
      onChange: material => server.setSecureContext({ ...material, minVersion: 'TLSv1.2' }),
      ...definedOnly({ onReload }),
    });
    this.files.push(files);
    const server = createHttpsServer({
      ...this.settings(), ...files.value, minVersion: 'TLSv1.2', ALPNProtocols: ['h2', 'http/1.1'], requestCert: mtls !== 'off', rejectUnauthorized: mtls === 'required',
    });
    if (mtls === 'optional') {
      server.on('secureConnection', (socket: TLSSocket) => {
        // No certificate is fine, a bad one is not.
        if (!socket.authorized && Object.keys(socket.getPeerCertificate()).length > 0) {
          socket.destroy();
        }
      });
    }
    return server;
  }

  private add(server: Server | HttpsServer, address: string, isEncrypted: boolean): void {
    const { onRequest, onUpgrade, maxConnections } = this.options;
    // Node would drop headers beyond a limit on their number silently; their size is limited here, and the number when they are read.
    server.maxHeadersCount = 0;
    if (maxConnections > 0) {
      server.maxConnections = maxConnections;
    }
    const handle = (request: IncomingMessage, response: ServerResponse) => onRequest(request, response, isEncrypted);
    server.on('request', handle).on('checkContinue', handle);
    server.on('upgrade', (request, socket, head) => onUpgrade(request, socket, head, isEncrypted));
    server.on('connect', (_, socket) => writeRefusal(socket, new Refusal(405, 'Method Not Allowed')));
    server.on('clientError', (error: Error & { code?: string }, socket) => writeRefusal(socket, refusalOf(error)));
    const { maxHeaderBytes, readHeaderTimeoutMs, idleTimeoutMs } = this.options;
    const http2 = http2Server({ maxHeaderBytes, onRequest: handle });
    this.endHttp2.push(serveHttp2(server, http2, { firstByteTimeoutMs: readHeaderTimeoutMs, idleTimeoutMs }));
    server.prependListener('connection', (socket: Socket) => this.count(socket));
    this.servers.push({ server, address });
  }

  private count(socket: Socket): void {
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
    const { trustedProxies } = this.options;
    const address = withoutMapping(socket.remoteAddress ?? '');
    if (isIP(address) !== 0 && trustedProxies.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')) {
      return;
    }
    if (this.connections.enter(address)) {
      socket.once('close', () => this.connections.leave(address));
    } else {
      socket.destroy();
    }
  }
}

function refusalOf({ code }: { code?: string }): Refusal | undefined {
  switch (code) {
    case 'ECONNRESET':
      return undefined;
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Refusal(408, 'The request header took too long.');
    case 'HPE_HEADER_OVERFLOW':
      return new Refusal(431, 'The request header is too long.');
    default:
      return new Refusal(400, 'The request is not valid HTTP.');
  }
}

/** Answers where there is no request that could be answered, and ends the connection. */
function writeRefusal(socket: Duplex, refusal: Refusal | undefined): void {
  socket.on('error', () => undefined);
  if (refusal === undefined || !socket.writable || (socket as Socket).bytesWritten > 0 && (socket as any)._httpMessage?.headersSent) {
    socket.destroy();
    return;
  }
  const { status, body } = refusal;
  socket.end(`HTTP/1.1 ${status} Refused\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`);
  socket.once('finish', () => socket.destroy());
}
