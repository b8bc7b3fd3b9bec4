import { ANNOTATION, LABEL, nameHash } from 'agent-sandbox-api';
import { newPod } from '../src/sandbox/pod.js';
import { HASH, NAMESPACE, SandboxBench, TRACKED, foreignOwner, pod, sandbox, summary } from './fixtures.js';

const POOL = { apiVersion: 'extensions.agents.x-k8s.io/v1beta1', kind: 'SandboxWarmPool', name: 'pool', uid: 'pool', controller: true };
const CLAIM = { ...POOL, kind: 'SandboxClaim', name: 'ticket', uid: 'ticket' };
const POOL_LABELS = { [LABEL.warmPool]: nameHash('pool'), [LABEL.templateRefHash]: nameHash('python') };
const own = (bench: SandboxBench) => [{ apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox', name: 'box', uid: bench.sandbox.metadata.uid!, controller: true }];
const tracked = (name: string) => ({ annotations: { [ANNOTATION.podName]: name } });

test('S27 S28 creates a Pod of the name of the Sandbox, says so on the Sandbox, and makes no Service', () => {
  const bench = new SandboxBench();
  bench.model.create(sandbox());
  expect(summary(bench.reconcile())).toEqual(['create Pod', 'patch Sandbox', 'patch Sandbox/status']);
  expect(bench.pod?.metadata).toMatchObject({ labels: TRACKED, ownerReferences: [{ kind: 'Sandbox', name: 'box', controller: true, blockOwnerDeletion: true }] });
  expect(bench.sandbox.metadata.annotations).toEqual({ [ANNOTATION.podName]: 'box' });
  expect(bench.service).toBeUndefined();
});

test('a Sandbox that was created with its tracking annotation costs a write less', () => {
  const bench = new SandboxBench();
  bench.model.create(sandbox({}, tracked('box')));
  expect(summary(bench.reconcile())).toEqual(['create Pod', 'patch Sandbox/status']);
});

test('a pass over a Sandbox at rest writes nothing', () => {
  const bench = new SandboxBench().ready(sandbox({ service: true, volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: {} }] }));
  bench.model.now += 36_000_000;
  expect(bench.reconcile()).toEqual([]);
  expect(bench.result).toEqual({ errors: [], blockedBy: [] });
});

test('S31 reports all addresses in their order', () => {
  const bench = new SandboxBench().ready();
  bench.model.edit(bench.pod!, draft => {
    draft.status!.podIPs = [{ ip: '10.0.0.7' }, { ip: 'fd00::7' }];
  });
  bench.reconcile();
  expect(bench.sandbox.status?.podIPs).toEqual(['10.0.0.7', 'fd00::7']);
});

test.each([[TRACKED], [{ [LABEL.adoptable]: 'true' }]])('S32 S34 S35 adopts an unowned Pod labelled %j with one write', labels => {
  const bench = new SandboxBench();
  bench.model.create(pod({ labels }, { phase: 'Running', podIPs: [{ ip: '10.1.1.1' }], conditions: [{ type: 'Ready', status: 'True' }] }));
  bench.model.create(sandbox());
  expect(summary(bench.reconcile())).toEqual(['patch Pod', 'patch Sandbox', 'patch Sandbox/status']);
  expect(bench.pod?.metadata.ownerReferences?.[0]?.uid).toBe(bench.sandbox.metadata.uid);
  expect(bench.pod?.metadata.labels?.[LABEL.sandboxNameHash]).toBe(HASH);
  expect(bench.sandbox.status?.podIPs).toEqual(['10.1.1.1']);
});

test('does not adopt a Pod that another owner took meanwhile', () => {
  const bench = new SandboxBench();
  const stale = bench.model;
  stale.create(pod({ labels: TRACKED }));
  stale.create(sandbox());
  const cache = bench.model.snapshot();
  bench.model.edit(bench.pod!, draft => {
    draft.metadata.ownerReferences = [foreignOwner()];
  });
  bench.reconcile({ cache });
  expect(bench.pod?.metadata.ownerReferences).toEqual([foreignOwner()]);
  expect(bench.errors()[0]).toContain('has been modified');
});

