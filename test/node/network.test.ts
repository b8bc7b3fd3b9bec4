import * as fs from 'node:fs';
import * as path from 'node:path';
import { Isolation, SandboxClaim, SandboxNetwork, SandboxTemplate } from '../../src';
import { API_SERVER_PORT, CONTROL_PLANE_ADDRESS, OUTSIDE_HOSTS, type OutsideHost, TOOLS_IMAGE, waitFor } from '../../testbed/src/index.js';
import { describeWithNode } from '../../testbed/src/jest/index.js';
import { SYSTEM, applyIn, install } from './support/installation';
import { PodBench, type RunningPod } from './support/pod-bench';

const GUIDE = path.join(__dirname, '..', '..', 'docs', 'guide', 'network.md');
const [BEGIN, END] = ['<!-- measured: begin -->', '<!-- measured: end -->'];

/** Writes what was measured into the guide instead of comparing it. */
const WRITE = process.env.AGENT_SANDBOX_WRITE_DOCS === '1';

const RUNTIMES = ['runc', 'gvisor'] as const;

/** Every preset; the names are those of the guide. */
const PRESETS = {
  'denyAll()': SandboxNetwork.denyAll(),
  'routerOnly()': SandboxNetwork.routerOnly(),
  'dnsOnly()': SandboxNetwork.dnsOnly(),
  'publicInternet()': SandboxNetwork.publicInternet(),
  'controllerDefault()': SandboxNetwork.controllerDefault(),
  'unmanaged()': SandboxNetwork.unmanaged(),
};
type Preset = keyof typeof PRESETS;

const PUBLIC: readonly OutsideHost[] = ['public host', 'public resolver 1.1.1.1', 'public resolver 8.8.8.8'];

/** What the controller's default leaves out; all else of the outside is open. */
const CONTROLLER_BLOCKS: readonly OutsideHost[] = [
  'metadata of clouds', 'private range 10/8', 'private range 172.16/12', 'private range 192.168/16',
];
const DNS = 'name server of the cluster';

/** What each preset lets a sandbox connect to, with all ports that are tried. */
const REACHES: Record<Preset, (destination: string) => boolean> = {
  'denyAll()': () => false,
  'routerOnly()': () => false,
  'dnsOnly()': destination => destination === DNS,
  'publicInternet()': destination => [DNS, ...PUBLIC].includes(destination),
  'controllerDefault()': destination => destination in OUTSIDE_HOSTS && !CONTROLLER_BLOCKS.includes(destination as OutsideHost),
  'unmanaged()': () => true,
};

const PORTS = ['tcp:53', 'tcp:80', 'tcp:443', 'udp:53', 'udp:443'];

