import { ForbiddenKeys } from '../src/shell/forbidden-keys.js';
import { TerminatingNamespaces } from '../src/shell/terminating-namespaces.js';
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

  test('F9 is remembered for half a minute', () => {
    let now = 0;
    const namespaces = new TerminatingNamespaces(() => now);
    namespaces.add('a');
    expect([namespaces.has('a'), namespaces.has('b')]).toEqual([true, false]);
    now = 30_000;
    expect(namespaces.has('a')).toBe(false);
  });
});

test('F4 what a quota forbids is tried one by one when something in its namespace goes', () => {
  const keys = new ForbiddenKeys();
  ['n/a', 'n/b', 'm/c'].forEach(key => keys.set(key, true));
  expect([keys.next('n'), keys.next('n'), keys.next('n'), keys.next('other')]).toEqual(['n/a', 'n/b', 'n/a', undefined]);
  ['n/a', 'n/b'].forEach(key => keys.set(key, false));
  expect(keys.next('n')).toBeUndefined();
});
