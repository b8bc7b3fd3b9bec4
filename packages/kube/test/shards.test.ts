import * as fc from 'fast-check';
import { LeadershipLostError } from '../src/leader.js';
import { type Process, ShardSimulation } from './shard-simulation.js';

/** What the documents promise: from the loss of a process until another one works on its shard. */
const MOVES_WITHIN_MS = 20_000;
/** The Lease of a set or a single leader, and two attempts. */
const CHANGES_WITHIN_MS = 21_000;
const SETTLES_WITHIN_MS = 60_000;

describe('ShardElection', () => {
  let simulation: ShardSimulation;
  beforeEach(() => (simulation = new ShardSimulation()));
  afterEach(() => expect(simulation.violations).toEqual([]));
  const divided = async (shards: number, ...processes: Process[]) => {
    await simulation.until(() => processes.every(({ held }) => held.length === shards / processes.length), SETTLES_WITHIN_MS);
    expect(processes.map(({ held }) => held.length)).toEqual(processes.map(() => shards / processes.length));
  };

  test('a process that is alone works on all shards', async () => {
    const one = simulation.start(3);
    await simulation.pass(10_000);
    expect(one.held).toEqual([0, 1, 2]);
  });

  test('processes that start together share the shards', async () => {
    await divided(4, simulation.start(4), simulation.start(4));
  });

  test('a process that comes later is handed shards until no other has two more', async () => {
    const one = simulation.start(4);
    await divided(4, one);
    const two = simulation.start(4);
    await divided(4, one, two);
    const three = simulation.start(4);
    await simulation.until(() => three.held.length === 1, SETTLES_WITHIN_MS);
    await simulation.pass(SETTLES_WITHIN_MS);
    expect([one, two, three].map(({ held }) => held.length).sort()).toEqual([1, 1, 2]);
  });

  test('a process that ends leaves its shards to others at once', async () => {
    const [one, two] = [simulation.start(2), simulation.start(2)];
    await divided(2, one, two);
    one.stop();
    // Hesitation, a pause between two attempts, and the end of the work.
    expect(await simulation.until(() => two.held.length === 2, MOVES_WITHIN_MS)).toBeLessThan(5_000);
    expect(one.outcome).toBe('ended');
  });

  test('the shard of a process that is lost moves in time', async () => {
    const [one, two] = [simulation.start(2), simulation.start(2)];
    await divided(2, one, two);
    one.kill();
    expect(await simulation.until(() => two.held.length === 2, 2 * MOVES_WITHIN_MS)).toBeLessThan(MOVES_WITHIN_MS);
  });

  test('a process that stood still for too long works no more, and ends with the loss; so do those that no answer reaches', async () => {
    const [one, two] = [simulation.start(2), simulation.start(2)];
    await divided(2, one, two);
    one.pause();
    await simulation.pass(MOVES_WITHIN_MS);
    expect([one.held, two.held]).toEqual([[], [0, 1]]);
    one.resume();
    await simulation.until(() => one.outcome !== undefined, SETTLES_WITHIN_MS);
    expect(one.outcome).toBeInstanceOf(LeadershipLostError);
  });

  test('a process with another number of shards, and one that leads alone, wait for the last of the set, and then one of them works', async () => {
    const [one, two] = [simulation.start(2), simulation.start(2)];
    await divided(2, one, two);
    const others = [simulation.start(3), simulation.start(1)];
    one.stop();
    await simulation.pass(SETTLES_WITHIN_MS);
    expect([two.held, ...others.map(({ held }) => held)]).toEqual([[0, 1], [], []]);
    two.stop();
    const works = () => others.filter(({ held }) => held.length > 0);
    expect(await simulation.until(() => works().length > 0, SETTLES_WITHIN_MS)).toBeLessThan(CHANGES_WITHIN_MS + MOVES_WITHIN_MS);
    await simulation.pass(SETTLES_WITHIN_MS);
    expect(works()).toHaveLength(1);
  });
});

describe('ShardElection, whatever processes and networks do', () => {
  const NUMBERS = [2, 2, 2, 3, 1];
  const process = fc.nat({ max: 5 });
  const command = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 100, max: 12_000 }) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('start' as const), shards: fc.constantFrom(...NUMBERS) }) },
    { weight: 5, arbitrary: fc.record({ do: fc.constantFrom('stop' as const, 'kill' as const, 'pause' as const, 'resume' as const, 'fail' as const, 'heal' as const), process }) },
  );

  test('no two work on a shard or by two divisions at the same time, and when all is well again each shard has a process', async () => {
    await fc.assert(fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 30, size: 'max' }), fc.integer(), async (commands, seed) => {
      const simulation = new ShardSimulation(numbers(seed));
      simulation.start(2);
      simulation.start(2);
      for (const step of commands) {
        if (step.do === 'pass') {
          await simulation.pass(step.ms);
        } else if (step.do === 'start') {
          simulation.start(step.shards);
        } else {
          act(simulation.processes[step.process], step.do);
        }
      }
      expect(simulation.violations).toEqual([]);
      const survivors = simulation.processes.filter(({ isAlive }) => isAlive);
      survivors.forEach(survivor => {
        survivor.failing = false;
        survivor.resume();
        if (survivor.shards !== 2) {
          survivor.stop();
        }
      });
      simulation.start(2);
      const serves = () => !simulation.holders(2).includes(undefined);
      await simulation.until(serves, SETTLES_WITHIN_MS);
      expect(serves()).toBe(true);
      expect(simulation.violations).toEqual([]);
    }), { numRuns: 60 });
  }, 120_000);

  function act(one: Process | undefined, what: 'stop' | 'kill' | 'pause' | 'resume' | 'fail' | 'heal'): void {
    if (one === undefined) {
      return;
    }
    if (what === 'fail' || what === 'heal') {
      one.failing = what === 'fail';
    } else {
      one[what]();
    }
  }
});

/** Numbers from 0 to 1 that follow from a seed. */
function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
