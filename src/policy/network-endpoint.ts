import { ApiObject } from 'cdk8s';
import type { Construct } from 'constructs';
import { checkCalls, nearest, Problems } from '../checks';
import { AddressSet } from './address-set';
import { destinations } from './destinations';
import type { KnownLabels } from './selectors';

/** What an endpoint is looked up by. @internal */
export type EndpointQuery =
  | { readonly kind: 'object'; readonly objectKind: string; readonly name: string; readonly namespace?: string }
  | { readonly kind: 'addresses'; readonly set: AddressSet; readonly port?: number; readonly protocol?: string }
  | { readonly kind: 'pods'; readonly namespace?: string; readonly labels: KnownLabels; readonly port?: number; readonly protocol?: string }
  | { readonly kind: 'service'; readonly name: string; readonly namespace?: string }
  | { readonly kind: 'api server' | 'nodes' };

/** Ports of services that speak UDP: DNS and NTP. */
const DATAGRAM_PORTS = [53, 123];

/** One end of a connection: sandboxes, other Pods, or addresses. Values are immutable. */
export class NetworkEndpoint {
  /**
   * The Pods of a SandboxTemplate, in its own namespace and in those that may claim from it.
   *
   * @param name name of the SandboxTemplate
   * @param namespace its namespace; undefined where it is chosen when the manifest is applied
   */
  public static template(name: string, namespace?: string): NetworkEndpoint {
    return new NetworkEndpoint(`SandboxTemplate ${namespace ? `${namespace}/` : ''}${name}`, { kind: 'object', objectKind: 'SandboxTemplate', name, namespace });
  }

  /**
   * The Pod of a Sandbox without a template.
   *
   * @param name name of the Sandbox
   * @param namespace its namespace; undefined where it is chosen when the manifest is applied
   */
  public static sandbox(name: string, namespace?: string): NetworkEndpoint {
    return new NetworkEndpoint(`Sandbox ${namespace ? `${namespace}/` : ''}${name}`, { kind: 'object', objectKind: 'Sandbox', name, namespace });
  }

  /**
   * The Pods of another kind: Pod, Deployment, StatefulSet, DaemonSet, ReplicaSet, Job or CronJob.
   *
   * @param kind the kind of the object
   * @param name its name
   * @param namespace its namespace; undefined where it is chosen when the manifest is applied
   */
  public static workload(kind: string, name: string, namespace?: string): NetworkEndpoint {
    return new NetworkEndpoint(`${kind} ${namespace ? `${namespace}/` : ''}${name}`, { kind: 'object', objectKind: kind, name, namespace });
  }

  /**
   * A Service of the set, by its address in the cluster. Which rules match depends on whether the network plugin sees connections before
   * or after the translation to a Pod: see `serviceTranslation` of the model.
   *
   * @param name name of the Service
   * @param namespace its namespace; undefined where it is chosen when the manifest is applied
   */
  public static service(name: string, namespace?: string): NetworkEndpoint {
    return new NetworkEndpoint(`Service ${namespace ? `${namespace}/` : ''}${name}`, { kind: 'service', name, namespace });
  }

  /**
   * The Pods of a construct: a Sandbox, a SandboxTemplate, or an object with a Pod template.
   *
   * @param construct the construct, or the ApiObject in it
   * @throws if the construct has no such object
   */
  public static of(construct: Construct): NetworkEndpoint {
    const object = ApiObject.isApiObject(construct) ? construct : construct.node.defaultChild;
    if (!object || !ApiObject.isApiObject(object)) {
      const problems = Problems.of('NetworkEndpoint.of');
      problems.add('construct', construct?.node?.path, 'it has no object of Kubernetes: pass a Sandbox, a SandboxTemplate, or an ApiObject');
      problems.throwIfAny();
    }
    const { kind, name, metadata: { namespace } } = object as ApiObject;
    return new NetworkEndpoint(`${kind} ${namespace ? `${namespace}/` : ''}${name}`, { kind: 'object', objectKind: kind, name, namespace });
  }

  /**
   * Hosts that are not Pods of the cluster. A question about several addresses asks whether one of them is reached.
   *
   * @param cidr address or network in CIDR notation: '169.254.169.254', '10.0.0.0/8', 'fd00::/8'
   * @throws if it is neither
   */
  public static address(cidr: string): NetworkEndpoint {
    const set = AddressSet.of(cidr?.includes('/') ? cidr : `${cidr}/${cidr?.includes(':') ? 128 : 32}`);
    if (set.isEmpty) {
      const problems = Problems.of('NetworkEndpoint.address');
      problems.add('cidr', cidr, "write an address or a network: '169.254.169.254', '10.0.0.0/8', 'fd00::/8'");
      problems.throwIfAny();
    }
    return new NetworkEndpoint(cidr, { kind: 'addresses', set });
  }

  /**
   * A destination with a name, such as `aws-metadata` or `public-web`, with its usual port.
   *
   * @param name one of `NetworkEndpoint.names()`
   * @throws if there is no such name
   */
  public static named(name: string): NetworkEndpoint {
    const found = destinations().find(destination => destination.name === name);
    if (!found) {
      const problems = Problems.of('NetworkEndpoint.named');
      const near = nearest(name, NetworkEndpoint.names());
      problems.add('name', name, near ? `use '${near}'; NetworkEndpoint.names() has all` : `write one of ${NetworkEndpoint.names().join(', ')}`);
      problems.throwIfAny();
    }
    const { cidr, port } = found!;
    return new NetworkEndpoint(name, { kind: 'addresses', set: AddressSet.of(cidr), port, protocol: DATAGRAM_PORTS.includes(port) ? 'UDP' : 'TCP' });
  }

  /** All names that `named` takes. */
  public static names(): string[] {
    return destinations().map(({ name }) => name);
  }

  /**
   * Pods with exactly these labels.
   *
   * @param labels their labels
   * @param namespace their namespace
   */
  public static pods(labels: { [key: string]: string }, namespace: string): NetworkEndpoint {
    const shown = Object.entries(labels).map(([key, value]) => `${key}=${value}`).join(',');
    return new NetworkEndpoint(`Pods ${namespace}/${shown}`, { kind: 'pods', namespace, labels: { labels, mayHave: () => false } });
  }

  /**
   * Any other Pods of a namespace. Their labels are not known, so rules that select by label give the answer `UNKNOWN`.
   *
   * @param namespace the namespace
   */
  public static anyPodOf(namespace: string): NetworkEndpoint {
    return new NetworkEndpoint(`any Pod of ${namespace}`, { kind: 'pods', namespace, labels: { labels: {}, mayHave: () => true } });
  }

  /** The API server, wherever it is: see `apiServerCidrs` and `apiServerPort` of the model. */
  public static apiServer(): NetworkEndpoint {
    return new NetworkEndpoint('the API server', { kind: 'api server' });
  }

  /** The kubelets of the nodes, port 10250: see `nodeCidrs` of the model. */
  public static nodes(): NetworkEndpoint {
    return new NetworkEndpoint('the nodes', { kind: 'nodes' });
  }

  private constructor(
    /** What it is called in answers. */
    public readonly description: string,
    /** @internal */
    public readonly _query: EndpointQuery,
  ) {}

  /** The description. */
  public toString(): string {
    return this.description;
  }
}

checkCalls(NetworkEndpoint);
