import { join } from 'node:path';

/** The processes of a control plane. */
export type ComponentName = 'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler' | 'kwok';

/** The components that a control plane can do without. */
export type OptionalComponent = 'kube-controller-manager' | 'kube-scheduler';

/** How much the audit log holds of each request. */
export type AuditLevel = 'Metadata' | 'Request' | 'RequestResponse';

/** Addresses of Services and of pods on fake nodes; nothing listens there. */
const SERVICE_CIDR = '10.96.0.0/16';

const LOOPBACK = '127.0.0.1';

/** What the command lines depend on. */
export interface ComponentSettings {
  readonly dir: string;
  readonly port: number;
  readonly auditLevel?: AuditLevel;
  readonly featureGates: Readonly<Record<string, boolean>>;
  readonly ownerReferencesPermissionEnforcement: boolean;
  readonly extraArgs: Partial<Record<ComponentName, readonly string[]>>;
  /** The network that the control plane has for itself. @default - it shares the loopback interface with this machine */
  readonly network?: ClusterNetwork;
}

/** A network with pods in it. */
export interface ClusterNetwork {
  /** IPv4 address of the API server. */
  readonly address: string;
  /** Range of Services. */
  readonly serviceCidr: string;
}

/** Files of a work folder. Every component gets what it needs by path. */
export class WorkFiles {
  constructor(public readonly dir: string) {}

  /** Certificate and key files of a name. */
  public pair(name: string): { cert: string; key: string } {
    return { cert: this.pki(`${name}.crt`), key: this.pki(`${name}.key`) };
  }

  public pki(name: string): string {
    return join(this.dir, 'pki', name);
  }

  public get kubeconfigs(): string {
    return join(this.dir, 'kubeconfigs');
  }

  public kubeconfig(component: string): string {
    return join(this.kubeconfigs, `${component}.yaml`);
  }

  public get auditLog(): string {
    return join(this.dir, 'audit.log');
  }

  public get auditPolicy(): string {
    return join(this.dir, 'audit-policy.yaml');
  }

  public get stages(): string {
    return join(this.dir, 'stages.yaml');
  }

  public log(component: string): string {
    return join(this.dir, `${component}.log`);
  }

  /** What a second process needs to know to use the control plane. */
  public get description(): string {
    return join(this.dir, 'control-plane.json');
  }
}

/** Audit policy that notes every request once, when it was answered. */
export function auditPolicy(level: AuditLevel): object {
  return { apiVersion: 'audit.k8s.io/v1', kind: 'Policy', omitStages: ['RequestReceived'], rules: [{ level }] };
}

/** Command line of a component, without the program itself. */
export function commandLineOf(component: ComponentName, settings: ComponentSettings): string[] {
  const files = new WorkFiles(settings.dir);
  return [...BUILDERS[component](settings, files), ...(settings.extraArgs[component] ?? [])];
}

const BUILDERS: Record<ComponentName, (settings: ComponentSettings, files: WorkFiles) => string[]> = {
  'etcd': etcd,
  'kube-apiserver': apiServer,
  'kube-controller-manager': controllerManager,
  'kube-scheduler': scheduler,
  'kwok': kwok,
};

/** Sockets in the work folder instead of ports: no other user can reach them, and control planes do not collide. */
export const ETCD_SOCKET = 'client:0';
const ETCD_PEER_SOCKET = 'peer:0';

function etcd({ dir }: ComponentSettings): string[] {
  return [
    `--data-dir=${join(dir, 'etcd')}`,
    // etcd wants host:port also for sockets and makes a file of that name in its working folder, which is `dir`.
    `--listen-client-urls=unix://${ETCD_SOCKET}`,
    `--advertise-client-urls=unix://${ETCD_SOCKET}`,
    `--listen-peer-urls=unix://${ETCD_PEER_SOCKET}`,
    `--initial-advertise-peer-urls=unix://${ETCD_PEER_SOCKET}`,
    `--initial-cluster=default=unix://${ETCD_PEER_SOCKET}`,
    // The data does not outlive the control plane, so nothing has to reach a disk.
    '--unsafe-no-fsync',
    '--log-level=warn',
  ];
}

