import { ApiObject, JsonPatch } from 'cdk8s';
import * as kplus from 'cdk8s-plus-33';
import { Construct } from 'constructs';
import { Isolation, NetworkPeer, NetworkPort, Sandbox, SandboxNetwork } from 'cdk8s-agent-sandbox';

/** A web application in a sandbox. */
export interface AgenticSandboxProps {
  /** Image of the application. */
  readonly image: string;

  /** Port that it listens on. */
  readonly port: number;

  /** Host name under which it is published; left out, it is reached inside the cluster only. */
  readonly host?: string;
}

/** A higher-level object of your own: the sandbox, its clients, and how it is published. */
export class AgenticSandbox extends Construct {
  constructor(scope: Construct, id: string, props: AgenticSandboxProps) {
    super(scope, id);
    const labels = { sandbox: id };
    new Sandbox(this, 'Sandbox', {
      name: id,
      podLabels: labels,
      containers: [{ image: props.image, port: props.port, cpu: '100m', memory: '128Mi', runAsUser: 1000 }],
      isolation: Isolation.gvisor(),
      network: SandboxNetwork.routerOnly().allowIngressFrom(NetworkPeer.namespace('ingress-nginx'), [NetworkPort.tcp(props.port)]),
    });
    if (props.host) {
      const service = new kplus.Service(this, 'Service', {
        metadata: { name: `${id}-http` },
        selector: kplus.Pods.select(this, 'Pods', { labels }),
        ports: [{ port: 80, targetPort: props.port }],
      });
      // cdk8s-plus writes an empty list here that the API server drops, which GitOps tools would always report as a difference.
      ApiObject.of(service).addJsonPatch(JsonPatch.remove('/spec/externalIPs'));
      const ingress = new kplus.Ingress(this, 'Ingress', { metadata: { name: id } });
      ingress.addHostDefaultBackend(props.host, kplus.IngressBackend.fromService(service));
    }
  }
}
