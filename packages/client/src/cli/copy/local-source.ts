import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { SandboxInputError } from '../../errors.js';
import type { CopyReport } from './report.js';

/** Something on this machine that can be copied. Links are never followed. */
export type LocalEntry = {
  /** Below the source; empty for the source itself. */
  readonly name: string;
  /** On this machine. */
  readonly path: string;
  readonly mode: number;
  readonly modified: Date;
} & ({ readonly type: 'file'; readonly size: number } | { readonly type: 'directory' } | { readonly type: 'link'; readonly target: string });

/** Directories below directories that are followed at most. */
const DEEPEST = 256;

/** All below a directory, parents before children, in the order of names. What cannot be copied is reported as skipped. */
export async function entriesBelow(root: string, report: CopyReport): Promise<LocalEntry[]> {
  const found: LocalEntry[] = [];
  const visit = async (path: string, name: string, depth: number) => {
    if (depth > DEEPEST) {
      throw new SandboxInputError(`"${path}" is deeper than ${DEEPEST} directories`);
    }
    const { mode, mtime } = await lstat(path);
    found.push({ type: 'directory', name, path, mode: mode & 0o777, modified: mtime });
    let children: Buffer[];
    try {
      children = (await readdir(Buffer.from(path), { encoding: 'buffer' })).sort(Buffer.compare);
    } catch (error) {
      report.skip(path, (error as Error).message);
      return;
    }
    for (const bytes of children) {
      const child = bytes.toString('utf8');
      const below = join(path, child);
      if (!Buffer.from(child).equals(bytes)) {
        report.skip(below, 'its name is not UTF-8');
        continue;
      }
      const entry = await describe(below, name === '' ? child : `${name}/${child}`, report);
      if (entry === 'directory') {
        await visit(below, name === '' ? child : `${name}/${child}`, depth + 1);
      } else if (entry) {
        found.push(entry);
      }
    }
  };
  await visit(root, '', 0);
  return found;
}

/** The content of a file, as long as it was when it was found: what was added since is left out. Throws if it has become shorter. */
export async function* contentOf({ path, size }: { readonly path: string; readonly size: number }, report: CopyReport): AsyncGenerator<Buffer> {
  let handle: FileHandle | undefined;
  try {
    // Not a link that has taken its place since, and without waiting for a writer if it is a FIFO.
    handle = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
    let left = size;
    if (left > 0) {
      for await (const chunk of handle.createReadStream({ start: 0, end: size - 1, autoClose: false })) {
        left -= chunk.length;
        report.moved(chunk.length);
        yield chunk;
      }
    }
    if (left > 0) {
      throw new SandboxInputError(`"${path}" has become shorter while it was copied`, { remedy: 'copy it again when nothing writes to it' });
    }
  } finally {
    await handle?.close();
  }
}

async function describe(path: string, name: string, report: CopyReport): Promise<LocalEntry | 'directory' | undefined> {
  const stats = await lstat(path);
  const common = { name, path, mode: stats.mode & 0o777, modified: stats.mtime };
  if (stats.isDirectory()) {
    return 'directory';
  }
  if (stats.isSymbolicLink()) {
    return { ...common, type: 'link', target: await readlink(path) };
  }
  if (!stats.isFile()) {
    report.skip(path, `it is a ${stats.isFIFO() ? 'FIFO' : stats.isSocket() ? 'socket' : 'device'}`);
    return undefined;
  }
  try {
    await (await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0))).close();
  } catch (error) {
    report.skip(path, (error as Error).message);
    return undefined;
  }
  return { ...common, type: 'file', size: stats.size };
}
