import { ANNOTATION, LABEL, type SandboxClaimSpec, type SandboxTemplateSpec, definedOnly, nameHash } from 'agent-sandbox-api';
import { ClaimBench, TEMPLATE_HASH, claim, running } from './claim-bench.js';
import { NAMESPACE, foreignOwner, sandbox, summary, template, reconcileTemplateOnce } from './fixtures.js';
import type { Model } from './model.js';

const CONTAINERS = { containers: [{ name: 'main', image: 'image' }] };

/** A claim on an empty pool, after one pass. */
function cold(spec: Partial<SandboxClaimSpec> = {}, templateSpec: Partial<SandboxTemplateSpec> = {}, metadata: Parameters<typeof claim>[1] = {}): ClaimBench {
  const bench = new ClaimBench(templateSpec);
  bench.model.create(claim(spec, metadata));
  bench.reconcile();
  return bench;
}

describe('a new Sandbox', () => {
  test('C1 C6 C40 has the claim\'s name, what the template says and secure defaults', () => {
    const bench = cold();
    const created = bench.sandbox()!;
    expect(created.spec.podTemplate.spec).toEqual({
      ...CONTAINERS, automountServiceAccountToken: false, dnsPolicy: 'None', dnsConfig: { nameservers: ['8.8.8.8', '1.1.1.1'] },
    });
    expect(created.metadata.labels).toEqual({ [LABEL.templateRefHash]: TEMPLATE_HASH, [LABEL.launchType]: 'cold', [LABEL.claimUid]: bench.claim.metadata.uid });
    expect(created.metadata.annotations).toEqual({
      [ANNOTATION.templateRef]: 'python', [ANNOTATION.podName]: 'claim', [ANNOTATION.claimRequest]: expect.stringMatching(/^([0-9a-f]{8}\.){2}[0-9a-f]{8}$/),
    });
    expect(created.metadata.ownerReferences).toMatchObject([{ kind: 'SandboxClaim', name: 'claim', controller: true, blockOwnerDeletion: true }]);
    expect(bench.condition()).toBe('False/SandboxNotReady: Sandbox is not ready');
    expect(bench.claim.status).toMatchObject({ sandbox: { name: 'claim' }, sandboxName: 'claim' });
    expect(bench.reconcile()).toEqual([]);
  });

  test('C2 keeps the service account token that the template asks for, and C9 the DNS that goes with its rules', () => {
    const spec = cold({}, { podTemplate: { spec: { ...CONTAINERS, automountServiceAccountToken: true } }, networkPolicy: {} }).sandbox()!.spec.podTemplate.spec;
    expect(spec).toEqual({ ...CONTAINERS, automountServiceAccountToken: true });
  });

  test('C11 has the trace context of the claim', () => {
    const trace = { [ANNOTATION.traceContext]: '{"traceparent":"00-1-2-01"}' };
    expect(cold({}, {}, { annotations: trace }).sandbox()!.metadata.annotations).toMatchObject(trace);
  });

  test('C18 is reported by one Event and counted once', () => {
    const bench = cold();
    bench.settle();
    expect(bench.events()).toEqual(['SandboxProvisioned: Created Sandbox "claim"']);
    expect(bench.model.measures).toEqual([{
      op: 'measure', metric: 'agent_sandbox_claim_creation_total', value: 1,
      labels: {
        namespace: NAMESPACE, sandbox_template: 'python', launch_type: 'cold', warmpool_name: 'pool', pod_condition: 'not_ready', created_by: 'unknown',
      },
    }]);
  });

  test('C19 has the volumes of the template', () => {
    const volumeClaimTemplates = [{ metadata: { name: 'data' }, spec: {} }];
    expect(cold({}, { volumeClaimTemplates }).sandbox()!.spec.volumeClaimTemplates).toEqual(volumeClaimTemplates);
  });

  test('C20 that the cache does not know yet is read, not created again', () => {
    const bench = new ClaimBench();
    bench.model.create(claim());
    const stale = bench.model.snapshot();
    bench.reconcile('claim', { crashAfter: 1 });
    bench.reconcile('claim', { cache: stale });
    expect(bench.claim.status?.sandbox?.name).toBe('claim');
    expect(bench.errors()).toEqual([]);
  });

  test('C20 that was in the way and is gone is waited for a moment', () => {
    const bench = new ClaimBench();
    bench.model.create(claim());
    bench.model.intercept = request => (request.op === 'create' ? { reason: 'AlreadyExists', message: 'exists' } : undefined);
    bench.reconcile();
    expect(bench.condition()).toBe('False/SandboxCreatePending: Sandbox already created; waiting for cache to converge');
    expect(bench.result).toMatchObject({ errors: [], requeueAfterMs: 200 });
    bench.model.intercept = undefined;
    bench.reconcile();
    expect(bench.condition()).toMatch(/SandboxNotReady/);
    const before = bench.claim.status;
    bench.model.destroy(bench.sandbox()!);
    bench.model.intercept = request => (request.op === 'create' ? { reason: 'AlreadyExists', message: 'exists' } : undefined);
    bench.reconcile();
    expect(bench.claim.status).toEqual(before);
  });

  test('C23 is said to be made by the client that made the claim', () => {
    const bench = cold({}, {}, { labels: { [LABEL.createdBy]: 'go-client' } });
    expect(bench.sandbox()!.metadata.labels![LABEL.createdBy]).toBe('go-client');
    expect(bench.sandbox()!.spec.podTemplate.metadata!.labels![LABEL.createdBy]).toBe('go-client');
    expect(bench.model.measures[0]!.labels.created_by).toBe('go-client');
    bench.model.edit(bench.claim, draft => {
      draft.metadata.labels = {};
    });
    bench.settle();
    expect(bench.sandbox()!.metadata.labels).not.toHaveProperty([LABEL.createdBy]);
    expect(bench.sandbox()!.spec.podTemplate.metadata!.labels).not.toHaveProperty([LABEL.createdBy]);
  });
});

