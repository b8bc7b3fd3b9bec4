import { constants, watch, type FSWatcher, type Stats } from 'node:fs';
import { lstat, open, readlink, type FileHandle } from 'node:fs/promises';
import { errnoOf, systemError } from '../errors.js';
import { entriesOf, MAX_DEPTH } from './entries.js';
import { TEMPORARY_PREFIX } from './temporary.js';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** Directories that one recursive watch has open. */
const MAX_DIRECTORIES = 4096;

/** How often a watch looks whether its directory is still there. */
const REMOVAL_CHECK_MS = 500;

/** A change in a watched directory. `path` is relative to it. */
export type Change =
  | { readonly kind: 'created' | 'written' | 'attributes'; readonly path: string; readonly stats: Stats }
  | { readonly kind: 'removed'; readonly path: string };

export interface WatchOptions {
  /** Watch directories below, too, also those that are made later. Links are not entered. */
  readonly recursive: boolean;
  /** Gets the changes in order. What it throws ends the watch. */
  readonly tell: (change: Change) => void;
  /** Ends the watch. */
  readonly signal: AbortSignal;
  /** Called when everything is watched. */
  readonly ready?: () => void;
}

interface Watched {
  readonly prefix: string;
  readonly depth: number;
  readonly handle: FileHandle;
  readonly watcher: FSWatcher;
  readonly known: Map<string, Stats>;
}

/**
 * Tells of changes in a directory until the signal aborts (then it resolves), or the directory is removed or cannot be watched any
 * longer (then it rejects). The directory that was found is watched, whatever its name leads to later. Links are described as what they
 * are. The runtime's own temporary files are left out.
 */
export async function watchDirectory(directory: string, { recursive, tell, signal, ready }: WatchOptions): Promise<void> {
  const watched = new Map<string, Watched>();
  let queue: Promise<void> = Promise.resolve();
  let fail!: (error: Error) => void;
  const failed = new Promise<never>((_, reject) => fail = reject);
  failed.catch(() => undefined);
  let active = true;

  /** Watches a directory and what is below. With `telling`, its contents are new to the caller. */
  const add = async (path: string, prefix: string, depth: number, telling: boolean): Promise<void> => {
    if (watched.size >= MAX_DIRECTORIES || depth > MAX_DEPTH) {
      throw systemError('ENOSPC', `more than ${MAX_DIRECTORIES} directories, or more than ${MAX_DEPTH} deep`);
    }
    const handle = await openDirectory(path);
    if (handle === undefined) {
      return;
    }
    if (!active) {
      return handle.close();
    }
    const self = `/proc/self/fd/${handle.fd}`;
    let watcher: FSWatcher;
    try {
      watcher = watch(`${self}/.`, { persistent: false });
    } catch (error) {
      await handle.close();
      throw error;
    }
    const each: Watched = { prefix, depth, handle, watcher, known: new Map() };
    watched.set(prefix, each);
    watcher.on('error', fail);
    watcher.on('change', (_type, name) => {
      queue = queue.then(() => look(each, String(name))).catch(fail);
    });
    for (const { name, stats } of await entriesOf(self)) {
      const text = name.toString('utf8');
      if (!text.startsWith(TEMPORARY_PREFIX)) {
        await found(each, text, stats, telling);
      }
    }
  };

  const found = async (each: Watched, name: string, stats: Stats, telling: boolean): Promise<void> => {
    each.known.set(name, stats);
    if (telling) {
      tell({ kind: 'created', path: `${each.prefix}${name}`, stats });
    }
    if (recursive && stats.isDirectory()) {
      await add(`/proc/self/fd/${each.handle.fd}/${name}`, `${each.prefix}${name}/`, each.depth + 1, telling);
    }
  };

  const remove = (prefix: string): void => {
    for (const [key, each] of watched) {
      if (key.startsWith(prefix)) {
        watched.delete(key);
        each.watcher.close();
        void each.handle.close();
      }
    }
  };

  const look = async (each: Watched, name: string): Promise<void> => {
    if (!active || watched.get(each.prefix) !== each) {
      return;
    }
    if (name.startsWith(TEMPORARY_PREFIX) || name === '.') {
      return;
    }
    const before = each.known.get(name);
    const path = `${each.prefix}${name}`;
    const stats = await statsOf(`/proc/self/fd/${each.handle.fd}/${name}`);
    if (before !== undefined && (stats === undefined || stats.ino !== before.ino)) {
      each.known.delete(name);
      remove(`${path}/`);
    }
    if (stats === undefined) {
      tell({ kind: 'removed', path });
    } else if (before === undefined || before.ino !== stats.ino) {
      await found(each, name, stats, true);
    } else if (before.mtimeMs !== stats.mtimeMs || before.size !== stats.size || before.ctimeMs !== stats.ctimeMs) {
      each.known.set(name, stats);
      tell({ kind: before.mtimeMs !== stats.mtimeMs || before.size !== stats.size ? 'written' : 'attributes', path, stats });
    }
  };

  const aborted = new Promise<void>(resolve => (signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true })));
  let timer: NodeJS.Timeout | undefined;
  try {
    await add(`${directory}/.`, '', 0, false);
    if (watched.size === 0) {
      throw systemError('ENOENT', 'the directory was removed, or cannot be read');
    }
    // The kernel says so only when the last handle is closed, and the watch itself has one.
    timer = setInterval(() => {
      isRemoved(watched.get('')!.handle).then(async removed => {
        if (removed) {
          await queue;
          fail(systemError('ENOENT', 'the watched directory was removed'));
        }
      }).catch(fail);
    }, REMOVAL_CHECK_MS);
    ready?.();
    await Promise.race([aborted, failed]);
  } finally {
    active = false;
    clearInterval(timer);
    remove('');
  }
}

/** A handle on a directory, or undefined if it went, or became something else. */
async function openDirectory(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, DIRECTORY);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES'].includes(errnoOf(error) ?? '')) {
      return undefined;
    }
    throw error;
  }
}

/** Whether the directory behind a handle has no name any more. */
async function isRemoved(handle: FileHandle): Promise<boolean> {
  const path = await readlink(`/proc/self/fd/${handle.fd}`);
  // Or its name ends like that.
  return path.endsWith(' (deleted)') && (await statsOf(path))?.ino !== (await handle.stat()).ino;
}

async function statsOf(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') {
      return undefined;
    }
    throw error;
  }
}
