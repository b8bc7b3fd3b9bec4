import { App, Chart } from 'cdk8s';
import * as fc from 'fast-check';
import { METADATA_SERVERS, SPECIAL_RANGES } from '../src/generated/semantics.gen';
import { AddressSet } from '../src/policy/address-set';
import { destinations, unnamedDestinations } from '../src/policy/destinations';
import {
  ClusterDns, Isolation, NetworkEndpoint, NetworkModel, NetworkPeer, NetworkPort, Reachability, Sandbox, SandboxNamespace, SandboxNetwork, SandboxTemplate,
  ServiceTranslation,
} from '../src';

const { ALLOWED, DENIED, UNKNOWN } = Reachability;
const runtime = { image: 'registry.example/image:1', port: 8888 };

function chartWith(network?: SandboxNetwork, namespace = 'agents'): Chart {
  const chart = new Chart(new App(), 'chart', { namespace });
  new SandboxTemplate(chart, 'python', { containers: [runtime], isolation: Isolation.gvisor(), network });
  return chart;
}

const python = NetworkEndpoint.template('python', 'agents');
const router = NetworkEndpoint.pods({ app: 'sandbox-router' }, 'agent-sandbox-system');
const internet = NetworkEndpoint.named('public-web');

describe('presets', () => {
  test.each([
    { preset: 'denyAll', network: SandboxNetwork.denyAll(), router: DENIED, dns: DENIED, web: DENIED, shared: DENIED, azure: DENIED },
    { preset: 'routerOnly', network: SandboxNetwork.routerOnly(), router: ALLOWED, dns: DENIED, web: DENIED, shared: DENIED, azure: DENIED },
    { preset: 'dnsOnly', network: SandboxNetwork.dnsOnly(), router: ALLOWED, dns: ALLOWED, web: DENIED, shared: DENIED, azure: DENIED },
    { preset: 'publicInternet', network: SandboxNetwork.publicInternet(), router: ALLOWED, dns: ALLOWED, web: ALLOWED, shared: DENIED, azure: DENIED },
    { preset: 'controllerDefault', network: SandboxNetwork.controllerDefault(), router: ALLOWED, dns: UNKNOWN, web: ALLOWED, shared: ALLOWED, azure: ALLOWED },
    { preset: 'unmanaged', network: SandboxNetwork.unmanaged(), router: ALLOWED, dns: ALLOWED, web: ALLOWED, shared: ALLOWED, azure: ALLOWED },
  ])('$preset', ({ preset, network, ...expected }) => {
    const model = NetworkModel.of(chartWith(network));
    const [row] = model.matrix();
    expect({
      router: model.canReach(router, python, NetworkPort.tcp(8888)).reachability,
      dns: row.cells['cluster-dns'], web: row.cells['public-web'], shared: row.cells.shared, azure: row.cells['azure-wireserver'],
    }).toEqual(expected);
    const metadata = Object.entries(row.cells).filter(([name]) => /^(aws|gcp)-metadata/.test(name)).map(([, cell]) => cell);
    expect(new Set(metadata)).toEqual(new Set([preset === 'unmanaged' ? ALLOWED : DENIED]));
  });

  test('there are at least 60 named destinations, each with an answer', () => {
    const [row] = NetworkModel.of(chartWith()).matrix();
    expect(Object.keys(row.cells).length).toBeGreaterThanOrEqual(60);
    expect(new Set(Object.values(row.cells))).toEqual(new Set([DENIED]));
    expect(new Set(NetworkEndpoint.names()).size).toBe(NetworkEndpoint.names().length);
  });
});

test('every metadata server and every special range has a destination', () => {
  // The set of IPv4-mapped IPv6 addresses is empty, and in every other.
  const addresses = destinations().map(({ cidr }) => AddressSet.of(cidr)).filter(set => !set.isEmpty);
  expect(METADATA_SERVERS.filter(({ cidr }) => !addresses.some(each => each.equals(AddressSet.of(cidr))))).toEqual([]);
  expect(SPECIAL_RANGES.filter(({ cidr }) => !addresses.some(each => AddressSet.of(cidr).contains(each)))).toEqual([]);
});