describe('a claim waits', () => {
  test('C3 C92 for its template, without an error, and recovers when it comes', () => {
    const bench = new ClaimBench();
    bench.model.destroy(bench.template);
    bench.model.create(claim());
    bench.reconcile();
    expect(bench.condition()).toBe('False/TemplateNotFound: SandboxTemplate "python" not found');
    expect(bench.result).toEqual({ errors: [], requeueAfterMs: 60_000, blockedBy: [] });
    expect(bench.sandbox()).toBeUndefined();
    bench.model.collect();
    bench.model.create(template());
    reconcileTemplateOnce(bench.model);
    bench.settle();
    expect(bench.sandbox()).toBeDefined();
  });

  test('C4 for its pool', () => {
    const bench = cold({ warmPoolRef: { name: 'missing' } });
    expect(bench.condition()).toBe('False/WarmPoolNotFound: SandboxWarmPool "missing" not found');
    expect(bench.result).toEqual({ errors: [], requeueAfterMs: 60_000, blockedBy: [] });
  });

  test('for the policy of its template: nothing runs before what confines it', () => {
    const bench = new ClaimBench();
    bench.member('a');
    bench.model.destroy(bench.model.get('NetworkPolicy', NAMESPACE, 'python-network-policy')!);
    bench.model.create(claim());
    expect(summary(bench.reconcile())).toEqual(['patch SandboxClaim/status']);
    expect(bench.condition()).toMatch(/^False\/NetworkPolicyNotReady: /);
    reconcileTemplateOnce(bench.model);
    bench.settle();
    expect(bench.claim.status?.sandbox?.name).toBe('a');
  });

  test('for nothing when its template is refused', () => {
    const bench = new ClaimBench();
    const [elder, younger] = ['browser-prod-team-2151', 'browser-template-team-2200'];
    bench.model.create(template({}, { name: elder }));
    bench.model.now += 1000;
    bench.model.create(template({}, { name: younger }));
    bench.model.create(claim({ sandboxTemplateRef: { name: younger! } }));
    bench.reconcile();
    expect(bench.condition()).toMatch(/^False\/InvalidConfiguration: .*has the same hash 22b058e1 as the older template/);
    expect(bench.result).toMatchObject({ errors: [], blockedBy: [{ name: elder }] });
  });

  test('C44 C45 for members without an address at most two seconds, woken when one gets an address', () => {
    const bench = new ClaimBench();
    const member = bench.member('a', {});
    bench.model.create(claim());
    expect(bench.reconcile()).toEqual([]);
    expect(bench.result).toMatchObject({ errors: [], requeueAfterMs: 500 });
    expect(bench.claim.status).toBeUndefined();
    const after = bench.model.edit(member, draft => {
      draft.status = running(false);
    });
    expect(bench.queue.observe({ before: member, after })).toBe('agents/claim');
    bench.reconcile();
    expect(bench.claim.status?.sandbox?.name).toBe('a');
  });

  test('C44 F3 from when they begin to wait, whatever their creation time', () => {
    const bench = new ClaimBench();
    bench.member('a', {});
    bench.model.create(claim({}));
    bench.model.now -= 600_000;
    bench.reconcile();
    bench.model.now += 1600;
    bench.reconcile();
    expect(bench.result?.requeueAfterMs).toBe(400);
  });

  test('C44 no longer than that, and not at all for an empty pool', () => {
    const bench = new ClaimBench();
    bench.member('a', {});
    bench.model.create(claim());
    bench.reconcile();
    bench.model.now += 1700;
    bench.reconcile();
    expect(bench.result?.requeueAfterMs).toBe(300);
    bench.model.now += 300;
    bench.reconcile();
    expect(bench.claim.status?.sandbox?.name).toBe('claim');
    expect(cold().sandbox()).toBeDefined();
  });

  test('C5 for a Sandbox of its name that is not its own to go away', () => {
    const bench = new ClaimBench();
    const theirs = bench.model.create(sandbox({}, { name: 'claim', ownerReferences: [foreignOwner()] }));
    bench.member('a');
    bench.model.create(claim());
    bench.reconcile();
    const text = 'sandbox "claim" is not controlled by claim "claim". Please use a different claim name or delete the sandbox manually';
    expect(bench.condition()).toBe(`False/ReconcilerError: Error seen: ${text}`);
    expect(bench.result).toMatchObject({ errors: [{ message: `Error seen: ${text}` }], blockedBy: [{ kind: 'Sandbox', name: 'claim' }] });
    expect(bench.sandbox()).toEqual(theirs);
  });
});

