import { accessSync, constants, existsSync } from 'node:fs';
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
  return process.getuid?.() === 0 ? undefined : 'a real node needs root: it makes namespaces, mounts and cgroups';
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
