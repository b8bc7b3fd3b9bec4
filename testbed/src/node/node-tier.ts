import { existsSync, readlinkSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { tmpdir } from 'node:os';
import { stringify } from 'yaml';
import type { ApiClient, KubeObject } from '../api-client.js';
import type { Binaries } from '../binaries.js';
import type { CertificateAuthority } from '../certificates.js';
import { WorkFiles } from '../components.js';
import { takesPods } from '../fake-nodes.js';
import { type Connection, kubeconfigText } from '../kubeconfig.js';
import type { Launcher, Program } from '../launcher.js';
import { writePair } from '../pki.js';
import type { Supervisor } from '../supervisor.js';
import { waitFor } from '../wait.js';
import { writeArchive } from './archive.js';
import { TOOLS_IMAGE, nodeImages } from './images.js';
import { INTERNAL_SERVER, MachineFiles } from './machine-files.js';
import { HELPER_POD, PROVISIONER_NAMESPACE, type Volumes, baseManifests, provisionerConfig } from './manifests.js';
import { Namespaces, holdMachine, holdNetwork } from './namespaces.js';
import {
  API_SERVER_PORT, type Addresses, CONTROL_PLANE_ADDRESS, OUTSIDE_ADDRESS, OUTSIDE_HOSTS, OUTSIDE_PORTS, SERVICE_CIDR, nodeAddress, nodePodCidr,
} from './network.js';
import { type NodeComponent, type NodeDescription, RealNode } from './real-node.js';
import { findCommand, machinePath } from './requirements.js';

export interface NodeOptions {
  /** How many nodes, from 1 to 9. @default 1 */
  readonly count?: number;
  /** OCI archives whose images all nodes get, see `RealNode.importImages`. @default - none but those of the testbed */
  readonly images?: readonly string[];
}

/** What another process needs to know to use the nodes. */
export interface TierDescription {
  /** Process that holds the network of the outside. */
  readonly outside: number;
  readonly nodes: readonly NodeDescription[];
}

/** Milliseconds that pods of the cluster itself may take; seconds on an idle machine. */
const ADDONS_TIMEOUT_MS = 120_000;

const COMPONENTS: readonly NodeComponent[] = ['containerd', 'kubelet', 'kube-proxy', 'kube-router'];

interface Machine {
  readonly name: string;
  readonly index: number;
  readonly address: Addresses;
  readonly dir: string;
  readonly files: MachineFiles;
  readonly holder: number;
  readonly namespaces: Namespaces;
}

/**
 * The namespaces of a control plane with real nodes, and what runs in them: one network for the control plane, one for the
 * outside, and a machine of its own for each node. All are held by processes and have no names, so that nothing of them stays
 * when these are killed.
 */
export class NodeTier {
  /** Makes the namespaces and the network. */
  public static async prepare(dir: string, supervisor: Supervisor, binaries: Binaries, options: NodeOptions): Promise<NodeTier> {
    const count = options.count ?? 1;
    if (!Number.isInteger(count) || count < 1 || count > 9) {
      throw new Error(`the number of nodes must be from 1 to 9, got ${count}`);
    }
    const diskDir = join(tmpdir(), `${basename(dir)}-nodes`);
    await mkdir(diskDir, { mode: 0o711 });
    await supervisor.own({ folders: [diskDir], cgroup: basename(dir) });
    await makeCgroup(basename(dir));
    const hold = async (name: string, { command, args }: Program) => {
      const holder = await supervisor.spawn({ name, command, args, env: { PATH: machinePath() }, log: new WorkFiles(dir).log(name) });
      // Until then its network is that of this machine.
      await waitFor(() => hasOwnNetwork(holder), { what: `the namespaces of ${name}`, intervalMs: 5 });
      return holder;
    };
    const outside = await hold('outside', holdNetwork(binaries.find('probe')!, ['serve', ...OUTSIDE_PORTS]));
    // Its command line names the folder, as those of all processes of a control plane do.
    const controlPlane = await hold('control-plane-network', holdNetwork('sh', ['-c', 'while :; do sleep 3600; done', dir]));
    const machines: Machine[] = [];
    for (let index = 0; index < count; index++) {
      const name = `node-${index}`;
      const machineDir = join(diskDir, name);
      const files = new MachineFiles(machineDir, {
        name, index, address: nodeAddress(index),
        caFile: new WorkFiles(dir).pair('ca').cert,
        serving: new WorkFiles(dir).pair(name),
        kubeProxyKubeconfig: new WorkFiles(dir).kubeconfig('kube-proxy'),
        cgroup: basename(dir),
      });
      await files.write();
      const holder = await hold(name, holdMachine(files.init, [dir]));
      machines.push({ name, index, address: nodeAddress(index), dir: machineDir, files, holder, namespaces: new Namespaces(holder, true) });
    }
    const tier = new NodeTier(dir, supervisor, binaries, options, new Namespaces(outside, false), new Namespaces(controlPlane, false), machines);
    await tier.connect();
    return tier;
  }

  private launcher!: Launcher;

  private constructor(
    private readonly dir: string,
    private readonly supervisor: Supervisor,
    private readonly binaries: Binaries,
    private readonly options: NodeOptions,
    private readonly outside: Namespaces,
    private readonly controlPlane: Namespaces,
    private readonly machines: readonly Machine[],
  ) {}

  public get description(): TierDescription {
    return {
      outside: this.outside.holder,
      nodes: this.machines.map(({ name, address, holder, dir }) => ({ name, address, holder, dir, components: COMPONENTS })),
    };
  }

  /** The nodes, as the process that started them has them. */
  public get nodes(): RealNode[] {
    return this.description.nodes.map((node, index) => new RealNode(node, {
      stop: component => this.supervisor.kill(`${component}-${index}`),
      start: component => this.startComponent(component, this.machines[index]),
    }));
  }

  /** Command line of a component of the control plane. */
  public readonly withinControlPlane = (program: string, args: readonly string[]): Program => this.controlPlane.command(program, args);

  /** Command line of what takes connections on a port of the loopback interface to the API server. */
  public readonly relay = (port: number): Program => relayFrom(port, join(this.dir, 'api.sock'));

  /** Starts what needs no API server yet: containerd with all images, and the near end of the relay. */
  public async startMachines(launcher: Launcher): Promise<void> {
    this.launcher = launcher;
    const archives = (async () => [
      ...await Promise.all(nodeImages(this.binaries).map(image => writeArchive(image, join(dirname(this.machines[0].dir), 'images')))),
      ...this.options.images ?? [],
    ])();
    await launcher.run('api-relay-inside', relayTo(this.controlPlane, join(this.dir, 'api.sock'), CONTROL_PLANE_ADDRESS.v4, API_SERVER_PORT));
    await Promise.all(this.nodes.map(async (node, index) => {
      await this.startComponent('containerd', this.machines[index]);
      await node.importImages(...await archives);
    }));
  }

  /** Starts what makes nodes of the machines, and returns when pods run, names resolve and policies are enforced. */
  public async startNodes(client: ApiClient, ca: CertificateAuthority): Promise<void> {
    const files = new WorkFiles(this.dir);
    await Promise.all(this.machines.map(async machine => {
      const { name, address, index } = machine;
      const podCIDR = nodePodCidr(index);
      await client.create({ apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: { podCIDR, podCIDRs: [podCIDR] } });
      await writePair(files, name, await ca.issue({ commonName: `system:node:${name}`, serverNames: [name, address.v4, address.v6] }));
      const user = { commonName: `system:node:${name}`, organizations: ['system:nodes'] };
      const connection: Connection = { server: INTERNAL_SERVER, ca: ca.cert, ...await ca.issue(user) };
      await writeFile(files.kubeconfig(name), kubeconfigText(connection, user.commonName), { mode: 0o600 });
      await this.startComponent('kubelet', machine);
      // The others end when the node has no addresses yet.
      await this.launcher.untilReady(`kubelet-${index}`, async () => {
        const { status } = await client.get({ apiVersion: 'v1', kind: 'Node', name });
        return (status?.addresses ?? []).some((entry: any) => entry.type === 'InternalIP');
      });
      await Promise.all((['kube-proxy', 'kube-router'] as const).map(component => this.startComponent(component, machine)));
    }));
    await this.startAddons(client);
    await this.untilUsable(client);
  }

  /** Connects the namespaces by a bridge in the outside one, and gives it the addresses of all outside peers. */
  private async connect(): Promise<void> {
    const members = [
      { link: 'control-plane', holder: this.controlPlane, address: CONTROL_PLANE_ADDRESS },
      ...this.machines.map(({ name, namespaces, address }) => ({ link: name, holder: namespaces, address })),
    ];
    await ip(this.outside, [
      'link set lo up',
      'link add cable type bridge',
      `addr add ${OUTSIDE_ADDRESS.v4}/24 dev cable`,
      `addr add ${OUTSIDE_ADDRESS.v6}/64 dev cable nodad`,
      'link set cable up',
      ...Object.values(OUTSIDE_HOSTS).map(address => `addr add ${address}/${address.includes(':') ? '128 dev lo nodad' : '32 dev lo'}`),
      ...members.flatMap(({ link, holder }) => [
        `link add ${link} type veth peer name uplink netns ${holder.holder}`,
        `link set ${link} master cable`,
        `link set ${link} up`,
      ]),
      ...this.machines.map(({ index, address }) => routeToPods(index, address)),
    ]);
    await Promise.all(members.map(({ holder, address, link }) => ip(holder, [
      'link set lo up',
      `addr add ${address.v4}/24 dev uplink`,
      `addr add ${address.v6}/64 dev uplink nodad`,
      'link set uplink up',
      `route add default via ${OUTSIDE_ADDRESS.v4}`,
      `route add ::/0 via ${OUTSIDE_ADDRESS.v6}`,
      ...this.machines.filter(({ name }) => name !== link).map(machine => routeToPods(machine.index, machine.address)),
    ])));
    await Promise.all(this.machines.map(({ namespaces }) => namespaces.networkOnly.exec('sysctl', [
      '-qw', 'net.ipv4.ip_forward=1',
    ])));
    for (const { files } of this.machines) {
      await waitFor(() => existsSync(files.started), { what: `the mounts of ${dirname(files.started)}` });
    }
  }

  private async startComponent(component: NodeComponent, machine: Machine): Promise<void> {
    const files = new WorkFiles(this.dir);
    const { files: own, namespaces, name, index, address } = machine;
    const commands: Record<NodeComponent, () => [string, string[]]> = {
      'containerd': () => [findCommand('containerd')!, ['--config', own.containerdConfig]],
      'kubelet': () => [this.binaries.find('kubelet')!, [
        `--config=${own.kubeletConfig}`,
        `--kubeconfig=${files.kubeconfig(name)}`,
        `--hostname-override=${name}`,
        `--node-ip=${address.v4}`,
        `--root-dir=${own.kubeletRoot}`,
        '--runtime-cgroups=/',
      ]],
      'kube-proxy': () => [this.binaries.find('kube-proxy')!, [`--config=${own.kubeProxyConfig}`]],
      'kube-router': () => [this.binaries.find('kube-router')!, [
        `--kubeconfig=${files.kubeconfig('kube-router')}`,
        `--hostname-override=${name}`,
        '--run-firewall=true', '--run-router=false', '--run-service-proxy=false', '--run-loadbalancer=false',
        '--enable-ipv4=true', '--enable-ipv6=false',
        `--service-cluster-ip-range=${SERVICE_CIDR}`,
        '--iptables-sync-period=1m',
        '--health-port=20244',
        '--metrics-port=0',
      ]],
    };
    const [program, args] = commands[component]();
    await this.launcher.run(`${component}-${index}`, {
      ...namespaces.command(program, args),
      env: { PATH: `${dirname(this.binaries.find('containerd-shim-runsc-v1')!)}:${machinePath()}` },
    });
    if (component === 'containerd') {
      await this.launcher.untilReady(`containerd-${index}`, async () => (await namespaces.exec('ctr', ['version'], { allowFailure: true })).code === 0);
    }
  }

  private async startAddons(client: ApiClient): Promise<void> {
    const volumes: Volumes = Object.fromEntries(this.machines.map(({ name, files }) => [name, files.volumes]));
    const config = join(this.dir, 'local-path.json');
    const helper = join(this.dir, 'local-path-helper.yaml');
    await writeFile(config, JSON.stringify(provisionerConfig(volumes)));
    await writeFile(helper, stringify(HELPER_POD));
    for (const object of baseManifests(volumes)) {
      await client.apply(object);
    }
    await this.launcher.run('local-path-provisioner', this.controlPlane.command(this.binaries.find('local-path-provisioner')!, [
      'start', '--config', config, '--kubeconfig', new WorkFiles(this.dir).kubeconfig('local-path-provisioner'),
      '--namespace', PROVISIONER_NAMESPACE, '--helper-image', TOOLS_IMAGE, '--helper-pod-file', helper,
    ]));
  }

  private async untilUsable(client: ApiClient): Promise<void> {
    for (const { name, index } of this.machines) {
      await this.launcher.untilReady(`kubelet-${index}`, async () => takesPods(await client.get({ apiVersion: 'v1', kind: 'Node', name })));
      await this.launcher.untilReady(`kube-router-${index}`, async () => enforces(this.machines[index].namespaces));
    }
    await client.waitFor(
      { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'kube-system', name: 'coredns' },
      ({ status }: KubeObject) => status?.readyReplicas === 1,
      { timeoutMs: ADDONS_TIMEOUT_MS },
    );
    await rm(join(dirname(this.machines[0].dir), 'images'), { recursive: true, force: true });
  }
}

/** Whether kube-router has made its first round: from then on every pod of the node passes its rules. */
async function enforces(namespaces: Namespaces): Promise<boolean> {
  const { stdout, code } = await namespaces.exec('iptables', ['--wait', '-S', 'FORWARD'], { allowFailure: true });
  return code === 0 && stdout.includes('KUBE-ROUTER-FORWARD');
}

/** Program that takes connections on a socket file into a network. */
function relayTo(network: Namespaces, socket: string, host: string, port: number): Program {
  return network.command('socat', [`UNIX-LISTEN:${socket},fork,mode=600`, `TCP:${host.includes(':') ? `[${host}]` : host}:${port}`]);
}

/** Program that takes connections on a port of the loopback interface to a socket file. */
function relayFrom(port: number, socket: string): Program {
  return { command: 'setpriv', args: ['--pdeathsig', 'KILL', 'socat', `TCP-LISTEN:${port},bind=127.0.0.1,fork`, `UNIX-CONNECT:${socket}`] };
}

function routeToPods(index: number, address: Addresses): string {
  return `route add ${nodePodCidr(index)} via ${address.v4}`;
}

function hasOwnNetwork(pid: number): boolean {
  return readlinkSync(`/proc/${pid}/ns/net`) !== readlinkSync('/proc/self/ns/net');
}

/** Runs lines of `ip` in a network. */
async function ip(network: Namespaces, lines: readonly string[]): Promise<void> {
  await network.networkOnly.exec('ip', ['-batch', '-'], { input: `${lines.join('\n')}\n` });
}

/** Control group of all pods: one in version 2, one for each controller in version 1. */
async function makeCgroup(name: string): Promise<void> {
  const root = '/sys/fs/cgroup';
  if (existsSync(join(root, 'cgroup.controllers'))) {
    await mkdir(join(root, name));
    return;
  }
  for (const controller of ['blkio', 'cpu', 'cpuacct', 'cpuset', 'devices', 'freezer', 'hugetlb', 'memory', 'net_cls', 'net_prio', 'perf_event', 'pids', 'systemd']) {
    if (existsSync(join(root, controller))) {
      await mkdir(join(root, controller, name), { recursive: true });
    }
  }
}
