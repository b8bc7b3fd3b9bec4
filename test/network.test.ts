import { App, Chart } from 'cdk8s';
import * as kplus from 'cdk8s-plus-28';
import * as fc from 'fast-check';
import { toWire } from '../imports/wire';
import { Cidr } from '../src/network/cidr';
import { ClusterDns } from '../src/network/cluster-dns';
import { SandboxNetwork } from '../src/network/network';
import { NetworkPeer } from '../src/network/network-peer';
import { NetworkPort } from '../src/network/network-port';
import { SPECIAL_IPV4, SPECIAL_IPV6 } from '../src/generated/semantics.gen';

const parse = (text: string): Cidr => Cidr.tryParse(text)!;
/** A part of the internet without the special ranges in it. */
const part = (cidr: string): NetworkPeer =>
  NetworkPeer.cidr(cidr, { except: [...SPECIAL_IPV4, ...SPECIAL_IPV6].filter(range => parse(cidr).contains(parse(range)) && range !== cidr) });

/** The rules as they are written to a template. */
const wire = (network: SandboxNetwork): any => JSON.parse(JSON.stringify(toWire('SandboxNetworkPolicy', network._rules())));
/** The last egress rule. */
const egressTo = (peer: NetworkPeer, ...ports: NetworkPort[]): any =>
  wire(SandboxNetwork.denyAll().allowEgressTo(peer, ports.length > 0 ? ports : undefined)).egress[0];

const inNamespace = (name: string): any => ({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } } });
const router = { from: [{ ...inNamespace('agent-sandbox-system'), podSelector: { matchLabels: { app: 'sandbox-router' } } }] };
const dns = {
  to: [{ ...inNamespace('kube-system'), podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } }],
  ports: [{ port: 53, protocol: 'UDP' }, { port: 53, protocol: 'TCP' }],
};
const internet = {
  ipBlock: {
    cidr: '0.0.0.0/0',
    except: [
      '0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '168.63.129.16/32', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24',
      '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4',
    ],
  },
};
const internet6 = {
  ipBlock: {
    cidr: '::/0',
    except: ['::/96', '64:ff9b::/96', '64:ff9b:1::/48', '100::/63', '2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20', '5f00::/16', 'fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8'],
  },
};

