import { AdmissionAction, AdmissionEngine, SandboxAdmissionPolicies, type SandboxAdmissionPoliciesProps } from '../src';
import { ADMISSION_RULES } from '../src/admission';
import { synth, testChart } from './helpers';

const KINDS = ['sandbox', 'sandboxtemplate', 'sandboxclaim', 'sandboxwarmpool', 'pod'];

function objects(props: SandboxAdmissionPoliciesProps = {}): any[] {
  const chart = testChart({ namespace: 'platform' });
  new SandboxAdmissionPolicies(chart, 'admission', props);
  return synth(chart);
}
const ofKind = (all: any[], kind: string) => all.filter(each => each.kind === kind);

test('a policy and a binding for each kind, and one ConfigMap of parameters', () => {
  const all = objects();
  expect(ofKind(all, 'ValidatingAdmissionPolicy').map(({ metadata }) => metadata)).toEqual(KINDS.map(kind => ({ name: `agent-sandbox-${kind}` })));
  expect(ofKind(all, 'ValidatingAdmissionPolicyBinding').map(({ spec }) => spec.paramRef)).toEqual(KINDS.map(() =>
    ({ name: 'agent-sandbox-admission', namespace: 'agent-sandbox-system', parameterNotFoundAction: 'Deny' })));
  expect(all).toHaveLength(11);
});

test('props become parameters, so that they can change without the rules', () => {
  const props = { registries: ['a.example/', 'b.example/'], maxPoolReplicas: 5, requireMemoryLimit: true, requireLifetime: true, allowUnmanaged: true, runtimeClasses: ['gvisor'] };
  expect(ofKind(objects(props), 'ConfigMap')[0].data).toEqual({
    allowUnmanaged: 'true', maxPoolReplicas: '5', registries: 'a.example/,b.example/', requireLifetime: 'true', requireMemoryLimit: 'true', runtimeClasses: 'gvisor',
  });
  expect(ofKind(objects(props), 'ValidatingAdmissionPolicy')).toEqual(ofKind(objects(), 'ValidatingAdmissionPolicy'));
});

test('Kyverno has the same expressions, parameters and conditions', () => {
  const policies = ofKind(objects({ engine: AdmissionEngine.KYVERNO }), 'ClusterPolicy');
  const native = ofKind(objects(), 'ValidatingAdmissionPolicy');
  expect(policies.map(({ metadata }) => metadata.name)).toEqual(native.map(({ metadata }) => metadata.name));
  policies.forEach(({ spec: { rules: [rule] } }, index) => {
    const { validations, variables, paramKind, matchConditions } = native[index].spec;
    expect(rule.validate.cel).toMatchObject({ expressions: validations, paramKind, paramRef: { name: 'agent-sandbox-admission' } });
    expect([rule.validate.cel.variables, rule.celPreconditions]).toEqual([variables, matchConditions]);
  });
});

test('WARN denies nothing', () => {
  expect(ofKind(objects({ action: AdmissionAction.WARN }), 'ValidatingAdmissionPolicyBinding').map(({ spec }) => spec.validationActions)).toEqual(KINDS.map(() => ['Warn', 'Audit']));
  expect(ofKind(objects({ action: AdmissionAction.WARN, engine: AdmissionEngine.KYVERNO }), 'ClusterPolicy').map(({ spec }) => spec.rules[0].validate.failureAction)).toEqual(KINDS.map(() => 'Audit'));
});

test('every rule is in the policy of each of its kinds, with its id', () => {
  const all = ofKind(objects(), 'ValidatingAdmissionPolicy');
  for (const { id, kinds, message } of ADMISSION_RULES) {
    for (const kind of kinds) {
      const { spec } = all.find(({ metadata }) => metadata.name === `agent-sandbox-${kind.toLowerCase()}`);
      expect(spec.validations.map((each: any) => each.message)).toContain(`[${id}] ${message}`);
    }
  }
});

test.each<[SandboxAdmissionPoliciesProps, string]>([
  [{ runtimeClasses: [] }, 'runtimeClasses'],
  [{ registries: ['a,b'] }, 'registries[0]'],
  [{ maxPoolReplicas: -1 }, 'maxPoolReplicas'],
  [{ parameterNamespace: 'A b' }, 'parameterNamespace'],
  [{ exemptNamespaces: ['A b'] }, 'exemptNamespaces[0]'],
])('fails for %j', (props, message) => {
  expect(() => objects(props)).toThrow(message);
});
