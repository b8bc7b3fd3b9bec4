import { execFileSync } from 'node:child_process';
import * as fc from 'fast-check';
import { NetworkEndpoint, NetworkModel, NetworkPort, Reachability } from '../src';
import { describeWithTools } from '../testbed/src/jest/index.js';

const SETS = 2_400;
const SEED = 20_261_129;
/** Addresses of Pods are known to the model: what is left unknown would be a fault of it. */
const POD_CIDR = '10.0.0.0/24';
const OUTSIDE = ['10.0.1.1', '10.0.1.77', '192.0.2.5'];
const PORTS = [80, 81, 443, 8080];
const PROTOCOLS = ['TCP', 'UDP'];

interface Pod { name: string; namespace: string; labels: Record<string, string>; ip: string; ports: Array<{ name: string; containerPort: number; protocol: string }> }
interface Packet { from: string; to: string; port: number; protocol: string }
interface PolicySet {
  namespaces: Array<{ name: string; labels: Record<string, string> }>;
  pods: Pod[];
  policies: any[];
  admin: any[];
  baseline: any[];
  packets: Packet[];
}

const namespaceNames = ['red', 'blue', 'green'];
const namespaces = namespaceNames.map(name => ({ name, labels: { 'kubernetes.io/metadata.name': name, 'tier': name === 'green' ? 'back' : 'front' } }));
const labels = fc.record({ app: fc.constantFrom('a', 'b'), role: fc.option(fc.constantFrom('x', 'y'), { nil: undefined }) })
  .map(({ app, role }): Record<string, string> => (role ? { app, role } : { app }));
const pods: fc.Arbitrary<Pod[]> = fc.array(fc.tuple(fc.constantFrom(...namespaceNames), labels, fc.constantFrom(...PORTS)), { minLength: 2, maxLength: 5 })
  .map(all => all.map(([namespace, own, port], index) => ({
    name: `p${index}`, namespace, labels: own, ip: `10.0.0.${index * 50 + 3}`, ports: [{ name: 'web', containerPort: port, protocol: 'TCP' }],
  })));

const selector = fc.oneof(
  fc.constant({}),
  fc.record({ matchLabels: fc.constantFrom<Record<string, string>>({ app: 'a' }, { app: 'b' }, { role: 'x' }) }),
  fc.record({ matchExpressions: fc.array(fc.oneof(
    fc.record({ key: fc.constantFrom('app', 'role'), operator: fc.constantFrom('In', 'NotIn'), values: fc.constantFrom(['a'], ['x'], ['b', 'y']) }),
    fc.record({ key: fc.constantFrom('app', 'role'), operator: fc.constantFrom('Exists', 'DoesNotExist') }),
  ), { minLength: 1, maxLength: 2 }) }),
);
const namespaceSelector = fc.constantFrom<any>(
  {}, { matchLabels: { tier: 'front' } }, { matchLabels: { 'kubernetes.io/metadata.name': 'green' } },
  { matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['red'] }] },
);
const cidr = fc.tuple(fc.constantFrom('10.0.0.', '10.0.1.'), fc.integer({ min: 0, max: 255 }), fc.integer({ min: 23, max: 32 }))
  .map(([start, host, prefix]) => (prefix < 24 ? `10.0.0.0/${prefix}` : `${start}${(host >> (32 - prefix)) << (32 - prefix)}/${prefix}`));
const block = fc.record({ cidr: fc.oneof(cidr, fc.constant('0.0.0.0/0')), except: fc.array(cidr, { maxLength: 2 }) });
const peer = fc.oneof(
  fc.record({ ipBlock: block }),
  fc.record({ podSelector: selector }),
  fc.record({ namespaceSelector }),
  fc.record({ namespaceSelector, podSelector: selector }),
);
const port = fc.oneof(
  fc.record({ port: fc.constantFrom<number | string>(...PORTS, 'web') }),
  fc.record({ port: fc.constantFrom(80, 443), endPort: fc.constantFrom(443, 8080), protocol: fc.constantFrom(...PROTOCOLS) }),
  fc.record({ protocol: fc.constantFrom(...PROTOCOLS) }),
);
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
const rule = (key: string) => fc.record({ [key]: optional(fc.array(peer, { minLength: 1, maxLength: 3 })), ports: optional(fc.array(port, { minLength: 1, maxLength: 2 })) });
const policy = fc.record({
  namespace: fc.constantFrom(...namespaceNames), podSelector: selector, policyTypes: fc.constantFrom(['Ingress'], ['Egress'], ['Ingress', 'Egress']),
  ingress: fc.array(rule('from'), { maxLength: 2 }), egress: fc.array(rule('to'), { maxLength: 2 }),
}).map(({ namespace, ...spec }) => ({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'p', namespace }, spec }));

