import { type BackoffOptions, backoffMs } from './backoff.js';
import { type Clock, type Timer, systemClock } from './clock.js';
import type { QueueMetrics } from './metrics.js';

export interface WorkQueueOptions {
  /** Label of the measurements. */
  readonly name: string;
  /** Back-off after failures of a key. @default - 5 ms, doubled each time, up to 1000 s; no jitter */
  readonly backoff?: BackoffOptions;
  /** Upper bound on keys of low priority that are processed at the same time, so that workers remain for others. @default - no limit */
  readonly lowConcurrency?: number;
  /** @default - that of the machine */
  readonly clock?: Clock;
  /** @default - nothing is measured */
  readonly metrics?: QueueMetrics;
}

/**
 * The order of keys: all of `normal` before any of `low`. Objects of the first list and of a resync are `low`, so that
 * thousands of them do not delay current events.
 */
export type Priority = 'normal' | 'low';

interface Waiting {
  priority: Priority;
  /** Monotonic milliseconds. */
  readonly since: number;
}

interface Processing {
  readonly priority: Priority;
  /** Monotonic milliseconds. */
  readonly begin: number;
}

interface Delayed {
  readonly key: string;
  readonly due: number;
  readonly priority: Priority;
}

const DEFAULT_BACKOFF: BackoffOptions = { baseMs: 5, maxMs: 1_000_000 };
/** Upper bound on stale delayed entries, in addition to one per live entry. */
const STALE_DELAYS = 64;

/**
 * A queue of keys. A key is queued at most once and never processed by two workers at the same time: a key that is added while it is
 * being processed is queued again afterwards.
 *
 * Adding a delayed key without a delay queues it at once and cancels the delay: each reconciliation decides anew when the next one
 * is due.
 */
export class WorkQueue {
  public readonly name: string;
  private readonly clock: Clock;
  private readonly backoff: BackoffOptions;
  private readonly metrics: QueueMetrics;
  /** Queued keys by priority, first in first out. A key whose priority was raised leaves a stale entry behind. */
  private readonly ready: Record<Priority, Fifo> = { normal: new Fifo(), low: new Fifo() };
  private readonly waiting = new Map<string, Waiting>();
  private readonly processing = new Map<string, Processing>();
  private readonly lowConcurrency: number;
  private lowProcessing = 0;
  /** Added while being processed. */
  private readonly again = new Map<string, Waiting>();
  private readonly delayed = new Map<string, Delayed>();
  private readonly heap = new Heap();
  private readonly failures = new Map<string, number>();
  private readonly takers: ((key: string | undefined) => void)[] = [];
  private readonly idle: (() => void)[] = [];
  private timer?: Timer;
  private timerDue = Infinity;
  private closed = false;

  constructor(options: WorkQueueOptions) {
    this.name = options.name;
    this.clock = options.clock ?? systemClock;
    this.backoff = options.backoff ?? DEFAULT_BACKOFF;
    this.lowConcurrency = options.lowConcurrency ?? Infinity;
    this.metrics = options.metrics ?? {};
  }

  /** Number of queued keys. */
  public get depth(): number {
    return this.waiting.size;
  }

  /** Number of keys that are being processed. */
  public get processingCount(): number {
    return this.processing.size;
  }

  /** Number of delayed keys. */
  public get delayedCount(): number {
    return this.delayed.size;
  }

  /** Number of delays in memory, stale ones included. */
  public get heldDelays(): number {
    return this.heap.size;
  }

  /** Adds a key; no effect if it is queued already, except that `normal` raises its priority. */
  public add(key: string, priority: Priority = 'normal'): void {
    if (this.closed) {
      return;
    }
    this.delayed.delete(key);
    const queued = this.waiting.get(key) ?? this.again.get(key);
    if (queued) {
      if (queued.priority === 'low' && priority === 'normal') {
        queued.priority = 'normal';
        if (this.waiting.has(key)) {
          this.ready.normal.push(key);
        }
      }
      return;
    }
    this.metrics.added?.(this.name);
    const entry: Waiting = { priority, since: this.clock.monotonic() };
    if (this.processing.has(key)) {
      this.again.set(key, entry);
    } else {
      this.enqueue(key, entry);
    }
  }