describe('additional metadata', () => {
  const labels = (map: { [key: string]: string }) => cold({ additionalPodMetadata: { labels: map } });

  test.each<[string, { [key: string]: string }]>([
    ['without a domain', { team: 'x' }],
    ['with a value that is too long', { 'sandbox.users.io/team': 'x'.repeat(64) }],
    ['with a malformed value', { 'sandbox.users.io/team': 'a b' }],
    ['with a malformed key', { 'sandbox.users.io/': 'x' }],
    ['of a domain that is not allowed', { 'example.com/team': 'x' }],
    ['of a domain that only ends like an allowed one', { 'evilsandbox.users.io/team': 'x' }],
  ])('C13 a label %s is refused, once and for all', (_, map) => {
    const bench = labels(map);
    expect(bench.condition()).toMatch(/^False\/InvalidMetadata: /);
    expect(bench.result).toEqual({ errors: [], blockedBy: [] });
    expect(bench.sandbox()).toBeUndefined();
  });

  test.each(['app', 'APP'])('C15 no Pod can be made a router by the label %s', key => {
    expect(labels({ [key]: 'Sandbox-Router' }).condition()).toMatch(/^False\/InvalidMetadata: .*sandbox router/);
  });

  test('C16 a subdomain of an allowed domain is allowed', () => {
    const bench = new ClaimBench();
    bench.model.create(claim({ additionalPodMetadata: { labels: { 'team.example.com/x': 'y' } } }));
    bench.reconcile('claim', { options: { labelDomains: ['example.com'] } });
    expect(bench.sandbox()!.spec.podTemplate.metadata!.labels).toMatchObject({ 'team.example.com/x': 'y' });
  });

  test('C14 the annotation of evictability is the only one of Kubernetes that is accepted', () => {
    const annotation = (key: string) => cold({ additionalPodMetadata: { annotations: { [key]: 'true' } } }).condition();
    expect(annotation(ANNOTATION.safeToEvict)).toMatch(/SandboxNotReady/);
    expect(annotation('plain')).toMatch(/SandboxNotReady/);
    expect(annotation('cluster-autoscaler.kubernetes.io/other')).toMatch(/InvalidMetadata/);
    expect(annotation('extensions.agents.x-k8s.io/x')).toMatch(/InvalidMetadata/);
  });

  test('C12 follows the claim while it is bound, as the template\'s does', () => {
    const bench = cold({ additionalPodMetadata: { annotations: { note: 'a' } } });
    const annotations = () => bench.sandbox()!.spec.podTemplate.metadata!.annotations ?? {};
    expect(annotations()).toEqual({ note: 'a' });
    bench.model.edit(bench.claim, draft => {
      draft.spec.additionalPodMetadata = { annotations: { other: 'b' } };
    });
    bench.model.edit(bench.template, draft => {
      draft.spec.podTemplate.metadata = { annotations: { common: 'c' } };
    });
    bench.settle();
    expect(annotations()).toEqual({ common: 'c', other: 'b' });
  });

  test('C7 of a bound claim needs no template', () => {
    const bench = cold({ additionalPodMetadata: { annotations: { note: 'a' } } });
    bench.model.edit(bench.sandbox()!, draft => {
      draft.status = running();
    });
    bench.model.destroy(bench.template);
    bench.settle();
    expect(bench.condition()).toBe('True/DependenciesReady: Pod is Ready');
  });

  test('C21 that cannot be written is an error, and the binding stays', () => {
    const bench = cold();
    bench.model.edit(bench.claim, draft => {
      draft.spec.additionalPodMetadata = { annotations: { note: 'a' } };
    });
    bench.model.intercept = request => (summary([request])[0] === 'patch Sandbox' ? { reason: 'Forbidden', message: 'no' } : undefined);
    bench.reconcile();
    expect(bench.condition()).toBe('False/ReconcilerError: Error seen: no');
    expect(bench.errors()).toEqual(['Error seen: no']);
    expect(bench.claim.status?.sandbox?.name).toBe('claim');
  });
});

