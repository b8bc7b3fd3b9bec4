import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as ts from 'typescript';
import { ALL_VERSIONS, Json, KIND_NAMES, schemaOf, walk } from './crd-files';
import { enumMember, propertyName, typeName } from '../generators/names';

const IMPORTS = join(__dirname, '..', '..', 'imports');
const SOURCES = readdirSync(IMPORTS).sort().map(file =>
  ts.createSourceFile(file, readFileSync(join(IMPORTS, file), 'utf8'), ts.ScriptTarget.ES2022, true));

function docOf(node: ts.Node): string {
  return ts.getJSDocCommentsAndTags(node).map(doc => doc.getText()).join('\n');
}

interface Member {
  readonly type: string;
  readonly optional: boolean;
  readonly doc: string;
}
/** Members of the interfaces in `imports/`, and values of its enums, as they are written. */
const INTERFACES = new Map<string, ReadonlyMap<string, Member>>();
const ENUMS = new Map<string, ReadonlyMap<string, string>>();
const CLASSES = new Map<string, ts.ClassDeclaration>();

for (const source of SOURCES) {
  for (const statement of source.statements) {
    if (ts.isInterfaceDeclaration(statement)) {
      INTERFACES.set(statement.name.text, new Map(statement.members.filter(ts.isPropertySignature).map(member => [member.name.getText(), {
        type: member.type!.getText(),
        optional: member.questionToken !== undefined,
        doc: docOf(member),
      }])));
    } else if (ts.isEnumDeclaration(statement)) {
      ENUMS.set(statement.name.text, new Map(statement.members.map(member =>
        [member.name.getText(), (member.initializer as ts.StringLiteral).text])));
    } else if (ts.isClassDeclaration(statement)) {
      CLASSES.set(statement.name!.text, statement);
    }
  }
}

test('the L1 is small: types are shared', () => {
  const types = [...INTERFACES.keys(), ...ENUMS.keys(), ...CLASSES.keys()];
  const lines = SOURCES.reduce((sum, source) => sum + source.getLineStarts().length, 0);
  expect(new Set(types).size).toBe(types.length);
  expect(types.length).toBeGreaterThan(110);
  expect(types.length).toBeLessThan(160);
  expect(lines).toBeLessThan(6_000);
});

test('there is one class per kind and version, and one for each kind of value', () => {
  expect([...CLASSES.keys()].sort()).toEqual([
    'IntOrString', 'Quantity', 'Sandbox', 'SandboxClaim', 'SandboxClaimV1Alpha1', 'SandboxTemplate', 'SandboxTemplateV1Alpha1', 'SandboxV1Alpha1',
    'SandboxWarmPool', 'SandboxWarmPoolV1Alpha1',
  ]);
});

/** How a schema and the TypeScript type that should stand for it differ: one line per finding. */
function mismatches(schema: Json, type: string, path: string): string[] {
  if (schema.items) {
    return type.endsWith('[]') ? mismatches(schema.items, type.slice(0, -2), `${path}[]`) : [`${path}: ${type} is no list`];
  }
  if (schema.additionalProperties) {
    const value = /^\{ \[key: string\]: (.+) \}$/.exec(type)?.[1];
    return value ? mismatches(schema.additionalProperties, value, `${path}{}`) : [`${path}: ${type} is no map`];
  }
  if (schema.properties) {
    const members = INTERFACES.get(type);
    return members ? memberMismatches(schema, members, path) : [`${path}: there is no interface ${type}`];
  }
  if (schema.enum) {
    const values = [...ENUMS.get(type)?.values() ?? []];
    return JSON.stringify(values) === JSON.stringify(schema.enum) ? [] : [`${path}: ${type} has the values ${values}`];
  }
  const wanted = schema['x-kubernetes-int-or-string'] ? (schema.pattern ? 'Quantity' : 'IntOrString')
    : schema.type === 'integer' ? 'number' : schema.type;
  return type === wanted ? [] : [`${path}: is ${type} instead of ${wanted}`];
}

function memberMismatches(schema: Json, members: ReadonlyMap<string, Member>, path: string): string[] {
  const names = Object.keys(schema.properties).map(propertyName);
  const strange = [...members.keys()].filter(name => !names.includes(name)).map(name => `${path}.${name} is not in the schema`);
  return [...strange, ...Object.entries<Json>(schema.properties).flatMap(([name, property]) => {
    const here = `${path}.${name}`;
    const member = members.get(propertyName(name));
    if (!member) {
      return [`${here} is missing`];
    }
    const optional = !schema.required?.includes(name);
    return [
      ...(member.optional === optional ? [] : [`${here}: is ${member.optional ? 'optional' : 'required'}`]),
      ...mismatches(property, member.type, here),
    ];
  })];
}

test.each(KIND_NAMES)('the props of %s have the fields of the CRD, with their types, and no others', kind => {
  expect(INTERFACES.get(`${kind}Props`)!.get('spec')).toMatchObject({ type: `${kind}Spec`, optional: false });
  expect(INTERFACES.get(`${kind}Props`)!.get('metadata')).toMatchObject({ type: 'ApiObjectMetadata', optional: true });
  expect(mismatches(schemaOf(kind, 'v1beta1', 'spec'), `${kind}Spec`, 'spec')).toEqual([]);
});

