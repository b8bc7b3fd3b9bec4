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
    expect(measured(bench)).toEqual([['agent_sandbox_suspend_total', 'success'], ['agent_sandbox_suspend_latency_ms', 'None']]);
    expect(bench.model.measures[1]!.value).toBe(1500);
    suspend(bench, 'Running');
    run(bench);
    expect(measured(bench).slice(2)).toEqual([['agent_sandbox_resume_total', 'success'], ['agent_sandbox_resume_latency_ms', 'None']]);
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

  test('count the idle members of pools by readiness', async () => {
    const bench = new ClaimBench();
    bench.member('a');
    bench.member('b');
    const registry = new Registry();
    countMembers(registry, () => bench.model.list('Sandbox'), () => true);
    expect(await registry.metrics()).toContain('{namespace="agents",warmpool_name="pool",sandbox_template="python",sandbox_status="ready"} 2');
  });
});
