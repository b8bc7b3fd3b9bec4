import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { SandboxInputError } from './errors.js';

/**
 * A form with one file, as `/upload` takes it. `FormData` would have to hold a stream in memory, and it writes a quote in a file name
 * as `%22`, which the other runtimes do not turn back.
 *
 * @param name without control characters
 */
export function multipart(name: string, content: string | Uint8Array | Readable): { contentType: string; body: Buffer | Readable } {
  if (typeof content !== 'string' && !(content instanceof Uint8Array) && !(content instanceof Readable)) {
    throw new SandboxInputError('content is neither text, bytes nor a stream', { remedy: 'give a string, Buffer, Uint8Array or Readable' });
  }
  const boundary = `sandbox-${randomBytes(16).toString('hex')}`;
  const quoted = name.replace(/["\\]/g, '\\$&');
  const head = Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${quoted}"\r\nContent-Type: application/octet-stream\r\n\r\n`);
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    body: content instanceof Readable
      ? Readable.from(parts(head, content, tail), { objectMode: false })
      : Buffer.concat([head, Buffer.from(content as string), tail]),
  };
}

async function* parts(head: Buffer, content: Readable, tail: Buffer): AsyncGenerator<Buffer> {
  yield head;
  for await (const chunk of content) {
    yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
  }
  yield tail;
}
