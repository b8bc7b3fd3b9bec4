import { readFileSync, watch, type FSWatcher } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Logger } from 'agent-sandbox-kube';

/** Milliseconds without a further change after which files are read: a Secret is swapped in several steps. */
const QUIET_MS = 250;

/** What the kubelet swaps when a mounted Secret changes. */
const SWAPPED = '..data';

export interface WatchedFilesOptions<T> {
  readonly files: readonly string[];
  /** Parses the contents. Throws if they are invalid. */
  readonly read: (contents: readonly string[]) => T;
  readonly logger: Logger;
  /** Called with each new value. @default - no callback */
  readonly onChange?: (value: T) => void;
  /** Called after each change of the file, with whether it could be applied. @default - no callback */
  readonly onReload?: (success: boolean) => void;
}

/** A value parsed from files, which are read again when they change. An invalid change is logged, and the last valid value stays. */
export class WatchedFiles<T> {
  private current: T;
  private readonly watchers: FSWatcher[];
  private timer?: NodeJS.Timeout;

  /** Throws if the files cannot be read or are invalid. */
  constructor(private readonly options: WatchedFilesOptions<T>) {
    // Watched first: a change between the two would be overlooked.
    const names = new Set([SWAPPED, ...options.files.map(file => basename(file))]);
    this.watchers = [...new Set(options.files.map(file => dirname(file)))].map(folder => watch(folder, { persistent: false }, (_, name) => {
      if (name === null || names.has(name)) {
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.reload(), QUIET_MS).unref();
      }
    }));
    try {
      this.current = this.load();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  public get value(): T {
    return this.current;
  }

  public close(): void {
    clearTimeout(this.timer);
    this.watchers.forEach(watcher => watcher.close());
  }

  private load(): T {
    return this.options.read(this.options.files.map(file => readFileSync(file, 'utf8')));
  }

  private reload(): void {
    const { files, logger, onChange, onReload } = this.options;
    try {
      const value = this.load();
      onChange?.(value);
      this.current = value;
      logger.info({ files }, 'files have changed and were read again');
      onReload?.(true);
    } catch (error) {
      logger.error({ err: error, files }, 'files have changed and are invalid: the last valid contents stay in use');
      onReload?.(false);
    }
  }
}
