import { ANNOTATION, LABEL, type Sandbox, definedOnly } from 'agent-sandbox-api';
import { failed, type Request } from '../src/reconcile/plan.js';
import { ClaimBench, TEMPLATE_HASH, claim, running } from './claim-bench.js';
import { NAMESPACE, foreignOwner, pool, summary, template, reconcileTemplateOnce } from './fixtures.js';
import { API_VERSION } from './model.js';

const SAFE = ANNOTATION.safeToEvict;

const owners = (sandbox: Sandbox | undefined) => (sandbox?.metadata.ownerReferences ?? []).map(({ kind, name }) => `${kind}/${name}`);
const podMetadata = (sandbox: Sandbox | undefined) => sandbox?.spec.podTemplate.metadata;

/** A pool with ready members of these names, and a claim on it. */
function warm(names: readonly string[], spec: Parameters<typeof claim>[0] = {}, metadata: Parameters<typeof claim>[1] = {}): ClaimBench {
  const bench = new ClaimBench();
  names.forEach(name => bench.member(name));
  bench.model.create(claim(spec, metadata));
  return bench;
}

describe('adopting', () => {
  test('C39 C75 takes the oldest ready member with two writes, and tells it when it is ready', () => {
    const bench = warm(['a', 'b']);
    const before = bench.sandbox('a')!;
    expect(summary(bench.reconcile())).toEqual(['patch Sandbox', 'patch SandboxClaim/status']);
    const after = bench.sandbox('a')!;
    expect(owners(after)).toEqual(['SandboxClaim/claim']);
    expect(after.spec.podTemplate.spec).toEqual(before.spec.podTemplate.spec);
    expect(after.metadata.labels).toEqual({
      [LABEL.templateRefHash]: TEMPLATE_HASH, [LABEL.launchType]: 'warm', [LABEL.claimUid]: bench.claim.metadata.uid,
    });
    expect(bench.condition()).toBe('True/DependenciesReady: Pod is Ready');
    expect(bench.claim.status).toMatchObject({ sandbox: { name: 'a', podIPs: ['10.0.0.1'] }, sandboxName: 'a' });
    expect(bench.events()).toEqual(['SandboxAdopted: Adopted warm pool Sandbox "a"']);
    expect(bench.reconcile()).toEqual([]);
  });

  test('locks the Sandbox by its resourceVersion, and C89 the claim by its own', () => {
    const bench = warm(['a']);
    const [before, claimBefore] = [bench.sandbox('a')!, bench.claim];
    const versions = bench.reconcile().map(request => (request.op === 'patch' ? (request.body as any).metadata.resourceVersion : undefined));
    expect(versions).toEqual([before.metadata.resourceVersion, claimBefore.metadata.resourceVersion]);
  });

  test('C42 prefers a ready member to an older one that is not', () => {
    const bench = new ClaimBench();
    bench.member('unready', running(false));
    bench.member('ready');
    bench.model.create(claim());
    bench.reconcile();
    expect(bench.claim.status?.sandbox?.name).toBe('ready');
    bench.model.create(claim({}, { name: 'second' }));
    bench.reconcile('second');
    expect(owners(bench.sandbox('unready'))).toEqual(['SandboxClaim/second']);
  });

  test('C43 C46 takes the first unready member with an address where none is ready', () => {
    const bench = new ClaimBench();
    bench.member('no-pod', {});
    bench.member('first', running(false));
    bench.member('second', running(false));
    bench.model.create(claim());
    bench.reconcile();
    expect(bench.claim.status?.sandbox?.name).toBe('first');
    expect(bench.condition()).toBe('False/DependenciesNotReady: Pod is Running but not Ready');
  });

  test('C41 C59 C60 skips what is not an idle member of its pool: other controllers, deleted, forged, other pools, other namespaces', () => {
    const bench = new ClaimBench();
    const reference = (sandbox: Sandbox) => sandbox.metadata.ownerReferences![0]!;
    bench.member('foreign', running(), sandbox => {
      sandbox.metadata.ownerReferences = [foreignOwner()];
    });
    bench.member('forged', running(), sandbox => {
      delete sandbox.metadata.ownerReferences;
    });
    bench.member('other-pool', running(), sandbox => {
      reference(sandbox).name = 'other';
    });
    bench.member('other-namespace', running(), sandbox => {
      sandbox.metadata.namespace = 'elsewhere';
    });
    bench.member('earlier-pool', running(), sandbox => {
      reference(sandbox).uid = 'gone';
    });
    bench.member('unlabelled', running(), sandbox => {
      delete sandbox.metadata.labels![LABEL.warmPool];
    });
    const deleted = bench.member('deleted', running(), sandbox => {
      sandbox.metadata.finalizers = ['test/keep'];
    });
    bench.model.destroy(deleted);
    bench.model.create(claim());
    expect(summary(bench.reconcile())).toEqual(['create Sandbox', 'patch SandboxClaim/status']);
  });

  test('C76 takes a member whose owner reference is of the first generation of the API', () => {
    const bench = new ClaimBench();
    bench.member('old', running(), sandbox => {
      sandbox.metadata.ownerReferences![0]!.apiVersion = 'extensions.agents.x-k8s.io/v1alpha1';
    });
    bench.model.create(claim());
    bench.reconcile();
    expect(bench.claim.status?.sandbox?.name).toBe('old');
  });

  test('leaves alone a member whose work has ended', () => {
    const bench = new ClaimBench();
    const status = running(false);
    status.conditions!.push({ type: 'Finished', status: 'True', reason: 'PodFailed', message: 'Pod failed', lastTransitionTime: '2026-01-01T00:00:00Z' });
    bench.member('failed', status);
    bench.model.create(claim());
    expect(summary(bench.reconcile())).toEqual(['create Sandbox', 'patch SandboxClaim/status']);
  });

  test('C58 a bound claim never adopts again', () => {
    const bench = warm(['a', 'b']);
    bench.reconcile();
    expect(bench.reconcile()).toEqual([]);
    bench.restart();
    expect(bench.reconcile()).toEqual([]);
    expect(owners(bench.sandbox('b'))).toEqual(['SandboxWarmPool/pool']);
  });

  test('C74 claims in work at the same time get different members, without a conflict', () => {
    const bench = new ClaimBench();
    const names = Array.from({ length: 20 }, (_, i) => `m${i}`);
    names.forEach(name => bench.member(name));
    const claims = names.map(name => `claim-${name}`);
    claims.forEach(name => bench.model.create(claim({}, { name })));
    const plans = claims.map(name => bench.begin(name)!);
    const targets = plans.flatMap(({ requests }) => requests.map(request => (request.op === 'patch' ? request.target.name : request.op)));
    expect(new Set(targets)).toEqual(new Set(names));
    expect(plans.map(({ requests }) => bench.model.send(requests[0]!).ok)).toEqual(claims.map(() => true));
  });

  test('a member that could not be adopted goes back to the end of the queue', () => {
    const bench = warm(['a', 'b']);
    bench.model.intercept = request => (summary([request])[0] === 'patch Sandbox' ? { reason: 'Forbidden', message: 'no' } : undefined);
    bench.reconcile();
    expect(bench.condition()).toBe('False/ReconcilerError: Error seen: no');
    bench.model.intercept = undefined;
    bench.reconcile();
    expect(bench.claim.status?.sandbox?.name).toBe('b');
  });
});