describeWithNode('networks of sandboxes, measured from inside', testbed => {
  const pods = new PodBench(testbed);
  const sandboxes = new Map<string, RunningPod>();
  let neighbour: RunningPod;
  let router: RunningPod;
  /** Targets of each destination. */
  let destinations: Record<string, readonly string[]>;

  const nameOf = (preset: string, runtime: string) => `${preset.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/-+$/, '')}-${runtime}`;
  const cells = RUNTIMES.flatMap(runtime => (Object.keys(PRESETS) as Preset[]).map(preset => [preset, runtime] as const));

  beforeAll(async () => {
    const { cluster, namespace, node } = testbed;
    await install(cluster);
    await applyIn(cluster, namespace, chart => cells.forEach(([preset, runtime]) => {
      const name = nameOf(preset, runtime);
      const template = new SandboxTemplate(chart, name, {
        name,
        isolation: runtime === 'gvisor' ? Isolation.gvisor() : Isolation.none(),
        network: PRESETS[preset],
        containers: [{ image: TOOLS_IMAGE, command: ['probe', 'serve', 'tcp:8888'], port: 8888, cpu: '10m', memory: '64Mi' }],
      });
      new SandboxClaim(chart, `claim-${name}`, { name, template });
    }));
    neighbour = await pods.run({ runtime: 'runc', command: ['probe', 'serve', 'tcp:8080', 'udp:8080'] });
    const found = await cluster.admin.list('v1', 'Pod', SYSTEM, { labelSelector: 'app=sandbox-router' });
    router = { name: found[0].metadata.name!, ip: found[0].status.podIP };
    for (const [preset, runtime] of cells) {
      const name = nameOf(preset, runtime);
      const { status } = await cluster.admin.waitFor(
        { apiVersion: 'extensions.agents.x-k8s.io/v1beta1', kind: 'SandboxClaim', namespace, name },
        claim => Boolean(claim.status?.sandbox?.name), { timeoutMs: 120_000 });
      sandboxes.set(name, await pods.ready(status.sandbox.name));
    }
    const outside = Object.fromEntries(Object.entries(OUTSIDE_HOSTS).filter(([, address]) => !address.includes(':')).map(([name, address]) => [name, PORTS.map(port => targetOf(port, address))]));
    destinations = {
      [DNS]: ['tcp:10.96.0.10:53', 'udp:10.96.0.10:53'],
      'Service of the API server': ['tcp:10.96.0.1:443'],
      'API server at its own address': [`tcp:${CONTROL_PLANE_ADDRESS.v4}:${API_SERVER_PORT}`],
      'kubelet of the node': [`tcp:${node.address.v4}:10250`],
      'other Pods': [`tcp:${neighbour.ip}:8080`, `udp:${neighbour.ip}:8080`],
      ...outside,
    };
  }, 600_000);

  test.each(cells)('%s under %s reaches what it should, and nothing else', async (preset, runtime) => {
    const sandbox = sandboxes.get(nameOf(preset, runtime))!;
    const expected = Object.entries(destinations).filter(([name]) => REACHES[preset](name)).flatMap(([, targets]) => targets);
    await pods.untilConnects(sandbox, Object.values(destinations).flat(), expected);
  });

  test.each(cells)('%s under %s is reached by whom it should be', async (preset, runtime) => {
    const { ip } = sandboxes.get(nameOf(preset, runtime))!;
    await pods.untilConnects(neighbour, [`tcp:${ip}:8888`], preset === 'unmanaged()' ? [`tcp:${ip}:8888`] : []);
    await waitFor(async () => await fromRouter(ip) === (preset === 'denyAll()' ? 'closed' : 'open'), { what: `the router to be let in or kept out by ${preset}` });
  });

  test('a change of a template reaches Pods that run', async () => {
    const { cluster, namespace } = testbed;
    const sandbox = sandboxes.get(nameOf('denyAll()', 'gvisor'))!;
    const target = 'tcp:10.50.0.100:8080';
    await pods.untilConnects(sandbox, [target], []);
    const template = { apiVersion: 'extensions.agents.x-k8s.io/v1beta1', kind: 'SandboxTemplate', namespace, name: nameOf('denyAll()', 'gvisor') };
    await cluster.admin.merge(template, { spec: { networkPolicy: { egress: [{ to: [{ ipBlock: { cidr: '10.50.0.100/32' } }], ports: [{ port: 8080, protocol: 'TCP' }] }] } } });
    await pods.untilConnects(sandbox, [target, 'tcp:10.50.0.100:80'], [target]);
  });

  test('the guide has what was measured', async () => {
    const presets = Object.keys(PRESETS) as Preset[];
    const rows: string[] = [];
    // One destination after the other: answers of programs that all ask at once come late on a busy machine, and late is as good as never.
    for (const [name, targets] of Object.entries(destinations)) {
      const address = OUTSIDE_HOSTS[name as OutsideHost];
      const measured = await Promise.all(presets.map(preset => waitFor(async () => {
        // The template of denyAll() under gVisor was changed above.
        const runtimes = preset === 'denyAll()' ? ['runc'] as const : RUNTIMES;
        const outcomes = await Promise.all(runtimes.map(async runtime => outcome(await pods.connect(sandboxes.get(nameOf(preset, runtime))!, targets))));
        return new Set(outcomes).size === 1 ? outcomes[0] : undefined;
      }, { what: `both runtimes to reach the same of ${name} with ${preset}` })));
      rows.push(`| ${name}${address && !name.includes(address) ? ` (${address})` : ''} | ${measured.join(' | ')} |`);
    }
    const table = [
      `| from a sandbox to | ${presets.map(preset => `\`${preset}\``).join(' | ')} |`,
      `|---|${presets.map(() => '---|').join('')}`,
      ...rows,
    ].join('\n');
    const guide = fs.readFileSync(GUIDE, 'utf8');
    const [before, , after] = guide.split(new RegExp(`(?<=${BEGIN}\\n)([\\s\\S]*?)(?=\\n${END})`));
    if (WRITE) {
      fs.writeFileSync(GUIDE, `${before}${table}${after}`);
    }
    expect(fs.readFileSync(GUIDE, 'utf8')).toContain(`${BEGIN}\n${table}\n${END}`);
  });

  async function fromRouter(ip: string): Promise<string> {
    const script = `const s=require('net').connect({host:'${ip}',port:8888,timeout:2000});const end=x=>{console.log(x);process.exit()};`
      + "s.on('connect',()=>end('open')).on('error',()=>end('closed')).on('timeout',()=>end('closed'))";
    return (await pods.exec(router, ['/usr/local/bin/node', '-e', script], SYSTEM)).stdout.trim();
  }
});

function targetOf(port: string, address: string): string {
  const [protocol, number] = port.split(':');
  return `${protocol}:${address}:${number}`;
}

/** `open` and `–` if all ports agree, else the open ports. */
function outcome(outcomes: Record<string, string>): string {
  const open = Object.entries(outcomes).filter(([, what]) => what === 'open').map(([target]) => target.split(':').at(-1)!);
  return open.length === Object.keys(outcomes).length ? 'open' : open.length === 0 ? '–' : open.join(', ');
}
