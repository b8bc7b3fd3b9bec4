import { KIND_NAMES, VERSION_NAMES, schemaOf, versionOf, typedSpecOf } from './crd-files';
import { Declarations, type Dialect, mismatches } from './typescript-types';

const WIRE = new Declarations(['packages/api/src/types.gen.ts']);
const DIALECT: Dialect = {
  declarations: WIRE,
  propertyName: wire => wire,
  values: type => type.split(' | ').map(value => value.replace(/^'(.*)'$/, '$1')),
};

describe.each(KIND_NAMES)('the wire types of %s', kind => {
  test('have the fields of the CRD, with their types and names, and no others', () => {
    expect(mismatches(DIALECT, typedSpecOf(kind, 'v1beta1'), `${kind}Spec`, 'spec')).toEqual([]);
    if (versionOf(kind, 'v1beta1').subresources) {
      expect(mismatches(DIALECT, schemaOf(kind, 'v1beta1', 'status'), `${kind}Status`, 'status')).toEqual([]);
    }
  });

  test('name both versions', () => {
    const members = WIRE.interfaces.get(kind)!;
    const group = kind === 'Sandbox' ? 'agents.x-k8s.io' : 'extensions.agents.x-k8s.io';
    expect(members.get('apiVersion')!.type).toBe(VERSION_NAMES.map(version => `'${group}/${version}'`).join(' | '));
    expect(members.get('kind')!.type).toBe(`'${kind}'`);
    expect(members.get('spec')).toMatchObject({ type: `${kind}Spec`, optional: false });
    expect([...members.keys()].includes('status')).toBe(kind !== 'SandboxTemplate');
  });
});

test('the status of every kind may be missing', () => {
  for (const kind of KIND_NAMES.filter(name => name !== 'SandboxTemplate')) {
    expect(WIRE.interfaces.get(kind)!.get('status')).toMatchObject({ type: `${kind}Status`, optional: true });
  }
});

test('every field of ours has a description', () => {
  const own = [...WIRE.interfaces].filter(([name]) => /^(Sandbox|Pool|Claim|VolumeClaim|PodMetadata|PodTemplate|Condition)/.test(name) && !KIND_NAMES.includes(name as any));
  expect(own.length).toBeGreaterThan(15);
  for (const [name, members] of own) {
    for (const [field, { doc }] of members) {
      expect([`${name}.${field}`, doc]).toEqual([`${name}.${field}`, expect.stringMatching(/^\/\*\* .+ \*\/$/)]);
    }
  }
});