test('S36 S38 S39 S40 keeps reserved keys of template and Sandbox off the Pod', () => {
  const labels = { app: 'x', [LABEL.sandboxNameHash]: 'forged', [LABEL.claimUid]: 'u', [LABEL.warmPool]: 'p', 'extensions.agents.x-k8s.io/y': 'z' };
  const annotations = { note: 'n', [ANNOTATION.podName]: 'other', [ANNOTATION.traceContext]: '{}' };
  const podTemplate = { metadata: { labels, annotations }, spec: { containers: [{ name: 'main', image: 'i' }] } };
  expect(newPod(sandbox({ podTemplate }, { labels: POOL_LABELS })).metadata).toMatchObject({
    labels: { app: 'x', [LABEL.sandboxNameHash]: HASH },
    annotations: { note: 'n', [ANNOTATION.propagatedLabels]: 'app', [ANNOTATION.propagatedAnnotations]: 'note' },
  });
  expect(Object.keys(newPod(sandbox({ podTemplate }, { labels: POOL_LABELS })).metadata.labels!)).toEqual(['app', LABEL.sandboxNameHash]);
});

test('S37 removes reserved keys that an older controller propagated, but not its own', () => {
  const bench = new SandboxBench().ready();
  bench.model.edit(bench.pod!, draft => {
    draft.metadata.labels![LABEL.claimUid] = 'old';
    draft.metadata.annotations = {
      [ANNOTATION.propagatedLabels]: `${LABEL.claimUid},${LABEL.sandboxNameHash}`,
      [ANNOTATION.propagatedAnnotations]: `${ANNOTATION.propagatedLabels},${ANNOTATION.traceContext}`,
      [ANNOTATION.traceContext]: '{}',
    };
  });
  expect(summary(bench.reconcile())).toEqual(['patch Pod']);
  expect(bench.pod?.metadata.labels).toEqual(TRACKED);
  expect(bench.pod?.metadata.annotations).toEqual({ [ANNOTATION.propagatedLabels]: '', [ANNOTATION.propagatedAnnotations]: '' });
  expect(bench.reconcile()).toEqual([]);
});

test('S41 S44 labels the Pod of a pool member with its pool and template', () => {
  expect(newPod(sandbox({}, { labels: POOL_LABELS, ownerReferences: [POOL] })).metadata.labels).toEqual({ ...TRACKED, ...POOL_LABELS });
});

test('S42 S44 takes the pool off the Pod, in one write, when a claim takes the Sandbox', () => {
  const bench = new SandboxBench().ready(sandbox({}, { labels: POOL_LABELS, ownerReferences: [POOL] }));
  bench.model.edit(bench.sandbox, draft => {
    draft.metadata.ownerReferences = [CLAIM];
    delete draft.metadata.labels![LABEL.warmPool];
  });
  expect(summary(bench.reconcile())).toEqual(['patch Pod']);
  expect(bench.pod?.metadata.labels).toEqual({ ...TRACKED, [LABEL.templateRefHash]: nameHash('python') });
});

test('S43 adds the labels of pool and template to an existing Pod', () => {
  const bench = new SandboxBench().ready();
  bench.model.edit(bench.sandbox, draft => {
    draft.metadata.labels = POOL_LABELS;
    draft.metadata.ownerReferences = [POOL];
  });
  bench.reconcile();
  expect(bench.pod?.metadata.labels).toEqual({ ...TRACKED, ...POOL_LABELS });
});

test.each([
  ['S45', (draft: { metadata: { ownerReferences?: unknown[] } }) => {
    draft.metadata.ownerReferences = [];
  }],
  ['S46', (draft: { metadata: { labels?: object } }) => {
    draft.metadata.labels = {};
  }],
])('%s leaves a running Pod under the policy of its template when the Sandbox is of none any more; a new Pod is of none', (_, change) => {
  const bench = new SandboxBench().ready(sandbox({}, { labels: POOL_LABELS, ownerReferences: [CLAIM] }));
  bench.model.edit(bench.sandbox, change as never);
  bench.reconcile();
  expect(bench.pod?.metadata.labels).toEqual({ ...TRACKED, [LABEL.templateRefHash]: nameHash('python') });
  bench.model.destroy(bench.pod!);
  bench.model.runPods();
  bench.reconcile();
  expect(bench.pod?.metadata.labels).toEqual(TRACKED);
});