describe('presets', () => {
  test('denyAll writes two empty lists', () => {
    expect(wire(SandboxNetwork.denyAll())).toEqual({ ingress: [], egress: [] });
  });

  test('routerOnly lets the router in and nothing out', () => {
    expect(wire(SandboxNetwork.routerOnly())).toEqual({ ingress: [router], egress: [] });
  });

  test('the router can run elsewhere', () => {
    const network = SandboxNetwork.routerOnly({ router: { namespace: 'edge', podLabels: { tier: 'proxy', app: 'router' } } });
    expect(wire(network).ingress).toEqual([{ from: [{ ...inNamespace('edge'), podSelector: { matchLabels: { app: 'router', tier: 'proxy' } } }] }]);
  });

  test('a namespace of the router keeps its labels, and labels keep its namespace', () => {
    const [{ from: [moved] }] = wire(SandboxNetwork.routerOnly({ router: { namespace: 'edge' } })).ingress;
    expect(moved.podSelector.matchLabels).toEqual({ app: 'sandbox-router' });
    const [{ from: [relabelled] }] = wire(SandboxNetwork.routerOnly({ router: { podLabels: { app: 'x' } } })).ingress;
    expect(relabelled.namespaceSelector.matchLabels).toEqual({ 'kubernetes.io/metadata.name': 'agent-sandbox-system' });
  });

  test('dnsOnly adds name resolution at the cluster', () => {
    expect(wire(SandboxNetwork.dnsOnly())).toEqual({ ingress: [router], egress: [dns] });
  });

  test('publicInternet leaves out every special IPv4 range, and IPv6', () => {
    expect(wire(SandboxNetwork.publicInternet())).toEqual({ ingress: [router], egress: [dns, { to: [internet] }] });
  });

  test('publicInternet with IPv6 leaves out every special IPv6 range', () => {
    expect(wire(SandboxNetwork.publicInternet({ ipv6: true })).egress).toEqual([dns, { to: [internet, internet6] }]);
  });

  test('publicInternet takes ports', () => {
    expect(wire(SandboxNetwork.publicInternet({ ports: [NetworkPort.tcp(443)] })).egress[1])
      .toEqual({ to: [internet], ports: [{ port: 443, protocol: 'TCP' }] });
  });

  test('networks of the cluster are left out of the internet, those in special ranges are left out already', () => {
    const network = SandboxNetwork.publicInternet({ ipv6: true, clusterCidrs: ['203.0.113.0/24', '10.244.0.0/16', '2001:db8::/32', '1.2.3.4/32'] });
    const [v4, v6] = wire(network).egress[1].to;
    expect(v4.ipBlock.except).toEqual([
      '0.0.0.0/8', '1.2.3.4/32', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '168.63.129.16/32', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24',
      '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4',
    ]);
    expect(v6.ipBlock.except).toEqual([
      '::/96', '64:ff9b::/96', '64:ff9b:1::/48', '100::/63', '2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20', '5f00::/16', 'fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8',
    ]);
  });

  test('IPv6 networks of the cluster need no rule where IPv6 is closed', () => {
    expect(wire(SandboxNetwork.publicInternet({ clusterCidrs: ['2001:db8::/32'] })).egress[1]).toEqual({ to: [internet] });
  });

  test('whatever the networks of the cluster are, exceptions lie in their network, hold all that is left out, and do not overlap', () => {
    const clusterCidr = fc.oneof(
      fc.tuple(fc.integer({ min: 1, max: 32 }), fc.bigInt(0n, 2n ** 32n - 1n)).map(([prefix, value]) => {
        const first = (value >> BigInt(32 - prefix)) << BigInt(32 - prefix);
        return `${[24n, 16n, 8n, 0n].map(shift => (first >> shift) & 255n).join('.')}/${prefix}`;
      }),
      fc.tuple(fc.integer({ min: 4, max: 16 }), fc.integer({ min: 0, max: 0xffff })).map(([prefix, value]) =>
        `${((value >> (16 - prefix)) << (16 - prefix)).toString(16)}::/${prefix}`),
    );
    fc.assert(fc.property(fc.array(clusterCidr, { maxLength: 3 }), clusterCidrs => {
      const whole = ['0.0.0.0/0', '::/0'].map(parse);
      const left = [...SPECIAL_IPV4, ...SPECIAL_IPV6, ...clusterCidrs].map(parse);
      fc.pre(whole.every(block => !block.isCoveredBy(left)));
      const blocks = wire(SandboxNetwork.publicInternet({ ipv6: true, clusterCidrs })).egress[1].to.map((peer: any) => peer.ipBlock);
      expect(blocks.map((block: any) => block.cidr)).toEqual(['0.0.0.0/0', '::/0']);
      const holes: Cidr[][] = blocks.map((block: any) => block.except.map(parse));
      holes.forEach((list, index) => {
        expect(list.every(hole => hole.prefix > 0 && whole[index].contains(hole))).toBe(true);
        expect(list.every((hole, at) => at === 0 || list[at - 1].last < hole.first)).toBe(true);
      });
      expect(left.every(each => holes.flat().some(hole => hole.contains(each)))).toBe(true);
    }));
  });

  test('controllerDefault leaves the rules to the controller', () => {
    expect(SandboxNetwork.controllerDefault()._rules()).toBeUndefined();
    expect(SandboxNetwork.controllerDefault()._managed).toBe(true);
  });

  test('unmanaged has no rules and no policy', () => {
    expect(SandboxNetwork.unmanaged()._rules()).toBeUndefined();
    expect(SandboxNetwork.unmanaged()._managed).toBe(false);
  });

  test.each([SandboxNetwork.denyAll(), SandboxNetwork.routerOnly(), SandboxNetwork.dnsOnly(), SandboxNetwork.publicInternet()])('%s is managed', network => {
    expect(network._managed).toBe(true);
  });
});