test('a metadata server or a special range without a destination is named by its cloud or its use', () => {
  const server = { cidr: 'fd12:3456::254/128', range: 'fd12:3456::/32', cloud: 'Example Cloud (old)' };
  const ranges = [{ cidr: '102.0.0.0/24', use: 'example use', pods: false }, { cidr: '102.0.1.0/24', use: 'shared', pods: true }];
  const others = { servers: METADATA_SERVERS.filter(({ cidr }) => cidr === '169.254.0.23/32'), ranges: SPECIAL_RANGES.filter(({ cidr }) => cidr === '10.0.0.0/8') };
  expect(unnamedDestinations([...others.servers, server], [...others.ranges, ...ranges])).toEqual([
    { name: 'example-cloud-old-metadata-v6', description: 'Example Cloud (old) metadata', class: 'metadata', cidr: server.cidr, port: 80 },
    { name: 'example-use', description: 'example use', class: 'reserved', cidr: '102.0.0.0/24', port: 80 },
    { name: 'shared-102-0-1-0-24', description: 'shared', class: 'reserved', cidr: '102.0.1.0/24', port: 80 },
  ]);
});

test('everything that publicInternet reaches is reported as ranges, without a special one', () => {
  const ranges = NetworkModel.of(chartWith(SandboxNetwork.publicInternet({ ports: [NetworkPort.tcp(443)] }))).reaches(python);
  expect(ranges).toHaveLength(1);
  expect(ranges[0]).toMatchObject({ protocol: 'TCP', fromPort: 443, toPort: 443, certain: true });
  const model = NetworkModel.ofManifests([]);
  expect(model.sandboxes()).toEqual([]);
  const reached = ranges[0].cidrs;
  expect(reached).toContain('8.0.0.0/7');
  expect(reached.some(cidr => cidr.startsWith('10.') || cidr.startsWith('192.168.'))).toBe(false);
});

test('the answer names the rule and the construct that decide', () => {
  const llm = NetworkPeer.cidr('10.50.0.100/32');
  const model = NetworkModel.of(chartWith(SandboxNetwork.dnsOnly().allowEgressTo(llm, [NetworkPort.tcp(8000)])));
  expect(model.canReach(python, NetworkEndpoint.address('10.50.0.100'), NetworkPort.tcp(8000))).toEqual({
    reachability: ALLOWED, example: '10.50.0.100', places: ['chart/python/Resource'],
    reasons: ['NetworkPolicy agents/python-network-policy (by the controller), egress rule 2'],
  });
  expect(model.canReach(python, NetworkEndpoint.address('10.50.0.100'), NetworkPort.tcp(8001))).toMatchObject({
    reachability: DENIED, reasons: ['no egress rule of NetworkPolicy agents/python-network-policy (by the controller) matches'],
  });
});

test('a second policy that widens is found, with its name', () => {
  const chart = chartWith();
  const wide = {
    apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'wide', namespace: 'agents' },
    spec: { podSelector: {}, policyTypes: ['Egress'], egress: [{ to: [{ ipBlock: { cidr: '0.0.0.0/0' } }] }] },
  };
  const model = NetworkModel.ofManifests([...chart.toJson(), wide]);
  expect(model.canReach(python, NetworkEndpoint.named('aws-metadata'))).toMatchObject({
    reachability: ALLOWED, example: '169.254.169.254', reasons: ['NetworkPolicy agents/wide, egress rule 1'], places: ['manifests[1]'],
  });
});

