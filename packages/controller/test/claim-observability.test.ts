import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { ANNOTATION, LABEL } from 'agent-sandbox-api';
import { FirstSeen } from '../src/claim/first-seen.js';
import { readLabelDomains } from '../src/claim/label-domains.js';
import { readyMeasures } from '../src/claim/measures.js';
import type { ObservedClaim } from '../src/claim/observed.js';
import { controllersOf } from '../src/controllers.js';
import { parseFlags } from '../src/flags.js';
import type { Request } from '../src/reconcile/plan.js';
import { Metrics } from '../src/shell/metrics.js';
import { ClaimBench, claim, readyCondition, running } from './claim-bench.js';
import { summary } from './fixtures.js';

const ANNOTATE = { options: { annotate: true } };
const STARTUP = 'agent_sandbox_claim_startup_latency_ms';
const CONTROLLER = 'agent_sandbox_claim_controller_startup_latency_ms';
const CLIENT = 'agent_sandbox_client_claim_startup_latency_ms';

function bench(annotations: { [key: string]: string } = {}): ClaimBench {
  const created = new ClaimBench();
  created.member('a');
  created.model.create(claim({}, { annotations }));
  created.model.now += 1000;
  return created;
}

const samples = ({ model }: ClaimBench) => model.measures.filter(({ metric }) => metric.endsWith('_ms')).map(({ metric, value }) => [metric, value]);
const annotations = ({ claim: { metadata } }: ClaimBench) => metadata.annotations ?? {};

describe('without annotations', () => {
  test('C108 nothing is written but the status, and the time in memory is measured', () => {
    const created = bench();
    expect(summary(created.reconcile('claim', { firstSeen: created.model.now - 250 }))).toEqual(['patch Sandbox', 'patch SandboxClaim/status']);
    expect(annotations(created)).toEqual({});
    expect(samples(created)).toEqual([[CONTROLLER, 250]]);
    expect(created.model.measures.find(({ metric }) => metric === CONTROLLER)!.labels).toEqual({ launch_type: 'warm', sandbox_template: 'python' });
  });

  test('C101 a claim that is ready again is measured once', () => {
    const created = bench();
    created.reconcile('claim', { firstSeen: created.model.now });
    const measured = samples(created).length;
    for (const ready of [false, true]) {
      created.model.edit(created.sandbox('a')!, draft => {
        draft.status!.conditions = [readyCondition(ready)];
      });
      created.reconcile();
    }
    expect(samples(created)).toHaveLength(measured);
  });
});

describe('latencies', () => {
  test('C96 of the webhook need its time, which is not in the future', () => {
    const at = (time: string) => bench({ [ANNOTATION.webhookFirstObservedAt]: time });
    const measured = (created: ClaimBench) => {
      created.reconcile('claim', { firstSeen: created.model.now });
      return samples(created).map(([metric]) => metric);
    };
    expect(measured(at('2026-01-01T00:00:00.5Z'))).toEqual([STARTUP, CONTROLLER]);
    expect(measured(at('2026-01-01T00:00:01.000000001Z'))).toEqual([STARTUP, CONTROLLER]);
    expect(measured(at('2027-01-01T00:00:00Z'))).toEqual([CONTROLLER]);
    expect(measured(at(''))).toEqual([CONTROLLER]);
  });

  test('C99 of clients need a time that can be read', () => {
    const measured = (time: string) => {
      const created = bench({ [ANNOTATION.clientFirstRequestedAt]: time });
      created.reconcile('claim', { firstSeen: created.model.now });
      return samples(created).filter(([metric]) => metric === CLIENT);
    };
    expect(measured('2026-01-01T00:00:00.123456789Z')).toEqual([[CLIENT, 877]]);
    expect(measured('yesterday')).toEqual([]);
  });

  test('C97 are not taken of a claim that was ready before', () => {
    const created = bench();
    created.reconcile();
    created.model.edit(created.sandbox('a')!, draft => {
      draft.status!.podIPs = ['10.0.0.9'];
    });
    created.reconcile('claim', { firstSeen: created.model.now });
    expect(samples(created)).toEqual([]);
  });

  test('C98 without Sandbox are of unknown kind', () => {
    const observed = { claim: claim({}, { annotations: { [ANNOTATION.clientFirstRequestedAt]: '1970-01-01T00:00:00Z' } }), now: 5 } as unknown as ObservedClaim;
    expect(readyMeasures(observed, undefined)).toEqual([
      { op: 'measure', metric: CLIENT, value: 5, labels: { launch_type: 'unknown', sandbox_template: '__unknown__' } },
    ]);
  });

  test('of a Sandbox run from its creation to its readiness', () => {
    const created = new ClaimBench();
    created.member('a', { ...running(), conditions: [{ ...readyCondition(true), lastTransitionTime: '2026-01-01T00:00:03Z' }] });
    created.model.create(claim());
    created.reconcile('claim', { firstSeen: created.model.now });
    expect(samples(created)).toContainEqual(['agent_sandbox_creation_latency_ms', 3000]);
  });
});

