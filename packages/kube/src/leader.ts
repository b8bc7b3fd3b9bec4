import { LEASES, type Lease } from 'agent-sandbox-api';
import type { Cluster } from './cluster.js';
import { microTime, sleep } from './clock.js';
import { isAlreadyExists, isNotFound, isSituation } from './errors.js';
import { Reader } from './reader.js';
import { onAbort } from './signals.js';

/** On a Lease: the candidate that asks its holder to hand it over. */
const HANDOVER = 'agent-sandbox/handover-to';

export interface LeaderElectorOptions {
  readonly cluster: Cluster;
  /** Namespace of the Lease. */
  readonly namespace: string;
  /** Name of the Lease: all candidates use the same. */
  readonly name: string;
  /** Name of this candidate, different from all others, also from an earlier run: host name and a random part. */
  readonly identity: string;
  /** Milliseconds after which others may take over from a leader that does not renew. Whole seconds. @default 15000 */
  readonly leaseDurationMs?: number;
  /** Milliseconds after which a leader that cannot renew gives up; less than `leaseDurationMs`. @default 10000 */
  readonly renewDeadlineMs?: number;
  /** Milliseconds between attempts to acquire or renew; less than `renewDeadlineMs`. @default 2000 */
  readonly retryPeriodMs?: number;
  /** Whether the Lease is given up on a planned end, so that another candidate need not wait for it to run out. @default true */
  readonly releaseOnCancel?: boolean;
  /**
   * Whether processes lead together under one identity, each of them renewing the Lease. It is never released then: a candidate of another
   * identity waits until the last of them has stopped. @default false
   */
  readonly isShared?: boolean;
  /** Milliseconds for which a Lease that is free is left to other candidates; called at each attempt. @default - none */
  readonly hesitationMs?: () => number;
  /** Runs an attempt to acquire the Lease, for candidates that must not do so at the same time. @default - at once */
  readonly inTurn?: <T>(attempt: () => Promise<T>) => Promise<T>;
  /** Called when the leader changes, also when this candidate becomes the leader. @default - no callback */
  readonly onNewLeader?: (identity: string) => void;
}

/** The Lease could not be renewed in time, or another candidate holds it: this process must not write any more. */
export class LeadershipLostError extends Error {
  constructor(lease: string, why: string) {
    super(`lost the Lease ${lease}: ${why}`);
    this.name = 'LeadershipLostError';
  }
}

/**
 * Leader election among candidates by a Lease of `coordination.k8s.io/v1`, compatible with client-go's
 * candidates.
 *
 * The clocks of the machines need not agree: a candidate takes over when *it* has seen the Lease unchanged for its
 * `leaseDurationSeconds`, and a leader counts from the moment before it requested a renewal. Both use the monotonic clock.
 */
export class LeaderElector {
  private readonly reader: Reader;
  private readonly leaseDurationMs: number;
  private readonly renewDeadlineMs: number;
  private readonly retryPeriodMs: number;
  private readonly where: string;
  /** The Lease as last seen, and when it was first seen like this. */
  private observed?: { readonly lease: Lease; readonly at: number };
  /** Monotonic milliseconds just before the last renewal that succeeded; undefined while another leads. */
  private renewedAt?: number;
  /** Since when there is no Lease. */
  private missingSince?: number;
  private reported?: string;

  /** Throws if the times do not fit together. */
  constructor(private readonly options: LeaderElectorOptions) {
    this.reader = new Reader(options.cluster);
    this.leaseDurationMs = options.leaseDurationMs ?? 15_000;
    this.renewDeadlineMs = options.renewDeadlineMs ?? 10_000;
    this.retryPeriodMs = options.retryPeriodMs ?? 2_000;
    this.where = `${options.namespace}/${options.name}`;
    if (this.leaseDurationMs % 1000 !== 0 || this.leaseDurationMs < 1000) {
      throw new Error(`leaseDurationMs is ${this.leaseDurationMs}: give whole seconds, at least 1000`);
    }
    if (!(this.retryPeriodMs > 0 && this.retryPeriodMs < this.renewDeadlineMs && this.renewDeadlineMs < this.leaseDurationMs)) {
      throw new Error(`retryPeriodMs ${this.retryPeriodMs} < renewDeadlineMs ${this.renewDeadlineMs} < leaseDurationMs ${this.leaseDurationMs} must hold: correct one of them`);
    }
  }

  /** Whether this process may act as leader at this very moment. False also after a pause of the process that was too long. */
  public get isLeader(): boolean {
    return this.renewedAt !== undefined && this.now() - this.renewedAt < this.renewDeadlineMs;
  }

  /** Identity of the leader as last seen, undefined if there is none. */
  public get leader(): string | undefined {
    return this.observed?.lease.spec?.holderIdentity || undefined;
  }

