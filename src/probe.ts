import { Duration } from 'cdk8s';
import * as l1 from '../imports';

/** Times and counts of a probe. */
export interface ProbeOptions {
  /**
   * Time from the start of the container to the first probe, in whole seconds.
   *
   * @default - no delay
   */
  readonly initialDelay?: Duration;

  /**
   * Time between probes, at least one second.
   *
   * @default - 10 seconds (Kubernetes)
   */
  readonly period?: Duration;

  /**
   * Time after which a probe has failed, at least one second.
   *
   * @default - 1 second (Kubernetes)
   */
  readonly timeout?: Duration;

  /**
   * Failures in a row that count as failed, at least 1.
   *
   * @default - 3 (Kubernetes)
   */
  readonly failureThreshold?: number;

  /**
   * Successes in a row that count as succeeded again; 1 for liveness and startup probes.
   *
   * @default - 1 (Kubernetes)
   */
  readonly successThreshold?: number;

  /**
   * Grace period of the container when this probe fails, instead of the Pod's. Not for readiness probes.
   *
   * @default - the Pod's
   */
  readonly terminationGracePeriod?: Duration;
}

/** Options of a probe that opens a connection. */
export interface PortProbeOptions extends ProbeOptions {
  /**
   * Port number, 1 to 65535.
   *
   * @default - the first port of the container
   */
  readonly port?: number;
}

/** Options of a probe over HTTP. */
export interface HttpProbeOptions extends PortProbeOptions {
  /**
   * Use HTTPS; the certificate is not verified.
   *
   * @default false
   */
  readonly https?: boolean;

  /**
   * Request headers.
   *
   * @default - none
   */
  readonly headers?: { [name: string]: string };
}

/** Options of a probe over gRPC. */
export interface GrpcProbeOptions extends PortProbeOptions {
  /**
   * Service to ask for.
   *
   * @default - the server as a whole
   */
  readonly service?: string;
}

/** How Kubernetes finds out whether a container works. */
export class Probe {
  /**
   * Succeeds on an HTTP status from 200 to 399.
   *
   * @param path path of the request, such as `/healthz`
   * @param options port, scheme, headers, times
   */
  public static httpGet(path: string, options: HttpProbeOptions = {}): Probe {
    const httpHeaders = options.headers && Object.entries(options.headers).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => ({ name, value }));
    return new Probe(options, options.port, port => ({
      httpGet: { path, port: l1.IntOrString.fromNumber(port), scheme: options.https ? 'HTTPS' : undefined, httpHeaders },
    }));
  }

  /**
   * Succeeds when the port accepts a connection.
   *
   * @param options port and times
   */
  public static tcpSocket(options: PortProbeOptions = {}): Probe {
    return new Probe(options, options.port, port => ({ tcpSocket: { port: l1.IntOrString.fromNumber(port) } }));
  }

  /**
   * Asks the gRPC health service.
   *
   * @param options port, service and times
   */
  public static grpc(options: GrpcProbeOptions = {}): Probe {
    return new Probe(options, options.port, port => ({ grpc: { port, service: options.service } }));
  }

  /**
   * Succeeds when a command in the container exits with 0.
   *
   * @param command command and arguments; no shell is involved
   * @param options times
   */
  public static exec(command: string[], options: ProbeOptions = {}): Probe {
    return new Probe(options, undefined, () => ({ exec: { command } }), false);
  }

  private constructor(
    private readonly options: ProbeOptions,
    private readonly port: number | undefined,
    private readonly handler: (port: number) => Partial<l1.Probe>,
    private readonly needsPort = true,
  ) {}

  /**
   * The probe in a container with the given ports.
   *
   * @internal
   */
  public _render(firstPort: number | undefined, complain: (prop: string, value: unknown, remedy: string) => void): l1.Probe {
    const port = this.port ?? firstPort;
    if (this.needsPort && (port === undefined || !Number.isInteger(port) || port < 1 || port > 65535)) {
      complain('port', port, port === undefined ? 'give a port, to the probe or to the container' : 'use a whole number from 1 to 65535');
    }
    const seconds = (prop: string, duration: Duration | undefined, min: number) => {
      const value = duration?.toSeconds({ integral: false });
      if (value !== undefined && (!Number.isInteger(value) || value < min)) {
        complain(prop, `${value}s`, `use whole seconds, at least ${min}`);
      }
      return value;
    };
    for (const prop of ['failureThreshold', 'successThreshold'] as const) {
      const value = this.options[prop];
      if (value !== undefined && (!Number.isInteger(value) || value < 1)) {
        complain(prop, value, 'use a whole number of at least 1');
      }
    }
    return {
      ...this.handler(port ?? 0),
      initialDelaySeconds: seconds('initialDelay', this.options.initialDelay, 0),
      periodSeconds: seconds('period', this.options.period, 1),
      timeoutSeconds: seconds('timeout', this.options.timeout, 1),
      failureThreshold: this.options.failureThreshold,
      successThreshold: this.options.successThreshold,
      terminationGracePeriodSeconds: seconds('terminationGracePeriod', this.options.terminationGracePeriod, 1),
    };
  }
}
