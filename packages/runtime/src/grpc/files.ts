import { constants, type Stats } from 'node:fs';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { ServiceImpl } from '@connectrpc/connect';
import { ArgumentError, reasonOf, systemError } from '../errors.js';
import { makeDirectory } from '../files/directory.js';
import { DEFAULT_MAX_ENTRIES, describeLocation, listTree } from '../files/entries.js';
import { listDirectory, type Entry } from '../files/list.js';
import { copy, move } from '../files/move.js';
import { limited } from '../files/multipart.js';
import { remove } from '../files/remove.js';
import type { Found, Location, LocateOptions } from '../files/tree.js';
import { watchDirectory, type Change } from '../files/watch.js';
import { writeFile } from '../files/write.js';
import { FileType, type FilesystemService, type WriteRequest } from '../proto/filesystem/v1/filesystem_pb.js';
import { FileEventType, type FileWatcherService } from '../proto/watcher/v1/watcher_pb.js';
import type { Runtime } from '../runtime.js';
import { Channel } from './channel.js';
import { fileError, withErrors } from './errors.js';

const CHUNK_BYTES = 64 * 1024;
/** Events that a slow reader of a watch may be behind before the watch ends: it would miss changes without knowing. */
const MAX_BEHIND_EVENTS = 10_000;

const files = <A extends unknown[], T>(call: (...args: A) => Promise<T>) => withErrors(call, fileError);

/** `filesystem.v1.FilesystemService` of a runtime. */
export function filesystemService(runtime: Runtime): ServiceImpl<typeof FilesystemService> {
  const at = <T>(path: string, use: (location: Location) => Promise<T>, options: LocateOptions = {}): Promise<T> =>
    runtime.tree.at(path, use, { ...options, stripBase: true });
  const present = (path: string, { found }: Location): Found => {
    if (found === undefined) {
      throw systemError('ENOENT', `there is nothing at '${path}'`);
    }
    return found;
  };
  return {
    write: files(async (requests, { signal }) => {
      const iterator = requests[Symbol.asyncIterator]();
      const first = (await iterator.next()).value as WriteRequest | undefined;
      if (first?.payload.case !== 'metadata' || first.payload.value.path === '') {
        throw new ArgumentError('the first message has to be metadata with a path');
      }
      const { path, mode = 0o644, createOnly } = first.payload.value;
      // A caller that cancels ends its messages, too.
      const committed = async () => signal.throwIfAborted();
      if (mode > 0o777) {
        throw new ArgumentError(`mode is ${mode}: permission bits, at most ${0o777} (octal 0777)`);
      }
      const content = limited(Readable.from(chunksOf(iterator)), runtime.options.maxUploadBytes);
      await at(path, location => writeFile(location, content, { mode, createOnly, committed }), { makeParents: true });
      return {};
    }),
    async* read({ path }) {
      const handle = await files(() => at(path, async location => {
        if (!present(path, location).stats.isFile()) {
          throw new ArgumentError(`'${path}' is not a file`);
        }
        return open(location.found!.self, constants.O_RDONLY | constants.O_NONBLOCK);
      }))();
      try {
        for await (const chunk of handle.createReadStream({ highWaterMark: CHUNK_BYTES, autoClose: false })) {
          yield { chunk: chunk as Buffer };
        }
      } finally {
        await handle.close();
      }
    },
    list: files(({ path, recursive }) => at(path, async location => {
      if (!present(path, location).stats.isDirectory()) {
        throw new ArgumentError(`'${path}' is not a directory`);
      }
      if (recursive) {
        const { entries, truncated } = await listTree(runtime.tree, location, DEFAULT_MAX_ENTRIES);
        return { entries: entries.map(entryOf), truncated };
      }
      const entries = await listDirectory(runtime.tree, location, 'drop');
      return { entries: entries.slice(0, DEFAULT_MAX_ENTRIES).map(entryOf), truncated: entries.length > DEFAULT_MAX_ENTRIES };
    })),
    stat: files(({ path }) => at(path, async location => {
      present(path, location);
      const { stats, type, target = '' } = await describeLocation(location);
      return { path, type: TYPES[type], linkTarget: target, ...numbersOf(stats) };
    }, { keepLink: true })),
    makeDir: files(({ path }) => at(path, async location => {
      await makeDirectory(location, 0o755);
      return {};
    }, { makeParents: true })),
    remove: files(({ path, recursive }) => at(path, async location => {
      present(path, location);
      await remove(location, recursive);
      return {};
    })),
    move: files(async ({ source, destination, overwrite }) => {
      await move(runtime.tree, source, destination, { overwrite });
      return {};
    }),
    copy: files(async ({ source, destination, overwrite }) => {
      await copy(runtime.tree, source, destination, { overwrite });
      return {};
    }),
  };
}

/** `watcher.v1.FileWatcherService` of a runtime. */
export function watcherService(runtime: Runtime): ServiceImpl<typeof FileWatcherService> {
  return {
    async* watchDir({ path, recursive }, { signal }) {
      const channel = new Channel<Change>();
      const leaving = new AbortController();
      let behind = 0;
      const tell = (change: Change) => {
        if (++behind > MAX_BEHIND_EVENTS) {
          throw new Error('the reader of the watch is too far behind');
        }
        void channel.push(change).then(() => behind--);
      };
      const found = await new Promise<readonly string[]>((resolve, reject) => {
        runtime.watching(() => runtime.tree.at(path, async location => {
          if (location.found === undefined) {
            throw systemError('ENOENT', `there is nothing at '${path}'`);
          }
          if (!location.found.stats.isDirectory()) {
            throw new ArgumentError(`'${path}' is not a directory`);
          }
          const stop = AbortSignal.any([signal, leaving.signal, runtime.stopped]);
          await watchDirectory(location.found.self, { recursive, tell, signal: stop, ready: () => resolve(location.components) });
        }, { stripBase: true })).then(() => channel.end(), (error: unknown) => {
          reject(fileError(error));
          channel.end(error);
        });
      });
      const prefix = found.length === 0 ? '' : `${found.join('/')}/`;
      try {
        for await (const change of channel) {
          yield { type: EVENTS[change.kind], path: `${prefix}${change.path}` };
        }
      } catch (error) {
        yield { type: FileEventType.ERROR, error: reasonOf(error) };
      } finally {
        leaving.abort();
      }
    },
  };
}

async function* chunksOf(requests: AsyncIterator<WriteRequest>): AsyncGenerator<Buffer> {
  for (;;) {
    const { done, value } = await requests.next();
    if (done) {
      return;
    }
    if (value.payload.case !== 'chunk') {
      throw new ArgumentError('all messages but the first have to be chunks');
    }
    yield Buffer.from(value.payload.value);
  }
}

const TYPES = { file: FileType.FILE, directory: FileType.DIRECTORY, symlink: FileType.SYMLINK };
const EVENTS = { created: FileEventType.CREATE, written: FileEventType.WRITE, attributes: FileEventType.CHMOD, removed: FileEventType.REMOVE };

function entryOf({ name, stats }: Entry) {
  return { name, type: stats.isDirectory() ? FileType.DIRECTORY : FileType.FILE, ...numbersOf(stats) };
}

function numbersOf(stats: Stats) {
  return { size: BigInt(stats.size), modTime: timestampFromMs(Math.floor(stats.mtimeMs)), mode: stats.mode & 0o777 };
}
