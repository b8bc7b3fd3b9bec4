import { constants, type Stats } from 'node:fs';
import { chmod, copyFile, mkdir, open, readlink, rename, rm, symlink } from 'node:fs/promises';
import { ArgumentError, errnoOf, systemError } from '../errors.js';
import { entriesOf, MAX_DEPTH } from './entries.js';
import { temporaryName } from './temporary.js';
import type { Location, Tree } from './tree.js';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

export interface MoveOptions {
  /** Replace an existing entry at the destination instead of failing with EEXIST. */
  readonly overwrite: boolean;
}

/**
 * Renames a file, a link or a directory; parents of the destination are made. Across volumes it is copied and removed. Throws
 * `ArgumentError`, ENOENT when there is nothing to move, EEXIST, and the system's errors.
 */
export async function move(tree: Tree, source: string, destination: string, options: MoveOptions): Promise<void> {
  await between(tree, source, destination, options, async (from, to) => {
    const [old, target] = [`${from.directory}/${from.name}`, `${to.directory}/${to.name}`];
    try {
      await replace(to, () => rename(old, target));
    } catch (error) {
      if (errnoOf(error) !== 'EXDEV') {
        throw error;
      }
      await copyTo(from, to);
      await rm(old, { recursive: true });
    }
  });
}

/**
 * Copies a file, a link or a directory with what is in it; modes are kept, links stay links. The copy takes its name when it is complete.
 * Throws what `move` throws, and `ArgumentError` for what cannot be copied: devices, pipes and sockets.
 */
export async function copy(tree: Tree, source: string, destination: string, options: MoveOptions): Promise<void> {
  await between(tree, source, destination, options, copyTo);
}

async function between(
  tree: Tree, source: string, destination: string, { overwrite }: MoveOptions, use: (from: Location, to: Location) => Promise<void>,
): Promise<void> {
  await tree.at(source, async from => {
    if (from.found === undefined) {
      throw systemError('ENOENT', `there is nothing at '${source}'`);
    }
    await tree.at(destination, async to => {
      if (from.name === '' || to.name === '') {
        throw new ArgumentError('the base directory itself can be neither source nor destination');
      }
      const [inner, outer] = [to.components, from.components];
      if (outer.every((each, index) => inner[index] === each)) {
        throw new ArgumentError(inner.length === outer.length ? 'source and destination are the same' : 'the destination is inside the source');
      }
      if (to.found !== undefined && !overwrite) {
        throw systemError('EEXIST', `there is something at '${destination}': pass overwrite=true to replace it`);
      }
      if (to.found !== undefined && inner.every((each, index) => outer[index] === each)) {
        throw new ArgumentError('the source is inside the destination');
      }
      await use(from, to);
    }, { makeParents: true, stripBase: true, keepLink: true });
  }, { stripBase: true, keepLink: true });
}

async function copyTo(from: Location, to: Location): Promise<void> {
  const temporary = `${to.directory}/${temporaryName()}`;
  try {
    await copyEntry(Buffer.from(`${from.directory}/${from.name}`), from.found!.stats, Buffer.from(temporary), from.components.join('/'), 0);
    await replace(to, () => rename(temporary, `${to.directory}/${to.name}`));
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
}

/** Replaces an existing entry: a directory is set aside first, since a rename replaces empty ones only. */
async function replace(to: Location, put: () => Promise<void>): Promise<void> {
  if (to.found === undefined) {
    return put();
  }
  const [target, aside] = [`${to.directory}/${to.name}`, `${to.directory}/${temporaryName()}`];
  try {
    return await put();
  } catch (error) {
    if (!['EISDIR', 'ENOTDIR', 'ENOTEMPTY', 'EEXIST'].includes(errnoOf(error) ?? '')) {
      throw error;
    }
  }
  await rename(target, aside);
  try {
    await put();
  } catch (error) {
    await rename(aside, target);
    throw error;
  }
  await rm(aside, { recursive: true, force: true });
}

async function copyEntry(source: Buffer, stats: Stats, target: Buffer, label: string, depth: number): Promise<void> {
  if (stats.isSymbolicLink()) {
    return symlink(await readlink(source, { encoding: 'buffer' }), target);
  }
  if (stats.isDirectory()) {
    return copyDirectory(source, stats, target, label, depth);
  }
  if (!stats.isFile()) {
    throw new ArgumentError(`'${label}' is neither a file, a directory nor a link and cannot be copied`);
  }
  // Opened without following: what became a link meanwhile is not copied.
  const handle = await open(source, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    await copyFile(`/proc/self/fd/${handle.fd}`, target, constants.COPYFILE_EXCL);
    await chmod(target, stats.mode & 0o777);
  } finally {
    await handle.close();
  }
}

async function copyDirectory(source: Buffer, stats: Stats, target: Buffer, label: string, depth: number): Promise<void> {
  if (depth >= MAX_DEPTH) {
    throw systemError('ENAMETOOLONG', `more than ${MAX_DEPTH} directories deep`);
  }
  const from = await open(source, DIRECTORY);
  try {
    await mkdir(target, 0o700);
    const to = await open(target, DIRECTORY);
    try {
      const [sources, targets] = [`/proc/self/fd/${from.fd}`, Buffer.from(`/proc/self/fd/${to.fd}/`)];
      for (const entry of await entriesOf(sources)) {
        await copyEntry(Buffer.concat([Buffer.from(`${sources}/`), entry.name]), entry.stats, Buffer.concat([targets, entry.name]), `${label}/${entry.name}`, depth + 1);
      }
      await to.chmod(stats.mode & 0o777);
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}
