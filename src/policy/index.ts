export { NetworkEndpoint } from './network-endpoint';
export { IsolationAnswer, NetworkAnswer, NetworkMatrixRow, NetworkModel, NetworkModelProps, ReachedRange, Reachability } from './network-model';
