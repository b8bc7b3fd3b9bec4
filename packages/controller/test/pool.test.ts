import { ANNOTATION, LABEL, nameHash } from 'agent-sandbox-api';
import { NAMESPACE, foreignOwner, pool, template, reconcileTemplateOnce } from './fixtures.js';
import { PoolBench, image } from './pool-fixtures.js';

const NAMES = (bench: PoolBench) => bench.members.map(({ metadata }) => metadata.name);

describe('size', () => {
  test('W1 nil replicas mean one', () => {
    const bench = new PoolBench({});
    expect(bench.sent()).toEqual(['create Sandbox', 'patch SandboxWarmPool/status']);
  });

  test.each([[0, 0, 3], [1, 0, 2], [3, 0, 0], [5, 2, 0]])('W2 of %d Sandboxes %d go and %d come when three are wanted', (has, gone, made) => {
    const bench = new PoolBench({ replicas: has }).filled();
    const before = NAMES(bench);
    bench.respec({ replicas: 3 });
    bench.reconcile();
    expect(NAMES(bench)).toHaveLength(3);
    expect(before.filter(name => !NAMES(bench).includes(name))).toHaveLength(gone);
    expect(NAMES(bench).filter(name => !before.includes(name))).toHaveLength(made);
    bench.ready();
    bench.reconcile();
    expect(bench.sent()).toEqual([]);
  });

  test('W2 no replicas: all are deleted', () => {
    const bench = new PoolBench({ replicas: 3 }).filled();
    bench.respec({ replicas: 0 });
    expect(bench.sent()).toEqual(['delete Sandbox ×3', 'patch SandboxWarmPool/status']);
    expect(bench.members).toEqual([]);
  });

  test('a pool that is too large loses those that are not ready first, then the newest', () => {
    const bench = new PoolBench({ replicas: 2 }).filled();
    const old = NAMES(bench);
    bench.wait(5000).respec({ replicas: 5 });
    bench.reconcile();
    const [newest, unready, other] = bench.members.filter(({ metadata }) => !old.includes(metadata.name));
    bench.tell([newest!, other!], 'True');
    bench.respec({ replicas: 4 });
    bench.reconcile();
    expect(NAMES(bench)).not.toContain(unready!.metadata.name);
    bench.respec({ replicas: 2 });
    bench.reconcile();
    expect(NAMES(bench)).toEqual(old);
  });

  test('no pool is larger than the ceiling, and the status says why', () => {
    const bench = new PoolBench({ replicas: 10 }, { maxReplicas: 4 }).filled();
    expect(bench.members).toHaveLength(4);
    expect(bench.condition('Progressing')).toBe('True/WarmPoolFull: The pool has reached its size. The controller limits pools to 4 Sandboxes (--sandbox-warm-pool-max-replicas).');
    expect(bench.condition('Available')).toMatch(/^True/);
  });

  test('a pool that is on its way out, or gone, does nothing', () => {
    const bench = new PoolBench();
    expect(bench.reconcile()).toEqual([]);
    bench.model.destroy(bench.model.create(pool({ replicas: 3 }, { finalizers: ['x'] })));
    expect(bench.reconcile()).toEqual([]);
    expect(bench.memory).toBeUndefined();
  });

  test('of two pools with one hash the younger stays empty', () => {
    const [elder, younger] = ['browser-prod-team-2151', 'browser-template-team-2200'];
    const bench = new PoolBench();
    bench.model.create(pool({ replicas: 1 }, { name: elder }));
    bench.wait(1000).model.create(pool({ replicas: 1 }, { name: younger }));
    expect(bench.sent({ name: younger })).toEqual(['patch SandboxWarmPool/status']);
    expect(bench.result?.blockedBy).toMatchObject([{ name: elder }]);
    bench.memory = undefined;
    expect(bench.sent({ name: elder })).toEqual(['create Sandbox', 'patch SandboxWarmPool/status']);
  });
});

