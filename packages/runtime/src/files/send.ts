import { createHash, randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { MalformedRangeError, parseRanges, UnsatisfiableRangeError, type ByteRange } from './ranges.js';
import type { Found } from './tree.js';

const TYPE = 'application/octet-stream';

export interface SendOptions {
  readonly headers?: { readonly [name: string]: string };
  /** Answer conditional requests (304, 412), which the plain endpoints do not. */
  readonly conditional?: boolean;
}

/**
 * Answers with a regular file: whole (200), one range (206) or several (206 multipart/byteranges); 416 and 400 for ranges that are
 * not in the file or not ranges. Opens the object that was found, whatever has its name by now.
 */
export async function sendFile(reply: FastifyReply, found: Found, options: SendOptions = {}): Promise<void> {
  const handle = await open(found.self, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return await send(reply, handle, options);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function send(reply: FastifyReply, handle: FileHandle, options: SendOptions): Promise<void> {
  const stats = await handle.stat();
  const request = reply.request.headers;
  reply.headers({ 'accept-ranges': 'bytes', 'last-modified': stats.mtime.toUTCString(), 'etag': etagOf(stats), ...options.headers });
  const condition = options.conditional ? conditionOf(request, stats) : undefined;
  if (condition !== undefined) {
    await handle.close();
    reply.code(condition).removeHeader('content-disposition').send();
    return;
  }
  const whole = request.range === undefined || !ifRangeHolds(request['if-range'], stats);
  let ranges: ByteRange[] = [];
  try {
    ranges = whole ? [] : parseRanges(request.range!, stats.size);
  } catch (error) {
    await handle.close();
    return refuseRange(reply, error);
  }
  if (ranges.length === 0) {
    reply.headers({ 'content-type': TYPE, 'content-length': stats.size });
    reply.send(read(reply, handle, stats.size > 0 ? { start: 0, end: stats.size - 1 } : undefined));
    return;
  }
  reply.code(206);
  if (ranges.length === 1) {
    const range = ranges[0]!;
    reply.headers({ 'content-type': TYPE, 'content-length': length(range), 'content-range': contentRange(range, stats.size) });
    reply.send(read(reply, handle, range));
    return;
  }
  const boundary = randomBytes(13).toString('hex');
  const parts = ranges.map(range => ({ range, head: `--${boundary}\r\nContent-Type: ${TYPE}\r\nContent-Range: ${contentRange(range, stats.size)}\r\n\r\n` }));
  const end = `--${boundary}--`;
  const total = parts.reduce((sum, part) => sum + part.head.length + length(part.range) + 2, end.length);
  reply.headers({ 'content-type': `multipart/byteranges; boundary=${boundary}`, 'content-length': total });
  reply.send(closing(reply, handle, Readable.from(multipart(handle, parts, end))));
}

async function* multipart(handle: FileHandle, parts: readonly { range: ByteRange; head: string }[], end: string): AsyncGenerator<Buffer | string> {
  for (const { range, head } of parts) {
    yield head;
    yield* handle.createReadStream({ ...range, autoClose: false });
    yield '\r\n';
  }
  yield end;
}

function read(reply: FastifyReply, handle: FileHandle, range: ByteRange | undefined): Readable {
  if (range === undefined || reply.request.method === 'HEAD') {
    return closing(reply, handle, Readable.from([]));
  }
  // Exactly as many bytes as announced, even if the file grows meanwhile.
  return closing(reply, handle, handle.createReadStream({ ...range, autoClose: false }));
}

function closing(reply: FastifyReply, handle: FileHandle, stream: Readable): Readable {
  stream.once('close', () => void handle.close());
  // A caller that hangs up must not leave the handle open.
  reply.raw.once('close', () => stream.destroy());
  return stream;
}

function refuseRange(reply: FastifyReply, error: unknown): void {
  for (const header of ['content-disposition', 'last-modified', 'etag', 'accept-ranges']) {
    reply.removeHeader(header);
  }
  reply.header('content-type', 'text/plain; charset=utf-8');
  if (error instanceof UnsatisfiableRangeError) {
    reply.code(416).header('content-range', `bytes */${error.size}`).send('');
  } else if (error instanceof MalformedRangeError) {
    reply.code(400).send(error.message);
  } else {
    throw error;
  }
}

const length = (range: ByteRange) => range.end - range.start + 1;
const contentRange = (range: ByteRange, size: number) => `bytes ${range.start}-${range.end}/${size}`;

function etagOf(stats: Stats): string {
  return `"${createHash('sha256').update(`${stats.dev}-${stats.ino}-${stats.mtimeMs}-${stats.size}`).digest('hex').slice(0, 32)}"`;
}

function ifRangeHolds(header: string | string[] | undefined, stats: Stats): boolean {
  return header === undefined || header === etagOf(stats) || header === stats.mtime.toUTCString();
}

/** RFC 9110 §13.2.2, for requests that read. */
function conditionOf(headers: FastifyReply['request']['headers'], stats: Stats): 304 | 412 | undefined {
  const seconds = Math.floor(stats.mtimeMs / 1000) * 1000;
  const matches = (list: string, weak: boolean) => list.trim() === '*' || list.split(',').map(each => each.trim())
    .some(each => (weak ? each.replace(/^W\//, '') : each) === etagOf(stats));
  const date = (text: string | undefined) => text === undefined ? NaN : Date.parse(text);
  if (headers['if-match'] !== undefined ? !matches(headers['if-match'], false) : seconds > date(headers['if-unmodified-since'])) {
    return 412;
  }
  if (headers['if-none-match'] !== undefined ? matches(headers['if-none-match'], true) : seconds <= date(headers['if-modified-since'])) {
    return 304;
  }
  return undefined;
}
