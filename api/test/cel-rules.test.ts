import { ALL_VERSIONS, type Json, type KindName, VERSION_NAMES, type VersionName, schemaAt, schemaOf, walk } from './crd-files';

function rules(kind: KindName, version: VersionName): Json[] {
  return schemaOf(kind, version, 'spec')['x-kubernetes-validations'] ?? [];
}

const IMMUTABLE = 'volumeClaimTemplates is immutable';
const REPLICAS_0 = 'spec.replicas is 0: set it to 1 in the same request';
const SUSPENDED = 'spec.operatingMode is Suspended: set it to Running in the same request';
const DROPPED = 'spec.operatingMode is Suspended and this update would drop it: send it along, or set it to Running to resume';
const ONE_REFERENCE = 'exactly one of spec.warmPoolRef and spec.sandboxTemplateRef must be set';
const WARMPOOL = 'spec.warmpool goes with spec.sandboxTemplateRef only: name a pool with spec.warmPoolRef.name';

test.each<[KindName, VersionName, string[]]>([
  ['Sandbox', 'v1beta1', [IMMUTABLE, REPLICAS_0, SUSPENDED]],
  ['Sandbox', 'v1alpha1', [IMMUTABLE, REPLICAS_0, SUSPENDED, DROPPED]],
  ['SandboxTemplate', 'v1beta1', []],
  ['SandboxTemplate', 'v1alpha1', []],
  ['SandboxClaim', 'v1beta1', [ONE_REFERENCE, WARMPOOL]],
  ['SandboxClaim', 'v1alpha1', [ONE_REFERENCE, WARMPOOL]],
  ['SandboxWarmPool', 'v1beta1', []],
  ['SandboxWarmPool', 'v1alpha1', []],
])('the rules of %s %s say %j', (kind, version, expected) => {
  expect(rules(kind, version).map(rule => rule.message)).toEqual(expected);
});

test.each(VERSION_NAMES)('volumeClaimTemplates of a Sandbox are immutable by the rule that clients have seen before (%s)', version => {
  expect(rules('Sandbox', version)[0].rule).toBe(
    'has(self.volumeClaimTemplates) == has(oldSelf.volumeClaimTemplates)'
    + ' && (!has(self.volumeClaimTemplates) || self.volumeClaimTemplates == oldSelf.volumeClaimTemplates)');
});

test.each(ALL_VERSIONS)('the rules of %s %s sit on spec, apart from the one about the name of a Sandbox', (kind, version) => {
  const places: string[] = [];
  walk(schemaOf(kind, version), (node, path) => {
    if (node['x-kubernetes-validations']) {
      places.push(path);
    }
  });
  expect(places).toEqual([...(kind === 'Sandbox' ? [''] : []), ...(rules(kind, version).length > 0 ? ['spec'] : [])]);
});

test.each(ALL_VERSIONS)('the rules of %s %s speak of fields that exist', (kind, version) => {
  const spec = schemaOf(kind, version, 'spec');
  for (const { rule } of rules(kind, version)) {
    for (const [, path] of rule.matchAll(/\b(?:self|oldSelf)\.([A-Za-z.]+)/g)) {
      expect(() => schemaAt(spec, path)).not.toThrow();
    }
  }
});

/**
 * Messages of the rules that a write breaks. The rules use only `has`, `==`, `!=`, `!`, `&&` and `||` on scalars and
 * lists, which mean the same in JavaScript once `has` is spelled out and lists are compared as text.
 */
function broken(kind: KindName, version: VersionName, oldSpec: Json | undefined, newSpec: Json): string[] {
  const scalar = (value: unknown) => (Array.isArray(value) ? JSON.stringify(value) : value);
  const scalars = (spec: Json) => Object.fromEntries(Object.entries(spec).map(([name, value]) => [name, scalar(value)]));
  const holds = (rule: string) =>
    new Function('self', 'oldSelf', `return ${rule.replace(/\bhas\(([^)]+)\)/g, '($1 !== undefined)')}`)(scalars(newSpec), scalars(oldSpec ?? {}));
  return rules(kind, version)
    .filter(({ rule }) => oldSpec !== undefined || !rule.includes('oldSelf')) // transition rules apply to updates only
    .filter(({ rule }) => !holds(rule))
    .map(({ message }) => message);
}

