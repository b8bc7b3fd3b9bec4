import type { Socket } from 'node:net';
import { FrameFollower, GOING_AWAY, MESSAGE_TOO_BIG, closeFrame } from './websocket.js';

/** Milliseconds that the two sides have to end a connection after its close frames were sent. */
const GRACE_MS = 1_000;

export interface TunnelLimits {
  /** Milliseconds without a byte in either direction; 0 for no limit. */
  readonly idleMs: number;
  /** Milliseconds; 0 for no limit. */
  readonly lifetimeMs: number;
  /** Bytes of a WebSocket message; 0 for no limit. */
  readonly maxMessageBytes: number;
}

/** Joins two connections: the bytes of each side are written to the other unchanged. */
export class Tunnel {
  private bytesIn = 0;
  private bytesOut = 0;
  private idle?: NodeJS.Timeout;
  private isEnding = false;
  private readonly fromClient?: FrameFollower;
  private readonly fromUpstream?: FrameFollower;

  constructor(private readonly client: Socket, private readonly upstream: Socket, isWebSocket: boolean, private readonly limits: TunnelLimits) {
    if (isWebSocket) {
      this.fromClient = new FrameFollower(limits.maxMessageBytes);
      this.fromUpstream = new FrameFollower(limits.maxMessageBytes);
    }
  }

  /**
   * Runs until both sides have ended. Returns how many bytes the client sent and got.
   *
   * @param head what the client has sent already
   * @param rest what the sandbox has sent already
   */
  public async run(head: Buffer, rest: Buffer): Promise<{ bytesIn: number; bytesOut: number }> {
    const { client, upstream, limits } = this;
    client.setTimeout(0);
    client.setNoDelay(true);
    const lifetime = limits.lifetimeMs > 0 ? setTimeout(() => this.close('max lifetime exceeded'), limits.lifetimeMs) : undefined;
    this.idle = limits.idleMs > 0 ? setTimeout(() => this.close('idle timeout exceeded'), limits.idleMs) : undefined;
    const ended = [client, upstream].map(socket => new Promise<void>(resolve => (socket.closed ? resolve() : socket.once('close', () => resolve()))));
    this.carry(client, upstream, this.fromClient, head, bytes => (this.bytesIn += bytes));
    this.carry(upstream, client, this.fromUpstream, rest, bytes => (this.bytesOut += bytes));
    await Promise.all(ended);
    clearTimeout(lifetime);
    clearTimeout(this.idle);
    return { bytesIn: this.bytesIn, bytesOut: this.bytesOut };
  }

  /** Ends the connection from the router's side. Both ends of a WebSocket get a close frame, unless a frame to them is incomplete. */
  public close(reason: string, code: number = GOING_AWAY): void {
    if (this.isEnding) {
      return;
    }
    this.isEnding = true;
    // The bytes that a follower has seen of one side are those that the other side has received.
    if (this.fromUpstream?.isBetweenFrames && !this.fromUpstream.isClosed) {
      this.client.write(closeFrame(code, reason, false));
    }
    if (this.fromClient?.isBetweenFrames && !this.fromClient.isClosed) {
      this.upstream.write(closeFrame(code, reason, true));
    }
    for (const socket of [this.client, this.upstream]) {
      socket.end();
      socket.resume();
      setTimeout(() => socket.destroy(), GRACE_MS).unref();
    }
  }

  private carry(from: Socket, to: Socket, frames: FrameFollower | undefined, first: Buffer, count: (bytes: number) => void): void {
    const take = (chunk: Buffer) => {
      if (this.isEnding) {
        return;
      }
      this.idle?.refresh();
      if (frames !== undefined && !frames.follow(chunk)) {
        this.close('message too big', MESSAGE_TOO_BIG);
        return;
      }
      count(chunk.length);
      if (!to.write(chunk)) {
        from.pause();
      }
    };
    if (first.length > 0) {
      take(first);
    }
    from.on('data', take);
    to.on('drain', () => from.resume());
    from.on('end', () => to.end());
    from.on('error', () => from.destroy());
    from.on('close', () => {
      // Earlier bytes are still delivered, as long as the peer reads.
      to.end();
      to.setTimeout(GRACE_MS, () => to.destroy());
    });
    if (from.destroyed) {
      to.destroy();
    }
    from.resume();
  }
}
