import { randomBytes } from 'node:crypto';
import { type KubeObject, EVENTS, type RecordedEvent } from 'agent-sandbox-api';
import { backoffMs } from './backoff.js';
import { type Clock, type Timer, microTime, sleep } from './clock.js';
import type { Cluster } from './cluster.js';
import { ApiError, isAlreadyExists, isNotFound, isSituation } from './errors.js';

/** What happened. */
export interface EventNote {
  readonly type: 'Normal' | 'Warning';
  /** Why, in one word in CamelCase; at most 128 characters. */
  readonly reason: string;
  /** What the controller did or failed to do; at most 128 characters. */
  readonly action: string;
  /** For people; cut after 1024 characters. */
  readonly note: string;
  /** Another object that has to do with it. @default - none */
  readonly related?: KubeObject;
}

export interface EventRecorderOptions {
  readonly cluster: Cluster;
  /** Name of the controller, for example `sandbox-controller`. */
  readonly controller: string;
  /** Name of this process, at most 128 characters. */
  readonly instance: string;
  /** Milliseconds that a new Event waits before it is sent, so that it does not compete with the work that it reports. @default 0 */
  readonly delayMs?: number;
  /** Milliseconds after its last occurrence for which an Event is the same one, counted in its series. @default 360000 */
  readonly seriesWindowMs?: number;
  /** Milliseconds between two updates of a series. @default 30000 */
  readonly seriesFlushMs?: number;
  /** Different Events per object at once. @default 25 */
  readonly burst?: number;
  /** Milliseconds after which one more is allowed. @default 300000 */
  readonly refillMs?: number;
  /** Events that may wait to be sent; more are dropped. @default 1000 */
  readonly bufferSize?: number;
  /** Called with the reason for each Event that was not sent. @default - no callback */
  readonly onDropped?: (why: 'buffer' | 'rate' | 'refused') => void;
}

/** Requests for Events at the same time: few, so that they never compete with the work. */
const CONCURRENCY = 2;
const ATTEMPTS = 5;
const BACKOFF = { baseMs: 500, maxMs: 10_000 };
/** Objects and series that are remembered; beyond that the oldest are forgotten. */
const REMEMBERED = 4096;
const LONGEST_NOTE = 1024;

interface Series {
  /** As the server has it, once it was sent. */
  stored?: RecordedEvent;
  readonly event: RecordedEvent;
  count: number;
  /** The count that the server has stored. */
  sent: number;
  /** Monotonic milliseconds. */
  last: number;
  /** The first sending, or the next update. */
  timer?: Timer;
  /** Waits to be sent or is being sent; never twice at a time. */
  busy: boolean;
}

interface Bucket {
  tokens: number;
  filled: number;
}

/**
 * Records Events of `events.k8s.io/v1` about objects. Never waits and never throws: Events are sent in the background, repeated
 * ones as a series with a count, and dropped when there are too many.
 */
export class EventRecorder {
  private readonly clock: Clock;
  private readonly series = new Map<string, Series>();
  private readonly buckets = new Map<string, Bucket>();
  private readonly buffer: Series[] = [];
  private readonly stop = new AbortController();
  private readonly idle: (() => void)[] = [];
  private sending = 0;
  private closed = false;

  constructor(private readonly options: EventRecorderOptions) {
    this.clock = options.cluster.clock;
  }

  /** Notes that something happened to an object. After `close` it does nothing. */
  public record(regarding: KubeObject, what: EventNote): void {
    if (this.closed) {
      return;
    }
    const now = this.clock.monotonic();
    const { uid, namespace, name } = regarding.metadata;
    const key = JSON.stringify([uid, namespace, name, what.type, what.reason, what.action, what.note, what.related?.metadata.uid]);
    const known = this.series.get(key);
    if (known && now - known.last < (this.options.seriesWindowMs ?? 360_000)) {
      known.count++;
      known.last = now;
      this.planUpdate(known);
      return;
    }
    if (!this.allowed(regarding, now)) {
      this.options.onDropped?.('rate');
      return;
    }
    const series: Series = { event: this.eventOf(regarding, what), count: 1, sent: 0, last: now, busy: false };
    remember(this.series, key, series);
    this.sendAfter(series, this.options.delayMs ?? 0);
  }

  /** Sends what waits, series included, for at most `timeoutMs` milliseconds, and takes no more. */
  public async close(timeoutMs = 5_000): Promise<void> {
    this.closed = true;
    const timer = this.clock.setTimeout(() => this.stop.abort(), timeoutMs);
    for (const series of this.series.values()) {
      series.timer?.cancel();
      if (series.count > series.sent && (series.sent > 0 || series.timer)) {
        this.send(series);
      }
    }
    if (this.sending > 0 || this.buffer.length > 0) {
      await new Promise<void>(resolve => this.idle.push(resolve));
    }
    timer.cancel();
    this.stop.abort();
  }

