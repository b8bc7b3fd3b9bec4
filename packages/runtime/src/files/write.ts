import { constants } from 'node:fs';
import { link, open, rename, unlink } from 'node:fs/promises';
import { systemError } from '../errors.js';
import { temporaryName } from './temporary.js';
import type { Location } from './tree.js';

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

export interface WriteOptions {
  readonly mode?: number;
  /** Fail with EEXIST if there is something at the location when the file is complete. */
  readonly createOnly?: boolean;
  readonly committed?: () => Promise<void>;
}

/**
 * Streams a file to a location. Readers see the old file or the new one; when the source fails, nothing is left behind.
 *
 * Without a `mode`, a file that is there keeps its own (but for set-uid and set-gid), and a new one gets what the umask leaves of
 * 0666. `committed` is awaited before the file takes its name: a body may turn out broken only at its end. Throws the
 * system's errors, among them EISDIR when the location is a directory.
 */
export async function writeFile(location: Location, source: AsyncIterable<Buffer>, options: WriteOptions = {}): Promise<void> {
  if (options.createOnly && location.found) {
    throw systemError('EEXIST', 'there is something at the path');
  }
  if (location.name === '' || location.found?.stats.isDirectory()) {
    throw systemError('EISDIR', 'illegal operation on a directory');
  }
  const mode = options.mode ?? (location.found?.stats.isFile() ? location.found.stats.mode & 0o1777 : undefined);
  const temporary = `${location.directory}/${temporaryName()}`;
  const handle = await open(temporary, CREATE, mode === undefined ? 0o666 : 0o600);
  try {
    try {
      for await (const chunk of source) {
        await handle.writeFile(chunk);
      }
      if (mode !== undefined) {
        await handle.chmod(mode);
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    await options.committed?.();
    const target = `${location.directory}/${location.name}`;
    if (options.createOnly) {
      // Unlike a rename, a hard link never replaces an existing file.
      await link(temporary, target);
      await unlink(temporary);
    } else {
      await rename(temporary, target);
    }
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
}
