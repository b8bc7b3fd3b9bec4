export { DnsPolicy, ImagePullPolicy, MountPropagation, PersistentVolumeAccessMode, Protocol, RestartPolicy } from './core-enums';
export { crds } from './crds';
export { ClusterScopedObject, ObjectMetadataProps, writeAfter } from './kubernetes-object';
export { NAMESPACE_NAME_LABEL, orderedSelector, selectorOf } from './label-selector';
export {
  AgentSandboxObjectProps, AgentSandboxVersion, checkKeys, checkLabels, checkObject, identityOf, inDifferentNamespaces, objectMetadata,
} from './object';
export { ObjectReference } from './object-reference';
export {
  IConfigMap, IEnvFrom, IEnvValue, IIpBlock, ILabelSelector, INetworkPolicyPeer, IPersistentVolumeClaim, IPod, ISecret, IServiceAccount,
  NamespaceSelectorConfig, NetworkPolicyPeerConfig, PodSelectorConfig,
} from './plus';
export { ISandboxTemplate, ISandboxWarmPool } from './references';
