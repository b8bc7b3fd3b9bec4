import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, Chart } from 'cdk8s';
import { Isolation, NetworkEndpoint, NetworkModel, NetworkPort, Reachability, SandboxNetwork, SandboxTemplate } from '../src';
import { API_SERVER_PORT, CONTROL_PLANE_ADDRESS, nodeAddress, OUTSIDE_HOSTS } from '../testbed/src/index.js';

// test/node/network.test.ts measures the table of the guide from inside running Pods. Here the model has to say the same, cell by cell.
const GUIDE = readFileSync(join(__dirname, '..', 'docs', 'guide', 'network.md'), 'utf8');
const [, table] = /<!-- measured: begin -->\n([\s\S]*?)\n<!-- measured: end -->/.exec(GUIDE)!;
const [header, , ...rows] = table.split('\n').map(line => line.split('|').slice(1, -1).map(cell => cell.trim()));
const presets = header.slice(1).map(cell => cell.replaceAll('`', '') as keyof typeof PRESETS);

const PRESETS = {
  'denyAll()': SandboxNetwork.denyAll(),
  'routerOnly()': SandboxNetwork.routerOnly(),
  'dnsOnly()': SandboxNetwork.dnsOnly(),
  'publicInternet()': SandboxNetwork.publicInternet(),
  'controllerDefault()': SandboxNetwork.controllerDefault(),
  'unmanaged()': SandboxNetwork.unmanaged(),
};

/** The cluster of the measurement: name servers behind a Service, another Pod, the API server, a node. */
const cluster = [
  {
    apiVersion: 'v1', kind: 'Service', metadata: { name: 'kube-dns', namespace: 'kube-system' },
    spec: { clusterIP: '10.96.0.10', selector: { 'k8s-app': 'kube-dns' }, ports: [{ port: 53, protocol: 'UDP' }, { port: 53, protocol: 'TCP' }] },
  },
  {
    apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'coredns', namespace: 'kube-system' },
    spec: { template: { metadata: { labels: { 'k8s-app': 'kube-dns' } }, spec: { containers: [{ name: 'coredns' }] } } },
  },
  {
    apiVersion: 'v1', kind: 'Pod', metadata: { name: 'neighbour', namespace: 'agents', labels: { app: 'neighbour' } },
    spec: { containers: [{ name: 'main' }] }, status: { podIPs: [{ ip: '10.244.0.9' }] },
  },
];
const facts = { podCidrs: ['10.244.0.0/16'], serviceCidrs: ['10.96.0.0/16'], nodeCidrs: [`${nodeAddress(0).v4}/32`] };
const apiServer = NetworkEndpoint.address(CONTROL_PLANE_ADDRESS.v4);

const DESTINATIONS: Record<string, Array<[NetworkEndpoint, NetworkPort]>> = {
  'name server of the cluster': [NetworkPort.udp(53), NetworkPort.tcp(53)].map(port => [NetworkEndpoint.service('kube-dns', 'kube-system'), port]),
  // After translation the Service of the API server is the API server.
  'Service of the API server': [[apiServer, NetworkPort.tcp(API_SERVER_PORT)]],
  'API server at its own address': [[apiServer, NetworkPort.tcp(API_SERVER_PORT)]],
  'kubelet of the node': [[NetworkEndpoint.nodes(), NetworkPort.tcp(10250)]],
  'other Pods': [NetworkPort.tcp(8080), NetworkPort.udp(8080)].map(port => [NetworkEndpoint.workload('Pod', 'neighbour', 'agents'), port]),
};
const PORTS = [53, 80, 443].map(port => NetworkPort.tcp(port)).concat([53, 443].map(port => NetworkPort.udp(port)));

function targetsOf(row: string): Array<[NetworkEndpoint, NetworkPort]> {
  const name = row.replace(/ \([\d.]+\)$/, '');
  return DESTINATIONS[name] ?? PORTS.map(port => [NetworkEndpoint.address(OUTSIDE_HOSTS[name as keyof typeof OUTSIDE_HOSTS]), port]);
}

test('the guide has a table', () => {
  expect(rows.length).toBeGreaterThanOrEqual(15);
  expect(presets).toEqual(Object.keys(PRESETS));
});

test.each(presets.map((preset, index) => ({ preset, cells: rows.map(row => [row[0], row[index + 1]]) })))('the model of $preset is what was measured', ({ preset, cells }) => {
  const chart = new Chart(new App(), 'chart', { namespace: 'agents' });
  const template = new SandboxTemplate(chart, 'python', { containers: [{ image: 'registry.example/image:1', port: 8888 }], isolation: Isolation.gvisor(), network: PRESETS[preset] });
  const model = NetworkModel.ofManifests([...chart.toJson(), ...cluster], facts);
  const python = NetworkEndpoint.template(template.name, 'agents');
  const computed = cells.map(([destination]) => {
    const answers = targetsOf(destination).map(([to, port]) => model.canReach(python, to, port).reachability);
    const open = answers.filter(answer => answer === Reachability.ALLOWED).length;
    return [destination, answers.includes(Reachability.UNKNOWN) ? 'unknown' : open === answers.length ? 'open' : open === 0 ? '–' : 'some'];
  });
  expect(computed).toEqual(cells);
});
