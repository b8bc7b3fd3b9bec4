import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { RestSelf } from 'agent-sandbox-api';
import type { SandboxClient } from '../client.js';
import { Timer } from '../deadline.js';
import { SandboxAccessError, SandboxInputError } from '../errors.js';
import { RouterToken, type TokenProvider } from '../tokens.js';
import { createMcpServer } from './server.js';

export interface McpHttpOptions {
  /** Pool for sandboxes of which the agent names none. */
  readonly pool?: string;
  readonly host: string;
  readonly port: number;
  /** Host names of requests, besides those of loopback with the own port. */
  readonly allowedHosts: readonly string[];
  /** Origins of pages that may send requests. */
  readonly allowedOrigins: readonly string[];
  /** Makes a client of the router for a caller. @param address of the caller, for the limits of the router */
  readonly client: (token: TokenProvider, address: string) => SandboxClient;
  /** Called with messages for the operator. They never contain a token. */
  readonly log: (message: string) => void;
  /** Milliseconds after which a session without requests ends. @default 1800000 */
  readonly idleMs?: number;
}

const PATH = '/mcp';
const IDLE_MS = 30 * 60_000;
/** Milliseconds for which it is remembered who has a token: a revoked one is refused by the router for each sandbox all the same. */
const IDENTITY_MS = 30_000;
const MOST_IDENTITIES = 1_000;
const MOST_SESSIONS = 1_000;
const MOST_SESSIONS_PER_USER = 16;
/** Bytes of a request: a file of 10 MiB in base64, and what is around it. */
const LARGEST_REQUEST = 16 * 1024 * 1024;
/** Milliseconds for deleting the sandboxes of a session. */
const FAREWELL_MS = 30_000;

/** The owner of a token. */
interface Identity {
  /** Name and UID, as one text. */
  readonly user: string;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/**
 * Serves the Model Context Protocol over HTTP (streamable HTTP) to callers with tokens of the router. It has no rights of its own: each
 * session works with the token of its caller, who the router says that is, and a session is only for the user that began it.
 */
export class McpHttpServer {
  private readonly server: Server;
  private readonly sessions = new Map<string, Session>();
  private readonly identities = new Map<string, { readonly identity: Identity; readonly untilMs: number }>();
  /** So that memory holds nothing that fits a token. */
  private readonly salt = randomBytes(32);
  private readonly origins: ReadonlySet<string>;
  private starting = 0;

  constructor(private readonly options: McpHttpOptions) {
    this.origins = new Set(options.allowedOrigins);
    this.server = createServer((request, response) => void this.handle(request, response).catch(error => {
      options.log(`a request failed: ${error instanceof Error ? error.message : String(error)}`);
      refuse(response, 500, 'An internal error occurred.');
    }));
  }

  /** Address of the protocol. */
  public get url(): string {
    const { address, family, port } = this.server.address() as AddressInfo;
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}${PATH}`;
  }

  public async listen(): Promise<void> {
    const { host, port } = this.options;
    this.server.listen(port, host);
    await once(this.server, 'listening');
  }

  /** Takes no more requests and ends all sessions, which deletes their sandboxes. */
  public async close(): Promise<void> {
    this.server.close();
    await Promise.all([...this.sessions.values()].map(session => session.end()));
    this.server.closeAllConnections();
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { headers, method = '', url = '' } = request;
    if (url === '/healthz') {
      response.writeHead(200, { 'content-type': 'text/plain' }).end('ok');
      return;
    }
    // A page of another site that its name server leads here has that site's host and origin.
    if (!this.isOwnHost(headers.host)) {
      refuse(response, 403, 'The Host header is none of this server: allow it with --allowed-host.');
    } else if (headers.origin !== undefined && !this.origins.has(headers.origin)) {
      refuse(response, 403, 'The Origin is not allowed: allow it with --allowed-origin.');
    } else if (url.split('?')[0] !== PATH) {
      refuse(response, 404, `The protocol is at ${PATH}.`);
    } else if (!['GET', 'POST', 'DELETE'].includes(method)) {
      refuse(response, 405, 'The method must be GET, POST or DELETE.', { allow: 'GET, POST, DELETE' });
    } else {
      await this.authenticated(request, response);
    }
  }

  private async authenticated(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const token = /^bearer[ \t]+([\x21-\x7e]+)$/i.exec(request.headers.authorization?.trim() ?? '')?.[1];
    const identity = token === undefined ? undefined : await this.identify(token, request.socket.remoteAddress ?? '');
    if (token === undefined || identity === undefined) {
      refuse(response, 401, 'A token of the router is needed.', { 'www-authenticate': 'Bearer' });
      return;
    }
    const id = request.headers['mcp-session-id'];
    if (id === undefined) {
      await this.begin(request, response, token, identity);
      return;
    }
    const session = this.sessions.get(String(id));
    // Whose it is does not show to others.
    if (session === undefined || session.user !== identity.user) {
      refuse(response, 404, 'There is no such session: begin another one.');
      return;
    }
    await session.handle(request, response, token, identity.expiresAt);
  }

  private async begin(request: IncomingMessage, response: ServerResponse, token: string, { user, expiresAt }: Identity): Promise<void> {
    const own = [...this.sessions.values()].filter(session => session.user === user).length;
    if (this.sessions.size + this.starting >= MOST_SESSIONS || own >= MOST_SESSIONS_PER_USER) {
      refuse(response, 429, 'There are too many sessions: end one.', { 'retry-after': '60' });
      return;
    }
    this.starting++;
    try {
      const { client, pool, idleMs = IDLE_MS, log } = this.options;
      const address = request.socket.remoteAddress ?? '';
      const session = await Session.begin({
        user, token, pool, idleMs, log, client: provider => client(provider, address),
        begun: (id, started) => this.sessions.set(id, started), ended: id => this.sessions.delete(id),
      });
      await session.handle(request, response, token, expiresAt);
      if (!session.isBegun) {
        await session.end();
      }
    } finally {
      this.starting--;
    }
  }

  /** Who has a token, as the router says; undefined if that knows none. */
  private async identify(token: string, address: string): Promise<Identity | undefined> {
    const key = createHash('sha256').update(this.salt).update(token).digest('base64');
    const known = this.identities.get(key);
    if (known !== undefined && known.untilMs > Date.now()) {
      return known.identity;
    }
    this.identities.delete(key);
    const client = this.options.client(RouterToken.fixed(token), address);
    let self: RestSelf;
    try {
      self = await client.self();
    } catch (error) {
      if (error instanceof SandboxAccessError && error.statusCode === 401) {
        return undefined;
      }
      throw error;
    } finally {
      await client.close();
    }
    const expiresAt = self.expiresAt === undefined ? Infinity : Date.parse(self.expiresAt);
    const identity = { user: JSON.stringify([self.username, self.uid]), expiresAt };
    this.identities.set(key, { identity, untilMs: Math.min(expiresAt, Date.now() + IDENTITY_MS) });
    if (this.identities.size > MOST_IDENTITIES) {
      this.identities.delete(this.identities.keys().next().value!);
    }
    return identity;
  }

  private isOwnHost(given: string | undefined): boolean {
    const { port } = this.server.address() as AddressInfo;
    const host = given?.toLowerCase() ?? '';
    return [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`].includes(host)
      || this.options.allowedHosts.includes(host) || this.options.allowedHosts.includes(host.replace(/:\d+$/, ''));
  }
}

