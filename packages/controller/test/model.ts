import { EXTENSIONS_GROUP, GROUP, type ObjectMeta, definedOnly, type PodStatus } from 'agent-sandbox-api';
import { INDEXES, type Cache, type IndexOf, type Kind, type Kinds } from '../src/reconcile/cache.js';
import { semanticallyEqual } from '../src/object/diff.js';
import { timestamp } from '../src/object/time.js';
import { resultOf, type ReconcileResult } from '../src/reconcile/run-plan.js';
import type { KubeObject } from '../src/object/metadata.js';
import { failed, ok, type DeleteRequest, type EventRequest, type FailureReason, type ListRequest, type MeasureRequest, type Outcome, type PatchRequest, type Plan, type Ref, type Request, type UpdateRequest } from '../src/reconcile/plan.js';

type Json = { [key: string]: unknown };
type Stored = KubeObject & { readonly spec?: unknown; readonly status?: unknown };

/** Refuses a request; `undefined` lets it through. */
export type Intercept = (request: Request) => { reason: FailureReason; message: string } | undefined;

const SUBRESOURCE_KINDS = new Set(['Sandbox', 'SandboxClaim', 'SandboxWarmPool', 'Pod']);
const FOREGROUND = 'foregroundDeletion';

/**
 * An API server in memory, for pure reconcilers: optimistic locking, generations, the status subresource, finalizers,
 * graceful deletion of Pods that run on a node, and garbage collection by owner references when asked (`collect`).
 * Objects are never changed in place, so a `snapshot` costs nothing and stays what it was: it serves as a stale cache.
 */
export class Model implements Cache {
  /** Time of the server, milliseconds since the epoch. */
  public now = Date.UTC(2026, 0, 1);
  /** Every request that changed something, in order; Events apart. */
  public readonly writes: Request[] = [];
  public readonly events: EventRequest[] = [];
  public readonly measures: MeasureRequest[] = [];
  public intercept?: Intercept;
  private objects = new Map<string, Stored>();
  private version = 1;
  private uids = 0;

  /** Grows with every change of anything. */
  public get revision(): number {
    return this.version;
  }

  /** The objects as they are now, for reading; later writes to the model do not show. */
  public snapshot(): Model {
    const copy = new Model();
    copy.now = this.now;
    copy.objects = new Map(this.objects);
    copy.version = this.version;
    copy.uids = this.uids;
    return copy;
  }

  /** Takes over one object as another model has it now, as a cache that lags sees a write of its own process at once. */
  public mirror(other: Model, ref: Ref): void {
    const object = other.lookUp(ref);
    if (object === undefined) {
      this.objects.delete(`${ref.kind}/${ref.namespace}/${ref.name}`);
    } else {
      this.objects.set(keyOf(object), object);
    }
  }

  /** Stores an object, with its status, as another client than the controller; throws when the server would refuse. */
  public create<T extends KubeObject>(object: T): T {
    const created = accepted(this.post(object)) as Stored;
    const { status } = object as Stored;
    return (status === undefined ? created : this.store({ ...created, status }, true)) as unknown as T;
  }

  /** Changes an object as another client, status included; throws when there is none. */
  public edit<T extends KubeObject>(object: T, change: (draft: T) => void): T {
    const draft = structuredClone(this.find(object)) as T;
    change(draft);
    return this.store({ ...draft, metadata: { ...draft.metadata, resourceVersion: undefined } } as unknown as Stored, true) as unknown as T;
  }

  /** Deletes an object as another client. */
  public destroy(object: KubeObject, propagation?: DeleteRequest['propagation']): void {
    accepted(this.delete({ op: 'delete', target: refFrom(object), ...definedOnly({ propagation }) }));
  }

  public get<K extends Kind>(kind: K, namespace: string, name: string): Kinds[K] | undefined {
    return this.objects.get(`${kind}/${namespace}/${name}`) as unknown as Kinds[K] | undefined;
  }

  public byIndex<K extends Kind>(kind: K, index: IndexOf<K>, value: string): Kinds[K][] {
    const file = (INDEXES[kind] as { [index: string]: (object: KubeObject) => string[] })[index]!;
    return this.list(kind).filter(object => file(object as KubeObject).includes(value));
  }

  public list<K extends Kind>(kind: K): Kinds[K][] {
    return [...this.objects.values()].filter(object => object.kind === kind) as unknown as Kinds[K][];
  }

