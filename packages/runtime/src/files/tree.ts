import { constants, type Stats } from 'node:fs';
import { mkdir, open, readlink, realpath, stat, type FileHandle } from 'node:fs/promises';
import { isAbsolute, resolve } from 'node:path';
import { errnoOf, messageOf, PathEscapesError, systemError, UnsupportedPlatformError } from '../errors.js';

/** Linux's O_PATH, which Node has no name for: a handle on the object itself, without reading it. */
const O_PATH = 0o10000000;
const INSPECT = O_PATH | constants.O_NOFOLLOW;
/** As many links as the kernel follows in one path. */
const MAX_LINKS = 40;
/** Directories that one path may hold open. */
const MAX_DEPTH = 128;

/** A resolved path: a name in a directory, and the status of its entry. Valid until the callback that receives it has ended. */
export interface Location {
  /** The directory, as a path that cannot be redirected: `/proc/self/fd/<n>`. */
  readonly directory: string;
  /** Name in the directory; empty for the base directory itself. */
  readonly name: string;
  /** Status of the entry, undefined if there is none. */
  readonly found?: Found;
  /** Components below the base directory, after links were followed. */
  readonly components: readonly string[];
}

export interface Found {
  readonly stats: Stats;
  /** The object itself as a path: opening it opens this very object, whatever its name leads to by then. */
  readonly self: string;
}

export interface LocateOptions {
  /** Make the directories that lead to the last component. */
  readonly makeParents?: boolean;
  /** `/base/x` means `x` in the base directory instead of `base/x` below it (sandboxd). */
  readonly stripBase?: boolean;
  /** A link in the last place is what is found, instead of what it leads to. */
  readonly keepLink?: boolean;
}

/**
 * The files below one directory.
 *
 * Every path is walked one component at a time. Each step opens a name relative to the directory handle of the step before,
 * without following links; a link's target is walked the same way. So a name that is replaced during the walk leads
 * to an error or to something else below the base directory, never out of it: there is nothing to check between finding
 * an object and using it. Node has no `openat`; `/proc/self/fd/<n>/<name>` does the same on Linux. Where there is no
 * /proc, `open` refuses, because checking paths as strings can be tricked.
 */
export class Tree {
  private constructor(
    /** The base directory without symlinks. */
    public readonly base: string,
    private readonly aliases: readonly string[],
    private readonly root: FileHandle,
  ) {}

  /** Opens a base directory, which is made if it is missing. Throws `UnsupportedPlatformError`, and if it is no directory. */
  public static async open(directory: string): Promise<Tree> {
    const given = resolve(directory);
    await mkdir(given, { recursive: true, mode: 0o755 });
    const base = await realpath(given);
    const root = await open(base, O_PATH | constants.O_DIRECTORY);
    try {
      const [direct, throughHandle] = await Promise.all([stat(base), stat(`/proc/self/fd/${root.fd}/.`)]);
      if (direct.ino !== throughHandle.ino || direct.dev !== throughHandle.dev) {
        throw new Error('/proc/self/fd does not lead to open directories');
      }
    } catch (error) {
      await root.close();
      throw new UnsupportedPlatformError(messageOf(error));
    }
    return new Tree(base, [...new Set([base, given])], root);
  }

  public async close(): Promise<void> {
    await this.root.close();
  }

  /**
   * Walks to a path and hands the location to `use`; handles are closed afterwards.
   *
   * Throws `PathEscapesError`, and the system's errors: ENOENT and ENOTDIR when a directory on the way is missing, ELOOP for too
   * many links, ENAMETOOLONG for too many components.
   */
  public async at<T>(path: string, use: (location: Location) => Promise<T>, options: LocateOptions = {}): Promise<T> {
    const walk = new Walk(this.root, this.aliases, path);
    try {
      return await use(await walk.run(options));
    } finally {
      await walk.close();
    }
  }
}

class Walk {
  private readonly directories: FileHandle[] = [];
  private readonly names: string[] = [];
  private last?: FileHandle;
  /** Components to go, the next one last. */
  private pending: string[] = [];

  constructor(private readonly root: FileHandle, private readonly aliases: readonly string[], private readonly path: string) {}