describe('environment variables', () => {
  const spec = {
    containers: [{ name: 'main', env: [{ name: 'A', value: '1' }] }, { name: 'side', envFrom: [{ configMapRef: { name: 'c' } }] }],
    initContainers: [{ name: 'init' }],
  };
  const inject = (env: SandboxClaimSpec['env'], policy: SandboxTemplateSpec['envVarsInjectionPolicy'], podSpec: object = spec) => {
    const bench = new ClaimBench({ podTemplate: { spec: podSpec as never }, ...definedOnly({ envVarsInjectionPolicy: policy }) });
    bench.member('a');
    bench.model.create(claim({ env: env! }));
    bench.reconcile();
    return bench;
  };
  const envOf = (bench: ClaimBench, container = 'main') => {
    const { containers = [], initContainers = [] } = bench.sandbox()!.spec.podTemplate.spec;
    return [...containers, ...initContainers].find(({ name }) => name === container)!.env;
  };

  test('C24 replace those of the template under Overrides', () => {
    expect(envOf(inject([{ name: 'A', value: '2' }], 'Overrides'))).toEqual([{ name: 'A', value: '2' }]);
  });

  test('C25 are appended to the first container under Allowed', () => {
    expect(envOf(inject([{ name: 'B', value: '2' }], 'Allowed'))).toEqual([{ name: 'A', value: '1' }, { name: 'B', value: '2' }]);
  });

  test('C26 mean a new Sandbox: the candidate stays in the pool', () => {
    const bench = inject([{ name: 'B', value: '2' }], 'Allowed');
    expect(bench.sandbox('a')!.metadata.ownerReferences).toMatchObject([{ kind: 'SandboxWarmPool' }]);
    expect(bench.claim.status?.sandbox?.name).toBe('claim');
  });

  test('C27 C32 that exist under Allowed, or are for no container, are errors that are tried again', () => {
    const [exists, nowhere] = [inject([{ name: 'A', value: '2' }], 'Allowed'), inject([{ name: 'B', value: '2', containerName: 'other' }], 'Allowed')];
    expect(exists.condition()).toMatch(/^False\/ReconcilerError: Error seen: the environment variable "A" is set already in the container "main"/);
    expect(nowhere.condition()).toMatch(/^False\/ReconcilerError: Error seen: the environment variable "B" is for the container "other"/);
    expect([exists, nowhere].map(bench => bench.errors().length)).toEqual([1, 1]);
  });

  test.each(['Disallowed', undefined] as const)('C28 are refused under the policy %s, once and for all', policy => {
    const bench = inject([{ name: 'B', value: '2' }], policy);
    expect(bench.condition()).toMatch(/^False\/EnvVarsInjectionRejected: /);
    expect(bench.result).toEqual({ errors: [], blockedBy: [] });
  });

  test('C29 C30 are refused for a container with envFrom under Allowed, and for that container only', () => {
    expect(inject([{ name: 'B', value: '2', containerName: 'side' }], 'Allowed').condition()).toMatch(/^False\/EnvVarsInjectionRejected: the container "side"/);
    expect(envOf(inject([{ name: 'B', value: '2', containerName: 'side' }], 'Overrides'), 'side')).toEqual([{ name: 'B', value: '2' }]);
    expect(inject([{ name: 'B', value: '2' }], 'Allowed').condition()).toMatch(/SandboxNotReady/);
    expect(inject([], 'Allowed').claim.status?.sandbox?.name).toBe('a');
  });

  test('C31 go to the container that they name, regular or init', () => {
    const bench = inject([{ name: 'B', value: '2', containerName: 'init' }], 'Allowed');
    expect(envOf(bench, 'init')).toEqual([{ name: 'B', value: '2' }]);
    expect(envOf(bench)).toEqual([{ name: 'A', value: '1' }]);
  });

  test('without a container come after those that name it', () => {
    expect(envOf(inject([{ name: 'B', value: '2' }, { name: 'C', value: '3', containerName: 'main' }], 'Allowed'))!.map(({ name }) => name)).toEqual(['A', 'C', 'B']);
  });
});

