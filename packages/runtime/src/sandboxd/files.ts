import { mkdir, stat } from 'node:fs/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { BodyTooLargeError, errnoOf, MultipartError, PathEscapesError, reasonOf } from '../errors.js';
import { listDirectory, sandboxdEntry } from '../files/list.js';
import { limited, withFilePart } from '../files/multipart.js';
import { remove } from '../files/remove.js';
import { sendFile } from '../files/send.js';
import type { Location, LocateOptions } from '../files/tree.js';
import { watchDirectory } from '../files/watch.js';
import { writeFile } from '../files/write.js';
import { sendJson } from '../http/json.js';
import { filePathOf } from '../http/target.js';
import type { Runtime } from '../runtime.js';

type Query = { readonly [name: string]: string | string[] | undefined };

/** A query parameter or a body is not what the request takes. */
class ArgumentError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ArgumentError';
  }
}

/** `GET` and `HEAD /v1/files/<path>`: a file, a directory, or the changes of a directory (`?watch=true`). */
export async function handleGet(runtime: Runtime, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  return at(runtime, request, reply, {}, async location => {
    if (location.found === undefined) {
      return notFound(reply, request);
    }
    const { stats } = location.found;
    if (booleanOf(request.query as Query, 'watch')) {
      if (!stats.isDirectory()) {
        throw new ArgumentError('watch is for directories');
      }
      return await watchDirectory(runtime, location, reply);
    }
    if (!stats.isDirectory()) {
      return await sendFile(reply, location.found, { conditional: true });
    }
    const entries = (await listDirectory(runtime.tree, location, 'drop')).map(sandboxdEntry);
    return sendJson(reply, 200, { path: `/${filePathOf(request.raw).replace(/^\/+/, '')}`, entries });
  });
}

/** `PUT /v1/files/<path>`: raw bytes or a part `file`; with `?type=directory`, a directory. */
export async function handlePut(runtime: Runtime, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const query = request.query as Query;
  return at(runtime, request, reply, { makeParents: true }, async location => {
    const type = query.type ?? 'file';
    if (type !== 'file' && type !== 'directory') {
      throw new ArgumentError(`type is '${String(type)}': file or directory`);
    }
    const mode = modeOf(query, type === 'file' ? 0o644 : 0o755);
    if (type === 'directory') {
      return await makeDirectory(location, mode, reply);
    }
    if (location.name === '' || location.found?.stats.isDirectory()) {
      throw new ArgumentError('the path is a directory');
    }
    const limit = runtime.options.maxUploadBytes;
    if (/^\s*multipart\//i.test(request.headers['content-type'] ?? '')) {
      await withFilePart(request.raw, part => writeFile(location, limited(part.content, limit), { mode, committed: part.complete }));
    } else {
      await writeFile(location, limited(request.raw, limit), { mode });
    }
    reply.code(204).send();
  }, () => {
    // Before anything is made for a request that is refused anyway.
    modeOf(query, 0);
  });
}

/** `DELETE /v1/files/<path>[?recursive=true]` */
export async function handleDelete(runtime: Runtime, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  return at(runtime, request, reply, {}, async location => {
    const recursive = booleanOf(request.query as Query, 'recursive');
    if (location.found === undefined) {
      return notFound(reply, request);
    }
    await remove(location, recursive);
    reply.code(204).send();
  });
}

async function makeDirectory(location: Location, mode: number, reply: FastifyReply): Promise<void> {
  try {
    if (location.name !== '') {
      await mkdir(`${location.directory}/${location.name}`, mode);
    }
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST' || !(await stat(`${location.directory}/${location.name}`)).isDirectory()) {
      throw error;
    }
  }
  reply.code(204).send();
}

async function at(
  runtime: Runtime, request: FastifyRequest, reply: FastifyReply, options: LocateOptions,
  use: (location: Location) => Promise<void>, check?: () => void,
): Promise<void> {
  try {
    check?.();
    return await runtime.tree.at(filePathOf(request.raw), use, { ...options, stripBase: true });
  } catch (error) {
    if (reply.raw.headersSent) {
      throw error;
    }
    const [status, code] = statusOf(error);
    if (status === 413) {
      reply.header('connection', 'close');
    }
    return sendError(reply, request, status, code, reasonOf(error));
  }
}

function statusOf(error: unknown): [number, string] {
  if (error instanceof ArgumentError || error instanceof MultipartError) {
    return [400, 'INVALID_ARGUMENT'];
  }
  if (error instanceof PathEscapesError) {
    return [403, 'PERMISSION_DENIED'];
  }
  if (error instanceof BodyTooLargeError) {
    return [413, 'RESOURCE_EXHAUSTED'];
  }
  return STATUS_BY_ERRNO[errnoOf(error) ?? ''] ?? [500, 'INTERNAL'];
}

const STATUS_BY_ERRNO: { readonly [errno: string]: [number, string] } = {
  EACCES: [403, 'PERMISSION_DENIED'],
  EPERM: [403, 'PERMISSION_DENIED'],
  ENOENT: [404, 'NOT_FOUND'],
  ENOTDIR: [404, 'NOT_FOUND'],
  ENOTEMPTY: [409, 'CONFLICT'],
  EEXIST: [409, 'CONFLICT'],
};

function notFound(reply: FastifyReply, request: FastifyRequest): void {
  return sendError(reply, request, 404, 'NOT_FOUND', `there is nothing at '${filePathOf(request.raw)}'`);
}

function sendError(reply: FastifyReply, request: FastifyRequest, status: number, code: string, message: string): void {
  // A body that nobody read would be taken for the next request.
  request.raw.resume();
  if (request.method === 'HEAD') {
    reply.code(status).send();
  } else {
    sendJson(reply, status, { code, message });
  }
}

function modeOf(query: Query, unless: number): number {
  if (query.mode === undefined) {
    return unless;
  }
  if (typeof query.mode !== 'string' || !/^0[0-7]{3}$/.test(query.mode)) {
    throw new ArgumentError(`mode is '${String(query.mode)}': four octal digits, the first one 0, like 0644`);
  }
  return parseInt(query.mode, 8);
}

/** What Go's `strconv.ParseBool` takes. */
function booleanOf(query: Query, name: string): boolean {
  const value = query[name];
  if (value === undefined || ['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(value as string)) {
    return false;
  }
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(value as string)) {
    return true;
  }
  throw new ArgumentError(`${name} is '${String(value)}': true or false`);
}
