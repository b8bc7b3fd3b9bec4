/** Requests that can wait, at the same time: some connections stay free for those that cannot. */
const MOST = 24;

/** And while there are others: enough that nothing waits for ever. */
const MOST_BESIDE_OTHERS = 4;

/**
 * Lets requests that can wait yield to those that cannot. All requests share the capacity of the API server, so that in a burst
 * of claims each new member of the pool would make the claims wait.
 */
export class Lanes {
  private urgent = 0;
  private yielding = 0;
  private readonly waiting: (() => void)[] = [];

  /** Sends a request that cannot wait. */
  public async now<T>(send: () => Promise<T>): Promise<T> {
    this.urgent++;
    try {
      return await send();
    } finally {
      this.urgent--;
      this.proceed();
    }
  }

  /** Sends a request that can wait, in the order in which they came. */
  public async later<T>(send: () => Promise<T>): Promise<T> {
    await new Promise<void>((resolve) => {
      this.waiting.push(resolve);
      this.proceed();
    });
    try {
      return await send();
    } finally {
      this.yielding--;
      this.proceed();
    }
  }

  private proceed(): void {
    while (this.waiting.length > 0 && this.yielding < (this.urgent > 0 ? MOST_BESIDE_OTHERS : MOST)) {
      this.yielding++;
      this.waiting.shift()!();
    }
  }
}