describe('a claim', () => {
  const pool = { warmPoolRef: { name: 'pool' } };
  const template = { sandboxTemplateRef: { name: 'template' } };

  test.each<[string, Json, string[]]>([
    ['a pool', pool, []],
    ['a template', template, []],
    ['a template and any of its pools', { ...template, warmpool: 'default' }, []],
    ['neither', {}, [ONE_REFERENCE]],
    ['a pool and a template', { ...pool, ...template }, [ONE_REFERENCE]],
    ['a pool twice', { ...pool, warmpool: 'pool' }, [WARMPOOL]],
    ['a pool by the old name alone', { warmpool: 'pool' }, [ONE_REFERENCE, WARMPOOL]],
  ])('may name %s, or not: %j', (_, spec, expected) => {
    for (const version of VERSION_NAMES) {
      expect(broken('SandboxClaim', version, undefined, spec)).toEqual(expected);
    }
  });
});

describe('an update of a Sandbox', () => {
  const running = { operatingMode: 'Running', replicas: 1 };
  const suspended = { operatingMode: 'Suspended', replicas: 1 };
  const scaledDown = { operatingMode: 'Running', replicas: 0 };
  const both = { operatingMode: 'Suspended', replicas: 0 };

  test.each<[string, Json, Json, string[]]>([
    ['suspend by mode', running, suspended, []],
    ['suspend by replicas', running, scaledDown, []],
    ['suspend by both', running, both, []],
    ['resume by mode', suspended, running, []],
    ['resume by replicas', scaledDown, running, []],
    ['resume by both', both, running, []],
    ['suspend by mode what is scaled down', scaledDown, both, []],
    ['scale down what is suspended', suspended, both, []],
    ['leave a suspended one as it is', both, both, []],
    ['turn one kind of suspension into the other', scaledDown, suspended, []],
    ['resume by mode what is also scaled down', both, scaledDown, [REPLICAS_0]],
    ['resume by mode and scale down at once', suspended, scaledDown, [REPLICAS_0]],
    ['resume by replicas what is also suspended', both, suspended, [SUSPENDED]],
    ['add volume claim templates', running, { ...running, volumeClaimTemplates: [{}] }, [IMMUTABLE]],
    ['remove volume claim templates', { ...running, volumeClaimTemplates: [] }, running, [IMMUTABLE]],
    ['change volume claim templates', { volumeClaimTemplates: [{ a: 1 }] }, { volumeClaimTemplates: [{ a: 2 }] }, [IMMUTABLE]],
    ['keep volume claim templates', { volumeClaimTemplates: [{ a: 1 }] }, { volumeClaimTemplates: [{ a: 1 }] }, []],
  ])('may %s, or not', (_, oldSpec, newSpec, expected) => {
    for (const version of VERSION_NAMES) {
      expect(broken('Sandbox', version, oldSpec, newSpec)).toEqual(expected);
    }
  });

  test('through v1alpha1 by a client that drops the mode it does not know is refused while the Sandbox is suspended', () => {
    expect(broken('Sandbox', 'v1alpha1', suspended, { replicas: 1 })).toEqual([DROPPED]);
    expect(broken('Sandbox', 'v1alpha1', both, { replicas: 1 })).toEqual([DROPPED]);
    expect(broken('Sandbox', 'v1alpha1', both, { replicas: 0 })).toEqual([REPLICAS_0, DROPPED]);
  });

  test('through v1alpha1 by a client that drops the mode works while the Sandbox is not suspended', () => {
    expect(broken('Sandbox', 'v1alpha1', running, { replicas: 0 })).toEqual([]);
    expect(broken('Sandbox', 'v1alpha1', scaledDown, { replicas: 1 })).toEqual([]);
  });

  test('may create one in any state', () => {
    for (const spec of [running, suspended, scaledDown, both, {}]) {
      expect(broken('Sandbox', 'v1alpha1', undefined, spec)).toEqual([]);
      expect(broken('Sandbox', 'v1beta1', undefined, spec)).toEqual([]);
    }
  });
});