const tierPeer = fc.oneof(fc.record({ namespaces: namespaceSelector }), fc.record({ pods: fc.record({ namespaceSelector, podSelector: selector }) }));
const egressPeer = fc.oneof(tierPeer, fc.record({ networks: fc.array(cidr, { minLength: 1, maxLength: 2 }) }));
const tierPort = fc.oneof(
  fc.record({ portNumber: fc.record({ port: fc.constantFrom(...PORTS), protocol: fc.constantFrom(...PROTOCOLS) }) }),
  fc.constant({ portRange: { protocol: 'TCP', start: 80, end: 443 } }),
);
const tierRule = (actions: string[], key: string, peers: fc.Arbitrary<any>) => fc.record({
  action: fc.constantFrom(...actions), [key]: fc.array(peers, { minLength: 1, maxLength: 2 }), ports: optional(fc.array(tierPort, { minLength: 1, maxLength: 2 })),
});
const tier = (kind: string, actions: string[]) => fc.record({
  subject: fc.oneof(fc.record({ namespaces: namespaceSelector }), fc.record({ pods: fc.record({ namespaceSelector, podSelector: selector }) })),
  ingress: fc.array(tierRule(actions, 'from', tierPeer), { maxLength: 2 }),
  egress: fc.array(tierRule(actions, 'to', egressPeer), { maxLength: 2 }),
}).map(spec => ({ apiVersion: 'policy.networking.k8s.io/v1alpha1', kind, metadata: { name: 'default' }, spec: spec as any }));

const tiersOf = fc.record({ admin: fc.array(tier('AdminNetworkPolicy', ['Allow', 'Deny', 'Pass']), { maxLength: 2 }), baseline: fc.array(tier('BaselineAdminNetworkPolicy', ['Allow', 'Deny']), { maxLength: 1 }) });

const set: fc.Arbitrary<PolicySet> = fc.record({
  pods, policies: fc.array(policy, { maxLength: 4 }),
  // Half of the sets have cluster-wide policies, which one of the two engines does not know.
  tiers: fc.option(tiersOf, { freq: 1, nil: undefined }),
  ends: fc.array(fc.tuple(fc.nat(), fc.nat(), fc.constantFrom(...PORTS), fc.constantFrom(...PROTOCOLS)), { minLength: 6, maxLength: 10 }),
}).map(({ pods: all, policies, tiers = { admin: [], baseline: [] }, ends }) => {
  const addresses = [...all.map(({ ip }) => ip), ...OUTSIDE];
  const packets = ends.map(([from, to, number, protocol]) => ({ from: addresses[from % addresses.length], to: addresses[to % addresses.length], port: number, protocol }));
  return {
    namespaces, pods: all,
    policies: policies.map((each: any, index: number) => ({ ...each, metadata: { ...each.metadata, name: `p${index}` } })),
    admin: tiers.admin.map((each: any, index: number) => ({ ...each, metadata: { name: `a${index}` }, spec: { ...each.spec, priority: index } })),
    baseline: tiers.baseline,
    packets: packets.filter(({ from, to }) => from !== to && !(OUTSIDE.includes(from) && OUTSIDE.includes(to))),
  };
});

function manifestsOf({ pods: all, policies, admin, baseline }: PolicySet): any[] {
  return [
    ...namespaces.map(metadata => ({ apiVersion: 'v1', kind: 'Namespace', metadata })),
    ...all.map(({ name, namespace, labels: own, ip, ports }) => ({
      apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, labels: own }, spec: { containers: [{ name: 'main', ports }] }, status: { podIPs: [{ ip }] },
    })),
    ...policies, ...admin, ...baseline,
  ];
}

/** For each packet, whether it passes; undefined where the model does not know. */
function ours(asked: PolicySet): Array<boolean | undefined> {
  const model = NetworkModel.ofManifests(manifestsOf(asked), { podCidrs: [POD_CIDR] });
  const endOf = (ip: string) => {
    const pod = asked.pods.find(each => each.ip === ip);
    return pod ? NetworkEndpoint.workload('Pod', pod.name, pod.namespace) : NetworkEndpoint.address(ip);
  };
  return asked.packets.map(({ from, to, port: number, protocol }) => {
    const { reachability } = model.canReach(endOf(from), endOf(to), protocol === 'TCP' ? NetworkPort.tcp(number) : NetworkPort.udp(number));
    return reachability === Reachability.UNKNOWN ? undefined : reachability === Reachability.ALLOWED;
  });
}