test('a policy that selects by a label that claims may add gives no certainty', () => {
  const perhaps = {
    apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'perhaps', namespace: 'agents' },
    spec: { podSelector: { matchLabels: { 'users.example/online': 'yes' } }, policyTypes: ['Egress'], egress: [{}] },
  };
  const model = NetworkModel.ofManifests([...chartWith().toJson(), perhaps]);
  expect(model.canReach(python, internet)).toMatchObject({
    reachability: UNKNOWN, reasons: ['whether it applies to these Pods is not known: NetworkPolicy agents/perhaps, egress rule 1'],
  });
});

test('a bare Sandbox brings its own policy, and one on the host network has none', () => {
  const chart = new Chart(new App(), 'chart', { namespace: 'agents' });
  new Sandbox(chart, 'own', { containers: [runtime], isolation: Isolation.gvisor() });
  const manifests = chart.toJson();
  const own = NetworkEndpoint.sandbox('own', 'agents');
  expect(NetworkModel.ofManifests(manifests).canReach(own, internet).reachability).toBe(DENIED);
  manifests.find((each: any) => each.kind === 'Sandbox').spec.podTemplate.spec.hostNetwork = true;
  expect(NetworkModel.ofManifests(manifests).canReach(own, internet)).toMatchObject({
    reachability: ALLOWED, reasons: ['no policy applies to Pods on the host network'],
  });
});

test('a named port is looked up in the Pod that listens', () => {
  const chart = chartWith(SandboxNetwork.denyAll().allowIngressFrom(NetworkPeer.namespace('gateway'), [NetworkPort.tcp(8888)]));
  const manifests = chart.toJson();
  manifests[0].spec.networkPolicy.ingress[0].ports[0].port = 'port-8888';
  manifests[0].spec.podTemplate.spec.containers[0].ports = [{ name: 'port-8888', containerPort: 8888 }];
  const model = NetworkModel.ofManifests(manifests);
  const gateway = NetworkEndpoint.pods({ app: 'gateway' }, 'gateway');
  expect(model.canReach(gateway, python, NetworkPort.tcp(8888)).reachability).toBe(ALLOWED);
  expect(model.canReach(gateway, python, NetworkPort.tcp(8889)).reachability).toBe(DENIED);
});

test('the sources that can connect to a sandbox are reported one by one', () => {
  const who = NetworkModel.of(chartWith()).whoCanReach(python);
  expect(Object.fromEntries(Object.entries(who).map(([source, answer]) => [source, answer.reachability]))).toEqual({
    'SandboxTemplate agents/python': DENIED, 'other Pods of agents': DENIED, 'hosts outside of the cluster': DENIED,
  });
});

test('the address of the API server decides whether it is reached', () => {
  const chart = chartWith(SandboxNetwork.publicInternet());
  expect(NetworkModel.of(chart).canReach(python, NetworkEndpoint.apiServer())).toMatchObject({ reachability: UNKNOWN });
  expect(NetworkModel.of(chart, { apiServerCidrs: ['10.0.0.1/32'] }).canReach(python, NetworkEndpoint.apiServer()).reachability).toBe(DENIED);
  expect(NetworkModel.of(chart, { apiServerCidrs: ['34.1.2.3/32'] }).canReach(python, NetworkEndpoint.apiServer()).reachability).toBe(ALLOWED);
});

