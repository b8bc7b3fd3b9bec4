import { LRUCache } from 'lru-cache';

/** Wrapped, because an answer may be undefined. */
export interface Answer<T> {
  readonly value: T | Promise<T>;
}

/** Answers by question, each for a time; of failures a third of it, but at least a second. */
export class Remembered<T> {
  private readonly answers: LRUCache<string, Answer<T>>;

  constructor(max: number, private readonly ttlMs: number) {
    this.answers = new LRUCache({ max, ttl: Math.max(1, ttlMs), ttlResolution: 0 });
  }

  public known(question: string): Answer<T> | undefined {
    return this.answers.get(question);
  }

  public ask(question: string, find: () => Promise<T>): Promise<T> {
    const asked = find();
    this.answers.set(question, { value: asked });
    asked.then(
      value => this.replace(question, asked, { value }, this.ttlMs),
      () => this.replace(question, asked, { value: asked }, Math.max(1_000, this.ttlMs / 3)),
    );
    return asked;
  }

  private replace(question: string, asked: Promise<T>, answer: Answer<T>, ttlMs: number): void {
    if (this.answers.peek(question)?.value !== asked) {
      return;
    }
    if (ttlMs > 0) {
      this.answers.set(question, answer, { ttl: ttlMs });
    } else {
      this.answers.delete(question);
    }
  }
}
