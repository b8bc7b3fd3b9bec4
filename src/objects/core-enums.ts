/**
 * Enumerations of Kubernetes that the props use. TypeScript takes an enumeration of the same name, members and values for the same
 * type, so those of every cdk8s-plus are accepted as well (`test/cdk8s-plus.test.ts` compiles them).
 */

/** Transport protocol of a port. */
export enum Protocol {
  /** TCP. */
  TCP = 'TCP',
  /** UDP. */
  UDP = 'UDP',
  /** SCTP. */
  SCTP = 'SCTP',
}

/** When the kubelet pulls an image. */
export enum ImagePullPolicy {
  /** Before each start; layers that the node has are not fetched again. */
  ALWAYS = 'Always',
  /** If the node does not have the image. */
  IF_NOT_PRESENT = 'IfNotPresent',
  /** Never: a container whose image the node does not have fails. */
  NEVER = 'Never',
}

/** When the kubelet restarts containers that have ended. */
export enum RestartPolicy {
  /** However they ended. */
  ALWAYS = 'Always',
  /** If they ended with an error. */
  ON_FAILURE = 'OnFailure',
  /** Never. */
  NEVER = 'Never',
}

/** Which name servers a Pod asks. */
export enum DnsPolicy {
  /** The DNS of the cluster, which forwards other names. */
  CLUSTER_FIRST = 'ClusterFirst',
  /** The DNS of the cluster, for Pods on the network of their node. */
  CLUSTER_FIRST_WITH_HOST_NET = 'ClusterFirstWithHostNet',
  /** The name servers of the node. */
  DEFAULT = 'Default',
  /** Only the name servers of `dnsConfig`. */
  NONE = 'None',
}

/** How mounts that are made later pass between a container and its node. */
export enum MountPropagation {
  /** They do not. */
  NONE = 'None',
  /** The container sees later mounts of the node. */
  HOST_TO_CONTAINER = 'HostToContainer',
  /** The node sees later mounts of the container, too; only for privileged containers. */
  BIDIRECTIONAL = 'Bidirectional',
}

/** How a persistent volume can be mounted. */
export enum PersistentVolumeAccessMode {
  /** Read and write, by Pods of one node. */
  READ_WRITE_ONCE = 'ReadWriteOnce',
  /** Read only, by Pods of many nodes. */
  READ_ONLY_MANY = 'ReadOnlyMany',
  /** Read and write, by Pods of many nodes. */
  READ_WRITE_MANY = 'ReadWriteMany',
  /** Read and write, by one Pod. */
  READ_WRITE_ONCE_POD = 'ReadWriteOncePod',
}
