import { LABEL, nameHash, type Sandbox } from 'agent-sandbox-api';
import { Registry } from 'prom-client';
import { INDEXES } from '../src/reconcile/cache.js';
import { poolController } from '../src/pool/controller.js';
import { countPools } from '../src/shell/pool-counts.js';
import type { Change } from '../src/reconcile/definition.js';
import { NAMESPACE, foreignOwner, pool, template, reconcileTemplateOnce } from './fixtures.js';
import { Model } from './model.js';
import { POOL_OPTIONS, PoolBench } from './pool-fixtures.js';

const FULL = 'True/WarmPoolFull: The pool has reached its size.';
const ON_THE_WAY = 'True/WarmPoolProgressing: The pool is on the way to its size.';
const AVAILABLE = 'True/MinimumReplicasAvailable: The pool has its minimum of ready Sandboxes.';
const UNAVAILABLE = 'The pool does not have its minimum of ready Sandboxes.';

describe('numbers', () => {
  test.each([[0, 3], [2, 3], [3, 3]])('W7 counts %d of %d Sandboxes as ready: those with Ready True', (ready, replicas) => {
    const bench = new PoolBench({ replicas });
    bench.reconcile();
    bench.tell(bench.members, 'False');
    bench.tell(bench.members.slice(0, ready), 'True');
    bench.reconcile();
    expect(bench.pool.status).toMatchObject({ replicas, selector: `${LABEL.warmPool}=${nameHash('pool')}` });
    expect(bench.pool.status?.readyReplicas).toBe(ready === 0 ? undefined : ready);
  });

  test('W7 Sandboxes without a Ready condition are not ready', () => {
    const bench = new PoolBench({ replicas: 2 });
    bench.reconcile();
    bench.reconcile();
    expect(bench.pool.status).not.toHaveProperty('readyReplicas');
  });

  test('W8 says which generation of the spec was acted on', () => {
    const bench = new PoolBench({ replicas: 2 });
    bench.reconcile();
    bench.respec({ replicas: 1 });
    bench.reconcile();
    expect(bench.pool.metadata.generation).toBe(2);
    expect(bench.pool.status).toMatchObject({ observedGeneration: 2, conditions: [{ observedGeneration: 2 }, { observedGeneration: 2 }] });
  });

  test('W9 numbers that fall to zero are cleared', () => {
    const bench = new PoolBench({ replicas: 2 }).filled();
    bench.respec({ replicas: 0 });
    const write = bench.reconcile().at(-1);
    expect(write).toMatchObject({ op: 'patch', subresource: 'status', body: { status: { replicas: null, readyReplicas: null } } });
    expect(bench.pool.status).not.toHaveProperty('replicas');
  });

  test('F12 a shortage that is longer than the status window is written, one that is shorter is not', () => {
    const bench = new PoolBench({ replicas: 2 }, { statusWindowMs: 1000 }).filled();
    /** Reconciles when something happens, and when the pool asked for it. */
    const until = (ms: number) => {
      while (bench.result?.requeueAfterMs !== undefined && bench.result.requeueAfterMs <= ms) {
        ms -= bench.result.requeueAfterMs;
        bench.wait(bench.result.requeueAfterMs).reconcile();
      }
      bench.wait(ms);
    };
    const dip = (ms: number) => {
      bench.claim();
      bench.reconcile();
      until(ms);
      const seen = bench.pool.status?.readyReplicas;
      bench.ready();
      bench.reconcile();
      until(5000);
      return [seen, bench.pool.status?.readyReplicas];
    };
    expect(dip(900)).toEqual([2, 2]);
    expect(dip(1500)).toEqual([1, 2]);
  });

  test('a pass that finds everything in order sends nothing', () => {
    const bench = new PoolBench({ replicas: 3 }).filled();
    expect(bench.reconcile()).toEqual([]);
    expect(bench.result).toEqual({ errors: [], blockedBy: [] });
  });
});

