import { timedOut } from './refusal.js';

/**
 * The time that a request has until its answer begins, and then between two pieces of a body in either direction. It bounds
 * everything on the way: asking for permission, resuming, connecting, trying again, waiting.
 */
export class Deadline {
  private readonly timer: NodeJS.Timeout;
  private readonly listeners = new Set<() => void>();
  private over = false;

  /**
   * @param ms of each wait
   * @param id of the sandbox, for the refusal
   */
  constructor(public readonly ms: number, private readonly id: string) {
    this.timer = setTimeout(() => this.expire(), ms);
  }

  /** Whether the time is up. */
  public get isOver(): boolean {
    return this.over;
  }

  /** Begins anew: something has moved. */
  public refresh(): void {
    this.timer.refresh();
  }

  /** Ends the watch over the request. */
  public clear(): void {
    clearTimeout(this.timer);
    this.listeners.clear();
  }

  /** Calls back when the time is up, at once if it is. Returns a function that ends this. */
  public onExpiry(listener: () => void): () => void {
    if (this.over) {
      listener();
    }
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** What the work comes to, or the refusal 504 if the time is up before. The work itself goes on. */
  public async bound<T>(work: Promise<T>): Promise<T> {
    let forget!: () => void;
    const expired = new Promise<never>((_, reject) => {
      forget = this.onExpiry(() => reject(timedOut(this.id)));
    });
    try {
      return await Promise.race([work, expired]);
    } finally {
      forget();
    }
  }

  private expire(): void {
    this.over = true;
    this.listeners.forEach(listener => listener());
  }
}
