import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { API_SERVER_PORT, type Addresses, CONTROL_PLANE_ADDRESS, DNS_ADDRESS, POD_CIDR, nodePodCidr } from './network.js';
import { PAUSE_IMAGE } from './images.js';
import { cniFolder, findCommand } from './requirements.js';

/** What the files of a machine depend on. */
export interface MachineSettings {
  readonly name: string;
  /** Counts from 0. */
  readonly index: number;
  readonly address: Addresses;
  /** Certificate of the authority whose client certificates the kubelet accepts. */
  readonly caFile: string;
  /** Serving certificate of the kubelet. */
  readonly serving: { readonly cert: string; readonly key: string };
  readonly kubeProxyKubeconfig: string;
  /** Control group, relative to the root, below which the kubelet makes those of pods. */
  readonly cgroup: string;
}

/** Kernel settings that the kubelet would change for the whole machine: it finds these values and leaves the real ones alone. */
const KUBELET_TUNABLES: Readonly<Record<string, number>> = {
  'vm/overcommit_memory': 1,
  'vm/panic_on_oom': 0,
  'kernel/panic': 10,
  'kernel/panic_on_oops': 1,
  'kernel/keys/root_maxkeys': 1_000_000,
  'kernel/keys/root_maxbytes': 25_000_000,
};

/** Sockets and small state of programs; a file system in memory that only the machine sees. */
export const CONTAINERD_SOCKET = '/run/containerd/containerd.sock';

/** Configuration of one machine. All of it is in its folder, which the programs inside find at the same path. */
export class MachineFiles {
  /** @param dir on a disk: images, volumes and logs go there */
  constructor(public readonly dir: string, private readonly settings: MachineSettings) {}

  public get init(): string {
    return join(this.dir, 'init.sh');
  }

  /** Appears when the machine is ready for programs. */
  public get started(): string {
    return join(this.dir, 'started');
  }

  public get containerdConfig(): string {
    return join(this.dir, 'containerd.toml');
  }

  public get kubeletConfig(): string {
    return join(this.dir, 'kubelet.json');
  }

  public get kubeProxyConfig(): string {
    return join(this.dir, 'kube-proxy.json');
  }

  public get kubeletRoot(): string {
    return join(this.dir, 'kubelet');
  }

  /** Where the provisioner puts volumes. */
  public get volumes(): string {
    return join(this.dir, 'volumes');
  }

  private get resolvConf(): string {
    return join(this.dir, 'resolv.conf');
  }

  private get runscConfig(): string {
    return join(this.dir, 'runsc.toml');
  }

  private get runscWrapper(): string {
    return join(this.dir, 'runsc');
  }

  private get cniDir(): string {
    return join(this.dir, 'cni');
  }

  /** Writes all files. */
  public async write(): Promise<void> {
    for (const folder of [this.kubeletRoot, this.volumes, this.cniDir, join(this.dir, 'empty'), join(this.dir, 'tunables'), join(this.dir, 'shims')]) {
      await mkdir(folder, { recursive: true });
    }
    // The provisioner makes folders that any user writes to; those above must let them through.
    await chmod(this.dir, 0o711);
    for (const [name, value] of Object.entries(KUBELET_TUNABLES)) {
      await writeFile(this.tunable(name), `${value}\n`);
    }
    // Without a name server every lookup fails at once. Pods ask CoreDNS, which needs none.
    await writeFile(this.resolvConf, '# no way out\n');
    await writeFile(this.init, this.initText());
    await writeFile(this.containerdConfig, this.containerd());
    await writeFile(this.runscConfig, this.runsc());
    await writeFile(this.runscWrapper, this.runscWrapperText(), { mode: 0o755 });
    await writeFile(join(this.cniDir, '10-testbed.conflist'), JSON.stringify(this.cni()));
    await writeFile(this.kubeletConfig, stringify(this.kubelet()));
    await writeFile(this.kubeProxyConfig, stringify(this.kubeProxy()));
  }

  private tunable(name: string): string {
    return join(this.dir, 'tunables', name.replaceAll('/', '_'));
  }

  /** The first process of the machine: it makes the mounts, collects orphans, and ends with all processes when it is killed. */
  private initText(): string {
    return [
      '#!/bin/sh',
      'set -e',
      // Nothing reaches the mounts of the host, and pods get what is mounted later.
      'mount --make-rprivate /',
      'mount -t tmpfs -o mode=755 tmpfs /run',
      'mkdir -p /run/lock /run/var /run/var-work',
      // What programs insist on writing below /var stays in memory.
      'mount -t overlay -o lowerdir=/var,upperdir=/run/var,workdir=/run/var-work overlay /var',
      'mkdir -p /var/lib/kubelet /var/lib/cni /var/log/containers',
      `mount --bind ${this.resolvConf} /etc/resolv.conf`,
      ...Object.keys(KUBELET_TUNABLES).map(name => `[ ! -e /proc/sys/${name} ] || mount --bind ${this.tunable(name)} /proc/sys/${name}`),
      'mount --make-rshared /',
      `hostname ${this.settings.name}`,
      `echo > ${this.started}`,
      'trap "exit 0" TERM',
      // dash collects orphans whenever it waits.
      'while :; do sleep 3600 & wait $!; done',
      '',
    ].join('\n');
  }