describe('whose Sandboxes they are', () => {
  test('W3 a Sandbox without controller that fits is adopted, foreign ones are left alone, mixtures are handled one by one', () => {
    const bench = new PoolBench({ replicas: 3 });
    const orphan = bench.orphan();
    bench.orphan({ service: true }, 'stale');
    const foreign = bench.orphan({}, 'foreign');
    bench.model.edit(foreign, draft => {
      draft.metadata.ownerReferences = [foreignOwner()];
    });
    expect(bench.sent()).toEqual(['patch Sandbox', 'delete Sandbox', 'create Sandbox ×2', 'patch SandboxWarmPool/status']);
    expect(NAMES(bench)).toContain(orphan.metadata.name);
    expect(bench.model.get('Sandbox', NAMESPACE, 'stale')).toBeUndefined();
    expect(bench.model.get('Sandbox', NAMESPACE, 'foreign')?.metadata.ownerReferences).toEqual([foreignOwner()]);
  });

  test('W3 a member that another owner takes at the same moment does not count', () => {
    const bench = new PoolBench({ replicas: 1 });
    const orphan = bench.orphan();
    const cache = bench.model.snapshot();
    bench.model.edit(orphan, draft => {
      draft.metadata.ownerReferences = [foreignOwner()];
    });
    expect(bench.sent({ cache })).toEqual(['patch Sandbox', 'create Sandbox', 'patch SandboxWarmPool/status']);
    expect(bench.errors()).toEqual([]);
  });

  test('missing labels of its own Sandboxes are put back, and those count all the while', () => {
    const bench = new PoolBench({ replicas: 1 }).filled();
    bench.model.edit(bench.members[0]!, draft => {
      delete draft.metadata.labels![LABEL.launchType];
      delete draft.metadata.labels![LABEL.warmPool];
    });
    bench.refuse(request => request.op === 'patch' && request.target.kind === 'Sandbox');
    expect(bench.sent()).toEqual(['patch SandboxWarmPool/status']);
    expect(bench.errors()).toEqual(['refused']);
    bench.model.intercept = undefined;
    bench.reconcile();
    expect(bench.members[0]!.metadata.labels).toMatchObject({ [LABEL.launchType]: 'warm', [LABEL.warmPool]: nameHash('pool') });
    expect(bench.members).toHaveLength(1);
  });

  test('a Sandbox that a claim takes at the same moment is not deleted', () => {
    const bench = new PoolBench({ replicas: 1 }).filled();
    bench.respec({ replicas: 0 });
    const cache = bench.model.snapshot();
    const [taken] = bench.members;
    bench.claim();
    bench.reconcile({ cache });
    expect(bench.model.get('Sandbox', NAMESPACE, taken!.metadata.name!)).toBeDefined();
    expect(bench.errors()).toEqual([]);
    expect(bench.result?.requeueAfterMs).toBe(500);
  });

  test('W38 a Sandbox names its pool and its Pod from the beginning', () => {
    const bench = new PoolBench({});
    bench.reconcile();
    const [member] = bench.members;
    expect(member!.metadata.labels?.[LABEL.warmPool]).toBe(nameHash('pool'));
    expect(member!.metadata.annotations?.[ANNOTATION.podName]).toBe(member!.metadata.name);
  });
});

