import { type ConnectionOptions, type SecureContext, createSecureContext } from 'node:tls';
import { definedOnly } from 'agent-sandbox-api';
import { type Dispatcher, Pool, ProxyAgent } from 'undici';
import type { Access, Credentials, TlsMaterial } from './credentials.js';
import { CredentialsError } from './errors.js';

export interface TransportOptions {
  /** Connections for requests other than watches; more requests wait for a free one. @default 32 */
  readonly connections?: number;
  /** Milliseconds that an idle connection is kept; API servers close them after 90,000. @default 80000 */
  readonly keepAliveMs?: number;
  /** Milliseconds in which a connection must come about. @default 10000 */
  readonly connectTimeoutMs?: number;
}

/** What to send a request with. */
export interface Route {
  readonly dispatcher: Dispatcher;
  readonly access: Access;
}

/** `watch`: an endless answer, which must not occupy one of the connections that writes wait for. */
export type Purpose = 'request' | 'watch';

interface Agents {
  readonly tls: TlsMaterial;
  readonly request: Dispatcher;
  readonly watch: Dispatcher;
}

/** Keeps connections to one API server, renewed when the TLS credentials are. */
export class Transport {
  /** Scheme, host and port. */
  public readonly origin: string;
  /** Path before all paths of the API; usually empty. */
  public readonly prefix: string;
  private agents?: Agents;
  /** Connections with earlier credentials, until their requests in flight have ended. */
  private readonly retired = new Set<Dispatcher>();
  private closed = false;

  constructor(public readonly credentials: Credentials, private readonly options: TransportOptions = {}) {
    const url = new URL(credentials.server);
    this.origin = url.origin;
    this.prefix = url.pathname.replace(/\/$/, '');
    if (credentials.proxyUrl && !/^https?:/.test(credentials.proxyUrl)) {
      throw new Error(`proxy-url "${credentials.proxyUrl}" is not supported: only http:// and https:// proxies are`);
    }
  }

  /** Current credentials and the connections that go with them. Throws if the credentials cannot be had. */
  public acquire(purpose: Purpose): Route | Promise<Route> {
    const access = this.credentials.access();
    return access instanceof Promise ? access.then(value => this.route(value, purpose)) : this.route(access, purpose);
  }

  /** Closes all connections; requests and watches under way fail. */
  public async close(): Promise<void> {
    this.closed = true;
    const { agents } = this;
    this.agents = undefined;
    await Promise.all([agents?.request, agents?.watch, ...this.retired].map(each => each?.destroy()));
  }

  private route(access: Access, purpose: Purpose): Route {
    if (this.closed) {
      throw new Error('this connection to the API server was closed: make another Cluster');
    }
    if (!this.agents || !sameTls(this.agents.tls, access.tls)) {
      this.retire(this.agents);
      const { servername, rejectUnauthorized } = access.tls;
      const verification = { servername, rejectUnauthorized, ...definedOnly({ secureContext: this.secureContext(access.tls) }) };
      this.agents = { tls: access.tls, request: this.dispatcher(verification, this.options.connections ?? 32), watch: this.dispatcher(verification) };
    }
    return { dispatcher: this.agents[purpose], access };
  }

  /** Parsed once: for each connection anew it would take longer than the request. */
  private secureContext({ ca, cert, key }: TlsMaterial): SecureContext | undefined {
    if (!this.origin.startsWith('https:')) {
      return undefined;
    }
    try {
      return createSecureContext({ ca, cert, key });
    } catch (error) {
      throw new CredentialsError(this.origin, error);
    }
  }

  private dispatcher(tls: ConnectionOptions, connections?: number): Dispatcher {
    const { keepAliveMs = 80_000, connectTimeoutMs = 10_000 } = this.options;
    const connect = { ...tls, timeout: connectTimeoutMs, keepAlive: true, keepAliveInitialDelay: 30_000 };
    // Callers set deadlines per request; these timeouts would end long answers.
    const options = { connections, keepAliveTimeout: keepAliveMs, headersTimeout: 0, bodyTimeout: 0, connect };
    return this.credentials.proxyUrl
      ? new ProxyAgent({ ...options, uri: this.credentials.proxyUrl, requestTls: connect })
      : new Pool(this.origin, options);
  }

  /** Lets requests in flight end. A Pool instead of an Agent: an Agent drops its connections from its list when it is closed, and they could not be ended. */
  private retire(agents: Agents | undefined): void {
    for (const agent of agents ? [agents.request, agents.watch] : []) {
      this.retired.add(agent);
      agent.close().catch(() => undefined).finally(() => this.retired.delete(agent));
    }
  }
}

function sameTls(a: TlsMaterial, b: TlsMaterial): boolean {
  return a === b || (a.servername === b.servername && a.rejectUnauthorized === b.rejectUnauthorized
    && sameText(a.ca, b.ca) && sameText(a.cert, b.cert) && sameText(a.key, b.key));
}

function sameText(a: string | Buffer | undefined, b: string | Buffer | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && Buffer.from(a).equals(Buffer.from(b)));
}