describe('conditions', () => {
  test('Available has the minimum of a Deployment, three quarters rounded up', () => {
    const bench = new PoolBench({ replicas: 5 });
    bench.reconcile();
    const answers = bench.members.map((_, i) => {
      bench.tell(bench.members.slice(0, i), 'True');
      bench.reconcile();
      return bench.condition('Available')?.split('/')[0];
    });
    expect(answers).toEqual(['False', 'False', 'False', 'False', 'True']);
    expect(new PoolBench({ replicas: 0 }).filled().condition('Available')).toBe(AVAILABLE);
  });

  test('Progressing tells when the pool is full, and does not take that back for what claims take', () => {
    const bench = new PoolBench({ replicas: 2 });
    bench.reconcile();
    expect(bench.condition('Progressing')).toBe(ON_THE_WAY);
    bench.ready();
    bench.reconcile();
    expect(bench.condition('Progressing')).toBe(FULL);
    bench.claim();
    bench.reconcile();
    expect(bench.condition('Progressing')).toBe(FULL);
    bench.respec({ replicas: 3 });
    bench.reconcile();
    expect(bench.condition('Progressing')).toBe(ON_THE_WAY);
  });

  test('a pool that comes no closer to its size says so after the deadline, and again after a restart', () => {
    const bench = new PoolBench({ replicas: 4 }, { graceMs: 3_600_000 });
    bench.reconcile();
    bench.wait(500_000).tell(bench.members.slice(0, 1), 'True');
    bench.reconcile();
    bench.wait(599_000).reconcile();
    expect(bench.condition('Progressing')).toBe(ON_THE_WAY);
    expect(bench.result?.requeueAfterMs).toBe(1000);
    bench.tell(bench.members.slice(1), 'False', 'ReconcilerError', 'Error seen: no quota');
    bench.wait(1000).reconcile();
    const [first] = bench.members.slice(1).map(({ metadata }) => metadata.name).sort();
    const message = `Sandbox "${first}": ReconcilerError: Error seen: no quota`;
    expect(bench.condition('Progressing')).toBe(`False/ProgressDeadlineExceeded: The pool has not come closer to its size in time. ${message}`);
    expect(bench.condition('Available')).toBe(`False/ReconcilerError: ${UNAVAILABLE} ${message}`);
    bench.memory = undefined;
    expect(bench.reconcile()).toEqual([]);
    bench.tell(bench.members.slice(1, 2), 'True');
    bench.reconcile();
    expect(bench.condition('Progressing')).toBe(ON_THE_WAY);
  });

  test('the deadline of a pool that was full begins with its loss', () => {
    const bench = new PoolBench({ replicas: 1 }).filled();
    bench.wait(86_400_000).claim();
    bench.reconcile();
    expect(bench.condition('Progressing')).toBe(FULL);
    bench.wait(600_000);
    bench.tell(bench.members, 'False');
    bench.reconcile();
    expect(bench.condition('Progressing')).toMatch(/^False\/ProgressDeadlineExceeded/);
  });

  test('what most of the failing Sandboxes fail of is the reason of the pool', () => {
    const bench = new PoolBench({ replicas: 4 });
    bench.reconcile();
    bench.tell(bench.members.slice(0, 1), 'False', 'PodFailed', 'Pod failed');
    bench.tell(bench.members.slice(1, 3), 'False', 'InvalidConfiguration', 'too long');
    bench.tell(bench.members.slice(3), 'False', 'DependenciesNotReady', 'starting');
    bench.reconcile();
    expect(bench.condition('Available')).toMatch(/^False\/InvalidConfiguration: .* too long$/);
  });

  test('a refusal of the API server is reported, and tried again', () => {
    const bench = new PoolBench({ replicas: 3 });
    bench.refuse(({ op }) => op === 'create', 'Forbidden', 'exceeded quota');
    bench.reconcile();
    expect(bench.errors()).toEqual(['exceeded quota']);
    expect(bench.condition('Progressing')).toBe('False/ReconcilerError: Error seen: exceeded quota');
    expect(bench.pool.status).toMatchObject({ observedGeneration: 1 });
  });
});