test('a running Pod keeps the policy of its template when the claim is deleted without its Sandbox, step by step', () => {
  const bench = new SandboxBench().ready(sandbox({}, { labels: POOL_LABELS, ownerReferences: [CLAIM] }));
  bench.model.edit(bench.sandbox, draft => {
    draft.metadata.ownerReferences = [];
  });
  bench.reconcile();
  bench.model.edit(bench.sandbox, draft => {
    draft.metadata.labels = {};
  });
  bench.reconcile();
  expect(bench.pod?.metadata.labels?.[LABEL.templateRefHash]).toBe(nameHash('python'));
});

test('a running Pod stays under the policy of its template when its Sandbox is labelled with another one', () => {
  const bench = new SandboxBench().ready(sandbox({}, { labels: POOL_LABELS, ownerReferences: [CLAIM] }));
  bench.model.edit(bench.sandbox, draft => {
    draft.metadata.labels![LABEL.templateRefHash] = nameHash('loose');
  });
  expect(bench.reconcile()).toEqual([]);
  expect(bench.pod?.metadata.labels?.[LABEL.templateRefHash]).toBe(nameHash('python'));
});

test('a Pod that is adopted gets the template of the Sandbox, not the one it came with', () => {
  const bench = new SandboxBench();
  bench.model.create(pod({ labels: { ...TRACKED, [LABEL.templateRefHash]: 'forged' } }));
  bench.model.create(sandbox({}, { labels: POOL_LABELS, ownerReferences: [CLAIM] }));
  bench.reconcile();
  expect(bench.pod?.metadata.labels?.[LABEL.templateRefHash]).toBe(nameHash('python'));
});

test('S49 adopts the Pod that the annotation names and creates no other', () => {
  const bench = new SandboxBench();
  bench.model.create(pod({ name: 'spare', labels: { [LABEL.adoptable]: 'true' } }));
  bench.model.create(sandbox({}, tracked('spare')));
  bench.settle();
  expect(bench.model.list('Pod').map(({ metadata }) => [metadata.name, metadata.labels?.[LABEL.sandboxNameHash]])).toEqual([['spare', HASH]]);
  expect(bench.sandbox.metadata.annotations?.[ANNOTATION.podName]).toBe('spare');
});

test('S50 refuses the Pod of a Deployment and waits for it to go', () => {
  const bench = new SandboxBench();
  const other = bench.model.create(pod({ ownerReferences: [foreignOwner()] }));
  bench.model.create(sandbox());
  bench.reconcile();
  expect(bench.errors()).toEqual(['pod "box" is owned by Deployment/other (UID: foreign), not by sandbox "box"']);
  expect(bench.pod).toBe(other);
  expect(bench.result?.blockedBy).toMatchObject([{ kind: 'Pod', name: 'box' }]);
});

test('S53 S51 forgets the annotated Pod when it has another owner', () => {
  const bench = new SandboxBench();
  bench.model.create(pod({ name: 'theirs', ownerReferences: [foreignOwner()] }));
  bench.model.create(sandbox({}, tracked('theirs')));
  bench.reconcile();
  expect(bench.errors()).toHaveLength(1);
  expect(bench.sandbox.metadata.annotations).toEqual({});
  bench.settle();
  expect(bench.pod?.metadata.ownerReferences).toMatchObject(own(bench));
});

