import { definedOnly } from 'agent-sandbox-api';
import type { KubeObject } from '../object/metadata.js';

/**
 * The contract between the pure core of a reconciler and the shell that runs it.
 *
 * A reconciler is a pure function from what was observed to a `Plan`: the requests to send now, and a continuation that
 * turns their outcomes into the next plan. Nothing in it reads a clock, a cache or the network, so that every crash
 * point and every interleaving can be tried in memory, and a continuation can be called twice with different outcomes.
 */
export interface Plan<Memory = undefined> {
  /**
   * Requests of this stage. They do not depend on each other: the shell sends them concurrently, and one that fails
   * does not hold back the others. Requests that must follow each other belong into successive stages.
   */
  readonly requests: readonly Request[];
  /** The next stage, given the outcomes in the order of `requests`. Absent: this is the last stage. */
  readonly next?: (outcomes: readonly Outcome[]) => Plan<Memory>;
  /** Last stage only: when to reconcile again although nothing changed, in milliseconds. Ignored if there are errors. */
  readonly requeueAfterMs?: number;
  /**
   * Last stage only: failures other than those of requests of the last stage, which the shell adds unless the
   * request ignores them. Any error requeues the key with exponential back-off. Errors that only the user can correct
   * do not belong here but in a condition.
   */
  readonly errors?: readonly Failure[];
  /**
   * Last stage only: other objects that block this one. The shell requeues the key when one of them changes or is
   * deleted, for which there is no owner reference.
   */
  readonly blockedBy?: readonly Ref[];
  /**
   * What this process remembers about the key until the next reconciliation, stored before the requests of the stage are sent. Only
   * for what may be lost in a restart (deadlines of postponed writes, expectations). `undefined` keeps what was stored,
   * `null` forgets it.
   */
  readonly memory?: Memory | null;
}

/** What every reconciler gets besides the objects. */
export interface Observed {
  /** The time of the reconciliation, in milliseconds since the epoch: for times on the wire. */
  readonly now: number;
  /** The same moment on a monotonic clock, in milliseconds: for everything that is measured in this process. */
  readonly monotonic: number;
}

/** Names an object. */
export interface Ref {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string;
}

/** A request to the API server. */
export type Request = Write | GetRequest | ListRequest | MeasureRequest;

/** A request that changes something. */
export type Write = CreateRequest | PatchRequest | UpdateRequest | DeleteRequest | EventRequest;

interface RequestBase {
  /** Failures that count as success, such as `NotFound` of a delete. The outcome still contains them. */
  readonly ignore?: readonly FailureReason[];
}

/** POST of a whole object. */
export interface CreateRequest<T extends KubeObject = KubeObject> extends RequestBase {
  readonly op: 'create';
  readonly object: T;
}

/** PATCH. A lock is part of the body (`metadata.resourceVersion`, or a JSON Patch `test`), so that the shell adds nothing. */
export interface PatchRequest extends RequestBase {
  readonly op: 'patch';
  readonly target: Ref;
  /** `merge`: RFC 7396; `json`: RFC 6902. */
  readonly type: 'merge' | 'json';
  readonly body: unknown;
  readonly subresource?: 'status';
}

/** PUT of a whole object, locked by its `metadata.resourceVersion`. */
export interface UpdateRequest<T extends KubeObject = KubeObject> extends RequestBase {
  readonly op: 'update';
  readonly object: T;
  readonly subresource?: 'status';
}

/** DELETE. */
export interface DeleteRequest extends RequestBase {
  readonly op: 'delete';
  readonly target: Ref;
  /** The object must still be this one: `target.uid` is sent as precondition where it is set. */
  readonly resourceVersion?: string;
  /** Absent: the default of the kind. */
  readonly propagation?: 'Background' | 'Foreground';
}

/** An Event; aggregated and sent by the shell, sent in the background; its failure is never an error. */
export interface EventRequest extends RequestBase {
  readonly op: 'event';
  readonly regarding: Ref;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly action: string;
  readonly note: string;
}

/** A measurement, recorded by the shell; no request to the API server, and never an error. */
export interface MeasureRequest extends RequestBase {
  readonly op: 'measure';
  readonly metric: string;
  /** Amount to count or duration to observe. */
  readonly value: number;
  readonly labels: { readonly [label: string]: string };
}

/** GET past the cache. For resolving conflicts only. */
export interface GetRequest extends RequestBase {
  readonly op: 'get';
  readonly target: Ref;
}

/** LIST past the cache, of a kind in a namespace by its labels. For cases in which the cache may be incomplete. */
export interface ListRequest extends RequestBase {
  readonly op: 'list';
  readonly target: Pick<Ref, 'apiVersion' | 'kind' | 'namespace'>;
  readonly labels: { readonly [key: string]: string };
}

