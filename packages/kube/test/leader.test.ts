import { ManualClock } from '../src/clock.js';
import type { Cluster } from '../src/cluster.js';
import { LeaderElector, type LeaderElectorOptions, LeadershipLostError } from '../src/leader.js';
import { FakeApiServer, type Received } from './fake-api-server.js';
import { clusterOf, eventually } from './support.js';

const COLLECTION = '/apis/coordination.k8s.io/v1/leases';
const isWrite = ({ method }: Received) => method === 'PUT' || method === 'POST';

/** A process that takes part in elections, with a clock of its own. */
class Candidate {
  public readonly clock = new ManualClock();
  public readonly cluster: Cluster;
  public readonly elector: LeaderElector;
  public readonly stop = new AbortController();
  public leading?: AbortSignal;
  /** Ends `lead`. */
  public finish: () => void = () => undefined;
  public readonly leaders: string[] = [];
  public outcome?: unknown;

  constructor(server: FakeApiServer, identity: string, options: Partial<LeaderElectorOptions> = {}) {
    this.cluster = clusterOf(server, { clock: this.clock });
    this.elector = new LeaderElector({ cluster: this.cluster, namespace: 'system', name: 'lock', identity, onNewLeader: leader => this.leaders.push(leader), ...options });
  }

  public run(lead?: (signal: AbortSignal) => Promise<void>): Promise<unknown> {
    return this.elector.run(lead ?? (signal => {
      this.leading = signal;
      return new Promise(resolve => {
        this.finish = resolve;
        signal.addEventListener('abort', () => resolve());
      });
    }), this.stop.signal).then(() => this.outcome = 'ended', error => this.outcome = error);
  }

  /** Waits until the candidate pauses, and moves its time on by that pause. */
  public async step(ms = 2000): Promise<void> {
    await eventually(`a pause of ${ms} ms (next timer in ${this.clock.nextTimerMs})`, () => this.clock.nextTimerMs === ms);
    this.clock.advance(ms);
  }
}