describe('added rules', () => {
  test('egress is added behind the rules of the preset', () => {
    const network = SandboxNetwork.dnsOnly().allowEgressTo(NetworkPeer.cidr('10.50.0.100/32'), [NetworkPort.tcp(8000)]);
    expect(wire(network)).toEqual({
      ingress: [router],
      egress: [dns, { to: [{ ipBlock: { cidr: '10.50.0.100/32' } }], ports: [{ port: 8000, protocol: 'TCP' }] }],
    });
  });

  test('ingress is added behind the rules of the preset', () => {
    const gateway = NetworkPeer.pods({ app: 'istio-ingressgateway' }, { namespaceLabels: { 'istio-injection': 'enabled' } });
    expect(wire(SandboxNetwork.routerOnly().allowIngressFrom(gateway, [NetworkPort.tcp(8888)]))).toEqual({
      ingress: [router, {
        from: [{ namespaceSelector: { matchLabels: { 'istio-injection': 'enabled' } }, podSelector: { matchLabels: { app: 'istio-ingressgateway' } } }],
        ports: [{ port: 8888, protocol: 'TCP' }],
      }],
      egress: [],
    });
  });

  test('no ports means all ports', () => {
    expect(egressTo(NetworkPeer.namespace('tools'))).toEqual({ to: [inNamespace('tools')] });
  });

  test('a network stays as it is when rules are added to it', () => {
    const before = SandboxNetwork.denyAll();
    before.allowEgressTo(NetworkPeer.anyPod()).allowIngressFrom(NetworkPeer.anyPod());
    expect(wire(before)).toEqual({ ingress: [], egress: [] });
  });

  test('rendered rules can be changed without changing the network', () => {
    const network = SandboxNetwork.dnsOnly();
    network._rules()!.egress!.pop();
    expect(wire(network).egress).toEqual([dns]);
  });

  test('a list of ports can be changed afterwards without changing the network', () => {
    const ports = [NetworkPort.tcp(53)];
    const custom = ClusterDns.custom(NetworkPeer.anyPod(), ports);
    ports.pop();
    expect(custom.ports).toHaveLength(1);
  });

  test('repeated rules, peers and ports are written once', () => {
    const peer = NetworkPeer.anyOf(NetworkPeer.pods({ a: '1', b: '2' }), NetworkPeer.pods({ b: '2', a: '1' }));
    const ports = [NetworkPort.tcp(80), NetworkPort.tcp(80)];
    const network = SandboxNetwork.denyAll().allowEgressTo(peer, ports).allowEgressTo(peer, ports);
    expect(wire(network).egress).toEqual([{ to: [{ podSelector: { matchLabels: { a: '1', b: '2' } } }], ports: [{ port: 80, protocol: 'TCP' }] }]);
  });

  test('the rule of the router is not repeated', () => {
    const same = NetworkPeer.pods({ app: 'sandbox-router' }, { namespace: 'agent-sandbox-system' });
    expect(wire(SandboxNetwork.routerOnly().allowIngressFrom(same)).ingress).toEqual([router]);
  });

  test('labels are written in one order, whatever the order they were given in', () => {
    const text = (labels: Record<string, string>): string => JSON.stringify(wire(SandboxNetwork.denyAll().allowEgressTo(NetworkPeer.pods(labels))));
    fc.assert(fc.property(fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'example.com/d'), { minLength: 1 }), keys => {
      const labels = (order: string[]): Record<string, string> => Object.fromEntries(order.map(key => [key, 'x']));
      expect(text(labels(keys))).toBe(text(labels([...keys].reverse())));
    }));
  });

  test.each([
    [SandboxNetwork.dnsOnly(), 'dnsOnly'],
    [SandboxNetwork.unmanaged(), 'unmanaged'],
    [SandboxNetwork.dnsOnly().allowEgressTo(NetworkPeer.anyPod()), 'dnsOnly + 1 rule'],
    [SandboxNetwork.denyAll().allowEgressTo(NetworkPeer.anyPod()).allowIngressFrom(NetworkPeer.anyPod()), 'denyAll + 2 rules'],
  ])('as text: %s', (network, text) => {
    expect(String(network)).toBe(text);
  });
});

describe('the policy object', () => {
  test('selects the Pods and names both directions', () => {
    expect(SandboxNetwork.dnsOnly()._networkPolicySpec({ 'agents.x-k8s.io/sandbox-name-hash': '22b058e1' })).toEqual({
      podSelector: { matchLabels: { 'agents.x-k8s.io/sandbox-name-hash': '22b058e1' } },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [router],
      egress: [dns],
    });
  });

  test('leaves out empty lists, which the API server would drop', () => {
    expect(SandboxNetwork.denyAll()._networkPolicySpec({ a: 'b' })).toEqual({
      podSelector: { matchLabels: { a: 'b' } }, policyTypes: ['Ingress', 'Egress'], ingress: undefined, egress: undefined,
    });
  });

  test('cannot be made of what has no rules', () => {
    expect(() => SandboxNetwork.unmanaged()._networkPolicySpec({ a: 'b' })).toThrow("SandboxNetwork: preset is 'unmanaged': it has no rules");
  });
});

describe('name servers', () => {
  test.each<[string, ClusterDns, unknown]>([
    ['kubeDns', ClusterDns.kubeDns(), dns],
    ['nodeLocal', ClusterDns.nodeLocal(), { ...dns, to: [{ ipBlock: { cidr: '169.254.20.10/32' } }] }],
    ['nodeLocal elsewhere', ClusterDns.nodeLocal('10.96.0.10/32'), { ...dns, to: [{ ipBlock: { cidr: '10.96.0.10/32' } }] }],
    ['openshift', ClusterDns.openshift(), {
      to: [{ ...inNamespace('openshift-dns'), podSelector: { matchLabels: { 'dns.operator.openshift.io/daemonset-dns': 'default' } } }],
      ports: [{ port: 5353, protocol: 'UDP' }, { port: 5353, protocol: 'TCP' }],
    }],
    ['custom', ClusterDns.custom(NetworkPeer.pods({ app: 'unbound' }), [NetworkPort.udp(10053)]), {
      to: [{ podSelector: { matchLabels: { app: 'unbound' } } }], ports: [{ port: 10053, protocol: 'UDP' }],
    }],
  ])('%s', (_, servers, expected) => {
    expect(wire(SandboxNetwork.dnsOnly({ dns: servers })).egress).toEqual([expected]);
    expect(wire(SandboxNetwork.publicInternet({ dns: servers })).egress[0]).toEqual(expected);
  });
});

