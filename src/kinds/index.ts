export { AgentSandboxCrds, AgentSandboxCrdsProps } from './crds';
export { ClaimOverrides } from './known-template';
export { Lifetime, LifetimeOptions, ShutdownPolicy } from './lifetime';
export { SandboxClaim, SandboxClaimOptions, SandboxClaimProps } from './sandbox-claim';
export { SandboxTemplate, SandboxTemplateFromPodProps, SandboxTemplateOptions, SandboxTemplateProps } from './sandbox-template';
export { SandboxWarmPool, SandboxWarmPoolAttributes, SandboxWarmPoolOptions, SandboxWarmPoolProps, UpdateStrategy } from './sandbox-warm-pool';
export { Sandbox, SandboxProps } from './sandbox';