describe('what a member becomes', () => {
  test('C47 its Pod is tracked under its own name', () => {
    const bench = new ClaimBench();
    bench.member('a', running(), sandbox => {
      sandbox.metadata.annotations![ANNOTATION.podName] = 'wrong';
    });
    bench.member('b');
    bench.model.create(claim());
    bench.reconcile();
    expect(bench.sandbox('a')!.metadata.annotations![ANNOTATION.podName]).toBe('a');
  });

  test('C51 the evictability that the pool gave it is gone, and C49 that of the template stays', () => {
    const bench = warm(['a']);
    expect(podMetadata(bench.sandbox('a'))?.annotations).toEqual({ [SAFE]: 'true' });
    bench.reconcile();
    expect(podMetadata(bench.sandbox('a'))?.annotations ?? {}).toEqual({});
    const kept = new ClaimBench({ podTemplate: { metadata: { annotations: { [SAFE]: 'false' } }, spec: { containers: [{ name: 'main', image: 'image' }] } } });
    kept.member('a');
    kept.member('b');
    kept.model.create(claim());
    kept.reconcile();
    expect(podMetadata(kept.sandbox('a'))?.annotations).toEqual({ [SAFE]: 'false' });
    kept.model.destroy(kept.template);
    kept.model.create(claim({}, { name: 'second' }));
    kept.reconcile('second');
    expect(owners(kept.sandbox('b'))).toEqual(['SandboxClaim/second']);
    expect(podMetadata(kept.sandbox('b'))?.annotations).toEqual({ [SAFE]: 'false' });
  });

  test('C50 the claim may ask for evictability', () => {
    const bench = warm(['a'], { additionalPodMetadata: { annotations: { [SAFE]: 'true' } } });
    bench.reconcile();
    expect(podMetadata(bench.sandbox('a'))?.annotations).toEqual({ [SAFE]: 'true' });
  });

  test('C52 created-by is the client that made the claim, or absent', () => {
    const bench = warm(['a'], {}, { labels: { [LABEL.createdBy]: 'python-client' } });
    bench.member('b');
    bench.reconcile();
    expect(bench.sandbox('a')!.metadata.labels![LABEL.createdBy]).toBe('python-client');
    expect(podMetadata(bench.sandbox('a'))!.labels![LABEL.createdBy]).toBe('python-client');
    bench.model.create(claim({}, { name: 'second' }));
    bench.reconcile('second');
    expect(bench.sandbox('b')!.metadata.labels).not.toHaveProperty([LABEL.createdBy]);
  });

  test('C12 its Pod gets the additional metadata, without the pool\'s labels', () => {
    const bench = warm(['a'], { additionalPodMetadata: { labels: { 'sandbox.users.io/team': 'x' } } });
    bench.reconcile();
    expect(podMetadata(bench.sandbox('a'))?.labels).toEqual({
      'sandbox.users.io/team': 'x', [LABEL.claimUid]: bench.claim.metadata.uid, [LABEL.templateRefHash]: TEMPLATE_HASH,
    });
  });

  test('a conflict of metadata is found before anything is written, and the member stays with the pool', () => {
    const bench = new ClaimBench({ podTemplate: { metadata: { annotations: { team: 'y' } }, spec: { containers: [{ name: 'main', image: 'image' }] } } });
    bench.member('a');
    bench.model.create(claim({ additionalPodMetadata: { annotations: { team: 'x' } } }));
    expect(summary(bench.reconcile())).toEqual(['patch SandboxClaim/status']);
    expect(bench.condition()).toMatch(/^False\/ReconcilerError: Error seen: metadata override conflict: the annotation "team"/);
    expect(bench.errors()).toHaveLength(1);
    expect(owners(bench.sandbox('a'))).toEqual(['SandboxWarmPool/pool']);
  });

  test('F10 a claim that is refused for its metadata keeps no place and sends no member to the end of the queue', () => {
    const bench = new ClaimBench({ podTemplate: { metadata: { annotations: { team: 'y' } }, spec: { containers: [{ name: 'main', image: 'image' }] } } });
    bench.member('a');
    bench.member('b');
    bench.model.create(claim({ additionalPodMetadata: { annotations: { team: 'x' } } }));
    bench.model.create(claim({}, { name: 'next' }));
    for (let i = 0; i < 3; i++) {
      bench.reconcile();
      expect(bench.memories.get('claim')?.reserved).toBeUndefined();
    }
    bench.reconcile('next');
    expect(owners(bench.sandbox('a'))).toEqual(['SandboxClaim/next']);
  });
});

