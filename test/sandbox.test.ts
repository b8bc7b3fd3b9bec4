import { ApiObject, type Chart, Duration, JsonPatch } from 'cdk8s';
import { Construct } from 'constructs';
import { typedSpecOf } from '../api/test/crd-files';
import { AgentSandboxVersion, Lifetime, NetworkPeer, Sandbox, SandboxNetwork, type SandboxProps, SandboxVolume, ShutdownPolicy } from '../src';
import { nameHash } from '../src/generated/vocabulary.gen';
import { POD, manifest, messageOf, sandbox, schemaProblems, synth, testApp, testChart } from './helpers';

const V1ALPHA1 = AgentSandboxVersion.V1ALPHA1;

/** Fields of a Sandbox's spec, by version, the props that reach them and what is emitted. */
const FIELDS: readonly (readonly [version: 'v1beta1' | 'v1alpha1', field: string, props: Partial<SandboxProps>, wire: unknown])[] = [
  ['v1beta1', 'podTemplate', {}, expect.objectContaining({ spec: expect.anything() })],
  ['v1beta1', 'volumeClaimTemplates', { volumes: [SandboxVolume.persistent('data', { size: '1Gi' })] }, [expect.objectContaining({ metadata: { name: 'data' } })]],
  ['v1beta1', 'service', { service: true }, true],
  ['v1beta1', 'shutdownTime', { lifetime: Lifetime.until('2027-01-31T17:00:00Z') }, '2027-01-31T17:00:00Z'],
  ['v1beta1', 'shutdownPolicy', { lifetime: Lifetime.until('2027-01-31T17:00:00Z', { onExpiry: ShutdownPolicy.DELETE }) }, 'Delete'],
  ['v1beta1', 'operatingMode', { suspended: true }, 'Suspended'],
  ['v1beta1', 'operatingMode', { suspended: false }, 'Running'],
  ['v1alpha1', 'replicas', { suspended: true, apiVersion: V1ALPHA1 }, 0],
  ['v1alpha1', 'replicas', { suspended: false, apiVersion: V1ALPHA1 }, 1],
];

test.each(FIELDS)('%s spec.%s is reachable: %#', (version, field, props, wire) => {
  const object = sandbox(props);
  expect(object.apiVersion).toBe(`agents.x-k8s.io/${version}`);
  expect(object.spec[field]).toEqual(wire);
  expect(schemaProblems(object)).toEqual([]);
});

test('every field of the API has a row above', () => {
  const reached = new Set(FIELDS.map(([, field]) => field));
  for (const version of ['v1beta1', 'v1alpha1'] as const) {
    expect(Object.keys(typedSpecOf('Sandbox', version).properties).filter(field => !reached.has(field))).toEqual([]);
  }
});

test('nothing is emitted that was not asked for', () => {
  const object = sandbox();
  expect(Object.keys(object)).toEqual(['apiVersion', 'kind', 'metadata', 'spec']);
  expect(object.metadata).toEqual({ name: 'box' });
  expect(Object.keys(object.spec)).toEqual(['podTemplate']);
  expect(Object.keys(sandbox({ apiVersion: V1ALPHA1 }).spec)).toEqual(['podTemplate']);
});

test('both versions have the same Pod', () => {
  const props = { volumes: [SandboxVolume.persistent('data', { size: '1Gi' })], lifetime: Lifetime.until('2027-01-31T17:00:00Z'), service: false };
  expect(sandbox({ ...props, apiVersion: V1ALPHA1 }).spec).toEqual(sandbox(props).spec);
});

describe('the name', () => {
  const nameIn = (build: (chart: Chart) => unknown) => {
    const chart = testChart();
    build(chart);
    return manifest(chart, 'Sandbox').metadata.name;
  };

  test('is the id of the construct, wherever that is in the tree', () => {
    expect(nameIn(chart => new Sandbox(chart, 'alice', POD))).toBe('alice');
    expect(nameIn(chart => new Sandbox(new Construct(new Construct(chart, 'team'), 'users'), 'alice', POD))).toBe('alice');
  });

  test('is the prop where there is one', () => {
    expect(nameIn(chart => new Sandbox(chart, 'Any Id!', { ...POD, name: 'alice' }))).toBe('alice');
  });
});

test('namespace and labels come from the chart unless the Sandbox has its own', () => {
  const chart = testChart({ namespace: 'agents', labels: { app: 'workspaces', tier: 'dev' } });
  new Sandbox(chart, 'a', POD);
  new Sandbox(chart, 'b', { ...POD, namespace: 'research', labels: { tier: 'prod' }, annotations: { note: 'x' } });
  const [a, b] = synth(chart).filter(object => object.kind === 'Sandbox');
  expect(a.metadata).toEqual({ name: 'a', namespace: 'agents', labels: { app: 'workspaces', tier: 'dev' } });
  expect(b.metadata).toEqual({ name: 'b', namespace: 'research', labels: { app: 'workspaces', tier: 'prod' }, annotations: { note: 'x' } });
});