  /** The candidate that asks for the Lease, which this process may give up for it. */
  public get handoverTo(): string | undefined {
    return this.observed?.lease.metadata.annotations?.[HANDOVER];
  }

  /**
   * Asks the holder of the Lease to hand it over, once. Not where it may have stopped: other candidates would have to
   * wait for longer until the Lease runs out.
   */
  public async askForHandover(): Promise<void> {
    const { cluster, identity } = this.options;
    const { lease, at } = this.observed ?? {};
    if (lease === undefined || at === undefined || this.handoverTo !== undefined || this.now() - at > this.retryPeriodMs * 2) {
      return;
    }
    const asked = { ...lease, metadata: { ...lease.metadata, annotations: { ...lease.metadata.annotations, [HANDOVER]: identity } } };
    try {
      this.observe(await this.write('update', asked, this.retryPeriodMs));
    } catch (error) {
      cluster.logger.debug({ lease: this.where, err: error }, 'could not ask for the Lease');
    }
  }

  /**
   * Waits until this process leads, then calls `lead` and keeps the Lease while that runs.
   *
   * When `signal` is aborted, so is the signal that `lead` got; the Lease is kept until `lead` has ended, then released, and the
   * call resolves. It resolves in the same way when `lead` ends by itself, and rejects with what `lead` rejects with.
   *
   * Rejects with `LeadershipLostError` when the Lease is lost. `lead`'s signal is aborted with it and `lead` is not waited for,
   * since the process ought to end.
   */
  public async run(lead: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    if (!await this.acquire(signal)) {
      return;
    }
    const leading = new AbortController();
    const renewing = new AbortController();
    const forget = onAbort(signal, () => leading.abort(signal.reason));
    const kept = this.keep(renewing.signal);
    try {
      await Promise.race([lead(leading.signal), kept]);
    } catch (error) {
      leading.abort(error);
      throw error;
    } finally {
      forget();
      renewing.abort();
      // A renewal under way would make our version of the Lease an old one, which cannot be released.
      await kept.catch(() => undefined);
      await this.release();
    }
  }

  /** True when this process leads, false when the signal came first. */
  private async acquire(signal: AbortSignal): Promise<boolean> {
    const { cluster, identity, inTurn = <T>(attempt: () => Promise<T>) => attempt() } = this.options;
    while (!signal.aborted) {
      // Not ended by the signal: a Lease that is acquired without our knowing could not be released.
      if (await inTurn(() => this.attempt(this.retryPeriodMs * 2))) {
        cluster.logger.info({ lease: this.where, identity }, 'became leader');
        if (!signal.aborted) {
          return true;
        }
        await this.release();
      } else {
        // Candidates that start together must not stay in step.
        await sleep(cluster.clock, this.retryPeriodMs * (1 + 0.2 * cluster.random()), signal).catch(() => undefined);
      }
    }
    return false;
  }

  /** Renews the Lease. Resolves after the signal; rejects when the Lease is lost. */
  private async keep(signal: AbortSignal): Promise<void> {
    const { clock } = this.options.cluster;
    while (!signal.aborted) {
      await sleep(clock, Math.min(this.retryPeriodMs, Math.max(0, this.renewalLeft())), signal).catch(() => undefined);
      if (signal.aborted) {
        return;
      }
      if (this.renewalLeft() > 0) {
        await this.attempt(Math.min(this.renewalLeft(), this.renewDeadlineMs / 2));
      }
      if (!this.isLeader) {
        const why = this.leader && this.leader !== this.options.identity ? `${this.leader} holds it` : `not renewed for ${this.renewDeadlineMs} ms`;
        this.renewedAt = undefined;
        throw new LeadershipLostError(this.where, why);
      }
    }
  }

  private renewalLeft(): number {
    return this.renewedAt === undefined ? 0 : this.renewedAt + this.renewDeadlineMs - this.now();
  }

  /** One attempt to acquire or renew. Failures are logged; the next attempt comes in any case. */
  private async attempt(timeoutMs: number): Promise<boolean> {
    const begin = this.now();
    try {
      if (await this.tryToHold(timeoutMs)) {
        this.renewedAt = begin;
        return true;
      }
    } catch (error) {
      // Another candidate was faster: the Lease is read at once, to know whether this one still leads.
      if (isSituation(error, 'conflict') || isAlreadyExists(error)) {
        await this.look(timeoutMs).catch(() => undefined);
      }
      this.options.cluster.logger.warn({ lease: this.where, err: error }, 'could not acquire or renew the Lease');
    }
    return false;
  }

