import type { Stats } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { systemError } from '../errors.js';
import { listDirectory, type Entry } from './list.js';
import type { Location, Tree } from './tree.js';

/** Default number of entries of one listing. */
export const DEFAULT_MAX_ENTRIES = 10_000;
/** Largest number that a caller may ask for. */
export const MAX_ENTRIES = 100_000;
/** Directories that a walk enters below each other. */
export const MAX_DEPTH = 128;

/** What is at a path, as sandboxd has it. */
export interface Description {
  readonly stats: Stats;
  readonly type: 'file' | 'directory' | 'symlink';
  /** Where a link leads, as it is written in the link. */
  readonly target?: string;
}

/** Describes what was found with `keepLink`. */
export async function describeLocation({ found, directory, name }: Location): Promise<Description> {
  const { stats } = found!;
  return stats.isSymbolicLink()
    ? { stats, type: 'symlink', target: await readlink(`${directory}/${name}`) }
    : { stats, type: stats.isDirectory() ? 'directory' : 'file' };
}

export interface TreeListing {
  readonly entries: readonly Entry[];
  /** Whether there are more. */
  readonly truncated: boolean;
}

/**
 * Everything below a directory, each directory before what is in it, by name in the order of bytes. Names are paths relative to the
 * directory. Links are described by what they lead to, like in a listing of one directory, and are not entered.
 */
export async function listTree(tree: Tree, location: Location, max: number): Promise<TreeListing> {
  const entries: Entry[] = [];
  let truncated = false;
  const list = async (at: Location, prefix: string, depth: number): Promise<void> => {
    for (const entry of await listDirectory(tree, at, 'drop')) {
      if (entries.length >= max) {
        truncated = true;
        return;
      }
      entries.push({ name: `${prefix}${entry.name}`, stats: entry.stats });
      if (!entry.stats.isDirectory() || entry.name.includes('\ufffd')) {
        continue;
      }
      if (depth >= MAX_DEPTH) {
        throw systemError('ENAMETOOLONG', `more than ${MAX_DEPTH} directories deep`);
      }
      await tree.at([...at.components, entry.name].join('/'), async below => {
        if (below.found?.stats.isDirectory()) {
          await list(below, `${prefix}${entry.name}/`, depth + 1);
        }
      }, { keepLink: true });
      if (truncated) {
        return;
      }
    }
  };
  await list(location, '', 0);
  return { entries, truncated };
}

/** Names in a directory, as bytes and sorted, with what they are: links as links. */
export async function entriesOf(directory: string): Promise<{ readonly name: Buffer; readonly stats: Stats }[]> {
  const names = (await readdir(Buffer.from(`${directory}/.`), { encoding: 'buffer' })).sort(Buffer.compare);
  const entries = [];
  for (const name of names) {
    try {
      entries.push({ name, stats: await lstat(Buffer.concat([Buffer.from(`${directory}/`), name])) });
    } catch {
      // Removed meanwhile.
    }
  }
  return entries;
}
