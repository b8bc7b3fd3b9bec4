import type { Duration } from 'cdk8s';
import * as l1 from '../../imports';
import { checkCalls, portNumber, Problems, requestPath, wholeSeconds } from '../checks';

/** Options of an HTTP request to the container. */
export interface HttpHookOptions {
  /**
   * Port number, 1 to 65535.
   *
   * @default - the first port of the container
   */
  readonly port?: number;

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

/** What the kubelet does right after the start of a container, or before it stops it. */
export class LifecycleHook {
  /**
   * Runs a command in the container. If it fails, the container is killed.
   *
   * @param command command and arguments, at least one; no shell is involved
   * @throws if the command is empty
   */
  public static exec(command: string[]): LifecycleHook {
    const problems = Problems.of('LifecycleHook.exec');
    if (command.length === 0) {
      problems.add('command', [], 'name the program to run');
    }
    problems.throwIfAny();
    return new LifecycleHook(() => ({ exec: { command } }));
  }

  /**
   * Sends a GET request to the container. A status outside of 200 to 399 is a failure, which kills the container.
   *
   * @param path path of the request, beginning with `/`
   * @param options port, scheme and headers
   * @throws if the path or the port is not well-formed
   */
  public static httpGet(path: string, options: HttpHookOptions = {}): LifecycleHook {
    const problems = Problems.of('LifecycleHook.httpGet');
    problems.check('path', path, requestPath);
    problems.check('port', options.port, portNumber);
    problems.throwIfAny();
    const headers = Object.entries(options.headers ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => ({ name, value }));
    return new LifecycleHook((at, firstPort) => {
      const port = options.port ?? firstPort;
      if (port === undefined) {
        at.add('port', undefined, 'give a port, to the hook or to the container');
      }
      return {
        httpGet: { path, port: l1.IntOrString.fromNumber(port ?? 0), scheme: options.https ? 'HTTPS' : undefined, httpHeaders: options.headers && headers },
      };
    });
  }

  /**
   * Waits. As `preStop`, it gives the router and load balancers time to notice that the container ends.
   *
   * @param duration whole seconds, at least 1, and at most the Pod's `terminationGracePeriod`
   * @throws if the duration is not in whole seconds
   */
  public static sleep(duration: Duration): LifecycleHook {
    const problems = Problems.of('LifecycleHook.sleep');
    const seconds = wholeSeconds(problems, 'duration', duration, 1);
    problems.throwIfAny();
    return new LifecycleHook(() => ({ sleep: { seconds: seconds! } }));
  }

  private constructor(private readonly handler: (problems: Problems, firstPort: number | undefined) => l1.LifecycleHandler) {}

  /** The hook in a container whose first port is given. @internal */
  public _render(problems: Problems, firstPort: number | undefined): l1.LifecycleHandler {
    return this.handler(problems, firstPort);
  }
}
checkCalls(LifecycleHook);
