import { ANNOTATION, LABEL, nameHash, type PodSpec, type Sandbox, type SandboxSpec, type SandboxTemplate } from 'agent-sandbox-api';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { blueprintHash, blueprintOf, podTemplateHash } from '../src/blueprint/blueprint.js';
import { hasBlueprint } from '../src/blueprint/compare.js';
import { memberName, memberObject, randomSuffix } from '../src/blueprint/member.js';
import { unmetPrecondition, observeTemplateInUse } from '../src/blueprint/template-in-use.js';
import { isStale, poolNameOf, recreates } from '../src/blueprint/stale.js';
import { controllerReference } from '../src/object/ownership.js';
import { NAMESPACE, foreignOwner, pool, sandbox, template, reconcileTemplateOnce } from './fixtures.js';
import { Model } from './model.js';

const volume = (name: string, spec: object = {}) => ({ metadata: { name }, spec });
const withSpec = (spec: Partial<PodSpec>) => template({ podTemplate: { spec: { ...template().spec.podTemplate.spec, ...spec } } });
const owner = pool({}, { uid: 'pool' });
const member = (from: SandboxTemplate = template()): Sandbox => memberObject(owner, from, { name: 'pool-abcde', evictable: true });
const orphan = (from: SandboxTemplate = template()): Sandbox => {
  const made = member(from);
  return { ...made, metadata: { ...made.metadata, ownerReferences: [] } };
};

describe('the blueprint of a template', () => {
  test('W6 has secure defaults: no token, and no cluster DNS where the default policy closes the way to it', () => {
    expect(blueprintOf(template()).podTemplate.spec).toMatchObject({ automountServiceAccountToken: false, dnsPolicy: 'None' });
    expect(blueprintOf(withSpec({ automountServiceAccountToken: true })).podTemplate.spec.automountServiceAccountToken).toBe(true);
    expect(blueprintOf(template({ networkPolicyManagement: 'Unmanaged' })).podTemplate.spec).not.toHaveProperty('dnsPolicy');
  });

  test('W19 has one hash for equal templates, and another one after a change of Pod, volumes, service or what follows from the network', () => {
    const { podTemplate } = template().spec;
    const changed = [
      withSpec({ hostname: 'other' }), template({ volumeClaimTemplates: [volume('data')] }), template({ service: true }), template({ service: false }),
      template({ networkPolicyManagement: 'Unmanaged' }), template({ podTemplate: { ...podTemplate, metadata: { labels: { a: 'b' } } } }),
    ];
    expect(new Set([template(), template({}, { name: 'other' }), ...changed].map(blueprintHash)).size).toBe(1 + changed.length);
    const reordered = template({ podTemplate: { spec: { containers: [{ image: 'image', name: 'main' }] } } });
    expect(blueprintHash(reordered)).toBe(blueprintHash(template()));
    expect(podTemplateHash(template({ service: true }))).toBe(podTemplateHash(template()));
    expect(podTemplateHash(withSpec({ hostname: 'other' }))).not.toBe(podTemplateHash(template()));
  });
});

describe('comparing specs', () => {
  const base = blueprintOf(template({ volumeClaimTemplates: [volume('a'), volume('b')] }));

  test('W20 tells apart order, name, number and class of volumes, image, and service true, false and unset', () => {
    const others: Partial<SandboxSpec>[] = [
      { volumeClaimTemplates: [volume('b'), volume('a')] }, { volumeClaimTemplates: [volume('a'), volume('c')] }, { volumeClaimTemplates: [volume('a')] },
      { volumeClaimTemplates: [volume('a'), volume('b', { storageClassName: 'fast' })] }, { service: true }, { service: false },
      { podTemplate: { spec: { ...base.podTemplate.spec, containers: [{ name: 'main', image: 'other' }] } } },
    ];
    expect(others.map(other => hasBlueprint({ ...base, ...other }, base))).toEqual(others.map(() => false));
  });

  test('W20 does not look at labels and annotations', () => {
    const metadata = { labels: { a: 'b' }, annotations: { c: 'd' } };
    const volumeClaimTemplates = [{ metadata: { name: 'a', ...metadata }, spec: {} }, volume('b')];
    expect(hasBlueprint({ podTemplate: { ...base.podTemplate, metadata }, volumeClaimTemplates }, base)).toBe(true);
  });

  test.each([
    ['1000m', '1', true], ['0.5', '500m', true], ['1Gi', '1024Mi', true], ['1e3', '1k', true], ['1Gi', '1G', false], ['100m', '1', false], ['0', '0m', true],
    ['1.50', '1500m', true], ['10', '1', false], ['nonsense', 'nonsense', true],
  ])('compares the quantities %s and %s by value', (a, b, equal) => {
    const limits = (cpu: string) => blueprintOf(withSpec({ containers: [{ name: 'main', resources: { limits: { cpu } } }] }));
    expect(hasBlueprint(limits(a), limits(b))).toBe(equal);
  });

  test('takes the zero values that Go writes for nothing', () => {
    const env = (resourceFieldRef: { resource: string; divisor?: string }) => [{ name: 'A', valueFrom: { resourceFieldRef } }];
    const written = withSpec({ containers: [{ name: 'main', resources: {}, env: env({ resource: 'limits.cpu', divisor: '0' }) }] });
    expect(hasBlueprint(blueprintOf(written), blueprintOf(withSpec({ containers: [{ name: 'main', env: env({ resource: 'limits.cpu' }) }] })))).toBe(true);
  });

  test('W21 notices a change of any field that the schema has', () => {
    const schema = (parse(readFileSync(new URL('../../../chart/files/crds/sandboxtemplates.extensions.agents.x-k8s.io.yaml', import.meta.url), 'utf8')) as any)
      .spec.versions[0].schema.openAPIV3Schema.properties.spec;
    const { podTemplate, volumeClaimTemplates, service } = schema.properties;
    const full = sample({ properties: { podTemplate, volumeClaimTemplates, service } }) as unknown as SandboxSpec;
    delete full.podTemplate.metadata;
    full.volumeClaimTemplates = full.volumeClaimTemplates!.map(({ metadata, spec }) => ({ metadata: { name: metadata!.name }, spec }));
    expect(hasBlueprint(structuredClone(full), full)).toBe(true);
    const paths = leavesOf(full);
    expect(paths.length).toBeGreaterThan(600);
    expect(paths.filter(path => hasBlueprint(without(full, path), full)).map(path => path.join('.'))).toEqual([]);
    expect(paths.filter(path => hasBlueprint(full, without(full, path))).map(path => path.join('.'))).toEqual([]);
  });
});

