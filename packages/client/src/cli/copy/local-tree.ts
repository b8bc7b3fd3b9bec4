import { randomBytes } from 'node:crypto';
import { constants, createWriteStream } from 'node:fs';
import { chmod, copyFile, lstat, mkdir, readlink, realpath, rename, rm, symlink, utimes } from 'node:fs/promises';
import { basename, dirname, join, posix } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { CopyReport } from './report.js';

/** What a file or directory gets. */
export interface Attributes {
  /** Only the nine permission bits are used. */
  readonly mode?: number;
  readonly modified?: Date;
}

/** Links that one path may lead over, as the kernel allows. */
const MOST_LINKS = 40;

/** An entry that must not, or cannot, be made here. */
export class EntryError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'EntryError';
  }
}

/**
 * Writes what a sandbox sends into one directory of this machine, and nowhere else: the sandbox is not trusted. A name never leads out of the
 * directory, nothing is written through a link, and links that lead out are not made. Files appear under their names when they are complete.
 */
export class LocalTree {
  /** Links to make at the end, when it is known where they lead: by path below the root, with their targets. */
  private readonly links = new Map<string, string>();
  private readonly directories: { readonly path: string; readonly attributes: Attributes }[] = [];

  private constructor(private readonly root: string, private readonly report: CopyReport) {}

  /** The directory is made if it does not exist. */
  public static async open(directory: string, report: CopyReport): Promise<LocalTree> {
    await mkdir(directory, { recursive: true });
    return new LocalTree(await realpath(directory), report);
  }

  public async directory(name: string, attributes: Attributes): Promise<void> {
    const parts = partsOf(name);
    await this.parent(parts);
    const path = join(this.root, ...parts);
    if (parts.length > 0) {
      await this.ensureDirectory(path);
      // A directory that may not be written gets its mode when everything is in it.
      this.directories.push({ path, attributes });
    }
  }

  public async file(name: string, content: Readable, attributes: Attributes): Promise<void> {
    const path = await this.place(name);
    await writeWhole(path, content, attributes, this.report);
  }

  /** A second name of a file that came before. */
  public async copy(name: string, original: string, attributes: Attributes): Promise<void> {
    const source = await this.place(original);
    const path = await this.place(name);
    if (!(await lstat(source).catch(() => undefined))?.isFile()) {
      throw new EntryError(`it is another name of "${original}", which is not a file here`);
    }
    const temporary = temporaryOf(path);
    await copyFile(source, temporary, constants.COPYFILE_EXCL);
    await apply(temporary, attributes);
    await rename(temporary, path);
  }

  public link(name: string, target: string): void {
    this.links.set(partsOf(name).join('/'), target);
  }

  /** Makes the links that stay inside, and gives directories their modes. */
  public async finish(): Promise<void> {
    for (const [name, target] of this.links) {
      try {
        if (!(await this.staysInside(name, target))) {
          throw new EntryError(`it is a link that leads out of the copied directory, to "${target}"`);
        }
        const path = await this.place(name);
        const temporary = temporaryOf(path);
        await symlink(target, temporary);
        await rename(temporary, path);
        this.report.done();
      } catch (error) {
        this.report.skip(name, reasonOf(error));
      }
    }
    for (const { path, attributes } of this.directories.reverse()) {
      await apply(path, attributes);
    }
  }

  /** Where a file or link goes; its directory exists then. Throws `EntryError`. */
  private async place(name: string): Promise<string> {
    const parts = partsOf(name);
    if (parts.length === 0) {
      throw new EntryError('it has no name');
    }
    await this.parent(parts);
    const path = join(this.root, ...parts);
    if ((await lstat(path).catch(() => undefined))?.isDirectory()) {
      throw new EntryError('there is a directory of that name here');
    }
    return path;
  }

  /** Makes the directories above an entry. None of them may be a link: it would lead somewhere else. */
  private async parent(parts: readonly string[]): Promise<void> {
    for (let depth = 1; depth < parts.length; depth++) {
      await this.ensureDirectory(join(this.root, ...parts.slice(0, depth)));
    }
  }

  private async ensureDirectory(path: string): Promise<void> {
    const found = await lstat(path).catch(() => undefined);
    if (found === undefined) {
      await mkdir(path);
    } else if (!found.isDirectory()) {
      throw new EntryError(`"${basename(path)}" is here, and is not a directory`);
    }
  }

  /** Whether a link leads to a place below the root: walked as the kernel does, over the links that exist and those that will. */
  private async staysInside(name: string, target: string): Promise<boolean> {
    let rest = [...posix.dirname(name).split('/'), ...target.split('/')];
    if (posix.isAbsolute(target)) {
      return false;
    }
    const here: string[] = [];
    for (let links = 0; rest.length > 0;) {
      const [part, ...others] = rest;
      rest = others;
      if (part === '' || part === '.') {
        continue;
      }
      if (part === '..') {
        if (here.pop() === undefined) {
          return false;
        }
        continue;
      }
      here.push(part);
      const next = this.links.get(here.join('/')) ?? await readlink(join(this.root, ...here)).catch(() => undefined);
      if (next !== undefined && here.join('/') !== name) {
        if (posix.isAbsolute(next) || ++links > MOST_LINKS) {
          return false;
        }
        here.pop();
        rest = [...next.split('/'), ...rest];
      }
    }
    return true;
  }
}

/** Writes a file under a temporary name beside its own, and renames it when it is complete. */
export async function writeWhole(path: string, content: Readable, attributes: Attributes, report: CopyReport): Promise<void> {
  const temporary = temporaryOf(path);
  try {
    await pipeline(content, async function* (chunks) {
      for await (const chunk of chunks) {
        report.moved(chunk.length);
        yield chunk;
      }
    }, createWriteStream(temporary, { flags: 'wx', mode: 0o600 }));
    await apply(temporary, { mode: 0o644, ...attributes });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Message for an entry that could not be made. Throws everything that is not about one entry. */
export function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (error instanceof EntryError || ['EACCES', 'EPERM', 'EISDIR', 'ENOTDIR', 'ENAMETOOLONG', 'EEXIST', 'EILSEQ', 'EINVAL', 'ELOOP'].includes(code)) {
    return (error as Error).message;
  }
  throw error;
}

/** Components of a name from the sandbox. Throws `EntryError` for one that would lead out. */
function partsOf(name: string): string[] {
  const parts = name.split('/').filter(part => part !== '' && part !== '.');
  if (name.startsWith('/') || parts.some(part => part === '..' || part.includes('\0') || (process.platform === 'win32' && /[\\:]/.test(part)))) {
    throw new EntryError('its name leads out of the copied directory');
  }
  return parts;
}

function temporaryOf(path: string): string {
  return join(dirname(path), `.agent-sandbox-${randomBytes(8).toString('hex')}`);
}

async function apply(path: string, { mode, modified }: Attributes): Promise<void> {
  if (mode !== undefined) {
    await chmod(path, mode & 0o777);
  }
  if (modified !== undefined && !Number.isNaN(modified.getTime())) {
    await utimes(path, modified, modified);
  }
}
