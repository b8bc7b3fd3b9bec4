import { CONDITION, EXTENSIONS_GROUP, LABEL, isMeantToRun, type Sandbox } from 'agent-sandbox-api';
import { isConditionTrue } from '../object/conditions.js';
import { isDeleting, labelOf } from '../object/metadata.js';
import { controllerOf, isOfKind } from '../object/ownership.js';
import { IndexedHeap } from './indexed-heap.js';

/** How far a member of a pool is: it can be used, it has a Pod with an address but is not ready, or it has no address yet. */
type Stage = 'ready' | 'addressed' | 'pending';

interface Entry {
  readonly key: string;
  readonly pool: string;
  sandbox: Sandbox;
  stage: Stage;
  node: string;
  /** Place in the order of arrival. */
  sequence: number;
  reservedBy?: string;
  /** Where it waits; absent while it is reserved. */
  place?: Lane | Set<Entry>;
}

/** A pool that a claim may take a member from. */
export interface Source {
  /** `namespace/name` of the pool. */
  readonly pool: string;
  /** Changes whenever `accepts` may answer differently. */
  readonly version: string;
  /** Whether the member fits the claim. */
  readonly accepts: (sandbox: Sandbox) => boolean;
}

/** What a claim can have of its pools. */
export interface Offer {
  readonly candidate?: Sandbox;
  /** Whether there are members that have no address yet. */
  readonly pending: boolean;
}

/** What a claim holds or waits for, by its memory. */
export interface Interest {
  /** `namespace/name` of the Sandbox that it is about to adopt. */
  readonly reserved?: string;
  /** `namespace/name` of pools whose next usable member it waits for. */
  readonly waitingFor?: readonly string[];
}

/**
 * Idle Sandboxes by pool, kept from the events of the cache, so that a claim finds its candidate without looking at the whole
 * pool: the one that has waited longest on the node with the most candidates, ready ones first. Spreads the load of new
 * claims, and empties full nodes first.
 *
 * A claim reserves its candidate before it sends the first request, so that claims that are in work at the same time never
 * race for one Sandbox. In memory only: after a restart the first list fills it again.
 */
export class WarmQueue {
  private readonly entries = new Map<string, Entry>();
  private readonly pools = new Map<string, PoolQueue>();
  private readonly reservations = new Map<string, Entry>();
  private readonly waiters = new Map<string, readonly string[]>();
  private sequence = 0;

  /**
   * Takes note of a change of a Sandbox. Returns the claim that was waiting for a member like this, if any: one of them, since
   * only one can have it.
   */
  public observe({ before, after }: { readonly before?: Sandbox; readonly after?: Sandbox }): string | undefined {
    const { namespace, name } = (after ?? before)!.metadata;
    const key = `${namespace}/${name}`;
    const known = this.entries.get(key);
    const pool = after === undefined ? undefined : poolKeyOf(after);
    if (pool === undefined || pool !== known?.pool) {
      this.forget(known);
    }
    if (after === undefined || pool === undefined) {
      return undefined;
    }
    const entry = this.entries.get(key) ?? { key, pool, sandbox: after, stage: 'pending', node: '', sequence: this.sequence++ };
    const usable = this.entries.has(key) && entry.stage !== 'pending';
    this.entries.set(key, entry);
    this.update(entry, after);
    return usable || entry.stage === 'pending' || entry.reservedBy !== undefined ? undefined : this.nextWaiter(pool);
  }

  /** Forgets the members of a pool that is gone. */
  public dropPool(pool: string): void {
    for (const entry of [...this.entries.values()].filter(candidate => candidate.pool === pool)) {
      this.forget(entry);
    }
  }

  /** The best member of the pools for a claim, ready ones of all pools before others, and pools in the order given. */
  public offer(claim: string, sources: readonly Source[]): Offer {
    this.release(claim);
    for (const stage of ['ready', 'addressed'] as const) {
      for (const source of sources) {
        const candidate = this.pools.get(source.pool)?.first(stage, source);
        if (candidate !== undefined) {
          return { candidate: candidate.sandbox, pending: false };
        }
      }
    }
    return { pending: sources.some(({ pool }) => (this.pools.get(pool)?.pending.size ?? 0) > 0) };
  }

  /** Notes what a claim holds and waits for from now on. What it held and does not hold any more goes to the end of the queue. */
  public note(claim: string, { reserved, waitingFor = [] }: Interest): void {
    if (this.reservations.get(claim)?.key !== reserved) {
      this.release(claim);
      this.reserve(claim, reserved);
    }
    this.stopWaiting(claim);
    if (waitingFor.length > 0) {
      this.waiters.set(claim, waitingFor);
      waitingFor.forEach(pool => this.poolQueue(pool).waiters.add(claim));
    }
  }

  private reserve(claim: string, key: string | undefined): void {
    const entry = key === undefined ? undefined : this.entries.get(key);
    if (entry !== undefined && entry.reservedBy === undefined) {
      entry.reservedBy = claim;
      this.reservations.set(claim, entry);
      remove(entry);
    }
  }

  private release(claim: string): void {
    const entry = this.reservations.get(claim);
    this.reservations.delete(claim);
    if (entry !== undefined) {
      delete entry.reservedBy;
      entry.sequence = this.sequence++;
      this.file(entry);
    }
  }

