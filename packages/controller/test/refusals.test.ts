import { ForbiddenKeys } from '../src/shell/forbidden-keys.js';
import { NamespaceGate } from '../src/shell/namespace-gate.js';
import { failed, ok, type Outcome } from '../src/reconcile/plan.js';
import { resultOf } from '../src/reconcile/run-plan.js';
import { ClaimBench, claim } from './claim-bench.js';
import { SandboxBench, reconcileTemplateOnce, sandbox, summary, template } from './fixtures.js';
import { Model } from './model.js';
import { PoolBench, image } from './pool-fixtures.js';

const INVALID = 'Pod "box" is invalid: spec.containers[0].name: Invalid value';

/** A Sandbox whose Pod the API server refuses. */
function refused(reason: 'Invalid' | 'NamespaceTerminating' = 'Invalid'): SandboxBench {
  const bench = new SandboxBench();
  bench.model.create(sandbox());
  bench.model.intercept = request => (request.op === 'create' && request.object.kind === 'Pod' ? { reason, message: INVALID } : undefined);
  bench.reconcile();
  return bench;
}

describe('a Pod that the API server refuses as invalid', () => {
  test('F4 is an InvalidConfiguration with an Event, and is not tried again', () => {
    const bench = refused();
    expect(bench.condition('Ready')).toBe(`False/InvalidConfiguration: the API server refuses this configuration: ${INVALID}`);
    expect(bench.model.events).toMatchObject([{ type: 'Warning', reason: 'SandboxPodCreateFailed' }]);
    expect(bench.result).toMatchObject({ errors: [] });
    expect(bench.result).not.toHaveProperty('requeueAfterMs');
    let tries = 0;
    bench.model.intercept = () => void tries++;
    bench.model.edit(bench.sandbox, draft => {
      draft.metadata.labels = { touched: 'yes' };
    });
    expect(bench.reconcile()).toEqual([]);
    expect([tries, bench.model.events.length]).toEqual([0, 1]);
  });

  test('F4 is tried again when the spec changes, and by a new process', () => {
    const bench = refused();
    bench.memory = undefined;
    expect(bench.reconcile()).toEqual([]);
    expect(bench.condition('Ready')).toMatch(/^False\/InvalidConfiguration/);
    bench.model.intercept = undefined;
    bench.model.edit(bench.sandbox, draft => {
      draft.spec.podTemplate.spec.containers![0]!.name = 'fine';
    });
    expect(summary(bench.reconcile())).toContain('create Pod');
    bench.model.runPods();
    bench.settle();
    expect(bench.condition('Ready')).toBe('True/DependenciesReady: Pod is Ready');
  });

  test('F4 a mended template reaches the cold Sandbox of a claim at once, and leaves one that runs alone', () => {
    const bench = new ClaimBench();
    bench.model.create(claim({ sandboxTemplateRef: { name: 'python' } }));
    bench.settle();
    const ready = (status: 'True' | 'False', reason: string) => bench.model.edit(bench.sandbox()!, draft => {
      draft.status = { conditions: [{ type: 'Ready', status, reason, message: '', lastTransitionTime: '2026-01-01T00:00:00Z' }] };
    });
    const retemplate = (name: string) => bench.model.edit(bench.template, draft => {
      draft.spec.podTemplate.spec.containers![0]!.image = name;
    });
    ready('True', 'DependenciesReady');
    retemplate('other');
    bench.settle();
    expect(bench.sandbox()!.spec.podTemplate.spec.containers![0]!.image).toBe('image');
    ready('False', 'InvalidConfiguration');
    bench.settle();
    expect(bench.sandbox()!.spec.podTemplate.spec).toMatchObject({ containers: [{ image: 'other' }], automountServiceAccountToken: false });
  });

  test.each(['InvalidConfiguration', 'PodFailed'])('F4 a mended template reaches the members of a pool that are broken (%s), whatever the strategy', reason => {
    const bench = new PoolBench({ replicas: 2 }).filled();
    bench.tell([bench.members[0]!], 'False', reason);
    expect(bench.sent()).not.toContain('delete Sandbox');
    bench.retemplate(image('mended'));
    const [broken, fine] = bench.members.map(({ metadata }) => metadata.name);
    expect(bench.sent()).toEqual(expect.arrayContaining(['delete Sandbox']));
    bench.reconcile();
    const names = bench.members.map(({ metadata }) => metadata.name);
    expect([names.includes(broken), names.includes(fine), names.length]).toEqual([false, true, 2]);
  });
});

describe('a NetworkPolicy that the API server refuses', () => {
  test('F5 is named in pool and claim with the words of the server, and not tried again before the template changes', () => {
    const model = new Model();
    model.create(template());
    model.intercept = request => (request.op === 'create' && request.object.kind === 'NetworkPolicy' ? { reason: 'Invalid', message: 'cidr: bad' } : undefined);
    const { result } = reconcileTemplateOnce(model);
    expect(result).toMatchObject({ errors: [] });
    expect(model.events).toMatchObject([{ reason: 'InvalidConfiguration', note: 'cidr: bad' }]);
  });
});