  private eventOf(regarding: KubeObject, what: EventNote): RecordedEvent {
    const { name = '', namespace = 'default' } = regarding.metadata;
    return {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      // A name has at most 253 characters, the suffix 17 of them.
      metadata: { name: `${name.slice(0, 236)}.${randomBytes(8).toString('hex')}`, namespace },
      eventTime: microTime(this.clock.now()),
      reportingController: this.options.controller,
      reportingInstance: this.options.instance.slice(0, 128),
      type: what.type,
      reason: what.reason,
      action: what.action,
      note: what.note.length > LONGEST_NOTE ? `${what.note.slice(0, LONGEST_NOTE - 1)}…` : what.note,
      regarding: referenceTo(regarding),
      ...(what.related && { related: referenceTo(what.related) }),
    };
  }

  private allowed(regarding: KubeObject, now: number): boolean {
    const { burst = 25, refillMs = 300_000 } = this.options;
    const key = regarding.metadata.uid ?? `${regarding.kind}/${regarding.metadata.namespace}/${regarding.metadata.name}`;
    const bucket = this.buckets.get(key) ?? { tokens: burst, filled: now };
    bucket.tokens = Math.min(burst, bucket.tokens + (now - bucket.filled) / refillMs);
    bucket.filled = now;
    const allowed = bucket.tokens >= 1;
    if (allowed) {
      bucket.tokens--;
    }
    remember(this.buckets, key, bucket);
    return allowed;
  }

  private planUpdate(series: Series): void {
    this.sendAfter(series, this.options.seriesFlushMs ?? 30_000);
  }

  private sendAfter(series: Series, delayMs: number): void {
    if (delayMs <= 0) {
      this.send(series);
      return;
    }
    series.timer ??= this.clock.setTimeout(() => {
      series.timer = undefined;
      this.send(series);
    }, delayMs);
  }

  private send(series: Series): void {
    if (series.busy) {
      return;
    }
    if (this.buffer.length >= (this.options.bufferSize ?? 1000)) {
      this.options.onDropped?.('buffer');
      return;
    }
    series.busy = true;
    this.buffer.push(series);
    if (this.sending < CONCURRENCY) {
      this.sending++;
      void this.drain();
    }
  }

  private async drain(): Promise<void> {
    for (let series = this.buffer.shift(); series; series = this.buffer.shift()) {
      try {
        await this.deliver(series);
        series.busy = false;
        this.catchUp(series);
      } catch (error) {
        series.busy = false;
        this.options.onDropped?.('refused');
        this.options.cluster.logger.debug({ err: error, event: series.event.reason, regarding: series.event.regarding }, 'an Event was not recorded');
      }
    }
    this.sending--;
    if (this.sending === 0) {
      this.idle.splice(0).forEach(resolve => resolve());
    }
  }

  /** Sends the count again if the Event was repeated while it was sent. */
  private catchUp(series: Series): void {
    if (series.count > series.sent) {
      if (this.closed) {
        this.send(series);
      } else {
        this.planUpdate(series);
      }
    }
  }

  private async deliver(series: Series): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.deliverOnce(series);
        return;
      } catch (error) {
        const isFinal = error instanceof ApiError && !isSituation(error, 'tooManyRequests', 'unavailable', 'timeout', 'internal');
        if (isFinal || attempt === ATTEMPTS || this.stop.signal.aborted) {
          throw error;
        }
        await sleep(this.clock, backoffMs(BACKOFF, attempt), this.stop.signal);
      }
    }
  }

  private async deliverOnce(series: Series): Promise<void> {
    const { cluster } = this.options;
    const { count, event, stored } = series;
    const { namespace } = event.metadata;
    const signal = this.stop.signal;
    // The server requires a count of at least 2.
    const status = count > 1 ? { series: { count, lastObservedTime: microTime(this.clock.now()) } } : {};
    try {
      if (stored) {
        await cluster.request({ verb: 'patch', resource: EVENTS, namespace, name: stored.metadata.name }, {
          body: status, contentType: 'application/merge-patch+json', signal, maxRetries: 0,
        });
      } else {
        series.stored = await cluster.request<RecordedEvent>({ verb: 'create', resource: EVENTS, namespace }, { body: { ...event, ...status }, signal, maxRetries: 0 });
      }
    } catch (error) {
      if (stored && isNotFound(error)) {
        // Events live for an hour by default: the series starts anew.
        series.stored = undefined;
        return this.deliverOnce(series);
      }
      if (isAlreadyExists(error) && !stored) {
        // An earlier attempt whose answer was lost had succeeded, with the count at that time.
        series.stored = event;
        return count > 1 ? this.deliverOnce(series) : void (series.sent = count);
      }
      throw error;
    }
    series.sent = count;
    return undefined;
  }
}

function referenceTo(object: KubeObject): NonNullable<RecordedEvent['regarding']> {
  const { name, namespace, uid, resourceVersion } = object.metadata;
  return { apiVersion: object.apiVersion, kind: object.kind, name, namespace, uid, resourceVersion };
}

/** Keeps the newest entries of a map. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > REMEMBERED) {
    map.delete(map.keys().next().value!);
  }
}
