import { Registry } from 'prom-client';
import { controllersOf } from '../src/controllers.js';
import { parseFlags } from '../src/flags.js';
import { countMembers } from '../src/shell/sandbox-counts.js';
import { ClaimBench } from './claim-bench.js';
import { SandboxBench, foreignOwner, sandbox } from './fixtures.js';

const settled = (object = sandbox()) => new SandboxBench().ready(object);
const run = (bench: SandboxBench) => {
  bench.settle();
  bench.model.runPods();
  bench.settle();
};
const suspend = (bench: SandboxBench, operatingMode: 'Suspended' | 'Running') => bench.model.edit(bench.sandbox, draft => {
  draft.spec.operatingMode = operatingMode;
});
const end = (bench: SandboxBench, phase: string) => bench.model.edit(bench.pod!, draft => {
  draft.status = { ...draft.status, phase };
});
const reasons = ({ model }: SandboxBench) => model.events.map(({ reason }) => reason);
const measured = ({ model }: SandboxBench) => model.measures.map(({ metric, labels }) => [metric, Object.values(labels).at(-1)]);

describe('V4 Events of a Sandbox', () => {
  test('say that its Pod is created, that it is ready, suspended and ready again, each once', () => {
    const bench = settled();
    expect(reasons(bench)).toEqual(['SandboxPodCreated', 'SandboxReady']);
    suspend(bench, 'Suspended');
    run(bench);
    expect(reasons(bench).slice(2)).toEqual(['SandboxSuspended']);
    suspend(bench, 'Running');
    run(bench);
    expect(reasons(bench).slice(3)).toEqual(['SandboxPodCreated', 'SandboxReady']);
  });

  test.each([['Succeeded', 'Normal', 'PodSucceeded'], ['Failed', 'Warning', 'PodFailed']])('say that its Pod has %s', (phase, type, reason) => {
    const bench = settled();
    end(bench, phase);
    bench.settle();
    expect(bench.model.events.slice(2)).toMatchObject([{ type, reason }]);
  });

  test('say that its time is over', () => {
    const bench = settled();
    bench.model.edit(bench.sandbox, draft => {
      draft.spec.shutdownTime = '2020-01-01T00:00:00Z';
    });
    bench.settle();
    expect(reasons(bench).slice(2)).toEqual(['SandboxExpired']);
  });

  test('do not tell of starts that go well where a claim or pool does, and tell the rest', () => {
    const owner = foreignOwner('SandboxClaim', 'extensions.agents.x-k8s.io/v1beta1');
    const bench = settled(sandbox({}, { ownerReferences: [owner] }));
    expect(reasons(bench)).toEqual([]);
    end(bench, 'Failed');
    bench.settle();
    expect(reasons(bench)).toEqual(['PodFailed']);
  });

  test.each([[[], false], [['--disable-sandbox-events'], true]])('with %j are off: %j', (args, silent) => {
    expect(controllersOf(parseFlags(args))[0]!.silent).toBe(silent);
  });
});

describe('V5 metrics of Sandboxes', () => {
  test('count suspensions and resumptions, with how long they took', () => {
    const bench = settled();
    expect(measured(bench)).toEqual([]);
    suspend(bench, 'Suspended');
    bench.reconcile();
    bench.model.now += 1500;
    run(bench);
    expect(measured(bench)).toEqual([
      ['agent_sandbox_suspend_total', 'requested'], ['agent_sandbox_suspend_total', 'pod_terminated'], ['agent_sandbox_suspend_latency_ms', 'None'],
    ]);
    expect(bench.model.measures[2]!.value).toBe(1500);
    suspend(bench, 'Running');
    run(bench);
    expect(measured(bench).slice(3)).toEqual([
      ['agent_sandbox_resume_total', 'requested'], ['agent_sandbox_resume_total', 'ready'], ['agent_sandbox_resume_latency_ms', 'None'],
    ]);
  });

  test.each(['Invalid', 'Forbidden'] as const)('count a resumption that the API server refuses as %s, once', reason => {
    const bench = settled();
    suspend(bench, 'Suspended');
    run(bench);
    bench.model.intercept = request => (request.op === 'create' && request.object.kind === 'Pod' ? { reason, message: 'no' } : undefined);
    suspend(bench, 'Running');
    bench.settle();
    bench.reconcile();
    expect(measured(bench).slice(3)).toEqual([['agent_sandbox_resume_total', 'requested'], ['agent_sandbox_resume_total', 'error']]);
  });

  test('count a suspension whose Pod cannot be deleted', () => {
    const bench = settled();
    bench.model.intercept = request => (request.op === 'delete' ? { reason: 'Forbidden', message: 'no' } : undefined);
    suspend(bench, 'Suspended');
    bench.settle();
    expect(measured(bench)).toEqual([['agent_sandbox_suspend_total', 'requested'], ['agent_sandbox_suspend_total', 'error']]);
  });

  test('do not count a Sandbox that is suspended from its beginning', () => {
    expect(measured(settled(sandbox({ operatingMode: 'Suspended' })))).toEqual([]);
  });

  test('count what ended and what expired', () => {
    const bench = settled();
    end(bench, 'Failed');
    bench.settle();
    bench.model.edit(bench.sandbox, draft => {
      Object.assign(draft.spec, { shutdownTime: '2020-01-01T00:00:00Z', shutdownPolicy: 'Retain' });
    });
    bench.settle();
    expect(measured(bench)).toEqual([['agent_sandbox_finished_total', 'PodFailed'], ['agent_sandbox_expired_total', 'Retain']]);
  });

  test('count the idle members of pools by what their conditions say, and pools without members as zeros', async () => {
    const bench = new ClaimBench();
    bench.member('a');
    bench.member('b');
    bench.model.edit(bench.member('c'), draft => {
      draft.status = { conditions: [condition('Ready', 'False', 'x')] };
    });
    // A member that ended counts as ended whatever else it says.
    bench.model.edit(bench.member('d'), draft => {
      draft.status!.conditions!.push(condition('Finished', 'True', 'PodFailed'));
    });
    const registry = new Registry();
    countMembers(registry, () => bench.model.list('SandboxWarmPool'), ({ metadata }) => bench.model.byIndex('Sandbox', 'controller', metadata.uid!), () => true);
    const size = (status: string) => new RegExp(`agent_sandbox_warmpool_size.namespace="agents",warmpool_name="pool",sandbox_template="python",sandbox_status="${status}". (\\d+)`);
    const text = await registry.metrics();
    expect(['ready', 'pending', 'succeeded', 'failed'].map(status => size(status).exec(text)?.[1])).toEqual(['2', '1', '0', '1']);
  });
});

function condition(type: string, status: 'True' | 'False', reason: string) {
  return { type, status, reason, message: '', lastTransitionTime: '2026-01-01T00:00:00Z' };
}
