export { NetworkEndpoint } from './network-endpoint';
export { IsolationAnswer, NetworkAnswer, NetworkMatrixRow, NetworkModel, NetworkModelProps, ReachedRange, Reachability, ServiceTranslation } from './network-model';
