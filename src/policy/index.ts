export { AddressSet } from './address-set';
export { selects } from './selectors';
export { NetworkEndpoint } from './network-endpoint';
export { IsolationAnswer, NetworkAnswer, NetworkMatrixRow, NetworkModel, NetworkModelProps, ReachedRange, Reachability, ServiceTranslation } from './network-model';
export { describeObject, manifestsOf, placed, PlacedManifest } from './manifests';
