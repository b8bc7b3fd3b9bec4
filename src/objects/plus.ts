import type { IConstruct } from 'constructs';
import type * as l1 from '../../imports';

/*
 * What the constructs read of objects of cdk8s-plus, whose package has the version of Kubernetes in its name. Interfaces of these
 * members accept every version of it, and plain objects of the same shape, and leave the choice of the package to the app.
 */

/** A Secret: of any cdk8s-plus, or `ObjectReference.secret('token')`. */
export interface ISecret {
  /** Always `Secret`. */
  readonly kind: string;

  /** Name of the object. */
  readonly name: string;
}

/** A ConfigMap: of any cdk8s-plus, or `ObjectReference.configMap('settings')`. */
export interface IConfigMap {
  /** Always `ConfigMap`. */
  readonly kind: string;

  /** Name of the object. */
  readonly name: string;
}

/** A ServiceAccount: of any cdk8s-plus, or `ObjectReference.serviceAccount('builder')`. */
export interface IServiceAccount {
  /** Always `ServiceAccount`. */
  readonly kind: string;

  /** Name of the object. */
  readonly name: string;
}

/** A PersistentVolumeClaim: of any cdk8s-plus, or `ObjectReference.persistentVolumeClaim('datasets')`. */
export interface IPersistentVolumeClaim {
  /** Always `PersistentVolumeClaim`. */
  readonly kind: string;

  /** Name of the object. */
  readonly name: string;
}

/** A Pod of any cdk8s-plus. */
export interface IPod extends IConstruct {
  /** Always `Pod`. */
  readonly kind: string;

  /** Name of the object. */
  readonly name: string;
}

/** Value of an environment variable: from `EnvSource`, an `EnvValue` of any cdk8s-plus, or one of the two fields on the wire. */
export interface IEnvValue {
  /**
   * The value itself.
   *
   * @default - taken from `valueFrom`
   */
  readonly value?: string;

  /**
   * Where the value comes from.
   *
   * @default - `value` is the value
   */
  readonly valueFrom?: l1.EnvVarSource;
}

/** A ConfigMap or Secret whose keys become environment variables: from `EnvSource`, or an `EnvFrom` of any cdk8s-plus. */
export interface IEnvFrom {
  /** The source on the wire. @internal */
  _toKube(): any;
}

/** What NetworkPolicies can select: a Pod, a workload, Pods, namespaces or an IP block of any cdk8s-plus. */
export interface INetworkPolicyPeer {
  /** What the peer selects. */
  toNetworkPolicyPeerConfig(): NetworkPolicyPeerConfig;
}

/** What a peer of a NetworkPolicy selects: one of the two. */
export interface NetworkPolicyPeerConfig {
  /**
   * Addresses.
   *
   * @default - Pods
   */
  readonly ipBlock?: IIpBlock;

  /**
   * Pods.
   *
   * @default - addresses
   */
  readonly podSelector?: PodSelectorConfig;
}

/** A range of addresses, such as a `NetworkPolicyIpBlock` of cdk8s-plus. */
export interface IIpBlock {
  /** The range, in CIDR notation. */
  readonly cidr: string;

  /**
   * Parts of the range that are left out.
   *
   * @default - none
   */
  readonly except?: string[];
}

/** Pods by their labels, and by their namespaces. */
export interface PodSelectorConfig {
  /** Labels of the Pods. */
  readonly labelSelector: ILabelSelector;

  /**
   * Namespaces of the Pods.
   *
   * @default - the namespace of the policy
   */
  readonly namespaces?: NamespaceSelectorConfig;
}

/** Namespaces by their labels and names. */
export interface NamespaceSelectorConfig {
  /**
   * Labels of the namespaces.
   *
   * @default - any
   */
  readonly labelSelector?: ILabelSelector;

  /**
   * Names of the namespaces.
   *
   * @default - any
   */
  readonly names?: string[];
}

/** A `LabelSelector` of any cdk8s-plus. */
export interface ILabelSelector {
  /** Whether it selects everything. */
  isEmpty(): boolean;

  /** The selector on the wire. @internal */
  _toKube(): any;
}
