import type { Lease } from 'agent-sandbox-api';
import { type Clock, type Timer, sleep } from '../src/clock.js';
import type { Cluster, RequestOptions, ResourceTarget } from '../src/cluster.js';
import { ApiError, RequestTimeoutError } from '../src/errors.js';
import { LeaderElector } from '../src/leader.js';
import { silentLogger } from '../src/logger.js';
import { ShardElection } from '../src/shards.js';

const NAMESPACE = 'system';
const SET = 'lock';
const shardName = (shard: number) => `lock-${shard}`;

/** How long a process goes on with a piece of work after the signal to stop, at most. */
const LONGEST_WORK_MS = 500;
const LATENCY_MS = 50;
/** Of a network that fails: many an answer then comes after the deadline. */
const SLOW_MS = 8_000;
const LOSS = 0.4;

interface Event {
  readonly at: number;
  readonly run: () => void;
}

/** Processes that elect leaders of shards over one API server, in a time that passes from event to event: the same numbers, the same course. */
export class ShardSimulation {
  public now = 0;
  public readonly processes: Process[] = [];
  /** Who worked on what while another one did. */
  public readonly violations: string[] = [];
  private readonly leases = new Map<string, Lease>();
  private events: Event[] = [];
  private version = 0;

  /** @param random gives numbers from 0 to 1 */
  constructor(public readonly random: () => number = () => 0) {}

  public at(delayMs: number, run: () => void): Event {
    const event = { at: this.now + Math.max(0, delayMs), run };
    const after = this.events.findIndex(({ at }) => at > event.at);
    this.events.splice(after < 0 ? this.events.length : after, 0, event);
    return event;
  }

  public cancel(event: Event): void {
    this.events = this.events.filter(candidate => candidate !== event);
  }

  /** Lets time pass, and everything happen that falls into it. */
  public async pass(ms: number): Promise<void> {
    const end = this.now + ms;
    await settled();
    for (let next = this.events[0]; next !== undefined && next.at <= end; next = this.events[0]) {
      this.events.shift();
      this.now = next.at;
      // A process that stood still may act before anything else does: what it believes now counts.
      this.check();
      next.run();
      await settled();
      this.check();
    }
    this.now = end;
    this.check();
  }

  /** Milliseconds until a condition holds; at most `limitMs`. */
  public async until(condition: () => boolean, limitMs: number): Promise<number> {
    const begin = this.now;
    while (!condition() && this.now - begin < limitMs) {
      await this.pass(100);
    }
    return this.now - begin;
  }

  /** Starts a process that takes part in a division of the work. One shard: it leads alone. */
  public start(shards: number): Process {
    const process = new Process(this, `process-${this.processes.length}`, shards);
    this.processes.push(process);
    return process;
  }

  /** The processes that work, by shard. */
  public holders(shards: number): (string | undefined)[] {
    return Array.from({ length: shards }, (_, shard) => this.processes.find(process => process.shards === shards && process.mayWrite(shard))?.identity);
  }

  /** Answers as an API server does. */
  public serve({ verb, name }: ResourceTarget, body: Lease | undefined): Lease {
    const key = name ?? body?.metadata.name ?? '';
    const current = this.leases.get(key);
    const refuse = (code: number, reason: string) => new ApiError(`${verb} ${key}`, code, { reason });
    if (verb === 'get') {
      if (current === undefined) {
        throw refuse(404, 'NotFound');
      }
      return structuredClone(current);
    }
    if (verb === 'create' ? current !== undefined : current === undefined) {
      throw verb === 'create' ? refuse(409, 'AlreadyExists') : refuse(404, 'NotFound');
    }
    if (verb === 'update' && body?.metadata.resourceVersion !== current?.metadata.resourceVersion) {
      throw refuse(409, 'Conflict');
    }
    const stored = structuredClone({ ...body!, metadata: { ...body!.metadata, resourceVersion: String(++this.version) } });
    this.leases.set(key, stored);
    return structuredClone(stored);
  }

  private check(): void {
    const active = this.processes.flatMap(process => Array.from({ length: process.shards }, (_, shard) => ({ process, shard })))
      .filter(({ process, shard }) => process.mayWrite(shard));
    for (const [index, { process, shard }] of active.entries()) {
      for (const other of active.slice(index + 1)) {
        if (process !== other.process && (process.shards !== other.process.shards || shard === other.shard)) {
          this.violations.push(`at ${this.now}: ${process.identity} on ${shard} of ${process.shards}, ${other.process.identity} on ${other.shard} of ${other.process.shards}`);
        }
      }
    }
  }
}

