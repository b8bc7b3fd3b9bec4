import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { SandboxClient } from '../client.js';
import { SandboxInputError, SandboxPathNotFoundError } from '../errors.js';
import { Files } from '../files.js';
import { Streams } from './output.js';

/** One side of a copy. */
interface Place {
  /** Claim; undefined for this machine. */
  readonly claim?: string;
  readonly path: string;
}

/** Directories below directories that are followed at most: symlinks can make circles. */
const DEEPEST = 64;

/**
 * Copies between this machine and a sandbox; one side is `claim:path`. `-` is stdin or stdout. Directories only with `recursive`.
 * Returns the number of files.
 */
export async function copyFiles(
  client: SandboxClient, from: string, to: string, { recursive = false }: { readonly recursive?: boolean }, streams: Streams, signal: AbortSignal,
): Promise<number> {
  const [source, target] = [placeOf(from), placeOf(to)];
  if ((source.claim === undefined) === (target.claim === undefined)) {
    throw new SandboxInputError('one side of a copy is in a sandbox', { remedy: 'write it as claim:path' });
  }
  const { files } = await client.get((source.claim ?? target.claim)!, { signal });
  const copy = new Copy(files, recursive, streams, signal);
  return source.claim === undefined ? copy.upload(source.path, target.path) : copy.download(source.path, target.path);
}

/** `claim:path`, or a path of this machine: with a slash or dot before the first colon, or without one. */
export function placeOf(text: string): Place {
  const colon = text.indexOf(':');
  return colon > 0 && !/^[./]|\//.test(text.slice(0, colon)) ? { claim: text.slice(0, colon), path: text.slice(colon + 1) } : { path: text };
}

class Copy {
  constructor(
    private readonly files: Files, private readonly recursive: boolean, private readonly streams: Streams, private readonly signal: AbortSignal,
  ) {}

  public async upload(from: string, to: string, depth = 0): Promise<number> {
    const { signal } = this;
    if (from === '-') {
      await this.files.write(to, this.streams.stdin, { signal });
      return 1;
    }
    if (!(await stat(from)).isDirectory()) {
      const target = to === '' || to.endsWith('/') ? `${to}${basename(from)}` : to;
      await this.files.write(target, createReadStream(from), { signal });
      return 1;
    }
    this.checkDirectory(from, depth);
    if (to.replace(/[./]+$/, '') !== '') {
      await this.files.makeDirectory(to, { signal });
    }
    let count = 0;
    for (const name of await readdir(from)) {
      count += await this.upload(join(from, name), `${to}${to === '' || to.endsWith('/') ? '' : '/'}${name}`, depth + 1);
    }
    return count;
  }

  public async download(from: string, to: string): Promise<number> {
    if (to === '-') {
      for await (const chunk of await this.files.readStream(from, { signal: this.signal })) {
        this.streams.stdout.write(chunk);
      }
      return 1;
    }
    if (await this.isDirectory(from)) {
      return this.downloadDirectory(from, to, 0);
    }
    const isInto = to.endsWith('/') || await stat(to).then(found => found.isDirectory(), () => false);
    return this.downloadFile(from, isInto ? join(to, basename(from)) : to);
  }

  private async downloadFile(from: string, to: string): Promise<number> {
    await pipeline(await this.files.readStream(from, { signal: this.signal }), createWriteStream(to));
    return 1;
  }

  private async downloadDirectory(from: string, to: string, depth: number): Promise<number> {
    this.checkDirectory(from, depth);
    await mkdir(to, { recursive: true });
    let count = 0;
    for (const { name, type } of await this.files.list(from, { signal: this.signal })) {
      // The sandbox is not trusted: a name must not lead out of the directory here.
      if (name === '' || name === '.' || name === '..' || /[/\\\0]/.test(name)) {
        throw new SandboxInputError(`the sandbox has an entry ${JSON.stringify(name)}, which is not a name`);
      }
      const [below, target] = [`${from}/${name}`, join(to, name)];
      count += type === 'directory' ? await this.downloadDirectory(below, target, depth + 1) : await this.downloadFile(below, target);
    }
    return count;
  }

  private async isDirectory(path: string): Promise<boolean> {
    try {
      await this.files.list(path, { signal: this.signal });
      return true;
    } catch (error) {
      if (error instanceof SandboxPathNotFoundError) {
        return false;
      }
      throw error;
    }
  }

  private checkDirectory(path: string, depth: number): void {
    if (!this.recursive) {
      throw new SandboxInputError(`"${path}" is a directory`, { remedy: 'give --recursive' });
    }
    if (depth > DEEPEST) {
      throw new SandboxInputError(`"${path}" is deeper than ${DEEPEST} directories`, { remedy: 'see whether a symlink leads in a circle' });
    }
  }
}