describe('facts about the cluster', () => {
  const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'model', namespace: 'agents' }, spec: { clusterIP: '10.96.0.50', selector: { app: 'model' }, ports: [{ port: 80, targetPort: 8000 }] } };
  const pods = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'model', namespace: 'agents' }, spec: { template: { metadata: { labels: { app: 'model' } }, spec: { containers: [{ name: 'model' }] } } } };
  const model = NetworkEndpoint.service('model', 'agents');
  const toPods = SandboxNetwork.denyAll().allowEgressTo(NetworkPeer.pods({ app: 'model' }), [NetworkPort.tcp(8000)]);
  const toService = SandboxNetwork.denyAll().allowEgressTo(NetworkPeer.cidr('10.96.0.50/32'), [NetworkPort.tcp(80)]);

  test.each([
    [ServiceTranslation.AFTER, toPods, ALLOWED], [ServiceTranslation.AFTER, toService, DENIED],
    [ServiceTranslation.BEFORE, toPods, DENIED], [ServiceTranslation.BEFORE, toService, ALLOWED],
  ])('rules that are looked at %s translation match the Pods of a Service or its address', (serviceTranslation, network, expected) => {
    const manifests = [...chartWith(network).toJson(), service, pods];
    expect(NetworkModel.ofManifests(manifests, { serviceTranslation }).canReach(python, model, NetworkPort.tcp(80)).reachability).toBe(expected);
  });

  test('a Service without the port, or without Pods in the set, says so', () => {
    const manifests = [...chartWith(toPods).toJson(), service];
    expect(NetworkModel.ofManifests([...manifests, pods]).canReach(python, model, NetworkPort.tcp(81))).toMatchObject({ reachability: DENIED, reasons: ['Service agents/model has no such port'] });
    expect(NetworkModel.ofManifests(manifests).canReach(python, model)).toMatchObject({ reachability: UNKNOWN, reasons: ['the set has no Pods behind Service agents/model'] });
  });

  test.each([
    ['kube-dns', ClusterDns.kubeDns()], ['NodeLocal', ClusterDns.nodeLocal()], ['Cloud DNS', ClusterDns.cloudDns()], ['OpenShift', ClusterDns.openshift()],
  ])('%s is reached by a preset that names it, and by no other; metadata stay closed', (_name, dns) => {
    const named = chartWith(SandboxNetwork.dnsOnly({ dns }));
    expect(NetworkModel.of(named, { dns }).matrix()[0].cells).toMatchObject({ 'cluster-dns': ALLOWED, 'aws-metadata': DENIED, 'gcp-metadata': DENIED });
    const other = dns.ports[0]._toPolicyPort().port?.value === 5353 ? ClusterDns.kubeDns() : ClusterDns.openshift();
    expect(NetworkModel.of(named, { dns: other }).matrix()[0].cells['cluster-dns']).toBe(DENIED);
  });

  test('nodes are reached where the network plugin says so', () => {
    const chart = chartWith(SandboxNetwork.denyAll());
    expect(NetworkModel.of(chart).canReach(python, NetworkEndpoint.nodes()).reachability).toBe(DENIED);
    expect(NetworkModel.of(chart, { nodesAllowed: true }).matrix()[0].cells.kubelet).toBe(ALLOWED);
  });

  test('a rule with more ports than the network plugin takes gives no certainty', () => {
    const ports = Array.from({ length: 25 }, (_, index) => NetworkPort.tcp(8000 + index));
    const chart = chartWith(SandboxNetwork.denyAll().allowEgressTo(NetworkPeer.cidr('10.50.0.100/32'), ports));
    const ask = (maxPortsPerRule?: number) => NetworkModel.of(chart, { maxPortsPerRule }).canReach(python, NetworkEndpoint.address('10.50.0.100'), NetworkPort.tcp(8003)).reachability;
    expect([ask(), ask(25), ask(24)]).toEqual([ALLOWED, ALLOWED, UNKNOWN]);
  });

  test('hosts outside of the cluster can be asked about, too', () => {
    const open = chartWith(SandboxNetwork.denyAll().allowIngressFrom(NetworkPeer.cidr('192.0.2.0/28')));
    const ask = (address: string) => NetworkModel.of(open).canReach(NetworkEndpoint.address(address), python, NetworkPort.tcp(8888)).reachability;
    expect([ask('192.0.2.1'), ask('192.0.2.16')]).toEqual([ALLOWED, DENIED]);
    expect(NetworkModel.of(open).canReach(NetworkEndpoint.address('1.1.1.1'), NetworkEndpoint.address('8.8.8.8')).reachability).toBe(UNKNOWN);
  });
});

