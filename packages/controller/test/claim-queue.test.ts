import { LABEL, type ObjectMeta, type Sandbox, type SandboxStatus, definedOnly } from 'agent-sandbox-api';
import fc from 'fast-check';
import { claimController } from '../src/claim/controller.js';
import { IndexedHeap } from '../src/claim/indexed-heap.js';
import { WarmQueue, type Source } from '../src/claim/warm-queue.js';
import type { ControllerDefinition } from '../src/reconcile/definition.js';
import { CLAIM_OPTIONS, ClaimBench, claim, readyCondition, running } from './claim-bench.js';
import { NAMESPACE, foreignOwner, sandbox } from './fixtures.js';
import { API_VERSION } from './model.js';

const POOL = `${NAMESPACE}/pool`;
const ANY: Source = { pool: POOL, version: '1', accepts: () => true };

function member(name: string, status: SandboxStatus = running(), metadata: Partial<ObjectMeta> = {}): Sandbox {
  const owner = { ...foreignOwner('SandboxWarmPool', API_VERSION.extensions), name: 'pool' };
  return { ...sandbox({}, { name, labels: { [LABEL.warmPool]: 'p', [LABEL.templateRefHash]: 't' }, ownerReferences: [owner], ...metadata }), status };
}

function filled(...members: Sandbox[]): WarmQueue {
  const queue = new WarmQueue();
  members.forEach(after => queue.observe({ after }));
  return queue;
}

/** Takes candidates until there is none, as claims that adopt them would. */
function drain(queue: WarmQueue, sources: readonly Source[] = [ANY]): string[] {
  const names: string[] = [];
  for (;;) {
    const { candidate } = queue.offer('agents/c', sources);
    if (candidate === undefined) {
      return names;
    }
    names.push(candidate.metadata.name!);
    queue.observe({ before: candidate });
  }
}

