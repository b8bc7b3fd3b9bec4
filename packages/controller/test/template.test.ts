import { ANNOTATION, LABEL, nameHash, type SandboxClaim, type NetworkPolicy } from 'agent-sandbox-api';
import type { CachedPod } from '../src/reconcile/cached-pod.js';
import { withSecureDefaults } from '../src/template/defaults.js';
import { ensureForeignPolicy, namespacedReferences } from '../src/template/foreign.js';
import { isClaimableFrom, policyName, templateHash, templateProblem } from '../src/template/identity.js';
import { isPolicyReady } from '../src/template/policy.js';
import { templateController } from '../src/template/controller.js';
import { planOf } from '../src/reconcile/step.js';
import { NAMESPACE, foreignOwner, sandbox, summary, template, reconcileTemplateOnce } from './fixtures.js';
import { Model, reconcileInModel } from './model.js';

const PYTHON = nameHash('python');
const BY_PYTHON = { [LABEL.templateRefHash]: PYTHON };

const policyOf = (model: Model, name = 'python-network-policy', namespace = NAMESPACE) => model.get('NetworkPolicy', namespace, name);
const templateOf = (model: Model) => model.get('SandboxTemplate', NAMESPACE, 'python')!;

/** A model with the template `python`, its label and its policy. */
function settled(spec = {}): Model {
  const model = new Model();
  model.create(template(spec));
  reconcileTemplateOnce(model);
  return model;
}

function member(model: Model, name = 'box') {
  return model.create(sandbox({}, { name, labels: BY_PYTHON }));
}

test('T1 gives a template without rules the default policy: the router in, the public internet out', () => {
  const model = new Model();
  model.create(template());
  expect(summary(reconcileTemplateOnce(model).writes)).toEqual(['patch SandboxTemplate', 'create NetworkPolicy']);
  expect(policyOf(model)).toMatchObject({ metadata: { ownerReferences: [{ kind: 'SandboxTemplate', name: 'python', controller: true }] } });
  expect(policyOf(model)?.spec).toEqual({
    podSelector: { matchLabels: BY_PYTHON },
    policyTypes: ['Ingress', 'Egress'],
    ingress: [{
      from: [{
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'agent-sandbox-system' } },
        podSelector: { matchLabels: { app: 'sandbox-router' } },
      }],
    }],
    egress: [{
      to: [
        { ipBlock: { cidr: '0.0.0.0/0', except: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16'] } },
        { ipBlock: { cidr: '::/0', except: ['fc00::/7', 'fe80::/10'] } },
      ],
    }],
  });
  expect(reconcileTemplateOnce(model).writes).toEqual([]);
});

test.each([
  [{}, { ingress: [], egress: [] }],
  [{ egress: [{ ports: [{ port: 53, protocol: 'UDP' }] }] }, { ingress: [], egress: [{ ports: [{ port: 53, protocol: 'UDP' }] }] }],
  [{ ingress: [{}] }, { ingress: [{}], egress: [] }],
])('T2 takes the rules %j exactly, for both directions', (networkPolicy, rules) => {
  expect(policyOf(settled({ networkPolicy }))?.spec).toEqual({ podSelector: { matchLabels: BY_PYTHON }, policyTypes: ['Ingress', 'Egress'], ...rules });
});

test('does not fight with the protocol that the API server fills in', () => {
  const model = settled({ networkPolicy: { egress: [{ ports: [{ port: 53 }] }] } });
  expect(policyOf(model)?.spec?.egress).toEqual([{ ports: [{ port: 53, protocol: 'TCP' }] }]);
  expect(reconcileTemplateOnce(model).writes).toEqual([]);
});

test('T3 T5 keeps no policy for an unmanaged template, deletes its own and leaves that of others', () => {
  expect(policyOf(settled({ networkPolicyManagement: 'Unmanaged' }))).toBeUndefined();
  const model = settled();
  model.edit(templateOf(model), draft => {
    draft.spec.networkPolicyManagement = 'Unmanaged';
  });
  expect(summary(reconcileTemplateOnce(model).writes)).toEqual(['delete NetworkPolicy']);
  const other = model.create({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'python-network-policy', namespace: NAMESPACE } });
  expect(reconcileTemplateOnce(model)).toEqual({ writes: [], result: { errors: [], blockedBy: [] } });
  expect(policyOf(model)).toBe(other);
});

