import { constants, type Stats } from 'node:fs';
import { link, open, readlink, symlink, unlink } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { Writable } from 'node:stream';
import { createGunzip, createGzip } from 'node:zlib';
import { extract, pack, type Header as FullHeader, type Pack } from 'tar-stream';
import { ArgumentError, errnoOf, systemError } from '../errors.js';
import { makeDirectory } from './directory.js';
import { entriesOf, MAX_DEPTH } from './entries.js';
import type { Location, Tree } from './tree.js';
import { writeFile } from './write.js';

export type ArchiveFormat = 'tar' | 'tar.gz';

export const ARCHIVE_TYPES: { readonly [F in ArchiveFormat]: string } = { 'tar': 'application/x-tar', 'tar.gz': 'application/gzip' };

type Header = Partial<FullHeader> & Pick<FullHeader, 'name'>;

/** Entries of an archive that is unpacked. */
const MAX_ARCHIVE_ENTRIES = 1_000_000;

/**
 * Writes what is in a directory as a tar archive to a stream, which it ends: directories, files and links with mode and time, sorted by
 * name. Links are not followed; devices, pipes and sockets are left out. A file that changes its size meanwhile fails the archive.
 */
export async function packDirectory(location: Location, format: ArchiveFormat, sink: Writable): Promise<void> {
  const tar = pack();
  // What the archive is read with fails when the packing does, and the other way round.
  const packing = packTree(tar, `${location.found!.self}`, '', 0).then(() => tar.finalize(), (error: Error) => tar.destroy(error));
  await (format === 'tar' ? pipeline(tar, sink) : pipeline(tar, createGzip(), sink));
  await packing;
}

async function packTree(tar: Pack, directory: string, prefix: string, depth: number): Promise<void> {
  if (depth > MAX_DEPTH) {
    throw systemError('ENAMETOOLONG', `more than ${MAX_DEPTH} directories deep`);
  }
  for (const { name: bytes, stats } of await entriesOf(directory)) {
    const path = Buffer.concat([Buffer.from(`${directory}/`), bytes]);
    const name = `${prefix}${bytes.toString('utf8')}`;
    const header = { name, mode: stats.mode & 0o777, mtime: stats.mtime };
    if (stats.isDirectory()) {
      await entry(tar, { ...header, name: `${name}/`, type: 'directory' });
      await withDirectory(path, self => packTree(tar, self, `${name}/`, depth + 1));
    } else if (stats.isSymbolicLink()) {
      await entry(tar, { ...header, type: 'symlink', linkname: await readlink(path) });
    } else if (stats.isFile()) {
      await packFile(tar, path, header);
    }
  }
}

async function packFile(tar: Pack, path: Buffer, header: Header): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { size } = await handle.stat();
    if (size === 0) {
      return await entry(tar, { ...header, size });
    }
    await new Promise<void>((resolve, reject) => {
      const sink = tar.entry({ ...header, size }, error => (error ? reject(error) : resolve()));
      tar.once('close', () => reject(new Error('the archive was not read to its end')));
      handle.createReadStream({ autoClose: false, end: size - 1 }).on('error', reject).pipe(sink);
    });
  } finally {
    await handle.close();
  }
}

function entry(tar: Pack, header: Header): Promise<void> {
  return new Promise((resolve, reject) => tar.entry({ ...header, size: 0 }, Buffer.alloc(0), error => (error ? reject(error) : resolve())));
}

async function withDirectory(path: Buffer, use: (self: string) => Promise<void>): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    await use(`/proc/self/fd/${handle.fd}`);
  } finally {
    await handle.close();
  }
}

export interface Unpacked {
  /** Files, directories and links that were made. */
  readonly entries: number;
  /** Names of entries that are none of these and were left out. */
  readonly skipped: readonly string[];
}

export interface UnpackOptions {
  /** Bytes of one file, and of nothing else; 0: no limit. */
  readonly maxFileBytes: number;
}

/**
 * Unpacks an archive below a directory. Existing files are replaced, directories are kept. Each name is walked like any path: one that
 * leaves the base directory, also through a link that the archive itself has made, throws `PathEscapesError`, and the archive ends
 * there. Links are made as they are written, but hard links only to what is inside. Owners and set-uid bits are not taken over. Throws
 * `ArgumentError` for a body that is not an archive.
 */
export async function unpackArchive(
  tree: Tree, directory: readonly string[], format: ArchiveFormat, source: AsyncIterable<Buffer>, { maxFileBytes }: UnpackOptions,
): Promise<Unpacked> {
  const skipped: string[] = [];
  let entries = 0;
  const tar = extract();
  const feeding = (format === 'tar' ? pipeline(source, tar) : pipeline(source, createGunzip(), tar)).then(() => undefined, (error: unknown) => error as Error);
  const path = (name: string) => [...directory, ...name.split('/')].join('/');
  try {
    for await (const file of tar) {
      const { header } = file;
      if (++entries > MAX_ARCHIVE_ENTRIES) {
        throw new ArgumentError(`the archive has more than ${MAX_ARCHIVE_ENTRIES} entries`);
      }
      if (maxFileBytes > 0 && (header.size ?? 0) > maxFileBytes) {
        throw new ArgumentError(`'${header.name}' is larger than ${maxFileBytes} bytes (--max-upload-bytes)`);
      }
      if (!await unpackEntry(tree, header, file, path)) {
        skipped.push(header.name);
      }
      file.resume();
    }
  } catch (error) {
    const broken = await Promise.race([feeding, new Promise<undefined>(resolve => setImmediate(() => resolve(undefined)))]);
    throw errnoOf(broken ?? error)?.startsWith('Z_') || /tar header|Unexpected end|checksum/i.test(String(broken ?? error)) ? new ArgumentError(`the body is not a ${format} archive: ${String((broken ?? error as Error).message)}`) : error;
  }
  const failure = await feeding;
  if (failure !== undefined) {
    throw failure;
  }
  return { entries: entries - skipped.length, skipped };
}

async function unpackEntry(tree: Tree, header: Header, content: AsyncIterable<unknown>, path: (name: string) => string): Promise<boolean> {
  const mode = (header.mode ?? 0o644) & 0o777;
  const options = { makeParents: true, keepLink: header.type === 'symlink' || header.type === 'link' };
  return tree.at(path(header.name), async at => {
    switch (header.type) {
      case 'directory':
        await makeDirectory(at, mode | 0o700);
        return true;
      case 'symlink':
        await replaceable(at);
        await symlink(header.linkname ?? '', `${at.directory}/${at.name}`);
        return true;
      case 'link':
        await tree.at(path(header.linkname ?? ''), async target => {
          if (target.found === undefined) {
            throw new ArgumentError(`'${header.name}' is a hard link to '${header.linkname}', which is missing`);
          }
          await replaceable(at);
          await link(`${target.directory}/${target.name}`, `${at.directory}/${at.name}`);
        }, { keepLink: true });
        return true;
      case 'file':
      case 'contiguous-file':
        await writeFile(at, content as AsyncIterable<Buffer>, { mode });
        return true;
      default:
        return false;
    }
  }, options);
}

/** Makes room for a link: a file or a link is removed, a directory is in the way. */
async function replaceable(at: Location): Promise<void> {
  const stats: Stats | undefined = at.found?.stats;
  if (stats?.isDirectory()) {
    throw systemError('EEXIST', `there is a directory at '${at.components.join('/')}'`);
  }
  if (stats !== undefined) {
    await unlink(`${at.directory}/${at.name}`);
  }
}
