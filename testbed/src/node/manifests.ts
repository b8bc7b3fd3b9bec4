import type { KubeObject } from '../api-client.js';
import { COREDNS_IMAGE, TOOLS_IMAGE } from './images.js';
import { DNS_ADDRESS, OUTSIDE_HOSTS, OUTSIDE_NAMES } from './network.js';

/** Runtime class of gVisor. */
export const GVISOR_CLASS = 'gvisor';

/** A runtime class whose handler no node has: what happens to pods that name it? */
export const MISSING_HANDLER_CLASS = 'missing-handler';

/** Class of volumes that a pod's first use makes, below the folder of its node; it is the default. */
export const STORAGE_CLASS = 'standard';

/** Namespace of the pods that make and remove volumes. */
export const PROVISIONER_NAMESPACE = 'local-path-storage';

const PROVISIONER_ACCOUNT = 'local-path-provisioner-service-account';

/** Folder for volumes of each node. */
export type Volumes = Readonly<Record<string, string>>;

/** What every cluster has before its users come: DNS, volumes, runtime classes. */
export function baseManifests(volumes: Volumes): KubeObject[] {
  return [...coreDns(), ...provisioner(volumes), ...runtimeClasses()];
}

/** The pod that the provisioner runs on a node to make and remove a folder. */
export const HELPER_POD: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'helper-pod' },
  spec: { containers: [{ name: 'helper-pod', image: TOOLS_IMAGE, imagePullPolicy: 'Never', securityContext: { runAsUser: 0 } }] },
};

export function provisionerConfig(volumes: Volumes): object {
  return { nodePathMap: Object.entries(volumes).map(([node, path]) => ({ node, paths: [path] })) };
}

function runtimeClasses(): KubeObject[] {
  const runtimeClass = (name: string, handler: string) => ({ apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', metadata: { name }, handler });
  return [runtimeClass(GVISOR_CLASS, 'runsc'), runtimeClass(MISSING_HANDLER_CLASS, 'no-such-handler')];
}

function coreDns(): KubeObject[] {
  const metadata = { name: 'coredns', namespace: 'kube-system' };
  const labels = { 'k8s-app': 'kube-dns' };
  const hosts = Object.entries(OUTSIDE_NAMES).map(([name, host]) => `        ${OUTSIDE_HOSTS[host]} ${name}`);
  const corefile = `.:53 {
    errors
    health :8080
    ready :8181
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 5
    }
    hosts {
${hosts.join('\n')}
        fallthrough
    }
    cache 5
}
`;
  const rbac = 'rbac.authorization.k8s.io';
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    {
      apiVersion: `${rbac}/v1`, kind: 'ClusterRole', metadata: { name: 'system:coredns' },
      rules: [
        { apiGroups: [''], resources: ['endpoints', 'services', 'pods', 'namespaces'], verbs: ['list', 'watch'] },
        { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
      ],
    },
    {
      apiVersion: `${rbac}/v1`, kind: 'ClusterRoleBinding', metadata: { name: 'system:coredns' },
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'system:coredns' },
      subjects: [{ kind: 'ServiceAccount', ...metadata }],
    },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { Corefile: corefile } },
    {
      apiVersion: 'apps/v1', kind: 'Deployment', metadata: { ...metadata, labels },
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            serviceAccountName: 'coredns',
            dnsPolicy: 'Default',
            tolerations: [{ operator: 'Exists' }],
            containers: [{
              name: 'coredns', image: COREDNS_IMAGE, imagePullPolicy: 'Never', args: ['-conf', '/etc/coredns/Corefile'],
              readinessProbe: { httpGet: { path: '/ready', port: 8181 }, periodSeconds: 1 },
              volumeMounts: [{ name: 'config', mountPath: '/etc/coredns' }],
            }],
            volumes: [{ name: 'config', configMap: { name: 'coredns' } }],
          },
        },
      },
    },
    {
      apiVersion: 'v1', kind: 'Service', metadata: { name: 'kube-dns', namespace: 'kube-system', labels },
      spec: {
        clusterIP: DNS_ADDRESS,
        selector: labels,
        ports: [{ name: 'dns', port: 53, protocol: 'UDP' }, { name: 'dns-tcp', port: 53, protocol: 'TCP' }],
      },
    },
  ];
}

function provisioner(volumes: Volumes): KubeObject[] {
  const namespace = PROVISIONER_NAMESPACE;
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: PROVISIONER_ACCOUNT, namespace } },
    {
      apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'local-path-config', namespace },
      data: {
        'config.json': JSON.stringify(provisionerConfig(volumes)),
        'setup': '#!/bin/sh\nset -eu\nmkdir -m 0777 -p "$VOL_DIR"\n',
        'teardown': '#!/bin/sh\nset -eu\nrm -rf "$VOL_DIR"\n',
        'helperPod.yaml': JSON.stringify(HELPER_POD),
      },
    },
    {
      apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass',
      metadata: { name: STORAGE_CLASS, annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
      provisioner: 'rancher.io/local-path',
      volumeBindingMode: 'WaitForFirstConsumer',
      reclaimPolicy: 'Delete',
    },
  ];
}