interface SessionOptions extends Pick<McpHttpOptions, 'pool' | 'log'> {
  readonly user: string;
  readonly token: string;
  readonly idleMs: number;
  readonly client: (token: TokenProvider) => SandboxClient;
  readonly begun: (id: string, session: Session) => void;
  readonly ended: (id: string) => void;
}

/** A session of one user, with the newest token that it was used with. */
class Session {
  public static async begin(options: SessionOptions): Promise<Session> {
    const session = new Session(options);
    await session.mcp.connect(session.transport);
    return session;
  }

  public readonly user: string;
  private readonly client: SandboxClient;
  private readonly mcp: ReturnType<typeof createMcpServer>;
  private readonly transport: StreamableHTTPServerTransport;
  private readonly idle: Timer;
  private token: string;
  private open = 0;
  private ending?: Promise<void>;

  private constructor(private readonly options: SessionOptions) {
    this.user = options.user;
    this.token = options.token;
    this.client = options.client(RouterToken.from(() => this.token));
    this.mcp = createMcpServer(this.client, { pool: options.pool });
    this.idle = new Timer(() => void this.end());
    this.transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      maxRequestBodySize: LARGEST_REQUEST,
      onsessioninitialized: id => options.begun(id, this),
      onsessionclosed: () => this.end(),
    });
  }

  /** Whether the client has begun it, as the protocol wants. */
  public get isBegun(): boolean {
    return this.transport.sessionId !== undefined;
  }

  public async handle(request: IncomingMessage, response: ServerResponse, token: string, expiresAt: number): Promise<void> {
    this.token = token;
    this.open++;
    this.idle.stop();
    // A stream of events ends with the token that it was opened with.
    const end = request.method === 'GET' && expiresAt !== Infinity ? new Timer(() => response.destroy()) : undefined;
    end?.start(Math.max(1, expiresAt - Date.now()));
    response.once('close', () => {
      end?.stop();
      if (--this.open === 0 && this.ending === undefined) {
        this.idle.start(this.options.idleMs);
      }
    });
    await this.transport.handleRequest(request, response);
  }

  /** Ends it, and deletes its sandboxes. */
  public end(): Promise<void> {
    return this.ending ??= this.finish();
  }

  private async finish(): Promise<void> {
    this.idle.stop();
    if (this.transport.sessionId !== undefined) {
      this.options.ended(this.transport.sessionId);
    }
    try {
      await this.client.deleteAll({ signal: AbortSignal.timeout(FAREWELL_MS) });
    } catch (error) {
      this.options.log(`${error instanceof Error ? error.message : String(error)}: they end with their lifetime`);
    }
    await this.mcp.close();
    await this.client.close();
  }
}

function refuse(response: ServerResponse, status: number, message: string, headers: Readonly<Record<string, string>> = {}): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const body = JSON.stringify({ jsonrpc: '2.0', error: { code: -32_000, message }, id: null });
  response.writeHead(status, { 'content-type': 'application/json', 'connection': 'close', ...headers }).end(body);
}

/** The host and port of a text such as `127.0.0.1:8090` or `:8090`. Throws unless it is on loopback or others may send tokens in plain text. */
export function listenAddress(text: string, allowHttpTokens: boolean): { readonly host: string; readonly port: number } {
  const match = /^(.*):(\d{1,5})$/.exec(text);
  const host = match?.[1]!.replace(/^\[(.*)\]$/, '$1') ?? '';
  const port = Number(match?.[2]);
  if (match === null || port > 65_535) {
    throw new SandboxInputError(`http is "${text}"`, { remedy: 'give host:port, such as 127.0.0.1:8090' });
  }
  if (!allowHttpTokens && !['127.0.0.1', '::1', 'localhost'].includes(host)) {
    throw new SandboxInputError(`http is "${text}", where tokens can be read on their way`, {
      remedy: 'listen on 127.0.0.1, or give --allow-http-tokens where something in front ends TLS',
    });
  }
  return { host: host === '' ? '::' : host, port };
}