describe('how often the status is written', () => {
  const statuses = (bench: PoolBench) => bench.sent().filter(line => line === 'patch SandboxWarmPool/status').length;

  test('numbers that change back within the window cost nothing', () => {
    const bench = new PoolBench({ replicas: 8 }, { statusWindowMs: 1000 }).filled();
    for (let i = 0; i < 50; i++) {
      bench.claim();
      expect(bench.sent()).toEqual(['create Sandbox']);
      expect(bench.result?.requeueAfterMs).toBe(1000);
      bench.wait(400).ready();
      expect(bench.sent()).toEqual([]);
    }
    expect(bench.pool.status?.readyReplicas).toBe(8);
  });

  test('numbers that stay different are written once a window', () => {
    const bench = new PoolBench({ replicas: 8 }, { statusWindowMs: 1000 }).filled();
    let writes = 0;
    for (let i = 0; i < 100; i++) {
      bench.wait(100);
      for (let claims = 0; claims <= Math.floor(i / 11) % 3; claims++) {
        bench.claim();
      }
      writes += statuses(bench);
      bench.ready();
    }
    expect(writes).toBeLessThanOrEqual(10);
    expect(writes).toBeGreaterThanOrEqual(7);
  });

  test('a change while nothing can be created is reported at once, since the next reconciliation may be far away', () => {
    const bench = new PoolBench({ replicas: 8 }, { statusWindowMs: 60_000 }).filled();
    bench.refuse(request => request.op === 'create', 'Forbidden', 'exceeded quota');
    bench.claim();
    expect(statuses(bench)).toBe(0);
    expect(statuses(bench)).toBe(1);
    expect(bench.condition('Progressing')).toBe('False/ReconcilerError: Error seen: exceeded quota');
    bench.claim();
    expect(statuses(bench)).toBe(1);
    expect(bench.pool.status).toMatchObject({ replicas: 6, readyReplicas: 6 });
    expect(statuses(bench)).toBe(0);
  });

  test('a new spec, and a pool that has become available or full, are reported at once', () => {
    const bench = new PoolBench({ replicas: 8 }, { statusWindowMs: 60_000 });
    expect(statuses(bench)).toBe(1);
    bench.tell(bench.members.slice(0, 5), 'True');
    expect(statuses(bench)).toBe(0);
    bench.tell(bench.members.slice(0, 6), 'True');
    expect(statuses(bench)).toBe(1);
    expect(bench.condition('Available')).toBe(AVAILABLE);
    bench.ready();
    expect(statuses(bench)).toBe(1);
    expect(bench.condition('Progressing')).toBe(FULL);
    bench.tell(bench.members, 'False');
    expect(statuses(bench)).toBe(0);
    bench.wait(60_000);
    expect(statuses(bench)).toBe(1);
    expect(bench.condition('Available')).toBe(`False/MinimumReplicasUnavailable: ${UNAVAILABLE}`);
  });
});

test('the sizes of pools are exported while the process works', async () => {
  const registry = new Registry();
  let working = true;
  const full = { ...pool({ replicas: 5 }), status: { replicas: 3, readyReplicas: 2 } };
  countPools(registry, () => [full, pool({}, { name: 'new' })], () => working, 4);
  const samples = async () => (await registry.metrics()).split('\n').filter(line => line.startsWith('agent_')).map(line => line.replace(/^.*warmpool_name=/, ''));
  expect(await samples()).toEqual([
    '"pool",state="desired"} 4', '"pool",state="current"} 3', '"pool",state="ready"} 2',
    '"new",state="desired"} 1', '"new",state="current"} 0', '"new",state="ready"} 0',
  ]);
  working = false;
  expect(await samples()).toEqual([]);
});

