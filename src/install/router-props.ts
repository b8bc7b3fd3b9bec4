import type { ISecret } from '../objects';
import type { RouterBrowserProps } from './router-browser-props';
import type { RouterFlagProps } from './router-flags.gen';
import type { InstalledProgramProps } from './workload';

/** A Gateway of the Gateway API in front of the router. */
export interface RouterGatewayProps {
  /**
   * GatewayClass of a Gateway that becomes part of the chart.
   *
   * @default - none: the route belongs to an existing Gateway, `name`
   */
  readonly className?: string;

  /**
   * Name of the Gateway.
   *
   * @default 'sandbox-router'
   */
  readonly name?: string;

  /**
   * Namespace of an existing Gateway.
   *
   * @default - the namespace of the chart
   */
  readonly namespace?: string;

  /**
   * Host names that are routed.
   *
   * @default - all
   */
  readonly hostnames?: string[];

  /**
   * Secret with the certificate of a Gateway that is part of the chart; it listens on 443 then, else on 80.
   *
   * @default - none
   */
  readonly tlsSecret?: ISecret;
}

/**
 * The router: reverse proxy in front of sandboxes (HTTP and WebSocket). By default, a caller needs a token of the cluster for
 * the router's audience, and the right `create` on `sandboxes/proxy`.
 */
export interface RouterProps extends InstalledProgramProps, RouterFlagProps {
  /**
   * Secret of the type `kubernetes.io/tls`: the router then also listens on 8443, where it accepts tokens from all hosts.
   *
   * @default - none
   */
  readonly tlsSecret?: ISecret;

  /**
   * Whether tokens of the cluster are accepted (TokenReview and SubjectAccessReview).
   *
   * @default true
   */
  readonly tokenReview?: boolean;

  /**
   * Secret with the keys of scoped tokens, each of at least 32 bytes. Scoped tokens are then accepted, too.
   *
   * @default - none
   */
  readonly scopedTokenSecret?: ISecret;

  /**
   * Keys of `scopedTokenSecret`, several of them while one replaces the other.
   *
   * @default ['key']
   */
  readonly scopedTokenKeys?: string[];

  /**
   * Secret whose key `token` opens every sandbox.
   *
   * @default - none
   */
  readonly staticTokenSecret?: ISecret;

  /**
   * Disables authentication. Anyone who can reach the router can then run code in every sandbox.
   *
   * @default false
   */
  readonly allowUnauthenticated?: boolean;

  /**
   * Namespaces that may connect to the router.
   *
   * @default - all: other namespaces, nodes and load balancers
   */
  readonly clientNamespaces?: string[];

  /**
   * Number of Pods that an autoscaler goes up to; `replicas` is not set then.
   *
   * @default - no autoscaler
   */
  readonly maxReplicas?: number;

  /**
   * Number of Pods that the autoscaler goes down to, at least 2.
   *
   * @default 2
   */
  readonly minReplicas?: number;

  /**
   * CPU utilization that the autoscaler aims at, in percent of the reserved CPU.
   *
   * @default 70
   */
  readonly targetCpuUtilization?: number;

  /**
   * Addresses under which browsers reach sandboxes.
   *
   * @default - none: requests name a sandbox by headers
   */
  readonly browser?: RouterBrowserProps;

  /**
   * The Gateway API in front of the router.
   *
   * @default - none
   */
  readonly gateway?: RouterGatewayProps;
}
