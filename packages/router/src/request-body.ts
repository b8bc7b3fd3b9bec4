import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';

/** The client ended the connection, or was silent for too long, before its request was complete. */
export class ClientGoneError extends Error {
  constructor() {
    super('the client ended the connection before its request was complete');
    this.name = 'ClientGoneError';
  }
}

/** The body is longer than the router takes. */
export class BodyTooLongError extends Error {
  constructor(public readonly limit: number) {
    super(`the request body is longer than ${limit} bytes`);
    this.name = 'BodyTooLongError';
  }
}

/**
 * The body of a request on its way to the sandbox. A stream of its own: when the sandbox answers early or goes away, this one
 * ends and the connection of the client, which still has to get the answer, does not.
 */
export class RequestBody extends Readable {
  private attached = false;
  private readonly onData = (chunk: Buffer) => {
    this.tally.bytesIn += chunk.length;
    this.onMove();
    if (this.limit > 0 && this.tally.bytesIn > this.limit) {
      this.destroy(new BodyTooLongError(this.limit));
    } else if (!this.push(chunk)) {
      this.source.pause();
    }
  };
  private readonly onEnd = () => {
    this.push(null);
  };
  private readonly onClose = () => {
    if (!this.source.complete) {
      this.destroy(new ClientGoneError());
    }
  };

  /**
   * @param limit bytes; 0 for no limit
   * @param tally where bytes are counted
   * @param onMove called for each piece
   */
  constructor(
    private readonly source: IncomingMessage, private readonly limit: number, private readonly tally: { bytesIn: number },
    private readonly onMove: () => void,
  ) {
    super();
  }

  /** Whether it has been asked for, so that it cannot be sent again. */
  public get isBegun(): boolean {
    return this.attached;
  }

  public override _read(): void {
    if (!this.attached) {
      this.attached = true;
      if (this.source.destroyed && !this.source.complete) {
        this.onClose();
        return;
      }
      this.source.on('data', this.onData).on('end', this.onEnd).on('close', this.onClose).on('error', this.onClose);
    }
    this.source.resume();
  }

  public override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.source.off('data', this.onData).off('end', this.onEnd).off('close', this.onClose).off('error', this.onClose).pause();
    done(error);
  }
}