describe('a Sandbox of a pool', () => {
  test('W4 has the labels and annotations of the pool, on itself and for its Pod, and its Pod is named from the beginning', () => {
    const from = template({ podTemplate: { ...template().spec.podTemplate, metadata: { labels: { app: 'x' } } }, service: true });
    const hashes = {
      [LABEL.warmPool]: nameHash('pool'), [LABEL.templateRefHash]: nameHash('python'), [LABEL.templateHash]: blueprintHash(from),
      [LABEL.podTemplateHash]: podTemplateHash(from),
    };
    const made = member(from);
    expect(made.metadata).toEqual({
      name: 'pool-abcde', namespace: NAMESPACE, ownerReferences: [controllerReference(owner)],
      labels: { ...hashes, [LABEL.launchType]: 'warm', [LABEL.createdBy]: 'controller' },
      annotations: { [ANNOTATION.templateRef]: 'python', [ANNOTATION.podName]: 'pool-abcde' },
    });
    expect(made.spec.podTemplate.metadata).toEqual({ labels: { app: 'x', ...hashes }, annotations: { [ANNOTATION.safeToEvict]: 'true' } });
    expect(made.spec.service).toBe(true);
  });

  test('W5 has the volumes of the template', () => {
    expect(member(template({ volumeClaimTemplates: [volume('data')] })).spec.volumeClaimTemplates).toEqual([volume('data')]);
  });

  test.each(['true', 'false'])('W17 may be evicted, unless the template says whether: %s', value => {
    const annotated = template({ podTemplate: { ...template().spec.podTemplate, metadata: { annotations: { [ANNOTATION.safeToEvict]: value } } } });
    expect(member(annotated).spec.podTemplate.metadata?.annotations).toEqual({ [ANNOTATION.safeToEvict]: value });
    expect(memberObject(owner, template(), { name: 'x', evictable: false }).spec.podTemplate.metadata).not.toHaveProperty('annotations');
  });

  test('is named after its pool, in at most 63 characters', () => {
    expect(memberName(owner, 'abcde')).toBe('pool-abcde');
    const long = memberName(pool({}, { name: 'p'.repeat(253) }), 'abcde');
    expect(long).toBe(`${'p'.repeat(58)}abcde`);
    expect(randomSuffix(n => n - 1)).toBe('99999');
  });

  test('tells its pool by its controller, in any version of the API', () => {
    expect(poolNameOf(member())).toBe('pool');
    expect(poolNameOf(sandbox({}, { ownerReferences: [foreignOwner('SandboxWarmPool', 'extensions.agents.x-k8s.io/v1alpha1')] }))).toBe('other');
    expect(poolNameOf(sandbox({}, { ownerReferences: [foreignOwner('SandboxClaim', 'extensions.agents.x-k8s.io/v1beta1')] }))).toBeUndefined();
  });
});

