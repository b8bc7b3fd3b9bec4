import { Chart } from 'cdk8s';
import { Checks, Isolation, NetworkPeer, NetworkPort, Sandbox, SandboxNamespace, SandboxNetwork, SandboxTemplate } from '../src';
import { NETWORK_RULES } from '../src/findings/network';
import { CONTAINER, testApp } from './helpers';

const PRESETS = {
  denyAll: SandboxNetwork.denyAll(),
  routerOnly: SandboxNetwork.routerOnly(),
  dnsOnly: SandboxNetwork.dnsOnly(),
  publicInternet: SandboxNetwork.publicInternet(),
  publicInternetWithIpv6: SandboxNetwork.publicInternet({ ipv6: true }),
  publicWeb: SandboxNetwork.publicInternet({ ports: [NetworkPort.tcp(443)] }),
  controllerDefault: SandboxNetwork.controllerDefault(),
  unmanaged: SandboxNetwork.unmanaged(),
  model: SandboxNetwork.dnsOnly().allowEgressTo(NetworkPeer.cidr('10.50.0.100/32'), [NetworkPort.tcp(8000)]),
};

function chartWith(network?: SandboxNetwork): Chart {
  const chart = new Chart(testApp(), 'chart', { namespace: 'agents' });
  new SandboxNamespace(chart, 'agents');
  new SandboxTemplate(chart, 'python', { containers: [{ ...CONTAINER, port: 8888 }], isolation: Isolation.gvisor(), network });
  return chart;
}

test.each(Object.entries(PRESETS))('%s has no finding, as construct and as manifest', (_name, network) => {
  const chart = chartWith(network);
  expect(Checks.of(chart)).toEqual([]);
  expect(Checks.ofManifests(chart.toJson())).toEqual([]);
});

test('nor has a Sandbox with its own policy', () => {
  const chart = new Chart(testApp(), 'chart', { namespace: 'agents' });
  new Sandbox(chart, 'box', { containers: [CONTAINER], isolation: Isolation.gvisor(), network: SandboxNetwork.publicInternet() });
  expect(Checks.ofManifests(chart.toJson())).toEqual([]);
});

const internet = (...except: string[]) => ({ ipBlock: { cidr: '0.0.0.0/0', except } });
const policy = (spec: object, name = 'other') => ({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name, namespace: 'agents' }, spec });
const otherPods = { podSelector: { matchLabels: { app: 'other' } } };
const toDns = { to: [{ namespaceSelector: {}, podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } }], ports: [{ port: 53, protocol: 'UDP' }] };
const egress = (...rules: object[]) => (template: any) => (template.spec.networkPolicy.egress = rules);
const RFC1918 = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'];