describe('when the template has changed', () => {
  const change = (bench: ClaimBench) => bench.model.edit(bench.template, draft => {
    draft.spec.podTemplate.spec.containers![0]!.image = 'new';
  });

  test('C53 C55 a pool that recreates hands out no stale member, and none at all without the template', () => {
    const bench = new ClaimBench({}, { updateStrategy: { type: 'Recreate' } });
    bench.member('stale');
    change(bench);
    bench.member('fresh');
    bench.model.create(claim());
    bench.reconcile();
    expect(bench.claim.status?.sandbox?.name).toBe('fresh');
    bench.member('unhashed', running(), sandbox => {
      delete sandbox.metadata.labels![LABEL.templateHash];
    });
    bench.model.create(claim({}, { name: 'second' }));
    bench.reconcile('second');
    expect(owners(bench.sandbox('unhashed'))).toEqual(['SandboxClaim/second']);
    bench.member('left');
    bench.model.destroy(bench.template);
    bench.model.create(claim({}, { name: 'third' }));
    expect(summary(bench.reconcile('third'))).toEqual(['patch SandboxClaim/status']);
    expect(owners(bench.sandbox('left'))).toEqual(['SandboxWarmPool/pool']);
  });

  test('a member that was stale is handed out once the template is what it was', () => {
    const bench = new ClaimBench({}, { updateStrategy: { type: 'Recreate' } });
    bench.member('a');
    change(bench);
    bench.model.create(claim({}, { name: 'first' }));
    bench.reconcile('first');
    expect(owners(bench.sandbox('a'))).toEqual(['SandboxWarmPool/pool']);
    bench.model.edit(bench.template, draft => {
      draft.spec.podTemplate.spec.containers![0]!.image = 'image';
    });
    bench.model.create(claim());
    bench.reconcile();
    expect(bench.claim.status?.sandbox?.name).toBe('a');
  });

  test.each([undefined, { type: 'OnReplenish' as const }])('C54 a pool with strategy %o hands out stale members', updateStrategy => {
    const bench = new ClaimBench({}, definedOnly({ updateStrategy }));
    bench.member('stale');
    change(bench);
    bench.model.create(claim());
    bench.reconcile();
    expect(bench.claim.status?.sandbox?.name).toBe('stale');
  });
});

