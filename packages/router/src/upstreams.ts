import { isIPv6, type Socket } from 'node:net';
import { Pool, buildConnector } from 'undici';
import type { Target } from './targets.js';

/** Milliseconds that an idle connection is kept: less than the 5 seconds of common servers, so that it is we who close first. */
const KEEP_ALIVE_MS = 4_000;
/** Milliseconds without a request after which the connections to a port are given up, and how often this is looked at. */
const UNUSED_MS = 60_000;
const SWEEP_MS = 30_000;
/** Longest header of an answer, in bytes. */
const MAX_HEADER_BYTES = 65_536;

interface Entry {
  readonly pool: Pool;
  readonly podUid: string;
  /** Milliseconds of a monotonic clock. */
  usedAt: number;
}

/** Kept connections to the Pods of sandboxes. They belong to a Pod, not to its address: the next Pod there gets none of them. */
export class Upstreams {
  private readonly entries = new Map<string, Entry>();
  private readonly timer: NodeJS.Timeout;
  private readonly connect: buildConnector.connector;

  /** @param connectTimeoutMs longest wait for one connection */
  constructor(connectTimeoutMs: number) {
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

  /** Gives up the connections to a Pod as soon as what is under way on them has ended. */
  public forget(podUid: string): void {
    for (const [key, entry] of this.entries) {
      if (entry.podUid === podUid) {
        this.drop(key, entry);
      }
    }
  }

  /** Ends all connections at once. */
  public async close(): Promise<void> {
    clearInterval(this.timer);
    const pools = [...this.entries.values()].map(({ pool }) => pool);
    this.entries.clear();
    await Promise.all(pools.map(pool => pool.destroy()));
  }

  /** Gives up what has not been used for a while. */
  public sweep(now: number): void {
    for (const [key, entry] of this.entries) {
      const { running, pending, queued } = entry.pool.stats;
      if (running + pending + queued === 0 && now - entry.usedAt >= UNUSED_MS) {
        this.drop(key, entry);
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