  /** Everything, by kind, namespace and name. */
  public all(): readonly KubeObject[] {
    return [...this.objects.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
  }

  /** Answers a request of the controller. */
  public send(request: Request): Outcome {
    const refused = this.intercept?.(request);
    if (refused !== undefined) {
      return failed(refused.reason, refused.message);
    }
    const before = this.version;
    const outcome = this.answer(request);
    if (request.op !== 'event' && request.op !== 'get' && request.op !== 'list' && (this.version !== before || !outcome.ok)) {
      this.writes.push(request);
    }
    return outcome;
  }

  /** Deletes what all owners of have gone, until nothing is left to do. Foreground deletions end here, too. */
  public collect(): void {
    for (let changed = true; changed;) {
      const uids = new Map([...this.objects.values()].map(object => [object.metadata.uid, object]));
      changed = false;
      for (const [key, object] of [...this.objects]) {
        const owners = object.metadata.ownerReferences ?? [];
        const waiting = (uid: string) => uids.get(uid)?.metadata.finalizers?.includes(FOREGROUND) ?? false;
        const solid = owners.filter(({ uid }) => uids.has(uid) && !waiting(uid));
        if (owners.length > 0 && solid.length === 0 && object.metadata.deletionTimestamp === undefined) {
          const foreground = owners.some(({ uid }) => waiting(uid));
          changed = this.delete({ op: 'delete', target: refFrom(object), ...(foreground ? { propagation: 'Foreground' } : {}) }).ok || changed;
        } else if (owners.some(({ uid }) => !uids.has(uid)) && solid.length > 0) {
          this.store({ ...object, metadata: { ...object.metadata, ownerReferences: solid } }, true);
        }
        const dependents = [...this.objects.values()].some(other =>
          other.metadata.ownerReferences?.some(({ uid, blockOwnerDeletion }) => uid === object.metadata.uid && blockOwnerDeletion));
        if (this.objects.has(key) && object.metadata.finalizers?.includes(FOREGROUND) && !dependents) {
          const finalizers = object.metadata.finalizers.filter(finalizer => finalizer !== FOREGROUND);
          this.store({ ...object, metadata: { ...object.metadata, finalizers } }, true);
          changed = true;
        }
      }
    }
  }

  /** What the scheduler and the kubelet do: Pods run and become ready, terminating ones without finalizers go. */
  public runPods(status: (pod: Kinds['Pod']) => PodStatus = readyStatus): void {
    for (const pod of this.list('Pod')) {
      if (pod.metadata.deletionTimestamp !== undefined) {
        if ((pod.metadata.finalizers ?? []).length === 0) {
          this.erase(pod as KubeObject);
        }
      } else if ((pod.status?.phase ?? 'Pending') === 'Pending') {
        this.store({ ...pod, spec: { ...pod.spec, nodeName: 'node-1' }, status: status(pod) } as Stored, true);
      }
    }
  }

  private answer(request: Request): Outcome {
    switch (request.op) {
      case 'create':
        return this.post(request.object);
      case 'patch':
        return this.patch(request);
      case 'update':
        return this.put(request);
      case 'delete':
        return this.delete(request);
      case 'event':
        this.events.push(request);
        return ok();
      case 'measure':
        this.measures.push(request);
        return ok();
      case 'get': {
        const object = this.lookUp(request.target);
        return object === undefined ? notFound(request.target) : ok(object);
      }
      case 'list':
        return { ok: true, items: this.select(request) };
    }
  }

  private select({ target, labels }: ListRequest): Stored[] {
    return [...this.objects.values()].filter(({ kind, metadata }) => kind === target.kind && metadata.namespace === target.namespace
      && Object.entries(labels).every(([key, value]) => metadata.labels?.[key] === value));
  }

  private post(object: KubeObject): Outcome {
    const name = object.metadata.name ?? `${object.metadata.generateName ?? ''}${(++this.uids).toString(36).padStart(5, 'x')}`;
    const target = refFrom({ ...object, metadata: { ...object.metadata, name } });
    if (this.lookUp(target) !== undefined) {
      return failed('AlreadyExists', `${target.kind} "${name}" already exists`);
    }
    const metadata: ObjectMeta = {
      ...object.metadata,
      name,
      uid: `uid-${++this.uids}`,
      creationTimestamp: timestamp(this.now),
      ...(object.kind === 'Pod' ? {} : { generation: 1 }),
    };
    const problem = invalidMetadata(metadata);
    if (problem !== undefined) {
      return failed('Invalid', problem);
    }
    const status = object.kind === 'Pod' ? { phase: 'Pending' } : undefined;
    return ok(this.insert(defaulted(withoutNothing({ ...object, metadata, status }) as Stored)));
  }

  private patch(request: PatchRequest): Outcome {
    const stored = this.lookUp(request.target);
    if (stored === undefined) {
      return notFound(request.target);
    }
    const patched = request.type === 'merge' ? mergeInto(stored, request.body) : applyOperations(stored, request.body as Json[]);
    return patched === undefined
      ? failed('Invalid', 'the server rejected our request due to an error in our request')
      : this.replace(stored, patched as unknown as Stored, request.subresource);
  }

  private put(request: UpdateRequest): Outcome {
    const stored = this.lookUp(refFrom(request.object));
    if (stored === undefined) {
      return notFound(refFrom(request.object));
    }
    return request.object.metadata.resourceVersion === undefined
      ? failed('Invalid', 'metadata.resourceVersion: must be specified for an update')
      : this.replace(stored, request.object, request.subresource);
  }

  private replace(stored: Stored, wanted: Stored, subresource: string | undefined): Outcome {
    const { resourceVersion, uid } = wanted.metadata;
    if ((resourceVersion !== undefined && resourceVersion !== stored.metadata.resourceVersion) || uid !== stored.metadata.uid) {
      return failed('Conflict', `Operation cannot be fulfilled on ${stored.kind} "${stored.metadata.name}": the object has been modified`);
    }
    const problem = invalidMetadata(wanted.metadata);
    if (problem !== undefined) {
      return failed('Invalid', problem);
    }
    const hasStatus = SUBRESOURCE_KINDS.has(stored.kind);
    const next = subresource === 'status' ? { ...stored, status: wanted.status } : hasStatus ? { ...wanted, status: stored.status } : wanted;
    return ok(this.store(next, false));
  }

  private delete({ target, resourceVersion, propagation }: DeleteRequest): Outcome {
    const stored = this.lookUp(target);
    if (stored === undefined) {
      return notFound(target);
    }
    const { metadata } = stored;
    const other = target.uid !== undefined && target.uid !== metadata.uid;
    if (other || (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion)) {
      return failed('Conflict', `Precondition failed: ${stored.kind} "${metadata.name}" is another object now`);
    }
    const finalizers = [...new Set([...(metadata.finalizers ?? []), ...(propagation === 'Foreground' ? [FOREGROUND] : [])])];
    const graceful = stored.kind === 'Pod' && (stored.spec as { nodeName?: string } | undefined)?.nodeName !== undefined;
    if (finalizers.length === 0 && !graceful) {
      this.erase(stored);
      return ok();
    }
    const deletionTimestamp = metadata.deletionTimestamp ?? timestamp(this.now);
    return ok(this.store({ ...stored, metadata: { ...metadata, finalizers, deletionTimestamp } }, true));
  }

  /** Stores a new state; the last finalizer of a deleted object takes it along. A write that changes nothing leaves no trace. */
  private store(object: Stored, privileged: boolean): Stored {
    const stored = this.find(object);
    const { creationTimestamp, deletionTimestamp, uid, generation } = stored.metadata;
    const metadata: ObjectMeta = privileged
      ? { ...object.metadata, uid }
      : { ...object.metadata, uid, creationTimestamp, deletionTimestamp };
    const changedSpec = !semanticallyEqual(withoutNothing(stored.spec), withoutNothing(object.spec));
    const counted = definedOnly({ generation: generation === undefined ? undefined : generation + (changedSpec ? 1 : 0) });
    const { resourceVersion } = stored.metadata;
    const next = defaulted(withoutNothing({ ...object, metadata: { ...metadata, resourceVersion, ...counted } }) as Stored);
    if (semanticallyEqual(next, stored)) {
      return stored;
    }
    const gone = next.metadata.deletionTimestamp !== undefined && (next.metadata.finalizers ?? []).length === 0 && next.kind !== 'Pod';
    if (gone) {
      this.erase(next);
      return next;
    }
    return this.insert(next);
  }

  private insert(object: Stored): Stored {
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.version) } };
    this.objects.set(keyOf(stored), stored);
    return stored;
  }

  private erase(object: KubeObject): void {
    this.version++;
    this.objects.delete(keyOf(object));
  }

  private lookUp({ kind, namespace, name }: Ref): Stored | undefined {
    return this.objects.get(`${kind}/${namespace}/${name}`);
  }

  private find(object: KubeObject): Stored {
    const stored = this.lookUp(refFrom(object));
    if (stored === undefined) {
      throw new Error(`${object.kind} "${object.metadata.name}" not found`);
    }
    return stored;
  }
}