describe('conflicts', () => {
  const onPatch = (bench: ClaimBench, act: (count: number) => ReturnType<NonNullable<ClaimBench['model']['intercept']>>) => {
    let count = 0;
    bench.model.intercept = (request: Request) => (summary([request])[0] === 'patch Sandbox' ? act(++count) : undefined);
  };

  test('C48 the same candidate is tried again on a fresh read, and no other is consumed', () => {
    const bench = warm(['a', 'b']);
    onPatch(bench, count => {
      if (count === 1) {
        bench.model.edit(bench.sandbox('a')!, draft => {
          draft.metadata.annotations!.touched = 'yes';
        });
      }
      return undefined;
    });
    expect(summary(bench.reconcile())).toEqual(['patch Sandbox', 'patch Sandbox', 'patch SandboxClaim/status']);
    expect(bench.claim.status?.sandbox?.name).toBe('a');
    expect(owners(bench.sandbox('b'))).toEqual(['SandboxWarmPool/pool']);
  });

  test('C67 a candidate that is gone is an AdoptionConflict, and the next pass starts clean', () => {
    const bench = warm(['a', 'b']);
    onPatch(bench, count => {
      if (count === 1) {
        bench.model.destroy(bench.sandbox('a')!);
      }
      return undefined;
    });
    bench.reconcile();
    expect(bench.condition()).toBe('False/AdoptionConflict: adoption write conflict: sandbox "a" is gone; the next reconciliation retries from a converged view');
    expect(bench.errors()).toHaveLength(1);
    bench.reconcile();
    expect(bench.claim.status?.sandbox?.name).toBe('b');
  });

  test('a candidate that another claim has is an AdoptionConflict', () => {
    const bench = warm(['a']);
    onPatch(bench, () => {
      bench.model.edit(bench.sandbox('a')!, draft => {
        draft.metadata.ownerReferences = [foreignOwner('SandboxClaim', API_VERSION.extensions)];
      });
      return undefined;
    });
    bench.reconcile();
    expect(bench.condition()).toMatch(/^False\/AdoptionConflict: adoption write conflict: sandbox "a" was taken or changed by another client/);
    expect(owners(bench.sandbox('a'))).toEqual(['SandboxClaim/other']);
  });

  test('C68 endless conflicts end after five attempts with an AdoptionConflict and back-off', () => {
    const bench = warm(['a']);
    let patches = 0;
    onPatch(bench, () => {
      patches++;
      return { reason: 'Conflict', message: 'the object has been modified' };
    });
    bench.reconcile();
    expect(patches).toBe(5);
    expect(bench.condition()).toMatch(/^False\/AdoptionConflict: .* is written by other clients continuously/);
    expect(bench.errors()).toHaveLength(1);
  });

  test('C63 C72 a stale cache that shows the claim\'s own Sandbox as the pool\'s costs no second adoption', () => {
    const bench = warm(['a', 'b']);
    const stale = bench.model.snapshot();
    bench.reconcile();
    const status = bench.claim.status;
    bench.reconcile('claim', { cache: stale });
    expect(owners(bench.sandbox('b'))).toEqual(['SandboxWarmPool/pool']);
    expect(bench.claim.status).toEqual(status);
  });

  test('C62 a crash after the adoption is completed by the next pass, with its Event', () => {
    const bench = warm(['a', 'b']);
    bench.reconcile('claim', { crashAfter: 1 });
    expect(owners(bench.sandbox('a'))).toEqual(['SandboxClaim/claim']);
    bench.restart();
    expect(summary(bench.reconcile())).toEqual(['patch SandboxClaim/status']);
    expect(bench.claim.status?.sandbox?.name).toBe('a');
    expect(bench.events()).toEqual(['SandboxAdopted: Adopted warm pool Sandbox "a"']);
    expect(bench.model.measures.map(({ metric, labels }) => [metric, labels.launch_type])).toEqual([['agent_sandbox_claim_creation_total', 'warm']]);
  });

  test('C71 an adoption whose answer got lost is looked up before anything else is tried', () => {
    const bench = warm(['a', 'b']);
    const cache = bench.model.snapshot();
    const plan = bench.begin()!;
    bench.model.send(plan.requests[0]!);
    let last = plan.next!([failed('Timeout', 'no answer')]);
    expect(last.next).toBeDefined();
    bench.model.send(last.requests[0]!);
    last = last.next!([{ ok: true }]);
    expect(last.errors).toHaveLength(1);
    bench.remember('claim', last.memory!);
    const again = bench.begin('claim', { cache })!;
    expect(summary(again.requests)).toEqual(['get Sandbox']);
    expect(summary(again.next!([bench.model.send(again.requests[0]!)]).requests)).toEqual(['patch SandboxClaim/status']);
    expect(owners(bench.sandbox('b'))).toEqual(['SandboxWarmPool/pool']);
  });

  test('a second Sandbox that became the claim\'s after all is given up: the one that the status names counts', () => {
    const bench = warm(['a', 'b']);
    bench.reconcile();
    bench.model.edit(bench.sandbox('b')!, draft => {
      draft.metadata.ownerReferences = bench.sandbox('a')!.metadata.ownerReferences!;
      draft.metadata.labels![LABEL.claimUid] = bench.claim.metadata.uid!;
    });
    bench.settle();
    expect(bench.sandbox('b')).toBeUndefined();
    expect(bench.claim.status?.sandbox?.name).toBe('a');
  });
});