  private update(entry: Entry, sandbox: Sandbox): void {
    const [stage, node] = [stageOf(sandbox), sandbox.status?.nodeName ?? ''];
    // One that was refused is looked at again when it has changed.
    const filed = entry.place !== undefined && entry.place === this.pools.get(entry.pool)?.[stage];
    const stays = entry.node === node && entry.stage === stage && (filed || entry.reservedBy !== undefined);
    entry.sandbox = sandbox;
    if (stays) {
      return;
    }
    remove(entry);
    entry.stage = stage;
    entry.node = node;
    if (entry.reservedBy === undefined) {
      this.file(entry);
    }
  }

  private file(entry: Entry): void {
    const queue = this.poolQueue(entry.pool);
    entry.place = queue[entry.stage];
    entry.place.add(entry);
  }

  private forget(entry: Entry | undefined): void {
    if (entry === undefined) {
      return;
    }
    remove(entry);
    this.entries.delete(entry.key);
    if (entry.reservedBy !== undefined) {
      this.reservations.delete(entry.reservedBy);
    }
    const queue = this.pools.get(entry.pool);
    if (queue?.isEmpty) {
      this.pools.delete(entry.pool);
    }
  }

  private nextWaiter(pool: string): string | undefined {
    const [claim] = this.pools.get(pool)?.waiters ?? [];
    if (claim !== undefined) {
      this.stopWaiting(claim);
    }
    return claim;
  }

  private stopWaiting(claim: string): void {
    for (const pool of this.waiters.get(claim) ?? []) {
      const queue = this.pools.get(pool);
      queue?.waiters.delete(claim);
      if (queue?.isEmpty) {
        this.pools.delete(pool);
      }
    }
    this.waiters.delete(claim);
  }

  private poolQueue(pool: string): PoolQueue {
    const queue = this.pools.get(pool) ?? new PoolQueue();
    this.pools.set(pool, queue);
    return queue;
  }
}

/** The members of one pool. */
class PoolQueue {
  public readonly ready = new Lane();
  public readonly addressed = new Lane();
  public readonly pending = new Set<Entry>();
  /** Claims that wait, in order. */
  public readonly waiters = new Set<string>();
  /** Members that did not fit, as long as nothing changes. */
  private readonly refused = new Set<Entry>();
  private version?: string;

  public get isEmpty(): boolean {
    return [this.ready, this.addressed, this.pending, this.waiters, this.refused].every(({ size }) => size === 0);
  }

  public first(stage: 'ready' | 'addressed', { version, accepts }: Source): Entry | undefined {
    if (version !== this.version) {
      this.version = version;
      for (const entry of [...this.refused]) {
        this.move(entry, this[entry.stage]);
      }
    }
    for (let entry = this[stage].first; entry !== undefined; entry = this[stage].first) {
      if (accepts(entry.sandbox)) {
        return entry;
      }
      this.move(entry, this.refused);
    }
    return undefined;
  }

  private move(entry: Entry, place: Lane | Set<Entry>): void {
    remove(entry);
    entry.place = place;
    place.add(entry);
  }
}

interface NodeQueue {
  /** Empty: members whose node is not known. */
  readonly node: string;
  readonly entries: IndexedHeap<Entry>;
}

/** Members at one stage: the first is the oldest on the node with the most of them. */
class Lane {
  private readonly nodes = new Map<string, NodeQueue>();
  private readonly order = new IndexedHeap<NodeQueue>(comesBefore);

  public get size(): number {
    return this.order.size;
  }

  public get first(): Entry | undefined {
    return this.order.first?.entries.first;
  }

  public add(entry: Entry): void {
    const queue = this.nodes.get(entry.node) ?? { node: entry.node, entries: new IndexedHeap<Entry>((a, b) => a.sequence < b.sequence) };
    this.nodes.set(entry.node, queue);
    queue.entries.place(entry);
    this.order.place(queue);
  }

  public delete(entry: Entry): void {
    const queue = this.nodes.get(entry.node);
    queue?.entries.remove(entry);
    if (queue?.entries.size === 0) {
      this.nodes.delete(entry.node);
      this.order.remove(queue);
    } else if (queue !== undefined) {
      this.order.place(queue);
    }
  }
}

function comesBefore(a: NodeQueue, b: NodeQueue): boolean {
  if ((a.node === '') !== (b.node === '')) {
    return b.node === '';
  }
  return a.entries.size !== b.entries.size ? a.entries.size > b.entries.size : a.entries.first!.sequence < b.entries.first!.sequence;
}

function remove(entry: Entry): void {
  entry.place?.delete(entry);
  delete entry.place;
}

/** `namespace/name` of the pool that a Sandbox is an idle member of; `undefined` where it is none, or none that can be used. */
export function poolKeyOf(sandbox: Sandbox): string | undefined {
  const controller = controllerOf(sandbox);
  return !isDeleting(sandbox)
    && isOfKind(controller, EXTENSIONS_GROUP, 'SandboxWarmPool')
    && labelOf(sandbox, LABEL.warmPool) !== undefined
    && labelOf(sandbox, LABEL.templateRefHash) !== undefined
    && isMeantToRun(sandbox)
    && !isConditionTrue(sandbox.status?.conditions, CONDITION.finished)
    ? `${sandbox.metadata.namespace}/${controller!.name}`
    : undefined;
}

function stageOf({ status }: Sandbox): Stage {
  if (!status?.podIPs?.length) {
    return 'pending';
  }
  return isConditionTrue(status.conditions, CONDITION.ready) ? 'ready' : 'addressed';
}