describe('what wakes a pool', () => {
  const { watches } = poolController(1, POOL_OPTIONS);
  const model = new Model();
  model.create(template());
  model.create(template({}, { name: 'other' }));
  reconcileTemplateOnce(model);
  model.create(pool());
  model.create(pool({ sandboxTemplateRef: { name: 'other' } }, { name: 'elsewhere' }));
  const keys = (wakes: readonly { key: string }[]) => wakes.map(({ key }) => key);
  const member = (metadata: Partial<Sandbox['metadata']> = {}, ready = 'False'): Sandbox => ({
    apiVersion: 'agents.x-k8s.io/v1beta1',
    kind: 'Sandbox',
    metadata: { name: 'member', namespace: NAMESPACE, generation: 1, ownerReferences: [{ ...foreignOwner('SandboxWarmPool', 'extensions.agents.x-k8s.io/v1beta1'), name: 'pool' }], ...metadata },
    spec: { podTemplate: { spec: { containers: [] } } },
    status: { conditions: [{ type: 'Ready', status: ready as 'True', reason: 'x', message: 'x', lastTransitionTime: '2026-01-01T00:00:00Z' }] },
  });
  const ofSandbox = (change: Omit<Change<Sandbox>, 'origin'>, origin: Change<Sandbox>['origin'] = 'watch') => keys(watches.Sandbox!({ ...change, origin }, model));

  test('W13 a template or its policy wakes the pools of its namespace that use it', () => {
    const [python, policy] = [model.get('SandboxTemplate', NAMESPACE, 'python')!, model.get('NetworkPolicy', NAMESPACE, 'python-network-policy')!];
    expect(keys(watches.SandboxTemplate!({ before: python, after: { ...python }, origin: 'watch' }, model))).toEqual([`${NAMESPACE}/pool`]);
    expect(keys(watches.SandboxTemplate!({ before: python, origin: 'watch' }, model))).toEqual([`${NAMESPACE}/pool`]);
    expect(keys(watches.NetworkPolicy!({ after: policy, origin: 'watch' }, model))).toEqual([`${NAMESPACE}/pool`]);
    const elsewhere = { ...python, metadata: { ...python.metadata, namespace: 'elsewhere' } };
    expect(keys(watches.SandboxTemplate!({ after: elsewhere, origin: 'watch' }, model))).toEqual([]);
    expect(INDEXES.SandboxWarmPool.template(pool())).toEqual([`${NAMESPACE}/python`]);
  });

  test('W35 a Sandbox wakes its pool when it comes, goes, becomes ready or is taken; what the pool makes itself does not', () => {
    const before = member();
    expect(ofSandbox({ after: before })).toEqual([`${NAMESPACE}/pool`]);
    expect(ofSandbox({ after: before }, 'write')).toEqual([]);
    expect(ofSandbox({ before })).toEqual([`${NAMESPACE}/pool`]);
    expect(ofSandbox({ before, after: member({}, 'True') })).toEqual([`${NAMESPACE}/pool`]);
    expect(ofSandbox({ before, after: member({ ownerReferences: [{ ...foreignOwner('SandboxClaim'), uid: 'claim' }] }) }, 'write')).toEqual([`${NAMESPACE}/pool`]);
    expect(ofSandbox({ before, after: member({ annotations: { a: 'b' } }) })).toEqual([]);
    expect(ofSandbox({ after: member({ ownerReferences: [foreignOwner('SandboxClaim')] }) })).toEqual([]);
    expect(ofSandbox({ before, after: before }, 'resync')).toEqual([`${NAMESPACE}/pool`]);
  });

  test('a Sandbox without controller wakes the pool whose label it has', () => {
    expect(ofSandbox({ after: member({ ownerReferences: [], labels: { [LABEL.warmPool]: nameHash('pool') } }) })).toEqual([`${NAMESPACE}/pool`]);
  });

  test('a pool is woken by its spec, not by its status', () => {
    const found = model.get('SandboxWarmPool', NAMESPACE, 'pool')!;
    const wakes = (after: typeof found) => keys(watches.SandboxWarmPool!({ before: found, after, origin: 'watch' }, model));
    expect(wakes({ ...found, status: { replicas: 3 } })).toEqual([]);
    expect(wakes({ ...found, metadata: { ...found.metadata, generation: 7 } })).toEqual([`${NAMESPACE}/pool`]);
    expect(keys(watches.SandboxWarmPool!({ before: found, origin: 'watch' }, model))).toEqual([`${NAMESPACE}/pool`]);
  });
});