describe('a namespace that is being terminated', () => {
  test('F9 is no error of a Sandbox, which looks again a minute later', () => {
    const bench = refused('NamespaceTerminating');
    expect(bench.result).toMatchObject({ errors: [], requeueAfterMs: 60_000 });
    expect(bench.condition('Ready')).toBe('False/DependenciesNotReady: Pod does not exist');
    expect(bench.model.events).toEqual([]);
  });

  test('F9 keeps real errors, which are tried again with back-off', () => {
    const failure = (reason: 'NamespaceTerminating' | 'Forbidden') => ({ reason, message: reason });
    expect(resultOf({ requests: [], errors: [failure('NamespaceTerminating'), failure('Forbidden')] }, [])).toEqual({ errors: [failure('Forbidden')], blockedBy: [] });
  });

  describe('F9 creates in a namespace', () => {
    /** Creates through a gate, answered by hand. */
    const setUp = () => {
      const clock = { now: 0 };
      const gate = new NamespaceGate(() => clock.now);
      const sent: string[] = [];
      const answers: ((outcome: Outcome) => void)[] = [];
      const create = (name: string, namespace = 'a') => gate.create(namespace, () => {
        sent.push(name);
        return new Promise<Outcome>(resolve => answers.push(resolve));
      });
      const answer = async (outcome: Outcome) => {
        answers.shift()!(outcome);
        await new Promise(resolve => setImmediate(resolve));
      };
      return { clock, gate, sent, create, answer };
    };
    const refused = failed('NamespaceTerminating', 'no');

    test('are sent at once while nothing speaks against it', () => {
      const { sent, create } = setUp();
      ['1', '2', '3'].forEach(name => void create(name));
      expect(sent).toEqual(['1', '2', '3']);
    });

    test('wait for the answer to one of them after a loss, and are not sent when it is refused', async () => {
      const { gate, sent, create, answer } = setUp();
      gate.doubt('a');
      const [, ...others] = ['1', '2', '3'].map(name => create(name));
      void create('elsewhere', 'b');
      expect(sent).toEqual(['1', 'elsewhere']);
      await answer(refused);
      expect(await Promise.all(others)).toEqual([1, 2].map(() => failed('NamespaceTerminating', 'the namespace "a" is being terminated')));
      expect(sent).toEqual(['1', 'elsewhere']);
    });

    test.each([ok(), failed('AlreadyExists', 'yes'), failed('Invalid', 'no')])('go on when the first is answered by %j', async outcome => {
      const { gate, sent, create, answer } = setUp();
      gate.doubt('a');
      ['1', '2', '3'].forEach(name => void create(name));
      await answer(outcome);
      expect(sent).toEqual(['1', '2', '3']);
    });

    test('go on one by one while there is more doubt, and after answers that say nothing', async () => {
      const { gate, sent, create, answer } = setUp();
      gate.doubt('a');
      ['1', '2', '3', '4'].forEach(name => void create(name));
      gate.doubt('a');
      await answer(ok());
      expect(sent).toEqual(['1', '2']);
      await answer(failed('Timeout', 'late'));
      expect(sent).toEqual(['1', '2', '3']);
      await answer(ok());
      expect(sent).toEqual(['1', '2', '3', '4']);
    });

    test('are tried one by one again half a minute after a refusal', async () => {
      const { clock, sent, create, answer } = setUp();
      void create('1');
      await answer(refused);
      clock.now = 29_999;
      expect(await create('2')).toMatchObject({ ok: false });
      clock.now = 30_000;
      ['3', '4'].forEach(name => void create(name));
      expect(sent).toEqual(['1', '3']);
      await answer(ok());
      expect(sent).toEqual(['1', '3', '4']);
    });

    test('of thousands of namespaces are not remembered', async () => {
      const { gate, sent, create } = setUp();
      Array.from({ length: 2000 }, (_, i) => gate.doubt(`n${i}`));
      ['1', '2'].forEach(name => void create(name, 'n0'));
      ['3', '4'].forEach(name => void create(name, 'n1999'));
      expect(sent).toEqual(['1', '2', '3']);
    });
  });
});

test('F4 what a quota forbids is tried one by one when something in its namespace goes', () => {
  const keys = new ForbiddenKeys();
  ['n/a', 'n/b', 'm/c'].forEach(key => keys.set(key, true));
  expect([keys.next('n'), keys.next('n'), keys.next('n'), keys.next('other')]).toEqual(['n/a', 'n/b', 'n/a', undefined]);
  ['n/a', 'n/b'].forEach(key => keys.set(key, false));
  expect(keys.next('n')).toBeUndefined();
});
