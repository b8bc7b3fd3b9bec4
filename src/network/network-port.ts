import * as l1 from '../../imports';
import { checkCalls, integer, portName, portNumber, Problems } from '../checks';
import { Protocol } from '../objects';

/** Ports that a network rule allows. */
export class NetworkPort {
  /**
   * One TCP port.
   *
   * @param port 1 to 65535
   * @throws if the port is out of bounds
   */
  public static tcp(port: number): NetworkPort {
    return NetworkPort.number('tcp', Protocol.TCP, port);
  }

  /**
   * One UDP port.
   *
   * @param port 1 to 65535
   * @throws if the port is out of bounds
   */
  public static udp(port: number): NetworkPort {
    return NetworkPort.number('udp', Protocol.UDP, port);
  }

  /**
   * One SCTP port. Not every network plugin knows SCTP.
   *
   * @param port 1 to 65535
   * @throws if the port is out of bounds
   */
  public static sctp(port: number): NetworkPort {
    return NetworkPort.number('sctp', Protocol.SCTP, port);
  }

  /**
   * TCP ports in a row.
   *
   * @param from the first port, 1 to 65535
   * @param to the last port, `from` to 65535
   * @throws if a port is out of bounds
   */
  public static tcpRange(from: number, to: number): NetworkPort {
    return NetworkPort.range('tcpRange', Protocol.TCP, from, to);
  }

  /**
   * UDP ports in a row.
   *
   * @param from the first port, 1 to 65535
   * @param to the last port, `from` to 65535
   * @throws if a port is out of bounds
   */
  public static udpRange(from: number, to: number): NetworkPort {
    return NetworkPort.range('udpRange', Protocol.UDP, from, to);
  }

  /**
   * The container port of this name, whatever its number in each Pod. In egress rules not every network plugin resolves
   * names.
   *
   * @param name 1 to 15 lower-case letters, digits and single `-`, with at least one letter
   * @param protocol the protocol of the port
   * @throws if the name is not one of a port
   */
  public static named(name: string, protocol: Protocol = Protocol.TCP): NetworkPort {
    const problems = Problems.of('NetworkPort.named');
    problems.check('name', name, portName);
    problems.throwIfAny();
    return new NetworkPort({ port: l1.IntOrString.fromString(name), protocol });
  }

  /** All TCP ports. */
  public static allTcp(): NetworkPort {
    return new NetworkPort({ protocol: Protocol.TCP });
  }

  /** All UDP ports. */
  public static allUdp(): NetworkPort {
    return new NetworkPort({ protocol: Protocol.UDP });
  }

  private static number(factory: string, protocol: Protocol, port: number): NetworkPort {
    const problems = Problems.of(`NetworkPort.${factory}`);
    problems.check('port', port, portNumber);
    problems.throwIfAny();
    return new NetworkPort({ port: l1.IntOrString.fromNumber(port), protocol });
  }

  private static range(factory: string, protocol: Protocol, from: number, to: number): NetworkPort {
    const problems = Problems.of(`NetworkPort.${factory}`);
    problems.check('from', from, portNumber);
    problems.check('to', to, portNumber(from) === undefined ? integer(from, 65535) : portNumber);
    problems.throwIfAny();
    return new NetworkPort({ port: l1.IntOrString.fromNumber(from), endPort: to, protocol });
  }

  private constructor(private readonly port: l1.NetworkPolicyPort) {}

  /** @internal */
  public _toPolicyPort(): l1.NetworkPolicyPort {
    return this.port;
  }

  /** Whether the DNS port is among these. @internal */
  public get _includesDns(): boolean {
    const from = this.port.port?.value;
    return typeof from === 'number' && from <= 53 && 53 <= (this.port.endPort ?? from);
  }
}
checkCalls(NetworkPort);
