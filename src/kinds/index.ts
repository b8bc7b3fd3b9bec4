export { AgentSandboxCrds, AgentSandboxCrdsProps } from './crds';
export { Lifetime, LifetimeOptions, ShutdownPolicy } from './lifetime';
export { SandboxClaim, SandboxClaimProps } from './sandbox-claim';
export { ClaimOverrides, SandboxTemplate, SandboxTemplateFromPodProps, SandboxTemplateOptions, SandboxTemplateProps } from './sandbox-template';
export { SandboxWarmPool, SandboxWarmPoolAttributes, SandboxWarmPoolProps, UpdateStrategy } from './sandbox-warm-pool';
export { Sandbox, SandboxProps } from './sandbox';