  public async run(options: LocateOptions): Promise<Location> {
    if (this.path.includes('\0')) {
      throw new PathEscapesError(this.path.replaceAll('\0', '\\0'));
    }
    this.push((options.stripBase && this.belowBase(this.path)) || this.path);
    let links = 0;
    for (;;) {
      const name = this.next();
      if (name === undefined) {
        return this.here();
      }
      if (name === '..') {
        this.up();
        continue;
      }
      const handle = await this.inspect(name, options.makeParents === true);
      if (handle === undefined) {
        return { directory: this.directory, name, components: [...this.names, name] };
      }
      const stats = await handle.stat();
      if (stats.isDirectory()) {
        this.down(name, handle);
      } else if (stats.isSymbolicLink() && !(options.keepLink && !this.more)) {
        await handle.close();
        if (++links > MAX_LINKS) {
          throw systemError('ELOOP', 'too many symbolic links');
        }
        this.follow(await readlink(`${this.directory}/${name}`));
      } else {
        this.last = handle;
        if (this.more) {
          this.refuseEscape(name);
          throw systemError('ENOTDIR', 'not a directory');
        }
        return { directory: this.directory, name, found: { stats, self: `/proc/self/fd/${handle.fd}` }, components: [...this.names, name] };
      }
    }
  }

  public async close(): Promise<void> {
    await Promise.all([...this.directories, ...(this.last ? [this.last] : [])].map(handle => handle.close()));
  }

  private get directory(): string {
    return `/proc/self/fd/${(this.directories.at(-1) ?? this.root).fd}`;
  }

  /** Whether there are components to go. */
  private get more(): boolean {
    return this.pending.some(each => each !== '' && each !== '.');
  }

  private push(path: string): void {
    this.pending.push(...path.split('/').reverse());
  }

  private next(): string | undefined {
    for (;;) {
      const name = this.pending.pop();
      if (name !== '' && name !== '.') {
        return name;
      }
    }
  }

  private up(): void {
    const left = this.directories.pop();
    if (left === undefined) {
      throw new PathEscapesError(this.path);
    }
    this.names.pop();
    void left.close();
  }

  private down(name: string, handle: FileHandle): void {
    this.directories.push(handle);
    this.names.push(name);
    if (this.directories.length > MAX_DEPTH) {
      throw systemError('ENAMETOOLONG', `more than ${MAX_DEPTH} directories deep`);
    }
  }

  private follow(target: string): void {
    if (!isAbsolute(target)) {
      this.push(target);
      return;
    }
    const inside = this.belowBase(target);
    if (inside === undefined) {
      throw new PathEscapesError(this.path);
    }
    while (this.directories.length > 0) {
      this.up();
    }
    this.push(inside);
  }

  /** The part below the base directory of an absolute path, or undefined. */
  private belowBase(path: string): string | undefined {
    const alias = this.aliases.find(each => path === each || path.startsWith(each === '/' ? each : `${each}/`));
    return alias === undefined ? undefined : path.slice(alias.length);
  }

  /** Opens what a name stands for, or undefined if it is the last one and missing. */
  private async inspect(name: string, makeParents: boolean): Promise<FileHandle | undefined> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await open(`${this.directory}/${name}`, INSPECT);
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT' || attempt > 0) {
          throw error;
        }
        this.refuseEscape(name);
        if (!this.more) {
          return undefined;
        }
        if (!makeParents) {
          throw error;
        }
        await mkdir(`${this.directory}/${name}`, 0o755).catch(ignoreExisting);
      }
    }
  }

  /** A path that would leave the base directory is refused, even if what it goes through does not exist. */
  private refuseEscape(name: string): void {
    let depth = this.names.length + (name === '' ? 0 : 1);
    for (const each of [...this.pending].reverse()) {
      depth += each === '..' ? -1 : each === '' || each === '.' ? 0 : 1;
      if (depth < 0) {
        throw new PathEscapesError(this.path);
      }
    }
  }

  private async here(): Promise<Location> {
    const handle = this.directories.at(-1) ?? this.root;
    const stats = await handle.stat();
    const self = `/proc/self/fd/${handle.fd}`;
    if (this.directories.length === 0) {
      return { directory: self, name: '', found: { stats, self }, components: [] };
    }
    const parent = this.directories.at(-2) ?? this.root;
    return { directory: `/proc/self/fd/${parent.fd}`, name: this.names.at(-1)!, found: { stats, self }, components: [...this.names] };
  }
}

function ignoreExisting(error: unknown): void {
  if (errnoOf(error) !== 'EEXIST') {
    throw error;
  }
}
