import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isAlive } from './processes.js';

const POLL_MS = 250;

/**
 * Runs `work` while no other process on this machine holds the lock `file`, and waits for one that does.
 *
 * The file holds the process id of the owner, so the lock of a killed process is recognized and taken over. It only saves
 * double work: what it guards must be correct without it.
 *
 * @param onWait called once, with the owner's process id, when the lock is taken
 */
export async function withLock<T>(file: string, work: () => Promise<T>, onWait: (owner: number) => void = () => undefined): Promise<T> {
  await mkdir(dirname(file), { recursive: true });
  for (let isReported = false; ;) {
    try {
      await writeFile(file, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
        throw error;
      }
    }
    const owner = Number(await readFile(file, 'utf8').catch(() => ''));
    if (owner && !isAlive(owner)) {
      // Of two processes that find the same dead owner, rename lets one succeed.
      const stale = `${file}.${process.pid}`;
      await rename(file, stale).then(() => rm(stale), () => undefined);
      continue;
    }
    if (owner && !isReported) {
      isReported = true;
      onWait(owner);
    }
    await delay(POLL_MS);
  }
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}
