import { definedOnly } from 'agent-sandbox-api';
import { PassThrough } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ArgumentError, BodyTooLargeError, errnoOf, MultipartError, PathEscapesError, reasonOf, TooManyWatchesError } from '../errors.js';
import { ARCHIVE_TYPES, packDirectory, unpackArchive, type ArchiveFormat } from '../files/archive.js';
import { makeDirectory } from '../files/directory.js';
import { DEFAULT_MAX_ENTRIES, describeLocation, listTree, MAX_ENTRIES } from '../files/entries.js';
import { listDirectory, modeText, sandboxdEntry, timeText } from '../files/list.js';
import { copy, move } from '../files/move.js';
import { limited, withFilePart } from '../files/multipart.js';
import { remove } from '../files/remove.js';
import { sendFile } from '../files/send.js';
import type { Location, LocateOptions } from '../files/tree.js';
import { watchDirectory, type Change } from '../files/watch.js';
import { writeFile } from '../files/write.js';
import { sendJson } from '../http/json.js';
import { filePathOf } from '../http/target.js';
import type { Runtime } from '../runtime.js';

type Query = { readonly [name: string]: string | string[] | undefined };

/** Bytes of events that a slow reader of a watch may be behind before the watch ends: it would miss changes without knowing. */
const MAX_BEHIND_BYTES = 1024 * 1024;

/**
 * `GET` and `HEAD /v1/files/<path>`: a file, a directory (`?recursive=true`: with all below), what is at the path (`?stat=true`), the
 * changes in a directory (`?watch=true`), or a directory as an archive (`?archive=tar`).
 */
export async function handleGet(runtime: Runtime, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const query = request.query as Query;
  return at(runtime, request, reply, { keepLink: query.stat !== undefined }, async location => {
    const [stat, watch, recursive] = [booleanOf(query, 'stat'), booleanOf(query, 'watch'), booleanOf(query, 'recursive')];
    const archive = archiveOf(query);
    if (location.found === undefined) {
      return notFound(reply, request);
    }
    const isDirectory = location.found.stats.isDirectory();
    if (!isDirectory && (watch || recursive || archive !== undefined)) {
      throw new ArgumentError('watch, recursive and archive are for directories');
    }
    if (stat) {
      const { type, stats, target } = await describeLocation(location);
      const { size, mtimeMs, mode } = stats;
      return sendJson(reply, 200, {
        path: requestedPath(request), type, size, modified_at: timeText(mtimeMs), mode: modeText(mode), ...definedOnly({ target }),
      });
    }
    if (watch) {
      return await streamChanges(runtime, location, recursive, reply);
    }
    if (archive !== undefined) {
      return await sendArchive(location, archive, reply);
    }
    if (!isDirectory) {
      return await sendFile(reply, location.found, { conditional: true });
    }
    const path = requestedPath(request);
    if (!recursive) {
      return sendJson(reply, 200, { path, entries: (await listDirectory(runtime.tree, location, 'drop')).map(sandboxdEntry) });
    }
    const { entries, truncated } = await listTree(runtime.tree, location, maxEntriesOf(query));
    return sendJson(reply, 200, { path, entries: entries.map(sandboxdEntry), truncated });
  });
}

/**
 * `PUT /v1/files/<path>`: raw bytes or a part `file`; with `If-None-Match: *` only if nothing is there. With `?type=directory` a directory,
 * with `?archive=tar` the contents of an archive into a directory.
 */
export async function handlePut(runtime: Runtime, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const query = request.query as Query;
  return at(runtime, request, reply, { makeParents: true }, async location => {
    const type = typeOf(query);
    const mode = modeOf(query, type === 'file' ? 0o644 : 0o755);
    const archive = archiveOf(query);
    if (type === 'directory' || archive !== undefined) {
      await makeDirectory(location, mode);
      if (archive === undefined) {
        reply.code(204).send();
        return undefined;
      }
      const options = { maxFileBytes: runtime.options.maxUploadBytes };
      return sendJson(reply, 200, await unpackArchive(runtime.tree, location.components, archive, request.raw, options));
    }
    if (location.name === '' || location.found?.stats.isDirectory()) {
      throw new ArgumentError('the path is a directory');
    }
    const limit = runtime.options.maxUploadBytes;
    const createOnly = createOnlyOf(request);
    if (/^\s*multipart\//i.test(request.headers['content-type'] ?? '')) {
      await withFilePart(request.raw, part => writeFile(location, limited(part.content, limit), { mode, createOnly, committed: part.complete }));
    } else {
      await writeFile(location, limited(request.raw, limit), { mode, createOnly });
    }
    reply.code(204).send();
  }, () => {
    // Before anything is made for a request that is refused anyway.
    typeOf(query);
    modeOf(query, 0);
    archiveOf(query);
    createOnlyOf(request);
  });
}