describe('tenants', () => {
  const tenants = (second: SandboxNetwork, closed = true) => {
    const app = new App();
    for (const [name, network] of [['red', SandboxNetwork.routerOnly()], ['blue', second]] as const) {
      const chart = new Chart(app, name, { namespace: name });
      if (closed) {
        new SandboxNamespace(chart, name, {});
      }
      new SandboxTemplate(chart, 'python', { containers: [runtime], isolation: Isolation.gvisor(), network });
    }
    return NetworkModel.of(app);
  };

  test('are isolated by the default', () => {
    expect(tenants(SandboxNetwork.routerOnly()).isolatedFrom('red', 'blue')).toEqual({ isolated: true });
  });

  const open = SandboxNetwork.routerOnly().allowEgressTo(NetworkPeer.namespace('red')).allowIngressFrom(NetworkPeer.namespace('red'));

  test('are isolated where one opens itself and the other is a closed namespace', () => {
    expect(tenants(open).isolatedFrom('red', 'blue')).toEqual({ isolated: true });
  });

  test('are not isolated where one opens itself and the other namespace is open, with a counterexample', () => {
    const answer = tenants(open, false).isolatedFrom('red', 'blue');
    expect(answer.isolated).toBe(false);
    expect(answer.counterexample).toMatch(/^SandboxTemplate blue\/python to other Pods of red, TCP 0-8887: unknown: whether these apply .* NetworkPolicy red\/python-network-policy/);
  });
});

describe('cluster-wide policies', () => {
  const tier = (name: string, spec: object) => ({ apiVersion: 'policy.networking.k8s.io/v1alpha2', kind: 'ClusterNetworkPolicy', metadata: { name }, spec });
  const everything = { namespaces: {} };
  const to = (action: string, cidr: string) => ({ action, to: [{ networks: [cidr] }] });

  test('of the tier Admin come before NetworkPolicies, the lowest priority first', () => {
    const manifests = [
      ...chartWith(SandboxNetwork.publicInternet()).toJson(),
      tier('late', { tier: 'Admin', priority: 20, subject: everything, egress: [to('Accept', '0.0.0.0/0')] }),
      tier('early', { tier: 'Admin', priority: 10, subject: everything, egress: [to('Pass', '8.8.8.8/32'), to('Deny', '8.0.0.0/8')] }),
    ];
    const model = NetworkModel.ofManifests(manifests);
    expect(model.canReach(python, NetworkEndpoint.address('8.8.8.8'), NetworkPort.tcp(443)).reasons).toEqual(['NetworkPolicy agents/python-network-policy (by the controller), egress rule 2']);
    expect(model.canReach(python, NetworkEndpoint.address('8.1.1.1'), NetworkPort.tcp(443))).toMatchObject({ reachability: DENIED, reasons: ['ClusterNetworkPolicy early, egress rule 2 (Deny)'] });
    expect(model.canReach(python, NetworkEndpoint.address('10.1.1.1'), NetworkPort.tcp(443))).toMatchObject({ reachability: ALLOWED, reasons: ['ClusterNetworkPolicy late, egress rule 1 (Accept)'] });
  });

  test('of the tier Baseline count for Pods that no NetworkPolicy selects', () => {
    const baseline = tier('base', { tier: 'Baseline', priority: 1, subject: everything, egress: [to('Deny', '169.254.0.0/16')] });
    const answers = [SandboxNetwork.unmanaged(), SandboxNetwork.routerOnly()].map(network =>
      NetworkModel.ofManifests([...chartWith(network).toJson(), baseline]).canReach(python, NetworkEndpoint.named('aws-metadata')).reasons[0]);
    expect(answers).toEqual(['ClusterNetworkPolicy base, egress rule 1 (Deny)', expect.stringMatching(/^no egress rule of NetworkPolicy/)]);
  });
});

