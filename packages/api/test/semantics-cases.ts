import type { Sandbox } from '../src/index.js';

/* Cases that every reader of the API must agree on: each of them has a test that goes through these tables. */

type Spec = Pick<Sandbox['spec'], 'operatingMode' | 'replicas'>;

/** Fields of a spec, and whether the Sandbox is meant to run. */
export const RUNNING_CASES: readonly (readonly [Spec, boolean])[] = [
  [{}, true],
  [{ operatingMode: 'Running' }, true],
  [{ replicas: 1 }, true],
  [{ operatingMode: 'Running', replicas: 1 }, true],
  [{ operatingMode: 'Suspended' }, false],
  [{ replicas: 0 }, false],
  [{ operatingMode: 'Running', replicas: 0 }, false],
  [{ operatingMode: 'Suspended', replicas: 1 }, false],
];

/** The annotation `agents.x-k8s.io/pod-name` of the Sandbox `box`, and the name of its Pod. */
export const POD_NAME_CASES: readonly (readonly [string | undefined, string])[] = [[undefined, 'box'], ['', 'box'], ['box', 'box'], ['python-x7k2p', 'python-x7k2p']];

/** Annotation keys, and whether a claim may add them to Pods. */
export const CLAIM_ANNOTATION_CASES: readonly (readonly [string, boolean])[] = [
  ['team', true],
  ['example.com/team', true],
  ['notkubernetes.io/team', true],
  ['kubernetes.io/team', false],
  ['seccomp.security.alpha.kubernetes.io/pod', false],
  ['k8s.io/team', false],
  ['agents.x-k8s.io/team', false],
  ['extensions.agents.x-k8s.io/team', false],
  ['cluster-autoscaler.kubernetes.io/safe-to-evict', true],
];

/** Values of the label `agents.x-k8s.io/created-by`, and how programs count them. */
export const CREATOR_CASES: readonly (readonly [string, string])[] = [
  ['go-client', 'go-client'], ['python-client', 'python-client'], ['typescript-client', 'typescript-client'], ['controller', 'controller'],
  ['unknown', 'unknown'], ['evil', 'unknown'], ['Go-Client', 'unknown'],
];

/** Addresses that lead neither to a Pod nor to the public internet. Among them are all metadata servers of clouds. */
export const FORBIDDEN_ADDRESSES: readonly string[] = [
  '0.0.0.0', '127.0.0.1', '169.254.169.254', '169.254.170.2', '169.254.170.23', '169.254.0.23', '169.254.42.42', '100.100.100.200', '168.63.129.16',
  '192.0.0.192', '224.0.0.1', '255.255.255.255', '::', '::1', '::7f00:1', '64:ff9b::a9fe:a9fe', '2002:a9fe:a9fe::', 'fe80::1', 'fe80::a9fe:a9fe',
  'fd00:ec2::254', 'fd00:ec2::23', 'fd20:ce::254', 'fd00:42::42', 'fd00:a9fe:a9fe::1', 'ff02::1',
];

/** Addresses that Pods can have and that are not public. */
export const POD_ADDRESSES: readonly string[] = ['10.0.0.5', '100.64.0.1', '172.16.0.1', '192.168.1.1', '198.18.0.1', '240.0.0.1', 'fd12::1'];

/** Addresses of the public internet. */
export const PUBLIC_ADDRESSES: readonly string[] = ['1.1.1.1', '8.8.8.8', '100.128.0.1', '172.32.0.1', '2606:4700:4700::1111', '2001:4860:4860::8888'];