  private containerd(): string {
    const plugin = (name: string) => `plugins."io.containerd.grpc.v1.cri"${name}`;
    return `version = 2
root = "${join(this.dir, 'containerd')}"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "${CONTAINERD_SOCKET}"
[${plugin('')}]
  sandbox_image = "${PAUSE_IMAGE}"
  # Not every root may lower an OOM score.
  restrict_oom_score_adj = true
  disable_hugetlb_controller = true
  tolerate_missing_hugetlb_controller = true
  enable_unprivileged_ports = true
  disable_tcp_service = true
  stream_server_address = "127.0.0.1"
  [${plugin('.cni')}]
    bin_dir = "${cniFolder()}"
    conf_dir = "${this.cniDir}"
  [${plugin('.containerd')}]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [${plugin('.containerd.runtimes.runc')}]
      runtime_type = "io.containerd.runc.v2"
      [${plugin('.containerd.runtimes.runc.options')}]
        BinaryName = "${findCommand('runc')}"
        SystemdCgroup = false
    [${plugin('.containerd.runtimes.runsc')}]
      runtime_type = "io.containerd.runsc.v1"
      pod_annotations = ["dev.gvisor.*"]
      [${plugin('.containerd.runtimes.runsc.options')}]
        TypeUrl = "io.containerd.runsc.v1.options"
        ConfigPath = "${this.runscConfig}"
`;
  }

  private runsc(): string {
    return `log_path = "${join(this.dir, 'shims', '%ID%.log')}"
binary_name = "${this.runscWrapper}"
[runsc_config]
  # The platform that needs neither KVM nor a newer release.
  platform = "ptrace"
  network = "sandbox"
  # It knows cgroups v2 only in newer releases, and the hybrid layout in none.
  ignore-cgroups = "true"
`;
  }

  /**
   * Releases before 2023 take a file that newer kernels have in every network namespace for the sign of the host's, and refuse
   * to start there: the command that looks for it does not find it.
   */
  private runscWrapperText(): string {
    const runsc = findCommand('runsc');
    return `#!/bin/sh
for argument in "$@"; do
  if [ "$argument" = start ]; then
    exec unshare --mount --propagation slave sh -c 'mount --bind ${join(this.dir, 'empty')} /proc/sys/net && exec ${runsc} "$@"' runsc "$@"
  fi
done
exec ${runsc} "$@"
`;
  }

  private cni(): object {
    return {
      cniVersion: '0.4.0',
      name: 'testbed',
      plugins: [
        {
          type: 'bridge', bridge: 'cni0', isGateway: true, hairpinMode: true,
          // Outside hosts see the address of the pod, so that tests can identify the source.
          ipMasq: false,
          ipam: {
            type: 'host-local', dataDir: '/run/cni-ipam',
            ranges: [[{ subnet: nodePodCidr(this.settings.index) }]],
            routes: [{ dst: '0.0.0.0/0' }],
          },
        },
        { type: 'portmap', capabilities: { portMappings: true } },
      ],
    };
  }

  private kubelet(): object {
    const { caFile, serving, cgroup } = this.settings;
    return {
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      kind: 'KubeletConfiguration',
      containerRuntimeEndpoint: `unix://${CONTAINERD_SOCKET}`,
      authentication: { anonymous: { enabled: false }, webhook: { enabled: true }, x509: { clientCAFile: caFile } },
      authorization: { mode: 'Webhook' },
      tlsCertFile: serving.cert,
      tlsPrivateKeyFile: serving.key,
      clusterDNS: [DNS_ADDRESS],
      clusterDomain: 'cluster.local',
      resolvConf: this.resolvConf,
      readOnlyPort: 0,
      podLogsDir: join(this.dir, 'logs'),
      volumePluginDir: join(this.dir, 'volume-plugins'),
      // The node is a guest on this machine: it accepts swap and cgroup v1, lowers no OOM score, and evicts no Pod for a full disk.
      failSwapOn: false,
      failCgroupV1: false,
      cgroupDriver: 'cgroupfs',
      cgroupRoot: `/${cgroup}`,
      oomScoreAdj: 0,
      evictionHard: { 'memory.available': '0%', 'nodefs.available': '0%', 'imagefs.available': '0%', 'nodefs.inodesFree': '0%' },
      imageGCHighThresholdPercent: 100,
      imageGCLowThresholdPercent: 99,
      // A fork bomb ends here.
      podPidsLimit: 1024,
      // What tests wait for comes soon.
      serializeImagePulls: false,
      registryPullQPS: 0,
      eventRecordQPS: 0,
      kubeAPIQPS: 100,
      kubeAPIBurst: 200,
      nodeStatusUpdateFrequency: '5s',
      syncFrequency: '10s',
    };
  }

  private kubeProxy(): object {
    return {
      apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
      kind: 'KubeProxyConfiguration',
      mode: 'nftables',
      clusterCIDR: POD_CIDR,
      hostnameOverride: this.settings.name,
      clientConnection: { kubeconfig: this.settings.kubeProxyKubeconfig },
      healthzBindAddress: '127.0.0.1:10256',
      metricsBindAddress: '127.0.0.1:10249',
      // These are settings of the kernel, not of the namespace.
      conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
      nftables: { minSyncPeriod: '100ms', syncPeriod: '10s' },
    };
  }
}

/** Where programs inside of the network find the API server. */
export const INTERNAL_SERVER = `https://${CONTROL_PLANE_ADDRESS.v4}:${API_SERVER_PORT}`;