describe('claims that the original controller has begun to bind', () => {
  const assigned = { annotations: { [ANNOTATION.sandboxName]: 'b' } };

  test('C56 C62 get the assigned member, even without an address', () => {
    const bench = new ClaimBench();
    bench.member('a');
    bench.member('b', {});
    bench.model.create(claim({}, assigned));
    bench.settle();
    expect(bench.claim.status?.sandbox?.name).toBe('b');
    expect(owners(bench.sandbox('a'))).toEqual(['SandboxWarmPool/pool']);
  });

  test.each(['annotations', 'labels'] as const)('C61 lose an assignment in %s to a Sandbox of another claim, which stays as it is', part => {
    const bench = new ClaimBench();
    bench.member('a');
    const other = bench.member('b', running(), sandbox => {
      sandbox.metadata.ownerReferences = [foreignOwner('SandboxClaim', 'extensions.agents.x-k8s.io/v1alpha1')];
    });
    bench.model.create(claim({}, { [part]: { [LABEL.sandboxName]: 'b' } }));
    bench.settle();
    expect(bench.claim.metadata[part] ?? {}).toEqual({});
    expect(bench.claim.status?.sandbox?.name).toBe('a');
    expect(bench.sandbox('b')).toEqual(other);
  });

  test('C67 lose an assignment to a Sandbox that is gone', () => {
    const bench = new ClaimBench();
    bench.model.create(claim({}, assigned));
    bench.settle();
    expect(bench.claim.metadata.annotations ?? {}).toEqual({});
    expect(bench.claim.status?.sandbox?.name).toBe('claim');
  });

  test('keep an assignment to a Sandbox that is theirs already, and C105 C106 its launch type', () => {
    const bench = warm(['a', 'b']);
    bench.reconcile();
    bench.model.edit(bench.claim, draft => {
      draft.metadata.annotations = { [ANNOTATION.sandboxName]: 'a' };
      delete draft.status;
    });
    bench.model.edit(bench.sandbox('a')!, draft => {
      delete draft.metadata.labels![LABEL.launchType];
    });
    bench.settle();
    expect(bench.claim.metadata.annotations).toEqual({ [ANNOTATION.sandboxName]: 'a' });
    expect(bench.sandbox('a')!.metadata.labels![LABEL.launchType]).toBe('warm');
    bench.model.edit(bench.sandbox('a')!, draft => {
      draft.metadata.labels![LABEL.launchType] = 'cold';
    });
    expect(bench.reconcile()).toEqual([]);
  });
});