/** What people and agents do to a template that has no finding; `add` are objects beside it. */
const MUTATIONS: ReadonlyArray<readonly [name: string, rule: string, mutate: (template: any) => unknown, ...add: object[]]> = [
  ['0.0.0.0/0', 'universal-range', egress({ to: [internet()] }, toDns)],
  ['both halves of it', 'universal-range', egress({ to: [{ ipBlock: { cidr: '0.0.0.0/1' } }, { ipBlock: { cidr: '128.0.0.0/1' } }] }, toDns)],
  ['an exception that another block undoes', 'universal-range', egress({ to: [internet('169.254.0.0/16'), { ipBlock: { cidr: '169.254.0.0/16' } }] }, toDns)],
  ['a rule without a peer', 'universal-range', egress({})],
  ['a rule with a port and no peer', 'universal-range', egress({ ports: [{ port: 443, protocol: 'TCP' }] }, toDns)],
  ['::/0', 'universal-range', egress({ to: [{ ipBlock: { cidr: '::/0' } }] }, toDns)],
  ['the metadata server alone is excepted', 'forgotten-range', egress({ to: [internet('169.254.169.254/32')] }, toDns)],
  ['only RFC 1918 is excepted', 'forgotten-range', egress({ to: [internet(...RFC1918)] }, toDns)],
  ['100.64.0.0/10 is forgotten', 'forgotten-range', egress({ to: [internet(...RFC1918, '169.254.0.0/16', '127.0.0.0/8')] }, toDns)],
  ['a half of the internet with 10.0.0.0/8', 'forgotten-range', egress({ to: [{ ipBlock: { cidr: '0.0.0.0/1' } }] }, toDns)],
  ['IPv6 without NAT64', 'forgotten-range', egress({ to: [{ ipBlock: { cidr: '::/0', except: ['fc00::/7', 'fe80::/10'] } }] }, toDns)],
  ['port 53 without a peer', 'dns-to-anywhere', egress({ ports: [{ port: 53, protocol: 'UDP' }, { port: 53, protocol: 'TCP' }] })],
  ['port 53 of the internet', 'dns-to-anywhere', egress({ to: [internet(...RFC1918)], ports: [{ port: 53, protocol: 'UDP' }] })],
  ['an exception of the other family', 'except-outside', egress({ to: [internet('fd00::/8')] }, toDns)],
  ['an exception outside of the block', 'except-outside', egress({ to: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['192.168.0.0/16'] } }] })],
  ['an exception of everything', 'except-outside', egress({ to: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.0.0.0/8'] } }] })],
  ['a host name as a block', 'host-name-in-policy', egress({ to: [{ ipBlock: { cidr: 'pypi.org' } }] })],
  ['a field for host names', 'host-name-in-policy', egress({ to: [{ fqdn: 'pypi.org' }] })],
  ['a second policy that widens', 'network-widened', () => 0, policy({ podSelector: {}, policyTypes: ['Egress'], egress: [{ to: [{ ipBlock: { cidr: '10.1.0.0/16' } }] }] })],
  ['a second policy for ingress', 'network-widened', () => 0, policy({ podSelector: {}, ingress: [{}] })],
  ['egress rules without the type', 'ignored-rules', () => 0, policy({ ...otherPods, policyTypes: ['Ingress'], egress: [{ to: [{ podSelector: {} }] }] })],
  ['Unmanaged with a policy for ingress only', 'unmanaged-open', template => (template.spec.networkPolicyManagement = 'Unmanaged')],
  ['ingress from somewhere else', 'router-locked-out', template => (template.spec.networkPolicy.ingress = [{ from: [{ podSelector: { matchLabels: { app: 'mine' } } }] }])],
  ['egress only', 'router-locked-out', template => delete template.spec.networkPolicy.ingress],
  ['a router on another port', 'router-locked-out', template => (template.spec.networkPolicy.ingress = [{ from: [{ podSelector: { matchLabels: { app: 'sandbox-router' } } }] }])],
  ['a selector of no template', 'policy-selects-nothing', () => 0, policy({ podSelector: { matchLabels: { 'agents.x-k8s.io/sandbox-template-ref-hash': 'deadbeef' } } })],
  ['the host network', 'policy-not-enforced', template => (template.spec.podTemplate.spec.hostNetwork = true)],
  ['the internet without DNS', 'dns-forgotten', egress({ to: [internet(...RFC1918)], ports: [{ port: 443, protocol: 'TCP' }] })],
];

/** A template without a finding, where the default policy of the namespace is left out for rules about Unmanaged. */
function mutated(mutate: (template: any) => unknown, add: readonly object[]): any[] {
  const manifests = JSON.parse(JSON.stringify(chartWith(SandboxNetwork.dnsOnly()).toJson())).filter(({ kind }: any) => kind !== 'NetworkPolicy');
  mutate(manifests.find(({ kind }: any) => kind === 'SandboxTemplate'));
  return [...manifests, ...add];
}

test('what is mutated has no finding before', () => {
  expect(Checks.ofManifests(mutated(() => 0, []))).toEqual([]);
});

test.each(MUTATIONS.map(([name, rule, mutate, ...add]) => ({ name, rule, mutate, add })))('$name is found by $rule', ({ rule, mutate, add }) => {
  expect(Checks.ofManifests(mutated(mutate, add)).map(finding => finding.rule)).toContain(rule);
});

test('policies of other programs are their own affair', () => {
  const other = policy({ ...otherPods, policyTypes: ['Egress'], egress: [{}] });
  expect(Checks.ofManifests(mutated(() => 0, [other]))).toEqual([]);
});

test('every rule has a mutation', () => {
  expect(NETWORK_RULES.map(({ id }) => id).filter(id => !MUTATIONS.some(([, rule]) => rule === id))).toEqual([]);
});

test('a finding says what is reached, and what to do', () => {
  expect(Checks.ofManifests(mutated(egress({ to: [internet(...RFC1918)] }, toDns), []))).toEqual([{
    rule: 'forgotten-range', severity: 'warning', place: 'manifests[1]', object: 'SandboxTemplate agents/python', field: 'spec.networkPolicy.egress[0]',
    message: expect.stringMatching(/^it also reaches 0\.0\.0\.0\/8 \(this host\), 100\.64\.0\.0\/10 \(shared\), .* and \d+ more; metadata servers of clouds are among them$/),
    remedy: 'except these, or use SandboxNetwork.publicInternet(), or allow the addresses that are needed',
  }]);
});

describe('a warning is accepted', () => {
  const withReason = (reason: string) => mutated(template => {
    egress({ ports: [{ port: 53, protocol: 'UDP' }] })(template);
    template.metadata.annotations = { 'agent-sandbox-check/ignore.dns-to-anywhere': reason };
  }, []);

  test('with a reason', () => expect(Checks.ofManifests(withReason('tests a name server of our own'))).toEqual([]));

  test.each(['', 'ok', '         x'])('not with %j', reason => {
    expect(Checks.ofManifests(withReason(reason)).map(({ rule }) => rule)).toEqual(['dns-to-anywhere', 'suppression-without-reason']);
  });

  test('an error is not, whatever the reason', () => {
    const manifests = mutated(template => {
      egress({ to: [internet('fd00::/8')] }, toDns)(template);
      template.metadata.annotations = { 'agent-sandbox-check/ignore.except-outside': 'the API server will see to it' };
    }, []);
    expect(Checks.ofManifests(manifests).map(({ rule }) => rule)).toContain('except-outside');
  });
});

test.each([
  ['rules that are no list', { egress: { to: [] } }], ['peers that are none', { egress: [{ to: 'everywhere' }] }], ['nothing', { egress: [null] }],
])('%s end in no error of ours', (_name, networkPolicy) => {
  expect(() => Checks.ofManifests(mutated(template => (template.spec.networkPolicy = networkPolicy), []))).not.toThrow();
});