describe('bad input', () => {
  const model = NetworkModel.of(chartWith());
  test.each([
    ['a sandbox that is not in the set', () => model.canReach(NetworkEndpoint.template('other', 'agents'), internet), /from is 'SandboxTemplate agents\/other': no Pods of this set are meant: write one of SandboxTemplate agents\/python/],
    ['a name that is none', () => NetworkEndpoint.named('aws'), /NetworkEndpoint.named: name is 'aws': write one of aws-metadata/],
    ['an address that is none', () => NetworkEndpoint.address('10.0.0'), /NetworkEndpoint.address: cidr is '10.0.0': write an address or a network/],
    ['a CIDR that is none', () => NetworkModel.of(chartWith(), { podCidrs: ['10.0.0.1/8'] }), /podCidrs\[0\] is '10.0.0.1\/8'/],
    ['a limit that is none', () => NetworkModel.of(chartWith(), { maxPortsPerRule: 0 }), /maxPortsPerRule is 0/],
    ['a Service that is not in the set', () => model.canReach(python, NetworkEndpoint.service('x', 'agents')), /to is 'Service agents\/x': the set has no such Service/],
    ['something else than a tree', () => NetworkModel.of({} as any), /NetworkModel.of: scope/],
    ['something else than a list', () => NetworkModel.ofManifests({} as any), /NetworkModel.ofManifests: manifests/],
  ])('%s', (_name, call, message) => expect(call).toThrow(message));
});

/**
 * A second reading of the API, address by address and port by port, without sets: slow, and short enough to be seen to be right.
 */
function naive(manifests: any[], direction: 'Ingress' | 'Egress', address: number, port: number): boolean {
  const inBlock = ({ cidr, except = [] }: any): boolean => inCidr(cidr) && !except.some(inCidr);
  const inCidr = (cidr: string): boolean => {
    const [text, prefix] = cidr.split('/');
    const size = 2 ** (32 - Number(prefix));
    return Math.floor(address / size) === Math.floor(Number(text.split('.')[3]) / size);
  };
  const onPort = (ports: any[] | undefined) => ports === undefined || ports.some(each => each.protocol !== 'UDP' && (each.port === undefined || (each.port <= port && port <= (each.endPort ?? each.port))));
  const [peers, rules] = direction === 'Egress' ? ['to', 'egress'] : ['from', 'ingress'];
  const tiers = (tier: string) => manifests.filter(each => each.kind === 'ClusterNetworkPolicy' && each.spec.tier === tier)
    .sort((a, b) => a.spec.priority - b.spec.priority).flatMap(each => each.spec[rules] ?? []);
  const matchesTier = (rule: any) => rule[peers].some((peer: any) => (peer.networks ?? []).some(inCidr))
    && (rule.protocols === undefined || rule.protocols.some(({ tcp }: any) => tcp && (tcp.destinationPort === undefined || tcp.destinationPort.number === port)));
  const first = (tier: string) => tiers(tier).find(matchesTier)?.action;
  const admin = first('Admin');
  if (admin === 'Accept' || admin === 'Deny') {
    return admin === 'Accept';
  }
  const selecting = manifests.filter(each => each.kind === 'NetworkPolicy' && each.spec.policyTypes.includes(direction));
  if (selecting.length > 0) {
    return selecting.some(each => (each.spec[rules] ?? []).some((rule: any) => onPort(rule.ports) && (rule[peers] === undefined || rule[peers].some((peer: any) => peer.ipBlock && inBlock(peer.ipBlock)))));
  }
  return first('Baseline') !== 'Deny';
}

