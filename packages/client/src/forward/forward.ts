import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { onAbort, sleep, systemClock } from 'agent-sandbox-kube';
import type { Dispatcher } from 'undici';
import { SandboxInputError, SandboxRequestError, SandboxTunnelError } from '../errors.js';
import type { Access, Transport } from '../transport.js';
import { ForwardSession, KEY_HEADER, foreignCookies, setsOurCookie } from './session.js';

export interface ForwardOptions {
  /** Port in the sandbox, 1 to 65535. */
  readonly port: number;
  /** Port on this machine. @default - one that is free */
  readonly listenPort?: number;
  /** Path to open, with a leading slash. @default / */
  readonly path?: string;
  /** Ends the forward. */
  readonly signal?: AbortSignal;
}

/** Headers that are about one connection, and those that routers read. */
const NOT_PASSED_ON = new Set([
  'connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade',
  'host', 'cookie', 'authorization', 'expect', 'forwarded', 'http2-settings', KEY_HEADER,
]);
const ROUTER_HEADERS = /^x-(sandbox|forwarded)-/;
/** Milliseconds in which a request waits for a router that is being replaced, and for a sandbox that is being resumed. */
const PATIENCE_MS = 30_000;
const PAUSE_MS = 500;
/** Seconds after which a browser asks again for a page of a sandbox that does not answer. */
const REFRESH_SECONDS = 2;

/**
 * A listener on 127.0.0.1 that leads to one port of a sandbox, with the headers and the token that the router wants. It survives what
 * happens to the sandbox and the router: each request finds its own way.
 */
