import { StringDecoder } from 'node:string_decoder';

/**
 * Keeps the beginning of a stream, up to a limit, and counts the rest: a command that never stops writing must not fill the
 * memory. Copies into one buffer, because a great many tiny chunks would cost more than what is in them.
 */
export class Output {
  private buffer = Buffer.alloc(0);
  private kept = 0;
  private discarded = 0;

  /** `limit` in bytes. */
  constructor(private readonly limit: number) {}

  public add(chunk: Buffer): void {
    const taken = Math.min(chunk.length, this.limit - this.kept);
    this.discarded += chunk.length - taken;
    if (this.kept + taken > this.buffer.length) {
      const grown = Buffer.alloc(Math.min(this.limit, Math.max(4096, 2 * this.buffer.length, this.kept + taken)));
      this.buffer.copy(grown, 0, 0, this.kept);
      this.buffer = grown;
    }
    chunk.copy(this.buffer, this.kept, 0, taken);
    this.kept += taken;
  }

  /** What was written, with a marker at the end if something was discarded. */
  public bytes(): Buffer {
    const bytes = this.buffer.subarray(0, this.kept);
    return this.discarded === 0 ? bytes : Buffer.concat([bytes, Buffer.from(this.marker)]);
  }

  /** The same as text: bytes that are not UTF-8 become U+FFFD, all kinds of line ends `\n`. */
  public text(): string {
    const bytes = this.buffer.subarray(0, this.kept);
    // A character that the limit cut in two is left out; one that the program did not finish is not.
    const text = this.discarded === 0 ? bytes.toString('utf8') : new StringDecoder('utf8').write(bytes);
    return text.replace(/\r\n?/g, '\n') + (this.discarded === 0 ? '' : this.marker);
  }

  private get marker(): string {
    return `\n[output truncated: ${this.discarded} more bytes were discarded]\n`;
  }
}