test('fields have the camel case name of the wire, of which these differ from it', () => {
  const renamed = new Map<string, string>();
  for (const [kind, version] of ALL_VERSIONS) {
    walk(schemaOf(kind, version), node => Object.keys(node.properties ?? {})
      .filter(name => propertyName(name) !== name)
      .forEach(name => renamed.set(name, propertyName(name))));
  }
  expect(Object.fromEntries(renamed)).toEqual({
    datasetUUID: 'datasetUuid',
    diskURI: 'diskUri',
    downwardAPI: 'downwardApi',
    hostIP: 'hostIp',
    hostIPC: 'hostIpc',
    hostPID: 'hostPid',
    pdID: 'pdId',
    podIPs: 'podIps',
    scaleIO: 'scaleIo',
    serviceFQDN: 'serviceFqdn',
    setHostnameAsFQDN: 'setHostnameAsFqdn',
    storagePolicyID: 'storagePolicyId',
    targetWWNs: 'targetWwns',
    volumeID: 'volumeId',
  });
});

test.each(ALL_VERSIONS)('no two fields of one object of %s %s get the same name, and sorting by either name gives the same order', (kind, version) => {
  walk(schemaOf(kind, version), node => {
    const wire = Object.keys(node.properties ?? {}).sort();
    const typescript = wire.map(propertyName);
    expect(new Set(typescript).size).toBe(wire.length);
    // cdk8s sorts keys before they get their names on the wire.
    expect([...typescript].sort()).toEqual(typescript);
  });
});

test.each([
  ['PodSpec', 'PodSpec'], ['ISCSIVolumeSource', 'IscsiVolumeSource'], ['HTTPGetAction', 'HttpGetAction'], ['PodDNSConfig', 'PodDnsConfig'],
  ['PodOS', 'PodOs'], ['ScaleIOVolumeSource', 'ScaleIoVolumeSource'], ['SELinuxOptions', 'SeLinuxOptions'], ['IPBlock', 'IpBlock'],
  ['DownwardAPIVolumeFile', 'DownwardApiVolumeFile'], ['SandboxClaimEnvVar', 'SandboxClaimEnvVar'],
])('the type %s is %s in TypeScript', (wire, name) => {
  expect(typeName(wire)).toBe(name);
});

test.each([['Delete', 'DELETE'], ['DeleteForeground', 'DELETE_FOREGROUND'], ['OnReplenish', 'ON_REPLENISH']])('the value %s is %s in TypeScript', (value, member) => {
  expect(enumMember(value)).toBe(member);
});

test('enums have one member per value, named after it', () => {
  expect(Object.fromEntries([...ENUMS].map(([name, members]) => [name, Object.fromEntries(members)]))).toEqual({
    SandboxSpecShutdownPolicy: { DELETE: 'Delete', RETAIN: 'Retain' },
    SandboxSpecOperatingMode: { RUNNING: 'Running', SUSPENDED: 'Suspended' },
    SandboxTemplateSpecNetworkPolicyManagement: { MANAGED: 'Managed', UNMANAGED: 'Unmanaged' },
    SandboxTemplateSpecEnvVarsInjectionPolicy: { ALLOWED: 'Allowed', OVERRIDES: 'Overrides', DISALLOWED: 'Disallowed' },
    SandboxTemplateSpecVolumeClaimTemplatesPolicy: { DISALLOWED: 'Disallowed', ALLOWED: 'Allowed', OVERRIDES: 'Overrides' },
    SandboxClaimLifecycleShutdownPolicy: { DELETE: 'Delete', DELETE_FOREGROUND: 'DeleteForeground', RETAIN: 'Retain' },
    SandboxWarmPoolUpdateStrategyType: { RECREATE: 'Recreate', ON_REPLENISH: 'OnReplenish' },
  });
});

test('every field of ours is documented, with its default if it is optional', () => {
  const undocumented: string[] = [];
  for (const source of SOURCES.filter(({ fileName }) => fileName.includes('x-k8s.io'))) {
    for (const statement of source.statements.filter(ts.isInterfaceDeclaration)) {
      for (const [name, member] of INTERFACES.get(statement.name.text)!) {
        if (!member.doc || (member.optional && !/@default \S/.test(member.doc))) {
          undocumented.push(`${statement.name.text}.${name}`);
        }
      }
    }
  }
  expect(undocumented).toEqual([]);
});

test.each([
  ['SandboxSpec', 'shutdownPolicy', '@default - not set; the API server sets "Retain"'],
  ['SandboxSpec', 'replicas', '@default - not set; the API server sets 1'],
  ['SandboxSpec', 'operatingMode', '@default - not set; the API server sets "Running" in v1beta1'],
  ['SandboxSpec', 'service', '@default - not set'],
  ['SandboxWarmPoolSpec', 'replicas', '@default - not set; the API server sets 1 in v1beta1; v1alpha1 requires it'],
])('%s.%s says "%s"', (type, name, text) => {
  expect(INTERFACES.get(type)!.get(name)!.doc.split('\n').map(line => line.replace(/^\s*\*\s?/, ''))).toContain(text);
});

test('every type is documented, and those of Kubernetes link to its reference', () => {
  const link = /@see https:\/\/kubernetes\.io\/docs\/reference\/generated\/kubernetes-api\/v1\.36\/(#[a-z]+-v1-(core|meta|networking-k8s-io))?\s/;
  const unlinked: string[] = [];
  for (const source of SOURCES) {
    for (const statement of source.statements.filter(s => ts.isInterfaceDeclaration(s) || ts.isClassDeclaration(s) || ts.isEnumDeclaration(s))) {
      expect([statement.name!.text, docOf(statement)]).toEqual([statement.name!.text, expect.stringMatching(/^\/\*\*/)]);
      if (source.fileName === 'kubernetes.ts' && !link.test(docOf(statement))) {
        unlinked.push(statement.name!.text);
      }
    }
  }
  expect(unlinked).toEqual(['EmbeddedObjectMetadata']);
});