  /** Adds a key after `delayMs` milliseconds. Of several delays of a key the earliest counts; no effect if the key is queued already. */
  public addAfter(key: string, delayMs: number, priority: Priority = 'normal'): void {
    if (!(delayMs > 0)) {
      this.add(key, priority);
      return;
    }
    if (this.closed || this.waiting.has(key)) {
      return;
    }
    const due = this.clock.monotonic() + delayMs;
    const known = this.delayed.get(key);
    if (known && known.due <= due) {
      return;
    }
    const entry: Delayed = { key, due, priority };
    this.delayed.set(key, entry);
    this.heap.push(entry);
    if (this.heap.size > 2 * this.delayed.size + STALE_DELAYS) {
      // Events that cancel long delays again and again would otherwise leave all of them in memory.
      this.heap.retain(this.delayed);
    }
    this.arm();
  }

  /** Adds a key after a back-off that grows with each failure until `forget`; at least `minimumMs` milliseconds. */
  public addRateLimited(key: string, minimumMs = 0): void {
    const failures = (this.failures.get(key) ?? 0) + 1;
    this.failures.set(key, failures);
    this.metrics.retried?.(this.name);
    this.addAfter(key, Math.max(minimumMs, backoffMs(this.backoff, failures)));
  }

  /** Resets the back-off of a key. */
  public forget(key: string): void {
    this.failures.delete(key);
  }

  /** Consecutive failures of a key. */
  public failuresOf(key: string): number {
    return this.failures.get(key) ?? 0;
  }

  /** Waits for a key. The caller must call `done` with it. `undefined` when the queue was shut down. */
  public take(): Promise<string | undefined> {
    const key = this.next();
    if (key !== undefined || this.closed) {
      return Promise.resolve(key);
    }
    return new Promise(resolve => this.takers.push(resolve));
  }

  /** Marks a key as processed. If it was added meanwhile, it is queued again. */
  public done(key: string): void {
    const processed = this.processing.get(key);
    if (processed === undefined) {
      throw new Error(`key "${key}" of the queue ${this.name} is not being processed: call done once for each key taken`);
    }
    this.processing.delete(key);
    this.lowProcessing -= processed.priority === 'low' ? 1 : 0;
    this.metrics.workDuration?.(this.name, (this.clock.monotonic() - processed.begin) / 1000);
    const again = this.again.get(key);
    if (again) {
      this.again.delete(key);
      this.enqueue(key, again);
    }
    this.serve();
    if (this.processing.size === 0 && this.waiting.size === 0) {
      this.idle.splice(0).forEach(resolve => resolve());
    }
  }

  /**
   * Accepts no more keys and drops delayed ones. Resolves when nothing is being processed any more.
   *
   * @param drain whether queued keys are still processed; otherwise they are dropped
   */
  public shutdown({ drain = false }: { drain?: boolean } = {}): Promise<void> {
    this.closed = true;
    this.timer?.cancel();
    this.delayed.clear();
    if (!drain) {
      this.again.clear();
      this.waiting.clear();
      this.metrics.depth?.(this.name, 0);
    }
    this.takers.splice(0).forEach(resolve => resolve(undefined));
    return this.processing.size === 0 && this.waiting.size === 0 ? Promise.resolve() : new Promise(resolve => this.idle.push(resolve));
  }

  /** Sum of the seconds that the keys in process have taken so far. */
  public get unfinishedWorkSeconds(): number {
    const now = this.clock.monotonic();
    let sum = 0;
    this.processing.forEach(({ begin }) => sum += now - begin);
    return sum / 1000;
  }

  /** Seconds that the oldest key in process has taken so far; 0 if there is none. */
  public get longestRunningSeconds(): number {
    const [first] = this.processing.values();
    return first === undefined ? 0 : (this.clock.monotonic() - first.begin) / 1000;
  }

