import { ALL_VERSIONS, type Json, schemaAt, schemaOf } from './crd-files';
import { structuralProblems, valueProblems } from './structural-schema';

test.each(ALL_VERSIONS)('the schema of %s %s is structural', (kind, version) => {
  expect(structuralProblems(schemaOf(kind, version))).toEqual([]);
});

/** A copy of the Sandbox schema with something broken at `path`. */
function broken(path: string, breakIt: (node: Json) => void): Json {
  const copy = structuredClone(schemaOf('Sandbox', 'v1beta1'));
  breakIt(schemaAt(copy, path));
  return copy;
}

test.each<[string, string, (node: Json) => void, string]>([
  ['a missing type', 'spec.service', node => delete node.type, 'spec.service: type is undefined'],
  ['an unknown type', 'spec.service', node => (node.type = 'bool'), 'spec.service: type is "bool"'],
  ['a typed int-or-string', 'spec.podTemplate.spec.overhead{}', node => (node.type = 'string'), 'spec.podTemplate.spec.overhead{}: int-or-string has a type'],
  ['a reference', 'spec', node => (node.$ref = 'X'), 'spec: has the keyword $ref'],
  ['kept unknown fields', 'spec', node => (node['x-kubernetes-preserve-unknown-fields'] = true), 'spec: has the keyword x-kubernetes-preserve-unknown-fields'],
  ['a map with properties', 'spec', node => (node.additionalProperties = { type: 'string' }), 'spec: both properties and additionalProperties'],
  ['a required stranger', 'spec', node => node.required.push('x'), 'spec: requires x, which is no property'],
  ['a default outside of the enum', 'spec.shutdownPolicy', node => (node.default = 'Keep'), 'spec.shutdownPolicy: default: value is no string that fits'],
  ['a default outside of the bounds', 'spec.replicas', node => (node.default = 2), 'spec.replicas: default: value is no integer in its bounds'],
  ['an empty default of an object with required fields', 'spec.podTemplate', node => (node.default = {}), 'spec.podTemplate: default: value lacks spec'],
  ['a default that would be pruned', 'spec.podTemplate.metadata', node => (node.default = { x: 1 }), 'spec.podTemplate.metadata: default: .x is unknown'],
  ['map keys that are not there', 'spec.podTemplate.spec.volumes', node => (node['x-kubernetes-list-map-keys'] = ['x']),
    'spec.podTemplate.spec.volumes: map key x is no property of the items'],
  ['map keys that may be absent', 'spec.podTemplate.spec.containers[].ports[].protocol', node => delete node.default,
    'spec.podTemplate.spec.containers[].ports: map key protocol is neither required nor has a default'],
  ['a map list without keys', 'spec.podTemplate.spec.volumes', node => delete node['x-kubernetes-list-map-keys'],
    'spec.podTemplate.spec.volumes: list map keys without list type map, or the other way round'],
  ['a list without items', 'status.podIPs', node => delete node.items, 'status.podIPs: list without one schema for its items'],
  ['a set of objects', 'spec.volumeClaimTemplates', node => (node['x-kubernetes-list-type'] = 'set'),
    'spec.volumeClaimTemplates: set of something else than scalars'],
  ['bounds of a string', 'spec.shutdownTime', node => (node.maximum = 1), 'spec.shutdownTime: maximum of a string'],
  ['a rule without a message', 'spec', node => delete node['x-kubernetes-validations'][0].message, 'spec: rule without text or one-line message'],
])('the check notices %s', (_, path, breakIt, problem) => {
  expect(structuralProblems(broken(path, breakIt))).toEqual([problem]);
});

test.each<[string, any, string[]]>([
  ['a Sandbox', { spec: { podTemplate: { spec: { containers: [{ name: 'a' }] } } } }, []],
  ['no spec', {}, ['value lacks spec']],
  ['an unknown field', { spec: { podTemplate: { spec: { containers: [{ name: 'a', img: 'x' }] } } } }, ['.spec.podTemplate.spec.containers[0].img is unknown']],
  ['a fraction of a CPU as a number', { spec: { podTemplate: { spec: { containers: [], overhead: { cpu: 0.5 } } } } },
    ['.spec.podTemplate.spec.overhead.cpu is no integer or matching string']],
])('values are checked: %s', (_, value, problems) => {
  expect(valueProblems(schemaOf('Sandbox', 'v1beta1'), value)).toEqual(problems);
});
