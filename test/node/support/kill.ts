import type { NodeTestbed } from '../../../testbed/src/jest/index.js';

interface PodName {
  readonly namespace: string;
  readonly name: string;
}

const CTR = ['--namespace', 'k8s.io'];
const TASKS = '/run/containerd/io.containerd.runtime.v2.task/k8s.io';

/** Kills the first container of a Pod with SIGKILL, from the node, without the API server. */
export async function killContainer({ cluster, node }: NodeTestbed, { namespace, name }: PodName): Promise<void> {
  const { status } = await cluster.admin.get({ apiVersion: 'v1', kind: 'Pod', namespace, name });
  const id = status.containerStatuses[0].containerID.replace('containerd://', '');
  await node.exec('ctr', [...CTR, 'task', 'kill', '--signal', 'SIGKILL', id]);
}

/** Kills the shim of a Pod with SIGKILL: the process between containerd and its containers. */
export async function killShim({ cluster, node }: NodeTestbed, { namespace, name }: PodName): Promise<void> {
  const { metadata: { uid } } = await cluster.admin.get({ apiVersion: 'v1', kind: 'Pod', namespace, name });
  const { stdout } = await node.exec('ctr', [...CTR, 'containers', 'ls', '--quiet', `labels."io.kubernetes.pod.uid"==${uid}`]);
  // The shim of a Pod is that of its first container, which holds the namespaces. That of gVisor has left its number there, that of runc has
  // the container in its command line.
  const script = `for id; do
    file=${TASKS}/$id/shim.pid
    [ ! -e "$file" ] || { kill -9 "$(cat "$file")" && echo killed; }
    for process in /proc/[0-9]*; do
      case "$(tr '\\0' ' ' < "$process/cmdline" 2> /dev/null)" in *containerd-shim-runc-v2*" -id $id "*) kill -9 "\${process#/proc/}" && echo killed;; esac
    done
  done; true`;
  const killed = await node.exec('sh', ['-c', script, 'sh', ...stdout.trim().split('\n')]);
  if (!killed.stdout.includes('killed')) {
    throw new Error(`no shim of ${namespace}/${name} is running`);
  }
}