describe('volumes', () => {
  const volume = (name?: string, size = '1Gi') => ({ ...definedOnly({ metadata: name === undefined ? undefined : { name } }), spec: { resources: { requests: { storage: size } } } });
  const merge = (ofTemplate: object[], ofClaim: object[], policy?: SandboxTemplateSpec['volumeClaimTemplatesPolicy']) => {
    const bench = new ClaimBench({ volumeClaimTemplates: ofTemplate as never, ...definedOnly({ volumeClaimTemplatesPolicy: policy }) });
    bench.model.create(claim({ volumeClaimTemplates: ofClaim as never }));
    bench.reconcile();
    return bench;
  };

  test('C33 replace those of the template in their place under Overrides', () => {
    const bench = merge([volume('a'), volume('b')], [volume('c'), volume('a', '2Gi')], 'Overrides');
    expect(bench.sandbox()!.spec.volumeClaimTemplates).toEqual([volume('a', '2Gi'), volume('b'), volume('c')]);
  });

  test('C34 are appended under Allowed, and C37 replace nothing', () => {
    expect(merge([volume('a')], [volume('b')], 'Allowed').sandbox()!.spec.volumeClaimTemplates).toEqual([volume('a'), volume('b')]);
    expect(merge([volume('a')], [volume('a')], 'Allowed').condition()).toMatch(/^False\/VolumeClaimTemplatesError: cannot override template volume "a"/);
  });

  test('C35 of the template alone need no policy, and the pool may be used', () => {
    const bench = new ClaimBench({ volumeClaimTemplates: [volume('a')] });
    bench.member('a');
    bench.model.create(claim({ volumeClaimTemplates: [] }));
    bench.reconcile();
    expect(bench.claim.status?.sandbox?.name).toBe('a');
  });

  test.each(['Disallowed', undefined] as const)('C36 are refused under the policy %s', policy => {
    const bench = merge([], [volume('a')], policy);
    expect(bench.condition()).toMatch(/^False\/VolumeClaimTemplatesError: /);
    expect(bench.result).toEqual({ errors: [], blockedBy: [] });
  });

  test('C38 need unique names', () => {
    expect(merge([], [volume('a'), volume()], 'Allowed').condition()).toContain('volumeClaimTemplates[1] of the claim has no name');
    expect(merge([volume('a'), volume('a')], [volume('b')], 'Allowed').condition()).toContain('the name "a" occurs twice in volumeClaimTemplates of the template');
  });
});