  private async tryToHold(timeoutMs: number): Promise<boolean> {
    const { identity, isShared } = this.options;
    if (!isShared && this.renewedAt !== undefined && this.observed && this.leader === identity) {
      // Other candidates do not write a Lease that is held, so the version that we wrote is the current one: one request is enough.
      try {
        this.observe(await this.write('update', this.claim(this.observed.lease), timeoutMs));
        return true;
      } catch (error) {
        if (!isSituation(error, 'conflict') && !isNotFound(error)) {
          throw error;
        }
      }
    }
    const current = await this.look(timeoutMs);
    if (!this.isFree(current)) {
      return false;
    }
    this.observe(await this.take(current, timeoutMs));
    return true;
  }

  /** Whether this candidate may take the Lease, or holds it. */
  private isFree(current: Lease | undefined): boolean {
    const holder = current?.spec?.holderIdentity;
    if (current && holder === this.options.identity) {
      return true;
    }
    const validMs = holder ? (current?.spec?.leaseDurationSeconds ?? this.leaseDurationMs / 1000) * 1000 : 0;
    const since = current ? this.observed!.at : this.missingSince!;
    return this.now() >= since + validMs + (this.options.hesitationMs?.() ?? 0);
  }

  private async take(current: Lease | undefined, timeoutMs: number): Promise<Lease> {
    const { identity, namespace, name, isShared } = this.options;
    try {
      return await (current
        ? this.write('update', this.claim(current), timeoutMs)
        : this.write('create', this.claim({ metadata: { namespace, name } }), timeoutMs));
    } catch (error) {
      const again = isShared && (isSituation(error, 'conflict') || isAlreadyExists(error)) ? await this.look(timeoutMs) : undefined;
      if (again?.spec?.holderIdentity !== identity) {
        throw error;
      }
      // Another process of the same identity was faster.
      return this.write('update', this.claim(again), timeoutMs);
    }
  }

  private async look(timeoutMs: number): Promise<Lease | undefined> {
    const { namespace, name } = this.options;
    const lease = await this.reader.find(LEASES, { namespace, name }, { timeoutMs, maxRetries: 0 });
    if (lease) {
      this.observe(lease);
      this.missingSince = undefined;
    } else {
      this.observed = undefined;
      this.missingSince ??= this.now();
    }
    if (this.leader !== this.options.identity) {
      this.renewedAt = undefined;
    }
    return lease;
  }

  private write(verb: 'create' | 'update', lease: Lease, timeoutMs: number): Promise<Lease> {
    const { namespace, name } = this.options;
    return this.options.cluster.request<Lease>(
      { verb, resource: LEASES, namespace, name: verb === 'create' ? undefined : name }, { body: lease, timeoutMs, maxRetries: 0 },
    );
  }

  /** The Lease with this process as its holder; whatever else it says stays. */
  private claim(lease: Lease): Lease {
    const { cluster, identity } = this.options;
    const now = microTime(cluster.clock.now());
    const isOurs = lease.spec?.holderIdentity === identity;
    const annotations = { ...lease.metadata.annotations };
    delete annotations[HANDOVER];
    return {
      ...lease,
      ...(isOurs || this.handoverTo === undefined ? {} : { metadata: { ...lease.metadata, annotations } }),
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      spec: {
        ...lease.spec,
        holderIdentity: identity,
        leaseDurationSeconds: this.leaseDurationMs / 1000,
        acquireTime: isOurs ? lease.spec?.acquireTime : now,
        renewTime: now,
        leaseTransitions: (lease.spec?.leaseTransitions ?? 0) + (isOurs || !lease.spec ? 0 : 1),
      },
    };
  }

  private observe(lease: Lease): void {
    if (this.observed?.lease.metadata.resourceVersion !== lease.metadata.resourceVersion) {
      this.observed = { lease, at: this.now() };
    }
    const { leader } = this;
    if (leader && leader !== this.reported) {
      this.reported = leader;
      this.options.onNewLeader?.(leader);
    }
  }

  /** Gives the Lease up if it is still ours. */
  private async release(): Promise<void> {
    const { cluster, identity, isShared = false, releaseOnCancel = !isShared } = this.options;
    const held = this.observed?.lease;
    if (!releaseOnCancel || this.renewedAt === undefined || held?.spec?.holderIdentity !== identity) {
      return;
    }
    this.renewedAt = undefined;
    const now = microTime(cluster.clock.now());
    try {
      // One second, because 0 is not allowed.
      const released = { ...held, spec: { ...held.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: now, acquireTime: now } };
      this.observe(await this.write('update', released, this.renewDeadlineMs / 2));
      cluster.logger.info({ lease: this.where, identity }, 'released the Lease');
    } catch (error) {
      cluster.logger.warn({ lease: this.where, err: error }, 'could not release the Lease: it will run out');
    }
  }

  private now(): number {
    return this.options.cluster.clock.monotonic();
  }
}