describe('peers', () => {
  test.each<[string, NetworkPeer, unknown]>([
    ['pods of the same namespace', NetworkPeer.pods({ app: 'db' }), { podSelector: { matchLabels: { app: 'db' } } }],
    ['pods of a namespace, as one peer', NetworkPeer.pods({ app: 'db' }, { namespace: 'data' }), { ...inNamespace('data'), podSelector: { matchLabels: { app: 'db' } } }],
    ['pods of labelled namespaces', NetworkPeer.pods({ app: 'db' }, { namespaceLabels: { team: 'a' } }),
      { namespaceSelector: { matchLabels: { team: 'a' } }, podSelector: { matchLabels: { app: 'db' } } }],
    ['pods of any namespace', NetworkPeer.pods({ app: 'db' }, { anyNamespace: true }), { namespaceSelector: {}, podSelector: { matchLabels: { app: 'db' } } }],
    ['any pod', NetworkPeer.anyPod(), { podSelector: {} }],
    ['any pod of any namespace', NetworkPeer.anyPod({ anyNamespace: true }), { namespaceSelector: {} }],
    ['a namespace', NetworkPeer.namespace('data'), inNamespace('data')],
    ['labelled namespaces', NetworkPeer.namespaces({ team: 'a' }), { namespaceSelector: { matchLabels: { team: 'a' } } }],
    ['a network', NetworkPeer.cidr('203.0.113.0/24'), { ipBlock: { cidr: '203.0.113.0/24' } }],
    ['a network with exceptions', NetworkPeer.cidr('203.0.113.0/24', { except: ['203.0.113.8/29', '203.0.113.0/30', '203.0.113.8/29'] }),
      { ipBlock: { cidr: '203.0.113.0/24', except: ['203.0.113.8/29', '203.0.113.0/30'] } }],
    ['a network in another spelling', NetworkPeer.cidr('2001:DB8:0::/48', { except: ['2001:0db8::/64'] }),
      { ipBlock: { cidr: '2001:db8::/48', except: ['2001:db8::/64'] } }],
    ['the public internet', NetworkPeer.publicInternet(), internet],
  ])('%s', (_, peer, expected) => {
    expect(egressTo(peer).to).toEqual([expected]);
  });

  test('any of several', () => {
    expect(egressTo(NetworkPeer.anyOf(NetworkPeer.namespace('a'), NetworkPeer.cidr('10.0.0.0/8'))).to)
      .toEqual([inNamespace('a'), { ipBlock: { cidr: '10.0.0.0/8' } }]);
  });
});

describe('peers of cdk8s-plus', () => {
  const chart = new Chart(new App({ outdir: '/nonexistent' }), 'plus', { namespace: 'web' });
  const peer = (given: kplus.INetworkPolicyPeer): any => egressTo(NetworkPeer.fromPlus(given)).to;

  test('a Deployment is its Pods in its namespace', () => {
    const deployment = new kplus.Deployment(chart, 'api', { containers: [{ image: 'api', portNumber: 8080 }] });
    expect(peer(deployment)).toEqual([{
      ...inNamespace('web'),
      podSelector: { matchLabels: { 'cdk8s.io/metadata.addr': deployment.podMetadata.getLabel('cdk8s.io/metadata.addr') } },
    }]);
  });

  test('a selection of Pods', () => {
    const pods = kplus.Pods.select(chart, 'pods', { labels: { b: '2', a: '1' }, expressions: [kplus.LabelExpression.exists('c')] });
    expect(peer(pods)).toEqual([{ podSelector: { matchLabels: { a: '1', b: '2' }, matchExpressions: [{ key: 'c', operator: 'Exists' }] } }]);
  });

  test('namespaces by name are one peer each', () => {
    expect(peer(kplus.Namespaces.select(chart, 'namespaces', { names: ['a', 'b'] })))
      .toEqual([{ ...inNamespace('a'), podSelector: {} }, { ...inNamespace('b'), podSelector: {} }]);
  });

  test('all namespaces are not nothing', () => {
    expect(peer(kplus.Namespaces.all(chart, 'all'))).toEqual([{ namespaceSelector: {}, podSelector: {} }]);
  });

  test('an IP block', () => {
    expect(peer(kplus.NetworkPolicyIpBlock.ipv4(chart, 'block', '10.0.0.0/8', ['10.1.0.0/16'])))
      .toEqual([{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }]);
  });

  test('an IP block follows the rules of ours', () => {
    expect(() => peer(kplus.NetworkPolicyIpBlock.ipv4(chart, 'bad', '10.0.0.1/8')))
      .toThrow("NetworkPeer.cidr: cidr is '10.0.0.1/8': bits are set behind the prefix");
  });

  test('nothing is left in the tree', () => {
    const before = chart.node.findAll().length;
    peer(chart.node.findChild('api') as kplus.Deployment);
    expect(chart.node.findAll()).toHaveLength(before);
  });
});