describe('LeaderElector', () => {
  let server: FakeApiServer;
  let candidates: Candidate[];
  const candidate = (identity: string, options?: Partial<LeaderElectorOptions>) => {
    candidates.push(new Candidate(server, identity, options));
    return candidates.at(-1)!;
  };
  const lease = () => server.all(COLLECTION).get('system/lock')!;
  const leads = (one: Candidate) => eventually('leadership', () => one.leading);
  const writes = () => server.requests.filter(isWrite).length;
  beforeEach(async () => {
    server = await FakeApiServer.start();
    candidates = [];
  });
  afterEach(async () => {
    candidates.forEach(({ stop }) => stop.abort());
    await Promise.all(candidates.map(({ cluster }) => cluster.close()));
    await server.stop();
  });

  test('creates the Lease, keeps it with one request every 2 s, and releases it', async () => {
    const one = candidate('one');
    const done = one.run();
    await leads(one);
    expect(lease().spec).toEqual({
      holderIdentity: 'one', leaseDurationSeconds: 15, acquireTime: '2026-01-01T00:00:00.000000Z', renewTime: '2026-01-01T00:00:00.000000Z', leaseTransitions: 0,
    });
    expect(one.elector.isLeader).toBe(true);
    const before = server.requests.length;
    await one.step();
    await eventually('a renewal', () => lease().spec.renewTime === '2026-01-01T00:00:02.000000Z');
    expect(lease().spec.acquireTime).toBe('2026-01-01T00:00:00.000000Z');
    expect(server.requests.length - before).toBe(1);

    one.stop.abort();
    await done;
    expect(one.outcome).toBe('ended');
    expect(lease().spec).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1, leaseTransitions: 0 });
    expect(one.elector.isLeader).toBe(false);
  });

  test('a second candidate waits, and takes over at once after a release', async () => {
    const one = candidate('one');
    const two = candidate('two');
    const first = one.run();
    await leads(one);
    void two.run();
    await two.step();
    await two.step();
    expect(two.leading).toBeUndefined();
    expect(two.elector.leader).toBe('one');
    one.stop.abort();
    await first;
    await two.step();
    await leads(two);
    expect(lease().spec).toMatchObject({ holderIdentity: 'two', leaseTransitions: 1 });
    expect(two.leaders).toEqual(['one', 'two']);
  });

  test('takes over from a leader that is silent when its own clock has counted the whole duration, whatever the time of day', async () => {
    const one = candidate('one');
    const two = candidate('two');
    void one.run();
    await leads(one);
    two.clock.skew(3_600_000);
    void two.run();
    for (let elapsed = 0; elapsed < 14_000; elapsed += 2000) {
      await two.step();
    }
    await eventually('a pause', () => two.clock.nextTimerMs === 2000);
    expect(two.leading).toBeUndefined();
    await two.step();
    await leads(two);
    expect(two.clock.monotonic()).toBe(16_000);
    // The silent one finds out with its next request.
    await one.step();
    await eventually('the loss', () => one.outcome);
    expect(one.outcome).toBeInstanceOf(LeadershipLostError);
    expect((one.outcome as Error).message).toBe('lost the Lease system/lock: two holds it');
    expect(one.leading!.aborted).toBe(true);
    expect(lease().spec.holderIdentity).toBe('two');
  });

  test('each renewal of the leader makes the others wait anew', async () => {
    const one = candidate('one');
    const two = candidate('two');
    void one.run();
    await leads(one);
    void two.run();
    for (let round = 0; round < 12; round++) {
      const { resourceVersion } = lease().metadata;
      await one.step();
      await eventually('a renewal', () => lease().metadata.resourceVersion !== resourceVersion);
      await two.step();
    }
    expect(two.leading).toBeUndefined();
  });

  test('a leader that cannot renew for 10 s gives up, counted from before its last request', async () => {
    const one = candidate('one');
    void one.run();
    await leads(one);
    server.fail(isWrite, { code: 500, reason: 'InternalError' }, 100);
    for (let elapsed = 0; elapsed < 10_000; elapsed += 2000) {
      expect(one.elector.isLeader).toBe(true);
      await one.step();
    }
    await eventually('the loss', () => one.outcome);
    expect((one.outcome as Error).message).toBe('lost the Lease system/lock: not renewed for 10000 ms');
    expect(one.elector.isLeader).toBe(false);
    expect(one.leading!.aborted).toBe(true);
  });

  test('a leader whose process stood still for too long is none, before any request', async () => {
    const one = candidate('one');
    void one.run();
    await leads(one);
    await eventually('the pause', () => one.clock.nextTimerMs === 2000);
    const before = writes();
    // All at once, as after SIGCONT.
    one.clock.advance(60_000);
    expect(one.elector.isLeader).toBe(false);
    await eventually('the loss', () => one.outcome);
    expect(writes()).toBe(before);
  });

  test('an answer that does not come in time is no renewal', async () => {
    const one = candidate('one');
    void one.run();
    await leads(one);
    const held = [server.hold(isWrite), server.hold(isWrite)];
    await one.step();
    await held[0].arrived;
    await one.step(5000);
    await one.step(2000);
    await held[1].arrived;
    expect(one.elector.isLeader).toBe(true);
    await one.step(1000);
    await eventually('the loss', () => one.outcome);
    expect(one.outcome).toBeInstanceOf(LeadershipLostError);
  });

  test('a change of the Lease by another client, which keeps its holder, does not end the leadership', async () => {
    const one = candidate('one');
    void one.run();
    await leads(one);
    server.put(COLLECTION, { ...lease(), metadata: { ...lease().metadata, annotations: { note: 'kept' } } });
    await one.step();
    await eventually('a renewal', () => lease().spec.renewTime === '2026-01-01T00:00:02.000000Z');
    expect(lease().metadata.annotations).toEqual({ note: 'kept' });
    expect(one.elector.isLeader).toBe(true);
  });

  test('a Lease that was deleted is made again by its leader', async () => {
    const one = candidate('one');
    void one.run();
    await leads(one);
    server.remove(COLLECTION, 'system/lock');
    await one.step();
    await eventually('a new Lease', () => lease()?.spec.holderIdentity === 'one');
    await eventually('its leadership', () => one.elector.isLeader);
  });

  test('of two that find no Lease, one gets it', async () => {
    const one = candidate('one');
    const two = candidate('two');
    const gate = server.hold(({ method }) => method === 'POST');
    void one.run();
    await gate.arrived;
    void two.run();
    await leads(two);
    gate.open();
    await eventually('the loser to know', () => one.leaders.includes('two'));
    expect(one.leading).toBeUndefined();
    expect(lease().spec.holderIdentity).toBe('two');
  });

  test('the Lease is kept until the work has ended, and only then released', async () => {
    const one = candidate('one');
    let end: () => void = () => undefined;
    let stopped = false;
    const done = one.run(signal => {
      one.leading = signal;
      signal.addEventListener('abort', () => stopped = true);
      return new Promise<void>(resolve => end = resolve);
    });
    await leads(one);
    one.stop.abort();
    expect(stopped).toBe(true);
    const { resourceVersion } = lease().metadata;
    await one.step();
    await eventually('a renewal', () => lease().metadata.resourceVersion !== resourceVersion);
    expect(lease().spec.holderIdentity).toBe('one');
    end();
    await done;
    expect(lease().spec.holderIdentity).toBe('');
  });

  test('a renewal under way is waited for, so that the release does not fail', async () => {
    const one = candidate('one');
    const done = one.run();
    await leads(one);
    const gate = server.hold(isWrite);
    await one.step();
    await gate.arrived;
    one.stop.abort();
    gate.open();
    await done;
    expect(lease().spec.holderIdentity).toBe('');
  });

  test('a candidate that is stopped while it acquires releases what it got', async () => {
    const one = candidate('one');
    const gate = server.hold(isWrite);
    const done = one.run();
    await gate.arrived;
    one.stop.abort();
    gate.open();
    await done;
    expect([one.leading, one.outcome]).toEqual([undefined, 'ended']);
    expect(lease().spec.holderIdentity).toBe('');
  });

  test('without releasing, the Lease stays as it is', async () => {
    const one = candidate('one', { releaseOnCancel: false });
    const done = one.run();
    await leads(one);
    one.stop.abort();
    await done;
    expect(lease().spec.holderIdentity).toBe('one');
  });

  test('work that fails releases the Lease, and its error is the result', async () => {
    const one = candidate('one');
    await one.run(() => Promise.reject(new Error('broken')));
    expect(one.outcome).toEqual(new Error('broken'));
    expect(lease().spec.holderIdentity).toBe('');
  });

  test.each([
    [{ leaseDurationMs: 1500 }, 'leaseDurationMs is 1500: give whole seconds, at least 1000'],
    [{ renewDeadlineMs: 15_000 }, 'retryPeriodMs 2000 < renewDeadlineMs 15000 < leaseDurationMs 15000 must hold: correct one of them'],
    [{ retryPeriodMs: 10_000 }, 'retryPeriodMs 10000 < renewDeadlineMs 10000 < leaseDurationMs 15000 must hold: correct one of them'],
  ])('times that do not fit together are refused: %j', (options, message) => {
    expect(() => candidate('one', options)).toThrow(message);
  });
});