/** `POST /v1/files/<path>?action=move|copy&destination=<path>[&overwrite=true]` */
export async function handlePost(runtime: Runtime, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  return answer(request, reply, async () => {
    const { action, destination } = request.query as Query;
    if (action !== 'move' && action !== 'copy') {
      throw new ArgumentError(`action is ${action === undefined ? 'missing' : `'${String(action)}'`}: move or copy`);
    }
    if (typeof destination !== 'string') {
      throw new ArgumentError('destination has to be one path');
    }
    const overwrite = booleanOf(request.query as Query, 'overwrite');
    await (action === 'move' ? move : copy)(runtime.tree, filePathOf(request.raw), destination, { overwrite });
    reply.code(204).send();
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

const requestedPath = (request: FastifyRequest) => `/${filePathOf(request.raw).replace(/^\/+/, '')}`;

/** Answers with an archive, as fast as it is read. It is cut off when something fails on the way, which a reader of the format notices. */
async function sendArchive(location: Location, format: ArchiveFormat, reply: FastifyReply): Promise<void> {
  const body = new PassThrough();
  reply.header('content-type', ARCHIVE_TYPES[format]).send(body);
  try {
    await packDirectory(location, format, body);
  } catch (error) {
    reply.request.log.warn({ err: error }, 'an archive was cut off');
    reply.raw.destroy();
  }
}

/** Answers with changes, one JSON object to a line, until the caller hangs up or the directory goes. */
async function streamChanges(runtime: Runtime, location: Location, recursive: boolean, reply: FastifyReply): Promise<void> {
  const lines = new PassThrough();
  const hangUp = new AbortController();
  reply.raw.once('close', () => hangUp.abort());
  let answering = false;
  const tell = (event: unknown) => {
    lines.write(`${JSON.stringify(event)}\n`);
    if (lines.readableLength + lines.writableLength > MAX_BEHIND_BYTES) {
      throw new Error('the reader of the watch is too far behind');
    }
  };
  await runtime.watching(async () => {
    try {
      await watchDirectory(location.found!.self, {
        recursive,
        tell: change => tell(eventOf(change)),
        signal: AbortSignal.any([hangUp.signal, runtime.stopped]),
        ready: () => {
          answering = true;
          reply.header('content-type', 'application/x-ndjson').send(lines);
          tell({ event: 'ready' });
        },
      });
    } catch (error) {
      if (!answering) {
        throw error;
      }
      lines.write(`${JSON.stringify({ event: 'error', message: reasonOf(error) })}\n`);
    } finally {
      lines.end();
    }
  });
}

function eventOf(change: Change): unknown {
  return change.kind === 'removed'
    ? { event: 'removed', name: change.path }
    : { event: 'changed', entry: sandboxdEntry({ name: change.path, stats: change.stats }) };
}

async function at(
  runtime: Runtime, request: FastifyRequest, reply: FastifyReply, options: LocateOptions,
  use: (location: Location) => Promise<void>, check?: () => void,
): Promise<void> {
  return answer(request, reply, async () => {
    check?.();
    return await runtime.tree.at(filePathOf(request.raw), use, { ...options, stripBase: true });
  });
}

async function answer(request: FastifyRequest, reply: FastifyReply, use: () => Promise<void>): Promise<void> {
  try {
    return await use();
  } catch (error) {
    if (reply.raw.headersSent) {
      throw error;
    }
    const [status, code] = fileStatusOf(error);
    if (status === 413) {
      reply.header('connection', 'close');
    }
    const createOnly = errnoOf(error) === 'EEXIST' && request.headers['if-none-match'] !== undefined;
    return createOnly ? sendError(reply, request, 412, 'CONFLICT', 'there is something at the path') : sendError(reply, request, status, code, reasonOf(error));
  }
}

/** Status and code of an error about files. */
export function fileStatusOf(error: unknown): readonly [number, string] {
  if (error instanceof ArgumentError || error instanceof MultipartError) {
    return [400, 'INVALID_ARGUMENT'];
  }
  if (error instanceof PathEscapesError) {
    return [403, 'PERMISSION_DENIED'];
  }
  if (error instanceof BodyTooLargeError) {
    return [413, 'RESOURCE_EXHAUSTED'];
  }
  if (error instanceof TooManyWatchesError) {
    return [429, 'RESOURCE_EXHAUSTED'];
  }
  return STATUS_BY_ERRNO[errnoOf(error) ?? ''] ?? [500, 'INTERNAL'];
}

const STATUS_BY_ERRNO: { readonly [errno: string]: readonly [number, string] } = {
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
  // An unread body would be taken for the next request.
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

function typeOf(query: Query): 'file' | 'directory' {
  const type = query.type ?? 'file';
  if (type !== 'file' && type !== 'directory') {
    throw new ArgumentError(`type is '${String(type)}': file or directory`);
  }
  return type;
}

function archiveOf(query: Query): ArchiveFormat | undefined {
  const { archive } = query;
  if (archive !== undefined && archive !== 'tar' && archive !== 'tar.gz') {
    throw new ArgumentError(`archive is '${String(archive)}': tar or tar.gz`);
  }
  return archive;
}

function maxEntriesOf(query: Query): number {
  const text = query.max_entries;
  if (text === undefined) {
    return DEFAULT_MAX_ENTRIES;
  }
  const number = Number(text);
  if (typeof text !== 'string' || !/^\d{1,6}$/.test(text) || number < 1 || number > MAX_ENTRIES) {
    throw new ArgumentError(`max_entries is '${String(text)}': a number from 1 to ${MAX_ENTRIES}`);
  }
  return number;
}

/** `If-None-Match: *`. With entity tags it would need the file's own, which a write in place of it does not keep. */
function createOnlyOf(request: FastifyRequest): boolean {
  const header = request.headers['if-none-match'];
  if (header !== undefined && header.trim() !== '*') {
    throw new ArgumentError(`If-None-Match is '${header}': only * is taken here`);
  }
  return header !== undefined;
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
