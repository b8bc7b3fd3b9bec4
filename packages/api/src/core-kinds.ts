import type { KubeObject, ObjectMeta } from './object.js';
import type {
  Condition, NetworkPolicyEgressRule, NetworkPolicyIngressRule, PersistentVolumeClaimSpec, PodSpec,
} from './types.gen.js';

/* The kinds of Kubernetes itself that programs here read or write, with the fields that they use. */

export interface Pod {
  apiVersion: 'v1';
  kind: 'Pod';
  metadata: ObjectMeta;
  spec: PodSpec;
  status?: PodStatus;
}

export interface PodStatus {
  phase?: string;
  podIP?: string;
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

/** An Event about a Pod, as the kubelet sends it. */
export interface PodEvent {
  apiVersion: 'v1';
  kind: 'Event';
  metadata: ObjectMeta;
  involvedObject: { kind?: string; namespace?: string; name?: string; uid?: string };
  reason?: string;
  message?: string;
  lastTimestamp?: string | null;
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

/** A lock that one process at a time holds; `holderIdentity` is empty after it was released. */
export interface Lease extends KubeObject {
  spec?: LeaseSpec;
}

export interface LeaseSpec {
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  /** RFC 3339 with microseconds. */
  acquireTime?: string;
  /** RFC 3339 with microseconds. */
  renewTime?: string;
  leaseTransitions?: number;
}

/** An Event of `events.k8s.io/v1`. */
export interface RecordedEvent extends KubeObject {
  /** RFC 3339 with microseconds. */
  eventTime: string;
  reportingController: string;
  reportingInstance: string;
  type: string;
  reason: string;
  action: string;
  note: string;
  regarding: ObjectReference;
  related?: ObjectReference;
  series?: { count: number; lastObservedTime: string };
}

export interface ObjectReference {
  apiVersion?: string;
  kind?: string;
  namespace?: string;
  name?: string;
  uid?: string;
  resourceVersion?: string;
}