/** A process with a network and a scheduler of its own. */
export class Process {
  /** Whether the network loses and delays. */
  public failing = false;
  /** What it ended with. */
  public outcome?: unknown;
  private readonly stopping = new AbortController();
  private readonly working = new Set<number>();
  private readonly isValid: () => boolean;
  private alive = true;
  /** What happened to it while it stood still. */
  private missed?: (() => void)[];

  constructor(private readonly simulation: ShardSimulation, public readonly identity: string, public readonly shards: number) {
    const clock: Clock = {
      now: () => Date.UTC(2026, 0, 1) + simulation.now,
      monotonic: () => simulation.now,
      setTimeout: (callback, delayMs): Timer => {
        const event = simulation.at(delayMs, () => this.deliver(callback));
        return { cancel: () => simulation.cancel(event) };
      },
    };
    const cluster = {
      clock, random: simulation.random, logger: silentLogger, request: (target: ResourceTarget, options: RequestOptions) => this.request(clock, target, options),
    } as unknown as Cluster;
    const work = async (shard: number, signal: AbortSignal) => {
      this.working.add(shard);
      await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve()));
      await sleep(clock, simulation.random() * LONGEST_WORK_MS);
      this.working.delete(shard);
    };
    const options = { cluster, namespace: NAMESPACE, name: SET, identity };
    let run: Promise<void>;
    if (shards === 1) {
      const elector = new LeaderElector(options);
      this.isValid = () => elector.isLeader;
      run = elector.run(signal => work(0, signal), this.stopping.signal);
    } else {
      const election = new ShardElection({ ...options, shards: Array.from({ length: shards }, (_, shard) => shardName(shard)) });
      this.isValid = () => election.isValid;
      run = election.run(async () => undefined, work, this.stopping.signal);
    }
    run.then(() => this.end('ended'), error => this.end(error));
  }

  public get isAlive(): boolean {
    return this.alive;
  }

  /** Shards that it works on. */
  public get held(): number[] {
    return [...this.working].filter(shard => this.mayWrite(shard)).sort();
  }

  /** Whether it would send a write now, if it were to act. */
  public mayWrite(shard: number): boolean {
    return this.alive && this.working.has(shard) && this.isValid();
  }

  /** As SIGKILL. */
  public kill(): void {
    this.alive = false;
  }

  /** As SIGTERM. */
  public stop(): void {
    this.stopping.abort();
  }

  /** As SIGSTOP. */
  public pause(): void {
    this.missed ??= [];
  }

  /** As SIGCONT. */
  public resume(): void {
    const missed = this.missed ?? [];
    this.missed = undefined;
    missed.forEach(callback => this.deliver(callback));
  }

  private end(outcome: unknown): void {
    this.outcome = outcome;
    this.alive = false;
  }

  private deliver(callback: () => void): void {
    if (!this.alive) {
      return;
    }
    if (this.missed) {
      this.missed.push(callback);
    } else {
      callback();
    }
  }

  private request(clock: Clock, target: ResourceTarget, { body, timeoutMs = 30_000 }: RequestOptions): Promise<Lease> {
    const { random } = this.simulation;
    const latency = () => random() * (this.failing ? SLOW_MS : LATENCY_MS);
    const isLost = () => this.failing && random() < LOSS;
    return new Promise((resolve, reject) => {
      const timer = clock.setTimeout(() => reject(new RequestTimeoutError(target.verb, timeoutMs)), timeoutMs);
      const answer = (finish: () => void) => {
        if (!isLost()) {
          this.simulation.at(latency(), () => this.deliver(() => {
            timer.cancel();
            finish();
          }));
        }
      };
      if (!isLost()) {
        const sent = structuredClone(body) as Lease | undefined;
        this.simulation.at(latency(), () => {
          try {
            const lease = this.simulation.serve(target, sent);
            answer(() => resolve(lease));
          } catch (error) {
            answer(() => reject(error));
          }
        });
      }
    });
  }
}

/** Everything that follows from an event without further time. */
function settled(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
