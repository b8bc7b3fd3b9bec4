import type { IncomingMessage } from 'node:http';
import { PassThrough, type Readable } from 'node:stream';
import { Busboy, type BusboyInstance } from '@fastify/busboy';
import { BodyTooLargeError, MultipartError } from '../errors.js';

/** What was found where a file was expected. */
export interface FilePart {
  readonly filename: string;
  readonly content: Readable;
  /** Resolves when the body has ended as it should; rejects with `MultipartError` when it was broken or cut off. */
  readonly complete: () => Promise<void>;
}

/** The part `file` is missing (`missing`) or is not a file (`value`: what it is). */
export class NoFileError extends MultipartError {
  constructor(public readonly value?: string) {
    super(value === undefined ? 'the body has no part named file' : 'the part named file has no file name');
    this.name = 'NoFileError';
  }
}

/** Limits for what is around the file. */
const LIMITS = { fieldSize: 64 * 1024, fields: 100, parts: 200, headerPairs: 100 };

/**
 * Hands the first part named `file` of a multipart body to `use` as soon as it begins, so that it is never held in memory. Throws
 * `NoFileError`, `MultipartError`, and what `use` throws.
 */
export async function withFilePart<T>(request: IncomingMessage, use: (part: FilePart) => Promise<T>): Promise<T> {
  let parser: BusboyInstance;
  try {
    parser = new Busboy({
      headers: { ...request.headers, 'content-type': request.headers['content-type'] ?? '' },
      preservePath: true,
      limits: LIMITS,
      // A part with an empty file name is still a file, not a field.
      isPartAFile: (_name, _type, filename) => filename !== undefined,
    });
  } catch (error) {
    throw new MultipartError(/boundary/i.test(String(error)) ? 'Missing boundary in multipart.' : String((error as Error).message));
  }
  const ended = new Promise<void>((resolve, reject) => {
    parser.once('finish', () => resolve());
    parser.on('error', (error: Error) => reject(new MultipartError(`Invalid multipart data: ${error.message}`)));
    request.once('close', () => request.complete || reject(new MultipartError('the body was cut off')));
  });
  ended.catch(() => undefined);
  const found = new Promise<FilePart>((resolve, reject) => {
    parser.on('file', (name, stream, filename) => {
      // Without a listener, a part that breaks off would end the process.
      stream.on('error', () => undefined);
      if (name === 'file') {
        // A stream of its own: destroying it must not destroy the stream that the parser still writes to.
        const content = stream.pipe(new PassThrough());
        // The reader gets the error; there may be no reader any more.
        content.on('error', () => undefined);
        ended.catch((error: Error) => content.destroy(error));
        resolve({ filename, content, complete: () => ended });
      } else {
        stream.resume();
      }
    });
    parser.on('field', (name, value) => name === 'file' && reject(new NoFileError(value)));
    ended.then(() => reject(new NoFileError()), reject);
  });
  request.pipe(parser);
  try {
    return await use(await found);
  } finally {
    request.unpipe(parser);
    parser.removeAllListeners('file');
    request.resume();
  }
}

/**
 * Passes bytes on until there are more than `limit` (0: no limit), then throws `BodyTooLargeError`. A source that is not read to its end
 * stays open: it may be a request that is still to be answered.
 */
export async function* limited(source: Readable, limit: number): AsyncGenerator<Buffer> {
  let seen = 0;
  for await (const chunk of source.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    seen += chunk.length;
    if (limit > 0 && seen > limit) {
      throw new BodyTooLargeError(limit);
    }
    yield chunk;
  }
}

/** Reads a body of at most `limit` bytes. Throws `BodyTooLargeError`. */
export async function readBody(request: Readable, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of limited(request, limit)) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