  private enqueue(key: string, entry: Waiting): void {
    this.waiting.set(key, entry);
    this.ready[entry.priority].push(key);
    this.metrics.depth?.(this.name, this.waiting.size);
    this.serve();
  }

  /** Hands keys to waiting workers. */
  private serve(): void {
    while (this.takers.length > 0) {
      const key = this.next();
      if (key === undefined) {
        return;
      }
      this.takers.shift()!(key);
    }
  }

  private next(): string | undefined {
    for (const priority of this.lowProcessing < this.lowConcurrency ? ['normal', 'low'] as const : ['normal'] as const) {
      for (let key = this.ready[priority].shift(); key !== undefined; key = this.ready[priority].shift()) {
        const entry = this.waiting.get(key);
        // Otherwise the entry is stale: the key was raised and taken already.
        if (entry?.priority === priority) {
          this.waiting.delete(key);
          this.delayed.delete(key);
          const now = this.clock.monotonic();
          this.processing.set(key, { priority, begin: now });
          this.lowProcessing += priority === 'low' ? 1 : 0;
          this.metrics.depth?.(this.name, this.waiting.size);
          this.metrics.queueDuration?.(this.name, (now - entry.since) / 1000);
          return key;
        }
      }
    }
    return undefined;
  }

  /** One timer, for the earliest delay. */
  private arm(): void {
    const first = this.heap.peek(entry => this.delayed.get(entry.key) === entry);
    if (!first || this.closed) {
      this.timer?.cancel();
      this.timerDue = Infinity;
      return;
    }
    if (first.due === this.timerDue) {
      return;
    }
    this.timer?.cancel();
    this.timerDue = first.due;
    this.timer = this.clock.setTimeout(() => {
      this.timerDue = Infinity;
      const now = this.clock.monotonic();
      for (let entry = this.heap.peek(valid => this.delayed.get(valid.key) === valid); entry && entry.due <= now;
        entry = this.heap.peek(valid => this.delayed.get(valid.key) === valid)) {
        this.heap.pop();
        this.add(entry.key, entry.priority);
      }
      this.arm();
    }, first.due - this.clock.monotonic());
  }
}

/** First in, first out, in amortized constant time. */
class Fifo {
  private items: string[] = [];
  private head = 0;

  public push(item: string): void {
    this.items.push(item);
  }

  public shift(): string | undefined {
    if (this.head === this.items.length) {
      return undefined;
    }
    const item = this.items[this.head++];
    if (this.head > 1024 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return item;
  }
}

/** Binary heap, earliest first. Stale entries stay until they reach the top or `retain` drops them. */
class Heap {
  private readonly items: Delayed[] = [];

  public get size(): number {
    return this.items.length;
  }

  /** Keeps the valid entries only. */
  public retain(valid: ReadonlyMap<string, Delayed>): void {
    this.items.length = 0;
    valid.forEach(entry => this.push(entry));
  }

  public push(entry: Delayed): void {
    const { items } = this;
    let child = items.push(entry) - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (items[parent].due <= entry.due) {
        break;
      }
      items[child] = items[parent];
      child = parent;
    }
    items[child] = entry;
  }

  /** The earliest valid entry; invalid ones before it are removed. */
  public peek(isValid: (entry: Delayed) => boolean): Delayed | undefined {
    while (this.items.length > 0 && !isValid(this.items[0])) {
      this.pop();
    }
    return this.items[0];
  }

  public pop(): void {
    const { items } = this;
    const last = items.pop();
    if (!last || items.length === 0) {
      return;
    }
    let parent = 0;
    for (let child = 1; child < items.length; child = parent * 2 + 1) {
      if (child + 1 < items.length && items[child + 1].due < items[child].due) {
        child++;
      }
      if (last.due <= items[child].due) {
        break;
      }
      items[parent] = items[child];
      parent = child;
    }
    items[parent] = last;
  }
}
