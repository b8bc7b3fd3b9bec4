import type { ApiClient, KubeObject } from './api-client.js';

/** Nodes without machines: kwok plays their kubelet. */
export interface FakeNodeOptions {
  readonly count: number;
  /** Names are this and a number from 0. @default fake */
  readonly namePrefix?: string;
  /** What pods may ask for together. @default 64 */
  readonly cpu?: string;
  /** @default 256Gi */
  readonly memory?: string;
  /** Pods per node. @default 5000 */
  readonly pods?: number;
  /** @default - hostname, operating system and architecture */
  readonly labels?: Readonly<Record<string, string>>;
  /** @default - none */
  readonly taints?: readonly { readonly key: string; readonly value?: string; readonly effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute' }[];
}

/** Creates the nodes; kwok makes them Ready. */
export async function createFakeNodes(client: ApiClient, options: FakeNodeOptions): Promise<string[]> {
  if (!Number.isInteger(options.count) || options.count < 1) {
    throw new Error(`the number of fake nodes must be a positive integer, got ${options.count}`);
  }
  const names = Array.from({ length: options.count }, (_, index) => `${options.namePrefix ?? 'fake'}-${index}`);
  await Promise.all(names.map(name => client.create(fakeNode(name, options))));
  return names;
}

/** Whether pods can be scheduled to the node: it is Ready and the taint of new nodes is gone. */
export function takesPods(node: KubeObject): boolean {
  const ready = (node.status?.conditions ?? []).some((condition: any) => condition.type === 'Ready' && condition.status === 'True');
  return ready && !(node.spec?.taints ?? []).some((taint: any) => taint.key === 'node.kubernetes.io/not-ready');
}

function fakeNode(name: string, options: FakeNodeOptions): KubeObject {
  const resources = { 'cpu': options.cpu ?? '64', 'memory': options.memory ?? '256Gi', 'pods': String(options.pods ?? 5000), 'ephemeral-storage': '1Ti' };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      annotations: { 'kwok.x-k8s.io/node': 'fake' },
      labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': 'amd64', ...options.labels },
    },
    spec: { taints: options.taints },
    status: {
      capacity: resources,
      allocatable: resources,
      nodeInfo: {
        architecture: 'amd64', operatingSystem: 'linux', kubeletVersion: 'fake', kubeProxyVersion: '', containerRuntimeVersion: 'fake', osImage: '',
        kernelVersion: '', machineID: '', systemUUID: '', bootID: '',
      },
    },
  };
}
