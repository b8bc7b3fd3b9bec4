export { AddressSet } from './address-set';
export { type ConnectedAddresses, type ConnectedPods, type Connections } from './connections';
export { DESTINATIONS, type NamedDestination } from './destinations';
export { isTemplate, outcomeOf, type PolicyOutcome } from './policies';
export { selects } from './selectors';
export { NetworkEndpoint } from './network-endpoint';
export { IsolationAnswer, NetworkAnswer, NetworkMatrixRow, NetworkModel, NetworkModelProps, ReachedRange, Reachability, ServiceTranslation } from './network-model';
export { describeObject, type Manifest, manifestsOf, placed, PlacedManifest } from './manifests';
