import type { Duration } from 'cdk8s';
import * as l1 from '../../imports';
import { checkCalls, integer, portNumber, type Problems, requestPath, wholeSeconds } from '../checks';

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
   * Successes in a row that count as succeeded again. Readiness probes only: the others need exactly 1.
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
    const headers = Object.entries(options.headers ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => ({ name, value }));
    const httpHeaders = options.headers && headers;
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
    // Written out when empty, because the API server would set it inside the list of containers.
    return new Probe(options, options.port, port => ({ grpc: { port, service: options.service ?? '' } }));
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
   * The probe in a container whose first port is given.
   *
   * @internal
   */
  public _render(problems: Problems, role: 'readiness' | 'liveness' | 'startup', firstPort: number | undefined): l1.Probe {
    const { initialDelay, period, timeout, failureThreshold, successThreshold, terminationGracePeriod } = this.options;
    const port = this.port ?? firstPort;
    if (this.needsPort && port === undefined) {
      problems.add('port', undefined, 'give a port, to the probe or to the container');
    }
    problems.check('port', this.port, portNumber);
    const handler = this.handler(port ?? 0);
    if (handler.exec?.command?.length === 0) {
      problems.add('command', [], 'name the program to run');
    }
    problems.check('path', handler.httpGet?.path, requestPath);
    problems.check('failureThreshold', failureThreshold, integer(1));
    problems.check('successThreshold', successThreshold, role === 'readiness' ? integer(1) : value => (value === 1 ? undefined : `a ${role} probe succeeds at once: leave it out`));
    if (role === 'readiness' && terminationGracePeriod) {
      problems.add('terminationGracePeriod', `${terminationGracePeriod.toSeconds({ integral: false })}s`, 'a readiness probe stops no container: leave it out');
    }
    return {
      ...handler,
      initialDelaySeconds: wholeSeconds(problems, 'initialDelay', initialDelay, 0),
      periodSeconds: wholeSeconds(problems, 'period', period, 1),
      timeoutSeconds: wholeSeconds(problems, 'timeout', timeout, 1),
      failureThreshold,
      successThreshold,
      terminationGracePeriodSeconds: wholeSeconds(problems, 'terminationGracePeriod', terminationGracePeriod, 1),
    };
  }
}
checkCalls(Probe);
