import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, unlink } from 'node:fs/promises';
import type { Location } from './tree.js';

/** Prefix of files that are being written. */
export const TEMPORARY_PREFIX = '.sandboxd-tmp-';
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

export interface WriteOptions {
  readonly mode?: number;
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
  if (location.name === '' || location.found?.stats.isDirectory()) {
    throw Object.assign(new Error('EISDIR: illegal operation on a directory'), { code: 'EISDIR' });
  }
  const mode = options.mode ?? (location.found?.stats.isFile() ? location.found.stats.mode & 0o1777 : undefined);
  const temporary = `${location.directory}/${TEMPORARY_PREFIX}${randomBytes(9).toString('hex')}`;
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
    await rename(temporary, `${location.directory}/${location.name}`);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
}