/**
 * The outcome of a request: the object as the server returned it (absent for events, and for deletes that removed it at
 * once), the objects of a list, or the failure.
 */
export type Outcome =
  | { readonly ok: true; readonly object?: KubeObject; readonly items?: readonly KubeObject[] }
  | { readonly ok: false; readonly failure: Failure };

/** Kinds of failure that a reconciler can act on; the words of the API server's `reason` where it has one. */
export type FailureReason =
  | 'NotFound'
  | 'AlreadyExists'
  | 'Conflict'
  | 'Invalid'
  | 'Forbidden'
  | 'TooManyRequests'
  | 'Timeout'
  | 'Cancelled'
  | 'NamespaceTerminating'
  | 'Refused'
  | 'Unknown';

/** An error as data. `Refused` is what the reconciler itself refuses; the others come from the API server or the way to it. */
export interface Failure {
  readonly reason: FailureReason;
  readonly message: string;
}

export const ok = (object?: KubeObject): Outcome => ({ ok: true, object });
export const failed = (reason: FailureReason, message: string): Outcome => ({ ok: false, failure: { reason, message } });
export const refusal = (message: string): Failure => ({ reason: 'Refused', message });

/** A reference to an object. */
export function refOf(object: KubeObject): Ref {
  const { name = '', namespace = '', uid } = object.metadata;
  return { apiVersion: object.apiVersion, kind: object.kind, namespace, name, ...definedOnly({ uid }) };
}

export function create<T extends KubeObject>(object: T, options: Pick<CreateRequest, 'ignore'> = {}): CreateRequest<T> {
  return { op: 'create', object, ...options };
}

/** PUT; the lock is the object's own resourceVersion. */
export function update<T extends KubeObject>(object: T, options: Pick<UpdateRequest, 'ignore' | 'subresource'> = {}): UpdateRequest<T> {
  return { op: 'update', object, ...options };
}

/** Merge patch; with `resourceVersion` it fails with `Conflict` when the object has changed since. */
export function mergePatch(
  target: KubeObject | Ref,
  body: object,
  options: Pick<PatchRequest, 'ignore' | 'subresource'> & { readonly resourceVersion?: string } = {},
): PatchRequest {
  const { resourceVersion, ...rest } = options;
  const locked = resourceVersion === undefined ? body : { ...body, metadata: { ...(body as { metadata?: object }).metadata, resourceVersion } };
  return { op: 'patch', target: toRef(target), type: 'merge', body: locked, ...rest };
}

/** JSON Patch: for one element of a list, or to test a value and set it in one request. */
export function jsonPatch(
  target: KubeObject | Ref,
  operations: readonly object[],
  options: Pick<PatchRequest, 'ignore' | 'subresource'> = {},
): PatchRequest {
  return { op: 'patch', target: toRef(target), type: 'json', body: operations, ...options };
}

/** DELETE of exactly this object (its UID is the precondition); `NotFound` is ignored. */
export function remove(target: KubeObject | Ref, options: Pick<DeleteRequest, 'propagation' | 'resourceVersion' | 'ignore'> = {}): DeleteRequest {
  return { op: 'delete', target: toRef(target), ignore: ['NotFound'], ...options };
}

export function event(regarding: KubeObject | Ref, event: Pick<EventRequest, 'type' | 'reason' | 'action' | 'note'>): EventRequest {
  return { op: 'event', regarding: toRef(regarding), ...event };
}

export function measure(metric: string, value: number, labels: MeasureRequest['labels']): MeasureRequest {
  return { op: 'measure', metric, value, labels };
}

export function get(target: KubeObject | Ref, options: Pick<GetRequest, 'ignore'> = {}): GetRequest {
  return { op: 'get', target: toRef(target), ...options };
}

export function list(target: ListRequest['target'], labels: ListRequest['labels'], options: Pick<ListRequest, 'ignore'> = {}): ListRequest {
  return { op: 'list', target, labels, ...options };
}

/** The failures of a stage, except those that its requests ignore and those of events. */
export function failuresOf(requests: readonly Request[], outcomes: readonly Outcome[]): Failure[] {
  return outcomes.flatMap((outcome, i) => {
    const request = requests[i];
    return outcome.ok || request === undefined || request.op === 'event' || request.ignore?.includes(outcome.failure.reason)
      ? []
      : [outcome.failure];
  });
}

/** A stage followed by another one. Without requests the next stage is entered at once. */
export function stage<M = undefined>(
  requests: readonly Request[],
  next: (outcomes: readonly Outcome[]) => Plan<M>,
  options: Pick<Plan<M>, 'memory'> = {},
): Plan<M> {
  return requests.length === 0 && options.memory === undefined ? next([]) : { requests, next, ...options };
}

function toRef(target: KubeObject | Ref): Ref {
  return 'metadata' in target ? refOf(target) : target;
}