describe('with annotations', () => {
  test('C107 the first pass writes one annotation, and C100 the first readiness another one', () => {
    const created = bench();
    const writes = created.reconcile('claim', ANNOTATE);
    expect(summary(writes)).toEqual(['patch SandboxClaim', 'patch Sandbox', 'patch SandboxClaim', 'patch SandboxClaim/status', 'patch SandboxClaim']);
    expect((writes[0] as Request & { body: object }).body).toEqual({ metadata: { annotations: { [ANNOTATION.controllerFirstObservedAt]: '2026-01-01T00:00:01.000000000Z' } } });
    expect(annotations(created)).toEqual({
      [ANNOTATION.controllerFirstObservedAt]: '2026-01-01T00:00:01.000000000Z',
      [ANNOTATION.claimFirstReadyAt]: '2026-01-01T00:00:01.000000000Z',
      [ANNOTATION.sandboxName]: 'a',
    });
    expect(created.reconcile('claim', ANNOTATE)).toEqual([]);
  });

  test('F11 the Sandbox is named on the claim before the claim is ready, and stays not ready if that write fails', () => {
    const created = bench();
    created.model.intercept = request => (request.op === 'patch' && JSON.stringify(request.body).includes(ANNOTATION.sandboxName)
      ? { reason: 'Timeout', message: 'late' } : undefined);
    created.reconcile('claim', ANNOTATE);
    expect(created.claim.status).toBeUndefined();
    expect(created.result?.errors).toHaveLength(1);
    created.model.intercept = undefined;
    created.reconcile('claim', ANNOTATE);
    expect(annotations(created)[ANNOTATION.sandboxName]).toBe('a');
    expect(created.condition()).toMatch(/^True/);
  });

  test('C100 the stamp that is there already means no sample', () => {
    const created = bench({ [ANNOTATION.claimFirstReadyAt]: '2026-01-01T00:00:00Z' });
    created.reconcile('claim', ANNOTATE);
    expect(annotations(created)[ANNOTATION.sandboxName]).toBe('a');
    expect(samples(created)).toEqual([]);
    expect(annotations(created)[ANNOTATION.claimFirstReadyAt]).toBe('2026-01-01T00:00:00Z');
  });

  test('C102 a stamp that fails is an error, back-filled as unknown, and nothing is measured twice', () => {
    const created = bench();
    const isStamp = (request: Request) => request.op === 'patch' && JSON.stringify(request.body).includes(ANNOTATION.claimFirstReadyAt);
    created.model.intercept = request => (isStamp(request) ? { reason: 'Forbidden', message: 'no' } : undefined);
    created.reconcile('claim', ANNOTATE);
    expect(created.errors()).toEqual(['no']);
    const measured = samples(created).length;
    expect(measured).toBeGreaterThan(0);
    created.model.intercept = undefined;
    created.reconcile('claim', ANNOTATE);
    expect(annotations(created)[ANNOTATION.claimFirstReadyAt]).toBe('unknown');
    expect(samples(created)).toHaveLength(measured);
  });

  test('C109 a first annotation that fails is an error, and nothing else is done', () => {
    const created = bench();
    const sent: string[] = [];
    created.model.intercept = request => {
      sent.push(...summary([request]));
      return { reason: 'Forbidden', message: 'no' };
    };
    created.reconcile('claim', ANNOTATE);
    expect(sent).toEqual(['patch SandboxClaim']);
    expect(created.errors()).toEqual(['no']);
  });

  test('C73 a label of the first generation that names the Sandbox is followed by the annotation', () => {
    const created = new ClaimBench();
    created.member('a');
    created.member('b');
    created.model.create(claim({}, { labels: { [LABEL.sandboxName]: 'b' } }));
    created.settle('claim', ANNOTATE);
    expect(annotations(created)[ANNOTATION.sandboxName]).toBe('b');
  });
});

