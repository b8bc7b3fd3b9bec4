import { CONDITION, LABEL } from 'agent-sandbox-api';
import { mapDiff, mergeDiff, semanticallyEqual } from '../src/object/diff.js';
import { ClaimBench, claim } from './claim-bench.js';
import { SandboxBench, sandbox } from './fixtures.js';
import { PoolBench, image } from './pool-fixtures.js';

describe('times that were stored before the API refused them', () => {
  test.each(['2026-01-01T00:00:00,5Z', '2026-01-01T00:00:00+24:00'])('F6 %s is an InvalidConfiguration of Sandbox and claim', shutdownTime => {
    const bench = new SandboxBench();
    bench.model.create(sandbox({ shutdownTime }));
    bench.settle();
    expect(bench.condition('Ready')).toBe(`False/InvalidConfiguration: spec.shutdownTime "${shutdownTime}" is not a time that can be read: write it as 2027-01-31T17:00:00Z`);
    const claims = new ClaimBench();
    claims.model.create(claim({ lifecycle: { shutdownTime } }));
    claims.reconcile();
    expect(claims.condition()).toMatch(/^False\/InvalidConfiguration: spec\.lifecycle\.shutdownTime/);
  });
});

test('F8 a pool counts the members of the template as it is now', () => {
  const bench = new PoolBench({ replicas: 3 }).filled();
  expect(bench.pool.status).toMatchObject({ replicas: 3, updatedReplicas: 3 });
  bench.retemplate(image('new'));
  bench.respec({ replicas: 4 });
  bench.reconcile();
  expect(bench.pool.status).toMatchObject({ replicas: 4, updatedReplicas: 1 });
});

test('F10 a claim that is refused for its metadata reserves no member of the pool', () => {
  const bench = new ClaimBench();
  bench.member('a');
  bench.model.create(claim({ additionalPodMetadata: { labels: { 'kubernetes.io/x': 'y' } } }));
  const plan = bench.begin();
  expect(plan?.memory ?? undefined).not.toHaveProperty('reserved');
});

test('F10 labels may have the names of inherited properties', () => {
  const labels = { constructor: 'a', toString: 'b' } as unknown as { [key: string]: string };
  expect(mapDiff(labels, {})).toEqual({ constructor: null, toString: null });
  expect(mergeDiff({ labels }, { labels: {} })).toEqual({ labels: { constructor: null, toString: null } });
  expect(semanticallyEqual({ x: labels }, { x: {} })).toBe(false);
  const bench = new SandboxBench().ready(sandbox({ podTemplate: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'image' }] } } }));
  expect(bench.pod!.metadata.labels).toMatchObject(labels);
  bench.model.edit(bench.sandbox, draft => {
    draft.spec.podTemplate.metadata = {};
  });
  bench.settle();
  expect(Object.keys(bench.pod!.metadata.labels!)).toEqual([LABEL.sandboxNameHash]);
});

test('F10 the readiness of a warm claim does not predate the claim', () => {
  const bench = new ClaimBench();
  bench.member('a');
  bench.model.create(claim());
  bench.reconcile();
  const ready = bench.claim.status?.conditions?.find(({ type }) => type === CONDITION.ready);
  expect(ready?.lastTransitionTime).toBe(bench.claim.metadata.creationTimestamp);
});

test('V1 a claim names the Service of its Sandbox', () => {
  const bench = new ClaimBench();
  bench.member('a');
  bench.model.edit(bench.sandbox('a')!, draft => {
    draft.status = { ...draft.status, service: 'a', serviceFQDN: 'a.agents.svc.cluster.local' };
  });
  bench.model.create(claim());
  bench.reconcile();
  expect(bench.claim.status?.sandbox).toMatchObject({ name: 'a', serviceFQDN: 'a.agents.svc.cluster.local' });
});

test('V2 the grace period of a pool overrides the flag, and a change of it makes no member stale', () => {
  const bench = new PoolBench({ replicas: 1, updateStrategy: { type: 'Recreate' } });
  bench.reconcile();
  bench.respec({ readinessGracePeriodSeconds: 30 });
  expect(bench.sent()).not.toContain('delete Sandbox');
  expect(bench.wait(30_001).sent()).toContain('delete Sandbox');
});
