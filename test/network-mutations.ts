import { Chart } from 'cdk8s';
import { Isolation, SandboxNamespace, SandboxNetwork, SandboxTemplate } from '../src';
import { CONTAINER, testApp } from './helpers';

/* Mistakes in policies that are made in practice, for the tests of rules and of posture. */

/** A namespace with a template of some network. */
export function chartWith(network?: SandboxNetwork): Chart {
  const chart = new Chart(testApp(), 'chart', { namespace: 'agents' });
  new SandboxNamespace(chart, 'agents');
  new SandboxTemplate(chart, 'python', { containers: [{ ...CONTAINER, port: 8888 }], isolation: Isolation.gvisor(), network });
  return chart;
}

export const internet = (...except: string[]) => ({ ipBlock: { cidr: '0.0.0.0/0', except } });
export const policy = (spec: object, name = 'other') => ({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name, namespace: 'agents' }, spec });
export const otherPods = { podSelector: { matchLabels: { app: 'other' } } };
export const toDns = { to: [{ namespaceSelector: {}, podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } }], ports: [{ port: 53, protocol: 'UDP' }] };
export const egress = (...rules: object[]) => (template: any) => (template.spec.networkPolicy.egress = rules);
export const RFC1918 = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'];

/** What people and agents do to a template that has no finding; `add` are objects beside it. */
export const MUTATIONS: ReadonlyArray<readonly [name: string, rule: string, mutate: (template: any) => unknown, ...add: object[]]> = [
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
export function mutated(mutate: (template: any) => unknown, add: readonly object[]): any[] {
  const manifests = JSON.parse(JSON.stringify(chartWith(SandboxNetwork.dnsOnly()).toJson())).filter(({ kind }: any) => kind !== 'NetworkPolicy');
  mutate(manifests.find(({ kind }: any) => kind === 'SandboxTemplate'));
  return [...manifests, ...add];
}
