import { Chart } from 'cdk8s';
import { Checks, Isolation, NetworkPeer, NetworkPort, Sandbox, SandboxNetwork } from '../src';
import { NETWORK_RULES } from '../src/findings/network';
import { CONTAINER, testApp } from './helpers';
import { chartWith, egress, internet, mutated, MUTATIONS, otherPods, policy, RFC1918, toDns } from './network-mutations';

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