describe('the template', () => {
  test('a missing template: nothing is created, existing members stay, and the status says why', () => {
    const bench = new PoolBench({ replicas: 2, updateStrategy: { type: 'Recreate' } }).filled();
    bench.model.destroy(bench.model.get('SandboxTemplate', NAMESPACE, 'python')!);
    bench.claim();
    const orphan = bench.orphanOf(template({ service: true }));
    bench.reconcile();
    expect(bench.members).toHaveLength(1);
    expect(bench.model.get('Sandbox', NAMESPACE, orphan.metadata.name!)).toBeDefined();
    expect(bench.condition('Progressing')).toBe('False/TemplateNotFound: SandboxTemplate "python" not found');
    expect(bench.errors()).toEqual([]);
  });

  test('policy first: nothing is made before the policy of the template is in place, nor replaced', () => {
    const bench = new PoolBench({ replicas: 1, updateStrategy: { type: 'Recreate' } });
    const policy = bench.model.get('NetworkPolicy', NAMESPACE, 'python-network-policy')!;
    bench.model.destroy(policy);
    expect(bench.sent()).toEqual(['patch SandboxWarmPool/status']);
    expect(bench.condition('Progressing')).toMatch(/^False\/NetworkPolicyNotReady: /);
    reconcileTemplateOnce(bench.model);
    expect(bench.sent()).toEqual(['create Sandbox', 'patch SandboxWarmPool/status']);
    bench.model.edit(bench.model.get('SandboxTemplate', NAMESPACE, 'python')!, draft => {
      draft.spec.networkPolicy = {};
    });
    const before = NAMES(bench);
    bench.reconcile();
    expect(NAMES(bench)).toEqual(before);
    reconcileTemplateOnce(bench.model);
    bench.reconcile();
    expect(NAMES(bench)).not.toEqual(before);
  });

  test('W11 Recreate replaces the Sandboxes of an older template, OnReplenish keeps them', () => {
    for (const [type, replaced] of [['Recreate', 2], ['OnReplenish', 0]] as const) {
      const bench = new PoolBench({ replicas: 2, updateStrategy: { type } }).filled();
      const before = NAMES(bench);
      bench.retemplate(image('new'));
      bench.reconcile();
      expect(bench.members).toHaveLength(2);
      expect(before.filter(name => !NAMES(bench).includes(name))).toHaveLength(replaced);
    }
  });

  test('W12 another template with the same spec replaces, too', () => {
    const bench = new PoolBench({ replicas: 2, updateStrategy: { type: 'Recreate' } }).filled();
    bench.model.create(template({}, { name: 'other' }));
    reconcileTemplateOnce(bench.model, bench.model, 'other');
    bench.respec({ sandboxTemplateRef: { name: 'other' } });
    expect(bench.sent()).toEqual(['delete Sandbox ×2', 'create Sandbox ×2', 'patch SandboxWarmPool/status']);
  });

  test('W37 a rollout of one pool leaves another one alone', () => {
    const bench = new PoolBench({ replicas: 1, updateStrategy: { type: 'Recreate' } }).filled();
    bench.model.create(template({}, { name: 'other' }));
    reconcileTemplateOnce(bench.model, bench.model, 'other');
    bench.model.create(pool({ replicas: 1, sandboxTemplateRef: { name: 'other' }, updateStrategy: { type: 'Recreate' } }, { name: 'second' }));
    const memory = bench.memory;
    bench.memory = undefined;
    bench.reconcile({ name: 'second' });
    bench.retemplate(image('new'));
    const others = bench.model.list('Sandbox').filter(({ metadata }) => metadata.name?.startsWith('second-'));
    bench.reconcile({ name: 'second' });
    bench.memory = memory;
    bench.reconcile();
    expect(bench.model.list('Sandbox').filter(({ metadata }) => metadata.name?.startsWith('second-'))).toEqual(others);
  });

  test('Recreate replaces batch by batch, and what is left to replace counts', () => {
    const bench = new PoolBench({ replicas: 5, updateStrategy: { type: 'Recreate' } }, { batchSize: 2 });
    bench.reconcile();
    expect(bench.result?.requeueAfterMs).toBe(1);
    bench.reconcile();
    bench.reconcile();
    expect(bench.members).toHaveLength(5);
    bench.retemplate(image('new'));
    expect(bench.sent()).toEqual(['delete Sandbox ×2', 'create Sandbox ×2', 'patch SandboxWarmPool/status']);
    expect(bench.members).toHaveLength(5);
    expect(bench.result?.requeueAfterMs).toBe(1);
  });
});
