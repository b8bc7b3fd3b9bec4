import type { IncomingMessage, ServerResponse } from 'node:http';
import { REST_LONGEST_BODY_BYTES } from 'agent-sandbox-api';
import { Problem } from './problem.js';

/** Milliseconds in which a body has to arrive. */
const TIMEOUT_MS = 10_000;

/** Reads a JSON body. Throws a 415, 413, 408 or 400. */
export async function readJson(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
  const { 'content-type': type = '', 'content-encoding': encoding, 'content-length': length, expect } = request.headers;
  if (!/^application\/json\s*(;\s*charset=utf-8\s*)?$/i.test(type.replaceAll('"', '')) || encoding !== undefined) {
    throw new Problem(415, 'UnsupportedMediaType', 'The body must be of type application/json, in UTF-8 and not compressed.');
  }
  if (Number(length ?? 0) > REST_LONGEST_BODY_BYTES) {
    throw tooLarge();
  }
  if (expect !== undefined) {
    response.writeContinue();
  }
  const bytes = await collect(request);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new Problem(400, 'BadRequest', 'The body is not JSON in UTF-8.');
  }
}

function collect(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const end = (error?: Error) => {
      clearTimeout(timer);
      request.off('data', onData).off('end', onEnd).off('close', onClose);
      if (error === undefined) {
        resolve(Buffer.concat(chunks));
      } else {
        reject(error);
      }
    };
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      if (size > REST_LONGEST_BODY_BYTES) {
        end(tooLarge());
      } else {
        chunks.push(chunk);
      }
    };
    const onEnd = () => end();
    const onClose = () => end(new Problem(400, 'BadRequest', 'The body ended too early.'));
    const timer = setTimeout(() => end(new Problem(408, 'Timeout', 'The body took too long.')), TIMEOUT_MS);
    request.on('data', onData).on('end', onEnd).on('close', onClose);
  });
}

function tooLarge(): Problem {
  return new Problem(413, 'RequestEntityTooLarge', `The body is longer than ${REST_LONGEST_BODY_BYTES} bytes.`);
}
