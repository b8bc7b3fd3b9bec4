import type { Binaries } from '../binaries.js';
import type { StaticImage } from './archive.js';
import { findCommand } from './requirements.js';

/** What holds the namespaces of a pod: a program that waits. */
export const PAUSE_IMAGE = 'testbed.local/pause:1';

/** busybox as `/bin/sh` with its commands, and `/bin/probe` (see `testbed/go/node/probe`). For pods of tests. */
export const TOOLS_IMAGE = 'testbed.local/tools:1';

export const COREDNS_IMAGE = 'testbed.local/coredns:1';

/** Commands of busybox that scripts in pods use. */
const BUSYBOX_COMMANDS = [
  'sh', 'cat', 'chmod', 'cp', 'date', 'dd', 'df', 'dmesg', 'echo', 'env', 'false', 'grep', 'head', 'id', 'kill', 'ls', 'mkdir', 'mv', 'nc', 'nslookup', 'ps',
  'rm', 'sed', 'sleep', 'sync', 'tail', 'test', 'timeout', 'touch', 'true', 'uname', 'usleep', 'wc', 'wget', 'vi',
];

const PASSWD = 'root:x:0:0:root:/:/bin/sh\nuser:x:1000:1000:user:/tmp:/bin/sh\n';
const PATH = 'PATH=/bin';

/** The images that every node has. */
export function nodeImages(binaries: Binaries): StaticImage[] {
  const busybox = findCommand('busybox')!;
  return [
    {
      name: PAUSE_IMAGE,
      programs: { '/bin/busybox': busybox },
      // The runtime kills it with SIGKILL, so it needs no signal handler; the longest time that fits means no end.
      config: { Entrypoint: ['/bin/busybox', 'sleep', '2147483647'], User: '65535:65535' },
    },
    {
      name: TOOLS_IMAGE,
      programs: {
        ...Object.fromEntries(['busybox', ...BUSYBOX_COMMANDS].map(name => [`/bin/${name}`, busybox])),
        '/bin/probe': binaries.find('probe')!,
      },
      texts: { '/etc/passwd': PASSWD, '/etc/group': 'root:x:0:\nuser:x:1000:\n' },
      config: { Env: [PATH], Cmd: ['/bin/sh'], WorkingDir: '/tmp', User: '1000:1000' },
    },
    {
      name: COREDNS_IMAGE,
      programs: { '/bin/coredns': binaries.find('coredns')! },
      config: { Entrypoint: ['/bin/coredns'], User: '65532:65532' },
    },
  ];
}