describe('the process', () => {
  const definition = (...args: string[]) => controllersOf(parseFlags(['--extensions', ...args])).find(({ name }) => name === 'sandboxclaim-controller')!;

  test('shows what caches read, and which Events are dropped', async () => {
    const metrics = new Metrics('test');
    const informers = metrics.informers();
    informers.listed!('sandboxes', 3, 250);
    informers.event!('sandboxes', 'ADDED');
    informers.watchEnded!('pods', 'gone');
    metrics.droppedEvents()('rate');
    const text = await metrics.registry.metrics();
    expect(text).toContain('reflector_list_duration_seconds_sum{resource="sandboxes"} 0.25');
    expect(text).toContain('reflector_events_total{resource="sandboxes",type="ADDED"} 1');
    expect(text).toContain('reflector_watches_ended_total{resource="pods",why="gone"} 1');
    expect(text).toContain('agent_sandbox_events_dropped_total{why="rate"} 1');
  });

  test('shows how much the event loop was delayed, until it ends, and nothing else measures that', async () => {
    jest.useFakeTimers();
    const metrics = new Metrics('test');
    const end = new AbortController();
    let now = 0;
    const wait = (ms: number) => {
      now += ms;
      jest.advanceTimersToNextTimer();
    };
    metrics.eventLoop(end.signal, () => now);
    [100, 200, 100].forEach(wait);
    const timers = jest.getTimerCount();
    end.abort();
    expect(jest.getTimerCount()).toBe(timers - 1);
    jest.useRealTimers();
    const lines = (await metrics.registry.metrics()).split('\n').filter(line => line.startsWith('nodejs_eventloop_'));
    const of = (suffix: string) => Number(lines.find(line => line.startsWith(`nodejs_eventloop_delay_seconds_${suffix} `))?.split(' ')[1]);
    expect([of('bucket{le="0.001"}'), of('bucket{le="0.05"}'), of('bucket{le="0.1"}'), of('count'), of('sum')]).toEqual([2, 2, 3, 3, 0.1]);
    expect(lines.filter(line => !line.startsWith('nodejs_eventloop_delay_seconds_'))).toEqual([]);
  });

  test('shows what claims measure under the names of the original', async () => {
    const created = bench({ [ANNOTATION.clientFirstRequestedAt]: '2026-01-01T00:00:00Z' });
    created.reconcile('claim', { firstSeen: created.model.now - 250 });
    const metrics = new Metrics('test');
    created.model.measures.forEach(metrics.measures(definition().metrics!));
    const text = await metrics.registry.metrics();
    expect(text).toContain(`${CONTROLLER}_bucket{le="250",launch_type="warm",sandbox_template="python"} 1`);
    expect(text).toContain(`${CLIENT}_sum{launch_type="warm",sandbox_template="python"} 1000`);
    expect(text).toContain(
      'agent_sandbox_claim_creation_total{namespace="agents",sandbox_template="python",launch_type="warm",warmpool_name="pool",pod_condition="ready",created_by="unknown"} 1',
    );
  });

  test('sends no Events about claims with the option', () => {
    expect([definition().silent, definition('--disable-claim-events').silent]).toEqual([false, true]);
  });

  test('writes annotations only with the option, and not with its opposite as well', () => {
    const annotates = (...args: string[]) => {
      const { model: cache } = bench();
      return summary(definition(...args).plan(cache, 'agents', 'claim', { now: cache.now, monotonic: cache.now, memory: undefined })!.requests)[0] === 'patch SandboxClaim';
    };
    expect([
      annotates(), annotates('--claim-observability-annotations'), annotates('--claim-observability-annotations', '--disable-claim-observability-annotations'),
    ]).toEqual([false, true, false]);
  });

  test('reads the domains of labels from a file, and does not start when it cannot be used', () => {
    const dir = mkdtempSync(join(tmpdir(), 'domains-'));
    const file = (text: string) => {
      writeFileSync(join(dir, 'list'), text);
      return join(dir, 'list');
    };
    try {
      expect(readLabelDomains(join(dir, 'missing'))).toEqual(['sandbox.users.io']);
      expect(readLabelDomains(file(' \n'))).toEqual(['sandbox.users.io']);
      expect(readLabelDomains(file('Example.com, a.b\n\nc\r\n'))).toEqual(['example.com', 'a.b', 'c']);
      expect(() => readLabelDomains(file('example.com, a b'))).toThrow('"a b" is not a domain: list domains such as example.com');
      expect(() => definition(`--allowed-label-domains-file=${dir}`)).toThrow(/cannot use the allowed label domains of .*: make it readable/);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

describe('when a claim was first seen', () => {
  const at = (uid: string, metadata = {}) => claim({}, { uid, ...metadata });
  const ready = (uid: string) => ({ ...at(uid), status: { conditions: [readyCondition(true)] } });

  test('C103 is kept per claim, and replaced for another one of the name', () => {
    const seen = new FirstSeen();
    seen.observe({ after: at('1'), origin: 'watch' }, 10);
    seen.observe({ before: at('1'), after: at('1'), origin: 'watch' }, 20);
    expect(seen.of(at('1'))).toBe(10);
    seen.observe({ after: at('2'), origin: 'watch' }, 30);
    expect([seen.of(at('1')), seen.of(at('2'))]).toEqual([undefined, 30]);
    seen.observe({ before: at('1'), origin: 'watch' }, 40);
    expect(seen.of(at('2'))).toBe(30);
    seen.observe({ before: at('2'), origin: 'watch' }, 50);
    expect(seen.size).toBe(0);
  });

  test('C104 is forgotten when it is ready, and not noted of claims from before', () => {
    const seen = new FirstSeen();
    seen.observe({ after: at('1'), origin: 'watch' }, 10);
    seen.observe({ before: at('1'), after: ready('1'), origin: 'write' }, 20);
    seen.observe({ before: ready('1'), after: ready('1'), origin: 'watch' }, 30);
    seen.observe({ before: at('3'), after: at('3'), origin: 'watch' }, 40);
    seen.observe({ after: at('4', { name: 'old' }), origin: 'list' }, 50);
    expect(seen.size).toBe(0);
  });
});
