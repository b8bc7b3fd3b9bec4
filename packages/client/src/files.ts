import type { Readable } from 'node:stream';
import { SandboxClosedError, SandboxInputError, SandboxProtocolError } from './errors.js';
import { multipart } from './multipart.js';
import { Lines } from './output-window.js';
import { encodePath, normalizePath } from './path.js';
import type { Call, CallOptions, Transport } from './transport.js';

/** An entry of a directory. */
export interface FileEntry {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly type: 'file' | 'directory';
  /** Last change, in seconds since 1970. */
  readonly modTime: number;
  /** The same as a date. */
  readonly modified: Date;
}

/** A change in a directory. */
export type FileEvent =
  | { readonly type: 'changed'; readonly entry: FileEntry }
  | { readonly type: 'removed'; readonly name: string };

export interface ReadOptions extends CallOptions {
  /** @default 268435456, which is 256 MiB */
  readonly maxBytes?: number;
}

export interface WriteOptions extends CallOptions {
  /** Permissions, 0 to 0o777. Not for runtimes without `/v1/files`. @default - those that the runtime gives, usually 0o644 */
  readonly mode?: number;
}

const LARGEST_LISTING = 8 * 1024 * 1024;
const LARGEST_FILE = 256 * 1024 * 1024;

/**
 * Files of one sandbox. Paths are relative to its directory; a leading slash changes nothing. Paths that lead out are refused here
 * (`SandboxInputError`) and, where a symlink does, by the runtime (`SandboxPathError`).
 */
export class Files {
  constructor(private readonly transport: Transport) {}

  /** The bytes of a file. Throws `SandboxPathNotFoundError`, and `SandboxResponseTooLargeError` above `maxBytes`. */
  public read(path: string, options: ReadOptions = {}): Promise<Buffer> {
    return this.transport.buffer(this.download(path, options), options.maxBytes ?? LARGEST_FILE);
  }

  /** A file as a stream, of any size. Destroy it, or abort the signal, to stop early. */
  public readStream(path: string, options: CallOptions = {}): Promise<Readable> {
    return this.transport.stream(this.download(path, options));
  }

  /**
   * Writes a file; directories on the way are made, what was there is replaced. A stream is sent as it comes and only once; other
   * content is sent again only if `maxAttempts` says so.
   */
  public async write(path: string, content: string | Uint8Array | Readable, { mode, ...options }: WriteOptions = {}): Promise<void> {
    const normal = normalizePath(path);
    if (mode !== undefined && !(Number.isInteger(mode) && mode >= 0 && mode <= 0o777)) {
      throw new SandboxInputError(`mode is ${mode}`, { remedy: 'give the permissions as a number from 0 to 0o777' });
    }
    const { contentType, body } = multipart(normal, content);
    await this.transport.buffer({
      ...options,
      operation: `write ${JSON.stringify(normal)}`,
      ...(mode === undefined
        ? { method: 'POST', path: 'upload' }
        : { method: 'PUT', path: `v1/files/${encodePath(normal)}?mode=${mode.toString(8).padStart(4, '0')}` }),
      headers: { 'content-type': contentType },
      body,
      reads: false,
    }, LARGEST_LISTING);
  }

  /** The entries of a directory, in no certain order. @param path @default - the directory of the sandbox */
  public async list(path: string = '', options: CallOptions = {}): Promise<FileEntry[]> {
    const normal = normalizePath(path, { root: true });
    const call = this.get(`list ${JSON.stringify(normal)}`, `list/${encodePath(normal)}`, options);
    const answer = await this.transport.json(call, LARGEST_LISTING);
    if (answer !== null && !Array.isArray(answer)) {
      throw this.malformed(call);
    }
    return (answer ?? []).map((entry: any) => entryOf(entry, entry?.mod_time)).filter((entry: FileEntry | undefined) => {
      if (entry === undefined) {
        throw this.malformed(call);
      }
      // A kind of entry that only newer runtimes know must not hide the others.
      return entry.type === 'file' || entry.type === 'directory';
    });
  }

  /** Whether something of that name exists. */
  public async exists(path: string, options: CallOptions = {}): Promise<boolean> {
    const normal = normalizePath(path, { root: true });
    const call = this.get(`exists ${JSON.stringify(normal)}`, `exists/${encodePath(normal)}`, options);
    const answer = await this.transport.json(call, LARGEST_LISTING);
    if (typeof answer !== 'object' || answer === null) {
      throw this.malformed(call);
    }
    return answer.exists === true;
  }

