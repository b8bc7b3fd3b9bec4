import { LABEL, definedOnly } from 'agent-sandbox-api';
import type { Origin } from 'agent-sandbox-kube';
import type { Cache, Kind, Kinds } from './cache.js';
import { semanticallyEqual } from '../object/diff.js';
import { createdByOf, type KubeObject } from '../object/metadata.js';
import type { Plan } from './plan.js';

/** A reconciler and the changes that enqueue its keys. */
export interface ControllerDefinition {
  /** Name of the work queue, and of the source of Events and writes: `sandbox-controller`. */
  readonly name: string;
  /** Kind of the objects that the keys name. */
  readonly kind: Kind;
  /** Keys that are reconciled concurrently. */
  readonly concurrency: number;
  /** Kinds that the plan reads; a cache is kept of each of them. */
  readonly reads: readonly Kind[];
  /** Plans the reconciliation of an object from the cache; `undefined` when it is gone and nothing is left to do. */
  plan(cache: Cache, namespace: string, name: string, context: ReconcileContext): Plan<any> | undefined;
  /** Event handlers by kind: the keys to enqueue for a change of an object of that kind. */
  readonly watches: { readonly [K in Kind]?: (change: Change<Kinds[K]>, cache: Cache) => readonly QueueItem[] };
  /**
   * Called with what a plan leaves in memory for a key (`undefined`: nothing), before the requests of that stage are sent.
   * Used for reservations.
   */
  readonly onMemoryChange?: (key: string, memory: any) => void;
  /**
   * Whether a plan takes account of what its own creates and merge patches lead to, so that their events need no further reconciliation.
   * Absent: it does not.
   */
  readonly takesAccountOfWrites?: boolean;
  /** Metrics that its plans feed. */
  readonly metrics?: readonly MetricDefinition[];
  /** Whether Events are not sent. */
  readonly silent?: boolean;
  /**
   * Whether an object has low priority: its reconciliations and their requests come after all others. Absent: none has.
   */
  readonly isLowPriority?: (cache: Cache, namespace: string, name: string) => boolean;
  /** Tracing of its reconciliations. Absent: none. */
  readonly traced?: TracedReconcile;
}

/** A metric that plans feed with `MeasureRequest`s. */
export interface MetricDefinition {
  readonly name: string;
  readonly type: 'counter' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds of a histogram. */
  readonly buckets?: readonly number[];
}

/** The spans of a reconciliation. */
export interface TracedReconcile {
  /** Name of the span of a reconciliation. */
  readonly span: string;
  readonly attributes?: (object: KubeObject) => { readonly [name: string]: string };
  /** Names of the spans of requests below that, by kind. */
  readonly parts?: { readonly [K in Kind]?: string };
  /** Whether an object that is part of no trace becomes the beginning of one, by an annotation. */
  readonly annotate?: boolean;
}

export interface ReconcileContext {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Milliseconds on a monotonic clock. */
  readonly monotonic: number;
  /** What an earlier plan left in memory. */
  readonly memory: any;
}

/** A change of an object: without `before` it is new, without `after` it is gone. */
export interface Change<T> {
  readonly before?: T;
  readonly after?: T;
  readonly origin: Origin;
}

/** A key to enqueue, `namespace/name`, at once or after a delay. */
export interface QueueItem {
  readonly key: string;
  readonly delayMs?: number;
}

/** The states before and after a change, without the absent one. */
export function statesOf<T>({ before, after }: Change<T>): T[] {
  return [before, after].filter((state): state is T => state !== undefined);
}

/** Predicate: whether a change is the response to a status write of this process, which contains nothing new. */
export function isOwnStatusWrite({ before, after, origin }: Change<KubeObject>): boolean {
  return origin === 'write' && before !== undefined && after !== undefined && semanticallyEqual(withoutVersion(before), withoutVersion(after));
}

function withoutVersion({ metadata: { resourceVersion: _, ...metadata } }: KubeObject): object {
  return metadata;
}

/** The client that made an object as attribute of a span, if its label says so. */
export function createdByAttribute(object: KubeObject): { readonly [name: string]: string } {
  const createdBy = createdByOf(object);
  return definedOnly({ [LABEL.createdBy]: createdBy });
}
