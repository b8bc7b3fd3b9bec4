import type { Socket } from 'node:net';
import { ClientGoneError } from './request-body.js';

/** Bytes that a client may send before its upgrade is answered; after that it has to wait. */
const MOST_EARLY_BYTES = 65_536;

/**
 * The connection of a client that waits for the answer to an upgrade. It is read all the while, because only then does it show
 * that the client is gone; what it sends early is kept.
 */
export class WaitingClient {
  private readonly early: Buffer[];
  private earlyBytes: number;
  private isGone = false;
  private readonly listeners = new Set<() => void>();
  private readonly onData = (chunk: Buffer) => {
    this.early.push(chunk);
    this.earlyBytes += chunk.length;
    if (this.earlyBytes >= MOST_EARLY_BYTES) {
      this.socket.pause();
    }
  };
  private readonly onGone = () => {
    this.isGone = true;
    this.listeners.forEach(listener => listener());
  };

  /** @param head what the client has sent already */
  constructor(public readonly socket: Socket, head: Buffer) {
    this.early = [head];
    this.earlyBytes = head.length;
    socket.on('data', this.onData).on('end', this.onGone).on('close', this.onGone);
    if (socket.destroyed || socket.readableEnded) {
      this.onGone();
    }
  }

  /** Throws if the client is gone. */
  public check(): void {
    if (this.isGone) {
      throw new ClientGoneError();
    }
  }

  /** What the work comes to; rejects with a `ClientGoneError` if the client goes before. The work itself goes on. */
  public async until<T>(work: Promise<T>): Promise<T> {
    this.check();
    let listener!: () => void;
    const gone = new Promise<never>((_, reject) => {
      listener = () => reject(new ClientGoneError());
      this.listeners.add(listener);
    });
    try {
      return await Promise.race([work, gone]);
    } finally {
      this.listeners.delete(listener);
    }
  }

  /** Detaches from the connection. Returns the bytes that the client has sent so far. */
  public release(): Buffer {
    this.socket.off('data', this.onData).off('end', this.onGone).off('close', this.onGone);
    return Buffer.concat(this.early.splice(0));
  }
}
