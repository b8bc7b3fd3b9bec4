/** Hands items from callbacks to one reader that may be slower: `push` settles when the reader has come back for more. */
export class Channel<T> implements AsyncIterable<T> {
  private readonly items: { readonly item: T; readonly taken: () => void }[] = [];
  private ended = false;
  private error?: unknown;
  private wake?: () => void;

  public push(item: T): Promise<void> {
    if (this.ended) {
      return Promise.resolve();
    }
    return new Promise(resolve => {
      this.items.push({ item, taken: resolve });
      this.wake?.();
    });
  }

  /** Ends the reading after the queued messages; with an error, by throwing it. */
  public end(error?: unknown): void {
    this.ended = true;
    this.error = error;
    this.wake?.();
  }

  public async* [Symbol.asyncIterator](): AsyncGenerator<T> {
    try {
      for (;;) {
        const next = this.items.shift();
        if (next !== undefined) {
          yield next.item;
          next.taken();
        } else if (this.ended) {
          if (this.error !== undefined) {
            throw this.error;
          }
          return;
        } else {
          await new Promise<void>(resolve => this.wake = resolve);
        }
      }
    } finally {
      this.ended = true;
      this.items.splice(0).forEach(each => each.taken());
    }
  }
}
