import { Duration } from 'cdk8s';
import * as kplus from 'cdk8s-plus-28';
import { ControllerLogLevel } from './controller-flags';
import { InstalledProgramProps } from './workload';

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
  readonly tlsSecret?: kplus.ISecret;
}

/**
 * The router: the one way into sandboxes from outside of their namespace. Whoever asks has to show a token of the cluster with
 * its audience, and needs `create` of `sandboxes/proxy`, unless props say otherwise.
 */
export interface RouterProps extends InstalledProgramProps {
  /**
   * Secret of the type `kubernetes.io/tls`: the router then also listens on 8443, and takes tokens from everywhere there.
   *
   * @default - none
   */
  readonly tlsSecret?: kplus.ISecret;

  /**
   * Whether tokens may come over plain HTTP (8080) from other hosts, too: for routers behind something that ends TLS.
   * Without it plain HTTP takes them from tunnels only (`kubectl port-forward` and the clients' tunnel mode).
   *
   * @default false
   */
  readonly allowHttpTokens?: boolean;

  /**
   * Whether tokens of the cluster are taken (TokenReview and SubjectAccessReview).
   *
   * @default true
   */
  readonly tokenReview?: boolean;

  /**
   * Audiences of which tokens of the cluster must have one.
   *
   * @default - 'agent-sandbox-router'
   */
  readonly tokenAudiences?: string[];

  /**
   * Secret with the keys of scoped tokens, each of at least 32 bytes: such tokens are taken, too.
   *
   * @default - none
   */
  readonly scopedTokenSecret?: kplus.ISecret;

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
  readonly staticTokenSecret?: kplus.ISecret;

  /**
   * Whether nobody has to say who they are. Everybody who can connect to the router can then run code in every sandbox.
   *
   * @default false
   */
  readonly allowUnauthenticated?: boolean;

  /**
   * Whether a request for a suspended sandbox resumes it, if the caller may patch it. A ValidatingAdmissionPolicy then
   * holds the router itself to the fields `operatingMode` and `replicas`.
   *
   * @default false
   */
  readonly resumeOnRequest?: boolean;

  /**
   * How long such a request waits for the sandbox.
   *
   * @default - 1 minute
   */
  readonly resumeTimeout?: Duration;

  /**
   * Ports that sandboxes need not declare, besides 8888: `3000`, `8000-8100`, or `*` for all.
   *
   * @default - none
   */
  readonly additionalPorts?: string[];

  /**
   * Longest wait for an answer, and between two pieces of a body.
   *
   * @default - 3 minutes
   */
  readonly proxyTimeout?: Duration;

  /**
   * Longest request body, in bytes; 0 is no limit.
   *
   * @default - no limit
   */
  readonly maxRequestBodyBytes?: number;

  /**
   * Requests per second of one caller on average; 0 is no limit. Per Pod and worker.
   *
   * @default - no limit
   */
  readonly rateLimit?: number;

  /**
   * Requests of one caller at once before `rateLimit` applies.
   *
   * @default - 100
   */
  readonly rateLimitBurst?: number;

  /**
   * Requests of one caller at the same time, without WebSockets; 0 is no limit. Per worker, like all limits.
   *
   * @default - 500
   */
  readonly maxRequestsPerCaller?: number;

  /**
   * Connections at the same time; 0 is no limit.
   *
   * @default - 10,000
   */
  readonly maxConnections?: number;

  /**
   * Connections of one address at the same time, `trustedProxyCidrs` apart; 0 is no limit.
   *
   * @default - 1,000
   */
  readonly maxConnectionsPerClient?: number;

  /**
   * How long a WebSocket may be silent; 0 is no limit.
   *
   * @default - 1 hour
   */
  readonly websocketIdleTimeout?: Duration;

  /**
   * How long a WebSocket may last; 0 is no limit.
   *
   * @default - 1 day
   */
  readonly websocketMaxLifetime?: Duration;

  /**
   * Addresses whose `X-Forwarded-For` says who the client is.
   *
   * @default - none
   */
  readonly trustedProxyCidrs?: string[];

  /**
   * Worker processes in each Pod; 0 is one for each core of the node, at most 8.
   *
   * @default 1
   */
  readonly workers?: number;

  /**
   * Whether there is a log line for each request.
   *
   * @default - true
   */
  readonly accessLog?: boolean;

  /**
   * How much the router says.
   *
   * @default - info
   */
  readonly logLevel?: ControllerLogLevel;

  /**
   * Whether traces are sent by OTLP over gRPC.
   *
   * @default - if `env` has OTEL_EXPORTER_OTLP_ENDPOINT
   */
  readonly enableTracing?: boolean;

  /**
   * Further arguments, as they are.
   *
   * @default - none
   */
  readonly extraArgs?: string[];

  /**
   * Namespaces that may connect to the router.
   *
   * @default - everybody: other namespaces, nodes and load balancers
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
   * Use of the reserved CPU, in percent, that the autoscaler aims at.
   *
   * @default 70
   */
  readonly targetCpuUtilization?: number;

  /**
   * The Gateway API in front of the router.
   *
   * @default - none
   */
  readonly gateway?: RouterGatewayProps;
}
