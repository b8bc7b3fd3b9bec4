import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where Debian installs programs that only root uses; a user's PATH may lack these folders. */
const ADMIN_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** Folder of the CNI plugins: Debian's, then the one of most other distributions. */
const CNI_FOLDERS = ['/usr/lib/cni', '/opt/cni/bin'];

/** Commands of the machine that nodes are made of, with the Debian package of each. */
export const COMMANDS = {
  containerd: 'containerd',
  ctr: 'containerd',
  runc: 'runc',
  runsc: 'runsc',
  iptables: 'iptables',
  ipset: 'ipset',
  nft: 'nftables',
  conntrack: 'conntrack',
  socat: 'socat',
  ip: 'iproute2',
  busybox: 'busybox-static',
  nsenter: 'util-linux',
  unshare: 'util-linux',
  setpriv: 'util-linux',
} as const;

export type MachineCommand = keyof typeof COMMANDS;

/** PATH of everything in a node. */
export function machinePath(env: NodeJS.ProcessEnv = process.env): string {
  return [...new Set([...(env.PATH ?? '').split(delimiter), ...ADMIN_FOLDERS])].filter(Boolean).join(delimiter);
}

/** Path of a command, undefined if the machine has none. */
export function findCommand(name: MachineCommand, env: NodeJS.ProcessEnv = process.env): string | undefined {
  return machinePath(env).split(delimiter).map(folder => join(folder, name)).find(isExecutable);
}

/** Folder of the CNI plugins, undefined if there is none. */
export function cniFolder(): string | undefined {
  return CNI_FOLDERS.find(folder => existsSync(join(folder, 'bridge')));
}

/** Folder of the control groups, for version 1 of one of its controllers. */
const CGROUPS = ['/sys/fs/cgroup', '/sys/fs/cgroup/pids'];

/** What a node does with the kernel, in namespaces that end with the command. */
const KERNEL_PROBE = [
  'mount -t tmpfs none /mnt', 'ip link add probe0 type bridge', 'iptables -w -t nat -S >/dev/null', 'ipset create probe hash:ip',
].map(command => `${command} || { echo "it does not allow: ${command.split(' >')[0]}" >&2; exit 1; }`).join('\n');

/** What this machine lacks for a real node, as one line that says what to do; undefined if nothing. */
export function missingForNode(env: NodeJS.ProcessEnv = process.env): string | undefined {
  if (process.platform !== 'linux') {
    return `a real node needs Linux, and this is ${process.platform}`;
  }
  const packages = new Set<string>((Object.keys(COMMANDS) as MachineCommand[]).filter(name => !findCommand(name, env)).map(name => COMMANDS[name]));
  if (!cniFolder()) {
    packages.add('containernetworking-plugins');
  }
  if (packages.size > 0) {
    return `a real node needs packages that this machine lacks: apt-get install ${[...packages].join(' ')}`;
  }
  if (process.getuid?.() !== 0) {
    return 'a real node needs root: it makes namespaces, mounts and cgroups';
  }
  return refusalOfKernel(env);
}

/** By the PATH that the commands were looked up in: each is asked once per process. */
const refusals = new Map<string, string | undefined>();

/** Root in a container may do less than root: what the kernel refuses here. */
function refusalOfKernel(env: NodeJS.ProcessEnv): string | undefined {
  const commands = machinePath(env);
  if (!refusals.has(commands)) {
    refusals.set(commands, probeNamespaces(env) ?? probeCgroups());
  }
  const refusal = refusals.get(commands);
  return refusal && `a real node needs root that may make namespaces, mounts, interfaces, sets of addresses and cgroups; on this machine ${refusal}`;
}

function probeNamespaces(env: NodeJS.ProcessEnv): string | undefined {
  const { status, stderr, error } = spawnSync('unshare', ['--mount', '--net', '--pid', '--fork', '--', 'sh', '-c', KERNEL_PROBE], {
    env: { ...env, PATH: machinePath(env) }, encoding: 'utf8',
  });
  return status === 0 ? undefined : stderr?.trim().split('\n').join('; ') || String(error ?? `unshare ended with ${status}`);
}

function probeCgroups(): string | undefined {
  const parent = CGROUPS.filter(folder => existsSync(folder)).pop();
  const folder = join(parent ?? CGROUPS[0], `agent-sandbox-probe-${process.pid}`);
  try {
    mkdirSync(folder);
    rmdirSync(folder);
    return undefined;
  } catch (error) {
    return `no cgroup can be made: ${(error as Error).message}`;
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
