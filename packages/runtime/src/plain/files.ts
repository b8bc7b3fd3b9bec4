import type { FastifyReply, FastifyRequest } from 'fastify';
import { BodyTooLargeError, errnoOf, MultipartError, PathEscapesError, reasonOf } from '../errors.js';
import { listDirectory, plainEntry } from '../files/list.js';
import { limited, NoFileError, withFilePart } from '../files/multipart.js';
import { percentDecode } from '../files/percent.js';
import { sendFile } from '../files/send.js';
import type { Location } from '../files/tree.js';
import { writeFile } from '../files/write.js';
import { sendJson } from '../http/json.js';
import { filePathOf } from '../http/target.js';
import type { Runtime } from '../runtime.js';
import { InvalidBodyError } from './validation.js';

/** Error codes of the system for a path that does not exist. */
const MISSING = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'];

/** `POST /upload`: the part `file` of a multipart body, streamed to the path that is its file name. */
export async function handleUpload(runtime: Runtime, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (!/^\s*multipart\/form-data\s*(;|$)/i.test(request.headers['content-type'] ?? '')) {
    request.raw.resume();
    throw new InvalidBodyError([{ type: 'missing', loc: ['body', 'file'], msg: 'Field required', input: null }]);
  }
  const limit = runtime.options.maxUploadBytes;
  try {
    return await withFilePart(request.raw, async ({ filename, content, complete }) => {
      await runtime.tree.at(filename, location => writeFile(location, limited(content, limit), { committed: complete }), { makeParents: true });
      return sendJson(reply, 200, { message: `File '${filename}' uploaded successfully.` });
    });
  } catch (error) {
    return uploadError(reply, error);
  }
}

function uploadError(reply: FastifyReply, error: unknown): void {
  if (error instanceof PathEscapesError) {
    return sendJson(reply, 403, { message: 'Access denied' });
  }
  if (error instanceof NoFileError) {
    throw new InvalidBodyError([error.value === undefined
      ? { type: 'missing', loc: ['body', 'file'], msg: 'Field required', input: null }
      : { type: 'value_error', loc: ['body', 'file'], msg: 'Value error, Expected UploadFile, received: text', input: error.value }]);
  }
  if (error instanceof MultipartError) {
    return sendJson(reply, 400, { detail: error.message });
  }
  if (error instanceof BodyTooLargeError) {
    return sendJson(reply.header('connection', 'close'), 413, { message: error.message });
  }
  return sendJson(reply, 500, { message: `File upload failed: ${reasonOf(error)}` });
}

/** `GET /download/<path>` */
export async function handleDownload(runtime: Runtime, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  return atPath(runtime, request, reply, async (path, { found }) => {
    if (!found?.stats.isFile()) {
      return sendJson(reply, 404, { message: 'File not found' });
    }
    return sendFile(reply, found, { headers: { 'content-disposition': dispositionOf(path) } });
  }, () => sendJson(reply, 404, { message: 'File not found' }));
}

/** `GET /list/<path>` */
export async function handleList(runtime: Runtime, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const noDirectory = () => sendJson(reply, 404, { message: 'Path is not a directory' });
  return atPath(runtime, request, reply, async (_, location) => {
    if (!location.found?.stats.isDirectory()) {
      return noDirectory();
    }
    try {
      return sendJson(reply, 200, (await listDirectory(runtime.tree, location, 'follow')).map(plainEntry));
    } catch (error) {
      return sendJson(reply, 500, { message: `List files failed: ${reasonOf(error)}` });
    }
  }, noDirectory);
}

/** `GET /exists/<path>` */
export async function handleExists(runtime: Runtime, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  return atPath(runtime, request, reply, async (path, { found }) => sendJson(reply, 200, { path, exists: found !== undefined }),
    path => sendJson(reply, 200, { path, exists: false }));
}

/**
 * Looks for what a request names. Some clients and proxies encode paths twice: if there is nothing under the path as it is, it is
 * decoded once more.
 */
async function atPath(
  runtime: Runtime, request: FastifyRequest, reply: FastifyReply,
  use: (path: string, location: Location) => Promise<void>, missing: (path: string) => void,
): Promise<void> {
  const once = filePathOf(request.raw);
  const twice = percentDecode(once);
  try {
    for (const path of twice === once ? [once] : [once, twice]) {
      if (await ifPresent(runtime, path, location => location.found || path === twice ? use(path, location) : undefined)) {
        return;
      }
    }
    missing(twice);
  } catch (error) {
    if (error instanceof PathEscapesError) {
      sendJson(reply, 403, { message: 'Access denied' });
      return;
    }
    throw error;
  }
}

/** Whether there was something that `use` has answered with. */
async function ifPresent(runtime: Runtime, path: string, use: (location: Location) => Promise<void> | undefined): Promise<boolean> {
  try {
    return await runtime.tree.at(path, async location => {
      const using = use(location);
      await using;
      return using !== undefined;
    });
  } catch (error) {
    if (MISSING.includes(errnoOf(error) ?? '')) {
      return false;
    }
    throw error;
  }
}

/** Names that need no escaping are quoted, the others written as RFC 5987 says. */
function dispositionOf(path: string): string {
  const encoded = encodeURI(path).replace(/['#?&=+,;:@$!*()]/g, char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  return encoded === path ? `attachment; filename="${path}"` : `attachment; filename*=utf-8''${encoded}`;
}
