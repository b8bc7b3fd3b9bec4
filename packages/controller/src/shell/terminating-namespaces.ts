/** For how long a refusal holds: a namespace that is being terminated stays so, and one of its name may come later. */
const MEMORY_MS = 30_000;

/** Namespaces in which the API server creates nothing any more. Asking again for each of their objects would only be noise. */
export class TerminatingNamespaces {
  private readonly until = new Map<string, number>();

  /** @param monotonic milliseconds on a monotonic clock */
  constructor(private readonly monotonic: () => number) {}

  public add(namespace: string): void {
    this.until.set(namespace, this.monotonic() + MEMORY_MS);
  }

  public has(namespace: string): boolean {
    const until = this.until.get(namespace);
    if (until !== undefined && until <= this.monotonic()) {
      this.until.delete(namespace);
      return false;
    }
    return until !== undefined;
  }
}
