export {
  AgentSandboxCrds, AgentSandboxCrdsProps, ClaimOverrides, Lifetime, LifetimeOptions, Sandbox, SandboxClaim,
  SandboxClaimOptions, SandboxClaimProps, SandboxProps, SandboxTemplate, SandboxTemplateFromPodProps, SandboxTemplateOptions,
  SandboxTemplateProps, SandboxWarmPool, SandboxWarmPoolAttributes, SandboxWarmPoolOptions, SandboxWarmPoolProps,
  ShutdownPolicy, UpdateStrategy,
} from './kinds';
export {
  EmptyDirOptions, EnvFromOptions, EnvSource, EnvSourceOptions, FilesOptions, Gpu, GrpcProbeOptions, HttpHookOptions, HttpProbeOptions,
  Isolation, IsolationPlacement,
  IsolationProps, KataHypervisor, KataIsolationProps, LifecycleHook, NodeRule, PersistentVolumeOptions, PodSpread,
  PodSpreadOptions, PortProbeOptions, Probe, ProbeOptions, Relaxation, RuntimeClassOverhead, SandboxContainer,
  SandboxMount, SandboxPodProps, SandboxPort, SandboxRuntimeClass, SandboxRuntimeClassProps, SandboxVolume,
  SeccompProfile, StartGate, StartGateOptions, TaintEffect, TolerationOptions, Tolerations,
} from './pod';
export {
  CidrPeerOptions, ClusterDns, DnsOnlyNetworkProps, NetworkPeer, NetworkPort, PodPeerOptions,
  PublicInternetNetworkProps, PublicInternetPeerOptions, RouterOnlyNetworkProps, SandboxNetwork, SandboxRouterPeer,
} from './network';
export {
  ClaimRateMetricProps, ExternalMetricProps, KedaAuthentication, KedaClaimRateProps, KedaPrometheusOptions,
  KedaPrometheusProps, KedaTrigger, KedaTriggerProps, MetricTargetType, SandboxDisruptionBudget,
  SandboxDisruptionBudgetProps, ScalingBehavior, ScalingPolicy, ScalingPolicySelect, ScalingRules,
  UnhealthyPodEvictionPolicy, WarmPoolAutoscalingOptions, WarmPoolHorizontalPodAutoscaler,
  WarmPoolHorizontalPodAutoscalerProps, WarmPoolMetric, WarmPoolScaledObject, WarmPoolScaledObjectOptions,
  WarmPoolScaledObjectProps, WarmPoolScaleTarget, WarmPoolSizing, WarmPoolSizingProps,
} from './scaling';
export {
  ContainerAmounts, PodSecurityLevel, SandboxNamespace, SandboxNamespaceContainerLimits, SandboxNamespaceProps,
  SandboxNamespaceQuota, Tenant, TenantPool, TenantProps,
} from './namespace';
export {
  IsolationAnswer, NetworkAnswer, NetworkEndpoint, NetworkMatrixRow, NetworkModel, NetworkModelProps, ReachedRange, Reachability,
  ServiceTranslation,
} from './policy';
export {
  AgentSandboxController, AgentSandboxControllerProps, ControllerFlagProps, ControllerImplementation,
  ControllerLogLevel, InstalledProgramProps, MonitoringProps, RouterBrowserProps, RouterFlagProps, RouterGatewayProps,
  RouterOidcProps, RouterProps,
} from './install';
export { AdmissionAction, AdmissionEngine, SandboxAdmissionPolicies, SandboxAdmissionPoliciesProps } from './admission';
export { Posture, PostureConcern, PostureDifference, PostureEntry, PostureFact, PosturePageOptions } from './posture';
export { ExpectedClaim, ExpectedObject, ExpectedWarmPool, SandboxAssertions } from './testing';
export { ManifestImport } from './importing';
export { SandboxProjection } from './projection';
export { AgentSandboxValidation, AgentSandboxValidationProps, Checks, Finding, FindingSeverity } from './findings';
export {
  AgentSandboxObjectProps, AgentSandboxVersion, DnsPolicy, IConfigMap, IEnvFrom, IEnvValue, IIpBlock, ILabelSelector, ImagePullPolicy,
  INetworkPolicyPeer, IPersistentVolumeClaim, IPod, ISandboxTemplate, ISandboxWarmPool, ISecret, IServiceAccount, MountPropagation,
  NamespaceSelectorConfig, NetworkPolicyPeerConfig, ObjectMetadataProps, ObjectReference, PersistentVolumeAccessMode, PodSelectorConfig, Protocol,
  RestartPolicy,
} from './objects';
export * as l1 from '../imports';