test('a construct knows the name and namespace that it will have', () => {
  const box = new Sandbox(testChart({ namespace: 'agents' }), 'box', POD);
  expect([box.name, box.namespace, box.isolation.description, box.network.preset]).toEqual(['box', 'agents', 'gVisor', 'routerOnly']);
});

describe('its NetworkPolicy', () => {
  const objects = (props: Partial<SandboxProps> = {}) => {
    const chart = testChart({ namespace: 'agents' });
    new Sandbox(chart, 'box', { ...POD, ...props });
    return synth(chart);
  };

  test('selects its Pod by the hash of its name and comes before it', () => {
    const [policy, box] = objects();
    expect([policy.kind, box.kind]).toEqual(['NetworkPolicy', 'Sandbox']);
    expect(policy.apiVersion).toBe('networking.k8s.io/v1');
    expect(policy.metadata).toEqual({ name: 'sandbox-box', namespace: 'agents' });
    expect(policy.spec.podSelector).toEqual({ matchLabels: { 'agents.x-k8s.io/sandbox-name-hash': nameHash('box') } });
  });

  test('lets the router in and nothing out by default', () => {
    const { spec } = objects()[0];
    expect(spec.policyTypes).toEqual(['Ingress', 'Egress']);
    expect(spec.ingress).toHaveLength(1);
    expect(spec).not.toHaveProperty('egress');
  });

  test('denies by naming the direction, as the API server drops empty lists of this kind', () => {
    const { podSelector, ...rest } = objects({ network: SandboxNetwork.denyAll() })[0].spec;
    expect(rest).toEqual({ policyTypes: ['Ingress', 'Egress'] });
    expect(podSelector).toBeDefined();
  });

  test('has the rules of the network', () => {
    const network = SandboxNetwork.denyAll().allowEgressTo(NetworkPeer.cidr('203.0.113.0/24'));
    expect(objects({ network })[0].spec).toMatchObject({ policyTypes: ['Ingress', 'Egress'], egress: [{ to: [{ ipBlock: { cidr: '203.0.113.0/24' } }] }] });
  });

  test('is the job of the team where the network is unmanaged', () => {
    expect(objects({ network: SandboxNetwork.unmanaged() }).map(object => object.kind)).toEqual(['Sandbox']);
  });
});

describe('the object underneath', () => {
  test('is what ApiObject.of finds', () => {
    const box = new Sandbox(testChart(), 'box', POD);
    expect(ApiObject.of(box).kind).toBe('Sandbox');
    expect(ApiObject.of(box).node.path).toBe('test/box/Resource');
  });

  test('takes patches in the names of the manifest', () => {
    const chart = testChart();
    const box = new Sandbox(chart, 'box', POD);
    ApiObject.of(box).addJsonPatch(
      JsonPatch.add('/spec/podTemplate/spec/hostPID', true),
      JsonPatch.add('/spec/podTemplate/spec/containers/0/futureField', { a: [1] }),
      JsonPatch.remove('/spec/podTemplate/spec/enableServiceLinks'),
    );
    const { spec } = manifest(chart, 'Sandbox').spec.podTemplate;
    expect(spec.hostPID).toBe(true);
    expect(spec.containers[0].futureField).toEqual({ a: [1] });
    expect(spec).not.toHaveProperty('enableServiceLinks');
    expect(manifest(chart, 'Sandbox').spec.podTemplate.spec).toEqual(spec);
  });
});

test('a Sandbox needs a chart above it', () => {
  expect(messageOf(() => new Sandbox(testApp(), 'box', POD))).toContain('chart');
});

test('a lifetime that only claims have is refused', () => {
  const lifetime = Lifetime.afterFinished(Duration.hours(1), { onExpiry: ShutdownPolicy.DELETE_FOREGROUND }).orUntil('2027-01-31T17:00:00Z');
  expect(messageOf(() => sandbox({ lifetime })).split('\n')).toEqual([
    '2 problems:',
    "  test/box: lifetime is 'afterFinished': a Sandbox ends at a point in time only: use Lifetime.until(…), or a SandboxClaim",
    "  test/box: lifetime.onExpiry is 'DeleteForeground': a Sandbox knows ShutdownPolicy.DELETE and ShutdownPolicy.RETAIN",
  ]);
});