test('holds against an evaluation address by address, over random sets of policies', () => {
  const cidr = fc.tuple(fc.integer({ min: 0, max: 15 }), fc.integer({ min: 28, max: 32 })).map(([host, prefix]) => `10.0.0.${(host >> (32 - prefix)) << (32 - prefix)}/${prefix}`);
  const ports = fc.option(fc.array(fc.oneof(
    fc.record({ port: fc.integer({ min: 1, max: 6 }) }),
    fc.integer({ min: 1, max: 6 }).chain(port => fc.record({ port: fc.constant(port), endPort: fc.integer({ min: port, max: 6 }), protocol: fc.constant('TCP') })),
    fc.constant({ protocol: 'UDP' }), fc.constant({ protocol: 'TCP' }),
  ), { minLength: 1, maxLength: 2 }), { nil: undefined });
  const peer = fc.oneof(fc.record({ ipBlock: fc.record({ cidr, except: fc.array(cidr, { maxLength: 2 }) }) }), fc.constant({ podSelector: {} }));
  const rule = (key: string) => fc.record({ [key]: fc.option(fc.array(peer, { minLength: 1, maxLength: 2 }), { nil: undefined }), ports }) as fc.Arbitrary<any>;
  const policy = fc.record({
    policyTypes: fc.constantFrom(['Ingress'], ['Egress'], ['Ingress', 'Egress']),
    ingress: fc.array(rule('from'), { maxLength: 2 }), egress: fc.array(rule('to'), { maxLength: 2 }),
  }).map(spec => ({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'p', namespace: 'agents' }, spec: { podSelector: {}, ...spec } }));
  const protocols = fc.option(fc.array(fc.oneof(fc.constant({ tcp: {} }), fc.constant({ udp: {} }), fc.integer({ min: 1, max: 6 }).map(number => ({ tcp: { destinationPort: { number } } }))), { minLength: 1, maxLength: 2 }), { nil: undefined });
  const tierRule = fc.record({ action: fc.constantFrom('Accept', 'Deny', 'Pass'), to: fc.array(fc.record({ networks: fc.array(cidr, { minLength: 1, maxLength: 2 }) }), { minLength: 1, maxLength: 2 }), protocols });
  const tier = fc.record({ tier: fc.constantFrom('Admin', 'Baseline'), egress: fc.array(tierRule, { maxLength: 3 }) });
  const sandbox = { apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox', metadata: { name: 's', namespace: 'agents' }, spec: { podTemplate: { spec: { containers: [] } } } };

  fc.assert(fc.property(fc.array(policy, { maxLength: 3 }), fc.array(tier, { maxLength: 3 }), (policies, tiers) => {
    const cluster = tiers.map((spec, priority) => ({ apiVersion: 'policy.networking.k8s.io/v1alpha2', kind: 'ClusterNetworkPolicy', metadata: { name: `c${priority}` }, spec: { ...spec, priority, subject: { namespaces: {} } } }));
    const manifests = JSON.parse(JSON.stringify([sandbox, ...policies, ...cluster]));
    const model = NetworkModel.ofManifests(manifests);
    const from = NetworkEndpoint.sandbox('s', 'agents');
    for (const address of [0, 3, 8, 15]) {
      for (const port of [1, 4, 6]) {
        const expected = naive(manifests, 'Egress', address, port) ? ALLOWED : DENIED;
        expect(model.canReach(from, NetworkEndpoint.address(`10.0.0.${address}`), NetworkPort.tcp(port)).reachability).toBe(expected);
      }
    }
    const reached = model.reaches(from).filter(({ protocol, fromPort, toPort }) => protocol === 'TCP' && fromPort <= 4 && 4 <= toPort).flatMap(({ cidrs }) => cidrs);
    const inRange = (address: number) => NetworkModel.ofManifests([sandbox, { ...policies[0], apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'r', namespace: 'agents' },
      spec: { podSelector: {}, policyTypes: ['Egress'], egress: reached.map(each => ({ to: [{ ipBlock: { cidr: each } }] })) } }]).canReach(from, NetworkEndpoint.address(`10.0.0.${address}`), NetworkPort.tcp(4)).reachability === ALLOWED;
    for (const address of [0, 7, 15]) {
      expect(inRange(address)).toBe(naive(manifests, 'Egress', address, 4));
    }
  }), { numRuns: 2000 });
});