describe('templates of another namespace', () => {
  const shared = (annotations: { [key: string]: string } = { [ANNOTATION.claimableFrom]: 'agents' }, spec: Partial<SandboxTemplateSpec> = {}): ClaimBench => {
    const bench = new ClaimBench();
    bench.model.create(template(spec, { name: 'tool', namespace: 'shared', annotations }));
    bench.model.create(claim({ sandboxTemplateRef: { name: 'tool', namespace: 'shared' }, warmpool: 'default' }));
    bench.reconcile();
    return bench;
  };
  const policy = (model: Model) => model.get('NetworkPolicy', NAMESPACE, 'shared.tool-network-policy');

  test('are used under a policy that the claim owns, made first, and never from a pool', () => {
    const bench = shared();
    expect(summary(bench.model.writes).slice(-3)).toEqual(['create NetworkPolicy', 'create Sandbox', 'patch SandboxClaim/status']);
    expect(policy(bench.model)!.metadata.ownerReferences).toMatchObject([{ kind: 'SandboxClaim', name: 'claim' }]);
    expect(bench.sandbox()!.metadata.labels![LABEL.templateRefHash]).toBe(nameHash('shared/tool'));
    bench.model.destroy(policy(bench.model)!);
    bench.reconcile();
    expect(policy(bench.model)).toBeDefined();
  });

  test('that are missing and that may not be used look the same', () => {
    const [missing, forbidden] = [new ClaimBench(), shared({})];
    missing.model.create(claim({ sandboxTemplateRef: { name: 'tool', namespace: 'shared' } }));
    missing.reconcile();
    expect(missing.condition()).toBe('False/TemplateNotFound: SandboxTemplate "shared/tool" not found');
    expect(forbidden.condition()).toBe(missing.condition());
    expect(forbidden.result).toEqual(missing.result);
    expect(policy(forbidden.model)).toBeUndefined();
  });

  test('must not name objects of their namespace', () => {
    const bench = shared(undefined, { podTemplate: { spec: { ...CONTAINERS, serviceAccountName: 'robot' } } });
    expect(bench.condition()).toMatch(/^False\/InvalidConfiguration: .*serviceAccountName/);
    expect(bench.sandbox()).toBeUndefined();
  });

  test('are waited for while other claims write their policy, too', () => {
    const bench = shared();
    bench.model.create(claim({ sandboxTemplateRef: { name: 'tool', namespace: 'shared' } }, { name: 'second' }));
    bench.model.intercept = request => (summary([request])[0] === 'update NetworkPolicy' ? { reason: 'Conflict', message: 'modified' } : undefined);
    bench.reconcile('second');
    expect(bench.model.get('SandboxClaim', NAMESPACE, 'second')?.status?.conditions).toMatchObject([{ reason: 'NetworkPolicyNotReady' }]);
    expect(bench.errors()).toHaveLength(1);
    expect(bench.sandbox('second')).toBeUndefined();
    bench.model.intercept = undefined;
    bench.settle('second');
    expect(policy(bench.model)!.metadata.ownerReferences).toHaveLength(2);
    expect(bench.sandbox('second')).toBeDefined();
  });

  test('may be taken back for new claims only', () => {
    const bench = shared();
    bench.model.edit(bench.model.get('SandboxTemplate', 'shared', 'tool')!, draft => {
      draft.metadata.annotations = {};
    });
    bench.settle();
    expect(bench.claim.status?.sandbox?.name).toBe('claim');
    expect(policy(bench.model)).toBeDefined();
    bench.model.create(claim({ sandboxTemplateRef: { name: 'tool', namespace: 'shared' } }, { name: 'second' }));
    bench.reconcile('second');
    expect(bench.sandbox('second')).toBeUndefined();
  });
});

test.each([['own', true], ['foreign', false]] as const)('C10 a policy of the first generation that is %s under the claim\'s name goes: %s', (whose, goes) => {
  const bench = cold();
  const owner = { apiVersion: bench.claim.apiVersion, kind: 'SandboxClaim', name: 'claim', uid: whose === 'own' ? bench.claim.metadata.uid! : 'x', controller: true };
  bench.model.create({
    apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'claim-network-policy', namespace: NAMESPACE, ownerReferences: [owner] },
  });
  bench.model.destroy(bench.template);
  bench.reconcile();
  expect(bench.model.get('NetworkPolicy', NAMESPACE, 'claim-network-policy') === undefined).toBe(goes);
});
