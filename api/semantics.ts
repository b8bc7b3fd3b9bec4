import { ANNOTATION, CREATED_BY, ROUTER } from './vocabulary';

/* What the fields and keys of the API mean, for every program and construct that reads them. */

/** The part of a Sandbox that the functions here read. */
export interface SandboxLike {
  readonly metadata?: { readonly name?: string; readonly annotations?: { readonly [key: string]: string } };
  readonly spec?: { readonly operatingMode?: string; readonly replicas?: number };
}

/**
 * Whether a Sandbox is meant to run: neither `operatingMode` nor `replicas` says no. An absent field says yes, because objects
 * that were stored as `v1alpha1` have no `operatingMode`.
 */
export function isMeantToRun({ spec }: Pick<SandboxLike, 'spec'>): boolean {
  return spec?.operatingMode !== 'Suspended' && spec?.replicas !== 0;
}

/** The fields that resume a Sandbox. Both at once: the API refuses a write that leaves one of them saying no. */
export const RUNNING = { operatingMode: 'Running', replicas: 1 } as const;

/** The fields that suspend a Sandbox, in the words of both versions. */
export const SUSPENDED = { operatingMode: 'Suspended', replicas: 0 } as const;

/** Name of the Pod of a Sandbox: its annotation `podName`, or the name of the Sandbox if that is absent or empty. */
export function podNameOf({ metadata }: Pick<SandboxLike, 'metadata'>): string {
  return metadata?.annotations?.[ANNOTATION.podName] || (metadata?.name ?? '');
}

/** The value of the label `createdBy` as it may appear on Pods and in metrics: `unknown` for any value that is not in `CREATED_BY`. */
export function knownCreator(value: string): string {
  return (Object.values(CREATED_BY) as string[]).includes(value) ? value : CREATED_BY.unknown;
}

/** Domains under which claims may add labels to Pods, unless the controller is configured with others. */
export const DEFAULT_LABEL_DOMAINS: readonly string[] = ['sandbox.users.io'];

/** Domains under which claims may not add annotations to Pods, because controllers act on them. */
export const RESERVED_ANNOTATION_DOMAINS: readonly string[] = ['kubernetes.io', 'k8s.io', 'agents.x-k8s.io'];

/** The domain of a label or annotation key, in lower case: `example.com` of `example.com/team`; undefined if it has none. */
export function domainOf(key: string): string | undefined {
  const slash = key.indexOf('/');
  return slash < 0 ? undefined : key.slice(0, slash).toLowerCase();
}

/** Whether a domain is `parent` or below it. */
export function isUnder(domain: string, parent: string): boolean {
  return domain === parent || domain.endsWith(`.${parent}`);
}

/** The reserved domain that an annotation key of a claim is under; undefined if a claim may add the annotation to Pods. */
export function reservedAnnotationDomain(key: string): string | undefined {
  const domain = domainOf(key);
  return domain === undefined || key === ANNOTATION.safeToEvict ? undefined : RESERVED_ANNOTATION_DOMAINS.find(reserved => isUnder(domain, reserved));
}

/** A range of addresses that are not on the public internet. */
export interface SpecialRange {
  readonly cidr: string;
  readonly use: string;
  /** Whether Pods can have addresses of the range. */
  readonly pods: boolean;
}

/**
 * Every range that is not the public internet, in ascending order and without overlaps: what the registries of IANA call not globally
 * reachable, what translates to IPv4 addresses, and the address of Azure's platform.
 *
 * @see https://www.iana.org/assignments/iana-ipv4-special-registry
 * @see https://www.iana.org/assignments/iana-ipv6-special-registry
 */
export const SPECIAL_RANGES: readonly SpecialRange[] = [
  { cidr: '0.0.0.0/8', use: 'this host', pods: false },
  { cidr: '10.0.0.0/8', use: 'private', pods: true },
  { cidr: '100.64.0.0/10', use: 'shared', pods: true },
  { cidr: '127.0.0.0/8', use: 'loopback', pods: false },
  { cidr: '168.63.129.16/32', use: 'platform of Azure', pods: false },
  { cidr: '169.254.0.0/16', use: 'link-local', pods: false },
  { cidr: '172.16.0.0/12', use: 'private', pods: true },
  { cidr: '192.0.0.0/24', use: 'protocol assignments', pods: false },
  { cidr: '192.0.2.0/24', use: 'documentation', pods: true },
  { cidr: '192.88.99.0/24', use: '6to4 relay (deprecated)', pods: false },
  { cidr: '192.168.0.0/16', use: 'private', pods: true },
  { cidr: '198.18.0.0/15', use: 'benchmarking', pods: true },
  { cidr: '198.51.100.0/24', use: 'documentation', pods: true },
  { cidr: '203.0.113.0/24', use: 'documentation', pods: true },
  { cidr: '224.0.0.0/4', use: 'multicast', pods: false },
  { cidr: '240.0.0.0/4', use: 'reserved', pods: true },
  { cidr: '::/96', use: 'unspecified, loopback, and IPv4-compatible', pods: false },
  { cidr: '64:ff9b::/96', use: 'NAT64', pods: false },
  { cidr: '64:ff9b:1::/48', use: 'local NAT64', pods: false },
  { cidr: '100::/63', use: 'discard and dummy', pods: false },
  { cidr: '2001::/23', use: 'protocol assignments, Teredo among them', pods: false },
  { cidr: '2001:db8::/32', use: 'documentation', pods: true },
  { cidr: '2002::/16', use: '6to4', pods: false },
  { cidr: '3fff::/20', use: 'documentation', pods: true },
  { cidr: '5f00::/16', use: 'segment routing', pods: false },
  { cidr: 'fc00::/7', use: 'unique local', pods: true },
  { cidr: 'fe80::/10', use: 'link-local', pods: false },
  { cidr: 'fec0::/10', use: 'site-local (deprecated)', pods: true },
  { cidr: 'ff00::/8', use: 'multicast', pods: false },
];