export class Forward implements AsyncDisposable {
  public static async start(transport: Transport, options: ForwardOptions): Promise<Forward> {
    const { port, listenPort = 0, path = '/', signal } = options;
    if (!Number.isInteger(port) || port < 1 || port > 65535) {
      throw new SandboxInputError(`port is ${port}`, { remedy: 'give a number from 1 to 65535' });
    }
    if (!path.startsWith('/')) {
      throw new SandboxInputError(`path is ${JSON.stringify(path)}`, { remedy: 'begin it with a slash' });
    }
    signal?.throwIfAborted();
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', error => reject(new SandboxInputError(`port ${listenPort} of this machine cannot be used (${error.message})`, {
        remedy: 'choose another one, or none', cause: error,
      })));
      server.listen(listenPort, '127.0.0.1', resolve);
    });
    return new Forward(transport, server, port, path, signal);
  }

  /** Address to open in a browser. It contains a key, which gives access to the port of the sandbox for as long as the forward lives. */
  public readonly url: string;
  /** Port on this machine. */
  public readonly listenPort: number;
  /** Resolves when the forward has ended. */
  public readonly closed: Promise<void>;
  private readonly session: ForwardSession;
  private readonly ending = new AbortController();
  private readonly upgraded = new Set<Duplex>();
  private forget?: () => void;

  private constructor(
    private readonly transport: Transport, private readonly server: Server, private readonly port: number, path: string,
    signal: AbortSignal | undefined,
  ) {
    this.listenPort = (server.address() as AddressInfo).port;
    this.session = new ForwardSession(this.listenPort);
    this.url = this.session.address(path);
    this.closed = new Promise(resolve => server.once('close', resolve));
    server.on('request', (request, response) => void this.handle(request, response));
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => void this.upgrade(request, socket, head));
    this.forget = signal && onAbort(signal, () => void this.close());
  }

  /** Ends the listener and all its connections. */
  public async close(): Promise<void> {
    this.forget?.();
    this.ending.abort(new Error('the forward was closed'));
    this.upgraded.forEach(socket => socket.destroy());
    this.server.closeAllConnections();
    this.server.close();
    await this.closed;
  }

  public async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const decision = this.session.decide(request, false);
    if (decision.kind === 'refuse') {
      answer(response, decision.status, page('This address is not open to you', decision.reason));
      return;
    }
    if (decision.kind === 'sign-in') {
      response.writeHead(302, {
        'location': decision.location, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer', ...(decision.cookie && { 'set-cookie': decision.cookie }),
      }).end();
      return;
    }
    const gone = new AbortController();
    response.once('close', () => gone.abort(new Error('the browser has gone')));
    const signal = AbortSignal.any([gone.signal, this.ending.signal]);
    try {
      await this.pass(request, response, decision.path, signal);
    } catch (error) {
      if (signal.aborted || response.headersSent) {
        // An incomplete response must not look complete.
        response.destroy();
      } else {
        this.refuse(request, response, error);
      }
    }
  }

  private async pass(request: IncomingMessage, response: ServerResponse, path: string, signal: AbortSignal): Promise<void> {
    const hasBody = request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
    const isRepeatable = !hasBody && (request.method === 'GET' || request.method === 'HEAD');
    const { access, answered } = await this.withPatience(isRepeatable, signal, found => found.route.dispatcher.request({
      origin: found.route.origin,
      path: `${found.route.prefix}${path}`,
      method: request.method as Dispatcher.HttpMethod,
      headers: this.headersFor(request, found),
      body: hasBody ? request : undefined,
      signal,
      headersTimeout: 0,
      bodyTimeout: 0,
    }));
    const isPage = request.headers['sec-fetch-dest'] === 'document' && isRepeatable;
    if (isPage && answered.statusCode >= 502 && answered.statusCode <= 504) {
      access.refused(answered.statusCode);
      await answered.body.dump();
      this.refuse(request, response, new Error(
        `the router says ${answered.statusCode}: the sandbox is suspended, being replaced, or nothing listens on port ${this.port}`,
      ));
      return;
    }
    if (answered.statusCode === 401) {
      access.refused(401);
    }
    response.writeHead(answered.statusCode, this.headersBack(answered.headers, access));
    await pipeline(answered.body, response);
  }

  /** Finds a way and sends a request over it, as long as nothing was sent and the patience lasts. */
  private async withPatience<T>(
    isRepeatable: boolean, signal: AbortSignal, send: (access: Access) => Promise<T>,
  ): Promise<{ access: Access; answered: T }> {
    for (const begin = performance.now(); ;) {
      let access: Access | undefined;
      try {
        access = await this.transport.access(signal, this.port);
        return { access, answered: await send(access) };
      } catch (error) {
        signal.throwIfAborted();
        access?.refused(undefined);
        const failure = this.transport.failureOf(`forward to port ${this.port}`, error as Error);
        const isUnsent = (failure instanceof SandboxRequestError || failure instanceof SandboxTunnelError) && !failure.sent;
        if (!isUnsent || !isRepeatable || performance.now() - begin > PATIENCE_MS) {
          throw failure;
        }
        await sleep(systemClock, PAUSE_MS, signal);
      }
    }
  }

  private async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    const decision = this.session.decide(request, true);
    if (decision.kind !== 'pass') {
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      return;
    }
    const gone = new AbortController();
    socket.once('close', () => gone.abort(new Error('the browser has gone')));
    const signal = AbortSignal.any([gone.signal, this.ending.signal]);
    try {
      const { access, answered } = await this.withPatience(true, signal, found => switchProtocols(found.route.dispatcher, {
        origin: found.route.origin,
        path: `${found.route.prefix}${decision.path}`,
        headers: this.headersFor(request, found),
        protocol: request.headers.upgrade ?? 'websocket',
        signal,
      }));
      if (!answered.socket) {
        access.refused(answered.statusCode);
        const { statusCode, body } = answered;
        socket.end(`HTTP/1.1 ${statusCode} ${STATUS_CODES[statusCode] ?? ''}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`);
        return;
      }
      const upstream = answered.socket;
      const headers = Object.entries(this.headersBack(answered.headers, access))
        .flatMap(([name, value]) => [value].flat().map(each => `${name}: ${each}\r\n`)).join('');
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${request.headers.upgrade}\r\n${headers}\r\n`);
      upstream.write(head);
      this.upgraded.add(socket);
      try {
        await Promise.all([pipeline(socket, upstream), pipeline(upstream, socket)]);
      } finally {
        this.upgraded.delete(socket);
        upstream.destroy();
      }
    } catch {
      socket.destroy();
    }
  }

  private headersFor(request: IncomingMessage, { route, headers }: Access): Record<string, string | string[]> {
    const passed: Record<string, string | string[]> = {};
    const named = new Set((request.headers.connection ?? '').toLowerCase().split(',').map(name => name.trim()));
    for (const [name, value] of Object.entries(request.headers)) {
      if (value !== undefined && !NOT_PASSED_ON.has(name) && !ROUTER_HEADERS.test(name) && !named.has(name)) {
        passed[name] = value;
      }
    }
    const cookie = foreignCookies(request.headers.cookie);
    // Programs compare both to recognize their own pages; this listener has compared them, too.
    if (!route.needsOwnHost) {
      passed.host = request.headers.host!;
    } else if (passed.origin !== undefined) {
      passed.origin = route.origin;
    }
    return { ...passed, ...(cookie && { cookie }), ...headers, ...(request.headers['user-agent'] && { 'user-agent': request.headers['user-agent'] }) };
  }

  private headersBack(headers: Record<string, string | string[] | undefined>, { route }: Access): Record<string, string | string[]> {
    const passed: Record<string, string | string[]> = {};
    for (const [name, value] of Object.entries(headers)) {
      if (value !== undefined && !NOT_PASSED_ON.has(name)) {
        passed[name] = name === 'set-cookie' ? [value].flat().filter(cookie => !setsOurCookie(cookie)) : value;
      }
    }
    if (typeof passed.location === 'string' && route.needsOwnHost && passed.location.startsWith(`${route.origin}/`)) {
      const base = `${route.origin}${route.prefix}`;
      passed.location = passed.location.slice(passed.location.startsWith(`${base}/`) ? base.length : route.origin.length);
    }
    return passed;
  }

  private refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const isPage = request.headers['sec-fetch-dest'] === 'document';
    answer(response, 503, page('The sandbox does not answer', `${message}.${isPage ? ' This page asks again by itself.' : ''}`), {
      'retry-after': String(REFRESH_SECONDS), ...(isPage && { refresh: String(REFRESH_SECONDS) }),
    });
  }
}

/** Asks for another protocol. `socket` is undefined if the answer is no. */
function switchProtocols(
  dispatcher: Dispatcher,
  { origin, path, headers, protocol, signal }: {
    readonly origin: string;
    readonly path: string;
    readonly headers: Record<string, string | string[]>;
    readonly protocol: string;
    readonly signal: AbortSignal;
  },
): Promise<{ socket?: Duplex; statusCode: number; headers: Record<string, string | string[] | undefined>; body: string }> {
  return new Promise((resolve, reject) => {
    let forget: (() => void) | undefined;
    let answered = { statusCode: 0, headers: {}, body: '' };
    dispatcher.dispatch({ origin, path, method: 'GET', headers, upgrade: protocol }, {
      onRequestStart: controller => {
        forget = onAbort(signal, () => controller.abort(signal.reason));
      },
      onRequestUpgrade: (_, statusCode, received, socket) => {
        forget?.();
        resolve({ socket, statusCode, headers: received as Record<string, string | string[] | undefined>, body: '' });
      },
      onResponseStart: (_, statusCode) => {
        answered = { ...answered, statusCode };
      },
      onResponseData: (_, chunk) => {
        answered = { ...answered, body: (answered.body + chunk.toString()).slice(0, 4096) };
      },
      onResponseEnd: () => {
        forget?.();
        resolve(answered);
      },
      onResponseError: (_, error) => {
        forget?.();
        reject(error);
      },
    });
  });
}

function answer(response: ServerResponse, status: number, body: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store', 'content-security-policy': "default-src 'none'", 'connection': 'close', ...headers,
  }).end(body);
}

function page(title: string, text: string): string {
  const escaped = text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`);
  return `<!doctype html><title>${title}</title><h1>${title}</h1><p>${escaped}</p>\n`;
}
