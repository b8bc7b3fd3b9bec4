import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { breakingChanges, mayBreak, previousRelease } from '../scripts/release/compatibility';

const ROOT = path.join(__dirname, '..');
const ASSEMBLY = path.join(ROOT, '.jsii');

/**
 * Where the public API has values of any type, or of one of several: each with what it is there for. Other languages have no types for them, so that
 * their programs find mistakes only when they run.
 */
const OPEN: readonly { readonly place: RegExp; readonly words: string }[] = [
  { place: /^(Checks|NetworkModel|Posture|SandboxAssertions)\.ofManifests\.manifests$/, words: 'documents of YAML' },
  { place: /^SandboxProjection\.(of$|ofManifests(\.manifests)?$)/, words: 'manifests of any kind' },
  { place: /^ManifestImport\.toTypeScript\.manifests$/, words: 'documents of YAML' },
  { place: /^AgentSandboxValidation\.validate\.context$/, words: 'what the command line of cdk8s gives to a plugin' },
  { place: /^ExpectedObject\.spec$/, words: 'a part of a manifest' },
  { place: /^MonitoringProps\.additionalRuleGroups$/, words: 'rules in the format of Prometheus' },
  { place: /^WarmPoolMetric\.raw\.spec$/, words: 'a metric in the format of Kubernetes' },
  { place: /^SandboxContainer\.env$/, words: 'a text, or a value that comes from elsewhere' },
  { place: /^l1\.(IntOrString|Quantity)\.value$/, words: 'a number or a text' },
  { place: /^l1\.\w+\.(manifest|toJson)$/, words: 'the manifest of an object, as constructs of cdk8s import have it' },
];

interface Type { readonly primitive?: string; readonly union?: unknown; readonly collection?: { readonly elementtype: Type } }
interface Typed { readonly name: string; readonly type: Type }
interface Method { readonly name?: string; readonly parameters?: readonly Typed[]; readonly returns?: { readonly type: Type } }
interface ApiType { readonly fqn: string; readonly properties?: readonly Typed[]; readonly methods?: readonly Method[]; readonly initializer?: Method }

function isOpen({ primitive, union, collection }: Type): boolean {
  return primitive === 'any' || primitive === 'json' || union !== undefined || (collection !== undefined && isOpen(collection.elementtype));
}

/** The places of an assembly that a type of Java or Go does not describe. */
function openPlaces(types: { readonly [name: string]: ApiType }): string[] {
  return Object.values(types).flatMap(({ fqn, properties = [], methods = [], initializer }) => {
    const name = fqn.replace('cdk8s-agent-sandbox.', '');
    const calls = [...methods, ...(initializer ? [{ ...initializer, name: 'new' }] : [])];
    return [
      ...properties.map(each => [`${name}.${each.name}`, each.type] as const),
      ...calls.flatMap(method => (method.parameters ?? []).map(each => [`${name}.${method.name}.${each.name}`, each.type] as const)),
      ...calls.filter(({ returns }) => returns).map(method => [`${name}.${method.name}`, method.returns!.type] as const),
    ].filter(([, type]) => isOpen(type)).map(([place]) => place);
  });
}

const compiled = fs.existsSync(ASSEMBLY);
(compiled ? describe : describe.skip)(`the public API${compiled ? '' : ' (needs the compiled library: npm run compile)'}`, () => {
  const read = () => JSON.parse(fs.readFileSync(ASSEMBLY, 'utf8'));
  let work: string;
  beforeAll(() => {
    work = fs.mkdtempSync(path.join(os.tmpdir(), 'public-api-'));
  });
  afterAll(() => fs.rmSync(work, { recursive: true }));

  test('has types that all languages have, but where values are open', () => {
    const places = openPlaces(read().types);
    expect(places.filter(each => !OPEN.some(({ place }) => place.test(each)))).toEqual([]);
    expect(OPEN.filter(({ place }) => !places.some(each => place.test(each)))).toEqual([]);
  });

  test('names no parameter like a field of the struct after it, which Python has as keyword arguments', () => {
    const { types } = read() as { types: { [name: string]: ApiType & { datatype?: boolean } } };
    const fieldsOf = (fqn: string) => types[fqn]?.datatype ? (types[fqn].properties ?? []).map(({ name }) => name) : [];
    const clashes = Object.values(types).flatMap(({ fqn, methods = [], initializer }) => [...methods, ...(initializer ? [initializer] : [])].flatMap(({ name = 'new', parameters = [] }) => {
      const last = parameters.at(-1)?.type as { fqn?: string } | undefined;
      const fields = last?.fqn ? fieldsOf(last.fqn) : [];
      return parameters.slice(0, -1).filter(each => fields.includes(each.name)).map(each => `${fqn}.${name}: ${each.name}`);
    }));
    expect(clashes).toEqual([]);
  });

  /** The assembly with a change, in a folder of its own. */
  const changed = (name: string, change: (assembly: any) => void) => {
    const assembly = read();
    change(assembly);
    const folder = path.join(work, name);
    fs.mkdirSync(folder);
    fs.writeFileSync(path.join(folder, '.jsii'), JSON.stringify({ ...assembly, fingerprint: '*' }));
    fs.copyFileSync(path.join(ROOT, 'package.json'), path.join(folder, 'package.json'));
    fs.symlinkSync(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
    return folder;
  };

  test('a release that breaks programs is found by jsii-diff, and one that adds to the API is compatible', () => {
    const before = changed('before', () => {});
    const without = changed('without', ({ types }) => delete types['cdk8s-agent-sandbox.SandboxContainer'].properties.find(({ name }: Typed) => name === 'readOnlyRoot').optional);
    expect(breakingChanges(before, without)).toEqual([expect.stringContaining("SandboxContainer: newly required property 'readOnlyRoot'")]);
    const shorter = changed('shorter', ({ types }) => delete types['cdk8s-agent-sandbox.Gpu']);
    expect(breakingChanges(before, shorter).join('\n')).toContain('cdk8s-agent-sandbox.Gpu');
    expect(breakingChanges(shorter, before)).toEqual([]);
  });
});

test('the release before a version is the newest below it that is no preview', () => {
  const tags = ['v0.1.0', 'v0.2.0-rc.1', 'v0.10.0', 'v0.9.1', 'agentsandbox/v0.12.0', 'v1.0.0', 'x'];
  expect(previousRelease(tags, '0.11.0')).toBe('0.10.0');
  expect(previousRelease(tags, '1.0.0')).toBe('0.10.0');
  expect(previousRelease(tags, '0.1.0')).toBeUndefined();
  expect(previousRelease([], '1.0.0')).toBeUndefined();
});

test.each([
  ['0.1.0', '0.1.1', false], ['0.1.0', '0.2.0', true], ['1.1.0', '1.2.0', false], ['1.1.0', '2.0.0', true], ['1.0.0', '2.0.0-rc.1', true],
])('from %s to %s, breaking changes are allowed: %s', (before, after, allowed) => {
  expect(mayBreak(before, after)).toBe(allowed);
});