/** Where a pass is stopped, as if the process had died there. */
export interface PassOptions<M> {
  /** Requests (Events apart) that are still sent. */
  readonly crashAfter?: number;
  remember?(memory: M | null): void;
}

/** Runs a plan against the model; `undefined` when it crashed. */
export function reconcileInModel<M>(first: Plan<M>, model: Model, options: PassOptions<M> = {}): ReconcileResult | undefined {
  let plan = first;
  let sent = 0;
  for (let stages = 0; stages < 100; stages++) {
    if (plan.memory !== undefined) {
      options.remember?.(plan.memory);
    }
    const outcomes: Outcome[] = [];
    for (const request of plan.requests) {
      if (request.op !== 'event' && request.op !== 'measure' && sent++ === options.crashAfter) {
        return undefined;
      }
      outcomes.push(model.send(request));
    }
    if (plan.next === undefined) {
      return resultOf(plan, outcomes);
    }
    plan = plan.next(outcomes);
  }
  throw new Error('a pass has more than 100 stages');
}

/** Status of a Pod that runs and is ready. */
function readyStatus(): PodStatus {
  return {
    phase: 'Running',
    podIPs: [{ ip: '10.0.0.1' }],
    conditions: [{ type: 'PodScheduled', status: 'True' }, { type: 'Ready', status: 'True' }],
  };
}