function selectedBy(asked: PolicySet, ip: string, direction: 'Ingress' | 'Egress'): 'this direction' | 'the other only' | 'none' {
  const pod = asked.pods.find(each => each.ip === ip);
  const selecting = asked.policies.filter(({ metadata, spec }) => pod && metadata.namespace === pod.namespace && matches(spec.podSelector, pod.labels));
  return selecting.some(({ spec }) => spec.policyTypes.includes(direction)) ? 'this direction' : selecting.length > 0 ? 'the other only' : 'none';
}

function matches({ matchLabels = {}, matchExpressions = [] }: any, own: Record<string, string>): boolean {
  return Object.entries(matchLabels).every(([key, value]) => own[key] === value) && matchExpressions.every(({ key, operator, values }: any) => ({
    In: values?.includes(own[key]), NotIn: !values?.includes(own[key]), Exists: key in own, DoesNotExist: !(key in own),
  } as Record<string, boolean>)[operator]);
}

/** What is known to be wrong in kube-network-policies v0.8.0: a NetworkPolicy of one direction also keeps the Baseline tier from the other. */
function isFaultOfEvaluator(asked: PolicySet, { from, to }: Packet): boolean {
  return asked.baseline.length > 0 && (selectedBy(asked, from, 'Egress') === 'the other only' || selectedBy(asked, to, 'Ingress') === 'the other only');
}

/** What is known to be wrong in cyclonus v0.5.6: to it, `NotIn` does not select what has no label of the key; to Kubernetes it does. */
function isFaultOfCyclonus(asked: PolicySet, { from, to }: Packet): boolean {
  const keys = [...JSON.stringify(asked.policies).matchAll(/"key":"(\w+)","operator":"NotIn"/g)].map(([, key]) => key);
  return asked.pods.some(({ ip, labels: own }) => (ip === from || ip === to) && keys.some(key => !(key in own)));
}

describeWithTools('the network model agrees with two engines that others wrote', ['policy-engines'], pathOf => {
  const sets: PolicySet[] = JSON.parse(JSON.stringify(fc.sample(set, { numRuns: SETS, seed: SEED })));
  let answers: Array<{ cyclonus?: boolean[]; evaluator: boolean[] }>;
  let verdicts: Array<Array<boolean | undefined>>;

  beforeAll(() => {
    const output = execFileSync(pathOf('policy-engines'), { input: sets.map(each => `${JSON.stringify(each)}\n`).join(''), stdio: 'pipe', maxBuffer: 1 << 28 });
    answers = output.toString().trim().split('\n').map(line => JSON.parse(line));
    verdicts = sets.map(ours);
  }, 120_000);

  const disagreements = (engine: (answer: typeof answers[number]) => boolean[] | undefined, isExplained: typeof isFaultOfEvaluator) => sets.flatMap((asked, index) =>
    (engine(answers[index]) ?? []).flatMap((verdict, at) => (verdict === verdicts[index][at] || isExplained(asked, asked.packets[at])
      ? [] : [{ packet: asked.packets[at], engine: verdict, model: verdicts[index][at], pods: asked.pods, policies: asked.policies, admin: asked.admin, baseline: asked.baseline }])));

  test('there is something to agree on, and the known faults are few', () => {
    const all = verdicts.flat();
    const share = (verdict: boolean) => all.filter(each => each === verdict).length / all.length;
    expect(answers).toHaveLength(SETS);
    expect(answers.filter(({ cyclonus }) => cyclonus !== undefined).length).toBeGreaterThan(SETS / 3);
    expect(share(true)).toBeGreaterThan(0.2);
    expect(share(false)).toBeGreaterThan(0.2);
    expect(disagreements(({ cyclonus }) => cyclonus, () => false).length).toBeLessThan(all.length / 100);
    expect(disagreements(({ evaluator }) => evaluator, () => false).length).toBeLessThan(all.length / 50);
  });

  test('where addresses of Pods are known, the model knows everything', () => {
    expect(verdicts.flat().filter(each => each === undefined)).toEqual([]);
  });

  test('cyclonus, over NetworkPolicies', () => {
    expect(disagreements(({ cyclonus }) => cyclonus, isFaultOfCyclonus).slice(0, 1)).toEqual([]);
  });

  test('kube-network-policies, over NetworkPolicies and cluster-wide policies', () => {
    expect(disagreements(({ evaluator }) => evaluator, isFaultOfEvaluator).slice(0, 1)).toEqual([]);
  });
});