describe('ports', () => {
  test.each<[string, NetworkPort, unknown]>([
    ['tcp', NetworkPort.tcp(443), { port: 443, protocol: 'TCP' }],
    ['udp', NetworkPort.udp(53), { port: 53, protocol: 'UDP' }],
    ['sctp', NetworkPort.sctp(3868), { port: 3868, protocol: 'SCTP' }],
    ['tcpRange', NetworkPort.tcpRange(8000, 8010), { port: 8000, endPort: 8010, protocol: 'TCP' }],
    ['a range of one', NetworkPort.tcpRange(65535, 65535), { port: 65535, endPort: 65535, protocol: 'TCP' }],
    ['udpRange', NetworkPort.udpRange(30000, 40000), { port: 30000, endPort: 40000, protocol: 'UDP' }],
    ['named', NetworkPort.named('http'), { port: 'http', protocol: 'TCP' }],
    ['named with protocol', NetworkPort.named('quic', kplus.Protocol.UDP), { port: 'quic', protocol: 'UDP' }],
    ['allTcp', NetworkPort.allTcp(), { protocol: 'TCP' }],
    ['allUdp', NetworkPort.allUdp(), { protocol: 'UDP' }],
  ])('%s', (_, port, expected) => {
    expect(egressTo(NetworkPeer.anyPod(), port).ports).toEqual([expected]);
  });
});

describe('metadata servers', () => {
  test('the remedy for a wide network is whole: it is accepted, and leaves out every special range', () => {
    fc.assert(fc.property(fc.constantFrom(4, 6), fc.integer({ min: 0, max: 12 }), fc.bigInt({ min: 0n, max: 0xfffn }), (family, prefix, bits) => {
      const size = family === 4 ? 32n : 128n;
      const first = prefix === 0 ? 0n : ((bits % (1n << BigInt(prefix))) << (size - BigInt(prefix)));
      const text = family === 4 ? [24n, 16n, 8n, 0n].map(shift => (first >> shift) & 255n).join('.') : `${(first >> 112n).toString(16)}::`;
      let block: NetworkPeer;
      try {
        block = NetworkPeer.cidr(`${text}/${prefix}`);
      } catch {
        return; // not canonical
      }
      const attempt = (peer: NetworkPeer) => {
        try {
          SandboxNetwork.denyAll().allowEgressTo(peer);
          return undefined;
        } catch (error) {
          return /except: \[([^\]]*)\]/.exec((error as Error).message)?.[1].split(', ').map(each => each.slice(1, -1));
        }
      };
      const except = attempt(block);
      if (except && parse(`${text}/${prefix}`).isCoveredBy(except.map(parse)) === false) {
        expect(attempt(NetworkPeer.cidr(`${text}/${prefix}`, { except }))).toBeUndefined();
      }
    }));
  });

  test.each([
    ['the server itself', NetworkPeer.cidr('169.254.169.254/32')],
    ['its range', NetworkPeer.cidr('169.254.0.0/16')],
    ['its IPv6 address', NetworkPeer.cidr('fd00:ec2::254/128')],
    ['a private network', NetworkPeer.cidr('10.0.0.0/8')],
    ['public addresses by translation', NetworkPeer.cidr('64:ff9b::808:808/128')],
  ])('%s can be allowed', (_, peer) => {
    expect(() => SandboxNetwork.denyAll().allowEgressTo(peer)).not.toThrow();
  });

  test('from anywhere may be connected', () => {
    expect(wire(SandboxNetwork.denyAll().allowIngressFrom(NetworkPeer.cidr('0.0.0.0/0'))).ingress).toEqual([{ from: [{ ipBlock: { cidr: '0.0.0.0/0' } }] }]);
  });
});