describe('the queue of idle Sandboxes', () => {
  test('X1 gives them in the order of their arrival, per pool, each once', () => {
    const queue = filled(member('a'), member('b'), member('a', running(true, 'node-1', ['10.0.0.9'])), member('c'));
    expect(queue.offer('agents/c', [{ ...ANY, pool: 'agents/unknown' }])).toEqual({ pending: false });
    expect(drain(queue)).toEqual(['a', 'b', 'c']);
  });

  test('X1 notes when one has moved to another node', () => {
    const queue = filled(member('a', running(true, 'one')), member('b', running(true, 'two')));
    queue.observe({ before: member('b', running(true, 'two')), after: member('b', running(true, 'one')) });
    queue.observe({ after: member('c', running(true, 'two')) });
    expect(drain(queue)).toEqual(['a', 'b', 'c']);
  });

  test('C57 takes the oldest of the node with the most, as the numbers change', () => {
    const on = (node: string, ...names: string[]) => names.map(name => member(name, running(true, node)));
    const queue = filled(...on('one', 'a'), ...on('two', 'b', 'c'), ...on('three', 'd', 'e', 'f'), member('g', running(true, '')));
    expect(drain(queue)).toEqual(['d', 'b', 'e', 'a', 'c', 'f', 'g']);
  });

  test('X2 forgets what is gone wherever it stands, and with a pool all of it; other namespaces are other pools', () => {
    const queue = filled(...['a', 'b', 'c', 'd'].map(name => member(name)), member('e', running(), { namespace: 'elsewhere' }));
    ['b', 'a', 'missing'].forEach(name => queue.observe({ before: member(name) }));
    expect(drain(queue)).toEqual(['c', 'd']);
    queue.observe({ after: member('f') });
    queue.dropPool(POOL);
    expect(drain(queue)).toEqual([]);
    expect(drain(queue, [{ ...ANY, pool: 'elsewhere/pool' }])).toEqual(['e']);
    expect(drain(queue, [{ ...ANY, pool: 'pool' }])).toEqual([]);
  });

  test('X3 passes over what a claim does not accept, and keeps it for others', () => {
    const queue = filled(member('a'), member('b'));
    const picky: Source = { ...ANY, accepts: ({ metadata: { name } }) => name === 'b' };
    expect(queue.offer('agents/c', [picky]).candidate?.metadata.name).toBe('b');
    expect(drain(queue, [{ ...ANY, version: '2' }]).sort()).toEqual(['a', 'b']);
  });

  test('X3 gives a reserved one to no other claim, and one that was given back last', () => {
    const queue = filled(member('a'), member('b'));
    queue.note('agents/one', { reserved: 'agents/a' });
    expect(queue.offer('agents/two', [ANY]).candidate?.metadata.name).toBe('b');
    queue.note('agents/one', {});
    expect(drain(queue)).toEqual(['b', 'a']);
  });

  test('X4 forgets a Sandbox that a claim has adopted, reserved or not', () => {
    const queue = filled(member('a'));
    queue.note('agents/one', { reserved: 'agents/a' });
    const adopted = member('a', running(), { ownerReferences: [foreignOwner('SandboxClaim', API_VERSION.extensions)] });
    queue.observe({ before: member('a'), after: adopted });
    queue.note('agents/one', {});
    expect(drain(queue)).toEqual([]);
  });

  test('moves one that becomes ready, and back', () => {
    const queue = filled(member('a', running(false)), member('b'));
    queue.observe({ before: member('a', running(false)), after: member('a') });
    queue.observe({ before: member('b'), after: member('b', running(false)) });
    expect(drain(queue)).toEqual(['a', 'b']);
    expect(filled(member('a', {})).offer('agents/c', [ANY])).toEqual({ pending: true });
  });

  test('wakes one waiting claim for each member that can be used, in turn', () => {
    const queue = filled(member('a', {}), member('b', {}));
    queue.note('agents/one', { waitingFor: [POOL] });
    queue.note('agents/two', { waitingFor: [POOL] });
    expect(queue.observe({ before: member('a', {}), after: member('a', running(false)) })).toBe('agents/one');
    expect(queue.observe({ before: member('a', running(false)), after: member('a') })).toBeUndefined();
    expect(queue.observe({ before: member('b', {}), after: member('b') })).toBe('agents/two');
    expect(queue.observe({ after: member('c') })).toBeUndefined();
  });

  test('picks from 5,000 members in less than a hundred comparisons of each kind', () => {
    const queue = filled(...Array.from({ length: 5000 }, (_, i) => member(`m${i}`, running(true, `node-${i % 100}`))));
    let asked = 0;
    const source: Source = { ...ANY, accepts: () => ++asked > 0 };
    for (let i = 0; i < 1000; i++) {
      queue.note(`agents/c${i}`, { reserved: `${NAMESPACE}/${queue.offer(`agents/c${i}`, [source]).candidate!.metadata.name}` });
    }
    expect(asked).toBe(1000);
  });
});

test('whatever happens, each idle Sandbox is offered to one claim at most, and none is lost', () => {
  const action = fc.record({ what: fc.constantFrom('come', 'ready', 'unready', 'go', 'reserve', 'release'), i: fc.nat(5), node: fc.constantFrom('x', 'y', '') });
  fc.assert(fc.property(fc.array(action, { maxLength: 60 }), actions => {
    const queue = new WarmQueue();
    const present = new Map<string, Sandbox>();
    const held = new Map<string, string>();
    for (const { what, i, node } of actions) {
      const [name, claimKey] = [`m${i}`, `agents/c${i}`];
      const before = present.get(name);
      if (what === 'reserve') {
        const { candidate } = queue.offer(claimKey, [ANY]);
        held.delete(claimKey);
        if (candidate !== undefined) {
          expect([...held.values()]).not.toContain(candidate.metadata.name);
          held.set(claimKey, candidate.metadata.name!);
        }
        queue.note(claimKey, definedOnly({ reserved: candidate === undefined ? undefined : `${NAMESPACE}/${candidate.metadata.name}` }));
      } else if (what === 'release') {
        held.delete(claimKey);
        queue.note(claimKey, {});
      } else if (what === 'go' && before !== undefined) {
        present.delete(name);
        [...held].filter(([, value]) => value === name).forEach(([key]) => held.delete(key));
        queue.observe({ before });
      } else if (what !== 'go') {
        const after = member(name, what === 'come' ? {} : running(what === 'ready', node));
        present.set(name, after);
        queue.observe({ ...definedOnly({ before }), after });
      }
    }
    const usable = [...present].filter(([name, { status }]) => status?.podIPs && ![...held.values()].includes(name)).map(([name]) => name);
    expect(drain(queue).sort()).toEqual(usable.sort());
  }), { numRuns: 500 });
});

