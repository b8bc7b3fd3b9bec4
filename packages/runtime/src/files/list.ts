import type { Stats } from 'node:fs';
import { lstat, readdir, stat } from 'node:fs/promises';
import { errnoOf, PathEscapesError } from '../errors.js';
import type { Location, Tree } from './tree.js';

export interface Entry {
  readonly name: string;
  /** Of what a link leads to. */
  readonly stats: Stats;
}

/** Entries that are read concurrently. */
const PARALLEL = 16;

/**
 * The entries of a directory, by name in the order of bytes. Links are described by what they lead to and left out when that does
 * not exist. `leaving` says what happens to links that leave the base directory: `follow` (python-runtime) tells their size and
 * time, `drop` (sandboxd) leaves them out.
 */
export async function listDirectory(tree: Tree, location: Location, leaving: 'follow' | 'drop'): Promise<Entry[]> {
  const self = location.found!.self;
  // As bytes: names need not be UTF-8.
  const names = (await readdir(Buffer.from(`${self}/.`), { encoding: 'buffer' })).sort(Buffer.compare);
  const entries: (Entry | undefined)[] = new Array(names.length);
  let next = 0;
  const work = async () => {
    while (next < names.length) {
      const index = next++;
      entries[index] = await describe(tree, location, names[index]!, leaving);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
  return entries.filter(entry => entry !== undefined);
}

async function describe(tree: Tree, location: Location, bytes: Buffer, leaving: 'follow' | 'drop'): Promise<Entry | undefined> {
  const name = bytes.toString('utf8');
  const path = Buffer.concat([Buffer.from(`${location.found!.self}/`), bytes]);
  try {
    const stats = await lstat(path);
    if (!stats.isSymbolicLink()) {
      return { name, stats };
    }
    if (leaving === 'follow') {
      return { name, stats: await stat(path) };
    }
    return await tree.at([...location.components, name].join('/'), async target => target.found && { name, stats: target.found.stats });
  } catch (error) {
    if (error instanceof PathEscapesError || ['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'ENAMETOOLONG'].includes(errnoOf(error) ?? '')) {
      return undefined;
    }
    throw error;
  }
}

/** Entry of `/list`. */
export function plainEntry({ name, stats }: Entry): { name: string; size: number; type: string; mod_time: number } {
  return { name, size: stats.size, type: stats.isDirectory() ? 'directory' : 'file', mod_time: stats.mtimeMs / 1000 };
}

/** Entry of `/v1/files`: whole seconds, four octal digits. */
export function sandboxdEntry({ name, stats }: Entry): { name: string; size: number; type: string; modified_at: string; mode: string } {
  return { name, size: stats.size, type: stats.isDirectory() ? 'directory' : 'file', modified_at: timeText(stats.mtimeMs), mode: modeText(stats.mode) };
}

export const timeText = (ms: number): string => `${new Date(Math.floor(ms / 1000) * 1000).toISOString().slice(0, 19)}Z`;

export const modeText = (mode: number): string => (mode & 0o777).toString(8).padStart(4, '0');