/** CIDRs of the special ranges of one family. */
export const SPECIAL_IPV4: readonly string[] = SPECIAL_RANGES.map(({ cidr }) => cidr).filter(cidr => !cidr.includes(':'));
export const SPECIAL_IPV6: readonly string[] = SPECIAL_RANGES.map(({ cidr }) => cidr).filter(cidr => cidr.includes(':'));

/** The IPv6 addresses that can be public at all: what is outside has not been assigned, or is special. */
export const GLOBAL_UNICAST_IPV6 = '2000::/3';

/** A server from which the workloads of a node get credentials of that node, or of a Pod on it. */
export interface MetadataServer {
  /** Its address with the length of a prefix. */
  readonly cidr: string;
  /** The range to leave out of a wider one, so that the server and its neighbours of the same kind cannot be reached. */
  readonly range: string;
  readonly cloud: string;
}

/** The metadata server that nearly all clouds have. */
export const COMMON_METADATA_SERVER = '169.254.169.254/32';

/** The metadata and credential servers of clouds; of those with the same range, the best known comes first. Each is in a special range. */
export const METADATA_SERVERS: readonly MetadataServer[] = [
  { cidr: '100.100.100.200/32', range: '100.100.100.200/32', cloud: 'Alibaba Cloud' },
  { cidr: '168.63.129.16/32', range: '168.63.129.16/32', cloud: 'Azure (WireServer)' },
  { cidr: COMMON_METADATA_SERVER, range: '169.254.0.0/16', cloud: 'nearly all clouds' },
  { cidr: '169.254.0.23/32', range: '169.254.0.0/16', cloud: 'Tencent Cloud' },
  { cidr: '169.254.42.42/32', range: '169.254.0.0/16', cloud: 'Scaleway' },
  { cidr: '169.254.170.2/32', range: '169.254.0.0/16', cloud: 'AWS (ECS tasks)' },
  { cidr: '169.254.170.23/32', range: '169.254.0.0/16', cloud: 'AWS (EKS Pod Identity)' },
  { cidr: '192.0.0.192/32', range: '192.0.0.192/32', cloud: 'Oracle Cloud (classic)' },
  { cidr: 'fd00:42::42/128', range: 'fd00:42::42/128', cloud: 'Scaleway' },
  { cidr: 'fd00:a9fe:a9fe::1/128', range: 'fd00:a9fe:a9fe::1/128', cloud: 'Linode' },
  { cidr: 'fd00:ec2::254/128', range: 'fd00:ec2::/32', cloud: 'AWS' },
  { cidr: 'fd00:ec2::23/128', range: 'fd00:ec2::/32', cloud: 'AWS (EKS Pod Identity)' },
  { cidr: 'fd20:ce::254/128', range: 'fd20:ce::/32', cloud: 'Google Cloud' },
  { cidr: 'fe80::a9fe:a9fe/128', range: 'fe80::/10', cloud: 'OpenStack' },
];

/** CIDRs in which no Pod can be, whatever its status says: special ranges without Pods, metadata servers, and the broadcast address. */
export const NO_POD_RANGES: readonly string[] = [
  ...SPECIAL_RANGES.filter(({ pods }) => !pods).map(({ cidr }) => cidr), ...METADATA_SERVERS.map(({ cidr }) => cidr), '255.255.255.255/32',
];

/**
 * The rules of the NetworkPolicy that the controller keeps for a template without rules: the router may connect, and every address but
 * private and link-local ones may be connected to. The ranges are those of the original controller, and fewer than `SPECIAL_RANGES`.
 */
export const CONTROLLER_DEFAULT_RULES = {
  ingress: [{
    from: [{
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': ROUTER.namespace } },
      podSelector: { matchLabels: { ...ROUTER.labels } },
    }],
  }],
  egress: [{
    to: [
      { ipBlock: { cidr: '0.0.0.0/0', except: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16'] } },
      { ipBlock: { cidr: '::/0', except: ['fc00::/7', 'fe80::/10'] } },
    ],
  }],
};
