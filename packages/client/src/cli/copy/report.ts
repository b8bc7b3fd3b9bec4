import { harmless } from '../output.js';

/** What a copy did. */
export interface CopyResult {
  /** Files and links that were copied. */
  readonly files: number;
  readonly bytes: number;
  /** Files that were left out, with the reason. */
  readonly skipped: readonly Skipped[];
}

export interface Skipped {
  readonly path: string;
  readonly reason: string;
}

const BAR = 24;

/** Counts the files of a copy and reports progress. */
export class CopyReport {
  private files = 0;
  private bytes = 0;
  private current?: string;
  private readonly skips: Skipped[] = [];
  private toldAt = 0;

  /**
   * @param onProgress gets a line of text, at most every 100 ms
   * @param total bytes, once they are known
   */
  constructor(private readonly onProgress: (text: string) => void = () => undefined, public total?: number) {}

  /** The file that is being copied, if there is one. */
  public get unfinished(): string | undefined {
    return this.current;
  }

  public get count(): number {
    return this.files;
  }

  public begin(path: string): void {
    this.current = path;
  }

  public moved(bytes: number): void {
    this.bytes += bytes;
    const now = performance.now();
    if (now - this.toldAt >= 100) {
      this.toldAt = now;
      this.onProgress(this.text());
    }
  }

  public done(): void {
    this.files++;
    this.current = undefined;
  }

  public skip(path: string, reason: string): void {
    this.skips.push({ path, reason });
  }

  public result(): CopyResult {
    return { files: this.files, bytes: this.bytes, skipped: this.skips };
  }

  private text(): string {
    const name = this.current === undefined ? '' : `  ${harmless(this.current)}`;
    if (!this.total) {
      return `${sizeOf(this.bytes)}, ${this.files} files${name}`;
    }
    const share = Math.min(1, this.bytes / this.total);
    const filled = Math.round(share * BAR);
    return `[${'#'.repeat(filled)}${'-'.repeat(BAR - filled)}] ${Math.floor(share * 100)} % of ${sizeOf(this.total)}${name}`;
  }
}

/** Bytes for people: `512 B`, `1.4 MiB`. */
export function sizeOf(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const unit = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(bytes, 1)) / 10));
  const value = bytes / 1024 ** unit;
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
