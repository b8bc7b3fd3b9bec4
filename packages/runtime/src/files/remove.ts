import { constants } from 'node:fs';
import { open, readdir, rmdir, unlink } from 'node:fs/promises';
import { errnoOf } from '../errors.js';
import type { Location } from './tree.js';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * Removes what is at a location; with `recursive`, a directory with its contents. The base directory itself stays, empty.
 *
 * Nothing outside is ever removed, even when directories are swapped for links meanwhile: every step works relative to an open
 * directory. Throws the system's errors, among them ENOTEMPTY.
 */
export async function remove(location: Location, recursive: boolean): Promise<void> {
  const { found, directory, name } = location;
  if (!found!.stats.isDirectory()) {
    await unlink(`${directory}/${name}`);
    return;
  }
  if (recursive) {
    await empty(`${found!.self}/.`);
  }
  if (name !== '') {
    await rmdir(`${directory}/${name}`);
  } else if (!recursive) {
    throw Object.assign(new Error('ENOTEMPTY: the base directory is only emptied, with recursive=true'), { code: 'ENOTEMPTY' });
  }
}

async function empty(path: string | Buffer): Promise<void> {
  const handle = await open(path, DIRECTORY);
  try {
    const self = `/proc/self/fd/${handle.fd}/`;
    for (const name of await readdir(Buffer.from(self), { encoding: 'buffer' })) {
      await removeEntry(Buffer.concat([Buffer.from(self), name]));
    }
  } finally {
    await handle.close();
  }
}

async function removeEntry(child: Buffer): Promise<void> {
  try {
    await unlink(child);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') {
      return;
    }
    // EISDIR on Linux, EPERM elsewhere
    if (!['EISDIR', 'EPERM'].includes(errnoOf(error) ?? '')) {
      throw error;
    }
    await empty(child);
    await rmdir(child);
  }
}