function apiServer(settings: ComponentSettings, files: WorkFiles): string[] {
  const serving = files.pair('kube-apiserver');
  const proxy = files.pair('front-proxy-client');
  const kubeletClient = files.pair('kubelet-client');
  const { network } = settings;
  const admission = [
    ...(settings.ownerReferencesPermissionEnforcement ? ['OwnerReferencesPermissionEnforcement'] : []),
    ...(network ? ['NodeRestriction'] : []),
  ];
  return [
    `--etcd-servers=unix://${join(settings.dir, ETCD_SOCKET)}`,
    `--bind-address=${network?.address ?? LOOPBACK}`,
    // Otherwise it looks for an address of another interface, which a machine or container without network does not have.
    `--advertise-address=${network?.address ?? LOOPBACK}`,
    `--secure-port=${settings.port}`,
    `--tls-cert-file=${serving.cert}`,
    `--tls-private-key-file=${serving.key}`,
    `--client-ca-file=${files.pair('ca').cert}`,
    '--authorization-mode=Node,RBAC',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${files.pki('tokens.pub')}`,
    `--service-account-signing-key-file=${files.pki('tokens.key')}`,
    `--service-cluster-ip-range=${network?.serviceCidr ?? SERVICE_CIDR}`,
    '--allow-privileged=true',
    ...(network ? [
      `--kubelet-certificate-authority=${files.pair('ca').cert}`,
      `--kubelet-client-certificate=${kubeletClient.cert}`,
      `--kubelet-client-key=${kubeletClient.key}`,
      '--kubelet-preferred-address-types=InternalIP',
    ] : [
      // It would write the address of the server into the Service `kubernetes`, where a loopback address is refused.
      '--endpoint-reconciler-type=none',
    ]),
    `--requestheader-client-ca-file=${files.pair('front-proxy-ca').cert}`,
    '--requestheader-allowed-names=front-proxy-client',
    '--requestheader-username-headers=X-Remote-User',
    '--requestheader-group-headers=X-Remote-Group',
    '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    `--proxy-client-cert-file=${proxy.cert}`,
    `--proxy-client-key-file=${proxy.key}`,
    ...(admission.length > 0 ? [`--enable-admission-plugins=${admission.join(',')}`] : []),
    ...(settings.auditLevel ? [
      `--audit-policy-file=${files.auditPolicy}`,
      `--audit-log-path=${files.auditLog}`,
      // Megabytes. Without it the log starts anew after 100, and counts with it.
      '--audit-log-maxsize=4096',
    ] : []),
    ...featureGates(settings),
  ];
}

function controllerManager(settings: ComponentSettings, files: WorkFiles): string[] {
  return [
    `--kubeconfig=${files.kubeconfig('kube-controller-manager')}`,
    `--service-account-private-key-file=${files.pki('tokens.key')}`,
    `--root-ca-file=${files.pair('ca').cert}`,
    '--use-service-account-credentials=true',
    '--leader-elect=false',
    '--secure-port=0',
    // Its default of 20 requests a second would be what tests measure.
    '--kube-api-qps=500',
    '--kube-api-burst=1000',
    ...featureGates(settings),
  ];
}

function scheduler(settings: ComponentSettings, files: WorkFiles): string[] {
  return [
    `--kubeconfig=${files.kubeconfig('kube-scheduler')}`,
    '--leader-elect=false',
    '--secure-port=0',
    '--kube-api-qps=500',
    '--kube-api-burst=1000',
    ...featureGates(settings),
  ];
}

function kwok(_settings: ComponentSettings, files: WorkFiles): string[] {
  return [
    `--kubeconfig=${files.kubeconfig('kwok')}`,
    `--config=${files.stages}`,
    '--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake',
    '--node-lease-duration-seconds=40',
    '--cidr=10.244.0.0/16',
    '--node-ip=10.0.0.1',
    '--server-address=',
  ];
}

function featureGates({ featureGates: gates }: ComponentSettings): string[] {
  const entries = Object.entries(gates).map(([name, on]) => `${name}=${on}`);
  return entries.length > 0 ? [`--feature-gates=${entries.join(',')}`] : [];
}
