import { randomBytes } from 'node:crypto';

/** Close codes of RFC 6455 that the router uses. */
export const GOING_AWAY = 1001;
export const POLICY_VIOLATION = 1008;
export const MESSAGE_TOO_BIG = 1009;

const HEADER_BYTES_MAX = 14;

/**
 * Follows the frames (RFC 6455, section 5.2) of one direction of a WebSocket connection without changing them: where one ends,
 * so that a close frame can be put in between, and how long messages are.
 */
export class FrameFollower {
  private readonly header = Buffer.alloc(HEADER_BYTES_MAX);
  private headerBytes = 0;
  private payloadLeft = 0;
  private messageBytes = 0;
  private closed = false;

  /** @param maxMessageBytes as on the wire, so compressed if compression was agreed on; 0 for no limit */
  constructor(private readonly maxMessageBytes: number) {}

  /** Whether the next byte begins a frame, so that one of our own may be sent now. */
  public get isBetweenFrames(): boolean {
    return this.headerBytes === 0 && this.payloadLeft === 0;
  }

  /** Whether this side has said that it closes. */
  public get isClosed(): boolean {
    return this.closed;
  }

  /** Takes note of bytes that go on. Returns false if a message is too long; none of the bytes must then go on, and none is noted. */
  public follow(chunk: Buffer): boolean {
    const { headerBytes, payloadLeft } = this;
    for (let at = 0; at < chunk.length;) {
      if (this.payloadLeft > 0) {
        const skipped = Math.min(this.payloadLeft, chunk.length - at);
        this.payloadLeft -= skipped;
        at += skipped;
        continue;
      }
      this.header[this.headerBytes++] = chunk[at++]!;
      if (this.headerBytes === this.headerLength() && !this.beginFrame()) {
        Object.assign(this, { headerBytes, payloadLeft });
        return false;
      }
    }
    return true;
  }

  /** Length of the header as far as it is known: it grows with its second byte. */
  private headerLength(): number {
    if (this.headerBytes < 2) {
      return 2;
    }
    const short = this.header[1]! & 0x7f;
    return 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + (this.header[1]! & 0x80 ? 4 : 0);
  }

  private beginFrame(): boolean {
    const short = this.header[1]! & 0x7f;
    const length = short === 126 ? this.header.readUInt16BE(2) : short === 127 ? Number(this.header.readBigUInt64BE(2)) : short;
    const opcode = this.header[0]! & 0x0f;
    this.headerBytes = 0;
    this.payloadLeft = length;
    if (opcode >= 8) {
      this.closed ||= opcode === 8;
      return true;
    }
    this.messageBytes = opcode === 0 ? this.messageBytes + length : length;
    return this.maxMessageBytes === 0 || this.messageBytes <= this.maxMessageBytes;
  }
}

/** A close frame. Those of clients are masked. */
export function closeFrame(code: number, reason: string, isMasked: boolean): Buffer {
  const payload = Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)]);
  if (!isMasked) {
    return Buffer.concat([Buffer.from([0x88, payload.length]), payload]);
  }
  const mask = randomBytes(4);
  return Buffer.concat([Buffer.from([0x88, 0x80 | payload.length]), mask, payload.map((byte, i) => byte ^ mask[i % 4]!)]);
}
