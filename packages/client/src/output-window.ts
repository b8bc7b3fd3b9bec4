import { StringDecoder } from 'node:string_decoder';

/** Keeps the beginning and the end of a stream, half of the limit each, and counts what is left out between them. */
export class OutputWindow {
  private readonly head: Buffer[] = [];
  private headSize = 0;
  private readonly tail: Buffer[] = [];
  private tailSize = 0;
  private dropped = 0;
  private readonly half: number;

  /** @param limit in bytes */
  constructor(limit: number) {
    this.half = Math.max(1, Math.floor(limit / 2));
  }

  public add(chunk: Buffer): void {
    const room = Math.min(chunk.length, this.half - this.headSize);
    if (room > 0) {
      this.head.push(chunk.subarray(0, room));
      this.headSize += room;
    }
    if (room < chunk.length) {
      this.tail.push(chunk.subarray(room));
      this.tailSize += chunk.length - room;
      // Whole chunks only, so that many small ones cost no copies.
      while (this.tailSize - this.tail[0].length >= this.half) {
        const { length } = this.tail.shift()!;
        this.tailSize -= length;
        this.dropped += length;
      }
    }
  }

  /** Bytes that are left out. */
  public get omitted(): number {
    return this.dropped + Math.max(0, this.tailSize - this.half);
  }

  /** What was kept, and a line between both halves that says how much is left out. */
  public bytes(): Buffer {
    const tail = Buffer.concat(this.tail);
    const marker = this.omitted > 0 ? [Buffer.from(omission(this.omitted))] : [];
    return Buffer.concat([...this.head, ...marker, tail.subarray(Math.max(0, tail.length - this.half))]);
  }
}

/** Text of output as people read it: bytes that are not UTF-8 become U+FFFD, all kinds of line ends `\n`. */
export function textOf(bytes: Buffer): string {
  return bytes.toString('utf8').replace(/\r\n?/g, '\n');
}

function omission(bytes: number): string {
  return `\n[output truncated: ${bytes} bytes are left out here]\n`;
}

/**
 * Bytes that a runtime says it has left out of output; 0 if it does not say so.
 *
 * @param isTruncated what the runtime says besides; older ones say nothing, and have the mark at the end
 */
export function omittedByRuntime(output: string, isTruncated: boolean | undefined): number {
  if (isTruncated === undefined) {
    return Number(/\n\[output truncated: (\d+) more bytes were discarded\]\n$/.exec(output)?.[1] ?? 0);
  }
  return isTruncated ? Number(/\n\[output truncated: (\d+) bytes are left out here\]\n/.exec(output)?.[1] ?? 0) : 0;
}

/** Splits a stream of bytes into lines. */
export class Lines {
  private readonly decoder = new StringDecoder('utf8');
  private rest = '';

  /** @param longest characters of a line */
  constructor(private readonly longest: number) {}

  /** The lines that are complete with this piece. Throws `RangeError` for one that is too long. */
  public add(piece: Buffer): string[] {
    const lines = (this.rest + this.decoder.write(piece)).split('\n');
    this.rest = lines.pop()!;
    if (this.rest.length > this.longest) {
      throw new RangeError(`a line has more than ${this.longest} characters`);
    }
    return lines;
  }
}