test('the heap always has the first of its items in front', () => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(20), fc.nat(100)), { maxLength: 80 }), steps => {
    const items = Array.from({ length: 21 }, (_, id) => ({ id, weight: 0 }));
    const heap = new IndexedHeap<{ id: number; weight: number }>((a, b) => a.weight < b.weight);
    const inside = new Set<{ id: number; weight: number }>();
    for (const [add, id, weight] of steps) {
      const item = items[id]!;
      if (add) {
        item.weight = weight;
        heap.place(item);
        inside.add(item);
      } else {
        heap.remove(item);
        inside.delete(item);
      }
      expect(heap.size).toBe(inside.size);
      expect(heap.first?.weight).toBe(inside.size === 0 ? undefined : Math.min(...[...inside].map(other => other.weight)));
    }
  }));
});

describe('what wakes a claim', () => {
  const owner = { ...foreignOwner('SandboxClaim', 'extensions.agents.x-k8s.io/v1alpha1'), name: 'claim', uid: 'claim' };
  const own = (status: SandboxStatus = running(), metadata: Partial<ObjectMeta> = {}): Sandbox => ({ ...sandbox({}, { ownerReferences: [owner], ...metadata }), status });
  const controller = (): ControllerDefinition => claimController(1, { ...CLAIM_OPTIONS, events: true });
  const { model: cache } = new ClaimBench();
  const finished = { ...readyCondition(true), type: 'Finished', reason: 'PodSucceeded' };
  const suspended = { ...readyCondition(false), type: 'Suspended', reason: 'NotSuspended' };

  test.each<[string, Sandbox, number]>([
    ['nothing', own(), 0],
    ['labels', own(running(), { labels: { a: 'b' } }), 0],
    ['the condition Suspended', own({ ...running(), conditions: [readyCondition(true), suspended] }), 0],
    ['the node', own(running(true, 'node-2')), 0],
    ['a deletion', own(running(), { deletionTimestamp: '2026-01-01T00:00:00Z' }), 1],
    ['the addresses', own(running(true, 'node-1', ['10.0.0.2'])), 1],
    ['readiness', own(running(false)), 1],
    ['only the reason of readiness', own({ ...running(), conditions: [{ ...readyCondition(true), reason: 'Other' }] }), 1],
    ['the end of the work', own({ ...running(), conditions: [readyCondition(true), finished] }), 1],
  ])('C88 a change of its Sandbox in %s', (_, after, count) => {
    expect(controller().watches.Sandbox!({ before: own(), after, origin: 'watch' }, cache)).toEqual(count === 0 ? [] : [{ key: 'agents/claim' }]);
  });

  test('C88 its Sandbox that comes or goes, unless it has made or adopted it itself', () => {
    const wake = controller().watches.Sandbox!;
    expect(wake({ after: own(), origin: 'watch' }, cache)).toHaveLength(1);
    expect(wake({ before: own(), origin: 'write' }, cache)).toHaveLength(1);
    expect(wake({ after: own(), origin: 'write' }, cache)).toEqual([]);
    expect(wake({ before: member('box'), after: own(), origin: 'write' }, cache)).toEqual([]);
    expect(wake({ before: member('box'), after: own(), origin: 'watch' }, cache)).toHaveLength(1);
  });

  test('not its own status write', () => {
    const after = { ...claim({}, { resourceVersion: '2' }), status: { sandboxName: 'x' } };
    expect(controller().watches.SandboxClaim!({ before: claim({}, { resourceVersion: '1' }), after, origin: 'write' }, cache)).toEqual([]);
    expect(controller().watches.SandboxClaim!({ before: claim({}, { resourceVersion: '1' }), after, origin: 'watch' }, cache)).toHaveLength(1);
  });

  describe('that waits', () => {
    const bench = new ClaimBench();
    const status = { sandbox: { name: 'x' } };
    bench.model.create(sandbox({}, { name: 'x' }));
    bench.model.create({ ...claim({}, { name: 'lost' }), status: { sandbox: { name: 'gone' } } });
    bench.model.create(claim({}, { name: 'unbound' }));
    bench.model.create({ ...claim({}, { name: 'bound' }), status });
    bench.model.destroy(bench.model.create(claim({}, { name: 'deleting', finalizers: ['test/keep'] })));
    bench.model.create(claim({ warmPoolRef: { name: 'other' } }, { name: 'of-another-pool' }));
    bench.model.create(claim({ sandboxTemplateRef: { name: 'python' }, warmpool: 'default' }, { name: 'any-pool' }));
    bench.model.create(claim({ sandboxTemplateRef: { name: 'python' } }, { name: 'no-pool' }));
    bench.model.create({ ...claim({ sandboxTemplateRef: { name: 'python' } }, { name: 'no-pool-bound' }), status });
    bench.model.create(claim({ sandboxTemplateRef: { name: 'python', namespace: NAMESPACE } }, { name: 'elsewhere', namespace: 'team' }));
    const { watches } = controller();
    const names = (wakes: readonly { key: string }[]) => wakes.map(({ key }) => key.split('/')[1]).sort();

    test('C93 a pool that comes, goes or is edited, but not its status', () => {
      const current = bench.model.get('SandboxWarmPool', NAMESPACE, 'pool')!;
      const edited = { ...current, metadata: { ...current.metadata, generation: 2 } };
      expect(names(watches.SandboxWarmPool!({ after: current, origin: 'watch' }, bench.model))).toEqual(['any-pool', 'lost', 'unbound']);
      expect(names(watches.SandboxWarmPool!({ before: current, origin: 'watch' }, bench.model))).toEqual(['any-pool', 'lost', 'unbound']);
      expect(names(watches.SandboxWarmPool!({ before: current, after: edited, origin: 'watch' }, bench.model))).toEqual(['any-pool', 'lost', 'unbound']);
      expect(watches.SandboxWarmPool!({ before: current, after: { ...current, status: {} }, origin: 'watch' }, bench.model)).toEqual([]);
    });

    test('C92 C94 a template that comes, for all its claims once; one that changes, for those without a Sandbox; none that goes', () => {
      const wake = watches.SandboxTemplate!;
      const waiting = ['any-pool', 'elsewhere', 'lost', 'no-pool', 'unbound'];
      expect(names(wake({ after: bench.template, origin: 'watch' }, bench.model))).toEqual([...waiting, 'bound', 'no-pool-bound'].sort());
      expect(names(wake({ before: bench.template, after: bench.template, origin: 'watch' }, bench.model))).toEqual(waiting);
      expect(wake({ before: bench.template, origin: 'watch' }, bench.model)).toEqual([]);
    });

    test('the policy of its template', () => {
      const policy = bench.model.get('NetworkPolicy', NAMESPACE, 'python-network-policy')!;
      expect(names(watches.NetworkPolicy!({ after: policy, origin: 'watch' }, bench.model))).toEqual(['any-pool', 'lost', 'no-pool', 'unbound']);
      expect(watches.NetworkPolicy!({ before: policy, after: policy, origin: 'resync' }, bench.model)).toEqual([]);
      const foreign = { ...policy, metadata: { ...policy.metadata, name: 'agents.python-network-policy', namespace: 'team' } };
      expect(names(watches.NetworkPolicy!({ before: foreign, origin: 'watch' }, bench.model))).toEqual(['elsewhere']);
    });
  });
});