test('T4 applies edited rules live', () => {
  const model = settled();
  member(model);
  model.edit(templateOf(model), draft => {
    draft.spec.networkPolicy = { egress: [{}] };
  });
  expect(summary(reconcileTemplateOnce(model).writes)).toEqual(['update NetworkPolicy']);
  expect(policyOf(model)?.spec).toMatchObject({ ingress: [], egress: [{}] });
});

test.each([[[]], [[foreignOwner()]]])('T6 refuses the policy of another owner %j', ownerReferences => {
  const model = new Model();
  const other = model.create({
    apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'python-network-policy', namespace: NAMESPACE, ownerReferences },
  });
  model.create(template());
  const { result } = reconcileTemplateOnce(model);
  expect(result.errors[0]?.message).toContain('refusing to update the NetworkPolicy "python-network-policy"');
  expect(result.blockedBy).toMatchObject([{ kind: 'NetworkPolicy' }]);
  expect(policyOf(model)).toBe(other);
});

test('T7 labels the template with its hash', () => {
  expect(templateOf(settled()).metadata.labels).toEqual(BY_PYTHON);
});

describe('a policy is not loosened while Pods rely on it', () => {
  test('deleting the template leaves its policy to its Sandboxes', () => {
    const model = settled();
    const names = Array.from({ length: 20 }, (_, i) => `box-${i}`);
    names.forEach(name => member(model, name));
    reconcileTemplateOnce(model);
    model.destroy(templateOf(model));
    model.collect();
    expect(policyOf(model)).toBeDefined();
    reconcileTemplateOnce(model);
    expect(policyOf(model)?.metadata.ownerReferences?.map(({ name }) => name).sort()).toEqual([...names].sort());
    expect(reconcileTemplateOnce(model).writes).toEqual([]);
    for (const name of names) {
      expect(policyOf(model)).toBeDefined();
      model.destroy(model.get('Sandbox', NAMESPACE, name)!);
      model.collect();
    }
    expect(policyOf(model)).toBeUndefined();
  });

  test('foreground deletion of the template leaves it, too', () => {
    const model = settled();
    member(model);
    reconcileTemplateOnce(model);
    model.destroy(templateOf(model), 'Foreground');
    model.collect();
    expect(policyOf(model)).toBeDefined();
  });

  test('switching to unmanaged leaves it, as it was, until the last Sandbox is gone', () => {
    const model = settled();
    const box = member(model);
    reconcileTemplateOnce(model);
    const before = policyOf(model)?.spec;
    model.edit(templateOf(model), draft => {
      draft.spec.networkPolicyManagement = 'Unmanaged';
      draft.spec.networkPolicy = { ingress: [{}], egress: [{}] };
    });
    expect(reconcileTemplateOnce(model).writes).toEqual([]);
    expect(policyOf(model)?.spec).toEqual(before);
    model.destroy(box);
    model.collect();
    expect(summary(reconcileTemplateOnce(model).writes)).toEqual(['delete NetworkPolicy']);
  });

  test('a Pod counts, whatever its Sandbox is labelled with', () => {
    const model = settled();
    const box = model.create(sandbox());
    const owner = { apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox', name: 'box', uid: box.metadata.uid!, controller: true };
    model.create({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'box', namespace: NAMESPACE, labels: BY_PYTHON, ownerReferences: [owner] } });
    reconcileTemplateOnce(model);
    expect(policyOf(model)?.metadata.ownerReferences?.map(({ uid }) => uid)).toContain(box.metadata.uid);
  });

  test('F10 a Pod that outlives template and Sandbox keeps the policy until it is gone', () => {
    const model = settled();
    const box = member(model);
    const owner = { apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox', name: box.metadata.name!, uid: box.metadata.uid!, controller: true };
    const running = model.create<CachedPod>({
      apiVersion: 'v1', kind: 'Pod', metadata: { name: 'box', namespace: NAMESPACE, labels: BY_PYTHON, ownerReferences: [owner], finalizers: ['test/grace'] },
    });
    model.destroy(templateOf(model));
    reconcileTemplateOnce(model);
    model.destroy(box);
    model.collect();
    reconcileTemplateOnce(model);
    expect(policyOf(model)?.metadata.ownerReferences?.map(({ uid }) => uid)).toEqual([running.metadata.uid]);
    model.edit(running, draft => {
      delete draft.metadata.finalizers;
    });
    model.destroy(running);
    model.collect();
    expect(policyOf(model)).toBeUndefined();
  });

  test('a template that is made again takes over the policy that its predecessor left', () => {
    const model = settled();
    member(model);
    reconcileTemplateOnce(model);
    model.destroy(templateOf(model));
    model.collect();
    model.create(template({ networkPolicy: {} }));
    reconcileTemplateOnce(model);
    const references = policyOf(model)?.metadata.ownerReferences;
    expect(references?.filter(({ controller }) => controller).map(({ uid }) => uid)).toEqual([templateOf(model).metadata.uid]);
    expect(references).toHaveLength(2);
    expect(policyOf(model)?.spec).toMatchObject({ ingress: [], egress: [] });
  });

  test('many Sandboxes cost few writes of the policy', () => {
    const model = settled();
    let writes = 0;
    for (let i = 0; i < 100; i++) {
      member(model, `box-${i}`);
      writes += reconcileTemplateOnce(model).writes.length;
      if (i >= 10) {
        model.destroy(model.get('Sandbox', NAMESPACE, `box-${i - 10}`)!);
      }
    }
    expect(writes).toBeLessThan(20);
  });
});

describe('names', () => {
  const TWINS = ['browser-prod-team-2151', 'browser-template-team-2200'] as const;

  test('refuses the younger of two templates whose names have one hash, and tells it once', () => {
    const model = new Model();
    model.create(template({}, { name: TWINS[0] }));
    model.now += 1000;
    const young = model.create(template({}, { name: TWINS[1] }));
    const { writes, result } = reconcileTemplateOnce(model, model, TWINS[1]);
    expect(writes).toEqual([]);
    expect(result.blockedBy).toMatchObject([{ name: TWINS[0] }]);
    expect(model.events).toMatchObject([{ type: 'Warning', reason: 'InvalidConfiguration' }]);
    expect(model.events[0]?.note).toContain('has the same hash 22b058e1 as the older template');
    expect(templateProblem(young, model.list('SandboxTemplate'), undefined)).toContain('choose another name');
    expect(summary(reconcileTemplateOnce(model, model, TWINS[0]).writes)).toContain('create NetworkPolicy');
  });

  test('refuses a name that is too long for the policy', () => {
    expect(templateProblem(template({}, { name: 't'.repeat(238) }), [], undefined)).toBeUndefined();
    expect(templateProblem(template({}, { name: 't'.repeat(239) }), [], undefined)).toContain('use at most 238 characters');
  });
});

describe('readiness of the policy', () => {
  test('is given when the cached policy does what the template wants', () => {
    const model = settled();
    expect(isPolicyReady(templateOf(model), policyOf(model))).toBe(true);
    expect(isPolicyReady(templateOf(model), undefined)).toBe(false);
    expect(isPolicyReady(template({ networkPolicyManagement: 'Unmanaged' }), undefined)).toBe(true);
  });

  test('is not given before an edit has arrived, nor by the policy of another owner', () => {
    const model = settled();
    const policy = policyOf(model)!;
    expect(isPolicyReady({ ...templateOf(model), spec: { ...templateOf(model).spec, networkPolicy: {} } }, policy)).toBe(false);
    expect(isPolicyReady(templateOf(model), { ...policy, metadata: { ...policy.metadata, ownerReferences: [foreignOwner()] } })).toBe(false);
    expect(isPolicyReady(templateOf(model), { ...policy, metadata: { ...policy.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } })).toBe(false);
  });
});

describe('secure defaults', () => {
  const spec = (pod: object, rest = {}) => withSecureDefaults(template({ podTemplate: { spec: { containers: [], ...pod } }, ...rest }));
  const resolvers = { dnsPolicy: 'None', dnsConfig: { nameservers: ['8.8.8.8', '1.1.1.1'] } };

  test('mount no token and use public resolvers under the default policy', () => {
    expect(spec({})).toEqual({ containers: [], automountServiceAccountToken: false, ...resolvers });
    expect(spec({ dnsConfig: { searches: ['x'] } })).toMatchObject(resolvers);
  });

  test('leave what the template chose', () => {
    expect(spec({ automountServiceAccountToken: true, dnsPolicy: 'ClusterFirst' })).toEqual({ containers: [], automountServiceAccountToken: true, dnsPolicy: 'ClusterFirst' });
    expect(spec({}, { networkPolicy: {} })).toEqual({ containers: [], automountServiceAccountToken: false });
    expect(spec({}, { networkPolicyManagement: 'Unmanaged' })).toEqual({ containers: [], automountServiceAccountToken: false });
  });
});

describe('templates of other namespaces', () => {
  const shared = (spec = {}, claimableFrom = 'tenant, other') => template(spec, { namespace: 'platform', annotations: { [ANNOTATION.claimableFrom]: claimableFrom } });
  const claim = (model: Model, name: string) => model.create<SandboxClaim>({
    apiVersion: 'extensions.agents.x-k8s.io/v1beta1', kind: 'SandboxClaim', metadata: { name, namespace: 'tenant' }, spec: { sandboxTemplateRef: { name: 'python', namespace: 'platform' } },
  });
  const ensure = (model: Model, from: SandboxClaim, pods: readonly CachedPod[] = [], settled = true) => {
    const policy = model.get('NetworkPolicy', 'tenant', 'platform.python-network-policy');
    const used = model.get('SandboxTemplate', 'platform', 'python')!;
    let ready: boolean | undefined;
    const result = reconcileInModel(planOf(ensureForeignPolicy(used, { claim: from, pods, settled }, policy), found => {
      ready = found.ready;
      return { requests: [], errors: found.errors };
    }), model)!;
    return { ready, result };
  };

  test('are permitted by their annotation alone', () => {
    expect(['tenant', 'other', 'platform', 'third'].map(namespace => isClaimableFrom(shared(), namespace))).toEqual([true, true, true, false]);
    expect(isClaimableFrom(shared({}, '*'), 'third')).toBe(true);
    expect(isClaimableFrom(template({}, { namespace: 'platform' }), 'tenant')).toBe(false);
  });

  test('have a hash and a policy name of their own', () => {
    expect(templateHash(shared(), 'tenant')).toBe(nameHash('platform/python'));
    expect(policyName(shared(), 'tenant')).toBe('platform.python-network-policy');
    expect(templateHash(shared(), 'platform')).toBe(PYTHON);
  });

  test('have a policy in the namespace of the claims, as long as one of them is there', () => {
    const model = new Model();
    model.create(shared());
    const [first, second] = [claim(model, 'first'), claim(model, 'second')];
    expect(ensure(model, first)).toMatchObject({ ready: true });
    expect(ensure(model, second)).toMatchObject({ ready: true });
    const policy = () => model.get('NetworkPolicy', 'tenant', 'platform.python-network-policy');
    expect(policy()).toMatchObject({
      metadata: { ownerReferences: [{ name: 'first' }, { name: 'second' }] },
      spec: { podSelector: { matchLabels: { [LABEL.templateRefHash]: nameHash('platform/python') } } },
    });
    const writes = model.writes.length;
    expect(ensure(model, second).ready).toBe(true);
    expect(model.writes).toHaveLength(writes);
    model.destroy(first);
    model.collect();
    expect(policy()).toBeDefined();
    model.destroy(second);
    model.collect();
    expect(policy()).toBeUndefined();
  });

  test('F10 have a policy that stays until the last Pod under it is gone, though claim and Sandbox go before', () => {
    const model = new Model();
    model.create(shared());
    const [first, second] = [claim(model, 'first'), claim(model, 'second')];
    const podOf = (name: string) => model.create<CachedPod>({ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'tenant' } });
    const policy = () => model.get('NetworkPolicy', 'tenant', 'platform.python-network-policy');
    const owners = () => policy()?.metadata.ownerReferences?.map(({ kind, name }) => `${kind} ${name}`);
    ensure(model, first);
    ensure(model, second);
    const pods = ['first', 'second'].map(podOf);
    const writes = model.writes.length;
    ensure(model, first, pods, false);
    expect(model.writes).toHaveLength(writes);
    // One write for the Pods of all claims.
    ensure(model, first, pods);
    ensure(model, second, pods);
    expect(model.writes).toHaveLength(writes + 1);
    expect(owners()).toEqual(['SandboxClaim first', 'SandboxClaim second', 'Pod first', 'Pod second']);
    [first, second].forEach(each => model.destroy(each));
    model.collect();
    expect(owners()).toEqual(['Pod first', 'Pod second']);
    const third = claim(model, 'third');
    model.destroy(pods[0]!);
    expect(ensure(model, third, pods.slice(1))).toMatchObject({ ready: true });
    expect(owners()).toEqual(['Pod second', 'SandboxClaim third']);
    [third, pods[1]!].forEach(each => model.destroy(each));
    model.collect();
    expect(policy()).toBeUndefined();
  });

  test('are edited live in all namespaces', () => {
    const model = new Model();
    const used = model.create(template({}, { annotations: { [ANNOTATION.claimableFrom]: '*' } }));
    const ticket = claim(model, 'ticket');
    reconcileInModel(planOf(ensureForeignPolicy(used, { claim: ticket, pods: [], settled: false }, undefined), () => ({ requests: [] })), model);
    reconcileTemplateOnce(model);
    model.edit(used, draft => {
      draft.spec.networkPolicy = {};
    });
    expect(summary(reconcileTemplateOnce(model).writes)).toEqual(['update NetworkPolicy', 'update NetworkPolicy']);
    expect(model.get('NetworkPolicy', 'tenant', 'agents.python-network-policy')?.spec).toMatchObject({ ingress: [], egress: [] });
    expect(reconcileTemplateOnce(model).writes).toEqual([]);
  });

  test.each<[string, Partial<NetworkPolicy['metadata']>]>([
    ['one without owner', {}],
    ['controlled', {
      labels: { [LABEL.templateRefHash]: nameHash('platform/python') },
      ownerReferences: [foreignOwner(), { ...foreignOwner('SandboxClaim', 'extensions.agents.x-k8s.io/v1beta1'), uid: 'c', controller: false }],
    }],
  ])('wait while a policy of the name is %s', (_, metadata) => {
    const model = new Model();
    model.create(shared());
    model.create<NetworkPolicy>({
      apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'platform.python-network-policy', namespace: 'tenant', ...metadata },
    });
    const { ready, result } = ensure(model, claim(model, 'ticket'));
    expect(ready).toBe(false);
    expect(result.errors[0]?.message).toContain('is in the way of a template of another namespace');
  });

  test.each<[object, string[]]>([
    [{ serviceAccountName: 'admin' }, ['serviceAccountName']],
    [{ automountServiceAccountToken: true }, ['automountServiceAccountToken']],
    [{ imagePullSecrets: [{ name: 's' }] }, ['imagePullSecrets']],
    [{ imagePullSecrets: [] }, []],
    [{ volumes: [{ name: 'a', secret: { secretName: 's' } }, { name: 'b', configMap: { name: 'c' } }] }, ['volumes[0].secret', 'volumes[1].configMap']],
    [{ volumes: [{ name: 'a', projected: { sources: [{ serviceAccountToken: { path: 'p' } }] } }] }, ['volumes[0].projected.sources[0].serviceAccountToken']],
    [{ volumes: [{ name: 'a', persistentVolumeClaim: { claimName: 'p' } }] }, ['volumes[0].persistentVolumeClaim']],
    [{ containers: [{ name: 'm', env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }] }] }, ['containers[0].env[0].valueFrom.secretKeyRef']],
    [{ initContainers: [{ name: 'm', envFrom: [{ configMapRef: { name: 'c' } }] }] }, ['initContainers[0].envFrom[0].configMapRef']],
    [{ nodeSelector: { secret: 'x' }, volumes: [{ name: 'a', emptyDir: {} }] }, []],
  ])('with the Pod spec %j name %j', (spec, paths) => {
    expect(namespacedReferences(template({ podTemplate: { spec: { containers: [], ...spec } } }))).toEqual(paths);
  });
});

describe('a template is looked at for a Sandbox that comes or goes', () => {
  const { watches } = templateController(1);
  const gained = (model: Model, name: string) => watches.Sandbox!({ after: model.get('Sandbox', NAMESPACE, name)!, origin: 'watch' }, model).map(({ key }) => key);
  const lost = (model: Model, name: string) => {
    const before = model.get('Sandbox', NAMESPACE, name)!;
    model.destroy(before);
    return watches.Sandbox!({ before, origin: 'watch' }, model).map(({ key }) => key);
  };

  test('while its policy lacks owners, and again when it loses one of the two that it needs', () => {
    const model = settled();
    ['a', 'b', 'c'].forEach(name => member(model, name));
    expect(gained(model, 'c')).toEqual([`${NAMESPACE}/python`]);
    reconcileTemplateOnce(model);
    expect((policyOf(model)!.metadata.ownerReferences ?? []).filter(({ kind }: { kind: string }) => kind === 'Sandbox')).toHaveLength(3);
    member(model, 'd');
    expect([gained(model, 'd'), lost(model, 'd'), lost(model, 'a'), lost(model, 'b')]).toEqual([[], [], [], [`${NAMESPACE}/python`]]);
  });
});
