import { ApiObject, type Chart, JsonPatch } from 'cdk8s';
import { Construct } from 'constructs';
import { typedSpecOf } from '../api/test/crd-files';
import { AgentSandboxVersion, ClaimOverrides, Isolation, SandboxNetwork, SandboxTemplate, type SandboxTemplateProps, SandboxVolume } from '../src';
import { POD, manifest, schemaProblems, synth, template, testChart } from './helpers';

const V1ALPHA1 = AgentSandboxVersion.V1ALPHA1;

/** Fields of a template's spec, the props that reach them and what is emitted. */
const FIELDS: readonly (readonly [field: string, props: Partial<SandboxTemplateProps>, wire: unknown])[] = [
  ['podTemplate', {}, expect.objectContaining({ spec: expect.anything() })],
  ['volumeClaimTemplates', { volumes: [SandboxVolume.persistent('data', { size: '1Gi' })] }, [expect.objectContaining({ metadata: { name: 'data' } })]],
  ['service', { service: false }, false],
  ['networkPolicy', { network: SandboxNetwork.denyAll() }, { ingress: [], egress: [] }],
  ['networkPolicyManagement', { network: SandboxNetwork.unmanaged() }, 'Unmanaged'],
  ['envVarsInjectionPolicy', { claimEnv: ClaimOverrides.OVERRIDES }, 'Overrides'],
  ['volumeClaimTemplatesPolicy', { claimVolumes: ClaimOverrides.ALLOWED }, 'Allowed'],
];

test.each(FIELDS)('spec.%s is reachable', (field, props, wire) => {
  const object = template(props);
  expect(object.apiVersion).toBe('extensions.agents.x-k8s.io/v1beta1');
  expect(object.spec[field]).toEqual(wire);
  expect(schemaProblems(object)).toEqual([]);
});

test('every field of the API has a row above', () => {
  for (const version of ['v1beta1', 'v1alpha1'] as const) {
    const reached = FIELDS.map(([field]) => field);
    expect(Object.keys(typedSpecOf('SandboxTemplate', version).properties).filter(field => !reached.includes(field))).toEqual([]);
  }
});

test.each(FIELDS.filter(([field]) => field !== 'volumeClaimTemplatesPolicy'))('v1alpha1 has the same spec.%s', (_, props) => {
  const object = template({ ...props, apiVersion: V1ALPHA1 });
  expect(object.apiVersion).toBe('extensions.agents.x-k8s.io/v1alpha1');
  expect(object.spec).toEqual(template(props).spec);
  expect(schemaProblems(object)).toEqual([]);
});

test('defaults are the Pod and a network that lets the router in and nothing out', () => {
  const { metadata, spec } = template();
  expect(metadata).toEqual({ name: 'python' });
  expect(Object.keys(spec)).toEqual(['networkPolicy', 'podTemplate']);
  expect(spec.networkPolicy).toEqual({
    ingress: [{
      from: [{
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'agent-sandbox-system' } }, podSelector: { matchLabels: { app: 'sandbox-router' } },
      }],
    }],
    egress: [],
  });
});

describe('the five outcomes of the network', () => {
  test.each<[string, SandboxNetwork, object]>([
    ['denied in both directions', SandboxNetwork.denyAll(), { networkPolicy: { ingress: [], egress: [] } }],
    ['ingress only', SandboxNetwork.routerOnly(), { networkPolicy: { ingress: [expect.anything()], egress: [] } }],
    ['ingress and egress', SandboxNetwork.dnsOnly(), { networkPolicy: { ingress: [expect.anything()], egress: [expect.anything()] } }],
    ['the default of the controller', SandboxNetwork.controllerDefault(), {}],
    ['unmanaged', SandboxNetwork.unmanaged(), { networkPolicyManagement: 'Unmanaged' }],
  ])('%s', (_, network, wire) => {
    const { podTemplate, ...rest } = template({ network }).spec;
    expect(podTemplate).toBeDefined();
    expect(rest).toEqual(wire);
  });
});

test('what claims may do is emitted only where it was said', () => {
  const chart = testChart();
  const silent = new SandboxTemplate(chart, 'silent', POD);
  const explicit = new SandboxTemplate(chart, 'explicit', { ...POD, claimEnv: ClaimOverrides.DISALLOWED, claimVolumes: ClaimOverrides.DISALLOWED });
  expect([silent.claimEnv, silent.claimVolumes, explicit.claimEnv]).toEqual(Array(3).fill('Disallowed'));
  const [first, second] = synth(chart);
  expect(first.spec).not.toHaveProperty('envVarsInjectionPolicy');
  expect(first.spec).not.toHaveProperty('volumeClaimTemplatesPolicy');
  expect(second.spec).toMatchObject({ envVarsInjectionPolicy: 'Disallowed', volumeClaimTemplatesPolicy: 'Disallowed' });
});

describe('namespaces whose claims may use the template', () => {
  const annotations = (claimableFrom: string[] | undefined, own?: { [key: string]: string }) => template({ claimableFrom, annotations: own }).metadata.annotations;

  test('are an annotation, sorted, beside the others', () => {
    expect(annotations(['support', 'research'], { note: 'x' })).toEqual({ 'agents.x-k8s.io/claimable-from': 'research,support', note: 'x' });
  });

  test('can be all', () => {
    expect(annotations(['*'])).toEqual({ 'agents.x-k8s.io/claimable-from': '*' });
  });

  test.each([undefined, []])('are its own when %p', claimableFrom => {
    expect(annotations(claimableFrom)).toBeUndefined();
  });
});

test('the name is the id wherever the construct is, or the prop', () => {
  const chart = testChart();
  new SandboxTemplate(new Construct(new Construct(chart, 'a'), 'b'), 'deep', POD);
  new SandboxTemplate(chart, 'Template', { ...POD, name: 'named' });
  expect(synth(chart).map(object => object.metadata.name)).toEqual(['deep', 'named']);
});

test('a template elsewhere is its name and, where known, its namespace', () => {
  expect(SandboxTemplate.fromName('python')).toEqual({ isSandboxTemplate: true, name: 'python' });
  expect(SandboxTemplate.fromName('python', 'shared')).toEqual({ isSandboxTemplate: true, name: 'python', namespace: 'shared' });
});

test('a template tells what it is made of', () => {
  const network = SandboxNetwork.publicInternet();
  const isolation = Isolation.kata();
  const construct = new SandboxTemplate(testChart({ namespace: 'agents' }), 'python', { ...POD, isolation, network, claimableFrom: ['support'] });
  expect(construct).toMatchObject({ name: 'python', namespace: 'agents', claimableFrom: ['support'] });
  expect(construct.isolation).toBe(isolation);
  expect(construct.network).toBe(network);
});

test('patches apply to the manifest, after everything else', () => {
  const chart: Chart = testChart();
  const construct = new SandboxTemplate(chart, 'python', POD);
  ApiObject.of(construct).addJsonPatch(JsonPatch.replace('/spec/networkPolicy/egress', [{}]), JsonPatch.add('/spec/podTemplate/spec/setHostnameAsFQDN', true));
  const { spec } = manifest(chart, 'SandboxTemplate');
  expect(spec.networkPolicy.egress).toEqual([{}]);
  expect(spec.podTemplate.spec.setHostnameAsFQDN).toBe(true);
});
