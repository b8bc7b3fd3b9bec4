import { LABEL } from 'agent-sandbox-api';
import type { Origin } from 'agent-sandbox-kube';
import type { Cache, Kind, Kinds } from '../cache.js';
import { createdByOf, semanticallyEqual } from '../object.js';
import type { KubeObject, Plan } from '../plan.js';

/** A reconciler and what wakes it, ready to be run. */
export interface ControllerDefinition {
  /** Name of the work queue, and of the source of Events and writes: `sandbox-controller`. */
  readonly name: string;
  /** Keys in work at the same time. */
  readonly concurrency: number;
  /** Kinds that the plan reads; a cache is kept of each of them. */
  readonly reads: readonly Kind[];
  /** What to do about an object, from what the cache knows; `undefined` when it is gone and nothing is left to do. */
  plan(cache: Cache, namespace: string, name: string, pass: Pass): Plan<any> | undefined;
  /** By kind: which objects of this controller a change of that kind concerns. */
  readonly watches: { readonly [K in Kind]?: (change: Change<Kinds[K]>, cache: Cache) => readonly Wake[] };
  /**
   * Told what a plan leaves in memory for a key (`undefined`: nothing), before the requests of that stage are sent: for what
   * keys must not take from each other.
   */
  readonly remembered?: (key: string, memory: any) => void;
  /** What its plans measure. */
  readonly metrics?: readonly MetricDefinition[];
  /** Whether Events are not sent. */
  readonly silent?: boolean;
  /**
   * Whether an object can wait while others cannot: passes over it and their requests yield to all others. Absent: none can.
   */
  readonly yields?: (cache: Cache, namespace: string, name: string) => boolean;
  /** How its passes show up in traces. Absent: not at all. */
  readonly traced?: TracedPass;
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

/** The spans of a pass. */
export interface TracedPass {
  /** Kind of the objects that passes are about. */
  readonly kind: Kind;
  /** Name of the span of a pass. */
  readonly span: string;
  readonly attributes?: (object: KubeObject) => { readonly [name: string]: string };
  /** Names of the spans of requests below that, by kind. */
  readonly parts?: { readonly [K in Kind]?: string };
  /** Whether an object that is part of no trace becomes the beginning of one, by an annotation. */
  readonly annotate?: boolean;
}

export interface Pass {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** What the plan of an earlier pass left. */
  readonly memory: any;
}

/** A change of an object: without `before` it is new, without `after` it is gone. */
export interface Change<T> {
  readonly before?: T;
  readonly after?: T;
  readonly origin: Origin;
}

/** A key to look at, `namespace/name`, at once or in a while. */
export interface Wake {
  readonly key: string;
  readonly delayMs?: number;
}

/** The states that a change is about. */
export function statesOf<T>({ before, after }: Change<T>): T[] {
  return [before, after].filter((state): state is T => state !== undefined);
}

/** The answer to a status write of this process says what it knows already. */
export function isOwnStatusWrite({ before, after, origin }: Change<KubeObject>): boolean {
  return origin === 'write' && before !== undefined && after !== undefined && semanticallyEqual(withoutVersion(before), withoutVersion(after));
}

function withoutVersion({ metadata: { resourceVersion: _, ...metadata } }: KubeObject): object {
  return metadata;
}

/** The client that made an object as attribute of a span, if its label says so. */
export function createdByAttribute(object: KubeObject): { readonly [name: string]: string } {
  const createdBy = createdByOf(object);
  return createdBy === undefined ? {} : { [LABEL.createdBy]: createdBy };
}
