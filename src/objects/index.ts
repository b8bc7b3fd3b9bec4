export { ClusterScopedObject, ObjectMetadataProps } from './kubernetes-object';
export { NAMESPACE_NAME_LABEL, orderedSelector, selectorOf } from './label-selector';
export {
  AgentSandboxObjectProps, AgentSandboxVersion, checkKeys, checkLabels, checkObject, identityOf, inDifferentNamespaces, objectMetadata,
} from './object';
export { ISandboxTemplate, ISandboxWarmPool } from './references';
export { crds } from './crds';