describe('errors', () => {
  const egress = (peer: NetworkPeer, ports?: NetworkPort[]): SandboxNetwork => SandboxNetwork.denyAll().allowEgressTo(peer, ports);
  const cidr = (network: string, ...except: string[]): NetworkPeer => NetworkPeer.cidr(network, { except });
  const label = "use at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit";
  const nothingToAddTo = 'it has no rules to add to, and rules would replace it as a whole: begin with another preset, such as SandboxNetwork.publicInternet()';
  const all4 = `except: [${SPECIAL_IPV4.map(range => `'${range}'`).join(', ')}]`;
  const all6 = `except: [${SPECIAL_IPV6.map(range => `'${range}'`).join(', ')}]`;
  const credentials = 'clouds hand out the credentials of the node: use SandboxNetwork.publicInternet(), or';
  const needed = 'and allow what is needed of these ranges by itself';
  const wide4 = `it reaches 0.0.0.0/8 (this host), 10.0.0.0/8 (private), 100.64.0.0/10 (shared) and 13 more that are not public; at 169.254.169.254 ${credentials} ${all4} ${needed}`;
  const wide6 = `it reaches ::/96 (unspecified, loopback, and IPv4-compatible), 64:ff9b::/96 (NAT64), 64:ff9b:1::/48 (local NAT64) and 10 more that are not public; at fd00:42::42 ${credentials} ${all6} ${needed}`;
  const translated = 'gateways translate it to IPv4 addresses, private ones and metadata servers among them: allow the IPv4 networks instead';

  test.each<[string, () => unknown]>([
    // networks
    ["NetworkPeer.cidr: cidr is '10.0.0.1/8': bits are set behind the prefix: write '10.0.0.0/8' for the network, or '10.0.0.1/32' for the address", () => cidr('10.0.0.1/8')],
    ["NetworkPeer.cidr: except[0] is '10.0.0.1/8': bits are set behind the prefix: write '10.0.0.0/8' for the network, or '10.0.0.1/32' for the address", () => cidr('0.0.0.0/0', '10.0.0.1/8')],
    ["NetworkPeer.cidr: cidr is '::ffff:0:0/96': API servers refuse IPv4-mapped IPv6 networks in exceptions, and later ones anywhere: write '0.0.0.0/0'", () => cidr('::ffff:0:0/96')],
    ["NetworkPeer.cidr: except[0] is '::ffff:0:0/96': API servers refuse IPv4-mapped IPv6 networks in exceptions, and later ones anywhere: write '0.0.0.0/0'", () => cidr('::/0', '::ffff:0:0/96')],
    ["NetworkPeer.cidr: except[0] is '192.168.0.0/16': it is not inside of 10.0.0.0/8: leave it out, or check both", () => cidr('10.0.0.0/8', '192.168.0.0/16')],
    ["NetworkPeer.cidr: except[0] is 'fc00::/7': it is IPv6 and 0.0.0.0/0 is IPv4: use one peer per family", () => cidr('0.0.0.0/0', 'fc00::/7')],
    ["NetworkPeer.cidr: except[0] is '10.0.0.0/8': it is IPv4 and ::/0 is IPv6: use one peer per family", () => cidr('::/0', '10.0.0.0/8')],
    ["NetworkPeer.cidr: except[0] is '10.0.0.0/8': it leaves nothing of 10.0.0.0/8: leave the peer out", () => cidr('10.0.0.0/8', '10.0.0.0/8')],
    ["NetworkPeer.cidr: except[0] is '0.0.0.0/0': it leaves nothing of 10.0.0.0/8: leave the peer out", () => cidr('10.0.0.0/8', '0.0.0.0/0')],
    ['NetworkPeer.cidr: except is ["0.0.0.0/1","128.0.0.0/1"]: together they leave nothing of 0.0.0.0/0: leave the peer out', () => cidr('0.0.0.0/0', '0.0.0.0/1', '128.0.0.0/1')],
    [`2 problems:
  NetworkPeer.cidr: cidr is '10.0.0.0/33': use a prefix length from 0 to 32
  NetworkPeer.cidr: except[1] is '10.1.0.0': add the prefix length: '10.1.0.0/32' is this address alone`, () => cidr('10.0.0.0/33', '10.2.0.0/16', '10.1.0.0')],
    ["NetworkPeer.publicInternet: clusterCidrs[0] is '10.0.0.0': add the prefix length: '10.0.0.0/32' is this address alone", () => NetworkPeer.publicInternet({ clusterCidrs: ['10.0.0.0'] })],
    ['SandboxNetwork.publicInternet: clusterCidrs is ["0.0.0.0/0"]: nothing of the IPv4 internet is left: name the networks of the cluster only', () => SandboxNetwork.publicInternet({ clusterCidrs: ['0.0.0.0/0'] })],
    ['SandboxNetwork.publicInternet: clusterCidrs is ["::/1","8000::/1"]: nothing of the IPv6 internet is left: name the networks of the cluster only', () => SandboxNetwork.publicInternet({ ipv6: true, clusterCidrs: ['::/1', '8000::/1'] })],
    ["ClusterDns.nodeLocal: cidr is '169.254.20.10': add the prefix length: '169.254.20.10/32' is this address alone", () => ClusterDns.nodeLocal('169.254.20.10')],

    // selectors
    ['NetworkPeer.pods: labels is {}: without labels everything matches: name at least one, or say NetworkPeer.anyPod()', () => NetworkPeer.pods({})],
    ['NetworkPeer.namespaces: labels is {}: without labels everything matches: name at least one, or say NetworkPeer.anyPod({ anyNamespace: true })', () => NetworkPeer.namespaces({})],
    ['NetworkPeer.anyPod: namespaceLabels is {}: without labels everything matches: name at least one, or say anyNamespace: true', () => NetworkPeer.anyPod({ namespaceLabels: {} })],
    ["NetworkPeer.pods: labels key is 'a b': use '<name>' or '<dns domain>/<name>', the name of 1 to 63 letters, digits, '-', '_' and '.'", () => NetworkPeer.pods({ 'a b': 'x' })],
    [`NetworkPeer.pods: labels['app'] is '-x': ${label}`, () => NetworkPeer.pods({ app: '-x' })],
    ["NetworkPeer.pods: namespace is 'Tools': use 1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit", () => NetworkPeer.pods({ app: 'x' }, { namespace: 'Tools' })],
    ["NetworkPeer.namespace: name is '': use 1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit", () => NetworkPeer.namespace('')],
    ['NetworkPeer.pods: options is {"namespace":"a","anyNamespace":true}: use only one of namespace, anyNamespace', () => NetworkPeer.pods({ app: 'x' }, { namespace: 'a', anyNamespace: true })],
    ["SandboxNetwork.routerOnly: router.namespace is 'a.b': use 1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit", () => SandboxNetwork.routerOnly({ router: { namespace: 'a.b' } })],
    ['SandboxNetwork.dnsOnly: router.podLabels is {}: without labels everything matches: name the labels of the router', () => SandboxNetwork.dnsOnly({ router: { podLabels: {} } })],
    ['NetworkPeer.anyOf: peers is []: an empty list would mean everything to Kubernetes: name at least one peer', () => NetworkPeer.anyOf()],

    // ports
    ['NetworkPort.tcp: port is 0: use a whole number from 1 to 65535', () => NetworkPort.tcp(0)],
    ['NetworkPort.udp: port is 65536: use a whole number from 1 to 65535', () => NetworkPort.udp(65536)],
    ['NetworkPort.sctp: port is 1.5: use a whole number from 1 to 65535', () => NetworkPort.sctp(1.5)],
    ['NetworkPort.tcpRange: to is 80: use a whole number from 443 to 65535', () => NetworkPort.tcpRange(443, 80)],
    ['2 problems:\n  NetworkPort.udpRange: from is 0: use a whole number from 1 to 65535\n  NetworkPort.udpRange: to is 65536: use a whole number from 1 to 65535', () => NetworkPort.udpRange(0, 65536)],
    ["NetworkPort.named: name is '8080': use 1 to 15 lower-case letters, digits and single '-', with at least one letter", () => NetworkPort.named('8080')],

    // rules
    ['SandboxNetwork.allowEgressTo: ports is []: an empty list means every port to Kubernetes: leave it out for every port, or name one', () => egress(NetworkPeer.anyPod(), [])],
    ['SandboxNetwork.allowIngressFrom: ports is []: an empty list means every port to Kubernetes: leave it out for every port, or name one', () => SandboxNetwork.denyAll().allowIngressFrom(NetworkPeer.anyPod(), [])],
    ['SandboxNetwork.publicInternet: ports is []: an empty list means every port to Kubernetes: leave it out for every port, or name one', () => SandboxNetwork.publicInternet({ ports: [] })],
    ['SandboxNetwork.allowEgressTo: peer: without a peer, port 53 is open to every name server of the internet: name the servers, such as ClusterDns.kubeDns().peer', () => egress(undefined as any, [NetworkPort.udp(53)])],
    ['SandboxNetwork.allowEgressTo: peer: without a peer, port 53 is open to every name server of the internet: name the servers, such as ClusterDns.kubeDns().peer', () => egress(undefined as any, [NetworkPort.tcpRange(1, 1024)])],
    ['SandboxNetwork.allowEgressTo: peer: without a peer everything would be allowed: name one', () => egress(undefined as any, [NetworkPort.tcp(443), NetworkPort.named('dns')])],
    ['SandboxNetwork.allowIngressFrom: peer: without a peer everything would be allowed: name one', () => SandboxNetwork.denyAll().allowIngressFrom(undefined as any)],
    ['ClusterDns.custom: peer: without a peer every name server of the internet would be allowed: name the servers', () => ClusterDns.custom(undefined as any, [NetworkPort.udp(53)])],
    ['ClusterDns.custom: ports is []: name at least one port: [NetworkPort.udp(53), NetworkPort.tcp(53)]', () => ClusterDns.custom(NetworkPeer.anyPod(), [])],
    [`SandboxNetwork.allowEgressTo: preset is 'unmanaged': ${nothingToAddTo}`, () => SandboxNetwork.unmanaged().allowEgressTo(NetworkPeer.anyPod())],
    [`SandboxNetwork.allowIngressFrom: preset is 'controllerDefault': ${nothingToAddTo}`, () => SandboxNetwork.controllerDefault().allowIngressFrom(NetworkPeer.anyPod())],

    // the internet with what is around it
    [`SandboxNetwork.allowEgressTo: peer is '0.0.0.0/0': ${wide4}`, () => egress(cidr('0.0.0.0/0'))],
    [`SandboxNetwork.allowEgressTo: peer is '0.0.0.0/0': ${wide4}`, () => egress(cidr('0.0.0.0/0', '169.254.169.254/32'))],
    [`SandboxNetwork.allowEgressTo: peer is '::/0': ${wide6}`, () => egress(cidr('::/0'))],
    [`SandboxNetwork.allowEgressTo: peer is '::/0': ${wide6.replace('and 10 more', 'and 8 more').replace('at fd00:42::42 ', '').replace('; clouds hand out the credentials of the node', '')}`, () => egress(cidr('::/0', 'fc00::/7', 'fe80::/10'))],
    [`SandboxNetwork.allowEgressTo: peer is '172.0.0.0/8': it reaches 172.16.0.0/12 (private): use SandboxNetwork.publicInternet(), or except: ['172.16.0.0/12'] ${needed}`, () => egress(cidr('172.0.0.0/8'))],
    [`SandboxNetwork.allowEgressTo: peer is '64:ff9b::/96': ${translated}`, () => egress(cidr('64:ff9b::/96'))],
    [`SandboxNetwork.allowEgressTo: peer is '64:ff9b::a9fe:a9fe/128': ${translated}, such as '169.254.169.254/32'`, () => egress(cidr('64:ff9b::a9fe:a9fe/128'))],
    [`SandboxNetwork.allowEgressTo: peer is '2002::/16': ${translated}`, () => egress(cidr('2002::/16'))],
    ["SandboxNetwork.allowEgressTo: peer is '100.64.0.0/10': it reaches 100.100.100.200, where clouds hand out the credentials of the node: add except: ['100.100.100.200/32']; if sandboxes need that server, allow it by itself", () => egress(cidr('100.64.0.0/10'))],
    [`SandboxNetwork.dnsOnly: dns is '0.0.0.0/0': ${wide4}`, () => SandboxNetwork.dnsOnly({ dns: ClusterDns.nodeLocal('0.0.0.0/0') })],
    ["SandboxNetwork.allowEgressTo: peer is '0.0.0.0/1, 128.0.0.0/1': together they are all IPv4 addresses: use SandboxNetwork.publicInternet(), or one NetworkPeer.cidr('0.0.0.0/0', { except: [...] })",
      () => egress(part('128.0.0.0/1')).allowEgressTo(part('0.0.0.0/1'))],
    ["SandboxNetwork.allowEgressTo: peer is '::/1, 8000::/1': together they are all IPv6 addresses: use SandboxNetwork.publicInternet(), or one NetworkPeer.cidr('::/0', { except: [...] })",
      () => egress(NetworkPeer.anyOf(part('::/1'), part('8000::/1')))],
    ["SandboxNetwork.allowEgressTo: peer is '0.0.0.0/1, 128.0.0.0/2, 192.0.0.0/2': together they are all IPv4 addresses: use SandboxNetwork.publicInternet(), or one NetworkPeer.cidr('0.0.0.0/0', { except: [...] })",
      () => egress(NetworkPeer.anyOf(part('192.0.0.0/2'), part('0.0.0.0/1'), cidr('10.0.0.0/8'), part('128.0.0.0/2')))],
  ])('%s', (message, act) => {
    let thrown: unknown;
    try {
      act();
    } catch (error) {
      thrown = error;
    }
    expect((thrown as Error | undefined)?.message).toBe(message);
  });

  test('a private network can be joined to the public internet', () => {
    const network = SandboxNetwork.publicInternet().allowEgressTo(NetworkPeer.cidr('10.1.0.0/16'));
    expect(wire(network).egress).toEqual([dns, { to: [internet] }, { to: [{ ipBlock: { cidr: '10.1.0.0/16' } }] }]);
  });
});
