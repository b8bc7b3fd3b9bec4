import { StringDecoder } from 'node:string_decoder';

/** What a command wrote to one stream, as it is answered. */
export interface Kept<T> {
  readonly content: T;
  /** Bytes that the command wrote. */
  readonly total: number;
  /** Whether `content` lacks some of them, and has a marker in their place. */
  readonly truncated: boolean;
}

/** How many times larger than the limit an output may become when it is written as JSON, where a control character takes six bytes. */
const MAX_JSON_EXPANSION = 2;

/**
 * Keeps the beginning and the end of a stream, half of the limit each, and counts what is between them: a command that never stops
 * writing must not fill the memory, and its last lines explain why it failed. Copies into buffers of its own, because a great
 * many tiny chunks would cost more than what is in them.
 */
export class Output {
  private head: Buffer = Buffer.alloc(0);
  private headLength = 0;
  /** A ring, allocated when the head is full. */
  private tail: Buffer = Buffer.alloc(0);
  /** Bytes that ever went to the ring. */
  private passed = 0;

  /** `limit` in bytes. */
  constructor(private readonly limit: number) {}

  public add(chunk: Buffer): void {
    const taken = Math.min(chunk.length, this.headLimit - this.headLength);
    if (taken > 0) {
      this.addToHead(chunk.subarray(0, taken));
    }
    if (taken < chunk.length) {
      this.addToTail(chunk.subarray(taken));
    }
  }

  /** The bytes, with a marker where some are missing. */
  public bytes(): Kept<Buffer> {
    const missing = this.missing;
    const parts = missing === 0 ? [this.headBytes, this.tailBytes] : [this.headBytes, Buffer.from(marker(missing)), this.tailBytes];
    return { content: Buffer.concat(parts), total: this.total, truncated: missing > 0 };
  }

  /** The same as text: bytes that are not UTF-8 become U+FFFD, all kinds of line ends `\n`. Bounded also when it is written as JSON. */
  public text(): Kept<string> {
    const missing = this.missing;
    // A character that the limit cut in two is left out; one that the program did not finish is not.
    const head = missing === 0 ? Buffer.concat([this.headBytes, this.tailBytes]).toString('utf8') : new StringDecoder('utf8').write(this.headBytes);
    const tail = missing === 0 ? '' : this.tailBytes.subarray(continuationBytes(this.tailBytes)).toString('utf8');
    const most = this.limit * MAX_JSON_EXPANSION;
    if (jsonLength(head) + jsonLength(tail) > most) {
      const begin = startWithin(head, most / 2);
      const end = tail === '' ? endWithin(head.slice(begin.length), most / 2) : endWithin(tail, most / 2);
      const left = missing === 0 ? head.length - begin.length - end.length : undefined;
      const note = left === undefined ? marker(missing) : `\n[output truncated: ${left} characters are left out here, which take too much room as JSON]\n`;
      return { content: normalized(begin) + note + normalized(end), total: this.total, truncated: true };
    }
    return { content: normalized(head) + (missing === 0 ? '' : marker(missing) + normalized(tail)), total: this.total, truncated: missing > 0 };
  }

  private get headLimit(): number {
    return Math.ceil(this.limit / 2);
  }

  private get tailLimit(): number {
    return this.limit - this.headLimit;
  }

  private get total(): number {
    return this.headLength + this.passed;
  }

  private get missing(): number {
    return Math.max(0, this.passed - this.tailLimit);
  }

  private get headBytes(): Buffer {
    return this.head.subarray(0, this.headLength);
  }

  private get tailBytes(): Buffer {
    if (this.passed <= this.tailLimit) {
      return this.tail.subarray(0, this.passed);
    }
    const start = this.passed % this.tailLimit;
    return Buffer.concat([this.tail.subarray(start), this.tail.subarray(0, start)]);
  }

  private addToHead(bytes: Buffer): void {
    const needed = this.headLength + bytes.length;
    this.head = grown(this.head, this.headLength, needed, this.headLimit);
    bytes.copy(this.head, this.headLength);
    this.headLength = needed;
  }

  private addToTail(bytes: Buffer): void {
    const size = this.tailLimit;
    if (size === 0) {
      this.passed += bytes.length;
      return;
    }
    // Only the last bytes of a large chunk would stay.
    const skipped = Math.max(0, bytes.length - size);
    this.passed += skipped;
    const rest = bytes.subarray(skipped);
    this.tail = grown(this.tail, Math.min(this.passed, this.tail.length), Math.min(size, this.passed + rest.length), size);
    const at = this.passed % size;
    const first = rest.copy(this.tail, at, 0, Math.min(rest.length, size - at));
    rest.copy(this.tail, 0, first);
    this.passed += rest.length;
  }
}

/** The same buffer, or a larger one with its first `used` bytes: at least `needed`, at most `limit`. */
function grown(buffer: Buffer, used: number, needed: number, limit: number): Buffer {
  if (needed <= buffer.length) {
    return buffer;
  }
  const larger = Buffer.alloc(Math.min(limit, Math.max(4096, 2 * buffer.length, needed)));
  buffer.copy(larger, 0, 0, used);
  return larger;
}

const marker = (missing: number) => `\n[output truncated: ${missing} bytes are left out here]\n`;
const normalized = (text: string) => text.replace(/\r\n?/g, '\n');

/** How many bytes at the start belong to a character that began before them. */
function continuationBytes(bytes: Buffer): number {
  let count = 0;
  while (count < 3 && count < bytes.length && (bytes[count]! & 0xc0) === 0x80) {
    count++;
  }
  return count;
}

/** Bytes of a text as JSON, without the quotes. */
const jsonLength = (text: string) => Buffer.byteLength(JSON.stringify(text)) - 2;

function startWithin(text: string, bytes: number): string {
  return text.slice(0, longest(text.length, length => jsonLength(text.slice(0, length)) <= bytes));
}

function endWithin(text: string, bytes: number): string {
  return text.slice(text.length - longest(text.length, length => jsonLength(text.slice(text.length - length)) <= bytes));
}

/** The largest length up to `most` that fits, by bisection. */
function longest(most: number, fits: (length: number) => boolean): number {
  let [low, high] = [0, most];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(middle)) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}
