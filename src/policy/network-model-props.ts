import type { ClusterDns } from '../network';

/** When a network plugin looks at a connection to the address of a Service. */
export enum ServiceTranslation {
  /** Rules see the address and the port of the Service. */
  BEFORE = 'before',

  /** Rules see the Pod behind the Service, and the port that the Pod listens on. */
  AFTER = 'after',
}

/** Facts about the cluster that manifests do not hold. */
export interface NetworkModelProps {
  /**
   * Ranges from which Pods get their addresses, in CIDR notation. Rules with an `ipBlock` can match Pods.
   *
   * @default - any special range in which Pods can be: private, shared, benchmarking, documentation, reserved and unique local ones
   */
  readonly podCidrs?: string[];

  /**
   * Ranges that hold the addresses of nodes, in CIDR notation.
   *
   * @default - any address
   */
  readonly nodeCidrs?: string[];

  /**
   * Ranges that hold the addresses of API servers, in CIDR notation. Most network plugins match the address of the server itself,
   * not that of the Service `kubernetes`.
   *
   * @default - any address
   */
  readonly apiServerCidrs?: string[];

  /**
   * Port of API servers: 1 to 65535.
   *
   * @default 6443
   */
  readonly apiServerPort?: number;

  /**
   * The name servers of the cluster.
   *
   * @default ClusterDns.kubeDns()
   */
  readonly dns?: ClusterDns;

  /**
   * Ranges from which Services get their addresses, in CIDR notation.
   *
   * @default - any special range in which Pods can be
   */
  readonly serviceCidrs?: string[];

  /**
   * Whether the network plugin looks at connections to Services before or after the address of the Service is translated to that of a Pod.
   *
   * @default ServiceTranslation.AFTER
   */
  readonly serviceTranslation?: ServiceTranslation;

  /**
   * Whether the network plugin lets Pods connect to nodes whatever policies say.
   *
   * @default false
   */
  readonly nodesAllowed?: boolean;

  /**
   * How many ports of one protocol the network plugin takes in one rule. Of a rule with more, the answers are `UNKNOWN`. Some plugins of
   * clouds take 24.
   *
   * @default - any number
   */
  readonly maxPortsPerRule?: number;
}
