import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { SandboxInputError, SandboxPathNotFoundError } from '../../errors.js';
import type { FileEntry, Files } from '../../files.js';
import { type LocalEntry, contentOf } from './local-source.js';
import { type LocalTree, reasonOf } from './local-tree.js';
import type { CopyReport } from './report.js';

/** Directories below directories that are followed at most: the listings follow links, which can make circles. */
const DEEPEST = 64;

/** Copies file by file through the runtime, for sandboxes without programs for it. Modes and links are lost. */
export class FileCopy {
  constructor(private readonly files: Files, private readonly report: CopyReport, private readonly signal: AbortSignal) {}

  public async sendFile(content: Readable, to: string, name: string): Promise<void> {
    await this.files.write(await this.isInto(to) ? posix.join(this.below(to), name) : this.below(to), content, { signal: this.signal });
    this.report.done();
  }

  public async sendTree(entries: readonly LocalEntry[], to: string, name: string): Promise<void> {
    const root = await this.isInto(to) ? posix.join(this.below(to), name) : this.below(to);
    for (const entry of entries) {
      const path = posix.join(root, entry.name);
      if (entry.type === 'link') {
        this.report.skip(entry.path, 'it is a link, and the sandbox has no tar');
      } else if (entry.type === 'file') {
        this.report.begin(entry.name);
        await this.files.write(path, Readable.from(contentOf(entry, this.report)), { signal: this.signal });
        this.report.done();
      } else if (path !== '.') {
        await this.files.makeDirectory(path, { signal: this.signal });
      }
    }
  }

  public async receive(
    from: string, isRecursive: boolean, { file, directory }: { file(content: Readable): Promise<void>; directory(): Promise<LocalTree> },
  ): Promise<void> {
    const entries = await this.list(this.below(from));
    if (!entries) {
      return file(await this.files.readStream(this.below(from), { signal: this.signal }));
    }
    if (!isRecursive) {
      throw new SandboxInputError(`"${from}" in the sandbox is a directory`, { remedy: 'give --recursive' });
    }
    const tree = await directory();
    await this.descend(tree, this.below(from), '', entries, 0);
    await tree.finish();
  }

  public async stream(from: string, use: (content: Readable) => Promise<void>): Promise<void> {
    await use(await this.files.readStream(this.below(from), { signal: this.signal }));
  }

  private async descend(tree: LocalTree, from: string, name: string, entries: readonly FileEntry[], depth: number): Promise<void> {
    if (depth > DEEPEST) {
      throw new SandboxInputError(`"${from}" is deeper than ${DEEPEST} directories`, { remedy: 'see whether a symlink leads in a circle' });
    }
    for (const entry of entries) {
      const [source, target] = [`${from}/${entry.name}`, name === '' ? entry.name : `${name}/${entry.name}`];
      try {
        if (entry.name === '' || /^\.\.?$|[/\0]/.test(entry.name)) {
          this.report.skip(target, 'its name leads out of the copied directory');
        } else if (entry.type === 'directory') {
          await tree.directory(target, {});
          await this.descend(tree, source, target, await this.list(source) ?? [], depth + 1);
        } else {
          this.report.begin(target);
          await tree.file(target, await this.files.readStream(source, { signal: this.signal }), {});
          this.report.done();
        }
      } catch (error) {
        this.report.skip(target, reasonOf(error));
      }
    }
  }

  /** The entries of a directory; undefined for something else. */
  private async list(path: string): Promise<FileEntry[] | undefined> {
    try {
      return await this.files.list(path, { signal: this.signal });
    } catch (error) {
      if (error instanceof SandboxPathNotFoundError) {
        return undefined;
      }
      throw error;
    }
  }

  private async isInto(path: string): Promise<boolean> {
    return path === '' || path.endsWith('/') || await this.list(this.below(path)) !== undefined;
  }

  private below(path: string): string {
    if (path.startsWith('/')) {
      throw new SandboxInputError(`"${path}" is an absolute path, which only programs can reach, and the sandbox has no sh and tar`, {
        remedy: 'give a path below the directory of the sandbox',
      });
    }
    return path;
  }
}
