export {
  ClaimRateMetricProps, ExternalMetricProps, MetricTargetType, ScalingBehavior, ScalingPolicy, ScalingPolicySelect, ScalingRules,
  WarmPoolAutoscalingOptions, WarmPoolHorizontalPodAutoscaler, WarmPoolHorizontalPodAutoscalerProps, WarmPoolMetric, WarmPoolScaleTarget,
} from './autoscaling';
export { ClusterDns } from './cluster-dns';
export { SandboxContainer, SandboxMount, SandboxPort } from './container';
export { AgentSandboxCrds, AgentSandboxCrdsProps } from './crds';
export * from './disruption-budget';
export { AgentSandboxController } from './install/agent-sandbox-controller';
export { ControllerFlagProps, ControllerLogLevel } from './install/controller-flags';
export { ControllerImplementation } from './install/implementation';
export { MonitoringProps } from './install/monitoring';
export { AgentSandboxControllerProps } from './install/props';
export { RouterGatewayProps, RouterProps } from './install/router-props';
export { InstalledProgramProps } from './install/workload';
export { Isolation, IsolationPlacement, IsolationProps, KataHypervisor, KataIsolationProps } from './isolation';
export {
  KedaAuthentication, KedaClaimRateProps, KedaPrometheusOptions, KedaPrometheusProps, KedaTrigger, KedaTriggerProps,
  WarmPoolScaledObject, WarmPoolScaledObjectOptions, WarmPoolScaledObjectProps,
} from './keda';
export { ObjectMetadataProps } from './kubernetes-object';
export { Lifetime, LifetimeOptions, ShutdownPolicy } from './lifetime';
export { DnsOnlyNetworkProps, PublicInternetNetworkProps, RouterOnlyNetworkProps, SandboxNetwork, SandboxRouterPeer } from './network';
export { CidrPeerOptions, NetworkPeer, PodPeerOptions, PublicInternetPeerOptions } from './network-peer';
export { NetworkPort } from './network-port';
export { AgentSandboxObjectProps, AgentSandboxVersion } from './object';
export { SandboxPodProps } from './pod-props';
export { GrpcProbeOptions, HttpProbeOptions, PortProbeOptions, Probe, ProbeOptions } from './probe';
export { Relaxation } from './relaxation';
export * from './runtime-class';
export { Sandbox, SandboxProps } from './sandbox';
export { SandboxClaim, SandboxClaimProps } from './sandbox-claim';
export {
  ClaimOverrides, ISandboxTemplate, SandboxTemplate, SandboxTemplateFromPodProps, SandboxTemplateOptions, SandboxTemplateProps,
} from './sandbox-template';
export * from './sandbox-namespace';
export { ISandboxWarmPool, SandboxWarmPool, SandboxWarmPoolAttributes, SandboxWarmPoolProps, UpdateStrategy } from './sandbox-warm-pool';
export { EmptyDirOptions, FilesOptions, PersistentVolumeOptions, SandboxVolume } from './volume';
export * as l1 from '../imports';
