import { ClaimBench, claim, running } from './claim-bench.js';
import { NAMESPACE, SandboxBench, sandbox, summary } from './fixtures.js';

const ONCE = { podTemplate: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'image' }] } } };

/** A Sandbox whose Pod has ended. */
function ended(phase: 'Succeeded' | 'Failed', spec = ONCE): SandboxBench {
  const bench = new SandboxBench().ready(sandbox(spec));
  bench.model.edit(bench.pod!, draft => {
    draft.status = { phase };
  });
  bench.settle();
  return bench;
}

/** Deletes the Pod, which takes its time, and then is gone. */
function deletePod(bench: SandboxBench): void {
  bench.model.destroy(bench.pod!);
  bench.settle();
  bench.model.runPods();
  bench.settle();
}

describe('a Pod that is being deleted', () => {
  test('F1 makes its Sandbox not ready at once, whatever the Pod says', () => {
    const bench = new SandboxBench().ready();
    bench.model.destroy(bench.pod!);
    expect(summary(bench.reconcile({ options: { statusSettleMs: 1000 } }))).toEqual(['patch Sandbox/status']);
    expect(bench.condition('Ready')).toBe('False/DependenciesNotReady: Pod is terminating');
  });

  test('F1 is no candidate, even before its Sandbox says so', () => {
    const bench = new ClaimBench();
    const member = bench.member('dying');
    const pod = bench.model.create({
      apiVersion: 'v1', kind: 'Pod', metadata: { name: 'dying', namespace: NAMESPACE }, spec: { nodeName: 'node' }, status: { phase: 'Running' },
    });
    bench.model.destroy(pod);
    bench.model.create(claim());
    expect(summary(bench.reconcile())).toEqual(['create Sandbox', 'patch SandboxClaim/status']);
    expect(bench.sandbox('dying')).toBe(member);
    bench.member('healthy', running());
    bench.model.create(claim({}, { name: 'second' }));
    bench.reconcile('second');
    expect(bench.sandbox('healthy')!.metadata.ownerReferences![0]!.name).toBe('second');
  });

  test.each(['Succeeded', 'Failed'] as const)('F2 does not finish the work when its containers end as %s', phase => {
    const bench = new SandboxBench().ready(sandbox(ONCE));
    bench.model.destroy(bench.pod!);
    bench.model.edit(bench.pod!, draft => {
      draft.status = { phase };
    });
    bench.settle();
    expect(bench.condition('Finished')).toBeUndefined();
    bench.model.runPods();
    bench.settle();
    expect(bench.pod!.metadata.deletionTimestamp).toBeUndefined();
  });

  test('F2 does not finish the work when the Sandbox suspends', () => {
    const bench = new SandboxBench().ready();
    bench.model.edit(bench.sandbox, draft => {
      draft.spec.operatingMode = 'Suspended';
    });
    bench.model.edit(bench.pod!, draft => {
      draft.status = { phase: 'Failed' };
    });
    bench.settle();
    expect(bench.condition('Finished')).toBeUndefined();
    expect(bench.condition('Suspended')).toMatch(/^False\/PodTerminating/);
  });
});

describe('finished work', () => {
  test.each([['Succeeded', 'PodSucceeded: Pod completed successfully'], ['Failed', 'PodFailed: Pod failed']] as const)('F7 that %s stays finished when its Pod is deleted', (phase, text) => {
    const bench = ended(phase);
    expect(bench.condition('Finished')).toBe(`True/${text}`);
    deletePod(bench);
    expect(bench.pod).toBeUndefined();
    expect(bench.condition('Finished')).toBe(`True/${text}`);
    expect(bench.condition('Ready')).toBe(`False/${text}`);
    expect(bench.reconcile()).toEqual([]);
  });

  test('F7 begins anew when the Sandbox is suspended and resumed', () => {
    const bench = ended('Succeeded');
    for (const operatingMode of ['Suspended', 'Running'] as const) {
      bench.model.edit(bench.sandbox, draft => {
        draft.spec.operatingMode = operatingMode;
      });
      bench.settle();
      bench.model.runPods();
      bench.settle();
    }
    expect(bench.condition('Finished')).toBeUndefined();
    expect(bench.condition('Ready')).toBe('True/DependenciesReady: Pod is Ready');
  });

  test('F7 a Pod that is to be restarted is created again when it failed, for example by eviction, and is deleted', () => {
    const bench = ended('Failed', { podTemplate: { spec: { restartPolicy: 'Always', containers: [{ name: 'main', image: 'image' }] } } });
    deletePod(bench);
    bench.model.runPods();
    bench.settle();
    expect(bench.condition('Finished')).toBeUndefined();
    expect(bench.condition('Ready')).toBe('True/DependenciesReady: Pod is Ready');
  });
});