test('S54 removes from the Pod what was removed from the template, and nothing else', () => {
  const podTemplate = { metadata: { labels: { a: '1', b: '2' }, annotations: { c: '3' } }, spec: { containers: [{ name: 'main', image: 'i' }] } };
  const bench = new SandboxBench().ready(sandbox({ podTemplate }));
  bench.model.edit(bench.pod!, draft => {
    draft.metadata.labels!.mine = 'x';
  });
  bench.model.edit(bench.sandbox, draft => {
    draft.spec.podTemplate.metadata = { labels: { b: '2' } };
  });
  expect(summary(bench.reconcile())[0]).toBe('patch Pod');
  expect(bench.pod?.metadata.labels).toEqual({ ...TRACKED, b: '2', mine: 'x' });
  expect(bench.pod?.metadata.annotations).toEqual({
    [ANNOTATION.propagatedLabels]: 'b', [ANNOTATION.propagatedAnnotations]: '', [ANNOTATION.podSpecHash]: expect.any(String),
  });
});

test('S55 refuses an unowned Pod without authorisation and names the labels', () => {
  const bench = new SandboxBench();
  bench.model.create(pod());
  bench.model.create(sandbox());
  bench.reconcile();
  expect(bench.errors()).toEqual([`cannot adopt unowned pod "box" for sandbox "box": it needs the label agents.x-k8s.io/adoptable=true or agents.x-k8s.io/sandbox-name-hash=${HASH}`]);
});

test.each([['go-client', 'go-client'], ['evil', 'unknown'], ['', undefined]])('S56 copies created-by %j as %j', (value, expected) => {
  const bench = new SandboxBench().ready(sandbox({}, { labels: { [LABEL.createdBy]: 'python-client' } }));
  expect(bench.pod?.metadata.labels?.[LABEL.createdBy]).toBe('python-client');
  bench.model.edit(bench.sandbox, draft => {
    draft.metadata.labels = { [LABEL.createdBy]: value };
  });
  bench.reconcile();
  expect(bench.pod?.metadata.labels?.[LABEL.createdBy]).toBe(expected);
});

test('S57 S58 uses the Pod that it owns rather than the annotated one', () => {
  const bench = new SandboxBench().ready();
  const spare = bench.model.create(pod({ name: 'spare', labels: { [LABEL.adoptable]: 'true' } }));
  for (const annotated of ['missing', 'spare']) {
    bench.model.edit(bench.sandbox, draft => {
      draft.metadata.annotations = { [ANNOTATION.podName]: annotated };
    });
    bench.settle();
    expect(bench.sandbox.metadata.annotations).toEqual({ [ANNOTATION.podName]: 'box' });
  }
  expect(bench.model.get('Pod', NAMESPACE, 'spare')).toBe(spare);
  expect(bench.model.list('Pod')).toHaveLength(2);
});

test('S59 refuses to choose between two own Pods, tells it once, and does not retry', () => {
  const bench = new SandboxBench().ready(sandbox({ service: true }));
  bench.model.create(pod({ name: 'twin', labels: TRACKED, ownerReferences: own(bench) }));
  bench.model.edit(bench.service!, draft => {
    draft.spec!.selector = { broken: 'yes' };
  });
  expect(summary(bench.reconcile())).toEqual(['patch Sandbox/status']);
  expect(bench.condition('Ready')).toBe('False/MultiplePods: multiple Pods (2) are controlled by this Sandbox; refusing to choose or create a Pod');
  const warnings = () => bench.model.events.filter(({ type }) => type === 'Warning').map(({ reason, action }) => [reason, action]);
  expect(warnings()).toEqual([['MultiplePods', 'Reconciling']]);
  expect(bench.result).toMatchObject({ errors: [] });
  expect(bench.reconcile()).toEqual([]);
  expect(warnings()).toHaveLength(1);
});

test('suspends every own Pod when there are several', () => {
  const bench = new SandboxBench().ready();
  bench.model.create(pod({ name: 'twin', labels: TRACKED, ownerReferences: own(bench) }));
  bench.model.edit(bench.sandbox, draft => {
    draft.spec.operatingMode = 'Suspended';
  });
  bench.settle();
  bench.model.runPods();
  bench.settle();
  expect(bench.model.list('Pod')).toEqual([]);
  expect(bench.condition('Suspended')).toMatch(/^True/);
});

