import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, open, readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { Logger } from 'pino';

/** Prefix of files that are being written. */
export const TEMPORARY_PREFIX = '.sandboxd-tmp-';
/** Temporary files of other runtimes that share the volume are swept when they are this old. */
const FOREIGN_AGE_MS = 24 * 60 * 60 * 1000;
const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

let owner = '0';

/** Marks temporary files as those of the runtime that listens on this port of this host. A restarted container has the same name. */
export function ownTemporaryFiles(port: number): void {
  owner = createHash('sha256').update(`${hostname()}:${port}`).digest('hex').slice(0, 8);
}

/** A name for a file or directory that is being written, in the directory that it is going to be in. */
export function temporaryName(): string {
  return `${TEMPORARY_PREFIX}${owner}-${randomBytes(9).toString('hex')}`;
}

/**
 * Removes what a runtime that was killed has left half-written below a directory: temporary files of this runtime that are older than
 * `before` (milliseconds), and those of others that nothing has changed for a day. Follows no links. Returns how many it removed.
 */
export async function sweepTemporaryFiles(directory: string, before: number, logger: Pick<Logger, 'warn' | 'info'>, signal?: AbortSignal): Promise<number> {
  let removed = 0;
  const sweep = async (path: string): Promise<void> => {
    if (signal?.aborted) {
      return;
    }
    // Swapping a directory for a link meanwhile must not lead out of the tree: everything is relative to the open directory.
    const handle = await open(path, DIRECTORY);
    try {
      const self = `/proc/self/fd/${handle.fd}`;
      for (const entry of await readdir(self, { withFileTypes: true })) {
        const each = `${self}/${entry.name}`;
        if (entry.name.startsWith(TEMPORARY_PREFIX)) {
          removed += await removeIfStale(each, entry.name, before) ? 1 : 0;
        } else if (entry.isDirectory()) {
          await sweep(each).catch(() => undefined);
        }
      }
    } finally {
      await handle.close();
    }
  };
  try {
    await sweep(directory);
  } catch (error) {
    logger.warn({ err: error }, 'temporary files of an earlier run were not looked for');
  }
  if (removed > 0) {
    logger.info({ removed }, 'removed temporary files of an earlier run');
  }
  return removed;
}

async function removeIfStale(path: string, name: string, before: number): Promise<boolean> {
  const own = name.startsWith(`${TEMPORARY_PREFIX}${owner}-`);
  try {
    const { mtimeMs } = await lstat(path);
    if (mtimeMs >= (own ? before : before - FOREIGN_AGE_MS)) {
      return false;
    }
    await rm(path, { recursive: true, force: true });
    return true;
  } catch {
    // Gone, or not ours to remove.
    return false;
  }
}
