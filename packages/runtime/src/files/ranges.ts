/** Bytes from `start` to `end`, both included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** A `Range` header that is not one: 400. The words are those of the original server. */
export class MalformedRangeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MalformedRangeError';
  }
}

/** A `Range` header that asks for nothing that the file has: 416. */
export class UnsatisfiableRangeError extends Error {
  constructor(public readonly size: number) {
    super(`no byte of the range is within the ${size} bytes of the file`);
    this.name = 'UnsatisfiableRangeError';
  }
}

/** More ranges than this in one request are refused: each costs a header and a read. */
const MAX_RANGES = 100;

/**
 * The ranges of a `Range` header (RFC 9110 §14), sorted, with those that overlap made one. Throws `MalformedRangeError` and
 * `UnsatisfiableRangeError`.
 */
export function parseRanges(header: string, size: number): ByteRange[] {
  const [unit, list] = split(header);
  if (unit.trim().toLowerCase() !== 'bytes') {
    throw new MalformedRangeError('Only support bytes range');
  }
  const parts = list.split(',').map(part => part.trim()).filter(part => part !== '');
  const ranges = parts.map(part => parseRange(part, size));
  if (ranges.length === 0 || ranges.includes(undefined)) {
    throw new MalformedRangeError('Range header: range must be requested');
  }
  if (ranges.length > MAX_RANGES) {
    throw new MalformedRangeError(`Range header: more than ${MAX_RANGES} ranges`);
  }
  const satisfiable = (ranges as ByteRange[]).filter(range => range.start < size);
  if (satisfiable.length < ranges.length || size === 0) {
    throw new UnsatisfiableRangeError(size);
  }
  return merge(satisfiable.map(range => ({ start: range.start, end: Math.min(range.end, size - 1) })));
}

function split(header: string): [string, string] {
  const at = header.indexOf('=');
  if (at < 0) {
    throw new MalformedRangeError('Malformed range header.');
  }
  return [header.slice(0, at), header.slice(at + 1)];
}

function parseRange(part: string, size: number): ByteRange | undefined {
  const match = /^(\d{0,15})-(\d{0,15})$/.exec(part);
  if (!match || part === '-') {
    return undefined;
  }
  const [, first, last] = match;
  if (first === '') {
    const length = Number(last);
    // The last 0 bytes are no bytes: as a start behind the end.
    return length === 0 ? { start: size, end: size } : { start: Math.max(0, size - length), end: size - 1 };
  }
  const range = { start: Number(first), end: last === '' ? Math.max(size - 1, Number(first)) : Number(last) };
  if (range.start > range.end) {
    throw new MalformedRangeError('Range header: start must be less than end');
  }
  return range;
}

function merge(ranges: readonly ByteRange[]): ByteRange[] {
  const merged: ByteRange[] = [];
  for (const range of [...ranges].sort((a, b) => a.start - b.start)) {
    const last = merged.at(-1);
    if (last !== undefined && range.start <= last.end) {
      merged[merged.length - 1] = { start: last.start, end: Math.max(last.end, range.end) };
    } else {
      merged.push(range);
    }
  }
  return merged;
}