  /** Deletes a file, or a directory: an empty one, or with `recursive` any. Throws `SandboxPathNotFoundError`. */
  public async delete(path: string, { recursive = false, ...options }: CallOptions & { readonly recursive?: boolean } = {}): Promise<void> {
    const normal = normalizePath(path);
    await this.transport.buffer({
      ...options,
      operation: `delete ${JSON.stringify(normal)}`,
      method: 'DELETE',
      path: `v1/files/${encodePath(normal)}${recursive ? '?recursive=true' : ''}`,
      reads: false,
    }, LARGEST_LISTING);
  }

  /** Makes a directory and those on the way to it; no effect if it exists. */
  public async makeDirectory(path: string, options: CallOptions = {}): Promise<void> {
    const normal = normalizePath(path);
    await this.transport.buffer({
      ...options, operation: `make directory ${JSON.stringify(normal)}`, method: 'PUT', path: `v1/files/${encodePath(normal)}?type=directory`, reads: false,
    }, LARGEST_LISTING);
  }

  /**
   * Tells of changes in a directory (not of those below it) from when it has connected until the directory is removed or the loop is
   * left; `return()` ends it at once. Throws `SandboxRequestError` when the connection is lost: list the directory and watch again.
   */
  public watch(path: string = '', options: Pick<CallOptions, 'signal' | 'timeoutMs'> = {}): AsyncGenerator<FileEvent, void> {
    const normal = normalizePath(path, { root: true });
    const call = this.get(`watch ${JSON.stringify(normal)}`, `v1/files/${encodePath(normal)}?watch=true`, options);
    const left = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, left.signal]) : left.signal;
    const events = this.events({ ...call, isEndless: true, signal }, left.signal);
    // A generator that waits for the next event cannot return before it comes: the connection has to end first.
    return Object.assign(Object.create(events), {
      next: () => events.next(),
      return: () => {
        left.abort(new SandboxClosedError(`${call.operation} was left`));
        return events.return();
      },
      throw: (error: unknown) => {
        left.abort(error);
        return events.throw(error);
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    });
  }

  private async *events(call: Call, left: AbortSignal): AsyncGenerator<FileEvent, void> {
    try {
      const lines = new Lines(LARGEST_LISTING);
      for await (const piece of await this.transport.stream(call) as AsyncIterable<Buffer>) {
        for (const line of lines.add(piece)) {
          const event = line.trim() === '' ? undefined : this.eventOf(call, line);
          if (event) {
            yield event;
          }
        }
      }
    } catch (error) {
      if (left.aborted) {
        return;
      }
      call.signal?.throwIfAborted();
      throw error instanceof RangeError ? this.malformed(call) : this.transport.failureOf(call.operation, error as Error);
    }
  }

  private eventOf(call: Call, line: string): FileEvent | undefined {
    try {
      const { event, entry, name } = JSON.parse(line);
      if (event === 'changed') {
        const changed = entryOf(entry, Date.parse(entry?.modified_at) / 1000);
        return changed && { type: 'changed', entry: changed };
      }
      return event === 'removed' ? { type: 'removed', name } : undefined;
    } catch {
      throw this.malformed(call);
    }
  }

  private download(path: string, options: CallOptions): Call {
    const normal = normalizePath(path);
    return this.get(`read ${JSON.stringify(normal)}`, `download/${encodePath(normal)}`, options);
  }

  private get(operation: string, path: string, { timeoutMs, signal, maxAttempts }: CallOptions): Call {
    return { operation, method: 'GET', path, reads: true, timeoutMs, signal, maxAttempts };
  }

  private malformed({ operation }: Call): SandboxProtocolError {
    const { claim } = this.transport.target;
    return new SandboxProtocolError(`${operation} in ${claim}: the answer is not what the protocol says`, {
      claim, remedy: 'see whether the port is that of a runtime',
    });
  }
}

function entryOf(entry: any, modTime: unknown): FileEntry | undefined {
  if (typeof entry?.name !== 'string' || typeof entry.type !== 'string') {
    return undefined;
  }
  const seconds = typeof modTime === 'number' && Number.isFinite(modTime) ? modTime : 0;
  return { name: entry.name, size: Number(entry.size) || 0, type: entry.type, modTime: seconds, modified: new Date(seconds * 1000) };
}