describe('staleness', () => {
  const relabelled = (made: Sandbox, hash: string): Sandbox => ({ ...made, metadata: { ...made.metadata, labels: { ...made.metadata.labels, [LABEL.templateHash]: hash } } });

  test('W18 a change of image, volumes or service makes stale, a change of labels and annotations does not', () => {
    const { podTemplate } = template().spec;
    const fresh = [template(), template({ podTemplate: { ...podTemplate, metadata: { labels: { a: 'b' }, annotations: { c: 'd' } } } })];
    const stale = [
      withSpec({ containers: [{ name: 'main', image: 'other' }] }), template({ volumeClaimTemplates: [volume('data')] }), template({ service: true }),
      template({ networkPolicyManagement: 'Unmanaged' }),
    ];
    expect(fresh.map(now => isStale(member(), now))).toEqual(fresh.map(() => false));
    expect(stale.map(now => isStale(member(), now))).toEqual(stale.map(() => true));
    const withVolume = (labels: { [key: string]: string }) => template({ volumeClaimTemplates: [{ metadata: { name: 'data', labels }, spec: {} }] });
    expect(isStale(member(withVolume({})), withVolume({ a: 'b' }))).toBe(false);
  });

  test('W12 another template makes stale, even one with the same spec', () => {
    expect(isStale(member(), template({}, { name: 'other' }))).toBe(true);
  });

  test('W14 a change of the network that changes the DNS makes stale', () => {
    expect(isStale(member(), template({ networkPolicy: {} }))).toBe(true);
  });

  test('W15 the hash of a Sandbox without controller is not believed', () => {
    const forged = relabelled(orphan(), blueprintHash(template({ service: true })));
    expect(isStale(forged, template({ service: true }))).toBe(true);
    expect(isStale(orphan(), template())).toBe(false);
    expect(isStale(relabelled(orphan(), 'other'), template())).toBe(false);
  });

  test('a hash that another implementation made is judged by the spec, once for all Sandboxes that have it', () => {
    const memo = new Map<string, boolean>();
    expect(isStale(relabelled(member(), 'theirs'), template(), memo)).toBe(false);
    expect([...memo]).toEqual([['theirs', false]]);
    expect(isStale({ ...relabelled(member(), 'theirs'), spec: sandbox({ service: true }).spec }, template(), memo)).toBe(false);
  });

  test('W11 only Recreate replaces', () => {
    expect([{}, { updateStrategy: {} }, { updateStrategy: { type: 'OnReplenish' as const } }, { updateStrategy: { type: 'Recreate' as const } }].map(spec => recreates(pool(spec))))
      .toEqual([false, false, false, true]);
  });
});

describe('what hinders new Sandboxes', () => {
  const unmet = (model: Model, name = 'python') => {
    const found = unmetPrecondition(observeTemplateInUse(model, NAMESPACE, name));
    return found && `${found.reason}: ${found.message}`;
  };

  test('a missing template, a missing policy, and in the end nothing', () => {
    const model = new Model();
    expect(unmet(model)).toBe('TemplateNotFound: SandboxTemplate "python" not found');
    model.create(template());
    expect(unmet(model)).toBe('NetworkPolicyNotReady: the NetworkPolicy "python-network-policy" of the SandboxTemplate "python" is not in place yet');
    reconcileTemplateOnce(model);
    expect(unmet(model)).toBeUndefined();
    model.edit(model.get('SandboxTemplate', NAMESPACE, 'python')!, draft => {
      draft.spec.networkPolicy = {};
    });
    expect(unmet(model)).toMatch(/^NetworkPolicyNotReady/);
    reconcileTemplateOnce(model);
    expect(unmet(model)).toBeUndefined();
  });

  test('a template that is on its way out is none', () => {
    const model = new Model();
    model.destroy(model.create(template({ networkPolicyManagement: 'Unmanaged' }, { finalizers: ['x'] })));
    expect(unmet(model)).toMatch(/^TemplateNotFound/);
  });

  test('a name that shares its hash with an older template', () => {
    const model = new Model();
    const [elder, younger] = ['browser-prod-team-2151', 'browser-template-team-2200'];
    model.create(template({}, { name: elder }));
    model.now += 1000;
    model.create(template({}, { name: younger }));
    expect(unmet(model, younger)).toMatch(/^InvalidConfiguration: the template name "browser-template-team-2200" has the same hash 22b058e1/);
    expect(unmetPrecondition(observeTemplateInUse(model, NAMESPACE, younger))?.blockedBy).toMatchObject([{ kind: 'SandboxTemplate', name: elder }]);
  });
});

/** An object with a value in every field of a schema. */
function sample(schema: any): unknown {
  if (schema.properties !== undefined) {
    return Object.fromEntries(Object.entries(schema.properties).map(([name, property]) => [name, sample(property)]));
  }
  if (schema.items !== undefined) {
    return [sample(schema.items)];
  }
  if (schema.additionalProperties !== undefined) {
    return { key: sample(schema.additionalProperties) };
  }
  return schema.type === 'boolean' ? true : schema.type === 'integer' ? 7 : '7';
}

type Path = readonly (string | number)[];

/** The paths of all values that are neither lists nor objects. */
function leavesOf(node: unknown, path: Path = []): Path[] {
  return typeof node === 'object' && node !== null
    ? Object.entries(node).flatMap(([key, child]) => leavesOf(child, [...path, key]))
    : [path];
}

/** A copy without one value. */
function without(object: SandboxSpec, path: Path): SandboxSpec {
  const copy = structuredClone(object);
  const parent = path.slice(0, -1).reduce<any>((node, key) => node[key], copy);
  const key = path.at(-1)!;
  if (Array.isArray(parent)) {
    parent.splice(Number(key), 1);
  } else {
    delete parent[key];
  }
  return copy;
}