test('S60 does not count a Pod of another owner by its label', () => {
  const bench = new SandboxBench().ready();
  bench.model.create(pod({ name: 'other', labels: TRACKED, ownerReferences: [foreignOwner('Sandbox', 'agents.x-k8s.io/v1beta1')] }));
  expect(bench.reconcile()).toEqual([]);
});

test('S61 S65 waits for a terminating Pod before it makes another', () => {
  const bench = new SandboxBench().ready();
  bench.model.edit(bench.pod!, draft => {
    draft.metadata.finalizers = ['test/hold'];
  });
  bench.model.destroy(bench.pod!);
  bench.settle();
  bench.model.runPods();
  expect(bench.model.list('Pod')).toHaveLength(1);
  bench.model.edit(bench.pod!, draft => {
    draft.metadata.finalizers = [];
  });
  bench.model.runPods();
  expect(summary(bench.reconcile())).toContain('create Pod');
});

test('S62 applies the rules of ownership to a Pod that the cache did not show', () => {
  const bench = new SandboxBench();
  bench.model.create(sandbox());
  const cache = bench.model.snapshot();
  bench.reconcile();
  const again = bench.reconcile({ cache });
  expect(summary(again)).toEqual(['create Pod']);
  expect(bench.errors()).toEqual([]);
  bench.model.edit(bench.pod!, draft => {
    draft.metadata.ownerReferences = [foreignOwner()];
  });
  bench.reconcile({ cache });
  expect(bench.errors()[0]).toContain('is owned by Deployment/other');
});

test('S66 puts the volumes of claims at the end, in place of those of the same name', () => {
  const volumes = [{ name: 'data', emptyDir: {} }, { name: 'cache', emptyDir: {} }];
  const podTemplate = { spec: { containers: [{ name: 'main', image: 'i' }], volumes } };
  expect(newPod(sandbox({ podTemplate, volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: {} }] })).spec.volumes).toEqual([
    { name: 'cache', emptyDir: {} }, { name: 'data', persistentVolumeClaim: { claimName: 'data-box' } },
  ]);
  expect(newPod(sandbox({ podTemplate })).spec).toBe(podTemplate.spec);
});

test('S96 patches the metadata of the Pod at once without a window', () => {
  const bench = new SandboxBench().ready();
  bench.model.edit(bench.sandbox, draft => {
    draft.spec.podTemplate.metadata = { labels: { a: '1' } };
  });
  expect(summary(bench.reconcile())).toContain('patch Pod');
});

test('S97 S98 gathers metadata changes for the window, at most a second', () => {
  const options = { writeBehindMs: 5000 };
  const bench = new SandboxBench().ready();
  const relabel = (value: string) => bench.model.edit(bench.sandbox, draft => {
    draft.spec.podTemplate.metadata = { labels: { a: value } };
  });
  relabel('1');
  expect(summary(bench.reconcile({ options }))).not.toContain('patch Pod');
  expect(bench.result?.requeueAfterMs).toBe(1000);
  bench.model.now += 400;
  relabel('2');
  bench.reconcile({ options });
  expect(bench.result?.requeueAfterMs).toBe(600);
  bench.memory = undefined;
  bench.reconcile({ options });
  expect(bench.result?.requeueAfterMs).toBe(1000);
  bench.model.now += 1000;
  expect(summary(bench.reconcile({ options }))).toEqual(['patch Pod']);
  expect(bench.pod?.metadata.labels?.a).toBe('2');
  expect(bench.memory).toBeUndefined();
});

test('S99 patches nothing but metadata of a Pod', () => {
  const bench = new SandboxBench().ready();
  bench.model.edit(bench.sandbox, draft => {
    draft.spec.podTemplate.metadata = { labels: { a: '1' } };
  });
  const [patch] = bench.reconcile();
  expect(patch).toMatchObject({ op: 'patch', body: { metadata: { labels: { a: '1' }, annotations: { [ANNOTATION.propagatedLabels]: 'a' } } } });
  expect(Object.keys((patch as { body: object }).body)).toEqual(['metadata']);
});
