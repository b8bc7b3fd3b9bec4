/** Upper bound on concurrent background requests, so that connections stay free for others. */
const MOST = 24;

/** The same while other requests are in flight: enough to avoid starvation. */
const MOST_BESIDE_OTHERS = 4;

/**
 * Prioritizes latency-sensitive requests over background ones. All requests share the capacity of the API server, so that in a burst
 * of claims each new member of the pool would make the claims wait.
 */
export class RequestPriority {
  private foreground = 0;
  private background = 0;
  private readonly waiting: (() => void)[] = [];

  /** Sends a latency-sensitive request at once. */
  public async normal<T>(send: () => Promise<T>): Promise<T> {
    this.foreground++;
    try {
      return await send();
    } finally {
      this.foreground--;
      this.proceed();
    }
  }

  /** Sends a background request, first in first out, when there is room for it. */
  public async low<T>(send: () => Promise<T>): Promise<T> {
    await new Promise<void>(resolve => {
      this.waiting.push(resolve);
      this.proceed();
    });
    try {
      return await send();
    } finally {
      this.background--;
      this.proceed();
    }
  }

  private proceed(): void {
    while (this.waiting.length > 0 && this.background < (this.foreground > 0 ? MOST_BESIDE_OTHERS : MOST)) {
      this.background++;
      this.waiting.shift()!();
    }
  }
}
