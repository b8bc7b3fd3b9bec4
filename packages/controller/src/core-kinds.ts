import type {
  Condition, NetworkPolicyEgressRule, NetworkPolicyIngressRule, ObjectMeta, PersistentVolumeClaimSpec, PodSpec,
} from 'agent-sandbox-api';

/** The kinds of Kubernetes itself that the reconcilers read and write, as far as they care. */

/** A Pod as it is written. */
export interface Pod {
  apiVersion: 'v1';
  kind: 'Pod';
  metadata: ObjectMeta;
  spec: PodSpec;
  status?: PodStatus;
}

/** A Pod as the cache holds it: without its spec, apart from the node. */
export interface CachedPod {
  apiVersion: 'v1';
  kind: 'Pod';
  metadata: ObjectMeta;
  spec?: { nodeName?: string };
  status?: PodStatus;
}

export interface PodStatus {
  phase?: string;
  podIPs?: { ip: string }[];
  conditions?: PodCondition[];
}

/** Like a `Condition`, but reason and message are optional. */
export interface PodCondition extends Pick<Condition, 'type' | 'status'> {
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

export interface Service {
  apiVersion: 'v1';
  kind: 'Service';
  metadata: ObjectMeta;
  spec?: ServiceSpec;
}

export interface ServiceSpec {
  clusterIP?: string;
  selector?: { [key: string]: string };
  ports?: ServicePort[];
}

export interface ServicePort {
  name?: string;
  protocol?: string;
  port: number;
  targetPort?: number | string;
}

export interface PersistentVolumeClaim {
  apiVersion: 'v1';
  kind: 'PersistentVolumeClaim';
  metadata: ObjectMeta;
  spec?: PersistentVolumeClaimSpec;
}

export interface NetworkPolicy {
  apiVersion: 'networking.k8s.io/v1';
  kind: 'NetworkPolicy';
  metadata: ObjectMeta;
  spec?: NetworkPolicySpec;
}

export interface NetworkPolicySpec {
  podSelector: { matchLabels?: { [key: string]: string } };
  policyTypes?: ('Ingress' | 'Egress')[];
  ingress?: NetworkPolicyIngressRule[];
  egress?: NetworkPolicyEgressRule[];
}
