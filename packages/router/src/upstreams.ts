import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { isIPv6, type Socket } from 'node:net';
import { Pool, buildConnector } from 'undici';
import type { Target } from './targets.js';

/** Milliseconds that an idle connection is kept: less than the 5 seconds of common servers, so that the router closes first. */
const KEEP_ALIVE_MS = 4_000;
/** Milliseconds without a request after which the connections to a port are closed, and the interval of this check. */
const UNUSED_MS = 60_000;
const SWEEP_MS = 30_000;
/** Longest header of an answer, in bytes. */
const MAX_HEADER_BYTES = 65_536;

/** Megabytes that the streams of one connection of HTTP/2 may hold: many callers share it. */
const MAX_SESSION_MEMORY_MB = 64;

/** A connection of HTTP/2, for calls of gRPC. */
interface Session {
  readonly session: ClientHttp2Session;
  readonly connected: Promise<ClientHttp2Session>;
  readonly podUid: string;
  usedAt: number;
}

interface Entry {
  readonly pool: Pool;
  readonly podUid: string;
  /** Milliseconds of a monotonic clock. */
  usedAt: number;
}

/** Kept connections to the Pods of sandboxes. They belong to a Pod, not to its address: the next Pod there gets none of them. */
export class Upstreams {
  private readonly entries = new Map<string, Entry>();
  private readonly sessions = new Map<string, Session>();
  private readonly timer: NodeJS.Timeout;
  private readonly connect: buildConnector.connector;

  /** @param connectTimeoutMs longest wait for one connection */
  constructor(private readonly connectTimeoutMs: number) {
    this.connect = connector(connectTimeoutMs);
    this.timer = setInterval(() => this.sweep(performance.now()), SWEEP_MS).unref();
  }

  /** Pods and ports that have connections. */
  public get size(): number {
    return this.entries.size;
  }

  /** The connections to a port of a Pod. */
  public pool({ podUid, address }: Target, port: number): Pool {
    const key = `${podUid} ${address} ${port}`;
    let entry = this.entries.get(key);
    if (entry === undefined) {
      const pool = new Pool(`http://${hostOf(address, port)}`, {
        pipelining: 1,
        keepAliveTimeout: KEEP_ALIVE_MS,
        keepAliveMaxTimeout: KEEP_ALIVE_MS,
        maxHeaderSize: MAX_HEADER_BYTES,
        connect: this.connect,
      });
      entry = { pool, podUid, usedAt: 0 };
      this.entries.set(key, entry);
    }
    entry.usedAt = performance.now();
    return entry.pool;
  }

  /** The connection of HTTP/2 to a port of a Pod, without TLS and with prior knowledge. Rejects if there is none in time. */
  public session({ podUid, address }: Target, port: number): Promise<ClientHttp2Session> {
    const key = `${podUid} ${address} ${port}`;
    let entry = this.sessions.get(key);
    if (entry === undefined || entry.session.closed || entry.session.destroyed) {
      entry = this.openSession(key, podUid, `http://${hostOf(address, port)}`);
      this.sessions.set(key, entry);
    }
    entry.usedAt = performance.now();
    return entry.connected;
  }

  private openSession(key: string, podUid: string, url: string): Session {
    const session = connectHttp2(url, { settings: { enablePush: false }, maxSessionMemory: MAX_SESSION_MEMORY_MB });
    const timer = setTimeout(() => session.destroy(Object.assign(new Error('no connection in time'), { code: 'ETIMEDOUT' })), this.connectTimeoutMs);
    const connected = new Promise<ClientHttp2Session>((resolve, reject) => {
      session.once('connect', () => resolve(session));
      session.on('error', reject);
      session.once('close', () => reject(Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' })));
    });
    // The caller of this function handles the rejection.
    connected.catch(() => undefined);
    const entry: Session = { session, connected, podUid, usedAt: performance.now() };
    session.once('connect', () => clearTimeout(timer));
    session.once('close', () => {
      clearTimeout(timer);
      if (this.sessions.get(key) === entry) {
        this.sessions.delete(key);
      }
    });
    return entry;
  }

  /** Closes the connections to a Pod as soon as their requests in flight have ended. */
  public forget(podUid: string): void {
    for (const [key, entry] of this.entries) {
      if (entry.podUid === podUid) {
        this.drop(key, entry);
      }
    }
    for (const { session, podUid: of } of this.sessions.values()) {
      if (of === podUid) {
        session.close();
      }
    }
  }

  /** Ends all connections at once. */
  public async close(): Promise<void> {
    clearInterval(this.timer);
    const pools = [...this.entries.values()].map(({ pool }) => pool);
    this.entries.clear();
    this.sessions.forEach(({ session }) => session.destroy());
    await Promise.all(pools.map(pool => pool.destroy()));
  }

  /** Closes connections that have been idle too long. */
  public sweep(now: number): void {
    this.sweepSessions(now);
    for (const [key, entry] of this.entries) {
      const { running, pending, queued } = entry.pool.stats;
      if (running + pending + queued === 0 && now - entry.usedAt >= UNUSED_MS) {
        this.drop(key, entry);
      }
    }
  }

  private sweepSessions(now: number): void {
    for (const { session, usedAt } of this.sessions.values()) {
      if (now - usedAt >= UNUSED_MS) {
        // Streams that are open end first.
        session.close();
      }
    }
  }

  private drop(key: string, { pool }: Entry): void {
    this.entries.delete(key);
    pool.close().catch(() => undefined);
  }
}

/** Connects as undici does, and notes with each error of a connection how much it had carried: undici does so only for some. */
function connector(timeout: number): buildConnector.connector {
  const connect = buildConnector({ timeout, keepAlive: true });
  return (options, callback) => connect(options, (...result) => {
    const [, socket] = result as [Error | null, Socket | null];
    socket?.on('error', (error: Error & { socket?: object }) => {
      error.socket ??= { bytesRead: socket.bytesRead };
    });
    callback(...result);
  });
}

/** Address and port as in a URL or a `Host` header. */
export function hostOf(address: string, port: number): string {
  return `${isIPv6(address) ? `[${address}]` : address}:${port}`;
}