describe('pools of a template that the claim names itself', () => {
  const target = (warmpool?: string) => ({ sandboxTemplateRef: { name: 'python' }, ...definedOnly({ warmpool }) });

  test.each([undefined, 'none'])('with warmpool %o none is used: the Sandbox has the claim\'s name', warmpool => {
    const bench = warm(['a'], target(warmpool));
    expect(summary(bench.reconcile())).toEqual(['create Sandbox', 'patch SandboxClaim/status']);
    expect(bench.claim.status).toMatchObject({ sandbox: { name: 'claim' }, sandboxName: 'claim' });
  });

  test('default takes a member of any pool, the ready one first', () => {
    const bench = new ClaimBench();
    bench.model.create(pool({}, { name: 'another' }));
    bench.member('unready', running(false), sandbox => {
      sandbox.metadata.ownerReferences = [{ ...sandbox.metadata.ownerReferences![0]!, name: 'another', uid: bench.model.get('SandboxWarmPool', NAMESPACE, 'another')!.metadata.uid! }];
    });
    bench.member('ready');
    bench.model.create(claim(target('default')));
    bench.reconcile();
    expect(bench.claim.status?.sandbox?.name).toBe('ready');
  });

  test('default takes no member that an edited pool has left from another template', () => {
    const bench = new ClaimBench();
    bench.member('old');
    bench.model.create(template({}, { name: 'node' }));
    reconcileTemplateOnce(bench.model, bench.model, 'node');
    bench.model.edit(bench.model.get('SandboxWarmPool', NAMESPACE, 'pool')!, draft => {
      draft.spec.sandboxTemplateRef.name = 'node';
    });
    bench.model.create(claim({ sandboxTemplateRef: { name: 'node' }, warmpool: 'default' }));
    bench.reconcile();
    expect(bench.claim.status?.sandbox?.name).toBe('claim');
  });

  test('a name is that pool, which must be there, and of the template', () => {
    const bench = warm(['a'], target('pool'));
    bench.reconcile();
    expect(bench.claim.status?.sandbox?.name).toBe('a');
    bench.model.create(claim(target('missing'), { name: 'second' }));
    bench.reconcile('second');
    expect(bench.model.get('SandboxClaim', NAMESPACE, 'second')?.status?.conditions?.[0]).toMatchObject({ reason: 'WarmPoolNotFound' });
    bench.model.create(template({}, { name: 'node' }));
    bench.model.create(claim({ sandboxTemplateRef: { name: 'node' }, warmpool: 'pool' }, { name: 'third' }));
    bench.reconcile('third');
    expect(bench.model.get('SandboxClaim', NAMESPACE, 'third')?.status?.conditions?.[0]).toMatchObject({ reason: 'InvalidConfiguration' });
  });
});

test('nothing loosens: a bound claim that is pointed at another pool keeps its Sandbox under the policy of the template it came from', () => {
  const bench = warm(['a']);
  bench.reconcile();
  bench.model.create(template({ podTemplate: { metadata: { labels: { loose: 'yes' } }, spec: { containers: [] } } }, { name: 'loose' }));
  bench.model.create(pool({ sandboxTemplateRef: { name: 'loose' } }, { name: 'loose-pool' }));
  bench.model.edit(bench.claim, draft => {
    draft.spec.warmPoolRef!.name = 'loose-pool';
  });
  const before = bench.sandbox('a');
  bench.settle();
  expect(bench.sandbox('a')).toEqual(before);
  expect(before!.metadata.labels![LABEL.templateRefHash]).toBe(TEMPLATE_HASH);
});
