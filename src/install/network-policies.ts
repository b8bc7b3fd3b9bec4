import type { Construct } from 'constructs';
import { NAMESPACE_NAME_LABEL } from '../objects';
import { object } from './objects';

/**
 * Ports of API servers behind the Service `kubernetes`: of most clusters (443, 6443), minikube and microk8s. Their
 * addresses are not those of Pods, so a policy cannot name them.
 *
 * @internal
 */
const API_SERVER_PORTS: readonly number[] = [443, 6443, 8443, 16443];

/** Collectors of traces. */
const OTLP_PORT = 4317;

/** All Pods of some namespaces, or of all. @internal */
export function podsOf(namespaces: readonly string[] | undefined): object[] {
  return namespaces
    ? namespaces.map(name => ({ namespaceSelector: { matchLabels: { [NAMESPACE_NAME_LABEL]: name } } }))
    : [{ namespaceSelector: {} }];
}

/** Peers that connect to a program, and peers that it connects to. @internal */
export interface Traffic {
  readonly ingress: { readonly from?: object[]; readonly ports: readonly number[] }[];
  readonly apiServerPorts?: readonly number[];
  readonly tracing: boolean;
  /** Whether it asks HTTPS servers outside of the cluster. */
  readonly outside?: boolean;
  readonly egress?: object[];
}

/** The policy of a program: both directions, and nothing that it does not need. @internal */
export function networkPolicy(scope: Construct, name: string, selector: { [key: string]: string }, traffic: Traffic): void {
  const dns = ['UDP', 'TCP'].map(protocol => ({ port: 53, protocol }));
  object(scope, 'networking.k8s.io/v1', 'NetworkPolicy', { name, labels: selector }, {
    spec: {
      podSelector: { matchLabels: selector },
      policyTypes: ['Ingress', 'Egress'],
      ingress: traffic.ingress.map(({ from, ports }) => ({ from, ports: tcp(ports) })),
      egress: [
        { ports: tcp(traffic.apiServerPorts ?? API_SERVER_PORTS) },
        ...(traffic.tracing ? [{ to: podsOf(undefined), ports: [...dns, ...tcp([OTLP_PORT])] }] : []),
        ...(traffic.outside ? [{ ports: [...dns, ...tcp([443])] }] : []),
        ...(traffic.egress ?? []),
      ],
    },
  });
}

function tcp(ports: readonly number[]): object[] {
  return ports.map(port => ({ port, protocol: 'TCP' }));
}
