export { AddressSet } from './address-set';
export { type ConnectedAddresses, type ConnectedPods, type Connections } from './connections';
export { destinations, type NamedDestination } from './destinations';
export { isTemplate, outcomeOf, type PolicyOutcome } from './policies';
export { NetworkEndpoint } from './network-endpoint';
export { IsolationAnswer, NetworkAnswer, NetworkMatrixRow, Reachability, ReachedRange } from './network-answer';
export { NetworkModel } from './network-model';
export { NetworkModelProps, ServiceTranslation } from './network-model-props';
export { describeObject, type Manifest, manifestsOf, placed, PlacedManifest } from './manifests';
