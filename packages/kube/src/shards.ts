import type { Cluster } from './cluster.js';
import { sleep } from './clock.js';
import { LeaderElector } from './leader.js';
import { onAbort } from './signals.js';

export interface ShardElectionOptions {
  readonly cluster: Cluster;
  /** Namespace of the Leases. */
  readonly namespace: string;
  /** Name of the Lease that all processes of the set hold together, and of no process outside of it. */
  readonly name: string;
  /** Names of the Leases of the shards, at least two. Processes with another number of them are outside of the set. */
  readonly shards: readonly string[];
  /** Name of this process, different from all others, also from an earlier run. */
  readonly identity: string;
}

/** Of the Lease of a shard: from the loss of its holder to its end, milliseconds. */
const SHARD_LEASE = { leaseDurationMs: 10_000, renewDeadlineMs: 7_000, retryPeriodMs: 1_000 };

/** How much longer a free shard is left to others for each shard that this process holds, and at most. */
const HESITATION_MS = 1_500;
const MOST_HESITATION_MS = 3_000;

/** How often processes compare how many shards they hold. */
const BALANCE_MS = 3_000;

/** How long a process that lost a shard may take to give up the others. */
const GIVE_UP_MS = 2_000;

/** Number of the set's shards by holder. */
type Holdings = ReadonlyMap<string, number>;

/**
 * Distributes shards of the work among processes, by a Lease for each shard. A process that ends or is lost leaves its shards to the others;
 * a process that comes later asks those that hold two more than it does for one of theirs.
 *
 * All processes with the same number of shards hold a further Lease together. As long as one of them runs, no process with another number, and
 * none that leads alone, can acquire it: two divisions of the work are never in force at the same time.
 */
export class ShardElection {
  private readonly set: LeaderElector;
  private readonly electors: readonly LeaderElector[];
  /** Ends the work on a shard of this process, so that another one can take it. */
  private readonly handovers = new Map<number, AbortController>();
  private turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: ShardElectionOptions) {
    const { cluster, namespace, name, shards, identity } = options;
    this.set = new LeaderElector({ cluster, namespace, name, identity: `shards-of-${shards.length}`, isShared: true });
    this.electors = shards.map(shard => new LeaderElector({
      cluster,
      namespace,
      name: shard,
      identity,
      ...SHARD_LEASE,
      hesitationMs: () => Math.min(MOST_HESITATION_MS, HESITATION_MS * this.held.length),
      inTurn: attempt => this.inTurn(attempt),
    }));
  }

  /** Whether this process may work on the shards that it holds, at this very moment. */
  public get isValid(): boolean {
    return this.set.isLeader && [...this.handovers.keys()].every(shard => this.electors[shard]!.isLeader);
  }

  /** The shards of which this process holds the Lease. */
  private get held(): readonly number[] {
    return [...this.electors.keys()].filter(shard => this.electors[shard]!.isLeader);
  }

  /**
   * Acquires shards and calls `lead` for each of them, which works until its signal is aborted; then the shard is given up. `start` is called
   * before, as soon as this process belongs to the set. Rejects with `LeadershipLostError` when a Lease is lost: the process ought to end.
   */
  public async run(
    start: (signal: AbortSignal) => Promise<void>, lead: (shard: number, signal: AbortSignal) => Promise<void>, signal: AbortSignal,
  ): Promise<void> {
    await this.set.run(async leading => {
      const ending = new AbortController();
      const forget = onAbort(leading, () => ending.abort(leading.reason));
      const competing = this.electors.map((_elector, shard) => this.compete(shard, lead, ending.signal));
      const all = [start(ending.signal), this.balance(ending.signal), ...competing];
      try {
        await Promise.all(all);
      } catch (error) {
        // The loss of one shard ends the process: the others are given up rather than left to run out.
        ending.abort(error);
        await Promise.race([Promise.allSettled(all), sleep(this.options.cluster.clock, GIVE_UP_MS)]);
        throw error;
      } finally {
        ending.abort();
        forget();
      }
    }, signal);
  }

  private async compete(shard: number, lead: (shard: number, signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const handover = new AbortController();
      const forget = onAbort(signal, () => handover.abort(signal.reason));
      try {
        await this.electors[shard]!.run(async leading => {
          this.handovers.set(shard, handover);
          try {
            await lead(shard, leading);
          } finally {
            this.handovers.delete(shard);
          }
        }, handover.signal);
      } finally {
        forget();
      }
    }
  }

  /** One attempt at a time, so that a process does not take several shards before it knows that it has one. */
  private inTurn<T>(attempt: () => Promise<T>): Promise<T> {
    const result = this.turn.then(attempt);
    this.turn = result.catch(() => undefined);
    return result;
  }

  private async balance(signal: AbortSignal): Promise<void> {
    const { cluster } = this.options;
    while (!signal.aborted) {
      await sleep(cluster.clock, BALANCE_MS * (1 + 0.2 * cluster.random()), signal).catch(() => undefined);
      if (!signal.aborted) {
        await this.compare();
      }
    }
  }

  private async compare(): Promise<void> {
    const { identity } = this.options;
    const holdings: Holdings = this.electors.reduce((counts, { leader }) =>
      (leader === undefined ? counts : counts.set(leader, (counts.get(leader) ?? 0) + 1)), new Map<string, number>());
    const countOf = (holder: string | undefined) => (holder === undefined ? 0 : holdings.get(holder) ?? 0);
    const mine = this.held.length;
    const given = [...this.handovers.keys()].find(shard => {
      const { handoverTo } = this.electors[shard]!;
      return handoverTo !== undefined && handoverTo !== identity && countOf(handoverTo) + 2 <= mine;
    });
    if (given !== undefined) {
      this.handovers.get(given)!.abort();
      return;
    }
    const rich = this.electors.filter(({ leader }) => leader !== identity && countOf(leader) >= mine + 2);
    await rich[Math.floor(this.options.cluster.random() * rich.length)]?.askForHandover();
  }
}