/** API versions of the kinds, for test objects. */
export const API_VERSION = { sandbox: `${GROUP}/v1beta1`, extensions: `${EXTENSIONS_GROUP}/v1beta1` } as const;

function accepted(outcome: Outcome): KubeObject | undefined {
  if (!outcome.ok) {
    throw new Error(`${outcome.failure.reason}: ${outcome.failure.message}`);
  }
  return outcome.object;
}

function refFrom({ apiVersion, kind, metadata: { namespace = '', name = '', uid } }: KubeObject): Ref {
  return { apiVersion, kind, namespace, name, ...definedOnly({ uid }) };
}

function keyOf({ kind, metadata: { namespace = '', name = '' } }: KubeObject): string {
  return `${kind}/${namespace}/${name}`;
}

function notFound({ kind, name }: Ref): Outcome {
  return failed('NotFound', `${kind} "${name}" not found`);
}

function invalidMetadata({ ownerReferences = [], labels = {} }: ObjectMeta): string | undefined {
  if (ownerReferences.filter(({ controller }) => controller).length > 1) {
    return 'metadata.ownerReferences: only one reference can have controller set to true';
  }
  return Object.values(labels).some(value => value.length > 63) ? 'metadata.labels: must be no more than 63 characters' : undefined;
}

/** The defaults of the API server that reconcilers must not fight against. */
function defaulted(object: Stored): Stored {
  if (object.kind !== 'NetworkPolicy') {
    return object;
  }
  const spec = structuredClone(object.spec ?? {}) as { ingress?: Json[]; egress?: Json[] };
  for (const port of [...(spec.ingress ?? []), ...(spec.egress ?? [])].flatMap(rule => (rule.ports ?? []) as Json[])) {
    port.protocol ??= 'TCP';
  }
  return { ...object, spec };
}

function mergeInto(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) {
    return patch;
  }
  const result: Json = { ...(typeof target === 'object' && target !== null && !Array.isArray(target) ? (target as Json) : {}) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) {
      delete result[key];
    } else {
      result[key] = mergeInto(result[key], value);
    }
  }
  return result;
}

/** RFC 6902 as far as reconcilers use it: test, add, replace, remove. `undefined`: a test failed. */
function applyOperations(object: unknown, operations: readonly Json[]): unknown {
  const root = structuredClone(object) as Json;
  for (const { op, path, value } of operations as unknown as { op: string; path: string; value?: unknown }[]) {
    const steps = path.split('/').slice(1).map(part => part.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = steps.pop()!;
    const parent = steps.reduce<unknown>((node, step) => (node as Json | undefined)?.[step], root) as Json | undefined;
    if (parent === undefined || (op === 'test' ? !semanticallyEqual(parent[last], value) : op !== 'add' && parent[last] === undefined)) {
      return undefined;
    }
    if (op === 'remove') {
      if (Array.isArray(parent)) {
        parent.splice(Number(last), 1);
      } else {
        delete parent[last];
      }
    } else if (op === 'add' && Array.isArray(parent)) {
      parent.splice(last === '-' ? parent.length : Number(last), 0, value);
    } else if (op !== 'test') {
      parent[last] = value;
    }
  }
  return root;
}

function withoutNothing(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

/**
 * Runs passes until one writes nothing. Throws where a pass that only created and patched, and plans no other look, is followed by one
 * that writes: the events of own writes trigger none.
 */
export function settle(pass: () => { readonly requests: readonly Request[]; readonly result: ReconcileResult | undefined }): void {
  let done = false;
  for (let i = 0; ; i++) {
    const { requests, result } = pass();
    const writes = requests.filter(({ op }) => op !== 'event' && op !== 'measure');
    if (requests.length === 0) {
      return;
    }
    if (i > 20) {
      throw new Error('the reconciler does not come to rest');
    }
    if (done && writes.length > 0) {
      throw new Error(`work is left when all writes of a pass have succeeded: ${JSON.stringify(writes)}`);
    }
    done = writes.every(({ op }) => op === 'create' || op === 'patch') && (result?.errors ?? []).length === 0 && result?.requeueAfterMs === undefined;
  }
}
