import { watch } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { errnoOf } from '../errors.js';
import type { Runtime } from '../runtime.js';
import { sandboxdEntry } from './list.js';
import type { Location } from './tree.js';
import { TEMPORARY_PREFIX } from './write.js';

/** Lines that a slow reader may be behind before the watch ends: it would miss changes otherwise without knowing. */
const MAX_BEHIND_BYTES = 1024 * 1024;

/**
 * Tells of changes in a directory, one JSON object to a line, until the caller hangs up or the directory goes. The directory that
 * was found is watched, whatever its name leads to later; those below it are not. Links are described as what they are: files.
 */
export async function watchDirectory(runtime: Runtime, location: Location, reply: FastifyReply): Promise<void> {
  const lines = new PassThrough();
  const end = () => {
    watcher.close();
    lines.end();
  };
  const tell = (event: unknown) => {
    lines.write(`${JSON.stringify(event)}\n`);
    if (lines.readableLength + lines.writableLength > MAX_BEHIND_BYTES) {
      lines.destroy(new Error('the reader of the watch is too far behind'));
    }
  };
  // Its own handle, for as long as the watch goes on.
  const directory = await runtime.hold(location.found!.self);
  const watcher = watch(`${directory.path}/.`, { persistent: false });
  let queue = Promise.resolve();
  watcher.on('change', (_type, name) => {
    if (typeof name === 'string' && !name.startsWith(TEMPORARY_PREFIX)) {
      queue = queue.then(async () => tell(await changeOf(directory.path, name))).catch(end);
    }
  });
  watcher.on('error', end);
  watcher.on('close', () => void queue.finally(() => directory.close()));
  reply.raw.once('close', end);
  runtime.stopped.addEventListener('abort', end, { once: true });
  lines.once('close', () => {
    runtime.stopped.removeEventListener('abort', end);
    end();
  });
  tell({ event: 'ready' });
  reply.header('content-type', 'application/x-ndjson').send(lines);
}

async function changeOf(directory: string, name: string): Promise<unknown> {
  try {
    return { event: 'changed', entry: sandboxdEntry({ name, stats: await lstat(`${directory}/${name}`) }) };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') {
      return { event: 'removed', name };
    }
    throw error;
  }
}
