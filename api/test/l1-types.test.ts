import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as ts from 'typescript';
import { ALL_VERSIONS, KIND_NAMES, schemaOf, walk, typedSpecOf } from './crd-files';
import { Declarations, type Dialect, docOf, mismatches } from './typescript-types';
import { enumMember, propertyName, typeName } from '../generators/names';

const FILES = readdirSync(join(__dirname, '..', '..', 'imports')).sort().map(file => `imports/${file}`);
const L1 = new Declarations(FILES);
const DIALECT: Dialect = {
  declarations: L1,
  propertyName,
  values: type => Object.values(L1.enums.get(type) ?? {}),
};

test('the L1 is small: types are shared', () => {
  const types = [...L1.interfaces.keys(), ...L1.enums.keys(), ...L1.classes];
  const lines = L1.sources.reduce((sum, source) => sum + source.getLineStarts().length, 0);
  expect(new Set(types).size).toBe(types.length);
  expect(types.length).toBeGreaterThan(110);
  expect(types.length).toBeLessThan(160);
  expect(lines).toBeLessThan(6_000);
});

test('there is one class per kind and version, and one for each kind of value', () => {
  expect([...L1.classes].sort()).toEqual([
    'IntOrString', 'Quantity', 'Sandbox', 'SandboxClaim', 'SandboxClaimV1Alpha1', 'SandboxTemplate', 'SandboxTemplateV1Alpha1', 'SandboxV1Alpha1',
    'SandboxWarmPool', 'SandboxWarmPoolV1Alpha1',
  ]);
});

test.each(KIND_NAMES)('the props of %s have the fields of the CRD, with their types, and no others', kind => {
  expect(L1.interfaces.get(`${kind}Props`)!.get('spec')).toMatchObject({ type: `${kind}Spec`, optional: false });
  expect(L1.interfaces.get(`${kind}Props`)!.get('metadata')).toMatchObject({ type: 'ApiObjectMetadata', optional: true });
  expect(mismatches(DIALECT, typedSpecOf(kind, 'v1beta1'), `${kind}Spec`, 'spec')).toEqual([]);
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
  expect(Object.fromEntries(L1.enums)).toEqual({
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
  for (const source of L1.sources.filter(({ fileName }) => fileName.includes('x-k8s.io'))) {
    for (const statement of source.statements.filter(ts.isInterfaceDeclaration)) {
      for (const [name, member] of L1.interfaces.get(statement.name.text)!) {
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
  expect(L1.interfaces.get(type)!.get(name)!.doc.split('\n').map(line => line.replace(/^\s*\*\s?/, ''))).toContain(text);
});

test('every type is documented, and those of Kubernetes link to its reference', () => {
  const link = /@see https:\/\/kubernetes\.io\/docs\/reference\/generated\/kubernetes-api\/v1\.36\/(#[a-z]+-v1-(core|meta|networking-k8s-io))?\s/;
  const unlinked: string[] = [];
  for (const source of L1.sources) {
    for (const statement of source.statements.filter(s => ts.isInterfaceDeclaration(s) || ts.isClassDeclaration(s) || ts.isEnumDeclaration(s))) {
      expect([statement.name!.text, docOf(statement)]).toEqual([statement.name!.text, expect.stringMatching(/^\/\*\*/)]);
      if (source.fileName === 'imports/kubernetes.ts' && !link.test(docOf(statement))) {
        unlinked.push(statement.name!.text);
      }
    }
  }
  expect(unlinked).toEqual(['EmbeddedObjectMetadata']);
});
