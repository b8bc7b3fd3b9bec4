import { lookup } from 'node:dns/promises';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, isIP, type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { isPublic, type DomainPolicy } from './policy.js';

const CONNECT_TIMEOUT_MS = 15_000;
/**
 * Hosts that Chromium connects to by itself, regardless of its flags. Refused without a log line, also under a `*`: they must be
 * allowed by name.
 */
const BROWSERS_OWN = new Set([
  'update.googleapis.com', 'accounts.google.com', 'clients2.google.com', 'safebrowsing.googleapis.com', 'optimizationguide-pa.googleapis.com',
  'content-autofill.googleapis.com', 'edgedl.me.gvt1.com', 'redirector.gvt1.com', 'android.clients.google.com', 'mtalk.google.com', 'www.googleapis.com',
]);
/** Not to be passed on (RFC 9110 §7.6.1). */
const HOP_BY_HOP = ['connection', 'proxy-connection', 'keep-alive', 'proxy-authorization', 'proxy-authenticate', 'te', 'trailer', 'transfer-encoding', 'upgrade'];

/**
 * The only way out for the browser: a forward proxy on loopback that asks the policy about every connection, whatever makes it: pages,
 * frames, scripts, WebSockets, workers, prefetching. It resolves names itself and connects to the address that it has
 * checked, so that a name cannot change its address in between.
 */
export class EgressProxy {
  private readonly server: Server;
  private readonly sockets = new Set<Duplex>();
  /** Hosts that were refused, `host:port`, in the order of their first attempt. */
  public readonly refused = new Set<string>();

  constructor(private readonly policy: DomainPolicy) {
    this.server = createServer((incoming, response) => void this.forward(incoming, response));
    this.server.on('connect', (incoming: IncomingMessage, socket: Duplex, head: Buffer) => void this.tunnel(incoming, socket, head));
    // Browsers tunnel WebSockets; nothing else has a reason to upgrade.
    this.server.on('upgrade', (_incoming: IncomingMessage, socket: Duplex) => socket.destroy());
    this.server.on('connection', (socket: Socket) => this.track(socket));
  }

  /** Starts to listen; resolves to the proxy's URL. */
  public async listen(): Promise<string> {
    await new Promise<void>((resolve, reject) => this.server.once('error', reject).listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  public async close(): Promise<void> {
    const closed = new Promise(resolve => this.server.close(resolve));
    this.sockets.forEach(socket => socket.destroy());
    await closed;
  }

  /** The address to connect to, or undefined when the policy does not allow it. Throws what the resolver throws. */
  private async addressOf(host: string, port: number): Promise<string | undefined> {
    const listed = this.policy.verdict(host, port);
    const verdict = BROWSERS_OWN.has(host) && listed !== 'yes' ? 'no' : listed;
    const name = host.replace(/^\[(.*)\]$/, '$1');
    if (verdict !== 'no') {
      const addresses = isIP(name) ? [name] : (await lookup(name, { all: true })).map(each => each.address);
      const address = verdict === 'yes' ? addresses[0] : addresses.find(isPublic);
      if (address !== undefined) {
        return address;
      }
    }
    if (!BROWSERS_OWN.has(host)) {
      this.refused.add(`${host}:${port}`);
    }
    return undefined;
  }

  private async tunnel(incoming: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    this.track(socket);
    const match = /^(.+):(\d{1,5})$/.exec(incoming.url ?? '');
    try {
      const address = match ? await this.addressOf(match[1]!, Number(match[2])) : undefined;
      if (address === undefined) {
        socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
        return;
      }
      const upstream = connect({ host: address, port: Number(match![2]), timeout: CONNECT_TIMEOUT_MS });
      this.track(upstream);
      upstream.once('timeout', () => upstream.connecting && upstream.destroy(new Error('timeout')));
      upstream.once('connect', () => {
        upstream.setTimeout(0);
        socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
        upstream.write(head);
        socket.pipe(upstream).pipe(socket);
      });
      upstream.once('error', () => socket.end(upstream.connecting ? 'HTTP/1.1 502 Bad Gateway\r\n\r\n' : ''));
      upstream.once('close', () => socket.end());
      socket.once('close', () => upstream.destroy());
    } catch {
      socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n');
    }
  }

  private async forward(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const url = new URL(incoming.url ?? '');
      const port = Number(url.port || 80);
      const address = url.protocol === 'http:' ? await this.addressOf(url.hostname, port) : undefined;
      if (address === undefined) {
        incoming.resume();
        response.writeHead(403, { 'content-type': 'text/plain' }).end(`Not in the list of allowed domains: ${url.host}\n`);
        return;
      }
      const headers = { ...incoming.headers, host: url.host };
      HOP_BY_HOP.forEach(name => delete headers[name as keyof typeof headers]);
      const target = { host: address, port, method: incoming.method, path: url.pathname + url.search, headers };
      const upstream = request({ ...target, setHost: false, timeout: CONNECT_TIMEOUT_MS }, answer => {
        upstream.setTimeout(0);
        HOP_BY_HOP.forEach(name => delete answer.headers[name]);
        response.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(response);
        answer.once('error', () => response.destroy());
      });
      upstream.once('timeout', () => upstream.destroy(new Error('timeout')));
      upstream.once('error', () => response.headersSent ? response.destroy() : response.writeHead(502).end());
      response.once('close', () => upstream.destroy());
      incoming.pipe(upstream);
    } catch {
      response.writeHead(502).end();
    }
  }

  private track(socket: Duplex): void {
    this.sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.sockets.delete(socket));
  }
}
